//! What goes wrong on the way to an upstream, and the log of what was asked of it.

mod apply;
mod fault;
mod wire;

pub(crate) use apply::around;
pub use fault::Fault;
pub(crate) use wire::{Door, Wire};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Which requests a fault befalls: those that fit everything said, in the order they come.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    path: Option<String>,
    containing: Option<String>,
    method: Option<String>,
    body: Option<String>,
    skip: u64,
    times: Option<u64>,
    every: u64,
}

impl Rule {
    /// Every request, for ever.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, path: None, containing: None, method: None, body: None, skip: 0, times: None, every: 1 }
    }

    /// Whose path begins so.
    #[must_use]
    pub fn path(self, prefix: impl Into<String>) -> Self {
        Self { path: Some(prefix.into()), ..self }
    }

    /// Whose path or query contains this.
    #[must_use]
    pub fn containing(self, part: impl Into<String>) -> Self {
        Self { containing: Some(part.into()), ..self }
    }

    /// Of this method.
    #[must_use]
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Whose body, as sent, contains this.
    #[must_use]
    pub fn body(self, part: impl Into<String>) -> Self {
        Self { body: Some(part.into()), ..self }
    }

    /// Not the first so many of them.
    #[must_use]
    pub fn skip(self, requests: u64) -> Self {
        Self { skip: requests, ..self }
    }

    /// So many of them and no more.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Each so-manieth of them, the first included.
    #[must_use]
    pub fn every(self, count: u64) -> Self {
        Self { every: count.max(1), ..self }
    }

    fn fits(&self, asked: &Asked<'_>) -> bool {
        let has = |part: &String| asked.body.windows(part.len().max(1)).any(|window| window == part.as_bytes());
        self.path.as_ref().is_none_or(|prefix| asked.path.starts_with(prefix))
            && self.containing.as_ref().is_none_or(|part| asked.path.contains(part))
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(asked.method))
            && self.body.as_ref().is_none_or(has)
    }
}

/// A request as a rule sees it.
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a [u8],
}

#[derive(Debug)]
struct Armed {
    rule: Rule,
    fitted: u64,
    struck: u64,
}

impl Armed {
    fn strikes(&mut self, asked: &Asked<'_>) -> bool {
        if !self.rule.fits(asked) {
            return false;
        }
        let number = self.fitted;
        self.fitted += 1;
        let due = number.checked_sub(self.rule.skip).is_some_and(|number| number % self.rule.every == 0);
        let strikes = due && self.rule.times.is_none_or(|times| self.struck < times);
        self.struck += u64::from(strikes);
        strikes
    }
}

#[derive(Debug, Default)]
struct Upstream {
    rules: Vec<Armed>,
    latency: Duration,
    log: Vec<(String, String)>,
}

/// The faults and the logs of every upstream; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Mutex<HashMap<String, Upstream>>>);

impl Faults {
    /// From now on, this goes wrong with this upstream. Of several rules that fit, all apply in the order they came,
    /// up to the first that leaves nothing of the answer.
    pub fn inject(&self, upstream: &str, rule: Rule) {
        self.of(upstream, |upstream| upstream.rules.push(Armed { rule, fitted: 0, struck: 0 }));
    }

    /// Every answer of this upstream takes at least so long, whatever else goes wrong.
    pub fn base_latency(&self, upstream: &str, latency: Duration) {
        self.of(upstream, |upstream| upstream.latency = latency);
    }

    /// Nothing goes wrong any more; base latencies and logs stay.
    pub fn clear(&self) {
        self.lock().values_mut().for_each(|upstream| upstream.rules.clear());
    }

    /// What this upstream was asked since the log was last cleared: method, path and query, those included that it
    /// never saw because of a fault.
    #[must_use]
    pub fn requests(&self, upstream: &str) -> Vec<(String, String)> {
        self.lock().get(upstream).map(|upstream| upstream.log.clone()).unwrap_or_default()
    }

    /// How often this upstream was asked for each path, queries left aside.
    #[must_use]
    pub fn counts(&self, upstream: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for (_, path) in self.requests(upstream) {
            let path = path.split_once('?').map_or(path.as_str(), |(path, _)| path);
            *counts.entry(path.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Empties the logs of all upstreams.
    pub fn forget_requests(&self) {
        self.lock().values_mut().for_each(|upstream| upstream.log.clear());
    }

    /// How often each rule of this upstream struck, in the order they came.
    #[must_use]
    pub fn strikes(&self, upstream: &str) -> Vec<u64> {
        self.lock()
            .get(upstream)
            .map(|upstream| upstream.rules.iter().map(|armed| armed.struck).collect())
            .unwrap_or_default()
    }

    fn wants_bodies(&self, upstream: &str) -> bool {
        let all = self.lock();
        all.get(upstream).is_some_and(|upstream| upstream.rules.iter().any(|armed| armed.rule.body.is_some()))
    }

    /// Writes a request down and says what befalls it.
    fn judge(&self, upstream: &str, asked: &Asked<'_>) -> (Duration, Vec<Fault>) {
        self.of(upstream, |upstream| {
            upstream.log.push((asked.method.to_owned(), asked.path.to_owned()));
            let mut faults = Vec::new();
            for armed in &mut upstream.rules {
                if armed.strikes(asked) {
                    faults.push(armed.rule.fault.clone());
                    if !matches!(armed.rule.fault, Fault::Latency(_) | Fault::Rewrite(_)) {
                        break;
                    }
                }
            }
            (upstream.latency, faults)
        })
    }

    fn of<T>(&self, upstream: &str, work: impl FnOnce(&mut Upstream) -> T) -> T {
        work(self.lock().entry(upstream.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Upstream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
