//! Workflow runs: how many, how they end, how long they take, and which failed for no reason of the code.

use super::workflows::{OTHER, labels};
use crate::metrics;
use crate::snapshot::{Run, Snapshot};
use jiff::{SignedDuration, Timestamp};
use shared::window::{WEEK, last};
use shared::{Sample, stats};
use std::collections::{BTreeMap, BTreeSet};

/// GitHub ends every run after 35 days, so that a longer duration is no duration.
const LONGEST: SignedDuration = SignedDuration::from_hours(35 * 24);

/// What a run can end with; everything else is the last of them.
const CONCLUSIONS: [&str; 7] = ["success", "failure", "timed_out", "startup_failure", "cancelled", "skipped", OTHER];

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let week = last(WEEK, now);
    let runs: Option<Vec<&Run>> =
        snapshot.runs.as_ref().map(|runs| runs.iter().filter(|run| week.contains(&run.created_at)).collect());
    let runs = runs.as_deref();
    let counted = |wanted: fn(&Run) -> bool| runs.map(|runs| runs.iter().filter(|run| wanted(run)).count());
    let mut samples = vec![
        metrics::CI_RUNS.number(counted(|_| true)),
        metrics::CI_FAILED.number(counted(|run| verdict(run) == Some(false))),
        metrics::CI_TIMEOUTS.number(timeouts(runs, snapshot.stopped_by_limit.as_ref())),
        metrics::CI_FLAKY.number(flaky(runs, snapshot.failed_before.as_ref())),
    ];
    samples.extend(durations(runs));
    samples.extend([("all", false), ("default", true)].map(|(scope, on_branch)| {
        metrics::CI_SUCCESS_RATE.maybe(runs.and_then(|runs| success_rate(runs, on_branch))).tag("branch_scope", scope)
    }));
    samples.extend(conclusions(runs));
    samples.extend(news(snapshot.runs.as_deref(), now));
    samples.extend(observations(snapshot, now));
    samples
}

/// Whether a decisive run passed; nothing for a run that decides nothing.
pub(super) fn verdict(run: &Run) -> Option<bool> {
    match run.conclusion.as_deref()? {
        "success" => Some(true),
        "failure" | "timed_out" | "startup_failure" => Some(false),
        _ => None,
    }
}

/// Minutes of the last attempt, where they are possible.
fn minutes(run: &Run) -> Option<f64> {
    let took = run.updated_at.duration_since(run.started_at);
    (SignedDuration::ZERO..=LONGEST).contains(&took).then(|| took.as_secs_f64() / 60.0)
}

fn durations(runs: Option<&[&Run]>) -> [Sample; 4] {
    let took: Option<Vec<f64>> =
        runs.map(|runs| runs.iter().filter(|run| verdict(run).is_some()).filter_map(|run| minutes(run)).collect());
    let took = took.as_deref();
    [
        metrics::CI_DURATION_MEAN.mean(took),
        metrics::CI_DURATION_P50.percentile(0.5, took),
        metrics::CI_DURATION_P90.percentile(0.9, took),
        metrics::CI_DURATION_P99.percentile(0.99, took),
    ]
}

fn success_rate(runs: &[&Run], on_branch: bool) -> Option<f64> {
    let verdicts: Vec<bool> =
        runs.iter().filter(|run| run.on_branch || !on_branch).filter_map(|run| verdict(run)).collect();
    let passed = verdicts.iter().filter(|passed| **passed).count();
    stats::percent(stats::count(passed), stats::count(verdicts.len()))
}

/// The word of the closed set for what a run ended with.
fn closed(conclusion: &str) -> &'static str {
    CONCLUSIONS.into_iter().find(|word| *word == conclusion).unwrap_or(OTHER)
}

fn conclusions(runs: Option<&[&Run]>) -> [Sample; 7] {
    CONCLUSIONS.map(|word| {
        let ended = |run: &&&Run| run.conclusion.as_deref().is_some_and(|conclusion| closed(conclusion) == word);
        let ended = runs.map(|runs| runs.iter().filter(ended).count());
        metrics::CI_CONCLUSIONS.number(ended).tag("conclusion", word)
    })
}

/// Runs that GitHub says timed out, and cancelled ones that a job's time limit stopped.
fn timeouts(runs: Option<&[&Run]>, stopped: Option<&BTreeSet<u64>>) -> Option<usize> {
    let (runs, stopped) = (runs?, stopped?);
    let by_limit = |run: &&&Run| match run.conclusion.as_deref() {
        Some("timed_out") => true,
        Some("cancelled") => stopped.contains(&run.id),
        _ => false,
    };
    Some(runs.iter().filter(by_limit).count())
}

/// Pairs of workflow and commit that failed and later passed: within one run by another attempt, or by a later run.
fn flaky(runs: Option<&[&Run]>, failed_before: Option<&BTreeMap<u64, bool>>) -> Option<usize> {
    let (runs, failed_before) = (runs?, failed_before?);
    let mut first_failure: BTreeMap<(u64, &str), u64> = BTreeMap::new();
    for run in runs.iter().filter(|run| verdict(run) == Some(false)) {
        let first = first_failure.entry((run.workflow, &run.head)).or_insert(run.number);
        *first = run.number.min(*first);
    }
    let mut flaky = BTreeSet::new();
    for run in runs.iter().filter(|run| verdict(run) == Some(true)) {
        let pair = (run.workflow, run.head.as_str());
        let by_attempt = run.attempt > 1 && *failed_before.get(&run.id)?;
        if by_attempt || first_failure.get(&pair).is_some_and(|first| *first < run.number) {
            flaky.insert(pair);
        }
    }
    Some(flaky.len())
}

fn news(runs: Option<&[Run]>, now: Timestamp) -> Vec<Sample> {
    let finished = |wanted: fn(bool) -> bool| -> Option<Vec<Timestamp>> {
        let counts = |run: &&Run| run.on_branch && verdict(run).is_some_and(wanted);
        runs.map(|runs| runs.iter().filter(counts).map(|run| run.updated_at).collect())
    };
    let decided = metrics::CI_DECIDED_NEW.slots(finished(|_| true).as_deref(), now).collect::<Vec<_>>();
    decided.into_iter().chain(metrics::CI_PASSED_NEW.slots(finished(|passed| passed).as_deref(), now)).collect()
}

/// The duration of each attempt that decided something, once it is known what its workflow is called.
fn observations(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let (Some(runs), Some(workflows)) = (&snapshot.runs, &snapshot.workflows) else {
        return Vec::new();
    };
    let labels = labels(workflows, runs, now);
    let decided = runs.iter().filter(|run| verdict(run).is_some() && run.updated_at < now);
    decided
        .map(|run| {
            metrics::CI_DURATION
                // An impossible duration is no number, which counts it as invalid.
                .observe(minutes(run).unwrap_or(f64::NAN), run.updated_at, format_args!("{}/{}", run.id, run.attempt))
                .tag("workflow", labels.get(&run.workflow).map_or(OTHER, String::as_str))
                .tag("conclusion", run.conclusion.as_deref().map_or(OTHER, closed))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, jan, nothing, run, said};
    use super::*;
    use crate::snapshot::Workflow;
    use shared::testing::at;

    fn now() -> Timestamp {
        at(NOW)
    }

    fn of(runs: Vec<Run>) -> Snapshot {
        Snapshot {
            workflows: Some(vec![Workflow { id: 1, name: "CI".into(), file: "ci.yml".into(), active: true }]),
            runs: Some(runs),
            failed_before: Some(BTreeMap::new()),
            stopped_by_limit: Some(BTreeSet::new()),
            ..nothing()
        }
    }

    fn say(snapshot: &Snapshot, name: &str) -> String {
        said(&samples(snapshot, now()), &format!("github.ci.{name}"))
    }

    fn lasting(id: u64, seconds: i64) -> Run {
        let started_at = jan("05T01:00:00");
        Run { started_at, updated_at: started_at + SignedDuration::from_secs(seconds), ..run(id, "success") }
    }

    #[test]
    fn a_run_created_a_week_ago_is_in_and_one_of_a_second_before_is_out() {
        let times = ["01T11:59:59", "01T12:00:00", "08T11:59:59", "08T12:00:00"];
        let runs = (1..).zip(times).map(|(id, time)| Run { created_at: jan(time), ..run(id, "failure") }).collect();
        let snapshot = of(runs);
        assert_eq!(say(&snapshot, "workflow_runs"), "github.ci.workflow_runs_7d{} 2");
        assert_eq!(say(&snapshot, "failed"), "github.ci.failed_workflows_7d{} 2");
        assert!(say(&snapshot, "runs_by").contains("{conclusion:failure} 2"));
    }

    #[test]
    fn every_run_has_one_of_seven_conclusions_and_a_running_one_has_none() {
        let ended = [
            ("success", 1),
            ("failure", 2),
            ("timed_out", 1),
            ("startup_failure", 1),
            ("cancelled", 1),
            ("skipped", 1),
            ("neutral", 1),
            ("stale", 1),
            ("action_required", 1),
        ];
        let words = ended.iter().flat_map(|(word, times)| vec![*word; *times]);
        let mut runs: Vec<Run> = (1..).zip(words).map(|(id, word)| run(id, word)).collect();
        runs.push(Run { conclusion: None, ..run(99, "") });
        let snapshot = of(runs);
        let expected = "github.ci.runs_by_conclusion_7d{conclusion:cancelled} 1\n\
                        github.ci.runs_by_conclusion_7d{conclusion:failure} 2\n\
                        github.ci.runs_by_conclusion_7d{conclusion:other} 3\n\
                        github.ci.runs_by_conclusion_7d{conclusion:skipped} 1\n\
                        github.ci.runs_by_conclusion_7d{conclusion:startup_failure} 1\n\
                        github.ci.runs_by_conclusion_7d{conclusion:success} 1\n\
                        github.ci.runs_by_conclusion_7d{conclusion:timed_out} 1";
        assert_eq!(say(&snapshot, "runs_by"), expected);
        assert_eq!(say(&snapshot, "failed"), "github.ci.failed_workflows_7d{} 4");
        assert_eq!(say(&snapshot, "workflow_runs"), "github.ci.workflow_runs_7d{} 11");
        assert_eq!(
            say(&snapshot, "success_rate_pct{branch_scope:all}"),
            "github.ci.success_rate_pct{branch_scope:all} 20"
        );
    }

    #[test]
    fn the_success_rate_of_the_branch_leaves_other_branches_out() {
        let elsewhere = |id, word| Run { on_branch: false, ..run(id, word) };
        let snapshot = of(vec![
            run(1, "success"),
            run(2, "cancelled"),
            elsewhere(3, "failure"),
            elsewhere(4, "timed_out"),
            elsewhere(5, "success"),
        ]);
        let expected = "github.ci.success_rate_pct{branch_scope:all} 50\n\
                        github.ci.success_rate_pct{branch_scope:default} 100";
        assert_eq!(say(&snapshot, "success_rate"), expected);
        assert_eq!(say(&of(vec![elsewhere(1, "success"), run(2, "skipped")]), "success_rate_pct{branch_scope:d"), "");
    }

    #[test]
    fn a_percentile_of_two_runs_lies_between_them_and_of_one_is_the_run() {
        let expected = "github.ci.duration_p50_minutes{} 6\n\
                        github.ci.duration_p90_minutes{} 7.6\n\
                        github.ci.duration_p99_minutes{} 7.96";
        assert_eq!(say(&of(vec![lasting(1, 480), lasting(2, 240)]), "duration_"), expected);
        let alone = of(vec![lasting(1, 90)]);
        assert_eq!(say(&alone, "duration_p99"), "github.ci.duration_p99_minutes{} 1.5");
        assert_eq!(say(&alone, "avg"), "github.ci.avg_workflow_duration_minutes{} 1.5");
    }

    #[test]
    fn a_duration_is_that_of_the_last_attempt_of_a_decisive_run() {
        let mut again = lasting(1, 600);
        (again.created_at, again.attempt) = (jan("02T00:00:00"), 2);
        let undecided =
            ["cancelled", "skipped", "neutral"].map(|word| Run { conclusion: Some(word.into()), ..lasting(2, 6) });
        let running = Run { conclusion: None, ..lasting(3, 6) };
        let failed = Run { conclusion: Some("failure".into()), ..lasting(4, 1200) };
        let snapshot = of([undecided.to_vec(), vec![again, running, failed]].concat());
        assert_eq!(say(&snapshot, "avg"), "github.ci.avg_workflow_duration_minutes{} 15");
    }

    #[test]
    fn a_duration_below_zero_or_over_35_days_is_left_out_and_counted_as_invalid() {
        let longest = 35 * 24 * 3600;
        let created = Run { created_at: jan("05T00:00:00"), ..lasting(1, 0) };
        let backwards = Run { id: 2, ..lasting(2, -1) };
        let mut over = lasting(3, 0);
        over.started_at = over.updated_at - SignedDuration::from_secs(longest + 1);
        let mut limit = lasting(4, 0);
        limit.started_at = limit.updated_at - SignedDuration::from_secs(longest);
        let samples = samples(&of(vec![created, backwards, over, limit]), now());
        assert_eq!(said(&samples, "github.ci.avg"), "github.ci.avg_workflow_duration_minutes{} 25200");
        let observed = samples.iter().filter(|sample| sample.occurrence().is_some());
        let valid: Vec<bool> = observed.map(|sample| sample.value().is_some_and(f64::is_finite)).collect();
        assert_eq!(valid, [true, false, false, true]);
    }

    #[test]
    fn a_time_limit_stops_a_run_and_a_newer_push_does_not() {
        let runs = vec![run(1, "timed_out"), run(2, "cancelled"), run(3, "cancelled"), run(4, "success")];
        let snapshot = Snapshot { stopped_by_limit: Some([3, 4, 77].into()), ..of(runs) };
        assert_eq!(say(&snapshot, "timeout"), "github.ci.timeout_cancellations_7d{} 2");
        assert_eq!(say(&Snapshot { stopped_by_limit: None, ..snapshot }, "timeout"), "");
    }

    #[test]
    fn flaky_is_what_failed_and_then_passed_and_never_what_failed_again_or_was_cancelled() {
        let on = |id: u64, word, head: &str| Run { head: head.into(), ..run(id, word) };
        let again = |id, word, head| Run { attempt: 2, ..on(id, word, head) };
        let elsewhere = |id, word, head| Run { workflow: 2, ..on(id, word, head) };
        let cases = [
            ("passed at once", vec![on(1, "success", "a")], 0),
            ("a later run passed", vec![on(1, "failure", "a"), on(2, "success", "a")], 1),
            ("a run that could not start", vec![on(1, "startup_failure", "a"), on(2, "success", "a")], 1),
            ("it passed between", vec![on(1, "failure", "a"), on(2, "success", "a"), on(3, "failure", "a")], 1),
            ("the later run failed", vec![on(1, "success", "a"), on(2, "failure", "a")], 0),
            ("the later run was listed first", vec![on(2, "success", "a"), on(1, "timed_out", "a")], 1),
            ("another commit", vec![on(1, "failure", "a"), on(2, "success", "b")], 0),
            ("another workflow", vec![on(1, "failure", "a"), elsewhere(2, "success", "a")], 0),
            ("after a cancel", vec![on(1, "cancelled", "a"), on(2, "success", "a")], 0),
            ("an attempt after a failed one", vec![again(10, "success", "a")], 1),
            ("an attempt after a cancelled one", vec![again(11, "success", "a")], 0),
            ("an attempt that failed again", vec![again(10, "failure", "a")], 0),
            ("a pair twice", vec![on(1, "failure", "a"), on(2, "success", "a"), again(10, "success", "a")], 1),
            (
                "two pairs",
                vec![again(10, "success", "a"), elsewhere(1, "failure", "a"), elsewhere(2, "success", "a")],
                2,
            ),
        ];
        for (name, runs, expected) in cases {
            let snapshot = Snapshot { failed_before: Some([(10, true), (11, false)].into()), ..of(runs) };
            assert_eq!(say(&snapshot, "flaky"), format!("github.ci.flaky_checks_7d{{}} {expected}"), "{name}");
        }
    }

    #[test]
    fn flaky_is_unknown_while_the_earlier_attempts_of_one_passed_run_are() {
        let again = Run { attempt: 2, ..run(10, "success") };
        assert_eq!(say(&of(vec![again.clone()]), "flaky"), "");
        assert_eq!(say(&Snapshot { failed_before: None, ..of(vec![again]) }, "flaky"), "");
    }

    #[test]
    fn a_decisive_run_on_the_branch_counts_in_the_slot_it_finished_in() {
        let finished = |id, word, time| Run { updated_at: jan(time), ..run(id, word) };
        let snapshot = of(vec![
            finished(1, "success", "08T11:45:00"),
            finished(2, "failure", "08T11:59:59"),
            finished(3, "success", "08T12:00:00"),
            finished(4, "success", "08T11:44:59"),
            finished(5, "cancelled", "08T11:50:00"),
            Run { on_branch: false, ..finished(6, "success", "08T11:50:00") },
        ]);
        let expected = "github.ci.runs_decided.new{} 0 @ 2026-01-08T11:15:00Z\n\
                        github.ci.runs_decided.new{} 0 @ 2026-01-08T11:30:00Z\n\
                        github.ci.runs_decided.new{} 1 @ 2026-01-08T11:45:00Z\n\
                        github.ci.runs_decided.new{} 2 @ 2026-01-08T12:00:00Z";
        assert_eq!(say(&snapshot, "runs_decided"), expected);
        assert!(say(&snapshot, "runs_passed").ends_with("github.ci.runs_passed.new{} 1 @ 2026-01-08T12:00:00Z"));
    }

    #[test]
    fn an_observation_is_of_one_attempt_and_carries_its_workflow() {
        let unlisted = Run { workflow: 9, conclusion: Some("failure".into()), ..lasting(2, 120) };
        let again = Run { attempt: 2, ..lasting(1, 180) };
        let mut at_now = lasting(3, 60);
        at_now.updated_at = now();
        let samples = samples(&of(vec![lasting(1, 60), again, unlisted, at_now, run(4, "cancelled")]), now());
        let expected = "github.ci.duration{conclusion:failure,workflow:other} 2\n\
                        github.ci.duration{conclusion:success,workflow:ci} 1\n\
                        github.ci.duration{conclusion:success,workflow:ci} 3";
        assert_eq!(said(&samples, "github.ci.duration{"), expected);
        let digests: BTreeSet<&str> =
            samples.iter().filter_map(|sample| Some(sample.occurrence()?.digest.as_str())).collect();
        assert_eq!(digests.len(), 3);
    }

    #[test]
    fn no_runs_are_zeros_without_rates_and_unknown_ones_are_absent() {
        let quiet = of(Vec::new());
        let totals: Vec<String> = say(&quiet, "")
            .lines()
            .filter(|line| !line.contains('@') && !line.contains("conclusion"))
            .map(str::to_owned)
            .collect();
        let expected = [
            "github.ci.failed_workflows_7d{} 0",
            "github.ci.flaky_checks_7d{} 0",
            "github.ci.timeout_cancellations_7d{} 0",
            "github.ci.workflow_runs_7d{} 0",
        ];
        assert_eq!(totals, expected);
        assert_eq!(say(&quiet, "runs_by").lines().filter(|line| line.ends_with(" 0")).count(), 7);
        let unknown = Snapshot { runs: None, ..quiet.clone() };
        assert_eq!(say(&unknown, ""), "");
        assert_eq!(samples(&unknown, now()).len(), samples(&quiet, now()).len());
    }
}
