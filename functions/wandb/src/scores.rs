//! Scores of the project between 0 and 1.

use crate::metrics;
use shared::{Combine, Metric, Score, Selector};

/// Every score of the collector; a source with several run types counts as their sum.
pub static SCORES: &[Score] = &[
    score(&metrics::SCORE_RUN_SUCCESS, &metrics::COMPLETED, |x| Some(clamp(x / 7.0))),
    score(&metrics::SCORE_RUN_FAILURES, &metrics::FAILED, |x| Some(clamp(1.0 - x / 3.0))),
    score(&metrics::SCORE_BEST_ACCURACY, &metrics::BEST_ACCURACY, accuracy),
    score(&metrics::SCORE_AVG_ACCURACY, &metrics::AVG_ACCURACY, accuracy),
    score(&metrics::SCORE_LATEST_LOSS, &metrics::LATEST_LOSS, |x| (x > 0.0).then(|| clamp(1.0 - (x - 0.1) / 1.9))),
    score(&metrics::SCORE_UTILIZATION, &metrics::UTILIZATION_AVG, |x| Some(clamp(x / 80.0))),
    score(&metrics::SCORE_DURATION, &metrics::AVG_DURATION, duration),
];

const fn score(metric: &'static Metric, reads: &'static Metric, points: fn(f64) -> Option<f64>) -> Score {
    Score { metric, reads: Selector { metric: reads, having: &[], lacking: &[] }, combine: Combine::Sum, points }
}

const fn clamp(x: f64) -> f64 {
    x.clamp(0.0, 1.0)
}

/// Some projects tell accuracies in percent.
#[expect(clippy::unnecessary_wraps, reason = "every formula of a score may have no points to give")]
fn accuracy(x: f64) -> Option<f64> {
    Some(clamp(if x > 1.0 { x / 100.0 } else { x }))
}

#[expect(clippy::unnecessary_wraps, reason = "every formula of a score may have no points to give")]
fn duration(x: f64) -> Option<f64> {
    Some(match x {
        short if short < 1.0 => 0.3,
        long if long > 8.0 => clamp(1.0 - (long - 8.0) / 8.0),
        _ => 1.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::scores;
    use shared::testing::lines;

    type Points = &'static [(f64, f64)];

    #[test]
    fn every_score_gives_the_points_of_the_catalogue() {
        let cases: [(&Metric, &'static Metric, Points); 6] = [
            (&metrics::SCORE_BEST_ACCURACY, &metrics::BEST_ACCURACY, &[(1.0, 1.0), (1.01, 0.0101), (90.0, 0.9)]),
            (&metrics::SCORE_AVG_ACCURACY, &metrics::AVG_ACCURACY, &[(0.5, 0.5), (-0.5, 0.0), (250.0, 1.0)]),
            (&metrics::SCORE_LATEST_LOSS, &metrics::LATEST_LOSS, &[(0.1, 1.0), (1.05, 0.5), (2.0, 0.0), (0.01, 1.0)]),
            (&metrics::SCORE_UTILIZATION, &metrics::UTILIZATION_AVG, &[(50.0, 0.625), (80.0, 1.0), (95.0, 1.0)]),
            (
                &metrics::SCORE_DURATION,
                &metrics::AVG_DURATION,
                &[(0.9, 0.3), (1.0, 1.0), (8.0, 1.0), (12.0, 0.5), (16.0, 0.0), (40.0, 0.0)],
            ),
            (&metrics::SCORE_RUN_SUCCESS, &metrics::COMPLETED, &[(0.0, 0.0), (7.0, 1.0), (9.0, 1.0)]),
        ];
        for (row, source, points) in cases {
            for (value, expected) in points {
                let mut sample = source.sample(*value).tag("project", "p");
                if source.tags.contains(&"run_type") {
                    sample = sample.tag("run_type", "ptm");
                }
                let all = scores(SCORES, &[sample]);
                assert_eq!((all.len(), all[0].series()), (1, format!("{}{{project:p}}", row.name)));
                let points = all[0].value().unwrap();
                assert!((points - expected).abs() < 1e-9, "{} of {value} is {points}", row.name);
            }
        }
    }

    #[test]
    fn all_types_are_their_sum() {
        let failed = |kind: &str, value| metrics::FAILED.sample(value).tag("project", "p").tag("run_type", kind);
        let all = scores(SCORES, &[failed("ptm", 1.0), failed("sweep", 0.0), failed("other", 1.0)]);
        assert!((all[0].value().unwrap() - 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(all.len(), 1);
    }

    #[test]
    fn what_is_unknown_or_has_no_points_has_no_score() {
        let unknown = [
            metrics::BEST_ACCURACY.maybe(None).tag("project", "p"),
            metrics::LATEST_LOSS.sample(0.0).tag("project", "p"),
            metrics::AVG_DURATION.maybe(None).tag("project", "p"),
        ];
        assert_eq!(lines(&scores(SCORES, &unknown)), "");
    }
}
