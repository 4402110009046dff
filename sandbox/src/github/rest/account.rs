//! What is not about a repository: the root, the client itself, the app and its installation.

use super::super::auth::App;
use super::super::limits::Resource;
use super::super::views::{World, stamp};
use super::shapes;
use super::{Answer, Call, Content, Refusal, Reply, State};
use crate::github::Identity;
use crate::github::ids::{Kind, node_id, number_of_name};
use http::StatusCode;
use serde_json::{Value, json};

const APPS: &str = "https://docs.github.com/rest/apps/apps#get-the-authenticated-app";

/// The addresses the API is made of.
pub fn root(world: &World<'_>) -> Value {
    let paths = [
        ("current_user_url", "/user"),
        ("authorizations_url", "/authorizations"),
        ("code_search_url", "/search/code?q={query}{&page,per_page,sort,order}"),
        ("commit_search_url", "/search/commits?q={query}{&page,per_page,sort,order}"),
        ("emails_url", "/user/emails"),
        ("emojis_url", "/emojis"),
        ("events_url", "/events"),
        ("feeds_url", "/feeds"),
        ("followers_url", "/user/followers"),
        ("following_url", "/user/following{/target}"),
        ("gists_url", "/gists{/gist_id}"),
        ("issue_search_url", "/search/issues?q={query}{&page,per_page,sort,order}"),
        ("issues_url", "/issues"),
        ("keys_url", "/user/keys"),
        ("label_search_url", "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}"),
        ("notifications_url", "/notifications"),
        ("organization_url", "/orgs/{org}"),
        ("organization_repositories_url", "/orgs/{org}/repos{?type,page,per_page,sort}"),
        ("organization_teams_url", "/orgs/{org}/teams"),
        ("public_gists_url", "/gists/public"),
        ("rate_limit_url", "/rate_limit"),
        ("repository_url", "/repos/{owner}/{repo}"),
        ("repository_search_url", "/search/repositories?q={query}{&page,per_page,sort,order}"),
        ("current_user_repositories_url", "/user/repos{?type,page,per_page,sort}"),
        ("starred_url", "/user/starred{/owner}{/repo}"),
        ("starred_gists_url", "/gists/starred"),
        ("topic_search_url", "/search/topics?q={query}{&page,per_page}"),
        ("user_url", "/users/{user}"),
        ("user_organizations_url", "/user/orgs"),
        ("user_repositories_url", "/users/{user}/repos{?type,page,per_page,sort}"),
        ("user_search_url", "/search/users?q={query}{&page,per_page,sort,order}"),
    ];
    let mut root: serde_json::Map<_, _> =
        paths.iter().map(|(name, path)| ((*name).to_owned(), json!(format!("{}{path}", world.base)))).collect();
    let page = "https://github.com/settings/connections/applications{/client_id}";
    root.insert("current_user_authorizations_html_url".to_owned(), json!(page));
    Value::Object(root)
}

/// What `GET /meta` says; the sandbox has no networks to name.
pub fn meta() -> Value {
    json!({
        "verifiable_password_authentication": false,
        "ssh_key_fingerprints": {},
        "ssh_keys": [], "hooks": [], "web": [], "api": [], "git": [], "packages": [], "pages": [], "importer": [],
        "actions": [], "dependabot": [],
    })
}

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

/// The owner of the token.
pub fn user(call: &Call, world: &World<'_>) -> Answer {
    let page = "https://docs.github.com/rest/users/users#get-the-authenticated-user";
    let login = match &call.identity {
        Identity::User(login) => login,
        Identity::Anonymous => {
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, "Requires authentication").documented(page));
        }
        Identity::Installation(_) | Identity::App(_) => {
            return Err(Refusal::new(StatusCode::FORBIDDEN, "Resource not accessible by integration").documented(page));
        }
    };
    let person = world.organisation.people.iter().position(|person| person.login == *login);
    let mut user = match person {
        Some(id) => shapes::user(world, id),
        None => shapes::account(world, login, number_of_name(login), "User"),
    };
    let began = world.organisation.repositories.iter().map(|repository| repository.created_at).min();
    let began = stamp(began.unwrap_or(world.organisation.seed.epoch));
    let name = person.and_then(|id| world.person(id)).map(|person| person.name.clone());
    shapes::extend(
        &mut user,
        json!({
            "name": name, "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null,
            "twitter_username": null, "notification_email": null, "public_repos": 0, "public_gists": 0, "followers": 0,
            "following": 0, "created_at": began, "updated_at": began, "private_gists": 0, "total_private_repos": 0,
            "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0, "two_factor_authentication": true,
            "plan": { "name": "free", "space": 976_562_499, "collaborators": 0, "private_repos": 10_000 },
        }),
    );
    let mut reply = Reply::json(user);
    reply.headers.push(("x-oauth-scopes", "repo".to_owned()));
    reply.headers.push(("x-accepted-oauth-scopes", String::new()));
    Ok(reply)
}

fn permissions() -> Value {
    json!({
        "actions": "read", "administration": "read", "contents": "read", "deployments": "read", "issues": "read",
        "metadata": "read", "pull_requests": "read",
    })
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

fn owner(world: &World<'_>) -> Value {
    let owner = world.organisation.repositories.first().map_or("acme", |repository| repository.owner.as_str());
    shapes::account(world, owner, number_of_name(owner), "Organization")
}

/// The app that signed the request.
pub fn app(state: &State, call: &Call, world: &World<'_>) -> Answer {
    let app = signed(state, call).map_err(|refusal| refusal.documented(APPS))?;
    let began = stamp(world.organisation.seed.epoch);
    Ok(Reply::json(json!({
        "id": app.id, "client_id": app.client_id, "slug": app.slug, "node_id": node_id(Kind::App, &[app.id], ""),
        "owner": owner(world), "name": app.slug, "description": "", "external_url": "https://example.com",
        "html_url": format!("https://github.com/apps/{}", app.slug), "created_at": began, "updated_at": began,
        "permissions": permissions(), "events": [], "installations_count": 1,
    })))
}

fn installed(app: &App, world: &World<'_>) -> Value {
    let account = owner(world);
    let began = stamp(world.organisation.seed.epoch);
    let login = account["login"].as_str().unwrap_or_default().to_owned();
    json!({
        "id": app.installation, "client_id": app.client_id, "account": account, "repository_selection": "all",
        "access_tokens_url": format!("{}/app/installations/{}/access_tokens", world.base, app.installation),
        "repositories_url": format!("{}/installation/repositories", world.base),
        "html_url": format!("https://github.com/organizations/{login}/settings/installations/{}", app.installation),
        "app_id": app.id, "app_slug": app.slug, "target_id": account["id"], "target_type": "Organization",
        "permissions": permissions(), "events": [], "created_at": began, "updated_at": began,
        "single_file_name": null, "has_multiple_single_files": false, "single_file_paths": [],
        "suspended_by": null, "suspended_at": null,
    })
}

/// All installations of the app: one.
pub fn installations(state: &State, call: &Call, world: &World<'_>) -> Answer {
    let app = signed(state, call)?;
    let (page, link) = call.cut(None, vec![installed(&app, world)], 100, usize::MAX);
    Ok(Reply::json(Value::Array(page)).linked(link))
}

/// One installation of the app.
pub fn installation(state: &State, call: &Call, world: &World<'_>, id: &str) -> Answer {
    let app = signed(state, call)?;
    if id == app.installation.to_string() { Ok(Reply::json(installed(&app, world))) } else { Err(Refusal::not_found()) }
}

/// Issues a token for an installation.
pub fn access_token(state: &State, call: &Call, _: &World<'_>, id: &str) -> Answer {
    let page = "https://docs.github.com/rest/apps/apps#create-an-installation-access-token-for-an-app";
    let app = signed(state, call).map_err(|refusal| refusal.documented(page))?;
    if id != app.installation.to_string() {
        return Err(Refusal::not_found().documented(page));
    }
    if !call.body.is_empty() && serde_json::from_slice::<Value>(&call.body).is_err() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "Problems parsing JSON").documented(page));
    }
    let (token, until) = state.credentials.issue(app.installation);
    let body = json!({
        "token": token, "expires_at": stamp(until), "permissions": permissions(), "repository_selection": "all",
    });
    Ok(Reply { status: StatusCode::CREATED, content: Content::Json(body), headers: Vec::new() })
}

/// What an installation may read.
pub fn installation_repositories(call: &Call, world: &World<'_>) -> Answer {
    if !matches!(call.identity, Identity::Installation(_)) {
        let message = "You must authenticate with an installation access token in order to list repositories for an \
                       installation.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, message));
    }
    let all: Vec<_> = world.repositories().map(shapes::repository).collect();
    let total = all.len();
    let (page, link) = call.cut(None, all, 100, usize::MAX);
    let body = json!({ "total_count": total, "repository_selection": "all", "repositories": page });
    Ok(Reply::json(body).linked(link))
}
