//! Self-hosted runners, and how long jobs wait for one.

use crate::metrics;
use crate::snapshot::{Runner, Snapshot, Wait};
use jiff::Timestamp;
use shared::Sample;

/// What a runner is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Busy,
    Idle,
    Offline,
}

impl State {
    const ALL: [Self; 3] = [Self::Busy, Self::Idle, Self::Offline];

    const fn of(runner: &Runner) -> Self {
        match (runner.online, runner.busy) {
            (false, _) => Self::Offline,
            (true, true) => Self::Busy,
            (true, false) => Self::Idle,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Idle => "idle",
            Self::Offline => "offline",
        }
    }
}

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let rules = &snapshot.rules;
    let mut samples = Vec::new();
    if rules.runners {
        samples.extend(State::ALL.map(|state| in_state(snapshot.runners.as_deref(), state)));
    }
    if rules.queue {
        let waits = snapshot.queue.iter().flatten().filter(|wait| wait.finished_at < now);
        samples.extend(waits.map(|wait| waited(wait, &rules.runner_classes)));
    }
    samples
}

fn in_state(runners: Option<&[Runner]>, state: State) -> Sample {
    let number_of = |runners: &[Runner]| runners.iter().filter(|runner| State::of(runner) == state).count();
    metrics::RUNNERS.number(runners.map(number_of)).tag("state", state.word())
}

fn waited(wait: &Wait, classes: &[String]) -> Sample {
    let seconds = wait.started_at.duration_since(wait.created_at).as_secs_f64();
    let known = |label: &&String| classes.iter().any(|class| class.eq_ignore_ascii_case(label));
    metrics::CI_QUEUE_TIME
        // An impossible wait is no number, which counts it as invalid.
        .observe(if seconds < 0.0 { f64::NAN } else { seconds }, wait.finished_at, wait.job)
        .tag("runner", wait.labels.iter().find(known).map_or("other", String::as_str))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, nothing};
    use super::*;
    use crate::snapshot::Rules;
    use shared::testing::{at, lines};

    fn fleet(runners: Option<&[(bool, bool)]>) -> Snapshot {
        let one = |(online, busy): &(bool, bool)| Runner { online: *online, busy: *busy };
        Snapshot {
            rules: Rules { runners: true, ..Rules::default() },
            runners: runners.map(|runners| runners.iter().map(one).collect()),
            ..nothing()
        }
    }

    fn wait(job: u64, seconds: i64, labels: &[&str]) -> Wait {
        Wait {
            job,
            finished_at: at("2026-01-08T11:00:00Z"),
            created_at: at("2026-01-08T10:00:00Z"),
            started_at: at("2026-01-08T10:00:00Z") + jiff::SignedDuration::from_secs(seconds),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    fn queue(waits: Vec<Wait>) -> Snapshot {
        let runner_classes = vec!["ubuntu-latest".into(), "self-hosted".into()];
        Snapshot { rules: Rules { queue: true, runner_classes, ..Rules::default() }, queue: Some(waits), ..nothing() }
    }

    #[test]
    fn a_runner_is_busy_idle_or_offline_and_all_three_are_said() {
        let runners = [(true, true), (true, false), (true, false), (false, false), (false, true)];
        let expected = "github.runners.count{state:busy} 1\n\
                        github.runners.count{state:idle} 2\n\
                        github.runners.count{state:offline} 2";
        assert_eq!(lines(&samples(&fleet(Some(&runners)), at(NOW))), expected);
        assert_eq!(lines(&samples(&fleet(Some(&[])), at(NOW))).matches(" 0").count(), 3);
    }

    #[test]
    fn unknown_runners_have_no_value_and_unconfigured_ones_no_row() {
        let unknown = samples(&fleet(None), at(NOW));
        assert_eq!((lines(&unknown), unknown.len()), (String::new(), 3));
        assert!(samples(&nothing(), at(NOW)).is_empty());
    }

    #[test]
    fn a_wait_belongs_to_the_first_label_that_is_a_class() {
        let waits = vec![
            wait(1, 0, &["Self-Hosted", "linux"]),
            wait(2, 90, &["big", "ubuntu-latest", "self-hosted"]),
            wait(3, 30, &["big"]),
        ];
        let expected = "github.ci.queue_time{runner:other} 30\n\
                        github.ci.queue_time{runner:self-hosted} 0\n\
                        github.ci.queue_time{runner:ubuntu-latest} 90";
        assert_eq!(lines(&samples(&queue(waits), at(NOW))), expected);
    }

    #[test]
    fn a_wait_counts_when_its_run_is_over_and_an_impossible_one_is_invalid() {
        let mut late = wait(1, 5, &[]);
        late.finished_at = at(NOW);
        assert!(samples(&queue(vec![late]), at(NOW)).is_empty());
        let impossible = samples(&queue(vec![wait(1, -1, &[])]), at(NOW));
        assert!(impossible[0].value().is_some_and(f64::is_nan));
        let unknown = Snapshot { queue: None, ..queue(vec![]) };
        assert!(samples(&unknown, at(NOW)).is_empty());
    }
}
