//! Pull requests: the open, the closed and the merged ones, and what people said about the merged.

use super::client::Client;
use super::graph::{Page, Said, Variables};
use super::pull::{Merged, Reading, complete};
use super::rounds::{Query, Walk};
use crate::snapshot::{MergedPull, OpenPull, Pulls};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Error, Result};
use std::collections::BTreeMap;

/// How many pull requests are completed at the same time.
const ABREAST: usize = 8;

/// The merged pull requests of a page when everything is asked, and when only what changed is.
const FIRST: (u64, u64) = (50, 30);

/// Reads the three sets of pull requests, from the one last updated back.
pub(super) struct Sets {
    /// The start of the window.
    since: Timestamp,
    /// What was updated before is known already, or of no interest.
    floor: Timestamp,
    /// Whether older open ones are known.
    continued: bool,
    walks: [Walk; 3],
    open: BTreeMap<u64, OpenPull>,
    closed: BTreeMap<u64, Timestamp>,
    known: BTreeMap<u64, MergedPull>,
    fresh: BTreeMap<u64, Merged>,
    open_count: u64,
    retried: bool,
    files: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    number: u64,
    created_at: Timestamp,
    updated_at: Timestamp,
    is_draft: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Closed {
    number: u64,
    #[serde(rename = "closedAt")]
    at: Option<Timestamp>,
    updated_at: Timestamp,
}

/// The merged pull requests that came with a label that says force: when, and the commit that merged them.
pub(super) type Forced = BTreeMap<u64, (Timestamp, Option<String>)>;

impl Sets {
    /// Reads all of the window, or what was updated since the known ones were read.
    pub fn new(now: Timestamp, known: Option<(&Pulls, Timestamp)>) -> Self {
        let since = now - super::WEEK;
        let mut sets = Self {
            since,
            floor: since,
            continued: false,
            walks: ["open", "closed", "merged"].map(Walk::new),
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            known: BTreeMap::new(),
            fresh: BTreeMap::new(),
            open_count: 0,
            retried: false,
            files: true,
        };
        if let Some((pulls, at)) = known {
            sets.continued = true;
            sets.floor = at - super::OVERLAP;
            sets.open = pulls.open.iter().map(|pull| (pull.number, pull.clone())).collect();
            sets.closed.clone_from(&pulls.closed);
            sets.known = pulls.merged.iter().map(|pull| (pull.number, pull.clone())).collect();
        }
        sets
    }

    /// Leaves out the files of the pull requests still to come.
    pub const fn skip_files(&mut self) {
        self.files = false;
    }

    /// Takes a page of each list; who is in one set now is in no other.
    fn take(&mut self, open: &Page<Open>, closed: &Page<Closed>, merged: Page<Merged>) {
        for pull in open.nodes() {
            self.closed.remove(&pull.number);
            let seen = OpenPull { number: pull.number, created_at: pull.created_at, draft: pull.is_draft };
            self.open.insert(pull.number, seen);
        }
        for pull in closed.nodes() {
            self.open.remove(&pull.number);
            if let Some(closed_at) = pull.at {
                self.closed.insert(pull.number, closed_at);
            }
        }
        for pull in merged.into_nodes() {
            self.open.remove(&pull.number);
            self.closed.remove(&pull.number);
            if pull.at >= self.since {
                self.fresh.insert(pull.number, pull);
            }
        }
    }

    /// Whether the sets add up; where they do not, something moved while we read, and the walks start again.
    fn settle(&mut self) -> Result<()> {
        if self.walks.iter().any(Walk::is_open) || self.open.len() as u64 == self.open_count {
            return Ok(());
        }
        if self.retried {
            return Err(Error::incomplete(format!("{} open pull requests of {}", self.open.len(), self.open_count)));
        }
        if self.continued {
            // What is known does not fit: everything is read again.
            self.continued = false;
            self.floor = self.since;
            self.open.clear();
            self.closed.clear();
            self.known.clear();
        } else {
            // What moved between two pages was updated: it stands at the beginning now.
            self.retried = true;
            self.continued = true;
            self.floor = self.since + super::WEEK - super::OVERLAP;
        }
        self.walks.iter_mut().for_each(Walk::restart);
        Ok(())
    }

    /// The sets as the formulas see them, with those merged around the rules; asks for what the pages did not hold.
    pub async fn finish(
        mut self,
        client: &Client,
        repo: &str,
        reading: &Reading<'_>,
        forced: &Forced,
    ) -> Result<(Pulls, Forced)> {
        let since = self.since;
        self.closed.retain(|_, closed_at| *closed_at >= since);
        self.known.retain(|_, pull| pull.merged_at >= since);
        let mut forced = forced.clone();
        forced.retain(|number, _| self.known.contains_key(number));
        let known = &self.known;
        let fresh: Vec<Merged> = stream::iter(std::mem::take(&mut self.fresh).into_values())
            .map(|pull| {
                // The files of a merged pull request stay what they are.
                let files = known.get(&pull.number).and_then(|pull| pull.files.clone());
                complete(client, repo, pull.with_known_files(files))
            })
            .buffer_unordered(ABREAST)
            .try_collect()
            .await?;
        for pull in fresh {
            forced.remove(&pull.number);
            if reading.is_forced(&pull) {
                forced.insert(pull.number, (pull.at, pull.merge_commit.as_ref().map(|commit| commit.oid.clone())));
            }
            self.known.insert(pull.number, reading.merged(&pull));
        }
        let open = self.open.into_values().collect();
        Ok((Pulls { open, merged: self.known.into_values().collect(), closed: self.closed }, forced))
    }
}

impl Query for Sets {
    fn owns(&self, field: &str) -> bool {
        matches!(field, "open" | "closed" | "merged")
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        variables.insert("files".to_owned(), self.files.into());
        variables.insert("mergedFirst".to_owned(), (if self.continued { FIRST.1 } else { FIRST.0 }).into());
        let asked = self.walks.iter().filter(|walk| walk.ask(variables)).count();
        asked > 0
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let (floor, continued) = (self.floor, self.continued);
        let [open, closed, merged] = &mut self.walks;
        let open = open.hear(said, None, |pull: &Open| continued && pull.updated_at < floor)?;
        let closed = closed.hear(said, None, |pull: &Closed| pull.updated_at < floor)?;
        // The files are a part of their own.
        let merged = merged.hear(said, Some("files"), |pull: &Merged| pull.updated_at < floor)?;
        self.open_count = open.total_count.unwrap_or(self.open_count);
        self.take(&open, &closed, merged);
        self.settle()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, pull};
    use crate::snapshot::MergedPull;
    use serde_json::{Value, json};
    use shared::testing::Reply;

    fn by(kind: &str, login: &str) -> Value {
        json!({ "__typename": kind, "login": login })
    }

    fn review(who: &Value, minutes: i64, state: &str, body: &str, inline: u64) -> Value {
        let (submitted_at, comments) = (ago(minutes), json!({ "totalCount": inline }));
        json!({ "author": who, "state": state, "submittedAt": submitted_at, "body": body, "comments": comments })
    }

    /// What is read of one pull request of ada that was merged an hour before now.
    async fn read(change: impl Fn(&mut Value)) -> (MergedPull, Stage) {
        let mut merged = pull(7, 600, 30, "MERGED", 60);
        change(&mut merged);
        let stage = Stage::new(World { pulls: vec![merged], ..World::default() }, &[("GITHUB_BOTS", "ci-robot")]).await;
        let pulls = stage.fetch(0, None).await.0.unwrap().snapshot.pulls.unwrap();
        (pulls.merged[0].clone(), stage)
    }

    #[tokio::test]
    async fn the_author_bots_and_pending_reviews_do_not_count() {
        let (pull, _) = read(|pull| {
            pull["reviews"]["nodes"] = json!([
                review(&by("User", "Ada"), 500, "COMMENTED", "thanks", 2),
                review(&by("Bot", "helper"), 490, "APPROVED", "fine", 1),
                review(&by("User", "CI-Robot"), 480, "APPROVED", "fine", 1),
                review(&by("User", "bob"), 470, "PENDING", "not yet", 3),
            ]);
            pull["comments"]["nodes"] = json!([{ "author": by("User", "helper[bot]"), "createdAt": ago(460) }]);
        })
        .await;
        assert_eq!((pull.comments, pull.first_review), (0, None));
    }

    #[tokio::test]
    async fn inline_comments_texts_of_reviews_and_comments_of_others_count() {
        let (pull, _) = read(|pull| {
            pull["reviews"]["nodes"] = json!([
                review(&by("User", "bob"), 400, "APPROVED", "", 0),
                review(&by("User", "bob"), 300, "COMMENTED", "  ", 2),
                review(&by("User", "cy"), 200, "CHANGES_REQUESTED", "please", 1),
            ]);
            pull["comments"]["nodes"] = json!([
                { "author": by("User", "bob"), "createdAt": ago(350) },
                { "author": null, "createdAt": ago(340) },
            ]);
        })
        .await;
        assert_eq!((pull.comments, pull.first_review), (6, Some(ago(400))));
    }

    #[tokio::test]
    async fn a_pull_request_is_live_from_its_last_turn_to_ready() {
        let (born_ready, _) = read(|_| ()).await;
        assert_eq!(born_ready.live_since, ago(600));
        let (draft, _) = read(|pull| pull["timelineItems"]["nodes"] = json!([{ "createdAt": ago(100) }])).await;
        assert_eq!(draft.live_since, ago(100));
    }

    #[tokio::test]
    async fn titles_bodies_labels_and_bases_are_read_and_not_kept() {
        let info = json!({ "hasNextPage": false, "endCursor": null });
        let labels = |name: &str| json!({ "nodes": [{ "name": name }], "pageInfo": info });
        for (field, value, hotfix, revert) in [
            ("title", json!("Hotfix: the login"), true, false),
            ("title", json!("Revert \"the login\""), false, true),
            ("body", json!("So.\nThis reverts commit 12ab."), false, true),
            ("body", json!("Hotfixed it"), false, false),
            ("labels", labels("HotFix"), true, false),
            ("labels", labels("revert"), false, true),
        ] {
            let (pull, stage) = read(|pull| pull[field] = value.clone()).await;
            assert_eq!((pull.hotfix, pull.revert, pull.into_branch), (hotfix, revert, true), "{value}");
            let stored = serde_json::to_string(&stage.fetch(0, None).await.0.unwrap()).unwrap();
            assert!(!["login", "ada", "src/main.rs", "12ab"].iter().any(|text| stored.contains(text)), "{stored}");
        }
        let (pull, _) = read(|pull| pull["baseRefName"] = "release".into()).await;
        assert!(!pull.into_branch);
    }

    #[tokio::test]
    async fn an_inner_list_with_a_next_page_is_read_to_its_end() {
        let page = |nodes: Value, next: Option<&str>| {
            let info = json!({ "hasNextPage": next.is_some(), "endCursor": next });
            json!({ "nodes": nodes, "pageInfo": info })
        };
        let mut merged = pull(7, 600, 30, "MERGED", 60);
        merged["files"] = page(json!([{ "path": "a" }]), Some("f1"));
        merged["comments"] = page(json!([]), Some("c1"));
        let round = json!({ "data": { "repository": {
            "isEmpty": false,
            "byDefault": { "name": "main", "target": { "oid": "0", "history": page(json!([]), None) } },
            "open": page(json!([]), None), "closed": page(json!([]), None), "merged": page(json!([merged]), None),
            "b0": { "totalCount": 0, "edges": [], "pageInfo": { "hasNextPage": false, "endCursor": null } },
            "issues": { "totalCount": 0 }, "l0": { "totalCount": 0 }, "l1": { "totalCount": 0 },
        } } });
        let rest = |pull: Value| json!({ "data": { "repository": { "pullRequest": pull } } });
        let second = rest(json!({
            "files": page(json!([{ "path": "b" }]), Some("f2")),
            "comments": page(json!([{ "author": by("User", "bob"), "createdAt": ago(90) }]), None),
        }));
        let third = rest(json!({ "files": page(json!([{ "path": "c" }]), None) }));
        let fake = shared::testing::Fake::start(move |_, seen| {
            let text = String::from_utf8_lossy(&seen.body).into_owned();
            match (
                text.contains("query Round"),
                text.contains("\"filesAfter\":\"f1\""),
                text.contains("\"filesAfter\":\"f2\""),
            ) {
                (true, ..) => Reply::json(200, &round),
                (_, true, _) => Reply::json(200, &second),
                (_, _, true) if !text.contains("commentsAfter\":") => Reply::json(200, &third),
                _ if seen.path.contains("/actions/runs?") => {
                    Reply::json(200, &json!({ "total_count": 0, "workflow_runs": [] }))
                }
                _ if seen.path.contains("/actions/workflows?") => Reply::json(200, &json!({ "workflows": [] })),
                _ => Reply::json(200, &json!([])),
            }
        });
        let fake = fake.await;
        let env = shared::Env::of([("GITHUB_REPOS", "acme/web"), ("GITHUB_TOKEN", "t"), ("GITHUB_URL", fake.url())]);
        let upstream = super::super::Upstream::new(&env).unwrap();
        let cx = shared::Context::new(shared::Event::new(ago(0), ago(0)), "acme/web");
        let pulls = upstream.fetch(&cx, "acme/web", shared::Last::None).await.unwrap().snapshot.pulls.unwrap();
        assert_eq!((pulls.merged[0].files.as_ref().map(Vec::len), pulls.merged[0].comments), (Some(3), 1));
    }

    #[tokio::test]
    async fn a_pull_request_that_moves_between_two_pages_is_found() {
        let mut pulls: Vec<Value> =
            (0..150).map(|number| pull(number, 9000, 100 + i64::try_from(number).unwrap(), "OPEN", 0)).collect();
        pulls.push(pull(900, 9000, 60, "MERGED", 60));
        let stage = Stage::new(World { pulls, ..World::default() }, &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        // One was reopened long ago by the clock of its update: the count gives it away.
        stage.world().pulls.push(pull(901, 9000, 5000, "OPEN", 0));
        let pulls = stage.fetch(15, Some(&last)).await.0.unwrap().snapshot.pulls.unwrap();
        assert_eq!((pulls.open.len(), pulls.merged.len()), (151, 1));
    }

    #[tokio::test]
    async fn only_the_window_is_kept() {
        let pulls = vec![
            pull(1, 99_999, 10, "MERGED", 8 * 1440),
            pull(2, 99_999, 6 * 1440, "MERGED", 6 * 1440),
            pull(3, 99_999, 7 * 1440, "CLOSED", 7 * 1440),
            pull(4, 99_999, 5, "CLOSED", 7 * 1440 + 1),
        ];
        let stage = Stage::new(World { pulls, ..World::default() }, &[]).await;
        let pulls = stage.fetch(0, None).await.0.unwrap().snapshot.pulls.unwrap();
        assert_eq!(pulls.merged.iter().map(|pull| pull.number).collect::<Vec<_>>(), [2]);
        assert_eq!(pulls.closed.into_keys().collect::<Vec<_>>(), [3]);
    }
}
