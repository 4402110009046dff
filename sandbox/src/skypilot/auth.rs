//! Who asks: service-account tokens, and users with passwords.

use super::Reply;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who asks.
pub(super) struct Identity {
    /// The user's hash.
    pub id: String,
    /// The name that is shown.
    pub name: String,
    /// Whether it is anybody in particular.
    pub known: bool,
}

/// The credentials that the servers know; clones share them.
#[derive(Debug, Clone, Default)]
pub struct SkyCredentials(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// Whether each token that was ever issued is still good.
    tokens: BTreeMap<String, bool>,
    users: BTreeMap<String, String>,
}

impl SkyCredentials {
    /// One service-account token, and one user with a password.
    #[must_use]
    pub fn new(token: &str, user: &str, password: &str) -> Self {
        let credentials = Self::default();
        credentials.allow(token);
        credentials.lock().users.insert(user.to_owned(), password.to_owned());
        credentials
    }

    /// Lets a token in.
    pub fn allow(&self, token: &str) {
        self.lock().tokens.insert(token.to_owned(), true);
    }

    /// Lets a token in no longer.
    pub fn revoke(&self, token: &str) {
        self.lock().tokens.insert(token.to_owned(), false);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says who asks, or refuses; the state of the server's health is for everybody.
    pub(super) fn identify(&self, headers: &HeaderMap, path: &str) -> Result<Identity, Reply> {
        let health = path.starts_with("/api/health");
        let nobody = || Identity { id: String::new(), name: String::new(), known: false };
        let text = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some((scheme, rest)) = text.and_then(|text| text.split_once(' ')) else {
            return if health { Ok(nobody()) } else { Err(basic("Authentication required")) };
        };
        // A bearer token of another make is left to whatever stands in front of the server.
        if scheme.eq_ignore_ascii_case("bearer") && rest.starts_with("sky_") {
            return self.bearer(rest);
        }
        let found = if scheme.eq_ignore_ascii_case("basic") {
            self.user(rest)
        } else {
            Err(basic("Invalid authentication method"))
        };
        if health { Ok(found.unwrap_or_else(|_| nobody())) } else { found }
    }

    fn bearer(&self, token: &str) -> Result<Identity, Reply> {
        let refuse = |detail: &str| {
            let refusal = Reply::json(StatusCode::UNAUTHORIZED, json!({ "detail": detail }));
            Err(refusal.with("cache-control", "no-store"))
        };
        match self.lock().tokens.get(token) {
            Some(true) => Ok(Identity { id: "sa-7d2d35379356253b".to_owned(), name: "vitals".to_owned(), known: true }),
            Some(false) => refuse("Service account token revoked or rotated"),
            None => refuse("Invalid or expired service account token"),
        }
    }

    fn user(&self, encoded: &str) -> Result<Identity, Reply> {
        let decoded = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some((user, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
            return Err(basic("Invalid basic auth"));
        };
        if self.lock().users.get(user).is_none_or(|known| known != password) {
            return Err(basic("Invalid credentials"));
        }
        Ok(Identity { id: super::rows::user_hash(user), name: user.to_owned(), known: true })
    }
}

fn basic(detail: &str) -> Reply {
    Reply::json(StatusCode::UNAUTHORIZED, Value::from(detail))
        .with("www-authenticate", "Basic realm=\"SkyPilot\"")
        .with("cache-control", "no-store")
}
