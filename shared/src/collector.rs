//! What a collector implements: `connect`, `fetch`, `measure`, `probe` and its constants.

use crate::{Budget, Check, Context, Env, Metric, Part, Result, Sample, Score};
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, de::DeserializeOwned};
use std::future::Future;

/// A source of samples: `fetch` does the I/O, `measure` is a pure function of what it brought.
pub trait Collector: Sized + Send + Sync {
    /// Its name: of the crate, of the tag `collector`, on the command line.
    const NAME: &'static str;
    /// Every metric it can emit.
    const METRICS: &'static [&'static Metric];
    /// Its checks.
    const CHECKS: &'static [Check] = &[];
    /// Its scores.
    const SCORES: &'static [Score] = &[];
    /// The `workflow_category` of its metrics by the prefixes of their names; the first that fits counts. Checks have their
    /// own.
    const CATEGORIES: &'static [(&'static str, &'static str)] = &[];
    /// How many requests a run may make.
    const BUDGET: Budget;
    /// The version of the snapshot, raised when an older one can no longer be read or continued.
    const VERSION: u32;
    /// A snapshot older than this is not continued: its upstream may have forgotten what happened since.
    const OVERLAP: SignedDuration = SignedDuration::from_hours(2);
    /// What it knows of one target at one instant; `None` means "not known".
    type Snapshot: Serialize + DeserializeOwned + Send + Sync;

    /// Reads the configuration and makes the clients, without a request.
    fn connect(env: &Env) -> impl Future<Output = Result<Self>> + Send;

    /// The configured targets, by the value of their tag.
    fn targets(&self) -> Vec<String>;

    /// The parts that each target is read in, as configured.
    fn parts(&self) -> Vec<Part>;

    /// Fingerprint of the configuration and the address that a target is read with. A snapshot with another one is not
    /// continued.
    fn fingerprint(&self, target: &str) -> String;

    /// The snapshot of a target of which nothing could be read.
    fn unknown(&self, target: &str) -> Self::Snapshot;

    /// The part of a snapshot that outlives a full fetch and a change of configuration: answers that never change, times at
    /// which something was first seen, and hints. The next fetch gets it as [`Last::Memory`], even from another address, so
    /// a collector notes which address it belongs to where that matters.
    #[must_use]
    fn lasting(_: &Self::Snapshot) -> Option<Self::Snapshot> {
        None
    }

    /// Reads a target from the upstream: what changed since a snapshot that may be continued, else everything.
    fn fetch(
        &self,
        cx: &Context,
        target: &str,
        last: Last<Self::Snapshot>,
    ) -> impl Future<Output = Result<Self::Snapshot>> + Send;

    /// Checks credentials and access to everything that `fetch` reads of a target.
    fn probe(&self, target: &str) -> impl Future<Output = Vec<Probe>> + Send;

    /// The samples of a snapshot: every declared metric of the target, without a value where it is unknown.
    fn measure(snapshot: &Self::Snapshot, now: Timestamp) -> Vec<Sample>;
}

/// What a fetch may use of earlier ones. Whether a snapshot may be continued is decided before.
#[derive(Debug, Clone, PartialEq)]
pub enum Last<S> {
    /// There was no earlier fetch, or none that can be used.
    None,
    /// Read everything; answers that never change and hints may be taken from this snapshot.
    Memory(S),
    /// Read only what changed since this snapshot.
    Base(S),
}

impl<S> Last<S> {
    /// The snapshot to continue from.
    pub fn base(self) -> Option<S> {
        if let Self::Base(snapshot) = self { Some(snapshot) } else { None }
    }

    /// The snapshot with the lasting answers, whether or not it may be continued.
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
