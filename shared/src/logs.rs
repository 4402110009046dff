//! Structured logs: JSON lines for machines, short lines for people.

use crate::{Env, Error, Result};
use tracing_subscriber::EnvFilter;

/// Who reads the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logs {
    /// A log store: one JSON object a line, on standard output.
    Json,
    /// A person: text on standard error, so that standard output stays the answer.
    Text,
}

/// Starts logging once for the process; `LOG_LEVEL` filters, such as `info` or `shared=debug`.
///
/// # Errors
/// When the filter cannot be read.
pub fn logs(env: &Env, readers: Logs, default: &str) -> Result<()> {
    let text = env.get("LOG_LEVEL").unwrap_or(default);
    let wanted = EnvFilter::try_new(text);
    let wrong = wanted
        .as_ref()
        .err()
        .map(|_| Error::refused("LOG_LEVEL", format!("`{text}` is not a filter"), "info or LOG_LEVEL=shared=debug"));
    // The error about a wrong filter is logged too.
    let filter = wanted.unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_target(false);
    // A second start, as in tests of one process, keeps the first subscriber.
    let started = match readers {
        Logs::Json => {
            builder.json().flatten_event(true).with_current_span(false).with_writer(std::io::stdout).try_init()
        }
        Logs::Text => builder.without_time().with_writer(std::io::stderr).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    wrong.map_or(Ok(()), Err)
}
