//! What was known and what came since, put together.

use super::lists::{Answers, Continued};
use crate::snapshot::{Bug, Bugs, Life, Tasks};
use jiff::Timestamp;
use shared::window::MONTH;
use std::collections::BTreeSet;

/// What is known of the tasks after a fetch.
#[derive(Default)]
pub(super) struct Known {
    /// The tasks of the lists that are known.
    pub tasks: Tasks,
    /// The projects whose lists these are.
    pub listed: BTreeSet<String>,
    /// How many lists were left for the next run.
    pub missing: usize,
    /// Why others are not known.
    pub failed: Option<String>,
}

impl Known {
    /// What was known of these projects, with what the lists tell of since, which they give away.
    pub fn of(projects: &BTreeSet<String>, answers: &mut Answers, continued: &Continued<'_>) -> Self {
        let (mut listed, mut missing) = (BTreeSet::new(), 0);
        let (mut failed, mut left) = (None, None);
        for gid in projects {
            match answers.read.get(gid) {
                Some(Ok(Some(_))) => {
                    listed.insert(gid.clone());
                }
                Some(Ok(None)) => left = Some(format!("the list of project {gid} was not asked for after a failure")),
                Some(Err(error)) => failed = failed.or_else(|| Some(error.with_causes())),
                None => missing += 1,
            }
        }
        let mut tasks = continued.tasks_known().cloned().unwrap_or_default();
        // Whoever is still in a project stands in its list, and is put back below.
        let is_whole = |project: &String| matches!(answers.read.get(project), Some(Ok(Some(true))));
        for task in tasks.values_mut() {
            task.projects.retain(|project| !is_whole(project));
        }
        tasks.append(&mut answers.tasks);
        Self { tasks: counted(tasks, &listed, continued.now()), listed, missing, failed: failed.or(left) }
    }

    /// The same of the projects that were known before, where for this reason nobody can say which ones count now.
    pub fn without_projects(why: String, answers: &mut Answers, continued: &Continued<'_>) -> Self {
        let before = continued.listed().map(|listed| Self::of(listed, answers, continued));
        Self { failed: Some(why), ..before.unwrap_or_default() }
    }
}

/// Those of the tasks that count: in one of these projects, and open or completed in the window.
pub(super) fn counted(mut tasks: Tasks, projects: &BTreeSet<String>, now: Timestamp) -> Tasks {
    tasks.retain(|_, task| {
        task.projects.retain(|project| projects.contains(project));
        !task.projects.is_empty() && is_recent(&task.life, now)
    });
    tasks
}

/// The bugs of a project: what was known, and what its list tells of since.
pub(super) fn bugs(known: Option<&Bugs>, list: Vec<(String, Bug)>, whole: bool, now: Timestamp) -> Bugs {
    let mut bugs = known.filter(|_| !whole).cloned().unwrap_or_default();
    bugs.extend(list);
    bugs.retain(|_, bug| is_recent(&bug.life, now));
    bugs
}

/// Whether it is open or was completed in the window; one that was completed at no time is in no row.
fn is_recent(life: &Life, now: Timestamp) -> bool {
    !life.completed || life.completed_at.is_some_and(|end| now - MONTH <= end)
}
