//! What was known and what came since, put together.

use super::lists::{Answers, Continued, Progress};
use crate::snapshot::{Bug, Bugs, Life, Listed, Tasks};
use jiff::Timestamp;
use shared::window::MONTH;
use std::collections::{BTreeMap, BTreeSet};

/// What is known of the tasks after a fetch.
#[derive(Default)]
pub(super) struct Known {
    /// The tasks of the lists that are known.
    pub tasks: Tasks,
    /// The projects whose lists these are, and when they were read.
    pub listed: BTreeMap<String, Listed>,
    /// How many lists no run has read yet.
    pub missing: usize,
    /// Why others are not known.
    pub failed: Option<String>,
}

impl Known {
    /// What was known of these projects, with what the lists tell of since, which they give away. A list that was left for
    /// a later run keeps its last answer.
    pub fn of(projects: &BTreeSet<String>, answers: &mut Answers, continued: &Continued<'_>) -> Self {
        let (mut listed, mut missing, mut failed) = (BTreeMap::new(), 0, None);
        for gid in projects {
            let (now, before) = (continued.now(), continued.listed_at(gid));
            let known = match (answers.read.get(gid), before) {
                (Some(Progress::Read(true)), _) => Listed { at: now, whole_at: now },
                (Some(Progress::Read(false)), Some(before)) => Listed { at: now, ..before },
                (Some(Progress::Failed(why)), _) => {
                    failed = failed.or_else(|| Some(why.clone()));
                    continue;
                }
                (_, Some(before)) => before,
                (_, None) => {
                    missing += 1;
                    continue;
                }
            };
            listed.insert(gid.clone(), known);
        }
        let mut tasks = continued.tasks_known().cloned().unwrap_or_default();
        // Whoever is still in a project stands in its list, and is put back below.
        let is_whole = |project: &String| matches!(answers.read.get(project), Some(Progress::Read(true)));
        for task in tasks.values_mut() {
            task.projects.retain(|project| !is_whole(project));
        }
        tasks.append(&mut answers.tasks);
        let tasks = counted(tasks, |project| listed.contains_key(project), continued.now());
        Self { tasks, listed, missing, failed }
    }

    /// When the list that was read longest ago was read.
    pub fn oldest(&self) -> Option<Timestamp> {
        self.listed.values().map(|listed| listed.at).min()
    }

    /// What was known before, where for this reason nothing more can be read.
    pub fn unchanged(why: String, continued: &Continued<'_>) -> Self {
        let tasks = continued.tasks_known().cloned().unwrap_or_default();
        Self { tasks, listed: continued.listed().cloned().unwrap_or_default(), missing: 0, failed: Some(why) }
    }
}

/// Those of the tasks that count: in one of the wanted projects, and open or completed in the window.
pub(super) fn counted(mut tasks: Tasks, is_wanted: impl Fn(&String) -> bool, now: Timestamp) -> Tasks {
    tasks.retain(|_, task| {
        task.projects.retain(&is_wanted);
        !task.projects.is_empty() && is_recent(&task.life, now)
    });
    tasks
}

/// The bugs that a list tells of.
pub(super) fn bugs(list: Vec<(String, Bug)>, now: Timestamp) -> Bugs {
    list.into_iter().filter(|(_, bug)| is_recent(&bug.life, now)).collect()
}

/// Whether it is open or was completed in the window; one that was completed at no time is in no row.
fn is_recent(life: &Life, now: Timestamp) -> bool {
    !life.completed || life.completed_at.is_some_and(|end| now - MONTH <= end)
}
