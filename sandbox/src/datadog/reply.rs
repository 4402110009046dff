//! Answers in Datadog's forms.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

/// A refusal: a status and the sentences that explain it.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) errors: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, errors: vec![error.into()] }
    }

    pub(super) fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the sandbox's store failed: {error}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &json!({"errors": self.errors}))
    }
}

pub(super) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn forbidden() -> Response {
    Refusal::new(StatusCode::FORBIDDEN, "Forbidden").into_response()
}

pub(super) async fn unknown() -> Response {
    Refusal::new(StatusCode::NOT_FOUND, "Not found").into_response()
}
