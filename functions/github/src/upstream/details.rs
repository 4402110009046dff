//! Answers that never change and cost a call each: a few new ones a run, newest first, kept from then on.

use super::ci::failed;
use super::client::Client;
use super::facts::{Facts, Want};
use super::shipped::Reader;
use crate::kept::Kept;
use crate::parts::{DORA, FILES, FLAKY, TIMEOUTS};
use crate::snapshot::Shipped;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Error, Part, Result};
use std::collections::{BTreeMap, BTreeSet};

/// How many calls are made at the same time.
const ABREAST: usize = 8;

/// The parts, the first to be skipped first.
const ORDER: [Part; 4] = [DORA, TIMEOUTS, FLAKY, FILES];

enum Known {
    Failed(bool),
    Longest(u64),
    Paths(Vec<String>),
    Shipped(Vec<Shipped>),
}

#[derive(Deserialize)]
struct Attempt {
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    conclusion: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Touched {
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    filename: String,
}

/// What became of the questions.
#[derive(Default)]
pub(super) struct Filled {
    /// The first error of each part that had one.
    pub failed: BTreeMap<Part, Error>,
    /// How many answers each other part still waits for, or more: some answers lead to the next question.
    pub missing: BTreeMap<Part, usize>,
}

/// Asks at most this many new questions, while there are calls above the reserve.
pub(super) async fn fill(
    (client, repo, reader): (&Client, &str, Reader<'_>),
    facts: &Facts<'_>,
    kept: &mut Kept,
    mut allowance: usize,
    reserve: f64,
) -> Filled {
    let (mut filled, mut skipped) = (Filled::default(), BTreeSet::new());
    while allowance > 0 {
        let mut wants = facts.wants(kept);
        wants.retain(|want| !filled.failed.contains_key(&want.part()) && !skipped.contains(&want.part()));
        skip(&mut wants, &mut skipped, client.left("github_rest"), reserve);
        wants.truncate(allowance);
        if wants.is_empty() {
            break;
        }
        allowance -= wants.len();
        let answers = wants.into_iter().map(|want| async move { (ask(client, repo, reader, &want).await, want) });
        let answers: Vec<_> = stream::iter(answers).buffer_unordered(ABREAST).collect().await;
        for (answer, want) in answers {
            match answer {
                Ok(known) => keep(kept, want, known),
                Err(error) => drop(filled.failed.entry(want.part()).or_insert(error)),
            }
        }
    }
    for want in facts.wants(kept) {
        if !filled.failed.contains_key(&want.part()) {
            *filled.missing.entry(want.part()).or_default() += 1;
        }
    }
    filled
}

/// With few calls left above the reserve, parts give way in their order; following runs ask for them.
fn skip(wants: &mut Vec<Want>, skipped: &mut BTreeSet<Part>, left: Option<f64>, reserve: f64) {
    let Some(left) = left else { return };
    for part in ORDER {
        #[expect(clippy::cast_precision_loss, reason = "a handful of questions")]
        if left - wants.len() as f64 >= reserve {
            return;
        }
        wants.retain(|want| want.part() != part);
        skipped.insert(part);
    }
}

async fn ask(client: &Client, repo: &str, reader: Reader<'_>, want: &Want) -> Result<Known> {
    match want {
        Want::Attempt { run, attempt } => {
            let attempt: Attempt = client.get(&format!("/repos/{repo}/actions/runs/{run}/attempts/{attempt}")).await?;
            Ok(Known::Failed(failed(attempt.conclusion.as_deref())))
        }
        Want::Jobs { run, .. } => {
            let pages: Vec<Jobs> =
                client.all(&format!("/repos/{repo}/actions/runs/{run}/jobs?filter=latest&per_page=100")).await?;
            let jobs = pages
                .into_iter()
                .flat_map(|page| page.jobs)
                .filter(|job| job.conclusion.as_deref() == Some("cancelled"));
            let seconds = jobs.filter_map(|job| Some(job.completed_at?.duration_since(job.started_at?).as_secs()));
            Ok(Known::Longest(seconds.max().unwrap_or(0).max(0).unsigned_abs()))
        }
        Want::Files { sha } => {
            let pages: Vec<Touched> = client.all(&format!("/repos/{repo}/commits/{sha}")).await?;
            Ok(paths(reader, pages.into_iter().flat_map(|page| page.files)))
        }
        Want::PullFiles { number } => {
            let pages: Vec<Vec<File>> = client.all(&format!("/repos/{repo}/pulls/{number}/files?per_page=100")).await?;
            Ok(paths(reader, pages.into_iter().flatten()))
        }
        Want::Compare { between } => super::shipped::between((client, repo, reader), between).await.map(Known::Shipped),
    }
}

fn paths(reader: Reader<'_>, files: impl Iterator<Item = File>) -> Known {
    let paths: BTreeSet<String> = files.map(|file| reader.digester.of(&file.filename)).collect();
    Known::Paths(paths.into_iter().collect())
}

fn keep(kept: &mut Kept, want: Want, known: Known) {
    match (want, known) {
        (Want::Attempt { run, attempt }, Known::Failed(failed)) => {
            kept.attempts.entry(run).or_default().insert(attempt, failed);
        }
        (Want::Jobs { run, attempt }, Known::Longest(seconds)) => {
            kept.longest.entry(run).or_default().insert(attempt, seconds);
        }
        (Want::Files { sha }, Known::Paths(paths)) => {
            kept.files.insert(sha, paths);
        }
        (Want::PullFiles { number }, Known::Paths(paths)) => {
            kept.pull_files.insert(number, paths);
        }
        (Want::Compare { between }, Known::Shipped(commits)) => {
            kept.shipped.insert(between, commits);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, commit, gaps, pending, pull, run};
    use serde_json::{Value, json};
    use shared::testing::Reply;

    /// A run that passed at this attempt.
    fn passed(id: u64, minutes: i64, attempt: u64) -> Value {
        let mut run = run(id, minutes, Some("success"));
        run["run_attempt"] = attempt.into();
        run
    }

    fn others(pairs: &[(&str, Value)]) -> Vec<(String, Reply)> {
        pairs.iter().map(|(path, value)| (format!("/repos/acme/web/{path}"), Reply::json(200, value))).collect()
    }

    #[tokio::test]
    async fn attempts_are_asked_downwards_until_one_failed() {
        let answers = others(&[
            ("actions/runs/1/attempts/1", json!({ "conclusion": "failure" })),
            ("actions/runs/1/attempts/2", json!({ "conclusion": "cancelled" })),
            ("actions/runs/2/attempts/1", json!({ "conclusion": "cancelled" })),
            ("actions/runs/3/attempts/2", json!({ "conclusion": "timed_out" })),
        ]);
        let runs = vec![passed(1, 60, 3), passed(2, 50, 2), passed(3, 40, 3), passed(4, 30, 1)];
        let stage = Stage::new(World { runs, others: answers, ..World::default() }, &[]).await;
        let fetched = stage.fetch(0, None).await.0.unwrap();
        assert_eq!(fetched.snapshot.failed_before, Some([(1, true), (2, false), (3, true)].into()));
        let asked = |stage: &Stage| stage.fake.seen().iter().filter(|seen| seen.path.contains("/attempts/")).count();
        assert_eq!(asked(&stage), 4);
        let next = stage.fetch(15, Some(&fetched)).await.0.unwrap();
        assert_eq!((next.snapshot.failed_before, asked(&stage)), (fetched.snapshot.failed_before, 4));
    }

    #[tokio::test]
    async fn a_fetch_of_everything_does_not_ask_again_for_what_never_changes() {
        let answers = others(&[("actions/runs/", json!({ "conclusion": "failure" }))]);
        let runs = (1..=6).map(|id| passed(id, 100 - i64::try_from(id).unwrap(), 2)).collect();
        let stage = Stage::new(World { runs, others: answers, ..World::default() }, &[]).await;
        let asked = || stage.fake.seen().iter().filter(|seen| seen.path.contains("/attempts/")).count();
        let first = stage.fetch(0, None).await.0.unwrap();
        assert_eq!(asked(), 6);
        let (healed, cx) = stage.fetch_all(25 * 60, &first).await;
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![]));
        assert_eq!((healed.unwrap().snapshot.failed_before, asked()), (first.snapshot.failed_before, 6));
    }

    #[tokio::test]
    async fn six_new_answers_a_run_newest_first_and_the_row_is_unknown_until_all_are_there() {
        let runs = (1..=10).map(|id| passed(id, 100 - i64::try_from(id).unwrap(), 2)).collect();
        let answers = others(&[("actions/runs/", json!({ "conclusion": "failure" }))]);
        let mut world = World { runs, others: answers, ..World::default() };
        world.others[0].0 = "/repos/acme/web/actions/runs/".into();
        let stage = Stage::new(world, &[]).await;
        let (first, cx) = stage.fetch(0, None).await;
        let first = first.unwrap();
        assert_eq!(
            (first.snapshot.failed_before.clone(), first.kept.attempts.keys().copied().collect::<Vec<_>>()),
            (None, vec![5, 6, 7, 8, 9, 10])
        );
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![("flaky", 4)]));
        let (second, cx) = stage.fetch(15, Some(&first)).await;
        let second = second.unwrap();
        assert_eq!(
            (second.snapshot.failed_before.clone(), gaps(&cx), pending(&cx)),
            (None, vec![], vec![("flaky", 1)])
        );
        let (third, cx) = stage.fetch(30, Some(&second)).await;
        assert_eq!(third.unwrap().snapshot.failed_before.map(|runs| runs.len()), Some(10));
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![]));
    }

    #[tokio::test]
    async fn a_run_is_stopped_by_its_limit_if_a_cancelled_job_reached_it() {
        let cancelled = |id: u64, minutes: i64| {
            let mut run = run(id, 700, Some("cancelled"));
            run["updated_at"] = ago(700 - minutes).to_string().into();
            run
        };
        let job = |conclusion: &str, minutes: i64| {
            let completed_at = ago(500 - minutes);
            json!({ "conclusion": conclusion, "started_at": ago(500), "completed_at": completed_at })
        };
        let answers = others(&[
            ("actions/runs/1/jobs", json!({ "jobs": [job("success", 30), job("cancelled", 29)] })),
            ("actions/runs/2/jobs", json!({ "jobs": [job("cancelled", 28), job("success", 30)] })),
        ]);
        let runs = vec![cancelled(1, 31), cancelled(2, 31), cancelled(3, 28)];
        let stage =
            Stage::new(World { runs, others: answers, ..World::default() }, &[("GITHUB_JOB_LIMITS", "test.yml=30")])
                .await;
        let (fetched, cx) = stage.fetch(0, None).await;
        assert_eq!(fetched.unwrap().snapshot.stopped_by_limit, Some([1].into()));
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![]), "the third is too short to be opened");
    }

    #[tokio::test]
    async fn the_files_of_direct_commits_are_read_by_all_pages_with_their_new_names() {
        let mut world = World { commits: vec![commit("b", 5, Some(1)), commit("a", 10, None)], ..World::default() };
        let first = json!({ "files": [{ "filename": "new.rs", "previous_filename": "old.rs" }] });
        let next = Reply::json(200, &first).header("link", "<https://api.example.com/second>; rel=\"next\"");
        world.others = vec![
            ("/repos/acme/web/commits/a".into(), next),
            (
                "/second".into(),
                Reply::json(200, &json!({ "files": [{ "filename": "more.rs" }, { "filename": "new.rs" }] })),
            ),
        ];
        let stage = Stage::new(world, &[]).await;
        let fetched = stage.fetch(0, None).await.0.unwrap();
        let mut expected = ["more.rs", "new.rs"].map(|path| stage.upstream.digester.of(path));
        expected.sort();
        assert_eq!(fetched.snapshot.direct_files, Some([("a".to_owned(), expected.to_vec())].into()));
    }

    #[tokio::test]
    async fn with_few_calls_left_the_parts_give_way_in_their_order() {
        for (left, skipped) in [
            ("503", vec![]),
            ("502", vec!["timeouts"]),
            ("501", vec!["flaky", "timeouts"]),
            ("500", vec!["files", "flaky", "timeouts"]),
        ] {
            let mut endless = run(2, 700, Some("cancelled"));
            endless["updated_at"] = ago(300).to_string().into();
            let activity = Reply::json(200, &json!([]))
                .header("x-ratelimit-remaining", left)
                .header("x-ratelimit-resource", "core");
            let mut world = World {
                runs: vec![passed(1, 60, 2), endless],
                commits: vec![commit("a", 10, None)],
                ..World::default()
            };
            world.others = others(&[
                ("actions/runs/1/attempts/1", json!({ "conclusion": "failure" })),
                ("actions/runs/2/jobs", json!({ "jobs": [] })),
                ("commits/a", json!({ "files": [] })),
            ]);
            world.others.push(("/repos/acme/web/activity".into(), activity));
            let stage = Stage::new(world, &[]).await;
            let (fetched, cx) = stage.fetch(0, None).await;
            let snapshot = fetched.unwrap().snapshot;
            let waiting: Vec<(&str, u64)> = skipped.iter().map(|part| (*part, 1)).collect();
            assert_eq!((gaps(&cx), pending(&cx)), (vec![], waiting), "{left}");
            assert_eq!(
                (snapshot.direct_files.is_none(), snapshot.failed_before.is_none()),
                (skipped.contains(&"files"), skipped.contains(&"flaky"))
            );
        }
    }
    #[tokio::test]
    async fn files_of_merges_that_were_left_out_to_save_points_wait_and_are_asked_for_later() {
        let mut world = World { pulls: vec![pull(7, 600, 30, "MERGED", 60)], ..World::default() };
        world.pulls[0]["files"] = Value::Null;
        let few = |left: &str| {
            Reply::json(200, &json!([])).header("x-ratelimit-remaining", left).header("x-ratelimit-resource", "core")
        };
        world.others = others(&[("pulls/7/files", json!([{ "filename": "a" }]))]);
        world.others.push(("/repos/acme/web/activity".into(), few("500")));
        let stage = Stage::new(world, &[]).await;
        let (first, cx) = stage.fetch(0, None).await;
        let first = first.unwrap();
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![("files", 1)]));
        assert_eq!(first.snapshot.pulls.as_ref().unwrap().merged[0].files, None);
        stage.world().others[1].1 = few("5000");
        let (next, cx) = stage.fetch(15, Some(&first)).await;
        let files = next.unwrap().snapshot.pulls.unwrap().merged[0].files.as_ref().map(Vec::len);
        assert_eq!((files, gaps(&cx), pending(&cx)), (Some(1), vec![], vec![]));
    }
}
