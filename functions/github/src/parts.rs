//! The parts that a repository is read in.

use crate::config::{Config, Sources};
use shared::Part;

/// Open, closed and merged pull requests.
pub(crate) const PULLS: Part = Part::new("pulls");
/// Branches.
pub(crate) const BRANCHES: Part = Part::new("branches");
/// Commits of the branch that counts.
pub(crate) const COMMITS: Part = Part::new("commits");
/// Open issues.
pub(crate) const ISSUES: Part = Part::new("issues");
/// Paths that changes touch.
pub(crate) const FILES: Part = Part::new("files").filling();
/// Workflow runs, and the workflows.
pub(crate) const RUNS: Part = Part::new("runs").filling();
/// Earlier attempts of runs that passed.
pub(crate) const FLAKY: Part = Part::new("flaky").filling();
/// Jobs of runs that a time limit may have stopped.
pub(crate) const TIMEOUTS: Part = Part::new("timeouts").filling();
/// Events that reached the branch around its rules.
pub(crate) const FORCE: Part = Part::new("force");
/// Deployments and incidents.
pub(crate) const DEPLOYMENTS: Part = Part::new("deployments");
/// What came with each deployment.
pub(crate) const DORA: Part = Part::new("dora").filling();
/// Waiting times of jobs.
pub(crate) const QUEUE: Part = Part::new("queue").filling();
/// Self-hosted runners.
pub(crate) const RUNNERS: Part = Part::new("runners");

/// The parts that are configured.
pub(crate) fn configured(config: &Config) -> Vec<Part> {
    let mut parts = vec![PULLS, BRANCHES, COMMITS, ISSUES, FILES, RUNS, FLAKY, TIMEOUTS];
    let Sources { activity, labels, rule_suites } = config.sources;
    let more = [
        (FORCE, activity || labels || rule_suites),
        (DEPLOYMENTS, config.deploys.is_some()),
        (DORA, config.deploys.is_some()),
        (QUEUE, config.rules.queue),
        (RUNNERS, config.rules.runners),
    ];
    parts.extend(more.into_iter().filter_map(|(part, configured)| configured.then_some(part)));
    parts
}
