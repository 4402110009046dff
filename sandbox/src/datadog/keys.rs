//! The keys that Datadog knows: an API key submits, and reading takes an application key beside it.

use super::reply;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Known {
    api: BTreeSet<String>,
    application: BTreeSet<String>,
}

/// The keys that are good; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Arc<Mutex<Known>>);

impl Keys {
    /// One key of each kind.
    #[must_use]
    pub fn new(api: &str, application: &str) -> Self {
        let keys = Self::default();
        keys.add_api_key(api);
        keys.add_application_key(application);
        keys
    }

    /// Lets an API key in.
    pub fn add_api_key(&self, key: &str) {
        self.lock().api.insert(key.to_owned());
    }

    /// Lets an application key in.
    pub fn add_application_key(&self, key: &str) {
        self.lock().application.insert(key.to_owned());
    }

    /// Lets a key of either kind in no longer.
    pub fn revoke(&self, key: &str) {
        let mut known = self.lock();
        known.api.remove(key);
        known.application.remove(key);
    }

    pub(super) fn admit(&self, headers: &HeaderMap, reads: bool) -> bool {
        let known = self.lock();
        let is = |name, keys: &BTreeSet<String>| {
            headers.get(name).and_then(|key| key.to_str().ok()).is_some_and(|key| keys.contains(key))
        };
        is("dd-api-key", &known.api) && (!reads || is("dd-application-key", &known.application))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that the key is good: with another one, nobody gets here.
pub(super) async fn validate() -> Response {
    reply::json(StatusCode::OK, &json!({"valid": true}))
}
