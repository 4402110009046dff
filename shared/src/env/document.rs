//! A variable that is a document: inline JSON, or the address of an object in S3, because Lambda's environment is small.

use crate::{Env, Error, Result, Store};
use std::fmt;

/// The largest document that is read.
const LARGEST: usize = 4 * 1024 * 1024;

/// The text of a variable.
pub(crate) struct Document {
    /// Its content.
    pub text: String,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document")
    }
}

impl Document {
    /// Reads a variable, inline or from its object; nothing where it is not set.
    ///
    /// # Errors
    /// When it names an object that is not there or is no text, which is a wrong configuration, or a store that fails.
    pub async fn read(env: &Env, name: &str) -> Result<Option<Self>> {
        let Some(text) = env.get(name) else { return Ok(None) };
        Ok(Some(match text.strip_prefix("s3://") {
            None => Self { text: text.to_owned() },
            Some(place) => Self { text: object(env, name, place).await? },
        }))
    }
}

async fn object(env: &Env, name: &str, place: &str) -> Result<String> {
    let refused =
        |problem: String| Error::refused(name, problem, &format!("s3://acme-vitals/{}.json", name.to_lowercase()));
    let Some((bucket, key)) = place.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
    else {
        return Err(refused(format!("`s3://{place}` is not an address")));
    };
    // The name of a bucket often holds the number of an account.
    let unread = |why: String| refused(format!("the object {key} cannot be read: {why}"));
    let store = Store::bucket(env, bucket).await?;
    let object = store.get(key, LARGEST).await.map_err(|error| match error {
        // Another try would find the same.
        error if is_absent(&error) => unread(error.with_causes()),
        Error::Store { source, .. } => Error::store(format!("read the object {key} that {name} names"), source),
        error => error,
    })?;
    let object = object.ok_or_else(|| unread("there is no such object".to_owned()))?;
    if object.is_too_large {
        return Err(unread(format!("it is larger than {LARGEST} bytes")));
    }
    String::from_utf8(object.bytes).map_err(|_| unread("it is not text".to_owned()))
}

/// Whether a store says that there is no such bucket, which is a wrong name and no failure of its own.
fn is_absent(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<Error>());
    matches!(cause, Some(Error::NotFound { .. }))
}
