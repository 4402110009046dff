//! What the collector judges: its check, and its score between 0 and 1.

use crate::metrics;
use shared::{Check, Combine, Condition, Operator, Score, Selector, Word, check};

/// Every check of the collector.
pub static CHECKS: &[Check] = &[check! {
    "training.bugs.count" reads metrics::BUGS_BY_LABEL where "label" = "training";
    "training" / Word::Is("training_bugs"), Word::Is("bugs_tickets"), "open_count";
    Condition::new(Operator::Below, 1.0), Task
}];

/// Every score of the collector.
pub static SCORES: &[Score] = &[Score {
    metric: &metrics::SCORE_BUGS,
    reads: Selector { metric: &metrics::BUGS_BY_LABEL, having: &[("label", "training")], lacking: &[] },
    combine: Combine::Sum,
    points: |bugs| Some((1.0 - bugs / 3.0).clamp(0.0, 1.0)),
}];

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::lines;
    use shared::{Overrides, Sample, Verdict, judge, scores};

    fn bugs(label: &str, value: Option<f64>) -> Sample {
        let sample = metrics::BUGS_BY_LABEL.maybe(value);
        sample.tag("workspace", "acme").tag("project", "bugs").tag("label", label)
    }

    fn judged(sample: Sample) -> String {
        let verdicts = judge(CHECKS, &Overrides::default(), &[sample]);
        lines(&verdicts.iter().flat_map(Verdict::samples).collect::<Vec<_>>())
    }

    #[test]
    fn the_check_passes_and_fails_where_its_condition_says() {
        let family = |status: &str, lines: &[(&str, &str)]| {
            let tags = format!(
                "{{check:open_count,condition:lt_1,label:training,project:bugs,status:{status},task:bugs_tickets,\
                 unit:task,workflow_category:training,workflow_name:training_bugs,workspace:acme}}"
            );
            let lines: Vec<String> = lines
                .iter()
                .map(|(end, value)| format!("metta.infra.cron.training.bugs.count{end}{tags} {value}"))
                .collect();
            lines.join("\n")
        };
        for (value, status, flag) in [("0", "pass", "1"), ("1", "fail", "0"), ("7", "fail", "0")] {
            let expected = family(status, &[(".status", flag), (".target", "1"), ("", value)]);
            assert_eq!(judged(bugs("training", value.parse().ok())), expected);
        }
        assert_eq!(judged(bugs("training", None)), family("unknown", &[(".target", "1")]));
    }

    #[test]
    fn without_the_label_there_is_nothing_to_judge() {
        assert_eq!(judged(bugs("regression", Some(4.0))), "");
    }

    #[test]
    fn the_score_is_one_for_no_bug_and_zero_from_three() {
        let score = |value| {
            let samples = scores(SCORES, &[bugs("training", value), bugs("regression", Some(3.0))]);
            samples.first().and_then(Sample::value)
        };
        assert_eq!((score(Some(0.0)), score(Some(3.0)), score(Some(5.0))), (Some(1.0), Some(0.0), Some(0.0)));
        assert!((score(Some(1.0)).unwrap() - 0.667).abs() < 0.001);
        assert_eq!(score(None), None);
    }
}
