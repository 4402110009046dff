//! The layer around an upstream's router that lets its faults happen.

use super::{Asked, Fault, Faults, Wire};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The largest body that a rule looks into or a fault changes.
const LARGEST: usize = 256 << 20;

/// A router whose requests are written down and meet the faults of this upstream.
pub(crate) fn around(router: Router, faults: Faults, upstream: &str) -> Router {
    let layer = from_fn_with_state((faults, Arc::from(upstream)), meet);
    // A layer of a router covers its routes and its fallback; what is around it sees every request once.
    Router::new().fallback_service(router).layer(layer)
}

async fn meet(State((faults, upstream)): State<(Faults, Arc<str>)>, request: Request, next: Next) -> Response {
    let wire = request.extensions().get::<ConnectInfo<Wire>>().map(|info| info.0.clone());
    let (request, body) = if faults.wants_bodies(&upstream) {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LARGEST).await.unwrap_or_default();
        (Request::from_parts(parts, Body::from(body.clone())), body)
    } else {
        (request, Bytes::new())
    };
    let path = request.uri().path_and_query().map_or_else(|| request.uri().path(), |path| path.as_str());
    let asked = Asked { method: request.method().as_str(), path, body: &body };
    let (latency, struck) = faults.judge(&upstream, &asked);
    let latency = latency + struck.iter().map(late).sum();
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    match struck.last() {
        Some(Fault::Status { code, headers, body }) => return answer(*code, headers, body),
        Some(Fault::Garbage) => return html(),
        Some(Fault::Hang) => return std::future::pending().await,
        Some(Fault::CutBefore) => return cut(wire.as_ref()),
        _ => {}
    }
    let mut response = next.run(request).await;
    for fault in struck {
        response = match fault {
            Fault::Rewrite(change) => rewritten(response, &*change).await,
            Fault::CutAfter => cut(wire.as_ref()),
            Fault::CutBody(bytes) => broken(response, bytes).await,
            Fault::Truncated => truncated(response).await,
            Fault::SlowBody(rate) => slow(response, rate).await,
            _ => response,
        };
    }
    response
}

fn late(fault: &Fault) -> Duration {
    if let Fault::Latency(latency) = fault { *latency } else { Duration::ZERO }
}

fn answer(code: u16, headers: &[(String, String)], body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn html() -> Response {
    let page =
        "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in to continue</h1></body></html>";
    answer(200, &[("content-type".to_owned(), "text/html; charset=utf-8".to_owned())], page)
}

/// What is answered is never seen: the connection takes no more bytes.
fn cut(wire: Option<&Wire>) -> Response {
    if let Some(wire) = wire {
        wire.cut();
    }
    answer(500, &[], "")
}

async fn whole(response: Response) -> (http::response::Parts, Bytes) {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::TRANSFER_ENCODING);
    (parts, to_bytes(body, LARGEST).await.unwrap_or_default())
}

fn promise(headers: &mut HeaderMap, length: usize) {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
}

async fn rewritten(
    response: Response,
    change: &(dyn Fn(serde_json::Value) -> serde_json::Value + Send + Sync),
) -> Response {
    let (mut parts, body) = whole(response).await;
    let Ok(value) = serde_json::from_slice(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let body = change(value).to_string();
    promise(&mut parts.headers, body.len());
    Response::from_parts(parts, Body::from(body))
}

async fn truncated(response: Response) -> Response {
    let (mut parts, body) = whole(response).await;
    let half = body.slice(..body.len() / 2);
    promise(&mut parts.headers, half.len());
    Response::from_parts(parts, Body::from(half))
}

/// A body that fails after so many bytes, whereupon the server ends the connection.
async fn broken(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = whole(response).await;
    let kept = body.slice(..bytes.min(body.len()));
    promise(&mut parts.headers, body.len().max(kept.len() + 1));
    // The pause lets what was kept go out before the failure is noticed.
    let chunks = futures::stream::unfold(Some(kept), |kept| async {
        let kept = kept?;
        if kept.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None));
        }
        Some((Ok(kept), Some(Bytes::new())))
    });
    Response::from_parts(parts, Body::from_stream(chunks))
}

async fn slow(response: Response, rate: u64) -> Response {
    const STEPS: u64 = 10;
    let (mut parts, body) = whole(response).await;
    promise(&mut parts.headers, body.len());
    let step = usize::try_from((rate / STEPS).max(1)).unwrap_or(usize::MAX);
    let pause = Duration::from_secs_f64(
        f64::from(u32::try_from(step).unwrap_or(u32::MAX)) / f64::from(u32::try_from(rate.max(1)).unwrap_or(u32::MAX)),
    );
    let chunks = futures::stream::unfold(body, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let chunk = rest.split_to(step.min(rest.len()));
        Some((Ok::<_, io::Error>(chunk), rest))
    });
    Response::from_parts(parts, Body::from_stream(chunks))
}
