//! What only Asana does.

use crate::{OF_TASKS, Workspaces, workspace};
use kit::sandbox::truth::{self, AsanaSettings};
use kit::sandbox::{Fault, Rule};
use kit::shared::testing::{Values, differences, gaps, gauges, pending, says, value};
use kit::shared::{GRID, Report, Sample};
use kit::{Stage, Subject, time_of};
use serde_json::json;
use std::collections::BTreeSet;

/// Another stage on the sandbox of this one, with this variable.
async fn with(stage: &Stage<Workspaces>, name: &'static str, value: &str) -> Stage<Workspaces> {
    Stage::on(&stage.sandbox, Workspaces::HEALTHY, true, vec![(name, value.to_owned())]).await
}

async fn single() -> Stage<Workspaces> {
    Stage::single(true).await
}

fn wrong(stage: &Stage<Workspaces>, report: &Report, settings: &AsanaSettings) -> Vec<String> {
    differences(&gauges(report), &truth::asana(workspace(&stage.scene()), report.now, settings))
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
    let again = with(&stage, "ASANA_BUDGET", "1500").await;
    again.sandbox.faults().inject("asana", rule.clone().times(1));
    let report = again.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&expected));
    let always = with(&stage, "ASANA_BUDGET", "1500").await;
    always.sandbox.faults().clear();
    always.sandbox.faults().inject("asana", rule);
    let report = always.run().await;
    assert!(gaps(&report).contains("projects"), "{:?}", gaps(&report));
    assert_eq!(says(&report, "asana.projects.active"), 0);
}

#[tokio::test]
async fn a_refused_search_is_replaced_by_the_lists() {
    let listing = gauges(&single().await.run().await);
    let stage = with(&single().await, "ASANA_SEARCH", "on").await;
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&listing));
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
async fn a_search_gives_the_same_numbers_as_the_lists() {
    for number in 0..20 {
        let stage = Stage::<Workspaces>::new(number, time_of(number), false).await;
        let stage = with(&stage, "ASANA_SEARCH", "on").await;
        stage.sandbox.asana().premium(true);
        for _ in 0..2 {
            let report = stage.run().await;
            assert!(report.is_up(), "seed {number}: {:?}", report.shares);
            let differs = wrong(&stage, &report, &AsanaSettings::of(workspace(&stage.scene())));
            assert!(differs.is_empty(), "seed {number}:\n{}", differs.join("\n"));
            let asked = stage.sandbox.faults().requests("asana");
            assert!(asked.iter().filter(|(_, path)| path.contains("/tasks?")).count() < 20);
            stage.clock.advance(GRID);
            stage.sandbox.faults().forget_requests();
            if !Workspaces::unseen(&stage.scene(), time_of(number), stage.clock.now()).is_empty() {
                break;
            }
        }
    }
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
