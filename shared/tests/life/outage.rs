//! Datadog is away, closed, or somebody answers in its place.

use crate::stage::{Stage, event, now, sum, sums_to, undisturbed};
use jiff::SignedDuration;
use shared::GRID;
use shared::testing::Reply;
use std::time::Duration;

#[tokio::test]
async fn what_datadog_did_not_take_for_half_an_hour_arrives_later_once_and_with_its_own_time() {
    let expected = undisturbed(4).await;
    let stage = Stage::new().await;
    stage.on_time(0).await;
    for (slot, status) in [(1, 500), (2, 503)] {
        stage.sink.answer(Some(Reply::status(status)));
        let report = stage.on_time(slot).await;
        let outcome = report.deliveries.as_ref().unwrap();
        assert!(outcome.accepted == 0 && outcome.spooled >= 2 && outcome.lost == 0, "{outcome:?}");
        assert!(report.failure().is_none(), "spooled is safe");
    }
    stage.sink.answer(None);
    let waiting = stage.keys("spool/").await.len();
    let report = stage.on_time(3).await;
    assert!(report.deliveries.as_ref().unwrap().recovered > 0);
    // Two targets with a body each, committed by the first of the two runs.
    let bodies = 4;
    assert!(sums_to(&report, "collector.spool.depth", waiting + bodies));
    assert!((sum(&report, "collector.spool.oldest_seconds") - 1800.0).abs() < 1e-9);
    assert!(sums_to(&report, "collector.push_errors", waiting + bodies), "told by the run that gets through");
    assert_eq!(stage.told(), expected);
    assert_eq!(stage.keys("spool/").await, Vec::<String>::new());
    let report = stage.on_time(4).await;
    assert!(sum(&report, "collector.push_errors").abs() < 1e-9, "and only once");
}

#[tokio::test]
async fn no_old_count_of_a_slot_lands_over_a_newer_one() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(503)));
    stage.on_time(1).await;
    for key in stage.keys("spool/").await {
        let bytes = stage.life.store().get(&key, usize::MAX).await.unwrap().unwrap().bytes;
        let text = String::from_utf8(zstd::decode_all(bytes.as_slice()).unwrap()).unwrap();
        assert!(!text.contains("standin.ended.new"), "{key}");
    }
    stage.sink.answer(None);
    stage.on_time(2).await;
    // Every place of a count was written once by each run that was taken, the newest last; no entry came behind it.
    let points = stage.sink.points();
    let last_own = points.order.iter().rposition(|((metric, _, _), _)| metric == "standin.ended.new").unwrap();
    let first_old = points
        .order
        .iter()
        .position(|((metric, _, time), _)| metric == "standin.things" && *time == now(1).as_second());
    assert!(first_old.unwrap() > last_own, "own points first, then the spool");
}

#[tokio::test]
async fn points_that_became_too_old_for_datadog_are_counted_and_kept_aside() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(500)));
    stage.on_time(1).await;
    let waiting = stage.keys("spool/").await.len();
    stage.sink.answer(None);
    let report = stage.on_time(7).await;
    assert!(sums_to(&report, "collector.spool.expired", waiting + 2), "entries, and a body of each target");
    assert!(sums_to(&report, "collector.push_errors", waiting + 2));
    let aside = stage.keys("expired/").await;
    assert_eq!(aside.len(), waiting * 2, "each with its reason: {aside:?}");
    assert!(report.dropped["too_old"] > 0, "slots that nobody can deliver any more are counted");
    assert!(stage.told().observed.keys().all(|place| place.2 == now(7).as_second()));
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_set_aside_with_the_reason_and_stops_nobody() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(500)));
    stage.on_time(1).await;
    let second = now(1).as_second();
    let bad = [
        format!("spool/zero/all/{second:011}-0000000000000000"),
        "spool/zero/all/no-time-at-all".to_owned(),
        format!("spool/zero/all/{second:011}-ffffffffffffffff"),
    ];
    for key in &bad {
        stage.life.store().put(key, b"{broken".to_vec()).await.unwrap();
    }
    stage.sink.answer(None);
    let report = stage.on_time(2).await;
    assert!(report.is_up() && report.deliveries.unwrap().recovered > 0);
    assert_eq!(stage.keys("spool/").await, Vec::<String>::new());
    for key in &bad {
        let why = stage.life.store().get(&format!("{}.why", key.replace("spool/", "expired/")), 1000).await.unwrap();
        assert!(String::from_utf8(why.unwrap().bytes).unwrap().contains("decompress"));
    }
}

#[tokio::test]
async fn once_datadog_is_known_to_be_closed_nothing_more_is_tried_or_read() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(503)));
    stage.on_time(1).await;
    let before = stage.sink.seen().len();
    let entries = stage.keys("spool/").await;
    stage.on_time(2).await;
    assert_eq!(stage.sink.seen().len() - before, 3, "one payload, three attempts");
    let now = stage.keys("spool/").await;
    assert!(entries.iter().all(|entry| now.contains(entry)), "an entry stays as it is");
}

#[tokio::test]
async fn an_hour_without_datadog_and_a_thousand_entries_is_worked_off_oldest_first_within_bounds() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(503)));
    for slot in 1..4 {
        stage.on_time(slot).await;
    }
    // As many as a thousand runs would have left, all of them with points of their own.
    let model = stage.keys("spool/").await;
    let entry = stage.life.store().get(&model[0], usize::MAX).await.unwrap().unwrap().bytes;
    let text = String::from_utf8(zstd::decode_all(entry.as_slice()).unwrap()).unwrap();
    for number in 0..1000_i64 {
        let second = now(3).as_second() - number % 2000;
        let own = text.replace("env:test", &format!("env:test{number}"));
        let key = format!("spool/zero/all/{second:011}-{number:016x}");
        stage.life.store().put(&key, zstd::encode_all(own.as_bytes(), 1).unwrap()).await.unwrap();
    }
    stage.sink.answer(None);
    let waiting = stage.keys("spool/").await;
    // With so much time it is their number that ends it.
    let patient = async |slot: i32, late: SignedDuration| {
        stage.life.run(&stage.collector, &event(slot, late), Duration::from_mins(10)).await.unwrap()
    };
    let report = patient(4, SignedDuration::ZERO).await;
    assert!(report.is_up());
    assert!(sums_to(&report, "collector.spool.depth", waiting.len() + 6));
    let left = stage.keys("spool/").await;
    assert_eq!(waiting.len() - left.len(), 500, "no more than so many in a run");
    let time = |key: &String| key.rsplit('/').next().unwrap().split('-').next().unwrap().parse::<i64>().unwrap();
    let newest_delivered = waiting.iter().filter(|key| !left.contains(*key)).map(time).max();
    let oldest_left = left.iter().map(time).min();
    assert!(newest_delivered <= oldest_left, "oldest first: {newest_delivered:?} {oldest_left:?}");
    patient(4, SignedDuration::from_mins(5)).await;
    assert_eq!(stage.keys("spool/").await, left, "a repeated run leaves them to the next one");
    patient(5, SignedDuration::ZERO).await;
    patient(6, SignedDuration::ZERO).await;
    assert_eq!(stage.keys("spool/").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_key_fails_the_run_loudly_and_loses_nothing() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(403)));
    let report = stage.on_time(1).await;
    assert_eq!(report.deliveries.as_ref().unwrap().lost, 0);
    let text = report.failure().unwrap().to_string();
    assert!(text.contains("DD_API_KEY") && !text.contains("k3y"), "{text}");
    stage.sink.answer(None);
    stage.run(1, SignedDuration::from_mins(2)).await;
    stage.on_time(2).await;
    assert_eq!(stage.told(), undisturbed(3).await);
}

#[tokio::test]
async fn whoever_answers_in_datadogs_place_gets_nothing_counted_as_rejected_and_nothing_is_lost() {
    let page = Reply::Answer(200, vec![("content-type", "text/html".to_owned())], b"<h1>Sign in</h1>".to_vec());
    let moved = Reply::status(302).header("location", "https://sso.example.com/login");
    for reply in [Reply::status(407), moved, page, Reply::status(400), Reply::status(413), Reply::Cut] {
        let stage = Stage::new().await;
        stage.on_time(0).await;
        stage.sink.answer(Some(reply.clone()));
        let report = stage.on_time(1).await;
        let outcome = report.deliveries.as_ref().unwrap();
        assert_eq!((outcome.accepted, outcome.rejected, outcome.lost), (0, 0, 0), "{reply:?}");
        assert!(report.dropped.values().all(|number| *number == 0), "{reply:?}");
        let failed = report.failure();
        assert_eq!(failed.is_some(), !matches!(reply, Reply::Cut), "{reply:?}: {failed:?}");
        // Lambda tries again, and it still answers so.
        let again = stage.run(1, SignedDuration::from_mins(2)).await;
        let outcome = again.deliveries.as_ref().unwrap();
        assert_eq!((outcome.rejected, outcome.lost), (0, 0), "{reply:?}");
        stage.sink.answer(None);
        stage.on_time(2).await;
        assert_eq!(stage.told(), undisturbed(3).await, "{reply:?}");
        let built = stage.sink.points().sum("collector.build", Some(now(1).as_second()));
        assert!((built - 1.0).abs() < 1e-9, "what the first try said arrives: {reply:?}");
    }
}

#[tokio::test]
async fn one_series_that_datadog_refuses_is_counted_at_once_and_costs_no_other() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.feel(|seen| {
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(seen.body.as_slice()), &mut plain).ok()?;
        plain.contains("\"standin.things\"").then(|| Reply::status(400))
    });
    let report = stage.on_time(1).await;
    let outcome = report.deliveries.as_ref().unwrap();
    assert_eq!((outcome.rejected, outcome.spooled, outcome.lost), (2, 0, 0));
    assert!((sum(&report, "collector.push_errors") - 2.0).abs() < 1e-9);
    assert!(report.failure().is_none());
    assert_eq!(GRID.as_secs(), 900);
}
