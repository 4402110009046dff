//! The credentials of a request.

use crate::{Error, Result, Secret};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderName, HeaderValue, header};
use std::fmt;

/// The credentials of a client.
#[derive(Clone)]
pub enum Auth {
    /// None, or the caller adds them.
    None,
    /// `Authorization: Bearer …`
    Bearer(Secret),
    /// `Authorization: Basic …` with this user.
    Basic(String, Secret),
    /// A header of the upstream's own.
    Header(HeaderName, Secret),
}

impl fmt::Debug for Auth {
    /// The kind alone: a user is configuration as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer",
            Self::Basic(..) => "Basic",
            Self::Header(..) => "Header",
        })
    }
}

impl Auth {
    pub(crate) const fn secret(&self) -> Option<&Secret> {
        match self {
            Self::None => None,
            Self::Bearer(secret) | Self::Basic(_, secret) | Self::Header(_, secret) => Some(secret),
        }
    }

    pub(crate) fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>> {
        let (name, text, secret) = match self {
            Self::None => return Ok(None),
            Self::Bearer(secret) => (header::AUTHORIZATION, format!("Bearer {}", secret.expose()), secret),
            Self::Basic(user, secret) => {
                let pair = BASE64_STANDARD.encode(format!("{user}:{}", secret.expose()));
                (header::AUTHORIZATION, format!("Basic {pair}"), secret)
            }
            Self::Header(name, secret) => (name.clone(), secret.expose(), secret),
        };
        let mut value = HeaderValue::try_from(text).map_err(|_| {
            Error::config(secret.name(), "holds characters that no header can carry; is there a line break in it?")
        })?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}
