//! What a snapshot means: every row of the catalogue as a formula over plain data.

mod branches;
mod commits;
mod dora;
mod issues;
mod pulls;
mod runners;
mod runs;
mod workflows;

use crate::snapshot::Snapshot;
use jiff::Timestamp;
use shared::Sample;

/// Every row of the repository, without a value where it is unknown; rows that are not configured are left out.
pub(crate) fn all(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let parts = [
        pulls::samples(snapshot.pulls.as_ref(), now),
        branches::samples(snapshot.branches.as_deref(), now),
        commits::samples(snapshot, now),
        runs::samples(snapshot, now),
        workflows::samples(snapshot, now),
        runners::samples(snapshot, now),
        issues::samples(&snapshot.rules.bug_labels, snapshot.issues.as_ref()),
        dora::samples(snapshot, now),
    ];
    parts.into_iter().flatten().map(|sample| sample.tag("repo", &snapshot.repo)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{
        Branch, Commit, Deployment, Deployments, MergedPull, OpenPull, Pulls, Rules, Run, Runner, Shipped, Wait,
        Workflow,
    };
    use crate::{checks, metrics};
    use shared::testing::{at, conforms, lines};
    use shared::{Metric, Overrides, Verdict, judge, scores};

    /// The week begins on the first of January at noon.
    pub(super) const NOW: &str = "2026-01-08T12:00:00Z";

    pub(super) fn jan(text: &str) -> Timestamp {
        at(&format!("2026-01-{text}Z"))
    }

    /// A repository of which nothing is known and for which nothing is configured.
    pub(super) fn nothing() -> Snapshot {
        Snapshot::unknown("acme/web", Rules::default())
    }

    /// A push to the branch that ran the first workflow for two minutes.
    pub(super) fn run(id: u64, conclusion: &str) -> Run {
        Run {
            id,
            workflow: 1,
            number: id,
            attempt: 1,
            created_at: jan("05T00:00:00"),
            started_at: jan("05T00:00:00"),
            updated_at: jan("05T00:02:00"),
            head: format!("head{id}"),
            on_branch: true,
            push: true,
            conclusion: Some(conclusion.into()),
            open: None,
        }
    }

    /// The known lines that begin with this text.
    pub(super) fn said(samples: &[Sample], beginning: &str) -> String {
        let lines = lines(samples);
        lines.lines().filter(|line| line.starts_with(beginning)).collect::<Vec<_>>().join("\n")
    }

    /// Something of everything.
    fn rich() -> Snapshot {
        let merged = MergedPull {
            number: 7,
            created_at: jan("05T00:00:00"),
            merged_at: jan("05T10:00:00"),
            live_since: jan("05T02:00:00"),
            into_branch: true,
            comments: 2,
            first_review: Some(jan("05T04:00:00")),
            hotfix: true,
            revert: false,
            files: Some(vec!["p1".into()]),
        };
        let commit = Commit {
            oid: "c1".into(),
            committed_at: jan("05T00:00:00"),
            author: "ada".into(),
            bot: false,
            additions: 5,
            deletions: 1,
            merge: false,
            pull: None,
            hotfix: false,
            revert: true,
        };
        let workflow = |id, name: &str, file: &str| Workflow { id, name: name.into(), file: file.into(), active: true };
        let shipped = Shipped { oid: "a".to_owned(), committed_at: jan("04T00:00:00"), hotfix: true, revert: false };
        Snapshot {
            rules: Rules {
                bug_labels: vec!["bug".into(), "training".into()],
                deploys: true,
                queue: true,
                runner_classes: vec!["linux".into()],
                runners: true,
                ..Rules::default()
            },
            branch: Some("main".into()),
            pulls: Some(Pulls {
                open: vec![OpenPull { number: 8, created_at: jan("07T00:00:00"), draft: true }],
                merged: vec![merged],
                closed: [(6, jan("06T00:00:00"))].into(),
            }),
            branches: Some(vec![Branch { committed_at: jan("06T00:00:00"), has_open_pull: true }]),
            commits: Some(vec![commit]),
            issues: Some([("any".into(), 4), ("bug".into(), 1), ("training".into(), 0)].into()),
            workflows: Some(vec![
                workflow(1, "CI", "ci.yml"),
                workflow(2, "CI", "benchmark.yml"),
                workflow(3, "Benchmark", "b.yml"),
            ]),
            runs: Some(vec![
                run(1, "success"),
                run(2, "failure"),
                Run { workflow: 2, ..run(3, "success") },
                Run { workflow: 3, ..run(4, "success") },
            ]),
            older_decisive: Some([].into()),
            forced: Some(vec![jan("06T00:00:00")]),
            failed_before: Some([].into()),
            stopped_by_limit: Some([].into()),
            direct_files: Some([("c1".to_owned(), vec!["p2".to_owned()])].into()),
            deployments: Some(Deployments {
                successes: vec![Deployment { succeeded_at: jan("05T00:00:00"), commits: Some(vec![shipped]) }],
                incidents: vec![(jan("05T01:00:00"), Some(jan("05T03:00:00")))],
            }),
            queue: Some(vec![Wait {
                job: 1,
                finished_at: jan("05T00:00:00"),
                created_at: jan("05T00:00:00"),
                started_at: jan("05T00:00:09"),
                labels: vec!["linux".into()],
            }]),
            runners: Some(vec![Runner { online: true, busy: false }]),
            ..nothing()
        }
    }

    #[test]
    fn everything_known_is_every_row_of_the_catalogue_once_for_the_repository() {
        let mut samples = all(&rich(), at(NOW));
        samples.extend(scores(checks::SCORES, &samples));
        conforms(metrics::METRICS, &samples);
        assert!(samples.iter().all(|sample| sample.tag_value("repo") == Some("acme/web")));
        assert!(samples.iter().all(|sample| sample.value().is_some()));
    }

    #[test]
    fn every_check_judges_what_is_known() {
        let samples = all(&rich(), at(NOW));
        let verdicts = judge(checks::CHECKS, &Overrides::default(), &samples);
        let said: Vec<Sample> = verdicts.iter().flat_map(Verdict::samples).collect();
        let rows: Vec<&'static Metric> = checks::CHECKS.iter().flat_map(|check| check.rows).collect();
        // Two percentiles of too few values say their targets alone.
        let few =
            ["ci.workflow.duration.p90", "github.pr_cycle_time.p90"].map(|name| format!("metta.infra.cron.{name}"));
        let is_silent =
            |row: &&'static Metric| few.iter().any(|name| row.name.starts_with(name)) && !row.name.ends_with("target");
        let spoken: Vec<&'static Metric> = rows.into_iter().filter(|row| !is_silent(row)).collect();
        conforms(&spoken, &said);
    }

    #[test]
    fn nothing_known_is_rows_without_values_and_no_score() {
        let snapshot = Snapshot { rules: rich().rules, ..nothing() };
        let samples = all(&snapshot, at(NOW));
        assert_eq!(lines(&samples), "");
        assert!(scores(checks::SCORES, &samples).iter().all(|score| score.value().is_none()));
        let said = judge(checks::CHECKS, &Overrides::default(), &samples);
        assert!(said.iter().flat_map(Verdict::samples).all(|sample| sample.name().ends_with(".target")));
        let absent: Vec<&str> = metrics::METRICS
            .iter()
            .filter(|row| row.name.starts_with("github.") && !samples.iter().any(|sample| sample.name() == row.name))
            .map(|row| row.name)
            .collect();
        let by_member =
            ["github.prs.cycle_time", "github.ci.workflow_passing", "github.ci.duration", "github.ci.queue_time"];
        assert_eq!(absent, by_member);
    }

    #[test]
    fn a_refused_list_of_runs_leaves_ci_absent_and_pull_requests_present() {
        let samples = all(&Snapshot { runs: None, ..rich() }, at(NOW));
        // Waiting times are a part of their own.
        let ci: Vec<String> =
            said(&samples, "github.ci.").lines().filter(|line| !line.contains("queue")).map(str::to_owned).collect();
        assert_eq!(ci, Vec::<String>::new());
        assert!(said(&samples, "github.prs.open").ends_with(" 1"));
        let scores = scores(checks::SCORES, &samples);
        assert_eq!(said(&scores, "health.ci.stale"), "health.ci.stale_prs.fom{repo:acme/web} 1");
        assert_eq!(said(&scores, "health.ci.tests") + &said(&scores, "health.ci.dur"), "");
    }

    #[test]
    fn what_is_not_configured_is_not_there_at_all() {
        let samples = all(&Snapshot { rules: Rules::default(), ..rich() }, at(NOW));
        for beginning in ["github.dora.", "github.runners.", "github.ci.queue_time"] {
            assert!(!samples.iter().any(|sample| sample.name().starts_with(beginning)), "{beginning}");
        }
    }

    #[test]
    fn the_issues_at_large_are_never_judged_as_bugs() {
        let samples = all(&rich(), at(NOW));
        let verdicts = judge(checks::CHECKS, &Overrides::default(), &samples);
        let samples: Vec<Sample> = verdicts.iter().flat_map(Verdict::samples).collect();
        let bugs = said(&samples, "metta.infra.cron.github.bugs.count.status");
        assert_eq!(bugs.lines().filter(|line| line.contains("label:bug")).count(), 1);
        assert_eq!(bugs.lines().filter(|line| line.contains("label:any")).count(), 0);
    }

    #[test]
    fn fewer_values_than_a_check_wants_are_no_verdict() {
        for (runs, lines) in [(4, 0), (5, 2)] {
            let runs = (1..=runs).map(|id| run(id, "success")).collect();
            let samples = all(&Snapshot { runs: Some(runs), ..rich() }, at(NOW));
            let verdicts = judge(checks::CHECKS, &Overrides::default(), &samples);
            let samples: Vec<Sample> = verdicts.iter().flat_map(Verdict::samples).collect();
            let p90 = said(&samples, "metta.infra.cron.ci.workflow.duration.p90");
            assert_eq!(p90.lines().filter(|line| !line.contains(".target{")).count(), lines);
        }
    }
}
