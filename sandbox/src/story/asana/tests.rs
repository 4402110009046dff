//! What must happen in a story, whatever its seed.

use super::super::grow;
use crate::model::Seed;
use crate::model::asana::{Due, FieldValue, Project, Task, Workspace, at};
use crate::truth::{self, AsanaSettings};
use jiff::{SignedDuration, Timestamp};

fn epoch() -> Timestamp {
    "2026-01-08T12:00:00Z".parse().unwrap()
}

fn acme(number: u64, size: u32) -> Workspace {
    grow(Seed { number, size, epoch: epoch() }).workspaces.remove(0)
}

fn on(project: &Project, now: Timestamp) -> (bool, bool) {
    let is = |history: &[(Timestamp, bool)]| at(history, now).copied().unwrap_or(false);
    (is(&project.archived), is(&project.completed))
}

#[test]
fn the_reference_is_as_large_as_it_is_said_to_be() {
    for (size, active) in [(0, 12.0), (1, 118.0)] {
        let workspace = acme(1, size);
        let values = truth::asana(&workspace, epoch(), &AsanaSettings::of(&workspace));
        let value = |name: &str| values[&format!("asana.{name}{{workspace:acme}}")];
        assert!((value("projects.active") - active).abs() < 1e-9, "{}", value("projects.active"));
        let (open, done) = (value("tasks.open") / active, value("tasks.completed_30d") / active);
        assert!((8.0..22.0).contains(&open), "{open} open tasks in a project");
        assert!((1.5..7.0).contains(&done), "{done} tasks done in a project");
    }
}

#[test]
fn whatever_a_definition_turns_on_happens() {
    let workspace = acme(1, 1);
    let now = epoch();
    let days = |days: i64| now - SignedDuration::from_hours(24 * days);
    let second = SignedDuration::from_secs(1);
    let tasks = |what: &dyn Fn(&Task) -> bool| workspace.tasks.iter().filter(|task| what(task)).count();
    let projects = |what: &dyn Fn(&Project) -> bool| workspace.projects.iter().filter(|one| what(one)).count();
    let turned = |task: &Task, time: Timestamp| task.completed.contains(&(time, true));
    let places = |task: &Task| at(&task.memberships, now).cloned().unwrap_or_default();
    let bugs = workspace.bugs.unwrap();
    let found = [
        ("done when a week began", tasks(&|task| turned(task, days(7)))),
        ("done a second before a week began", tasks(&|task| turned(task, days(7) - second))),
        ("done when a month began", tasks(&|task| turned(task, days(30)))),
        ("done a second before a month began", tasks(&|task| turned(task, days(30) - second))),
        ("done now", tasks(&|task| turned(task, now))),
        ("done a second ago", tasks(&|task| turned(task, now - second))),
        ("done as it was made", tasks(&|task| turned(task, task.created_at))),
        ("done, and open again", tasks(&|task| task.completed.len() == 3)),
        ("done twice", tasks(&|task| task.completed.len() == 4)),
        ("deleted", tasks(&|task| task.deleted_at.is_some_and(|gone| gone < now))),
        ("in two projects", tasks(&|task| places(task).len() > 1)),
        ("a bug by its second place", tasks(&|task| places(task).iter().skip(1).any(|place| place.project == bugs))),
        ("in no project", tasks(&|task| places(task).is_empty() && task.parent.is_none())),
        ("moved", tasks(&|task| task.memberships.len() > 1)),
        ("a part in no project", tasks(&|task| task.parent.is_some() && places(task).is_empty())),
        ("a part in a project", tasks(&|task| task.parent.is_some() && !places(task).is_empty())),
        (
            "due at midnight",
            tasks(&|task| matches!(at(&task.due, now), Some(Due::At(time, _)) if time.as_second() % 86_400 == 0)),
        ),
        (
            "due on another day where it was set",
            tasks(
                &|task| matches!(at(&task.due, now), Some(Due::At(time, day)) if time.to_zoned(jiff::tz::TimeZone::UTC).date() != *day),
            ),
        ),
        (
            "due today",
            tasks(&|task| matches!(at(&task.due, now), Some(Due::On(day)) if day.to_string() == "2026-01-08")),
        ),
        ("nobody's", tasks(&|task| at(&task.assignee, now) == Some(&None))),
        (
            "a choice that is none",
            tasks(&|task| at(&task.fields, now).is_some_and(|all| all.iter().any(|one| one.1 == FieldValue::Null))),
        ),
        ("archived later", projects(&|one| !on(one, days(30)).0 && on(one, now + SignedDuration::from_hours(72)).0)),
        ("completed long ago", projects(&|one| on(one, days(60)).1)),
        ("made lately", projects(&|one| one.created_at > days(60))),
        ("deleted project", projects(&|one| one.deleted_at.is_some())),
        ("without a status", projects(&|one| one.statuses.is_empty())),
        ("with a status of no kind", projects(&|one| one.statuses.last().is_some_and(|status| status.kind.is_none()))),
    ];
    for (what, number) in found {
        assert!(number > 0, "{what} never happens");
    }
    for kind in ["on_track", "at_risk", "off_track", "on_hold", "complete", "dropped"] {
        assert!(projects(&|one| one.statuses.last().is_some_and(|status| status.kind == Some(kind))) > 0, "{kind}");
    }
}

#[test]
fn no_two_things_share_an_identifier_and_time_runs_forward() {
    for number in 0..20 {
        let workspaces = grow(Seed { number, size: 0, epoch: epoch() }).workspaces;
        let mut gids: Vec<&str> = Vec::new();
        for workspace in &workspaces {
            gids.push(&workspace.gid);
            gids.extend(workspace.users.iter().map(|user| user.gid.as_str()));
            gids.extend(workspace.tasks.iter().map(|task| task.gid.as_str()));
            for project in &workspace.projects {
                gids.push(&project.gid);
                gids.extend(project.sections.iter().map(|section| section.gid.as_str()));
                assert!(project.statuses.is_sorted_by_key(|status| status.created_at));
                assert!(project.archived.is_sorted_by_key(|turn| turn.0));
                assert!(project.completed.is_sorted_by_key(|turn| turn.0));
            }
            for task in &workspace.tasks {
                assert!(task.completed.is_sorted_by_key(|turn| turn.0), "{:?}", task.completed);
                assert!(task.memberships.is_sorted_by_key(|turn| turn.0));
                for (_, places) in &task.memberships {
                    let homes: std::collections::BTreeSet<_> = places.iter().map(|place| place.project).collect();
                    assert_eq!(homes.len(), places.len(), "a task is in a project once");
                }
            }
        }
        let number = gids.len();
        gids.sort_unstable();
        gids.dedup();
        assert_eq!(gids.len(), number);
    }
}
