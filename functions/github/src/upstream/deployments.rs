//! Deployments of thirty days and the incidents of that time.

use super::client::Client;
use super::graph::{Page, Said, Variables};
use super::rounds::{Query, Walk};
use super::runs::{Listed, Wire, reads};
use crate::config::{Config, Deploys};
use crate::snapshot::{Deployment, Deployments};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use shared::{Result, http::escape};
use std::collections::{BTreeMap, BTreeSet};

/// How far back deployments are of interest.
const WINDOW: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How many deployments before the window are read: what the first one in it shipped is told by comparison, and a
/// roll-back shortly before it must not make old commits new.
const BEFORE: usize = 4;

/// The most pages of a workflow's runs that are read.
const PAGES: u32 = 30;

/// A deployment that succeeded: when, and the commit it put there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Success {
    /// When it succeeded.
    pub at: Timestamp,
    /// The commit.
    pub sha: String,
}

/// Reads deployments to an environment, and incidents.
pub(super) struct Shipping<'r> {
    config: &'r Config,
    since: Timestamp,
    deployments: Option<Walk>,
    incidents: Vec<Walk>,
    successes: Vec<Success>,
    found: BTreeMap<u64, (Timestamp, Option<Timestamp>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    commit_oid: String,
    created_at: Timestamp,
    statuses: Option<Page<Status>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incident {
    number: u64,
    created_at: Timestamp,
    closed_at: Option<Timestamp>,
    updated_at: Timestamp,
}

impl Node {
    fn success(&self) -> Option<Success> {
        let statuses = self.statuses.iter().flat_map(Page::nodes);
        let at = statuses.filter(|status| status.state == "SUCCESS").map(|status| status.created_at).min()?;
        Some(Success { at, sha: self.commit_oid.clone() })
    }
}

impl<'r> Shipping<'r> {
    /// Reads what the configuration calls a deployment.
    pub fn new(config: &'r Config, now: Timestamp) -> Self {
        let environment = matches!(config.deploys, Some(Deploys::Environment(_)));
        Self {
            config,
            since: now - WINDOW,
            deployments: environment.then(|| Walk::new("deployments")),
            incidents: (0..config.incident.len()).map(|at| Walk::new(format!("i{at}"))).collect(),
            successes: Vec::new(),
            found: BTreeMap::new(),
        }
    }

    /// The successes by time, with the last ones before the window, and the incidents.
    pub async fn finish(mut self, client: &Client, repo: &str, branch: &str) -> Result<(Vec<Success>, Deployments)> {
        if let Some(Deploys::Workflow(file)) = &self.config.deploys {
            self.successes = of_workflow(client, repo, branch, file, self.since).await?;
        }
        self.successes.sort();
        let before = self.successes.partition_point(|success| success.at < self.since);
        let successes = self.successes.split_off(before.saturating_sub(BEFORE));
        let incidents = self.found.into_values().collect();
        let deployed = |success: &Success| Deployment { succeeded_at: success.at, commits: None };
        let deployments = Deployments { successes: successes.iter().map(deployed).collect(), incidents };
        Ok((successes, deployments))
    }
}

impl Query for Shipping<'_> {
    fn owns(&self, field: &str) -> bool {
        field == "deployments" || field.strip_prefix('i').is_some_and(|number| number.parse::<usize>().is_ok())
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        let mut asks = false;
        if let (Some(walk), Some(Deploys::Environment(name))) = (&self.deployments, &self.config.deploys) {
            variables.insert("environments".to_owned(), vec![name.clone()].into());
            asks = walk.ask(variables);
        }
        for (at, (walk, label)) in self.incidents.iter().zip(&self.config.incident).enumerate() {
            variables.insert(format!("i{at}Label"), label.clone().into());
            asks |= walk.ask(variables);
        }
        asks
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let since = self.since;
        if let Some(walk) = &mut self.deployments {
            let known = &mut self.successes;
            let page: Page<Node> = walk.hear(said, None, |_| false)?;
            let past = page.nodes().last().is_some_and(|node| node.created_at < since);
            known.extend(page.nodes().filter_map(Node::success));
            if past && enough(known, since) {
                walk.close();
            }
        }
        for walk in &mut self.incidents {
            let page = walk.hear(said, None, |incident: &Incident| incident.updated_at < since)?;
            self.found
                .extend(page.nodes().map(|incident| (incident.number, (incident.created_at, incident.closed_at))));
        }
        Ok(())
    }
}

/// Whether no further success before the window is needed.
fn enough(successes: &[Success], since: Timestamp) -> bool {
    successes.iter().filter(|success| success.at < since).count() >= BEFORE
}

/// The successful runs of a workflow on the branch, back to some before the window.
async fn of_workflow(client: &Client, repo: &str, branch: &str, file: &str, since: Timestamp) -> Result<Vec<Success>> {
    let mut successes = Vec::new();
    let mut seen = BTreeSet::new();
    for page in 1..=PAGES {
        let path = format!(
            "/repos/{repo}/actions/workflows/{}/runs?branch={}&status=success&per_page=100&page={page}",
            escape(file),
            escape(branch)
        );
        let listed: Listed = client.get(&path).await?;
        let last = listed.workflow_runs.len() < 100;
        let fresh: Vec<Wire> = listed.workflow_runs.into_iter().filter(|run| seen.insert(run.id)).collect();
        successes.extend(
            reads(fresh, branch).filter(|run| run.on_branch).map(|run| Success { at: run.updated_at, sha: run.head }),
        );
        if last || enough(&successes, since) {
            return Ok(successes);
        }
    }
    Err(shared::Error::incomplete(format!("the runs of {file}: more than {PAGES} pages")))
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, gaps, pending, run};
    use crate::snapshot::{Deployments, Shipped};
    use serde_json::{Value, json};
    use shared::testing::Reply;

    const DAY: i64 = 1440;

    fn compared(before: u64, after: u64, message: &str) -> (String, Reply) {
        let commit = json!({ "sha": "x", "node_id": "C_x", "commit": { "message": message, "committer": { "date": ago(3 * DAY) } } });
        (
            format!("/repos/acme/web/compare/{before:040}...{after:040}"),
            Reply::json(200, &json!({ "commits": [commit] })),
        )
    }

    fn shipped(hotfix: bool, revert: bool) -> Vec<Shipped> {
        vec![Shipped { oid: "x".to_owned(), committed_at: ago(3 * DAY), hotfix, revert }]
    }

    fn told(deployments: &Deployments) -> Vec<(i64, Option<Vec<Shipped>>)> {
        let days =
            |deployment: &crate::snapshot::Deployment| ago(0).duration_since(deployment.succeeded_at).as_hours() / 24;
        deployments.successes.iter().map(|deployment| (days(deployment), deployment.commits.clone())).collect()
    }

    #[tokio::test]
    async fn runs_of_a_workflow_are_deployments_compared_with_their_predecessors() {
        let runs: Vec<Value> = [(5, 1), (4, 2), (3, 29), (2, 31), (1, 40)]
            .map(|(id, days)| run(id, days * DAY + 10, Some("success")))
            .into();
        let listed = Reply::json(200, &json!({ "total_count": 5, "workflow_runs": runs }));
        let others = vec![
            ("/repos/acme/web/actions/workflows/deploy.yml/runs".into(), listed),
            compared(4, 5, "Hotfix the login"),
            compared(3, 4, "Revert \"x\""),
            compared(1, 2, "Add more"),
        ];
        let stage =
            Stage::new(World { others, ..World::default() }, &[("GITHUB_DEPLOYS", "workflow:deploy.yml")]).await;
        let (fetched, cx) = stage.fetch(0, None).await;
        let fetched = fetched.unwrap();
        let deployments = fetched.snapshot.deployments.as_ref().unwrap();
        let (add, revert, hotfix) = (shipped(false, false), shipped(false, true), shipped(true, false));
        let expected = [(40, Some(vec![])), (31, Some(add)), (29, None), (2, Some(revert)), (1, Some(hotfix))];
        assert_eq!(told(deployments), expected);
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["dora"], vec![]), "one comparison was refused");
        stage.world().others.push(compared(2, 3, "Add it"));
        let (next, cx) = stage.fetch(15, Some(&fetched)).await;
        assert_eq!(
            (told(&next.unwrap().snapshot.deployments.unwrap())[2].1.clone(), gaps(&cx), pending(&cx)),
            (Some(shipped(false, false)), vec![], vec![])
        );
    }

    #[tokio::test]
    async fn deployments_to_an_environment_count_from_their_first_success() {
        let deployment = |sha: u64, days: i64, states: &[(&str, i64)]| {
            let statuses: Vec<Value> = states
                .iter()
                .map(|(state, later)| json!({ "state": state, "createdAt": ago(days * DAY - later) }))
                .collect();
            let oid = format!("{sha:040}");
            json!({ "commitOid": oid, "createdAt": ago(days * DAY), "statuses": { "nodes": statuses } })
        };
        let issue = |number: u64, opened: i64, closed: Option<i64>| {
            let closed_at = closed.map(ago);
            let updated_at = closed_at.unwrap_or(ago(opened));
            json!({ "number": number, "createdAt": ago(opened), "closedAt": closed_at, "updatedAt": updated_at })
        };
        let world = World {
            deployments: vec![
                deployment(4, 1, &[("INACTIVE", 90), ("SUCCESS", 20), ("SUCCESS", 60), ("IN_PROGRESS", 5)]),
                deployment(3, 2, &[("FAILURE", 20)]),
                deployment(2, 3, &[("SUCCESS", 0)]),
                deployment(2, 35, &[("SUCCESS", 0)]),
            ],
            incidents: vec![issue(1, 100, None), issue(2, 300, Some(200))],
            others: vec![compared(2, 4, "Add it")],
            ..World::default()
        };
        let stage = Stage::new(world, &[("GITHUB_DEPLOYS", "environment:production")]).await;
        let deployments = stage.fetch(0, None).await.0.unwrap().snapshot.deployments.unwrap();
        assert_eq!(
            told(&deployments).into_iter().map(|(_, commits)| commits).collect::<Vec<_>>(),
            [Some(vec![]), Some(vec![]), Some(shipped(false, false))]
        );
        assert_eq!(deployments.successes[2].succeeded_at, ago(DAY - 20));
        assert_eq!(deployments.incidents, [(ago(100), None), (ago(300), Some(ago(200)))]);
    }

    #[tokio::test]
    async fn what_came_with_deployments_that_could_not_be_read_is_a_gap_with_them() {
        let others = vec![("/repos/acme/web/actions/workflows/deploy.yml/runs".into(), Reply::status(403))];
        let stage =
            Stage::new(World { others, ..World::default() }, &[("GITHUB_DEPLOYS", "workflow:deploy.yml")]).await;
        let cx = stage.fetch(0, None).await.1;
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["deployments", "dora"], vec![]));
    }

    #[tokio::test]
    async fn without_configuration_there_are_none_and_that_is_no_gap() {
        let stage = Stage::new(World::default(), &[]).await;
        let (fetched, cx) = stage.fetch(0, None).await;
        assert_eq!((fetched.unwrap().snapshot.deployments, gaps(&cx), pending(&cx)), (None, vec![], vec![]));
    }
}
