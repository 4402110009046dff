//! A sandbox with a clock, and a collector that knows nothing of it but addresses and a token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use jiff::Timestamp;
use sandbox::{Clock, Options, Sandbox, Seed};
use shared::testing::{self, at};
use shared::{GRID, Report};
use skypilot::SkyPilot;

pub const EPOCH: &str = "2026-01-08T12:00:00Z";

/// The sandbox, its clock and the collector.
pub struct Stage {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub inner: testing::Stage<SkyPilot>,
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

    /// The server of this alias.
    pub fn server(&self, alias: &str) -> &sandbox::model::skypilot::Server {
        self.sandbox.organisation().skypilot.iter().find(|server| server.alias == alias).unwrap()
    }
}

pub fn seed(number: u64, size: u32) -> Seed {
    Seed { number, size, epoch: at(EPOCH) }
}

/// A time on the grid within two days of the epoch, another one for each seed.
pub fn time_of(number: u64) -> Timestamp {
    let slots = i32::try_from(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).unwrap() % 192 - 96;
    at(EPOCH) + GRID * slots
}
