//! The summaries that the rows need, and no others: they are large, and most of them are never looked at.

use super::client::Client;
use super::recent::Named;
use super::wire::{Node, Page};
use crate::config::Config;
use crate::snapshot::{Run, RunType, Searched, State};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::graphql::{Variables, variables};
use shared::{Error, Result};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const BY_NAME: &str = "query Summaries($entity: String!, $project: String!, $filters: JSONString, $first: Int!) { \
    project(name: $project, entityName: $entity) { runs(filters: $filters, first: $first) { \
    edges { cursor node { name summaryMetrics } } pageInfo { endCursor hasNextPage } } } }";

/// The newest ended runs of each type whose summaries are read in any case.
const NEWEST: usize = 20;

/// Summaries of a call by name.
const AT_ONCE: usize = 50;

/// Calls side by side.
const SIDE_BY_SIDE: usize = 4;

/// Accuracies of a page.
const ACCURACIES: usize = 100;

/// Runs that are asked for in the search of a row: the newest may hold no number after all.
const TRIES: usize = 2;

/// The most names in one call.
const NAMES: usize = 20_000;

/// The most rounds of a search.
const MOST_ROUNDS: usize = 40;

#[derive(Deserialize)]
struct Listed {
    runs: Page,
}

/// What is searched, and where.
pub(super) struct Search<'s> {
    pub client: &'s Client,
    pub config: &'s Config,
    /// The runs by their ids, with the names of those that were seen in this fetch.
    pub runs: &'s mut BTreeMap<String, Named>,
    /// Start and end of the window.
    pub window: (Timestamp, Timestamp),
}

/// A row: the latest value of a word among some runs.
#[derive(Clone)]
struct Row {
    kind: Option<RunType>,
    word: String,
    path: String,
}

impl Row {
    fn id(&self) -> String {
        format!("{}/{}", self.kind.map_or("finished", RunType::word), self.word)
    }

    fn holds(&self, run: &Run) -> bool {
        self.kind.map_or(run.state == State::Finished, |kind| run.run_type == kind)
    }
}

impl Search<'_> {
    /// Everything that the rows need. Afterwards each is known as far back as is told.
    pub async fn whole(&mut self) -> Result<Searched> {
        let mut newest: Vec<String> = Vec::new();
        for kind in RunType::ALL {
            let mut ended: Vec<&Named> = self.ended().filter(|(_, run)| run.run_type == kind).collect();
            ended.sort_by_key(|(_, run)| std::cmp::Reverse(run.age()));
            newest.extend(ended.into_iter().take(NEWEST).map(|(name, _)| name.clone()));
        }
        self.by_name(newest).await?;
        self.rest().await?;
        let rows = self.rows();
        Ok(rows.iter().map(|row| (row.id(), self.found(row).map_or(self.window.0, |(end, _)| end))).collect())
    }

    /// What the runs that ended lately add; nothing where a row would want runs that were never looked at.
    pub async fn continued(&mut self, new: Vec<String>, before: &Searched) -> Result<Option<Searched>> {
        self.by_name(new).await?;
        let mut after = Searched::new();
        for row in self.rows() {
            let Some(back_to) = before.get(&row.id()).copied() else { return Ok(None) };
            if self.unread(&row, Some(back_to)).next().is_some() {
                return Ok(None);
            }
            let found = self.found(&row).map_or(self.window.0, |(end, _)| end);
            after.insert(row.id(), back_to.min(found));
        }
        Ok(Some(after))
    }

    fn ended(&self) -> impl Iterator<Item = &Named> {
        let (start, end) = self.window;
        self.runs.values().filter(move |(_, run)| run.end().is_some_and(|ended| (start..end).contains(&ended)))
    }

    fn rows(&self) -> Vec<Row> {
        let pairs = || self.config.rules.keys.iter().zip(&self.config.paths);
        let row = |kind: Option<RunType>, (word, path): (&String, &String)| Row {
            kind,
            word: word.clone(),
            path: path.clone(),
        };
        let typed = RunType::ALL.into_iter().flat_map(|kind| pairs().map(move |pair| row(Some(kind), pair)));
        typed.chain(pairs().nth(1).map(|loss| row(None, loss))).collect()
    }

    /// By age the latest run of a row whose summary is read and has a value.
    fn found(&self, row: &Row) -> Option<(Timestamp, Timestamp)> {
        let has = |run: &Run| run.values.as_ref().is_some_and(|values| values.contains_key(&row.word));
        self.ended().filter(|(_, run)| row.holds(run) && has(run)).map(|(_, run)| run.age()).max()
    }

    /// The runs of a row that could be the latest with a value, and whose summaries are not read: as late as what is
    /// found, and ended before what was looked at already.
    fn unread<'r>(&'r self, row: &'r Row, looked_at: Option<Timestamp>) -> impl Iterator<Item = &'r Named> {
        let found = self.found(row);
        self.ended().filter(move |(_, run)| {
            row.holds(run)
                && run.values.is_none()
                && found.is_none_or(|found| run.age() >= found)
                && looked_at.is_none_or(|time| run.heartbeat_at < time)
        })
    }

    /// Reads the summaries of these runs.
    async fn by_name(&mut self, names: Vec<String>) -> Result<()> {
        let (client, config) = (self.client, self.config);
        let calls = names.chunks(AT_ONCE).map(|names| async move {
            let filters = json!({ "name": { "$in": names } }).to_string();
            let variables = variables([("filters", json!(filters)), ("first", json!(AT_ONCE))]);
            client.project::<Listed>(BY_NAME, variables).await
        });
        let calls: Vec<_> = calls.collect();
        let pages: Vec<Listed> = stream::iter(calls).buffered(SIDE_BY_SIDE).try_collect().await?;
        let told: BTreeMap<String, BTreeMap<String, f64>> = pages
            .into_iter()
            .flat_map(|page| page.runs.into_nodes())
            .map(|node| (node.name.clone(), node.values(config)))
            .collect();
        for (name, run) in self.runs.values_mut().filter(|(name, _)| names.contains(name)) {
            // One that is gone since has nothing to say.
            run.values = Some(told.get(name).cloned().unwrap_or_default());
        }
        Ok(())
    }

    /// Looks behind the newest: for every accuracy of a finished run, and for the rows that have no value yet.
    ///
    /// A key that few runs write may lie deeper than the newest runs. Where nothing is missing, nothing is asked.
    async fn rest(&mut self) -> Result<()> {
        let unread = |run: &Run| run.state == State::Finished && run.values.is_none();
        let mut accuracies = self.ended().any(|(_, run)| unread(run)).then(Accuracies::default);
        // How far down each row was looked at.
        let mut open: Vec<(Row, Option<Timestamp>)> = self.rows().into_iter().map(|row| (row, None)).collect();
        for _ in 0..MOST_ROUNDS {
            let mut questions = self.questions(&mut open);
            if questions.is_empty() && accuracies.is_none() {
                return Ok(());
            }
            let taken = take_some(&mut questions);
            let mut answer = self.ask(&taken, accuracies.as_ref()).await?;
            let mut settled = Vec::new();
            for (place, (row, _)) in taken.iter().enumerate() {
                let nodes = answer.remove(&format!("r{place}")).map(|page| page.into_nodes().collect::<Vec<Node>>());
                let nodes = nodes.unwrap_or_default();
                let floor = self.learn(&nodes)?;
                match floor.filter(|_| nodes.len() == TRIES) {
                    None => settled.push(row.id()),
                    floor => {
                        open.iter_mut()
                            .filter(|(other, _)| other.id() == row.id())
                            .for_each(|(_, known)| *known = floor);
                    }
                }
            }
            open.retain(|(row, _)| !settled.contains(&row.id()));
            if let Some(page) = answer.remove("accuracies") {
                accuracies = self.next_accuracies(page)?;
            }
        }
        Err(Error::incomplete("the search for the latest values takes too long"))
    }

    /// What is to be asked for the open rows; those with nothing left to look at are not open any more.
    fn questions(&self, open: &mut Vec<(Row, Option<Timestamp>)>) -> Vec<(Row, Vec<String>)> {
        let mut questions: Vec<(Row, Vec<String>)> = Vec::new();
        open.retain(|(row, floor)| {
            let behind = self.unread(row, None).filter(|(_, run)| floor.is_none_or(|floor| run.heartbeat_at <= floor));
            let names: Vec<String> = behind.map(|(name, _)| name.clone()).collect();
            let more = !names.is_empty();
            if more {
                questions.push((row.clone(), names));
            }
            more
        });
        questions
    }

    /// Keeps what these summaries say; the earliest end among them.
    fn learn(&mut self, nodes: &[Node]) -> Result<Option<Timestamp>> {
        let mut floor: Option<Timestamp> = None;
        for node in nodes {
            let end = node.heartbeat()?;
            floor = floor.into_iter().chain(end).min();
            if let Some((_, run)) = self.runs.values_mut().find(|(name, _)| *name == node.name) {
                run.values = Some(node.values(self.config));
            }
        }
        Ok(floor)
    }

    fn next_accuracies(&mut self, page: Page) -> Result<Option<Accuracies>> {
        let (after, start) = (page.next(), self.window.0);
        let nodes: Vec<Node> = page.into_nodes().collect();
        let floor = self.learn(&nodes)?;
        let goes_on = floor.is_some_and(|floor| floor >= start);
        Ok(after.filter(|_| goes_on).map(|after| Accuracies { after: Some(after) }))
    }

    async fn ask(
        &self,
        rows: &[(Row, Vec<String>)],
        accuracies: Option<&Accuracies>,
    ) -> Result<BTreeMap<String, Page>> {
        let mut names = String::from("$entity: String!, $project: String!");
        let mut fields = String::new();
        let mut variables = Variables::new();
        let mut field = |alias: &str, filters: &Value, first: usize, after: Option<&str>| {
            // Writing to a text cannot fail.
            let written = write!(names, ", ${alias}: JSONString, ${alias}_after: String").and_then(|()| {
                write!(
                    fields,
                    " {alias}: runs(order: \"-heartbeat_at\", filters: ${alias}, first: {first}, after: ${alias}_after) \
                     {{ edges {{ cursor node {{ name heartbeatAt summaryMetrics }} }} pageInfo {{ endCursor hasNextPage }} }}"
                )
            });
            variables.insert(alias.to_owned(), json!(filters.to_string()));
            variables.insert(format!("{alias}_after"), json!(after));
            written.map_err(|_| Error::incomplete("a question"))
        };
        for (place, (row, names)) in rows.iter().enumerate() {
            let filters = json!({ "$and": [{ "name": { "$in": names } }, exists(&row.path)] });
            field(&format!("r{place}"), &filters, TRIES, None)?;
        }
        if let (Some(accuracies), Some(path)) = (accuracies, self.config.paths.first()) {
            let filters = json!({ "$and": [{ "state": "finished" }, exists(path)] });
            field("accuracies", &filters, ACCURACIES, accuracies.after.as_deref())?;
        }
        let document =
            format!("query Latest({names}) {{ project(name: $project, entityName: $entity) {{{fields} }} }}");
        self.client.project(&document, variables).await
    }
}

/// Where the list of accuracies goes on.
#[derive(Default)]
struct Accuracies {
    after: Option<String>,
}

/// Lets through the runs whose summaries have something at this path.
pub(super) fn exists(path: &str) -> Value {
    json!({ (format!("summary_metrics.{path}")): { "$exists": true } })
}

/// As many questions as one call may hold.
fn take_some(questions: &mut Vec<(Row, Vec<String>)>) -> Vec<(Row, Vec<String>)> {
    let mut names = 0;
    let fits = questions.iter().take_while(|(_, more)| {
        names += more.len();
        names <= NAMES
    });
    let number = fits.count().max(1).min(questions.len());
    questions.drain(..number).collect()
}
