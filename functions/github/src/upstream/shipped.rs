//! What came with a deployment: the commits since the one before it, each judged as the change it belongs to.

use super::client::Client;
use super::graph::{self, Page};
use crate::config::Config;
use crate::snapshot::Shipped;
use crate::titles;
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Digester, Error, Result};
use std::collections::BTreeMap;

/// The most objects that GraphQL gives by their ids at once.
const AT_ONCE: usize = 100;

/// What the texts of people are read with.
#[derive(Clone, Copy)]
pub(super) struct Reader<'r> {
    /// What takes their place.
    pub digester: &'r Digester,
    /// Which labels say what.
    pub config: &'r Config,
}

#[derive(Deserialize)]
struct Comparison {
    commits: Vec<Compared>,
}

#[derive(Deserialize)]
struct Compared {
    sha: String,
    node_id: String,
    commit: Message,
}

#[derive(Deserialize)]
struct Message {
    message: String,
    committer: Option<Signed>,
}

#[derive(Deserialize)]
struct Signed {
    date: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Belonging {
    oid: String,
    associated_pull_requests: Option<Page<Pull>>,
}

#[derive(Deserialize)]
struct Pull {
    title: String,
    body: Option<String>,
    labels: Option<Page<Label>>,
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

/// The commits of a comparison such as `before...after`.
pub(super) async fn between(
    (client, repo, reader): (&Client, &str, Reader<'_>),
    between: &str,
) -> Result<Vec<Shipped>> {
    let pages: Vec<Comparison> = client.all(&format!("/repos/{repo}/compare/{between}?per_page=100")).await?;
    let commits: Vec<Compared> = pages.into_iter().flat_map(|page| page.commits).collect();
    let mut pulls: BTreeMap<String, Option<Pull>> = BTreeMap::new();
    for some in commits.chunks(AT_ONCE) {
        let ids: Vec<&str> = some.iter().map(|commit| commit.node_id.as_str()).collect();
        let found: Vec<Belonging> = graph::nodes(client, &ids).await?;
        let pull = |commit: Belonging| commit.associated_pull_requests?.into_nodes().next();
        pulls.extend(found.into_iter().map(|commit| (commit.oid.clone(), pull(commit))));
    }
    let mut shipped = BTreeMap::new();
    for commit in commits {
        let unnamed = || Error::incomplete(format!("the pull request of a commit between {between}"));
        let pull = pulls.remove(&commit.sha).ok_or_else(unnamed)?;
        let Some(committed_at) = commit.commit.committer.and_then(|committer| committer.date) else { continue };
        let (hotfix, revert) = judge(&commit.commit.message, pull, reader.config);
        shipped.insert(commit.sha.clone(), Shipped { oid: commit.sha, committed_at, hotfix, revert });
    }
    Ok(shipped.into_values().collect())
}

/// Whether a commit belongs to a hotfix and to a revert: by its pull request if it came with one, else by its message.
fn judge(message: &str, pull: Option<Pull>, config: &Config) -> (bool, bool) {
    let Some(pull) = pull else {
        let (title, body) = message.split_once('\n').unwrap_or((message, ""));
        return (titles::is_hotfix(title), titles::is_revert(title, body));
    };
    let labels: Vec<String> =
        pull.labels.into_iter().flat_map(Page::into_nodes).map(|label| label.name.to_lowercase()).collect();
    let labelled = |wanted: &[String]| wanted.iter().any(|wanted| labels.contains(&wanted.to_lowercase()));
    let body = pull.body.as_deref().unwrap_or_default();
    (
        titles::is_hotfix(&pull.title) || labelled(&config.hotfix),
        titles::is_revert(&pull.title, body) || labelled(&config.revert),
    )
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago};
    use super::{Reader, between};
    use serde_json::{Value, json};
    use shared::testing::Reply;

    fn commit(sha: &str, message: &str) -> Value {
        let signed = json!({ "date": ago(60) });
        json!({ "sha": sha, "node_id": format!("C_{sha}"), "commit": { "message": message, "committer": signed } })
    }

    #[tokio::test]
    async fn a_commit_is_judged_as_the_pull_request_it_came_with_and_alone_by_its_message() {
        let pull = |title: &str, body: &str, label: &str| json!({ "title": title, "body": body, "labels": { "nodes": [{ "name": label }] } });
        let table = [
            ("alone", "Hotfix the login", None, (true, false)),
            ("taken", "Revert \"x\"\n\nThis reverts commit 1.", None, (false, true)),
            ("title", "Change it", Some(pull("A hotfix", "", "area")), (true, false)),
            ("label", "Change it", Some(pull("Mend it", "", "HotFix")), (true, false)),
            ("body", "Change it", Some(pull("Undo it", "This reverts commit 1.", "area")), (false, true)),
            ("undone", "Change it", Some(pull("Undo it", "", "revert")), (false, true)),
            ("within", "Hotfix, a step of many", Some(pull("Add it", "", "area")), (false, false)),
        ];
        let commits: Vec<Value> = table.iter().map(|(sha, message, ..)| commit(sha, message)).collect();
        let mut world = World::default();
        world.others.push(("/repos/acme/web/compare/a...b".into(), Reply::json(200, &json!({ "commits": commits }))));
        world.came_with =
            table.iter().filter_map(|(sha, _, pull, _)| Some((format!("C_{sha}"), pull.clone()?))).collect();
        let stage = Stage::new(world, &[]).await;
        let upstream = &stage.upstream;
        let reader = Reader { digester: &upstream.digester, config: &upstream.config };
        let shipped = between((&upstream.client, "acme/web", reader), "a...b").await.unwrap();
        for (sha, _, _, expected) in table {
            let found = shipped.iter().find(|commit| commit.oid == sha).unwrap();
            assert_eq!((found.hotfix, found.revert), expected, "{sha}");
        }
        assert_eq!(stage.calls(), 2);
    }

    #[tokio::test]
    async fn a_commit_that_the_second_answer_leaves_out_makes_the_comparison_unknown() {
        let mut world = World::default();
        let mut gone = commit("x", "Change it");
        gone["node_id"] = "gone".into();
        world.others.push(("/repos/acme/web/compare/a...b".into(), Reply::json(200, &json!({ "commits": [gone] }))));
        let stage = Stage::new(world, &[]).await;
        let upstream = &stage.upstream;
        let reader = Reader { digester: &upstream.digester, config: &upstream.config };
        assert!(between((&upstream.client, "acme/web", reader), "a...b").await.is_err());
    }
}
