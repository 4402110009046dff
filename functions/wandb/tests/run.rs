//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

use jiff::Timestamp;
use sandbox::truth::{self, WandbSettings};
use sandbox::{Organisation, Seed};
use shared::testing::{Values, at, conforms, counts, differences, gauges, observations, value};
use shared::{CHECK_METRICS, Collector, GRID, Metric, Report, Sample, heartbeat};
use stage::{EPOCH, Stage};
use std::collections::{BTreeMap, BTreeSet};
use wandb::WandB;

fn seed(number: u64) -> Seed {
    Seed { number, size: 0, epoch: at(EPOCH) }
}

/// A time on the grid within a day of the epoch, another one for each seed.
fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}

/// What is true of all projects together.
fn truth(organisation: &Organisation, now: Timestamp, settings: &WandbSettings) -> Values {
    let seen = organisation.projects.iter().filter(|project| project.visible);
    seen.flat_map(|project| truth::wandb(project, now, settings)).collect()
}

/// Every part is known, and the runs that tell nothing of their GPUs are as many as there are.
fn compare_unknown(report: &Report, organisation: &Organisation, settings: &WandbSettings) {
    assert!(report.is_up() && report.failed.is_empty(), "{}: {:?}", report.now, report.shares);
    for project in organisation.projects.iter().filter(|project| project.visible) {
        let target = format!("{}/{}", project.entity, project.name);
        let said = |name: &str| value(report, &name.replace("target:", &format!("target:{target}")));
        let truth = truth::wandb_unread(project, report.now, settings);
        assert_eq!(said("collector.target_up{target:}"), Some(1.0));
        let silent = said("collector.unread{part:gpus,target:}").map(|silent| silent.to_string());
        assert_eq!(silent, Some(truth.to_string()), "{}: {target}", report.now);
    }
}

/// Every other organisation is paid for, and has its own idea of a stale run and of nodes.
fn settings(number: u64) -> (Vec<(&'static str, &'static str)>, WandbSettings) {
    if number.is_multiple_of(2) {
        return (Vec::new(), WandbSettings::default());
    }
    let more = vec![
        ("PRICES", r#"{"gpu": {"h100": {"ondemand": 4.0, "spot": 1.5}}}"#),
        ("WANDB_GPU_TYPE", "NVIDIA-H100-SXM"),
        ("WANDB_PRICING", "spot"),
        ("WANDB_STALE_MINUTES", "90"),
        ("WANDB_NODES_KEY", "trainer.num_nodes"),
    ];
    (more, WandbSettings { price: Some(1.5), stale_minutes: 90, nodes: true, ..WandbSettings::default() })
}

async fn compare(numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let (more, settings) = settings(number);
        let mut now = time_of(number);
        let stage = Stage::new(seed(number), now, false, &more).await;
        let organisation = stage.sandbox.organisation();
        for step in 0..3 {
            let report = stage.run().await;
            compare_unknown(&report, organisation, &settings);
            let wrong = differences(&gauges(&report), &truth(organisation, now, &settings));
            let how = if step == 0 { "a full fetch" } else { "an incremental fetch" };
            assert!(wrong.is_empty(), "seed {number} at {now}, {how}:\n{}", wrong.join("\n"));
            now += GRID * i32::try_from(1 + (number + step) % 4).unwrap();
            stage.clock.set(now);
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

#[tokio::test]
async fn a_whole_run_conforms_to_the_catalogue() {
    let (more, _) = settings(1);
    let stage = Stage::new(seed(1), at(EPOCH), true, &more).await;
    let mut samples: Vec<Sample> = stage.run().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..12 {
        stage.clock.advance(GRID * 8);
        let said = stage.run().await.samples;
        samples.retain(|earlier| !said.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(said);
    }
    // Every part is read in one run.
    let own = heartbeat::METRICS.iter().filter(|metric| metric.name != "collector.pending");
    let metrics: Vec<&'static Metric> = WandB::METRICS.iter().chain(own).copied().collect();
    conforms(&metrics, &samples);
    assert!(samples.iter().all(|sample| !CHECK_METRICS.iter().any(|row| row.name == sample.name())));
}

/// Holds the counts of a run against the truth, and says how many there are.
fn compare_counts(stage: &Stage, report: &Report, number: u64) -> usize {
    let told = counts(report);
    let slots: Vec<Timestamp> = (0..4).rev().map(|back| report.now - GRID * back).collect();
    assert!(told.keys().eq(&slots), "seed {number}: every slot that Datadog still takes: {told:?}");
    for (slot, told) in &told {
        let seen = stage.sandbox.organisation().projects.iter().filter(|project| project.visible);
        let truth: Values = seen.flat_map(|project| truth::wandb_counts(project, *slot, report.now)).collect();
        assert_eq!(told, &truth, "seed {number}: the slot to {slot}");
    }
    told.values().map(Values::len).sum()
}

#[tokio::test]
async fn counts_and_observations_equal_the_truth_of_forty_organisations() {
    let (mut counted, mut observed) = (0, 0);
    for number in 200..240 {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, true, &[]).await;
        let first = stage.run().await;
        assert!(observations(&first).is_empty(), "a first run observes nothing");
        counted += compare_counts(&stage, &first, number);
        let later = start + GRID * 3;
        stage.clock.set(later);
        let report = stage.run().await;
        counted += compare_counts(&stage, &report, number);
        let mut truth: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for project in stage.sandbox.organisation().projects.iter().filter(|project| project.visible) {
            truth.extend(truth::wandb_observations(project, (start, later)));
        }
        let said = observations(&report);
        let names = |values: &BTreeMap<String, Vec<f64>>| values.keys().cloned().collect::<BTreeSet<String>>();
        assert_eq!(names(&said), names(&truth), "seed {number}");
        for (series, values) in &truth {
            let said = &said[series];
            let close = said.len() == values.len() && said.iter().zip(values).all(|(a, b)| (a - b).abs() < 1e-9);
            assert!(close, "seed {number}: {series}: said {said:?}, true {values:?}");
            observed += values.len();
        }
    }
    assert!(counted > 1000 && observed > 20, "{counted} counts, {observed} observations");
}
