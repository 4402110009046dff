//! Attempts at a request: each within the time that is left, repeated where that helps.

use super::Http;
use super::address::shown;
use super::answer::{Answer, ReadError, read};
use super::pause::{asked_pause, backoff, is_rate_limited};
use crate::{Error, Result};
use bytes::Bytes;
use http::Request;
use std::time::Duration;

/// How often a call is tried.
const ATTEMPTS: u32 = 3;

/// The longest that an upstream may make us wait before the next attempt: quotas of a minute are waited for.
const PATIENCE: Duration = Duration::from_secs(65);

impl Http {
    /// Sends a request as it is, as often as it takes: 429, 5xx and broken connections are tried again after the pause
    /// that the upstream asks for. Every other status is an answer.
    ///
    /// # Errors
    /// When the last attempt had no answer either, or no time is left for another.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Answer> {
        let what = format!("{} {}", request.method(), shown(&request.uri().to_string()));
        let mut attempt = 1;
        loop {
            let result = self.once(&what, request.clone()).await;
            let pause = match &result {
                Ok(answer) if (self.expected)(answer) => return result,
                // These answers mean that nothing was done yet.
                Ok(answer) if !self.repeats && !is_rate_limited(answer) && answer.status() != 503 => return result,
                Err(error) if !self.repeats && !was_never_sent(error) => {
                    return result.inspect_err(|error| self.count(error));
                }
                Ok(answer)
                    if is_rate_limited(answer) || answer.status().is_server_error() || answer.status() == 408 =>
                {
                    asked_pause(answer.headers())
                }
                Err(Error::Network { .. } | Error::Timeout { .. }) => None,
                _ => return result,
            };
            let pause = pause.unwrap_or_else(|| backoff(attempt));
            let room = self.deadlines.left(PATIENCE);
            if attempt == ATTEMPTS || room.is_none_or(|room| pause >= room) {
                let exhausted = |answer: Answer| Err(self.exhausted(&what, &answer, attempt));
                return result.and_then(exhausted).inspect_err(|error| self.count(error));
            }
            tracing::debug!(upstream = self.upstream, what, attempt, pause_ms = pause.as_millis(), "trying again");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    fn count(&self, error: &Error) {
        self.meter.failed(self.upstream, error.kind().unwrap_or("network"));
    }

    fn exhausted(&self, what: &str, answer: &Answer, attempts: u32) -> Error {
        let upstream = self.upstream;
        let status = answer.status().as_u16();
        if is_rate_limited(answer) {
            let pause = asked_pause(answer.headers())
                .map(|pause| format!("; it asks for a pause of {} s", pause.as_secs()))
                .unwrap_or_default();
            return Error::RateLimited { upstream, what: format!("{status} to {what} at attempt {attempts}{pause}") };
        }
        Error::Status { upstream, status, what: format!("{what} at attempt {attempts}") }
    }

    async fn once(&self, what: &str, request: Request<Bytes>) -> Result<Answer> {
        let upstream = self.upstream;
        let Some(limit) = self.deadlines.left(self.attempt) else {
            return Err(Error::Timeout { upstream, what: format!("{what}: the run has no time left to ask") });
        };
        let request = reqwest::Request::try_from(request).map_err(|_| self.bad_address(what))?;
        self.meter.called(upstream);
        let network = |source: Box<dyn std::error::Error + Send + Sync>| Error::Network {
            upstream,
            what: what.to_owned(),
            source,
        };
        let exchange = async {
            // The address may hold what should not be logged; the cause says enough without it.
            let answer = self
                .connections
                .client()
                .execute(request)
                .await
                .map_err(|error| network(error.without_url().into()))?;
            read(answer, self.largest).await.map_err(|cause| match cause {
                ReadError::Broken(error) => network(error.without_url().into()),
                ReadError::TooLarge => {
                    Error::decode(upstream, format!("the answer to {what} is larger than {} bytes", self.largest))
                }
            })
        };
        match tokio::time::timeout(limit, exchange).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout {
                upstream,
                what: format!("{what}: no whole answer in {:.1} s", limit.as_secs_f64()),
            }),
        }
    }
}

/// Whether a request failed before anybody could have read it.
pub(crate) fn was_never_sent(error: &Error) -> bool {
    let Error::Network { source, .. } = error else { return false };
    source.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_connect)
}
