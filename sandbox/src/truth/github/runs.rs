//! Workflow runs: what they ended with, how long they took, and what that says about the default branch.

use super::{FORTNIGHT, Observation, SLOT, View, WEEK};
use crate::model::github::{Attempt, Job, Run, Workflow};
use crate::truth::book::{Book, word};
use crate::truth::statistics::{mean, percentile, ratio, seconds, size};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The roles a workflow may have, a closed set.
const ROLES: [&str; 3] = ["blocking", "benchmark", "other"];

/// A run that was over by now, by its newest attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Over<'a> {
    pub(super) run: &'a Run,
    pub(super) attempt: &'a Attempt,
    number: usize,
    pub(super) at: Timestamp,
}

impl Over<'_> {
    fn passed(&self) -> bool {
        self.attempt.conclusion == "success"
    }

    fn failed(&self) -> bool {
        is_failure(self.attempt.conclusion)
    }

    fn decisive(&self) -> bool {
        self.passed() || self.failed()
    }

    fn minutes(&self) -> Option<f64> {
        let minutes = seconds(self.attempt.started_at, self.at) / 60.0;
        (0.0..=35.0 * 24.0 * 60.0).contains(&minutes).then_some(minutes)
    }
}

fn is_failure(conclusion: &str) -> bool {
    matches!(conclusion, "failure" | "timed_out" | "startup_failure")
}

/// Runs created in the window of this length.
fn created(view: View<'_>, length: SignedDuration) -> Vec<&Run> {
    view.repository.runs.iter().filter(|run| view.within(length, run.created_at)).collect()
}

/// The run as far as it is over: by the newest attempt that has begun, and only if that has ended.
fn over<'a>(view: View<'a>, run: &'a Run) -> Option<Over<'a>> {
    let begun = run.attempts.iter().enumerate().rfind(|(_, attempt)| view.past(attempt.started_at));
    let (place, attempt) = begun?;
    let at = attempt.completed_at.filter(|at| view.past(*at))?;
    Some(Over { run, attempt, number: place + 1, at })
}

fn all_over(view: View<'_>, length: SignedDuration) -> Vec<Over<'_>> {
    created(view, length).into_iter().filter_map(|run| over(view, run)).collect()
}

/// Whether a run is one on the default branch.
fn on_branch(view: View, run: &Run) -> bool {
    let of_pull = matches!(run.event, "pull_request" | "pull_request_target");
    run.head_branch == view.branch() && !run.from_fork && !of_pull
}

/// Runs on the default branch that passed by now, whenever that was: what was deployed by a workflow.
pub(super) fn passed_on_branch<'a>(view: View<'a>, workflow: &'a Workflow) -> Vec<Over<'a>> {
    let runs = view.repository.runs.iter().filter(|run| run.workflow == workflow.id && on_branch(view, run));
    runs.filter_map(|run| over(view, run)).filter(Over::passed).collect()
}

/// Whether a configured name means this workflow: its display name or its file.
pub(super) fn means(name: &str, workflow: &Workflow) -> bool {
    let file = workflow.path.rsplit('/').next().unwrap_or_default();
    [workflow.name.as_str(), workflow.path.as_str(), file].contains(&name)
}

fn is_benchmark(view: View, workflow: &Workflow) -> bool {
    if let Some(names) = &view.settings.benchmark_workflows {
        return names.iter().any(|name| means(name, workflow));
    }
    let name = workflow.name.to_lowercase();
    name.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == "benchmark")
}

fn is_blocking(view: View, workflow: &Workflow) -> bool {
    if let Some(names) = &view.settings.blocking_workflows {
        return names.iter().any(|name| means(name, workflow));
    }
    let by_push = |run: &&Run| matches!(run.event, "push" | "merge_group") && run.workflow == workflow.id;
    !is_benchmark(view, workflow)
        && created(view, FORTNIGHT).into_iter().filter(by_push).any(|run| on_branch(view, run))
}

fn role(view: View, workflow: &Workflow) -> &'static str {
    match (is_blocking(view, workflow), is_benchmark(view, workflow)) {
        (true, _) => "blocking",
        (false, true) => "benchmark",
        (false, false) => "other",
    }
}

/// Whether the newest decisive run of a workflow on the default branch passed.
fn passing(view: View, workflow: &Workflow, role: &str) -> Option<bool> {
    let length = if role == "other" { WEEK } else { FORTNIGHT };
    let runs = created(view, length).into_iter().filter(|run| run.workflow == workflow.id && on_branch(view, run));
    let newest = runs.filter_map(|run| over(view, run)).filter(Over::decisive).max_by_key(|over| over.run.run_number);
    newest.map(|over| over.passed())
}

/// 0 if any failed, else 1 if all passed, else nothing.
fn verdict(results: &[Option<bool>]) -> Option<f64> {
    if results.contains(&Some(false)) {
        Some(0.0)
    } else if results.is_empty() || results.contains(&None) {
        None
    } else {
        Some(1.0)
    }
}

pub(super) fn levels(view: View, book: &mut Book) {
    let repo = view.repo();
    let tags = [("repo", repo.as_str())];
    let runs = all_over(view, WEEK);
    book.put("github.ci.workflow_runs_7d", &tags, size(created(view, WEEK).len()));
    book.put("github.ci.failed_workflows_7d", &tags, size(runs.iter().filter(|over| over.failed()).count()));
    book.put("github.ci.timeout_cancellations_7d", &tags, size(runs.iter().filter(|o| timed_out(view, o)).count()));
    book.put("github.ci.flaky_checks_7d", &tags, size(flaky(&runs).len()));

    let minutes = durations(&runs);
    book.maybe("github.ci.avg_workflow_duration_minutes", &tags, mean(&minutes));
    book.maybe("github.ci.duration_p50_minutes", &tags, percentile(&minutes, 0.5));
    book.maybe("github.ci.duration_p90_minutes", &tags, percentile(&minutes, 0.9));
    book.maybe("github.ci.duration_p99_minutes", &tags, percentile(&minutes, 0.99));

    for (scope, only_branch) in [("all", false), ("default", true)] {
        let decisive = || runs.iter().filter(|over| over.decisive() && (!only_branch || on_branch(view, over.run)));
        let rate = ratio(100.0 * size(decisive().filter(|over| over.passed()).count()), size(decisive().count()));
        book.maybe("github.ci.success_rate_pct", &[("repo", &repo), ("branch_scope", scope)], rate);
    }

    let named = ["success", "failure", "timed_out", "startup_failure", "cancelled", "skipped"];
    for conclusion in named.into_iter().chain(["other"]) {
        let number = runs.iter().filter(|over| match conclusion {
            "other" => !named.contains(&over.attempt.conclusion),
            _ => over.attempt.conclusion == conclusion,
        });
        let tags = [("repo", repo.as_str()), ("conclusion", conclusion)];
        book.put("github.ci.runs_by_conclusion_7d", &tags, size(number.count()));
    }
    workflows(view, book);
}

fn workflows(view: View, book: &mut Book) {
    let repo = view.repo();
    let workflows: Vec<&Workflow> = view.repository.workflows.iter().filter(|it| view.past(it.created_at)).collect();
    let judged: Vec<(&Workflow, &str, Option<bool>)> = workflows
        .into_iter()
        .map(|workflow| (workflow, role(view, workflow), passing(view, workflow, role(view, workflow))))
        .collect();
    for role in ROLES {
        let of_role = || judged.iter().filter(|(_, own, _)| *own == role);
        let active = || of_role().filter(|(workflow, _, _)| workflow.state == "active");
        for (workflow, _, passed) in active() {
            let tags = [("repo", repo.as_str()), ("workflow", &workflow.name), ("role", role)];
            book.maybe("github.ci.workflow_passing", &tags, passed.map(|passed| if passed { 1.0 } else { 0.0 }));
        }
        let failing = active().filter(|(_, _, passed)| *passed == Some(false)).count();
        book.put("github.ci.workflows_failing", &[("repo", &repo), ("role", role)], size(failing));
        let mut results: Vec<Option<bool>> = of_role().map(|(_, _, passed)| *passed).collect();
        let (name, configured) = match role {
            "blocking" => ("github.ci.tests_passing_on_main", &view.settings.blocking_workflows),
            "benchmark" => ("github.ci.benchmarks_passing", &view.settings.benchmark_workflows),
            _ => continue,
        };
        // A configured workflow that does not exist is unknown.
        let missing = |name: &&String| !judged.iter().any(|(workflow, _, _)| means(name, workflow));
        results.extend(configured.iter().flatten().filter(missing).map(|_| None));
        book.maybe(name, &[("repo", &repo)], verdict(&results));
    }
}

/// Names of the workflows that the default branch's health is read from, with their results.
pub(super) fn blocking_results(view: View, book: &Book) -> Vec<(String, f64)> {
    let repo = view.repo();
    let names = view.repository.workflows.iter().map(|workflow| workflow.name.as_str());
    let value = |name: &str| {
        book.get("github.ci.workflow_passing", &[("repo", &repo), ("workflow", name), ("role", "blocking")])
    };
    names.filter_map(|name| Some((word("workflow", name), value(name)?))).collect()
}

/// Results of the active benchmark workflows that have any.
pub(super) fn benchmark_results(view: View) -> Vec<bool> {
    let active = view.repository.workflows.iter().filter(|it| view.past(it.created_at) && it.state == "active");
    active
        .filter(|workflow| role(view, workflow) == "benchmark")
        .filter_map(|workflow| passing(view, workflow, "benchmark"))
        .collect()
}

fn timed_out(view: View, over: &Over) -> bool {
    match over.attempt.conclusion {
        "timed_out" => true,
        "cancelled" => {
            over.attempt.jobs.iter().any(|job| job.conclusion == "cancelled" && at_limit(view, over.run, job))
        }
        _ => false,
    }
}

fn at_limit(view: View, run: &Run, job: &Job) -> bool {
    let workflow = view.repository.workflows.iter().find(|workflow| workflow.id == run.workflow);
    let limits = &view.settings.job_limits;
    let own = limits.iter().find(|(name, _)| workflow.is_some_and(|workflow| means(name, workflow)));
    let limit = own.or_else(|| limits.iter().find(|(name, _)| name == "*")).map_or(360.0, |(_, minutes)| *minutes);
    match (job.started_at, job.completed_at) {
        (Some(from), Some(until)) => seconds(from, until) >= 0.95 * limit * 60.0,
        _ => false,
    }
}

/// What both failed and later passed: workflow and head commit.
fn flaky<'a>(runs: &[Over<'a>]) -> BTreeSet<(u64, &'a str)> {
    let what = |over: &Over<'a>| (over.run.workflow, over.run.head_sha.as_str());
    // The first failed run of each.
    let mut failed: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    for over in runs.iter().filter(|over| over.failed()) {
        let first = failed.entry(what(over)).or_insert(over.run.run_number);
        *first = over.run.run_number.min(*first);
    }
    let flaky = |passed: &&Over<'a>| {
        let earlier = &passed.run.attempts[..passed.number - 1];
        let followed = failed.get(&what(passed)).is_some_and(|first| *first < passed.run.run_number);
        followed || earlier.iter().any(|attempt| is_failure(attempt.conclusion))
    };
    runs.iter().filter(|over| over.passed()).filter(flaky).map(what).collect()
}

fn durations(runs: &[Over]) -> Vec<f64> {
    runs.iter().filter(|over| over.decisive()).filter_map(Over::minutes).collect()
}

/// How many runs the percentiles of the duration rest on.
pub(super) fn duration_observations(view: View) -> usize {
    durations(&all_over(view, WEEK)).len()
}

pub(super) fn counts(view: View, book: &mut Book) {
    let repo = view.repo();
    let runs = all_over(view, WEEK);
    let decided = || {
        runs.iter()
            .filter(|over| over.decisive() && on_branch(view, over.run))
            .filter(|over| view.within(SLOT, over.at))
    };
    book.put("github.ci.runs_decided.new", &[("repo", &repo)], size(decided().count()));
    let passed = decided().filter(|over| over.passed()).count();
    book.put("github.ci.runs_passed.new", &[("repo", &repo)], size(passed));
}

pub(super) fn observations(view: View, from: Timestamp) -> Vec<Observation> {
    let length = view.now.duration_since(from);
    let ended = all_over(view, WEEK).into_iter().filter(|over| over.decisive() && view.within(length, over.at));
    let mut found = Vec::new();
    for over in ended {
        let workflow = view.repository.workflows.iter().find(|workflow| workflow.id == over.run.workflow);
        let name = workflow.map_or_else(String::new, |workflow| workflow.name.clone());
        let tags = vec![("workflow", name), ("conclusion", over.attempt.conclusion.to_owned())];
        found.extend(over.minutes().map(|minutes| ("github.ci.duration", tags, minutes)));
        if view.settings.queue_time {
            found.extend(over.attempt.jobs.iter().filter_map(|job| queued(view, job)));
        }
    }
    found
}

fn queued(view: View, job: &Job) -> Option<Observation> {
    let waited = seconds(job.created_at, job.started_at?);
    let class = job.labels.iter().find(|label| view.settings.runner_classes.contains(label));
    let class = class.map_or("other", String::as_str).to_owned();
    (waited >= 0.0).then(|| ("github.ci.queue_time", vec![("runner", class)], waited))
}
