//! What a fetch remembers for the next one, beside what the formulas see.

use crate::snapshot::{Run, Shipped, Snapshot, Wait};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is stored of a repository: what the formulas see, and where the next fetch continues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    /// What the formulas see.
    pub snapshot: Snapshot,
    /// Where the next fetch continues.
    pub kept: Kept,
}

impl Fetched {
    /// What outlives a fetch of everything and another configuration: of the repository nothing is known with it.
    #[must_use]
    pub(crate) fn lasting(&self) -> Self {
        let snapshot = Snapshot::unknown(&self.snapshot.repo, self.snapshot.rules.clone());
        Self { snapshot, kept: self.kept.lasting() }
    }
}

/// Where the next fetch continues, and answers that never change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The time of the run that wrote this.
    pub at: Timestamp,
    /// Stands for the address and the key of digests that the answers that never change are of.
    pub source: String,
    /// Stands for the labels by which what was shipped was judged.
    pub labels: String,
    /// When the workflows were asked for.
    pub workflows_at: Timestamp,
    /// Runs of a window that is not known as a whole yet.
    pub partial: Vec<Run>,
    /// Stretches of the window whose runs are not known yet, both ends included.
    pub missing: Vec<(Timestamp, Timestamp)>,
    /// Places in the list of branches from which its pages can be asked side by side.
    pub cursors: Vec<String>,
    /// The commit that the branch pointed to.
    pub head: Option<String>,
    /// The merged pull requests with a label that says force: when, and the commit that merged them.
    pub forced: BTreeMap<u64, (Timestamp, Option<String>)>,
    /// Whether an attempt of a run failed, by run and attempt.
    pub attempts: BTreeMap<u64, BTreeMap<u64, bool>>,
    /// Seconds that the longest cancelled job of an attempt ran, by run and attempt.
    pub longest: BTreeMap<u64, BTreeMap<u64, u64>>,
    /// Paths that a commit touches, digested.
    pub files: BTreeMap<String, Vec<String>>,
    /// Paths that a merged pull request touches, digested, where they were asked for apart from it.
    pub pull_files: BTreeMap<u64, Vec<String>>,
    /// What came with a deployment, by `before...after`.
    pub shipped: BTreeMap<String, Vec<Shipped>>,
    /// Waiting times of jobs of runs that finished lately.
    pub waits: Vec<Wait>,
    /// Runs whose waiting times were asked for, with the attempt.
    pub waited: BTreeSet<(u64, u64)>,
    /// The runs that finished before this have all been asked for their waiting times.
    pub waits_from: Option<Timestamp>,
}

impl Kept {
    /// The answers that never change, which a fetch of everything does not ask for again.
    fn lasting(&self) -> Self {
        Self {
            source: self.source.clone(),
            labels: self.labels.clone(),
            attempts: self.attempts.clone(),
            longest: self.longest.clone(),
            files: self.files.clone(),
            pull_files: self.pull_files.clone(),
            shipped: self.shipped.clone(),
            waits: self.waits.clone(),
            waited: self.waited.clone(),
            waits_from: self.waits_from,
            ..Self::default()
        }
    }

    /// What of it holds for this source and these labels: ids and digests are those of one source, and what was shipped
    /// was judged by labels.
    pub(crate) fn remembered(mut self, source: String, labels: String) -> Self {
        if self.source != source {
            self = Self::default();
        }
        if self.labels != labels {
            self.shipped.clear();
        }
        Self { source, labels, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_changes_holds_for_its_source_and_what_was_shipped_for_its_labels() {
        let kept = Kept {
            attempts: [(1, [(1, true)].into())].into(),
            shipped: [("a...b".to_owned(), Vec::new())].into(),
            ..Kept::default().remembered("here".into(), "hotfix".into())
        };
        let held = |source: &str, labels: &str| {
            let kept = kept.clone().remembered(source.to_owned(), labels.to_owned());
            assert_eq!((kept.source.as_str(), kept.labels.as_str()), (source, labels));
            (kept.attempts.len(), kept.shipped.len())
        };
        assert_eq!([held("here", "hotfix"), held("here", "urgent"), held("there", "hotfix")], [(1, 1), (1, 0), (0, 0)]);
    }
}
