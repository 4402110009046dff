//! Deployments.

use super::super::views::{Deployment, Repo, stamp};
use super::shapes;
use super::{Answer, Call, Reply};
use serde_json::{Value, json};

/// Deployments, newest first.
pub fn list(call: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    call.only(&["per_page", "page"])?;
    let mut found: Vec<_> = repo.deployments().collect();
    found.sort_by_key(|deployment| std::cmp::Reverse((deployment.data().created_at, deployment.data().id)));
    let (page, link) = call.cut(Some(repo), found, 100, usize::MAX);
    Ok(Reply::json(page.into_iter().map(show).collect()).linked(link))
}

fn production(environment: &str) -> bool {
    environment.eq_ignore_ascii_case("production")
}

fn show(deployment: Deployment<'_>) -> Value {
    let (repo, data) = (deployment.repo, deployment.data());
    let url = format!("{}/deployments/{}", repo.api(), data.id);
    json!({
        "url": url, "id": data.id, "node_id": deployment.node_id(), "task": "deploy",
        "original_environment": data.environment, "environment": data.environment, "description": null,
        "created_at": stamp(data.created_at), "updated_at": stamp(deployment.updated_at()),
        "statuses_url": format!("{url}/statuses"), "repository_url": repo.api(),
        "creator": shapes::user_or_null(repo.world, deployment.creator()), "sha": data.sha,
        "ref": repo.data().default_branch, "payload": {}, "transient_environment": false,
        "production_environment": production(&data.environment), "performed_via_github_app": null,
    })
}
