//! The AWS SDK on our own HTTP client and meter, so that there is one TLS stack, one deadline and one count of calls.

use crate::http::connections::Connections;
use crate::{Deadlines, Env, Error, Meter, Result};
use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use std::time::Duration;

/// A service of AWS, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// The name that its calls count under.
    pub upstream: &'static str,
    /// The variable that may hold another address of it.
    pub endpoint: &'static str,
    /// The longest single attempt.
    pub attempt: Duration,
    /// The longest call, its attempts together.
    pub call: Duration,
    /// Whether it serves the run itself, as the store does, and has a deadline of its own.
    pub is_internal: bool,
}

/// What every client of a service is made from.
pub(crate) async fn config(env: &Env, service: Service) -> Result<SdkConfig> {
    env.meter().register(service.upstream);
    let timeouts =
        TimeoutConfig::builder().operation_attempt_timeout(service.attempt).operation_timeout(service.call).build();
    let connector = Connector {
        connections: env.connections()?,
        meter: env.meter().clone(),
        deadlines: env.deadlines().clone(),
        service,
    };
    let client = http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone()));
    let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(client).timeout_config(timeouts);
    if let Some(region) = env.get("AWS_REGION") {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let (Some(id), Some(key)) = (env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")) {
        let session = env.get("AWS_SESSION_TOKEN").map(str::to_owned);
        loader = loader.credentials_provider(Credentials::new(id, key, session, None, "environment"));
    }
    if env.get(service.endpoint).is_some() {
        loader = loader.endpoint_url(env.url(service.endpoint, "https://service.region.amazonaws.com")?);
    }
    Ok(loader.load().await)
}

/// The error of a failed call, counted. AWS's messages name accounts and roles, so none is repeated.
pub(crate) fn error<E: ProvideErrorMetadata>(
    meter: &Meter,
    upstream: &'static str,
    what: &str,
    error: &SdkError<E, HttpResponse>,
) -> Error {
    let sorted = match error {
        SdkError::ServiceError(answer) => refusal(upstream, what, answer.err().code(), answer.raw().status().as_u16()),
        SdkError::TimeoutError(_) => Error::Timeout { upstream, what: format!("{what}: no answer in time") },
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) if error.is_timeout() => {
                Error::Timeout { upstream, what: format!("{what}: no answer in time") }
            }
            Some(error) if error.is_io() => {
                Error::Network { upstream, what: what.to_owned(), source: "the connection failed".into() }
            }
            _ => without_credentials(upstream, what),
        },
        SdkError::ResponseError(_) => Error::decode(upstream, format!("the answer to {what}")),
        _ => without_credentials(upstream, what),
    };
    meter.failed(upstream, sorted.kind().unwrap_or("server"));
    sorted
}

fn without_credentials(upstream: &'static str, what: &str) -> Error {
    Error::Auth { upstream, what: format!("{what}: no request could be made; are there credentials and a region?") }
}

fn refusal(upstream: &'static str, what: &str, code: Option<&str>, status: u16) -> Error {
    let plain = |code: &&str| code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    let code = code.filter(plain).unwrap_or("no code");
    let answered = format!("{status} {code} to {what}");
    let begins = |words: &[&str]| words.iter().any(|word| code.starts_with(word));
    if begins(&["Throttl", "SlowDown", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled"]) || status == 429
    {
        return Error::RateLimited { upstream, what: answered };
    }
    let refused = [401, 403].contains(&status)
        || begins(&["AccessDenied", "Unauthorized", "UnrecognizedClient", "AuthFailure", "ExpiredToken", "Signature"])
        || begins(&["InvalidAccessKey", "InvalidClientToken", "InvalidToken"]);
    if refused {
        return Error::Auth { upstream, what: answered };
    }
    if status == 404 || begins(&["NoSuch", "ResourceNotFound"]) {
        return Error::NotFound { upstream, what: format!("{what} ({code})") };
    }
    Error::Status { upstream, status, what: format!("{what} ({code})") }
}

#[derive(Debug, Clone)]
struct Connector {
    connections: Connections,
    meter: Meter,
    deadlines: Deadlines,
    service: Service,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Service { attempt, is_internal, .. } = self.service;
        let limit = if is_internal { self.deadlines.left_for_store(attempt) } else { self.deadlines.left(attempt) };
        let client = self.connections.client();
        let Some(limit) = limit else {
            return HttpConnectorFuture::ready(Err(ConnectorError::timeout("the run has no time left to ask".into())));
        };
        self.meter.called(self.service.upstream);
        HttpConnectorFuture::new(async move {
            let answer = tokio::time::timeout(limit, exchange(&client, request)).await;
            answer.unwrap_or_else(|_| Err(ConnectorError::timeout("no answer in time".into())))
        })
    }
}

async fn exchange(client: &reqwest::Client, request: HttpRequest) -> std::result::Result<HttpResponse, ConnectorError> {
    let user = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::user(error);
    let request = request.try_into_http1x().map_err(|error| user(error.into()))?;
    let request = request.map(|body| match body.bytes() {
        Some(bytes) => reqwest::Body::from(bytes.to_vec()),
        None => reqwest::Body::wrap(body),
    });
    let request = reqwest::Request::try_from(request).map_err(|error| user(error.into()))?;
    let sort = |error: reqwest::Error| {
        if error.is_timeout() { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
    };
    let answer: http::Response<reqwest::Body> = client.execute(request).await.map_err(sort)?.into();
    HttpResponse::try_from(answer.map(SdkBody::from_body_1_x)).map_err(|error| ConnectorError::io(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_sorted_by_what_a_person_would_do_about_them() {
        for (code, status, kind) in [
            (Some("AccessDenied"), 403, "auth"),
            (Some("UnauthorizedOperation"), 403, "auth"),
            (Some("ExpiredTokenException"), 400, "auth"),
            (Some("UnrecognizedClientException"), 400, "auth"),
            (Some("InvalidAccessKeyId"), 403, "auth"),
            (Some("InvalidParameterValue"), 400, "server"),
            (Some("SlowDown"), 503, "rate_limited"),
            (Some("ThrottlingException"), 400, "rate_limited"),
            (Some("NoSuchBucket"), 404, "not_found"),
            (Some("InternalError"), 500, "server"),
            (None, 502, "server"),
        ] {
            let error = refusal("s3", "GetObject", code, status);
            assert_eq!(error.kind(), Some(kind), "{error}");
        }
    }

    #[test]
    fn words_of_aws_that_could_name_somebody_are_not_repeated() {
        let code = "User: arn:aws:iam::123456789012:user/lovelace is not authorized";
        let text = refusal("s3", "GetObject", Some(code), 403).to_string();
        assert!(!text.contains("lovelace") && text.contains("403"), "{text}");
    }
}
