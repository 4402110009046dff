//! Managed jobs, their GPUs and clusters, read from SkyPilot's API servers.

mod config;
mod measure;
mod metrics;
mod parts;
pub mod snapshot;
mod upstream;

use config::{Config, Server};
use jiff::Timestamp;
use shared::{Budget, Collector, Context, Digester, Env, Last, Metric, Part, Probe, Result, Sample, digest};
use snapshot::{Queue, Snapshot};
use std::collections::BTreeMap;
use std::fmt;
use upstream::Client;

/// The collector of SkyPilot's API servers.
pub struct SkyPilot {
    config: Config,
    /// By the aliases of the servers.
    clients: BTreeMap<String, Client>,
    digester: Digester,
}

impl fmt::Debug for SkyPilot {
    /// No value: what it is configured with may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SkyPilot")
    }
}

impl SkyPilot {
    fn url(&self, target: &str) -> &str {
        let server = self.config.servers.iter().find(|server| server.alias == target);
        server.map_or("", |server| server.url.as_str())
    }
}

impl Collector for SkyPilot {
    const NAME: &'static str = "skypilot";
    const METRICS: &'static [&'static Metric] = metrics::METRICS;
    const CATEGORIES: &'static [(&'static str, &'static str)] = metrics::CATEGORIES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 3;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        let config = Config::read(env).await?;
        let client = |server: &Server| Ok((server.alias.clone(), Client::new(env, server)?));
        let clients = config.servers.iter().map(client).collect::<Result<_>>()?;
        Ok(Self { config, clients, digester: env.digester() })
    }

    fn targets(&self) -> Vec<String> {
        self.config.servers.iter().map(|server| server.alias.clone()).collect()
    }

    fn parts(&self) -> Vec<Part> {
        parts::ALL.to_vec()
    }

    fn fingerprint(&self, target: &str) -> String {
        format!("{} {}", self.url(target), self.config.history_days)
    }

    fn unknown(&self, target: &str) -> Snapshot {
        Snapshot {
            server: target.to_owned(),
            rules: self.config.rules.clone(),
            source: digest(self.url(target)),
            queue: Queue::default(),
            clusters: None,
        }
    }

    fn lasting(snapshot: &Snapshot) -> Option<Snapshot> {
        Some(snapshot.lasting())
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        self.fetch_server(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.probe_server(target).await
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        measure::all(snapshot, now)
    }
}
