//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

use github::GitHub;
use jiff::{SignedDuration, Timestamp};
use sandbox::Seed;
use sandbox::truth::Settings;
use shared::testing::{Values, at, conforms, counts, differences, gauges, observations};
use shared::{CHECK_METRICS, Collector, GRID, Metric, Sample, heartbeat};
use stage::{EPOCH, Stage};
use std::collections::BTreeMap;

/// Everything that is off by default.
const ALL: [(&str, &str); 3] =
    [("GITHUB_DEPLOYS", "environment:production"), ("GITHUB_QUEUE_TIME", "on"), ("GITHUB_RUNNERS", "on")];

/// The same in the words of the truth.
fn settings() -> Settings {
    let classes = ["ubuntu-latest", "self-hosted"].map(str::to_owned).to_vec();
    Settings { deploys: Some("production".to_owned()), runners: true, queue: Some(classes), ..Settings::default() }
}

/// What is true of all repositories together.
fn truth(stage: &Stage, now: Timestamp) -> Values {
    let organisation = stage.sandbox.organisation();
    let settings = settings();
    let mut sum = BTreeMap::new();
    for repository in organisation.repositories.iter().filter(|repository| !repository.empty) {
        for (series, value) in sandbox::truth::github(repository, &organisation.people, now, &settings) {
            // The totals over checks are those of the whole run.
            *sum.entry(series).or_insert(0.0) += value;
        }
    }
    sum
}

fn seed(number: u64) -> Seed {
    Seed { number, size: 0, epoch: at(EPOCH) }
}

/// A time on the grid within two days of the epoch, another one for each seed.
fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}

async fn compare(numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, false, &ALL).await;
        let report = stage.settled().await;
        assert!(report.is_up(), "seed {number}: {:?}", report.shares);
        let wrong = differences(&gauges(&report), &truth(&stage, start));
        assert!(wrong.is_empty(), "seed {number} at {start}, a full fetch:\n{}", wrong.join("\n"));
        let later = start + GRID * i32::try_from(1 + number % 4).unwrap();
        stage.clock.set(later);
        let report = stage.settled().await;
        let wrong = differences(&gauges(&report), &truth(&stage, later));
        let rerun = reruns(&stage, start, later);
        let wrong: Vec<String> = wrong.into_iter().filter(|line| !(rerun && touches_runs(line))).collect();
        assert!(wrong.is_empty(), "seed {number} at {later}, an incremental fetch:\n{}", wrong.join("\n"));
    }
}

/// A re-run of a run older than two hours is seen by the daily full fetch only.
fn reruns(stage: &Stage, from: Timestamp, until: Timestamp) -> bool {
    let runs = stage
        .sandbox
        .organisation()
        .repositories
        .iter()
        .flat_map(|repository| repository.runs.clone())
        .collect::<Vec<_>>();
    let old = until - SignedDuration::from_hours(2);
    runs.iter().any(|run| {
        run.created_at < old
            && run.attempts.iter().skip(1).any(|attempt| from < attempt.started_at && attempt.started_at <= until)
    })
}

fn touches_runs(line: &str) -> bool {
    ["github.ci.", "health.ci.", "health.checks", "cron.ci."].iter().any(|word| line.contains(word))
}

// In four parts, so that the cores share them.
#[tokio::test]
async fn every_value_equals_the_truth_of_organisations_0_to_49() {
    compare(0..50).await;
}

#[tokio::test]
async fn every_value_equals_the_truth_of_organisations_50_to_99() {
    compare(50..100).await;
}

#[tokio::test]
async fn every_value_equals_the_truth_of_organisations_100_to_149() {
    compare(100..150).await;
}

#[tokio::test]
async fn every_value_equals_the_truth_of_organisations_150_to_199() {
    compare(150..200).await;
}

#[tokio::test]
async fn a_whole_run_conforms_to_the_catalogue() {
    let stage = Stage::new(seed(1), at(EPOCH), true, &ALL).await;
    let mut samples: Vec<Sample> = stage.settled().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..16 {
        stage.clock.advance(GRID * 8);
        let said = stage.settled().await.samples;
        samples.retain(|earlier| !said.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(said);
    }
    let mut metrics: Vec<&'static Metric> =
        GitHub::METRICS.iter().chain(CHECK_METRICS).chain(heartbeat::METRICS).copied().collect();
    metrics.extend(GitHub::CHECKS.iter().flat_map(|check| check.rows));
    conforms(&metrics, &samples);
}

#[tokio::test]
async fn counts_and_observations_equal_the_truth_of_forty_organisations() {
    let (mut counted, mut observed, mut all_known) = (0, 0, 0);
    for number in 200..240 {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, true, &ALL).await;
        let first = stage.run().await;
        let slots = counts(&first).into_values().flatten().filter(|(series, _)| !series.starts_with("health.checks."));
        assert_eq!(slots.count(), 0, "a first run counts nothing but its own verdicts");
        let later = start + GRID * 3;
        stage.clock.set(later);
        let report = stage.run().await;
        if reruns(&stage, start, later) {
            continue;
        }
        let (organisation, settings) = (stage.sandbox.organisation(), settings());
        let told = counts(&report);
        assert_eq!(told.len(), 4, "every slot since the last delivered one, and as many before it as Datadog takes");
        let said = observations(&report);
        let mut truth: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let mut verdicts = Values::new();
        for repository in organisation.repositories.iter().filter(|repository| !repository.empty) {
            for (slot, told) in &told {
                for (series, value) in
                    sandbox::truth::github_counts(repository, &organisation.people, *slot, later, &settings)
                {
                    assert_eq!(told.get(&series), Some(&value), "seed {number}: {series} in the slot to {slot}");
                    counted += 1;
                }
            }
            for (series, value) in sandbox::truth::github_verdicts(repository, &organisation.people, later, &settings) {
                *verdicts.entry(series).or_insert(0.0) += value;
            }
            truth.extend(sandbox::truth::github_observations(
                repository,
                &organisation.people,
                (start, later),
                &settings,
            ));
        }
        if report.is_up() {
            let judged = |(series, _): &(&String, &f64)| series.starts_with("health.checks.");
            let judged: Values =
                told[&later].iter().filter(judged).map(|(series, value)| (series.clone(), *value)).collect();
            let wrong = differences(&judged, &verdicts);
            assert!(wrong.is_empty(), "seed {number}: {}", wrong.join("\n"));
            all_known += 1;
        }
        let lengths = |values: &BTreeMap<String, Vec<f64>>| values.values().map(Vec::len).sum::<usize>();
        assert_eq!(lengths(&said), lengths(&truth), "seed {number}: {said:?} and {truth:?}");
        for (series, values) in &truth {
            let close = said.get(series).is_some_and(|said| said.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-9));
            assert!(close, "seed {number}: {series}: said {:?}, true {values:?}", said.get(series));
        }
        observed += lengths(&truth);
    }
    assert!(
        counted > 500 && observed > 20 && all_known > 5,
        "{counted} counts, {observed} observations, {all_known} known"
    );
}
