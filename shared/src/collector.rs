//! What every collector is: `connect`, `fetch` and `measure`, and the circumstances of one run.

use crate::{Check, Env, Event, Metric, Result, Sample, Score};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A source of samples: one room of I/O, then a pure function.
pub trait Collector: Sized + Send + Sync {
    /// The word that names the collector everywhere.
    const NAME: &'static str;
    /// Every row it says.
    const METRICS: &'static [&'static Metric];
    /// Every check it judges.
    const CHECKS: &'static [Check] = &[];
    /// Every score it gives.
    const SCORES: &'static [Score] = &[];
    /// Raised whenever an older snapshot can no longer be continued from.
    const VERSION: u32;
    /// All it knows of one target at one instant; `None` means "not known".
    type Snapshot: Serialize + DeserializeOwned + Send + Sync;

    /// Reads the configuration and makes the client; asks no upstream.
    fn connect(env: &Env) -> impl Future<Output = Result<Self>> + Send;

    /// The configured targets, by the word that tags them.
    fn targets(&self) -> Vec<String>;

    /// The parts that each target is read in, as configured.
    fn parts(&self) -> Vec<&'static str>;

    /// The snapshot of a target of which nothing could be read.
    fn unknown(&self, target: &str) -> Self::Snapshot;

    /// Asks the upstream, for what changed since `last` where there is one.
    fn fetch(
        &self,
        cx: &Context,
        target: &str,
        last: Option<Self::Snapshot>,
    ) -> impl Future<Output = Result<Self::Snapshot>> + Send;

    /// Asks the upstream what a newcomer has to know: who we are, and whether we may see each thing that is read of a target.
    fn probe(&self, target: &str) -> impl Future<Output = Vec<Probe>> + Send;

    /// What the snapshot means. Every declared row of a target is there, without a value where it is unknown.
    fn measure(snapshot: &Self::Snapshot, now: Timestamp) -> Vec<Sample>;
}

/// One line of `vitals check`.
#[derive(Debug)]
pub struct Probe {
    /// What was tried.
    pub what: String,
    /// What was found, or why it failed.
    pub found: Result<String>,
    /// What to do about a failure: which token, scope or id, and where to get it.
    pub mend: String,
}

/// The circumstances of one target's share of a run.
#[derive(Debug)]
pub struct Context {
    event: Event,
    target: String,
    last_full: Option<Timestamp>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    gaps: BTreeMap<&'static str, String>,
    oldest: Option<Timestamp>,
    full: bool,
}

impl Context {
    /// The circumstances of this target in a run that this event started; `last_full` is the time of the newest
    /// snapshot that was fetched as a whole.
    #[must_use]
    pub fn new(event: Event, target: impl Into<String>, last_full: Option<Timestamp>) -> Self {
        Self { event, target: target.into(), last_full, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run's time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.event.now()
    }

    /// What the event says beside its time.
    #[must_use]
    pub const fn detail(&self) -> &Map<String, Value> {
        self.event.detail()
    }

    /// Unwraps a part that may fail alone: the failure is logged, and the part is a gap of this run.
    pub fn part<T>(&self, part: &'static str, result: Result<T>) -> Option<T> {
        result.inspect_err(|error| self.gap(part, error.with_causes())).ok()
    }

    /// Marks a part as unknown in this run, for the reason given.
    pub fn gap(&self, part: &'static str, why: impl Into<String>) {
        // The first reason is the one that counts: what follows from it is no news.
        if let Entry::Vacant(gap) = self.state().gaps.entry(part) {
            let why = gap.insert(why.into());
            tracing::warn!(target = %self.target, part, why, "part unknown");
        }
    }

    /// Notes that an answer from this time was used again.
    pub fn reused(&self, from: Timestamp) {
        let mut state = self.state();
        state.oldest = Some(state.oldest.map_or(from, |oldest| oldest.min(from)));
    }

    /// When the target was last fetched as a whole.
    #[must_use]
    pub const fn last_full(&self) -> Option<Timestamp> {
        self.last_full
    }

    /// Says that this fetch asked for everything, so that the next ones may continue from it.
    pub fn fetched_whole(&self) {
        self.state().full = true;
    }

    /// Whether this fetch asked for everything.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state().full
    }

    /// The parts that are unknown, with the reasons.
    #[must_use]
    pub fn gaps(&self) -> BTreeMap<&'static str, String> {
        self.state().gaps.clone()
    }

    /// The time of the oldest upstream answer that was used.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.state().oldest
    }
}
