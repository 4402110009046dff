//! What the calls of a run come to, and how long the run may go on making them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Shared by all clients of a process; a run reads and empties it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    run: u64,
    upstreams: BTreeSet<&'static str>,
    deadline: Option<Instant>,
    tally: Tally,
}

/// What was counted since the last reading.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// HTTP requests by upstream, retries included.
    pub calls: BTreeMap<&'static str, u64>,
    /// Final failures by upstream and kind.
    pub errors: BTreeMap<(&'static str, &'static str), u64>,
    /// What the upstream last said is left of our quota.
    pub budget: BTreeMap<&'static str, f64>,
    /// The list price of paid calls in US dollars.
    pub cost: BTreeMap<&'static str, f64>,
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an upstream known, so that its rows are sent from the first run on.
    pub fn register(&self, upstream: &'static str) {
        self.lock().upstreams.insert(upstream);
    }

    /// Every upstream that a client was made for.
    #[must_use]
    pub fn upstreams(&self) -> BTreeSet<&'static str> {
        self.lock().upstreams.clone()
    }

    /// Counts a request.
    pub fn called(&self, upstream: &'static str) {
        *self.lock().tally.calls.entry(upstream).or_default() += 1;
    }

    /// Counts a final failure.
    pub fn failed(&self, upstream: &'static str, kind: &'static str) {
        *self.lock().tally.errors.entry((upstream, kind)).or_default() += 1;
    }

    /// Notes what is left of a quota.
    pub fn budget(&self, upstream: &'static str, left: f64) {
        self.lock().tally.budget.insert(upstream, left);
    }

    /// What is left of a quota, by the last answer of this run that said so.
    #[must_use]
    pub fn budget_left(&self, upstream: &'static str) -> Option<f64> {
        self.lock().tally.budget.get(upstream).copied()
    }

    /// Adds what a paid call costs.
    pub fn spent(&self, upstream: &'static str, dollars: f64) {
        *self.lock().tally.cost.entry(upstream).or_default() += dollars;
    }

    /// What was counted since the last reading; counting starts again.
    #[must_use]
    pub fn take(&self) -> Tally {
        std::mem::take(&mut self.lock().tally)
    }

    /// The calls made since the last reading.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.lock().tally.calls.values().sum()
    }

    /// Begins a run: counting starts again, and so do the connections.
    pub fn begin(&self, deadline: Instant) {
        let mut inner = self.lock();
        inner.run += 1;
        inner.tally = Tally::default();
        inner.deadline = Some(deadline);
    }

    /// The number of this run within the process.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.lock().run
    }

    /// Sets the moment after which no call may be under way.
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.lock().deadline = deadline;
    }

    /// How long a call may take now, at most `limit`; nothing when the time is over.
    #[must_use]
    pub fn time_left(&self, limit: Duration) -> Option<Duration> {
        match self.lock().deadline {
            None => Some(limit),
            Some(deadline) => deadline
                .checked_duration_since(Instant::now())
                .filter(|left| !left.is_zero())
                .map(|left| left.min(limit)),
        }
    }
}
