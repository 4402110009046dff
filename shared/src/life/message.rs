//! What a run sends: what was measured and its heartbeat, admitted and encoded.

use super::commit::Committed;
use super::run::Run;
use crate::datadog::{Dropped, Endpoint, Found, Payload, add};
use crate::heartbeat::{Counts, Heartbeat, Share};
use crate::{Deliveries, Result, Sample, Tally};
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
    /// Gauges and the run's own counts, its heartbeat first: they are stored where Datadog does not accept them.
    pub points: Vec<Payload>,
    /// Counts of slots, which the next runs recount.
    pub slots: Vec<Payload>,
}

impl Message {
    /// What was measured, with the heartbeat of the run; `dropped` is what was dropped so far.
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
        let heartbeat = Heartbeat {
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
        let (heartbeat, _) = run.admit(heartbeat.samples(run.now()));
        // The heartbeat goes first: it is known to be valid, and shows whether Datadog accepts anything.
        let mut first = run.encode(&heartbeat)?;
        first.extend(points);
        samples.extend(heartbeat);
        Ok(Self { samples, dropped, payloads: Payloads { points: first, slots } })
    }
}

impl Run<'_> {
    /// The rows that are known when everything else is delivered; those of the spool only where it could be read.
    pub(crate) fn counts(&self, deliveries: &Deliveries, tally: &Tally, knows_spool: bool) -> Vec<Sample> {
        let mut upstreams = self.meter.upstreams();
        upstreams.remove("datadog");
        let counts = Counts {
            over_all: self.is_over_all(),
            scope: self.event.scope(),
            tally,
            upstreams: &upstreams,
            push_errors: &deliveries.errors,
            expired: knows_spool.then_some(deliveries.expired as u64),
        };
        let (mut counts, _) = self.admit(counts.samples());
        if self.is_repetition {
            // Its first try sent the rest; the run that delivers what that left counts its failures. A zero would
            // overwrite what the first try counted.
            let has_failed = |sample: &Sample| sample.value().is_some_and(|failures| failures > 0.0);
            counts.retain(|sample| sample.name() == "collector.push_errors" && has_failed(sample));
        }
        counts
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
