//! GPUs: how many hours they ran, how busy they were, and what they cost.

use super::is_alive;
use crate::metrics;
use crate::snapshot::{Rules, Run, RunType, Snapshot, State};
use jiff::{SignedDuration, Timestamp};
use shared::window::WEEK;
use shared::{Sample, stats};

const DAY: SignedDuration = SignedDuration::from_hours(24);

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let runs = snapshot.runs.as_deref().map(|runs| of_gpus(runs, &snapshot.rules));
    let some = |wanted: &dyn Fn(&Run) -> bool| utilization(runs.iter().flatten().copied().filter(|run| wanted(run)));
    let hours = runs.as_deref().and_then(|runs| gpu_hours(runs, now));
    let cost = hours.zip(snapshot.rules.gpu_price).map(|(hours, price)| hours * price);
    vec![
        metrics::UTILIZATION_AVG.maybe(some(&|run| beat_lately(run, now))),
        metrics::UTILIZATION_NOW.maybe(some(&|run| is_alive(run, snapshot, now))),
        metrics::GPU_HOURS.maybe(hours),
        metrics::COST_ESTIMATE.maybe(cost).tag("price_source", "table"),
    ]
}

/// The runs whose GPUs count. Those that wait, or are about to be stopped, count in the total alone; those on somebody's
/// own machine only if that is wished, because the chip of a laptop reports itself as a card.
fn of_gpus<'r>(runs: &'r [Run], rules: &Rules) -> Vec<&'r Run> {
    let counts = |run: &&Run| {
        let trains = !matches!(run.state, State::Pending | State::Preempting);
        trains && (rules.local_gpus || run.run_type != RunType::Local)
    };
    runs.iter().filter(counts).collect()
}

/// Whether a run beat in the last 24 hours.
///
/// The event's time is floored and the run is read after it, so living runs beat after `now`. Without them the mean would
/// leave out at random what trains.
fn beat_lately(run: &Run, now: Timestamp) -> bool {
    run.heartbeat_at >= now - DAY
}

/// The utilisation of runs that tell it, each counting as often as it has GPUs.
fn utilization<'r>(runs: impl Iterator<Item = &'r Run>) -> Option<f64> {
    let told = runs.filter_map(|run| Some((f64::from(run.gpus?), run.utilization?)));
    let (busy, gpus) = told.fold((0.0, 0.0), |(busy, all), (gpus, part)| (gpus.mul_add(part, busy), all + gpus));
    stats::ratio(busy, gpus)
}

/// How long a run ran within the last seven days.
fn overlap(run: &Run, now: Timestamp) -> SignedDuration {
    run.heartbeat_at.min(now).duration_since(run.created_at.max(now - WEEK)).max(SignedDuration::ZERO)
}

/// GPU-hours of the last seven days; unknown where there were runs and none of them tells its GPUs.
fn gpu_hours(runs: &[&Run], now: Timestamp) -> Option<f64> {
    let spans: Vec<(Option<u32>, f64)> = runs
        .iter()
        .map(|run| (run.gpus, overlap(run, now).as_secs_f64() / 3600.0))
        .filter(|(_, hours)| *hours > 0.0)
        .collect();
    let told = spans.iter().any(|(gpus, _)| gpus.is_some());
    let known = || spans.iter().filter_map(|(gpus, hours)| Some(f64::from((*gpus)?) * hours));
    // The sum of nothing would be a negative zero.
    let sum = || known().fold(0.0, |sum, hours| sum + hours);
    (told || spans.is_empty()).then(sum)
}

/// How many runs a row of GPUs would count, had they told theirs.
pub(crate) fn silent(runs: &[Run], snapshot: &Snapshot, now: Timestamp) -> usize {
    let is_wanted = |run: &&Run| !overlap(run, now).is_zero() || beat_lately(run, now) || is_alive(run, snapshot, now);
    of_gpus(runs, &snapshot.rules).into_iter().filter(|run| run.gpus.is_none()).filter(is_wanted).count()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{now, quiet, run, said, unknown, with};
    use super::*;
    use crate::measure::all;
    use shared::testing::lines;

    fn on(run: Run, gpus: u32, utilization: Option<f64>) -> Run {
        Run { gpus: Some(gpus), utilization, ..run }
    }

    #[test]
    fn eight_gpus_for_two_hours_are_sixteen_gpu_hours() {
        let runs = vec![on(run("a", State::Finished, "2026-01-07T10:00:00Z", "2026-01-07T12:00:00Z"), 8, None)];
        let samples = all(&with(runs), now());
        assert_eq!(said(&samples, "wandb.training.total"), "wandb.training.total_gpu_hours_7d{project:acme/arena} 16");
        assert_eq!(
            said(&samples, "wandb.training.cost"),
            "wandb.training.cost_estimate_usd{price_source:table,project:acme/arena} 32"
        );
    }

    #[test]
    fn what_lies_outside_of_the_week_does_not_count() {
        let runs = vec![
            on(run("begun before", State::Finished, "2025-12-31T00:00:00Z", "2026-01-01T13:00:00Z"), 2, None),
            on(run("goes on after", State::Running, "2026-01-08T11:00:00Z", "2026-01-08T12:30:00Z"), 4, None),
            on(run("over before", State::Finished, "2025-12-31T00:00:00Z", "2026-01-01T12:00:00Z"), 64, None),
            on(run("negative", State::Finished, "2026-01-08T10:00:00Z", "2026-01-08T09:00:00Z"), 64, None),
            on(run("preempting", State::Preempting, "2026-01-08T10:00:00Z", "2026-01-08T11:00:00Z"), 64, None),
            run("silent", State::Finished, "2026-01-08T10:00:00Z", "2026-01-08T11:00:00Z"),
        ];
        let hours = |runs: &[Run]| gpu_hours(&of_gpus(runs, &quiet().rules), now());
        assert_eq!(hours(&runs), Some(2.0 + 4.0));
        assert_eq!(silent(&runs, &quiet(), now()), 1);
        let mut mute: Vec<Run> = runs.into_iter().map(|run| Run { gpus: None, ..run }).collect();
        assert_eq!(silent(&mute, &quiet(), now()), 4, "the negative one beat within the day");
        mute.truncate(1);
        assert_eq!(silent(&mute, &quiet(), now()), 1);
    }

    #[test]
    fn no_run_is_no_hour_and_runs_that_tell_nothing_are_unknown() {
        assert_eq!(gpu_hours(&[], now()), Some(0.0));
        let silent = run("silent", State::Finished, "2026-01-08T10:00:00Z", "2026-01-08T11:00:00Z");
        assert_eq!(gpu_hours(&[&silent], now()), None);
        let samples = samples(&with(vec![silent]), now());
        assert_eq!((lines(&samples), samples.len()), (String::new(), 4));
        let zero = all(&quiet(), now());
        assert_eq!(said(&zero, "wandb.training.cost").rsplit(' ').next(), Some("0"));
        assert_eq!(lines(&super::samples(&unknown(), now())), "");
    }

    #[test]
    fn without_a_price_there_is_no_cost() {
        let rules = Rules { gpu_price: None, ..quiet().rules };
        assert_eq!(said(&all(&crate::Snapshot { rules, ..quiet() }, now()), "wandb.training.cost"), "");
    }

    #[test]
    fn utilisation_is_weighted_by_gpus_over_the_last_day_and_over_what_trains_now() {
        let runs = [
            on(run("alive", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:59:45Z"), 8, Some(90.0)),
            on(run("ended", State::Crashed, "2026-01-08T01:00:00Z", "2026-01-08T02:00:00Z"), 1, Some(0.0)),
            on(run("edge", State::Finished, "2026-01-07T10:00:00Z", "2026-01-07T12:00:00Z"), 1, Some(80.0)),
            on(run("too old", State::Finished, "2026-01-07T10:00:00Z", "2026-01-07T11:59:59Z"), 50, Some(1.0)),
            on(run("tells no use", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:59:00Z"), 50, None),
            on(run("waits", State::Pending, "2026-01-08T10:00:00Z", "2026-01-08T11:59:00Z"), 50, Some(1.0)),
            on(run("a CPU run", State::Running, "2026-01-08T10:00:00Z", "2026-01-08T11:59:00Z"), 0, None),
        ];
        let samples = all(&with(runs.to_vec()), now());
        assert_eq!(
            said(&samples, "wandb.training.gpu_utilization_avg"),
            "wandb.training.gpu_utilization_avg{project:acme/arena} 80"
        );
        let samples = all(&with(runs[..3].to_vec()), now());
        assert_eq!(
            said(&samples, "wandb.training.gpu_utilization"),
            "wandb.training.gpu_utilization_avg{project:acme/arena} 80\n\
             wandb.training.gpu_utilization_pct{project:acme/arena} 90"
        );
    }
    #[test]
    fn a_run_that_beats_at_or_after_now_lived_in_every_window_that_reaches_up_to_now() {
        let runs = vec![
            on(run("ended", State::Finished, "2026-01-08T01:00:00Z", "2026-01-08T02:00:00Z"), 1, Some(10.0)),
            on(run("at", State::Running, "2026-01-08T12:00:00Z", "2026-01-08T12:00:00Z"), 1, Some(70.0)),
            on(run("after", State::Running, "2026-01-08T12:00:10Z", "2026-01-08T12:00:40Z"), 1, Some(100.0)),
        ];
        let samples = all(&with(runs), now());
        assert_eq!(
            said(&samples, "wandb.training.gpu_utilization"),
            "wandb.training.gpu_utilization_avg{project:acme/arena} 60\n\
             wandb.training.gpu_utilization_pct{project:acme/arena} 85"
        );
        assert!(said(&samples, "wandb.training.total").ends_with(" 1"), "they have no hour before now");
    }

    #[test]
    fn runs_on_peoples_own_machines_count_only_if_that_is_wished() {
        let laptop = |gpus| Run {
            run_type: RunType::Local,
            gpus,
            utilization: Some(100.0),
            ..run("laptop", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T10:00:00Z")
        };
        let runs = vec![
            on(run("a", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T09:00:00Z"), 1, Some(50.0)),
            laptop(Some(1)),
            laptop(None),
        ];
        let told = |local_gpus| {
            let snapshot = Snapshot { rules: Rules { local_gpus, ..quiet().rules }, ..with(runs.clone()) };
            let samples = all(&snapshot, now());
            let rows = ["wandb.training.total", "wandb.training.gpu_utilization_avg", "wandb.training.cost"];
            let values = rows.map(|row| said(&samples, row).rsplit(' ').next().map(str::to_owned).unwrap());
            (values.join(" "), silent(&runs, &snapshot, now()))
        };
        assert_eq!(told(false), ("1 50 2".to_owned(), 0));
        assert_eq!(told(true), ("3 75 6".to_owned(), 1));
    }

    #[test]
    fn a_project_of_cpu_runs_alone_has_no_gpu_hours_and_no_utilisation() {
        let runs = vec![on(run("a", State::Finished, "2026-01-08T08:00:00Z", "2026-01-08T10:00:00Z"), 0, None)];
        let samples = all(&with(runs.clone()), now());
        assert!(said(&samples, "wandb.training.total").ends_with(" 0"), "it told that it has none");
        assert_eq!((said(&samples, "wandb.training.gpu"), silent(&runs, &quiet(), now())), (String::new(), 0));
    }
}
