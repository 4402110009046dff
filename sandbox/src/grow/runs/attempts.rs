//! What becomes of a run: its attempts and their jobs.

use crate::grow::dice::Dice;
use crate::model::github::{Attempt, Job};
use jiff::{SignedDuration, Timestamp};

/// What a job may take by default, in seconds.
const LIMIT: i64 = 360 * 60;

/// What is to become of a run.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// Chance decides; it fails this often.
    Any { red: f64, from_fork: bool },
    /// One attempt that ends so and then.
    Ends { at: Timestamp, conclusion: &'static str },
}

pub(super) fn grow(dice: &mut Dice, at: Timestamp, fate: Fate) -> Vec<Attempt> {
    let (red, from_fork) = match fate {
        Fate::Any { red, from_fork } => (red, from_fork),
        Fate::Ends { at: end, conclusion } => {
            let running_at = (at + SignedDuration::from_secs(dice.between(1, 40))).min(end);
            let jobs = vec![job(dice, 0, (at, running_at, end), conclusion)];
            return vec![Attempt { started_at: at, running_at, completed_at: Some(end), conclusion, jobs }];
        }
    };
    let conclusion = conclusion(dice, red, from_fork);
    let mut attempts = vec![attempt(dice, at, conclusion)];
    while let Some(last) = attempts.last()
        && let Some(done) = last.completed_at
        && attempts.len() < 4
        && dice.chance(again(last.conclusion))
    {
        let next = dice.weighted(&[(12, "success"), (7, "failure"), (2, "cancelled"), (1, "timed_out")]);
        let start = done + dice.about(SignedDuration::from_mins(50));
        attempts.push(attempt(dice, start, next));
    }
    attempts
}

fn conclusion(dice: &mut Dice, red: f64, from_fork: bool) -> &'static str {
    const OTHERS: [(u32, &str); 8] = [
        (800, "success"),
        (80, "cancelled"),
        (30, "skipped"),
        (10, "neutral"),
        (10, "timed_out"),
        (8, "startup_failure"),
        (4, "action_required"),
        (4, "stale"),
    ];
    if from_fork && dice.chance(0.2) {
        "action_required"
    } else if dice.chance(red) {
        "failure"
    } else {
        dice.weighted(&OTHERS)
    }
}

/// How often somebody tries again after this.
fn again(conclusion: &str) -> f64 {
    match conclusion {
        "failure" | "startup_failure" => 0.25,
        "timed_out" => 0.3,
        "cancelled" => 0.15,
        "success" => 0.01,
        _ => 0.0,
    }
}

fn attempt(dice: &mut Dice, started_at: Timestamp, conclusion: &'static str) -> Attempt {
    let empty = matches!(conclusion, "skipped" | "startup_failure" | "action_required" | "stale");
    let waited = if empty { 0 } else { dice.between(0, 40) };
    let running_at = started_at + SignedDuration::from_secs(waited);
    let usual = SignedDuration::from_secs(45) + dice.about(SignedDuration::from_secs(150));
    let length = match conclusion {
        _ if empty => SignedDuration::from_secs(dice.between(0, 3)),
        "timed_out" => SignedDuration::from_secs(LIMIT + dice.between(0, 60)),
        // Stopped by the limit or shortly before it: at exactly 95 % of it, a second before, at 94 %, at the limit.
        "cancelled" if dice.chance(0.25) => {
            SignedDuration::from_secs(*dice.pick(&[LIMIT / 100 * 95, LIMIT / 100 * 95 - 1, LIMIT / 100 * 94, LIMIT]))
        }
        _ => usual,
    };
    let long = length.as_secs() > LIMIT / 2;
    let end = running_at + length;
    let end = if long { end } else { dice.snap(end).max(running_at) };
    let completed_at = (!dice.chance(0.001)).then_some(end);
    let jobs = if empty { Vec::new() } else { jobs(dice, (started_at, running_at, end), conclusion, long) };
    let jobs = match completed_at {
        Some(_) => jobs,
        None => jobs.into_iter().map(|job| Job { completed_at: None, ..job }).collect(),
    };
    Attempt { started_at, running_at, completed_at, conclusion, jobs }
}

/// When it was queued, when it ran and when it ended.
type Times = (Timestamp, Timestamp, Timestamp);

fn jobs(dice: &mut Dice, times: Times, conclusion: &'static str, long: bool) -> Vec<Job> {
    let (queued, running, end) = times;
    let mut jobs = vec![job(dice, 0, times, conclusion)];
    if long && conclusion == "cancelled" && dice.chance(0.2) {
        // The long job had passed; a person cancelled the short one after it.
        jobs[0].conclusion = "success";
        jobs.push(job(dice, 1, (end, end, end), "cancelled"));
    } else if dice.chance(0.35) {
        let begun = dice.moment(running, end);
        let ended = dice.moment(begun, end);
        jobs.push(job(dice, 1, (queued, begun, ended), "success"));
    }
    if conclusion == "cancelled" && dice.chance(0.2) {
        // Nobody ever took this one.
        let waiting = job(dice, 2, times, "cancelled");
        jobs.push(Job { started_at: None, runner: None, ..waiting });
    }
    jobs
}

fn job(dice: &mut Dice, number: u64, (queued, running, end): Times, conclusion: &'static str) -> Job {
    let labels: &[&str] = dice.weighted(&[
        (6, &["ubuntu-latest"] as &[&str]),
        (2, &["self-hosted", "linux"]),
        (1, &["linux", "self-hosted"]),
        (1, &["macos-14"]),
    ]);
    Job {
        id: 0,
        name: format!("job {number}"),
        created_at: queued,
        started_at: Some(running),
        completed_at: Some(end),
        conclusion,
        labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        runner: Some(format!("runner-{}", dice.between(1, 6))),
    }
}
