//! A sandbox, and a collector that knows nothing of it but addresses and a token.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use github::GitHub;
use jiff::Timestamp;
use sandbox::{Clock, Options, Sandbox, Seed};
use shared::testing::Folder;
use shared::{Collector, Env, Event, Life, Report};
use std::time::Duration;

pub const EPOCH: &str = "2026-01-08T12:00:00Z";
const TIME: Duration = Duration::from_mins(2);

/// The sandbox, and a collector that knows nothing of it but addresses and a token.
pub struct Stage {
    pub sandbox: Sandbox,
    pub clock: Clock,
    pub life: Life,
    pub collector: GitHub,
    _state: Folder,
}

impl Stage {
    pub async fn new(seed: Seed, now: Timestamp, push: bool, more: &[(&str, &str)]) -> Self {
        let clock = Clock::at(now);
        let sandbox = Sandbox::start(Options::new(seed, clock.clone())).await.unwrap();
        Self::on(sandbox, push, more).await
    }

    /// A stage on a sandbox that is up already.
    pub async fn on(sandbox: Sandbox, push: bool, more: &[(&str, &str)]) -> Self {
        let clock = sandbox.clock().clone();
        let state = Folder::new("run");
        let mut settings = sandbox.env();
        settings.insert("STATE_DIR".to_owned(), state.path().display().to_string());
        settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let env = Env::load(settings).await.unwrap();
        let life = Life::prepare::<GitHub>(&env, &[], push).await.unwrap();
        let collector = GitHub::connect(&env).await.unwrap();
        Self { sandbox, clock, life, collector, _state: state }
    }

    pub async fn run(&self) -> Report {
        let now = self.clock.now();
        self.life.run(&self.collector, &Event::new(now, now), TIME).await.unwrap()
    }

    /// Runs until every part is known: what never changes is asked for a few pieces at a time.
    pub async fn settled(&self) -> Report {
        let mut report = self.run().await;
        for _ in 0..40 {
            let failed = |target: &str| report.failed.iter().any(|(failed, _)| failed == target);
            if report.shares.iter().all(|share| share.is_up() || failed(&share.target)) {
                break;
            }
            report = self.run().await;
        }
        report
    }
}
