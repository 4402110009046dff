//! Commits: the history of the branch over a week, continued from the commits known.

use super::graph::{Count, Page, Said, Variables};
use super::rounds::Query;
use crate::config::Config;
use crate::snapshot::Commit;
use crate::titles;
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Digester, Error, Result};
use std::collections::BTreeMap;

/// The slices of the history that one document can ask for.
const SLICES: usize = 12;

/// The commits that a slice should hold, less than a page of 100.
const SLICE: usize = 80;

/// Reads the commits of the window, until there are as many as GitHub counts.
pub(super) struct Commits<'r> {
    config: &'r Config,
    digester: &'r Digester,
    field: &'static str,
    since: Timestamp,
    known: BTreeMap<String, Commit>,
    old_head: Option<String>,
    head: Option<String>,
    found: BTreeMap<String, Commit>,
    count: u64,
    way: Way,
    retried: bool,
}

/// How the history is being read.
enum Way {
    /// The first page, to which the known ones may add.
    Continue,
    /// Page by page, from behind this cursor.
    Pages(Option<String>),
    /// Stretches of time side by side: from, until, behind.
    Slices(Vec<(Timestamp, Option<Timestamp>, Option<String>)>),
    /// To its end.
    Done,
}

#[derive(Deserialize)]
struct Ref {
    target: Option<Tip>,
}

#[derive(Deserialize)]
struct Tip {
    oid: Option<String>,
    history: Option<Page<Node>>,
    #[serde(flatten)]
    slices: BTreeMap<String, Option<Page<Node>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    oid: String,
    committed_date: Timestamp,
    message: String,
    additions: u64,
    deletions: u64,
    parents: Count,
    author: Option<Actor>,
    associated_pull_requests: Option<Page<Number>>,
}

#[derive(Deserialize)]
struct Actor {
    name: Option<String>,
    email: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Number {
    number: u64,
}

impl<'r> Commits<'r> {
    /// Reads the history in the field of the document that holds the branch.
    pub fn new(config: &'r Config, digester: &'r Digester, field: &'static str, now: Timestamp) -> Self {
        Self {
            config,
            digester,
            field,
            since: now - super::WEEK,
            known: BTreeMap::new(),
            old_head: None,
            head: None,
            found: BTreeMap::new(),
            count: 0,
            way: Way::Pages(None),
            retried: false,
        }
    }

    /// Continues from commits known, and the commit that the branch pointed to then.
    pub fn known(mut self, commits: &[Commit], head: Option<&String>) -> Self {
        let since = self.since;
        let inside = commits.iter().filter(|commit| commit.committed_at >= since);
        self.known = inside.map(|commit| (commit.oid.clone(), commit.clone())).collect();
        self.old_head = head.cloned();
        self.way = Way::Continue;
        self
    }

    /// The commits by time, and the commit that the branch points to.
    pub fn finish(self) -> (Vec<Commit>, Option<String>) {
        let mut commits: Vec<Commit> = self.found.into_values().collect();
        commits.sort_by(|a, b| (a.committed_at, &a.oid).cmp(&(b.committed_at, &b.oid)));
        (commits, self.head)
    }

    fn take(&mut self, page: Page<Node>) {
        for node in page.into_nodes() {
            let commit = self.read(node);
            self.found.insert(commit.oid.clone(), commit);
        }
    }

    fn read(&self, node: Node) -> Commit {
        let (title, body) = node.message.split_once('\n').unwrap_or((&node.message, ""));
        let (author, bot) = self.author(node.author.as_ref());
        Commit {
            committed_at: node.committed_date,
            author,
            bot,
            additions: node.additions,
            deletions: node.deletions,
            merge: node.parents.total_count > 1,
            pull: node.associated_pull_requests.and_then(|pulls| pulls.nodes().next().map(|pull| pull.number)),
            hotfix: titles::is_hotfix(title),
            revert: titles::is_revert(title, body),
            oid: node.oid,
        }
    }

    /// The author, digested, and whether it is a bot: GraphQL has no account for those, so that their name and address
    /// have to say it.
    fn author(&self, actor: Option<&Actor>) -> (String, bool) {
        let login = actor.and_then(|actor| actor.user.as_ref()).map(|user| user.login.to_lowercase());
        let name = actor.and_then(|actor| actor.name.as_deref()).unwrap_or_default();
        let email = actor.and_then(|actor| actor.email.as_deref()).unwrap_or_default().to_lowercase();
        let noreply =
            email.strip_suffix("@users.noreply.github.com").map(|local| local.rsplit('+').next().unwrap_or(local));
        let named = match &login {
            Some(login) => self.config.is_bot("", login),
            None => self.config.is_bot("", name),
        };
        let bot = named
            || noreply
                .is_some_and(|local| local.ends_with("[bot]") || (login.is_none() && self.config.is_bot("", local)));
        let who = login.map_or_else(|| format!("address {email}"), |login| format!("account {login}"));
        (self.digester.of(&who), bot)
    }

    /// The known commits complete the first page if the old head is on it and the numbers agree.
    fn join(&mut self, is_last: bool) {
        let connected = self.known.is_empty()
            || self
                .old_head
                .as_ref()
                .is_some_and(|head| self.found.contains_key(head) || self.head.as_ref() == Some(head));
        let missing = self.known.keys().filter(|oid| !self.found.contains_key(*oid)).count();
        if is_last {
            self.way = Way::Done;
        } else if connected && (self.found.len() + missing) as u64 == self.count {
            let known = std::mem::take(&mut self.known);
            for (oid, commit) in known {
                self.found.entry(oid).or_insert(commit);
            }
            self.way = Way::Done;
        } else {
            self.way = Way::Slices(self.slices());
        }
    }

    /// Cuts the window so that no slice should hold more than a page.
    fn slices(&self) -> Vec<(Timestamp, Option<Timestamp>, Option<String>)> {
        let mut times: Vec<Timestamp> =
            self.known.values().chain(self.found.values()).map(|commit| commit.committed_at).collect();
        times.sort_unstable();
        times.dedup();
        let each = SLICE.max(times.len().div_ceil(SLICES));
        let mut starts: Vec<Timestamp> = vec![self.since];
        starts.extend(times.iter().copied().skip(each).step_by(each));
        let ends = starts.iter().skip(1).copied().map(Some).chain([None]);
        starts.iter().copied().zip(ends).map(|(from, until)| (from, until, None)).collect()
    }

    /// Reads everything once more, page by page.
    fn again(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.retried, true) {
            return Err(Error::incomplete(format!("{} commits of {}", self.found.len(), self.count)));
        }
        self.found.clear();
        self.way = Way::Pages(None);
        Ok(())
    }

    fn hear_slices(
        &mut self,
        mut pages: BTreeMap<String, Option<Page<Node>>>,
        slices: Vec<(Timestamp, Option<Timestamp>, Option<String>)>,
    ) {
        let mut rest = Vec::new();
        for (at, (from, until, _)) in slices.into_iter().enumerate() {
            let Some(page) = pages.remove(&format!("h{at}")).flatten() else { continue };
            if let Some(next) = page.next() {
                rest.push((from, until, Some(next)));
            }
            self.take(page);
        }
        self.way = if rest.is_empty() { Way::Done } else { Way::Slices(rest) };
    }
}

impl Query for Commits<'_> {
    fn owns(&self, field: &str) -> bool {
        field == self.field
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        match &self.way {
            Way::Done => return false,
            Way::Continue | Way::Pages(None) => {
                variables.insert("history".to_owned(), true.into());
            }
            Way::Pages(after) => {
                variables.insert("history".to_owned(), true.into());
                variables.insert("historyAfter".to_owned(), after.clone().into());
            }
            Way::Slices(slices) => {
                for (at, (from, until, after)) in slices.iter().enumerate() {
                    variables.insert(format!("h{at}"), true.into());
                    variables.insert(format!("h{at}Since"), from.to_string().into());
                    variables.insert(format!("h{at}Until"), until.map(|until| until.to_string()).into());
                    variables.insert(format!("h{at}After"), after.clone().into());
                }
            }
        }
        variables.insert("since".to_owned(), self.since.to_string().into());
        true
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let branch: Ref = said.wanted(self.field, None)?;
        let tip = branch.target.unwrap_or(Tip { oid: None, history: None, slices: BTreeMap::new() });
        // A push between two rounds: cursors and counts are of two histories.
        let moved = self.head.is_some() && self.head != tip.oid;
        self.head = tip.oid;
        if moved {
            return self.again();
        }
        match std::mem::replace(&mut self.way, Way::Done) {
            Way::Done => return Ok(()),
            Way::Slices(slices) => self.hear_slices(tip.slices, slices),
            way @ (Way::Continue | Way::Pages(_)) => {
                let page = tip.history.ok_or_else(|| Error::incomplete("the history of the branch"))?;
                let next = page.next();
                self.count = page.total_count.unwrap_or(self.count);
                self.take(page);
                match (way, next) {
                    (Way::Continue, next) => self.join(next.is_none()),
                    (_, None) => {}
                    (_, next) => self.way = Way::Pages(next),
                }
            }
        }
        if matches!(self.way, Way::Done) && self.found.len() as u64 != self.count {
            return self.again();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, commit};
    use crate::snapshot::Commit;
    use serde_json::{Value, json};

    fn history(count: u64) -> Vec<Value> {
        (0..count)
            .map(|number| commit(&format!("{number:040x}"), i64::try_from(number).unwrap() * 10, Some(1)))
            .collect()
    }

    async fn continued(count: u64, change: impl Fn(&mut Vec<Value>)) -> (usize, usize) {
        let stage = Stage::new(World { commits: history(count), ..World::default() }, &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        assert_eq!(last.snapshot.commits.as_ref().map(Vec::len), Some(usize::try_from(count).unwrap()));
        change(&mut stage.world().commits);
        let before = stage.calls();
        let next = stage.fetch(15, Some(&last)).await.0.unwrap();
        let rounds = stage.fake.seen()[before..].iter().filter(|seen| seen.path == "/graphql").count();
        let whole = stage.fetch(15, None).await.0.unwrap();
        assert_eq!(next.snapshot.commits, whole.snapshot.commits);
        (next.snapshot.commits.unwrap().len(), rounds)
    }

    #[tokio::test]
    async fn new_commits_are_added_in_one_round() {
        assert_eq!(continued(900, |commits| commits.insert(0, commit("new", -5, None))).await, (901, 1));
    }

    #[tokio::test]
    async fn older_commits_that_a_merge_brings_along_take_a_second_round() {
        let change = |commits: &mut Vec<Value>| {
            commits.insert(500, commit("old", 4995, None));
            commits.insert(0, commit("merge", -5, None));
        };
        assert_eq!(continued(900, change).await, (902, 2));
    }

    #[tokio::test]
    async fn a_rewritten_history_is_read_anew() {
        let change = |commits: &mut Vec<Value>| {
            commits.drain(..3);
            commits.insert(0, commit("other1", 1, None));
            commits.insert(0, commit("other2", 1, None));
            commits.insert(0, commit("other3", 0, None));
        };
        assert_eq!(continued(300, change).await.0, 300);
    }

    /// How one commit is read.
    async fn read(change: impl Fn(&mut Value)) -> Commit {
        let mut one = commit("a", 60, None);
        change(&mut one);
        let stage = Stage::new(World { commits: vec![one], ..World::default() }, &[("GITHUB_BOTS", "merger")]).await;
        stage.fetch(0, None).await.0.unwrap().snapshot.commits.unwrap().remove(0)
    }

    #[tokio::test]
    async fn an_account_is_one_author_whatever_its_addresses() {
        let mut commits: Vec<Value> = ["a", "b", "c", "d", "e"].map(|oid| commit(oid, 60, None)).into();
        commits[1]["author"]["email"] = "ada@home.example".into();
        for (at, email) in [(2, "A@x.example"), (3, "a@X.example"), (4, "b@x.example")] {
            commits[at]["author"] = json!({ "name": "A", "email": email, "user": null });
        }
        let stage = Stage::new(World { commits, ..World::default() }, &[]).await;
        let commits = stage.fetch(0, None).await.0.unwrap().snapshot.commits.unwrap();
        let authors: Vec<&str> = commits.iter().map(|commit| commit.author.as_str()).collect();
        assert_eq!((authors[0], authors[2], authors[0].len()), (authors[1], authors[3], 16));
        assert!(authors[0] != authors[2] && authors[2] != authors[4]);
    }

    #[tokio::test]
    async fn a_bot_without_an_account_is_known_by_name_or_address() {
        for (author, bot) in [
            (json!({ "name": "Ada", "email": "a@x.example", "user": null }), false),
            (json!({ "name": "helper[bot]", "email": "a@x.example", "user": null }), true),
            (json!({ "name": "Helper", "email": "12+helper[bot]@users.noreply.github.com", "user": null }), true),
            (json!({ "name": "Helper", "email": "12+merger@users.noreply.github.com", "user": null }), true),
            (json!({ "name": "Helper", "email": "h@x.example", "user": { "login": "Merger" } }), true),
            (Value::Null, false),
        ] {
            assert_eq!(read(|commit| commit["author"] = author.clone()).await.bot, bot, "{author}");
        }
    }

    #[tokio::test]
    async fn a_commit_is_read_by_its_message_and_parents() {
        let revert = read(|commit| commit["message"] = "Undo\n\nThis reverts commit 1234567.".into()).await;
        assert_eq!((revert.revert, revert.hotfix, revert.merge, revert.pull), (true, false, false, None));
        let merge = read(|commit| {
            commit["parents"]["totalCount"] = 2.into();
            commit["message"] = "Hotfix".into();
            commit["associatedPullRequests"]["nodes"] = json!([{ "number": 4 }]);
        })
        .await;
        assert_eq!((merge.merge, merge.hotfix, merge.pull, merge.committed_at), (true, true, Some(4), ago(60)));
    }
}
