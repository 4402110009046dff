//! What a snapshot means: every row of the catalogue as a formula over plain data.

#[cfg(test)]
mod fixture;
mod gpus;
mod runs;
mod summaries;

pub(crate) use gpus::silent;

use crate::snapshot::{Run, Snapshot, State};
use jiff::{SignedDuration, Timestamp};
use shared::Sample;

/// Every row of the project, without a value where it is unknown.
pub(crate) fn all(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let mut samples = runs::samples(snapshot, now);
    samples.extend(summaries::samples(snapshot, now));
    samples.extend(gpus::samples(snapshot, now));
    samples.into_iter().map(|sample| sample.tag("project", &snapshot.project)).collect()
}

/// Whether a run trains now: running, and with a heartbeat that is not older than the limit.
fn is_alive(run: &Run, snapshot: &Snapshot, now: Timestamp) -> bool {
    let limit = SignedDuration::from_mins(snapshot.rules.stale_minutes.into());
    run.state == State::Running && now.duration_since(run.heartbeat_at) <= limit
}
