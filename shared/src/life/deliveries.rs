//! What became of a run's payloads; each failure is counted once.

use super::commit::Body;
use crate::Result;
use crate::datadog::{Delivery, NotAccepted, PUSH_ERRORS, Payload};
use std::collections::BTreeMap;

/// How often observations are sent without an answer: they may have been accepted each time.
const UNANSWERED: u8 = 2;

/// What became of a run's payloads.
#[derive(Debug, Default)]
pub struct Deliveries {
    /// Series that Datadog accepted.
    pub accepted: usize,
    /// Series that it rejected while it accepted others.
    pub rejected: usize,
    /// Payloads that wait in the store for a later run.
    pub spooled: usize,
    /// Payloads that are neither delivered nor stored.
    pub lost: usize,
    /// Series of earlier runs that were delivered.
    pub recovered: usize,
    /// Payloads of earlier runs that were given up for their age.
    pub expired: usize,
    /// Failed submissions by kind: of what was delivered or given up now, and of what no later run will deliver.
    pub errors: BTreeMap<&'static str, u64>,
    /// Why nothing is accepted until a person has done something.
    pub refused: Option<String>,
    /// The kind of failure after which nothing more was tried.
    pub(crate) unavailable: Option<&'static str>,
}

/// What is left of a body of observations.
#[derive(Debug)]
pub(crate) enum Left {
    /// It was accepted, or it is of no use to keep it.
    Nothing,
    /// This much waits for the next run.
    Waits { body: String, kind: &'static str, unanswered: u8 },
}

impl Deliveries {
    /// The result for points that no run would deliver later.
    pub(crate) fn without_spool(delivery: Delivery) -> Self {
        let mut all = Self::default();
        all.lost = all.take(delivery, false).len();
        all
    }

    /// Adds a delivery, and returns the payloads that were not delivered.
    pub(crate) fn take(&mut self, delivery: Delivery, is_earlier: bool) -> Vec<(Payload, &'static str)> {
        *(if is_earlier { &mut self.recovered } else { &mut self.accepted }) += delivery.accepted;
        self.rejected += delivery.rejected;
        for (kind, number) in delivery.errors {
            *self.errors.entry(kind).or_default() += number;
        }
        self.refused = self.refused.take().or(delivery.refused);
        self.unavailable = self.unavailable.or(delivery.undelivered.first().map(|(_, kind)| *kind));
        delivery.undelivered
    }

    /// Whether Datadog accepted something of this run: then what it refuses is wrong in itself.
    pub(crate) const fn is_open(&self) -> bool {
        self.accepted + self.recovered > 0
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.recovered += other.recovered;
        for (kind, number) in other.errors {
            *self.errors.entry(kind).or_default() += number;
        }
        self.refused = self.refused.take().or(other.refused);
        self.unavailable = self.unavailable.or(other.unavailable);
    }

    /// What is left of a body after this result.
    pub(crate) fn observed(&mut self, body: &Body, sent: &std::result::Result<(), NotAccepted>) -> Left {
        let Err(NotAccepted::Unavailable { kind, refused, is_answered }) = sent else {
            *(if body.is_own { &mut self.accepted } else { &mut self.recovered }) += body.payload.len();
            self.count(body.failed.as_deref());
            return Left::Nothing;
        };
        self.unavailable = self.unavailable.or(Some(*kind));
        self.refused = self.refused.take().or_else(|| refused.clone());
        let unanswered = body.unanswered + u8::from(!is_answered);
        if unanswered >= UNANSWERED {
            tracing::error!(
                series = body.payload.len(),
                "observations got no answer twice and are dropped: they may have been accepted"
            );
            self.expired += 1;
            self.count(Some(kind));
            return Left::Nothing;
        }
        self.spooled += 1;
        Left::Waits { body: body.payload.text(), kind, unanswered }
    }

    /// Records what became of an entry of the spool.
    pub(crate) fn record(&mut self, result: Result<Option<String>>) {
        match result {
            Ok(kind) => self.count(kind.as_deref()),
            Err(error) => tracing::warn!(error = error.with_causes(), "an entry of the spool could not be delivered"),
        }
    }

    /// Counts a failure that no later run will count.
    pub(crate) fn count(&mut self, kind: Option<&str>) {
        if let Some(kind) = PUSH_ERRORS.into_iter().find(|known| Some(*known) == kind) {
            *self.errors.entry(kind).or_default() += 1;
        }
    }
}
