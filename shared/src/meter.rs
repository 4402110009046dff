//! Counts the calls of a run: how many, how many failed, what is left of quotas, what they cost.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

tokio::task_local! {
    /// The target that this task asks for at the moment, so that a quota is reported for the target whose answer named it.
    static TARGET: String;
}

/// Counts calls for all clients of a process; a run reads and resets it.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    run: u64,
    upstreams: BTreeSet<&'static str>,
    left: BTreeMap<&'static str, f64>,
    tally: Tally,
}

/// What was counted since the last reading.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// HTTP requests by upstream, retries included.
    pub calls: BTreeMap<&'static str, u64>,
    /// Final failures by upstream and kind.
    pub errors: BTreeMap<(&'static str, &'static str), u64>,
    /// What is left of a quota in percent of its limit, by the last answer about this target and upstream that said both.
    pub quotas: BTreeMap<(String, &'static str), f64>,
    /// The list price of paid calls in US dollars.
    pub cost: BTreeMap<&'static str, f64>,
}

impl Meter {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an upstream, so that its rows are sent from the first run on.
    pub(crate) fn register(&self, upstream: &'static str) {
        self.lock().upstreams.insert(upstream);
    }

    /// Every upstream that a client was made for.
    pub(crate) fn upstreams(&self) -> BTreeSet<&'static str> {
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

    /// Runs work for a target: quotas in its answers are reported under its name.
    pub async fn asking_for<T>(&self, target: &str, work: impl Future<Output = T>) -> T {
        TARGET.scope(target.to_owned(), work).await
    }

    /// Records what is left of a quota, and of how much; without a limit there is no percentage.
    pub fn quota(&self, upstream: &'static str, left: f64, limit: f64) {
        let target = TARGET.try_with(Clone::clone).unwrap_or_default();
        if limit > 0.0 && left >= 0.0 {
            self.lock().tally.quotas.insert((target, upstream), 100.0 * left / limit);
        }
        self.lock().left.insert(upstream, left);
    }

    /// What is left of a quota, by the last answer of this run that named it.
    #[must_use]
    pub fn quota_left(&self, upstream: &'static str) -> Option<f64> {
        self.lock().left.get(upstream).copied()
    }

    /// What is left of the quotas, in percent of their limits, by target and upstream.
    #[must_use]
    pub fn quotas(&self) -> BTreeMap<(String, &'static str), f64> {
        self.lock().tally.quotas.clone()
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

    /// Begins a run: connections start again, and so does counting unless it is the first.
    pub fn begin(&self) {
        let mut inner = self.lock();
        // Calls before the first run, for secrets and documents, count for it.
        if inner.run > 0 {
            inner.tally = Tally::default();
        }
        inner.run += 1;
        inner.left.clear();
    }

    /// The number of this run within the process.
    #[must_use]
    pub fn run(&self) -> u64 {
        self.lock().run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_before_the_first_run_is_told_by_it_and_by_no_other() {
        let meter = Meter::default();
        for (before, calls) in [(2, 3), (0, 1), (2, 1)] {
            (0..before).for_each(|_| meter.called("secrets"));
            meter.begin();
            meter.called("secrets");
            assert_eq!(meter.take().calls["secrets"], calls);
        }
    }
}
