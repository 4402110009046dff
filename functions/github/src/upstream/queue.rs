//! How long jobs waited for a runner, and the self-hosted runners.

use super::client::Client;
use crate::kept::Kept;
use crate::snapshot::{Run, Runner, Wait};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::{Error, Result};

/// The most runs whose jobs one run of ours asks for.
const RUNS: usize = 100;

/// How many are asked at the same time.
const ABREAST: usize = 8;

/// How long waiting times are kept, so that a run that fails to deliver them loses none.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

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

/// Adds the waiting times of the jobs of runs that finished since, the oldest first.
pub(super) async fn waits(
    client: &Client,
    repo: &str,
    runs: &[Run],
    since: Timestamp,
    now: Timestamp,
    kept: &mut Kept,
    reserve: f64,
) -> Result<Vec<Wait>> {
    kept.waits.retain(|wait| wait.finished_at >= now - KEPT);
    let finished = |run: &&Run| run.conclusion.is_some() && (since..now).contains(&run.updated_at);
    let mut fresh: Vec<&Run> =
        runs.iter().filter(finished).filter(|run| !kept.waited.contains(&(run.id, run.attempt))).collect();
    fresh.sort_by_key(|run| (run.updated_at, run.id));
    fresh.truncate(RUNS);
    #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
    let short = client.left("github_rest").is_some_and(|left| left - (fresh.len() as f64) < reserve);
    if short {
        return Err(Error::incomplete(format!(
            "skipped, because too few calls are left above GITHUB_RESERVE, which is {reserve}"
        )));
    }
    let fresh: Vec<(u64, u64, Timestamp)> =
        fresh.into_iter().map(|run| (run.id, run.attempt, run.updated_at)).collect();
    let asked = fresh.into_iter().map(|(id, attempt, finished_at)| async move {
        let pages: Vec<Jobs> =
            client.all(&format!("/repos/{repo}/actions/runs/{id}/jobs?filter=latest&per_page=100")).await?;
        let jobs = pages.into_iter().flat_map(|page| page.jobs);
        let waits: Vec<Wait> = jobs.filter_map(|job| job.wait(finished_at)).collect();
        Ok::<_, Error>(((id, attempt), waits))
    });
    let answers: Vec<_> = stream::iter(asked).buffer_unordered(ABREAST).try_collect().await?;
    for (run, waits) in answers {
        kept.waited.insert(run);
        kept.waits.extend(waits);
    }
    let recent: std::collections::BTreeSet<(u64, u64)> =
        runs.iter().filter(|run| run.updated_at >= now - KEPT).map(|run| (run.id, run.attempt)).collect();
    kept.waited.retain(|run| recent.contains(run));
    kept.waits.sort_by_key(|wait| (wait.finished_at, wait.job));
    Ok(kept.waits.clone())
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
    use super::super::fake::{Stage, World, ago, run};
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
        assert_eq!((first.snapshot.queue.clone(), cx.gaps().len()), (Some(vec![wait]), 0));
        stage.world().others.clear();
        let (next, cx) = stage.fetch(15, Some(&first)).await;
        assert_eq!(
            (next.unwrap().snapshot.queue, cx.gaps().len()),
            (first.snapshot.queue, 0),
            "nothing is asked a second time"
        );
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
