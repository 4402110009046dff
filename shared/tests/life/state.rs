//! What a store that fails, or holds something odd, costs.

use crate::stage::{Stage, env, event, prepared, sum};
use jiff::SignedDuration;
use shared::testing::Sink;
use std::os::unix::fs::PermissionsExt;

const CURSOR: &str = "cursors/zero/north%2F1";
const LATEST: &str = "snapshots/zero/north%2F1/latest";

#[tokio::test]
async fn what_cannot_be_read_in_the_store_costs_observations_and_neither_levels_nor_counts() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    for key in [CURSOR, LATEST] {
        std::fs::write(stage.state.path().join(key), "{broken").unwrap();
    }
    let report = stage.on_time(1).await;
    let down: Vec<&str> =
        report.shares.iter().filter(|share| !share.is_up()).map(|share| share.target.as_str()).collect();
    assert_eq!(down, ["north/1"]);
    let said = |place: &str, name: &str| {
        report.samples.iter().any(|sample| sample.name() == name && sample.tag_value("place") == Some(place))
    };
    assert!(said("north/1", "standin.things") && said("north/1", "standin.ended.new"));
    assert!(!said("north/1", "standin.took") && said("north/2", "standin.took"));
    assert!(stage.on_time(2).await.is_up(), "it heals by itself");
}

#[tokio::test]
async fn a_cursor_or_a_snapshot_from_the_future_is_not_believed() {
    let ahead = Stage::new().await;
    ahead.on_time(0).await;
    ahead.on_time(40).await;
    let stage = Stage::new().await;
    stage.on_time(0).await;
    for key in [CURSOR, LATEST] {
        std::fs::copy(ahead.state.path().join(key), stage.state.path().join(key)).unwrap();
    }
    std::fs::copy(ahead.state.path().join("keys/digest"), stage.state.path().join("keys/digest")).unwrap();
    let report = stage.on_time(1).await;
    assert!(!report.is_up() && sum(&report, "standin.things") > 0.0);
    assert!(stage.on_time(2).await.is_up());
    assert!(!stage.told().observed.is_empty());
}

#[tokio::test]
async fn a_store_that_refuses_everything_costs_state_and_never_the_points() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    let blocked = stage.state.path().join("blocked");
    std::fs::write(&blocked, "a file where a folder is wanted").unwrap();
    let path = blocked.display().to_string();
    let blind = env(&stage.sink, &stage.state, &[("STATE_DIR", &path)]);
    let (life, collector) = prepared::<0>(&blind).await;
    let report = life.run(&collector, &event(1, SignedDuration::ZERO), crate::stage::TIME).await.unwrap();
    assert!(report.shares.iter().all(|share| share.findings.gaps.contains_key("store")));
    assert!(report.deliveries.as_ref().unwrap().accepted > 0 && sum(&report, "standin.things") > 0.0);
    let spool = report.samples.iter().any(|sample| sample.name().starts_with("collector.spool."));
    assert!(!spool, "what is not known is absent");
    assert!(report.failure().is_none());
}

#[tokio::test]
async fn the_files_of_the_store_are_for_nobody_else() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    for key in stage.keys("").await {
        let mode = std::fs::metadata(stage.state.path().join(&key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[tokio::test]
async fn every_function_of_a_store_has_the_same_key_of_digests_and_another_key_continues_nothing() {
    let stage = Stage::new().await;
    let (one, two) =
        (env(&stage.sink, &stage.state, &[]), env(&stage.sink, &stage.state, &[("DD_API_KEY", "rotated")]));
    let (first, collector) = prepared::<0>(&one).await;
    let (second, other) = prepared::<1>(&two).await;
    first.run(&collector, &event(0, SignedDuration::ZERO), crate::stage::TIME).await.unwrap();
    second.run(&other, &event(0, SignedDuration::ZERO), crate::stage::TIME).await.unwrap();
    assert_eq!(one.digester().of("ada"), two.digester().of("ada"));
    let elsewhere = Stage::new().await;
    elsewhere.on_time(0).await;
    let third = env(&elsewhere.sink, &elsewhere.state, &[]);
    let (life, collector) = prepared::<0>(&third).await;
    life.run(&collector, &event(1, SignedDuration::ZERO), crate::stage::TIME).await.unwrap();
    assert_ne!(one.digester().of("ada"), third.digester().of("ada"));
    let _: &Sink = &stage.sink;
}
