//! The queue of bugs.

use crate::metrics;
use shared::{Sample, stats};
use std::collections::BTreeMap;

/// What stands for all open issues among the labels: the labelled ones can be seen against it, and no check judges it.
const ANY: &str = "any";

pub(super) fn samples(labels: &[String], open: Option<&BTreeMap<String, u64>>) -> Vec<Sample> {
    let of = |label: &str| {
        let issues = open.and_then(|open| open.get(label)).and_then(|issues| usize::try_from(*issues).ok());
        metrics::ISSUES_OPEN.maybe(issues.map(stats::count)).tag("label", label)
    };
    labels.iter().map(|label| of(label)).chain([of(ANY)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::lines;

    #[test]
    fn each_configured_label_has_its_issues_zeros_included() {
        let open = BTreeMap::from([("any".into(), 7), ("bug".into(), 2), ("training".into(), 0)]);
        let samples = samples(&["bug".into(), "training".into()], Some(&open));
        let expected = "github.issues.open{label:any} 7\n\
                        github.issues.open{label:bug} 2\n\
                        github.issues.open{label:training} 0";
        assert_eq!(lines(&samples), expected);
    }

    #[test]
    fn an_unknown_label_is_there_without_a_value() {
        let open = BTreeMap::from([("any".into(), 7)]);
        for (open, known) in [(None, ""), (Some(&open), "github.issues.open{label:any} 7")] {
            let samples = samples(&["bug".into()], open);
            assert_eq!(lines(&samples), known);
            assert_eq!(samples[0].to_string(), "github.issues.open{label:bug} unknown");
            assert_eq!(samples.len(), 2);
        }
    }
}
