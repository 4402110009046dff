//! What every collector is: `connect`, `fetch` and `measure`.

use crate::{Budget, Check, Context, Env, Metric, Part, Result, Sample, Score};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

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
    /// The `workflow_category` of its rows that are not a check's: the first prefix of a name decides.
    const CATEGORIES: &'static [(&'static str, &'static str)] = &[];
    /// What it may cost its upstream.
    const BUDGET: Budget;
    /// Raised whenever an older snapshot can no longer be continued from.
    const VERSION: u32;
    /// A snapshot older than this is not continued: its upstream may have forgotten what happened since.
    const OVERLAP: SignedDuration = SignedDuration::from_hours(2);
    /// All it knows of one target at one instant; `None` means "not known".
    type Snapshot: Serialize + DeserializeOwned + Send + Sync;

    /// Reads the configuration and makes the client; asks no upstream.
    fn connect(env: &Env) -> impl Future<Output = Result<Self>> + Send;

    /// The configured targets, by the word that tags them.
    fn targets(&self) -> Vec<String>;

    /// The parts that each target is read in, as configured.
    fn parts(&self) -> Vec<Part>;

    /// The configuration and the address that the answers about a target are read with. A snapshot that was read with
    /// others is not continued.
    fn fingerprint(&self, target: &str) -> String;

    /// The snapshot of a target of which nothing could be read.
    fn unknown(&self, target: &str) -> Self::Snapshot;

    /// What of a snapshot outlives a fetch of everything and a change of configuration: answers that never change, first
    /// times, and what only helps in asking. The fetch is given it as a memory, also after a change of address: what belongs
    /// to an address has to say so.
    #[must_use]
    fn lasting(_: &Self::Snapshot) -> Option<Self::Snapshot> {
        None
    }

    /// Asks the upstream: for what changed since a snapshot that may be continued, else for everything.
    fn fetch(
        &self,
        cx: &Context,
        target: &str,
        last: Last<Self::Snapshot>,
    ) -> impl Future<Output = Result<Self::Snapshot>> + Send;

    /// Checks credentials and access to everything that `fetch` reads of a target.
    fn probe(&self, target: &str) -> impl Future<Output = Vec<Probe>> + Send;

    /// What the snapshot means. Every declared row of a target is there, without a value where it is unknown.
    fn measure(snapshot: &Self::Snapshot, now: Timestamp) -> Vec<Sample>;
}

/// What a fetch is given of earlier ones; whoever hands it over has judged it.
#[derive(Debug, Clone, PartialEq)]
pub enum Last<S> {
    /// There was no earlier fetch, or none that is of use.
    None,
    /// Everything is to be asked. What never changes, and what only helps in asking, may be taken from this one.
    Memory(S),
    /// Only what changed since this one is to be asked.
    Base(S),
}

impl<S> Last<S> {
    /// The snapshot to continue from.
    pub fn base(self) -> Option<S> {
        if let Self::Base(snapshot) = self { Some(snapshot) } else { None }
    }

    /// The snapshot to remember from, whether or not it may be continued.
    pub fn memory(self) -> Option<S> {
        match self {
            Self::None => None,
            Self::Memory(snapshot) | Self::Base(snapshot) => Some(snapshot),
        }
    }
}

/// One line of `vitals check`.
#[derive(Debug)]
pub struct Probe {
    /// What was tried.
    pub what: String,
    /// What was found, or why it failed.
    pub found: Result<String>,
    /// What to do about a failure: which token, scope or id, and where to get it.
    pub fix: String,
}

impl Probe {
    /// What was tried, what was found, and what to do about a failure.
    #[must_use]
    pub fn new(what: impl Into<String>, found: Result<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), found, fix: fix.into() }
    }
}
