//! Every collector there is, one word each.

use clap::builder::PossibleValuesParser;
use futures::future::BoxFuture;
use shared::{Check, Collector, Env, Event, Life, Metric, Probe, Report, Result, Store, snapshots};
use std::time::Duration;

/// A collector without its type.
pub struct Entry {
    /// The word that names it.
    pub name: &'static str,
    /// Its rows of the catalogue.
    pub metrics: &'static [&'static Metric],
    /// Its checks.
    pub checks: &'static [Check],
    /// Runs it once.
    pub run: for<'a> fn(&'a Env, &'a Event, Run<'a>) -> BoxFuture<'a, Result<Report>>,
    /// Connects and asks what a newcomer has to know.
    pub probe: for<'a> fn(&'a Env, Option<&'a str>) -> Asked<'a>,
    /// The configured targets with the time of the newest snapshot of each.
    pub last: for<'a> fn(&'a Env, &'a Store) -> BoxFuture<'a, Result<Vec<Last>>>,
}

/// The answers to what a newcomer asks, once they are there.
pub type Asked<'a> = BoxFuture<'a, Result<Vec<Probed>>>;

/// A target, and what a newcomer has to know of it.
pub type Probed = (String, Vec<Probe>);

/// How a run is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Whether it sends what it measures.
    pub push: bool,
    /// The most time it may take.
    pub time: Duration,
    /// Every check of all collectors, which `CHECKS` may name.
    pub known: &'a [&'static Check],
}

/// When a target was last read.
#[derive(Debug)]
pub struct Last {
    /// The target.
    pub target: String,
    /// The time of its newest snapshot, and of its newest whole one.
    pub at: Option<(jiff::Timestamp, Option<jiff::Timestamp>)>,
}

macro_rules! registry {
    ($($collector:path),+ $(,)?) => {
        /// Every collector, in the order of the pages of the documentation.
        pub const REGISTRY: &[Entry] = &[$(entry::<$collector>()),+];
    };
}

registry! {
    github::GitHub,
    skypilot::SkyPilot,
    asana::Asana,
    wandb::WandB,
}

const fn entry<C: Collector + 'static>() -> Entry {
    Entry {
        name: C::NAME,
        metrics: C::METRICS,
        checks: C::CHECKS,
        run: |env, event, how| Box::pin(run::<C>(env, event, how)),
        probe: |env, target| Box::pin(probe::<C>(env, target)),
        last: |env, store| Box::pin(last::<C>(env, store)),
    }
}

async fn run<C: Collector>(env: &Env, event: &Event, how: Run<'_>) -> Result<Report> {
    let life = Life::prepare::<C>(env, how.known, how.push).await?;
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

async fn last<C: Collector>(env: &Env, store: &Store) -> Result<Vec<Last>> {
    let collector = C::connect(env).await?;
    let mut found = Vec::new();
    for target in collector.targets() {
        let kept = snapshots::latest::<C>(store, &target).await?;
        found.push(Last { target, at: kept.map(|kept| (kept.at, kept.whole_at)) });
    }
    Ok(found)
}

/// What may be said where collectors are named.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(REGISTRY.iter().map(|entry| entry.name).chain(["all"]))
}

/// The collectors of these names, all of them for `all` or for none.
pub fn named(names: &[String]) -> Vec<&'static Entry> {
    let all = names.is_empty() || names.iter().any(|name| name == "all");
    REGISTRY.iter().filter(|entry| all || names.iter().any(|name| name == entry.name)).collect()
}

/// Every check of every collector.
pub fn checks() -> Vec<&'static Check> {
    REGISTRY.iter().flat_map(|entry| entry.checks).collect()
}
