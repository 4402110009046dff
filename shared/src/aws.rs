//! The AWS SDK on our own HTTP client, so that there is one TLS stack and one set of roots.

use crate::{Env, Error, Result, tls::Wire};
use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_sdk_s3::config::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use std::time::Duration;

/// What every AWS client is made from; `endpoint` names the variable that may hold another address of the service.
///
/// # Errors
/// When the address cannot be read.
pub async fn config(env: &Env, endpoint: &str) -> Result<SdkConfig> {
    let timeouts = TimeoutConfig::builder()
        .operation_attempt_timeout(Duration::from_secs(10))
        .operation_timeout(Duration::from_secs(30))
        .build();
    let mut loader =
        aws_config::defaults(BehaviorVersion::latest()).http_client(over(env.wire()?)).timeout_config(timeouts);
    if let Some(region) = env.get("AWS_REGION") {
        loader = loader.region(Region::new(region.to_owned()));
    }
    if let (Some(id), Some(key)) = (env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")) {
        let session = env.get("AWS_SESSION_TOKEN").map(str::to_owned);
        loader = loader.credentials_provider(Credentials::new(id, key, session, None, "environment"));
    }
    if env.get(endpoint).is_some() {
        loader = loader.endpoint_url(env.url(endpoint, "https://service.region.amazonaws.com")?);
    }
    Ok(loader.load().await)
}

/// Words for a failed call that say what happened without any part of the request.
pub fn cause<E, R>(error: aws_sdk_s3::error::SdkError<E, R>) -> Box<dyn std::error::Error + Send + Sync>
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    use aws_sdk_s3::error::SdkError;
    match error {
        SdkError::ServiceError(answer) => answer.into_err().into(),
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(error) => error.to_string().into(),
            None => "the request could not be made; are there credentials and a region?".into(),
        },
        SdkError::TimeoutError(_) => "no answer in time".into(),
        SdkError::ResponseError(_) => "an answer that cannot be read".into(),
        _ => "the request could not be made; are there credentials and a region?".into(),
    }
}

fn over(wire: Wire) -> SharedHttpClient {
    http_client_fn(move |_, _| SharedHttpConnector::new(Connector(wire.clone())))
}

#[derive(Debug)]
struct Connector(Wire);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.client();
        HttpConnectorFuture::new(async move { exchange(&client, request).await })
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

/// An error of the store for a failed call.
pub(crate) fn store_error<E, R>(what: String, error: aws_sdk_s3::error::SdkError<E, R>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    Error::store(what, cause(error))
}
