//! Scores: each maps a value of the run to a number between 0 and 1.

use crate::{Metric, Sample, Selector, stats};
use std::collections::BTreeMap;

/// How several samples become the one value of a score.
#[derive(Debug, Clone, Copy)]
pub enum Combine {
    /// Their sum.
    Sum,
    /// Their mean.
    Mean,
}

/// A score in [0, 1] of one value.
#[derive(Debug)]
pub struct Score {
    /// The row of the score.
    pub metric: &'static Metric,
    /// What it scores.
    pub reads: Selector,
    /// How the samples are combined, where the score has fewer tags than they have.
    pub combine: Combine,
    /// The score of a value; nothing where the value has none.
    pub points: fn(f64) -> Option<f64>,
}

/// The scores of these samples; where a value is unknown, its score is absent.
#[must_use]
pub fn scores(scores: &'static [Score], samples: &[Sample]) -> Vec<Sample> {
    scores.iter().flat_map(|score| score.of(samples)).collect()
}

impl Score {
    fn of(&self, samples: &[Sample]) -> Vec<Sample> {
        let mut groups: BTreeMap<Vec<(&'static str, String)>, Vec<f64>> = BTreeMap::new();
        for sample in self.reads.of(samples) {
            let tags = sample.tags().iter().filter(|(key, _)| self.metric.tags.contains(key)).cloned().collect();
            groups.entry(tags).or_default().extend(sample.value());
        }
        let one = |(tags, values): (Vec<(&'static str, String)>, Vec<f64>)| {
            let value = match self.combine {
                Combine::Sum => (!values.is_empty()).then(|| values.iter().sum()),
                Combine::Mean => stats::mean(&values),
            };
            let sample = self.metric.maybe(value.and_then(self.points));
            tags.into_iter().fold(sample, |sample, (key, value)| sample.tag(key, value))
        };
        groups.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lines;

    crate::catalogue! {
        /// A flag by workflow.
        PASSING = Gauge "test.passing" in Check by ["repo", "role"], fold Min, better Up;
        /// Its score.
        FOM = Gauge "health.ci.test.fom" in Fraction by ["repo"], fold Min, better Up;
    }

    static SCORES: &[Score] = &[Score {
        metric: &FOM,
        reads: Selector { metric: &PASSING, having: &[("role", "benchmark")], lacking: &[] },
        combine: Combine::Mean,
        points: |x| (x >= 0.0).then_some(x),
    }];

    #[test]
    fn members_are_taken_together_by_the_tags_of_the_score_and_nothing_known_scores_nothing() {
        let passing = |repo: &str, role: &str, value| PASSING.maybe(value).tag("repo", repo).tag("role", role);
        let samples = [
            passing("a", "benchmark", Some(1.0)),
            passing("a", "benchmark", Some(0.0)),
            passing("a", "other", Some(0.0)),
            passing("b", "benchmark", None),
        ];
        assert_eq!(lines(&scores(SCORES, &samples)), "health.ci.test.fom{repo:a} 0.5");
        assert_eq!(METRICS.len(), 2);
    }
}
