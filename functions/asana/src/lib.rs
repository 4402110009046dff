//! Planning: tasks, projects and the queue of bugs, read from Asana.

mod checks;
mod config;
mod measure;
mod metrics;
mod parts;
pub mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Budget, Check, Collector, Context, Env, Last, Metric, Part, Probe, Result, Sample, Score};
use snapshot::Fetched;
use std::fmt;
use upstream::Upstream;

/// The collector of workspaces on Asana.
pub struct Asana {
    upstream: Upstream,
}

impl fmt::Debug for Asana {
    /// No value: what it is configured with may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Asana")
    }
}

impl Collector for Asana {
    const NAME: &'static str = "asana";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const CHECKS: &'static [Check] = checks::CHECKS;
    const SCORES: &'static [Score] = checks::SCORES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 2;
    type Snapshot = Fetched;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env)? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.config().workspaces.iter().map(|workspace| workspace.alias.clone()).collect()
    }

    fn parts(&self) -> Vec<Part> {
        parts::configured(self.upstream.config())
    }

    fn fingerprint(&self, target: &str) -> String {
        self.upstream.fingerprint(target)
    }

    fn unknown(&self, target: &str) -> Fetched {
        self.upstream.unknown(target)
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Fetched>) -> Result<Fetched> {
        self.upstream.fetch(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.upstream.probe(target).await
    }

    fn measure(fetched: &Fetched, now: Timestamp) -> Vec<Sample> {
        measure::all(&fetched.snapshot, now)
    }
}
