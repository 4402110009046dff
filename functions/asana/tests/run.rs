//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

use asana::Asana;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sandbox::Seed;
use sandbox::truth::AsanaSettings;
use shared::testing::{at, conforms, counts, differences, gauges, observations};
use shared::{CHECK_METRICS, Collector, GRID, Metric, Report, Sample, heartbeat};
use stage::{EPOCH, Stage};
use std::collections::BTreeMap;

/// Everything that may be set, away from its default.
const ALL: [(&str, &str); 3] = [
    ("ASANA_TIMEZONE", "Pacific/Auckland"),
    ("ASANA_BUGS_LABELS", "Training,Regression,Severity"),
    ("ASANA_BUGS_SECTIONS", "backlog=backlog,active=ACTIVE,active=doing,triage=triage"),
];

/// The same in the words of the truth.
fn settings(stage: &Stage) -> AsanaSettings {
    let sections = [("backlog", "backlog"), ("active", "ACTIVE"), ("active", "doing"), ("triage", "triage")];
    AsanaSettings {
        timezone: TimeZone::get("Pacific/Auckland").unwrap(),
        labels: ["Training", "Regression", "Severity"].map(str::to_owned).into(),
        sections: sections.map(|(kind, text)| (kind.to_owned(), text.to_owned())).into(),
        ..AsanaSettings::of(stage.workspace())
    }
}

fn seed(number: u64) -> Seed {
    Seed { number, size: 0, epoch: at(EPOCH) }
}

/// A time on the grid within two days of the epoch, another one for each seed.
fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}

fn wrong(stage: &Stage, report: &Report, settings: &AsanaSettings) -> Vec<String> {
    differences(&gauges(report), &sandbox::truth::asana(stage.workspace(), stage.clock.now(), settings))
}

/// Whether something happened that what changed does not tell of: a task was deleted or taken out of a project.
fn lost(stage: &Stage, from: Timestamp, until: Timestamp) -> bool {
    let then = |at: Timestamp| from < at && at <= until;
    stage.workspace().tasks.iter().any(|task| {
        let left = task.memberships.windows(2).any(|pair| {
            let [(_, before), (at, after)] = pair else { return false };
            let stays = |project: usize| after.iter().any(|place| place.project == project);
            then(*at) && before.iter().any(|place| !stays(place.project))
        });
        left || task.deleted_at.is_some_and(then)
    })
}

async fn compare(numbers: std::ops::Range<u64>) {
    let (mut compared, all) = (0, numbers.end - numbers.start);
    for number in numbers {
        let start = time_of(number);
        // Half of them with the defaults.
        let stage = Stage::new(seed(number), start, false, if number % 2 == 0 { &ALL } else { &[] }).await;
        let settings = if number % 2 == 0 { settings(&stage) } else { AsanaSettings::of(stage.workspace()) };
        let report = stage.run().await;
        assert!(report.is_up(), "seed {number}: {:?}", report.shares);
        let differs = wrong(&stage, &report, &settings);
        assert!(differs.is_empty(), "seed {number} at {start}, a full fetch:\n{}", differs.join("\n"));
        let mut last = start;
        for step in [1, 1 + number % 4, 2] {
            let later = last + GRID * i32::try_from(step).unwrap();
            stage.clock.set(later);
            let report = stage.run().await;
            assert!(report.is_up(), "seed {number}: {:?}", report.shares);
            if lost(&stage, start, later) {
                break;
            }
            let differs = wrong(&stage, &report, &settings);
            assert!(differs.is_empty(), "seed {number} at {later}, an incremental fetch:\n{}", differs.join("\n"));
            compared += 1;
            last = later;
        }
    }
    assert!(compared > 2 * all, "{compared} incremental fetches were compared for {all} organisations");
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
async fn a_search_gives_the_same_numbers_as_the_lists() {
    for number in 0..20 {
        let stage = Stage::new(seed(number), time_of(number), false, &[("ASANA_SEARCH", "on")]).await;
        stage.sandbox.asana().premium(true);
        for _ in 0..2 {
            let report = stage.run().await;
            assert!(report.is_up(), "seed {number}: {:?}", report.shares);
            let differs = wrong(&stage, &report, &AsanaSettings::of(stage.workspace()));
            assert!(differs.is_empty(), "seed {number}:\n{}", differs.join("\n"));
            let asked = stage.sandbox.faults().requests("asana");
            assert!(asked.iter().filter(|(_, path)| path.contains("/tasks?")).count() < 20);
            stage.clock.advance(GRID);
            stage.sandbox.faults().forget_requests();
            if lost(&stage, time_of(number), stage.clock.now()) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn only_the_tasks_of_the_configured_projects_count_archived_ones_included() {
    for number in 0..10 {
        let stage = Stage::new(seed(number), time_of(number), false, &[]).await;
        let now = stage.clock.now();
        let there = stage
            .workspace()
            .projects
            .iter()
            .filter(|project| project.created_at <= now && project.deleted_at.is_none_or(|gone| now < gone));
        let projects: Vec<String> = there.map(|project| project.gid.clone()).step_by(3).collect();
        let stage = Stage::on(stage.sandbox, false, &[("ASANA_TASK_PROJECTS", &projects.join(","))]).await;
        let settings = AsanaSettings { projects, ..AsanaSettings::of(stage.workspace()) };
        let differs = wrong(&stage, &stage.run().await, &settings);
        assert!(differs.is_empty(), "seed {number}:\n{}", differs.join("\n"));
    }
}

#[tokio::test]
async fn without_a_project_of_bugs_its_rows_and_its_check_are_absent_and_nothing_is_missing() {
    let stage = Stage::new(seed(1), at(EPOCH), false, &[("ASANA_BUGS_PROJECTS", "")]).await;
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", report.shares);
    let settings = AsanaSettings { bugs: None, ..AsanaSettings::of(stage.workspace()) };
    assert_eq!(wrong(&stage, &report, &settings), Vec::<String>::new());
    let bugs = |sample: &&Sample| sample.name().contains("bug");
    assert_eq!(report.samples.iter().filter(bugs).count(), 0);
}

#[tokio::test]
async fn a_whole_run_conforms_to_the_catalogue() {
    let stage = Stage::new(seed(1), at(EPOCH), true, &ALL).await;
    let mut samples: Vec<Sample> = stage.run().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..16 {
        stage.clock.advance(GRID * 8);
        let said = stage.run().await.samples;
        samples.retain(|earlier| !said.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(said);
    }
    let mut metrics: Vec<&'static Metric> =
        Asana::METRICS.iter().chain(CHECK_METRICS).chain(heartbeat::METRICS).copied().collect();
    metrics.extend(Asana::CHECKS.iter().flat_map(|check| check.rows));
    // Asana names no quota, and what cannot be read of a list makes it a gap.
    metrics.retain(|metric| !["collector.api_budget_pct", "collector.unread"].contains(&metric.name));
    conforms(&metrics, &samples);
}

/// Holds observations against the truth, and says how many there are.
fn agree(said: &BTreeMap<String, Vec<f64>>, truth: &BTreeMap<String, Vec<f64>>, number: u64) -> usize {
    assert!(said.keys().eq(truth.keys()), "seed {number}: {said:?}, true {truth:?}");
    for (series, values) in truth {
        let said = &said[series];
        let same =
            said.len() == values.len() && said.iter().zip(values).all(|(said, value)| (said - value).abs() < 1e-9);
        assert!(same, "seed {number}: {series}: said {said:?}, true {values:?}");
    }
    truth.values().map(Vec::len).sum()
}

/// Holds the counts of a run against the truth, and says how many slots and how many verdicts there are.
fn compare_counts(stage: &Stage, report: &Report, number: u64) -> (usize, usize) {
    let settings = AsanaSettings::of(stage.workspace());
    let told = counts(report);
    let slots: Vec<Timestamp> = (0..4).rev().map(|back| report.now - GRID * back).collect();
    assert!(told.keys().eq(&slots), "seed {number}: every slot that Datadog still takes: {told:?}");
    let verdicts = sandbox::truth::asana_verdicts(stage.workspace(), report.now, &settings);
    let mut counted = 0;
    for (slot, told) in &told {
        let mut truth = sandbox::truth::asana_counts(stage.workspace(), *slot, report.now, &settings);
        counted += truth.len();
        // The run's own counts are of its own slot alone.
        truth.extend(verdicts.clone().into_iter().filter(|_| *slot == report.now));
        assert_eq!(told, &truth, "seed {number}: the slot to {slot}");
    }
    (counted, verdicts.len())
}

#[tokio::test]
async fn counts_and_observations_equal_the_truth_of_forty_organisations() {
    let (mut counted, mut observed, mut judged) = (0, 0, 0);
    for number in 200..240 {
        let start = time_of(number);
        let stage = Stage::new(seed(number), start, true, &[]).await;
        let settings = AsanaSettings::of(stage.workspace());
        let first = stage.run().await;
        assert!(observations(&first).is_empty(), "a first run observes nothing");
        let (slots, verdicts) = compare_counts(&stage, &first, number);
        (counted, judged) = (counted + slots, judged + verdicts);
        // The first of them is continued, the second is too late for that.
        for (from, later) in [(start, start + GRID * 3), (start + GRID * 3, start + GRID * 35)] {
            stage.clock.set(later);
            let report = stage.run().await;
            if later < start + GRID * 8 && lost(&stage, from, later) {
                continue;
            }
            let (slots, verdicts) = compare_counts(&stage, &report, number);
            (counted, judged) = (counted + slots, judged + verdicts);
            let truth = sandbox::truth::asana_observations(stage.workspace(), (from, later), &settings);
            observed += agree(&observations(&report), &truth, number);
            assert!(observations(&stage.run().await).is_empty(), "seed {number}: each of them once");
        }
    }
    assert!(
        counted > 260 && observed > 10 && judged > 80,
        "{counted} counts, {observed} observations, {judged} verdicts"
    );
}

#[tokio::test]
async fn the_reference_organisation_costs_as_many_calls_as_the_catalogue_allows_and_so_does_one_ten_times_as_large() {
    for (size, most, least) in [(1, 137, 100), (10, 1362, 1000)] {
        let stage = Stage::new(Seed { size, ..seed(1) }, at(EPOCH), false, &[("ASANA_BUDGET", "1500")]).await;
        let whole = stage.run().await;
        assert!(whole.is_up(), "{:?}", whole.shares);
        stage.clock.advance(GRID);
        let continued = stage.run().await;
        assert!(continued.is_up(), "{:?}", continued.shares);
        println!("size {size}: whole {} calls, continued {} calls", whole.calls, continued.calls);
        assert!(least < whole.calls && whole.calls <= most, "{}", whole.calls);
        assert!(continued.calls <= whole.calls, "{}", continued.calls);
    }
}

#[tokio::test]
async fn a_fetch_stays_within_the_calls_of_the_catalogue() {
    for (size, full, continued) in [(1, 2 + 5 + 130, 25), (10, 12 + 50 + 1300, 180)] {
        let stage = Stage::new(Seed { size, ..seed(1) }, at(EPOCH), false, &[("ASANA_BUDGET", "1500")]).await;
        let report = stage.run().await;
        assert!(report.is_up() && report.calls <= full, "size {size}: {} calls", report.calls);
        for _ in 0..2 {
            stage.clock.advance(GRID);
            let report = stage.run().await;
            assert!(report.is_up() && report.calls <= continued, "size {size}: {} calls", report.calls);
        }
    }
}
