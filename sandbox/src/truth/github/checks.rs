//! Checks of the same instant's levels: a value, its target and the verdict.

use super::{View, pulls, runs};
use crate::truth::book::{Book, word};

/// What a value is held against: `lt`, `le`, `ge` or `eq`, and a number.
#[derive(Debug, Clone, Copy)]
struct Condition {
    sign: &'static str,
    number: f64,
    /// The condition in words.
    words: &'static str,
}

impl Condition {
    fn holds(self, value: f64) -> bool {
        match self.sign {
            "lt" => value < self.number,
            "le" => value <= self.number,
            "ge" => value >= self.number,
            _ => (value - self.number).abs() < f64::EPSILON,
        }
    }
}

/// A check of one series.
#[derive(Debug, Clone)]
struct Check {
    name: &'static str,
    category: &'static str,
    workflow_name: String,
    task: String,
    aspect: &'static str,
    condition: Condition,
    unit: &'static str,
    /// The source's own tags besides the repository.
    tags: Vec<(&'static str, String)>,
    /// The source's value, unless it is absent or rests on too few observations.
    value: Option<f64>,
}

impl Check {
    fn status(&self) -> &'static str {
        match self.value {
            Some(value) if self.condition.holds(value) => "pass",
            Some(_) => "fail",
            None => "unknown",
        }
    }

    fn write(&self, repo: &str, book: &mut Book) {
        let mut tags = vec![
            ("workflow_category", self.category),
            ("workflow_name", &self.workflow_name),
            ("task", &self.task),
            ("check", self.aspect),
            ("condition", self.condition.words),
            ("status", self.status()),
            ("unit", self.unit),
            ("repo", repo),
        ];
        tags.extend(self.tags.iter().map(|(tag, value)| (*tag, value.as_str())));
        let name = format!("metta.infra.cron.{}", self.name);
        book.maybe(&name, &tags, self.value);
        book.put(&format!("{name}.target"), &tags, self.condition.number);
        let verdict = self.value.map(|value| if self.condition.holds(value) { 1.0 } else { 0.0 });
        book.maybe(&format!("{name}.status"), &tags, verdict);
    }
}

/// One row of the catalogue's table: name, source, tag of the source, category, workflow name, task, check, sign, number,
/// condition in words, unit.
type Row = (
    &'static str,
    &'static str,
    Option<(&'static str, &'static str)>,
    [&'static str; 4],
    &'static str,
    f64,
    &'static str,
    &'static str,
);

const TABLE: [Row; 12] = [
    (
        "ci.workflow.tests_blocking_merge",
        "github.ci.tests_passing_on_main",
        None,
        ["ci", "latest_state_of_main", "tests_blocking_merge", "workflow_passing"],
        "eq",
        1.0,
        "eq_1",
        "check",
    ),
    (
        "ci.workflow.benchmarks",
        "github.ci.benchmarks_passing",
        None,
        ["benchmarks", "latest_state_of_main", "benchmarks", "workflow_passing"],
        "eq",
        1.0,
        "eq_1",
        "check",
    ),
    (
        "ci.workflow.other_failing",
        "github.ci.workflows_failing",
        Some(("role", "other")),
        ["ci", "latest_state_of_main", "other_workflows", "failing_count"],
        "lt",
        2.0,
        "lt_2",
        "item",
    ),
    (
        "ci.workflow.flaky_tests",
        "github.ci.flaky_checks_7d",
        None,
        ["ci", "latest_state_of_main", "tests_blocking_merge", "flaky_tests"],
        "lt",
        10.0,
        "lt_10",
        "run",
    ),
    (
        "ci.workflow.success_rate",
        "github.ci.success_rate_pct",
        Some(("branch_scope", "default")),
        ["ci", "ci_smoothness", "workflow_success", "success_rate"],
        "ge",
        95.0,
        "ge_95pct",
        "percent",
    ),
    (
        "ci.workflow.duration.p90",
        "github.ci.duration_p90_minutes",
        None,
        ["ci", "ci_smoothness", "workflow_duration", "p90_minutes"],
        "lt",
        5.0,
        "lt_5m",
        "minute",
    ),
    (
        "ci.workflow.cancelled",
        "github.ci.timeout_cancellations_7d",
        None,
        ["ci", "ci_smoothness", "jobs_cancelled", "weekly_count"],
        "lt",
        10.0,
        "lt_10",
        "run",
    ),
    (
        "github.hotfix.count",
        "github.commits.hotfix",
        None,
        ["code", "weekly_summary", "hotfix_commits", "weekly_count"],
        "lt",
        5.0,
        "lt_5",
        "commit",
    ),
    (
        "github.force_merge.count",
        "github.commits.force_merge_7d",
        None,
        ["code", "weekly_summary", "force_merges", "weekly_count"],
        "lt",
        7.0,
        "lt_7",
        "commit",
    ),
    (
        "github.reverts.count",
        "github.commits.reverts",
        None,
        ["code", "weekly_summary", "reverts", "weekly_count"],
        "le",
        1.0,
        "le_1",
        "commit",
    ),
    (
        "github.stale_prs.count",
        "github.prs.stale_count_14d",
        None,
        ["code", "pr_flow", "stale_prs", "open_over_14d"],
        "le",
        20.0,
        "le_20",
        "item",
    ),
    (
        "github.pr_cycle_time.p90",
        "github.prs.cycle_time_hours.p90",
        None,
        ["code", "pr_flow", "pr_cycle_time", "p90_hours"],
        "le",
        48.0,
        "le_48h",
        "hour",
    ),
];

/// A percentile of fewer values than this is not judged.
const FEWEST: usize = 5;

fn checks(view: View, book: &Book) -> Vec<Check> {
    let repo = view.repo();
    let mut checks: Vec<Check> = TABLE.iter().map(|row| of_table(view, book, row)).collect();
    checks.extend(runs::blocking_results(view, book).into_iter().map(|(workflow, value)| Check {
        name: "ci.workflow.success",
        category: "ci",
        workflow_name: workflow.clone(),
        task: "tests_blocking_merge".to_owned(),
        aspect: "workflow_success",
        condition: Condition { sign: "eq", number: 1.0, words: "eq_success" },
        unit: "check",
        tags: vec![("workflow", workflow), ("role", "blocking".to_owned())],
        value: Some(value),
    }));
    checks.extend(view.settings.bug_labels.iter().map(|label| Check {
        name: "github.bugs.count",
        category: "code",
        workflow_name: "bug_queue".to_owned(),
        task: word("task", label),
        aspect: "open_count",
        condition: Condition { sign: "lt", number: 1.0, words: "lt_1" },
        unit: "item",
        tags: vec![("label", label.clone())],
        value: book.get("github.issues.open", &[("repo", &repo), ("label", label)]),
    }));
    checks
}

fn of_table(view: View, book: &Book, row: &Row) -> Check {
    let (name, source, tag, [category, workflow_name, task, check], sign, number, words, unit) = *row;
    let enough = match name {
        "ci.workflow.duration.p90" => runs::duration_observations(view) >= FEWEST,
        "github.pr_cycle_time.p90" => pulls::cycle_observations(view) >= FEWEST,
        _ => true,
    };
    let repo = view.repo();
    let tags: Vec<(&str, &str)> = [("repo", repo.as_str())].into_iter().chain(tag).collect();
    Check {
        name,
        category,
        workflow_name: workflow_name.to_owned(),
        task: task.to_owned(),
        aspect: check,
        condition: Condition { sign, number, words },
        unit,
        tags: tag.into_iter().map(|(tag, value)| (tag, value.to_owned())).collect(),
        value: book.get(source, &tags).filter(|_| enough),
    }
}

/// The checks themselves, and how many of them came out how; those of code belong to the area of ci.
pub(super) fn levels(view: View, book: &mut Book) {
    let checks = checks(view, book);
    for status in ["pass", "fail", "unknown"] {
        book.put("health.checks", &[("area", "ci"), ("status", status)], 0.0);
    }
    for check in checks {
        check.write(&view.repo(), book);
        book.add("health.checks", &[("area", "ci"), ("status", check.status())], 1.0);
    }
}

/// One for each check judged, and for each that passed.
pub(super) fn counts(view: View, levels: &Book, book: &mut Book) {
    for check in checks(view, levels) {
        let tags = [("workflow_name", check.workflow_name.as_str()), ("task", &check.task), ("check", check.aspect)];
        let flag = |yes: bool| if yes { 1.0 } else { 0.0 };
        book.add("health.checks.judged.new", &tags, flag(check.value.is_some()));
        book.add("health.checks.passed.new", &tags, flag(check.status() == "pass"));
    }
}
