//! The result of a run, and its line in the log.

use crate::datadog::Dropped;
use crate::heartbeat::Share;
use crate::{Deliveries, Error, Sample};
use jiff::Timestamp;
use std::time::Duration;

/// The result of a run.
#[derive(Debug)]
pub struct Report {
    /// The collector's name.
    pub collector: &'static str,
    /// The run's time.
    pub now: Timestamp,
    /// Whether the run came too late to send its points.
    pub late: bool,
    /// The targets with what became of their parts.
    pub shares: Vec<Share>,
    /// What was measured and may be sent, observations and the collector's own rows included.
    pub samples: Vec<Sample>,
    /// What may not be sent, by reason.
    pub dropped: Dropped,
    /// HTTP requests to upstreams.
    pub calls: u64,
    /// How long the run took.
    pub took: Duration,
    /// What became of the payloads; nothing when none were to be sent.
    pub deliveries: Option<Deliveries>,
}

impl Report {
    /// Whether no part of any target failed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        !self.shares.is_empty() && self.shares.iter().all(Share::is_up)
    }

    /// The targets that could not be read at all, and why.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &Error)> {
        self.shares.iter().filter_map(|share| Some((share.target.as_str(), share.failed.as_ref()?)))
    }

    /// What makes the run a failure, if anything does: a sink that accepts nothing until a person has done something,
    /// points that are neither delivered nor stored, a target that could not be read at all. A part that failed alone
    /// does not.
    #[must_use]
    pub fn failure(mut self) -> Option<Error> {
        let deliveries = self.deliveries.take().unwrap_or_default();
        if let Some(refused) = deliveries.refused {
            return Some(Error::Intake { what: refused });
        }
        if deliveries.lost > 0 {
            let what = format!("{} payloads are neither delivered nor in the spool", deliveries.lost);
            return Some(Error::Intake { what });
        }
        self.shares.into_iter().find_map(|share| share.failed)
    }

    /// Logs the run in one line.
    pub(crate) fn log(&self) {
        let gaps: Vec<String> = self
            .shares
            .iter()
            .flat_map(|share| share.findings.gaps.keys().map(move |part| format!("{}/{part}", share.target)))
            .collect();
        let pending: u64 = self.shares.iter().flat_map(|share| share.findings.pending.values()).sum();
        let sent = self.deliveries.as_ref();
        tracing::info!(
            collector = self.collector,
            now = %self.now,
            up = (!self.late).then(|| self.is_up()),
            late = self.late,
            targets = self.shares.len(),
            failed = self.failed().count(),
            gaps = gaps.join(" "),
            pending,
            samples = self.samples.len(),
            dropped = self.dropped.values().sum::<usize>(),
            calls = self.calls,
            accepted = sent.map(|sent| sent.accepted),
            rejected = sent.map(|sent| sent.rejected),
            spooled = sent.map(|sent| sent.spooled),
            lost = sent.map(|sent| sent.lost),
            recovered = sent.map(|sent| sent.recovered),
            expired = sent.map(|sent| sent.expired),
            seconds = self.took.as_secs_f64(),
            "run"
        );
    }
}
