//! Delivers payloads: what Datadog refuses is split in two, what it cannot accept now is returned.

use super::{Endpoint, Payload};
use crate::http::was_never_sent;
use crate::{Auth, Env, Error, Http, Result};
use bytes::Bytes;
use http::{HeaderName, Request, StatusCode, header};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// The kinds of failed submissions; a closed set.
pub(crate) const PUSH_ERRORS: [&str; 4] = ["rejected", "rate_limited", "server", "network"];

/// How many requests a payload may cost while its bad series are searched for.
const SEARCH: usize = 200;

/// After so many refused pieces and not one accepted, the address or a proxy is wrong, and not the series.
const ALL_REFUSED: usize = 31;

/// The largest answer of Datadog's that is read.
const LARGEST: usize = 1024 * 1024;

/// Where samples go.
#[derive(Clone)]
pub struct Intake {
    http: Http,
    /// For observations, which add up: what may have been accepted is not sent again.
    once: Http,
    base: String,
    site: String,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Intake")
    }
}

/// What became of payloads.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Series that were accepted.
    pub accepted: usize,
    /// Series that Datadog rejects while it accepts others.
    pub rejected: usize,
    /// What it could not accept now, with the kind of failure.
    pub undelivered: Vec<(Payload, &'static str)>,
    /// Failures of payloads that are not kept for a later run, by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Why nothing is accepted until a person has done something, if that is so.
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
            return Err(Error::refused("DD_SITE", format!("`{site}` is not a site"), "datadoghq.eu"));
        }
        let base = env.url("DATADOG_URL", &format!("https://api.{site}"))?;
        let key = env.required_secret("DD_API_KEY", "it is an API key of your Datadog organisation")?;
        let auth = Auth::Header(HeaderName::from_static("dd-api-key"), key);
        let http = Http::new(env, "datadog", base.clone(), auth)?.largest(LARGEST);
        Ok(Self { once: http.clone().unrepeated(), http, base, site })
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
            Error::Auth { what, .. } => {
                Error::Intake { what: format!("{what}; is the key of the site {}?", self.site) }
            }
            other => other,
        }
    }

    /// Delivers payloads one after the other. After the first that cannot be accepted now, the rest is returned untried.
    /// `is_open` says that Datadog accepted something else of this run: without that, and where everything here is refused,
    /// the address or a proxy is wrong, and everything is returned.
    pub async fn deliver(&self, payloads: Vec<Payload>, is_open: bool) -> Delivery {
        let mut search = Search { is_open, ..Search::default() };
        let mut payloads = payloads.into_iter();
        for payload in payloads.by_ref() {
            if let Some(kind) = self.deliver_one(payload, &mut search).await {
                search.delivery.undelivered.extend(payloads.map(|payload| (payload, kind)));
                break;
            }
        }
        search.delivery
    }

    /// Sends a payload of observations once, whole.
    pub(crate) async fn observe(&self, payload: &Payload) -> std::result::Result<(), NotAccepted> {
        if self.once.deadlines().left(Duration::MAX).is_none() {
            // Without time nothing is sent, so that no answer can be lost.
            return Err(NotAccepted::Unavailable { kind: "network", refused: None, is_answered: true });
        }
        let Err(error) = self.post(payload).await else { return Ok(()) };
        Err(match error {
            Error::Status { status: 400 | 413, .. } => NotAccepted::Invalid,
            error => {
                let mut search = Search::default();
                let kind = search.failed(&error, self);
                // Behind a gateway that gave up, Datadog may have accepted it all the same.
                let lost = matches!(
                    error,
                    Error::Network { .. } | Error::Timeout { .. } | Error::Status { status: 502 | 504, .. }
                );
                let is_answered = !lost || was_never_sent(&error);
                NotAccepted::Unavailable { kind, refused: search.delivery.refused, is_answered }
            }
        })
    }

    /// Delivers one payload; the kind of failure when it is of no use to try another one now.
    async fn deliver_one(&self, payload: Payload, search: &mut Search) -> Option<&'static str> {
        // The large pieces first: one that is accepted shows soonest that the address is right.
        let mut waiting = VecDeque::from([payload]);
        let mut requests = 0;
        while let Some(payload) = waiting.pop_front() {
            requests += 1;
            let error = match self.post(&payload).await {
                Ok(()) => {
                    search.delivery.accepted += payload.len();
                    continue;
                }
                Err(error) => error,
            };
            let may_be_cut = matches!(error, Error::Status { status: 400 | 413, .. }) && !search.is_all_refused();
            if !may_be_cut {
                let kind = search.failed(&error, self);
                let rest = std::mem::take(&mut search.refused).into_iter().map(|(payload, _)| payload);
                let pieces = rest.chain([payload]).chain(waiting);
                search.delivery.undelivered.extend(Payload::joined(pieces).map(|payload| (payload, kind)));
                return Some(kind);
            }
            match if requests < SEARCH { payload.halves() } else { Ok(None) } {
                Ok(Some((first, second))) => {
                    search.cut += 1;
                    waiting.extend([first, second]);
                }
                _ => search.refused.push((payload, error)),
            }
        }
        search.end_payload();
        None
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
        let http = if endpoint == Endpoint::Distribution { &self.once } else { &self.http };
        let answer = http.send(request).await?;
        if answer.status() == StatusCode::ACCEPTED {
            return Ok(());
        }
        // A page of a proxy or of a login answers 200 to everything.
        let what = format!("POST {}, where only 202 accepts", endpoint.path());
        Err(Error::Status { upstream: "datadog", status: answer.status().as_u16(), what })
    }
}

/// Why observations were not accepted.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    /// Something in the payload is wrong, and none of it was accepted.
    Invalid,
    /// Nothing can be accepted now.
    Unavailable {
        /// The kind of failure.
        kind: &'static str,
        /// Why a person has to do something first, if that is so.
        refused: Option<String>,
        /// Whether it is known that nothing was accepted; else an answer was lost.
        is_answered: bool,
    },
}

/// The search for what Datadog rejects.
#[derive(Default)]
struct Search {
    delivery: Delivery,
    is_open: bool,
    cut: usize,
    refused: Vec<(Payload, Error)>,
}

impl Search {
    fn is_all_refused(&self) -> bool {
        !self.is_open && self.delivery.accepted == 0 && self.cut + self.refused.len() >= ALL_REFUSED
    }

    /// Records why nothing more can be accepted now.
    fn failed(&mut self, error: &Error, intake: &Intake) -> &'static str {
        let kind = kind(error);
        if kind == "rejected" {
            let why = match error {
                // A key is valid on one site only, and looks like a wrong one on the others.
                Error::Auth { what, .. } => format!("{what}; is the key of the site {}?", intake.site),
                other => format!("{other}; is there a proxy in the way, or a wrong address?"),
            };
            self.delivery.refused = Some(why);
        } else {
            tracing::warn!(error = error.with_causes(), "payload not delivered");
        }
        kind
    }

    /// Decides at the end of a payload whether the refused series are wrong, or the address is.
    fn end_payload(&mut self) {
        let is_right_address = self.is_open || self.delivery.accepted > 0;
        let refused = std::mem::take(&mut self.refused);
        if is_right_address {
            for (payload, error) in refused {
                let body: String = String::from_utf8_lossy(&payload.plain()).chars().take(400).collect();
                tracing::error!(error = %error, series = payload.len(), body, "datadog rejects these series");
                *self.delivery.errors.entry("rejected").or_default() += 1;
                self.delivery.rejected += payload.len();
            }
        } else if let Some((_, error)) = refused.first() {
            let why = format!("{error}, and everything else of this run is refused too");
            self.delivery.refused.get_or_insert(why);
            let whole = Payload::joined(refused.into_iter().map(|(payload, _)| payload));
            self.delivery.undelivered.extend(whole.map(|payload| (payload, "rejected")));
        }
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
        LEVEL = Gauge "test.level" in Item by ["n"], fold Sum, better Neither;
    }

    fn payload(series: usize) -> Vec<Payload> {
        let base = Base::new("c", "test", "s");
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
        (intake.deliver(payload(series), false).await, fake)
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
            let back: Vec<_> = delivery.undelivered.iter().map(|(payload, kind)| (payload.len(), *kind)).collect();
            assert_eq!((delivery.accepted, back, delivery.refused), (0, vec![(5, kind)], None), "{reply:?}");
            assert!(delivery.errors.is_empty(), "it is told by the run that delivers it: {:?}", delivery.errors);
        }
    }

    #[tokio::test]
    async fn a_proxy_that_answers_in_datadogs_place_costs_no_series_and_is_said_loudly() {
        let page = || Reply::Answer(200, vec![("content-type", "text/html".to_owned())], b"<h1>Sign in</h1>".to_vec());
        for (reply, requests) in [
            (Reply::status(407), 1),
            (Reply::status(404), 1),
            (Reply::status(302).header("location", "https://sso.example.com/"), 1),
            (page(), 1),
            (Reply::status(200), 1),
            (Reply::status(400), ALL_REFUSED + 1),
            (Reply::status(413), ALL_REFUSED + 1),
        ] {
            let answer = reply.clone();
            let (delivery, fake) = deliver(500, move |_, _| answer.clone()).await;
            let back: usize = delivery.undelivered.iter().map(|(payload, _)| payload.len()).sum();
            assert_eq!((delivery.accepted, delivery.rejected, back), (0, 0, 500), "{reply:?}");
            assert!(delivery.refused.is_some() && delivery.errors.is_empty(), "{reply:?}");
            assert_eq!(delivery.undelivered.len(), 1, "in one piece: {reply:?}");
            assert_eq!(fake.seen().len(), requests, "{reply:?}");
        }
        // A single series cannot be told from a whole run, unless others of it were taken.
        let (delivery, fake) = deliver(1, |_, _| Reply::status(400)).await;
        assert_eq!((delivery.rejected, delivery.undelivered.len()), (0, 1));
        let intake = Intake::connect(&Env::of([("DATADOG_URL", fake.url()), ("DD_API_KEY", "k3y")])).unwrap();
        let delivery = intake.deliver(payload(1), true).await;
        assert_eq!((delivery.rejected, delivery.undelivered.len(), delivery.refused), (1, 0, None));
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
