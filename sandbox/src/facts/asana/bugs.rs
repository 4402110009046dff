//! The project of bugs, and the verdict on it.

use super::Scene;
use crate::facts::Values;
use crate::facts::scene::{count, hours, mean, series};
use crate::model::asana::{FieldKind, FieldValue, Task, at};
use jiff::Timestamp;

/// A bug as it stands.
struct Bug<'a> {
    task: &'a Task,
    section: &'a str,
    done: Option<Timestamp>,
}

/// The alias of the project and what is in it.
fn bugs<'a>(scene: &Scene<'a>) -> Option<(&'a str, Vec<Bug<'a>>)> {
    let (alias, gid) = scene.settings.bugs.as_ref()?;
    let place = scene.workspace.projects.iter().position(|project| project.gid == *gid)?;
    let project = &scene.workspace.projects[place];
    if !scene.exists(project.created_at, project.deleted_at) {
        return None;
    }
    let there = scene.workspace.tasks.iter().filter(|task| scene.exists(task.created_at, task.deleted_at));
    let bugs = there.filter_map(|task| {
        let (_, section) = scene.homes(task).find(|(project, _)| *project == place)?;
        Some(Bug { task, section: &project.sections[section].name, done: scene.done(task) })
    });
    Some((alias, bugs.collect()))
}

/// The kind of a section by its name.
fn kind<'a>(scene: &Scene<'a>, section: &str) -> &'a str {
    let name = section.to_lowercase();
    let fits = scene.settings.sections.iter().find(|(_, text)| name.contains(&text.to_lowercase()));
    fits.map_or("other", |(kind, _)| kind)
}

/// Whether a bug bears a label, as a tag or as the value of a field of one choice.
fn bears(scene: &Scene<'_>, task: &Task, label: &str) -> bool {
    let same = |name: &str| name.to_lowercase() == label.to_lowercase();
    let mut tags = at(&task.tags, scene.now).into_iter().flatten();
    let mut fields = at(&task.fields, scene.now).into_iter().flatten();
    tags.any(|tag| same(&scene.workspace.tags[*tag].name))
        || fields.any(|(field, value)| match (&scene.workspace.fields[*field].kind, value) {
            (FieldKind::Enum(options), FieldValue::Option(chosen)) => same(&options[*chosen].1),
            _ => false,
        })
}

pub(super) fn tell(scene: &Scene<'_>, values: &mut Values) {
    let mut totals = [("pass", 0), ("fail", 0), ("unknown", 0)];
    if let Some((alias, bugs)) = bugs(scene) {
        let workspace = ("workspace", scene.settings.workspace.as_str());
        let mut put = |name: &str, more: &[(&str, &str)], value: Option<f64>| {
            let tags = [&[workspace, ("project", alias)], more].concat();
            values.extend(value.map(|value| (series(&format!("asana.projects.bugs.{name}"), &tags), value)));
        };
        let open: Vec<&Bug<'_>> = bugs.iter().filter(|bug| bug.done.is_none()).collect();
        let days = |bug: &Bug<'_>| hours(bug.task.created_at, scene.now) / 24.0;
        let oldest = |ages: &[f64]| ages.iter().copied().max_by(f64::total_cmp);
        for section in ["triage", "active", "backlog", "other"] {
            let here = open.iter().filter(|bug| kind(scene, bug.section) == section);
            let ages: Vec<f64> = here.map(|bug| days(bug)).collect();
            put(&format!("{section}_count"), &[], Some(count(ages.len())));
            put("section_age_days.avg", &[("section", section)], mean(&ages));
            put("section_age_days.max", &[("section", section)], oldest(&ages));
        }
        let ages: Vec<f64> = open.iter().map(|bug| days(bug)).collect();
        put("total_open", &[], Some(count(open.len())));
        put("avg_age_days", &[], mean(&ages));
        put("oldest_bug_days", &[], oldest(&ages));
        for (name, length) in [("completed_7d", 7), ("completed_30d", 30)] {
            let done = bugs.iter().filter(|bug| bug.done.is_some_and(|at| scene.within(length, at)));
            put(name, &[], Some(count(done.count())));
        }
        let made = bugs.iter().filter(|bug| scene.within(7, bug.task.created_at)).count();
        put("created_7d", &[], Some(count(made)));
        for label in &scene.settings.labels {
            let number = open.iter().filter(|bug| bears(scene, bug.task, label)).count();
            put("open_by_label", &[("label", label)], Some(count(number)));
        }
    }
    if let Some((row, value)) = judged(scene) {
        let status = if value < 1.0 { "pass" } else { "fail" };
        for (name, number) in &mut totals {
            *number += usize::from(*name == status);
        }
        let mut tags = vec![
            ("workflow_category", "training"),
            ("workflow_name", "training_bugs"),
            ("task", "bugs_tickets"),
            ("check", "open_count"),
            ("condition", "lt_1"),
            ("unit", "task"),
            ("status", status),
        ];
        tags.extend(row.iter().copied());
        let name = "metta.infra.cron.training.bugs.count";
        values.insert(series(name, &tags), value);
        values.insert(series(&format!("{name}.target"), &tags), 1.0);
        values.insert(series(&format!("{name}.status"), &tags), if value < 1.0 { 1.0 } else { 0.0 });
        values.insert(series("health.training.bug_count.fom", &row), (1.0 - value / 3.0).clamp(0.0, 1.0));
        let tags = [&row[..], &called(scene)].concat();
        values.insert(series("health.check.state", &tags), if value < 1.0 { 1.0 } else { 0.0 });
    }
    for (status, number) in totals {
        let tags = [("area", "training"), ("status", status), ("target", &scene.settings.workspace)];
        values.insert(series("health.checks", &tags), count(number));
    }
}

/// What the check is called, and whose it is.
fn called<'a>(scene: &Scene<'a>) -> [(&'a str, &'a str); 4] {
    let target = scene.settings.workspace.as_str();
    [("workflow_name", "training_bugs"), ("task", "bugs_tickets"), ("check", "open_count"), ("target", target)]
}

/// The tags of a row that is judged, and its value: the open bugs of training.
fn judged<'a>(scene: &Scene<'a>) -> Option<([(&'a str, &'a str); 3], f64)> {
    let label = scene.settings.labels.iter().find(|label| label.eq_ignore_ascii_case("training"))?;
    let (alias, bugs) = bugs(scene)?;
    let open = bugs.iter().filter(|bug| bug.done.is_none() && bears(scene, bug.task, label)).count();
    Some(([("workspace", &scene.settings.workspace), ("project", alias), ("label", label)], count(open)))
}

pub(super) fn verdicts(scene: &Scene<'_>) -> Values {
    let tags = called(scene);
    let mut values = Values::new();
    if let Some((_, value)) = judged(scene) {
        values.insert(series("health.checks.judged.new", &tags), 1.0);
        values.insert(series("health.checks.passed.new", &tags), if value < 1.0 { 1.0 } else { 0.0 });
    }
    values
}
