//! What the tests of the pretend Datadog share.

mod catalogue;
mod intake;
mod query;

use super::{Keys, Store, router};
use crate::Clock;
use axum::Router;
use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

const NOW: i64 = 1_767_873_600;
const SERIES: &str = "/api/v2/series";
const DISTRIBUTIONS: &str = "/api/v1/distribution_points";

/// A Datadog, and somebody who has both keys.
struct Stage {
    router: Router,
    store: Store,
    clock: Clock,
    keys: Keys,
}

impl Stage {
    fn new() -> Self {
        let store = Store::open(None).unwrap();
        let (clock, keys) = (Clock::at(Timestamp::from_second(NOW).unwrap()), Keys::new("api", "app"));
        Self { router: router(store.clone(), clock.clone(), keys.clone()), store, clock, keys }
    }

    async fn send(&self, request: http::request::Builder, body: impl Into<Body>) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let status = answer.status();
        let text = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&text).unwrap_or_default())
    }

    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::builder().method(method).uri(path);
        self.send(request.header("dd-api-key", "api").header("dd-application-key", "app"), body).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.ask("GET", path, "").await
    }

    async fn post(&self, path: &str, value: &Value) -> (StatusCode, Value) {
        self.ask("POST", path, value.to_string()).await
    }

    /// Submits series and sees them accepted.
    async fn take(&self, series: Value) {
        let (status, answer) = self.post(SERIES, &json!({"series": series})).await;
        assert_eq!((status, answer), (StatusCode::ACCEPTED, json!({"errors": []})));
    }

    /// Submits observations and sees them accepted.
    async fn observe(&self, series: Value) {
        let (status, answer) = self.post(DISTRIBUTIONS, &json!({"series": series})).await;
        assert_eq!((status, answer), (StatusCode::ACCEPTED, json!({"status": "ok"})));
    }

    fn lines(&self) -> Vec<String> {
        self.store.all_points(true).unwrap()
    }

    fn drops(&self) -> Vec<(String, Option<i64>, String)> {
        let dropped = self.store.dropped().unwrap();
        dropped.into_iter().map(|dropped| (dropped.metric, dropped.ts, dropped.reason)).collect()
    }
}

/// A gauge with one point.
fn gauge(metric: &str, tags: &[&str], ts: i64, value: f64) -> Value {
    json!({"metric": metric, "type": 3, "tags": tags, "points": [{"timestamp": ts, "value": value}]})
}

#[tokio::test]
async fn keys_decide_who_submits_and_who_reads_and_can_change() {
    let stage = Stage::new();
    let asked = async |method: &str, path: &str, api: &str, application: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("dd-api-key", api).header("dd-application-key", application);
        stage.send(request, json!({"series": []}).to_string()).await
    };
    let forbidden = (StatusCode::FORBIDDEN, json!({"errors": ["Forbidden"]}));
    assert_eq!(asked("GET", "/api/v1/validate", "api", "").await, (StatusCode::OK, json!({"valid": true})));
    assert_eq!(asked("GET", "/api/v1/validate", "other", "app").await, forbidden);
    assert_eq!(asked("POST", SERIES, "api", "").await.0, StatusCode::ACCEPTED);
    assert_eq!(asked("POST", SERIES, "", "app").await, forbidden);
    assert_eq!(asked("GET", "/api/v1/metrics?from=0", "api", "").await, forbidden);
    assert_eq!(asked("GET", "/api/v1/metrics?from=0", "other", "app").await, forbidden);
    assert_eq!(asked("GET", "/api/v1/metrics?from=0", "api", "app").await.0, StatusCode::OK);
    stage.keys.revoke("api");
    stage.keys.add_api_key("fresh");
    assert_eq!(asked("POST", SERIES, "api", "").await, forbidden);
    assert_eq!(asked("POST", SERIES, "fresh", "").await.0, StatusCode::ACCEPTED);
    assert_eq!(asked("GET", "/api/v1/nothing", "fresh", "app").await.0, StatusCode::NOT_FOUND);
}
