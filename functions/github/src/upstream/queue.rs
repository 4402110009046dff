//! How long jobs waited for a runner, and the self-hosted runners.

use super::OVERLAP;
use super::client::Client;
use crate::kept::Kept;
use crate::snapshot::{Run, Runner, Wait};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::{Error, Result};
use std::collections::BTreeSet;
use std::ops::Range;

/// The most runs whose jobs one run of ours asks for.
const RUNS: usize = 100;

/// How many are asked at the same time.
const ABREAST: usize = 8;

/// How long waiting times are kept, so that a run that fails to deliver them loses none.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// What finished before is observed by no run any more.
const OBSERVED_WITHIN: SignedDuration = SignedDuration::from_hours(48);

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    id: u64,
    created_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    runner_name: Option<String>,
    #[serde(default)]
    labels: Vec<String>,
}

#[derive(Deserialize)]
struct Runners {
    runners: Vec<Wire>,
}

#[derive(Deserialize)]
struct Wire {
    status: String,
    busy: bool,
}

/// Adds the waiting times of the jobs of runs that finished since, the oldest first; how many runs are still to be asked
/// for theirs.
pub(super) async fn fill(
    client: &Client,
    repo: &str,
    runs: &[Run],
    now: Timestamp,
    kept: &mut Kept,
    reserve: f64,
) -> Result<usize> {
    let since = kept.waits_from.unwrap_or(now - OVERLAP).max(now - OBSERVED_WITHIN);
    forget(kept, runs, since.min(now - KEPT));
    kept.waits_from = Some(since);
    let mut fresh = fresh(kept, runs, since..now);
    let asked = fresh.len().min(RUNS);
    #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
    if client.left("github_rest").is_some_and(|left| left - (asked as f64) < reserve) {
        tracing::info!(repo, reserve, "too few calls are left above the reserve: waiting times are for another run");
        return Ok(fresh.len());
    }
    let missing = fresh.split_off(asked).len();
    let asks = fresh.into_iter().map(|(finished_at, id, attempt)| async move {
        let pages: Vec<Jobs> =
            client.all(&format!("/repos/{repo}/actions/runs/{id}/jobs?filter=latest&per_page=100")).await?;
        let jobs = pages.into_iter().flat_map(|page| page.jobs);
        let waits: Vec<Wait> = jobs.filter_map(|job| job.wait(finished_at)).collect();
        Ok::<_, Error>(((id, attempt), waits))
    });
    let answers: Vec<_> = stream::iter(asks).buffer_unordered(ABREAST).try_collect().await?;
    for (run, waits) in answers {
        kept.waited.insert(run);
        kept.waits.extend(waits);
    }
    kept.waits.sort_by_key(|wait| (wait.finished_at, wait.job));
    if missing == 0 {
        // A run may be listed as finished a little later than it finished.
        kept.waits_from = Some(now - OVERLAP);
    }
    Ok(missing)
}

/// Runs that finished in this time and were not asked for their jobs, the oldest first: when, their ids and attempts.
fn fresh(kept: &Kept, runs: &[Run], time: Range<Timestamp>) -> Vec<(Timestamp, u64, u64)> {
    let finished = runs.iter().filter(|run| run.conclusion.is_some() && time.contains(&run.updated_at));
    let open = finished.filter(|run| !kept.waited.contains(&(run.id, run.attempt)));
    let mut fresh: Vec<_> = open.map(|run| (run.updated_at, run.id, run.attempt)).collect();
    fresh.sort_unstable();
    fresh
}

/// Drops what finished before this time.
fn forget(kept: &mut Kept, runs: &[Run], before: Timestamp) {
    kept.waits.retain(|wait| wait.finished_at >= before);
    let recent: BTreeSet<(u64, u64)> =
        runs.iter().filter(|run| run.updated_at >= before).map(|run| (run.id, run.attempt)).collect();
    kept.waited.retain(|run| recent.contains(run));
}

impl Job {
    /// Its waiting time, if a runner took it.
    fn wait(self, finished_at: Timestamp) -> Option<Wait> {
        self.runner_name.filter(|name| !name.is_empty())?;
        Some(Wait {
            job: self.id,
            finished_at,
            created_at: self.created_at?,
            started_at: self.started_at?,
            labels: self.labels,
        })
    }
}

/// All self-hosted runners of the repository.
pub(super) async fn runners(client: &Client, repo: &str) -> Result<Vec<Runner>> {
    let pages: Vec<Runners> = client.all(&format!("/repos/{repo}/actions/runners?per_page=100")).await?;
    let wires = pages.into_iter().flat_map(|page| page.runners);
    let mut runners: Vec<Runner> =
        wires.map(|wire| Runner { online: wire.status == "online", busy: wire.busy }).collect();
    runners.sort_by_key(|runner| (runner.online, runner.busy));
    Ok(runners)
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, gaps, pending, run};
    use super::*;
    use serde_json::json;
    use shared::testing::Reply;

    #[tokio::test]
    async fn jobs_of_newly_finished_runs_are_asked_once() {
        let job = |id: u64, runner: Option<&str>| {
            let (created_at, started_at, labels) = (ago(9), ago(8), ["ubuntu-latest"]);
            json!({ "id": id, "created_at": created_at, "started_at": started_at, "runner_name": runner, "labels": labels })
        };
        let jobs = json!({ "jobs": [job(1, Some("r")), job(2, None), job(3, Some(""))] });
        let runs = vec![run(1, 15, Some("success")), run(2, 60, Some("success")), run(3, 5, None)];
        let world = World {
            runs,
            others: vec![("/repos/acme/web/actions/runs/1/jobs".into(), Reply::json(200, &jobs))],
            ..World::default()
        };
        let stage = Stage::new(world, &[("GITHUB_QUEUE_TIME", "on")]).await;
        let (first, cx) = stage.fetch(0, None).await;
        let first = first.unwrap();
        let wait = Wait {
            job: 1,
            finished_at: ago(5),
            created_at: ago(9),
            started_at: ago(8),
            labels: vec!["ubuntu-latest".into()],
        };
        assert_eq!((first.snapshot.queue.clone(), gaps(&cx), pending(&cx)), (Some(vec![wait]), vec![], vec![]));
        stage.world().others.clear();
        let (next, cx) = stage.fetch(15, Some(&first)).await;
        assert_eq!(
            (next.unwrap().snapshot.queue, gaps(&cx), pending(&cx)),
            (first.snapshot.queue, vec![], vec![]),
            "nothing is asked a second time"
        );
    }

    /// Whose jobs were asked for, and the jobs that each run has.
    fn jobs(id: u64) -> (String, Reply) {
        let (created_at, started_at) = (ago(9), ago(8));
        let job = json!({ "id": id, "created_at": created_at, "started_at": started_at, "runner_name": "r" });
        (format!("/repos/acme/web/actions/runs/{id}/jobs"), Reply::json(200, &json!({ "jobs": [job] })))
    }

    #[tokio::test]
    async fn more_runs_than_are_asked_at_once_wait_and_none_is_forgotten() {
        let runs = (1..=250).map(|id| run(id, 20, Some("success"))).collect();
        let stage = Stage::new(
            World { runs, others: (1..=250).map(jobs).collect(), ..World::default() },
            &[("GITHUB_QUEUE_TIME", "on")],
        );
        let stage = stage.await;
        let mut last = None;
        for (minutes, missing) in [(0, 150), (15, 50)] {
            let (fetched, cx) = stage.fetch(minutes, last.as_ref()).await;
            let fetched = fetched.unwrap();
            assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![("queue", missing)]));
            assert_eq!(fetched.snapshot.queue, None, "a part of the jobs says nothing about all of them");
            last = Some(fetched);
        }
        // More than two hours after they finished.
        let (fetched, cx) = stage.fetch(135, last.as_ref()).await;
        let known = fetched.unwrap().snapshot.queue.map(|waits| waits.len());
        assert_eq!((known, gaps(&cx), pending(&cx)), (Some(250), vec![], vec![]));
    }

    #[tokio::test]
    async fn with_few_calls_left_or_without_the_runs_the_jobs_wait_and_are_asked_later() {
        let few = |left: &str| {
            Reply::json(200, &json!([])).header("x-ratelimit-remaining", left).header("x-ratelimit-resource", "core")
        };
        let activity = "/repos/acme/web/activity".to_owned();
        let runs = vec![run(1, 15, Some("success"))];
        let stage = Stage::new(
            World { runs, others: vec![jobs(1), (activity, few("500"))], ..World::default() },
            &[("GITHUB_QUEUE_TIME", "on")],
        );
        let stage = stage.await;
        let (first, cx) = stage.fetch(0, None).await;
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![("queue", 1)]));
        stage.world().others[1].1 = few("5000");
        let short = json!({ "total_count": 9, "workflow_runs": [] });
        stage.world().others.push(("/repos/acme/web/actions/runs?created".into(), Reply::json(200, &short)));
        let (second, cx) = stage.fetch(30, Some(&first.unwrap())).await;
        let second = second.unwrap();
        let waiting = vec![("flaky", 1), ("queue", 1), ("runs", 1), ("timeouts", 1)];
        assert_eq!((gaps(&cx), pending(&cx), second.snapshot.queue.is_none()), (vec![], waiting, true));
        stage.world().others.pop();
        let (third, cx) = stage.fetch(60, Some(&second)).await;
        let known = third.unwrap().snapshot.queue.map(|waits| waits.len());
        assert_eq!((known, gaps(&cx), pending(&cx)), (Some(1), vec![], vec![]));
    }

    #[tokio::test]
    async fn without_runs_that_failed_the_jobs_are_a_gap_too() {
        let others = vec![("/repos/acme/web/actions/runs?created".into(), Reply::status(403))];
        let stage = Stage::new(World { others, ..World::default() }, &[("GITHUB_QUEUE_TIME", "on")]).await;
        let cx = stage.fetch(0, None).await.1;
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["flaky", "queue", "runs", "timeouts"], vec![]));
    }

    #[tokio::test]
    async fn runners_are_told_apart_where_they_are_configured() {
        let wires =
            json!({ "runners": [{ "status": "online", "busy": true }, { "status": "offline", "busy": false }] });
        let world = || World {
            others: vec![("/repos/acme/web/actions/runners".into(), Reply::json(200, &wires))],
            ..World::default()
        };
        let stage = Stage::new(world(), &[("GITHUB_RUNNERS", "on")]).await;
        let runners = stage.fetch(0, None).await.0.unwrap().snapshot.runners;
        assert_eq!(runners, Some(vec![Runner { online: false, busy: false }, Runner { online: true, busy: true }]));
        let stage = Stage::new(world(), &[]).await;
        assert_eq!(stage.fetch(0, None).await.0.unwrap().snapshot.runners, None);
    }
}
