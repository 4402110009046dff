//! Training runs, read from W&B.

mod config;
mod loose;
mod measure;
mod metrics;
mod scores;
mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Collector, Context, Env, Metric, Probe, Result, Sample, Score, prices};
pub use snapshot::Snapshot;
use upstream::Upstream;

/// The collector of projects at W&B.
#[derive(Debug)]
pub struct WandB {
    upstream: Upstream,
}

impl Collector for WandB {
    const NAME: &'static str = "wandb";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const SCORES: &'static [Score] = scores::SCORES;
    const VERSION: u32 = 1;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env, &prices::read(env).await?)? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.targets()
    }

    fn parts(&self) -> Vec<&'static str> {
        vec!["counts", "recent", "best", "summaries", "gpus"]
    }

    fn unknown(&self, target: &str) -> Snapshot {
        self.upstream.unknown(target)
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Option<Snapshot>) -> Result<Snapshot> {
        // The state of a fetch is too large for a stack.
        Box::pin(self.upstream.fetch(cx, target, last)).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.upstream.probe(target).await
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        measure::all(snapshot, now)
    }
}
