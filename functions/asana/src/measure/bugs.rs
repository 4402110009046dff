//! The queue of bugs: where they stand, how old they are, and what they are labelled.

use crate::metrics;
use crate::snapshot::{Bug, Bugs, Section};
use jiff::{SignedDuration, Timestamp};
use shared::window::{MONTH, WEEK, hours, last};
use shared::{Metric, Sample, stats};

/// The rows of the numbers of bugs by section.
const BY_SECTION: [(&Metric, Section); 4] = [
    (&metrics::BUGS_TRIAGE, Section::Triage),
    (&metrics::BUGS_ACTIVE, Section::Active),
    (&metrics::BUGS_BACKLOG, Section::Backlog),
    (&metrics::BUGS_OTHER, Section::Other),
];

pub(super) fn samples(bugs: Option<&Bugs>, labels: &[String], now: Timestamp) -> Vec<Sample> {
    let open: Option<Vec<&Bug>> = bugs.map(|bugs| bugs.values().filter(|bug| !bug.life.completed).collect());
    let open = open.as_deref();
    let mut samples = sections(open, now);
    samples.push(metrics::BUGS_OPEN.number(open.map(<[_]>::len)));
    samples.extend(flow(bugs, now));
    let [mean, oldest] = ages(open, now, |_| true);
    samples.push(metrics::BUGS_AGE_AVG.maybe(mean));
    samples.push(metrics::BUGS_AGE_MAX.maybe(oldest));
    samples.extend(labels.iter().map(|label| {
        let having = open.map(|open| open.iter().filter(|bug| bug.labels.contains(label)).count());
        metrics::BUGS_BY_LABEL.number(having).tag("label", label)
    }));
    samples
}

fn sections(open: Option<&[&Bug]>, now: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (row, section) in BY_SECTION {
        let here = open.map(|open| open.iter().filter(|bug| bug.section == section).count());
        samples.push(row.number(here));
        let [mean, oldest] = ages(open, now, |bug| bug.section == section);
        samples.push(metrics::BUGS_SECTION_AGE_AVG.maybe(mean).tag("section", section.word()));
        samples.push(metrics::BUGS_SECTION_AGE_MAX.maybe(oldest).tag("section", section.word()));
    }
    samples
}

fn flow(bugs: Option<&Bugs>, now: Timestamp) -> Vec<Sample> {
    let count = |wanted: &dyn Fn(&Bug) -> bool| bugs.map(|bugs| bugs.values().filter(|bug| wanted(bug)).count());
    let ended = |length: SignedDuration| {
        count(&move |bug: &Bug| bug.life.ended().is_some_and(|end| last(length, now).contains(&end)))
    };
    vec![
        metrics::BUGS_COMPLETED_7D.number(ended(WEEK)),
        metrics::BUGS_COMPLETED_30D.number(ended(MONTH)),
        metrics::BUGS_CREATED_7D.number(count(&|bug| last(WEEK, now).contains(&bug.life.created_at))),
    ]
}

/// The mean and the greatest age in days.
fn ages(open: Option<&[&Bug]>, now: Timestamp, wanted: impl Fn(&Bug) -> bool) -> [Option<f64>; 2] {
    let bugs = open.unwrap_or_default().iter().filter(|bug| wanted(bug));
    let ages: Vec<f64> = bugs.filter_map(|bug| Some(hours(bug.life.created_at, now)? / 24.0)).collect();
    [stats::mean(&ages), ages.into_iter().reduce(f64::max)]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, life};
    use super::*;
    use shared::testing::{at, lines};

    fn bug(created_at: &str, completed_at: Option<&str>, section: Section, labels: &[&str]) -> Bug {
        let labels = labels.iter().map(|label| (*label).to_owned()).collect();
        Bug { life: life(created_at, completed_at), section, labels }
    }

    fn said(bugs: Vec<Bug>) -> String {
        let bugs = bugs.into_iter().enumerate().map(|(gid, bug)| (gid.to_string(), bug)).collect();
        lines(&samples(Some(&bugs), &["training".into(), "regression".into()], at(NOW)))
    }

    #[test]
    fn bugs_are_counted_where_they_stand_and_the_four_sum_to_all_that_are_open() {
        let said = said(vec![
            bug("2026-01-07T12:00:00Z", None, Section::Triage, &["training"]),
            bug("2026-01-05T12:00:00Z", None, Section::Triage, &["training", "regression"]),
            bug("2025-12-29T12:00:00Z", None, Section::Active, &[]),
            bug("2025-12-19T12:00:00Z", None, Section::Other, &["training"]),
            bug("2026-01-02T12:00:00Z", Some("2026-01-03T12:00:00Z"), Section::Backlog, &["training"]),
        ]);
        let expected = "asana.projects.bugs.active_count{} 1\n\
                        asana.projects.bugs.avg_age_days{} 8.5\n\
                        asana.projects.bugs.backlog_count{} 0\n\
                        asana.projects.bugs.completed_30d{} 1\n\
                        asana.projects.bugs.completed_7d{} 1\n\
                        asana.projects.bugs.created_7d{} 3\n\
                        asana.projects.bugs.oldest_bug_days{} 20\n\
                        asana.projects.bugs.open_by_label{label:regression} 1\n\
                        asana.projects.bugs.open_by_label{label:training} 3\n\
                        asana.projects.bugs.other_count{} 1\n\
                        asana.projects.bugs.section_age_days.avg{section:active} 10\n\
                        asana.projects.bugs.section_age_days.avg{section:other} 20\n\
                        asana.projects.bugs.section_age_days.avg{section:triage} 2\n\
                        asana.projects.bugs.section_age_days.max{section:active} 10\n\
                        asana.projects.bugs.section_age_days.max{section:other} 20\n\
                        asana.projects.bugs.section_age_days.max{section:triage} 3\n\
                        asana.projects.bugs.total_open{} 4\n\
                        asana.projects.bugs.triage_count{} 2";
        assert_eq!(said, expected);
    }

    #[test]
    fn windows_hold_their_start_and_not_their_end() {
        let said = said(vec![
            bug("2026-01-01T12:00:00Z", None, Section::Other, &[]),
            bug("2026-01-01T11:59:59Z", None, Section::Other, &[]),
            bug("2026-01-08T12:00:00Z", None, Section::Other, &[]),
            bug("2025-11-01T00:00:00Z", Some("2026-01-01T12:00:00Z"), Section::Other, &[]),
            bug("2025-11-01T00:00:00Z", Some("2026-01-01T11:59:59Z"), Section::Other, &[]),
            bug("2025-11-01T00:00:00Z", Some("2025-12-09T12:00:00Z"), Section::Other, &[]),
            bug("2025-11-01T00:00:00Z", Some("2025-12-09T11:59:59Z"), Section::Other, &[]),
        ]);
        for line in [
            "asana.projects.bugs.created_7d{} 1",
            "asana.projects.bugs.completed_7d{} 1",
            "asana.projects.bugs.completed_30d{} 3",
            "asana.projects.bugs.total_open{} 3",
        ] {
            assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
        }
    }

    #[test]
    fn an_unreadable_queue_is_absent_and_not_zero() {
        let samples = samples(None, &["training".into()], at(NOW));
        assert_eq!((lines(&samples).as_str(), samples.len()), ("", 12 + 1 + 3 + 2 + 1));
    }
}
