//! What a snapshot means: every row of the catalogue as a formula over plain data.

mod bugs;
mod projects;
mod tasks;

use crate::snapshot::Snapshot;
use jiff::Timestamp;
use shared::Sample;

/// Every row of the workspace, without a value where it is unknown; rows of bugs only where they are configured.
pub(crate) fn all(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let mut samples = projects::samples(snapshot.projects.as_ref());
    samples.extend(tasks::samples(snapshot.tasks.as_ref(), &snapshot.rules.timezone, now));
    for (alias, bugs) in &snapshot.bugs {
        let rows = bugs::samples(bugs.as_ref(), &snapshot.rules.labels, now);
        samples.extend(rows.into_iter().map(|sample| sample.tag("project", alias)));
    }
    samples.into_iter().map(|sample| sample.tag("workspace", &snapshot.workspace)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;
    use crate::snapshot::{Life, Rules, Status, Task};
    use shared::Metric;
    use shared::testing::{at, conforms, lines};
    use std::collections::BTreeMap;

    /// A Thursday; the week begins on the first of January at noon.
    pub(super) const NOW: &str = "2026-01-08T12:00:00Z";

    pub(super) fn life(created_at: &str, completed_at: Option<&str>) -> Life {
        Life { created_at: at(created_at), completed: completed_at.is_some(), completed_at: completed_at.map(at) }
    }

    /// A workspace of which nothing is known.
    fn nothing() -> Snapshot {
        Snapshot {
            workspace: "acme".into(),
            rules: Rules { timezone: "UTC".into(), labels: vec!["training".into()] },
            projects: None,
            tasks: None,
            bugs: BTreeMap::from([("bugs".into(), None)]),
        }
    }

    #[test]
    fn nothing_known_says_nothing_and_still_names_the_label_that_is_judged() {
        let samples = all(&nothing(), at(NOW));
        assert_eq!(lines(&samples), "");
        let label = samples.iter().find(|sample| sample.name() == "asana.projects.bugs.open_by_label");
        let expected = "asana.projects.bugs.open_by_label{label:training,project:bugs,workspace:acme} unknown";
        assert_eq!(label.unwrap().to_string(), expected);
    }

    #[test]
    fn an_empty_workspace_has_zeros_and_no_ratios() {
        let mut empty = nothing();
        empty.projects = Some(BTreeMap::new());
        empty.tasks = Some(BTreeMap::new());
        empty.bugs = BTreeMap::from([("bugs".into(), Some(BTreeMap::new()))]);
        let samples = all(&empty, at(NOW));
        let absent: Vec<&str> =
            samples.iter().filter(|sample| sample.value().is_none()).map(shared::Sample::name).collect();
        let mut absent: Vec<&str> = absent;
        absent.dedup();
        absent.sort_unstable();
        absent.dedup();
        assert_eq!(
            absent,
            [
                "asana.cycle_time.avg_hours",
                "asana.cycle_time.p50_hours",
                "asana.cycle_time.p90_hours",
                "asana.projects.bugs.avg_age_days",
                "asana.projects.bugs.oldest_bug_days",
                "asana.projects.bugs.section_age_days.avg",
                "asana.projects.bugs.section_age_days.max",
                "asana.velocity.completion_rate_pct",
            ]
        );
        assert!(samples.iter().filter_map(Sample::value).all(|value| value == 0.0));
    }

    #[test]
    fn every_row_is_emitted_with_its_tags() {
        let mut full = nothing();
        full.projects = Some(BTreeMap::from([("1".into(), Some(Status::OnTrack))]));
        let task = Task {
            life: life("2026-01-05T00:00:00Z", Some("2026-01-06T00:00:00Z")),
            due: None,
            assignee: None,
            projects: std::iter::once("1".to_owned()).collect(),
        };
        full.tasks = Some(BTreeMap::from([("7".into(), task)]));
        let samples = all(&full, at(NOW));
        let own: Vec<&'static Metric> =
            metrics::METRICS.iter().copied().filter(|metric| !metric.name.starts_with("health.")).collect();
        conforms(&own, &samples);
    }

    #[test]
    fn without_a_project_of_bugs_its_rows_are_not_there_at_all() {
        let mut none = nothing();
        none.bugs.clear();
        assert!(all(&none, at(NOW)).iter().all(|sample| !sample.name().starts_with("asana.projects.bugs.")));
    }
}
