//! Open jobs: how many, how long, where, whose.

use crate::metrics;
use crate::snapshot::{Group, Job, Queue, Rules};
use jiff::Timestamp;
use shared::prices::Pricing;
use shared::{Metric, Sample, stats};
use std::collections::{BTreeMap, BTreeSet};

/// The most regions that have a row of their own.
const REGIONS: usize = 40;

/// Seconds from one instant to a later one.
fn seconds(from: Timestamp, to: Timestamp) -> Option<f64> {
    let seconds = to.duration_since(from).as_secs_f64();
    (seconds >= 0.0).then_some(seconds)
}

/// How long a job ran until this time: as the server says, else since its start.
pub(super) fn runtime(job: &Job, until: Timestamp) -> Option<f64> {
    if job.seconds > 0.0 { Some(job.seconds) } else { seconds(job.start_at?, until) }
}

/// Queued and running jobs.
pub(super) fn levels(queue: &Queue, now: Timestamp) -> Vec<Sample> {
    let of = |group: Group| queue.live.as_deref().map(|live| super::of(live, group));
    let (queued, running) = (of(Group::Queued), of(Group::Running));
    let both: Option<Vec<&Job>> =
        queued.as_ref().zip(running.as_ref()).map(|(a, b)| a.iter().chain(b).copied().collect());
    let recovered: Option<Vec<f64>> = both.as_ref().map(|jobs| {
        let recovered = jobs.iter().filter(|job| job.recoveries > 0);
        recovered.filter_map(|job| usize::try_from(job.recoveries).ok()).map(stats::count).collect()
    });
    let users =
        both.as_ref().map(|jobs| jobs.iter().filter_map(|job| job.user.as_ref()).collect::<BTreeSet<_>>().len());
    let waits: Option<Vec<f64>> = queued.as_ref().map(|jobs| {
        let waiting = jobs.iter().filter(|job| job.start_at.is_none());
        // The server knows a job that is pending only from when it was submitted, and that is after the queue.
        let since = |job: &Job| job.submitted_at.or_else(|| queue.seen.open.get(&job.id).copied());
        waiting.filter_map(|job| seconds(since(job)?, now)).collect()
    });
    vec![
        metrics::QUEUED.number(queued.as_ref().map(Vec::len)),
        metrics::RUNNING.number(running.as_ref().map(Vec::len)),
        metrics::WITH_RECOVERIES.number(recovered.as_ref().map(Vec::len)),
        metrics::RECOVERIES_AVG.mean(recovered.as_deref()),
        metrics::RECOVERIES_MAX.percentile(1.0, recovered.as_deref()),
        metrics::ACTIVE_USERS.number(users),
        metrics::QUEUE_WAIT_P50.percentile(0.5, waits.as_deref()),
        metrics::QUEUE_WAIT_P90.percentile(0.9, waits.as_deref()),
    ]
}

/// How long the running jobs have been running.
pub(super) fn runtimes(running: Option<&[&Job]>, rules: &Rules, now: Timestamp) -> Vec<Sample> {
    const HOUR: f64 = 3600.0;
    let times: Option<Vec<f64>> = running.map(|jobs| jobs.iter().filter_map(|job| runtime(job, now)).collect());
    let times = times.as_deref();
    let between = |row: &'static Metric, low: f64, high: f64| {
        let within = |time: &&f64| low * HOUR <= **time && **time < high * HOUR;
        row.number(times.map(|times| times.iter().filter(within).count()))
    };
    let long = times.map(|times| times.iter().filter(|time| **time > rules.long_hours * HOUR).count());
    vec![
        metrics::RUNTIME_MIN.percentile(0.0, times),
        metrics::RUNTIME_MAX.percentile(1.0, times),
        metrics::RUNTIME_AVG.mean(times),
        metrics::RUNTIME_P50.percentile(0.5, times),
        metrics::RUNTIME_P90.percentile(0.9, times),
        metrics::RUNTIME_P99.percentile(0.99, times),
        between(&metrics::BUCKET_0_1H, 0.0, 1.0),
        between(&metrics::BUCKET_1_4H, 1.0, 4.0),
        between(&metrics::BUCKET_4_24H, 4.0, 24.0),
        between(&metrics::BUCKET_OVER_24H, 24.0, f64::INFINITY),
        metrics::LONG_RUNNING.number(long),
    ]
}

/// Where the running jobs run, and how they are paid for.
pub(super) fn places(running: Option<&[&Job]>) -> Vec<Sample> {
    let region = |job: &Job, wanted: &str| job.region.as_deref() == Some(wanted);
    let in_one = |wanted: &str| running.map(|jobs| jobs.iter().filter(|job| region(job, wanted)).count());
    let elsewhere = running.map(|jobs| {
        let known = jobs.iter().filter(|job| job.region.is_some());
        known.filter(|job| !region(job, "us-east-1") && !region(job, "us-west-2")).count()
    });
    let paid = |pricing: Pricing| running.map(|jobs| jobs.iter().filter(|job| job.pricing == Some(pricing)).count());
    let mut samples = vec![
        metrics::US_EAST_1.number(in_one("us-east-1")),
        metrics::US_WEST_2.number(in_one("us-west-2")),
        metrics::OTHER_REGIONS.number(elsewhere),
        metrics::SPOT_JOBS.number(paid(Pricing::Spot)),
        metrics::ONDEMAND_JOBS.number(paid(Pricing::Ondemand)),
    ];
    match running {
        None => samples.push(metrics::BY_REGION.maybe(None).tag("region", "unknown")),
        Some(jobs) => samples.extend(by_region(jobs)),
    }
    samples
}

/// Jobs by region: the most used ones, `unknown` always, and the rest as `other`.
fn by_region(jobs: &[&Job]) -> impl Iterator<Item = Sample> {
    let mut regions: BTreeMap<&str, usize> = BTreeMap::new();
    for region in jobs.iter().filter_map(|job| job.region.as_deref()) {
        *regions.entry(region).or_default() += 1;
    }
    let unknown = jobs.iter().filter(|job| job.region.is_none()).count();
    let mut ordered: Vec<(&str, usize)> = regions.into_iter().collect();
    ordered.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let mut shown: BTreeMap<String, usize> = BTreeMap::from([("unknown".to_owned(), unknown)]);
    for (place, (region, number)) in ordered.into_iter().enumerate() {
        let region = if place < REGIONS { region } else { "other" };
        *shown.entry(region.to_owned()).or_default() += number;
    }
    shown.into_iter().map(|(region, number)| metrics::BY_REGION.sample(stats::count(number)).tag("region", region))
}
