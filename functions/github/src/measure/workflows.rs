//! Workflows: which of them count for what, how they are called, and whether they pass on the branch.

use super::runs::verdict;
use crate::metrics;
use crate::snapshot::{Rules, Run, Snapshot, Workflow};
use jiff::{SignedDuration, Timestamp};
use shared::window::{WEEK, last};
use shared::{Metric, Sample, tags};
use std::collections::{BTreeMap, BTreeSet};

/// The value that stands for what fits into no other.
pub(super) const OTHER: &str = "other";

/// How far back a run still says something about its workflow.
const MEMORY: SignedDuration = SignedDuration::from_hours(14 * 24);

/// How many workflows of a repository have series of their own.
const MOST: usize = 50;

/// What a workflow is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Blocking,
    Benchmark,
    Other,
}

impl Role {
    const ALL: [Self; 3] = [Self::Blocking, Self::Benchmark, Self::Other];

    const fn word(self) -> &'static str {
        match self {
            Self::Blocking => "blocking",
            Self::Benchmark => "benchmark",
            Self::Other => OTHER,
        }
    }

    /// A configured workflow is what the configuration says. Else its name makes it a benchmark, and a push to the
    /// branch a blocking one.
    fn of(workflow: &Workflow, rules: &Rules, pushed: &BTreeSet<u64>) -> Self {
        let named = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.iter().any(|word| is(workflow, word)));
        let by_name = || workflow.name.to_lowercase().contains("benchmark");
        let blocking = named(&rules.blocking);
        if blocking == Some(true) {
            Self::Blocking
        } else if named(&rules.benchmark).unwrap_or_else(by_name) {
            Self::Benchmark
        } else if blocking.is_none() && pushed.contains(&workflow.id) {
            Self::Blocking
        } else {
            Self::Other
        }
    }
}

/// Whether a configured word is the name or the file name of a workflow.
fn is(workflow: &Workflow, word: &str) -> bool {
    word.eq_ignore_ascii_case(&workflow.name) || word.eq_ignore_ascii_case(&workflow.file)
}

/// A workflow, what it is for and whether it passes on the branch.
struct State<'a> {
    workflow: &'a Workflow,
    role: Role,
    passing: Option<bool>,
}

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let (Some(workflows), Some(runs)) = (&snapshot.workflows, &snapshot.runs) else {
        let mut samples = vec![metrics::CI_TESTS_PASSING.maybe(None), metrics::CI_BENCHMARKS_PASSING.maybe(None)];
        samples.extend(Role::ALL.map(|role| failing(role, None)));
        return samples;
    };
    let older = snapshot.older_decisive.as_ref();
    let rules = &snapshot.rules;
    let states = states(workflows, runs, older, rules, now);
    // Without the older runs it is unknown how workflows without a newer one stand, and even which are blocking.
    let whole = older.is_some();
    let mut samples = Vec::new();
    for (row, role, configured) in [
        (&metrics::CI_TESTS_PASSING, Role::Blocking, &rules.blocking),
        (&metrics::CI_BENCHMARKS_PASSING, Role::Benchmark, &rules.benchmark),
    ] {
        let missing = configured.iter().flatten().any(|word| !workflows.iter().any(|workflow| is(workflow, word)));
        samples.push(together(row, role, &states, whole && !missing));
    }
    for role in Role::ALL {
        let failed = states.iter().filter(|state| state.workflow.active && state.role == role);
        let failed = failed.filter(|state| state.passing == Some(false)).count();
        samples.push(failing(role, (whole || role == Role::Other).then_some(failed)));
    }
    samples.extend(each(&states, &labels(workflows, runs, now)));
    samples.extend(missing(workflows, rules));
    samples
}

/// Each workflow judged by its newest decisive run on the branch; a run in progress is looked behind.
fn states<'a>(
    workflows: &'a [Workflow],
    runs: &[Run],
    older: Option<&BTreeMap<u64, Run>>,
    rules: &Rules,
    now: Timestamp,
) -> Vec<State<'a>> {
    let memory = last(MEMORY, now);
    let on_branch: Vec<&Run> = runs
        .iter()
        .chain(older.into_iter().flat_map(BTreeMap::values))
        .filter(|run| run.on_branch && memory.contains(&run.created_at))
        .collect();
    let pushed = on_branch.iter().filter(|run| run.push).map(|run| run.workflow).collect();
    let mut newest: BTreeMap<u64, &Run> = BTreeMap::new();
    for run in on_branch.into_iter().filter(|run| verdict(run).is_some()) {
        let known = newest.entry(run.workflow).or_insert(run);
        if (known.number, known.attempt) < (run.number, run.attempt) {
            *known = run;
        }
    }
    let state = |workflow: &'a Workflow| State {
        workflow,
        role: Role::of(workflow, rules, &pushed),
        passing: newest.get(&workflow.id).and_then(|run| verdict(run)),
    };
    workflows.iter().map(state).collect()
}

/// 0 if any workflow of the role failed, else 1 if all passed; unknown if one is, or if there is none.
fn together(row: &'static Metric, role: Role, states: &[State], whole: bool) -> Sample {
    let members = || states.iter().filter(|state| state.role == role).map(|state| state.passing);
    let all_passed = whole && members().next().is_some() && members().all(|passing| passing == Some(true));
    let any_failed = members().any(|passing| passing == Some(false));
    row.maybe(if any_failed { Some(0.0) } else { all_passed.then_some(1.0) })
}

fn failing(role: Role, failed: Option<usize>) -> Sample {
    metrics::CI_WORKFLOWS_FAILING.number(failed).tag("role", role.word())
}

fn each(states: &[State], labels: &BTreeMap<u64, String>) -> Vec<Sample> {
    let active = states.iter().filter(|state| state.workflow.active);
    active
        .filter_map(|state| {
            let label = labels.get(&state.workflow.id)?;
            let value = state.passing.map(|passing| if passing { 1.0 } else { 0.0 });
            Some(passing(value, state.role, label))
        })
        .collect()
}

fn passing(value: Option<f64>, role: Role, label: &str) -> Sample {
    metrics::CI_WORKFLOW_PASSING.maybe(value).tag("workflow", label).tag("role", role.word())
}

/// A configured workflow that does not exist is there without a value, so that its check says unknown.
fn missing(workflows: &[Workflow], rules: &Rules) -> Vec<Sample> {
    let taken: BTreeSet<String> =
        workflows.iter().flat_map(|workflow| [normal(&workflow.name), normal(&workflow.file)]).collect();
    let mut seen = BTreeSet::new();
    let lists = [(&rules.blocking, Role::Blocking), (&rules.benchmark, Role::Benchmark)];
    let words = lists.into_iter().flat_map(|(list, role)| list.iter().flatten().map(move |word| (word, role)));
    words
        .filter(|(word, _)| !taken.contains(&normal(word)) && seen.insert(normal(word)))
        .map(|(word, role)| passing(None, role, word))
        .collect()
}

fn normal(text: &str) -> String {
    tags::value("workflow", text)
}

/// The tag value of each workflow that has series of its own: the 50 with the most runs of the week.
///
/// It is the name; where active workflows share one, and for an inactive one that has the name of an active one, the
/// file name. A workflow whose value is taken all the same has none, and goes with the others.
pub(super) fn labels(workflows: &[Workflow], runs: &[Run], now: Timestamp) -> BTreeMap<u64, String> {
    let week = last(WEEK, now);
    let mut activity: BTreeMap<u64, usize> = BTreeMap::new();
    for run in runs.iter().filter(|run| week.contains(&run.created_at)) {
        *activity.entry(run.workflow).or_default() += 1;
    }
    let mut ranked: Vec<&Workflow> = workflows.iter().collect();
    ranked.sort_by_key(|workflow| (std::cmp::Reverse(activity.get(&workflow.id)), workflow.id));
    let most: BTreeSet<u64> = ranked.iter().take(MOST).map(|workflow| workflow.id).collect();
    // Who is called what must not depend on who ran most lately, or series would change hands.
    ranked.sort_by_key(|workflow| (!workflow.active, workflow.id));
    let mut taken = BTreeSet::new();
    let mut labels = BTreeMap::new();
    for workflow in ranked {
        let name = normal(&workflow.name);
        let shared =
            workflows.iter().any(|other| other.active && other.id != workflow.id && normal(&other.name) == name);
        let label = if shared { normal(&workflow.file) } else { name };
        if taken.insert(label.clone()) && most.contains(&workflow.id) {
            labels.insert(workflow.id, label);
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, jan, nothing, run, said};
    use super::*;
    use shared::testing::at;

    fn workflow(id: u64, name: &str) -> Workflow {
        Workflow { id, name: name.into(), file: format!("{id}.yml"), active: true }
    }

    fn of(workflows: &[Workflow], runs: Vec<Run>) -> Snapshot {
        Snapshot {
            workflows: Some(workflows.to_vec()),
            runs: Some(runs),
            older_decisive: Some(BTreeMap::new()),
            ..nothing()
        }
    }

    fn by(workflow: u64, number: u64, conclusion: &str) -> Run {
        let id = 100 * workflow + number;
        Run { workflow, number, ..run(id, conclusion) }
    }

    fn all(snapshot: &Snapshot) -> Vec<Sample> {
        samples(snapshot, at(NOW))
    }

    fn say(snapshot: &Snapshot, name: &str) -> String {
        said(&all(snapshot), &format!("github.ci.{name}"))
    }

    fn tests_passing(snapshot: &Snapshot) -> Option<f64> {
        all(snapshot).iter().find(|sample| sample.name() == "github.ci.tests_passing_on_main")?.value()
    }

    #[test]
    fn the_newest_run_is_looked_behind_unless_it_decides_and_a_fork_or_another_workflow_decides_nothing() {
        let workflows = [workflow(1, "CI"), workflow(2, "Docs")];
        let passed = by(1, 1, "success");
        let fork = Run { on_branch: false, ..by(1, 2, "failure") };
        let running = Run { conclusion: None, ..by(1, 2, "") };
        let docs = Run { push: false, ..by(2, 9, "failure") };
        let cases = [
            ("passed", vec![passed.clone()], Some(1.0)),
            ("then cancelled", vec![passed.clone(), by(1, 2, "cancelled")], Some(1.0)),
            ("then skipped", vec![passed.clone(), by(1, 2, "skipped")], Some(1.0)),
            ("then running", vec![passed.clone(), running], Some(1.0)),
            ("then failed in a fork", vec![passed.clone(), fork], Some(1.0)),
            ("another workflow failed by hand", vec![passed.clone(), docs], Some(1.0)),
            ("then failed", vec![passed.clone(), by(1, 2, "failure")], Some(0.0)),
            ("then timed out", vec![by(1, 2, "timed_out"), passed.clone()], Some(0.0)),
            ("never decided", vec![by(1, 1, "cancelled")], None),
            ("one undecided, one passed", vec![passed.clone(), by(2, 1, "cancelled")], None),
            ("one undecided, one failed", vec![by(1, 1, "failure"), by(2, 1, "cancelled")], Some(0.0)),
            ("no run at all", Vec::new(), None),
        ];
        for (name, runs, expected) in cases {
            assert_eq!(tests_passing(&of(&workflows, runs)), expected, "{name}");
        }
    }

    #[test]
    fn the_newest_run_has_the_highest_number_and_then_attempt_whenever_it_was_made() {
        let early = |run: Run| Run { created_at: jan("02T00:00:00"), ..run };
        let again = Run { attempt: 2, ..by(1, 2, "success") };
        let runs = vec![early(again), by(1, 2, "failure"), by(1, 1, "failure")];
        assert_eq!(tests_passing(&of(&[workflow(1, "CI")], runs)), Some(1.0));
    }

    #[test]
    fn a_quiet_workflow_is_judged_by_a_run_of_fourteen_days_and_no_older_one() {
        for (created, expected) in [("2025-12-25T12:00:00Z", Some(0.0)), ("2025-12-25T11:59:59Z", None)] {
            let older = Run { created_at: at(created), ..by(1, 1, "failure") };
            let snapshot =
                Snapshot { older_decisive: Some([(1, older)].into()), ..of(&[workflow(1, "CI")], Vec::new()) };
            assert_eq!(tests_passing(&snapshot), expected, "{created}");
        }
    }

    #[test]
    fn by_default_a_push_makes_a_workflow_blocking_and_its_name_a_benchmark() {
        let workflows = [workflow(1, "CI"), workflow(2, "Nightly Benchmarks"), workflow(3, "Label")];
        let by_hand = Run { push: false, ..by(3, 1, "failure") };
        let snapshot = of(&workflows, vec![by(1, 1, "success"), by(2, 1, "failure"), by_hand]);
        let expected = "github.ci.workflow_passing{role:benchmark,workflow:nightly_benchmarks} 0\n\
                        github.ci.workflow_passing{role:blocking,workflow:ci} 1\n\
                        github.ci.workflow_passing{role:other,workflow:label} 0";
        assert_eq!(say(&snapshot, "workflow_passing"), expected);
        let failing = "github.ci.workflows_failing{role:benchmark} 1\n\
                       github.ci.workflows_failing{role:blocking} 0\n\
                       github.ci.workflows_failing{role:other} 1";
        assert_eq!(say(&snapshot, "workflows_failing"), failing);
        assert_eq!(say(&snapshot, "tests"), "github.ci.tests_passing_on_main{} 1");
        assert_eq!(say(&snapshot, "benchmarks"), "github.ci.benchmarks_passing{} 0");
    }

    #[test]
    fn a_configured_workflow_is_what_the_configuration_says_by_name_or_file() {
        let workflows = [workflow(1, "CI"), workflow(2, "Benchmark"), workflow(3, "Speed"), workflow(4, "Docs")];
        let runs = [1, 2, 3, 4].map(|id| by(id, 1, "success")).to_vec();
        let rules = Rules {
            blocking: Some(vec!["ci".into(), "2.yml".into()]),
            benchmark: Some(vec!["Speed".into()]),
            ..Rules::default()
        };
        let expected = "github.ci.workflow_passing{role:benchmark,workflow:speed} 1\n\
                        github.ci.workflow_passing{role:blocking,workflow:benchmark} 1\n\
                        github.ci.workflow_passing{role:blocking,workflow:ci} 1\n\
                        github.ci.workflow_passing{role:other,workflow:docs} 1";
        assert_eq!(say(&Snapshot { rules, ..of(&workflows, runs) }, "workflow_passing"), expected);
    }

    #[test]
    fn a_configured_workflow_that_does_not_exist_is_unknown_unless_another_failed() {
        let rules = Rules { blocking: Some(vec!["CI".into(), "gone.yml".into()]), ..Rules::default() };
        for (conclusion, expected) in [("success", None), ("failure", Some(0.0))] {
            let snapshot = Snapshot { rules: rules.clone(), ..of(&[workflow(1, "CI")], vec![by(1, 1, conclusion)]) };
            assert_eq!(tests_passing(&snapshot), expected, "{conclusion}");
            let gone = "github.ci.workflow_passing{role:blocking,workflow:gone.yml} unknown";
            assert!(all(&snapshot).iter().any(|sample| sample.to_string() == gone));
        }
    }

    #[test]
    fn a_workflow_that_is_not_active_has_no_row_and_is_not_among_the_failing_ones() {
        let off = Workflow { active: false, ..workflow(1, "CI") };
        let snapshot = of(&[off], vec![by(1, 1, "failure")]);
        assert_eq!(say(&snapshot, "workflow_passing"), "");
        assert!(!say(&snapshot, "workflows_failing").contains(" 1"));
    }

    #[test]
    fn without_the_older_runs_only_a_failure_is_certain() {
        let workflows = [workflow(1, "CI"), workflow(2, "Docs")];
        let by_hand = Run { push: false, ..by(2, 1, "failure") };
        let known = of(&workflows, vec![by(1, 1, "success"), by_hand]);
        let unknown = Snapshot { older_decisive: None, ..known.clone() };
        assert_eq!((tests_passing(&known), tests_passing(&unknown)), (Some(1.0), None));
        assert_eq!(say(&unknown, "workflows_failing"), "github.ci.workflows_failing{role:other} 1");
        let failed = Snapshot { older_decisive: None, ..of(&workflows, vec![by(1, 1, "failure")]) };
        assert_eq!(tests_passing(&failed), Some(0.0));
    }

    #[test]
    fn unknown_runs_or_workflows_leave_the_closed_rows_without_a_value() {
        let known = of(&[workflow(1, "CI")], vec![by(1, 1, "success")]);
        for unknown in [Snapshot { runs: None, ..known.clone() }, Snapshot { workflows: None, ..known.clone() }] {
            let samples = all(&unknown);
            assert_eq!((said(&samples, ""), samples.len()), (String::new(), 5));
        }
        let none = of(&[], Vec::new());
        assert_eq!(say(&none, "workflows_failing").matches(" 0").count(), 3);
        assert_eq!(say(&none, "tests") + &say(&none, "benchmarks"), "");
    }

    #[test]
    fn workflows_of_one_name_go_by_their_files_and_an_inactive_one_never_takes_a_name() {
        let named = |id, name: &str, file: &str, active| Workflow { id, name: name.into(), file: file.into(), active };
        let workflows = [
            named(1, "CI", "ci.yml", false),
            named(2, "CI", "test.yml", true),
            named(3, "Lint it", "lint.yml", true),
            named(4, "lint_IT", "lint2.yml", true),
            named(0, "lint.yml", "gone.yml", false),
            named(6, "Old", "old.yml", false),
        ];
        let labels = labels(&workflows, &[], at(NOW));
        let expected = [(1, "ci.yml"), (2, "ci"), (3, "lint.yml"), (4, "lint2.yml"), (6, "old")];
        assert_eq!(labels, expected.map(|(id, label)| (id, label.to_owned())).into());
    }

    #[test]
    fn the_fifty_workflows_with_the_most_runs_have_series_of_their_own_and_all_of_them_count() {
        let workflows: Vec<Workflow> = (1..=52).map(|id| workflow(id, &format!("w{id}"))).collect();
        let mut runs: Vec<Run> = (1..=52).map(|id| by(id, 1, "failure")).collect();
        runs.push(by(52, 2, "failure"));
        runs.push(Run { created_at: jan("01T11:59:59"), ..by(51, 2, "failure") });
        let snapshot = of(&workflows, runs);
        let said = say(&snapshot, "workflow_passing");
        assert_eq!(said.lines().count(), 50);
        assert!(said.contains("workflow:w52}") && said.contains("workflow:w49}"));
        assert!(!said.contains("workflow:w50}") && !said.contains("workflow:w51}"));
        assert!(say(&snapshot, "workflows_failing").contains("{role:blocking} 52"));
    }
}
