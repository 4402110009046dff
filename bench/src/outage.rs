//! An hour without Datadog, for nine functions and forty targets: every point arrives once, and what it costs.

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

/// How many targets the nine functions have together.
const TARGETS: usize = 40;

/// What a run may take.
const TIME: Duration = Duration::from_mins(1);

/// The quarters in which Datadog is away: all that begin within an hour after the first run.
const AWAY: std::ops::Range<i32> = 1..4;

/// The last quarter: by then everything has arrived.
const LAST: i32 = 5;

/// What a replay came to.
#[derive(Default)]
struct Replay {
    targets: usize,
    /// Every point and observation that Datadog has, a line each, without what runs say about themselves.
    points: Vec<String>,
    /// What Datadog took and dropped.
    dropped: usize,
    /// Requests to Datadog and to the store, in all runs and in the first one after the outage.
    calls: [usize; 2],
    after: [usize; 2],
    /// The longest run while Datadog was away, and of the quarter in which it was back.
    slowest_away: Duration,
    slowest_after: Duration,
    lost: usize,
}

/// What a run came to, and how long it took.
type Ran = Result<(Report, Duration), shared::Error>;

/// One function, whatever it collects.
struct Function {
    targets: usize,
    run: Box<dyn Fn(Timestamp) -> BoxFuture<'static, Ran>>,
}

impl Function {
    async fn new<C: Collector + 'static>(settings: &BTreeMap<String, String>) -> Result<Self, Failure> {
        let env = Env::of(settings.clone());
        let parts = Arc::new((Life::prepare::<C>(&env, true).await?, C::connect(&env).await?));
        let targets = parts.1.targets().len();
        let run = move |now| -> BoxFuture<'static, Ran> {
            let parts = Arc::clone(&parts);
            Box::pin(async move {
                let started = Instant::now();
                let report = parts.0.run(&parts.1, &Event::new(now, now), TIME).await?;
                Ok((report, started.elapsed()))
            })
        };
        Ok(Self { targets, run: Box::new(run) })
    }
}

/// The four collectors that there are, and five stand-ins that share the rest of the targets.
async fn functions(settings: &BTreeMap<String, String>) -> Result<Vec<Function>, Failure> {
    let mut all = vec![
        Function::new::<github::GitHub>(settings).await?,
        Function::new::<skypilot::SkyPilot>(settings).await?,
        Function::new::<asana::Asana>(settings).await?,
        Function::new::<wandb::WandB>(settings).await?,
    ];
    let rest = TARGETS.saturating_sub(all.iter().map(|function| function.targets).sum());
    let share = |number: usize| {
        let mut settings = settings.clone();
        settings.insert("STANDIN_TARGETS".to_owned(), (rest / 5 + usize::from(number < rest % 5)).to_string());
        settings
    };
    all.push(Function::new::<StandIn<0>>(&share(0)).await?);
    all.push(Function::new::<StandIn<1>>(&share(1)).await?);
    all.push(Function::new::<StandIn<2>>(&share(2)).await?);
    all.push(Function::new::<StandIn<3>>(&share(3)).await?);
    all.push(Function::new::<StandIn<4>>(&share(4)).await?);
    Ok(all)
}

/// A sandbox at the time of the first run, with a bucket for state, and the settings of whoever runs against it.
async fn stage(latency: Duration) -> Result<(Sandbox, Clock, BTreeMap<String, String>), Failure> {
    let clock = Clock::at(at(START));
    let seed = sandbox::Seed { epoch: at(START), ..organisation(1) };
    let sandbox = Sandbox::start(Options::new(seed, clock.clone())).await?;
    crate::bear_all(&sandbox);
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
    // The same key in both replays: what is summed is in the order of digests, and the last bit with it.
    Store::open(&Env::of(settings.clone())).await?.put("keys/digest", vec![7; 32]).await?;
    Ok((sandbox, clock, settings))
}

async fn replay(latency: Duration, with_outage: bool) -> Result<Replay, Failure> {
    let (sandbox, clock, settings) = stage(latency).await?;
    let (faults, functions) = (sandbox.faults(), functions(&settings).await?);
    let mut replay = Replay { targets: functions.iter().map(|function| function.targets).sum(), ..Replay::default() };
    for slot in 0..=LAST {
        let now = at(START) + GRID * slot;
        clock.set(now);
        if with_outage && slot == AWAY.start {
            faults.inject("datadog", Rule::new(Fault::status(503)));
        }
        if slot == AWAY.end {
            faults.clear();
        }
        faults.forget_requests();
        let ran = futures::future::join_all(functions.iter().map(|function| (function.run)(now))).await;
        let asked = ["datadog", "s3"].map(|upstream| faults.requests(upstream).len());
        replay.note(slot, asked, ran)?;
    }
    let points = sandbox.store().all_points(true)?;
    replay.points = points.into_iter().filter(|line| !line.starts_with("collector.")).collect();
    replay.dropped = sandbox.store().dropped()?.len();
    Ok(replay)
}

impl Replay {
    fn note(&mut self, slot: i32, asked: [usize; 2], ran: Vec<Ran>) -> Result<(), Failure> {
        self.calls = [self.calls[0] + asked[0], self.calls[1] + asked[1]];
        for one in ran {
            let (report, took) = one?;
            self.lost +=
                report.deliveries.as_ref().map_or(0, |outcome| outcome.lost + outcome.rejected + outcome.expired);
            if AWAY.contains(&slot) {
                self.slowest_away = self.slowest_away.max(took);
            } else if slot == AWAY.end {
                (self.slowest_after, self.after) = (self.slowest_after.max(took), asked);
            }
        }
        Ok(())
    }
}

/// The figures of the replay, and whether everything arrived.
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
            "an hour without Datadog, points that are missing or doubled",
            stats::count(missing + outage.points.len().abs_diff(quiet.points.len())),
            0.0,
            "points",
        )
        .note(note),
        Row::at_most("an hour without Datadog, the slowest run meanwhile", seconds(outage.slowest_away), 15.0, "s")
            .note("three attempts, then everything is kept"),
        Row::at_most("an hour without Datadog, the slowest run after it", seconds(outage.slowest_after), 15.0, "s")
            .note(format!("{}; without the outage {:.1} s", calls(outage.after), seconds(quiet.slowest_after))),
        Row::at_most(
            "an hour without Datadog, calls of all runs",
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
        // Equal lines, repeated observations included.
        assert_eq!(quiet.points.len(), outage.points.len());
        assert_eq!((quiet.dropped, outage.dropped, outage.lost), (0, 0, 0));
        assert!(quiet.points.len() > 5000, "{}", quiet.points.len());
    }
}
