//! Pull requests: how many, how long, and who answered.

use super::{Observation, SLOT, View};
use crate::model::PersonId;
use crate::model::github::Pull;
use crate::truth::book::Book;
use crate::truth::statistics::{hours, mean, percentile, ratio, size};
use jiff::{SignedDuration, Timestamp};

/// What the check of the cycle time asks of a pull request.
const TARGET_HOURS: f64 = 48.0;

fn merged_at(view: View, pull: &Pull) -> Option<Timestamp> {
    pull.merged_at.filter(|at| view.past(*at))
}

fn ended_at(view: View, pull: &Pull) -> Option<Timestamp> {
    pull.closed_at.or(pull.merged_at).filter(|at| view.past(*at))
}

/// O of the catalogue.
pub(super) fn open(view: View<'_>) -> Vec<&Pull> {
    view.repository.pulls.iter().filter(|pull| view.past(pull.created_at) && ended_at(view, pull).is_none()).collect()
}

/// M of the catalogue for a window of this length, each with its time.
pub(super) fn merged(view: View<'_>, length: SignedDuration) -> Vec<(&Pull, Timestamp)> {
    let pulls = view.repository.pulls.iter();
    pulls.filter_map(|pull| Some((pull, merged_at(view, pull)?))).filter(|(_, at)| view.within(length, *at)).collect()
}

fn is_draft(view: View, pull: &Pull) -> bool {
    pull.draft_turns.iter().rfind(|(at, _)| view.past(*at)).map_or(pull.born_draft, |(_, draft)| *draft)
}

/// Since when it waits for others: the last time it became ready, else its opening.
fn live_since(view: View, pull: &Pull) -> Timestamp {
    let ready = pull.draft_turns.iter().filter(|(at, draft)| !draft && view.past(*at));
    ready.map(|(at, _)| *at).max().unwrap_or(pull.created_at)
}

fn is_human_other(view: View, pull: &Pull, person: Option<PersonId>) -> bool {
    person != pull.author && !person.is_some_and(|person| view.is_bot(person))
}

/// What human others said by now: when, and how many comments it is. An approval without a word is none.
fn answers(view: View, pull: &Pull) -> Vec<(Timestamp, f64)> {
    let mut answers = Vec::new();
    for review in &pull.reviews {
        if let Some(at) = review.submitted_at
            && view.past(at)
            && review.state != "PENDING"
            && is_human_other(view, pull, review.author)
        {
            let text = if review.body.is_empty() { 0.0 } else { 1.0 };
            answers.push((at, text + f64::from(review.inline_comments)));
        }
    }
    for comment in &pull.comments {
        if view.past(comment.created_at) && is_human_other(view, pull, comment.author) {
            answers.push((comment.created_at, 1.0));
        }
    }
    answers
}

/// One merge and its durations in hours.
struct Merge {
    cycle: f64,
    live: f64,
    comments: f64,
    /// From being ready to the first answer; 0 for an answer to a draft.
    pickup: Option<f64>,
    /// From the first answer to the merge.
    review: Option<f64>,
}

fn merge(view: View, pull: &Pull, merged_at: Timestamp) -> Merge {
    let answers = answers(view, pull);
    let first = answers.iter().map(|(at, _)| *at).min();
    let live_since = live_since(view, pull);
    Merge {
        cycle: hours(pull.created_at, merged_at),
        live: hours(live_since, merged_at),
        comments: answers.iter().map(|(_, comments)| comments).sum(),
        pickup: first.map(|first| hours(live_since, first).max(0.0)),
        review: first.map(|first| hours(first, merged_at)),
    }
}

pub(super) fn levels(view: View, book: &mut Book) {
    let repo = view.repo();
    let tags = [("repo", repo.as_str())];
    let open = open(view);
    let closed = view.repository.pulls.iter().filter(|pull| pull.merged_at.is_none());
    let closed = closed.filter(|pull| ended_at(view, pull).is_some_and(|at| view.week(at)));
    let merges: Vec<Merge> =
        merged(view, super::WEEK).into_iter().map(|(pull, merged_at)| merge(view, pull, merged_at)).collect();
    let all = size(merges.len());

    book.put("github.prs.open", &tags, size(open.len()));
    book.put("github.prs.draft", &tags, size(open.iter().filter(|pull| is_draft(view, pull)).count()));
    let old = open.iter().filter(|pull| pull.created_at < view.now - super::FORTNIGHT).count();
    book.put("github.prs.stale_count_14d", &tags, size(old));
    book.put("github.prs.merged_7d", &tags, all);
    book.put("github.prs.closed_without_merge_7d", &tags, size(closed.count()));

    let cycles: Vec<f64> = merges.iter().map(|merge| merge.cycle).collect();
    let lives: Vec<f64> = merges.iter().map(|merge| merge.live).collect();
    book.maybe("github.prs.avg_time_to_merge_hours", &tags, mean(&lives));
    book.maybe("github.prs.cycle_time_hours", &tags, mean(&cycles));
    book.maybe("github.prs.cycle_time_hours.p50", &tags, percentile(&cycles, 0.5));
    book.maybe("github.prs.cycle_time_hours.p90", &tags, percentile(&cycles, 0.9));

    let commented = merges.iter().filter(|merge| merge.comments > 0.0).count();
    book.maybe("github.prs.with_review_comments_pct", &tags, ratio(100.0 * size(commented), all));
    let comments = merges.iter().map(|merge| merge.comments).sum();
    book.maybe("github.prs.avg_comments_per_pr", &tags, ratio(comments, all));

    let first: Vec<f64> = merges.iter().filter_map(|merge| merge.pickup).collect();
    book.maybe("github.prs.time_to_first_review_hours", &tags, mean(&first));
    let pickups: Vec<f64> = merges.iter().map(|merge| merge.pickup.unwrap_or(merge.live)).collect();
    book.maybe("github.prs.pickup_time_hours.p50", &tags, percentile(&pickups, 0.5));
    book.maybe("github.prs.pickup_time_hours.p90", &tags, percentile(&pickups, 0.9));
    // Who is first answered after the merge has no review time: it would be negative.
    let reviews: Vec<f64> = merges.iter().filter_map(|merge| merge.review).filter(|hours| *hours >= 0.0).collect();
    book.maybe("github.prs.review_time_hours.p50", &tags, percentile(&reviews, 0.5));
    book.maybe("github.prs.review_time_hours.p90", &tags, percentile(&reviews, 0.9));
    let silent = merges.iter().filter(|merge| merge.pickup.is_none()).count();
    book.put("github.prs.merged_without_review_7d", &tags, size(silent));
}

/// How many merges the percentiles of the cycle time rest on.
pub(super) fn cycle_observations(view: View) -> usize {
    merged(view, super::WEEK).len()
}

pub(super) fn counts(view: View, book: &mut Book) {
    let repo = view.repo();
    let merged = merged(view, SLOT);
    let quick = |pull: &Pull, at: Timestamp| hours(pull.created_at, at) <= TARGET_HOURS;
    let within = merged.iter().filter(|(pull, at)| quick(pull, *at)).count();
    book.put("github.prs.merged.new", &[("repo", &repo)], size(merged.len()));
    book.put("github.prs.merged_within_target.new", &[("repo", &repo)], size(within));
}

pub(super) fn observations(view: View, from: Timestamp) -> Vec<Observation> {
    let merged = merged(view, view.now.duration_since(from));
    merged.into_iter().map(|(pull, at)| ("github.prs.cycle_time", Vec::new(), hours(pull.created_at, at))).collect()
}
