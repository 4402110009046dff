//! The parts of a fetch: each known or a gap of its own.

use super::deployments::Success;
use super::details;
use super::facts::{self, Facts};
use super::issues::Issues;
use super::pull::Reading;
use super::pulls::Forced;
use super::questions::Rounds;
use super::shipped::Reader;
use super::{Upstream, WEEK, ci, force, queue};
use crate::kept::{Fetched, Kept};
use crate::parts::{
    BRANCHES, COMMITS, DEPLOYMENTS, DORA, FILES, FLAKY, FORCE, ISSUES, PULLS, QUEUE, RUNNERS, RUNS, TIMEOUTS,
};
use crate::snapshot::{Deployments, Run, Snapshot, Workflow};
use shared::{Context, Part, Result};

/// What a fetch gathers.
pub(super) struct Gathered {
    /// What the formulas will see.
    pub snapshot: Snapshot,
    /// Where the next fetch continues.
    pub kept: Kept,
    /// Successful deployments with their commits.
    pub successes: Vec<Success>,
}

impl Upstream {
    /// What the rounds of GraphQL came to.
    pub(super) async fn graph_parts(
        &self,
        cx: &Context,
        repo: &str,
        branch: &str,
        rounds: Rounds<'_>,
        gathered: &mut Gathered,
    ) {
        let reading = Reading { config: &self.config, digester: &self.digester, branch };
        let forced = std::mem::take(&mut gathered.kept.forced);
        let pulls = match rounds.pulls.done() {
            Ok(sets) => sets.finish(&self.client, repo, &reading, &forced).await,
            Err(error) => Err(error),
        };
        if let Some((pulls, forced)) = cx.part(PULLS, pulls) {
            gathered.snapshot.pulls = Some(pulls);
            gathered.kept.forced = forced;
        }
        // A place that GitHub does not understand any more must not be tried again.
        gathered.kept.cursors = Vec::new();
        if let Some(branches) = cx.part(BRANCHES, rounds.branches.done()) {
            let (branches, cursors) = branches.finish(branch);
            gathered.snapshot.branches = Some(branches);
            gathered.kept.cursors = cursors;
        }
        if let Some(commits) = cx.part(COMMITS, rounds.commits.done()) {
            let (commits, head) = commits.finish();
            gathered.snapshot.commits = Some(commits);
            gathered.kept.head = head;
        }
        gathered.snapshot.issues = cx.part(ISSUES, rounds.issues.done()).map(Issues::finish);
        let Some(shipping) = rounds.shipping else { return };
        let shipping = match shipping.done() {
            Ok(shipping) => shipping.finish(&self.client, repo, branch).await,
            Err(error) => Err(error),
        };
        if let Some((successes, deployments)) = cx.part(DEPLOYMENTS, shipping) {
            (gathered.successes, gathered.snapshot.deployments) = (successes, Some(deployments));
        }
    }

    /// The events that reached the branch around its rules.
    pub(super) fn force_part(&self, cx: &Context, gathered: &mut Gathered, events: Result<force::Events>) {
        let sources = self.config.sources;
        if !(sources.activity || sources.labels || sources.rule_suites) {
            return;
        }
        let Some(events) = cx.part(FORCE, events) else { return };
        let none = Forced::new();
        let labelled = match (sources.labels, gathered.snapshot.pulls.is_some()) {
            (false, _) => &none,
            (true, true) => &gathered.kept.forced,
            (true, false) => return cx.gap(FORCE, "the pull requests with their labels are unknown"),
        };
        gathered.snapshot.forced = Some(force::times(events, labelled, cx.now() - WEEK));
    }

    /// The workflows and their runs.
    pub(super) async fn run_parts(
        &self,
        cx: &Context,
        repo: &str,
        branch: &str,
        runs: ci::Runs,
        last: Option<&Fetched>,
        gathered: &mut Gathered,
    ) {
        let known = last.and_then(|last| Some((last.snapshot.workflows.as_ref()?, last.kept.workflows_at)));
        let workflows = ci::workflows(&self.client, repo, known, &runs.inside, cx.now()).await;
        if let Some((workflows, at)) = cx.part(RUNS, workflows) {
            cx.reused(at, ci::DAY);
            gathered.kept.workflows_at = at;
            gathered.snapshot.workflows = Some(workflows);
        }
        gathered.kept.missing = runs.missing;
        let is_whole = runs.why.is_none() && gathered.kept.missing.is_empty();
        match runs.why {
            Some(why) => cx.gap(RUNS, why.with_causes()),
            None => cx.pending(RUNS, gathered.kept.missing.len()),
        }
        if !is_whole {
            gathered.kept.partial = runs.inside;
            return;
        }
        gathered.kept.partial = Vec::new();
        if let Some(workflows) = &gathered.snapshot.workflows {
            let older = last.and_then(|last| Some((last.snapshot.older_decisive.as_ref()?, runs.dropped.as_slice())));
            let facts: (&[Workflow], &[Run], _) = (workflows, &runs.inside, &self.config.rules);
            gathered.snapshot.older_decisive =
                cx.part(RUNS, ci::older(&self.client, repo, branch, facts, older, cx.now()).await);
        }
        gathered.snapshot.runs = Some(runs.inside);
    }

    /// The answers that never change, a few new ones of them.
    pub(super) async fn detail_parts(&self, cx: &Context, repo: &str, allowance: usize, gathered: &mut Gathered) {
        let Gathered { snapshot, kept, successes } = gathered;
        let facts = Facts {
            runs: snapshot.runs.as_deref(),
            workflows: snapshot.workflows.as_deref(),
            commits: snapshot.commits.as_deref(),
            merged: snapshot.pulls.as_ref().map(|pulls| pulls.merged.as_slice()),
            successes,
            limits: &self.config.limits,
        };
        let reader = Reader { digester: &self.digester, config: &self.config };
        let filled = details::fill((&self.client, repo, reader), &facts, kept, allowance, self.config.reserve).await;
        for (part, error) in filled.failed {
            cx.gap(part, error.with_causes());
        }
        for (part, missing) in filled.missing {
            cx.pending(part, missing);
        }
        facts.prune(kept);
        let (failed, stopped, files) =
            (facts.failed_before(kept), facts.stopped_by_limit(kept), facts.direct_files(kept));
        if let Some(deployments) = &mut snapshot.deployments {
            ship(deployments, successes, kept);
        }
        for pull in snapshot.pulls.iter_mut().flat_map(|pulls| &mut pulls.merged).filter(|pull| pull.files.is_none()) {
            pull.files = kept.pull_files.get(&pull.number).cloned();
        }
        (snapshot.failed_before, snapshot.stopped_by_limit, snapshot.direct_files) = (failed, stopped, files);
        self.hanging_parts(cx, snapshot);
    }

    /// The parts that cannot be known without another one.
    fn hanging_parts(&self, cx: &Context, snapshot: &Snapshot) {
        let without_runs = snapshot.runs.is_none();
        let hanging = [
            (FLAKY, RUNS, without_runs),
            (TIMEOUTS, RUNS, without_runs || snapshot.workflows.is_none()),
            (QUEUE, RUNS, without_runs && self.config.rules.queue),
            (FILES, COMMITS, snapshot.commits.is_none()),
            (FILES, PULLS, snapshot.pulls.is_none()),
            (DORA, DEPLOYMENTS, snapshot.deployments.is_none() && self.config.deploys.is_some()),
        ];
        for (part, needed, is_unknown) in hanging {
            if is_unknown {
                hang(cx, part, needed);
            }
        }
    }

    /// Waiting times and runners, where they are configured.
    pub(super) async fn worker_parts(&self, cx: &Context, repo: &str, gathered: &mut Gathered) {
        if self.config.rules.queue
            && let Some(runs) = &gathered.snapshot.runs
        {
            let kept = &mut gathered.kept;
            let missing = queue::fill(&self.client, repo, runs, cx.now(), kept, self.config.reserve).await;
            if let Some(missing) = cx.part(QUEUE, missing) {
                cx.pending(QUEUE, missing);
                gathered.snapshot.queue = (missing == 0).then(|| kept.waits.clone());
            }
        }
        if self.config.rules.runners {
            gathered.snapshot.runners = cx.part(RUNNERS, queue::runners(&self.client, repo).await);
        }
    }
}

/// Makes a part unknown because one that it needs is: failed where that failed, waiting where that waits.
fn hang(cx: &Context, part: Part, needed: Part) {
    if cx.findings().gaps.contains_key(needed.name()) {
        cx.gap(part, format!("it needs {}, which failed", needed.name()));
    } else {
        cx.pending(part, 1);
    }
}

/// Says of each deployment what came with it, as far as that is known.
fn ship(deployments: &mut Deployments, successes: &[Success], kept: &Kept) {
    let comparisons = facts::comparisons(successes, kept);
    for (deployment, between) in deployments.successes.iter_mut().zip(comparisons) {
        deployment.commits = between.map_or(Some(Vec::new()), |between| kept.shipped.get(&between).cloned());
    }
}
