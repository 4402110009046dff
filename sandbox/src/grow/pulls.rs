//! Pull requests: opened, drafted, answered, merged, closed, forgotten.

use super::dice::Dice;
use super::people::Crowd;
use super::span::Span;
use super::texts;
use crate::model::PersonId;
use crate::model::github::{Comment, Pull, Review};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What becomes of a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Merged,
    Closed,
    Open,
}

/// Where pull requests come into being.
struct Place<'a> {
    span: Span,
    crowd: &'a Crowd,
    branch: &'a str,
}

pub(super) fn grow(dice: &mut Dice, span: Span, crowd: &Crowd, branch: &str) -> Vec<Pull> {
    let place = Place { span, crowd, branch };
    let mut pulls = Vec::new();
    for days in [7, 30] {
        for at in span.edges(dice, days) {
            let end = if dice.chance(0.7) { End::Merged } else { End::Closed };
            let age = length(dice);
            pulls.push(place.pull(dice, (at - age).max(span.start), Some(at), end));
        }
    }
    for at in span.edges(dice, 14) {
        pulls.push(place.pull(dice, at, None, End::Open));
    }
    // What stays open is opened evenly before the epoch, so that its number is about the same around it.
    for (a_week, end) in [(91.0, End::Merged), (12.0, End::Closed), (11.5, End::Open)] {
        for _ in 0..span.times(span.start, a_week) {
            let created_at = span.whenever(dice);
            let age = length(dice);
            let closed_at = (end != End::Open).then(|| dice.snap(created_at + age));
            let closed_at = closed_at.map(|at| at.max(created_at + SignedDuration::from_secs(1)));
            pulls.push(place.pull(dice, created_at, closed_at, end));
        }
    }
    apart(&mut pulls, branch);
    pulls.sort_by_key(|pull| pull.created_at);
    pulls
}

/// How long a pull request that ends is open: sometimes exactly the 48 hours that the target allows.
fn length(dice: &mut Dice) -> SignedDuration {
    match dice.between(0, 39) {
        0 => HOUR * 48,
        1 => HOUR * 48 + SignedDuration::from_secs(1),
        _ => dice.about(HOUR * 30) + SignedDuration::from_mins(3),
    }
}

/// The default branch takes one merge a second, so that what it contained when is plain.
fn apart(pulls: &mut [Pull], branch: &str) {
    let mut taken = BTreeSet::new();
    for pull in pulls.iter_mut().filter(|pull| pull.base == branch) {
        if let Some(at) = &mut pull.merged_at {
            while !taken.insert(*at) {
                *at += SignedDuration::from_secs(1);
            }
            pull.closed_at = Some(*at);
        }
    }
}

impl Place<'_> {
    fn pull(&self, dice: &mut Dice, created_at: Timestamp, closed_at: Option<Timestamp>, end: End) -> Pull {
        let until = closed_at.unwrap_or(self.span.end).max(created_at);
        let author = self.crowd.author(dice);
        let born_draft = dice.chance(0.18);
        let base = match dice.between(0, 19) {
            0 | 1 => "release/1.x".to_owned(),
            2..=4 => format!("{}/stack", dice.pick(&["core", "store", "web"])),
            _ => self.branch.to_owned(),
        };
        let (title, body) = texts::change(dice);
        let draft_turns = turns(dice, born_draft, created_at, until, end);
        let touches = if dice.chance(0.3) { vec![until + dice.about(HOUR * 90)] } else { Vec::new() };
        Pull {
            number: 0,
            author,
            title,
            body,
            base,
            head: texts::word(dice),
            from_fork: dice.chance(0.08),
            created_at,
            born_draft,
            reviews: self.reviews(dice, author, created_at, until, &draft_turns),
            comments: self.comments(dice, author, created_at, until, &draft_turns),
            draft_turns,
            labels: labels(dice, created_at, until),
            merged_at: closed_at.filter(|_| end == End::Merged),
            closed_at,
            files: files(dice),
            merge_commit: None,
            touches,
        }
    }

    fn reviews(
        &self,
        dice: &mut Dice,
        author: Option<PersonId>,
        from: Timestamp,
        until: Timestamp,
        turns: &[(Timestamp, bool)],
    ) -> Vec<Review> {
        const STATES: [(u32, &str); 5] =
            [(5, "APPROVED"), (3, "COMMENTED"), (2, "CHANGES_REQUESTED"), (1, "DISMISSED"), (1, "PENDING")];
        let number = if dice.chance(0.004) { dice.count(51, 60) } else { dice.count(0, 2) };
        let review = |dice: &mut Dice| {
            let state = dice.weighted(&STATES);
            let body = if dice.chance(0.4) { "Looks right to me." } else { "" };
            // A comment without words or lines cannot be made; an approval can.
            let least = u32::from(body.is_empty() && matches!(state, "COMMENTED" | "CHANGES_REQUESTED"));
            let lines = if dice.chance(0.5) { 0 } else { u32::try_from(dice.between(0, 4)).unwrap_or(0) };
            Review {
                author: self.crowd.voice(dice, author),
                submitted_at: (state != "PENDING").then(|| answered(dice, from, until, turns)),
                state,
                body: body.to_owned(),
                inline_comments: lines.max(least),
            }
        };
        let mut reviews: Vec<Review> = (0..number).map(|_| review(dice)).collect();
        reviews.sort_by_key(|review| review.submitted_at);
        reviews
    }

    fn comments(
        &self,
        dice: &mut Dice,
        author: Option<PersonId>,
        from: Timestamp,
        until: Timestamp,
        turns: &[(Timestamp, bool)],
    ) -> Vec<Comment> {
        let number = if dice.chance(0.004) { dice.count(51, 70) } else { dice.count(0, 3) };
        let comment = |dice: &mut Dice| Comment {
            author: self.crowd.voice(dice, author),
            created_at: answered(dice, from, until, turns),
            body: "What about the edge?".to_owned(),
        };
        let mut comments: Vec<Comment> = (0..number).map(|_| comment(dice)).collect();
        comments.sort_by_key(|comment| comment.created_at);
        comments
    }
}

/// When somebody answers: while it is open, at the very instant it became ready, or after its end.
fn answered(dice: &mut Dice, from: Timestamp, until: Timestamp, turns: &[(Timestamp, bool)]) -> Timestamp {
    match dice.between(0, 19) {
        0 | 1 => until + dice.about(HOUR * 40),
        2 if !turns.is_empty() => dice.pick(turns).0,
        _ => {
            let at = dice.moment(from, until);
            dice.snap(at).clamp(from, until)
        }
    }
}

/// Turns between draft and ready: a merged one was ready at last.
fn turns(dice: &mut Dice, born: bool, from: Timestamp, until: Timestamp, end: End) -> Vec<(Timestamp, bool)> {
    let mut number = match (born, dice.between(0, 11)) {
        (true, 0) => 3,
        (false, 0) => 2,
        (true, 3..) | (false, 1) => 1,
        _ => 0,
    };
    if end == End::Merged && (number % 2 == 1) != born {
        number += 1;
    }
    let mut times: Vec<Timestamp> = (0..number).map(|_| dice.moment(from, until)).collect();
    times.sort();
    times.into_iter().enumerate().map(|(place, at)| (at, (place % 2 == 0) != born)).collect()
}

fn labels(dice: &mut Dice, from: Timestamp, until: Timestamp) -> Vec<(String, Timestamp)> {
    const LABELS: [(&str, f64); 8] = [
        ("hotfix", 0.02),
        ("revert", 0.01),
        ("force-merge", 0.02),
        ("force_merge", 0.01),
        ("incident", 0.02),
        ("bug", 0.1),
        ("Training", 0.05),
        ("docs", 0.1),
    ];
    let mut labels = Vec::new();
    if dice.chance(0.004) {
        labels.extend((0..22).map(|number| (format!("area-{number}"), from)));
    }
    for (label, probability) in LABELS {
        if dice.chance(probability) {
            let late = if dice.chance(0.2) { dice.about(HOUR * 30) } else { SignedDuration::ZERO };
            labels.push((label.to_owned(), dice.moment(from, until) + late));
        }
    }
    labels
}

fn files(dice: &mut Dice) -> Vec<String> {
    let files: BTreeSet<String> = if dice.chance(0.005) {
        (0..dice.count(101, 230)).map(|number| format!("generated/file_{number}.json")).collect()
    } else {
        (0..dice.count(1, 7)).map(|_| texts::path(dice)).collect()
    };
    files.into_iter().collect()
}
