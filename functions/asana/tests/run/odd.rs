//! What only Asana does.

use crate::{OF_TASKS, Workspaces, workspace};
use jiff::Timestamp;
use kit::sandbox::model::asana::Workspace;
use kit::sandbox::truth::{self, AsanaSettings};
use kit::sandbox::{Clock, Fault, Options, Rule, Sandbox};
use kit::shared::testing::{Values, at, differences, gaps, gauges, pending, says, value};
use kit::shared::{Event, GRID, Report, Sample};
use kit::{EPOCH, Stage, Subject, seed, time_of};
use serde_json::json;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

/// Another stage on the sandbox of this one, with this variable.
pub async fn with(stage: &Stage<Workspaces>, name: &'static str, value: &str) -> Stage<Workspaces> {
    Stage::on(&stage.sandbox, Workspaces::HEALTHY, true, vec![(name, value.to_owned())]).await
}

pub async fn single() -> Stage<Workspaces> {
    Stage::single(true).await
}

pub fn wrong(stage: &Stage<Workspaces>, report: &Report, settings: &AsanaSettings) -> Vec<String> {
    differences(&gauges(report), &truth::asana(workspace(&stage.scene()), report.now, settings))
}

/// The configuration in the words of the truth, with its defaults.
pub fn truth_of(stage: &Stage<Workspaces>) -> AsanaSettings {
    AsanaSettings::of(workspace(&stage.scene()))
}

#[tokio::test]
async fn a_project_of_bugs_that_is_gone_is_unknown_and_named_and_the_tasks_are_there() {
    let stage = with(&single().await, "ASANA_BUGS_PROJECTS", "bugs=1").await;
    let report = stage.run().await;
    assert_eq!(gaps(&report), BTreeSet::from(["bugs"]));
    let why = &report.shares[0].findings.gaps["bugs"];
    assert!(why.contains("/tasks"), "{why}");
    assert_eq!(says(&report, "asana.projects.bugs."), 0);
    assert!(says(&report, "asana.tasks.") >= 10);
}

#[tokio::test]
async fn a_project_that_is_out_of_sight_is_counted_nowhere_and_breaks_nothing() {
    let stage = single().await;
    let before = stage.run().await;
    let bugs = workspace(&stage.scene()).bugs.unwrap();
    let now = stage.clock.now();
    let active = |history: &[(jiff::Timestamp, bool)]| kit::sandbox::model::asana::at(history, now) == Some(&false);
    let projects = workspace(&stage.scene()).projects.iter().enumerate();
    let (_, other) = projects
        .filter(|(place, _)| *place != bugs)
        .find(|(_, project)| {
            project.created_at <= now
                && project.deleted_at.is_none()
                && active(&project.archived)
                && active(&project.completed)
        })
        .unwrap();
    stage.sandbox.asana().hide(&other.gid);
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let active = |report: &Report| value(report, "asana.projects.active{workspace:acme}").unwrap();
    assert!((active(&before) - active(&report) - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn a_workspace_that_is_gone_does_not_touch_the_other() {
    let stage = single().await;
    let [acme, attic] = [0, 1].map(|place| stage.sandbox.organisation().workspaces[place].gid.clone());
    let stage = with(&stage, "ASANA_WORKSPACES", &format!("acme={acme},attic={attic},gone=12")).await;
    let report = stage.run().await;
    let up = |target: &str| value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((up("acme"), up("attic"), up("gone")), (Some(1.0), Some(1.0), Some(0.0)), "{:?}", report.shares);
    assert_eq!(value(&report, "asana.tasks.total{workspace:attic}"), Some(0.0));
    assert_eq!(value(&report, "asana.projects.bugs.total_open{project:bugs,workspace:attic}"), None);
    assert!(value(&report, "asana.projects.bugs.total_open{project:bugs,workspace:acme}").is_some());
    assert_eq!(value(&report, "asana.tasks.total{workspace:gone}"), None);
}

#[tokio::test]
async fn offsets_that_expire_restart_their_lists_once() {
    let stage = Stage::<Workspaces>::sized(1, true).await;
    let expected = gauges(&stage.run().await);
    let expired = json!({ "errors": [{ "message": "offset: Your pagination token has expired." }] }).to_string();
    let rule = Rule::new(Fault::answer(400, &[], &expired)).containing("offset=");
    let again = with(&stage, "ASANA_BUDGET", "1400").await;
    again.sandbox.faults().inject("asana", rule.clone().times(1));
    let report = again.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&expected));
    let always = with(&stage, "ASANA_BUDGET", "1400").await;
    always.sandbox.faults().clear();
    always.sandbox.faults().inject("asana", rule);
    let report = always.run().await;
    assert!(gaps(&report).contains("projects"), "{:?}", gaps(&report));
    assert_eq!(says(&report, "asana.projects.active"), 0);
}

#[tokio::test]
async fn more_lists_than_the_budget_are_pending_and_no_gap_and_known_a_few_runs_later() {
    let expected = gauges(&single().await.run().await);
    let stage = with(&single().await, "ASANA_BUDGET", "3").await;
    let (report, mut missing) = (stage.run().await, u64::MAX);
    assert!(report.is_up(), "{:?}", report.shares);
    assert_eq!(value(&report, "collector.target_up{target:acme}"), Some(1.0));
    // Projects, bugs and the store are whole, tasks are not.
    assert_eq!(value(&report, "collector.coverage_pct{target:acme}"), Some(75.0));
    assert_eq!(OF_TASKS.iter().map(|prefix| says(&report, prefix)).sum::<usize>(), 0);
    assert!(says(&report, "asana.projects.bugs.") > 10 && says(&report, "asana.projects.active") == 1);
    let mut next = report;
    while pending(&next) > 0 {
        assert!(pending(&next) < missing, "{missing} and then {}", pending(&next));
        missing = pending(&next);
        let told = value(&next, "collector.pending{part:tasks,target:acme}");
        assert_eq!(told.map(|told| told.to_string()), Some(missing.to_string()));
        next = stage.run().await;
        assert!(next.is_up(), "{:?}", next.shares);
    }
    assert_eq!(value(&next, "collector.coverage_pct{target:acme}"), Some(100.0));
    assert_eq!(differences(&gauges(&next), &expected), Vec::<String>::new());
}

#[tokio::test]
async fn projects_that_are_not_listed_cost_their_own_rows_and_no_others() {
    for fault in [Fault::status(500), Fault::status(403), Fault::Garbage, Fault::Hang] {
        let stage = single().await;
        assert!(stage.run().await.is_up());
        stage.clock.advance(GRID);
        stage.sandbox.faults().inject("asana", Rule::new(fault.clone()).containing("/projects?"));
        let event = Event::new(stage.clock.now(), stage.clock.now());
        let run = stage.inner.life.run(&stage.inner.collector, &event, Duration::from_secs(20));
        let report = run.await.unwrap();
        assert_eq!(gaps(&report), BTreeSet::from(["projects"]), "{fault:?}");
        let own = ["active", "on_track", "at_risk", "off_track"].map(|name| format!("asana.projects.{name}"));
        let lost = wrong(&stage, &report, &truth_of(&stage));
        assert_eq!(lost.len(), own.len(), "{fault:?}: {lost:#?}");
        assert!(own.iter().all(|row| lost.iter().any(|line| line.contains(row))), "{fault:?}: {lost:#?}");
        assert_eq!(value(&report, "collector.data_age_seconds{target:acme}"), Some(900.0), "{fault:?}");
    }
}

/// The quarter of an hour before the first open task that stands in one of the wanted projects alone is deleted.
fn before_a_loss(workspace: &Workspace, is_wanted: impl Fn(usize) -> bool) -> Option<Timestamp> {
    let lost = workspace.tasks.iter().filter(|task| {
        let [(_, places)] = task.memberships.as_slice() else { return false };
        task.completed.len() == 1 && places.len() == 1 && is_wanted(places[0].project)
    });
    let gone = lost.filter_map(|task| task.deleted_at).filter(|gone| *gone > at(EPOCH) - GRID * 96 * 40).min()?;
    Some(kit::shared::floor(gone) - GRID)
}

#[tokio::test]
async fn what_changes_do_not_tell_of_a_large_project_is_equal_again_after_the_daily_fetch_of_everything() {
    let sandbox = Rc::new(Sandbox::start(Options::new(seed(3, 1), Clock::at(at(EPOCH)))).await.unwrap());
    Workspaces::prepare(&sandbox);
    let workspace = &sandbox.organisation().workspaces[0];
    // The only large one, which is a project like others where no projects of bugs are configured.
    let start = before_a_loss(workspace, |project| Some(project) == workspace.bugs).unwrap();
    sandbox.clock().set(start);
    let stage = Stage::<Workspaces>::on(&sandbox, 3, false, vec![("ASANA_BUGS_PROJECTS", String::new())]).await;
    let settings = AsanaSettings { bugs: None, ..AsanaSettings::of(workspace) };
    assert_eq!(wrong(&stage, &stage.run().await, &settings), Vec::<String>::new());
    stage.clock.set(start + GRID * 2);
    let differs = wrong(&stage, &stage.run().await, &settings);
    assert!(!differs.is_empty(), "a task that was deleted is not told of");
    assert!(differs.iter().all(|line| OF_TASKS.iter().any(|row| line.contains(row))), "{differs:#?}");
    for step in 1..=12 {
        stage.clock.set(start + GRID * (8 * step));
        assert!(stage.run().await.is_up());
    }
    assert_eq!(wrong(&stage, &stage.run().await, &settings), Vec::<String>::new(), "equal again after it");
}

/// How many organisations of forty lose such a task, and how many of them are told otherwise by the next run; the one after
/// an hour is right again.
async fn losses(is_wanted: impl Fn(&Workspace, usize) -> bool) -> (usize, usize) {
    let (mut lost, mut differed) = (0, 0);
    for number in 0..40 {
        let stage = Stage::<Workspaces>::new(number, time_of(number), false).await;
        let (scene, truth) = (stage.scene(), || Workspaces::gauges(&stage.scene(), stage.clock.now()));
        let Some(start) = before_a_loss(workspace(&scene), |project| is_wanted(workspace(&scene), project)) else {
            continue;
        };
        stage.clock.set(start);
        assert_eq!(differences(&gauges(&stage.run().await), &truth()), Vec::<String>::new(), "organisation {number}");
        stage.clock.set(start + GRID * 2);
        let differs = differences(&gauges(&stage.run().await), &truth());
        assert!(differs.iter().all(|line| OF_TASKS.iter().any(|row| line.contains(row))), "{number}: {differs:#?}");
        (lost, differed) = (lost + 1, differed + usize::from(!differs.is_empty()));
        stage.clock.set(start + GRID * 4);
        assert_eq!(differences(&gauges(&stage.run().await), &truth()), Vec::<String>::new(), "organisation {number}");
    }
    println!("{lost} organisations lost such a task, {differed} of them were told otherwise for less than an hour");
    (lost, differed)
}

#[tokio::test]
async fn a_task_that_was_deleted_from_a_small_project_is_gone_within_an_hour() {
    let (lost, differed) = losses(|workspace, project| Some(project) != workspace.bugs).await;
    assert!(lost >= 10 && differed >= 5, "{lost}, {differed}: too few to prove anything");
}

#[tokio::test]
async fn a_bug_that_was_deleted_is_gone_in_the_next_run() {
    let (lost, differed) = losses(|workspace, project| Some(project) == workspace.bugs).await;
    assert!(lost >= 5 && differed == 0, "{lost}, {differed}");
}

#[tokio::test]
async fn only_the_tasks_of_the_configured_projects_count_archived_ones_included() {
    for number in 0..10 {
        let stage = Stage::<Workspaces>::new(number, time_of(number), false).await;
        let now = stage.clock.now();
        let there = workspace(&stage.scene())
            .projects
            .iter()
            .filter(|project| project.created_at <= now && project.deleted_at.is_none_or(|gone| now < gone));
        let projects: Vec<String> = there.map(|project| project.gid.clone()).step_by(3).collect();
        let stage = with(&stage, "ASANA_TASK_PROJECTS", &projects.join(",")).await;
        let settings = AsanaSettings { projects, ..AsanaSettings::of(workspace(&stage.scene())) };
        let differs = wrong(&stage, &stage.run().await, &settings);
        assert!(differs.is_empty(), "seed {number}:\n{}", differs.join("\n"));
    }
}

#[tokio::test]
async fn without_a_project_of_bugs_its_rows_and_its_check_are_absent_and_nothing_is_missing() {
    let stage = with(&single().await, "ASANA_BUGS_PROJECTS", "").await;
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", report.shares);
    let settings = AsanaSettings { bugs: None, ..AsanaSettings::of(workspace(&stage.scene())) };
    assert_eq!(wrong(&stage, &report, &settings), Vec::<String>::new());
    let bugs = |sample: &&Sample| sample.name().contains("bug");
    assert_eq!(report.samples.iter().filter(bugs).count(), 0);
}
