//! How we ask W&B: one fetch of one project, as a whole or continued from the last.

mod client;
mod machine;
mod probe;
mod recent;
mod refusals;
mod summaries;
#[cfg(test)]
mod tests;
mod wire;

use crate::WandB;
use crate::config::{Config, PROJECTS};
use crate::measure;
use crate::parts::{BEST, COUNTS, GPUS, RECENT, SUMMARIES};
use crate::snapshot::{Counts, Form, Run, Searched, Snapshot, State};
pub(crate) use client::Client;
use futures::future;
use jiff::{SignedDuration, Timestamp};
use recent::{List, Named, SMALL};
use refusals::{Refusals, is_refusal};
use serde::Deserialize;
use serde_json::{Value, json};
use shared::graphql::variables;
use shared::window::WEEK;
use shared::{Collector, Context, Error, Last, Result};
use std::collections::BTreeMap;
use summaries::{Search, exists};
use wire::Page;

/// How far a continued fetch reaches back behind the last one, for what upstream shows late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

/// The states that a run leaves without a heartbeat.
const OPEN: [State; 3] = [State::Running, State::Pending, State::Preempting];

/// The most pages that are looked through for the best accuracy, and the runs of each: the first is mostly enough.
const MOST_PAGES: usize = 20;
const FIRST_PAGE: usize = 1;
const PAGE: usize = 50;

const COUNTS_DOCUMENT: &str = "query Counts($entity: String!, $project: String!, $running: JSONString) { \
    project(name: $project, entityName: $entity) { all: runCount running: runCount(filters: $running) } }";

const BEST_DOCUMENT: &str = "query Best($entity: String!, $project: String!, $filters: JSONString, $order: String, \
    $after: String, $first: Int!) { project(name: $project, entityName: $entity) { \
    runs(order: $order, filters: $filters, first: $first, after: $after) { edges { cursor node { name summaryMetrics } } \
    pageInfo { endCursor hasNextPage } } } }";

#[derive(Deserialize)]
struct Listed {
    runs: Page,
}

/// The runs of the window.
struct Recent {
    runs: BTreeMap<String, Named>,
    /// Names of those that ended since the last fetch.
    new: Vec<String>,
}

impl WandB {
    fn client(&self, target: &str) -> Result<&Client> {
        let client = self.clients.iter().find(|client| client.target.alias == target);
        client.ok_or_else(|| PROJECTS.refused(format!("does not name `{target}`")))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub(crate) async fn fetch_project(&self, cx: &Context, target: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        let (client, now) = (self.client(target)?, cx.now());
        let (base, memory) = match last {
            Last::Base(mut base) => {
                let refused = std::mem::take(&mut base.refused);
                (Some(base), refused)
            }
            other => (None, other.memory().map(|memory| memory.refused).unwrap_or_default()),
        };
        let refusals = Refusals::new(memory, &self.config.url, now);
        let mut snapshot = Snapshot { at: now, ..self.unknown(target) };
        // This question goes first and alone: a key that was replaced is read anew once, and a project that is not
        // there is asked for no further.
        let counts = counts(client).await;
        if let Err(error @ (Error::Auth { .. } | Error::NotFound { .. })) = counts {
            return Err(error);
        }
        snapshot.counts = cx.part(COUNTS, counts);
        let asked = Asked { wandb: self, cx, client, refusals: &refusals };
        let (best, recent) = Box::pin(future::join(asked.best(), asked.recent(base))).await;
        let mut known = None;
        match recent {
            Ok((runs, searched)) => {
                snapshot.summaries = cx.part(SUMMARIES, searched);
                cx.unread(GPUS, measure::silent(&runs, &snapshot, now));
                known = self.best_of(&runs);
                snapshot.runs = Some(runs);
            }
            // The others stand on the runs.
            Err(error) => {
                for part in [RECENT, SUMMARIES, GPUS] {
                    cx.gap(part, error.with_causes());
                }
            }
        }
        snapshot.best = cx.part(BEST, best.and_then(|best| reconciled(best, known)));
        snapshot.refused = refusals.known();
        Ok(snapshot)
    }

    /// The largest accuracy of a finished run among these, as far as their summaries are read.
    fn best_of(&self, runs: &[Run]) -> Option<f64> {
        let word = self.config.rules.keys.first()?;
        let finished = runs.iter().filter(|run| run.state == State::Finished);
        finished.filter_map(|run| run.value(word)).max_by(f64::total_cmp)
    }
}

/// The best accuracy by the server's order and by the summaries that were read. A server that finds none where there is one
/// cannot look for this key.
fn reconciled(by_order: Option<f64>, by_summaries: Option<f64>) -> Result<Option<f64>> {
    match (by_order, by_summaries) {
        (None, Some(_)) => {
            Err(Error::incomplete("the server sorts no run by the key of the accuracy, and runs have it"))
        }
        (best, known) => Ok(best.into_iter().chain(known).max_by(f64::total_cmp)),
    }
}

/// Everything that the questions of one fetch need.
struct Asked<'f> {
    wandb: &'f WandB,
    cx: &'f Context,
    client: &'f Client,
    refusals: &'f Refusals,
}

impl Asked<'_> {
    /// The runs of the window with the summaries that are needed.
    async fn recent(&self, last: Option<Snapshot>) -> Result<(Vec<Run>, Result<Searched>)> {
        let is_base = last.is_some();
        let known = last.and_then(|last| Some((last.at, last.runs?, last.summaries?)));
        let mut failed = None;
        if let Some((at, runs, searched)) = known.filter(|_| !self.refusals.has(Form::StateFilter)) {
            match self.continued(at, runs, searched).await {
                Ok(Some(continued)) => return Ok(continued),
                // A row wants a run that was never looked at, and whose name is not known any more.
                Ok(None) => {}
                // To ask for more would not help.
                Err(error @ (Error::RateLimited { .. } | Error::Auth { .. })) => return Err(error),
                Err(error) => {
                    tracing::warn!(error = error.with_causes(), "what changed cannot be read; everything is read");
                    failed = Some(error);
                }
            }
        }
        let whole = self.whole().await?;
        if is_base {
            self.cx.asked_all();
        }
        // Every run is listed and those of some states are not: the filter is what the server does not take.
        if failed.is_some_and(|error| is_refusal(&error)) {
            self.refusals.learn(Form::StateFilter);
        }
        Ok(whole)
    }

    async fn whole(&self) -> Result<(Vec<Run>, Result<Searched>)> {
        let week = self.cx.now() - WEEK;
        let mut all = self.list(json!({}));
        all.down_to(week).await?;
        all.look_again(self.alive_since()).await?;
        let mut runs = all.runs;
        runs.retain(|_, (_, run)| run.heartbeat_at >= week);
        let searched = self.search(&mut runs).whole().await;
        Ok((kept(runs), searched))
    }

    /// What a fetch of everything would find, from the runs of the last fetch; nothing where that does not tell.
    async fn continued(
        &self,
        at: Timestamp,
        before: Vec<Run>,
        searched: Searched,
    ) -> Result<Option<(Vec<Run>, Result<Searched>)>> {
        let Recent { mut runs, new } = self.changed(at, before).await?;
        let searched = self.search(&mut runs).continued(&new, searched).await;
        Ok(searched.transpose().map(|searched| (kept(runs), searched)))
    }

    fn list(&self, filters: Value) -> List<'_> {
        let WandB { config, digester, .. } = self.wandb;
        List::new(self.client, config, digester, self.refusals, filters)
    }

    fn search<'s>(&'s self, runs: &'s mut BTreeMap<String, Named>) -> Search<'s> {
        let WandB { config, digester, .. } = self.wandb;
        let window = (self.cx.now() - WEEK, self.cx.now());
        Search { client: self.client, config, digester, refusals: self.refusals, runs, window, looked: Searched::new() }
    }

    fn alive_since(&self) -> Timestamp {
        self.cx.now() - SignedDuration::from_mins(self.wandb.config.rules.stale_minutes.into())
    }

    /// The runs of the window, from those of the last fetch: those that are open, and those that ended since. A run that is
    /// open and silent can change its state alone: it is missing among the open ones then.
    async fn changed(&self, at: Timestamp, before: Vec<Run>) -> Result<Recent> {
        let (week, since) = (self.cx.now() - WEEK, at - OVERLAP);
        let before: BTreeMap<String, Run> =
            before.into_iter().filter(|run| run.heartbeat_at >= week).map(|run| (run.id.clone(), run)).collect();
        let living = before.values().filter(|run| OPEN.contains(&run.state)).count();
        let states = OPEN.map(State::word);
        let mut open = self.list(json!({ "state": { "$in": states } })).pages_of(living + living / 4);
        let mut rest = self.list(json!({ "state": { "$nin": states } })).pages_of(SMALL);
        future::try_join(open.down_to(week), rest.down_to(since)).await?;
        open.look_again(self.alive_since()).await?;
        let is_missing = |run: &&Run| {
            OPEN.contains(&run.state) && !open.runs.contains_key(&run.id) && !rest.runs.contains_key(&run.id)
        };
        let missing: BTreeMap<&String, Timestamp> =
            before.values().filter(is_missing).map(|run| (&run.id, run.heartbeat_at)).collect();
        // Dead runs that somebody closed have their place in the list where they stopped to beat.
        if let Some(deepest) = missing.values().min() {
            rest.enlarge();
            rest.down_to(*deepest).await?;
        }
        let mut runs: BTreeMap<String, Named> =
            before.iter().map(|(id, run)| (id.clone(), (String::new(), run.clone()))).collect();
        runs.append(&mut open.runs);
        runs.append(&mut rest.runs);
        // One that is not in its place either was deleted.
        let is_gone = |id: &String, name: &String| name.is_empty() && missing.contains_key(id);
        runs.retain(|id, (name, run)| run.heartbeat_at >= week && !is_gone(id, name));
        let new = self.ended_since(at, &before, &mut runs);
        Ok(Recent { runs, new })
    }

    /// Gives runs that did not change the values that are known of them; the names of those that ended since.
    fn ended_since(
        &self,
        at: Timestamp,
        before: &BTreeMap<String, Run>,
        runs: &mut BTreeMap<String, Named>,
    ) -> Vec<String> {
        let mut new = Vec::new();
        for (id, (name, run)) in runs {
            let same = before.get(id).filter(|before| before.state == run.state && before.age() == run.age());
            run.values = same.and_then(|before| before.values.clone());
            let was_ended = same.is_some_and(|before| before.end().is_some_and(|end| end < at));
            let is_ended = run.end().is_some_and(|end| end < self.cx.now());
            if !name.is_empty() && !was_ended && run.values.is_none() && is_ended {
                new.push(name.clone());
            }
        }
        new
    }

    /// The largest accuracy of a finished run.
    async fn best(&self) -> Result<Option<f64>> {
        let is_filtered = !self.refusals.has(Form::KeyFilter);
        match self.best_among(is_filtered).await {
            Err(error) if is_filtered && is_refusal(&error) => {
                let best = self.best_among(false).await?;
                self.refusals.learn(Form::KeyFilter);
                Ok(best)
            }
            answer => answer,
        }
    }

    /// The same among the runs that have the key, or among all. The server sorts what is no number before the numbers, so
    /// the first number is the largest; and behind them what has no such key.
    async fn best_among(&self, is_filtered: bool) -> Result<Option<f64>> {
        let Config { rules, paths, .. } = &self.wandb.config;
        let (Some(word), Some(path)) = (rules.keys.first(), paths.first()) else { return Ok(None) };
        let finished = json!({ "state": "finished" });
        let filters = if is_filtered { json!({ "$and": [finished, exists(path)] }) } else { finished };
        let mut after = None::<String>;
        for page in 0..MOST_PAGES {
            let variables = variables([
                ("filters", json!(filters.to_string())),
                ("order", json!(format!("-summary_metrics.{path}"))),
                ("after", json!(after)),
                ("first", json!(if page == 0 { FIRST_PAGE } else { PAGE })),
            ]);
            let Listed { runs: page } = self.client.project(BEST_DOCUMENT, variables).await?;
            after = page.next();
            for node in page.into_nodes() {
                let best = node.values(&self.wandb.config).remove(word);
                if best.is_some() || !node.has(path) {
                    return Ok(best);
                }
            }
            if after.is_none() {
                return Ok(None);
            }
        }
        Err(Error::incomplete("too many summaries hold an accuracy that is no number"))
    }
}

/// The runs without their names.
fn kept(runs: BTreeMap<String, Named>) -> Vec<Run> {
    runs.into_values().map(|(_, run)| run).collect()
}

async fn counts(client: &Client) -> Result<Counts> {
    let running = json!({ "state": "running" }).to_string();
    client.project(COUNTS_DOCUMENT, variables([("running", json!(running))])).await
}
