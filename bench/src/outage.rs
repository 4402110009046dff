//! Measures an hour without Datadog, for nine functions with forty targets: every point arrives once, at which cost.

use crate::{Row, organisation};
use futures::future::BoxFuture;
use jiff::Timestamp;
use sandbox::{Clock, Fault, Options, Rule, Sandbox};
use shared::testing::{START, StandIn, at};
use shared::{Collector, Env, Event, GRID, Life, Report, Store, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

/// The number of targets of all functions together.
const TARGETS: usize = 40;

/// The time limit of a run.
const TIME_LIMIT: Duration = Duration::from_mins(1);

/// The slots without Datadog: all that begin within an hour after the first run.
const OUTAGE: std::ops::Range<i32> = 1..4;

/// The last slot: by then everything has arrived.
const LAST_SLOT: i32 = 5;

/// The result of a replay.
#[derive(Default)]
struct Replay {
    targets: usize,
    /// Every point and observation that Datadog has, one line each, without those about the collectors.
    points: Vec<String>,
    /// How many points Datadog accepted and then dropped.
    dropped: usize,
    /// Requests to Datadog and to the store, in all runs and in the first one after the outage.
    calls: [usize; 2],
    after: [usize; 2],
    /// The longest run during the outage, and in the first slot after it.
    slowest_during: Duration,
    slowest_after: Duration,
    lost: usize,
}

/// The result of a run, and how long it took.
type TimedRun = Result<(Report, Duration), shared::Error>;

/// A collector that can be run, with its type erased.
struct Runner {
    targets: usize,
    run: Box<dyn Fn(Timestamp) -> BoxFuture<'static, TimedRun>>,
}

impl Runner {
    async fn new<C: Collector + 'static>(settings: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let env = Env::of(settings.clone());
        let parts = Arc::new((Life::prepare::<C>(&env, true).await?, C::connect(&env).await?));
        let targets = parts.1.targets().len();
        let run = move |now| -> BoxFuture<'static, TimedRun> {
            let parts = Arc::clone(&parts);
            Box::pin(async move {
                let started = Instant::now();
                let report = parts.0.run(&parts.1, &Event::new(now, now), TIME_LIMIT).await?;
                Ok((report, started.elapsed()))
            })
        };
        Ok(Self { targets, run: Box::new(run) })
    }
}

/// The four collectors, and five stand-ins that share the rest of the targets.
async fn runners(settings: &BTreeMap<String, String>) -> Result<Vec<Runner>, Failure> {
    let mut all = vec![
        Runner::new::<github::GitHub>(settings).await?,
        Runner::new::<skypilot::SkyPilot>(settings).await?,
        Runner::new::<asana::Asana>(settings).await?,
        Runner::new::<wandb::WandB>(settings).await?,
    ];
    let rest = TARGETS.saturating_sub(all.iter().map(|function| function.targets).sum());
    let share = |number: usize| {
        let mut settings = settings.clone();
        settings.insert("STANDIN_TARGETS".to_owned(), (rest / 5 + usize::from(number < rest % 5)).to_string());
        settings
    };
    all.push(Runner::new::<StandIn<0>>(&share(0)).await?);
    all.push(Runner::new::<StandIn<1>>(&share(1)).await?);
    all.push(Runner::new::<StandIn<2>>(&share(2)).await?);
    all.push(Runner::new::<StandIn<3>>(&share(3)).await?);
    all.push(Runner::new::<StandIn<4>>(&share(4)).await?);
    Ok(all)
}

/// A sandbox at the time of the first run, with a bucket for state, and the settings of the functions.
async fn start_sandbox(latency: Duration) -> Result<(Sandbox, Clock, BTreeMap<String, String>), Failure> {
    let clock = Clock::at(at(START));
    let seed = sandbox::Seed { epoch: at(START), ..organisation(1) };
    let sandbox = Sandbox::start(Options::new(seed, clock.clone())).await?;
    crate::lift_quota(&sandbox);
    sandbox.buckets().make("state");
    sandbox.faults().base_latency("datadog", latency);
    sandbox.faults().base_latency("s3", latency / 2);
    let mut settings = sandbox.env();
    let own = [
        ("STATE_BUCKET", "state"),
        ("S3_URL", sandbox.url("s3")),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("ASANA_BUDGET", "100000"),
    ];
    settings.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Both replays use the same key: the order of digests decides the last bit of a sum.
    Store::open(&Env::of(settings.clone())).await?.put("keys/digest", vec![7; 32]).await?;
    Ok((sandbox, clock, settings))
}

async fn replay(latency: Duration, with_outage: bool) -> Result<Replay, Failure> {
    let (sandbox, clock, settings) = start_sandbox(latency).await?;
    let (faults, functions) = (sandbox.faults(), runners(&settings).await?);
    let mut replay = Replay { targets: functions.iter().map(|function| function.targets).sum(), ..Replay::default() };
    for slot in 0..=LAST_SLOT {
        let now = at(START) + GRID * slot;
        clock.set(now);
        if with_outage && slot == OUTAGE.start {
            faults.inject("datadog", Rule::new(Fault::status(503)));
        }
        if slot == OUTAGE.end {
            faults.clear();
        }
        faults.forget_requests();
        let runs = futures::future::join_all(functions.iter().map(|function| (function.run)(now))).await;
        let requests = ["datadog", "s3"].map(|upstream| faults.requests(upstream).len());
        replay.record(slot, requests, runs)?;
    }
    let points = sandbox.store().all_points(true)?;
    replay.points = points.into_iter().filter(|line| !line.starts_with("collector.")).collect();
    replay.dropped = sandbox.store().dropped()?.len();
    Ok(replay)
}

impl Replay {
    fn record(&mut self, slot: i32, requests: [usize; 2], runs: Vec<TimedRun>) -> Result<(), Failure> {
        self.calls = [self.calls[0] + requests[0], self.calls[1] + requests[1]];
        for run in runs {
            let (report, took) = run?;
            self.lost +=
                report.deliveries.as_ref().map_or(0, |outcome| outcome.lost + outcome.rejected + outcome.expired);
            if OUTAGE.contains(&slot) {
                self.slowest_during = self.slowest_during.max(took);
            } else if slot == OUTAGE.end {
                (self.slowest_after, self.after) = (self.slowest_after.max(took), requests);
            }
        }
        Ok(())
    }
}

/// Replays the hour with and without the outage, and compares.
pub async fn rows() -> Result<Vec<Row>, Failure> {
    let latency = Duration::from_millis(40);
    let quiet = replay(latency, false).await?;
    let outage = replay(latency, true).await?;
    let missing = quiet.points.iter().filter(|line| outage.points.binary_search(line).is_err()).count();
    let seconds = |duration: Duration| duration.as_secs_f64();
    let note = format!("{} points and observations, {} targets", quiet.points.len(), outage.targets);
    let calls = |of: [usize; 2]| format!("{} to Datadog and {} to the store", of[0], of[1]);
    Ok(vec![
        Row::at_most(
            "an hour without Datadog, points missing or doubled",
            stats::count(missing + outage.points.len().abs_diff(quiet.points.len())),
            0.0,
            "points",
        )
        .note(note),
        Row::at_most("an hour without Datadog, slowest run during it", seconds(outage.slowest_during), 15.0, "s")
            .note("three attempts, then everything is spooled"),
        Row::at_most("an hour without Datadog, slowest run after it", seconds(outage.slowest_after), 15.0, "s")
            .note(format!("{}; without the outage {:.1} s", calls(outage.after), seconds(quiet.slowest_after))),
        Row::at_most(
            "an hour without Datadog, requests of all runs",
            stats::count(outage.calls[0] + outage.calls[1]),
            4000.0,
            "calls",
        )
        .note(format!("{}; without it {}", calls(outage.calls), calls(quiet.calls))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn after_an_hour_without_datadog_every_point_of_nine_functions_and_forty_targets_is_there_once() {
        let quiet = replay(Duration::ZERO, false).await.unwrap();
        let outage = replay(Duration::ZERO, true).await.unwrap();
        assert_eq!((quiet.targets, outage.targets), (TARGETS, TARGETS));
        let missing: Vec<&String> = quiet.points.iter().filter(|line| !outage.points.contains(line)).collect();
        let more: Vec<&String> = outage.points.iter().filter(|line| !quiet.points.contains(line)).collect();
        assert!(missing.is_empty() && more.is_empty(), "missing {missing:#?}\nmore {more:#?}");
        // Repeated observations are repeated lines.
        assert_eq!(quiet.points.len(), outage.points.len());
        assert_eq!((quiet.dropped, outage.dropped, outage.lost), (0, 0, 0));
        assert!(quiet.points.len() > 5000, "{}", quiet.points.len());
    }
}
