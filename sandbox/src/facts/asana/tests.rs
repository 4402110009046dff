//! A workspace whose sums are counted by hand.

use super::*;
use crate::model::asana::sample::{time, workspace};

fn noon() -> Timestamp {
    time("2026-01-08T12:00:00Z")
}

#[track_caller]
fn is(values: &Values, series: &str, wanted: f64) {
    let found = values.get(series).copied();
    assert!(found.is_some_and(|found| (found - wanted).abs() < 1e-9), "{series}: {found:?}, not {wanted}");
}

#[test]
fn tasks_are_those_of_active_projects_each_counted_once() {
    let workspace = workspace();
    let values = asana(&workspace, noon(), &AsanaSettings::of(&workspace));
    for (name, wanted) in [
        ("tasks.total", 9.0),
        ("tasks.open", 6.0),
        ("tasks.completed_7d", 2.0),
        ("tasks.completed_30d", 3.0),
        ("tasks.overdue", 2.0),
        ("tasks.due_today", 2.0),
        ("tasks.due_this_week", 1.0),
        ("tasks.no_due_date", 1.0),
        ("tasks.unassigned", 3.0),
        ("tasks.assigned", 3.0),
        ("velocity.completed_per_day_7d", 2.0 / 7.0),
        ("velocity.completion_rate_pct", 200.0 / 3.0),
        ("cycle_time.avg_hours", 384.0),
        ("cycle_time.p50_hours", 384.0),
        ("cycle_time.p90_hours", 672.0),
        ("users.active_7d", 2.0),
        ("projects.active", 2.0),
        ("projects.on_track", 0.0),
        ("projects.at_risk", 1.0),
        ("projects.off_track", 0.0),
    ] {
        is(&values, &format!("asana.{name}{{workspace:acme}}"), wanted);
    }
}

#[test]
fn a_day_begins_where_it_is_said_to() {
    let workspace = workspace();
    let timezone = TimeZone::fixed(jiff::tz::offset(9));
    let settings = AsanaSettings { timezone, ..AsanaSettings::of(&workspace) };
    let values = asana(&workspace, noon(), &settings);
    // Half past eleven in the evening is tomorrow there.
    is(&values, "asana.tasks.due_today{workspace:acme}", 1.0);
    is(&values, "asana.tasks.due_this_week{workspace:acme}", 2.0);
    is(&values, "asana.tasks.overdue{workspace:acme}", 2.0);
}

#[test]
fn a_bug_stands_in_the_section_of_its_own_project() {
    let workspace = workspace();
    let values = asana(&workspace, noon(), &AsanaSettings::of(&workspace));
    for (name, wanted) in [
        ("triage_count", 1.0),
        ("active_count", 1.0),
        ("backlog_count", 0.0),
        ("other_count", 1.0),
        ("total_open", 3.0),
        ("completed_7d", 1.0),
        ("completed_30d", 1.0),
        ("created_7d", 4.0),
        ("avg_age_days", 13.0 / 3.0),
        ("oldest_bug_days", 10.0),
    ] {
        is(&values, &format!("asana.projects.bugs.{name}{{project:bugs,workspace:acme}}"), wanted);
    }
    for (section, age) in [("triage", 1.0), ("active", 2.0), ("other", 10.0)] {
        for name in ["avg", "max"] {
            let series = format!("section_age_days.{name}{{project:bugs,section:{section},workspace:acme}}");
            is(&values, &format!("asana.projects.bugs.{series}"), age);
        }
    }
    assert!(!values.keys().any(|series| series.contains("section:backlog")));
    let tags = "label:training,project:bugs,workspace:acme";
    is(&values, &format!("asana.projects.bugs.open_by_label{{{tags}}}"), 2.0);
    is(&values, &format!("health.training.bug_count.fom{{{tags}}}"), 1.0 / 3.0);
    let tags = "check:open_count,condition:lt_1,label:training,project:bugs,status:fail,task:bugs_tickets,unit:task,\
                workflow_category:training,workflow_name:training_bugs,workspace:acme";
    for (name, wanted) in [("", 2.0), (".target", 1.0), (".status", 0.0)] {
        is(&values, &format!("metta.infra.cron.training.bugs.count{name}{{{tags}}}"), wanted);
    }
    is(&values, "health.checks{area:training,status:fail,target:acme}", 1.0);
    is(&values, "health.checks{area:training,status:pass,target:acme}", 0.0);
    let state = "check:open_count,label:training,project:bugs,target:acme,task:bugs_tickets,\
                 workflow_name:training_bugs,workspace:acme";
    is(&values, &format!("health.check.state{{{state}}}"), 0.0);
    let verdicts = asana_verdicts(&workspace, noon(), &AsanaSettings::of(&workspace));
    is(
        &verdicts,
        "health.checks.judged.new{check:open_count,target:acme,task:bugs_tickets,workflow_name:training_bugs}",
        1.0,
    );
    is(
        &verdicts,
        "health.checks.passed.new{check:open_count,target:acme,task:bugs_tickets,workflow_name:training_bugs}",
        0.0,
    );
}

#[test]
fn without_a_project_of_bugs_nothing_is_said_of_bugs_and_nothing_is_judged() {
    let workspace = workspace();
    let settings = AsanaSettings { bugs: None, ..AsanaSettings::of(&workspace) };
    let values = asana(&workspace, noon(), &settings);
    assert!(!values.keys().any(|series| series.contains("bug")), "{values:?}");
    is(&values, "health.checks{area:training,status:unknown,target:acme}", 0.0);
    assert!(asana_verdicts(&workspace, noon(), &settings).is_empty());
}

#[test]
fn what_was_done_is_told_in_the_slot_and_the_run_in_which_it_was_done() {
    let workspace = workspace();
    let settings = AsanaSettings::of(&workspace);
    let slot = |end: &str| asana_counts(&workspace, time(end), noon(), &settings);
    is(&slot("2026-01-03T12:15:00Z"), "asana.tasks.completed.new{workspace:acme}", 1.0);
    is(&slot("2026-01-03T12:00:00Z"), "asana.tasks.completed.new{workspace:acme}", 0.0);
    let observed = |from: &str, until: &str| {
        let all = asana_observations(&workspace, (time(from), time(until)), &settings);
        all.into_values().next().unwrap_or_default()
    };
    assert_eq!(observed("2026-01-01T12:00:00Z", "2026-01-08T12:00:00Z"), [24.0, 744.0]);
    assert_eq!(observed("2026-01-08T12:00:00Z", "2026-01-08T12:00:01Z"), [24.0]);
    assert_eq!(observed("2026-01-05T00:00:00Z", "2026-01-08T12:00:00Z"), [0.0; 0]);
}

#[test]
fn an_empty_workspace_has_zeros_and_no_means() {
    let workspace = Workspace { projects: Vec::new(), tasks: Vec::new(), bugs: None, ..workspace() };
    let values = asana(&workspace, noon(), &AsanaSettings::of(&workspace));
    is(&values, "asana.tasks.total{workspace:acme}", 0.0);
    is(&values, "asana.projects.active{workspace:acme}", 0.0);
    assert!(!values.keys().any(|series| series.contains("cycle_time") || series.contains("completion_rate")));
}
