//! Planning: tasks, projects and the queue of bugs, read from Asana.

mod checks;
mod config;
mod measure;
mod metrics;
pub mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Check, Collector, Context, Env, Metric, Probe, Result, Sample, Score};
use snapshot::Fetched;
use upstream::Upstream;

/// The collector of workspaces on Asana.
#[derive(Debug)]
pub struct Asana {
    upstream: Upstream,
}

impl Collector for Asana {
    const NAME: &'static str = "asana";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const CHECKS: &'static [Check] = checks::CHECKS;
    const SCORES: &'static [Score] = checks::SCORES;
    const VERSION: u32 = 1;
    type Snapshot = Fetched;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env)? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.config().workspaces.iter().map(|workspace| workspace.alias.clone()).collect()
    }

    fn parts(&self) -> Vec<&'static str> {
        self.upstream.config().parts()
    }

    fn unknown(&self, target: &str) -> Fetched {
        self.upstream.unknown(target)
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Option<Fetched>) -> Result<Fetched> {
        self.upstream.fetch(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.upstream.probe(target).await
    }

    fn measure(fetched: &Fetched, now: Timestamp) -> Vec<Sample> {
        measure::all(&fetched.snapshot, now)
    }
}
