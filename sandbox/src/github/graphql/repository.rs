//! Repositories with their branches and labels.

use super::connection::{connect, listed};
use super::entity::{Entity, Out, database_id, leaf, maybe, one, order, silence, text, time};
use super::query::missing;
use super::{deployments, issues, pulls};
use crate::github::ids::{Kind, node_id};
use crate::github::rest::{color, encode, is_default};
use crate::github::views::{Branch, Repo};
use apollo_compiler::resolvers::{ResolveInfo, ResolvedValue as V};

fn numbered(info: &ResolveInfo<'_>) -> u64 {
    info.arguments()
        .get("number")
        .and_then(apollo_compiler::response::serde_json_bytes::Value::as_u64)
        .unwrap_or_default()
}

/// A field of a repository.
pub fn repository<'a>(repo: Repo<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let data = repo.data();
    match info.field_name() {
        "id" => leaf(repo.node_id()),
        "databaseId" => database_id(repo.id()),
        "name" => leaf(data.name.as_str()),
        "nameWithOwner" => leaf(repo.full_name()),
        "owner" => one(Entity::Organization(repo.world, &data.owner)),
        "url" => leaf(repo.html()),
        "resourcePath" => leaf(format!("/{}", repo.full_name())),
        "sshUrl" => leaf(format!("git@github.com:{}.git", repo.full_name())),
        "createdAt" => time(data.created_at),
        "pushedAt" | "updatedAt" => time(repo.pushed_at()),
        "isEmpty" => leaf(repo.is_empty()),
        "isPrivate" | "isInOrganization" | "hasIssuesEnabled" | "hasProjectsEnabled" | "hasWikiEnabled"
        | "mergeCommitAllowed" | "squashMergeAllowed" | "rebaseMergeAllowed" => leaf(true),
        "visibility" => leaf("PRIVATE"),
        "viewerPermission" => leaf("READ"),
        "diskUsage" => leaf(if repo.is_empty() { 0 } else { 1024 }),
        "defaultBranchRef" => maybe(repo.branch(&data.default_branch).map(Entity::Ref)),
        "ref" => {
            let name = text(info, "qualifiedName").unwrap_or_default();
            let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("heads/")).unwrap_or(name);
            maybe(repo.branch(name).map(Entity::Ref))
        }
        "refs" => refs(repo, info),
        "object" => object(repo, info),
        "pullRequest" => {
            let number = numbered(info);
            let message = format!("Could not resolve to a PullRequest with the number of {number}.");
            repo.pull(number).map(|pull| V::object(Entity::Pull(pull))).ok_or_else(|| missing(&message))
        }
        "issue" => {
            let number = numbered(info);
            let message = format!("Could not resolve to an Issue with the number of {number}.");
            repo.issue(number).map(|issue| V::object(Entity::Issue(issue))).ok_or_else(|| missing(&message))
        }
        "issueOrPullRequest" => {
            let number = numbered(info);
            let message = format!("Could not resolve to an issue or pull request with the number of {number}.");
            let found = repo.issue(number).map(Entity::Issue).or_else(|| repo.pull(number).map(Entity::Pull));
            found.map(V::object).ok_or_else(|| missing(&message))
        }
        "pullRequests" => pulls::list(repo.pulls(), info),
        "issues" => issues::list(repo.issues(), info),
        "deployments" => deployments::list(repo.deployments(), info),
        "label" => {
            let name = text(info, "name").unwrap_or_default();
            let found = repo.labels().into_iter().find(|label| label.eq_ignore_ascii_case(name));
            maybe(found.map(|label| Entity::Label(repo, label)))
        }
        "labels" => {
            let asked = text(info, "query").unwrap_or_default().to_lowercase();
            labels(repo, repo.labels().into_iter().filter(move |label| label.to_lowercase().contains(&asked)), info)
        }
        _ => silence(info),
    }
}

/// Labels in the order asked for; they are as old as their repository.
pub fn labels<'a>(repo: Repo<'a>, names: impl Iterator<Item = &'a str>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (_, descending) = order(info, "CREATED_AT", false);
    let items = names.map(|name| ((0, name.to_owned()), Entity::Label(repo, name)));
    connect(info, items.collect(), descending)
}

fn refs<'a>(repo: Repo<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let prefix = text(info, "refPrefix").unwrap_or_default().trim_end_matches('/');
    if !matches!(prefix, "refs/heads" | "refs") {
        return listed(info, std::iter::empty());
    }
    let asked = text(info, "query").unwrap_or_default().to_lowercase();
    let descending = text(info, "direction") == Some("DESC");
    let (field, descending) = order(info, "ALPHABETICAL", descending);
    let branches = repo.branches().filter(|branch| branch.name().to_lowercase().contains(&asked));
    let items = branches.map(|branch| {
        let place = match (field, branch.tip()) {
            ("TAG_COMMIT_DATE", Some(tip)) => (tip.committed_at().as_second(), branch.name().to_owned()),
            _ => (0, branch.name().to_owned()),
        };
        (place, Entity::Ref(branch))
    });
    connect(info, items.collect(), descending)
}

fn object<'a>(repo: Repo<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let found = match (text(info, "oid"), text(info, "expression")) {
        (Some(oid), _) => repo.commit(oid).map(Entity::Commit),
        (None, Some(expression)) => match expression.split_once(':') {
            None => repo.resolve(expression).map(Entity::Commit),
            Some((name, "")) => repo.resolve(name).map(Entity::Tree),
            Some(_) => None,
        },
        (None, None) => None,
    };
    maybe(found)
}

/// A field of a branch.
pub fn branch<'a>(branch: Branch<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "id" => leaf(branch.node_id()),
        "name" => leaf(branch.name()),
        "prefix" => leaf("refs/heads/"),
        "repository" => one(Entity::Repository(branch.repo)),
        "target" => maybe(branch.tip().map(Entity::Commit)),
        "associatedPullRequests" => {
            let own = move |pull: &crate::github::views::Pull<'a>| {
                !pull.data().from_fork && pull.data().head == branch.name()
            };
            pulls::list(branch.repo.pulls().filter(own), info)
        }
        _ => silence(info),
    }
}

/// A field of a label.
pub fn label<'a>(repo: Repo<'a>, name: &'a str, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let path = format!("{}/labels/{}", repo.full_name(), encode(name));
    match info.field_name() {
        "id" => leaf(node_id(Kind::Label, &[repo.id()], name)),
        "name" => leaf(name),
        "color" => leaf(color(name)),
        "isDefault" => leaf(is_default(name)),
        "createdAt" | "updatedAt" => time(repo.data().created_at),
        "repository" => one(Entity::Repository(repo)),
        "resourcePath" => leaf(format!("/{path}")),
        "url" => leaf(format!("https://github.com/{path}")),
        "pullRequests" => {
            pulls::list(repo.pulls().filter(move |pull| pull.labels().any(|label| label.0 == name)), info)
        }
        "issues" => {
            let own =
                move |issue: &crate::github::views::Issue<'a>| issue.data().labels.iter().any(|label| label == name);
            issues::list(repo.issues().filter(own), info)
        }
        _ => silence(info),
    }
}

/// Whether a list of labels holds one of those asked for.
pub fn labelled<'l>(own: impl Iterator<Item = &'l str>, asked: Option<&[&str]>) -> bool {
    let Some(asked) = asked else {
        return true;
    };
    let mut own = own;
    asked.is_empty() || own.any(|label| asked.iter().any(|asked| asked.eq_ignore_ascii_case(label)))
}
