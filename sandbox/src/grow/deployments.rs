//! Deployments, the issues that follow them, and pushes around the rules.

use super::dice::Dice;
use super::people::Crowd;
use super::span::Span;
use super::texts::word;
use crate::model::github::{Commit, Deployment, ForcePush, Issue, Repository, RuleSuite, Runner};
use jiff::{SignedDuration, Timestamp};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

pub(super) fn deployments(dice: &mut Dice, span: Span, commits: &[Commit]) -> Vec<Deployment> {
    let mut deployments = Vec::new();
    for (environment, a_week) in [("production", 9.0), ("staging", 12.0), ("preview/docs", 1.0)] {
        // The first one comes early, so that the others have one to be compared with.
        let mut ends = vec![span.start + HOUR * 30];
        ends.extend((0..span.times(span.start, a_week)).map(|_| span.whenever(dice)));
        ends.extend(span.edges(dice, 30));
        ends.sort();
        ends.dedup();
        for (number, end) in ends.into_iter().enumerate().skip_while(|(_, end)| *end < span.start + HOUR * 30) {
            let at = end - SignedDuration::from_secs(dice.between(40, 900));
            let Some(sha) = deployed(dice, commits, at) else { continue };
            let last =
                if number == 0 { "SUCCESS" } else { dice.weighted(&[(17, "SUCCESS"), (3, "FAILURE"), (1, "ERROR")]) };
            let running = at + SignedDuration::from_secs(20);
            let mut statuses = vec![("QUEUED", at), ("IN_PROGRESS", running)];
            // Some hang for ever.
            if number == 0 || !dice.chance(0.03) {
                statuses.push((last, end));
            }
            let environment = environment.to_owned();
            deployments.push(Deployment { id: 0, environment, sha, created_at: at, statuses });
        }
    }
    deployments.sort_by_key(|deployment| deployment.created_at);
    retire(&mut deployments);
    for (id, deployment) in (50_001..).zip(&mut deployments) {
        deployment.id = id;
    }
    deployments
}

/// The tip of the branch at an instant; now and then an older one, as one goes back after an accident.
fn deployed(dice: &mut Dice, commits: &[Commit], at: Timestamp) -> Option<String> {
    let landed = &commits[..commits.partition_point(|commit| commit.landed_at <= at)];
    let back = if dice.chance(0.08) { dice.count(1, 6) } else { 0 };
    let old = landed.get(landed.len().checked_sub(1 + back)?)?;
    let tip = landed.iter().rfind(|commit| commit.landed_at == old.landed_at)?;
    Some(tip.sha.clone())
}

/// A success makes the success before it in its environment inactive.
fn retire(deployments: &mut [Deployment]) {
    let success = |one: &Deployment| one.statuses.iter().find(|(state, _)| *state == "SUCCESS").map(|(_, at)| *at);
    for place in 0..deployments.len() {
        let Some(at) = success(&deployments[place]) else { continue };
        let environment = deployments[place].environment.clone();
        let before = deployments[..place].iter_mut().rev();
        let last = before.filter(|one| one.environment == environment).find(|one| success(one).is_some());
        if let Some(last) = last
            && last.statuses.iter().all(|(state, time)| *state != "INACTIVE" && *time < at)
        {
            last.statuses.push(("INACTIVE", at));
        }
    }
}

pub(super) fn issues(dice: &mut Dice, span: Span) -> Vec<Issue> {
    const LABELS: [(&str, f64); 5] =
        [("bug", 0.4), ("Training", 0.15), ("incident", 0.2), ("question", 0.2), ("bugfix wanted", 0.1)];
    let edges: Vec<Timestamp> = span.edges(dice, 30);
    let any: Vec<Timestamp> = (0..span.times(span.start, 20.0)).map(|_| span.whenever(dice)).collect();
    let issue = |dice: &mut Dice, created_at: Timestamp, closed_at: Option<Timestamp>| {
        let labels =
            LABELS.iter().filter(|(_, part)| dice.chance(*part)).map(|(label, _)| (*label).to_owned()).collect();
        Issue { number: 0, title: format!("Trouble with {}", word(dice)), labels, created_at, closed_at }
    };
    let mut issues = Vec::new();
    for at in edges {
        let age = HOUR + dice.about(HOUR * 40);
        issues.push(issue(dice, at, None));
        issues.push(issue(dice, (at - age).max(span.start), Some(at)));
    }
    for created_at in any {
        let age = SignedDuration::from_secs(1) + dice.about(HOUR * 90);
        let closed_at = dice.chance(0.75).then(|| dice.snap(created_at + age).max(created_at));
        issues.push(issue(dice, created_at, closed_at));
    }
    issues.sort_by_key(|issue| issue.created_at);
    issues
}

/// Force pushes, and the evaluations of the rules at each push to the default branch.
pub(super) fn pushes(
    dice: &mut Dice,
    span: Span,
    crowd: &Crowd,
    repository: &Repository,
) -> (Vec<ForcePush>, Vec<RuleSuite>) {
    let mut times = span.edges(dice, 7);
    times.extend((0..span.times(span.start, 6.0)).map(|_| span.whenever(dice)));
    times.sort();
    times.dedup();
    let forced: Vec<ForcePush> = (900_001..)
        .zip(times)
        .map(|(id, at)| {
            let other = &dice.pick(&repository.branches).name;
            let branch = if dice.chance(0.4) { &repository.default_branch } else { other };
            let (before, after) = (dice.sha(), dice.sha());
            ForcePush { id, branch: branch.clone(), at, actor: crowd.human(dice), before, after }
        })
        .collect();
    let mut suites: Vec<RuleSuite> = Vec::new();
    // A push evaluates the rules once, for the tip it brings.
    let tips = repository.commits.windows(2).filter(|pair| pair[0].landed_at < pair[1].landed_at).map(|pair| &pair[0]);
    for tip in tips {
        let result = if tip.pull.is_some() { [(9, "pass"), (1, "bypass")] } else { [(1, "pass"), (3, "bypass")] };
        let result = dice.weighted(&result);
        suites.push(suite(&repository.default_branch, tip.landed_at, tip.author, result, tip.sha.clone()));
        if dice.chance(0.05) {
            let at = tip.landed_at - SignedDuration::from_mins(2);
            suites.push(suite(&repository.default_branch, at, tip.author, "fail", dice.sha()));
        }
    }
    for push in &forced {
        suites.push(suite(&push.branch, push.at, push.actor, "bypass", push.after.clone()));
    }
    suites.sort_by_key(|suite| suite.at);
    for (id, suite) in (700_001..).zip(&mut suites) {
        suite.id = id;
    }
    (forced, suites)
}

fn suite(branch: &str, at: Timestamp, actor: usize, result: &'static str, after: String) -> RuleSuite {
    RuleSuite { id: 0, branch: branch.to_owned(), at, actor, result, after }
}

pub(super) fn runners(dice: &mut Dice) -> Vec<Runner> {
    (1..=dice.between(0, 7).unsigned_abs())
        .map(|id| {
            let online = dice.chance(0.75);
            let labels = ["self-hosted", "linux", "x64"].map(str::to_owned).to_vec();
            Runner { id, name: format!("runner-{id}"), online, busy: online && dice.chance(0.5), labels }
        })
        .collect()
}
