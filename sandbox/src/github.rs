//! GitHub's REST and GraphQL APIs over the model, as it stands at the sandbox's clock.

mod auth;
mod graphql;
mod ids;
mod index;
mod limits;
mod rest;
mod views;

pub use auth::{APP_KEY, App, Credentials, Identity};
pub use limits::{Resource, Standing};
pub(crate) use rest::{encode, pairs};

use auth::Rejected;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use index::Index;
use jiff::Timestamp;
use rest::{Answer, Content, Refusal, Reply};
use sha2::{Digest as _, Sha256};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use views::World;

/// Everything the server knows.
#[derive(Clone)]
pub struct State {
    organisation: Arc<crate::Organisation>,
    clock: crate::Clock,
    credentials: Credentials,
    index: Arc<Index>,
    schema: Arc<graphql::Schema>,
    served: Arc<AtomicU64>,
}

/// One request, read and recognised.
struct Call {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    identity: Identity,
    key: String,
    now: Timestamp,
    base: String,
}

/// The API, to be mounted at the root of a host.
pub fn router(organisation: Arc<crate::Organisation>, clock: crate::Clock, credentials: Credentials) -> Router {
    let index = Arc::new(Index::new(&organisation));
    let schema = Arc::new(graphql::Schema::new());
    let state = State { organisation, clock, credentials, index, schema, served: Arc::default() };
    Router::new().fallback(serve).with_state(state)
}

/// Longest body that is read: GitHub refuses larger queries too.
const LONGEST: usize = 1 << 20;

async fn serve(Shared(state): Shared<State>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let number = state.served.fetch_add(1, Ordering::Relaxed);
    let now = state.clock.now();
    if parts.headers.get(header::USER_AGENT).is_none_or(HeaderValue::is_empty) {
        return respond(Reply::text(StatusCode::FORBIDDEN, NO_USER_AGENT), number, None, &HeaderMap::new());
    }
    let Ok(body) = axum::body::to_bytes(body, LONGEST).await else {
        let refusal = Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
        return respond(refusal.into(), number, None, &parts.headers);
    };
    let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let base = host.map_or_else(|| "https://api.github.com".to_owned(), |host| format!("http://{host}"));
    let path = parts.uri.path().to_owned();
    let graphql = path == "/graphql";
    let resource = if graphql { Resource::Graphql } else { Resource::Core };
    let (identity, key) = match state.credentials.identify(&parts.headers) {
        Ok(known) => known,
        Err(rejected) => {
            let standing = state.credentials.meters(|meters| meters.standing("", resource, now));
            return respond(rejection(&rejected, graphql).into(), number, Some(standing), &parts.headers);
        }
    };
    let query = rest::pairs(parts.uri.query().unwrap_or_default());
    let method = if parts.method == http::Method::HEAD { "GET".to_owned() } else { parts.method.to_string() };
    let call = Call { method, path, query, headers: parts.headers, body, identity, key, now, base };
    let (reply, standing) = if graphql { graphql::serve(&state, &call) } else { ask(&state, &call) };
    respond(reply, number, Some(standing), &call.headers)
}

const NO_USER_AGENT: &str = "\r\nRequest forbidden by administrative rules. Please make sure your request has a User-Agent \
header (https://docs.github.com/en/rest/overview/resources-in-the-rest-api#user-agent-required). Check \
https://developer.github.com for other possible causes.\r\n";

fn rejection(rejected: &Rejected, graphql: bool) -> Refusal {
    let message = match rejected {
        Rejected::BadCredentials => "Bad credentials",
        Rejected::Jwt("Integration not found") => {
            return Refusal::new(StatusCode::NOT_FOUND, "Integration not found")
                .documented("https://docs.github.com/rest");
        }
        Rejected::Jwt(message) => message,
    };
    let page = if graphql { "https://docs.github.com/graphql" } else { "https://docs.github.com/rest" };
    Refusal::new(StatusCode::UNAUTHORIZED, message).documented(page)
}

fn ask(state: &State, call: &Call) -> (Reply, Standing) {
    let standing = state.credentials.meters(|meters| meters.standing(&call.key, Resource::Core, call.now));
    if call.path == "/rate_limit" {
        return (rest::account::rate_limit(state, call), standing);
    }
    if standing.remaining() == 0 {
        return (exhausted(call).into(), standing);
    }
    let world = world(state, call);
    let answer: Answer = rest::route(state, call, &world);
    let mut reply = answer.unwrap_or_else(Reply::from);
    reply.tag_itself(&call.method);
    if reply.unchanged(&call.headers) {
        return (reply.into_not_modified(), standing);
    }
    let spent = state.credentials.meters(|meters| meters.spend(&call.key, Resource::Core, 1, call.now));
    (reply, spent.unwrap_or_else(|standing| standing))
}

fn exhausted(call: &Call) -> Refusal {
    let message = match &call.identity {
        Identity::Anonymous => {
            "API rate limit exceeded for 127.0.0.1. (But here's the good news: Authenticated requests \
                                get a higher rate limit. Check out the documentation for more details.)"
                .to_owned()
        }
        Identity::Installation(id) => format!("API rate limit exceeded for installation ID {id}."),
        identity => format!("API rate limit exceeded for user ID {}.", identity.number()),
    };
    let page = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api";
    Refusal::new(StatusCode::FORBIDDEN, &message).documented(page)
}

fn world<'w>(state: &'w State, call: &Call) -> World<'w> {
    World {
        organisation: &state.organisation,
        index: &state.index,
        now: call.now,
        base: call.base.clone(),
        details: RefCell::default(),
    }
}

fn respond(reply: Reply, number: u64, standing: Option<Standing>, asked: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    let mut set = |name: &'static str, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let digest = Sha256::digest(number.to_be_bytes());
    let id = ids::hex(&digest[..14]).to_uppercase();
    set("x-github-request-id", &format!("{}:{}:{}:{}", &id[..4], &id[4..10], &id[10..18], &id[18..]));
    set("server", "github.com");
    let accept = asked.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    set("x-github-media-type", media_type(accept));
    set("x-github-api-version-selected", "2022-11-28");
    set("vary", "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, Accept, X-Requested-With");
    if let Some(standing) = standing {
        set("x-ratelimit-limit", &standing.limit.to_string());
        set("x-ratelimit-remaining", &standing.remaining().to_string());
        set("x-ratelimit-used", &standing.used.to_string());
        set("x-ratelimit-reset", &standing.reset.as_second().to_string());
        set("x-ratelimit-resource", standing.resource.name());
    }
    for (name, text) in &reply.headers {
        set(name, text);
    }
    let body = match reply.content {
        Content::Json(value) => {
            set("content-type", "application/json; charset=utf-8");
            value.to_string()
        }
        Content::Written(text) => {
            set("content-type", "application/json; charset=utf-8");
            text
        }
        Content::Text(text) => {
            set("content-type", "text/plain; charset=utf-8");
            text.to_owned()
        }
        Content::Nothing => String::new(),
    };
    *response.body_mut() = Body::from(body);
    response
}

fn media_type(accept: &str) -> &'static str {
    if accept.contains("application/vnd.github") || accept.contains("github.v3") {
        "github.v3; format=json"
    } else if accept.contains("json") && !accept.contains("*/*") {
        "unknown, github.v3; format=json"
    } else {
        "github.v3; format=json"
    }
}

#[cfg(test)]
mod tests;
