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

/// Where the next fetch continues, and answers that never change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The time of the run that wrote this.
    pub at: Timestamp,
    /// Stands for the configuration that the answers were read with.
    pub reading: String,
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
    /// What came with a deployment, by `before...after`.
    pub shipped: BTreeMap<String, Vec<Shipped>>,
    /// Waiting times of jobs that finished lately.
    pub waits: Vec<Wait>,
    /// Runs whose waiting times were asked for, with the attempt.
    pub waited: BTreeSet<(u64, u64)>,
}

impl Kept {
    /// The answers that never change, which a fetch of everything does not ask for again.
    #[must_use]
    pub(crate) fn lasting(self) -> Self {
        let Self { attempts, longest, files, shipped, waits, waited, .. } = self;
        Self { attempts, longest, files, shipped, waits, waited, ..Self::default() }
    }
}
