//! Branches beside the default one: those of pull requests, long-lived ones and forgotten ones.

use super::dice::Dice;
use super::span::Span;
use super::texts::word;
use crate::model::github::{Branch, Pull};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn grow(dice: &mut Dice, span: Span, pulls: &[Pull]) -> Vec<Branch> {
    let mut branches: Vec<Branch> =
        pulls.iter().filter(|pull| !pull.from_fork).map(|pull| of_pull(dice, span, pull)).collect();
    for edge in span.edges(dice, 30) {
        let name = format!("edge/{}-{}", word(dice), branches.len());
        branches.push(Branch { name, tips: vec![(edge, edge)], deleted_at: None });
    }
    for _ in 0..span.times(span.start, 2.0) {
        let made = span.whenever(dice);
        // Old commits are pushed as well.
        let committed = made - if dice.chance(0.4) { dice.about(HOUR * 300) } else { SignedDuration::ZERO };
        let deleted_at = dice.chance(0.2).then(|| made + HOUR + dice.about(HOUR * 200));
        let name = format!("spike/{}-{}", word(dice), branches.len());
        branches.push(Branch { name, tips: vec![(committed, made)], deleted_at });
    }
    let mut release: Vec<Timestamp> = (0..span.times(span.start, 1.0)).map(|_| span.whenever(dice)).collect();
    release.sort();
    let tips = std::iter::once(span.start).chain(release).map(|at| (at, at)).collect();
    branches.push(Branch { name: "release/1.x".to_owned(), tips, deleted_at: None });
    let stacks: BTreeSet<&str> =
        pulls.iter().map(|pull| pull.base.as_str()).filter(|base| base.ends_with("/stack")).collect();
    let stacks = stacks.into_iter().map(str::to_owned);
    branches.extend(stacks.map(|name| Branch { name, tips: vec![(span.start, span.start)], deleted_at: None }));
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    branches
}

fn of_pull(dice: &mut Dice, span: Span, pull: &Pull) -> Branch {
    let made = pull.created_at - SignedDuration::from_mins(dice.between(1, 20));
    let end = pull.closed_at.unwrap_or(span.end).max(made);
    let mut tips = vec![(made - dice.about(HOUR * 24), made)];
    for _ in 0..dice.count(0, 2) {
        let pushed = dice.moment(made, end);
        let committed = pushed - SignedDuration::from_secs(dice.between(0, 600));
        tips.push((dice.snap(committed), pushed));
    }
    tips.sort_by_key(|(_, pushed)| *pushed);
    let closed = pull.closed_at.filter(|_| dice.chance(0.94));
    let deleted_at = closed.map(|closed| closed.max(made) + SignedDuration::from_secs(dice.between(1, 3600)));
    Branch { name: pull.head.clone(), tips, deleted_at }
}
