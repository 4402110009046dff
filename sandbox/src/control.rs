//! A way for programs in other languages to move the clock, to make upstreams fail, and to see what was asked.

use crate::Clock;
use crate::asana::Asana;
use crate::faults::{Fault, Faults, Rule};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

#[derive(Clone)]
struct Handles {
    clock: Clock,
    faults: Faults,
    asana: Asana,
}

pub(crate) fn router(clock: Clock, faults: Faults, asana: Asana) -> Router {
    Router::new()
        .route("/clock", get(now).post(turn))
        .route("/faults", post(inject).delete(heal))
        .route("/requests", get(requests).delete(forget))
        .route("/asana", post(pay))
        .with_state(Handles { clock, faults, asana })
}

async fn now(State(handles): State<Handles>) -> Json<Value> {
    Json(json!({"now": handles.clock.now().to_string()}))
}

/// `{"at": "…"}` or `{"advance_seconds": 900}`.
#[derive(Deserialize)]
struct Turn {
    at: Option<jiff::Timestamp>,
    advance_seconds: Option<i64>,
}

async fn turn(State(handles): State<Handles>, Json(turn): Json<Turn>) -> Json<Value> {
    if let Some(at) = turn.at {
        handles.clock.set(at);
    }
    if let Some(seconds) = turn.advance_seconds {
        handles.clock.advance(SignedDuration::from_secs(seconds));
    }
    now(State(handles)).await
}

/// A fault as JSON: an upstream, which requests, and one of `status`, `latency_ms`, `cut`, `truncate`.
#[derive(Deserialize)]
struct Wish {
    upstream: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    skip: u64,
    times: Option<u64>,
    status: Option<u16>,
    retry_after: Option<u32>,
    latency_ms: Option<u64>,
    #[serde(default)]
    truncate: bool,
    #[serde(default)]
    cut: bool,
}

async fn inject(
    State(handles): State<Handles>,
    Json(wish): Json<Wish>,
) -> Result<StatusCode, (StatusCode, &'static str)> {
    let fault = match wish {
        Wish { status: Some(status), retry_after, .. } => {
            let seconds = retry_after.map(|seconds| seconds.to_string());
            let headers: Vec<(&str, &str)> = seconds.iter().map(|seconds| ("retry-after", seconds.as_str())).collect();
            Fault::answer(status, &headers, &json!({"message": "a fault that was asked for"}).to_string())
        }
        Wish { latency_ms: Some(latency), .. } => Fault::Latency(Duration::from_millis(latency)),
        Wish { truncate: true, .. } => Fault::Truncated,
        Wish { cut: true, .. } => Fault::CutBefore,
        _ => return Err((StatusCode::BAD_REQUEST, "say one of status, latency_ms, truncate or cut\n")),
    };
    let rule = Rule::new(fault).containing(wish.path).skip(wish.skip);
    let rule = match wish.times {
        None => rule,
        Some(times) => rule.times(times),
    };
    handles.faults.inject(&wish.upstream, rule);
    Ok(StatusCode::NO_CONTENT)
}

async fn heal(State(handles): State<Handles>) -> StatusCode {
    handles.faults.clear();
    StatusCode::NO_CONTENT
}

/// `{"pays": true}`: from now on Asana's domain may search, and ask ten times as much.
#[derive(Deserialize)]
struct Plan {
    pays: bool,
}

async fn pay(State(handles): State<Handles>, Json(plan): Json<Plan>) -> StatusCode {
    handles.asana.premium(plan.pays);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Which {
    upstream: String,
}

async fn requests(State(handles): State<Handles>, Query(which): Query<Which>) -> Json<Value> {
    let asked = handles.faults.requests(&which.upstream);
    let list: Vec<Value> = asked.into_iter().map(|(method, path)| json!({"method": method, "path": path})).collect();
    Json(json!({"requests": list}))
}

async fn forget(State(handles): State<Handles>) -> StatusCode {
    handles.faults.forget_requests();
    StatusCode::NO_CONTENT
}
