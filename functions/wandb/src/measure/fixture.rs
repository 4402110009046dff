//! A project for the tests of the formulas, and short ways to write its runs.

use crate::snapshot::{Counts, Refused, Rules, Run, RunType, Snapshot, State};
use jiff::Timestamp;
use shared::testing::at;
use shared::{Sample, testing};
use std::collections::BTreeMap;

/// The time of all these tests.
pub const NOW: &str = "2026-01-08T12:00:00Z";

/// A project of which everything is known, and there is nothing.
pub fn quiet() -> Snapshot {
    Snapshot {
        project: "acme/arena".to_owned(),
        rules: Rules {
            stale_minutes: 30,
            keys: ["accuracy", "loss", "sps"].map(str::to_owned).to_vec(),
            gpu_price: Some(2.0),
            local_gpus: false,
        },
        at: at(NOW),
        counts: Some(Counts { all: 0, running: 0 }),
        runs: Some(Vec::new()),
        best: Some(None),
        summaries: Some(BTreeMap::new()),
        refused: Refused::default(),
    }
}

/// A project of which nothing is known.
pub fn unknown() -> Snapshot {
    Snapshot { counts: None, runs: None, best: None, summaries: None, ..quiet() }
}

/// A project with these runs.
pub fn with(runs: Vec<Run>) -> Snapshot {
    Snapshot { runs: Some(runs), ..quiet() }
}

/// A run of type `other`, created and last heard of at these times.
pub fn run(id: &str, state: State, created_at: &str, heartbeat_at: &str) -> Run {
    Run {
        id: id.to_owned(),
        label: String::new(),
        run_type: RunType::Other,
        state,
        created_at: at(created_at),
        heartbeat_at: at(heartbeat_at),
        gpus: None,
        utilization: None,
        values: None,
    }
}

/// The known samples that begin so, one a line.
pub fn said(samples: &[Sample], name: &str) -> String {
    let lines = testing::lines(samples);
    lines.lines().filter(|line| line.starts_with(name)).collect::<Vec<_>>().join("\n")
}

/// The time of these tests.
pub fn now() -> Timestamp {
    at(NOW)
}
