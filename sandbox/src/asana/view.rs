//! A workspace as it stands at an instant, for whoever may see it.

use super::Asana;
use crate::model::asana::{Due, Membership, Project, Task, Workspace, at};
use jiff::Timestamp;
use std::collections::{BTreeSet, HashMap};

/// What has an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    /// A workspace.
    Workspace,
    /// The member at this place.
    User(usize),
    /// The project at this place.
    Project(usize),
    /// The section at this place of the project at that place.
    Section(usize, usize),
    /// The tag at this place.
    Tag(usize),
    /// The task at this place.
    Task(usize),
}

/// Ways into a workspace that would otherwise be searched for at every request.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Everything by its identifier, with the workspace's place.
    pub things: HashMap<String, (usize, Thing)>,
    /// The tasks that ever were in a project, by workspace and project.
    pub tasks: Vec<Vec<Vec<usize>>>,
}

impl Index {
    pub(super) fn new(workspaces: &[Workspace]) -> Self {
        let mut index = Self::default();
        for (here, workspace) in workspaces.iter().enumerate() {
            index.things.insert(workspace.gid.clone(), (here, Thing::Workspace));
            let users = workspace.users.iter().enumerate().map(|(at, user)| (&user.gid, Thing::User(at)));
            let tags = workspace.tags.iter().enumerate().map(|(at, tag)| (&tag.gid, Thing::Tag(at)));
            let tasks = workspace.tasks.iter().enumerate().map(|(at, task)| (&task.gid, Thing::Task(at)));
            let projects = workspace.projects.iter().enumerate();
            let sections = projects.clone().flat_map(|(project, told)| {
                let sections = told.sections.iter().enumerate();
                sections.map(move |(at, section)| (&section.gid, Thing::Section(at, project)))
            });
            let projects = projects.map(|(at, project)| (&project.gid, Thing::Project(at)));
            let all = users.chain(tags).chain(tasks).chain(sections).chain(projects);
            index.things.extend(all.map(|(gid, thing)| (gid.clone(), (here, thing))));
            let mut by_project = vec![BTreeSet::new(); workspace.projects.len()];
            for (at, task) in workspace.tasks.iter().enumerate() {
                for place in task.memberships.iter().flat_map(|(_, places)| places) {
                    by_project[place.project].insert(at);
                }
            }
            index.tasks.push(by_project.into_iter().map(|tasks| tasks.into_iter().collect()).collect());
        }
        index
    }
}

/// A workspace at an instant.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub workspace: &'a Workspace,
    pub tasks_of: &'a [Vec<usize>],
    pub now: Timestamp,
    pub door: &'a Asana,
}

impl<'a> View<'a> {
    /// Whether a project is there at all.
    pub(super) fn has(&self, project: &Project) -> bool {
        project.created_at <= self.now && project.deleted_at.is_none_or(|gone| self.now < gone)
    }

    /// Whether it is there and may be seen.
    pub(super) fn sees(&self, project: usize) -> bool {
        let project = &self.workspace.projects[project];
        self.has(project) && !self.door.hides(&project.gid)
    }

    pub(super) fn archived(&self, project: &Project) -> bool {
        at(&project.archived, self.now).copied().unwrap_or(false)
    }

    /// Since when it is completed.
    pub(super) fn project_completed_at(&self, project: &Project) -> Option<Timestamp> {
        turned(&project.completed, self.now)
    }

    /// The places of a task in projects that may be seen.
    pub(super) fn places(&self, task: &Task) -> Vec<Membership> {
        let all = at(&task.memberships, self.now).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(|place| self.sees(place.project)).collect()
    }

    /// Whether a task is there and may be seen. One that is in hidden projects alone may not.
    pub(super) fn shows(&self, task: &Task) -> bool {
        let there = task.created_at <= self.now && task.deleted_at.is_none_or(|gone| self.now < gone);
        let all = at(&task.memberships, self.now).map(Vec::as_slice).unwrap_or_default();
        let mut alive = all.iter().filter(|place| self.has(&self.workspace.projects[place.project])).peekable();
        there && (alive.peek().is_none() || alive.any(|place| self.sees(place.project)))
    }

    /// Since when it is completed.
    pub(super) fn completed_at(&self, task: &Task) -> Option<Timestamp> {
        turned(&task.completed, self.now)
    }

    pub(super) fn assignee(&self, task: &Task) -> Option<usize> {
        at(&task.assignee, self.now).copied().flatten()
    }

    pub(super) fn due(&self, task: &Task) -> Due {
        at(&task.due, self.now).copied().unwrap_or(Due::Never)
    }

    pub(super) fn tags(&self, task: &'a Task) -> &'a [usize] {
        at(&task.tags, self.now).map(Vec::as_slice).unwrap_or_default()
    }

    /// When one of its own properties last changed: being put somewhere and being spoken of are none of them.
    pub(super) fn modified_at(&self, task: &Task) -> Timestamp {
        let times = [
            self.last(&task.completed),
            self.last(&task.assignee),
            self.last(&task.due),
            self.last(&task.tags),
            self.last(&task.fields),
        ];
        times.into_iter().flatten().fold(task.created_at, Timestamp::max)
    }

    /// When anything last happened to it that `modified_since` looks at.
    pub(super) fn touched_at(&self, task: &Task) -> Timestamp {
        let spoken = task.touches.iter().copied().filter(|time| *time <= self.now).max();
        let moved = self.last(&task.memberships);
        [spoken, moved].into_iter().flatten().fold(self.modified_at(task), Timestamp::max)
    }

    fn last<T>(&self, history: &[(Timestamp, T)]) -> Option<Timestamp> {
        history.iter().map(|(time, _)| *time).filter(|time| *time <= self.now).max()
    }

    /// The tasks in a project, or in one section of it, in the order in which they stand there.
    pub(super) fn listed(&self, project: usize, section: Option<usize>) -> Vec<usize> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for task in &self.tasks_of[project] {
            let told = &self.workspace.tasks[*task];
            let place = self.places(told).into_iter().find(|place| place.project == project);
            if let Some(place) = place
                && self.shows(told)
                && section.is_none_or(|section| section == place.section)
            {
                found.push((place.section, *task));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, task)| task).collect()
    }
}

/// Since when something that turns on and off is on.
fn turned(history: &[(Timestamp, bool)], now: Timestamp) -> Option<Timestamp> {
    history.iter().rev().find(|(since, _)| *since <= now).filter(|(_, on)| *on).map(|(since, _)| *since)
}
