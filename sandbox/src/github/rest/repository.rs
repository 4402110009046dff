//! Repositories and their branches.

use super::super::views::{Branch, Repo, World};
use super::shapes;
use super::{Answer, Call, Identity, Refusal, Reply};
use crate::github::ids::number_of_name;
use http::StatusCode;
use serde_json::{Value, json};

/// One repository.
#[expect(clippy::unnecessary_wraps, reason = "routes answer so")]
pub fn get(_: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    let mut object = shapes::repository(repo);
    let owner = &repo.data().owner;
    let organization = shapes::account(repo.world, owner, number_of_name(owner), "Organization");
    shapes::extend(
        &mut object,
        json!({
            "network_count": 0, "subscribers_count": 0, "temp_clone_token": null, "organization": organization,
            "custom_properties": {},
        }),
    );
    Ok(Reply::json(object))
}

/// The repositories of an organisation.
pub fn list(call: &Call, world: &World<'_>, owner: &str) -> Answer {
    let page = "https://docs.github.com/rest/repos/repos#list-organization-repositories";
    let own = |repo: &Repo<'_>| repo.data().owner.eq_ignore_ascii_case(owner);
    let known = world.organisation.repositories.iter().any(|repository| repository.owner.eq_ignore_ascii_case(owner));
    if !known {
        return Err(Refusal::not_found().documented(page));
    }
    let mut repos: Vec<_> = match call.identity {
        Identity::Anonymous | Identity::App(_) => Vec::new(),
        Identity::User(_) | Identity::Installation(_) => world.repositories().filter(own).collect(),
    };
    let sort = call.choice("Repository", "sort", &["created", "updated", "pushed", "full_name"], "created")?;
    let default = if sort == "full_name" { "asc" } else { "desc" };
    let direction = call.choice("Repository", "direction", &["asc", "desc"], default)?;
    match sort {
        "full_name" => repos.sort_by_key(|repo| repo.full_name()),
        "created" => repos.sort_by_key(|repo| repo.data().created_at),
        _ => repos.sort_by_key(|repo| repo.pushed_at()),
    }
    if direction == "desc" {
        repos.reverse();
    }
    let (repos, link) = call.cut(None, repos, 100, usize::MAX);
    Ok(Reply::json(repos.into_iter().map(shapes::repository).collect()).linked(link))
}

fn short(branch: Branch<'_>) -> Value {
    let repo = branch.repo;
    let sha = branch.tip().map(|commit| commit.sha).unwrap_or_default();
    json!({
        "name": branch.name(), "commit": { "sha": sha, "url": format!("{}/commits/{sha}", repo.api()) },
        "protected": false,
    })
}

/// All branches by name, or one of them.
pub fn branches(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    if let [_, name @ ..] = rest
        && !name.is_empty()
    {
        let missing = || Refusal::new(StatusCode::NOT_FOUND, "Branch not found");
        let branch = repo.branch(&name.join("/")).ok_or_else(missing)?;
        let mut object = short(branch);
        let tip = branch.tip().ok_or_else(missing)?;
        let url = format!("{}/branches/{}", repo.api(), branch.name());
        shapes::extend(
            &mut object,
            json!({
                "commit": shapes::commit(&tip), "protection_url": format!("{url}/protection"),
                "_links": { "self": url, "html": format!("{}/tree/{}", repo.html(), branch.name()) },
                "protection": {
                    "enabled": false,
                    "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
                },
            }),
        );
        return Ok(Reply::json(object));
    }
    let mut branches: Vec<_> =
        if call.value("protected") == Some("true") { Vec::new() } else { repo.branches().collect() };
    branches.sort_by_key(|branch| branch.name());
    let (branches, link) = call.cut(Some(repo), branches, 100, usize::MAX);
    Ok(Reply::json(branches.into_iter().map(short).collect()).linked(link))
}
