//! W&B's GraphQL API over the model, as it stands at the sandbox's clock.

mod entity;
mod filter;
mod graphql;
mod history;
mod keys;
mod limits;
mod mood;
mod page;
#[cfg(test)]
mod tests;
mod view;

pub use keys::WandbKeys;
pub use mood::{Dots, Mood, WandbMood};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use entity::World;
use http::{HeaderValue, StatusCode, header};
use keys::{Caller, Standing};
use limits::Limits;
use serde_json::{Value, json};
use std::sync::Arc;

/// Longest body that is read.
const LONGEST: usize = 8 << 20;

/// Everything the server knows.
#[derive(Clone)]
struct State {
    organisation: Arc<crate::Organisation>,
    clock: crate::Clock,
    keys: WandbKeys,
    mood: WandbMood,
    schema: Arc<graphql::Schema>,
}

/// The API, to be mounted at the root of a host.
pub(crate) fn router(
    organisation: Arc<crate::Organisation>,
    clock: crate::Clock,
    keys: WandbKeys,
    mood: WandbMood,
) -> Router {
    let state = State { organisation, clock, keys, mood, schema: Arc::new(graphql::Schema::new()) };
    Router::new().fallback(serve).with_state(state)
}

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() != "/graphql" {
        return text(StatusCode::NOT_FOUND, "404 page not found\n");
    }
    if parts.method != http::Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n");
    }
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large\n");
    };
    let now = state.clock.now();
    let caller = state.keys.caller(&parts.headers);
    let standing = state.keys.spend(&caller, now);
    let Ok(standing) = standing.as_ref() else {
        let body = json!({ "error": "rate limit exceeded" });
        return respond(StatusCode::TOO_MANY_REQUESTS, &body, standing.as_ref().err());
    };
    let viewer = match &caller {
        Caller::Unknown => {
            let field = graphql::first_field(&body).unwrap_or_else(|| "viewer".to_owned());
            let error = json!({
                "message": "user is not logged in", "path": [field], "extensions": { "code": "PERMISSION_ERROR" },
            });
            let body = json!({ "errors": [error], "data": { field: null } });
            return respond(StatusCode::UNAUTHORIZED, &body, Some(standing));
        }
        Caller::Known { login, .. } => Some(login.as_str()),
        Caller::Nobody => None,
    };
    let world = World { organisation: &state.organisation, now, viewer, limits: Limits::new(state.mood.get(), &body) };
    let (status, answer) = graphql::serve(&state.schema, &world, &body);
    match status {
        // The load balancer speaks for a server that takes too long.
        StatusCode::BAD_GATEWAY => text(status, "<html><head><title>502 Bad Gateway</title></head></html>\n"),
        StatusCode::GATEWAY_TIMEOUT => text(status, "stream timeout"),
        _ => respond(status, &answer, Some(standing)),
    }
}

fn text(status: StatusCode, body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn respond(status: StatusCode, body: &Value, standing: Option<&Standing>) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(standing) = standing {
        headers.insert("ratelimit-remaining", HeaderValue::from(standing.remaining));
        headers.insert("ratelimit-reset", HeaderValue::from(standing.reset));
    }
    response
}
