//! Whether we may see each thing that is read of a repository.

use super::Upstream;
use super::client::Client;
use super::graph::{self, Variables};
use crate::config::{Credentials, Deploys};
use futures::future;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::http::escape;
use shared::{Probe, Result};

#[derive(Deserialize)]
struct Limits {
    resources: Resources,
}

#[derive(Deserialize)]
struct Resources {
    core: Limit,
    graphql: Limit,
}

#[derive(Deserialize)]
struct Limit {
    limit: u64,
    remaining: u64,
}

#[derive(Deserialize)]
struct Repository {
    full_name: String,
}

/// A thing that is read: what it is, where, and the permission that shows it.
type Thing = (&'static str, String, &'static str);

impl Upstream {
    /// Asks for one of each thing that is read of a repository.
    pub async fn probe(&self, repo: &str) -> Vec<Probe> {
        let credentials = match self.config.credentials {
            Credentials::Token(_) => "set GITHUB_TOKEN to a valid token (github.com/settings/tokens)",
            Credentials::App { .. } => {
                "compare GITHUB_APP_ID, GITHUB_APP_KEY and GITHUB_APP_INSTALLATION with the App's settings page"
            }
        };
        let mut probes = vec![Probe {
            what: "credentials".to_owned(),
            found: quota(&self.client).await,
            fix: credentials.to_owned(),
        }];
        let fix =
            format!("check the spelling of {repo} in GITHUB_REPOS, and that the token or App was given access to it");
        let found = repository(&self.client, repo).await;
        probes.push(Probe { what: format!("{repo}: repository"), found, fix });
        let permissions = "read access to contents, pull requests, issues and deployments";
        let fix =
            format!("give the token or App {permissions} of {repo}, and check GITHUB_BRANCH and GITHUB_GRAPHQL_URL");
        probes.push(Probe { what: format!("{repo}: GraphQL"), found: self.lists(repo).await, fix });
        let asked = self.things(repo).into_iter().map(|(what, path, permission)| async move {
            let found = self.client.get::<IgnoredAny>(&path).await.map(|_| "readable".to_owned());
            Probe {
                what: format!("{repo}: {what}"),
                found,
                fix: format!("give the token or App {permission} of {repo}"),
            }
        });
        probes.extend(future::join_all(asked).await);
        probes
    }

    /// Asks for the branch, and for the first page of each list that GraphQL is asked for.
    async fn lists(&self, repo: &str) -> Result<String> {
        let (target, mut variables) = (self.target(), Variables::new());
        target.ask(&mut variables);
        let lists = ["open", "closed", "merged", "history", "b0", "issues"];
        variables.extend(lists.map(|list| (list.to_owned(), true.into())));
        variables.insert("mergedFirst".to_owned(), 1.into());
        let said = graph::round(&self.client, repo, variables).await?;
        match said.fault(|_| true) {
            Some(error) => Err(error),
            None if said.text(target.field(), "name").is_none() => Err(target.absent(repo, false)),
            None => Ok("readable".to_owned()),
        }
    }

    fn things(&self, repo: &str) -> Vec<Thing> {
        let below = |path: &str| format!("/repos/{repo}/{path}");
        let mut things: Vec<Thing> = vec![
            ("pull requests", below("pulls?per_page=1"), "read access to pull requests"),
            ("commits", below("commits?per_page=1"), "read access to contents"),
            ("issues", below("issues?per_page=1"), "read access to issues"),
            ("workflow runs", below("actions/runs?per_page=1"), "read access to actions"),
            ("workflows", below("actions/workflows?per_page=1"), "read access to actions"),
        ];
        if let Some(branch) = &self.config.branch {
            let path = below(&format!("branches/{}", escape(branch)));
            things.push(("branch", path, "a branch of the name in GITHUB_BRANCH and read access to contents"));
        }
        if self.config.sources.activity {
            things.push(("activity", below("activity?per_page=1"), "read access to contents"));
        }
        if self.config.sources.rule_suites {
            let path = below("rulesets/rule-suites?per_page=1");
            things.push(("rule suites", path, "read and write access to administration"));
        }
        match &self.config.deploys {
            Some(Deploys::Environment(_)) => {
                things.push(("deployments", below("deployments?per_page=1"), "read access to deployments"));
            }
            Some(Deploys::Workflow(file)) => {
                let path = below(&format!("actions/workflows/{}", escape(file)));
                let needs = "a workflow of the file in GITHUB_DEPLOYS and read access to actions";
                things.push(("deploying workflow", path, needs));
            }
            None => {}
        }
        if self.config.rules.runners {
            things.push(("runners", below("actions/runners?per_page=1"), "read access to administration"));
        }
        things
    }
}

async fn quota(client: &Client) -> Result<String> {
    let Limits { resources: Resources { core, graphql } } = client.get("/rate_limit").await?;
    Ok(format!(
        "accepted; {} of {} calls and {} of {} GraphQL points left",
        core.remaining, core.limit, graphql.remaining, graphql.limit
    ))
}

async fn repository(client: &Client, repo: &str) -> Result<String> {
    let seen: Repository = client.get(&format!("/repos/{repo}")).await?;
    // The name as GitHub knows it may be a person's: it is not repeated.
    let is_renamed = !seen.full_name.eq_ignore_ascii_case(repo);
    Ok(if is_renamed { "readable, under another name by now: set that in GITHUB_REPOS" } else { "readable" }.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World};
    use serde_json::json;
    use shared::testing::Reply;

    #[tokio::test]
    async fn each_thing_is_tried_and_a_refused_one_says_what_to_do() {
        let quota = json!({ "limit": 5000, "remaining": 4321 });
        let others = vec![
            ("/rate_limit".into(), Reply::json(200, &json!({ "resources": { "core": quota, "graphql": quota } }))),
            ("/repos/acme/web/issues".into(), Reply::json(403, &json!({ "message": "Resource not accessible" }))),
            ("/repos/acme/web".into(), Reply::json(200, &json!({ "full_name": "acme/web", "default_branch": "main" }))),
        ];
        let stage = Stage::new(World { others, ..World::default() }, &[("GITHUB_RUNNERS", "on")]).await;
        let probes = stage.upstream.probe("acme/web").await;
        assert_eq!(
            probes[0].found.as_deref().unwrap(),
            "accepted; 4321 of 5000 calls and 4321 of 5000 GraphQL points left"
        );
        assert_eq!([1, 2].map(|at| probes[at].found.as_deref().unwrap()), ["readable"; 2]);
        let refused: Vec<_> = probes
            .iter()
            .filter(|probe| probe.found.is_err())
            .map(|probe| (probe.what.as_str(), probe.fix.as_str()))
            .collect();
        assert_eq!(refused, [("acme/web: issues", "give the token or App read access to issues of acme/web")]);
        assert!(probes.iter().any(|probe| probe.what == "acme/web: runners"));
    }
    #[tokio::test]
    async fn a_repository_of_another_name_says_so_without_naming_anybody_and_graphql_is_tried_too() {
        let seen = json!({ "full_name": "adalovelace/web" });
        let others = vec![
            ("/repos/acme/web/".into(), Reply::json(200, &json!({}))),
            ("/repos/acme/web".into(), Reply::json(200, &seen)),
        ];
        let mut world = World { others, ..World::default() };
        world.faults.push((json!({ "type": "FORBIDDEN", "path": ["repository", "issues"] }), false));
        let stage = Stage::new(world, &[]).await;
        let probes = stage.upstream.probe("acme/web").await;
        assert!(probes[1].found.as_ref().unwrap().contains("GITHUB_REPOS"));
        assert_eq!((probes[2].what.as_str(), probes[2].found.is_err()), ("acme/web: GraphQL", true));
        assert!(!format!("{probes:?}").contains("lovelace"), "{probes:?}");
    }
}
