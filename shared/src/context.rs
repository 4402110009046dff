//! The circumstances of one target's share of a run, and what became of its parts.

use crate::{Event, Part, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The circumstances of one target's share of a run.
#[derive(Debug)]
pub struct Context {
    event: Event,
    target: String,
    findings: Mutex<Findings>,
}

/// What became of the parts of a target.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// The parts that failed, with the reasons.
    pub gaps: BTreeMap<&'static str, String>,
    /// How many answers the parts that are still filling wait for.
    pub pending: BTreeMap<&'static str, u64>,
    /// How many records of a part cannot be interpreted.
    pub unread: BTreeMap<&'static str, u64>,
    /// The time of the oldest answer that is used beyond the time it may be kept.
    pub oldest: Option<Timestamp>,
    /// Whether everything was read, although there was a snapshot to continue.
    pub asked_all: bool,
}

impl Findings {
    /// Whether a part is neither failed nor filling.
    pub(crate) fn is_whole(&self, part: Part) -> bool {
        !self.gaps.contains_key(part.name()) && self.pending.get(part.name()).is_none_or(|missing| *missing == 0)
    }
}

impl Context {
    /// The circumstances of this target in a run that this event started.
    #[must_use]
    pub fn new(event: Event, target: impl Into<String>) -> Self {
        Self { event, target: target.into(), findings: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Findings> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run's time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.event.now()
    }

    /// The event's detail.
    #[must_use]
    pub const fn detail(&self) -> &Map<String, Value> {
        self.event.detail()
    }

    /// Unwraps a part that may fail alone: the failure is logged, and the part is a gap of this run.
    pub fn part<T>(&self, part: Part, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.gap(part, error.with_causes())).ok()
    }

    /// Records why a part is unknown; the first reason wins.
    pub fn gap(&self, part: Part, why: impl Into<String>) {
        if let Entry::Vacant(gap) = self.lock().gaps.entry(part.name()) {
            let why = gap.insert(why.into());
            tracing::warn!(target = %self.target, part = part.name(), why, "part unknown");
        }
    }

    /// Records how many answers a part still waits for; the next runs ask for them.
    pub fn pending(&self, part: Part, missing: usize) {
        debug_assert!(part.fills(), "{} is not declared to fill", part.name());
        *self.lock().pending.entry(part.name()).or_default() += missing as u64;
    }

    /// Records how many records of a part cannot be interpreted; sums leave them out.
    pub fn unread(&self, part: Part, records: usize) {
        debug_assert!(part.holds_records(), "{} is not declared to hold records", part.name());
        *self.lock().unread.entry(part.name()).or_default() += records as u64;
    }

    /// Takes over the findings of another fetch of this target, whose snapshot is used instead.
    pub(crate) fn adopt(&self, findings: Findings) {
        let mut found = self.lock();
        found.gaps.extend(findings.gaps);
        (found.pending, found.unread, found.oldest) = (findings.pending, findings.unread, findings.oldest);
    }

    /// Adds what a full fetch beside the current snapshot still waits for.
    pub(crate) fn still_pending(&self, missing: &BTreeMap<&'static str, u64>) {
        let mut found = self.lock();
        for (part, missing) in missing {
            *found.pending.entry(part).or_default() += missing;
        }
    }

    /// Records that an answer from this time was reused; one that is older than it `lasts` makes the data old.
    pub fn reused(&self, from: Timestamp, lasts: SignedDuration) {
        if self.now().duration_since(from) > lasts {
            let mut found = self.lock();
            found.oldest = Some(found.oldest.map_or(from, |oldest| oldest.min(from)));
        }
    }

    /// Records that everything was read, although there was a snapshot to continue.
    pub fn asked_all(&self) {
        self.lock().asked_all = true;
    }

    /// What became of the parts so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        self.lock().clone()
    }
}
