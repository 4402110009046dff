//! Answers that never change and cost a call each: a few new ones a run, newest first, kept from then on.

use super::ci::failed;
use super::client::Client;
use super::facts::{Facts, Want};
use super::shipped::Reader;
use crate::kept::Kept;
use crate::snapshot::Shipped;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// How many calls are made at the same time.
const ABREAST: usize = 8;

/// The parts, the first to be skipped first.
pub(super) const PARTS: [&str; 4] = ["dora", "timeouts", "flaky", "files"];

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

/// Asks at most this many new questions; the first error of each part says why it stays unknown.
pub(super) async fn fill(
    (client, repo, reader): (&Client, &str, Reader<'_>),
    facts: &Facts<'_>,
    kept: &mut Kept,
    mut allowance: usize,
    reserve: f64,
) -> BTreeMap<&'static str, Error> {
    let mut errors = BTreeMap::new();
    while allowance > 0 {
        let mut wants = facts.wants(kept);
        wants.retain(|want| !errors.contains_key(want.part()));
        skip(&mut wants, &mut errors, client.left("github_rest"), reserve);
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
                Err(error) => drop(errors.entry(want.part()).or_insert(error)),
            }
        }
    }
    let open = facts.wants(kept);
    for part in PARTS {
        let count = open.iter().filter(|want| want.part() == part).count();
        if count > 0 {
            errors
                .entry(part)
                .or_insert_with(|| Error::incomplete(format!("{count} answers or more are still to be asked for")));
        }
    }
    errors
}

/// With few calls left above the reserve, parts give way in their order.
fn skip(wants: &mut Vec<Want>, errors: &mut BTreeMap<&'static str, Error>, left: Option<f64>, reserve: f64) {
    let Some(left) = left else { return };
    for part in PARTS {
        #[expect(clippy::cast_precision_loss, reason = "a handful of questions")]
        if left - wants.len() as f64 >= reserve {
            return;
        }
        let before = wants.len();
        wants.retain(|want| want.part() != part);
        if wants.len() < before {
            errors.insert(
                part,
                Error::incomplete(format!("skipped, because {left} calls are left and GITHUB_RESERVE is {reserve}")),
            );
        }
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
            let files: BTreeSet<String> =
                pages.into_iter().flat_map(|page| page.files).map(|file| reader.digester.of(&file.filename)).collect();
            Ok(Known::Paths(files.into_iter().collect()))
        }
        Want::Compare { between } => super::shipped::between((client, repo, reader), between).await.map(Known::Shipped),
    }
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
        (Want::Compare { between }, Known::Shipped(commits)) => {
            kept.shipped.insert(between, commits);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, commit, run};
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
        let (healed, cx) = stage.fetch(25 * 60, Some(&first)).await;
        assert!(cx.is_whole() && cx.gaps().is_empty(), "{:?}", cx.gaps());
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
        assert!(cx.gaps()["flaky"].contains("not complete yet"), "{:?}", cx.gaps());
        let second = stage.fetch(15, Some(&first)).await.0.unwrap();
        assert_eq!(second.snapshot.failed_before, None);
        let (third, cx) = stage.fetch(30, Some(&second)).await;
        assert_eq!(third.unwrap().snapshot.failed_before.map(|runs| runs.len()), Some(10));
        assert!(cx.gaps().is_empty());
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
        assert!(cx.gaps().is_empty(), "the third is too short to be opened: {:?}", cx.gaps());
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
        for (left, gaps) in [
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
            let found: Vec<&str> = cx.gaps().into_keys().collect();
            assert_eq!(found, gaps, "{left}");
            assert_eq!(
                (snapshot.direct_files.is_none(), snapshot.failed_before.is_none()),
                (found.contains(&"files"), found.contains(&"flaky"))
            );
        }
    }
}
