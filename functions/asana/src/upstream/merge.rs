//! What was known and what came since, put together.

use super::lists::Answers;
use crate::measure::MONTH;
use crate::snapshot::{Bug, Bugs, Life, Tasks};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// The tasks of these projects: what was known, and what the lists tell of since, which they give away. The failure of any
/// of them is that of all.
pub(super) fn tasks(
    known: Option<&Tasks>,
    projects: &BTreeSet<String>,
    answers: &mut Answers,
    now: Timestamp,
) -> Result<Tasks, String> {
    let mut unasked = None;
    for gid in projects {
        match answers.read.get(gid) {
            Some(Ok(Some(_))) => {}
            Some(Err(error)) => return Err(error.with_causes()),
            Some(Ok(None)) | None => unasked = Some(gid),
        }
    }
    if let Some(gid) = unasked {
        return Err(format!("the list of project {gid} was not asked for"));
    }
    let mut tasks = known.cloned().unwrap_or_default();
    // Whoever is still in a project stands in its list, and is put back below.
    let is_whole = |project: &String| matches!(answers.read.get(project), Some(Ok(Some(true))));
    for task in tasks.values_mut() {
        task.projects.retain(|project| !is_whole(project));
    }
    tasks.append(&mut answers.tasks);
    Ok(counted(tasks, projects, now))
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

/// Whether it is open or was completed in the window.
fn is_recent(life: &Life, now: Timestamp) -> bool {
    !life.completed || life.completed_at.is_some_and(|end| now - MONTH <= end)
}
