//! Commits, their authors and their history.

use super::connection::{connect, listed};
use super::entity::{Entity, Out, instant, leaf, maybe, number, one, silence, strings, text, time};
use super::{deployments, pulls};
use crate::github::ids::{Kind, node_id};
use crate::github::index::CommitAt;
use crate::github::rest::{touches, tree_sha};
use crate::github::views::Commit;
use apollo_compiler::resolvers::ResolveInfo;

/// A field of a commit.
pub fn commit<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let repo = commit.repo;
    let message = commit.message();
    let (headline, body) = message.split_once('\n').unwrap_or((&message, ""));
    match info.field_name() {
        "id" => leaf(commit.node_id()),
        "oid" => leaf(commit.sha.as_str()),
        "abbreviatedOid" => leaf(&commit.sha[..7.min(commit.sha.len())]),
        "message" => leaf(message.as_str()),
        "messageHeadline" | "messageHeadlineHTML" => leaf(headline),
        "messageBody" => leaf(body.trim_start_matches('\n')),
        "messageBodyHTML" => leaf(pulls::html(body.trim_start_matches('\n'))),
        "committedDate" => time(commit.committed_at()),
        "authoredDate" => time(commit.authored_at()),
        "additions" => number(commit.lines().0),
        "deletions" => number(commit.lines().1),
        "changedFilesIfAvailable" => number(commit.files().len() as u64),
        "author" | "committer" => one(Entity::GitActor(commit.clone(), info.field_name() == "committer")),
        "authors" => listed(info, std::iter::once(Entity::GitActor(commit.clone(), false))),
        "authoredByCommitter" => leaf(true),
        "repository" => one(Entity::Repository(repo)),
        "url" | "commitUrl" => leaf(commit.html()),
        "resourcePath" | "commitResourcePath" => leaf(path(commit, "commit")),
        "treeUrl" => leaf(format!("{}/tree/{}", repo.html(), commit.sha)),
        "treeResourcePath" => leaf(path(commit, "tree")),
        "tarballUrl" => leaf(format!("https://codeload.github.com/{}/legacy.tar.gz/{}", repo.full_name(), commit.sha)),
        "zipballUrl" => leaf(format!("https://codeload.github.com/{}/legacy.zip/{}", repo.full_name(), commit.sha)),
        "parents" => {
            let parents = commit.parents();
            let known: Vec<_> = parents.iter().filter_map(|sha| repo.commit(sha)).map(Entity::Commit).collect();
            listed(info, known.into_iter())
        }
        "associatedPullRequests" => pulls::list(commit.pulls().into_iter(), info),
        "deployments" => {
            deployments::list(repo.deployments().filter(|deployment| deployment.data().sha == commit.sha), info)
        }
        "history" => history(commit, info),
        _ => silence(info),
    }
}

fn path(commit: &Commit<'_>, kind: &str) -> String {
    format!("/{}/{kind}/{}", commit.repo.full_name(), commit.sha)
}

fn history<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (since, until) = (instant(info, "since")?, instant(info, "until")?);
    let author = info.arguments().get("author").and_then(|author| author.as_object());
    let id = author.and_then(|author| author.get("id")).and_then(|id| id.as_str());
    let emails = author.and_then(|author| author.get("emails")).and_then(strings);
    let of_author = |commit: &Commit<'a>| match (id, &emails) {
        (Some(id), _) => {
            commit.account().is_some_and(|person| super::actors::id(&Entity::Person(commit.repo.world, person)) == id)
        }
        (None, Some(emails)) => emails.iter().any(|email| commit.signature().1.eq_ignore_ascii_case(email)),
        (None, None) => true,
    };
    let wanted = |commit: &Commit<'a>| {
        let at = commit.committed_at().as_second();
        since.is_none_or(|since| at >= since.as_second())
            && until.is_none_or(|until| at <= until.as_second())
            && text(info, "path").is_none_or(|path| touches(commit, path))
            && of_author(commit)
    };
    let items = commit.history().into_iter().filter(wanted);
    let items = items.map(|commit| {
        let place = match commit.at {
            CommitAt::Landed(at) => at as u64,
            CommitAt::Tip(_, tip) => 1 << 40 | tip as u64,
            CommitAt::Head(_) => 1 << 41,
        };
        (super::entity::key(commit.committed_at(), place), Entity::Commit(commit))
    });
    connect(info, items.collect(), true)
}

/// A field of a commit's tree.
pub fn tree<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let sha = tree_sha(&commit.sha);
    match info.field_name() {
        "id" => leaf(node_id(Kind::Tree, &[commit.repo.id()], &commit.sha)),
        "abbreviatedOid" => leaf(&sha[..7]),
        "oid" => leaf(sha),
        "repository" => one(Entity::Repository(commit.repo)),
        "commitUrl" => leaf(commit.html()),
        "commitResourcePath" => leaf(path(commit, "commit")),
        _ => silence(info),
    }
}

/// A field of the author or committer of a commit.
pub fn git_actor<'a>(commit: &'a Commit<'a>, committer: bool, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let world = commit.repo.world;
    let account = commit.account().filter(|id| !world.person(*id).is_some_and(|person| person.bot));
    match info.field_name() {
        "name" => leaf(commit.signature().0),
        "email" => leaf(commit.signature().1),
        "date" => time(if committer { commit.committed_at() } else { commit.authored_at() }),
        "user" => maybe(account.map(|id| Entity::Person(world, id))),
        "avatarUrl" => leaf("https://avatars.githubusercontent.com/u/0?v=4"),
        _ => silence(info),
    }
}
