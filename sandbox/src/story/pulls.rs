//! Pull requests: opened, drafted, reviewed, talked about, merged, closed, forgotten.

use super::{Dice, Span};
use crate::model::github::{Comment, Pull, Review};
use crate::model::{Person, PersonId};
use jiff::{SignedDuration, Timestamp};

/// What becomes of a pull request.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Merged,
    Closed,
    Open,
}

pub(super) fn grow(dice: &mut Dice, span: Span, people: &[Person], branch: &str) -> Vec<Pull> {
    let mut pulls = Vec::new();
    // Some are forgotten, so that there are always old open ones; their number does not depend on the time told.
    for (a_week, end) in [(92.0, End::Merged), (12.0, End::Closed), (12.5, End::Open)] {
        for _ in 0..span.times(a_week) {
            let created_at = span.whenever(dice);
            pulls.push(pull(dice, span, people, branch, created_at, end));
        }
    }
    pulls
}

fn pull(dice: &mut Dice, span: Span, people: &[Person], branch: &str, created_at: Timestamp, end: End) -> Pull {
    let created_at = dice.snap(created_at).max(span.start);
    let life = dice.about(SignedDuration::from_hours(30)) + SignedDuration::from_mins(3);
    let closed_at =
        (end != End::Open).then(|| dice.snap(created_at + life).max(created_at + SignedDuration::from_secs(1)));
    let until = closed_at.unwrap_or(span.end);
    let author = author(dice, people);
    let born_draft = dice.chance(0.18);
    let base = if dice.chance(0.93) { branch.to_owned() } else { "release/1.x".to_owned() };
    let (title, body) = text(dice);
    let mut pull = Pull {
        number: 0,
        author,
        title,
        body,
        base,
        head: format!("{}/change-#", dice.word()),
        // An app works in the repository itself.
        from_fork: dice.chance(0.08) && author.is_none_or(|author| !people[author].bot),
        created_at,
        born_draft,
        draft_turns: turns(dice, born_draft, created_at, until),
        reviews: reviews(dice, people, author, created_at, until),
        comments: comments(dice, people, author, created_at, until),
        labels: labels(dice, created_at, until),
        merged_at: closed_at.filter(|_| end == End::Merged),
        closed_at,
        files: files(dice),
        merge_commit: None,
        touches: Vec::new(),
    };
    if dice.chance(0.25) {
        pull.touches = vec![until.min(span.end) + dice.about(SignedDuration::from_hours(60))];
    }
    pull
}

fn author(dice: &mut Dice, people: &[Person]) -> Option<PersonId> {
    let humans = people.iter().filter(|person| !person.bot).count();
    match dice.below(100) {
        0..=2 => None,
        3..=12 => Some(dice.count(humans, people.len() - 1)),
        _ => Some(dice.count(0, humans - 1)),
    }
}

/// Somebody who reviews or comments: often somebody else, sometimes the author, sometimes a bot, sometimes gone.
fn voice(dice: &mut Dice, people: &[Person], author: Option<PersonId>) -> Option<PersonId> {
    let humans = people.iter().filter(|person| !person.bot).count();
    match dice.below(100) {
        0..=2 => None,
        3..=22 => Some(dice.count(humans, people.len() - 1)),
        23..=42 => author,
        _ => Some(dice.count(0, humans - 1)),
    }
}

fn text(dice: &mut Dice) -> (String, String) {
    let word = dice.word();
    let title = match dice.below(60) {
        0 => format!("Hotfix: {word}"),
        1 => format!("hot-fix for the {word}"),
        2 => format!("Apply HOTFIXES to {word}"),
        3 => format!("Note what was hotfixed in {word}"),
        4 => format!("Revert \"Add {word}\""),
        5 => format!("Revert \"Revert \"Add {word}\"\""),
        6 => format!("Please do not revert {word}"),
        7 => format!("revert: {word}"),
        8 => format!("revert({word}): drop it"),
        9 => format!("Reverted wording of {word}"),
        _ => format!("Change {word}"),
    };
    let body = match dice.below(30) {
        0 => format!("This reverts commit {}.", dice.sha()),
        1 => "It was reverted once; a hotfix came before.".to_owned(),
        2 => String::new(),
        _ => format!("About {word}."),
    };
    (title, body)
}

fn turns(dice: &mut Dice, born_draft: bool, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, bool)> {
    let number = match (born_draft, dice.below(10)) {
        (true, 0) => 0,
        (true, 1) => 3,
        (true, _) => 1,
        (false, 0) => 2,
        (false, _) => 0,
    };
    let mut times: Vec<Timestamp> = (0..number).map(|_| moment(dice, from, until)).collect();
    times.sort();
    times.dedup();
    // The state flips each time: a draft becomes ready first, a ready one a draft.
    times.into_iter().enumerate().map(|(index, time)| (time, born_draft == (index % 2 == 1))).collect()
}

/// A moment strictly between these two where there is one.
fn moment(dice: &mut Dice, from: Timestamp, until: Timestamp) -> Timestamp {
    let seconds = until.duration_since(from).as_secs();
    if seconds < 3 { from } else { from + SignedDuration::from_secs(dice.between(1, seconds - 1)) }
}

fn reviews(
    dice: &mut Dice,
    people: &[Person],
    author: Option<PersonId>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Review> {
    let number = if dice.chance(0.004) { dice.count(51, 60) } else { dice.count(0, 3) };
    let mut reviews: Vec<Review> = (0..number)
        .map(|_| {
            let state = *dice.weighted(&[
                (5, "APPROVED"),
                (3, "COMMENTED"),
                (2, "CHANGES_REQUESTED"),
                (1, "DISMISSED"),
                (1, "PENDING"),
            ]);
            let body = if dice.chance(0.4) { "Looks right to me.".to_owned() } else { String::new() };
            let silent = body.is_empty() && state == "APPROVED";
            Review {
                author: voice(dice, people, author),
                submitted_at: (state != "PENDING").then(|| moment(dice, from, until)),
                state,
                body,
                inline_comments: if silent { 0 } else { u32::try_from(dice.below(4)).unwrap_or(0) },
            }
        })
        .collect();
    reviews.sort_by_key(|review| review.submitted_at);
    reviews
}

fn comments(
    dice: &mut Dice,
    people: &[Person],
    author: Option<PersonId>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<Comment> {
    let number = if dice.chance(0.004) { dice.count(51, 70) } else { dice.count(0, 4) };
    let mut comments: Vec<Comment> = (0..number)
        .map(|_| {
            // Some talk goes on after the end.
            let created_at = if dice.chance(0.1) {
                until + dice.about(SignedDuration::from_hours(20))
            } else {
                moment(dice, from, until)
            };
            Comment { author: voice(dice, people, author), created_at, body: "What about the edge?".to_owned() }
        })
        .collect();
    comments.sort_by_key(|comment| comment.created_at);
    comments
}

fn labels(dice: &mut Dice, from: Timestamp, until: Timestamp) -> Vec<(String, Timestamp)> {
    let mut labels = Vec::new();
    for (word, probability) in
        [("hotfix", 0.04), ("revert", 0.03), ("force-merge", 0.03), ("force_merge", 0.02), ("bug", 0.1), ("docs", 0.1)]
    {
        if dice.chance(probability) {
            labels.push((word.to_owned(), moment(dice, from, until)));
        }
    }
    if dice.chance(0.004) {
        labels.extend((0..22).map(|number| (format!("area-{number}"), from)));
    }
    labels
}

fn files(dice: &mut Dice) -> Vec<String> {
    let mut files: Vec<String> = if dice.chance(0.005) {
        (0..dice.count(101, 130)).map(|number| format!("generated/file_{number}.json")).collect()
    } else {
        (0..dice.count(1, 7)).map(|_| dice.path()).collect()
    };
    files.sort();
    files.dedup();
    files
}
