//! What happens on GitHub: repositories with pull requests, commits, branches, runs, issues and deployments.

use super::PersonId;
use jiff::Timestamp;

/// One repository and all that ever happened in it.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Owner, such as `acme`.
    pub owner: String,
    /// Name, such as `web`.
    pub name: String,
    /// Name of the default branch: `main`, `master` or `trunk`.
    pub default_branch: String,
    /// Whether it holds any commit; an empty one has no default branch ref.
    pub empty: bool,
    /// When it began.
    pub created_at: Timestamp,
    /// Pull requests by ascending number.
    pub pulls: Vec<Pull>,
    /// Commits that ever reached the default branch, by ascending `landed_at`.
    pub commits: Vec<Commit>,
    /// Branches other than the default one, head branches of pull requests in this repository included.
    pub branches: Vec<Branch>,
    /// Workflows by ascending id.
    pub workflows: Vec<Workflow>,
    /// Workflow runs by ascending `created_at`.
    pub runs: Vec<Run>,
    /// Issues, pull requests excluded; they share the numbering with pull requests.
    pub issues: Vec<Issue>,
    /// Deployments by ascending `created_at`.
    pub deployments: Vec<Deployment>,
    /// Force pushes, to any branch.
    pub force_pushes: Vec<ForcePush>,
    /// Evaluations of the branch rules, at each push.
    pub rule_suites: Vec<RuleSuite>,
    /// Self-hosted runners.
    pub runners: Vec<Runner>,
}

/// A pull request and its life.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Number within the repository.
    pub number: u64,
    /// Author; `None` is a deleted account, which the API shows as a null author.
    pub author: Option<PersonId>,
    /// Title: text of a person, never to leave the collector.
    pub title: String,
    /// Description.
    pub body: String,
    /// The branch it is to be merged into.
    pub base: String,
    /// The branch it comes from.
    pub head: String,
    /// Whether the head branch is in a fork.
    pub from_fork: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Whether it was opened as a draft.
    pub born_draft: bool,
    /// Turns between draft and ready after opening, ascending: `true` is "converted to draft".
    pub draft_turns: Vec<(Timestamp, bool)>,
    /// Reviews, ascending; one without time is pending and seen by its author alone.
    pub reviews: Vec<Review>,
    /// Conversation comments, ascending.
    pub comments: Vec<Comment>,
    /// Labels with the time they were added.
    pub labels: Vec<(String, Timestamp)>,
    /// When it was merged.
    pub merged_at: Option<Timestamp>,
    /// When it was closed, merged ones included (the same instant as `merged_at`).
    pub closed_at: Option<Timestamp>,
    /// Paths it touches, new names of renamed files, distinct.
    pub files: Vec<String>,
    /// The commit on the base branch that merged it, where it was merged.
    pub merge_commit: Option<String>,
    /// Later touches that only move `updatedAt` (a label edit, a reference, a bot).
    pub touches: Vec<Timestamp>,
}

/// A submitted or pending review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Reviewer; `None` is a deleted account.
    pub author: Option<PersonId>,
    /// Null while pending.
    pub submitted_at: Option<Timestamp>,
    /// `APPROVED`, `CHANGES_REQUESTED`, `COMMENTED`, `DISMISSED` or `PENDING`.
    pub state: &'static str,
    /// Text of the review itself, often empty.
    pub body: String,
    /// Number of inline comments that came with it.
    pub inline_comments: u32,
}

/// A conversation comment.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Author; `None` is a deleted account.
    pub author: Option<PersonId>,
    /// When it was written.
    pub created_at: Timestamp,
    /// Its text.
    pub body: String,
}

/// A commit that reached the default branch.
#[derive(Debug, Clone)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub sha: String,
    /// Committer date.
    pub committed_at: Timestamp,
    /// Author date, at or before the committer date.
    pub authored_at: Timestamp,
    /// When the default branch came to contain it: never before `committed_at`, sometimes days later (merge commits
    /// bring older commits along).
    pub landed_at: Timestamp,
    /// Primary author.
    pub author: PersonId,
    /// Which of the author's addresses it carries.
    pub email: String,
    /// Whole message; the first line is the headline.
    pub message: String,
    /// Shas of its parents; two or more make it a merge commit.
    pub parents: Vec<String>,
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Paths touched, each with its former name where it was renamed.
    pub files: Vec<(String, Option<String>)>,
    /// The pull request it came with, if any.
    pub pull: Option<u64>,
}

/// A branch other than the default one.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Name without `refs/heads/`; may hold slashes.
    pub name: String,
    /// Committer dates of its tips, with the time each became the tip; ascending by the latter. The first creates it.
    pub tips: Vec<(Timestamp, Timestamp)>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
}

/// A workflow file.
#[derive(Debug, Clone)]
pub struct Workflow {
    /// Its id.
    pub id: u64,
    /// Display name.
    pub name: String,
    /// Such as `.github/workflows/test.yml`.
    pub path: String,
    /// `active`, `disabled_manually`, `disabled_inactivity` or `deleted`.
    pub state: &'static str,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A run of a workflow with all its attempts.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id, ascending with time.
    pub id: u64,
    /// [`Workflow::id`].
    pub workflow: u64,
    /// Counts up within a workflow.
    pub run_number: u64,
    /// `push`, `pull_request`, `schedule`, `workflow_dispatch`, `merge_group`, `pull_request_target`, …
    pub event: &'static str,
    /// Head branch; a fork may have one of the default branch's name.
    pub head_branch: String,
    /// Head commit.
    pub head_sha: String,
    /// Whether the head is in a fork.
    pub from_fork: bool,
    /// Who set it off.
    pub actor: PersonId,
    /// When it was created.
    pub created_at: Timestamp,
    /// Attempts, ascending; at least one.
    pub attempts: Vec<Attempt>,
}

/// One attempt at a run.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// `run_started_at`; the first is the run's `created_at`.
    pub started_at: Timestamp,
    /// When it got past the queue (status `queued` before, `in_progress` after).
    pub running_at: Timestamp,
    /// When it ended; `None` never ends within the story.
    pub completed_at: Option<Timestamp>,
    /// `success`, `failure`, `timed_out`, `startup_failure`, `cancelled`, `skipped`, `neutral`, `stale` or
    /// `action_required`: what it ended with.
    pub conclusion: &'static str,
    /// Its jobs; none for startup failures and skipped runs.
    pub jobs: Vec<Job>,
}

/// One job of an attempt.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// When it was queued.
    pub created_at: Timestamp,
    /// When a runner took it; `None` if none ever did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// As of an attempt.
    pub conclusion: &'static str,
    /// `runs-on` labels, the first is the class.
    pub labels: Vec<String>,
    /// Name of the runner that took it.
    pub runner: Option<String>,
}

/// An issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Number, shared with pull requests.
    pub number: u64,
    /// Title: text of a person.
    pub title: String,
    /// Labels.
    pub labels: Vec<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// A deployment with its statuses.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Its id.
    pub id: u64,
    /// Such as `production`.
    pub environment: String,
    /// The commit deployed: one that had reached the default branch.
    pub sha: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// `QUEUED`, `IN_PROGRESS`, `SUCCESS`, `FAILURE`, `ERROR`, `INACTIVE` with their times, ascending.
    pub statuses: Vec<(&'static str, Timestamp)>,
}

/// A push that rewrote a branch.
#[derive(Debug, Clone)]
pub struct ForcePush {
    /// Id of the activity.
    pub id: u64,
    /// Branch without `refs/heads/`.
    pub branch: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: PersonId,
    /// Tip before and after.
    pub before: String,
    /// Tip after.
    pub after: String,
}

/// An evaluation of a branch's rules.
#[derive(Debug, Clone)]
pub struct RuleSuite {
    /// Its id.
    pub id: u64,
    /// Branch without `refs/heads/`.
    pub branch: String,
    /// When it was pushed.
    pub at: Timestamp,
    /// Who pushed.
    pub actor: PersonId,
    /// `pass`, `fail` or `bypass`.
    pub result: &'static str,
    /// The commit it let in.
    pub after: String,
}

/// A self-hosted runner as it always is.
#[derive(Debug, Clone)]
pub struct Runner {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Whether it answers.
    pub online: bool,
    /// Whether it works on something.
    pub busy: bool,
    /// Its labels.
    pub labels: Vec<String>,
}
