//! Workflow runs.

use super::Values;
use super::code::count_in_slot;
use super::scene::{self, Scene, mean, percentile, series};
use crate::model::github::{Attempt, Run, Workflow};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

const FAILED: [&str; 3] = ["failure", "timed_out", "startup_failure"];

/// The newest attempt of a run, with the time it ended if it has.
struct State<'a> {
    run: &'a Run,
    attempt: &'a Attempt,
    number: usize,
    ended: Option<Timestamp>,
}

impl State<'_> {
    fn conclusion(&self) -> Option<&'static str> {
        self.ended.map(|_| self.attempt.conclusion)
    }

    fn passed(&self) -> bool {
        self.conclusion() == Some("success")
    }

    fn failed(&self) -> bool {
        self.conclusion().is_some_and(|word| FAILED.contains(&word))
    }

    fn decided(&self) -> bool {
        self.passed() || self.failed()
    }

    fn minutes(&self) -> Option<f64> {
        Some(self.ended?.duration_since(self.attempt.started_at).as_secs_f64() / 60.0)
    }
}

/// The runs created in the window of so many days, as they stand now.
fn states<'a>(scene: &'a Scene<'_>, days: i64) -> Vec<State<'a>> {
    let state = |run: &'a Run| {
        let (number, attempt) =
            run.attempts.iter().enumerate().rfind(|(_, attempt)| attempt.started_at <= scene.now)?;
        Some(State { run, attempt, number, ended: attempt.completed_at.filter(|ended| *ended <= scene.now) })
    };
    scene.repository.runs.iter().filter(|run| scene.within(days, run.created_at)).filter_map(state).collect()
}

fn on_branch(scene: &Scene<'_>, run: &Run) -> bool {
    run.head_branch == scene.repository.default_branch
        && !run.from_fork
        && run.event != "pull_request"
        && run.event != "pull_request_target"
}

pub(super) fn tell(scene: &Scene<'_>, values: &mut Values) {
    totals(scene, values);
    durations(scene, values);
    workflows(scene, values);
    if scene.settings.runners {
        runners(scene, values);
    }
}

fn runners(scene: &Scene<'_>, values: &mut Values) {
    let runners = &scene.repository.runners;
    let working = runners.iter().filter(|runner| runner.online && runner.busy).count();
    let away = runners.iter().filter(|runner| !runner.online).count();
    for (state, number) in [("busy", working), ("offline", away), ("idle", runners.len() - working - away)] {
        scene.put(values, "github.runners.count", &[("state", state)], Some(scene::count(number)));
    }
}

fn totals(scene: &Scene<'_>, values: &mut Values) {
    let states = states(scene, 7);
    let limit = scene.settings.limit_minutes * 0.95;
    let stopped = |state: &&State<'_>| {
        let long = |job: &crate::model::github::Job| {
            let took =
                job.started_at.zip(job.completed_at).map(|(from, to)| to.duration_since(from).as_secs_f64() / 60.0);
            job.conclusion == "cancelled" && took.is_some_and(|minutes| minutes >= limit)
        };
        state.conclusion() == Some("timed_out")
            || (state.conclusion() == Some("cancelled") && state.attempt.jobs.iter().any(long))
    };
    for (name, number) in [
        ("github.ci.workflow_runs_7d", states.len()),
        ("github.ci.failed_workflows_7d", states.iter().filter(|state| state.failed()).count()),
        ("github.ci.timeout_cancellations_7d", states.iter().filter(stopped).count()),
        ("github.ci.flaky_checks_7d", flaky(&states)),
    ] {
        scene.put(values, name, &[], Some(scene::count(number)));
    }
    for word in ["success", "failure", "timed_out", "startup_failure", "cancelled", "skipped", "other"] {
        let known = ["success", "failure", "timed_out", "startup_failure", "cancelled", "skipped"];
        let is = |conclusion: &str| if word == "other" { !known.contains(&conclusion) } else { conclusion == word };
        let number = states.iter().filter(|state| state.conclusion().is_some_and(is)).count();
        scene.put(values, "github.ci.runs_by_conclusion_7d", &[("conclusion", word)], Some(scene::count(number)));
    }
    for (scope, only) in [("all", false), ("default", true)] {
        let decided: Vec<&State<'_>> =
            states.iter().filter(|state| state.decided() && (!only || on_branch(scene, state.run))).collect();
        let passed = scene::count(decided.iter().filter(|state| state.passed()).count());
        let rate = if decided.is_empty() { None } else { Some(100.0 * passed / scene::count(decided.len())) };
        scene.put(values, "github.ci.success_rate_pct", &[("branch_scope", scope)], rate);
    }
}

/// Pairs of workflow and commit that failed first and passed then.
fn flaky(states: &[State<'_>]) -> usize {
    let mut found = BTreeSet::new();
    for state in states.iter().filter(|state| state.passed()) {
        let before = state.run.attempts[..state.number].iter().any(|attempt| FAILED.contains(&attempt.conclusion));
        let sibling = states.iter().any(|other| {
            other.failed()
                && other.run.workflow == state.run.workflow
                && other.run.head_sha == state.run.head_sha
                && other.run.run_number < state.run.run_number
        });
        if before || sibling {
            found.insert((state.run.workflow, &state.run.head_sha));
        }
    }
    found.len()
}

fn durations(scene: &Scene<'_>, values: &mut Values) {
    let states = states(scene, 7);
    let minutes: Vec<f64> = states
        .iter()
        .filter(|state| state.decided())
        .filter_map(State::minutes)
        .filter(|minutes| *minutes <= 35.0 * 1440.0)
        .collect();
    for (name, value) in [
        ("github.ci.avg_workflow_duration_minutes", mean(&minutes)),
        ("github.ci.duration_p50_minutes", percentile(&minutes, 0.5)),
        ("github.ci.duration_p90_minutes", percentile(&minutes, 0.9)),
        ("github.ci.duration_p99_minutes", percentile(&minutes, 0.99)),
    ] {
        scene.put(values, name, &[], value);
    }
}

/// How many decided runs stand behind the percentiles.
pub(super) fn decided(scene: &Scene<'_>) -> usize {
    states(scene, 7).iter().filter(|state| state.decided()).count()
}

fn is_benchmark(workflow: &Workflow) -> bool {
    workflow.name.to_lowercase().contains("benchmark")
}

fn role(workflow: &Workflow, pushed: &BTreeSet<u64>) -> &'static str {
    if is_benchmark(workflow) {
        "benchmark"
    } else if pushed.contains(&workflow.id) {
        "blocking"
    } else {
        "other"
    }
}

/// The workflows that a push or the merge queue set off on the default branch in the last fourteen days.
fn pushed(scene: &Scene<'_>) -> BTreeSet<u64> {
    let fortnight = states(scene, 14);
    let set_off =
        |state: &&State<'_>| on_branch(scene, state.run) && ["push", "merge_group"].contains(&state.run.event);
    fortnight.iter().filter(set_off).map(|state| state.run.workflow).collect()
}

/// The active blocking workflows, by name.
pub(super) fn blocking(scene: &Scene<'_>) -> Vec<String> {
    let pushed = pushed(scene);
    let own = scene
        .repository
        .workflows
        .iter()
        .filter(|workflow| workflow.state == "active" && role(workflow, &pushed) == "blocking");
    own.map(|workflow| workflow.name.clone()).collect()
}

fn workflows(scene: &Scene<'_>, values: &mut Values) {
    let (fortnight, pushed) = (states(scene, 14), pushed(scene));
    let newest = |states: &[State<'_>], workflow: u64| {
        let own = states
            .iter()
            .filter(|state| state.run.workflow == workflow && state.decided() && on_branch(scene, state.run));
        own.max_by_key(|state| state.run.run_number).map(State::passed)
    };
    let mut verdicts: BTreeMap<&str, Vec<Option<bool>>> = BTreeMap::new();
    let mut failing: BTreeMap<&str, usize> = ["blocking", "benchmark", "other"].map(|role| (role, 0)).into();
    for workflow in &scene.repository.workflows {
        let role = role(workflow, &pushed);
        let verdict = newest(&fortnight, workflow.id);
        verdicts.entry(role).or_default().push(verdict);
        if workflow.state == "active" {
            let passing = verdict.map(|passed| if passed { 1.0 } else { 0.0 });
            scene.put(values, "github.ci.workflow_passing", &[("workflow", &workflow.name), ("role", role)], passing);
            *failing.entry(role).or_default() += usize::from(verdict == Some(false));
        }
    }
    for (role, number) in failing {
        scene.put(values, "github.ci.workflows_failing", &[("role", role)], Some(scene::count(number)));
    }
    for (name, role) in [("github.ci.tests_passing_on_main", "blocking"), ("github.ci.benchmarks_passing", "benchmark")]
    {
        let verdicts = verdicts.get(role).map(Vec::as_slice).unwrap_or_default();
        let value = if verdicts.contains(&Some(false)) {
            Some(0.0)
        } else if !verdicts.is_empty() && verdicts.iter().all(|verdict| *verdict == Some(true)) {
            Some(1.0)
        } else {
            None
        };
        scene.put(values, name, &[], value);
    }
}

pub(super) fn count(scene: &Scene<'_>, end: Timestamp, values: &mut Values) {
    let states = states(scene, 7);
    let ends = |passed_only: bool| {
        let wanted = states
            .iter()
            .filter(|state| state.decided() && on_branch(scene, state.run) && (!passed_only || state.passed()));
        count_in_slot(wanted.filter_map(|state| state.ended), end)
    };
    scene.put(values, "github.ci.runs_decided.new", &[], Some(ends(false)));
    scene.put(values, "github.ci.runs_passed.new", &[], Some(ends(true)));
}

pub(super) fn observe(scene: &Scene<'_>, from: Timestamp, values: &mut BTreeMap<String, Vec<f64>>) {
    for state in states(scene, 7).iter().filter(|state| state.decided()) {
        let Some(workflow) = scene.repository.workflows.iter().find(|workflow| workflow.id == state.run.workflow)
        else {
            continue;
        };
        if let (Some(ended), Some(minutes)) = (state.ended, state.minutes())
            && from <= ended
            && ended < scene.now
        {
            let tags = [
                ("repo", scene.repo()),
                ("workflow", workflow.name.clone()),
                ("conclusion", state.attempt.conclusion.to_owned()),
            ];
            let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
            values.entry(series("github.ci.duration", &tags)).or_default().push(minutes);
        }
    }
}

/// How long the jobs of the runs that ended lately had waited for their runners.
pub(super) fn observe_queues(scene: &Scene<'_>, from: Timestamp, values: &mut BTreeMap<String, Vec<f64>>) {
    let Some(classes) = &scene.settings.queue else { return };
    for state in states(scene, 7) {
        if !state.ended.is_some_and(|ended| from <= ended && ended < scene.now) {
            continue;
        }
        for job in state.attempt.jobs.iter().filter(|job| job.runner.is_some()) {
            let class = job.labels.iter().find(|label| classes.contains(label)).map_or("other", String::as_str);
            if let Some(started) = job.started_at {
                let tags = [("repo", scene.repo()), ("runner", class.to_owned())];
                let tags: Vec<(&str, &str)> = tags.iter().map(|(key, value)| (*key, value.as_str())).collect();
                let waited = started.duration_since(job.created_at).as_secs_f64();
                values.entry(series("github.ci.queue_time", &tags)).or_default().push(waited);
            }
        }
    }
}
