//! SkyPilot's API server over the model, as it stands at the sandbox's clock.
//!
//! A question is a request that the server works on: the POST names it in a header, `GET /api/get` waits for its result.

mod auth;
mod clusters;
mod health;
mod queue;
mod requests;
mod rows;

pub use auth::SkyCredentials;
pub use requests::Workshop;

use crate::model::skypilot::{Release, Server};
use crate::{Clock, Organisation};
use auth::Identity;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use requests::Job;
use serde_json::{Value, json};
use std::sync::Arc;

/// Prices of GPU hours, as `PRICES` may hold them.
pub const PRICES: &str = r#"{"as_of": "2026-01-01", "gpu": {"a100": {"ondemand": 3.5, "spot": 1.25}, "h100": {"ondemand": 8.0, "spot": 3.0}, "l4": {"ondemand": 0.75, "spot": 0.26}, "l40s": {"ondemand": 1.9}, "a10g": {"ondemand": 1.2, "spot": 0.45}}}"#;

/// Longest body that is read.
const LONGEST: usize = 4 << 20;

/// Everything one server knows.
#[derive(Clone)]
struct State {
    organisation: Arc<Organisation>,
    place: usize,
    clock: Clock,
    credentials: SkyCredentials,
    workshop: Workshop,
}

impl State {
    fn server(&self) -> Option<&Server> {
        self.organisation.skypilot.get(self.place)
    }

    fn release(&self) -> Release {
        self.server().map_or(Release::New, |server| server.release)
    }

    fn is_new(&self) -> bool {
        self.release() != Release::Old
    }
}

/// An answer before it is written.
struct Reply {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Reply {
    const fn json(status: StatusCode, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    fn detail(status: StatusCode, detail: &str) -> Self {
        Self::json(status, json!({ "detail": detail }))
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The API of the server at this place of the organisation's list.
pub fn router(
    organisation: Arc<Organisation>,
    place: usize,
    clock: Clock,
    credentials: SkyCredentials,
    workshop: Workshop,
) -> Router {
    let state = State { organisation, place, clock, credentials, workshop };
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Every answer carries the id that a request of it would have.
    let id = state.workshop.new_id();
    let body = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
    let reply = match state.credentials.identify(&parts.headers, parts.uri.path()) {
        Err(refusal) => refusal,
        Ok(identity) => route(&state, &parts.method, &parts.uri, &body, &id, &identity).await,
    };
    write(&reply, &id, state.is_new())
}

async fn route(state: &State, method: &Method, uri: &http::Uri, body: &Bytes, id: &str, identity: &Identity) -> Reply {
    let wanted = match uri.path() {
        "/api/health" | "/api/get" => Method::GET,
        "/status" => Method::POST,
        // A new server has the old route too, where nobody looks who knows the new one.
        "/jobs/queue" if !state.is_new() => Method::POST,
        "/jobs/queue/v2" if state.is_new() => Method::POST,
        _ => return Reply::detail(StatusCode::NOT_FOUND, "Not Found"),
    };
    if *method != wanted {
        let refusal = Reply::detail(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        return refusal.with("allow", wanted.as_str());
    }
    let now = state.clock.now();
    match uri.path() {
        "/api/health" => health::answer(state, identity),
        "/api/get" => requests::get(state, uri.query().unwrap_or_default(), identity).await,
        "/status" => submit(state, id, identity, now, clusters::read(body)),
        "/jobs/queue" => submit(state, id, identity, now, queue::read(body, false)),
        _ => submit(state, id, identity, now, queue::read(body, true)),
    }
}

/// What a POST asks for, once it was understood.
enum Asked {
    Queue(Box<queue::Query>),
    Status(clusters::Query),
}

/// A body in its type; what is not known in it is ignored.
fn parsed<T: for<'a> serde::Deserialize<'a>>(body: &Bytes) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|error| {
        let wrong = json!([{ "type": "value_error", "loc": ["body"], "msg": error.to_string() }]);
        Reply::json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": wrong }))
    })
}

/// Begins to work on a request; the answer says nothing, its header says which request it is.
fn submit(state: &State, id: &str, identity: &Identity, now: Timestamp, asked: Result<Asked, Reply>) -> Reply {
    let asked = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let Some(server) = state.server() else { return Reply::detail(StatusCode::NOT_FOUND, "Not Found") };
    let people = &state.organisation.people;
    let (name, result) = match &asked {
        Asked::Queue(query) if query.v2 => ("sky.jobs.queue_v2", queue::second(server, people, query, now)),
        Asked::Queue(query) => ("sky.jobs.queue", queue::first(server, people, query, now)),
        Asked::Status(query) => ("sky.status", Ok(clusters::list(server, people, query, now))),
    };
    let cluster = matches!(asked, Asked::Queue(_)).then_some("sky-jobs-controller-fcd1e5cf");
    state.workshop.begin(id, Job { name, user: identity.id.clone(), created_at: rows::epoch(now), cluster, result });
    Reply::json(StatusCode::OK, Value::Null)
}

fn write(reply: &Reply, id: &str, new: bool) -> Response {
    let mut response = Response::new(Body::from(reply.body.to_string()));
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    let mut set = |name: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("server", "uvicorn");
    set("content-type", "application/json");
    set(if new { "x-skypilot-request-id" } else { "x-request-id" }, id);
    for (name, text) in &reply.headers {
        set(name, text);
    }
    response
}

#[cfg(test)]
mod tests;
