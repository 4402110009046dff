//! Asking over HTTP: time limits, retries that obey the upstream, bounded bodies, and a count of every call.

mod address;
mod answer;
mod auth;
pub(crate) mod connections;
mod pause;
mod retry;

pub use address::{base_address, escape, next_link};
pub use answer::Answer;
pub use auth::Auth;
pub(crate) use retry::was_never_sent;

use crate::{Deadlines, Env, Error, Meter, Result, Secret};
use address::shown;
use bytes::Bytes;
use connections::Connections;
use http::{Request, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use std::fmt;
use std::time::{Duration, Instant};

/// The longest single attempt.
const ATTEMPT: Duration = Duration::from_secs(15);

/// The largest answer that is read, where the client says no other limit.
const LARGEST: usize = 32 * 1024 * 1024;

/// A client for one upstream.
#[derive(Clone)]
pub struct Http {
    connections: Connections,
    upstream: &'static str,
    /// The variable that holds the address.
    variable: String,
    base: String,
    auth: Auth,
    meter: Meter,
    deadlines: Deadlines,
    attempt: Duration,
    largest: usize,
    repeats: bool,
    expected: fn(&Answer) -> bool,
}

impl fmt::Debug for Http {
    /// The upstream alone: the address and the credentials are configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Http {
    /// A client that asks below this base address and counts as this upstream.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(env: &Env, upstream: &'static str, base: impl Into<String>, auth: Auth) -> Result<Self> {
        env.meter().register(upstream);
        let variable = format!("{}_URL", upstream.to_uppercase());
        Ok(Self {
            connections: env.connections()?,
            upstream,
            variable,
            base: base.into(),
            auth,
            meter: env.meter().clone(),
            deadlines: env.deadlines().clone(),
            attempt: ATTEMPT,
            largest: LARGEST,
            repeats: true,
            expected: |_| false,
        })
    }

    /// Names the variable that holds the address, where it is not `<UPSTREAM>_URL`.
    #[must_use]
    pub fn from_variable(mut self, name: &str) -> Self {
        name.clone_into(&mut self.variable);
        self
    }

    /// With another limit for a single attempt.
    #[must_use]
    pub const fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = limit;
        self
    }

    /// With another limit for the bytes of an answer.
    pub(crate) const fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes;
        self
    }

    /// Without retries of what must not be done twice: a request that may have been read is not sent again.
    pub(crate) const fn unrepeated(mut self) -> Self {
        self.repeats = false;
        self
    }

    /// For upstreams that answer with the status of an error: what this recognises is an answer, whatever its status, and
    /// is not retried.
    #[must_use]
    pub const fn expecting(mut self, expected: fn(&Answer) -> bool) -> Self {
        self.expected = expected;
        self
    }

    /// The deadlines this client obeys.
    pub(crate) const fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// The meter this client counts on.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Reads JSON from a path below the base address.
    ///
    /// # Errors
    /// When there is no answer, a refusal, or one that is not the JSON expected.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let answer = self
            .send(Request::get(format!("{}{path}", self.base)).body(Bytes::new()).map_err(|_| self.bad_address(path))?)
            .await?;
        self.json(path, &answer)
    }

    /// Sends JSON and returns the whole answer, for upstreams that use headers.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Answer> {
        let body = serde_json::to_vec(body).map_err(|_| self.bad_address(path))?;
        let request = Request::post(format!("{}{path}", self.base)).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).map_err(|_| self.bad_address(path))?).await
    }

    /// Reads an answer as JSON; the error names the place and never repeats the text.
    ///
    /// # Errors
    /// When it is not the JSON expected.
    pub fn json<T: DeserializeOwned>(&self, path: &str, answer: &Answer) -> Result<T> {
        serde_json::from_slice(answer.body()).map_err(|error| {
            self.meter.failed(self.upstream, "decode");
            let place = format!("line {} column {}", error.line(), error.column());
            let kind = match error.classify() {
                serde_json::error::Category::Eof => "ends too early",
                serde_json::error::Category::Data => "has another shape than documented",
                _ => "is no JSON",
            };
            Error::decode(self.upstream, format!("the answer to {} {kind} at {place}", shown(path)))
        })
    }

    fn bad_address(&self, path: &str) -> Error {
        Error::config(&self.variable, format!("no request can be made to `{}`", shown(path)))
    }

    /// Sends a request with the credentials; everything but a success is an error. After a 401, or a 403 to a key in a header
    /// of its own, the secret is read again and the request is sent once more.
    ///
    /// # Errors
    /// When there is no answer, or a refusal.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Answer> {
        let what = shown(&request.uri().to_string());
        let signed = |mut request: Request<Bytes>| -> Result<Request<Bytes>> {
            if let Some((name, value)) = self.auth.header()? {
                request.headers_mut().insert(name, value);
            }
            Ok(request)
        };
        let (used, sent) = (self.auth.secret().map(Secret::expose).unwrap_or_default(), Instant::now());
        let answer = self.exchange(signed(request.clone())?).await?;
        let refused = match answer.status() {
            StatusCode::UNAUTHORIZED => true,
            StatusCode::FORBIDDEN => matches!(self.auth, Auth::Header(..)),
            _ => false,
        };
        if refused
            && let Some(secret) = self.auth.secret()
            && secret.is_renewed(&used, sent).await
        {
            tracing::info!(upstream = self.upstream, secret = secret.name(), "credentials renewed after a refusal");
            let answer = self.exchange(signed(request)?).await?;
            return self.judge(&what, answer);
        }
        self.judge(&what, answer)
    }

    /// Turns a refusal into an error that names the upstream, the question, and where the credentials come from.
    ///
    /// # Errors
    /// For every status that is no success.
    pub fn judge(&self, what: &str, answer: Answer) -> Result<Answer> {
        let status = answer.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED || (self.expected)(&answer) {
            return Ok(answer);
        }
        let upstream = self.upstream;
        let place = self.auth.secret().map(|secret| format!(" with {}", secret.place())).unwrap_or_default();
        let error = match status.as_u16() {
            300..=399 => Error::Redirect { upstream, what: what.to_owned(), place: self.pointed_to(&answer) },
            401 | 403 => Error::Auth { upstream, what: format!("{} to {what}{place}", status.as_u16()) },
            404 | 410 => Error::NotFound { upstream, what: what.to_owned() },
            code => Error::Status { upstream, status: code, what: what.to_owned() },
        };
        self.meter.failed(upstream, error.kind().unwrap_or("server"));
        Err(error)
    }

    /// The host that a redirect names, and the variable that holds our address. Redirects are not followed: the host would
    /// get our credentials, and a login page looks like success.
    fn pointed_to(&self, answer: &Answer) -> String {
        let location = answer.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        let host = location.and_then(|location| location.parse::<http::Uri>().ok()?.host().map(str::to_owned));
        let host = host.unwrap_or_else(|| "another place".to_owned());
        format!("{host}; if that is right, set {}", self.variable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Fake, Reply};
    use serde_json::{Value, json};

    async fn ask(fake: &Fake) -> (Result<Value>, Env) {
        let env = Env::of([("TOKEN", "s3cr3t")]);
        let token = env.required_secret("TOKEN", "a token").unwrap();
        let http =
            Http::new(&env, "fake", fake.url(), Auth::Bearer(token)).unwrap().attempt(Duration::from_millis(300));
        (http.get("/things?name=lovelace").await, env)
    }

    #[tokio::test]
    async fn a_good_answer_is_read_and_counted_and_the_request_says_who_we_are() {
        let fake = Fake::start(|_, _| Reply::json(200, &json!({"n": 1}))).await;
        let (answer, env) = ask(&fake).await;
        assert_eq!(answer.unwrap(), json!({"n": 1}));
        let seen = fake.seen();
        assert_eq!(
            (seen[0].path.as_str(), seen[0].headers["authorization"].as_str()),
            ("/things?name=lovelace", "Bearer s3cr3t")
        );
        assert!(seen[0].headers["user-agent"].starts_with("vitals/"));
        assert_eq!(env.meter().take().calls["fake"], 1);
    }

    #[tokio::test]
    async fn what_passes_by_itself_is_tried_three_times_and_what_does_not_once() {
        let table: Vec<(Reply, usize, &str)> = vec![
            (Reply::status(500), 3, "server"),
            (Reply::status(502), 3, "server"),
            (Reply::status(429), 3, "rate_limited"),
            (Reply::Cut, 3, "network"),
            (Reply::Half(b"{".to_vec()), 3, "network"),
            (Reply::Slow(Duration::from_secs(5)), 3, "timeout"),
            (Reply::status(400), 1, "server"),
            (Reply::status(401), 1, "auth"),
            (Reply::status(403), 1, "auth"),
            (Reply::status(404), 1, "not_found"),
            (Reply::status(302).header("location", "https://sso.example.com/login?next=1"), 1, "server"),
            (Reply::Answer(200, vec![], b"{\"n\":".to_vec()), 1, "decode"),
            (Reply::Answer(200, vec![], b"<html>".to_vec()), 1, "decode"),
        ];
        for (reply, attempts, kind) in table {
            let answer = reply.clone();
            let fake = Fake::start(move |_, _| answer.clone()).await;
            let (result, env) = ask(&fake).await;
            let error = result.unwrap_err();
            assert_eq!((fake.seen().len(), error.kind()), (attempts, Some(kind)), "{reply:?}");
            let tally = env.meter().take();
            assert_eq!(
                (tally.calls["fake"], tally.errors.get(&("fake", kind))),
                (attempts as u64, Some(&1)),
                "{reply:?}"
            );
            let text = error.with_causes();
            assert!(!text.contains("s3cr3t") && !text.contains("lovelace"), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_expected_is_an_answer_whatever_its_status() {
        let fake = Fake::start(|_, _| Reply::json(500, &json!({"detail": 7}))).await;
        let env = Env::of::<String, String>([]);
        let http = Http::new(&env, "fake", fake.url(), Auth::None)
            .unwrap()
            .expecting(|answer| answer.status() == 500 && answer.body().starts_with(b"{\"detail\""));
        assert_eq!(http.get::<Value>("/").await.unwrap(), json!({"detail": 7}));
        assert_eq!((fake.seen().len(), env.meter().take().errors.len()), (1, 0));
    }

    #[tokio::test]
    async fn a_failure_that_passes_is_no_failure() {
        let fake = Fake::start(|number, _| if number == 0 { Reply::Cut } else { Reply::json(200, &json!(7)) }).await;
        let (answer, env) = ask(&fake).await;
        assert_eq!(answer.unwrap(), json!(7));
        let tally = env.meter().take();
        assert_eq!((tally.calls["fake"], tally.errors.len()), (2, 0));
    }

    #[tokio::test]
    async fn the_pause_that_is_asked_for_is_kept_and_one_that_is_too_long_is_not_waited_for() {
        let limited = |number| {
            if number == 0 { Reply::status(403).header("retry-after", "1") } else { Reply::json(200, &json!(7)) }
        };
        let fake = Fake::start(move |number, _| limited(number)).await;
        let started = Instant::now();
        assert_eq!(ask(&fake).await.0.unwrap(), json!(7));
        assert!(started.elapsed() >= Duration::from_secs(1));
        let fake = Fake::start(|_, _| Reply::status(429).header("retry-after", "3600")).await;
        let error = ask(&fake).await.0.unwrap_err().to_string();
        assert!(fake.seen().len() == 1 && error.contains("3600 s"), "{error}");
    }

    #[tokio::test]
    async fn a_run_without_time_asks_no_more() {
        let fake = Fake::start(|_, _| Reply::json(200, &json!(1))).await;
        let env = Env::of::<String, String>([]);
        let http = Http::new(&env, "fake", fake.url(), Auth::None).unwrap();
        env.deadlines().set(Instant::now());
        let error = http.get::<Value>("/").await.unwrap_err();
        assert_eq!((error.kind(), fake.seen().len()), (Some("timeout"), 0));
    }
}
