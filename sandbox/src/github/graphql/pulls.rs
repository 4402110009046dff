//! Pull requests with their reviews, comments, files and turns between draft and ready.

use super::connection::{connect, listed};
use super::entity::{Entity, Out, actor, key, leaf, maybe, maybe_time, number, order, texts, time, unanswered};
use crate::github::views::{Comment, Pull, Review};
use apollo_compiler::resolvers::{FieldError, ResolveInfo};

/// Those of some pull requests that the arguments ask for.
pub fn list<'a>(pulls: impl Iterator<Item = Pull<'a>>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (field, descending) = order(info, "CREATED_AT", false);
    let states = texts(info, "states").filter(|states| !states.is_empty());
    let items = pulls.filter(|pull| states.as_ref().is_none_or(|states| states.contains(&pull.state())));
    let items = items.map(|pull| {
        let at = if field == "UPDATED_AT" { pull.updated_at() } else { pull.data().created_at };
        (key(at, pull.data().number), Entity::Pull(pull))
    });
    connect(info, items.collect(), descending)
}

/// A field of a pull request.
pub fn pull<'a>(pull: Pull<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let data = pull.data();
    match info.field_name() {
        "id" => leaf(pull.node_id()),
        "number" => number(data.number),
        "title" => leaf(data.title.as_str()),
        "body" => leaf(data.body.as_str()),
        "state" => leaf(pull.state()),
        "isDraft" => leaf(pull.is_draft()),
        "createdAt" => time(data.created_at),
        "updatedAt" => time(pull.updated_at()),
        "mergedAt" => maybe_time(pull.merged_at()),
        "closedAt" => maybe_time(pull.closed_at()),
        "merged" => leaf(pull.merged_at().is_some()),
        "author" => actor(pull.repo.world, data.author),
        "mergeCommit" => maybe(pull.merge_commit().map(Entity::Commit)),
        "baseRefName" => leaf(data.base.as_str()),
        "headRefName" => leaf(data.head.as_str()),
        "isCrossRepository" => leaf(data.from_fork),
        "labels" => {
            let labels = pull.labels().map(|label| ((0, label.0.clone()), Entity::Label(&label.0)));
            connect(info, labels.collect(), false)
        }
        "reviews" => {
            let reviews = pull.reviews();
            let items = reviews.map(|review| (key(review.submitted_at(), review.at as u64), Entity::Review(review)));
            connect(info, items.collect(), false)
        }
        "comments" => {
            let comments = pull.comments();
            let items =
                comments.map(|comment| (key(comment.data().created_at, comment.at as u64), Entity::Comment(comment)));
            connect(info, items.collect(), false)
        }
        "files" => listed(info, data.files.iter().map(|path| Entity::File(path))),
        "timelineItems" => turns(pull, info),
        _ => unanswered(info),
    }
}

/// Of the timeline, the turns between draft and ready.
fn turns<'a>(pull: Pull<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let kind = |draft| if draft { "CONVERT_TO_DRAFT_EVENT" } else { "READY_FOR_REVIEW_EVENT" };
    let asked = texts(info, "itemTypes").unwrap_or_default();
    if asked.is_empty() || asked.iter().any(|asked| ![kind(true), kind(false)].contains(asked)) {
        // Silence would say that nothing else ever happened.
        let message = "the sandbox tells turns between draft and ready alone: ask for them by itemTypes";
        return Err(FieldError { message: message.to_owned() });
    }
    let turns = pull.draft_turns().filter(|(_, (_, draft))| asked.contains(&kind(*draft)));
    let items = turns.map(|(place, (at, draft))| (key(at, place as u64), Entity::Turn(at, draft)));
    connect(info, items.collect(), false)
}

/// A field of a conversation comment.
pub fn comment<'a>(comment: Comment<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "author" => actor(comment.pull.repo.world, comment.data().author),
        "createdAt" => time(comment.data().created_at),
        _ => unanswered(info),
    }
}

/// A field of a review.
pub fn review<'a>(review: Review<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let data = review.data();
    match info.field_name() {
        "author" => actor(review.pull.repo.world, data.author),
        "body" => leaf(data.body.as_str()),
        "state" => leaf(data.state),
        "submittedAt" => time(review.submitted_at()),
        "comments" => listed(info, (0..data.inline_comments).map(|_| Entity::Inline)),
        _ => unanswered(info),
    }
}
