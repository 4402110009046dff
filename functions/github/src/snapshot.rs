//! What is known of one repository at one instant: slim, without any text of a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// All that is known of one repository; `None` is what could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// `owner/name`.
    pub repo: String,
    /// The configuration that the formulas need.
    pub rules: Rules,
    /// The branch that counts, once known.
    pub branch: Option<String>,
    /// Pull requests.
    pub pulls: Option<Pulls>,
    /// Branches other than the one that counts.
    pub branches: Option<Vec<Branch>>,
    /// Commits reachable from the branch with a committer date in the window.
    pub commits: Option<Vec<Commit>>,
    /// Open issues by configured label, `any` for all of them.
    pub issues: Option<BTreeMap<String, u64>>,
    /// Workflow files.
    pub workflows: Option<Vec<Workflow>>,
    /// Runs created in the window.
    pub runs: Option<Vec<Run>>,
    /// For workflows without a decisive run on the branch in the window, back to 14 days: the newest decisive one, and the
    /// newest push, by their ids.
    pub older_decisive: Option<BTreeMap<u64, Run>>,
    /// Events that reached the branch around its rules; `None` when one of the configured sources could not be read.
    pub forced: Option<Vec<Timestamp>>,
    /// For each passed run with more than one attempt: whether an earlier attempt failed. `None` until all are known.
    pub failed_before: Option<BTreeMap<u64, bool>>,
    /// Cancelled runs that a time limit stopped. `None` until every candidate was opened.
    pub stopped_by_limit: Option<BTreeSet<u64>>,
    /// Paths of commits on the branch that belong to no pull request, by commit. `None` until all are known.
    pub direct_files: Option<BTreeMap<String, Vec<String>>>,
    /// Deployments, where they are configured.
    pub deployments: Option<Deployments>,
    /// Waiting times of jobs, where they are configured.
    pub queue: Option<Vec<Wait>>,
    /// Self-hosted runners, where they are configured.
    pub runners: Option<Vec<Runner>>,
}

impl Snapshot {
    /// Nothing known of a repository.
    #[must_use]
    pub fn unknown(repo: &str, rules: Rules) -> Self {
        Self {
            repo: repo.to_owned(),
            rules,
            branch: None,
            pulls: None,
            branches: None,
            commits: None,
            issues: None,
            workflows: None,
            runs: None,
            older_decisive: None,
            forced: None,
            failed_before: None,
            stopped_by_limit: None,
            direct_files: None,
            deployments: None,
            queue: None,
            runners: None,
        }
    }
}

/// The configuration that the formulas need.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `GITHUB_BUG_LABELS`, lower case.
    pub bug_labels: Vec<String>,
    /// `GITHUB_BLOCKING_WORKFLOWS`, names or file names; `None` is the default rule.
    pub blocking: Option<Vec<String>>,
    /// `GITHUB_BENCHMARK_WORKFLOWS`; `None` is the default rule.
    pub benchmark: Option<Vec<String>>,
    /// Whether deployments are configured.
    pub deploys: bool,
    /// Whether waiting times are asked for.
    pub queue: bool,
    /// `GITHUB_RUNNER_CLASSES`.
    pub runner_classes: Vec<String>,
    /// Whether runners are asked for.
    pub runners: bool,
}

impl fmt::Debug for Rules {
    /// No value: what is configured is in no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

/// The three sets of pull requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Pulls {
    /// Open now.
    pub open: Vec<OpenPull>,
    /// Merged, at least all of the window.
    pub merged: Vec<MergedPull>,
    /// When each pull request that was closed without a merge was closed, by number; at least all of the window.
    pub closed: BTreeMap<u64, Timestamp>,
}

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPull {
    /// Its number.
    pub number: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Whether it is a draft.
    pub draft: bool,
}

/// A merged pull request with the life it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedPull {
    /// Its number.
    pub number: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was merged.
    pub merged_at: Timestamp,
    /// `createdAt`, or the last ready-for-review event if it was a draft after opening.
    pub live_since: Timestamp,
    /// Whether it was merged into the branch that counts.
    pub into_branch: bool,
    /// Comments of human others: inline review comments, reviews with text, conversation comments.
    pub comments: u64,
    /// First review or comment of a human other.
    pub first_review: Option<Timestamp>,
    /// Its title, body or label says hotfix.
    pub hotfix: bool,
    /// Its title, body or label says revert.
    pub revert: bool,
    /// Paths it touches, digested; `None` until all pages are known.
    pub files: Option<Vec<String>>,
}

/// A branch other than the one that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Branch {
    /// Committer date of its tip.
    pub committed_at: Timestamp,
    /// Whether an open pull request comes from it.
    pub has_open_pull: bool,
}

/// A commit on the branch.
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not exclude each other")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Its sha.
    pub oid: String,
    /// Committer date.
    pub committed_at: Timestamp,
    /// Its primary author, digested: the account, else the lower-cased address.
    pub author: String,
    /// Whether the author is a bot.
    pub bot: bool,
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Whether it has two parents or more.
    pub merge: bool,
    /// The pull request that brought it.
    pub pull: Option<u64>,
    /// Its headline or body says hotfix.
    pub hotfix: bool,
    /// Its headline or body says revert.
    pub revert: bool,
}

/// A workflow file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workflow {
    /// Its id.
    pub id: u64,
    /// Its display name.
    pub name: String,
    /// Its file name without folders.
    pub file: String,
    /// Whether it is active.
    pub active: bool,
}

/// A workflow run, as its newest attempt left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: u64,
    /// Its workflow.
    pub workflow: u64,
    /// Counts up within the workflow.
    pub number: u64,
    /// Its newest attempt.
    pub attempt: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its newest attempt started.
    pub started_at: Timestamp,
    /// When it last changed; of a completed one, when it finished.
    pub updated_at: Timestamp,
    /// Its head commit.
    pub head: String,
    /// Whether it ran on the branch itself: head branch of this repository, by no pull request event.
    pub on_branch: bool,
    /// Whether its event makes the workflow a blocking one by default: `push` or `merge_group`.
    pub push: bool,
    /// What it ended with; `None` while it is not completed.
    pub conclusion: Option<String>,
    /// Why it is not completed, in GitHub's word, such as `in_progress` or `waiting`.
    pub open: Option<String>,
}

/// Deployments of the configured environment or workflow in the window of 30 days, and what they shipped.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deployments {
    /// Successful deployments by ascending success, the last one before the window first if there is one.
    pub successes: Vec<Deployment>,
    /// Incident issues: opened, and closed where they are.
    pub incidents: Vec<(Timestamp, Option<Timestamp>)>,
}

/// One successful deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// When it succeeded.
    pub succeeded_at: Timestamp,
    /// The commits that it contains and its predecessor does not; `None` until the comparison is known.
    pub commits: Option<Vec<Shipped>>,
}

/// A commit that a deployment shipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    /// Its object name.
    pub oid: String,
    /// Its commit date.
    pub committed_at: Timestamp,
    /// Whether it is a hotfix change.
    pub hotfix: bool,
    /// Whether it is a revert.
    pub revert: bool,
}

/// How long a job waited for its runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Its id.
    pub job: u64,
    /// When the run it belongs to finished.
    pub finished_at: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When a runner took it.
    pub started_at: Timestamp,
    /// Its `runs-on` labels.
    pub labels: Vec<String>,
}

/// A self-hosted runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runner {
    /// Whether it answers.
    pub online: bool,
    /// Whether it works on something.
    pub busy: bool,
}
