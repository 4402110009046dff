//! Commits, their authors and their history.

use super::connection::{connect, listed};
use super::entity::{Entity, Out, instant, leaf, maybe, number, one, time, unanswered};
use super::pulls;
use crate::github::index::CommitAt;
use crate::github::views::Commit;
use apollo_compiler::resolvers::ResolveInfo;

/// A field of a commit.
pub fn commit<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "id" => leaf(commit.node_id()),
        "oid" => leaf(commit.sha.as_str()),
        "message" => leaf(commit.message()),
        "committedDate" => time(commit.committed_at()),
        "authoredDate" => time(commit.authored_at()),
        "additions" => number(commit.lines().0),
        "deletions" => number(commit.lines().1),
        "author" => one(Entity::GitActor(commit.clone())),
        "parents" => {
            let parents = commit.parents();
            let known: Vec<_> = parents.iter().filter_map(|sha| commit.repo.commit(sha)).map(Entity::Commit).collect();
            listed(info, known.into_iter())
        }
        "associatedPullRequests" => pulls::list(commit.pulls().into_iter(), info),
        "history" => history(commit, info),
        _ => unanswered(info),
    }
}

fn history<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (since, until) = (instant(info, "since")?, instant(info, "until")?);
    let wanted = |commit: &Commit<'a>| {
        let at = commit.committed_at().as_second();
        since.is_none_or(|since| at >= since.as_second()) && until.is_none_or(|until| at <= until.as_second())
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

/// A field of the author of a commit.
pub fn git_actor<'a>(commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let world = commit.repo.world;
    match info.field_name() {
        "name" => leaf(commit.signature().0),
        "email" => leaf(commit.signature().1),
        "user" => {
            let account = commit.account().filter(|id| !world.person(*id).is_some_and(|person| person.bot));
            maybe(account.map(|id| Entity::Person(world, id)))
        }
        _ => unanswered(info),
    }
}
