//! What runs say of themselves in their summaries.

use crate::metrics;
use crate::snapshot::{Run, RunType, Snapshot, State};
use jiff::Timestamp;
use shared::Sample;
use shared::window::{WEEK, last};

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let known = snapshot.summaries.as_ref().and(snapshot.runs.as_deref());
    let ended: Option<Vec<&Run>> = known
        .map(|runs| runs.iter().filter(|run| run.end().is_some_and(|end| last(WEEK, now).contains(&end))).collect());
    let finished: Option<Vec<&Run>> =
        ended.as_ref().map(|runs| runs.iter().copied().filter(|run| run.state == State::Finished).collect());
    let key = |place: usize| snapshot.rules.keys.get(place).map_or("", String::as_str);
    let accuracies: Option<Vec<f64>> =
        finished.as_ref().map(|runs| runs.iter().filter_map(|run| run.value(key(0))).collect());
    let loss = finished.and_then(|runs| latest(runs, key(1)));
    let mut samples = vec![
        metrics::BEST_ACCURACY.maybe(snapshot.best.flatten()),
        metrics::AVG_ACCURACY.mean(accuracies.as_deref()),
        metrics::LATEST_LOSS.maybe(loss),
    ];
    for kind in RunType::ALL {
        for word in &snapshot.rules.keys {
            let of_kind = ended.iter().flatten().copied().filter(|run| run.run_type == kind).collect::<Vec<&Run>>();
            let sample = metrics::SUMMARY_LATEST.maybe(latest(of_kind, word));
            samples.push(sample.tag("run_type", kind.word()).tag("key", word));
        }
    }
    samples
}

/// The value of the run that ended last and has it; among those that ended together the one created last, and then the
/// largest value. Ends are whole seconds, so this happens; the order must not change from run to run.
fn latest(runs: Vec<&Run>, word: &str) -> Option<f64> {
    let told = runs.into_iter().filter_map(|run| Some((run.age(), run.value(word)?)));
    told.max_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.total_cmp(&b.1))).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{now, quiet, run, said, unknown, with};
    use super::*;
    use crate::measure::all;

    fn says(run: Run, values: &[(&str, f64)]) -> Run {
        Run { values: Some(values.iter().map(|(word, value)| ((*word).to_owned(), *value)).collect()), ..run }
    }

    #[test]
    fn the_latest_is_the_one_that_ended_last_and_has_it() {
        let created = "2026-01-01T00:00:00Z";
        let runs = vec![
            says(run("a", State::Finished, created, "2026-01-08T08:00:00Z"), &[("loss", 0.5), ("sps", 10.0)]),
            says(run("b", State::Finished, "2026-01-07T00:00:00Z", "2026-01-08T07:00:00Z"), &[("loss", 0.1)]),
            says(run("c", State::Finished, created, "2026-01-08T09:00:00Z"), &[("accuracy", 0.4)]),
            says(run("d", State::Crashed, created, "2026-01-08T10:00:00Z"), &[("loss", 9.0), ("sps", 20.0)]),
            says(run("e", State::Finished, created, "2026-01-01T11:59:59Z"), &[("sps", 30.0), ("accuracy", 1.0)]),
            says(run("f", State::Running, created, "2026-01-08T11:59:00Z"), &[("sps", 40.0)]),
            run("g", State::Finished, created, "2026-01-08T11:00:00Z"),
        ];
        let samples = all(&with(runs), now());
        assert_eq!(
            said(&samples, "wandb.summary.latest"),
            "wandb.summary.latest{key:accuracy,project:acme/arena,run_type:other} 0.4\n\
             wandb.summary.latest{key:loss,project:acme/arena,run_type:other} 9\n\
             wandb.summary.latest{key:sps,project:acme/arena,run_type:other} 20"
        );
        let loss = "wandb.metrics.latest_loss{project:acme/arena} 0.5";
        assert_eq!(said(&samples, "wandb.metrics.latest_loss"), loss, "of finished runs alone");
        let accuracy = "wandb.metrics.avg_accuracy_7d{project:acme/arena} 0.4";
        assert_eq!(said(&samples, "wandb.metrics.avg"), accuracy);
    }

    #[test]
    fn of_runs_that_ended_together_the_one_created_last_counts() {
        let at = "2026-01-08T08:00:00Z";
        let older = says(run("a", State::Finished, "2026-01-01T00:00:00Z", at), &[("loss", 2.0)]);
        let newer = says(run("b", State::Finished, "2026-01-02T00:00:00Z", at), &[("loss", 1.0)]);
        let twin = says(run("c", State::Finished, "2026-01-02T00:00:00Z", at), &[("loss", 1.5)]);
        assert_eq!(latest(vec![&newer, &older], "loss"), Some(1.0));
        assert_eq!(latest(vec![&newer, &twin, &older], "loss"), Some(1.5));
    }

    #[test]
    fn a_mean_counts_the_finished_runs_that_have_it() {
        let finished = |id: &str, values: &[(&str, f64)]| {
            says(run(id, State::Finished, "2026-01-08T00:00:00Z", "2026-01-08T08:00:00Z"), values)
        };
        let failed =
            says(run("x", State::Failed, "2026-01-08T00:00:00Z", "2026-01-08T08:00:00Z"), &[("accuracy", 0.0)]);
        let runs =
            vec![finished("a", &[("accuracy", 0.5)]), finished("b", &[("accuracy", 1.0)]), finished("c", &[]), failed];
        let samples = all(&with(runs), now());
        assert!(said(&samples, "wandb.metrics.avg").ends_with(" 0.75"));
    }

    #[test]
    fn without_a_value_there_is_none_and_what_was_not_read_is_unknown() {
        let best = Snapshot { best: Some(Some(0.97)), ..quiet() };
        assert!(said(&all(&best, now()), "wandb.metrics.best").ends_with(" 0.97"));
        for snapshot in [quiet(), unknown()] {
            let samples = all(&snapshot, now());
            assert_eq!(said(&samples, "wandb.metrics") + &said(&samples, "wandb.summary"), "");
        }
        let one = says(run("a", State::Finished, "2026-01-08T00:00:00Z", "2026-01-08T08:00:00Z"), &[("loss", 2.0)]);
        let blind = Snapshot { summaries: None, ..with(vec![one]) };
        assert_eq!(said(&all(&blind, now()), "wandb.metrics.latest_loss"), "");
    }
}
