//! A run that is killed, repeated, doubled, late, cut off or kept waiting leaves in Datadog what an undisturbed one
//! would have left.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bucket;
mod healing;
mod killed;
mod outage;
mod stage;
mod start;
mod state;
mod times;
