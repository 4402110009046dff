//! How many calls a fetch makes, with a history of twenty thousand jobs, and how long it takes here.

mod stage;

use jiff::SignedDuration;
use sandbox::truth::{self, SkySettings};
use shared::GRID;
use shared::testing::{at, differences, gauges};
use stage::{EPOCH, Stage, seed};
use std::time::{Duration, Instant};

/// What each answer takes.
const LATENCY: Duration = Duration::from_millis(100);

/// What was asked of the new server, and how long it took: a full fetch and continued ones, of which the most calls and
/// the least time count. The times are for people to read.
async fn cost(size: u32) -> [(usize, Duration); 2] {
    let stage = Stage::new(seed(1, size), at(EPOCH), false, &[]).await;
    for upstream in ["skypilot", "skypilot_old"] {
        stage.sandbox.faults().base_latency(upstream, LATENCY);
    }
    let mut costs = [(0, Duration::MAX); 2];
    for place in [0, 1, 1, 1] {
        stage.sandbox.faults().forget_requests();
        let started = Instant::now();
        let report = stage.run().await;
        let (calls, took) = (stage.sandbox.faults().requests("skypilot").len(), started.elapsed());
        costs[place] = (costs[place].0.max(calls), costs[place].1.min(took));
        let servers = &stage.sandbox.organisation().skypilot;
        let truth = servers.iter().flat_map(|server| truth::skypilot(server, report.now, &SkySettings::default()));
        assert!(differences(&gauges(&report), &truth.collect()).is_empty());
        stage.clock.advance(GRID);
    }
    println!("size {size}: full {:?}, incremental {:?}", costs[0], costs[1]);
    costs
}

#[tokio::test]
async fn a_fetch_stays_within_its_calls_whatever_the_history() {
    let stage = Stage::new(seed(1, 1), at(EPOCH), false, &[]).await;
    let month = at(EPOCH) - SignedDuration::from_hours(30 * 24);
    let jobs = &stage.sandbox.organisation().skypilot[0].jobs;
    let old = jobs.iter().filter(|job| job.tasks.iter().all(|task| task.turns.last().unwrap().0 < month)).count();
    assert!(old >= 20_000, "the history is long: {old}");
    drop(stage);
    let [full, incremental] = cost(1).await;
    assert!(full.0 <= 10, "{full:?}");
    assert!(incremental.0 <= 10, "{incremental:?}");
    // Ten times the organisation.
    let [full, incremental] = cost(10).await;
    assert!(full.0 <= 38, "{full:?}");
    assert!(incremental.0 <= 12, "{incremental:?}");
}
