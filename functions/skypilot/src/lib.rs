//! Managed jobs, their GPUs and clusters, read from SkyPilot's API servers.

mod config;
mod measure;
mod metrics;
pub mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Collector, Context, Env, Metric, Probe, Result, Sample};
use snapshot::Snapshot;
use upstream::Upstream;

/// The collector of SkyPilot's API servers.
#[derive(Debug)]
pub struct SkyPilot {
    upstream: Upstream,
}

impl Collector for SkyPilot {
    const NAME: &'static str = "skypilot";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const VERSION: u32 = 1;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env).await? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.servers()
    }

    fn parts(&self) -> Vec<&'static str> {
        upstream::PARTS.to_vec()
    }

    fn unknown(&self, target: &str) -> Snapshot {
        self.upstream.unknown(target)
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Option<Snapshot>) -> Result<Snapshot> {
        self.upstream.fetch(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.upstream.probe(target).await
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        measure::all(snapshot, now)
    }
}
