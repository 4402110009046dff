//! Training runs, read from W&B.

mod address;
mod config;
mod loose;
mod measure;
mod metrics;
mod parts;
mod scores;
mod snapshot;
mod upstream;

use config::Config;
use jiff::Timestamp;
use shared::{Budget, Collector, Context, Digester, Env, Last, Metric, Part, Probe, Result, Sample, Score, prices};
use snapshot::Refused;
pub use snapshot::Snapshot;
use std::fmt;
use upstream::Client;

/// The collector of projects at W&B.
pub struct WandB {
    config: Config,
    clients: Vec<Client>,
    digester: Digester,
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
    const CATEGORIES: &'static [(&'static str, &'static str)] = metrics::CATEGORIES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 3;
    type Snapshot = Snapshot;

    async fn connect(env: &Env) -> Result<Self> {
        let config = Config::read(env, &prices::read(env).await?)?;
        let clients = config.targets.iter().map(|target| Client::new(env, &config, target.clone()));
        Ok(Self { clients: clients.collect::<Result<_>>()?, config, digester: env.digester() })
    }

    fn targets(&self) -> Vec<String> {
        self.config.targets.iter().map(|target| target.alias.clone()).collect()
    }

    fn parts(&self) -> Vec<Part> {
        parts::ALL.to_vec()
    }

    fn fingerprint(&self, target: &str) -> String {
        let place = self.config.targets.iter().find(|one| one.alias == target).map(|one| (&one.entity, &one.project));
        let Config { url, rules, paths, nodes, types, .. } = &self.config;
        format!("{url} {place:?} {:?} {paths:?} {nodes:?} {types:?}", rules.keys)
    }

    fn unknown(&self, target: &str) -> Snapshot {
        Snapshot {
            project: target.to_owned(),
            rules: self.config.rules.clone(),
            at: Timestamp::UNIX_EPOCH,
            counts: None,
            runs: None,
            best: None,
            summaries: None,
            refused: Refused::default(),
        }
    }

    fn lasting(snapshot: &Snapshot) -> Option<Snapshot> {
        let nothing = Snapshot { counts: None, runs: None, best: None, summaries: None, ..snapshot.clone() };
        Some(nothing).filter(|nothing| !nothing.refused.forms.is_empty())
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        // The state of a fetch is too large for a stack.
        Box::pin(self.fetch_project(cx, target, last)).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.probe_project(target).await
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        measure::all(snapshot, now)
    }
}
