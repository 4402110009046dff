//! What a fetch may cost, at the reference size and at ten times it.

mod stage;

use sandbox::Seed;
use shared::testing::at;
use shared::{GRID, Report};
use stage::{EPOCH, Stage};
use std::time::Duration;

/// A full fetch and an incremental one, with the calls that each made.
async fn pair(size: u32, latency: Duration) -> (Report, Report) {
    let seed = Seed { number: 1, size, epoch: at(EPOCH) };
    let stage = Stage::new(seed, at(EPOCH), false, &[("WANDB_PROJECTS", "acme/arena")]).await;
    stage.sandbox.faults().base_latency("wandb", latency);
    let full = stage.run().await;
    stage.clock.advance(GRID);
    (full, stage.run().await)
}

#[tokio::test]
async fn a_fetch_stays_within_the_calls_of_the_catalogue() {
    let (full, incremental) = pair(1, Duration::from_millis(100)).await;
    // The times are for people: how long a test takes depends on what else the machine does.
    println!("full: {} calls in {:?}", full.calls, full.took);
    println!("incremental: {} calls in {:?}", incremental.calls, incremental.took);
    assert!(full.calls <= 1 + 11 + 1 + 3, "{} calls", full.calls);
    assert!(incremental.calls <= 6, "{} calls", incremental.calls);
    let (full, incremental) = pair(10, Duration::ZERO).await;
    println!("tenfold: {} calls, then {} calls", full.calls, incremental.calls);
    assert!(full.calls <= 1 + 105 + 1 + 20, "{} calls", full.calls);
    assert!(incremental.calls <= 6, "{} calls", incremental.calls);
}
