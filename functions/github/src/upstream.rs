//! How we ask GitHub: one fetch of one repository, as a whole or continued from the last.

mod branches;
mod ci;
mod client;
mod commits;
mod deployments;
mod details;
mod facts;
#[cfg(test)]
mod fake;
mod force;
mod graph;
mod issues;
mod parts;
mod probe;
mod pull;
mod pulls;
mod questions;
mod queue;
mod rounds;
mod runs;
mod shipped;
mod transport;

use crate::config::Config;
use crate::kept::{Fetched, Kept};
use crate::snapshot::Snapshot;
use client::Client;
use futures::future;
use jiff::SignedDuration;
use parts::Gathered;
use runs::Lister;
use serde_json::json;
use shared::{Context, Digester, Env, Error, Last, Result};
use std::fmt;

/// The window of most rows.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far a continued fetch reaches back behind the last one, for what upstream shows late.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

/// New details of a whole fetch.
const DETAILS: usize = 6;

/// The calls of a continued fetch, and the new details that it asks for at most.
const CONTINUED: (u64, u64) = (7, 3);

/// Asks GitHub about the configured repositories.
pub(crate) struct Upstream {
    config: Config,
    client: Client,
    digester: Digester,
}

impl fmt::Debug for Upstream {
    /// No value of the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Upstream")
    }
}

impl Upstream {
    /// Reads the configuration and makes the client.
    pub fn new(env: &Env) -> Result<Self> {
        let config = Config::read(env)?;
        let client = Client::new(env, &config)?;
        Ok(Self { config, client, digester: env.digester() })
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Nothing known of a repository.
    pub fn unknown(&self, repo: &str) -> Fetched {
        let snapshot = Snapshot::unknown(repo, self.config.rules.clone());
        Fetched { snapshot, kept: Kept::default() }
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub async fn fetch(&self, cx: &Context, repo: &str, last: Last<Fetched>) -> Result<Fetched> {
        let memory = match last {
            Last::None => Kept::default(),
            Last::Memory(memory) => memory.kept,
            Last::Base(base) => {
                // The state of a fetch is too large for a stack.
                if let Some(fetched) = Box::pin(self.once(cx, repo, Some(&base), base.kept.clone())).await? {
                    return Ok(fetched);
                }
                cx.asked_all();
                base.lasting().kept
            }
        };
        let kept = memory.remembered(self.source(), self.labels());
        let fetched = Box::pin(self.once(cx, repo, None, kept)).await?;
        fetched.ok_or_else(|| Error::incomplete(format!("the branch of {repo}")))
    }

    /// Stands for the address and the key of digests: answers that never change are of one of each.
    fn source(&self) -> String {
        shared::digest(&format!("{} {}", self.config.url, self.digester.of("")))
    }

    /// Stands for the labels by which what was shipped is judged.
    fn labels(&self) -> String {
        shared::digest(&json!([self.config.hotfix, self.config.revert]).to_string())
    }

    /// One fetch; none where another branch counts now than the one it continues from.
    async fn once(&self, cx: &Context, repo: &str, last: Option<&Fetched>, kept: Kept) -> Result<Option<Fetched>> {
        let now = cx.now();
        let known_runs = last.map(|last| last.snapshot.runs.clone().unwrap_or_else(|| last.kept.partial.clone()));
        let plan = match &known_runs {
            Some(runs) => ci::Plan::continued(runs, &kept.missing, kept.at, now),
            None => ci::Plan::whole(now),
        };
        let mut rounds = self.rounds(now, last);
        let lister = Lister::new(&self.client, repo);
        let graph = self.graph(repo, last.and_then(|last| last.snapshot.branch.as_deref()), &mut rounds);
        let (graph, answer) = future::try_join(graph, async { Ok(ci::ask(&lister, plan).await) }).await?;
        let Some((branch, events)) = graph else { return Ok(None) };
        let mut gathered = Gathered { snapshot: self.unknown(repo).snapshot, kept, successes: Vec::new() };
        gathered.snapshot.branch = Some(branch.clone());
        let runs = answer.join(known_runs.unwrap_or_default(), &branch, now, &mut gathered.kept);
        let spent = rounds.asked
            + u64::from(lister.calls())
            + u64::from(self.config.sources.activity)
            + u64::from(self.config.sources.rule_suites);
        self.graph_parts(cx, repo, &branch, rounds, &mut gathered).await;
        self.force_part(cx, &mut gathered, events);
        self.run_parts(cx, repo, &branch, runs, last, &mut gathered).await;
        let allowance = match last {
            None => DETAILS,
            Some(_) => usize::try_from(CONTINUED.0.saturating_sub(spent).clamp(1, CONTINUED.1)).unwrap_or(1),
        };
        self.detail_parts(cx, repo, allowance, &mut gathered).await;
        self.worker_parts(cx, repo, &mut gathered).await;
        gathered.kept.at = now;
        Ok(Some(Fetched { snapshot: gathered.snapshot, kept: gathered.kept }))
    }
}

#[cfg(test)]
mod tests {
    use super::fake::{NOW, Stage, World, ago, commit, gaps, pending, pull, run};
    use serde_json::json;
    use shared::testing::{Reply, at};

    /// A repository with more than a page of everything.
    fn world() -> World {
        let mut world = World::default();
        for number in 0..250 {
            let minutes = i64::try_from(number).unwrap() * 60 + 20;
            world.pulls.push(pull(number, minutes + 9000, minutes, "OPEN", 0));
            if number < 130 {
                world.pulls.push(pull(1000 + number, minutes + 3000, minutes, "MERGED", minutes));
                world.pulls.push(pull(2000 + number, minutes + 3000, minutes, "CLOSED", minutes));
            }
            world.branches.push((format!("topic-{number:04}"), minutes));
            world.commits.push(commit(&format!("{number:040x}"), minutes / 2, Some(number)));
            world.runs.push(run(number + 1, minutes / 2, Some("success")));
        }
        world
    }

    #[tokio::test]
    async fn every_list_is_read_to_its_end() {
        let stage = Stage::new(world(), &[]).await;
        let (fetched, cx) = stage.fetch(0, None).await;
        let snapshot = fetched.unwrap().snapshot;
        let pulls = snapshot.pulls.unwrap();
        assert_eq!((pulls.open.len(), pulls.merged.len(), pulls.closed.len()), (250, 130, 130));
        assert_eq!((snapshot.branches.unwrap().len(), snapshot.commits.unwrap().len()), (250, 250));
        assert_eq!(snapshot.runs.unwrap().len(), 250);
        assert_eq!(
            snapshot.issues.unwrap().into_iter().collect::<Vec<_>>(),
            [("any".into(), 5), ("bug".into(), 0), ("training".into(), 1)]
        );
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![]));
    }

    #[tokio::test]
    async fn a_continued_fetch_takes_seven_calls_and_knows_what_a_whole_one_knows() {
        let stage = Stage::new(world(), &[]).await;
        let mut last = stage.fetch(0, None).await.0.unwrap();
        for step in 1..=6_i64 {
            let (minutes, number) = (step * 15, u64::try_from(step).unwrap());
            let moved = usize::try_from(3 * step).unwrap();
            {
                let mut world = stage.world();
                let new = -minutes + 5;
                world.pulls.push(pull(500 + number, new, new, "OPEN", 0));
                world.pulls[moved] = pull(number, 9999, new, "MERGED", new);
                world.commits.insert(0, commit(&format!("{:040x}", 900 + number), new, Some(number)));
                world.branches.push((format!("topic-{:04}-more", step * 37), new));
                world.branches.remove(50);
                world.runs.push(run(1000 + number, new, None));
                let before = world.runs.len() - 2;
                if step > 1 {
                    world.runs[before] = run(999 + number, new + 15, Some("failure"));
                }
            }
            let before = stage.calls();
            let (fetched, cx) = stage.fetch(minutes, Some(&last)).await;
            let calls = stage.calls() - before;
            assert!(calls <= 7, "{calls} calls");
            assert_eq!((gaps(&cx), pending(&cx), cx.findings().asked_all), (vec![], vec![], false));
            last = fetched.unwrap();
            let whole = stage.fetch(minutes, None).await.0.unwrap();
            assert_eq!(last.snapshot, whole.snapshot);
        }
    }

    /// Numbers that look random and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap() % end.max(1)
        }
    }

    /// Lets something happen so many minutes after the first run.
    fn happen(world: &mut World, dice: &mut Dice, minutes: i64, fresh: u64) {
        let (at, now) = (dice.below(world.pulls.len()), ago(-minutes).to_string());
        let is_merged = world.pulls[at]["state"] == "MERGED";
        match dice.below(10) {
            0 => world.pulls.push(pull(fresh, -minutes, -minutes, "OPEN", 0)),
            1 | 2 if !is_merged => {
                let state = ["MERGED", "CLOSED"][dice.below(2)];
                world.pulls[at]["state"] = state.into();
                world.pulls[at]["closedAt"] = now.clone().into();
                world.pulls[at]["mergedAt"] = now.clone().into();
                world.pulls[at]["updatedAt"] = now.into();
            }
            3 if world.pulls[at]["state"] == "CLOSED" => {
                world.pulls[at]["state"] = "OPEN".into();
                world.pulls[at]["updatedAt"] = now.into();
            }
            4 => {
                world.pulls[at]["isDraft"] = (dice.below(2) == 0).into();
                let label = ["hotfix", "force-merge"][dice.below(2)];
                world.pulls[at]["labels"]["nodes"] = json!([{ "name": label }]);
                world.pulls[at]["updatedAt"] = now.into();
            }
            5 => world.commits.insert(0, commit(&format!("{fresh:040x}"), -minutes, None)),
            6 => {
                let place = dice.below(world.commits.len());
                let mut old = world.commits[place].clone();
                old["oid"] = format!("{fresh:040x}").into();
                world.commits.insert(place, old);
                world.commits.insert(0, commit(&format!("{:040x}", fresh + 500_000), -minutes, Some(1)));
            }
            7 => drop(world.commits.drain(..dice.below(4).min(world.commits.len() - 1))),
            8 => {
                let place = dice.below(world.branches.len());
                world.branches.remove(place);
                world.branches.push((format!("topic-{:04}-{fresh}", dice.below(250)), -minutes));
            }
            _ => {
                world.runs.push(run(fresh, -minutes, (dice.below(2) == 0).then_some("failure")));
                let waiting = world.runs.iter().position(|run| run["conclusion"].is_null());
                if let Some(place) = waiting.filter(|_| dice.below(3) > 0) {
                    world.runs[place]["status"] = "completed".into();
                    world.runs[place]["conclusion"] = "cancelled".into();
                }
            }
        }
    }

    #[tokio::test]
    async fn a_continued_fetch_knows_what_a_whole_one_knows_whatever_happens() {
        for seed in 0..4 {
            let mut dice = Dice(seed);
            let mut small = world();
            small.others.push((
                "/repos/acme/web/commits/".into(),
                Reply::json(200, &json!({ "files": [{ "filename": "a" }] })),
            ));
            let stage = Stage::new(small, &[]).await;
            let mut last = stage.fetch(0, None).await.0.unwrap();
            for step in 1..=8 {
                for event in 0..4 {
                    happen(&mut stage.world(), &mut dice, step * 15 - 7, 10_000 + 10 * step.unsigned_abs() + event);
                }
                let (fetched, cx) = stage.fetch(step * 15, Some(&last)).await;
                last = fetched.unwrap();
                assert_eq!((gaps(&cx), cx.findings().asked_all), (vec![], false), "seed {seed}, step {step}");
                let mut whole = stage.fetch(step * 15, None).await.0.unwrap();
                // How many answers are still to be asked for may differ; what is known may not.
                if last.snapshot.direct_files.is_none() || whole.snapshot.direct_files.is_none() {
                    whole.snapshot.direct_files.clone_from(&last.snapshot.direct_files);
                }
                assert_eq!(last.snapshot, whole.snapshot, "seed {seed}, step {step}");
            }
        }
    }

    /// A week of a repository: 100 merges, 250 open, 200 branches, 100 commits and 2,500 runs, so many times over; it
    /// was busy until now.
    fn week(times: u64) -> World {
        let mut world = World::default();
        let spread = |count: u64, at: u64| i64::try_from(at * 7 * 1440 / count).unwrap() + 1;
        for at in 0..100 * times {
            let minutes = spread(100 * times, at);
            world.pulls.push(pull(at, minutes + 3000, minutes, "MERGED", minutes));
            world.commits.push(commit(&format!("{at:040x}"), minutes, (at % 25 != 0).then_some(at)));
        }
        for at in 0..250 * times {
            world.pulls.push(pull(100_000 + at, 20_000, spread(250 * times, at), "OPEN", 0));
        }
        for at in 0..200 * times {
            world.branches.push((format!("topic-{at:05}"), spread(200 * times, at)));
        }
        // Three times as many runs are all known after one run of ours.
        for at in 0..2500 * times.min(3) {
            let minutes = i64::try_from(at / times).unwrap() * 4 + 1;
            let mut run = run(at + 1, minutes, (minutes > 12 || at % 2 == 0).then_some("success"));
            run["run_attempt"] = (1 + u64::from(at % 100 == 99)).into();
            world.runs.push(run);
        }
        world
            .others
            .push(("/repos/acme/web/actions/runs/".into(), Reply::json(200, &json!({ "conclusion": "failure" }))));
        world.others.push(("/repos/acme/web/commits/".into(), Reply::json(200, &json!({ "files": [] }))));
        world
    }

    #[tokio::test]
    async fn a_week_costs_as_many_calls_as_the_catalogue_allows() {
        for (times, whole, continued) in [(1, 39, 7), (10, 158, 7)] {
            let stage = Stage::new(week(times), &[]).await;
            let last = stage.fetch(0, None).await.0.unwrap();
            let calls = stage.calls();
            assert!(calls <= whole && last.snapshot.runs.is_some(), "{calls} calls for a whole fetch, {times} times");
            for at in 0..times {
                let mut world = stage.world();
                world.pulls[usize::try_from(at).unwrap()]["updatedAt"] = ago(-5).to_string().into();
                world.commits.insert(0, commit(&format!("{:040x}", 900_000 + at), -5, Some(at)));
                world.branches.push((format!("topic-{:05}-more", at * 190), -5));
                world.runs.push(run(900_000 + at, -5, None));
            }
            let (next, cx) = stage.fetch(15, Some(&last)).await;
            let calls = stage.calls() - calls;
            assert!(next.unwrap().snapshot.runs.is_some() && !cx.findings().asked_all);
            assert_eq!(gaps(&cx), Vec::<&str>::new());
            assert!(calls <= continued, "{calls} calls for a continued fetch, {times} times");
        }
    }

    #[tokio::test]
    async fn another_branch_is_asked_for_as_a_whole_and_what_never_changes_is_remembered() {
        let mut world = week(1);
        world.commits.push(commit("direct", 70, None));
        let stage = Stage::new(world, &[]).await;
        let (first, cx) = stage.fetch(0, None).await;
        assert!(!cx.findings().asked_all, "there was nothing to continue from");
        let mut last = first.unwrap();
        let known = last.kept.attempts.len() + last.kept.files.len();
        last.snapshot.branch = Some("master".to_owned());
        let (fetched, cx) = stage.fetch(15, Some(&last)).await;
        let fetched = fetched.unwrap();
        assert!(cx.findings().asked_all && fetched.snapshot.branch.as_deref() == Some("main"));
        assert!(known > 0 && fetched.kept.attempts.len() + fetched.kept.files.len() > known);
    }

    #[tokio::test]
    async fn a_fetch_that_only_remembers_asks_for_everything() {
        let stage = Stage::new(world(), &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        let asked = stage.calls();
        stage.world().pulls.clear();
        let (fetched, cx) = stage.fetch_all(15, &last).await;
        let pulls = fetched.unwrap().snapshot.pulls.unwrap();
        assert_eq!((pulls.open.len(), pulls.merged.len(), gaps(&cx)), (0, 0, vec![]));
        assert!(stage.calls() - asked > 7);
    }

    #[tokio::test]
    async fn memories_of_another_address_and_key_are_not_used() {
        let (stage, other) = (Stage::new(world(), &[]).await, Stage::new(world(), &[]).await);
        let mut last = stage.fetch(0, None).await.0.unwrap();
        last.kept.attempts = [(1, [(1, true)].into())].into();
        let kept = |fetched: shared::Result<crate::kept::Fetched>| fetched.unwrap().kept.attempts.len();
        assert_eq!(kept(stage.fetch_all(15, &last).await.0), 1);
        assert_eq!(kept(other.fetch_all(15, &last).await.0), 0, "another address, and a key of its own");
    }

    #[tokio::test]
    async fn a_renamed_repository_is_read_as_before() {
        let stage = Stage::new(world(), &[]).await;
        let known = stage.fetch(0, None).await.0.unwrap();
        stage.world().renamed = true;
        let (fetched, cx) = stage.fetch(0, None).await;
        assert_eq!((fetched.unwrap().snapshot, gaps(&cx), pending(&cx)), (known.snapshot, vec![], vec![]));
        let seen = stage.fake.seen();
        let moved = seen.iter().filter(|seen| seen.path.starts_with("/repositories/7/"));
        assert!(
            moved.clone().count() >= 5 && moved.into_iter().all(|seen| seen.headers["authorization"] == "Bearer t")
        );
    }

    #[tokio::test]
    async fn an_error_on_runs_leaves_the_pull_requests_and_heals_in_the_next_run() {
        let mut broken = world();
        broken.others.push(("/repos/acme/web/actions/runs?".into(), Reply::status(404)));
        let stage = Stage::new(broken, &[]).await;
        let (fetched, cx) = stage.fetch(0, None).await;
        let last = fetched.unwrap();
        assert_eq!((last.snapshot.runs.is_none(), last.snapshot.pulls.is_some()), (true, true));
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["flaky", "runs", "timeouts"], vec![]));
        stage.world().others.clear();
        let (fetched, cx) = stage.fetch(15, Some(&last)).await;
        assert_eq!(fetched.unwrap().snapshot.runs.map(|runs| runs.len()), Some(250));
        assert_eq!((gaps(&cx), pending(&cx)), (vec![], vec![]));
    }

    #[tokio::test]
    async fn an_error_with_a_path_costs_the_part_it_names_alone() {
        for (path, lost, part) in
            [("merged", false, "pulls"), ("merged", true, "pulls"), ("b0", false, "branches"), ("l1", false, "issues")]
        {
            let mut world = world();
            world.faults.push((json!({ "type": "SERVICE_UNAVAILABLE", "path": ["repository", path] }), lost));
            let stage = Stage::new(world, &[]).await;
            let (fetched, cx) = stage.fetch(0, None).await;
            let snapshot = fetched.unwrap().snapshot;
            let unknown = [
                ("pulls", snapshot.pulls.is_none()),
                ("branches", snapshot.branches.is_none()),
                ("commits", snapshot.commits.is_none()),
                ("issues", snapshot.issues.is_none()),
            ];
            for (name, is_unknown) in unknown {
                assert_eq!(is_unknown, name == part, "{name} after an error at {path}");
            }
            assert!(gaps(&cx).contains(&part));
        }
    }

    #[tokio::test]
    async fn files_that_could_not_be_read_are_asked_for_apart_and_a_gap_of_their_own_without_an_answer() {
        let path = "/repos/acme/web/pulls/1003/files?per_page=100";
        let listed = Reply::json(200, &json!([{ "filename": "b" }, { "filename": "a" }]));
        for (answer, files, unknown) in [(Some(listed), Some(2), vec![]), (None, None, vec!["files"])] {
            let mut world = world();
            for pull in &mut world.pulls {
                if pull["number"] == 1003 {
                    pull["files"] = serde_json::Value::Null;
                }
            }
            let path_of_fault = json!(["repository", "merged", "nodes", 3, "files"]);
            world.faults.push((json!({ "type": "INTERNAL", "path": path_of_fault }), false));
            world.others.extend(answer.map(|answer| (path.to_owned(), answer)));
            let stage = Stage::new(world, &[]).await;
            let (fetched, cx) = stage.fetch(0, None).await;
            let fetched = fetched.unwrap();
            let pulls = fetched.snapshot.pulls.as_ref().unwrap();
            let one = pulls.merged.iter().find(|pull| pull.number == 1003).unwrap();
            assert_eq!(one.files.as_ref().map(Vec::len), files);
            assert_eq!(pulls.merged.iter().filter(|pull| pull.files.is_none()).count(), unknown.len());
            assert_eq!((gaps(&cx), pending(&cx)), (unknown, vec![]));
            let calls = || stage.fake.seen().iter().filter(|seen| seen.path == path).count();
            assert_eq!(calls(), 1);
            stage.fetch(15, Some(&fetched)).await.0.unwrap();
            assert_eq!(calls(), if files.is_some() { 1 } else { 2 }, "what is known is not asked again");
        }
    }

    #[tokio::test]
    async fn an_empty_and_a_gone_repository_fail() {
        let empty = json!({ "data": { "repository": { "isEmpty": true, "byDefault": null } } });
        let gone =
            json!({ "data": { "repository": null }, "errors": [{ "type": "NOT_FOUND", "path": ["repository"] }] });
        let limited = json!({ "errors": [{ "type": "RATE_LIMITED" }] });
        for (answer, kind) in [(empty, "not_found"), (gone, "not_found"), (limited, "rate_limited")] {
            let world = World { others: vec![("/graphql".into(), Reply::json(200, &answer))], ..World::default() };
            let stage = Stage::new(world, &[]).await;
            let error = stage.fetch(0, None).await.0.map(drop).unwrap_err();
            assert_eq!(error.kind(), Some(kind), "{error}");
        }
    }

    #[tokio::test]
    async fn without_graphql_a_continued_fetch_still_reads_the_runs() {
        let stage = Stage::new(world(), &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        stage
            .world()
            .others
            .push(("/graphql".into(), Reply::json(200, &json!({ "errors": [{ "type": "RATE_LIMITED" }] }))));
        let (fetched, cx) = stage.fetch(15, Some(&last)).await;
        let snapshot = fetched.unwrap().snapshot;
        assert_eq!((snapshot.pulls.is_none(), snapshot.runs.map(|runs| runs.len())), (true, Some(250)));
        assert_eq!(gaps(&cx), ["branches", "commits", "files", "force", "issues", "pulls"]);
    }

    #[tokio::test]
    async fn the_time_windows_reach_github_in_its_own_words() {
        let stage = Stage::new(world(), &[]).await;
        stage.fetch(0, None).await.0.unwrap();
        let asked: Vec<String> =
            stage.fake.seen().into_iter().map(|seen| seen.path).filter(|path| path.contains("/runs?")).collect();
        assert!(asked[0].contains("created=2026-01-01T12%3A00%3A00Z..2026-01-08T11%3A59%3A59Z"), "{asked:?}");
        assert_eq!(ago(0), at(NOW));
    }
}
