//! The circumstances of one run: what it was started by, what it works with, and how its time is divided.

use super::schedule::Schedule;
use crate::datadog::{Base, Dropped, LIMITS, Payload, admit, encode};
use crate::{Deadlines, Event, Meter, Result, Sample, Store};
use jiff::{SignedDuration, Timestamp};

/// What everything that a run does after its fetches needs to know of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub base: &'a Base,
    pub event: &'a Event,
    pub store: &'a Store,
    pub meter: &'a Meter,
    pub deadlines: &'a Deadlines,
    pub schedule: Schedule,
    /// What the clock says when observations are committed and points are sent: Datadog judges their age by it.
    pub wall: Timestamp,
    /// Whether this very run was made before.
    pub is_repetition: bool,
}

impl Run<'_> {
    /// The time of its points.
    pub(crate) const fn now(&self) -> Timestamp {
        self.event.now()
    }

    /// When it is over for certain: what it holds in the store is free for others then.
    pub(crate) fn lease(&self) -> Timestamp {
        let whole = SignedDuration::try_from(self.schedule.whole);
        self.event.wall() + whole.unwrap_or(SignedDuration::from_mins(15))
    }

    /// Whether it speaks for the collector as a whole.
    pub(crate) fn is_over_all(&self) -> bool {
        self.event.target().is_none()
    }

    /// What of these samples may be sent, and what may not.
    pub(crate) fn admit(&self, samples: Vec<Sample>) -> (Vec<Sample>, Dropped) {
        admit(samples, self.base, self.now(), self.wall)
    }

    /// The bodies of samples.
    pub(crate) fn encode(&self, samples: &[Sample]) -> Result<Vec<Payload>> {
        encode(samples, self.base, self.now(), LIMITS)
    }
}
