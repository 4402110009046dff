//! A sandbox with a clock, and a collector that knows nothing of it but addresses and a token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::Timestamp;
use sandbox::{Clock, Options, Sandbox, Seed};
use shared::Report;
use shared::testing;
use wandb::WandB;

pub const EPOCH: &str = "2026-01-08T12:00:00Z";

/// The sandbox, its clock and the collector.
pub struct Stage {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub inner: testing::Stage<WandB>,
}

impl Stage {
    pub async fn new(seed: Seed, now: Timestamp, push: bool, more: &[(&str, &str)]) -> Self {
        Self::on(Sandbox::start(Options::new(seed, Clock::at(now))).await.unwrap(), push, more).await
    }

    /// A stage on a sandbox that is up already.
    pub async fn on(sandbox: Sandbox, push: bool, more: &[(&str, &str)]) -> Self {
        let clock = sandbox.clock().clone();
        let inner = testing::Stage::new(sandbox.env(), more, push).await;
        Self { sandbox, clock, inner }
    }

    pub async fn run(&self) -> Report {
        self.inner.run(self.clock.now()).await
    }
}
