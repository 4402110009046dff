//! One question to an API server: a POST that names a request, and the wait for what comes of it.

use crate::config::Server;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::http::{Answer, escape};
use shared::{Env, Error, Http, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The upstream's word in the collector's own rows.
pub(super) const NAME: &str = "skypilot";

/// The longest that a question may take, from the POST to the result.
const EXCHANGE: Duration = Duration::from_mins(1);

/// How long the server may keep us waiting before we ask for the same result again: what stands between us and it may
/// have forgotten the connection.
const WAIT: Duration = Duration::from_secs(18);

/// Asks one API server.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    limit: Duration,
    /// Whether the server refuses the newest of the fields.
    is_plain: Arc<AtomicBool>,
}

/// What a request returned.
#[derive(Debug)]
pub(super) enum Returned {
    /// The return value: JSON.
    Done(String),
    /// There is no jobs controller, so there is no job that is not over.
    NoController,
    /// The server, or a controller that is older than it, does not know a field that was asked for.
    UnknownField,
}

impl Returned {
    /// The return value, where no controller is needed for one.
    pub fn value(self) -> Result<String> {
        match self {
            Self::Done(value) => Ok(value),
            Self::NoController => {
                Err(Error::decode(NAME, "a question that needs no jobs controller failed for want of one"))
            }
            Self::UnknownField => Err(Error::decode(NAME, "a question without fields failed for one of them")),
        }
    }
}

/// What `/api/get` answers: the request, or with a 500 the request that failed below `detail`.
#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    return_value: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
    #[serde(default)]
    detail: Option<Box<Self>>,
}

/// Why a request failed: the name of the exception and what it says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

impl Client {
    pub fn new(env: &Env, server: &Server) -> Result<Self> {
        // A request that failed is told with a 500, and asking again would tell the same.
        let variable = if env.get("SKYPILOT_SERVERS").is_some() { "SKYPILOT_SERVERS" } else { "SKYPILOT_URL" };
        let http = Http::new(env, NAME, server.url.as_str(), server.auth.clone())?;
        let http = http.from_variable(variable).attempt(WAIT).expecting(is_failed);
        Ok(Self { http, limit: EXCHANGE, is_plain: Arc::default() })
    }

    /// With another limit for a whole question.
    #[cfg(test)]
    pub fn limited(self, limit: Duration) -> Self {
        Self { http: self.http.attempt(limit / 4), limit, ..self }
    }

    /// Whether the server refuses the newest of the fields.
    pub fn is_plain(&self) -> bool {
        self.is_plain.load(Ordering::Relaxed)
    }

    /// Remembers whether it does.
    pub fn mark_plain(&self, is_plain: bool) {
        self.is_plain.store(is_plain, Ordering::Relaxed);
    }

    /// Counts an answer that cannot be read.
    pub fn unreadable(&self) {
        self.http.meter().failed(NAME, "decode");
    }

    /// What the server says about itself.
    pub async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.http.get(path).await
    }

    /// Asks and waits for the result. That a route is not there is [`Error::NotFound`].
    pub(super) async fn ask(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Returned> {
        if let Ok(result) = tokio::time::timeout(self.limit, self.exchange(path, body)).await {
            return result;
        }
        self.http.meter().failed(NAME, "timeout");
        let what = format!("{path}: no result in {:.0} s", self.limit.as_secs_f64());
        Err(Error::Timeout { upstream: NAME, what })
    }

    async fn exchange(&self, path: &str, body: &(impl Serialize + Sync)) -> Result<Returned> {
        let accepted = self.http.post(path, body).await?;
        let Some(id) = request_id(&accepted) else {
            self.unreadable();
            return Err(Error::decode(NAME, format!("the answer to {path} names no request")));
        };
        let payload: Payload = match self.http.get(&format!("/api/get?request_id={}", escape(&id))).await {
            Err(Error::NotFound { .. }) => {
                let what = format!("/api/get, having lost the request to {path}");
                return Err(Error::Status { upstream: NAME, status: 404, what });
            }
            other => other?,
        };
        self.returned(path, payload)
    }

    fn returned(&self, path: &str, mut payload: Payload) -> Result<Returned> {
        if let Some(detail) = payload.detail.take() {
            payload = *detail;
        }
        if let (Some("SUCCEEDED"), Some(value)) = (payload.status.as_deref(), payload.return_value) {
            return Ok(Returned::Done(text(value)));
        }
        let cause = payload.error.map(cause).unwrap_or_default();
        if is_without_controller(&cause) {
            return Ok(Returned::NoController);
        }
        if cause.message.contains("Unknown field") {
            return Ok(Returned::UnknownField);
        }
        self.http.meter().failed(NAME, "server");
        // The message may name anybody and anything; the name of the exception does not.
        let kind = Some(cause.kind).filter(|kind| is_word(kind)).unwrap_or_else(|| "an unnamed error".to_owned());
        let status = payload.status.filter(|status| is_word(status)).unwrap_or_else(|| "nothing".to_owned());
        let what = format!("{path}: the request ended as {status} with {kind}");
        Err(Error::Status { upstream: NAME, status: 500, what })
    }
}

/// The request that a POST began: new servers and old ones name it in different headers.
fn request_id(answer: &Answer) -> Option<String> {
    let header = |name: &str| answer.headers().get(name)?.to_str().ok().map(str::trim).filter(|id| !id.is_empty());
    header("x-skypilot-request-id").or_else(|| header("x-request-id")).map(str::to_owned)
}

/// Whether an answer tells of a request that failed, and not of a server that did.
fn is_failed(answer: &Answer) -> bool {
    let told = || serde_json::from_slice::<Payload>(answer.body()).ok()?.detail?.status;
    answer.status().as_u16() == 500 && told().is_some()
}

/// A controller that does not exist, or was stopped because nothing was left to do. The same exception tells of one
/// that exists and cannot be reached, and of that nothing follows.
fn is_without_controller(cause: &Cause) -> bool {
    cause.kind == "ClusterNotUpError" && !cause.message.to_lowercase().contains("failed to connect")
}

/// The server writes JSON into a text; what is JSON already is taken as it is.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn cause(value: Value) -> Cause {
    let text = text(value);
    if matches!(text.trim(), "" | "null") {
        return Cause::default();
    }
    serde_json::from_str(&text).unwrap_or_else(|_| {
        let kind = text.split([':', '(']).next().unwrap_or_default().trim().to_owned();
        let kind = kind.rsplit('.').next().unwrap_or_default().to_owned();
        Cause { kind, message: text }
    })
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.len() < 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{Fake, Reply, Seen};
    use shared::{Auth, Env};
    use std::time::Instant;

    const ID: &str = "x-skypilot-request-id";

    async fn ask(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> (Result<Returned>, Fake, Env) {
        let fake = Fake::start(answer).await;
        let env = Env::of::<&str, &str>([]);
        let server = Server { alias: "prod".into(), url: fake.url().to_owned(), auth: Auth::None };
        let client = Client::new(&env, &server).unwrap().limited(Duration::from_secs(2));
        (client.ask("/status", &json!({"refresh": "NONE"})).await, fake, env)
    }

    fn accepted(header: &'static str) -> Reply {
        Reply::json(200, &Value::Null).header(header, "id/1")
    }

    fn failed(kind: &str, message: &str) -> Reply {
        let error = json!({"object": "gAJOLg==", "type": kind, "message": message}).to_string();
        Reply::json(500, &json!({"detail": {"status": "FAILED", "return_value": "null", "error": error}}))
    }

    #[tokio::test]
    async fn the_request_is_named_in_either_header_and_its_result_is_json_in_a_text() {
        for header in [ID, "x-request-id"] {
            let result = json!({"status": "SUCCEEDED", "return_value": "[1]", "error": "null"});
            let (outcome, fake, _) =
                ask(move |number, _| if number == 0 { accepted(header) } else { Reply::json(200, &result) }).await;
            assert!(matches!(outcome.unwrap(), Returned::Done(text) if text == "[1]"));
            let seen = fake.seen();
            assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/status"));
            assert_eq!((seen[1].method.as_str(), seen[1].path.as_str()), ("GET", "/api/get?request_id=id%2F1"));
        }
    }

    #[tokio::test]
    async fn a_request_that_failed_is_an_answer_and_its_message_is_not_told() {
        for (reply, expected) in [
            (failed("ClusterNotUpError", "No in-progress managed jobs."), None),
            (
                failed("ClusterNotUpError", "Failed to connect to jobs controller, please try again later."),
                Some("ClusterNotUpError"),
            ),
            (failed("ValueError", "the job of Ada Lovelace"), Some("FAILED with ValueError")),
            (
                failed("RuntimeError", "returncode: 1.\nValueError: Unknown field: is_primary_in_job_group"),
                Some("UnknownField"),
            ),
            (failed("SkyletInternalError", "Unknown field: is_primary_in_job_group"), Some("UnknownField")),
            (
                Reply::json(
                    500,
                    &json!({"detail": {"status": "FAILED", "error": "sky.exceptions.ClusterNotUpError: none"}}),
                ),
                None,
            ),
            (
                Reply::json(200, &json!({"status": "FAILED", "return_value": "null", "error": "null"})),
                Some("FAILED with an unnamed"),
            ),
            (Reply::json(200, &json!({"status": "CANCELLED", "return_value": "null"})), Some("CANCELLED")),
        ] {
            let shown = format!("{reply:?}");
            let (outcome, fake, _) = ask(move |number, _| if number == 0 { accepted(ID) } else { reply.clone() }).await;
            match (outcome, expected) {
                (Ok(Returned::NoController), None) | (Ok(Returned::UnknownField), Some("UnknownField")) => {}
                (Err(error), Some(part)) => {
                    let text = error.with_causes();
                    assert!(text.contains(part) && !text.contains("Ada"), "{text}");
                    assert_eq!(error.kind(), Some("server"));
                }
                (outcome, _) => panic!("{shown}: {outcome:?}"),
            }
            assert_eq!(fake.seen().len(), 2, "{shown}: it is asked for once");
        }
    }

    #[tokio::test]
    async fn a_server_that_fails_is_asked_three_times_and_one_without_the_route_once() {
        let (outcome, fake, _) = ask(|_, _| Reply::json(500, &json!({"detail": "Internal Server Error"}))).await;
        assert_eq!((outcome.unwrap_err().kind(), fake.seen().len()), (Some("server"), 3));
        let (outcome, fake, _) = ask(|_, _| Reply::json(404, &json!({"detail": "Not Found"}))).await;
        assert!(matches!(outcome.unwrap_err(), Error::NotFound { .. }) && fake.seen().len() == 1);
    }

    #[tokio::test]
    async fn a_lost_request_and_a_nameless_one_are_no_missing_route() {
        let lost = |number: usize, _: &Seen| {
            if number == 0 { accepted(ID) } else { Reply::json(404, &json!({"detail": "Request 'id/1' not found"})) }
        };
        assert_eq!(ask(lost).await.0.unwrap_err().kind(), Some("server"));
        let (outcome, _, env) = ask(|_, _| Reply::json(200, &Value::Null)).await;
        assert_eq!(outcome.unwrap_err().kind(), Some("decode"));
        assert_eq!(env.meter().take().errors[&(NAME, "decode")], 1);
    }

    #[tokio::test]
    async fn a_result_that_does_not_come_is_waited_for_until_the_limit_and_no_longer() {
        let started = Instant::now();
        let slow =
            |number: usize, _: &Seen| if number == 0 { accepted(ID) } else { Reply::Slow(Duration::from_secs(9)) };
        let (outcome, _, env) = ask(slow).await;
        assert_eq!(outcome.unwrap_err().kind(), Some("timeout"));
        assert!(started.elapsed() < Duration::from_secs(4));
        assert_eq!(env.meter().take().errors[&(NAME, "timeout")], 1);
    }

    #[tokio::test]
    async fn a_connection_that_dies_while_the_result_is_made_is_made_again() {
        let result = json!({"status": "SUCCEEDED", "return_value": "{}"});
        let (outcome, fake, _) = ask(move |number, _| match number {
            0 => accepted(ID),
            1 => Reply::Cut,
            _ => Reply::json(200, &result),
        })
        .await;
        assert!(outcome.is_ok());
        assert_eq!(fake.seen().iter().filter(|seen| seen.method == "POST").count(), 1);
    }
}
