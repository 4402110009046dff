//! Every row that is declared is said, with exactly its tags, and nothing else is.

use crate::stage::{EPOCH, Stage};
use crate::subject::Subject;
use shared::testing::{at, conforms};
use shared::{CHECK_METRICS, Collector, GRID, Metric, Sample, heartbeat};

/// A day of runs says every row of the catalogue that is the collector's, and each row has a category.
pub async fn conformity<S: Subject>() {
    // A row that no prefix fits would be said to be about the collector.
    for metric in S::Collector::METRICS {
        let category = S::Collector::CATEGORIES.iter().find(|(prefix, _)| metric.name.starts_with(prefix));
        assert!(category.is_some(), "{} has no category in CATEGORIES", metric.name);
    }
    let stage = Stage::<S>::new(S::HEALTHY, at(EPOCH), true).await;
    let mut samples: Vec<Sample> = stage.settled().await.samples;
    // A quiet quarter of an hour observes nothing, so that some rows are those of an earlier run.
    for _ in 0..16 {
        stage.clock.advance(GRID * 7);
        let report = stage.settled().await;
        samples.retain(|earlier| !report.samples.iter().any(|sample| sample.name() == earlier.name()));
        samples.extend(report.samples);
    }
    let (checks, own) = (S::Collector::CHECKS, heartbeat::METRICS.iter());
    let mut metrics: Vec<&'static Metric> = S::Collector::METRICS.to_vec();
    metrics.extend(own.filter(|metric| !S::ABSENT.contains(&metric.name)));
    metrics.extend(checks.iter().flat_map(|check| check.rows));
    metrics.extend(CHECK_METRICS.iter().filter(|_| !checks.is_empty()));
    conforms(&metrics, &samples);
}
