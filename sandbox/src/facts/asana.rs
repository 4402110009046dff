//! What every metric of Asana should be.

mod bugs;

use super::Values;
use super::scene::{count, hours, mean, percentile, plain, series};
use crate::model::asana::{Due, Project, Task, Workspace, at};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// The configuration that definitions speak of, with its defaults.
#[derive(Debug, Clone)]
pub struct AsanaSettings {
    /// The workspace's alias.
    pub workspace: String,
    /// The alias of the project of bugs and its identifier, if there is one.
    pub bugs: Option<(String, String)>,
    /// Kinds of sections, each with the text in the name that says so; the first that fits wins.
    pub sections: Vec<(String, String)>,
    /// Labels of bugs.
    pub labels: Vec<String>,
    /// Where days begin.
    pub timezone: TimeZone,
    /// Identifiers of the projects whose tasks count; all active ones if there are none.
    pub projects: Vec<String>,
}

impl AsanaSettings {
    /// The defaults, with what the sandbox's variables say of this workspace.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let bugs = workspace.bugs.map(|project| ("bugs".to_owned(), workspace.projects[project].gid.clone()));
        Self { workspace: workspace.alias.clone(), bugs, ..Self::default() }
    }
}

impl Default for AsanaSettings {
    fn default() -> Self {
        let kinds = ["triage", "active", "backlog"];
        Self {
            workspace: "acme".to_owned(),
            bugs: None,
            sections: kinds.map(|kind| (kind.to_owned(), kind.to_owned())).into(),
            labels: vec!["Training".to_owned()],
            timezone: TimeZone::UTC,
            projects: Vec::new(),
        }
    }
}

/// A workspace as it stands at `now`.
struct Scene<'a> {
    workspace: &'a Workspace,
    now: Timestamp,
    settings: &'a AsanaSettings,
}

impl Scene<'_> {
    fn within(&self, days: i64, time: Timestamp) -> bool {
        self.now - SignedDuration::from_hours(24 * days) <= time && time < self.now
    }

    fn exists(&self, made: Timestamp, deleted: Option<Timestamp>) -> bool {
        made <= self.now && deleted.is_none_or(|deleted| deleted > self.now)
    }

    /// Neither archived nor completed.
    fn is_active(&self, project: &Project) -> bool {
        let on = |history| at(history, self.now) == Some(&true);
        self.exists(project.created_at, project.deleted_at) && !on(&project.archived) && !on(&project.completed)
    }

    /// When a task was completed, if it is.
    fn done(&self, task: &Task) -> Option<Timestamp> {
        let (turned, done) = task.completed.iter().rfind(|(turned, _)| *turned <= self.now)?;
        done.then_some(*turned)
    }

    /// The projects that a task is in.
    fn homes<'t>(&self, task: &'t Task) -> impl Iterator<Item = (usize, usize)> + use<'t> {
        at(&task.memberships, self.now).into_iter().flatten().map(|place| (place.project, place.section))
    }

    /// Everything that is listed in a project whose tasks count.
    fn listed(&self) -> Vec<&Task> {
        let counts = |project: usize| {
            let project = &self.workspace.projects[project];
            let wanted = &self.settings.projects;
            if wanted.is_empty() {
                self.is_active(project)
            } else {
                self.exists(project.created_at, project.deleted_at) && wanted.contains(&project.gid)
            }
        };
        self.workspace
            .tasks
            .iter()
            .filter(|task| self.exists(task.created_at, task.deleted_at))
            .filter(|task| self.homes(task).any(|(project, _)| counts(project)))
            .collect()
    }

    fn day(&self, time: Timestamp) -> Date {
        time.to_zoned(self.settings.timezone.clone()).date()
    }

    fn put(&self, values: &mut Values, name: &str, value: Option<f64>) {
        if let Some(value) = value {
            values.insert(series(name, &[("workspace", &self.settings.workspace)]), value);
        }
    }
}

/// Every gauge of a workspace at this time, its check and its score included.
#[must_use]
pub fn asana(workspace: &Workspace, now: Timestamp, settings: &AsanaSettings) -> Values {
    let scene = Scene { workspace, now, settings };
    let mut values = Values::new();
    projects(&scene, &mut values);
    tasks(&scene, &mut values);
    bugs::tell(&scene, &mut values);
    values
}

fn projects(scene: &Scene<'_>, values: &mut Values) {
    let active: Vec<&Project> = scene.workspace.projects.iter().filter(|project| scene.is_active(project)).collect();
    scene.put(values, "asana.projects.active", Some(count(active.len())));
    for kind in ["on_track", "at_risk", "off_track"] {
        let says = |project: &&&Project| {
            let known = project.statuses.iter().filter(|status| status.created_at <= scene.now);
            known.max_by_key(|status| status.created_at).is_some_and(|status| status.kind == Some(kind))
        };
        let number = active.iter().filter(says).count();
        scene.put(values, &format!("asana.projects.{kind}"), Some(count(number)));
    }
}

fn tasks(scene: &Scene<'_>, values: &mut Values) {
    let listed = scene.listed();
    let (open, closed): (Vec<&Task>, Vec<&Task>) = listed.into_iter().partition(|task| scene.done(task).is_none());
    let done: Vec<(&Task, Timestamp)> = closed.into_iter().filter_map(|task| Some((task, scene.done(task)?))).collect();
    let month: Vec<_> = done.into_iter().filter(|(_, at)| scene.within(30, *at)).collect();
    let week: Vec<_> = month.iter().filter(|(_, at)| scene.within(7, *at)).collect();
    let mut put = |name: &str, number: usize| scene.put(values, &format!("asana.tasks.{name}"), Some(count(number)));
    put("total", open.len() + month.len());
    put("open", open.len());
    put("completed_7d", week.len());
    put("completed_30d", month.len());
    let today = scene.day(scene.now);
    let (mut overdue, mut due_today, mut soon, mut never) = (0, 0, 0, 0);
    for task in &open {
        let (late, day) = match at(&task.due, scene.now) {
            None | Some(Due::Never) => {
                never += 1;
                continue;
            }
            Some(Due::On(day)) => (*day < today, *day),
            Some(Due::At(time, _)) => (*time < scene.now, scene.day(*time)),
        };
        let ahead = day.duration_since(today).as_hours() / 24;
        match ahead {
            _ if late => overdue += 1,
            0 => due_today += 1,
            1..=7 => soon += 1,
            _ => {}
        }
    }
    put("overdue", overdue);
    put("due_today", due_today);
    put("due_this_week", soon);
    put("no_due_date", never);
    let whose = |task: &Task| at(&task.assignee, scene.now).copied().flatten();
    let assigned = open.iter().filter(|task| whose(task).is_some()).count();
    put("assigned", assigned);
    put("unassigned", open.len() - assigned);
    let made = open.iter().copied().chain(month.iter().map(|(task, _)| *task));
    let made = made.filter(|task| scene.within(7, task.created_at)).count();
    let rate = (made > 0).then(|| 100.0 * count(week.len()) / count(made));
    scene.put(values, "asana.velocity.completed_per_day_7d", Some(count(week.len()) / 7.0));
    scene.put(values, "asana.velocity.completion_rate_pct", rate);
    let times: Vec<f64> = week.iter().map(|(task, at)| hours(task.created_at, *at)).collect();
    scene.put(values, "asana.cycle_time.avg_hours", mean(&times));
    scene.put(values, "asana.cycle_time.p50_hours", percentile(&times, 0.5));
    scene.put(values, "asana.cycle_time.p90_hours", percentile(&times, 0.9));
    let people: BTreeSet<usize> = week.iter().filter_map(|(task, _)| whose(task)).collect();
    scene.put(values, "asana.users.active_7d", Some(count(people.len())));
}

/// The counts of the slot of fifteen minutes that ends at this time, as they stand at `now`.
#[must_use]
pub fn asana_counts(workspace: &Workspace, slot_end: Timestamp, now: Timestamp, settings: &AsanaSettings) -> Values {
    let scene = Scene { workspace, now, settings };
    let start = slot_end - SignedDuration::from_mins(15);
    let ended = |task: &&Task| scene.done(task).is_some_and(|at| start <= at && at < slot_end);
    let number = scene.listed().into_iter().filter(ended).count();
    let mut values = Values::new();
    scene.put(&mut values, "asana.tasks.completed.new", Some(count(number)));
    values
}

/// How many checks are judged at this time, and how many of them pass.
#[must_use]
pub fn asana_verdicts(workspace: &Workspace, now: Timestamp, settings: &AsanaSettings) -> Values {
    bugs::verdicts(&Scene { workspace, now, settings })
}

/// The observations of what was completed in `[from, until)`, ascending.
#[must_use]
pub fn asana_observations(
    workspace: &Workspace,
    (from, until): (Timestamp, Timestamp),
    settings: &AsanaSettings,
) -> BTreeMap<String, Vec<f64>> {
    let scene = Scene { workspace, now: until, settings };
    let ended = |task: &Task| {
        let at = scene.done(task).filter(|at| (from..until).contains(at))?;
        Some(hours(task.created_at, at))
    };
    let mut times: Vec<f64> = scene.listed().into_iter().filter_map(ended).collect();
    times.sort_by(f64::total_cmp);
    let name = series("asana.tasks.cycle_time", &[("workspace", &plain(&settings.workspace))]);
    if times.is_empty() { BTreeMap::new() } else { BTreeMap::from([(name, times)]) }
}

#[cfg(test)]
mod tests;
