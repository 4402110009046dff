//! A repository and its branches.

use super::super::views::Repo;
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use crate::github::ids::number_of_name;
use http::StatusCode;
use serde_json::json;

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

/// One branch.
pub fn branch(_: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let missing = || Refusal::new(StatusCode::NOT_FOUND, "Branch not found");
    let branch = repo.branch(&rest[1..].join("/")).ok_or_else(missing)?;
    let tip = branch.tip().ok_or_else(missing)?;
    let url = format!("{}/branches/{}", repo.api(), branch.name());
    Ok(Reply::json(json!({
        "name": branch.name(), "commit": shapes::commit(&tip), "protected": false,
        "protection_url": format!("{url}/protection"),
        "_links": { "self": url, "html": format!("{}/tree/{}", repo.html(), branch.name()) },
        "protection": {
            "enabled": false,
            "required_status_checks": { "enforcement_level": "off", "contexts": [], "checks": [] },
        },
    })))
}
