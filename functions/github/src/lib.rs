//! Code review, CI, hygiene and the bug queue, read from GitHub.

mod checks;
mod config;
mod kept;
mod measure;
mod metrics;
mod parts;
pub mod snapshot;
mod titles;
mod upstream;

pub use kept::{Fetched, Kept};

use jiff::Timestamp;
use shared::{Budget, Check, Collector, Context, Env, Last, Metric, Part, Probe, Result, Sample, Score};
use upstream::Upstream;

/// The collector of repositories on GitHub.
#[derive(Debug)]
pub struct GitHub {
    upstream: Upstream,
}

impl Collector for GitHub {
    const NAME: &'static str = "github";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const CHECKS: &'static [Check] = checks::CHECKS;
    const SCORES: &'static [Score] = checks::SCORES;
    const CATEGORIES: &'static [(&'static str, &'static str)] = metrics::CATEGORIES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 2;
    type Snapshot = Fetched;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env)? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.config().repos.clone()
    }

    fn parts(&self) -> Vec<Part> {
        parts::configured(self.upstream.config())
    }

    fn fingerprint(&self, _: &str) -> String {
        self.upstream.config().fingerprint()
    }

    fn unknown(&self, target: &str) -> Fetched {
        self.upstream.unknown(target)
    }

    fn lasting(fetched: &Fetched) -> Option<Fetched> {
        Some(fetched.lasting())
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
