//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

use jiff::Timestamp;
use sandbox::model::skypilot::Server;
use sandbox::truth::{self, SkySettings};
use shared::testing::{Values, at, conforms, counts, differences, gauges, observations, value};
use shared::{Collector, GRID, Metric, Report, Sample, heartbeat};
use skypilot::SkyPilot;
use stage::{EPOCH, Stage, seed};
use std::collections::{BTreeMap, BTreeSet};

/// A time on the grid within two days of the epoch, another one for each seed.
fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}

/// The server of this alias.
fn server<'a>(stage: &'a Stage, alias: &str) -> &'a Server {
    stage.sandbox.organisation().skypilot.iter().find(|server| server.alias == alias).unwrap()
}

/// What is true of all servers together.
fn truth_of(stage: &Stage, now: Timestamp) -> Values {
    let servers = &stage.sandbox.organisation().skypilot;
    servers.iter().flat_map(|server| truth::skypilot(server, now, &SkySettings::default())).collect()
}

/// Holds what a run says it does not know against what cannot be known.
fn compare_unknown(stage: &Stage, report: &Report, what: &str) {
    for share in &report.shares {
        let (server, now) = (server(stage, &share.target), report.now);
        let said: BTreeSet<&str> = share.findings.gaps.keys().copied().collect();
        let truth = truth::skypilot_gaps(server, now);
        assert_eq!(said, truth, "{what}: {}", share.target);
        let up = value(report, &format!("collector.target_up{{target:{}}}", share.target));
        assert_eq!(up, Some(f64::from(u8::from(truth.is_empty()))), "{what}: {}", share.target);
        assert_eq!(share.findings.unread, truth::skypilot_unread(server, now), "{what}: {}", share.target);
        for (part, records) in truth::skypilot_unread(server, now) {
            let said = value(report, &format!("collector.unread{{part:{part},target:{}}}", share.target));
            assert_eq!(said.map(|said| said.to_string()), Some(records.to_string()), "{what}: {part}");
        }
    }
}

async fn compare(numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let start = time_of(number);
        let stage = Stage::new(seed(number, 0), start, false, &[]).await;
        let report = stage.run().await;
        compare_unknown(&stage, &report, &format!("seed {number}"));
        let wrong = differences(&gauges(&report), &truth_of(&stage, start));
        assert!(wrong.is_empty(), "seed {number} at {start}, a full fetch:\n{}", wrong.join("\n"));
        for step in [1, 3] {
            let later = stage.clock.now() + GRID * step;
            stage.clock.set(later);
            stage.sandbox.faults().forget_requests();
            let report = stage.run().await;
            compare_unknown(&stage, &report, &format!("seed {number}"));
            let wrong = differences(&gauges(&report), &truth_of(&stage, later));
            assert!(wrong.is_empty(), "seed {number} at {later}, an incremental fetch:\n{}", wrong.join("\n"));
        }
    }
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

/// Holds the counts of a run against the truth: how many there are, and what they sum up to.
fn compare_counts(stage: &Stage, report: &Report, number: u64) -> (usize, f64) {
    let (told, mut counted, mut ended) = (counts(report), 0, 0.0);
    let slots: Vec<Timestamp> = (0..4).rev().map(|back| report.now - GRID * back).collect();
    assert!(told.keys().eq(&slots), "seed {number}: every slot that Datadog still takes: {told:?}");
    for (slot, told) in &told {
        let mut truth = Values::new();
        for server in &stage.sandbox.organisation().skypilot {
            truth.extend(truth::skypilot_counts(server, *slot, report.now, &SkySettings::default()));
        }
        assert_eq!(told, &truth, "seed {number}: the slot to {slot}");
        counted += truth.len();
        ended += truth.values().sum::<f64>();
    }
    (counted, ended)
}

#[tokio::test]
async fn counts_and_observations_equal_the_truth_of_forty_organisations() {
    let (mut counted, mut observed, mut ended) = (0, 0, 0.0);
    for number in 200..240 {
        let start = time_of(number);
        let stage = Stage::new(seed(number, 0), start, true, &[]).await;
        let first = stage.run().await;
        assert!(observations(&first).is_empty(), "a first run observes nothing");
        let (some, over) = compare_counts(&stage, &first, number);
        (counted, ended) = (counted + some, ended + over);
        // Three quarters of an hour, or six hours, of which the last slots can still be delivered.
        let later = start + GRID * if number % 2 == 0 { 3 } else { 24 };
        stage.clock.set(later);
        let report = stage.run().await;
        let (some, over) = compare_counts(&stage, &report, number);
        (counted, ended) = (counted + some, ended + over);
        let said = observations(&report);
        let mut truth: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for server in &stage.sandbox.organisation().skypilot {
            truth.extend(truth::skypilot_observations(server, (start, later), &SkySettings::default()));
        }
        assert_eq!(said.keys().collect::<Vec<_>>(), truth.keys().collect::<Vec<_>>(), "seed {number}");
        for (series, values) in &truth {
            let said = &said[series];
            let close = said.len() == values.len() && said.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-6);
            assert!(close, "seed {number}: {series}: said {said:?}, true {values:?}");
            observed += values.len();
        }
        let again = stage.run().await;
        assert!(observations(&again).is_empty(), "what ended is observed once");
    }
    assert!(counted > 900 && observed > 40 && ended > 20.0, "{counted} counts of {ended}, {observed} observations");
}

#[tokio::test]
async fn a_whole_run_conforms_to_the_catalogue() {
    let stage = Stage::new(seed(1, 1), at(EPOCH), true, &[]).await;
    let mut samples: Vec<Sample> = stage.run().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..6 {
        stage.clock.advance(GRID * 4);
        let said = stage.run().await.samples;
        samples.retain(|earlier| !said.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(said);
    }
    // These servers have no quota, and are read in one run.
    let absent = ["collector.api_budget_pct", "collector.pending"];
    let own = heartbeat::METRICS.iter().filter(|metric| !absent.contains(&metric.name));
    let metrics: Vec<&'static Metric> = SkyPilot::METRICS.iter().chain(own).copied().collect();
    conforms(&metrics, &samples);
    assert_eq!(SkyPilot::METRICS.len(), 40);
}

#[tokio::test]
async fn a_snapshot_that_is_too_old_or_of_another_configuration_is_not_continued() {
    let stage = Stage::new(seed(2, 0), at(EPOCH), false, &[]).await;
    let lists = |stage: &Stage| {
        let asked = stage.sandbox.faults().requests("skypilot");
        stage.sandbox.faults().forget_requests();
        asked.len()
    };
    stage.run().await;
    let full = lists(&stage);
    stage.clock.advance(GRID * 9);
    let report = stage.run().await;
    assert_eq!(lists(&stage), full, "two hours and a quarter are too long");
    assert!(differences(&gauges(&report), &truth_of(&stage, stage.clock.now())).is_empty());
    // Quarter after quarter it is continued, and healed after a day.
    for _ in 0..14 {
        stage.clock.advance(GRID * 7);
        let report = stage.run().await;
        assert!(differences(&gauges(&report), &truth_of(&stage, stage.clock.now())).is_empty(), "{}", report.now);
    }
}
