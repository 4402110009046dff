//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod stage;

use github::GitHub;
use jiff::{SignedDuration, Timestamp};
use sandbox::Seed;
use sandbox::model::Person;
use sandbox::model::github::Repository;
use sandbox::truth::Settings;
use shared::testing::{Values, at, conforms, counts, differences, gaps, gauges, observations, pending};
use shared::{CHECK_METRICS, Collector, GRID, Metric, Report, Sample, heartbeat};
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

/// What is true of all repositories.
fn truth(stage: &Stage, now: Timestamp) -> Values {
    let mut truth = Values::new();
    each_repository(stage, |repository, people, settings| {
        truth.extend(sandbox::truth::github(repository, people, now, settings));
    });
    truth
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
        healthy(&stage, |line| panic!("seed {number} at {start}, a full fetch: {line}")).await;
        let later = start + GRID * i32::try_from(1 + number % 4).unwrap();
        stage.clock.set(later);
        let rerun = reruns(&stage, start, later);
        let wrong = |line: &str| {
            let is_unseen = rerun && touches_runs(line);
            assert!(is_unseen, "seed {number} at {later}, an incremental fetch: {line}");
        };
        healthy(&stage, wrong).await;
    }
}

/// Runs until nothing is pending. Each run is up, and all it says is true; the last one says all that is true.
async fn healthy(stage: &Stage, wrong: impl Fn(&str)) -> Report {
    let truth = truth(stage, stage.clock.now());
    for _ in 0..40 {
        let report = stage.run().await;
        assert!(report.is_up(), "{:?}", gaps(&report));
        let waits = pending(&report) > 0;
        let mut said = gauges(&report);
        if waits {
            said.retain(|series, _| !counts_what_waits(series));
        }
        let lines = differences(&said, &truth);
        lines.iter().filter(|line| !(waits && line.contains("said None"))).for_each(|line| wrong(line));
        if !waits {
            return report;
        }
    }
    panic!("something is pending still");
}

/// Totals over verdicts and targets of checks: an unknown verdict is counted and named as one.
fn counts_what_waits(series: &str) -> bool {
    series.starts_with("health.checks") || series.contains("status:unknown")
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
    ["github.ci.", "health.ci.", "health.check", "cron.ci."].iter().any(|word| line.contains(word))
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
async fn what_continued_runs_cannot_see_is_true_again_after_a_day() {
    for number in 240..246 {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, false, &ALL).await;
        for step in 0..=12 {
            stage.clock.set(start + GRID * (8 * step));
            let report = stage.settled().await;
            assert!(report.is_up(), "seed {number}, {} hours later: {:?}", 2 * step, gaps(&report));
        }
        let now = stage.clock.now();
        let wrong = differences(&gauges(&stage.run().await), &truth(&stage, now));
        assert!(wrong.is_empty(), "seed {number}:\n{}", wrong.join("\n"));
    }
}

#[tokio::test]
async fn a_whole_run_conforms_to_the_catalogue() {
    let stage = Stage::new(seed(1), at(EPOCH), true, &ALL).await;
    let mut samples: Vec<Sample> = stage.settled().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..16 {
        stage.clock.advance(GRID * 8);
        let report = stage.settled().await;
        assert!(report.is_up(), "{:?}", gaps(&report));
        let said = report.samples;
        samples.retain(|earlier| !said.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(said);
    }
    let mut metrics: Vec<&'static Metric> =
        GitHub::METRICS.iter().chain(CHECK_METRICS).chain(heartbeat::METRICS).copied().collect();
    metrics.extend(GitHub::CHECKS.iter().flat_map(|check| check.rows));
    // No part of a repository holds records that may make no sense one by one.
    metrics.retain(|row| row.name != "collector.unread");
    conforms(&metrics, &samples);
}

/// Each repository that holds something, with the people and what is configured, in the words of the truth.
fn each_repository(stage: &Stage, mut visit: impl FnMut(&Repository, &[Person], &Settings)) {
    let (organisation, settings) = (stage.sandbox.organisation(), settings());
    for repository in organisation.repositories.iter().filter(|repository| !repository.empty) {
        visit(repository, &organisation.people, &settings);
    }
}

/// Holds the counts of each slot against the truth of now; what waits for answers is not counted. How many were held.
fn compare_counts(stage: &Stage, report: &Report) -> usize {
    let mut held = 0;
    each_repository(stage, |repository, people, settings| {
        for (slot, told) in counts(report) {
            for (series, value) in sandbox::truth::github_counts(repository, people, slot, report.now, settings) {
                assert_eq!(told.get(&series), Some(&value), "{series} in the slot to {slot}");
                held += 1;
            }
        }
    });
    held
}

/// Holds the numbers of verdicts of the newest slot against the truth.
fn compare_verdicts(stage: &Stage, report: &Report) {
    let mut truth = Values::new();
    each_repository(stage, |repository, people, settings| {
        truth.extend(sandbox::truth::github_verdicts(repository, people, report.now, settings));
    });
    let judged = |(series, _): &(String, f64)| series.starts_with("health.checks.");
    let said: Values = counts(report).remove(&report.now).unwrap().into_iter().filter(judged).collect();
    let wrong = differences(&said, &truth);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What ended in this time, one value each.
fn observed_between(stage: &Stage, from: Timestamp, until: Timestamp) -> BTreeMap<String, Vec<f64>> {
    let mut truth = BTreeMap::new();
    each_repository(stage, |repository, people, settings| {
        truth.extend(sandbox::truth::github_observations(repository, people, (from, until), settings));
    });
    truth
}

#[tokio::test]
async fn counts_and_observations_equal_the_truth_of_forty_organisations() {
    let (mut counted, mut observed, mut all_known) = (0, 0, 0);
    for number in 200..240 {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, true, &ALL).await;
        let first = stage.run().await;
        assert!(first.is_up(), "seed {number}: a first run has no gap: {:?}", gaps(&first));
        assert_eq!(counts(&first).len(), 4, "a first run counts every slot that Datadog takes");
        counted += compare_counts(&stage, &first);
        let later = start + GRID * 3;
        stage.clock.set(later);
        let report = stage.run().await;
        assert!(report.is_up(), "seed {number}: {:?}", gaps(&report));
        if reruns(&stage, start, later) {
            continue;
        }
        assert_eq!(counts(&report).len(), 4, "every slot since the last run, and as many before it as Datadog takes");
        counted += compare_counts(&stage, &report);
        let said = observations(&report);
        let truth = observed_between(&stage, start, later);
        if pending(&report) == 0 {
            compare_verdicts(&stage, &report);
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
