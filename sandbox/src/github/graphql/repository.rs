//! Repositories and their branches.

use super::connection::{connect, listed};
use super::entity::{Entity, Out, leaf, maybe, text, unanswered};
use super::query::missing;
use super::{deployments, issues, pulls};
use crate::github::views::{Branch, Pull, Repo};
use apollo_compiler::resolvers::{ResolveInfo, ResolvedValue as V};
use apollo_compiler::response::serde_json_bytes::Value;

/// A field of a repository.
pub fn repository<'a>(repo: Repo<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let data = repo.data();
    match info.field_name() {
        "nameWithOwner" => leaf(repo.full_name()),
        "isEmpty" => leaf(repo.is_empty()),
        "hasIssuesEnabled" => leaf(true),
        "defaultBranchRef" => maybe(repo.branch(&data.default_branch).map(Entity::Ref)),
        "ref" => {
            let name = text(info, "qualifiedName").unwrap_or_default();
            let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("heads/")).unwrap_or(name);
            maybe(repo.branch(name).map(Entity::Ref))
        }
        "refs" => refs(repo, info),
        "pullRequest" => {
            let number = info.arguments().get("number").and_then(Value::as_u64).unwrap_or_default();
            let message = format!("Could not resolve to a PullRequest with the number of {number}.");
            repo.pull(number).map(|pull| V::object(Entity::Pull(pull))).ok_or_else(|| missing(&message))
        }
        "pullRequests" => pulls::list(repo.pulls(), info),
        "issues" => issues::list(repo.issues(), info),
        "deployments" => deployments::list(repo.deployments(), info),
        _ => unanswered(info),
    }
}

/// Branches by name; there are no tags.
fn refs<'a>(repo: Repo<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let prefix = text(info, "refPrefix").unwrap_or_default().trim_end_matches('/');
    if !matches!(prefix, "refs/heads" | "refs") {
        return listed(info, std::iter::empty());
    }
    let items = repo.branches().map(|branch| ((0, branch.name().to_owned()), Entity::Ref(branch)));
    connect(info, items.collect(), false)
}

/// A field of a branch.
pub fn branch<'a>(branch: Branch<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "name" => leaf(branch.name()),
        "target" => maybe(branch.tip().map(Entity::Commit)),
        "associatedPullRequests" => {
            let own = move |pull: &Pull<'a>| !pull.data().from_fork && pull.data().head == branch.name();
            pulls::list(branch.repo.pulls().filter(own), info)
        }
        _ => unanswered(info),
    }
}
