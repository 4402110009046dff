//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod odd;
mod plan;

use asana::Asana;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use kit::sandbox::model::asana::Workspace;
use kit::sandbox::truth::{self, AsanaSettings};
use kit::sandbox::{ASANA_TOKEN, Fault, Organisation, Sandbox};
use kit::shared::testing::Values;
use kit::{Credential, Observations, Question, Scene, Settings, Subject};
use serde_json::Value;

/// Workspaces of Asana.
pub struct Workspaces;

kit::suite!(Workspaces);

/// Every gauge of tasks, as their names begin.
pub const OF_TASKS: &[&str] = &["asana.tasks.", "asana.velocity.", "asana.cycle_time.", "asana.users."];

impl Subject for Workspaces {
    type Collector = Asana;

    const UPSTREAMS: &'static [&'static str] = &["asana"];
    const HEALTHY: u64 = 3;
    // Asana names no quota, and what cannot be read of a list makes it a gap.
    const ABSENT: &'static [&'static str] = &["collector.api_budget_pct", "collector.unread"];
    const WRONG: &'static [(&'static str, &'static str)] = &[
        ("ASANA_WORKSPACES", ""),
        ("ASANA_WORKSPACES", "acme"),
        ("ASANA_TOKEN", ""),
        ("ASANA_URL", "asana"),
        ("ASANA_BUGS_PROJECTS", "bugs=abc"),
        ("ASANA_BUGS_SECTIONS", "done=Done"),
        ("ASANA_BUGS_LABELS", "a,A"),
        ("ASANA_TASK_PROJECTS", "x"),
        ("ASANA_TIMEZONE", "Moon/Base"),
        ("ASANA_BUDGET", "much"),
        ("ASANA_SEARCH", "perhaps"),
    ];

    /// Half of them with everything that may be set away from its default.
    fn settings(number: u64) -> Settings {
        if !number.is_multiple_of(2) {
            return Settings::new();
        }
        let settings = [
            ("ASANA_TIMEZONE", "Pacific/Auckland"),
            ("ASANA_BUGS_LABELS", "Training,Regression,Severity"),
            ("ASANA_BUGS_SECTIONS", "backlog=backlog,active=ACTIVE,active=doing,triage=triage"),
        ];
        settings.map(|(name, value)| (name, value.to_owned())).into()
    }

    fn prepare(sandbox: &Sandbox) {
        // A domain that does not pay bears 150 calls a minute, for which a test of many runs cannot wait.
        sandbox.asana().set_quota(1_000_000);
    }

    fn single(_: &Sandbox) -> (Settings, &'static str) {
        // What a domain that pays bears, for the large organisations.
        (vec![("ASANA_BUDGET", "1400".to_owned())], "acme")
    }

    fn missing(sandbox: &Sandbox) -> (Settings, [&'static str; 2]) {
        let workspace = &sandbox.organisation().workspaces[0].gid;
        (vec![("ASANA_WORKSPACES", format!("acme={workspace},gone=12"))], ["acme", "gone"])
    }

    fn questions() -> Vec<Question> {
        vec![
            Question {
                name: "lists of tasks",
                asks: |rule| rule.containing("/tasks?"),
                parts: &["bugs", "tasks"],
                silent: OF_TASKS,
                spared: &[],
                lies: || vec![("a field that is missing", Fault::rewrite(without_assignees), "decode")],
            },
            Question {
                name: "the list of projects",
                asks: |rule| rule.containing("/projects?"),
                // Without an earlier list nobody knows whose tasks count.
                parts: &["projects", "tasks"],
                silent: &["asana.projects.active", "asana.projects.on_track", "asana.tasks.", "asana.velocity."],
                spared: &[],
                lies: Vec::new,
            },
        ]
    }

    fn credential() -> Credential {
        Credential {
            variable: "ASANA_TOKEN",
            value: ASANA_TOKEN,
            another: "2/another",
            revoke: |sandbox, token| sandbox.asana().revoke(token),
            allow: |sandbox, token| sandbox.asana().allow(token),
        }
    }

    fn private(organisation: &Organisation) -> Vec<String> {
        let workspace = &organisation.workspaces[0];
        let people = workspace.users.iter().flat_map(|user| [&user.name, &user.email, &user.gid]);
        let tasks = workspace.tasks.iter().flat_map(|task| [&task.name, &task.notes]);
        let projects = workspace.projects.iter().map(|project| &project.name);
        let statuses = workspace.projects.iter().flat_map(|project| &project.statuses);
        let statuses = statuses.flat_map(|status| [&status.title, &status.text]);
        let sections = workspace.projects.iter().flat_map(|project| &project.sections).map(|section| &section.name);
        people.chain(tasks).chain(projects).chain(statuses).chain(sections).cloned().collect()
    }

    fn gauges(scene: &Scene<'_>, now: Timestamp) -> Values {
        truth::asana(workspace(scene), now, &truth_settings(scene))
    }

    fn counts(scene: &Scene<'_>, slot: Timestamp, now: Timestamp) -> Values {
        truth::asana_counts(workspace(scene), slot, now, &truth_settings(scene))
    }

    fn observations(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> Observations {
        truth::asana_observations(workspace(scene), (from, until), &truth_settings(scene))
    }

    fn verdicts(scene: &Scene<'_>, now: Timestamp) -> Values {
        truth::asana_verdicts(workspace(scene), now, &truth_settings(scene))
    }

    /// What changed does not tell of a task that was deleted or taken out of a project; lists of bugs are read whole.
    fn unseen(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> &'static [&'static str] {
        let then = |at: Timestamp| from < at && at <= until;
        let lost = workspace(scene).tasks.iter().any(|task| {
            let left = task.memberships.windows(2).any(|pair| {
                let [(_, before), (at, after)] = pair else { return false };
                let stays = |project: usize| after.iter().any(|place| place.project == project);
                then(*at) && before.iter().any(|place| !stays(place.project))
            });
            left || task.deleted_at.is_some_and(then)
        });
        if lost { OF_TASKS } else { &[] }
    }
}

/// The workspace that is read.
#[must_use]
pub fn workspace<'a>(scene: &Scene<'a>) -> &'a Workspace {
    &scene.organisation.workspaces[0]
}

/// The configuration in the words of the truth.
fn truth_settings(scene: &Scene<'_>) -> AsanaSettings {
    let settings = AsanaSettings::of(workspace(scene));
    if Workspaces::settings(scene.number).is_empty() {
        return settings;
    }
    let sections = [("backlog", "backlog"), ("active", "ACTIVE"), ("active", "doing"), ("triage", "triage")];
    AsanaSettings {
        timezone: TimeZone::get("Pacific/Auckland").unwrap(),
        labels: ["Training", "Regression", "Severity"].map(str::to_owned).into(),
        sections: sections.map(|(kind, text)| (kind.to_owned(), text.to_owned())).into(),
        ..settings
    }
}

/// As the predecessor's listing of a workspace was: without assignees.
fn without_assignees(mut answer: Value) -> Value {
    for task in answer["data"].as_array_mut().into_iter().flatten() {
        if let Some(task) = task.as_object_mut() {
            task.remove("assignee");
        }
    }
    answer
}
