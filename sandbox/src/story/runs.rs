//! Workflow runs with their attempts and jobs.

use super::{Dice, Span};
use crate::model::Person;
use crate::model::github::{Attempt, Job, Repository, Run, Workflow};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// How long before the epoch there are runs: the longest look back is fourteen days.
const RUNS_BEFORE: SignedDuration = SignedDuration::from_hours(17 * 24);

/// What a job may take by default; `cancelled` near it is the work of the limit.
const LIMIT_MINUTES: i64 = 360;

const WORKFLOWS: [(&str, &str, &str); 8] = [
    ("Tests", "test.yml", "active"),
    ("Lint", "lint.yml", "active"),
    ("Build & Package", "build.yml", "active"),
    ("Benchmark nightly", "bench.yml", "active"),
    ("Docs", "docs.yml", "active"),
    ("Release", "release.yml", "active"),
    ("Old checks", "old.yml", "disabled_manually"),
    ("Sweep", "sweep.yml", "active"),
];

/// Which events set a workflow off, by weight; those on the default branch are its own.
const EVENTS: [&[(u32, &str)]; 8] = [
    &[(14, "pull_request"), (4, "push"), (1, "merge_group"), (1, "pull_request_target")],
    &[(14, "pull_request"), (4, "push")],
    &[(6, "pull_request"), (3, "push"), (2, "merge_group")],
    &[(1, "schedule"), (1, "workflow_dispatch")],
    &[(4, "pull_request"), (1, "workflow_dispatch")],
    &[(1, "workflow_dispatch")],
    &[(1, "push")],
    &[(1, "schedule")],
];

const WEIGHTS: [(u32, usize); 8] = [(40, 0), (30, 1), (14, 2), (3, 3), (6, 4), (1, 5), (1, 6), (2, 7)];

pub(super) fn workflows(span: Span) -> Vec<Workflow> {
    (1001..)
        .zip(WORKFLOWS)
        .map(|(id, (name, file, state))| Workflow {
            id,
            name: name.to_owned(),
            path: format!(".github/workflows/{file}"),
            state,
            created_at: span.start,
        })
        .collect()
}

pub(super) fn grow(dice: &mut Dice, span: Span, people: &[Person], repository: &Repository) -> Vec<Run> {
    let span = Span { start: span.epoch - RUNS_BEFORE, ..span };
    // Some workflows are red for days.
    let red: Vec<f64> = (0..WORKFLOWS.len()).map(|_| if dice.chance(0.2) { 0.5 } else { 0.07 }).collect();
    let mut times: Vec<Timestamp> = (0..span.times(2050.0)).map(|_| moment(dice, span)).collect();
    times.sort();
    let mut runs: Vec<Run> = Vec::with_capacity(times.len());
    for at in times {
        let kind = *dice.weighted(&WEIGHTS);
        let again = if dice.chance(0.04) {
            runs.iter().rev().take(20).find(|run| run.workflow == 1001 + kind as u64).cloned()
        } else {
            None
        };
        let run = run(dice, people, repository, kind, at, red[kind]);
        // The same commit once more, as a person does who does not believe a failure.
        runs.push(match again {
            Some(before) => Run {
                event: before.event,
                head_branch: before.head_branch,
                head_sha: before.head_sha,
                from_fork: before.from_fork,
                ..run
            },
            None => run,
        });
    }
    let mut numbers: BTreeMap<u64, u64> = BTreeMap::new();
    let mut job = 8_000_001;
    for (id, run) in (30_000_001..).zip(&mut runs) {
        run.id = id;
        let number = numbers.entry(run.workflow).or_default();
        *number += 1;
        run.run_number = *number;
        for one in run.attempts.iter_mut().flat_map(|attempt| &mut attempt.jobs) {
            one.id = job;
            job += 1;
        }
    }
    runs
}

fn moment(dice: &mut Dice, span: Span) -> Timestamp {
    let at = span.whenever(dice);
    dice.snap(at)
}

fn run(dice: &mut Dice, people: &[Person], repository: &Repository, kind: usize, at: Timestamp, red: f64) -> Run {
    let event = *dice.weighted(EVENTS[kind]);
    let from_pull = event.starts_with("pull_request");
    let landed = repository.commits.partition_point(|commit| commit.landed_at <= at).saturating_sub(1);
    let tip = repository.commits[landed].sha.clone();
    let elsewhere =
        from_pull || (event == "push" && dice.chance(0.3)) || (event == "workflow_dispatch" && dice.chance(0.2));
    let (head_branch, head_sha, from_fork) = if elsewhere {
        let pull = dice.pick(&repository.pulls);
        // A fork may build from a branch of our default one's name, and then nothing but the fork tells them apart.
        let stranger = from_pull && dice.chance(0.06);
        let branch = if stranger { repository.default_branch.clone() } else { pull.head.clone() };
        let day = at.as_second() / 86400;
        (branch, format!("{:08x}{:032x}", pull.number, day), stranger || (pull.from_fork && from_pull))
    } else {
        (repository.default_branch.clone(), tip, false)
    };
    Run {
        id: 0,
        workflow: 1001 + kind as u64,
        run_number: 0,
        event,
        head_branch,
        head_sha,
        from_fork,
        // An app has no fork.
        actor: dice.count(0, people.iter().filter(|person| !(from_fork && person.bot)).count() - 1),
        created_at: at,
        attempts: attempts(dice, at, red),
    }
}

fn attempts(dice: &mut Dice, at: Timestamp, red: f64) -> Vec<Attempt> {
    let conclusion = if dice.chance(red) {
        "failure"
    } else {
        dice.weighted(&[
            (800, "success"),
            (70, "cancelled"),
            (30, "skipped"),
            (10, "neutral"),
            (12, "timed_out"),
            (6, "startup_failure"),
            (5, "action_required"),
            (4, "stale"),
        ])
    };
    let mut attempts = vec![attempt(dice, at, conclusion)];
    let again = match conclusion {
        "failure" => 0.08,
        "cancelled" => 0.03,
        "timed_out" => 0.1,
        "success" => 0.001,
        _ => 0.0,
    };
    while attempts.len() < 3
        && dice.chance(again)
        && let Some(done) = attempts.last().and_then(|last| last.completed_at)
    {
        let next = *dice.weighted(&[(6, "success"), (3, "failure"), (1, "cancelled")]);
        let start = done + SignedDuration::from_mins(1) + dice.about(SignedDuration::from_mins(50));
        attempts.push(attempt(dice, start, next));
    }
    attempts
}

fn attempt(dice: &mut Dice, started_at: Timestamp, conclusion: &'static str) -> Attempt {
    let running_at = started_at + SignedDuration::from_secs(dice.between(1, 40));
    let length = match conclusion {
        "skipped" | "startup_failure" | "action_required" | "stale" => SignedDuration::from_secs(dice.between(0, 3)),
        "timed_out" => SignedDuration::from_mins(LIMIT_MINUTES),
        // Cancelled at nineteen twentieths of the limit, or shortly before or after it.
        "cancelled" if dice.chance(0.04) => {
            SignedDuration::from_mins(LIMIT_MINUTES * 95 / 100) + SignedDuration::from_secs(dice.between(-2, 2) * 30)
        }
        _ => SignedDuration::from_secs(60) + dice.about(SignedDuration::from_mins(4)),
    };
    let ends = !dice.chance(0.002);
    let completed_at = ends.then(|| dice.snap(running_at + length).max(running_at));
    let jobs = match (conclusion, completed_at) {
        ("skipped" | "startup_failure" | "action_required" | "stale", _) | (_, None) => Vec::new(),
        (_, Some(completed_at)) => (0..dice.count(1, 2))
            .map(|number| job(dice, number, running_at, completed_at, length, conclusion))
            .collect(),
    };
    Attempt { started_at, running_at, completed_at, conclusion, jobs }
}

fn job(
    dice: &mut Dice,
    number: usize,
    from: Timestamp,
    until: Timestamp,
    length: SignedDuration,
    conclusion: &'static str,
) -> Job {
    let label = *dice.weighted(&[(6, "ubuntu-latest"), (2, "self-hosted"), (1, "macos-14")]);
    // The first job fills the attempt, the others end somewhere in it.
    let started_at =
        if length > SignedDuration::from_hours(1) { from } else { from + SignedDuration::from_secs(dice.below(20)) }
            .min(until);
    let waits_for_ever = conclusion == "cancelled" && dice.chance(0.2) && length < SignedDuration::from_hours(1);
    let last = number == 0;
    let completed_at = if last {
        until
    } else {
        started_at + SignedDuration::from_secs(dice.below(until.duration_since(started_at).as_secs() + 1))
    };
    Job {
        id: 0,
        name: format!("job {number}"),
        created_at: from - SignedDuration::from_secs(1),
        started_at: (!waits_for_ever).then_some(started_at),
        completed_at: Some(completed_at),
        conclusion: if last { conclusion } else { "success" },
        labels: if label == "self-hosted" {
            vec![label.to_owned(), "linux".to_owned()]
        } else {
            vec![label.to_owned()]
        },
        runner: (!waits_for_ever).then(|| format!("runner-{}", dice.below(6) + 1)),
    }
}
