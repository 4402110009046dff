//! Shapes that many answers hold: accounts, repositories, commits, labels.

use super::super::views::{Commit, Pull, Repo, World, rest_login, stamp};
use crate::github::ids::{Kind, node_id, number_of_name, sha_of};
use crate::model::PersonId;
use serde_json::{Map, Value, json};

/// Adds members to an object.
pub fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// An account that is nobody of the model, such as an organisation.
pub fn account(world: &World<'_>, login: &str, id: u64, kind: &str) -> Value {
    let node = match kind {
        "Organization" => Kind::Organization,
        "Bot" => Kind::Bot,
        _ => Kind::User,
    };
    let escaped = login.replace('[', "%5B").replace(']', "%5D");
    let url = format!("{}/users/{escaped}", world.base);
    let page = match login.strip_suffix("[bot]") {
        Some(bare) => format!("https://github.com/apps/{bare}"),
        None => format!("https://github.com/{login}"),
    };
    json!({
        "login": login, "id": id, "node_id": node_id(node, &[id], ""),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "gravatar_id": "", "url": url,
        "html_url": page, "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"), "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"), "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"), "type": kind, "user_view_type": "public",
        "site_admin": false,
    })
}

/// The id of somebody's account.
pub fn person_number(id: PersonId) -> u64 {
    9_000_000 + id as u64
}

/// Somebody's account.
pub fn user(world: &World<'_>, id: PersonId) -> Value {
    world.person(id).map_or_else(ghost_of(world), |person| {
        account(world, &rest_login(person), person_number(id), if person.bot { "Bot" } else { "User" })
    })
}

fn ghost_of<'a>(world: &'a World<'_>) -> impl FnOnce() -> Value + 'a {
    || account(world, "ghost", 10137, "User")
}

/// Somebody's account, or the one that REST shows in place of deleted accounts.
pub fn user_or_ghost(world: &World<'_>, id: Option<PersonId>) -> Value {
    id.map_or_else(ghost_of(world), |id| user(world, id))
}

/// Somebody's account, or null.
pub fn user_or_null(world: &World<'_>, id: Option<PersonId>) -> Value {
    id.map_or(Value::Null, |id| user(world, id))
}

const REPOSITORY_PATHS: [(&str, &str); 37] = [
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
    ("url", ""),
];

fn named(world: &World<'_>, owner: &Value, name: &str, id: u64, fork: bool) -> Value {
    let full = format!("{}/{name}", owner["login"].as_str().unwrap_or_default());
    let api = format!("{}/repos/{full}", world.base);
    let mut object: Map<_, _> =
        REPOSITORY_PATHS.iter().map(|(key, path)| ((*key).to_owned(), json!(format!("{api}{path}")))).collect();
    let rest = json!({
        "id": id, "node_id": node_id(Kind::Repository, &[id], ""), "name": name, "full_name": full, "private": true,
        "owner": owner, "html_url": format!("https://github.com/{full}"), "description": null, "fork": fork,
    });
    if let Value::Object(rest) = rest {
        object.extend(rest);
    }
    Value::Object(object)
}

/// A repository as other objects hold it.
pub fn minimal_repository(repo: Repo<'_>) -> Value {
    let data = repo.data();
    let owner = account(repo.world, &data.owner, number_of_name(&data.owner), "Organization");
    named(repo.world, &owner, &data.name, repo.id(), false)
}

/// Somebody's fork of a repository, as other objects hold it.
pub fn fork(repo: Repo<'_>, owner: Option<PersonId>) -> Value {
    let id = repo.id() + 1_000_000 * (owner.map_or(0, |id| id as u64) + 1);
    let mut fork = named(repo.world, &user_or_ghost(repo.world, owner), &repo.data().name, id, true);
    extend(&mut fork, details(repo));
    fork
}

/// What lists count again for each of their items is counted once a request.
fn details(repo: Repo<'_>) -> Value {
    let known = repo.world.details.borrow().get(&repo.at).cloned();
    known.unwrap_or_else(|| {
        let told = count_details(repo);
        repo.world.details.borrow_mut().insert(repo.at, told.clone());
        told
    })
}

fn count_details(repo: Repo<'_>) -> Value {
    let data = repo.data();
    let open = repo.pulls().filter(|pull| pull.state() == "OPEN").count()
        + repo.issues().filter(|issue| issue.closed_at().is_none()).count();
    let full = repo.full_name();
    json!({
        "created_at": stamp(data.created_at), "updated_at": stamp(repo.pushed_at()), "pushed_at": stamp(repo.pushed_at()),
        "git_url": format!("git://github.com/{full}.git"), "ssh_url": format!("git@github.com:{full}.git"),
        "clone_url": format!("https://github.com/{full}.git"), "svn_url": format!("https://github.com/{full}"),
        "homepage": null, "size": if repo.is_empty() { 0 } else { 1024 }, "stargazers_count": 0, "watchers_count": 0,
        "language": null, "has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": true,
        "has_pages": false, "has_discussions": false, "forks_count": 0, "mirror_url": null, "archived": false,
        "disabled": false, "open_issues_count": open, "license": null, "allow_forking": true, "is_template": false,
        "web_commit_signoff_required": false, "topics": [], "visibility": "private", "forks": 0, "open_issues": open,
        "watchers": 0, "default_branch": data.default_branch,
    })
}

/// A repository in a list.
pub fn repository(repo: Repo<'_>) -> Value {
    let mut object = minimal_repository(repo);
    extend(&mut object, details(repo));
    let rights = json!({ "admin": false, "maintain": false, "push": false, "triage": false, "pull": true });
    object["permissions"] = rights;
    object
}

/// The commit part and the accounts of a commit.
pub fn commit(commit: &Commit<'_>) -> Value {
    let repo = commit.repo;
    let (name, email) = commit.signature();
    let author = json!({ "name": name, "email": email, "date": stamp(commit.authored_at()) });
    let committer = json!({ "name": name, "email": email, "date": stamp(commit.committed_at()) });
    let tree = tree_sha(&commit.sha);
    let parents: Vec<_> = commit.parents().iter().map(|sha| parent(repo, sha)).collect();
    let user = user_or_null(repo.world, commit.account());
    json!({
        "sha": commit.sha, "node_id": commit.node_id(),
        "commit": {
            "author": author, "committer": committer, "message": commit.message(),
            "tree": { "sha": tree, "url": format!("{}/git/trees/{tree}", repo.api()) },
            "url": format!("{}/git/commits/{}", repo.api(), commit.sha), "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
            },
        },
        "url": format!("{}/commits/{}", repo.api(), commit.sha), "html_url": commit.html(),
        "comments_url": format!("{}/commits/{}/comments", repo.api(), commit.sha),
        "author": user, "committer": user, "parents": parents,
    })
}

fn parent(repo: Repo<'_>, sha: &str) -> Value {
    json!({
        "sha": sha, "url": format!("{}/commits/{sha}", repo.api()), "html_url": format!("{}/commit/{sha}", repo.html()),
    })
}

/// The sha of a commit's tree.
pub fn tree_sha(sha: &str) -> String {
    sha_of(&["tree", sha])
}

/// The files of a change, its lines spread over them.
pub fn files(repo: Repo<'_>, sha: &str, files: &[(String, Option<String>)], lines: (u64, u64)) -> Vec<Value> {
    let count = files.len() as u64;
    let share = |total: u64, at: u64| total / count + u64::from(at < total % count);
    let told = files.iter().zip(0..);
    told.map(|((path, former), at)| {
        let (additions, deletions) = (share(lines.0, at), share(lines.1, at));
        let escaped = path.split('/').map(super::encode).collect::<Vec<_>>().join("/");
        let mut file = json!({
            "sha": sha_of(&["blob", sha, path]), "filename": path,
            "status": if former.is_some() { "renamed" } else { "modified" }, "additions": additions,
            "deletions": deletions, "changes": additions + deletions,
            "blob_url": format!("{}/blob/{sha}/{escaped}", repo.html()),
            "raw_url": format!("{}/raw/{sha}/{escaped}", repo.html()),
            "contents_url": format!("{}/contents/{escaped}?ref={sha}", repo.api()),
        });
        if let Some(former) = former {
            file["previous_filename"] = json!(former);
        }
        file
    })
    .collect()
}

/// A label.
pub fn label(repo: Repo<'_>, name: &str) -> Value {
    let id = number_of_name(&format!("{} {name}", repo.full_name()));
    json!({
        "id": id, "node_id": node_id(Kind::Label, &[repo.id()], name),
        "url": format!("{}/labels/{}", repo.api(), super::encode(name)), "name": name, "color": color(name),
        "default": is_default(name), "description": "",
    })
}

/// A label's colour: six hexadecimal digits.
pub fn color(name: &str) -> String {
    sha_of(&["colour", name])[..6].to_owned()
}

/// Whether every new repository has this label.
pub fn is_default(name: &str) -> bool {
    const DEFAULTS: [&str; 9] = [
        "bug",
        "documentation",
        "duplicate",
        "enhancement",
        "good first issue",
        "help wanted",
        "invalid",
        "question",
        "wontfix",
    ];
    DEFAULTS.contains(&name)
}

/// How the author of something stands to the repository.
pub fn association(world: &World<'_>, author: Option<PersonId>) -> &'static str {
    let bot = author.and_then(|id| world.person(id)).is_some_and(|person| person.bot);
    match author {
        Some(_) if bot => "CONTRIBUTOR",
        Some(_) => "MEMBER",
        None => "NONE",
    }
}

/// One end of a pull request.
pub fn end(pull: Pull<'_>, name: &str, sha: &str, of_fork: bool) -> Value {
    let owner = if of_fork {
        user_or_ghost(pull.repo.world, pull.data().author)
    } else {
        account(pull.repo.world, &pull.repo.data().owner, number_of_name(&pull.repo.data().owner), "Organization")
    };
    let label = format!("{}:{name}", owner["login"].as_str().unwrap_or_default());
    let repo = if of_fork { fork(pull.repo, pull.data().author) } else { repository(pull.repo) };
    json!({ "label": label, "ref": name, "sha": sha, "user": owner, "repo": repo })
}
