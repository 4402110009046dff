//! The whole server, asked in process.

mod graphql;
mod rest;
mod sample;

use super::{App, Credentials, router};
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use sample::{at, organisation};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

/// The sample's server at an instant.
struct Server {
    router: axum::Router,
    credentials: Credentials,
}

impl Server {
    fn at(now: &str) -> Self {
        let credentials = Credentials::with_token("good");
        credentials.install(App::default());
        let clock = crate::Clock::at(at(now));
        Self { router: router(Arc::new(organisation()), clock, credentials.clone()), credentials }
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (parts.status, parts.headers, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (StatusCode, HeaderMap, Value) {
        self.send(asking(path).body(Body::empty()).unwrap()).await
    }

    /// The body of an answer that must be fine.
    async fn ok(&self, path: &str) -> Value {
        let (status, _, body) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    async fn query(&self, query: &str) -> Value {
        self.post(&json!({ "query": query }).to_string()).await.2
    }

    /// A part of the answer to a query about `acme/web` that must be free of errors.
    async fn web(&self, selection: &str) -> Value {
        let body = self.query(&format!("{{ repository(owner: \"acme\", name: \"web\") {{ {selection} }} }}")).await;
        assert_eq!(body["errors"], Value::Null, "{selection}");
        body["data"]["repository"].clone()
    }

    async fn post(&self, body: &str) -> (StatusCode, HeaderMap, Value) {
        self.send(asking("/graphql").method("POST").body(Body::from(body.to_owned())).unwrap()).await
    }
}

fn asking(path: &str) -> http::request::Builder {
    Request::builder().uri(path).header("user-agent", "test").header("authorization", "Bearer good")
}

/// One member of each item of a list.
fn each<'v>(list: &'v Value, member: &str) -> Vec<&'v Value> {
    list.as_array().unwrap().iter().map(|item| &item[member]).collect()
}
