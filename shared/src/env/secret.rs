//! Secrets: texts that cannot be printed, and can be read again from the store they came from.

use crate::{Env, Error, Meter, Result, aws};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A secret text. It prints as `***`, and its clones share what a renewal brings.
#[derive(Clone)]
pub struct Secret {
    name: String,
    value: Arc<RwLock<String>>,
    vault: Option<Vault>,
    /// When it was last read again.
    read: Arc<Mutex<Option<Instant>>>,
}

impl Secret {
    pub(crate) fn new(name: &str, value: &str, vault: Option<Vault>) -> Self {
        Self { name: name.to_owned(), value: Arc::new(RwLock::new(value.to_owned())), vault, read: Arc::default() }
    }

    /// The variable that holds it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text itself, for the header that needs it.
    #[must_use]
    pub fn expose(&self) -> String {
        self.value.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it has changed since a request that used this value was sent at this time, and was refused. It is read again
    /// from the secret store, unless that was done since: requests made side by side are refused together. Where the store
    /// fails it has not changed: the failure is logged, and the refusal remains the error.
    pub async fn is_renewed(&self, used: &str, sent: Instant) -> bool {
        let Some(vault) = &self.vault else { return false };
        let mut read = self.read.lock().await;
        if self.expose() == used && read.is_none_or(|read| read < sent) {
            *read = Some(Instant::now());
            let fields = vault.read().await.inspect_err(|error| {
                tracing::warn!(
                    secret = self.name,
                    error = error.with_causes(),
                    "a refused secret cannot be read again"
                );
            });
            if let Some(fresh) = fields.ok().and_then(|mut fields| fields.remove(&self.name)) {
                fresh.trim().clone_into(&mut self.value.write().unwrap_or_else(PoisonError::into_inner));
            }
        }
        self.expose() != used
    }

    /// Where a person would fix it.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.vault {
            Some(vault) => format!("key {} of the secret {}", self.name, vault.name()),
            None => format!("the variable {}", self.name),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.name)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

const SECRETS: aws::Service = aws::Service {
    upstream: "secrets",
    endpoint: "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    attempt: Duration::from_secs(5),
    call: Duration::from_secs(10),
    is_internal: true,
};

/// One secret of Secrets Manager that holds a JSON object of texts.
#[derive(Clone)]
pub(crate) struct Vault {
    id: String,
    client: aws_sdk_secretsmanager::Client,
    meter: Meter,
}

impl Vault {
    pub(crate) async fn open(env: &Env, id: &str) -> Result<Self> {
        let config = aws::config(env, SECRETS).await?;
        let client = aws_sdk_secretsmanager::Client::new(&config);
        Ok(Self { id: id.to_owned(), client, meter: env.meter().clone() })
    }

    /// The name of the secret: an ARN holds the number of an account as well, which is in no log.
    fn name(&self) -> &str {
        self.id.split_once(":secret:").map_or(&self.id, |(_, name)| name)
    }

    pub(crate) async fn read(&self) -> Result<BTreeMap<String, String>> {
        let answer = self.client.get_secret_value().secret_id(&self.id).send().await.map_err(|error| {
            let what = format!("GetSecretValue of {} (SECRET_ARN)", self.name());
            match aws::error(&self.meter, SECRETS.upstream, &what, &error) {
                cause @ Error::NotFound { .. } => Error::refused("SECRET_ARN", cause, "vitals/prod"),
                // It may be there a minute later.
                cause => cause,
            }
        })?;
        let fields: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(answer.secret_string().unwrap_or_default()).map_err(|_| {
                Error::config("SECRET_ARN", format!("the secret {} holds no JSON object of texts", self.name()))
            })?;
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        Ok(fields.into_iter().map(|(key, value)| (key, text(value))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_secret_prints_as_stars_and_stays_as_it_is_without_a_store() {
        let secret = Secret::new("TOKEN", "s3cr3t", None);
        assert_eq!(format!("{secret} {secret:?}"), "*** TOKEN=***");
        assert!(!secret.is_renewed("s3cr3t", Instant::now()).await);
        assert_eq!((secret.expose(), secret.place()), ("s3cr3t".to_owned(), "the variable TOKEN".to_owned()));
    }
}
