//! Asana's HTTP API over the model, as it stands at the sandbox's clock.

mod access;
mod fields;
mod query;
mod routes;
mod search;
mod shapes;
mod view;

pub use access::Asana;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use jiff::Timestamp;
use query::Query;
use serde_json::{Value, json};
use std::sync::Arc;
use view::{Index, View};

/// Where the API begins.
const ROOT: &str = "/api/1.0";

/// The longest body of an injected fault that is looked into.
const LONGEST: usize = 1 << 16;

/// What some errors are told with.
const HELP: &str = "For more information on API status codes and how to handle them, read the docs on errors: \
                    https://developers.asana.com/docs/errors";

/// What a request beyond a limit is told.
const TOO_MANY: &str =
    "You've made too many requests and hit a rate limit. Please retry after the given amount of time.";

/// What an unknown token is told.
const NOT_AUTHORIZED: &str = "Not Authorized";

/// Everything the server knows.
#[derive(Clone)]
struct State {
    organisation: Arc<crate::Organisation>,
    clock: crate::Clock,
    door: Asana,
    index: Arc<Index>,
}

/// One request, read and recognised.
struct Call<'a> {
    state: &'a State,
    token: String,
    /// The path without its root.
    path: String,
    query: Query,
    now: Timestamp,
    base: String,
}

/// The body of an answer.
#[derive(Debug)]
struct Reply(Value);

/// Why there is no answer.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
    wait: Option<u64>,
}

impl Refusal {
    fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned(), wait: None }
    }

    fn bad(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "No matching route for request")
    }

    fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden")
    }

    fn too_many(wait: u64) -> Self {
        Self { wait: Some(wait), ..Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY) }
    }

    fn body(&self) -> Value {
        error(self.status, &self.message)
    }
}

/// The body of an error. Failures of the server have a phrase, by which Asana's support finds them.
fn error(status: StatusCode, message: &str) -> Value {
    let error = match status {
        StatusCode::TOO_MANY_REQUESTS => json!({"message": message}),
        _ if status.is_server_error() => json!({"message": message, "phrase": "6 sad squid snuggle softly"}),
        _ => json!({"message": message, "help": HELP}),
    };
    json!({ "errors": [error] })
}

/// The API, to be mounted at the root of a host.
pub(crate) fn router(organisation: Arc<crate::Organisation>, clock: crate::Clock, door: Asana) -> Router {
    let index = Arc::new(Index::new(&organisation.workspaces));
    Router::new().fallback(serve).with_state(State { organisation, clock, door, index })
}

/// Marks a request that came while too many others were being answered.
#[derive(Debug, Clone, Copy)]
struct Crowded;

/// Around everything that takes time, for what is limited is the number of requests that are under way.
pub(crate) fn crowd(router: Router, door: Asana) -> Router {
    Router::new().fallback_service(router).layer(from_fn_with_state(door, count))
}

async fn count(Shared(door): Shared<Asana>, mut request: Request, next: Next) -> Response {
    let reading = door.begin(&token(request.headers()).unwrap_or_default());
    if reading.is_none() {
        request.extensions_mut().insert(Crowded);
    }
    let response = next.run(request).await;
    drop(reading);
    if response.status().is_success() { response } else { in_our_words(response).await }
}

/// A fault that was injected without words of its own, told as Asana tells its errors.
async fn in_our_words(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, LONGEST).await.unwrap_or_default();
    let told: Option<Value> = serde_json::from_slice(&body).ok().filter(|told: &Value| told.get("message").is_some());
    if told.is_none() {
        return Response::from_parts(parts, Body::from(body));
    }
    let message = match parts.status {
        StatusCode::TOO_MANY_REQUESTS => TOO_MANY,
        StatusCode::UNAUTHORIZED => NOT_AUTHORIZED,
        status if status.is_server_error() => "Server Error",
        status => status.canonical_reason().unwrap_or_default(),
    };
    let body = error(parts.status, message).to_string();
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(body))
}

fn token(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = text.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
}

fn is_search(path: &str) -> bool {
    path.ends_with("/tasks/search")
}

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let pretty = Query::new(request.uri().query().unwrap_or_default()).value("opt_pretty").is_some();
    match answer(&state, &request.into_parts().0) {
        Ok(Reply(body)) => respond(StatusCode::OK, &body, pretty, None),
        Err(refusal) => respond(refusal.status, &refusal.body(), pretty, refusal.wait),
    }
}

fn answer(state: &State, request: &Parts) -> Result<Reply, Refusal> {
    let path = request.uri.path().strip_prefix(ROOT).ok_or_else(Refusal::no_route)?.to_owned();
    let not_authorized = || Refusal::new(StatusCode::UNAUTHORIZED, NOT_AUTHORIZED);
    let token = token(&request.headers).filter(|token| state.door.knows(token)).ok_or_else(not_authorized)?;
    state.door.spend(&token, is_search(&path)).map_err(Refusal::too_many)?;
    if request.extensions.get::<Crowded>().is_some() {
        return Err(Refusal::too_many(1));
    }
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let base = host.map_or_else(|| "https://app.asana.com".to_owned(), |host| format!("http://{host}"));
    let now = state.clock.now();
    if request.method != Method::GET && request.method != Method::HEAD {
        return Err(Refusal::no_route());
    }
    let query = Query::new(request.uri.query().unwrap_or_default());
    Call { state, token, path, query, now, base }.route()
}

impl<'a> Call<'a> {
    fn view(&self, workspace: usize) -> View<'a> {
        View {
            workspace: &self.state.organisation.workspaces[workspace],
            tasks_of: &self.state.index.tasks[workspace],
            now: self.now,
            door: &self.state.door,
        }
    }
}

fn respond(status: StatusCode, body: &Value, pretty: bool, wait: Option<u64>) -> Response {
    let text = if pretty { format!("{body:#}") } else { body.to_string() };
    let mut response = (status, Body::from(text)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    headers.insert("asana-api-version", HeaderValue::from_static("1.1"));
    if let Some(wait) = wait {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
    }
    response
}

#[cfg(test)]
mod tests;
