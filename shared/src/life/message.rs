//! What a run sends: what was measured, and what the run says about itself, admitted and encoded.

use super::commit::Committed;
use super::run::Run;
use crate::datadog::{Dropped, Endpoint, Found, Payload, add};
use crate::heartbeat::{Counts, Pulse, Share};
use crate::{Outcome, Result, Sample, Tally};
use jiff::Timestamp;

/// What a run sends, observations apart.
#[derive(Debug)]
pub(crate) struct Message {
    /// What is sent, as samples.
    pub samples: Vec<Sample>,
    /// What may not be sent, by reason.
    pub dropped: Dropped,
    /// What is sent, as bodies.
    pub payloads: Payloads,
}

/// The bodies of a message.
#[derive(Debug, Default)]
pub(crate) struct Payloads {
    /// Gauges and the run's own counts, what it says about itself first: they are kept where Datadog does not take them.
    pub points: Vec<Payload>,
    /// Counts of slots, which the next runs recount.
    pub slots: Vec<Payload>,
}

impl Message {
    /// What was measured, with what the run says about itself; `dropped` is what was not sent before.
    pub(crate) fn new(
        run: &Run<'_>,
        series: Vec<Sample>,
        shares: &[Share],
        committed: &[Committed],
        found: Option<&Found>,
        mut dropped: Dropped,
    ) -> Result<Self> {
        let observed: usize = committed.iter().map(|one| one.observations.len()).sum();
        let measured = series.iter().filter(|sample| sample.value().is_some()).count() + observed;
        let (mut samples, refused) = run.admit(series);
        add(&mut dropped, &refused);
        let (slots, points): (Vec<Sample>, Vec<Sample>) = samples.iter().cloned().partition(Sample::is_slot);
        let (points, slots) = (run.encode(&points)?, run.encode(&slots)?);
        let bodies = committed.iter().flat_map(|one| &one.bodies).filter(|body| body.is_own).map(|body| &body.payload);
        let pulse = Pulse {
            shares,
            over_all: run.is_over_all(),
            is_repetition: run.is_repetition,
            scope: run.event.scope(),
            took: run.schedule.started.elapsed(),
            measured,
            dropped: &dropped,
            quotas: &run.meter.quotas(),
            bytes: [
                (Endpoint::Series.word(), bytes(points.iter().chain(&slots))),
                (Endpoint::Distribution.word(), bytes(bodies)),
            ]
            .into(),
            waiting: found.map(|found| waiting(found, committed)),
        };
        let (pulse, _) = run.admit(pulse.samples(run.now()));
        // What is known to be right goes first: it shows whether Datadog takes anything.
        let mut first = run.encode(&pulse)?;
        first.extend(points);
        samples.extend(pulse);
        Ok(Self { samples, dropped, payloads: Payloads { points: first, slots } })
    }
}

impl Run<'_> {
    /// The rows that are known when everything else is delivered. Without its spool a run says nothing of that.
    pub(crate) fn counts(&self, outcome: &Outcome, tally: &Tally, knows_spool: bool) -> Vec<Sample> {
        let mut upstreams = self.meter.upstreams();
        upstreams.remove("datadog");
        let counts = Counts {
            over_all: self.is_over_all(),
            scope: self.event.scope(),
            tally,
            upstreams: &upstreams,
            push_errors: &outcome.errors,
            expired: knows_spool.then_some(outcome.expired as u64),
        };
        self.admit(counts.samples()).0
    }
}

fn bytes<'a>(payloads: impl Iterator<Item = &'a Payload>) -> usize {
    payloads.map(|payload| payload.compressed().len()).sum()
}

/// What waits in the store for Datadog: entries of the spool, and observations that nobody is delivering.
fn waiting(found: &Found, committed: &[Committed]) -> (usize, Option<Timestamp>) {
    let bodies = || committed.iter().flat_map(|one| &one.waiting).copied();
    (found.depth + bodies().count(), bodies().chain(found.oldest).min())
}
