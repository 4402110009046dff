//! What can go wrong with one request.

use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What is done to a request or to its answer.
#[derive(Clone)]
pub enum Fault {
    /// The answer comes this much later; further rules still apply.
    Latency(Duration),
    /// Another answer, and the upstream never sees the request.
    Status {
        /// Its status.
        code: u16,
        /// Its headers.
        headers: Vec<(String, String)>,
        /// Its body.
        body: String,
    },
    /// The connection ends without an answer, and the upstream never sees the request.
    CutBefore,
    /// The connection ends without an answer, after the upstream did what it was asked.
    CutAfter,
    /// The connection ends after so many bytes of the body; the answer promised all of it.
    CutBody(usize),
    /// A complete HTTP answer whose body ends in its middle.
    Truncated,
    /// A page of HTML with status 200.
    Garbage,
    /// The body comes at so many bytes a second.
    SlowBody(u64),
    /// No answer, until the client gives up.
    Hang,
    /// A JSON answer is changed; further rules still apply.
    Rewrite(Arc<dyn Fn(Value) -> Value + Send + Sync>),
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency(duration) => write!(f, "Latency({duration:?})"),
            Self::Status { code, .. } => write!(f, "Status({code})"),
            Self::CutBefore => f.write_str("CutBefore"),
            Self::CutAfter => f.write_str("CutAfter"),
            Self::CutBody(bytes) => write!(f, "CutBody({bytes})"),
            Self::Truncated => f.write_str("Truncated"),
            Self::Garbage => f.write_str("Garbage"),
            Self::SlowBody(rate) => write!(f, "SlowBody({rate})"),
            Self::Hang => f.write_str("Hang"),
            Self::Rewrite(_) => f.write_str("Rewrite"),
        }
    }
}

impl Fault {
    /// A status with a short JSON body.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::answer(code, &[("content-type", "application/json")], r#"{"message":"injected"}"#)
    }

    /// An answer of one's own.
    #[must_use]
    pub fn answer(code: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::Status { code, headers, body: body.to_owned() }
    }

    /// 429 with `Retry-After`.
    #[must_use]
    pub fn too_many(seconds: u64) -> Self {
        let seconds = seconds.to_string();
        let headers = [("retry-after", seconds.as_str()), ("content-type", "application/json")];
        Self::answer(429, &headers, r#"{"message":"Too many requests"}"#)
    }

    /// GitHub's secondary limit, which is a 403.
    #[must_use]
    pub fn secondary_limit(seconds: u64) -> Self {
        let seconds = seconds.to_string();
        let headers = [("retry-after", seconds.as_str()), ("content-type", "application/json; charset=utf-8")];
        let body = r#"{"documentation_url":"https://docs.github.com/free-pro-team@latest/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits","message":"You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to GitHub Support for help, please include the request ID."}"#;
        Self::answer(403, &headers, body)
    }

    /// What a load balancer says when nothing is behind it.
    #[must_use]
    pub fn bad_gateway() -> Self {
        let body = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
        Self::answer(502, &[("content-type", "text/html")], body)
    }

    /// Changes JSON answers.
    pub fn rewrite(change: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }
}
