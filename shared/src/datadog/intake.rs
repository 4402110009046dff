//! Delivers payloads: what Datadog will not take whole is cut in two, what it cannot take now comes back.

use super::{Endpoint, Payload};
use crate::{Auth, Env, Error, Http, Result};
use bytes::Bytes;
use http::{HeaderName, Request, header};
use std::collections::BTreeMap;

/// The kinds of failed submissions; a closed set.
pub const PUSH_ERRORS: [&str; 4] = ["rejected", "rate_limited", "server", "network"];

/// How many requests a payload may cost while its bad series are searched for.
const SEARCH: usize = 200;

/// Where samples go.
#[derive(Debug, Clone)]
pub struct Intake {
    http: Http,
    base: String,
    site: String,
}

/// What became of payloads.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Series that were accepted.
    pub accepted: usize,
    /// Series that Datadog refuses for what they are.
    pub rejected: usize,
    /// What it could not take now.
    pub undelivered: Vec<Payload>,
    /// Failed submissions by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Why credentials were refused, if they were.
    pub refused: Option<String>,
}

impl Intake {
    /// The intake of the configured site, or of another address.
    ///
    /// # Errors
    /// When the key is missing or the site is no host.
    pub fn connect(env: &Env) -> Result<Self> {
        let site = env.get("DD_SITE").unwrap_or("datadoghq.com").to_owned();
        if !site.contains('.') || !site.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c)) {
            return Err(Error::config("DD_SITE", format!("`{site}` is no site; an example: DD_SITE=datadoghq.eu")));
        }
        let base = env.url("DATADOG_URL", &format!("https://api.{site}"))?;
        let key = env.required_secret("DD_API_KEY", "it is an API key of your Datadog organisation")?;
        let auth = Auth::Header(HeaderName::from_static("dd-api-key"), key);
        Ok(Self { http: Http::new(env, "datadog", base.clone(), auth)?, base, site })
    }

    /// Asks whether the key is good, which stores nothing.
    ///
    /// # Errors
    /// When it is not, or no answer comes.
    pub async fn validate(&self) -> Result<()> {
        let answer: Result<serde_json::Value> = self.http.get("/api/v1/validate").await;
        answer.map(drop).map_err(|error| self.explained(error))
    }

    fn explained(&self, error: Error) -> Error {
        match error {
            // Datadog knows a key on one site alone, and elsewhere it looks like a wrong one.
            Error::Auth { what, .. } => {
                Error::Intake { what: format!("{what}; is the key of the site {}?", self.site) }
            }
            other => other,
        }
    }

    /// Delivers payloads one after the other. After the first that cannot be taken now, the rest comes back untried.
    pub async fn deliver(&self, payloads: Vec<Payload>) -> Delivery {
        let mut delivery = Delivery::default();
        let mut payloads = payloads.into_iter();
        for payload in payloads.by_ref() {
            if !self.deliver_one(payload, &mut delivery).await {
                break;
            }
        }
        delivery.undelivered.extend(payloads);
        delivery
    }

    /// Delivers one payload; false when there is no use in trying another one now.
    async fn deliver_one(&self, payload: Payload, delivery: &mut Delivery) -> bool {
        let mut waiting = vec![payload];
        let mut requests = 0;
        while let Some(payload) = waiting.pop() {
            requests += 1;
            let error = match self.post(&payload).await {
                Ok(()) => {
                    delivery.accepted += payload.len();
                    continue;
                }
                Err(error) => error,
            };
            let halves = match &error {
                Error::Status { status: 400 | 413, .. } if requests < SEARCH => payload.halves(),
                Error::Status { status: 400..=407 | 409..=499, .. } => Ok(None),
                _ => {
                    *delivery.errors.entry(kind(&error)).or_default() += 1;
                    if matches!(error, Error::Auth { .. }) {
                        delivery.refused = Some(self.explained(error).to_string());
                    } else {
                        tracing::warn!(error = error.with_causes(), "payload not delivered");
                    }
                    delivery.undelivered.push(payload);
                    delivery.undelivered.append(&mut waiting);
                    return false;
                }
            };
            if let Ok(Some((first, second))) = halves {
                waiting.extend([second, first]);
                continue;
            }
            let body: String = String::from_utf8_lossy(&payload.plain()).chars().take(400).collect();
            tracing::error!(error = %error, series = payload.len(), body, "datadog rejects these series");
            *delivery.errors.entry("rejected").or_default() += 1;
            delivery.rejected += payload.len();
        }
        true
    }

    async fn post(&self, payload: &Payload) -> Result<()> {
        let endpoint = payload.endpoint();
        let content_type = match endpoint {
            Endpoint::Series => "application/json",
            Endpoint::Distribution => "text/json",
        };
        let request = Request::post(format!("{}{}", self.base, endpoint.path()))
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_ENCODING, endpoint.encoding())
            .body(Bytes::copy_from_slice(payload.compressed()))
            .map_err(|_| Error::config("DATADOG_URL", format!("no request can be made to `{}`", self.base)))?;
        self.http.send(request).await.map(drop)
    }
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::RateLimited { .. } => "rate_limited",
        Error::Status { status: 408 | 500.., .. } => "server",
        Error::Network { .. } | Error::Timeout { .. } => "network",
        _ => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datadog::{Base, LIMITS, encode};
    use crate::testing::{Fake, Reply, Seen, at};
    use serde_json::{Value, json};
    use std::io::Read;

    crate::catalogue! {
        /// A level.
        LEVEL = Gauge "test.level" in Item by ["n"];
    }

    fn payload(series: usize) -> Vec<Payload> {
        let base = Base {
            source: "cron",
            env: "test".into(),
            service: "s".into(),
            collector: "c",
            prefix: "metta.infra".into(),
            historical: false,
        };
        let samples: Vec<_> = (0..series).map(|n| LEVEL.sample(1.0).tag("n", n.to_string())).collect();
        assert_eq!(METRICS.len(), 1);
        encode(&samples, &base, at("2026-01-08T12:00:00Z"), LIMITS).unwrap()
    }

    fn names(seen: &Seen) -> Vec<String> {
        let mut plain = String::new();
        flate2::read::GzDecoder::new(seen.body.as_slice()).read_to_string(&mut plain).unwrap();
        let body: Value = serde_json::from_str(&plain).unwrap();
        body["series"].as_array().unwrap().iter().map(|series| series["tags"][2].as_str().unwrap().to_owned()).collect()
    }

    async fn deliver(
        series: usize,
        answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static,
    ) -> (Delivery, Fake) {
        let fake = Fake::start(answer).await;
        let intake = Intake::connect(&Env::of([("DATADOG_URL", fake.url()), ("DD_API_KEY", "k3y")])).unwrap();
        (intake.deliver(payload(series)).await, fake)
    }

    fn accepted() -> Reply {
        Reply::json(202, &json!({"errors": []}))
    }

    #[tokio::test]
    async fn one_bad_series_does_not_cost_the_others() {
        let bad = |seen: &Seen| names(seen).contains(&"n:77".to_owned());
        let (delivery, fake) =
            deliver(
                200,
                move |_, seen| {
                    if bad(seen) { Reply::json(400, &json!({"errors": ["bad"]})) } else { accepted() }
                },
            )
            .await;
        assert_eq!((delivery.accepted, delivery.rejected, delivery.undelivered.len()), (199, 1, 0));
        assert_eq!(delivery.errors, BTreeMap::from([("rejected", 1)]));
        let mut taken: Vec<String> =
            fake.seen().iter().filter(|seen| !names(seen).contains(&"n:77".to_owned())).flat_map(names).collect();
        taken.sort();
        taken.dedup();
        assert_eq!(taken.len(), 199);
    }

    #[tokio::test]
    async fn a_body_that_is_too_large_is_halved() {
        let (delivery, _) =
            deliver(100, |_, seen| if names(seen).len() > 30 { Reply::status(413) } else { accepted() }).await;
        assert_eq!((delivery.accepted, delivery.rejected), (100, 0));
    }

    #[tokio::test]
    async fn what_datadog_cannot_take_now_comes_back_whole() {
        for (reply, kind) in [
            (Reply::status(503), "server"),
            (Reply::status(408), "server"),
            (Reply::Cut, "network"),
            (Reply::status(429), "rate_limited"),
        ] {
            let answer = reply.clone();
            let (delivery, _) = deliver(5, move |_, _| answer.clone()).await;
            let back: usize = delivery.undelivered.iter().map(Payload::len).sum();
            assert_eq!((delivery.accepted, back), (0, 5), "{reply:?}");
            assert!(delivery.errors.contains_key(kind) || kind == "network", "{:?}", delivery.errors);
        }
    }

    #[tokio::test]
    async fn a_refused_key_is_said_with_its_place_and_site_and_never_its_value() {
        let (delivery, fake) = deliver(5, |_, _| Reply::json(403, &json!({"errors": ["Forbidden"]}))).await;
        let refused = delivery.refused.unwrap();
        assert!(
            refused.contains("the variable DD_API_KEY")
                && refused.contains("datadoghq.com")
                && !refused.contains("k3y"),
            "{refused}"
        );
        assert_eq!((fake.seen().len(), delivery.undelivered.len()), (1, 1));
        assert_eq!(fake.seen()[0].headers["dd-api-key"], "k3y");
    }

    #[tokio::test]
    async fn a_failure_that_passes_is_tried_again_with_the_same_bytes() {
        let (delivery, fake) = deliver(5, |number, _| if number == 0 { Reply::status(500) } else { accepted() }).await;
        let seen = fake.seen();
        assert_eq!((delivery.accepted, seen.len()), (5, 2));
        assert_eq!(seen[0].body, seen[1].body);
    }

    #[test]
    fn a_site_that_is_no_host_is_refused_and_an_unknown_one_is_not() {
        let connect = |site: &str| Intake::connect(&Env::of([("DD_SITE", site), ("DD_API_KEY", "k")]));
        assert!(connect("uk9.datadoghq.com").is_ok());
        assert_eq!(connect("https://datadoghq.eu").unwrap_err().exit_code(), 78);
    }
}
