//! Training runs, read from W&B.

mod config;
mod loose;
mod measure;
mod metrics;
mod parts;
mod scores;
mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Budget, Collector, Context, Env, Last, Metric, Part, Probe, Result, Sample, Score, prices};
pub use snapshot::Snapshot;
use std::fmt;
use upstream::Upstream;

/// The collector of projects at W&B.
pub struct WandB {
    upstream: Upstream,
}

impl fmt::Debug for WandB {
    /// No value: what it is configured with may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WandB")
    }
}

impl Collector for WandB {
    const NAME: &'static str = "wandb";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const SCORES: &'static [Score] = scores::SCORES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 2;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env, &prices::read(env).await?)? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.targets()
    }

    fn parts(&self) -> Vec<Part> {
        parts::ALL.to_vec()
    }

    fn fingerprint(&self, target: &str) -> String {
        self.upstream.fingerprint(target)
    }

    fn unknown(&self, target: &str) -> Snapshot {
        self.upstream.unknown(target)
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Snapshot>) -> Result<Snapshot> {
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
