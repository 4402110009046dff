//! What the collector says: its rows of the catalogue.

/// The `workflow_category` of its rows, by the beginnings of their names.
pub const CATEGORIES: &[(&str, &str)] =
    &[("github.ci.", "ci"), ("github.runners.", "ci"), ("github.", "code"), ("health.ci.", "ci")];

/// The requests that a run may make for one target.
pub const BUDGET: shared::Budget =
    shared::Budget { targets: "GITHUB_REPOS", full: 40.0, continued: 8.0, tenfold: 160.0, tenfold_continued: 8.0 };

shared::catalogue! {
    /// Open pull requests, drafts included.
    PRS_OPEN = Gauge "github.prs.open" in Item by ["repo"], fold Sum, better Neither;
    /// Pull requests merged in the last seven days, into any branch, bots included.
    PRS_MERGED = Gauge "github.prs.merged_7d" in Item by ["repo"], fold Sum, better Up;
    /// Pull requests closed without a merge in the last seven days.
    PRS_CLOSED = Gauge "github.prs.closed_without_merge_7d" in Item by ["repo"], fold Sum, better Neither;
    /// Mean hours from ready for review to merge, over the merges of the last seven days; draft time is left out.
    PRS_TIME_TO_MERGE = Gauge "github.prs.avg_time_to_merge_hours" in Hour by ["repo"], fold None, better Down;
    /// Mean hours from opening to merge, over the merges of the last seven days; draft time is included.
    PRS_CYCLE_TIME_MEAN = Gauge "github.prs.cycle_time_hours" in Hour by ["repo"], fold None, better Down;
    /// Open pull requests, drafts included, that were opened more than 14 days ago.
    PRS_STALE = Gauge "github.prs.stale_count_14d" in Item by ["repo"], fold Sum, better Down;
    /// Percentage of the merges of the last seven days with at least one comment of a person other than the author:
    /// an inline review comment, a review with text or a conversation comment.
    PRS_COMMENTED = Gauge "github.prs.with_review_comments_pct" in Percent by ["repo"], fold None, better Up;
    /// Mean number of comments of people other than the author, over the merges of the last seven days.
    PRS_COMMENTS = Gauge "github.prs.avg_comments_per_pr" in Item by ["repo"], fold None, better Neither;
    /// Mean hours from ready for review to the first review or comment of a person other than the author, over the
    /// merges of the last seven days that have one; a first comment on a draft counts as 0 h.
    PRS_FIRST_REVIEW = Gauge "github.prs.time_to_first_review_hours" in Hour by ["repo"], fold None, better Down;
    /// Branches other than the default one whose tip was committed in the last 30 days.
    BRANCHES_ACTIVE = Gauge "github.branches.active" in Item by ["repo"], fold Sum, better Neither;
    /// Commits on the default branch with a committer date in the last seven days, merge commits included.
    COMMITS = Gauge "github.commits.total_7d" in Commit by ["repo"], fold Sum, better Neither;
    /// Changes of the last seven days that are hotfixes by title or label. A change is a pull request merged into the
    /// default branch, or a commit on it that belongs to no pull request.
    HOTFIXES = Gauge "github.commits.hotfix" in Commit by ["repo"], fold Sum, better Down;
    /// Changes of the last seven days that are reverts by title, body or label; a revert of a revert is none.
    REVERTS = Gauge "github.commits.reverts" in Commit by ["repo"], fold Sum, better Down;
    /// Events of the last seven days that reached the default branch around its rules: force pushes, bypassed rules and
    /// merges labelled so, from the configured sources.
    FORCE_MERGES = Gauge "github.commits.force_merge_7d" in Commit by ["repo"], fold Sum, better Down;
    /// Commits of the last seven days for each active developer; a figure of the team, not a target.
    COMMITS_PER_DEVELOPER = Gauge "github.commits.per_developer_7d" in Commit by ["repo"], fold None, better Neither;
    /// Lines added by the commits of the last seven days on the default branch, merge commits left out.
    LINES_ADDED = Gauge "github.code.lines_added_7d" in Item by ["repo"], fold Sum, better Neither;
    /// Lines deleted by the commits of the last seven days on the default branch, merge commits left out.
    LINES_DELETED = Gauge "github.code.lines_deleted_7d" in Item by ["repo"], fold Sum, better Neither;
    /// Distinct paths touched by the changes of the last seven days; a renamed file counts under its new name.
    FILES_CHANGED = Gauge "github.code.files_changed_7d" in File by ["repo"], fold Sum, better Neither;
    /// Whether the newest decisive run on the default branch of every blocking workflow passed (1) or of any failed (0);
    /// no point while one of them is unknown and none failed.
    CI_TESTS_PASSING = Gauge "github.ci.tests_passing_on_main" in Check by ["repo"], fold Min, better Up;
    /// Whether the newest decisive run on the default branch of every benchmark workflow passed (1) or of any failed
    /// (0); no point while one of them is unknown and none failed, or where there is no such workflow.
    CI_BENCHMARKS_PASSING = Gauge "github.ci.benchmarks_passing" in Check by ["repo"], fold Min, better Up;
    /// Workflow runs created in the last seven days, of all branches and events and in any state.
    CI_RUNS = Gauge "github.ci.workflow_runs_7d" in Run by ["repo"], fold Sum, better Neither;
    /// Workflow runs of the last seven days that failed, timed out or could not start.
    CI_FAILED = Gauge "github.ci.failed_workflows_7d" in Run by ["repo"], fold Sum, better Down;
    /// Workflow runs of the last seven days that a time limit stopped; those cancelled by a person or a newer push do
    /// not count.
    CI_TIMEOUTS = Gauge "github.ci.timeout_cancellations_7d" in Run by ["repo"], fold Sum, better Down;
    /// Distinct pairs of workflow and commit of the last seven days that failed and then passed without a change.
    CI_FLAKY = Gauge "github.ci.flaky_checks_7d" in Run by ["repo"], fold Sum, better Down;
    /// Mean minutes that a decisive run of the last seven days took, its last attempt alone.
    CI_DURATION_MEAN = Gauge "github.ci.avg_workflow_duration_minutes" in Minute by ["repo"], fold None, better Down;
    /// Median of the minutes that the decisive runs of the last seven days took.
    CI_DURATION_P50 = Gauge "github.ci.duration_p50_minutes" in Minute by ["repo"], fold None, better Down;
    /// 90th percentile of the minutes that the decisive runs of the last seven days took.
    CI_DURATION_P90 = Gauge "github.ci.duration_p90_minutes" in Minute by ["repo"], fold None, better Down;
    /// 99th percentile of the minutes that the decisive runs of the last seven days took.
    CI_DURATION_P99 = Gauge "github.ci.duration_p99_minutes" in Minute by ["repo"], fold None, better Down;
    /// Distinct primary authors of the commits of the last seven days on the default branch, bots left out.
    DEVELOPERS = Gauge "github.developers.active_7d" in User by ["repo"], fold None, better Up;
    /// Open pull requests that are drafts.
    PRS_DRAFT = Gauge "github.prs.draft" in Item by ["repo"], fold Sum, better Neither;
    /// Median of the hours from opening to merge, over the merges of the last seven days.
    PRS_CYCLE_TIME_P50 = Gauge "github.prs.cycle_time_hours.p50" in Hour by ["repo"], fold None, better Down;
    /// 90th percentile of the hours from opening to merge, over the merges of the last seven days.
    PRS_CYCLE_TIME_P90 = Gauge "github.prs.cycle_time_hours.p90" in Hour by ["repo"], fold None, better Down;
    /// Median of the hours from ready for review to the first review or comment, over the merges of the last seven
    /// days; a merge without any counts its whole time from ready to merge.
    PRS_PICKUP_P50 = Gauge "github.prs.pickup_time_hours.p50" in Hour by ["repo"], fold None, better Down;
    /// 90th percentile of the hours from ready for review to the first review or comment, over the merges of the last
    /// seven days; a merge without any counts its whole time from ready to merge.
    PRS_PICKUP_P90 = Gauge "github.prs.pickup_time_hours.p90" in Hour by ["repo"], fold None, better Down;
    /// Median of the hours from first review or comment to merge, over the reviewed merges of the last seven days.
    PRS_REVIEW_P50 = Gauge "github.prs.review_time_hours.p50" in Hour by ["repo"], fold None, better Down;
    /// 90th percentile of the hours from first review or comment to merge, over the reviewed merges of the last seven
    /// days.
    PRS_REVIEW_P90 = Gauge "github.prs.review_time_hours.p90" in Hour by ["repo"], fold None, better Down;
    /// Pull requests merged in the last seven days without any review or comment of a person other than the author;
    /// those of bots are included.
    PRS_UNREVIEWED = Gauge "github.prs.merged_without_review_7d" in Item by ["repo"], fold Sum, better Down;
    /// Pull requests merged in the slot.
    PRS_MERGED_NEW = Count "github.prs.merged.new" in Item by ["repo"], fold Sum, better Up;
    /// Pull requests merged in the slot within the target time from opening to merge (48 h).
    PRS_MERGED_IN_TIME_NEW = Count "github.prs.merged_within_target.new" in Item by ["repo"], fold Sum, better Up;
    /// Hotfix changes that reached the default branch in the slot.
    HOTFIXES_NEW = Count "github.commits.hotfix.new" in Commit by ["repo"], fold Sum, better Down;
    /// Reverts that reached the default branch in the slot.
    REVERTS_NEW = Count "github.commits.reverts.new" in Commit by ["repo"], fold Sum, better Down;
    /// Hours from opening to merge of each merged pull request.
    PRS_CYCLE_TIME = Distribution "github.prs.cycle_time" in Hour by ["repo"], fold None, better Down;
    /// Branches other than the default one whose tip is older than 30 days and that no open pull request comes from.
    BRANCHES_STALE = Gauge "github.branches.stale" in Item by ["repo"], fold Sum, better Down;
    /// Percentage of the decisive runs of the last seven days that passed: of all of them, and of those on the default
    /// branch.
    CI_SUCCESS_RATE = Gauge "github.ci.success_rate_pct" in Percent by ["branch_scope", "repo"], fold None, better Up;
    /// Completed runs of the last seven days by what they ended with.
    CI_CONCLUSIONS = Gauge "github.ci.runs_by_conclusion_7d" in Run by ["conclusion", "repo"], fold Sum, better Neither;
    /// Whether the newest decisive run on the default branch of an active workflow passed (1) or failed (0).
    CI_WORKFLOW_PASSING = Gauge "github.ci.workflow_passing" in Check by ["repo", "role", "workflow"],
        fold Min, better Up;
    /// Active workflows whose newest decisive run on the default branch failed, by role.
    CI_WORKFLOWS_FAILING = Gauge "github.ci.workflows_failing" in Item by ["repo", "role"], fold Sum, better Down;
    /// Minutes that each decisive run took, its last attempt alone.
    CI_DURATION = Distribution "github.ci.duration" in Minute by ["conclusion", "repo", "workflow"],
        fold None, better Down;
    /// Decisive runs on the default branch that finished in the slot.
    CI_DECIDED_NEW = Count "github.ci.runs_decided.new" in Run by ["repo"], fold Sum, better Neither;
    /// Runs on the default branch that passed in the slot.
    CI_PASSED_NEW = Count "github.ci.runs_passed.new" in Run by ["repo"], fold Sum, better Up;
    /// Seconds that each job waited for its runner.
    CI_QUEUE_TIME = Distribution "github.ci.queue_time" in Second by ["repo", "runner"], fold None, better Down;
    /// Self-hosted runners by state: busy, idle or offline.
    RUNNERS = Gauge "github.runners.count" in Worker by ["repo", "state"], fold None, better Neither;
    /// Open issues, without pull requests, with each configured label; `any` stands for all open issues.
    ISSUES_OPEN = Gauge "github.issues.open" in Item by ["label", "repo"], fold None, better Down;
    /// Successful deployments a day, over the last 30 days.
    DORA_FREQUENCY = Gauge "github.dora.deployment_frequency" in Operation / Day by ["repo"], fold None, better Up;
    /// Median hours from a commit to the success of the first deployment that contains it, over the deployments of the
    /// last 30 days.
    DORA_LEAD_TIME = Gauge "github.dora.lead_time_hours" in Hour by ["repo"], fold None, better Down;
    /// Percentage of the successful deployments of the last 30 days that failed: an incident was opened within 24 h and
    /// before the next deployment, or the next one shipped a revert or a hotfix.
    DORA_CHANGE_FAIL_RATE = Gauge "github.dora.change_fail_rate_pct" in Percent by ["repo"], fold None, better Down;
    /// Median hours that the incident issues closed in the last 30 days were open.
    DORA_RECOVERY_TIME = Gauge "github.dora.recovery_time_hours" in Hour by ["repo"], fold None, better Down;
    /// Percentage of the deployments of the last 30 days that shipped a hotfix.
    DORA_REWORK_RATE = Gauge "github.dora.rework_rate_pct" in Percent by ["repo"], fold None, better Down;

    /// Score of the tests on the default branch: 1 while they pass, 0 while one fails.
    SCORE_TESTS = Gauge "health.ci.tests_passing.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the failed runs of the last seven days: 1 for none, 0 from five.
    SCORE_FAILING = Gauge "health.ci.failing_workflows.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the hotfixes of the last seven days: 1 for none, 0 from ten.
    SCORE_HOTFIXES = Gauge "health.ci.hotfix_count.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the reverts of the last seven days: 1 for none, 0 from two.
    SCORE_REVERTS = Gauge "health.ci.revert_count.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the 90th percentile of run durations: 1 up to 3 minutes, 0 from 10.
    SCORE_DURATION = Gauge "health.ci.duration_p90.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the stale pull requests: 1 for none, 0 from 50.
    SCORE_STALE = Gauge "health.ci.stale_prs.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the mean time from opening to merge: 1 up to 24 hours, 0 from 72.
    SCORE_CYCLE_TIME = Gauge "health.ci.pr_cycle_time.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Share of the benchmark workflows with a known state that pass.
    SCORE_BENCHMARKS = Gauge "health.ci.benchmarks_passing.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the merges around the rules in the last seven days: 1 for none, 0 from 14.
    SCORE_FORCE_MERGES = Gauge "health.ci.force_merge_count.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the runs stopped by a time limit in the last seven days: 1 for none, 0 from 20.
    SCORE_TIMEOUTS = Gauge "health.ci.timeout_cancellations.fom" in Fraction by ["repo"], fold Min, better Up;
    /// Score of the flaky checks of the last seven days: 1 for none, 0 from 20.
    SCORE_FLAKY = Gauge "health.ci.flaky_checks.fom" in Fraction by ["repo"], fold Min, better Up;
}

#[cfg(test)]
mod tests {
    use super::METRICS;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_name_of_its_own_that_may_be_sent_and_the_tag_of_its_repository() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!((names.len(), METRICS.len()), (69, 69));
        for metric in METRICS {
            assert!(shared::tags::is_name(metric.name), "{}", metric.name);
            assert!(metric.tags.contains(&"repo") && metric.tags.is_sorted(), "{}", metric.name);
        }
    }
}
