//! What every collector says about itself, also after a run that failed.

use crate::datadog::{Dropped, Endpoint, PUSH_ERRORS, REASONS};
use crate::{Sample, Tally, stats};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

crate::catalogue! {
    /// Whether every part of every target was read in this run (1) or not (0).
    UP = Gauge "collector.up" in Check by [];
    /// Whether every part of this target was read in this run (1) or not (0).
    TARGET_UP = Gauge "collector.target_up" in Check by ["target"];
    /// Whether this part of this target is unknown in this run (1) or was read (0); every declared part, always.
    GAP = Gauge "collector.gap" in Check by ["part", "target"];
    /// How long this run took to fetch, measure and encode, without the submission of this point.
    DURATION = Gauge "collector.duration_seconds" in Second by [];
    /// Samples measured in this run, those about the collector excluded.
    SAMPLES = Gauge "collector.samples" in Sample by [];
    /// Samples of this run that were not sent, by reason: invalid, `too_old`, cardinality, duplicate.
    SERIES_DROPPED = Gauge "collector.series_dropped" in Sample by ["reason"];
    /// Share of the declared parts of this target that were read.
    COVERAGE = Gauge "collector.coverage_pct" in Percent by ["target"];
    /// Age of the oldest upstream answer that this run used: kept prices, types, workflows; 0 when all are fresh.
    DATA_AGE = Gauge "collector.data_age_seconds" in Second by ["target"];
    /// Age of the cursor before this run: how long ago the observations of this target were last committed.
    STATE_AGE = Gauge "collector.state_age_seconds" in Second by ["target"];
    /// HTTP requests of this run, retries included.
    API_CALLS = Count "collector.api_calls" in Request by ["upstream"];
    /// Final failures of this run by kind: auth, `rate_limited`, `not_found`, server, network, timeout, decode.
    API_ERRORS = Count "collector.api_errors" in Error by ["kind", "upstream"];
    /// What the upstream last said is left of our quota.
    API_BUDGET = Gauge "collector.api_budget_remaining" in Request by ["upstream"];
    /// List price of the paid calls of this run.
    API_COST = Count "collector.api_cost_usd" in Dollar by ["upstream"];
    /// Compressed bytes of this run's payloads by endpoint, series or distribution.
    PAYLOAD_BYTES = Gauge "collector.payload_bytes" in Byte by ["endpoint"];
    /// Submissions that failed since the last run, by kind: rejected, `rate_limited`, server, network.
    PUSH_ERRORS_ROW = Count "collector.push_errors" in Error by ["kind"];
    /// Payloads that wait in the spool.
    SPOOL_DEPTH = Gauge "collector.spool.depth" in Payload by [];
    /// Age of the oldest payload that waits in the spool.
    SPOOL_OLDEST = Gauge "collector.spool.oldest_seconds" in Second by [];
    /// Payloads given up since the last run, because their points became older than Datadog accepts.
    SPOOL_EXPIRED = Count "collector.spool.expired" in Payload by [];
    /// Always 1; the tag says which release is running.
    BUILD = Gauge "collector.build" in One by ["version"];
}

/// The part that stands for the store itself; every target has it.
pub const STORE_PART: &str = "store";

const API_ERROR_KINDS: [&str; 7] = ["auth", "rate_limited", "not_found", "server", "network", "timeout", "decode"];

/// What a run knows of one target's share.
#[derive(Debug)]
pub struct Share {
    /// The target.
    pub target: String,
    /// The parts that were to be read, the store among them.
    pub parts: Vec<&'static str>,
    /// The parts that are unknown, with the reasons.
    pub gaps: BTreeMap<&'static str, String>,
    /// The time of the oldest upstream answer used; nothing when all are fresh.
    pub oldest: Option<Timestamp>,
    /// The cursor's `until` before this run.
    pub until: Option<Timestamp>,
}

impl Share {
    /// Whether every part was read.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.gaps.is_empty()
    }

    fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let age = |time: Timestamp| now.duration_since(time).as_secs_f64().max(0.0);
        let mut parts: BTreeSet<&'static str> = self.parts.iter().copied().collect();
        parts.extend(self.gaps.keys());
        let read = parts.iter().filter(|part| !self.gaps.contains_key(*part)).count();
        let gaps = parts.iter().map(|part| GAP.sample(flag(self.gaps.contains_key(part))).tag("part", part));
        let rest = [
            TARGET_UP.sample(flag(self.is_up())),
            COVERAGE.maybe(stats::percent(stats::count(read), stats::count(parts.len()))),
            DATA_AGE.sample(self.oldest.map_or(0.0, age)),
            STATE_AGE.maybe(self.until.map(age)),
        ];
        gaps.chain(rest).map(|sample| sample.tag("target", &self.target)).collect()
    }
}

/// What a run knows of itself before its points are sent.
#[derive(Debug)]
pub struct Pulse<'a> {
    /// The targets' shares.
    pub shares: &'a [Share],
    /// How long it took so far.
    pub took: Duration,
    /// Samples measured.
    pub measured: usize,
    /// Samples not sent.
    pub dropped: &'a Dropped,
    /// The calls it made.
    pub tally: &'a Tally,
    /// The upstreams it has clients for.
    pub upstreams: &'a BTreeSet<&'static str>,
    /// Compressed bytes of its payloads by endpoint.
    pub bytes: BTreeMap<&'static str, usize>,
    /// What the spool holds: depth and the time of the oldest point; nothing when the store cannot be reached.
    pub spool: Option<(usize, Option<Timestamp>)>,
    /// Failed submissions and expired payloads since the last run; nothing when the store cannot be reached.
    pub past: Option<(BTreeMap<String, u64>, u64)>,
}

impl Pulse<'_> {
    /// The rows of the run.
    #[must_use]
    pub fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let up = !self.shares.is_empty() && self.shares.iter().all(Share::is_up);
        let mut samples = vec![
            UP.sample(flag(up)),
            DURATION.sample(self.took.as_secs_f64()),
            SAMPLES.sample(stats::count(self.measured)),
            BUILD.sample(1.0).tag("version", env!("CARGO_PKG_VERSION")),
        ];
        samples.extend(self.shares.iter().flat_map(|share| share.samples(now)));
        samples.extend(REASONS.map(|reason| {
            let dropped = self.dropped.get(reason).copied().unwrap_or(0);
            SERIES_DROPPED.sample(stats::count(dropped)).tag("reason", reason)
        }));
        samples.extend([Endpoint::Series, Endpoint::Distribution].map(|endpoint| {
            let bytes = self.bytes.get(endpoint.word()).copied().unwrap_or(0);
            PAYLOAD_BYTES.sample(stats::count(bytes)).tag("endpoint", endpoint.word())
        }));
        samples.extend(self.calls());
        samples.extend(self.sink(now));
        samples
    }

    fn calls(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for upstream in self.upstreams {
            let calls = self.tally.calls.get(upstream).copied().unwrap_or(0);
            samples.push(API_CALLS.sample(number(calls)).tag("upstream", upstream));
            samples
                .push(API_COST.sample(self.tally.cost.get(upstream).copied().unwrap_or(0.0)).tag("upstream", upstream));
            samples.extend(API_ERROR_KINDS.map(|kind| {
                let errors = self.tally.errors.get(&(*upstream, kind)).copied().unwrap_or(0);
                API_ERRORS.sample(number(errors)).tag("upstream", upstream).tag("kind", kind)
            }));
        }
        samples.extend(
            self.tally.budget.iter().map(|(upstream, left)| API_BUDGET.sample(*left).tag("upstream", upstream)),
        );
        samples
    }

    fn sink(&self, now: Timestamp) -> Vec<Sample> {
        let mut samples = Vec::new();
        if let Some((depth, oldest)) = self.spool {
            let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
            samples.extend([SPOOL_DEPTH.sample(stats::count(depth)), SPOOL_OLDEST.sample(age)]);
        }
        if let Some((errors, expired)) = &self.past {
            let kinds = PUSH_ERRORS
                .map(|kind| PUSH_ERRORS_ROW.sample(number(errors.get(kind).copied().unwrap_or(0))).tag("kind", kind));
            samples.extend(kinds);
            samples.push(SPOOL_EXPIRED.sample(number(*expired)));
        }
        samples
    }
}

const fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "no run makes 2^52 calls")]
const fn number(count: u64) -> f64 {
    count as f64
}
