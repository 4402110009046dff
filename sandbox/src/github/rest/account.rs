//! What is not about a repository: the client's budgets, and tokens for an installation of the app.

use super::super::auth::App;
use super::super::limits::Resource;
use super::super::views::stamp;
use super::{Answer, Call, Content, Refusal, Reply, State};
use crate::github::Identity;
use http::StatusCode;
use serde_json::{Value, json};

/// All budgets of the client; asking costs nothing.
pub fn rate_limit(state: &State, call: &Call) -> Reply {
    let standing =
        |resource| state.credentials.meters(|meters| meters.standing(&call.key, resource, call.now)).to_json();
    let (core, graphql) = (standing(Resource::Core), standing(Resource::Graphql));
    let search = json!({
        "limit": 30, "remaining": 30, "reset": call.now.as_second() + 60, "used": 0, "resource": "search",
    });
    Reply::json(json!({ "resources": { "core": core, "search": search, "graphql": graphql }, "rate": core }))
}

fn signed(state: &State, call: &Call) -> Result<App, Refusal> {
    let refused = || {
        let message = "A JSON web token could not be decoded";
        Refusal::new(StatusCode::UNAUTHORIZED, message).documented("https://docs.github.com/rest")
    };
    if !matches!(call.identity, Identity::App(_)) {
        return Err(refused());
    }
    state.credentials.app().ok_or_else(refused)
}

/// Issues a token for an installation.
pub fn access_token(state: &State, call: &Call, id: &str) -> Answer {
    let page = "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app";
    let app = signed(state, call).map_err(|refusal| refusal.documented(page))?;
    if id != app.installation.to_string() {
        return Err(Refusal::not_found().documented(page));
    }
    if !call.body.is_empty() && serde_json::from_slice::<Value>(&call.body).is_err() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Problems parsing JSON").documented(page));
    }
    let (token, until) = state.credentials.issue(app.installation);
    let permissions = json!({
        "actions": "read", "administration": "read", "contents": "read", "deployments": "read", "issues": "read",
        "metadata": "read", "pull_requests": "read",
    });
    let body = json!({
        "token": token, "expires_at": stamp(until), "permissions": permissions, "repository_selection": "all",
    });
    Ok(Reply { status: StatusCode::CREATED, content: Content::Json(body), headers: Vec::new() })
}
