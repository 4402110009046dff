//! What a run says: what was measured and what it says about itself, admitted, encoded and ready to be sent.

use crate::commit::Committed;
use crate::datadog::{Base, Dropped, Endpoint, Found, LIMITS, Payload, admit, encode};
use crate::heartbeat::{Backlog, Counts, Pulse, Share};
use crate::outbox::Outgoing;
use crate::schedule::Schedule;
use crate::{Event, Meter, Outcome, Result, Sample, Tally};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// A run, as far as what it says depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling<'a> {
    pub base: &'a Base,
    pub event: &'a Event,
    pub meter: &'a Meter,
    pub schedule: Schedule,
    /// What the clock says when the points are sent: Datadog judges their age by it.
    pub wall: Timestamp,
    /// Whether this very run was made before.
    pub is_repetition: bool,
}

/// What a run says before its points are sent.
pub(crate) struct Said {
    pub samples: Vec<Sample>,
    pub outgoing: Outgoing,
}

impl Telling<'_> {
    /// What was measured, with what the run says about itself. `dropped` grows by what may not be sent.
    pub(crate) fn say(
        self,
        series: Vec<Sample>,
        shares: &[Share],
        dropped: &mut Dropped,
        committed: &[Committed],
        found: Option<&Found>,
    ) -> Result<Said> {
        let observed: usize = committed.iter().map(|one| one.observations.len()).sum();
        let measured = series.iter().filter(|sample| sample.value().is_some()).count() + observed;
        let (mut samples, refused) = admit(series, self.base, self.event.now(), self.wall);
        add(dropped, &refused);
        let (slots, points): (Vec<Sample>, Vec<Sample>) = samples.iter().cloned().partition(Sample::is_slot);
        let (points, slots) = (self.encode(&points)?, self.encode(&slots)?);
        let bodies = committed.iter().flat_map(|one| &one.bodies).filter(|body| body.is_own).map(|body| &body.payload);
        let pulse = Pulse {
            shares,
            over_all: self.is_over_all(),
            is_repetition: self.is_repetition,
            scope: self.event.scope(),
            took: self.schedule.started.elapsed(),
            measured,
            dropped,
            budget: &self.meter.quotas(),
            bytes: [
                (Endpoint::Series.word(), bytes(points.iter().chain(&slots))),
                (Endpoint::Distribution.word(), bytes(bodies)),
            ]
            .into(),
            backlog: found.map(|found| backlog(found, committed)),
        };
        let (pulse, _) = admit(pulse.samples(self.event.now()), self.base, self.event.now(), self.wall);
        // What is known to be right goes first: it shows whether Datadog takes anything.
        let mut first = self.encode(&pulse)?;
        first.extend(points);
        samples.extend(pulse);
        Ok(Said { samples, outgoing: Outgoing { points: first, slots } })
    }

    /// The rows that are known when everything else is delivered. Without its spool a run says nothing of that.
    pub(crate) fn counts(self, outcome: &Outcome, tally: &Tally, knows_spool: bool) -> Vec<Sample> {
        let upstreams: BTreeSet<&'static str> =
            self.meter.upstreams().into_iter().filter(|upstream| *upstream != "datadog").collect();
        let counts = Counts {
            over_all: self.is_over_all(),
            scope: self.event.scope(),
            tally,
            upstreams: &upstreams,
            push_errors: &outcome.errors,
            expired: knows_spool.then_some(outcome.expired as u64),
        };
        admit(counts.samples(), self.base, self.event.now(), self.wall).0
    }

    /// The bodies of samples.
    pub(crate) fn encode(self, samples: &[Sample]) -> Result<Vec<Payload>> {
        encode(samples, self.base, self.event.now(), LIMITS)
    }

    /// Whether the run speaks for the collector as a whole.
    fn is_over_all(self) -> bool {
        self.event.target().is_none()
    }
}

/// Adds what may not be sent.
pub(crate) fn add(sum: &mut Dropped, more: &Dropped) {
    for (reason, number) in more {
        *sum.entry(reason).or_default() += number;
    }
}

fn bytes<'a>(payloads: impl Iterator<Item = &'a Payload>) -> usize {
    payloads.map(|payload| payload.compressed().len()).sum()
}

/// What waits in the store for Datadog: entries of the spool, and observations that nobody is delivering.
fn backlog(found: &Found, committed: &[Committed]) -> Backlog {
    let bodies = || committed.iter().flat_map(|one| &one.waiting).copied();
    Backlog { depth: found.depth + bodies().count(), oldest: bodies().chain(found.oldest).min() }
}
