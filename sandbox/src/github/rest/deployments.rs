//! Deployments and their statuses.

use super::super::views::{Deployment, Repo, stamp};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use crate::github::ids::number_of;
use serde_json::{Value, json};

/// Deployments, one of them, or its statuses, newest first.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let find = |id: &str| {
        let found = repo.deployments().find(|deployment| deployment.data().id.to_string() == id);
        found.ok_or_else(Refusal::not_found)
    };
    match rest {
        ["deployments"] => {
            let asked = |name, own: &str| call.value(name).is_none_or(|asked| asked == "none" || asked == own);
            let mut found: Vec<_> = repo
                .deployments()
                .filter(|deployment| asked("sha", &deployment.data().sha))
                .filter(|_| asked("ref", &repo.data().default_branch) && asked("task", "deploy"))
                .filter(|deployment| asked("environment", &deployment.data().environment))
                .collect();
            found.sort_by_key(|deployment| std::cmp::Reverse((deployment.data().created_at, deployment.data().id)));
            let (page, link) = call.cut(Some(repo), found, 100, usize::MAX);
            Ok(Reply::json(page.into_iter().map(show).collect()).linked(link))
        }
        ["deployments", id] => Ok(Reply::json(show(find(id)?))),
        ["deployments", id, "statuses"] => {
            let deployment = find(id)?;
            let statuses: Vec<_> = deployment.statuses().rev().map(|status| status_of(deployment, status)).collect();
            let (page, link) = call.cut(Some(repo), statuses, 100, usize::MAX);
            Ok(Reply::json(Value::Array(page)).linked(link))
        }
        ["deployments", id, "statuses", status] => {
            let deployment = find(id)?;
            let mut statuses = deployment.statuses().map(|status| status_of(deployment, status));
            let found =
                statuses.find(|told| told["id"].as_u64() == status.parse().ok()).ok_or_else(Refusal::not_found)?;
            Ok(Reply::json(found))
        }
        _ => Err(Refusal::not_found()),
    }
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

fn status_of(deployment: Deployment<'_>, status: (usize, &'static str, jiff::Timestamp)) -> Value {
    let (repo, data) = (deployment.repo, deployment.data());
    let (nth, state, at) = status;
    let id = number_of(data.id, 3, nth);
    let url = format!("{}/deployments/{}", repo.api(), data.id);
    let page = format!("{}/deployments", repo.html());
    json!({
        "url": format!("{url}/statuses/{id}"), "id": id, "node_id": deployment.status_node_id(nth),
        "state": state.to_ascii_lowercase(), "creator": shapes::user_or_null(repo.world, deployment.creator()),
        "description": "", "environment": data.environment, "target_url": page, "created_at": stamp(at),
        "updated_at": stamp(at), "deployment_url": url, "repository_url": repo.api(), "environment_url": page,
        "log_url": page, "performed_via_github_app": null,
    })
}
