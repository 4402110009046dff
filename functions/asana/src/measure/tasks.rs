//! Tasks: how many there are, when they are due, how fast they are done, and by how many people.

use crate::metrics;
use crate::snapshot::{Due, Task, Tasks};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use shared::window::{MONTH, WEEK, hours, last};
use shared::{Metric, OBSERVED_WITHIN, Sample, stats};
use std::collections::BTreeSet;

/// The tasks that count, sorted by what the rows ask for.
struct Sorted<'a> {
    open: Vec<&'a Task>,
    month: Vec<(&'a Task, Timestamp)>,
    week: Vec<(&'a Task, Timestamp)>,
    created: usize,
}

impl<'a> Sorted<'a> {
    fn new(tasks: &'a Tasks, now: Timestamp) -> Self {
        let open: Vec<&Task> = tasks.values().filter(|task| !task.life.completed).collect();
        let ended = tasks.values().filter_map(|task| Some((task, task.life.ended()?)));
        let month: Vec<(&Task, Timestamp)> = ended.filter(|(_, end)| last(MONTH, now).contains(end)).collect();
        let week = month.iter().copied().filter(|(_, end)| last(WEEK, now).contains(end)).collect();
        let all = open.iter().copied().chain(month.iter().map(|(task, _)| *task));
        let created = all.filter(|task| last(WEEK, now).contains(&task.life.created_at)).count();
        Self { open, month, week, created }
    }

    fn hours(&self) -> Vec<f64> {
        self.week.iter().filter_map(|(task, end)| hours(task.life.created_at, *end)).collect()
    }
}

/// The people that tasks are assigned to, by their digests: two of one name are two.
fn people(tasks: &[(&Task, Timestamp)]) -> usize {
    tasks.iter().filter_map(|(task, _)| task.assignee.as_ref()).collect::<BTreeSet<_>>().len()
}

/// What the due date of an open task means today.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pressure {
    Overdue,
    Today,
    ThisWeek,
    Later,
    None,
}

/// The day and the time zone in which it is that day.
struct Today {
    zone: TimeZone,
    date: Date,
    now: Timestamp,
}

impl Today {
    fn new(timezone: &str, now: Timestamp) -> Option<Self> {
        let zone = TimeZone::get(timezone).ok()?;
        Some(Self { date: now.to_zoned(zone.clone()).date(), zone, now })
    }

    fn pressure(&self, task: &Task) -> Pressure {
        let (overdue, date) = match task.due {
            None => return Pressure::None,
            Some(Due::At(due)) => (due < self.now, due.to_zoned(self.zone.clone()).date()),
            Some(Due::On(date)) => (date < self.date, date),
        };
        if overdue {
            Pressure::Overdue
        } else if date == self.date {
            Pressure::Today
        } else if date <= self.date.saturating_add(7.days()) {
            Pressure::ThisWeek
        } else {
            Pressure::Later
        }
    }
}

pub(super) fn samples(tasks: Option<&Tasks>, timezone: &str, now: Timestamp) -> Vec<Sample> {
    let sorted = tasks.map(|tasks| Sorted::new(tasks, now));
    let sorted = sorted.as_ref();
    let mut samples = amounts(sorted);
    samples.extend(dues(sorted, Today::new(timezone, now).as_ref()));
    samples.extend(speed(sorted));
    let ends: Option<Vec<Timestamp>> = tasks.map(|tasks| tasks.values().filter_map(|task| task.life.ended()).collect());
    samples.extend(metrics::TASKS_COMPLETED_NEW.slots(ends.as_deref(), now));
    let observed = tasks.into_iter().flatten().filter_map(|(gid, task)| {
        let end = task.life.ended().filter(|end| now - OBSERVED_WITHIN <= *end)?;
        let hours = hours(task.life.created_at, end)?;
        // A task that was opened again and completed once more ended twice.
        Some(metrics::CYCLE_TIME.observe(hours, end, format_args!("{gid}/{end}")))
    });
    samples.extend(observed);
    samples
}

fn amounts(sorted: Option<&Sorted<'_>>) -> Vec<Sample> {
    let of = |row: &'static Metric, count: fn(&Sorted<'_>) -> usize| row.number(sorted.map(count));
    vec![
        of(&metrics::TASKS_TOTAL, |sorted| sorted.open.len() + sorted.month.len()),
        of(&metrics::TASKS_OPEN, |sorted| sorted.open.len()),
        of(&metrics::TASKS_COMPLETED_7D, |sorted| sorted.week.len()),
        of(&metrics::TASKS_COMPLETED_30D, |sorted| sorted.month.len()),
        of(&metrics::TASKS_UNASSIGNED, |sorted| sorted.open.iter().filter(|task| task.assignee.is_none()).count()),
        of(&metrics::TASKS_ASSIGNED, |sorted| sorted.open.iter().filter(|task| task.assignee.is_some()).count()),
        of(&metrics::USERS_ACTIVE, |sorted| people(&sorted.week)),
    ]
}

fn dues(sorted: Option<&Sorted<'_>>, today: Option<&Today>) -> Vec<Sample> {
    let pressures: Option<Vec<Pressure>> =
        sorted.zip(today).map(|(sorted, today)| sorted.open.iter().map(|task| today.pressure(task)).collect());
    let of = |row: &'static Metric, wanted: Pressure| {
        row.number(pressures.as_ref().map(|all| all.iter().filter(|pressure| **pressure == wanted).count()))
    };
    vec![
        of(&metrics::TASKS_OVERDUE, Pressure::Overdue),
        of(&metrics::TASKS_DUE_TODAY, Pressure::Today),
        of(&metrics::TASKS_DUE_THIS_WEEK, Pressure::ThisWeek),
        of(&metrics::TASKS_NO_DUE_DATE, Pressure::None),
    ]
}

fn speed(sorted: Option<&Sorted<'_>>) -> Vec<Sample> {
    let done = sorted.map(|sorted| stats::count(sorted.week.len()));
    let rate = sorted.zip(done).and_then(|(sorted, done)| stats::percent(done, stats::count(sorted.created)));
    let hours = sorted.map(Sorted::hours);
    let hours = hours.as_deref();
    vec![
        metrics::VELOCITY_PER_DAY.maybe(done.map(|done| done / 7.0)),
        metrics::VELOCITY_RATE.maybe(rate),
        metrics::CYCLE_TIME_AVG.mean(hours),
        metrics::CYCLE_TIME_P50.percentile(0.5, hours),
        metrics::CYCLE_TIME_P90.percentile(0.9, hours),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, life};
    use super::*;
    use shared::testing::{at, lines};

    fn open(created_at: &str) -> Task {
        Task { life: life(created_at, None), due: None, assignee: None, projects: Vec::new() }
    }

    fn done(created_at: &str, completed_at: &str) -> Task {
        Task { life: life(created_at, Some(completed_at)), ..open(created_at) }
    }

    fn said(tasks: Vec<Task>, timezone: &str) -> String {
        let tasks = tasks.into_iter().enumerate().map(|(gid, task)| (gid.to_string().into(), task)).collect();
        lines(&samples(Some(&tasks), timezone, at(NOW)))
    }

    fn value(said: &str, name: &str) -> Option<f64> {
        let line = said.lines().find(|line| line.starts_with(&format!("{name}{{}} ")))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    #[track_caller]
    fn check(tasks: Vec<Task>, expected: &[(&str, Option<f64>)]) {
        let said = said(tasks, "UTC");
        for (name, wanted) in expected {
            let known = value(&said, name);
            let close = known.zip(*wanted).is_some_and(|(known, wanted)| (known - wanted).abs() < 1e-9);
            assert!(close || (known, *wanted) == (None, None), "{name}: {known:?}, not {wanted:?}, in\n{said}");
        }
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end_and_the_month_is_thirty_days() {
        check(
            vec![
                open("2025-01-01T00:00:00Z"),
                done("2025-12-01T00:00:00Z", "2026-01-08T12:00:00Z"), // not ended before now
                done("2025-12-01T00:00:00Z", "2026-01-08T11:59:59Z"),
                done("2025-12-01T00:00:00Z", "2026-01-01T12:00:00Z"), // the first instant of the week
                done("2025-12-01T00:00:00Z", "2026-01-01T11:59:59Z"),
                done("2025-12-01T00:00:00Z", "2025-12-09T12:00:00Z"), // the first instant of the month
                done("2025-12-01T00:00:00Z", "2025-12-09T11:59:59Z"),
            ],
            &[
                ("asana.tasks.total", Some(5.0)),
                ("asana.tasks.open", Some(1.0)),
                ("asana.tasks.completed_7d", Some(2.0)),
                ("asana.tasks.completed_30d", Some(4.0)),
                ("asana.velocity.completed_per_day_7d", Some(2.0 / 7.0)),
            ],
        );
    }

    #[test]
    fn the_rate_counts_what_was_opened_and_closed_within_the_week_on_both_sides() {
        check(
            vec![
                open("2026-01-02T00:00:00Z"),
                done("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"),
                done("2025-12-30T00:00:00Z", "2026-01-03T00:00:00Z"),
                done("2025-12-30T00:00:00Z", "2026-01-04T00:00:00Z"),
                open("2025-12-30T00:00:00Z"),
            ],
            &[("asana.velocity.completion_rate_pct", Some(150.0))],
        );
        check(
            vec![done("2025-12-30T00:00:00Z", "2026-01-03T00:00:00Z")],
            &[("asana.velocity.completion_rate_pct", None), ("asana.tasks.completed_7d", Some(1.0))],
        );
    }

    #[test]
    fn a_task_that_was_opened_again_is_open_whatever_its_completion_says() {
        let mut task = done("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
        task.life.completed = false;
        let mut lost = done("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
        lost.life.completed_at = None;
        check(
            vec![task, lost],
            &[
                ("asana.tasks.total", Some(1.0)),
                ("asana.tasks.open", Some(1.0)),
                ("asana.tasks.completed_30d", Some(0.0)),
                ("asana.cycle_time.avg_hours", None),
            ],
        );
    }

    #[test]
    fn cycle_times_are_those_of_the_week_and_interpolated() {
        check(
            vec![
                done("2026-01-02T00:00:00Z", "2026-01-02T01:00:00Z"),
                done("2026-01-02T00:00:00Z", "2026-01-02T02:00:00Z"),
                done("2026-01-02T00:00:00Z", "2026-01-02T09:00:00Z"),
                done("2026-01-03T00:00:00Z", "2026-01-02T09:00:00Z"), // ends before it begins
                done("2025-12-10T00:00:00Z", "2025-12-30T00:00:00Z"), // not of the week
            ],
            &[
                ("asana.cycle_time.avg_hours", Some(4.0)),
                ("asana.cycle_time.p50_hours", Some(2.0)),
                // rank 2 * 0.9 = 1.8 between 2 and 9
                ("asana.cycle_time.p90_hours", Some(7.6)),
            ],
        );
    }

    #[test]
    fn people_are_told_apart_by_their_digests_and_nobody_is_no_person() {
        let by = |who: Option<&str>, task: Task| Task { assignee: who.map(Into::into), ..task };
        let week = || done("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z");
        check(
            vec![
                by(Some("a"), week()),
                by(Some("a"), week()),
                by(Some("b"), week()),
                by(None, week()),
                by(Some("c"), done("2025-12-02T00:00:00Z", "2025-12-29T00:00:00Z")),
                by(Some("d"), open("2026-01-02T00:00:00Z")),
                open("2026-01-02T00:00:00Z"),
                open("2026-01-02T00:00:00Z"),
            ],
            &[
                ("asana.users.active_7d", Some(2.0)),
                ("asana.tasks.assigned", Some(1.0)),
                ("asana.tasks.unassigned", Some(2.0)),
                ("asana.tasks.open", Some(3.0)),
            ],
        );
    }

    fn due(due: &str) -> Task {
        let due = due.parse().map_or_else(|_| Due::At(at(due)), Due::On);
        Task { due: Some(due), ..open("2025-12-01T00:00:00Z") }
    }

    fn pressures(tasks: Vec<Task>, timezone: &str) -> [Option<f64>; 4] {
        let said = said(tasks, timezone);
        ["overdue", "due_today", "due_this_week", "no_due_date"]
            .map(|word| value(&said, &format!("asana.tasks.{word}")))
    }

    #[test]
    fn a_due_date_is_overdue_today_or_of_this_week_by_the_day_and_a_due_time_by_the_instant() {
        let table: &[(&str, [f64; 3])] = &[
            ("2026-01-07", [1.0, 0.0, 0.0]),
            ("2026-01-08", [0.0, 1.0, 0.0]),
            ("2026-01-09", [0.0, 0.0, 1.0]),
            ("2026-01-15", [0.0, 0.0, 1.0]),
            ("2026-01-16", [0.0, 0.0, 0.0]),
            ("2026-01-08T11:59:59Z", [1.0, 0.0, 0.0]),
            ("2026-01-08T12:00:00Z", [0.0, 1.0, 0.0]),
            ("2026-01-08T23:59:59Z", [0.0, 1.0, 0.0]),
            ("2026-01-09T00:00:00Z", [0.0, 0.0, 1.0]),
            ("2026-01-15T23:59:59Z", [0.0, 0.0, 1.0]),
            ("2026-01-16T00:00:00Z", [0.0, 0.0, 0.0]),
        ];
        for (text, [overdue, today, week]) in table {
            let expected = [*overdue, *today, *week, 0.0].map(Some);
            assert_eq!(pressures(vec![due(text)], "UTC"), expected, "{text}");
        }
        assert_eq!(pressures(vec![open("2025-12-01T00:00:00Z")], "UTC"), [0.0, 0.0, 0.0, 1.0].map(Some));
        let closed = Task { life: life("2025-12-01T00:00:00Z", Some("2026-01-02T00:00:00Z")), ..due("2026-01-01") };
        assert_eq!(pressures(vec![closed], "UTC"), [0.0; 4].map(Some));
    }

    #[test]
    fn today_is_the_day_of_the_configured_zone() {
        // At noon in Greenwich it is one in the morning of the ninth on the Chatham Islands, give or take.
        assert_eq!(pressures(vec![due("2026-01-08")], "Pacific/Chatham"), [1.0, 0.0, 0.0, 0.0].map(Some));
        assert_eq!(pressures(vec![due("2026-01-09")], "Pacific/Chatham"), [0.0, 1.0, 0.0, 0.0].map(Some));
        // A due time late in the evening of the eighth in Greenwich is the afternoon of the eighth in Los Angeles, and one
        // of the ninth before eight in the morning is the eighth there as well.
        assert_eq!(pressures(vec![due("2026-01-09T07:59:00Z")], "America/Los_Angeles"), [0.0, 1.0, 0.0, 0.0].map(Some));
        assert_eq!(pressures(vec![due("2026-01-09T08:00:00Z")], "America/Los_Angeles"), [0.0, 0.0, 1.0, 0.0].map(Some));
        assert_eq!(pressures(vec![due("2026-01-08")], "Nowhere/Land"), [None; 4]);
    }

    #[test]
    fn slots_and_observations_are_those_of_completions() {
        let said = said(
            vec![
                done("2026-01-08T09:30:00Z", "2026-01-08T11:45:00Z"),
                done("2026-01-08T09:30:00Z", "2026-01-08T11:59:59Z"),
                done("2026-01-08T11:00:00Z", "2026-01-08T12:00:00Z"),
                done("2026-01-08T09:30:00Z", "2026-01-08T11:30:00Z"),
            ],
            "UTC",
        );
        for line in [
            "asana.tasks.completed.new{} 2 @ 2026-01-08T12:00:00Z",
            "asana.tasks.completed.new{} 1 @ 2026-01-08T11:45:00Z",
            "asana.tasks.completed.new{} 0 @ 2026-01-08T11:30:00Z",
            "asana.tasks.cycle_time{} 2.25",
            "asana.tasks.cycle_time{} 2",
        ] {
            assert!(said.lines().any(|said| said == line), "{line} in\n{said}");
        }
    }

    #[test]
    fn unknown_tasks_are_absent_and_not_zero() {
        let samples = samples(None, "UTC", at(NOW));
        assert_eq!(lines(&samples), "");
        assert_eq!(samples.iter().filter(|sample| sample.time().is_none()).count(), 16);
    }
}
