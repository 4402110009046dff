//! Issues, branches, deployments, pushes around the rules, runners.

use super::{Dice, Span};
use crate::model::Person;
use crate::model::github::{Branch, Commit, Deployment, ForcePush, Issue, Pull, Repository, RuleSuite, Runner};
use jiff::{SignedDuration, Timestamp};

pub(super) fn issues(dice: &mut Dice, span: Span) -> Vec<Issue> {
    (0..span.times(25.0))
        .map(|_| {
            let created_at = span.whenever(dice);
            let created_at = dice.snap(created_at);
            let mut labels = Vec::new();
            for (word, probability) in [("bug", 0.5), ("Training", 0.2), ("incident", 0.15), ("question", 0.2)] {
                if dice.chance(probability) {
                    labels.push(word.to_owned());
                }
            }
            let closed_at = dice
                .chance(0.7)
                .then(|| created_at + dice.about(SignedDuration::from_hours(90)) + SignedDuration::from_secs(1));
            Issue { number: 0, title: format!("Trouble with {}", dice.word()), labels, created_at, closed_at }
        })
        .collect()
}

pub(super) fn branches(dice: &mut Dice, span: Span, pulls: &[Pull]) -> Vec<Branch> {
    let mut branches: Vec<Branch> = pulls
        .iter()
        .filter(|pull| !pull.from_fork)
        .map(|pull| {
            let made = pull.created_at - SignedDuration::from_mins(10);
            let end = pull.closed_at.unwrap_or(span.end);
            let mut tips = vec![(made - dice.about(SignedDuration::from_hours(24)), made)];
            for _ in 0..dice.count(0, 2) {
                let pushed = made + SignedDuration::from_secs(dice.below(end.duration_since(made).as_secs()));
                tips.push((pushed - SignedDuration::from_secs(dice.below(600)), pushed));
            }
            tips.sort_by_key(|(_, pushed)| *pushed);
            let deleted_at = pull
                .closed_at
                .filter(|_| dice.chance(0.92))
                .map(|closed| closed + SignedDuration::from_secs(dice.below(3600)));
            Branch { name: pull.head.clone(), tips, deleted_at }
        })
        .collect();
    for number in 0..span.times(2.5) {
        let made = span.whenever(dice);
        let age = dice.about(SignedDuration::from_hours(300));
        let committed = dice.snap(made - age);
        branches.push(Branch {
            name: format!("spike/{}-{number}", dice.word()),
            tips: vec![(committed, made)],
            deleted_at: None,
        });
    }
    branches.push(Branch { name: "release/1.x".to_owned(), tips: vec![(span.start, span.start)], deleted_at: None });
    branches.sort_by(|a, b| a.name.cmp(&b.name));
    branches
}

pub(super) fn deployments(dice: &mut Dice, span: Span, commits: &[Commit]) -> Vec<Deployment> {
    let mut deployments: Vec<Deployment> = Vec::new();
    for (environment, a_week) in [("production", 9.0), ("staging", 12.0)] {
        let mut times: Vec<Timestamp> = (0..span.times(a_week)).map(|_| span.whenever(dice)).collect();
        times.sort();
        for at in times {
            // What is deployed had landed; now and then it is an older commit again.
            let landed = commits.partition_point(|commit| commit.landed_at <= at);
            let back = if dice.chance(0.1) { dice.count(1, 5) } else { 0 };
            let Some(commit) = landed.checked_sub(1 + back).and_then(|place| commits.get(place)) else { continue };
            let done = at + SignedDuration::from_secs(dice.between(60, 900));
            let done = dice.snap(done).max(at + SignedDuration::from_secs(30));
            let end = *dice.weighted(&[(17, "SUCCESS"), (2, "FAILURE"), (1, "ERROR")]);
            let statuses = vec![("QUEUED", at), ("IN_PROGRESS", at + SignedDuration::from_secs(20)), (end, done)];
            deployments.push(Deployment {
                id: 0,
                environment: environment.to_owned(),
                sha: commit.sha.clone(),
                created_at: at,
                statuses,
            });
        }
    }
    deployments.sort_by_key(|deployment| deployment.created_at);
    retire(&mut deployments);
    for (id, deployment) in (50_001..).zip(&mut deployments) {
        deployment.id = id;
    }
    deployments
}

/// A success makes the success before it in the same environment inactive.
fn retire(deployments: &mut [Deployment]) {
    for place in 0..deployments.len() {
        let (before, rest) = deployments.split_at_mut(place);
        let Some((_, at)) = rest[0].statuses.iter().find(|(state, _)| *state == "SUCCESS") else { continue };
        let environment = &rest[0].environment;
        let last = before.iter_mut().rev().find(|other| {
            other.environment == *environment && other.statuses.iter().any(|(state, _)| *state == "SUCCESS")
        });
        if let Some(last) = last
            && !last.statuses.iter().any(|(state, _)| *state == "INACTIVE")
            && last.statuses.iter().all(|(_, time)| time < at)
        {
            last.statuses.push(("INACTIVE", *at));
        }
    }
}

pub(super) fn pushes(
    dice: &mut Dice,
    span: Span,
    people: &[Person],
    repository: &Repository,
) -> (Vec<ForcePush>, Vec<RuleSuite>) {
    let mut forced: Vec<ForcePush> = (0..span.times(5.0))
        .map(|_| {
            let at = span.whenever(dice);
            let branch = if dice.chance(0.3) {
                repository.default_branch.clone()
            } else {
                dice.pick(&repository.branches).name.clone()
            };
            ForcePush {
                id: 0,
                branch,
                at: dice.snap(at),
                actor: dice.count(0, people.len() - 1),
                before: dice.sha(),
                after: dice.sha(),
            }
        })
        .collect();
    forced.sort_by_key(|push| push.at);
    for (id, push) in (900_001..).zip(&mut forced) {
        push.id = id;
    }
    let direct = repository.commits.iter().filter(|commit| commit.pull.is_none());
    let mut suites: Vec<RuleSuite> = direct
        .map(|commit| RuleSuite {
            id: 0,
            branch: repository.default_branch.clone(),
            at: commit.landed_at,
            actor: commit.author,
            result: dice.weighted::<&str>(&[(6, "pass"), (3, "bypass"), (1, "fail")]),
            after: commit.sha.clone(),
        })
        .collect();
    suites.sort_by_key(|suite| suite.at);
    for (id, suite) in (700_001..).zip(&mut suites) {
        suite.id = id;
    }
    (forced, suites)
}

pub(super) fn runners(dice: &mut Dice) -> Vec<Runner> {
    (1..=6)
        .map(|id| {
            let online = dice.chance(0.8);
            let labels = ["self-hosted", "linux", "x64"].map(str::to_owned).to_vec();
            Runner { id, name: format!("runner-{id}"), online, busy: online && dice.chance(0.4), labels }
        })
        .collect()
}
