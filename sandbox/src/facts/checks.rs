//! The verdicts on the values, and their worth between 0 and 1.

use super::Values;
use super::runs::{blocking, decided};
use super::scene::{Scene, count, plain, series};
use std::collections::BTreeMap;

/// A check as its row of the definition says it.
struct Row {
    name: &'static str,
    source: String,
    category: &'static str,
    workflow: String,
    task: String,
    check: &'static str,
    condition: &'static str,
    target: f64,
    unit: &'static str,
    own: Vec<(&'static str, String)>,
}

/// Whether a value meets a condition in words.
fn holds(condition: &str, target: f64, value: f64) -> bool {
    match condition.split('_').next() {
        Some("lt") => value < target,
        Some("le") => value <= target,
        Some("ge") => value >= target,
        _ => (value - target).abs() < 1e-12,
    }
}

/// The checks of one value each, as the definitions have them: name, source, which of it, category, workflow, task, check,
/// condition, unit.
const SINGLE: &str = "
    ci.workflow.tests_blocking_merge github.ci.tests_passing_on_main    -                    ci         latest_state_of_main tests_blocking_merge workflow_passing eq_1     check
    ci.workflow.benchmarks           github.ci.benchmarks_passing       -                    benchmarks latest_state_of_main benchmarks           workflow_passing eq_1     check
    ci.workflow.other_failing        github.ci.workflows_failing        role:other           ci         latest_state_of_main other_workflows      failing_count    lt_2     item
    ci.workflow.flaky_tests          github.ci.flaky_checks_7d          -                    ci         latest_state_of_main tests_blocking_merge flaky_tests      lt_10    run
    ci.workflow.success_rate         github.ci.success_rate_pct         branch_scope:default ci         ci_smoothness        workflow_success     success_rate     ge_95pct percent
    ci.workflow.duration.p90         github.ci.duration_p90_minutes     -                    ci         ci_smoothness        workflow_duration    p90_minutes      lt_5m    minute
    ci.workflow.cancelled            github.ci.timeout_cancellations_7d -                    ci         ci_smoothness        jobs_cancelled       weekly_count     lt_10    run
    github.hotfix.count              github.commits.hotfix              -                    code       weekly_summary       hotfix_commits       weekly_count     lt_5     commit
    github.force_merge.count         github.commits.force_merge_7d      -                    code       weekly_summary       force_merges         weekly_count     lt_7     commit
    github.reverts.count             github.commits.reverts             -                    code       weekly_summary       reverts              weekly_count     le_1     commit
    github.stale_prs.count           github.prs.stale_count_14d         -                    code       pr_flow              stale_prs            open_over_14d    le_20    item
    github.pr_cycle_time.p90         github.prs.cycle_time_hours.p90    -                    code       pr_flow              pr_cycle_time        p90_hours        le_48h   hour
";

/// A row of that table for a repository; the number of its condition is its target.
fn single(line: &'static str, repo: &str) -> Option<Row> {
    let mut words = line.split_whitespace();
    let mut word = || words.next();
    let (name, metric, which) = (word()?, word()?, word()?);
    let own: Vec<(&'static str, &str)> = which.split_once(':').into_iter().collect();
    let tags: Vec<(&'static str, &str)> = std::iter::once(("repo", repo)).chain(own.iter().copied()).collect();
    let source = series(metric, &tags);
    let own = own.into_iter().map(|(key, value)| (key, value.to_owned())).collect();
    let (category, workflow, task) = (word()?, word()?.to_owned(), word()?.to_owned());
    let (check, condition, unit) = (word()?, word()?, word()?);
    let number: String = condition.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let target = number.parse().ok()?;
    Some(Row { name, source, category, workflow, task, check, condition, target, unit, own })
}

fn rows(scene: &Scene<'_>) -> Vec<Row> {
    let repo = scene.repo();
    let mut rows: Vec<Row> = SINGLE.lines().filter_map(|line| single(line, &repo)).collect();
    rows.extend(scene.settings.bugs.iter().map(|label| Row {
        name: "github.bugs.count",
        source: series("github.issues.open", &[("repo", &repo), ("label", label)]),
        category: "code",
        workflow: "bug_queue".to_owned(),
        task: label.clone(),
        check: "open_count",
        condition: "lt_1",
        target: 1.0,
        unit: "item",
        own: vec![("label", label.clone())],
    }));
    rows.extend(blocking(scene).into_iter().map(|workflow| Row {
        name: "ci.workflow.success",
        source: series("github.ci.workflow_passing", &[("repo", &repo), ("role", "blocking"), ("workflow", &workflow)]),
        category: "ci",
        workflow: plain(&workflow),
        task: "tests_blocking_merge".to_owned(),
        check: "workflow_success",
        condition: "eq_success",
        target: 1.0,
        unit: "check",
        own: vec![("role", "blocking".to_owned()), ("workflow", workflow)],
    }));
    rows
}

/// Each check with its value and whether that passes, as far as they are known.
fn verdicts(scene: &Scene<'_>, values: &Values) -> Vec<(Row, Option<f64>, Option<bool>)> {
    let merges = values.get(&series("github.prs.merged_7d", &[("repo", &scene.repo())])).copied().unwrap_or_default();
    let few_runs = decided(scene) < 5;
    let verdict = |row: Row| {
        let too_few = (row.name == "ci.workflow.duration.p90" && few_runs)
            || (row.name == "github.pr_cycle_time.p90" && merges < 5.0);
        let value = values.get(&row.source).copied().filter(|_| !too_few);
        let passed = value.map(|value| holds(row.condition, row.target, value));
        (row, value, passed)
    };
    rows(scene).into_iter().map(verdict).collect()
}

/// The verdicts on these values, in the counts that add up over time.
pub(super) fn count_verdicts(scene: &Scene<'_>, values: &Values) -> Values {
    let mut counts = Values::new();
    let repo = scene.repo();
    for (row, _, passed) in verdicts(scene, values) {
        let tags =
            [("target", repo.as_str()), ("workflow_name", &row.workflow), ("task", &row.task), ("check", row.check)];
        let mut add = |name, is: bool| *counts.entry(series(name, &tags)).or_default() += f64::from(u8::from(is));
        add("health.checks.judged.new", passed.is_some());
        add("health.checks.passed.new", passed == Some(true));
    }
    counts
}

pub(super) fn tell(scene: &Scene<'_>, values: &mut Values) {
    let repo = scene.repo();
    let mut totals: BTreeMap<&str, usize> = ["pass", "fail", "unknown"].map(|status| (status, 0)).into();
    for (row, value, passed) in verdicts(scene, values) {
        let status = passed.map_or("unknown", |passed| if passed { "pass" } else { "fail" });
        *totals.entry(status).or_default() += 1;
        let mut tags: Vec<(&str, &str)> = vec![
            ("workflow_category", row.category),
            ("workflow_name", &row.workflow),
            ("task", &row.task),
            ("check", row.check),
            ("condition", row.condition),
            ("status", status),
            ("unit", row.unit),
        ];
        tags.extend(row.own.iter().map(|(key, value)| (*key, value.as_str())));
        let name = format!("metta.infra.cron.{}", row.name);
        scene.put(values, &name, &tags, value);
        scene.put(values, &format!("{name}.target"), &tags, Some(row.target));
        let verdict = passed.map(|passed| if passed { 1.0 } else { 0.0 });
        scene.put(values, &format!("{name}.status"), &tags, verdict);
        scene.put(values, "health.check.state", &state_tags(&row, &repo), verdict);
    }
    for (status, number) in totals {
        let tags = [("area", "ci"), ("status", status), ("target", repo.as_str())];
        values.insert(series("health.checks", &tags), count(number));
    }
    worths(scene, values);
}

/// The tags of the one row for all verdicts: who is judged, by what, and of what.
fn state_tags<'r>(row: &'r Row, repo: &'r str) -> Vec<(&'r str, &'r str)> {
    let judged =
        [("target", repo), ("workflow_name", row.workflow.as_str()), ("task", &row.task), ("check", row.check)];
    judged.into_iter().chain(row.own.iter().map(|(key, value)| (*key, value.as_str()))).collect()
}

fn worths(scene: &Scene<'_>, values: &mut Values) {
    let of = |values: &Values, name: &str| values.get(&series(name, &[("repo", &scene.repo())])).copied();
    let clamp = |x: f64| x.clamp(0.0, 1.0);
    let down = |from: f64, width: f64| move |x: f64| clamp(1.0 - (x - from) / width);
    let told: Vec<(&str, Option<f64>)> = vec![
        ("tests_passing", of(values, "github.ci.tests_passing_on_main").map(|x| if x > 0.0 { 1.0 } else { 0.0 })),
        ("failing_workflows", of(values, "github.ci.failed_workflows_7d").map(down(0.0, 5.0))),
        ("hotfix_count", of(values, "github.commits.hotfix").map(down(0.0, 10.0))),
        ("revert_count", of(values, "github.commits.reverts").map(down(0.0, 2.0))),
        ("duration_p90", of(values, "github.ci.duration_p90_minutes").map(down(3.0, 7.0))),
        ("stale_prs", of(values, "github.prs.stale_count_14d").map(down(0.0, 50.0))),
        ("pr_cycle_time", of(values, "github.prs.cycle_time_hours").map(down(24.0, 48.0))),
        ("force_merge_count", of(values, "github.commits.force_merge_7d").map(down(0.0, 14.0))),
        ("timeout_cancellations", of(values, "github.ci.timeout_cancellations_7d").map(down(0.0, 20.0))),
        ("flaky_checks", of(values, "github.ci.flaky_checks_7d").map(down(0.0, 20.0))),
    ];
    let benchmarks: Vec<f64> = values
        .iter()
        .filter(|(name, _)| name.starts_with("github.ci.workflow_passing{") && name.contains("role:benchmark"))
        .map(|(_, value)| *value)
        .collect();
    for (name, value) in told {
        scene.put(values, &format!("health.ci.{name}.fom"), &[], value);
    }
    if !benchmarks.is_empty() {
        let share = benchmarks.iter().sum::<f64>() / count(benchmarks.len());
        scene.put(values, "health.ci.benchmarks_passing.fom", &[], Some(share));
    }
}
