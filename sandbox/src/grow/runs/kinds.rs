//! The workflows there are, and what sets each of them off.

use crate::grow::dice::Dice;
use crate::grow::span::Span;
use crate::model::github::Workflow;

/// Names, files, states and the chance that a trigger of a kind sets the workflow off.
pub(super) struct Kind {
    names: [&'static str; 2],
    file: &'static str,
    state: &'static str,
    pub(super) events: &'static [(&'static str, f64)],
}

pub(super) const KINDS: [Kind; 8] = [
    Kind {
        names: ["Tests", "CI / Tests"],
        file: "test.yml",
        state: "active",
        events: &[("push", 0.95), ("pull_request", 0.95), ("merge_group", 1.0)],
    },
    Kind {
        names: ["Lint", "Lint & format"],
        file: "lint.yml",
        state: "active",
        events: &[("push", 0.9), ("pull_request", 0.9)],
    },
    Kind {
        names: ["Build", "Build + package"],
        file: "build.yaml",
        state: "active",
        events: &[("push", 0.8), ("pull_request", 0.6), ("merge_group", 1.0)],
    },
    Kind {
        names: ["Benchmark nightly", "GPU benchmark"],
        file: "bench.yml",
        state: "active",
        events: &[("schedule", 0.3), ("workflow_dispatch", 0.2)],
    },
    Kind {
        names: ["Docs", "Docs for benchmarking"],
        file: "docs.yml",
        state: "active",
        events: &[("pull_request", 0.3), ("workflow_dispatch", 0.2), ("pull_request_review", 1.0)],
    },
    Kind { names: ["Deploy", "Ship it"], file: "deploy.yml", state: "active", events: &[("workflow_dispatch", 0.6)] },
    Kind {
        names: ["Old checks", "Legacy"],
        file: "old.yml",
        state: "disabled_manually",
        events: &[("schedule", 0.1), ("pull_request", 0.02)],
    },
    Kind {
        names: ["Sweep", "Label"],
        file: "sweep.yml",
        state: "active",
        events: &[("schedule", 0.6), ("pull_request_target", 1.0)],
    },
];

pub(super) const FIRST_ID: u64 = 1001;

pub(in crate::grow) fn workflows(dice: &mut Dice, span: Span) -> Vec<Workflow> {
    let mut workflows = Vec::new();
    for (id, kind) in (FIRST_ID..).zip(&KINDS) {
        // The first five are always there, so that there is a disabled one only beside them.
        if id < FIRST_ID + 5 || dice.chance(0.75) {
            workflows.push(Workflow {
                id,
                name: (*dice.pick(&kind.names)).to_owned(),
                path: format!(".github/workflows/{}", kind.file),
                state: kind.state,
                created_at: span.start,
            });
        }
    }
    workflows
}

/// The place of a workflow among the kinds.
pub(super) fn place(workflow: u64) -> usize {
    usize::try_from(workflow - FIRST_ID).unwrap_or(0)
}
