//! The summaries that the rows need, and no others: they are large, and most of them are never looked at.

use super::client::{Client, PATH, WANDB};
use super::recent::{MOST_PAGES, Named};
use super::refusals::{Refusals, is_refusal};
use super::wire::{Node, Page};
use crate::config::Config;
use crate::snapshot::{Form, Run, RunType, Searched, State};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::graphql::variables;
use shared::{Digester, Error, Result};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = "query Summaries($entity: String!, $project: String!, $filters: JSONString, $first: Int!, \
    $after: String) { project(name: $project, entityName: $entity) { \
    runs(order: \"-heartbeat_at\", filters: $filters, first: $first, after: $after) { \
    edges { cursor node { name heartbeatAt summaryMetrics } } pageInfo { endCursor hasNextPage } } } }";

/// The newest ended runs of each type whose summaries are read in any case.
const NEWEST: usize = 20;

/// Summaries of a call.
const AT_ONCE: usize = 50;

/// Calls side by side.
const SIDE_BY_SIDE: usize = 4;

#[derive(Deserialize)]
struct Listed {
    runs: Page,
}

/// What is searched, and where.
pub(super) struct Search<'s> {
    pub client: &'s Client,
    pub config: &'s Config,
    pub digester: &'s Digester,
    pub refusals: &'s Refusals,
    /// The runs by their ids, with the names of those that were seen in this fetch.
    pub runs: &'s mut BTreeMap<String, Named>,
    /// Start and end of the window.
    pub window: (Timestamp, Timestamp),
    /// How far back each word was looked for.
    pub looked: Searched,
}

/// A row: the latest value of a word among some runs, or each of them.
struct Row<'r> {
    /// The runs of a type, or all that finished.
    kind: Option<RunType>,
    word: &'r str,
    is_latest: bool,
}

impl Row<'_> {
    fn holds(&self, run: &Run) -> bool {
        self.kind.map_or(run.state == State::Finished, |kind| run.run_type == kind)
    }
}

impl Search<'_> {
    /// Everything that the rows need. Afterwards each word is known as far back as is told.
    pub async fn whole(mut self) -> Result<Searched> {
        let mut newest: Vec<String> = Vec::new();
        for kind in RunType::ALL {
            let mut ended: Vec<&Named> = self.ended().filter(|(_, run)| run.run_type == kind).collect();
            ended.sort_by_key(|(_, run)| Reverse(run.age()));
            newest.extend(ended.into_iter().take(NEWEST).map(|(name, _)| name.clone()));
        }
        self.by_name(&newest).await?;
        self.settle().await?;
        Ok(self.looked)
    }

    /// What the runs that ended lately add; nothing where a row wants runs that were never looked at.
    pub async fn continued(mut self, new: &[String], before: Searched) -> Result<Option<Searched>> {
        self.looked = before;
        self.by_name(new).await?;
        let is_settled = self.settle().await?;
        Ok(is_settled.then_some(self.looked))
    }

    /// Reads on until each row has its value, or there is none; false where it wants a run without a known name. Runs that
    /// have a key are asked for by it. Whether a dot in a key is a letter or leads into a dictionary is the server's
    /// secret, so the runs of such rows are read by name, the newest first.
    async fn settle(&mut self) -> Result<bool> {
        let config = self.config;
        let pairs = || config.rules.keys.iter().zip(&config.paths);
        let dotted: Vec<&str> = pairs().filter(|(_, path)| path.contains('.')).map(|(word, _)| word.as_str()).collect();
        if !self.newest_first(|word| dotted.contains(&word)).await? {
            return Ok(false);
        }
        let was_refused = self.refusals.has(Form::KeyFilter);
        let mut is_refused = was_refused;
        for (word, path) in pairs().filter(|(_, path)| !path.contains('.')) {
            is_refused = is_refused || !self.by_key(word, path).await?;
        }
        if !self.newest_first(|_| true).await? {
            return Ok(false);
        }
        if is_refused && !was_refused {
            self.refusals.learn(Form::KeyFilter);
        }
        Ok(true)
    }

    /// Reads summaries by name until the rows of these words have what they want; false where a name is not known.
    async fn newest_first(&mut self, is_asked: impl Fn(&str) -> bool) -> Result<bool> {
        loop {
            let wanted = self.wanted(&is_asked);
            if wanted.is_empty() {
                return Ok(true);
            }
            if wanted.iter().any(|(name, _)| name.is_empty()) {
                return Ok(false);
            }
            let names = wanted.iter().take(AT_ONCE * SIDE_BY_SIDE).map(|(name, _)| name.clone());
            self.by_name(&names.collect::<Vec<String>>()).await?;
        }
    }

    fn ended(&self) -> impl Iterator<Item = &Named> {
        let (start, end) = self.window;
        self.runs.values().filter(move |(_, run)| run.end().is_some_and(|ended| (start..end).contains(&ended)))
    }

    /// Each word by type, the loss of the finished runs, and every accuracy of them.
    fn rows<'r>(&'r self) -> impl Iterator<Item = Row<'r>> {
        let words = &self.config.rules.keys;
        let row = |kind| move |word: &'r String| Row { kind, word, is_latest: true };
        let typed = RunType::ALL.into_iter().flat_map(move |kind| words.iter().map(row(Some(kind))));
        let accuracies = words.first().map(|word| Row { kind: None, word, is_latest: false });
        typed.chain(words.get(1).map(row(None))).chain(accuracies)
    }

    /// The runs, the newest first, whose summaries are not read and that may have what a row of these words wants: nothing
    /// older than the latest value, and nothing in which the word was looked for.
    fn wanted(&self, is_asked: impl Fn(&str) -> bool) -> Vec<&Named> {
        let mut wanted: BTreeSet<(Reverse<(Timestamp, Timestamp)>, &String)> = BTreeSet::new();
        for row in self.rows().filter(|row| is_asked(row.word)) {
            let of_row = || self.ended().map(|(_, run)| run).filter(|run| row.holds(run));
            let found = of_row().filter(|run| row.is_latest && run.value(row.word).is_some()).map(Run::age).max();
            let looked = self.looked.get(row.word);
            let unread = of_row().filter(|run| {
                run.values.is_none()
                    && found.is_none_or(|found| run.age() >= found)
                    && looked.is_none_or(|time| run.heartbeat_at <= *time)
            });
            wanted.extend(unread.map(|run| (Reverse(run.age()), &run.id)));
        }
        wanted.into_iter().filter_map(|(_, id)| self.runs.get(id)).collect()
    }

    /// Reads the summaries of these runs.
    async fn by_name(&mut self, names: &[String]) -> Result<()> {
        let client = self.client;
        let calls = names.chunks(AT_ONCE).map(|names| async move {
            let filters = json!({ "name": { "$in": names } }).to_string();
            let variables = variables([("filters", json!(filters)), ("first", json!(AT_ONCE))]);
            client.project::<Listed>(DOCUMENT, variables).await
        });
        let calls: Vec<_> = calls.collect();
        let pages: Vec<Listed> = stream::iter(calls).buffered(SIDE_BY_SIDE).try_collect().await?;
        for name in names {
            // One that is gone since has nothing to say.
            if let Some((_, run)) = self.runs.get_mut(&self.digester.of(name)) {
                run.values = Some(BTreeMap::new());
            }
        }
        for node in pages.into_iter().flat_map(|page| page.runs.into_nodes()) {
            self.learn(&node);
        }
        Ok(())
    }

    /// Reads the summaries of the ended runs that have a key, the newest first, until its rows are settled. False where the
    /// server does not take the question, or does not find what is known to have the key.
    async fn by_key(&mut self, word: &str, path: &str) -> Result<bool> {
        let ended = json!({ "state": { "$in": State::ENDED.map(State::word) } });
        let filters = json!({ "$and": [ended, exists(path)] }).to_string();
        let (mut after, mut floor) = (None::<String>, None::<Timestamp>);
        let mut listed = BTreeSet::new();
        for _ in 0..MOST_PAGES {
            if self.wanted(|other| other == word).is_empty() {
                return Ok(true);
            }
            let page = variables([("filters", json!(filters)), ("first", json!(AT_ONCE)), ("after", json!(after))]);
            let Listed { runs: page } = match self.client.project(DOCUMENT, page).await {
                Err(error) if is_refusal(&error) => return Ok(false),
                answer => answer?,
            };
            after = page.next();
            for node in page.into_nodes() {
                let Some(beat) = node.heartbeat()? else { continue };
                if floor.is_some_and(|floor| beat > floor) {
                    let what = format!("summaries in the answer to {PATH} are not in the order asked for");
                    return Err(self.client.failed(Error::decode(WANDB, what)));
                }
                floor = Some(beat);
                listed.insert(self.learn(&node));
            }
            // At the end of the list all of the window was looked at.
            let before = self.window.0 - SignedDuration::from_secs(1);
            let down_to = floor.filter(|_| after.is_some()).unwrap_or(before).max(before);
            if self.is_blind(word, down_to, &listed) {
                self.looked.remove(word);
                return Ok(false);
            }
            self.looked.insert(word.to_owned(), down_to);
        }
        Err(Error::incomplete(format!("more than {MOST_PAGES} pages of summaries")))
    }

    /// Whether some runs that ended later than this are known to have a word, and none of them is on the list.
    fn is_blind(&self, word: &str, down_to: Timestamp, listed: &BTreeSet<String>) -> bool {
        let has = |run: &Run| run.heartbeat_at > down_to && run.value(word).is_some();
        let mut known = self.ended().filter(|(_, run)| has(run)).peekable();
        known.peek().is_some() && !known.any(|(_, run)| listed.contains(&run.id))
    }

    /// Keeps what a summary says, and gives the id of its run.
    fn learn(&mut self, node: &Node) -> String {
        let id = self.digester.of(&node.name);
        if let Some((_, run)) = self.runs.get_mut(&id) {
            run.values = Some(node.values(self.config));
        }
        id
    }
}

/// Lets through the runs whose summaries have something at this path.
pub(super) fn exists(path: &str) -> Value {
    json!({ (format!("summary_metrics.{path}")): { "$exists": true } })
}
