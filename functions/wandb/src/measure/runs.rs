//! How many runs there are, how they ended and how long they took.

use super::is_alive;
use crate::metrics;
use crate::snapshot::{Outcome, Run, RunType, Snapshot, State};
use jiff::Timestamp;
use shared::window::{self, WEEK, last};
use shared::{Metric, Sample};

/// Which runs a row counts.
type Wanted<'w> = &'w dyn Fn(&Run) -> bool;

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let runs = snapshot.runs.as_deref();
    let of = |wanted: Wanted<'_>| runs.map(|runs| runs.iter().filter(|run| wanted(run)).count());
    let ended = |run: &Run| run.end().is_some_and(|end| last(WEEK, now).contains(&end));
    let alive = |run: &Run| is_alive(run, snapshot, now);
    let mut samples = Vec::new();
    for kind in RunType::ALL {
        let rows: [(&'static Metric, Wanted<'_>); 3] = [
            (&metrics::ACTIVE, &alive),
            (&metrics::COMPLETED, &|run| ended(run) && run.state.outcome() == Some(Outcome::Success)),
            (&metrics::FAILED, &|run| ended(run) && run.state.outcome() == Some(Outcome::Failure)),
        ];
        let count = |wanted: Wanted<'_>| of(&|run| run.run_type == kind && wanted(run));
        samples.extend(rows.map(|(row, wanted)| row.number(count(wanted)).tag("run_type", kind.word())));
    }
    samples.extend(
        State::ENDED.map(|state| {
            metrics::BY_STATE.number(of(&|run| ended(run) && run.state == state)).tag("state", state.word())
        }),
    );
    let counted = snapshot.counts.map(|counts| (counts.all, counts.running));
    let whole = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    samples.push(metrics::TOTAL.number(counted.map(|(all, _)| whole(all))));
    let dead = counted.zip(of(&alive)).map(|((_, running), alive)| whole(running).saturating_sub(alive));
    samples.push(metrics::STALE.number(dead));
    let hours = runs.map(|runs| runs.iter().filter(|run| ended(run)).filter_map(hours).collect::<Vec<f64>>());
    samples.push(metrics::AVG_DURATION.mean(hours.as_deref()));
    samples.extend(ends(runs, now));
    samples.extend(runs.into_iter().flatten().filter_map(duration));
    samples
}

/// Hours from creation to last heartbeat; nothing where that is impossible.
fn hours(run: &Run) -> Option<f64> {
    window::hours(run.created_at, run.heartbeat_at)
}

/// The runs that ended in each slot that can still be delivered.
fn ends(runs: Option<&[Run]>, now: Timestamp) -> Vec<Sample> {
    let mut samples = Vec::new();
    for kind in RunType::ALL {
        for outcome in Outcome::ALL {
            let fits = |run: &&Run| run.run_type == kind && run.state.outcome() == Some(outcome);
            let times: Option<Vec<Timestamp>> =
                runs.map(|runs| runs.iter().filter(fits).map(|run| run.heartbeat_at).collect());
            let slots = metrics::ENDED_NEW.slots(times.as_deref(), now);
            samples.extend(slots.map(|sample| sample.tag("run_type", kind.word()).tag("outcome", outcome.word())));
        }
    }
    samples
}

/// How long a run took that ended. A run that is resumed ends once more, and that end is another one.
fn duration(run: &Run) -> Option<Sample> {
    let (end, outcome) = (run.end()?, run.state.outcome()?);
    // An impossible duration is no number, which counts it as invalid.
    let hours = hours(run).unwrap_or(f64::NAN);
    let sample = metrics::DURATION.observe(hours, end, format!("{}/{}", run.id, end.as_second()));
    Some(sample.tag("run_type", run.run_type.word()).tag("outcome", outcome.word()))
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{now, quiet, run, said, unknown, with};
    use super::*;
    use crate::measure::all;
    use crate::snapshot::Counts;
    use shared::testing::lines;

    #[test]
    fn a_run_is_active_whenever_it_was_created_and_stale_without_a_heartbeat() {
        let runs = vec![
            run("old", State::Running, "2025-10-01T00:00:00Z", "2026-01-08T11:59:30Z"),
            run("edge", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:30:00Z"),
            run("after", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T12:00:20Z"),
            run("dead", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:29:59Z"),
            run("over", State::Finished, "2026-01-08T10:00:00Z", "2026-01-08T11:59:30Z"),
            Run {
                run_type: RunType::Sweep,
                ..run("s", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:50:00Z")
            },
        ];
        // Three more are running by the server's word, and died before the window.
        let snapshot = Snapshot { counts: Some(Counts { all: 900, running: 8 }), ..with(runs) };
        let samples = all(&snapshot, now());
        assert_eq!(
            said(&samples, "wandb.runs.active"),
            "wandb.runs.active{project:acme/arena,run_type:local} 0\n\
             wandb.runs.active{project:acme/arena,run_type:other} 3\n\
             wandb.runs.active{project:acme/arena,run_type:ptm} 0\n\
             wandb.runs.active{project:acme/arena,run_type:stable} 0\n\
             wandb.runs.active{project:acme/arena,run_type:sweep} 1"
        );
        assert_eq!(said(&samples, "wandb.runs.stale"), "wandb.runs.stale{project:acme/arena} 4");
        assert_eq!(said(&samples, "wandb.runs.total"), "wandb.runs.total{project:acme/arena} 900");
    }

    #[test]
    fn a_week_goes_by_the_end_of_a_run_and_holds_its_start_and_not_its_end() {
        let created = "2025-12-30T00:00:00Z";
        let runs = vec![
            run("nine days ago, finished today", State::Finished, created, "2026-01-08T09:00:00Z"),
            run("at the start", State::Finished, created, "2026-01-01T12:00:00Z"),
            run("a second before the start", State::Finished, created, "2026-01-01T11:59:59Z"),
            run("at the end", State::Finished, created, "2026-01-08T12:00:00Z"),
            run("a second before the end", State::Failed, created, "2026-01-08T11:59:59Z"),
            run("crashed", State::Crashed, created, "2026-01-07T00:00:00Z"),
            run("killed", State::Killed, created, "2026-01-07T00:00:00Z"),
            run("preempted", State::Preempted, created, "2026-01-07T00:00:00Z"),
            run("preempting", State::Preempting, created, "2026-01-07T00:00:00Z"),
        ];
        let samples = all(&with(runs), now());
        let other = |name: &str| said(&samples, &format!("{name}{{project:acme/arena,run_type:other}}"));
        assert!(other("wandb.runs.completed_7d").ends_with(" 2"));
        assert!(other("wandb.runs.failed_7d").ends_with(" 2"), "killed is not failed");
        assert_eq!(
            said(&samples, "wandb.runs.by_state_7d"),
            "wandb.runs.by_state_7d{project:acme/arena,state:crashed} 1\n\
             wandb.runs.by_state_7d{project:acme/arena,state:failed} 1\n\
             wandb.runs.by_state_7d{project:acme/arena,state:finished} 2\n\
             wandb.runs.by_state_7d{project:acme/arena,state:killed} 1\n\
             wandb.runs.by_state_7d{project:acme/arena,state:preempted} 1"
        );
    }

    #[test]
    fn a_duration_ends_with_the_last_heartbeat_and_a_negative_one_is_invalid() {
        let runs = vec![
            run("two hours", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T10:00:00Z"),
            run("half an hour", State::Killed, "2026-01-08T08:00:00Z", "2026-01-08T08:30:00Z"),
            run("negative", State::Failed, "2026-01-08T08:00:00Z", "2026-01-08T07:59:00Z"),
            run("training", State::Running, "2026-01-08T08:00:00Z", "2026-01-08T11:59:00Z"),
        ];
        let samples = all(&with(runs), now());
        let mean = "wandb.training.avg_duration_hours{project:acme/arena} 1.25";
        assert_eq!(said(&samples, "wandb.training.avg_duration_hours"), mean);
        assert_eq!(
            said(&samples, "wandb.training.duration_hours"),
            "wandb.training.duration_hours{outcome:failure,project:acme/arena,run_type:other} NaN\n\
             wandb.training.duration_hours{outcome:stopped,project:acme/arena,run_type:other} 0.5\n\
             wandb.training.duration_hours{outcome:success,project:acme/arena,run_type:other} 2"
        );
    }

    #[test]
    fn a_resumed_run_ends_once_more() {
        let first = run("r", State::Failed, "2026-01-08T08:00:00Z", "2026-01-08T09:00:00Z");
        let second =
            Run { state: State::Finished, heartbeat_at: "2026-01-08T10:00:00Z".parse().unwrap(), ..first.clone() };
        let digests: Vec<String> =
            [&first, &second, &second].map(|run| duration(run).unwrap().occurrence().unwrap().digest.clone()).to_vec();
        assert!(digests[0] != digests[1] && digests[1] == digests[2]);
    }

    #[test]
    fn ends_are_counted_in_their_slot_by_type_and_outcome() {
        let runs = vec![
            run("a", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T11:45:00Z"),
            run("b", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T11:44:59Z"),
            run("c", State::Crashed, "2026-01-08T08:00:00Z", "2026-01-08T11:59:59Z"),
            run("d", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T12:00:00Z"),
        ];
        let samples = all(&with(runs), now());
        let told = said(&samples, "wandb.runs.ended.new");
        assert_eq!(told.lines().count(), 5 * 3 * 4, "a closed set, in each slot");
        let some: Vec<&str> = told.lines().filter(|line| !line.contains(" 0 @")).collect();
        assert_eq!(
            some,
            [
                "wandb.runs.ended.new{outcome:failure,project:acme/arena,run_type:other} 1 @ 2026-01-08T12:00:00Z",
                "wandb.runs.ended.new{outcome:success,project:acme/arena,run_type:other} 1 @ 2026-01-08T11:45:00Z",
                "wandb.runs.ended.new{outcome:success,project:acme/arena,run_type:other} 1 @ 2026-01-08T12:00:00Z",
            ]
        );
    }

    #[test]
    fn nothing_is_zero_and_unknown_is_absent() {
        let zeros = samples(&quiet(), now());
        assert!(lines(&zeros).lines().all(|line| line.contains(" 0")), "{}", lines(&zeros));
        assert_eq!(said(&zeros, "wandb.training.avg_duration_hours"), "");
        assert_eq!(lines(&samples(&unknown(), now())), "");
        let counted = Snapshot { runs: None, ..quiet() };
        assert_eq!(lines(&samples(&counted, now())), "wandb.runs.total{} 0", "stale hangs on both parts");
    }
}
