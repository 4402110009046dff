//! The parts of a fetch: each known or a gap of its own.

use super::deployments::Success;
use super::details;
use super::facts::{self, Facts};
use super::issues::Issues;
use super::pull::Reading;
use super::pulls::Forced;
use super::questions::Rounds;
use super::shipped::Reader;
use super::{OVERLAP, Upstream, WEEK, ci, force, queue};
use crate::kept::{Fetched, Kept};
use crate::snapshot::{Deployments, Run, Snapshot, Workflow};
use shared::{Context, Result};

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
        if let Some((pulls, forced)) = cx.part("pulls", pulls) {
            gathered.snapshot.pulls = Some(pulls);
            gathered.kept.forced = forced;
        }
        // A place that GitHub does not understand any more must not be tried again.
        gathered.kept.cursors = Vec::new();
        if let Some(branches) = cx.part("branches", rounds.branches.done()) {
            let (branches, cursors) = branches.finish(branch);
            gathered.snapshot.branches = Some(branches);
            gathered.kept.cursors = cursors;
        }
        if let Some(commits) = cx.part("commits", rounds.commits.done()) {
            let (commits, head) = commits.finish();
            gathered.snapshot.commits = Some(commits);
            gathered.kept.head = head;
        }
        gathered.snapshot.issues = cx.part("issues", rounds.issues.done()).map(Issues::finish);
        if let Some(shipping) = rounds.shipping {
            let shipping = match shipping.done() {
                Ok(shipping) => shipping.finish(&self.client, repo, branch).await,
                Err(error) => Err(error),
            };
            if let Some((successes, deployments)) = cx.part("deployments", shipping) {
                gathered.successes = successes;
                gathered.snapshot.deployments = Some(deployments);
            }
        }
    }

    /// The events that reached the branch around its rules.
    pub(super) fn force_part(&self, cx: &Context, gathered: &mut Gathered, events: Result<force::Events>) {
        let sources = self.config.sources;
        if !(sources.activity || sources.labels || sources.rule_suites) {
            return;
        }
        let Some(events) = cx.part("force", events) else { return };
        let none = Forced::new();
        let labelled = match (sources.labels, gathered.snapshot.pulls.is_some()) {
            (false, _) => &none,
            (true, true) => &gathered.kept.forced,
            (true, false) => return cx.gap("force", "the pull requests with their labels are unknown"),
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
        if let Some((workflows, at)) = cx.part("runs", workflows) {
            if at < cx.now() {
                cx.reused(at);
            }
            gathered.kept.workflows_at = at;
            gathered.snapshot.workflows = Some(workflows);
        }
        gathered.kept.missing = runs.missing;
        if let Some(why) = runs.why {
            cx.gap("runs", why.with_causes());
            gathered.kept.partial = runs.inside;
            return;
        }
        gathered.kept.partial = Vec::new();
        if let Some(workflows) = &gathered.snapshot.workflows {
            let older = last.and_then(|last| Some((last.snapshot.older_decisive.as_ref()?, runs.dropped.as_slice())));
            let facts: (&[Workflow], &[Run], _) = (workflows, &runs.inside, &self.config.rules);
            gathered.snapshot.older_decisive =
                cx.part("runs", ci::older(&self.client, repo, branch, facts, older, cx.now()).await);
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
            successes,
            limits: &self.config.limits,
        };
        let reader = Reader { digester: &self.digester, config: &self.config };
        let errors = details::fill((&self.client, repo, reader), &facts, kept, allowance, self.config.reserve).await;
        for (part, error) in errors {
            cx.gap(part, error.with_causes());
        }
        facts.prune(kept);
        let (failed, stopped, files) =
            (facts.failed_before(kept), facts.stopped_by_limit(kept), facts.direct_files(kept));
        if let Some(deployments) = &mut snapshot.deployments {
            ship(deployments, successes, kept);
        }
        let lacks_files = snapshot.pulls.iter().flat_map(|pulls| &pulls.merged).any(|pull| pull.files.is_none());
        if lacks_files {
            cx.gap("files", "the files of a pull request are unknown");
        }
        (snapshot.failed_before, snapshot.stopped_by_limit, snapshot.direct_files) = (failed, stopped, files);
        // A part that hangs on another one is unknown with it: its rows are absent, so its gap says so too.
        let hanging = [
            ("flaky", snapshot.failed_before.is_none(), "the runs are unknown"),
            ("timeouts", snapshot.stopped_by_limit.is_none(), "the runs are unknown"),
            ("files", snapshot.direct_files.is_none(), "the commits are unknown"),
            ("files", snapshot.pulls.is_none(), "the pull requests are unknown"),
        ];
        for (part, _, why) in hanging.into_iter().filter(|(_, unknown, _)| *unknown) {
            cx.gap(part, why);
        }
    }

    /// Waiting times and runners, where they are configured.
    pub(super) async fn worker_parts(&self, cx: &Context, repo: &str, last: Option<&Fetched>, gathered: &mut Gathered) {
        if self.config.rules.queue
            && let Some(runs) = &gathered.snapshot.runs
        {
            let since = last.map_or(cx.now(), |last| last.kept.at) - OVERLAP;
            let waits =
                queue::waits(&self.client, repo, runs, since, cx.now(), &mut gathered.kept, self.config.reserve).await;
            gathered.snapshot.queue = cx.part("queue", waits);
        }
        if self.config.rules.runners {
            gathered.snapshot.runners = cx.part("runners", queue::runners(&self.client, repo).await);
        }
    }
}

/// Says of each deployment what came with it, as far as that is known.
fn ship(deployments: &mut Deployments, successes: &[Success], kept: &Kept) {
    let comparisons = facts::comparisons(successes, kept);
    for (deployment, between) in deployments.successes.iter_mut().zip(comparisons) {
        deployment.commits = between.map_or(Some(Vec::new()), |between| kept.shipped.get(&between).cloned());
    }
}
