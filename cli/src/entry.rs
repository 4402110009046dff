//! Every collector as the commands see it: by its name, without its type.

use clap::builder::PossibleValuesParser;
use futures::future::BoxFuture;
use jiff::Timestamp;
use shared::{Check, Collector, Env, Error, Event, Life, Metric, Probe, Report, Result, Store, snapshots};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

/// A collector, with its type erased.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its metrics.
    pub metrics: &'static [&'static Metric],
    /// Its checks.
    pub checks: &'static [Check],
    /// Runs it once.
    pub run: for<'a> fn(&'a Env, &'a Event, Run) -> BoxFuture<'a, Result<Report>>,
    /// Connects, and checks credentials and access.
    pub probe: for<'a> fn(&'a Env, Option<&'a str>) -> ProbeFuture<'a>,
    /// The configured targets.
    pub targets: for<'a> fn(&'a Env) -> BoxFuture<'a, Result<Vec<String>>>,
    /// Reads the last run of a target, if there was one.
    pub last: for<'a> fn(&'a Store, &'a str, Timestamp) -> LastRunFuture<'a>,
}

/// Resolves to the last run of a target, if there was one.
pub type LastRunFuture<'a> = BoxFuture<'a, Result<Option<LastRun>>>;

/// Resolves to the probes of each target.
pub type ProbeFuture<'a> = BoxFuture<'a, Result<Vec<Probed>>>;

/// A target with its probes.
pub type Probed = (String, Vec<Probe>);

/// The options of a run.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// Whether its points are sent.
    pub push: bool,
    /// Its time limit.
    pub time: Duration,
}

/// How the last run of a target went.
#[derive(Debug)]
pub struct LastRun {
    /// The time of its snapshot.
    pub at: Timestamp,
    /// When the last full fetch began.
    pub whole_at: Timestamp,
    /// The parts that failed, with the reasons.
    pub gaps: BTreeMap<String, String>,
    /// How many answers each part still waits for.
    pub pending: BTreeMap<String, u64>,
}

/// Every collector, in the order of the pages of the documentation.
pub static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut entries = Entries(Vec::new());
    registry::visit(&mut entries);
    entries.0
});

struct Entries(Vec<Entry>);

impl registry::Visitor for Entries {
    fn visit<C: Collector + 'static>(&mut self) {
        self.0.push(entry::<C>());
    }
}

const fn entry<C: Collector + 'static>() -> Entry {
    Entry {
        name: C::NAME,
        metrics: C::METRICS,
        checks: C::CHECKS,
        run: |env, event, how| Box::pin(run::<C>(env, event, how)),
        probe: |env, target| Box::pin(probe::<C>(env, target)),
        targets: |env| Box::pin(targets::<C>(env)),
        last: |store, target, wall| Box::pin(last::<C>(store, target, wall)),
    }
}

async fn run<C: Collector>(env: &Env, event: &Event, how: Run) -> Result<Report> {
    let life = Life::prepare::<C>(env, how.push).await?;
    let collector = C::connect(env).await?;
    life.run(&collector, event, how.time).await
}

async fn probe<C: Collector>(env: &Env, target: Option<&str>) -> Result<Vec<Probed>> {
    let collector = C::connect(env).await?;
    let mut found = Vec::new();
    for one in collector.targets() {
        if target.is_none_or(|target| target == one) {
            let probes = collector.probe(&one).await;
            found.push((one, probes));
        }
    }
    Ok(found)
}

async fn targets<C: Collector>(env: &Env) -> Result<Vec<String>> {
    Ok(C::connect(env).await?.targets())
}

async fn last<C: Collector>(store: &Store, target: &str, wall: Timestamp) -> Result<Option<LastRun>> {
    let (kept, _) = snapshots::latest::<C>(store, target, wall).await?;
    Ok(kept.map(|kept| LastRun { at: kept.at, whole_at: kept.whole_at, gaps: kept.gaps, pending: kept.pending }))
}

/// The values of a NAME argument.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ENTRIES.iter().map(|entry| entry.name).chain(["all"]))
}

/// The collectors with these names; all of them for `all`, or without names.
pub fn named(names: &[String]) -> Vec<&'static Entry> {
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    ENTRIES.iter().filter(|entry| all || names.iter().any(|name| name == entry.name)).collect()
}

/// The collectors that have this target; all of them without one. If none of them is configured, all are returned,
/// because each will say what is missing.
pub async fn with_target(entries: Vec<&'static Entry>, env: &Env, target: Option<&str>) -> Result<Vec<&'static Entry>> {
    let Some(target) = target else { return Ok(entries) };
    let (mut found, mut unconfigured, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for entry in entries {
        match (entry.targets)(env).await {
            Ok(targets) if targets.iter().any(|one| one == target) => found.push(entry),
            Ok(targets) => known.extend(targets),
            Err(_) => unconfigured.push(entry),
        }
    }
    match known.first() {
        _ if !found.is_empty() => Ok(found),
        None => Ok(unconfigured),
        Some(first) => {
            let problem = format!("`{target}` is not a configured target; there are {}", known.join(", "));
            Err(Error::config("--target", format!("{problem}, e.g. --target {first}")))
        }
    }
}
