//! Pull requests with their reviews, comments, files and commits.

use super::connection::{connect, listed};
use super::entity::{
    Entity, Out, actor, database_id, key, leaf, maybe, maybe_time, number, one, order, silence, text, texts, time,
};
use super::events;
use super::repository::{labelled, labels};
use crate::github::ids::{Kind, node_id};
use crate::github::rest::{association, inline_body, inline_id};
use crate::github::views::{Comment, Commit, Pull, Review, bare_login, inline_node_id};
use apollo_compiler::resolvers::{ResolveInfo, ResolvedValue as V};

/// Why a token that may only read cannot change something.
#[expect(clippy::unnecessary_wraps, reason = "resolvers answer so")]
pub fn no_rights<'a>() -> Out<'a> {
    Ok(V::list([V::leaf("INSUFFICIENT_ACCESS")]))
}

/// A text as a paragraph of HTML.
pub fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    if text.is_empty() { String::new() } else { format!("<p dir=\"auto\">{escaped}</p>") }
}

/// Those of some pull requests that the arguments ask for.
pub fn list<'a>(pulls: impl Iterator<Item = Pull<'a>>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (field, descending) = order(info, "CREATED_AT", false);
    let states = texts(info, "states").filter(|states| !states.is_empty());
    let asked = texts(info, "labels");
    let (base, head) = (text(info, "baseRefName"), text(info, "headRefName"));
    let items = pulls
        .filter(|pull| states.as_ref().is_none_or(|states| states.contains(&pull.state())))
        .filter(|pull| base.is_none_or(|base| pull.data().base == base))
        .filter(|pull| head.is_none_or(|head| pull.data().head == head))
        .filter(|pull| labelled(pull.labels().map(|label| label.0.as_str()), asked.as_deref()))
        .map(|pull| {
            let at = if field == "UPDATED_AT" { pull.updated_at() } else { pull.data().created_at };
            (key(at, pull.data().number), Entity::Pull(pull))
        });
    connect(info, items.collect(), descending)
}

/// A field of a pull request.
pub fn pull<'a>(pull: Pull<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (repo, data) = (pull.repo, pull.data());
    let of_fork = data.from_fork;
    match info.field_name() {
        "id" => leaf(pull.node_id()),
        "databaseId" => database_id(pull.id()),
        "fullDatabaseId" => leaf(pull.id().to_string()),
        "number" => number(data.number),
        "title" | "titleHTML" => leaf(data.title.as_str()),
        "body" | "bodyText" => leaf(data.body.as_str()),
        "bodyHTML" => leaf(html(&data.body)),
        "state" => leaf(pull.state()),
        "isDraft" => leaf(pull.is_draft()),
        "createdAt" | "publishedAt" => time(data.created_at),
        "updatedAt" => time(pull.updated_at()),
        "mergedAt" => maybe_time(pull.merged_at()),
        "closedAt" => maybe_time(pull.closed_at()),
        "merged" => leaf(pull.merged_at().is_some()),
        "closed" => leaf(pull.closed_at().is_some()),
        "author" => actor(repo.world, data.author),
        "authorAssociation" => leaf(association(repo.world, data.author)),
        "mergedBy" => actor(repo.world, pull.merged_by()),
        "mergeCommit" => maybe(pull.merge_commit().map(Entity::Commit)),
        "mergeable" => leaf(if pull.state() == "OPEN" { "MERGEABLE" } else { "UNKNOWN" }),
        "mergeStateStatus" => leaf(match (pull.state(), pull.is_draft()) {
            ("OPEN", true) => "DRAFT",
            ("OPEN", false) => "CLEAN",
            _ => "UNKNOWN",
        }),
        "baseRefName" => leaf(data.base.as_str()),
        "headRefName" => leaf(data.head.as_str()),
        "baseRefOid" => {
            leaf(repo.resolve(&data.base).map_or_else(|| crate::github::rest::tree_sha(&data.base), |tip| tip.sha))
        }
        "headRefOid" => leaf(pull.head().sha),
        "baseRef" => maybe(repo.branch(&data.base).map(Entity::Ref)),
        "headRef" => maybe(repo.branch(&data.head).filter(|_| !of_fork).map(Entity::Ref)),
        "baseRepository" | "repository" => one(Entity::Repository(repo)),
        // The model has no forks to show: theirs read as deleted, which GitHub answers with null.
        "headRepository" => maybe((!of_fork).then_some(Entity::Repository(repo))),
        "headRepositoryOwner" => maybe((!of_fork).then_some(Entity::Organization(repo.world, &repo.data().owner))),
        "isCrossRepository" => leaf(of_fork),
        "additions" => number(pull.lines().0),
        "deletions" => number(pull.lines().1),
        "changedFiles" => number(data.files.len() as u64),
        "totalCommentsCount" => number(pull.comments().count() as u64 + inline_count(pull)),
        "url" | "permalink" => leaf(pull.html()),
        "resourcePath" => leaf(format!("/{}/pull/{}", repo.full_name(), data.number)),
        "reviewDecision" => leaf(decision(pull)),
        "viewerCannotUpdateReasons" => no_rights(),
        _ => lists(pull, info),
    }
}

fn lists<'a>(pull: Pull<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let by_time = |reviews: Vec<Review<'a>>| {
        reviews
            .into_iter()
            .map(|review| (key(review.submitted_at(), review.at as u64), Entity::Review(review)))
            .collect()
    };
    match info.field_name() {
        "labels" => labels(pull.repo, pull.labels().map(|label| label.0.as_str()), info),
        "reviews" => {
            let states = texts(info, "states").filter(|states| !states.is_empty());
            let author = text(info, "author");
            let world = pull.repo.world;
            let own = |review: &Review<'a>| {
                let login = review.data().author.and_then(|id| world.person(id)).map(bare_login);
                states.as_ref().is_none_or(|states| states.contains(&review.data().state))
                    && author.is_none_or(|author| login.is_some_and(|login| login.eq_ignore_ascii_case(author)))
            };
            connect(info, by_time(pull.reviews().filter(own).collect()), false)
        }
        "latestReviews" => connect(info, by_time(pull.opinions(false)), false),
        "latestOpinionatedReviews" => connect(info, by_time(pull.opinions(true)), false),
        "comments" => {
            let (_, descending) = order(info, "UPDATED_AT", false);
            let comments = pull
                .comments()
                .map(|comment| (key(comment.data().created_at, comment.at as u64), Entity::Comment(comment)));
            connect(info, comments.collect(), descending)
        }
        "reviewThreads" => {
            let threads = pull
                .reviews()
                .flat_map(|review| (0..review.data().inline_comments).map(move |nth| Entity::Thread(review, nth)));
            listed(info, threads)
        }
        "commits" => listed(info, pull.commits().into_iter().map(move |commit| Entity::PullCommit(pull, commit))),
        "files" => listed(info, (0..pull.data().files.len()).map(move |nth| Entity::File(pull, nth))),
        "participants" => {
            let world = pull.repo.world;
            let people = pull.participants().into_iter();
            let people = people.filter(move |id| !world.person(*id).is_some_and(|person| person.bot));
            listed(info, people.map(move |id| Entity::Person(world, id)))
        }
        "timelineItems" => events::list(events::of_pull(pull), info),
        _ => silence(info),
    }
}

fn inline_count(pull: Pull<'_>) -> u64 {
    pull.reviews().map(|review| u64::from(review.data().inline_comments)).sum()
}

fn decision(pull: Pull<'_>) -> &'static str {
    let opinions = pull.opinions(true);
    let any = |state: &str| opinions.iter().any(|review| review.data().state == state);
    match (any("CHANGES_REQUESTED"), any("APPROVED")) {
        (true, _) => "CHANGES_REQUESTED",
        (false, true) => "APPROVED",
        (false, false) => "REVIEW_REQUIRED",
    }
}

/// A field of a conversation comment.
pub fn comment<'a>(comment: Comment<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (pull, data, id) = (comment.pull, comment.data(), comment.id());
    match info.field_name() {
        "id" => leaf(comment.node_id()),
        "databaseId" => database_id(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "author" => actor(pull.repo.world, data.author),
        "authorAssociation" => leaf(association(pull.repo.world, data.author)),
        "body" | "bodyText" => leaf(data.body.as_str()),
        "bodyHTML" => leaf(html(&data.body)),
        "createdAt" | "publishedAt" | "updatedAt" => time(data.created_at),
        "pullRequest" => one(Entity::Pull(pull)),
        "repository" => one(Entity::Repository(pull.repo)),
        "url" => leaf(format!("{}#issuecomment-{id}", pull.html())),
        "resourcePath" => leaf(format!("/{}/pull/{}#issuecomment-{id}", pull.repo.full_name(), pull.data().number)),
        "viewerCannotUpdateReasons" => no_rights(),
        _ => silence(info),
    }
}

/// A field of a review.
pub fn review<'a>(review: Review<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (pull, data, id) = (review.pull, review.data(), review.id());
    match info.field_name() {
        "id" => leaf(review.node_id()),
        "databaseId" => database_id(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "author" => actor(pull.repo.world, data.author),
        "authorAssociation" => leaf(association(pull.repo.world, data.author)),
        "authorCanPushToRepository" => leaf(association(pull.repo.world, data.author) == "MEMBER"),
        "body" | "bodyText" => leaf(data.body.as_str()),
        "bodyHTML" => leaf(html(&data.body)),
        "state" => leaf(data.state),
        "submittedAt" | "createdAt" | "publishedAt" | "updatedAt" => time(review.submitted_at()),
        "comments" => listed(info, (0..data.inline_comments).map(move |nth| Entity::Inline(review, nth))),
        "commit" => one(Entity::Commit(pull.head())),
        "pullRequest" => one(Entity::Pull(pull)),
        "repository" => one(Entity::Repository(pull.repo)),
        "url" => leaf(format!("{}#pullrequestreview-{id}", pull.html())),
        "resourcePath" => {
            leaf(format!("/{}/pull/{}#pullrequestreview-{id}", pull.repo.full_name(), pull.data().number))
        }
        "viewerCannotUpdateReasons" => no_rights(),
        _ => silence(info),
    }
}

/// A field of a review's n-th inline comment.
pub fn inline<'a>(review: Review<'a>, nth: u32, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (pull, data, id) = (review.pull, review.data(), inline_id(review, nth));
    match info.field_name() {
        "id" => leaf(inline_node_id(review, nth)),
        "databaseId" => database_id(id),
        "fullDatabaseId" => leaf(id.to_string()),
        "author" => actor(pull.repo.world, data.author),
        "authorAssociation" => leaf(association(pull.repo.world, data.author)),
        "body" | "bodyText" => leaf(inline_body(nth)),
        "bodyHTML" => leaf(html(&inline_body(nth))),
        "createdAt" | "publishedAt" | "updatedAt" | "draftedAt" => time(review.submitted_at()),
        "commit" | "originalCommit" => one(Entity::Commit(pull.head())),
        "path" => leaf(review.path(nth)),
        "diffHunk" => leaf("@@ -1 +1 @@"),
        "line" | "originalLine" => leaf(1),
        "state" => leaf("SUBMITTED"),
        "subjectType" => leaf("LINE"),
        "pullRequest" => one(Entity::Pull(pull)),
        "pullRequestReview" => one(Entity::Review(review)),
        "repository" => one(Entity::Repository(pull.repo)),
        "url" => leaf(format!("{}#discussion_r{id}", pull.html())),
        "resourcePath" => leaf(format!("/{}/pull/{}#discussion_r{id}", pull.repo.full_name(), pull.data().number)),
        "viewerCannotUpdateReasons" => no_rights(),
        _ => silence(info),
    }
}

/// A field of a thread.
pub fn thread<'a>(review: Review<'a>, nth: u32, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let pull = review.pull;
    match info.field_name() {
        "id" => {
            let numbers = [pull.repo.id(), pull.data().number, review.at as u64, u64::from(nth)];
            leaf(node_id(Kind::ReviewThread, &numbers, ""))
        }
        "comments" => listed(info, std::iter::once(Entity::Inline(review, nth))),
        "path" => leaf(review.path(nth)),
        "diffSide" => leaf("RIGHT"),
        "line" | "originalLine" => leaf(1),
        "subjectType" => leaf("LINE"),
        "pullRequest" => one(Entity::Pull(pull)),
        "repository" => one(Entity::Repository(pull.repo)),
        _ => silence(info),
    }
}

/// A field of a commit of a pull request.
pub fn pull_commit<'a>(pull: Pull<'a>, commit: &'a Commit<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let path = format!("{}/pull/{}/commits/{}", pull.repo.full_name(), pull.data().number, commit.sha);
    match info.field_name() {
        "id" => leaf(node_id(Kind::PullRequestCommit, &[pull.repo.id(), pull.data().number], &commit.sha)),
        "commit" => one(Entity::Commit(commit.clone())),
        "pullRequest" => one(Entity::Pull(pull)),
        "resourcePath" => leaf(format!("/{path}")),
        "url" => leaf(format!("https://github.com/{path}")),
        _ => silence(info),
    }
}

/// A field of a pull request's n-th file; its lines are spread as REST spreads them.
pub fn file<'a>(pull: Pull<'a>, nth: usize, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let files = &pull.data().files;
    let (count, place) = (files.len().max(1) as u64, nth as u64);
    let share = |total: u64| total / count + u64::from(place < total % count);
    match info.field_name() {
        "path" => leaf(files.get(nth).map_or("", String::as_str)),
        "additions" => number(share(pull.lines().0)),
        "deletions" => number(share(pull.lines().1)),
        "changeType" => leaf("MODIFIED"),
        "viewerViewedState" => leaf("UNVIEWED"),
        _ => silence(info),
    }
}
