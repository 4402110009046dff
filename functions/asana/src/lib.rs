//! Planning: tasks, projects and the queue of bugs, read from Asana.

mod checks;
mod config;
mod measure;
mod metrics;
mod parts;
pub mod snapshot;
mod upstream;

use config::Config;
use jiff::Timestamp;
use shared::{Budget, Check, Collector, Context, Digester, Env, Last, Metric, Part, Probe, Result, Sample, Score};
use snapshot::{Fetched, Kept, Snapshot};
use std::fmt;
use std::sync::atomic::AtomicBool;
use upstream::Client;

/// The collector of workspaces on Asana.
pub struct Asana {
    config: Config,
    /// One for each workspace, in their order.
    clients: Vec<Client>,
    digester: Digester,
    /// Whether the log says already that searching is refused.
    is_refusal_logged: AtomicBool,
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
    const CATEGORIES: &'static [(&'static str, &'static str)] = metrics::CATEGORIES;
    const BUDGET: Budget = metrics::BUDGET;
    const VERSION: u32 = 3;
    type Snapshot = Fetched;

    async fn connect(env: &Env) -> Result<Self> {
        let config = Config::read(env)?;
        let clients = upstream::clients(env, &config)?;
        Ok(Self { config, clients, digester: env.digester(), is_refusal_logged: AtomicBool::new(false) })
    }

    fn targets(&self) -> Vec<String> {
        self.config.workspaces.iter().map(|workspace| workspace.alias.clone()).collect()
    }

    fn parts(&self) -> Vec<Part> {
        parts::configured(&self.config)
    }

    fn fingerprint(&self, target: &str) -> String {
        self.config.fingerprint(target)
    }

    fn unknown(&self, target: &str) -> Fetched {
        // Where there are several workspaces, nobody has said yet in which of them a project of bugs is.
        let bugs = if self.config.workspaces.len() == 1 { self.config.bugs.as_slice() } else { &[] };
        let snapshot = Snapshot {
            workspace: target.to_owned(),
            rules: self.config.rules.clone(),
            projects: None,
            tasks: None,
            bugs: bugs.iter().map(|project| (project.alias.clone(), None)).collect(),
        };
        Fetched { snapshot, kept: Kept::default() }
    }

    async fn fetch(&self, cx: &Context, target: &str, last: Last<Fetched>) -> Result<Fetched> {
        self.fetch_workspace(cx, target, last).await
    }

    async fn probe(&self, target: &str) -> Vec<Probe> {
        self.probe_workspace(target).await
    }

    fn measure(fetched: &Fetched, now: Timestamp) -> Vec<Sample> {
        measure::all(&fetched.snapshot, now)
    }
}
