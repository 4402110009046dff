//! The connection that octocrab's requests travel over, and the addresses that they may go to.

use super::client::GITHUB;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full};
use octocrab::OctoBody;
use shared::http::Answer;
use shared::{Error, Http, Result};
use std::task::{Context, Poll};
use tower::Service;

/// Carries octocrab's requests over the shared connection.
#[derive(Clone)]
pub(super) struct Transport {
    /// The connection.
    pub http: Http,
    /// The base address of the REST API.
    pub base: String,
    /// The address of the GraphQL API.
    pub graphql: String,
}

impl Transport {
    /// The part of an address that we would ask below our base: a link leads nowhere else.
    pub fn below(&self, address: &str) -> Option<String> {
        self.own(address).or_else(|| {
            let uri: Uri = address.parse().ok()?;
            Some(uri.path_and_query()?.as_str().to_owned())
        })
    }

    /// The path of an address that is below our base.
    fn own(&self, address: &str) -> Option<String> {
        let path = address.strip_prefix(&self.base)?;
        path.starts_with('/').then(|| path.to_owned())
    }

    /// Where a redirect leads, if that is below our base: our credentials go nowhere else.
    pub fn moved(&self, answer: &Answer) -> Option<String> {
        if !matches!(answer.status().as_u16(), 301 | 302 | 307 | 308) {
            return None;
        }
        let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
        if !location.starts_with('/') || location.starts_with("//") {
            return self.own(location);
        }
        let base: Uri = self.base.parse().ok()?;
        self.own(&format!("{}://{}{location}", base.scheme()?, base.authority()?))
    }

    async fn carry(self, request: Request<OctoBody>) -> Result<Response<Full<Bytes>>> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let address = if path == "/graphql" { self.graphql.clone() } else { format!("{}{path}", self.base) };
        parts.uri =
            address.parse().map_err(|_| Error::config("GITHUB_URL", format!("`{}` is no address", self.base)))?;
        // The connection counts the bytes itself.
        parts.headers.remove(header::CONTENT_LENGTH);
        let body = body.collect().await.map_err(|error| Error::Network {
            upstream: GITHUB,
            what: "a request without a body".to_owned(),
            source: Box::new(error),
        })?;
        let answer = self.http.exchange(Request::from_parts(parts, body.to_bytes())).await?;
        self.note_quota(answer.headers());
        Ok(answer.map(Full::new))
    }

    fn note_quota(&self, headers: &HeaderMap) {
        let text = |name: &str| headers.get(name)?.to_str().ok();
        let number = |name: &str| text(name)?.parse().ok();
        let Some(left) = number("x-ratelimit-remaining") else { return };
        let limit = number("x-ratelimit-limit").unwrap_or_default();
        match text("x-ratelimit-resource") {
            Some("core") | None => self.http.meter().quota("github_rest", left, limit),
            Some("graphql") => self.http.meter().quota("github_graphql", left, limit),
            Some(_) => {}
        }
    }
}

impl Service<Request<OctoBody>> for Transport {
    type Response = Response<Full<Bytes>>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<OctoBody>) -> Self::Future {
        Box::pin(self.clone().carry(request))
    }
}
