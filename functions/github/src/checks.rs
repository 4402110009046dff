//! What the collector judges: its checks, and its scores between 0 and 1.

use crate::metrics;
use shared::{Check, Combine, Condition, Operator, Score, Selector, Word, check};

/// How long a pull request may take from opening to merge.
pub(crate) const CYCLE_TIME: Condition = Condition::new(Operator::AtMost, 48.0).suffix("h");

/// Every check of the collector.
pub static CHECKS: &[Check] = &[
    check! {
        "ci.workflow.tests_blocking_merge" reads metrics::CI_TESTS_PASSING;
        "ci" / Word::Is("latest_state_of_main"), Word::Is("tests_blocking_merge"), "workflow_passing";
        Condition::new(Operator::Equal, 1.0), Check
    },
    check! {
        "ci.workflow.success" reads metrics::CI_WORKFLOW_PASSING where "role" = "blocking";
        "ci" / Word::Tag("workflow"), Word::Is("tests_blocking_merge"), "workflow_success";
        Condition::new(Operator::Equal, 1.0).word("success"), Check
    },
    check! {
        "ci.workflow.benchmarks" reads metrics::CI_BENCHMARKS_PASSING;
        "benchmarks" / Word::Is("latest_state_of_main"), Word::Is("benchmarks"), "workflow_passing";
        Condition::new(Operator::Equal, 1.0), Check
    },
    check! {
        "ci.workflow.other_failing" reads metrics::CI_WORKFLOWS_FAILING where "role" = "other";
        "ci" / Word::Is("latest_state_of_main"), Word::Is("other_workflows"), "failing_count";
        Condition::new(Operator::Below, 2.0), Item
    },
    check! {
        "ci.workflow.flaky_tests" reads metrics::CI_FLAKY;
        "ci" / Word::Is("latest_state_of_main"), Word::Is("tests_blocking_merge"), "flaky_tests";
        Condition::new(Operator::Below, 10.0), Run
    },
    check! {
        "ci.workflow.success_rate" reads metrics::CI_SUCCESS_RATE where "branch_scope" = "default";
        "ci" / Word::Is("ci_smoothness"), Word::Is("workflow_success"), "success_rate";
        Condition::new(Operator::AtLeast, 95.0).suffix("%"), Percent
    },
    check! {
        "ci.workflow.duration.p90" reads metrics::CI_DURATION_P90;
        "ci" / Word::Is("ci_smoothness"), Word::Is("workflow_duration"), "p90_minutes";
        Condition::new(Operator::Below, 5.0).suffix("m"), Minute, at least 5
    },
    check! {
        "ci.workflow.cancelled" reads metrics::CI_TIMEOUTS;
        "ci" / Word::Is("ci_smoothness"), Word::Is("jobs_cancelled"), "weekly_count";
        Condition::new(Operator::Below, 10.0), Run
    },
    check! {
        "github.hotfix.count" reads metrics::HOTFIXES;
        "code" / Word::Is("weekly_summary"), Word::Is("hotfix_commits"), "weekly_count";
        Condition::new(Operator::Below, 5.0), Commit
    },
    check! {
        "github.force_merge.count" reads metrics::FORCE_MERGES;
        "code" / Word::Is("weekly_summary"), Word::Is("force_merges"), "weekly_count";
        Condition::new(Operator::Below, 7.0), Commit
    },
    check! {
        "github.reverts.count" reads metrics::REVERTS;
        "code" / Word::Is("weekly_summary"), Word::Is("reverts"), "weekly_count";
        Condition::new(Operator::AtMost, 1.0), Commit
    },
    check! {
        "github.stale_prs.count" reads metrics::PRS_STALE;
        "code" / Word::Is("pr_flow"), Word::Is("stale_prs"), "open_over_14d";
        Condition::new(Operator::AtMost, 20.0), Item
    },
    check! {
        "github.pr_cycle_time.p90" reads metrics::PRS_CYCLE_TIME_P90;
        "code" / Word::Is("pr_flow"), Word::Is("pr_cycle_time"), "p90_hours";
        CYCLE_TIME, Hour, at least 5
    },
    check! {
        "github.bugs.count" reads metrics::ISSUES_OPEN, unless "label" = "any";
        "code" / Word::Is("bug_queue"), Word::Tag("label"), "open_count";
        Condition::new(Operator::Below, 1.0), Item
    },
];

/// Every score of the collector.
pub static SCORES: &[Score] = &[
    score(&metrics::SCORE_TESTS, &metrics::CI_TESTS_PASSING, |passing| Some(if passing > 0.0 { 1.0 } else { 0.0 })),
    score(&metrics::SCORE_FAILING, &metrics::CI_FAILED, |runs| falling(runs, 0.0, 5.0)),
    score(&metrics::SCORE_HOTFIXES, &metrics::HOTFIXES, |changes| falling(changes, 0.0, 10.0)),
    score(&metrics::SCORE_REVERTS, &metrics::REVERTS, |changes| falling(changes, 0.0, 2.0)),
    score(&metrics::SCORE_DURATION, &metrics::CI_DURATION_P90, |minutes| falling(minutes, 3.0, 10.0)),
    score(&metrics::SCORE_STALE, &metrics::PRS_STALE, |pulls| falling(pulls, 0.0, 50.0)),
    score(&metrics::SCORE_CYCLE_TIME, &metrics::PRS_CYCLE_TIME_MEAN, |hours| falling(hours, 24.0, 72.0)),
    Score {
        reads: Selector { metric: &metrics::CI_WORKFLOW_PASSING, having: &[("role", "benchmark")], lacking: &[] },
        combine: Combine::Mean,
        ..score(&metrics::SCORE_BENCHMARKS, &metrics::CI_WORKFLOW_PASSING, Some)
    },
    score(&metrics::SCORE_FORCE_MERGES, &metrics::FORCE_MERGES, |events| falling(events, 0.0, 14.0)),
    score(&metrics::SCORE_TIMEOUTS, &metrics::CI_TIMEOUTS, |runs| falling(runs, 0.0, 20.0)),
    score(&metrics::SCORE_FLAKY, &metrics::CI_FLAKY, |pairs| falling(pairs, 0.0, 20.0)),
];

/// The score of a row that has one value for a repository.
const fn score(row: &'static shared::Metric, source: &'static shared::Metric, points: fn(f64) -> Option<f64>) -> Score {
    Score { metric: row, reads: Selector { metric: source, having: &[], lacking: &[] }, combine: Combine::Sum, points }
}

/// 1 up to the best value, 0 from the worst, a straight line between.
#[expect(clippy::unnecessary_wraps, reason = "a score may have no value, and these always have one")]
fn falling(value: f64, best: f64, worst: f64) -> Option<f64> {
    Some((1.0 - (value - best) / (worst - best)).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::lines;
    use shared::{Metric, Overrides, Sample, Verdict, judge, scores};
    use std::collections::BTreeSet;

    fn judged(samples: &[Sample]) -> String {
        let verdicts = judge(CHECKS, &Overrides::default(), samples);
        lines(&verdicts.iter().flat_map(Verdict::samples).collect::<Vec<_>>())
    }

    fn status(row: &'static Metric, tags: &[(&'static str, &str)], value: f64) -> Option<f64> {
        let sample = tags.iter().fold(row.sample(value), |sample, (key, value)| sample.tag(key, value));
        let verdicts = judge(CHECKS, &Overrides::default(), &[sample]);
        let samples: Vec<Sample> = verdicts.iter().flat_map(Verdict::samples).collect();
        samples.iter().find(|sample| sample.name().ends_with(".status"))?.value()
    }

    #[test]
    fn every_check_passes_and_fails_where_its_condition_says() {
        type Case = (&'static Metric, &'static [(&'static str, &'static str)], &'static str, f64, f64);
        let cases: &[Case] = &[
            (&metrics::CI_TESTS_PASSING, &[], "eq_1", 1.0, 0.0),
            (&metrics::CI_WORKFLOW_PASSING, &[("role", "blocking"), ("workflow", "ci")], "eq_success", 1.0, 0.0),
            (&metrics::CI_BENCHMARKS_PASSING, &[], "eq_1", 1.0, 0.0),
            (&metrics::CI_WORKFLOWS_FAILING, &[("role", "other")], "lt_2", 1.0, 2.0),
            (&metrics::CI_FLAKY, &[], "lt_10", 9.0, 10.0),
            (&metrics::CI_SUCCESS_RATE, &[("branch_scope", "default")], "ge_95pct", 95.0, 94.9),
            (&metrics::CI_DURATION_P90, &[], "lt_5m", 4.9, 5.0),
            (&metrics::CI_TIMEOUTS, &[], "lt_10", 9.0, 10.0),
            (&metrics::HOTFIXES, &[], "lt_5", 4.0, 5.0),
            (&metrics::FORCE_MERGES, &[], "lt_7", 6.0, 7.0),
            (&metrics::REVERTS, &[], "le_1", 1.0, 2.0),
            (&metrics::PRS_STALE, &[], "le_20", 20.0, 21.0),
            (&metrics::PRS_CYCLE_TIME_P90, &[], "le_48h", 48.0, 48.1),
            (&metrics::ISSUES_OPEN, &[("label", "bug")], "lt_1", 0.0, 1.0),
        ];
        let names: BTreeSet<&str> = CHECKS.iter().map(|check| check.name).collect();
        assert_eq!((CHECKS.len(), names.len()), (cases.len(), cases.len()));
        for ((row, tags, words, passing, failing), check) in cases.iter().zip(CHECKS) {
            assert!(std::ptr::eq(check.reads.metric, *row), "{}", check.name);
            assert_eq!((check.condition.words().as_str(), check.unit), (*words, row.unit), "{}", check.name);
            assert_eq!(status(row, tags, *passing), Some(1.0), "{}", check.name);
            assert_eq!(status(row, tags, *failing), Some(0.0), "{}", check.name);
        }
    }

    #[test]
    fn a_member_is_judged_under_its_own_name_and_other_members_are_not_judged() {
        let of = |role: &str| {
            let sample = metrics::CI_WORKFLOW_PASSING.sample(0.0).tag("repo", "acme/web").tag("workflow", "ci");
            judged(&[sample.tag("role", role)])
        };
        let tags = "check:workflow_success,condition:eq_success,repo:acme/web,role:blocking,status:fail,\
                    task:tests_blocking_merge,unit:check,workflow:ci,workflow_category:ci,workflow_name:ci";
        let name = "metta.infra.cron.ci.workflow.success";
        assert_eq!(of("blocking"), format!("{name}.status{{{tags}}} 0\n{name}.target{{{tags}}} 1\n{name}{{{tags}}} 0"));
        assert_eq!(of("benchmark") + &of("other"), "");
        let elsewhere = metrics::CI_SUCCESS_RATE.sample(10.0).tag("branch_scope", "all");
        assert_eq!(judged(&[elsewhere]), "");
        let bugs = judged(&[metrics::ISSUES_OPEN.sample(3.0).tag("label", "training")]);
        assert!(bugs.contains("task:training") && bugs.contains("workflow_name:bug_queue"), "{bugs}");
    }

    #[test]
    fn every_score_goes_through_its_points() {
        type Case = (&'static Metric, &'static Metric, &'static [(f64, f64)]);
        let cases: &[Case] = &[
            (&metrics::SCORE_TESTS, &metrics::CI_TESTS_PASSING, &[(1.0, 1.0), (0.0, 0.0)]),
            (&metrics::SCORE_FAILING, &metrics::CI_FAILED, &[(0.0, 1.0), (2.0, 0.6), (5.0, 0.0), (9.0, 0.0)]),
            (&metrics::SCORE_HOTFIXES, &metrics::HOTFIXES, &[(0.0, 1.0), (5.0, 0.5), (10.0, 0.0)]),
            (&metrics::SCORE_REVERTS, &metrics::REVERTS, &[(0.0, 1.0), (1.0, 0.5), (2.0, 0.0)]),
            (&metrics::SCORE_DURATION, &metrics::CI_DURATION_P90, &[(1.0, 1.0), (3.0, 1.0), (5.0, 0.714), (10.0, 0.0)]),
            (&metrics::SCORE_STALE, &metrics::PRS_STALE, &[(0.0, 1.0), (20.0, 0.6), (50.0, 0.0)]),
            (
                &metrics::SCORE_CYCLE_TIME,
                &metrics::PRS_CYCLE_TIME_MEAN,
                &[(3.0, 1.0), (24.0, 1.0), (48.0, 0.5), (72.0, 0.0)],
            ),
            (&metrics::SCORE_FORCE_MERGES, &metrics::FORCE_MERGES, &[(0.0, 1.0), (7.0, 0.5), (14.0, 0.0)]),
            (&metrics::SCORE_TIMEOUTS, &metrics::CI_TIMEOUTS, &[(0.0, 1.0), (10.0, 0.5), (20.0, 0.0)]),
            (&metrics::SCORE_FLAKY, &metrics::CI_FLAKY, &[(0.0, 1.0), (10.0, 0.5), (20.0, 0.0)]),
        ];
        assert_eq!(SCORES.len(), cases.len() + 1);
        for (row, source, points) in cases {
            for (value, expected) in *points {
                let all = scores(SCORES, &[source.sample(*value).tag("repo", "acme/web")]);
                assert_eq!(all.len(), 1, "{}", row.name);
                let score = all[0].value().unwrap();
                assert_eq!(all[0].series(), format!("{}{{repo:acme/web}}", row.name));
                assert!((score - expected).abs() < 5e-4, "{} of {value} is {score}", row.name);
            }
        }
    }

    #[test]
    fn the_score_of_benchmarks_is_the_share_of_the_known_ones_that_pass() {
        let of = |value: Option<f64>, role: &str, workflow: &str| {
            metrics::CI_WORKFLOW_PASSING
                .maybe(value)
                .tag("repo", "acme/web")
                .tag("role", role)
                .tag("workflow", workflow)
        };
        let samples = [
            of(Some(1.0), "benchmark", "a"),
            of(Some(0.0), "benchmark", "b"),
            of(None, "benchmark", "c"),
            of(Some(0.0), "blocking", "d"),
        ];
        assert_eq!(lines(&scores(SCORES, &samples)), "health.ci.benchmarks_passing.fom{repo:acme/web} 0.5");
        assert_eq!(lines(&scores(SCORES, &samples[2..])), "");
    }
}
