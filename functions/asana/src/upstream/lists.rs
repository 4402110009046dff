//! The lists of tasks, project by project: what is asked of each, and what came of it.

use super::client::{Client, Question};
use super::gate::WIDTH;
use super::search::instant;
use super::wire::{BUG, BugRecord, TASK, TaskRecord};
use crate::Asana;
use crate::config::Named;
use crate::snapshot::{Bug, Fetched, Listed, Task, Tasks};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use shared::window::MONTH;
use shared::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a continued list reaches back behind its last reading, since clocks differ.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// A project with at most so many tasks is one page, whole or not.
const SMALL: usize = 80;

/// How often a small project is read whole: what changed is not told of tasks that were deleted or taken out of it, and
/// to read a small one whole costs no more calls.
pub(super) const TURN: SignedDuration = SignedDuration::from_hours(1);

/// What is asked of one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub gid: String,
    /// Only what changed since then.
    pub since: Option<Timestamp>,
    /// Whether it is a project of bugs, of which more is asked. Its tasks may count as well: one list with the fields
    /// of both parts serves both, and if it fails both are unknown.
    pub bugs: bool,
}

/// A list as it came.
struct List {
    whole: bool,
    tasks: Vec<(Box<str>, Task)>,
    bugs: Vec<(String, Bug)>,
}

/// What became of asking for a list.
#[derive(Debug)]
pub(super) enum Progress<T> {
    /// It was read.
    Read(T),
    /// The next run asks for it, with the reason where it was asked for and the quota or the time did not suffice.
    Left(Option<String>),
    /// It cannot be read.
    Failed(String),
}

/// What came of all lists. Their tasks are put together as they come, because in a large workspace they fill the memory.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// For each project, whether its list is everything in it.
    pub read: BTreeMap<String, Progress<bool>>,
    /// The tasks of all lists.
    pub tasks: Tasks,
    /// The bugs of each project that has any.
    pub bugs: BTreeMap<String, Vec<(String, Bug)>>,
}

impl Extend<(String, Progress<List>)> for Answers {
    fn extend<I: IntoIterator<Item = (String, Progress<List>)>>(&mut self, answers: I) {
        for (gid, answer) in answers {
            let read = match answer {
                Progress::Read(list) => {
                    self.tasks.extend(list.tasks);
                    if !list.bugs.is_empty() {
                        self.bugs.insert(gid.clone(), list.bugs);
                    }
                    Progress::Read(list.whole)
                }
                Progress::Left(why) => Progress::Left(why),
                Progress::Failed(why) => Progress::Failed(why),
            };
            self.read.insert(gid, read);
        }
    }
}

impl Answers {
    /// Puts more answers beside these.
    pub fn join(&mut self, mut others: Self) {
        self.read.append(&mut others.read);
        self.tasks.append(&mut others.tasks);
        self.bugs.append(&mut others.bugs);
    }

    /// Why no list at all was read, where the quota or the time did not suffice for one.
    pub fn standstill(&self) -> Option<String> {
        let mut why = None;
        for progress in self.read.values() {
            match progress {
                Progress::Read(_) => return None,
                Progress::Left(Some(reason)) => why = Some(reason.clone()),
                _ => {}
            }
        }
        why
    }
}

/// What a fetch continues from, and for which projects that is enough.
pub(super) struct Continued<'a> {
    last: Option<&'a Fetched>,
    sizes: BTreeMap<&'a str, usize>,
    now: Timestamp,
}

impl<'a> Continued<'a> {
    pub fn new(last: Option<&'a Fetched>, now: Timestamp) -> Self {
        let mut known = Self { last, sizes: BTreeMap::new(), now };
        for project in known.tasks_known().into_iter().flat_map(BTreeMap::values).flat_map(|task| &task.projects) {
            *known.sizes.entry(project.as_str()).or_default() += 1;
        }
        known
    }

    /// The last fetch.
    pub const fn last(&self) -> Option<&'a Fetched> {
        self.last
    }

    /// The time of the fetch that continues.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The tasks that are known, be they all or not.
    pub fn tasks_known(&self) -> Option<&'a Tasks> {
        let last = self.last?;
        last.snapshot.tasks.as_ref().or(last.kept.filling.as_ref())
    }

    /// The projects whose tasks are known.
    pub fn listed(&self) -> Option<&'a BTreeMap<String, Listed>> {
        self.tasks_known().and(self.last).map(|last| &last.kept.listed)
    }

    /// When the list of a project was read.
    pub fn listed_at(&self, gid: &str) -> Option<Listed> {
        self.listed()?.get(gid).copied()
    }

    /// Whether everything is asked, although there is a last fetch: it knew no list.
    pub fn asks_all(&self) -> bool {
        self.last.is_some() && self.listed().is_none_or(BTreeMap::is_empty)
    }

    /// What is asked of the projects whose tasks count, those that were never read first and then those that were read
    /// longest ago; the list of a project of bugs serves both parts and is asked for anyway.
    pub fn asks(&self, chosen: &BTreeSet<String>, bugs: &[&Named]) -> Vec<Ask> {
        let others = chosen.iter().filter(|gid| bugs.iter().all(|project| project.gid != **gid));
        let mut asks: Vec<(Option<Timestamp>, Ask)> = others
            .map(|gid| {
                let ask = Ask { gid: gid.clone(), since: self.since(gid), bugs: false };
                (self.listed_at(gid).map(|listed| listed.at), ask)
            })
            .collect();
        asks.sort_by_key(|(read_at, _)| *read_at);
        asks.into_iter().map(|(_, ask)| ask).collect()
    }

    fn since(&self, gid: &str) -> Option<Timestamp> {
        let listed = self.listed_at(gid)?;
        let is_small = self.sizes.get(gid).copied().unwrap_or_default() <= SMALL;
        let is_due = is_small && self.now.duration_since(listed.whole_at) >= TURN;
        (!is_due).then(|| listed.at - OVERLAP)
    }
}

impl Ask {
    /// A project of bugs is read whole in every run: it is judged, and a bug that was deleted must not stay open.
    pub fn bugs(project: &Named) -> Self {
        Self { gid: project.gid.clone(), since: None, bugs: true }
    }

    fn question(&self, now: Timestamp) -> Question<'static> {
        let mut parameters = vec![("project", self.gid.clone()), ("completed_since", instant(now - MONTH))];
        parameters.extend(self.since.map(|since| ("modified_since", instant(since))));
        let fields = if self.bugs { format!("{TASK},{BUG}") } else { TASK.to_owned() };
        Question { path: "/tasks", parameters, fields }
    }
}

impl Asana {
    /// Asks for lists of bugs, each an answer of its own.
    pub(super) async fn ask_bugs(&self, client: &Client, bugs: &[&Named], now: Timestamp) -> Answers {
        let asks: Vec<Ask> = bugs.iter().map(|project| Ask::bugs(project)).collect();
        let each = asks.into_iter().map(|ask| async move {
            let answer = self.ask(client, &ask, now).await;
            (ask.gid, answer.map_or_else(|error| progress(client, &error), Progress::Read))
        });
        stream::iter(each).buffer_unordered(WIDTH).collect().await
    }

    /// Asks for lists of tasks in this order, as many as the budget allows and one at least. A list that was begun is read
    /// to its end. When one cannot be read, what is not begun yet is left: part of the tasks is no answer, and where the
    /// quota or the time is used up more calls would only be rejected. A project that is gone or out of sight stops nothing.
    pub(super) async fn ask_tasks(&self, client: &Client, asks: Vec<Ask>, continued: &Continued<'_>) -> Answers {
        let (stopped, now, budget) = (&AtomicBool::new(false), continued.now(), self.config.budget);
        // Beside a fetch of everything that takes several runs, what is known is continued: projects and bugs come again.
        let is_beside = continued.last().is_none() && client.begun() + asks.len() > budget;
        let each = asks.into_iter().enumerate().map(|(number, ask)| async move {
            let begun = client.begun();
            let reserve = if is_beside { begun.saturating_sub(number) } else { 0 };
            if number > 0 && begun + reserve >= budget {
                stopped.store(true, Ordering::Relaxed);
            }
            if stopped.load(Ordering::Relaxed) {
                return (ask.gid, Progress::Left(None));
            }
            let answer = self.ask(client, &ask, now).await;
            if matches!(&answer, Err(error) if !matches!(error, Error::NotFound { .. } | Error::Auth { .. })) {
                stopped.store(true, Ordering::Relaxed);
            }
            (ask.gid, answer.map_or_else(|error| progress(client, &error), Progress::Read))
        });
        stream::iter(each).buffer_unordered(WIDTH).collect().await
    }

    async fn ask(&self, client: &Client, ask: &Ask, now: Timestamp) -> Result<List> {
        let (question, whole) = (ask.question(now), ask.since.is_none());
        let told = |record: &TaskRecord| (record.gid.as_str().into(), record.task(&self.digester, Some(&ask.gid)));
        if ask.bugs {
            let both = |record: BugRecord| {
                let gid = record.task.gid.clone();
                (told(&record.task), (gid, record.bug(&self.config, &ask.gid)))
            };
            let (tasks, bugs) = client.list(&question, both).await?.into_iter().unzip();
            return Ok(List { whole, tasks, bugs });
        }
        let tasks = client.list(&question, |record| told(&record)).await?;
        Ok(List { whole, tasks, bugs: Vec::new() })
    }
}

/// What an error means for a list.
fn progress(client: &Client, error: &Error) -> Progress<List> {
    let why = error.with_causes();
    if client.is_exhausted(error) { Progress::Left(Some(why)) } else { Progress::Failed(why) }
}
