//! How we ask W&B: one fetch of one project, as a whole or continued from the last.

mod client;
mod machine;
mod probe;
mod recent;
mod summaries;
#[cfg(test)]
mod tests;
mod wire;

use crate::WandB;
use crate::config::PROJECTS;
use crate::measure;
use crate::parts::{BEST, COUNTS, GPUS, RECENT, SUMMARIES};
use crate::snapshot::{Counts, Run, Searched, Snapshot, State};
pub(crate) use client::Client;
use futures::future;
use jiff::{SignedDuration, Timestamp};
use recent::{List, Named};
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

/// The most pages that are looked through for the best accuracy.
const MOST_PAGES: usize = 20;

/// Runs of such a page: the first few may hold what is no number.
const PAGE: usize = 100;

/// Runs of a page of what changed, at least, and of the largest page.
const AT_LEAST: usize = 100;
const MANY: usize = 1000;

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

/// The runs of the window, and which of them are to be looked at once more.
struct Recent {
    runs: BTreeMap<String, Named>,
    /// Names of the runs that ended since the last fetch.
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
        let mut snapshot = Snapshot { at: now, ..self.unknown(target) };
        // This question goes first and alone: a key that was replaced is read anew once, and a project that is not
        // there is asked for no further.
        let counts = counts(client).await;
        if let Err(error @ (Error::Auth { .. } | Error::NotFound { .. })) = counts {
            return Err(error);
        }
        snapshot.counts = cx.part(COUNTS, counts);
        let (best, recent) = Box::pin(future::join(self.best(client), self.recent(cx, client, last.base()))).await;
        snapshot.best = cx.part(BEST, best);
        match recent {
            Ok((runs, searched)) => {
                snapshot.summaries = cx.part(SUMMARIES, searched);
                cx.unread(GPUS, measure::silent(&runs, &snapshot, now));
                snapshot.runs = Some(runs);
            }
            // The others stand on the runs.
            Err(error) => {
                for part in [RECENT, SUMMARIES, GPUS] {
                    cx.gap(part, error.with_causes());
                }
            }
        }
        Ok(snapshot)
    }

    /// The runs of the window with the summaries that are needed.
    async fn recent(
        &self,
        cx: &Context,
        client: &Client,
        last: Option<Snapshot>,
    ) -> Result<(Vec<Run>, Result<Searched>)> {
        let (now, is_base) = (cx.now(), last.is_some());
        let known = last.and_then(|last| Some((last.at, last.runs?, last.summaries?)));
        if let Some((at, runs, searched)) = known {
            let Recent { mut runs, new } = self.changed(client, now, at, runs).await?;
            let mut search = self.search(client, &mut runs, now);
            match search.continued(new, &searched).await {
                Ok(Some(searched)) => return Ok((kept(runs), Ok(searched))),
                // A row wants a run that was never looked at, and whose name is not known any more.
                Ok(None) => {}
                Err(error) => return Ok((kept(runs), Err(error))),
            }
        }
        let mut all = self.list(client, json!({}));
        all.down_to(now - WEEK).await?;
        all.look_again(self.alive_since(now)).await?;
        if is_base {
            cx.asked_all();
        }
        let mut runs = all.runs;
        runs.retain(|_, (_, run)| run.heartbeat_at >= now - WEEK);
        let searched = self.search(client, &mut runs, now).whole().await;
        Ok((kept(runs), searched))
    }

    fn list<'c>(&'c self, client: &'c Client, filters: Value) -> List<'c> {
        List::new(client, &self.config, &self.digester, filters)
    }

    fn search<'s>(&'s self, client: &'s Client, runs: &'s mut BTreeMap<String, Named>, now: Timestamp) -> Search<'s> {
        Search { client, config: &self.config, runs, window: (now - WEEK, now) }
    }

    fn alive_since(&self, now: Timestamp) -> Timestamp {
        now - SignedDuration::from_mins(self.config.rules.stale_minutes.into())
    }

    /// The runs of the window, from those of the last fetch: whatever lives beats, and therefore stands at the top of the
    /// list. A run that is open and silent can change its state alone, and so can one that is put back to waiting; both
    /// show in the list of open runs.
    async fn changed(&self, client: &Client, now: Timestamp, at: Timestamp, before: Vec<Run>) -> Result<Recent> {
        let (week, since) = (now - WEEK, at - OVERLAP);
        // What lived then lives now, or died a moment ago: large pages where there is much of it.
        let living = before.iter().filter(|run| run.heartbeat_at >= since).count();
        let mut top = self.list(client, json!({})).pages_of((living + living / 4).clamp(AT_LEAST, MANY));
        let mut open = self.list(client, json!({ "state": { "$in": OPEN.map(State::word) } })).pages_of(MANY);
        future::try_join(top.down_to(since), open.down_to(week)).await?;
        let before: BTreeMap<String, Run> =
            before.into_iter().filter(|run| run.heartbeat_at >= week).map(|run| (run.id.clone(), run)).collect();
        let is_seen = |id: &String| top.runs.contains_key(id) || open.runs.contains_key(id);
        let vanished: BTreeMap<String, Timestamp> = before
            .values()
            .filter(|run| OPEN.contains(&run.state) && !is_seen(&run.id))
            .map(|run| (run.id.clone(), run.heartbeat_at))
            .collect();
        let mut closed = self.closed(client, &vanished).await?;
        // What cannot be found directly has its place in the list where it stopped to beat.
        if let Some(deepest) = vanished.iter().filter(|(id, _)| !closed.contains_key(*id)).map(|(_, beat)| *beat).min()
        {
            top.down_to(deepest).await?;
        }
        top.look_again(self.alive_since(now)).await?;
        let mut runs: BTreeMap<String, Named> =
            before.iter().map(|(id, run)| (id.clone(), (String::new(), run.clone()))).collect();
        runs.append(&mut open.runs);
        runs.append(&mut closed);
        runs.append(&mut top.runs);
        // One that is not in its place either was deleted.
        let is_gone = |id: &String, name: &String| name.is_empty() && vanished.contains_key(id);
        runs.retain(|id, (name, run)| run.heartbeat_at >= week && !is_gone(id, name));
        let mut new = Vec::new();
        for (id, (name, run)) in &mut runs {
            let same = before.get(id).filter(|before| before.state == run.state && before.age() == run.age());
            run.values = same.and_then(|before| before.values.clone());
            let was_ended = same.is_some_and(|before| before.end().is_some_and(|end| end < at));
            if !name.is_empty() && !was_ended && run.values.is_none() && run.end().is_some_and(|end| end < now) {
                new.push(name.clone());
            }
        }
        Ok(Recent { runs, new })
    }

    /// Dead runs that somebody closed, looked for by the time of their last heartbeat, since no name of them is kept. A
    /// server that does not take such a question finds none.
    async fn closed(&self, client: &Client, vanished: &BTreeMap<String, Timestamp>) -> Result<BTreeMap<String, Named>> {
        let mut beats: Vec<Timestamp> = vanished.values().copied().collect();
        beats.sort_unstable();
        beats.dedup();
        let mut found = BTreeMap::new();
        for beats in beats.chunks(PAGE) {
            let second = |beat: &Timestamp| {
                let end = *beat + SignedDuration::from_secs(1);
                json!({ "heartbeat_at": { "$gte": beat.to_string(), "$lt": end.to_string() } })
            };
            let seconds: Vec<Value> = beats.iter().map(second).collect();
            let ended = json!({ "state": { "$in": State::ENDED.map(State::word) } });
            let mut list = self.list(client, json!({ "$and": [ended, { "$or": seconds }] }));
            match list.down_to(beats[0]).await {
                Ok(()) => found.append(&mut list.runs),
                Err(Error::Status { .. } | Error::Decode { .. }) => return Ok(BTreeMap::new()),
                Err(error) => return Err(error),
            }
        }
        found.retain(|id, _| vanished.contains_key(id));
        Ok(found)
    }

    /// The largest accuracy of a finished run. The server sorts what is no number before the numbers, so the first
    /// number is the largest.
    async fn best(&self, client: &Client) -> Result<Option<f64>> {
        let (Some(word), Some(path)) = (self.config.rules.keys.first(), self.config.paths.first()) else {
            return Ok(None);
        };
        let filters = json!({ "$and": [{ "state": "finished" }, exists(path)] }).to_string();
        let mut after = None::<String>;
        for _ in 0..MOST_PAGES {
            let variables = variables([
                ("filters", json!(filters)),
                ("order", json!(format!("-summary_metrics.{path}"))),
                ("after", json!(after)),
                ("first", json!(PAGE)),
            ]);
            let Listed { runs: page } = client.project(BEST_DOCUMENT, variables).await?;
            let next = page.next();
            let best = page.into_nodes().find_map(|node| node.values(&self.config).remove(word));
            if best.is_some() || next.is_none() {
                return Ok(best);
            }
            after = next;
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
