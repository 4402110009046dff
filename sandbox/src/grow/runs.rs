//! Workflow runs: what sets them off, when, and on which commit.

mod attempts;
mod kinds;

use super::dice::Dice;
use super::people::Crowd;
use super::span::Span;
use crate::model::github::{Repository, Run};
use attempts::Fate;
use jiff::{SignedDuration, Timestamp};
pub(super) use kinds::workflows;
use kinds::{FIRST_ID, KINDS, place};
use std::collections::BTreeMap;

/// How long before the epoch all runs are told; of those before only some, because nothing looks back further.
const TOLD: SignedDuration = SignedDuration::from_hours(16 * 24);

/// Something that sets workflows off.
#[derive(Debug, Clone)]
struct Trigger {
    at: Timestamp,
    event: &'static str,
    head_branch: String,
    head_sha: String,
    from_fork: bool,
}

/// Where runs come into being.
struct Yard<'a> {
    span: Span,
    crowd: &'a Crowd,
    repository: &'a Repository,
    /// How often each workflow fails; some are red for weeks.
    red: Vec<f64>,
    runs: Vec<Run>,
}

pub(super) fn grow(dice: &mut Dice, span: Span, crowd: &Crowd, repository: &Repository) -> Vec<Run> {
    let red = (0..KINDS.len()).map(|_| if dice.chance(0.2) { 0.35 } else { 0.03 }).collect();
    let mut yard = Yard { span, crowd, repository, red, runs: Vec::new() };
    for trigger in yard.triggers(dice) {
        yard.set_off(dice, &trigger);
    }
    yard.at_the_edges(dice);
    yard.number()
}

impl Yard<'_> {
    fn triggers(&self, dice: &mut Dice) -> Vec<Trigger> {
        let mut triggers = self.landings(dice);
        // A burst takes the place of half of the other runs, so that a week has as many as ever; a small organisation
        // has fewer runs for its size, so that tests are quick.
        let full = self.span.now - TOLD;
        let (burst, a_week) = match self.span.factor {
            factor if factor < 1.0 => (dice.chance(0.04), 190.0),
            _ if dice.chance(0.3) => (true, 290.0),
            _ => (false, 620.0),
        };
        for _ in 0..self.span.times(full, a_week) {
            let at = dice.moment(full, self.span.end);
            let at = dice.snap(at);
            triggers.push(self.of_pull(dice, at));
        }
        for _ in 0..self.span.times(self.span.start, 15.0) {
            let at = dice.moment(self.span.start, full);
            triggers.push(self.of_pull(dice, at));
        }
        if burst {
            let begin = self.span.now - SignedDuration::from_hours(dice.between(73, 94));
            for _ in 0..400 {
                let at = begin + SignedDuration::from_secs(dice.between(0, 599));
                triggers.push(self.of_pull(dice, at));
            }
        }
        // Timetables do not shrink with the organisation as much as its work does.
        let steady = Span { factor: self.span.factor.max(0.4), ..self.span };
        for (event, a_week) in [("schedule", 25.0), ("workflow_dispatch", 12.0)] {
            for _ in 0..steady.times(self.span.start, a_week) {
                let at = self.span.whenever(dice);
                let elsewhere = event == "workflow_dispatch" && dice.chance(0.25);
                let trigger = if elsewhere { self.of_pull(dice, at) } else { self.on_branch(at, event) };
                triggers.push(Trigger { event, ..trigger });
            }
        }
        triggers
    }

    /// Every push to the default branch, and the merge queue before some of them.
    fn landings(&self, dice: &mut Dice) -> Vec<Trigger> {
        let mut triggers = Vec::new();
        let branch = &self.repository.default_branch;
        let tips = self.repository.commits.windows(2).filter(|pair| pair[0].landed_at < pair[1].landed_at);
        for tip in tips.map(|pair| &pair[0]).filter(|tip| tip.landed_at >= self.span.start) {
            let push = Trigger {
                at: tip.landed_at,
                event: "push",
                head_branch: branch.clone(),
                head_sha: tip.sha.clone(),
                from_fork: false,
            };
            if let Some(number) = tip.pull
                && dice.chance(0.1)
            {
                let head_branch = format!("gh-readonly-queue/{branch}/pr-{number}-{}", tip.sha);
                let at = tip.landed_at - SignedDuration::from_mins(9);
                triggers.push(Trigger { at, event: "merge_group", head_branch, ..push.clone() });
            }
            triggers.push(push);
        }
        triggers
    }

    fn on_branch(&self, at: Timestamp, event: &'static str) -> Trigger {
        let commits = &self.repository.commits;
        let landed = commits.partition_point(|commit| commit.landed_at <= at);
        Trigger {
            at,
            event,
            head_branch: self.repository.default_branch.clone(),
            head_sha: commits[landed.saturating_sub(1)].sha.clone(),
            from_fork: false,
        }
    }

    /// Work on one of the pull requests opened lately.
    fn of_pull(&self, dice: &mut Dice, at: Timestamp) -> Trigger {
        let pulls = &self.repository.pulls;
        let opened = pulls.partition_point(|pull| pull.created_at <= at).max(1);
        let pull = &pulls[dice.count(opened.saturating_sub(40), opened - 1)];
        let default = self.repository.default_branch.clone();
        let (event, branch, from_fork) = match dice.between(0, 59) {
            // A fork may build from a branch of our default one's name; then at times nothing but the fork tells.
            0 => ("pull_request", default, true),
            1 => ("pull_request_review", default, true),
            2 => ("pull_request_target", default, true),
            // The default branch is merged into a release.
            3 => ("pull_request", default, false),
            4 | 5 => ("pull_request_target", pull.head.clone(), pull.from_fork),
            6..=9 if !pull.from_fork => ("push", pull.head.clone(), false),
            _ => ("pull_request", pull.head.clone(), pull.from_fork),
        };
        Trigger { at, event, head_branch: branch, head_sha: dice.sha(), from_fork }
    }

    fn set_off(&mut self, dice: &mut Dice, trigger: &Trigger) {
        for workflow in &self.repository.workflows {
            let kind = place(workflow.id);
            let events = KINDS[kind].events;
            let Some((_, chance)) = events.iter().find(|(event, _)| *event == trigger.event) else { continue };
            if !dice.chance(*chance) {
                continue;
            }
            let run = self.run(dice, workflow.id, trigger, None);
            // The same commit once more, as a person does who does not believe a failure.
            let over = run.attempts.last().and_then(|last| Some((last.completed_at?, last.conclusion)));
            self.runs.push(run);
            if let Some((at, conclusion)) = over
                && at < self.span.end
                && dice.chance(if conclusion == "failure" { 0.15 } else { 0.01 })
            {
                let at = at + SignedDuration::from_secs(dice.between(0, 4000));
                let again = self.run(dice, workflow.id, &Trigger { at, ..trigger.clone() }, None);
                self.runs.push(again);
            }
        }
    }

    fn run(&self, dice: &mut Dice, workflow: u64, trigger: &Trigger, fate: Option<Fate>) -> Run {
        let fate = fate.unwrap_or(Fate::Any { red: self.red[place(workflow)], from_fork: trigger.from_fork });
        Run {
            id: 0,
            workflow,
            run_number: 0,
            event: trigger.event,
            head_branch: trigger.head_branch.clone(),
            head_sha: trigger.head_sha.clone(),
            from_fork: trigger.from_fork,
            actor: self.crowd.writer(dice),
            created_at: trigger.at,
            attempts: attempts::grow(dice, trigger.at, fate),
        }
    }

    /// Runs that begin or end exactly where windows do, and some that go on at the epoch.
    fn at_the_edges(&mut self, dice: &mut Dice) {
        let workflows = [FIRST_ID, FIRST_ID + 1, FIRST_ID + 2];
        for days in [7, 14] {
            for at in self.span.edges(dice, days) {
                let trigger = if dice.chance(0.5) { self.of_pull(dice, at) } else { self.on_branch(at, "push") };
                let workflow = *dice.pick(&workflows);
                let run = self.run(dice, workflow, &trigger, None);
                self.runs.push(run);
            }
        }
        for end in self.span.edges(dice, 1) {
            let begun = end - SignedDuration::from_secs(dice.between(60, 900));
            let trigger = self.on_branch(begun, "push");
            let conclusion = *dice.pick(&["success", "failure", "cancelled"]);
            let workflow = *dice.pick(&workflows);
            let run = self.run(dice, workflow, &trigger, Some(Fate::Ends { at: end, conclusion }));
            self.runs.push(run);
        }
        let day = SignedDuration::from_hours(24);
        for (probability, begun, end) in [
            (0.6, self.span.now - SignedDuration::from_secs(100), self.span.now + SignedDuration::from_secs(200)),
            (0.4, self.span.now - SignedDuration::from_secs(5), self.span.now + SignedDuration::from_secs(400)),
            // Longer than upstream lets anything run.
            (0.3, self.span.now - day * 39, self.span.now - day * 3),
        ] {
            if dice.chance(probability) {
                let trigger = self.on_branch(begun, "push");
                let fate = Fate::Ends { at: end, conclusion: "failure" };
                let workflow = *dice.pick(&workflows);
                let run = self.run(dice, workflow, &trigger, Some(fate));
                self.runs.push(run);
            }
        }
    }

    fn number(mut self) -> Vec<Run> {
        self.runs.sort_by_key(|run| run.created_at);
        let mut numbers: BTreeMap<u64, u64> = BTreeMap::new();
        let mut jobs = 8_000_001..;
        for (id, run) in (30_000_001..).zip(&mut self.runs) {
            run.id = id;
            let number = numbers.entry(run.workflow).or_default();
            *number += 1;
            run.run_number = *number;
            for (job, id) in run.attempts.iter_mut().flat_map(|attempt| &mut attempt.jobs).zip(&mut jobs) {
                job.id = id;
            }
        }
        self.runs
    }
}
