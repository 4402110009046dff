//! What can go wrong, one variant for each thing a person would do differently about.

use std::fmt;

/// The result of anything in this workspace that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: who, what and which, in lower case and without a period.
#[derive(Debug)]
pub enum Error {
    /// A variable is missing or unreadable: fix the configuration.
    Config {
        /// The variable.
        name: String,
        /// What is wrong with it, and an example of a good one.
        problem: String,
    },
    /// Credentials were refused: fix the token or its permissions.
    Auth {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked and answered, and where the credential comes from.
        what: String,
    },
    /// The upstream limits our rate for now.
    RateLimited {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked and answered.
        what: String,
    },
    /// What was asked for does not exist, or is hidden from us.
    NotFound {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked for.
        what: String,
    },
    /// The upstream failed, or refused for a reason that no other variant names.
    Status {
        /// Which upstream.
        upstream: &'static str,
        /// The HTTP status.
        status: u16,
        /// What was asked, and a short reason if one was given.
        what: String,
    },
    /// The upstream redirects: set the right address, or fix the proxy in between.
    Redirect {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked.
        what: String,
        /// The host that it points to, and the variable to set.
        place: String,
    },
    /// The connection was refused, reset or cut before a whole answer came.
    Network {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked.
        what: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer took too long, or the run has no time left to ask.
    Timeout {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked, and which limit was reached.
        what: String,
    },
    /// The answer is not what the upstream documents.
    Decode {
        /// Which upstream.
        upstream: &'static str,
        /// What was asked, and where the answer differs; never its text.
        what: String,
    },
    /// The answer is not complete, and is not used in part.
    Incomplete {
        /// What is missing.
        what: String,
    },
    /// No part of a target could be read.
    NothingRead {
        /// Why the first of them could not.
        why: String,
    },
    /// Something on this machine failed: a terminal, a folder, a port.
    Local {
        /// What it could not do.
        what: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store could not be read or written.
    Store {
        /// Which key, and what was tried.
        what: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Datadog did not accept what we sent.
    Intake {
        /// What was sent and answered.
        what: String,
    },
}

impl Error {
    /// A configuration error that names the variable, the problem and a good example.
    pub fn config(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Config { name: name.into(), problem: problem.into() }
    }

    /// A variable with something else in it than a good value, of which this is an example.
    #[must_use]
    pub fn refused(name: &str, problem: impl fmt::Display, example: &str) -> Self {
        Self::config(name, format!("{problem}, e.g. {name}={example}"))
    }

    /// An answer that is not as documented.
    pub fn decode(upstream: &'static str, what: impl Into<String>) -> Self {
        Self::Decode { upstream, what: what.into() }
    }

    /// A store error with its cause.
    pub fn store(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Store { what: what.into(), source: source.into() }
    }

    /// Something that this machine could not do, with its cause.
    pub fn local(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Local { what: what.into(), source: source.into() }
    }

    /// An incomplete answer.
    pub fn incomplete(what: impl Into<String>) -> Self {
        Self::Incomplete { what: what.into() }
    }

    /// The tag value of this kind of failure in `collector.api_errors`, where an upstream failed.
    #[must_use]
    pub const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Auth { .. } => Some("auth"),
            Self::RateLimited { .. } => Some("rate_limited"),
            Self::NotFound { .. } => Some("not_found"),
            Self::Status { .. } | Self::Redirect { .. } => Some("server"),
            Self::Network { .. } => Some("network"),
            Self::Timeout { .. } => Some("timeout"),
            Self::Decode { .. } => Some("decode"),
            Self::Config { .. }
            | Self::Incomplete { .. }
            | Self::NothingRead { .. }
            | Self::Local { .. }
            | Self::Store { .. }
            | Self::Intake { .. } => None,
        }
    }

    /// The exit code of a program that ends with this error: 78 for configuration, else 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Config { .. }) { 78 } else { 1 }
    }

    /// The message with all its causes, for a log line.
    #[must_use]
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config { name, problem } => write!(f, "{name}: {problem}"),
            Self::Auth { upstream, what } => write!(f, "{upstream} refused the credentials: {what}"),
            Self::RateLimited { upstream, what } => write!(f, "{upstream} limits the rate: {what}"),
            Self::NotFound { upstream, what } => write!(f, "{upstream} did not find {what}"),
            Self::Status { upstream, status, what } => write!(f, "{upstream} answered {status} to {what}"),
            Self::Redirect { upstream, what, place } => write!(f, "{upstream} redirects {what} to {place}"),
            Self::Network { upstream, what, .. } => write!(f, "no answer from {upstream} to {what}"),
            Self::Timeout { upstream, what } => write!(f, "{upstream} timed out: {what}"),
            Self::Decode { upstream, what } => write!(f, "unreadable answer from {upstream}: {what}"),
            Self::Incomplete { what } => write!(f, "incomplete: {what}"),
            Self::NothingRead { why } => write!(f, "no part could be read; the first reason: {why}"),
            Self::Local { what, .. } => write!(f, "cannot {what}"),
            Self::Store { what, .. } => write!(f, "the store could not {what}"),
            Self::Intake { what } => write!(f, "datadog did not accept the points: {what}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Network { source, .. } | Self::Local { source, .. } | Self::Store { source, .. } => {
                Some(source.as_ref())
            }
            _ => None,
        }
    }
}
