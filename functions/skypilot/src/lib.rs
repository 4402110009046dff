//! Managed jobs, their GPUs and clusters, read from SkyPilot's API servers.

mod config;
mod measure;
mod metrics;
mod parts;
pub mod snapshot;
mod upstream;

use jiff::Timestamp;
use shared::{Budget, Collector, Context, Env, Last, Metric, Part, Probe, Result, Sample};
use snapshot::Snapshot;
use std::fmt;
use upstream::Upstream;

/// The collector of SkyPilot's API servers.
pub struct SkyPilot {
    upstream: Upstream,
}

impl fmt::Debug for SkyPilot {
    /// No value: what it is configured with may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SkyPilot")
    }
}

impl Collector for SkyPilot {
    const NAME: &'static str = "skypilot";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 2;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { upstream: Upstream::new(env).await? })
    }

    fn targets(&self) -> Vec<String> {
        self.upstream.servers()
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

    fn lasting(snapshot: &Snapshot) -> Option<Snapshot> {
        snapshot.lasting()
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        self.upstream.fetch(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.upstream.probe(target).await
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        measure::all(snapshot, now)
    }
}
