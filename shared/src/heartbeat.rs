//! The metrics that every collector sends about itself, even after a failed run.

use crate::datadog::{Dropped, Endpoint, PUSH_ERRORS, REASONS};
use crate::{Error, Findings, Part, Sample, Tally, stats};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

crate::catalogue! {
    /// Whether no part of any target failed in this run (1) or one did (0); parts that are still filling do not count.
    UP = Gauge "collector.up" in Check by [], fold Min, better Up;
    /// Whether no part of this target failed in this run (1) or one did (0); parts that are still filling do not count.
    TARGET_UP = Gauge "collector.target_up" in Check by ["target"], fold Min, better Up;
    /// Whether this part of this target failed in this run (1) or not (0); every declared part, always.
    GAP = Gauge "collector.gap" in Check by ["part", "target"], fold Max, better Down;
    /// Answers that this part still waits for and that following runs will ask for.
    PENDING = Gauge "collector.pending" in Item by ["part", "target"], fold Sum, better Down;
    /// Records of this part that were read and cannot be interpreted; what is summed over them is a lower bound.
    UNREAD = Gauge "collector.unread" in Item by ["part", "target"], fold Sum, better Down;
    /// How long this run took to fetch, measure and encode, without the submission of this point.
    DURATION = Gauge "collector.duration_seconds" in Second by [], fold Max, better Down;
    /// Samples measured in this run, those about the collector excluded.
    SAMPLES = Gauge "collector.samples" in Sample by [], fold Sum, better Neither;
    /// Samples of this run that were not sent, by reason: invalid, `too_old`, cardinality, duplicate.
    SERIES_DROPPED = Gauge "collector.series_dropped" in Sample by ["reason"], fold Sum, better Down;
    /// Share of the declared parts of this target that are whole: neither failed nor waiting for answers.
    COVERAGE = Gauge "collector.coverage_pct" in Percent by ["target"], fold Min, better Up;
    /// Age of the oldest answer that is used beyond the time it may be kept; 0 when all are within it.
    DATA_AGE = Gauge "collector.data_age_seconds" in Second by ["target"], fold Max, better Down;
    /// Age of the cursor before this run: how long ago the observations of this target were last committed.
    STATE_AGE = Gauge "collector.state_age_seconds" in Second by ["target"], fold Max, better Down;
    /// HTTP requests of this run, retries included.
    API_CALLS = Count "collector.api_calls" in Request by ["upstream"], fold Sum, better Down;
    /// Calls that failed for good, by kind.
    API_ERRORS = Count "collector.api_errors" in Error by ["kind", "upstream"], fold Sum, better Down;
    /// What is left of a quota in percent of its limit, by the last answer about this target that said both.
    API_BUDGET = Gauge "collector.api_budget_pct" in Percent by ["target", "upstream"], fold Min, better Up;
    /// List price of the paid calls of this run.
    API_COST = Count "collector.api_cost_usd" in Dollar by ["upstream"], fold Sum, better Down;
    /// Compressed bytes of the payloads of this run, those about the collector excluded.
    PAYLOAD_BYTES = Gauge "collector.payload_bytes" in Byte by ["endpoint"], fold Sum, better Neither;
    /// Failed submissions by kind: of payloads that got through or were given up in this run, and of this run itself.
    PUSH_ERRORS_ROW = Count "collector.push_errors" in Error by ["kind", "target"], fold Sum, better Down;
    /// Payloads that waited in the spool when the run began to deliver.
    SPOOL_DEPTH = Gauge "collector.spool.depth" in Payload by ["target"], fold Sum, better Down;
    /// Age of the oldest payload that waited in the spool.
    SPOOL_OLDEST = Gauge "collector.spool.oldest_seconds" in Second by ["target"], fold Max, better Down;
    /// Payloads given up since the last run, because their points became older than Datadog accepts.
    SPOOL_EXPIRED = Count "collector.spool.expired" in Payload by ["target"], fold Sum, better Down;
    /// Always 1; the tag says which release is running.
    BUILD = Gauge "collector.build" in One by ["version"], fold Sum, better Neither;
}

/// The part for the store itself; every target has it.
pub(crate) const STORE: Part = Part::new("store");

const API_ERROR_KINDS: [&str; 7] = ["auth", "rate_limited", "not_found", "server", "network", "timeout", "decode"];

/// The result of a run for one target.
#[derive(Debug)]
pub struct Share {
    /// The target.
    pub target: String,
    /// The parts that were to be read, the store among them.
    pub parts: Vec<Part>,
    /// What became of them.
    pub findings: Findings,
    /// The cursor's `until` before this run.
    pub until: Option<Timestamp>,
    /// Whether a stored snapshot of this very time was measured again, without a fetch.
    pub repeated: bool,
    /// Why nothing of it could be read, if that is so.
    pub failed: Option<Error>,
}

impl Share {
    /// Whether no part failed.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.findings.gaps.is_empty()
    }

    /// Records that the store failed for this target.
    pub(crate) fn store_failed(&mut self, why: &str) {
        tracing::warn!(target = self.target, part = STORE.name(), why, "part unknown");
        self.findings.gaps.entry(STORE.name()).or_insert_with(|| why.to_owned());
    }

    fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let found = &self.findings;
        let age = |time: Timestamp| now.duration_since(time).as_secs_f64().max(0.0);
        let count =
            |counts: &BTreeMap<&'static str, u64>, part: Part| number(counts.get(part.name()).copied().unwrap_or(0));
        let mut samples = Vec::new();
        for part in &self.parts {
            let mut add = |sample: Sample| samples.push(sample.tag("part", part.name()));
            add(GAP.sample(flag(found.gaps.contains_key(part.name()))));
            if part.fills() {
                add(PENDING.sample(count(&found.pending, *part)));
            }
            if part.holds_records() {
                add(UNREAD.sample(count(&found.unread, *part)));
            }
        }
        let whole = self.parts.iter().filter(|part| found.is_whole(**part)).count();
        samples.push(TARGET_UP.sample(flag(self.is_up())));
        samples.push(COVERAGE.maybe(stats::percent(stats::count(whole), stats::count(self.parts.len()))));
        if !self.repeated {
            samples.push(DATA_AGE.sample(found.oldest.map_or(0.0, age)));
            // A run that was committed before sent the age that it found then.
            samples.push(STATE_AGE.maybe(self.until.filter(|until| *until < now).map(age)));
        }
        samples.into_iter().map(|sample| sample.tag("target", &self.target)).collect()
    }
}

/// What a run reports about itself before its points are sent.
#[derive(Debug)]
pub(crate) struct Heartbeat<'a> {
    /// The targets' shares.
    pub shares: &'a [Share],
    /// Whether the run is over all targets, and reports on the collector as a whole.
    pub over_all: bool,
    /// Whether this very run was made before: then most rows were sent.
    pub is_repetition: bool,
    /// The scope of its spool.
    pub scope: &'a str,
    /// How long it took so far.
    pub took: Duration,
    /// Samples measured.
    pub measured: usize,
    /// Samples not sent.
    pub dropped: &'a Dropped,
    /// What is left of quotas, by target and upstream.
    pub quotas: &'a BTreeMap<(String, &'static str), f64>,
    /// Compressed bytes of its payloads by endpoint.
    pub bytes: BTreeMap<&'static str, usize>,
    /// How many payloads wait in the store for Datadog, and the time of the oldest point; nothing when the store cannot be
    /// reached.
    pub waiting: Option<(usize, Option<Timestamp>)>,
}

impl Heartbeat<'_> {
    /// The rows of the run.
    #[must_use]
    pub fn samples(&self, now: Timestamp) -> Vec<Sample> {
        let up = !self.shares.is_empty() && self.shares.iter().all(Share::is_up);
        let mut samples: Vec<Sample> = self.shares.iter().flat_map(|share| share.samples(now)).collect();
        if self.over_all {
            samples.push(UP.sample(flag(up)));
        }
        if self.is_repetition {
            return samples;
        }
        if self.over_all {
            samples.extend(self.of_the_run());
        }
        samples.extend(self.quotas.iter().filter(|((target, _), _)| !target.is_empty()).map(
            |((target, upstream), left)| API_BUDGET.sample(*left).tag("target", target).tag("upstream", upstream),
        ));
        if let Some((depth, oldest)) = self.waiting {
            let age = oldest.map_or(0.0, |oldest| now.duration_since(oldest).as_secs_f64().max(0.0));
            let rows = [SPOOL_DEPTH.sample(stats::count(depth)), SPOOL_OLDEST.sample(age)];
            samples.extend(rows.map(|sample| sample.tag("target", self.scope)));
        }
        samples
    }

    fn of_the_run(&self) -> Vec<Sample> {
        let mut samples = vec![
            DURATION.sample(self.took.as_secs_f64()),
            SAMPLES.sample(stats::count(self.measured)),
            BUILD.sample(1.0).tag("version", env!("CARGO_PKG_VERSION")),
        ];
        samples.extend(REASONS.map(|reason| {
            let dropped = self.dropped.get(reason).copied().unwrap_or(0);
            SERIES_DROPPED.sample(stats::count(dropped)).tag("reason", reason)
        }));
        samples.extend([Endpoint::Series, Endpoint::Distribution].map(|endpoint| {
            let bytes = self.bytes.get(endpoint.word()).copied().unwrap_or(0);
            PAYLOAD_BYTES.sample(stats::count(bytes)).tag("endpoint", endpoint.word())
        }));
        samples
    }
}

/// What is counted over a whole run, and known when everything else is delivered.
#[derive(Debug)]
pub(crate) struct Counts<'a> {
    /// Whether the run is over all targets.
    pub over_all: bool,
    /// The scope of its spool.
    pub scope: &'a str,
    /// The calls it made.
    pub tally: &'a Tally,
    /// The upstreams it has clients for.
    pub upstreams: &'a BTreeSet<&'static str>,
    /// Failed submissions by kind.
    pub push_errors: &'a BTreeMap<&'static str, u64>,
    /// Payloads that were given up; nothing when the store cannot be reached.
    pub expired: Option<u64>,
}

impl Counts<'_> {
    /// The rows.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let errors = |kind: &'static str| number(self.push_errors.get(kind).copied().unwrap_or(0));
        let failed = PUSH_ERRORS.map(|kind| PUSH_ERRORS_ROW.sample(errors(kind)).tag("kind", kind));
        let expired = self.expired.map(|expired| SPOOL_EXPIRED.sample(number(expired)));
        let mut samples: Vec<Sample> =
            failed.into_iter().chain(expired).map(|sample| sample.tag("target", self.scope)).collect();
        if self.over_all {
            samples.extend(self.upstreams.iter().flat_map(|upstream| self.calls(upstream)));
        }
        samples
    }

    fn calls(&self, upstream: &'static str) -> Vec<Sample> {
        let calls = self.tally.calls.get(upstream).copied().unwrap_or(0);
        let cost = self.tally.cost.get(upstream).copied().unwrap_or(0.0);
        let mut samples = vec![API_CALLS.sample(number(calls)), API_COST.sample(cost)];
        samples.extend(API_ERROR_KINDS.map(|kind| {
            let errors = self.tally.errors.get(&(upstream, kind)).copied().unwrap_or(0);
            API_ERRORS.sample(number(errors)).tag("kind", kind)
        }));
        samples.into_iter().map(|sample| sample.tag("upstream", upstream)).collect()
    }
}

const fn flag(set: bool) -> f64 {
    if set { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "no run makes 2^52 calls")]
const fn number(count: u64) -> f64 {
    count as f64
}
