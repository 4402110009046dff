//! Secrets Manager's protocol over secrets that can be changed while it runs.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The secrets; clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Secrets(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    texts: BTreeMap<String, (u64, String)>,
    reads: u64,
}

impl Secrets {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a text under a name; an earlier one becomes the previous version.
    pub fn put(&self, name: &str, text: &str) {
        let mut inner = self.lock();
        let version = inner.texts.get(name).map_or(1, |(version, _)| version + 1);
        inner.texts.insert(name.to_owned(), (version, text.to_owned()));
    }

    /// How often a secret was read.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.lock().reads
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }
}

async fn answer(State(secrets): State<Secrets>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    if !text("authorization").starts_with("AWS4-HMAC-SHA256 ") {
        return refusal("MissingAuthenticationTokenException", "Missing Authentication Token");
    }
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return refusal("SerializationException", "The request body is not JSON.");
    };
    if text("x-amz-target") != "secretsmanager.GetSecretValue" {
        return refusal("UnknownOperationException", "The operation is not known here.");
    }
    let Some(id) = request["SecretId"].as_str() else {
        return refusal("InvalidParameterException", "You must provide a value for the SecretId parameter.");
    };
    let mut inner = secrets.lock();
    let found = inner.texts.iter().find(|(name, _)| *name == id || arn(name) == id);
    let Some((name, (version, text))) = found.map(|(name, secret)| (name.clone(), secret.clone())) else {
        return refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    };
    inner.reads += 1;
    let body = json!({
        "ARN": arn(&name), "Name": name, "SecretString": text, "VersionId": format!("00000000-0000-4000-8000-{version:012}"),
        "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_767_225_600,
    });
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/x-amz-json-1.1")], body.to_string()).into_response()
}

/// The long name of a secret.
fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}-AbCdEf")
}

fn refusal(kind: &str, message: &str) -> Response {
    let body = json!({"__type": kind, "message": message}).to_string();
    let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amzn-errortype", kind)];
    (StatusCode::BAD_REQUEST, headers, body).into_response()
}
