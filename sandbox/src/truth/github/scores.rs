//! Health scores in [0, 1], of the same instant's levels.

use super::{View, runs};
use crate::truth::book::Book;
use crate::truth::statistics::{ratio, size};

pub(super) fn levels(view: View, book: &mut Book) {
    let repo = view.repo();
    let tags = [("repo", repo.as_str())];
    let less = |full: f64, length: f64| move |x: f64| (1.0 - (x - full) / length).clamp(0.0, 1.0);
    let passing = |x: f64| if x > 0.0 { 1.0 } else { 0.0 };
    book.maybe("health.ci.tests_passing.fom", &tags, book.get("github.ci.tests_passing_on_main", &tags).map(passing));
    let rows = [
        ("health.ci.failing_workflows.fom", "github.ci.failed_workflows_7d", less(0.0, 5.0)),
        ("health.ci.hotfix_count.fom", "github.commits.hotfix", less(0.0, 10.0)),
        ("health.ci.revert_count.fom", "github.commits.reverts", less(0.0, 2.0)),
        ("health.ci.duration_p90.fom", "github.ci.duration_p90_minutes", less(3.0, 7.0)),
        ("health.ci.stale_prs.fom", "github.prs.stale_count_14d", less(0.0, 50.0)),
        ("health.ci.pr_cycle_time.fom", "github.prs.cycle_time_hours", less(24.0, 48.0)),
        ("health.ci.force_merge_count.fom", "github.commits.force_merge_7d", less(0.0, 14.0)),
        ("health.ci.timeout_cancellations.fom", "github.ci.timeout_cancellations_7d", less(0.0, 20.0)),
        ("health.ci.flaky_checks.fom", "github.ci.flaky_checks_7d", less(0.0, 20.0)),
    ];
    for (name, source, score) in rows {
        book.maybe(name, &tags, book.get(source, &tags).map(score));
    }
    let benchmarks = runs::benchmark_results(view);
    let passed = benchmarks.iter().filter(|passed| **passed).count();
    book.maybe("health.ci.benchmarks_passing.fom", &tags, ratio(size(passed), size(benchmarks.len())));
}
