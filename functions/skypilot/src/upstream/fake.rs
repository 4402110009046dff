//! A server of two routes for tests: each POST is answered by what a test says, and fetched by its id.

use super::exchange::Client;
use crate::config::Server;
use serde_json::{Value, json};
use shared::testing::{Fake, Reply};
use shared::{Auth, Env};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What a test says of a request that failed because there is no jobs controller.
pub(super) const ASLEEP: &str = "ClusterNotUpError: No in-progress managed jobs.";

/// What a test says of a jobs controller that cannot be reached.
pub(super) const UNREACHABLE: &str = "ClusterNotUpError: Failed to connect to jobs controller.";

/// What a test says of a request for a field that the server does not know.
pub(super) const UNKNOWN_FIELD: &str = "RuntimeError: ValueError: Unknown field: is_primary_in_job_group";

/// The fake, and a client that asks it.
pub(super) struct Stage {
    pub client: Client,
    pub fake: Fake,
}

impl Stage {
    /// A server whose requests return what this says of their number and body; nothing is a route that is not there, and a
    /// text is why the request failed.
    pub async fn new(answer: impl Fn(usize, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        Self::routed(move |number, _, body| answer(number, body)).await
    }

    /// The same, by route as well.
    pub async fn routed(answer: impl Fn(usize, &str, &Value) -> Option<Value> + Send + Sync + 'static) -> Self {
        let results: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
        let fake = Fake::start(move |_, seen| {
            let mut results = results.lock().unwrap();
            if let Some((_, id)) = seen.path.split_once("request_id=") {
                let value = results.get(id).cloned().unwrap_or(Value::Null);
                if value.is_string() {
                    return Reply::json(500, &json!({"detail": {"status": "FAILED", "error": value}}));
                }
                return Reply::json(200, &json!({"status": "SUCCEEDED", "return_value": value.to_string()}));
            }
            let (number, body) = (results.len(), serde_json::from_slice(&seen.body).unwrap_or(Value::Null));
            let Some(value) = answer(number, &seen.path, &body) else {
                return Reply::json(404, &json!({"detail": "Not Found"}));
            };
            results.insert(number.to_string(), value);
            Reply::json(200, &Value::Null).header("x-skypilot-request-id", &number.to_string())
        })
        .await;
        let server = Server { alias: "prod".into(), url: fake.url().to_owned(), auth: Auth::None };
        let client = Client::new(&Env::of::<&str, &str>([]), &server).unwrap();
        Self { client, fake }
    }

    /// The bodies that a route was asked with.
    pub fn asked(&self, route: &str) -> Vec<Value> {
        let posts = self.fake.seen().into_iter().filter(|seen| seen.method == "POST" && seen.path == route);
        posts.map(|seen| serde_json::from_slice(&seen.body).unwrap()).collect()
    }
}
