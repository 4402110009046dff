//! Workflow runs: the window in slices that GitHub lists to their end, and its continuation.

use super::client::Client;
use crate::snapshot::Run;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::{Error, Result, http::escape};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::Semaphore;

/// A filtered listing ends here, whatever `total_count` says.
const LISTED: u64 = 1000;

/// Runs a page.
const PAGE: u64 = 100;

/// Pages that one run of ours may ask for.
const PAGES: u32 = 120;

/// Pages that are asked for at the same time.
const ABREAST: usize = 8;

/// A stretch shorter than this is not cut any further.
const SHORTEST: SignedDuration = SignedDuration::from_mins(1);

/// A stretch of creation times in whole seconds, both ends included.
pub(super) type Stretch = (Timestamp, Timestamp);

/// A page of runs as GitHub lists them.
#[derive(Deserialize)]
pub(super) struct Listed {
    total_count: u64,
    /// The runs of the page.
    pub workflow_runs: Vec<Wire>,
}

/// A run as GitHub shows it.
#[derive(Deserialize)]
pub(super) struct Wire {
    /// Its id.
    pub id: u64,
    workflow_id: u64,
    run_number: u64,
    run_attempt: Option<u64>,
    event: String,
    head_branch: Option<String>,
    head_sha: String,
    created_at: Timestamp,
    run_started_at: Option<Timestamp>,
    updated_at: Timestamp,
    status: Option<String>,
    /// What it ended with.
    pub conclusion: Option<String>,
    head_repository: Option<Repository>,
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Repository {
    id: u64,
}

impl Wire {
    fn read(self, branch: &str) -> Run {
        let own = match (&self.head_repository, &self.repository) {
            (Some(head), Some(own)) => head.id == own.id,
            _ => false,
        };
        let of_pull = matches!(self.event.as_str(), "pull_request" | "pull_request_target");
        let completed = self.status.as_deref() == Some("completed");
        Run {
            id: self.id,
            workflow: self.workflow_id,
            number: self.run_number,
            attempt: self.run_attempt.unwrap_or(1),
            created_at: self.created_at,
            started_at: self.run_started_at.unwrap_or(self.created_at),
            updated_at: self.updated_at,
            head: self.head_sha,
            on_branch: own && !of_pull && self.head_branch.as_deref() == Some(branch),
            push: matches!(self.event.as_str(), "push" | "merge_group"),
            conclusion: self.conclusion.filter(|_| completed),
            open: self.status.filter(|_| !completed),
        }
    }
}

/// Runs as the formulas see them.
pub(super) fn reads(wires: impl IntoIterator<Item = Wire>, branch: &str) -> impl Iterator<Item = Run> {
    wires.into_iter().map(move |wire| wire.read(branch))
}

/// What was read of the stretches asked for.
#[derive(Default)]
pub(super) struct Read {
    /// The runs of the stretches that are known.
    pub runs: BTreeMap<u64, Wire>,
    /// Stretches that are not known.
    pub missing: Vec<Stretch>,
    /// Why one of them could not be read; without it they only wait to be asked.
    pub why: Option<Error>,
}

/// What a stretch turned out to be.
enum Outcome {
    Runs(Vec<Wire>),
    /// Too much for one listing: its parts, newest last, each with runs that are known to be its newest.
    Parts(Vec<(Stretch, Vec<Wire>)>),
    /// Fewer runs than GitHub counts: the list lags behind, and is asked again in the next run.
    Short,
    Failed(Error),
}

/// Lists runs by creation time.
pub(super) struct Lister<'r> {
    client: &'r Client,
    repo: &'r str,
    abreast: Semaphore,
    left: AtomicU32,
}

impl<'r> Lister<'r> {
    /// A lister with the pages of one run of ours.
    pub fn new(client: &'r Client, repo: &'r str) -> Self {
        Self { client, repo, abreast: Semaphore::new(ABREAST), left: AtomicU32::new(PAGES) }
    }

    /// Reads stretches, newest first, as far as the pages suffice; a stretch is read as a whole or not at all.
    pub async fn read(&self, stretches: Vec<Stretch>) -> Read {
        let mut read = Read::default();
        let mut open: Vec<(Stretch, Vec<Wire>)> = stretches.into_iter().map(|stretch| (stretch, Vec::new())).collect();
        open.sort_by_key(|(stretch, _)| *stretch);
        while !open.is_empty() {
            // A stretch takes at most ten pages and the probe of a seeded one.
            let affordable = self.left.load(Ordering::Relaxed) / 11;
            let batch = open.split_off(open.len().saturating_sub(ABREAST.min(affordable as usize)));
            if batch.is_empty() {
                tracing::info!(repo = self.repo, PAGES, "no more pages of runs: the next run goes on");
                break;
            }
            let outcomes =
                batch.into_iter().map(|(stretch, seed)| async move { (stretch, self.stretch(stretch, seed).await) });
            let outcomes: Vec<_> = stream::iter(outcomes).buffered(ABREAST).collect().await;
            for (stretch, outcome) in outcomes {
                match outcome {
                    Outcome::Runs(runs) => read.runs.extend(runs.into_iter().map(|run| (run.id, run))),
                    Outcome::Parts(parts) => open.extend(parts),
                    Outcome::Short => read.missing.push(stretch),
                    Outcome::Failed(error) => {
                        read.missing.push(stretch);
                        read.why.get_or_insert(error);
                    }
                }
            }
            open.sort_by_key(|(stretch, _)| *stretch);
        }
        read.missing.extend(open.into_iter().map(|(stretch, _)| stretch));
        read.missing.sort_unstable();
        read
    }

    async fn stretch(&self, stretch: Stretch, seed: Vec<Wire>) -> Outcome {
        self.list(stretch, seed).await.unwrap_or_else(Outcome::Failed)
    }

    /// Lists one stretch; its newest page may be known already from the stretch it was cut from.
    async fn list(&self, stretch: Stretch, seed: Vec<Wire>) -> Result<Outcome> {
        let seeded = !seed.is_empty();
        let first = self.page(stretch, if seeded { 2 } else { 1 }).await?;
        let total = first.total_count;
        let (newest, second) = if seeded { (seed, first.workflow_runs) } else { (first.workflow_runs, Vec::new()) };
        if total > LISTED {
            return cut(stretch, total, newest).map(Outcome::Parts);
        }
        let mut runs: BTreeMap<u64, Wire> = newest.into_iter().chain(second).map(|run| (run.id, run)).collect();
        let asked = if seeded { 2 } else { 1 };
        let more: Vec<Listed> = stream::iter((asked + 1)..=total.div_ceil(PAGE))
            .map(|page| self.page(stretch, page))
            .buffer_unordered(ABREAST)
            .try_collect()
            .await?;
        runs.extend(more.into_iter().flat_map(|page| page.workflow_runs).map(|run| (run.id, run)));
        if (runs.len() as u64) < total && seeded {
            let first = self.page(stretch, 1).await?;
            runs.extend(first.workflow_runs.into_iter().map(|run| (run.id, run)));
        }
        runs.retain(|_, run| stretch.0 <= run.created_at && run.created_at < stretch.1 + 1.second());
        if (runs.len() as u64) < total {
            tracing::info!(repo = self.repo, from = %stretch.0, to = %stretch.1, listed = runs.len(), total, "a list of runs is short");
            return Ok(Outcome::Short);
        }
        Ok(Outcome::Runs(runs.into_values().collect()))
    }

    /// Every run with this status; none where they are too many for a listing.
    pub async fn with_status(&self, status: &str) -> Result<Option<Vec<Wire>>> {
        let page = async |number: u64| -> Result<Listed> {
            let status = escape(status);
            self.get(&format!("/repos/{}/actions/runs?status={status}&per_page={PAGE}&page={number}", self.repo)).await
        };
        let first = page(1).await?;
        if first.total_count > LISTED {
            return Ok(None);
        }
        let mut runs = first.workflow_runs;
        for number in 2..=first.total_count.div_ceil(PAGE) {
            runs.extend(page(number).await?.workflow_runs);
        }
        Ok(Some(runs))
    }

    async fn page(&self, (from, to): Stretch, page: u64) -> Result<Listed> {
        let created = escape(&format!("{from}..{to}"));
        self.get(&format!("/repos/{}/actions/runs?created={created}&per_page={PAGE}&page={page}", self.repo)).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let _permit =
            self.abreast.acquire().await.map_err(|_| Error::incomplete("the runs: nobody lists them any more"))?;
        // Other calls only make the number smaller, so that the subtraction cannot wrap.
        self.left.store(self.left.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
        self.client.get(path).await
    }

    /// The calls that were made so far.
    pub fn calls(&self) -> u32 {
        PAGES - self.left.load(Ordering::Relaxed)
    }

    /// A run by its id; none if it was deleted.
    pub async fn by_id(&self, id: u64) -> Result<Option<Wire>> {
        match self.get(&format!("/repos/{}/actions/runs/{id}", self.repo)).await {
            Ok(run) => Ok(Some(run)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Cuts a stretch into equal parts that should each fit a listing; the newest part takes the newest runs along, if
/// they are all its own.
///
/// The first page of the whole says how many runs there are, so the number of parts is known and they are asked for
/// side by side. Halving would ask for a page of each level that is thrown away.
fn cut((from, to): Stretch, total: u64, newest: Vec<Wire>) -> Result<Vec<(Stretch, Vec<Wire>)>> {
    let seconds = to.as_second() - from.as_second() + 1;
    if seconds <= SHORTEST.as_secs() {
        return Err(Error::incomplete(format!(
            "{total} runs in the minute from {from}, of which GitHub lists {LISTED}"
        )));
    }
    let count = i64::try_from(total.div_ceil(LISTED)).unwrap_or(seconds).clamp(2, seconds);
    let edge = |part: i64| from + SignedDuration::from_secs(seconds * part / count);
    let mut parts: Vec<(Stretch, Vec<Wire>)> =
        (0..count).map(|part| ((edge(part), edge(part + 1) - 1.second()), Vec::new())).collect();
    if let Some((stretch, seed)) = parts.last_mut()
        && newest.iter().all(|run| run.created_at >= stretch.0)
    {
        *seed = newest;
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, gaps, pending, run};
    use super::*;
    use serde_json::Value;

    async fn listed(runs: Vec<Value>) -> (Stage, Read) {
        let stage = Stage::new(World { runs, ..World::default() }, &[]).await;
        let read =
            Lister::new(&stage.upstream.client, "acme/web").read(vec![(ago(7 * 1440), ago(0) - 1.second())]).await;
        (stage, read)
    }

    /// So many runs, one every so many seconds, the newest so many minutes ago.
    fn every(count: u64, seconds: i64, minutes: i64) -> Vec<Value> {
        let time = |number: i64| (ago(minutes) - SignedDuration::from_secs(seconds * number)).to_string();
        let runs = (0..count).map(|number| {
            let mut run = run(1 + number, 0, Some("success"));
            run["created_at"] = time(i64::try_from(number).unwrap()).into();
            run
        });
        runs.collect()
    }

    #[tokio::test]
    async fn a_day_with_1500_runs_gives_1500() {
        let (_, read) = listed(every(1500, 57, 2000)).await;
        assert_eq!((read.runs.len(), read.missing.len()), (1500, 0));
    }

    #[tokio::test]
    async fn a_week_of_2500_runs_takes_28_pages() {
        let (stage, read) = listed(every(2500, 240, 1)).await;
        assert_eq!((read.runs.len(), read.missing.len()), (2500, 0));
        assert!(stage.calls() <= 28, "{}", stage.calls());
    }

    #[tokio::test]
    async fn the_edges_of_the_window_are_a_second_sharp() {
        let mut runs = every(4, 60, 0);
        for (run, time) in runs.iter_mut().zip([
            "2026-01-01T11:59:59Z",
            "2026-01-01T12:00:00Z",
            "2026-01-08T11:59:59Z",
            "2026-01-08T12:00:00Z",
        ]) {
            run["created_at"] = time.into();
        }
        let (_, read) = listed(runs).await;
        assert_eq!(read.runs.into_keys().collect::<Vec<_>>(), [2, 3]);
    }

    #[tokio::test]
    async fn a_burst_within_a_minute_is_unknown_and_the_rest_is_known() {
        let mut runs = every(1100, 0, 3000);
        runs.extend(every(300, 500, 10).into_iter().map(|mut run| {
            run["id"] = (run["id"].as_u64().unwrap() + 5000).into();
            run
        }));
        let (_, read) = listed(runs).await;
        let why = read.why.unwrap().to_string();
        assert!(why.contains("1100 runs in the minute"), "{why}");
        assert_eq!((read.runs.len(), read.missing.len()), (300, 1));
        let (from, to) = read.missing[0];
        assert!(from <= ago(3000) && ago(3000) <= to && to.duration_since(from) < SHORTEST);
    }

    #[tokio::test]
    async fn at_most_120_pages_are_asked_and_the_rest_is_named() {
        let (stage, read) = listed(every(13_000, 46, 1)).await;
        assert!(stage.calls() <= 120 && !read.missing.is_empty() && read.why.is_none(), "{}", stage.calls());
        // What is known is the newest stretch as a whole; what is missing lies before it.
        let oldest = read.runs.values().map(|run| run.created_at).min().unwrap();
        assert!(read.missing.iter().all(|(_, end)| *end < oldest), "{oldest} {:?}", read.missing);
        assert!(read.runs.len() > 7000, "{}", read.runs.len());
        let rest = Lister::new(&stage.upstream.client, "acme/web").read(read.missing).await;
        assert_eq!((read.runs.len() + rest.runs.len(), rest.missing.len()), (13_000, 0));
    }

    #[tokio::test]
    async fn a_list_that_is_shorter_than_its_count_waits_for_the_next_run() {
        let runs = every(50, 60, 1);
        let short = serde_json::json!({ "total_count": 50, "workflow_runs": runs[..49] });
        let others =
            vec![("/repos/acme/web/actions/runs?created".to_owned(), shared::testing::Reply::json(200, &short))];
        let stage = Stage::new(World { others, ..World::default() }, &[]).await;
        let (first, cx) = stage.fetch(0, None).await;
        let first = first.unwrap();
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![("flaky", 1), ("runs", 1), ("timeouts", 1)]));
        assert!(first.snapshot.runs.is_none() && first.snapshot.failed_before.is_none());
        assert!(first.snapshot.stopped_by_limit.is_none() && first.snapshot.older_decisive.is_none());
        *stage.world() = World { runs, ..World::default() };
        let (next, cx) = stage.fetch(15, Some(&first)).await;
        let next = next.unwrap().snapshot;
        assert_eq!((next.runs.map(|runs| runs.len()), gaps(&cx), pending(&cx)), (Some(50), vec![], vec![]));
        assert!(next.failed_before.is_some() && next.stopped_by_limit.is_some() && next.older_decisive.is_some());
    }

    #[tokio::test]
    async fn more_runs_than_one_run_of_ours_reads_are_pending_until_a_later_one_has_them_all() {
        let stage = Stage::new(World { runs: every(13_000, 46, 1), ..World::default() }, &[]).await;
        let (first, cx) = stage.fetch(0, None).await;
        let first = first.unwrap();
        assert_eq!((gaps(&cx), first.snapshot.runs.is_none()), (vec![], true));
        assert!(cx.findings().pending["runs"] > 0 && cx.findings().pending["flaky"] > 0, "{:?}", cx.findings());
        let (second, cx) = stage.fetch(15, Some(&first)).await;
        let known = second.unwrap().snapshot.runs.map(|runs| runs.len());
        assert_eq!((gaps(&cx), pending(&cx), known.is_some_and(|known| known > 12_900)), (vec![], vec![], true));
    }

    #[test]
    fn a_forks_branch_and_a_pull_request_are_not_the_branch() {
        let wire = |change: &dyn Fn(&mut Value)| -> Run {
            let mut wire = run(1, 30, Some("failure"));
            change(&mut wire);
            serde_json::from_value::<Wire>(wire).unwrap().read("main")
        };
        assert!(wire(&|_| ()).on_branch && wire(&|_| ()).push);
        assert!(!wire(&|run| run["head_repository"]["id"] = 8.into()).on_branch);
        assert!(!wire(&|run| run["head_repository"] = Value::Null).on_branch);
        assert!(!wire(&|run| run["head_branch"] = "topic".into()).on_branch);
        for event in ["pull_request", "pull_request_target"] {
            assert!(!wire(&|run| run["event"] = event.into()).on_branch);
        }
        assert!(!wire(&|run| run["event"] = "schedule".into()).push);
        assert_eq!(wire(&|run| run["status"] = "in_progress".into()).conclusion, None);
    }
}
