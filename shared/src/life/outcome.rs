//! What became of a run's payloads, each failure told once.

use super::commit::Body;
use crate::Result;
use crate::datadog::{Delivery, PUSH_ERRORS, Payload, Unobserved};
use std::collections::BTreeMap;

/// How often observations are sent without an answer: each time they may have been taken.
const UNANSWERED: u8 = 2;

/// What became of a run's payloads.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Series that Datadog accepted.
    pub accepted: usize,
    /// Series that it refuses for what they are.
    pub rejected: usize,
    /// Payloads that wait in the store for a later run.
    pub spooled: usize,
    /// Payloads that are neither delivered nor kept.
    pub lost: usize,
    /// Series of earlier runs that were delivered.
    pub recovered: usize,
    /// Payloads of earlier runs that were given up for their age.
    pub expired: usize,
    /// Failed submissions by kind: of what was delivered or given up now, and of what is kept for no later run.
    pub errors: BTreeMap<&'static str, u64>,
    /// Why no run will get through before a person has done something.
    pub refused: Option<String>,
    /// The kind of failure after which nothing more was tried.
    pub(crate) closed: Option<&'static str>,
}

/// What is left of a body of observations.
#[derive(Debug)]
pub(crate) enum Left {
    /// It was taken, or there is no use in keeping it.
    Nothing,
    /// This much waits for the next run.
    Waits { body: String, kind: &'static str, unanswered: u8 },
}

impl Outcome {
    /// What became of points that no run would deliver later.
    pub(crate) fn without_spool(delivery: Delivery) -> Self {
        let mut outcome = Self::default();
        outcome.lost = outcome.take(delivery, false).len();
        outcome
    }

    /// Adds what became of payloads, and gives back those that were not delivered.
    pub(crate) fn take(&mut self, delivery: Delivery, is_earlier: bool) -> Vec<(Payload, &'static str)> {
        *(if is_earlier { &mut self.recovered } else { &mut self.accepted }) += delivery.accepted;
        self.rejected += delivery.rejected;
        for (kind, number) in delivery.errors {
            *self.errors.entry(kind).or_default() += number;
        }
        self.refused = self.refused.take().or(delivery.refused);
        self.closed = self.closed.or(delivery.undelivered.first().map(|(_, kind)| *kind));
        delivery.undelivered
    }

    /// Whether Datadog took something of this run: then what it refuses is wrong in itself.
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
        self.closed = self.closed.or(other.closed);
    }

    /// What is left of a body after it was sent so.
    pub(crate) fn observed(&mut self, body: &Body, sent: &std::result::Result<(), Unobserved>) -> Left {
        let Err(Unobserved::Closed { kind, refused, is_answered }) = sent else {
            *(if body.is_own { &mut self.accepted } else { &mut self.recovered }) += body.payload.len();
            self.count(body.failed.as_deref());
            return Left::Nothing;
        };
        self.closed = self.closed.or(Some(*kind));
        self.refused = self.refused.take().or_else(|| refused.clone());
        let unanswered = body.unanswered + u8::from(!is_answered);
        if unanswered >= UNANSWERED {
            tracing::error!(
                series = body.payload.len(),
                "observations got no answer twice and are given up: they may be there"
            );
            self.expired += 1;
            self.count(Some(kind));
            return Left::Nothing;
        }
        self.spooled += 1;
        Left::Waits { body: body.payload.text(), kind, unanswered }
    }

    /// Notes what became of an entry of the spool.
    pub(crate) fn note(&mut self, result: Result<Option<String>>) {
        match result {
            Ok(kind) => self.count(kind.as_deref()),
            Err(error) => tracing::warn!(error = error.with_causes(), "an entry of the spool stays as it is"),
        }
    }

    /// Counts a failure of a payload that is told of now and by no later run.
    pub(crate) fn count(&mut self, kind: Option<&str>) {
        if let Some(kind) = PUSH_ERRORS.into_iter().find(|known| Some(*known) == kind) {
            *self.errors.entry(kind).or_default() += 1;
        }
    }
}
