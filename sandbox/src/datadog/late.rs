//! Historical ingestion: which metrics take points that are older than an hour.

use super::reply::json;
use super::shape::Fields;
use super::{Datadog, body};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

const TYPE: &str = "historical_metrics_configurations";

/// A refusal in the form that this endpoint has of its own.
pub(super) struct Wrong(StatusCode, String);

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        let title = self.0.canonical_reason().unwrap_or_default();
        json(self.0, &json!({"errors": [{"status": self.0.as_str(), "title": title, "detail": self.1}]}))
    }
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

/// Turns it on; a second time changes nothing.
pub(super) async fn enable(State(datadog): State<Datadog>, request: Request) -> Result<Response, Wrong> {
    let bad = |wrong: String| Wrong(StatusCode::BAD_REQUEST, wrong);
    let sent = body::receive(request.into_body()).await.map_err(|refusal| bad(refusal.errors.join("; ")))?;
    let value: serde_json::Value = serde_json::from_slice(&sent).map_err(|error| bad(error.to_string()))?;
    let payload = Fields::of(&value, "payload").map_err(bad)?;
    let data = payload.required("data", payload.value("data")).map_err(bad)?;
    let data = Fields::of(data, "data").map_err(bad)?;
    let metric = data.text("id").and_then(|id| data.required("id", id)).map_err(bad)?;
    let kind = data.text("type").and_then(|kind| data.required("type", kind)).map_err(bad)?;
    if kind != TYPE {
        return Err(bad(format!("data.type: {kind} is not {TYPE}")));
    }
    let Some(metadata) = datadog.store.metadata(metric)? else {
        return Err(Wrong(StatusCode::NOT_FOUND, format!("metric {metric} not found")));
    };
    if metadata.distribution {
        return Err(Wrong(StatusCode::UNPROCESSABLE_ENTITY, "not supported for distribution metrics".to_owned()));
    }
    if let Some(since) = datadog.store.historical_since(metric)? {
        return Ok(shown(StatusCode::OK, metric, &since));
    }
    let now = datadog.clock.now();
    datadog.store.set_historical(metric, Some(now))?;
    Ok(shown(StatusCode::CREATED, metric, &now.to_string()))
}

/// Says whether it is on: 404 is off.
pub(super) async fn state(State(datadog): State<Datadog>, Path(metric): Path<String>) -> Result<Response, Wrong> {
    let off = || Wrong(StatusCode::NOT_FOUND, format!("historical metrics ingestion is not enabled for {metric}"));
    let since = datadog.store.historical_since(&metric)?.ok_or_else(off)?;
    Ok(shown(StatusCode::OK, &metric, &since))
}

/// Turns it off, whether it was on or not.
pub(super) async fn disable(State(datadog): State<Datadog>, Path(metric): Path<String>) -> Result<Response, Wrong> {
    datadog.store.set_historical(&metric, None)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn shown(status: StatusCode, metric: &str, since: &str) -> Response {
    json(status, &json!({"data": {"id": metric, "type": TYPE, "attributes": {"created_at": since}}}))
}
