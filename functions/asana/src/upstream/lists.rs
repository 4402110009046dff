//! The lists of tasks, project by project: what is asked of each, and what came of it.

use super::client::{BATCH, Client, Question};
use super::gate::WIDTH;
use super::search::instant;
use super::wire::{BUG, BugRecord, Page, TASK, TaskRecord};
use crate::Asana;
use crate::config::Named;
use crate::snapshot::{Bug, Bugs, Fetched, Task, Tasks};
use futures::{StreamExt, future, stream};
use jiff::{SignedDuration, Timestamp};
use shared::window::MONTH;
use shared::{Error, GRID, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

/// How far a continued fetch reaches back behind the last one, since clocks differ.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// A project with at most so many tasks is one page, whole or not.
const SMALL: usize = 80;

/// In each of so many runs another share of the small projects is read whole: what changed is not told of tasks that were
/// deleted or taken out of a project, and to read a small one whole costs no more calls.
const TURNS: i64 = 4;

/// How many batches are under way at one time. Asana works on all of a batch side by side, and bears fifty reads at a time.
const BATCHES: usize = 2;

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

/// A project, and its list; none where it was not asked, since another one had failed already.
type Answer = (String, Result<Option<List>>);

/// What came of all lists. Their tasks are put together as they come, because in a large workspace they fill the memory.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// For each project whether its list is everything in it; none where it was not asked.
    pub read: BTreeMap<String, Result<Option<bool>>>,
    /// The tasks of all lists.
    pub tasks: Tasks,
    /// The bugs of each project that has any.
    pub bugs: BTreeMap<String, Vec<(String, Bug)>>,
}

impl Extend<Answer> for Answers {
    fn extend<I: IntoIterator<Item = Answer>>(&mut self, answers: I) {
        for (gid, answer) in answers {
            let read = answer.map(|list| {
                list.map(|list| {
                    self.tasks.extend(list.tasks);
                    if !list.bugs.is_empty() {
                        self.bugs.insert(gid.clone(), list.bugs);
                    }
                    list.whole
                })
            });
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
    pub fn listed(&self) -> Option<&'a BTreeSet<String>> {
        self.tasks_known().and(self.last).map(|last| &last.kept.listed)
    }

    /// Whether everything is asked, although there is a last fetch: it knew no list.
    pub fn asks_all(&self) -> bool {
        self.last.is_some() && self.listed().is_none_or(BTreeSet::is_empty)
    }

    /// The bugs of a project that are known.
    pub fn bugs_known(&self, alias: &str) -> Option<&'a Bugs> {
        self.last?.snapshot.bugs.get(alias)?.as_ref()
    }

    /// What is asked of a project whose tasks count.
    pub fn tasks(&self, gid: &str) -> Ask {
        Ask { gid: gid.to_owned(), since: self.since(gid), bugs: false }
    }

    /// What is asked of a project of bugs, whose tasks may count as well.
    pub fn bugs(&self, project: &Named) -> Ask {
        let since = self.bugs_known(&project.alias).and_then(|_| self.since(&project.gid));
        Ask { gid: project.gid.clone(), since, bugs: true }
    }

    fn since(&self, gid: &str) -> Option<Timestamp> {
        let last = self.last?;
        let known = self.listed().is_some_and(|listed| listed.contains(gid));
        let size = self.sizes.get(gid).copied().unwrap_or_default();
        let turn = self.now.as_second() / GRID.as_secs() + gid.bytes().map(i64::from).sum::<i64>();
        let whole = !known || (size <= SMALL && turn % TURNS == 0);
        (!whole).then(|| last.kept.at - OVERLAP)
    }
}

impl Ask {
    fn question(&self, now: Timestamp) -> Question<'static> {
        let mut parameters = vec![("project", self.gid.clone()), ("completed_since", instant(now - MONTH))];
        parameters.extend(self.since.map(|since| ("modified_since", instant(since))));
        let fields = if self.bugs { format!("{TASK},{BUG}") } else { TASK.to_owned() };
        Question { path: "/tasks", parameters, fields }
    }
}

impl Asana {
    /// Asks for all of these, in the way that fits.
    pub(super) async fn ask_many(&self, client: &Client, asks: Vec<Ask>, continued: &Continued<'_>) -> Answers {
        match continued.last {
            Some(_) => Box::pin(self.ask_in_batches(client, asks, continued.now)).await,
            None => self.ask_all(client, asks, continued.now).await,
        }
    }

    /// Asks for each by itself. When a list cannot be read, what is not begun yet is left: part of the tasks is no answer. A
    /// project that is gone or out of sight stops nothing, since it may be one that does not count any more; and lists of
    /// bugs are asked in any case, since they are an answer of their own.
    async fn ask_all(&self, client: &Client, asks: Vec<Ask>, now: Timestamp) -> Answers {
        let stopped = &AtomicBool::new(false);
        let each = asks.into_iter().map(|ask| self.ask_unless(stopped, client, ask, None, now));
        stream::iter(each).buffer_unordered(WIDTH).collect().await
    }

    /// Asks in batches, for lists that are short: what changed since the last fetch is rarely more than a page of any.
    async fn ask_in_batches(&self, client: &Client, asks: Vec<Ask>, now: Timestamp) -> Answers {
        let stopped = &AtomicBool::new(false);
        let (bugs, asks): (Vec<Ask>, Vec<Ask>) = asks.into_iter().partition(|ask| ask.bugs);
        let batches: Vec<_> =
            asks.chunks(BATCH).map(|asks| self.ask_batch(stopped, client, asks.to_vec(), now)).collect();
        let batches = stream::iter(batches).buffer_unordered(BATCHES).collect::<Vec<Answers>>();
        let (mut answers, found) = Box::pin(future::join(self.ask_all(client, bugs, now), batches)).await;
        for found in found {
            answers.join(found);
        }
        answers
    }

    async fn ask_batch(&self, stopped: &AtomicBool, client: &Client, asks: Vec<Ask>, now: Timestamp) -> Answers {
        let mut answers = Answers::default();
        answers.extend(asks.iter().map(|ask| (ask.gid.clone(), Ok(None))));
        if stopped.load(Ordering::Relaxed) {
            return answers;
        }
        let questions: Vec<_> = asks.iter().map(|ask| ask.question(now)).collect();
        match client.first_pages(&questions).await {
            Ok(pages) => {
                let each = asks.into_iter().zip(pages);
                let each = each.map(|(ask, first)| self.ask_unless(stopped, client, ask, first, now));
                answers.join(stream::iter(each).buffer_unordered(WIDTH).collect().await);
            }
            Err(error) => {
                stopped.store(true, Ordering::Relaxed);
                answers.extend(asks.first().map(|ask| (ask.gid.clone(), Err(error))));
            }
        }
        answers
    }

    async fn ask_unless(
        &self,
        stopped: &AtomicBool,
        client: &Client,
        ask: Ask,
        first: Option<Page<TaskRecord>>,
        now: Timestamp,
    ) -> Answer {
        if stopped.load(Ordering::Relaxed) && !ask.bugs {
            return (ask.gid, Ok(None));
        }
        let answer = self.ask(client, &ask, first, now).await;
        if let Err(error) = &answer
            && !ask.bugs
            && !matches!(error, Error::NotFound { .. } | Error::Auth { .. })
        {
            stopped.store(true, Ordering::Relaxed);
        }
        (ask.gid, answer.map(Some))
    }

    async fn ask(&self, client: &Client, ask: &Ask, first: Option<Page<TaskRecord>>, now: Timestamp) -> Result<List> {
        let (question, whole) = (ask.question(now), ask.since.is_none());
        let told = |record: &TaskRecord| (record.gid.as_str().into(), record.task(&self.digester, Some(&ask.gid)));
        if ask.bugs {
            let both = |record: BugRecord| {
                let gid = record.task.gid.clone();
                (told(&record.task), (gid, record.bug(&self.config, &ask.gid)))
            };
            let (tasks, bugs) = client.list(&question, None, both).await?.into_iter().unzip();
            return Ok(List { whole, tasks, bugs });
        }
        let tasks = client.list(&question, first, |record| told(&record)).await?;
        Ok(List { whole, tasks, bugs: Vec::new() })
    }
}
