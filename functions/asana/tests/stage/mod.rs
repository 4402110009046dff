//! A sandbox with a clock, and a collector that knows nothing of it but addresses and a token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use asana::Asana;
use jiff::Timestamp;
use sandbox::model::asana::Workspace;
use sandbox::{Clock, Options, Sandbox, Seed};
use shared::Report;
use shared::testing;

pub const EPOCH: &str = "2026-01-08T12:00:00Z";

/// The sandbox, its clock and the collector.
pub struct Stage {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub inner: testing::Stage<Asana>,
}

impl Stage {
    pub async fn new(seed: Seed, now: Timestamp, push: bool, more: &[(&str, &str)]) -> Self {
        Self::on(Sandbox::start(Options::new(seed, Clock::at(now))).await.unwrap(), push, more).await
    }

    /// A stage on a sandbox that is up already.
    pub async fn on(sandbox: Sandbox, push: bool, more: &[(&str, &str)]) -> Self {
        let clock = sandbox.clock().clone();
        let inner = testing::Stage::new(sandbox.env(), more, push).await;
        // A domain that does not pay bears 150 calls a minute, for which a test of many runs cannot wait.
        sandbox.asana().set_quota(1_000_000);
        Self { sandbox, clock, inner }
    }

    /// The workspace that is read.
    pub fn workspace(&self) -> &Workspace {
        &self.sandbox.organisation().workspaces[0]
    }

    pub async fn run(&self) -> Report {
        self.inner.run(self.clock.now()).await
    }
}
