//! Which details the rest of a fetch makes necessary, and what they come to.

use super::deployments::Success;
use crate::config::Limits;
use crate::kept::Kept;
use crate::parts::{DORA, FILES, FLAKY, TIMEOUTS};
use crate::snapshot::{Commit, MergedPull, Run, Workflow};
use jiff::Timestamp;
use shared::Part;
use std::collections::{BTreeMap, BTreeSet};

/// A job that ran for this share of its limit was stopped by it.
const SHARE: f64 = 0.95;

/// What the details are about.
pub(super) struct Facts<'r> {
    /// The runs of the window.
    pub runs: Option<&'r [Run]>,
    /// The workflows.
    pub workflows: Option<&'r [Workflow]>,
    /// The commits of the window.
    pub commits: Option<&'r [Commit]>,
    /// The merged pull requests.
    pub merged: Option<&'r [MergedPull]>,
    /// Successful deployments by time.
    pub successes: &'r [Success],
    /// Time limits of jobs.
    pub limits: &'r Limits,
}

/// A question whose answer never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Want {
    Attempt { run: u64, attempt: u64 },
    Jobs { run: u64, attempt: u64 },
    Files { sha: String },
    PullFiles { number: u64 },
    Compare { between: String },
}

impl Want {
    /// The part that it belongs to.
    pub const fn part(&self) -> Part {
        match self {
            Self::Attempt { .. } => FLAKY,
            Self::Jobs { .. } => TIMEOUTS,
            Self::Files { .. } | Self::PullFiles { .. } => FILES,
            Self::Compare { .. } => DORA,
        }
    }
}

/// For each deployment the name of the comparison that tells what it shipped: with the one before it, and after a
/// roll-back with the one that was rolled back, so that old commits do not come back as new. None where there is
/// nothing to compare.
pub(super) fn comparisons(successes: &[Success], kept: &Kept) -> Vec<Option<String>> {
    let mut front: Option<&Success> = None;
    let mut names = Vec::with_capacity(successes.len());
    for success in successes {
        let before = front.filter(|before| before.sha != success.sha);
        let name = before.map(|before| format!("{}...{}", before.sha, success.sha));
        let shipped_nothing = name.as_ref().and_then(|name| kept.shipped.get(name)).is_some_and(Vec::is_empty);
        if !shipped_nothing {
            front = Some(success);
        }
        names.push(name);
    }
    names
}

impl Facts<'_> {
    /// Passed runs with more than one attempt.
    fn repeated(&self) -> impl Iterator<Item = &Run> {
        let runs = self.runs.unwrap_or_default().iter();
        runs.filter(|run| run.attempt > 1 && run.conclusion.as_deref() == Some("success"))
    }

    /// Cancelled runs that lasted as long as a job of theirs may, each with that limit in seconds.
    fn endless(&self) -> impl Iterator<Item = (&Run, f64)> {
        let runs = self.runs.unwrap_or_default().iter().filter(|run| run.conclusion.as_deref() == Some("cancelled"));
        runs.filter_map(|run| {
            let workflow = self.workflows?.iter().find(|workflow| workflow.id == run.workflow);
            let (name, file) = workflow.map_or(("", ""), |workflow| (&workflow.name, &workflow.file));
            let least = self.limits.seconds(name, file) * SHARE;
            (run.updated_at.duration_since(run.started_at).as_secs_f64() >= least).then_some((run, least))
        })
    }

    /// Commits that belong to no pull request.
    fn direct(&self) -> impl Iterator<Item = &Commit> {
        self.commits.unwrap_or_default().iter().filter(|commit| commit.pull.is_none())
    }

    /// Changes whose paths did not come with the list: they were left out of it, or could not be read with it.
    fn without_files(&self) -> impl Iterator<Item = &MergedPull> {
        let merged = self.merged.unwrap_or_default().iter();
        merged.filter(|pull| pull.into_branch && pull.files.is_none())
    }

    /// The questions without an answer, newest first.
    pub fn wants(&self, kept: &Kept) -> Vec<Want> {
        let mut wants: Vec<(Timestamp, Want)> = Vec::new();
        for run in self.repeated() {
            let known = kept.attempts.get(&run.id);
            if known.is_some_and(|known| known.values().any(|failed| *failed)) {
                continue;
            }
            let open = (1..run.attempt).rev().find(|attempt| known.is_none_or(|known| !known.contains_key(attempt)));
            wants.extend(open.map(|attempt| (run.updated_at, Want::Attempt { run: run.id, attempt })));
        }
        for (run, _) in self.endless() {
            if kept.longest.get(&run.id).is_none_or(|known| !known.contains_key(&run.attempt)) {
                wants.push((run.updated_at, Want::Jobs { run: run.id, attempt: run.attempt }));
            }
        }
        for commit in self.direct().filter(|commit| !kept.files.contains_key(&commit.oid)) {
            wants.push((commit.committed_at, Want::Files { sha: commit.oid.clone() }));
        }
        for pull in self.without_files().filter(|pull| !kept.pull_files.contains_key(&pull.number)) {
            wants.push((pull.merged_at, Want::PullFiles { number: pull.number }));
        }
        for (between, success) in comparisons(self.successes, kept).into_iter().zip(self.successes) {
            let open = between.filter(|between| !kept.shipped.contains_key(between));
            wants.extend(open.map(|between| (success.at, Want::Compare { between })));
        }
        wants.sort_by_key(|want| std::cmp::Reverse(want.0));
        wants.into_iter().map(|(_, want)| want).collect()
    }

    /// For each repeated run, whether an earlier attempt failed.
    pub fn failed_before(&self, kept: &Kept) -> Option<BTreeMap<u64, bool>> {
        self.runs?;
        self.repeated()
            .map(|run| {
                let known = kept.attempts.get(&run.id);
                let failed = known.is_some_and(|known| known.range(..run.attempt).any(|(_, failed)| *failed));
                let whole = || (1..run.attempt).all(|attempt| known.is_some_and(|known| known.contains_key(&attempt)));
                (failed || whole()).then_some((run.id, failed))
            })
            .collect()
    }

    /// The runs that a time limit stopped.
    pub fn stopped_by_limit(&self, kept: &Kept) -> Option<BTreeSet<u64>> {
        self.runs.and(self.workflows)?;
        let mut stopped = BTreeSet::new();
        for (run, least) in self.endless() {
            let longest = *kept.longest.get(&run.id)?.get(&run.attempt)?;
            #[expect(clippy::cast_precision_loss, reason = "seconds of a job are far below 2^52")]
            if longest as f64 >= least {
                stopped.insert(run.id);
            }
        }
        Some(stopped)
    }

    /// Paths of each direct commit.
    pub fn direct_files(&self, kept: &Kept) -> Option<BTreeMap<String, Vec<String>>> {
        self.commits?;
        self.direct().map(|commit| Some((commit.oid.clone(), kept.files.get(&commit.oid)?.clone()))).collect()
    }

    /// Drops answers that nothing of today asks for.
    pub fn prune(&self, kept: &mut Kept) {
        if let Some(runs) = self.runs {
            let ids: BTreeSet<u64> = runs.iter().map(|run| run.id).collect();
            kept.attempts.retain(|run, _| ids.contains(run));
            kept.longest.retain(|run, _| ids.contains(run));
        }
        if let Some(commits) = self.commits {
            let oids: BTreeSet<&String> = commits.iter().map(|commit| &commit.oid).collect();
            kept.files.retain(|oid, _| oids.contains(oid));
        }
        if let Some(merged) = self.merged {
            let numbers: BTreeSet<u64> = merged.iter().map(|pull| pull.number).collect();
            kept.pull_files.retain(|number, _| numbers.contains(number));
        }
        if !self.successes.is_empty() {
            let names: BTreeSet<String> = comparisons(self.successes, kept).into_iter().flatten().collect();
            kept.shipped.retain(|between, _| names.contains(between));
        }
    }
}
