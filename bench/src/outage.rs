//! An hour without Datadog, for nine functions and forty targets: every point that it still takes then arrives once, and
//! what it costs.

use crate::{Failure, Row, organisation};
use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use sandbox::{Clock, Fault, Options, Rule, Sandbox};
use shared::testing::{START, StandIn, at};
use shared::{Collector, Env, Event, GRID, Life, Report, Store, stats};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number of functions, stand-ins for those that are not there yet among them.
const FUNCTIONS: usize = 9;

/// The number of targets of all functions together.
const TARGETS: usize = 40;

/// The time limit of a run.
const TIME_LIMIT: Duration = Duration::from_mins(5);

/// How long after its time a run begins.
const BEHIND: SignedDuration = SignedDuration::from_mins(3);

/// The slots without Datadog: a whole hour.
const OUTAGE: std::ops::Range<i32> = 1..5;

/// The last slot: by then everything has arrived.
const LAST_SLOT: i32 = 6;

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
    /// Payloads that could not be sent in the first quarter of the outage, and those that were given up later.
    kept_first: usize,
    expired: usize,
}

/// The result of a run, and how long it took.
type TimedRun = Result<(Report, Duration), shared::Error>;

/// A collector that can be run, with its type erased.
struct Runner {
    targets: usize,
    run: Box<dyn Fn(Timestamp) -> BoxFuture<'static, TimedRun> + Send + Sync>,
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
                let report = parts.0.run(&parts.1, &Event::new(now, now + BEHIND), TIME_LIMIT).await?;
                Ok((report, started.elapsed()))
            })
        };
        Ok(Self { targets, run: Box::new(run) })
    }
}

/// Connects every collector with these settings.
struct Connecting<'a> {
    settings: &'a BTreeMap<String, String>,
    runners: Vec<BoxFuture<'a, Result<Runner, Failure>>>,
}

impl registry::Visitor for Connecting<'_> {
    fn visit<C: Collector + 'static>(&mut self) {
        self.runners.push(Box::pin(Runner::new::<C>(self.settings)));
    }
}

/// The collectors, and stand-ins that share the rest of the targets.
async fn runners(settings: &BTreeMap<String, String>) -> Result<Vec<Runner>, Failure> {
    let mut connecting = Connecting { settings, runners: Vec::new() };
    registry::visit(&mut connecting);
    let mut all = futures::future::try_join_all(connecting.runners).await?;
    let stand_ins = FUNCTIONS.saturating_sub(all.len());
    let rest = TARGETS.saturating_sub(all.iter().map(|function| function.targets).sum());
    for number in 0..stand_ins {
        let share = rest / stand_ins + usize::from(number < rest % stand_ins);
        let mut settings = settings.clone();
        settings.insert("STANDIN_TARGETS".to_owned(), share.to_string());
        all.push(stand_in(number, &settings).await?);
    }
    Ok(all)
}

async fn stand_in(number: usize, settings: &BTreeMap<String, String>) -> Result<Runner, Failure> {
    match number {
        0 => Runner::new::<StandIn<0>>(settings).await,
        1 => Runner::new::<StandIn<1>>(settings).await,
        2 => Runner::new::<StandIn<2>>(settings).await,
        3 => Runner::new::<StandIn<3>>(settings).await,
        4 => Runner::new::<StandIn<4>>(settings).await,
        _ => Err("there are five stand-ins".into()),
    }
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
        clock.set(now + BEHIND);
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
            let deliveries = report.deliveries.unwrap_or_default();
            self.lost += deliveries.lost + deliveries.rejected;
            self.expired += deliveries.expired;
            if slot == OUTAGE.start {
                self.kept_first += deliveries.spooled;
            }
            if OUTAGE.contains(&slot) {
                self.slowest_during = self.slowest_during.max(took);
            } else if slot == OUTAGE.end {
                (self.slowest_after, self.after) = (self.slowest_after.max(took), requests);
            }
        }
        Ok(())
    }
}

/// What differs between the points of a quiet replay, without those that Datadog takes no more when it is back, and those
/// of one with the outage.
fn differences(quiet: &Replay, outage: &Replay) -> Vec<String> {
    let lost = (at(START) + GRID * OUTAGE.start).as_second().to_string();
    let is_of = |line: &&String| line.rsplit(' ').nth(1) == Some(&lost);
    let expected: Vec<&String> = quiet.points.iter().filter(|line| !is_of(line)).collect();
    let missing = expected.iter().filter(|line| outage.points.binary_search(line).is_err());
    let more = outage.points.iter().filter(|line| expected.binary_search(line).is_err());
    let all = missing.map(|line| format!("missing {line}")).chain(more.map(|line| format!("more {line}")));
    // Equal lines are observations of equal value: as many of them have to be there.
    let number = outage.points.len().abs_diff(expected.len());
    all.chain((number > 0).then(|| format!("{number} lines more or fewer"))).collect()
}

/// The figures of the replay, and whether everything arrived. One replay after the other: they are timed.
pub async fn rows() -> Result<Vec<Row>, Failure> {
    let latency = Duration::from_millis(40);
    let quiet = replay(latency, false).await?;
    let outage = replay(latency, true).await?;
    let differences = differences(&quiet, &outage).len();
    let seconds = |duration: Duration| duration.as_secs_f64();
    let note = format!("{} points and observations, {} targets", quiet.points.len(), outage.targets);
    let calls = |of: [usize; 2]| format!("{} to Datadog and {} to the store", of[0], of[1]);
    Ok(vec![
        Row::at_most(
            "an hour without Datadog, points that are missing or doubled",
            stats::count(differences),
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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_an_hour_without_datadog_all_that_it_still_takes_of_nine_functions_and_forty_targets_is_there_once() {
        let both = [false, true].map(|with_outage| tokio::spawn(replay(Duration::ZERO, with_outage)));
        let [quiet, outage] = both;
        let (quiet, outage) = (quiet.await.unwrap().unwrap(), outage.await.unwrap().unwrap());
        assert_eq!((quiet.targets, outage.targets), (TARGETS, TARGETS));
        // The points of the first quarter are older than an hour when Datadog is back.
        assert_eq!(differences(&quiet, &outage), Vec::<String>::new());
        assert_eq!((quiet.expired, outage.expired, outage.lost), (0, outage.kept_first, 0));
        assert!(outage.expired >= 2 * 9, "points and observations of each function: {}", outage.expired);
        assert_eq!((quiet.dropped, outage.dropped), (0, 0), "nothing was sent that Datadog drops");
        let of_first = (at(START) + GRID * OUTAGE.start).as_second().to_string();
        let number = |replay: &Replay| {
            replay.points.iter().filter(|line| line.rsplit(' ').nth(1) == Some(of_first.as_str())).count()
        };
        assert!(number(&quiet) > 500 && number(&outage) == 0, "{} {}", number(&quiet), number(&outage));
        assert!(outage.points.len() > 5000, "{}", outage.points.len());
    }
}
