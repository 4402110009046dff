//! A stand-in for a collector, a Datadog of its own, and a store in a folder.

use jiff::{SignedDuration, Timestamp};
use shared::testing::{Folder, Points, START, Sink, StandIn, at};
use shared::{Collector, Env, Event, GRID, Life, Report, Sample};
use std::time::Duration;

/// What a run may take.
pub const TIME: Duration = Duration::from_mins(1);

pub struct Stage {
    pub life: Life,
    pub collector: StandIn<0>,
    pub sink: Sink,
    pub state: Folder,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(&[]).await
    }

    pub async fn with(more: &[(&str, &str)]) -> Self {
        let (sink, state) = (Sink::start().await, Folder::new("life"));
        let env = env(&sink, &state, more);
        let (life, collector) = prepared(&env).await;
        Self { life, collector, sink, state }
    }

    /// The run of this slot, so much later than its time.
    pub async fn run(&self, slot: i32, late: SignedDuration) -> Report {
        self.life.run(&self.collector, &event(slot, late), TIME).await.unwrap()
    }

    pub async fn on_time(&self, slot: i32) -> Report {
        self.run(slot, SignedDuration::ZERO).await
    }

    pub fn told(&self) -> Points {
        self.sink.points().told()
    }

    /// Every key below a folder of the store.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        self.life.store().list(prefix, usize::MAX).await.unwrap()
    }
}

pub fn env(sink: &Sink, state: &Folder, more: &[(&str, &str)]) -> Env {
    let path = state.path().display().to_string();
    let vars = [("DATADOG_URL", sink.url()), ("DD_API_KEY", "k3y"), ("DD_ENV", "test"), ("STATE_DIR", &path)];
    Env::of(vars.iter().chain(more).copied())
}

pub async fn prepared<const N: usize>(env: &Env) -> (Life, StandIn<N>) {
    let life = Life::prepare::<StandIn<N>>(env, true).await.unwrap();
    (life, StandIn::connect(env).await.unwrap())
}

pub fn now(slot: i32) -> Timestamp {
    at(START) + GRID * slot
}

pub fn event(slot: i32, late: SignedDuration) -> Event {
    Event::new(now(slot), now(slot) + late)
}

/// The sum of a row over its members in a report.
pub fn sum(report: &Report, name: &str) -> f64 {
    report.samples.iter().filter(|sample| sample.name() == name).filter_map(Sample::value).sum()
}

/// Whether a row of counts sums to this number in a report.
pub fn sums_to(report: &Report, name: &str, number: usize) -> bool {
    (sum(report, name) - shared::stats::count(number)).abs() < 1e-9
}

/// What so many undisturbed runs leave.
pub async fn undisturbed(runs: i32) -> Points {
    let stage = Stage::new().await;
    for slot in 0..runs {
        let report = stage.on_time(slot).await;
        assert!(report.is_up() && report.failure().is_none());
    }
    stage.told()
}
