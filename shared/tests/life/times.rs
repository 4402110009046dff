//! Events that come again, late, early, or for one target.

use crate::stage::{Stage, TIME, event, now, sum, undisturbed};
use jiff::SignedDuration;
use shared::testing::Reply;
use shared::{Event, GRID, Report};
use std::collections::BTreeSet;

fn names(report: &Report, prefix: &str) -> BTreeSet<String> {
    let known = report.samples.iter().filter(|sample| sample.value().is_some() && sample.name().starts_with(prefix));
    known.map(|sample| sample.name().to_owned()).collect()
}

#[tokio::test]
async fn the_first_run_sends_levels_and_counts_and_observes_nothing() {
    let stage = Stage::new().await;
    let report = stage.on_time(0).await;
    assert!(report.is_up());
    let told = stage.told();
    let slots: BTreeSet<i64> =
        told.series.keys().filter(|place| place.0 == "standin.ended.new").map(|place| place.2).collect();
    assert_eq!(slots, (0..4).map(|back| (now(0) - GRID * back).as_second()).collect());
    assert!(told.observed.is_empty());
}

#[tokio::test]
async fn a_repeated_event_is_measured_from_the_snapshot_of_that_run_and_says_only_what_cannot_differ() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.on_time(1).await;
    let before = stage.sink.points();
    let kept = stage.keys("snapshots/").await;
    let again = stage.run(1, SignedDuration::from_mins(3)).await;
    assert!(again.shares.iter().all(|share| share.repeated));
    let own: BTreeSet<String> =
        ["coverage_pct", "gap", "target_up", "up"].iter().map(|name| format!("collector.{name}")).collect();
    assert_eq!(names(&again, "collector."), own);
    assert_eq!(stage.told(), before.told(), "the same points with the same values");
    assert_eq!(stage.keys("snapshots/").await, kept);
}

#[tokio::test]
async fn a_repeated_event_whose_snapshot_has_a_gap_or_is_gone_is_fetched_as_usual_and_observes_nothing() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.on_time(1).await;
    for key in stage.keys("snapshots/").await.into_iter().filter(|key| !key.ends_with("latest")) {
        stage.life.store().delete(&key).await.unwrap();
    }
    let before = stage.told();
    let again = stage.run(1, SignedDuration::from_mins(3)).await;
    assert!(again.shares.iter().all(|share| !share.repeated));
    assert_eq!(stage.told(), before);
}

#[tokio::test]
async fn an_event_that_is_late_by_over_an_hour_fetches_and_sends_nothing() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    let (asked, kept) = (stage.sink.seen().len(), stage.keys("").await);
    let report = stage.run(1, SignedDuration::from_mins(61)).await;
    assert!(report.late && report.samples.is_empty() && report.failure().is_none());
    assert_eq!((stage.sink.seen().len(), stage.keys("").await), (asked, kept));
    // Its observations are those of the next run on time.
    stage.on_time(2).await;
    let expected: Vec<String> = undisturbed(3).await.observed.into_values().flatten().collect();
    let told: Vec<String> = stage.told().observed.into_values().flatten().collect();
    assert_eq!(told.len(), expected.len());
}

#[tokio::test]
async fn where_datadog_takes_old_gauges_a_late_event_sends_those_of_the_snapshot_that_was_kept() {
    let stage = Stage::with(&[("HISTORICAL", "on")]).await;
    stage.on_time(0).await;
    let before = stage.told();
    let report = stage.run(0, SignedDuration::from_hours(5)).await;
    let said: Vec<&str> = report.samples.iter().map(shared::Sample::name).collect();
    assert_eq!(said, ["standin.things", "standin.things"], "gauges, and nothing about the run");
    assert_eq!(stage.told(), before, "over themselves");
    let nothing = stage.run(1, SignedDuration::from_hours(5)).await;
    assert!(nothing.samples.is_empty() && nothing.late);
}

#[tokio::test]
async fn a_run_that_later_ones_have_overtaken_recounts_no_slot() {
    // In the last minute before Datadog drops its points a run commits nothing any more.
    for late in [SignedDuration::from_mins(40), SignedDuration::from_secs(59 * 60 + 30)] {
        let stage = Stage::new().await;
        for slot in 0..3 {
            stage.on_time(slot).await;
        }
        let before = stage.told();
        let sent = stage.sink.points().order.len();
        let report = stage.run(1, late).await;
        let points = stage.sink.points();
        let later = &points.order[sent..];
        assert!(!later.is_empty(), "{late:#}");
        assert!(later.iter().all(|((metric, _, _), _)| metric != "standin.ended.new"), "{late:#}: {later:?}");
        assert_eq!(stage.told(), before, "{late:#}");
        let lost = report.dropped.values().sum::<usize>();
        assert_eq!(lost, 0, "what was sent before is no loss: {:?}", report.dropped);
    }
}

#[tokio::test]
async fn what_a_repeated_event_does_not_know_any_more_stays_as_its_first_try_said_it() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.answer(Some(Reply::status(403)));
    assert!(stage.on_time(1).await.failure().is_some());
    stage.sink.answer(None);
    // Lambda tries again, and the key is well.
    stage.run(1, SignedDuration::from_mins(2)).await;
    let points = stage.sink.points();
    let second = now(1).as_second();
    for name in
        ["collector.up", "collector.build", "collector.samples", "collector.state_age_seconds", "collector.api_calls"]
    {
        let count = points.series.keys().filter(|place| place.0 == name && place.2 == second).count();
        assert!(count > 0 || name == "collector.api_calls", "{name} of the first try arrives");
    }
    assert_eq!(stage.keys("spool/").await, Vec::<String>::new());
    assert!(points.sum("collector.push_errors", Some(second)) >= 2.0, "and the failures of what it left are told");
    // What was counted is not written over by a try that counts anew.
    stage.run(1, SignedDuration::from_mins(4)).await;
    let after = stage.sink.points();
    for name in ["samples", "push_errors", "build", "state_age_seconds"] {
        let name = format!("collector.{name}");
        let sum = |points: &shared::testing::Points| points.sum(&name, Some(second));
        assert!((sum(&after) - sum(&points)).abs() < 1e-9, "{name}");
    }
}

#[tokio::test]
async fn a_run_that_datadog_would_drop_by_the_time_it_is_sent_reports_nothing_as_observed() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.run(1, SignedDuration::from_mins(60) - SignedDuration::from_millis(1)).await;
    assert!(stage.told().observed.is_empty());
    stage.on_time(2).await;
    let all = |points: shared::testing::Points| points.observed.into_values().flatten().collect::<Vec<String>>().len();
    assert_eq!(all(stage.told()), all(undisturbed(3).await), "the next run on time observes it");
}

#[tokio::test]
async fn an_event_that_is_ahead_of_what_datadog_takes_reports_no_observation_that_is_not_sent() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    let ahead = Event::new(now(1), now(1) - SignedDuration::from_mins(12));
    stage.life.run(&stage.collector, &ahead, TIME).await.unwrap();
    stage.on_time(1).await;
    stage.on_time(2).await;
    assert_eq!(stage.told(), undisturbed(3).await);
}

#[tokio::test]
async fn a_run_that_is_only_shown_may_be_of_any_time_and_keeps_nothing_of_a_past_one() {
    let stage = Stage::new().await;
    let env = crate::stage::env(&stage.sink, &stage.state, &[]);
    let life = shared::Life::prepare::<shared::testing::StandIn<0>>(&env, false).await.unwrap();
    let report = life.run(&stage.collector, &event(0, SignedDuration::from_hours(30)), TIME).await.unwrap();
    assert!(sum(&report, "standin.things") > 0.0 && report.dropped.values().all(|number| *number == 0));
    assert_eq!(stage.keys("snapshots/").await, Vec::<String>::new());
    assert!(stage.sink.seen().is_empty());
}

#[tokio::test]
async fn a_full_run_after_runs_of_all_its_targets_by_name_speaks_for_the_whole() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    for target in ["north/1", "north/2"] {
        let named = event(1, SignedDuration::ZERO).for_target(target);
        stage.life.run(&stage.collector, &named, TIME).await.unwrap();
    }
    let report = stage.on_time(1).await;
    assert!(names(&report, "collector.").contains("collector.build"));
    assert_eq!(stage.told(), undisturbed(2).await);
}

/// One run over all targets or over one by name, and a second try of it, whose first could send nothing.
async fn tried_twice(stage: &Stage, target: Option<&str>) -> Report {
    let event = |late| {
        let event = event(1, late);
        if let Some(target) = target { event.for_target(target) } else { event }
    };
    stage.sink.answer(Some(Reply::status(503)));
    stage.life.run(&stage.collector, &event(SignedDuration::ZERO), TIME).await.unwrap();
    stage.sink.answer(None);
    stage.life.run(&stage.collector, &event(SignedDuration::from_mins(2)), TIME).await.unwrap()
}

#[tokio::test]
async fn a_second_try_is_known_as_one_although_a_run_of_another_scope_was_made_at_the_same_time() {
    for (targets, all_first) in [("1", false), ("2", false), ("1", true), ("2", true)] {
        let stage = Stage::with(&[("STANDIN_TARGETS", targets)]).await;
        stage.on_time(0).await;
        let (tried, other) = if all_first { (Some("north/1"), None) } else { (None, Some("north/1")) };
        let first = event(1, SignedDuration::ZERO);
        let first = if let Some(target) = other { first.for_target(target) } else { first };
        stage.life.run(&stage.collector, &first, TIME).await.unwrap();
        let report = tried_twice(&stage, tried).await;
        let place = format!("{targets} targets, {tried:?} twice");
        assert!(!names(&report, "collector.").contains("collector.spool.depth"), "{place}");
        assert!(report.deliveries.unwrap().recovered > 0, "what the first try left arrives: {place}");
        let points = stage.sink.points();
        let failed = points.sum("collector.push_errors", Some(now(1).as_second()));
        assert!(failed >= 1.0, "and so does the failure that kept it: {place}");
        assert_eq!(stage.keys("spool/").await, Vec::<String>::new(), "{place}");
    }
}

#[tokio::test]
async fn a_second_try_writes_over_no_failure_that_its_first_one_told() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    // Two series are wrong, and then Datadog closes.
    stage.sink.feel(|seen| {
        let mut plain = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(seen.body.as_slice()), &mut plain).ok()?;
        let is_closed = plain.contains("standin.ended.new") || plain.contains("push_errors");
        let status = if is_closed { Some(503) } else { plain.contains("\"standin.things\"").then_some(400) };
        status.map(Reply::status)
    });
    let report = stage.on_time(1).await;
    let outcome = report.deliveries.unwrap();
    assert!(outcome.rejected == 2 && outcome.spooled > 0, "{outcome:?}");
    stage.sink.answer(None);
    let report = stage.run(1, SignedDuration::from_mins(2)).await;
    assert!(report.deliveries.unwrap().errors.contains_key("server"), "what the first try left is through");
    let rejected = stage.sink.points().series.into_iter().filter(|((metric, tags, second), _)| {
        metric == "collector.push_errors" && tags.contains("kind:rejected") && *second == now(1).as_second()
    });
    assert_eq!(rejected.map(|(_, value)| value).collect::<Vec<_>>(), ["2.0"]);
}

#[tokio::test]
async fn an_event_from_the_future_is_refused() {
    let stage = Stage::new().await;
    let event = Event::new(now(2), now(0));
    let error = stage.life.run(&stage.collector, &event, TIME).await.unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(stage.sink.seen().is_empty());
}

#[tokio::test]
async fn a_named_target_after_a_full_run_says_nothing_about_the_run_as_a_whole() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.on_time(1).await;
    let before = stage.sink.points();
    let named = event(1, SignedDuration::from_mins(1)).for_target("north/2");
    let report = stage.life.run(&stage.collector, &named, TIME).await.unwrap();
    assert_eq!(report.shares.len(), 1);
    for sample in report.samples.iter().filter(|sample| sample.name().starts_with("collector.")) {
        assert!(sample.tag_value("target").is_some(), "{sample}");
    }
    let run_rows = |points: &shared::testing::Points| {
        let mut rows = points.series.clone();
        rows.retain(|(metric, tags, _), _| metric.starts_with("collector.") && !tags.contains("target:"));
        rows
    };
    assert_eq!(run_rows(&stage.sink.points()), run_rows(&before));
    let named = event(2, SignedDuration::ZERO).for_target("north/2");
    let report = stage.life.run(&stage.collector, &named, TIME).await.unwrap();
    let scopes: BTreeSet<_> = report
        .samples
        .iter()
        .filter(|sample| sample.name().starts_with("collector.spool") || sample.name() == "collector.push_errors")
        .map(|sample| sample.tag_value("target").unwrap_or_default().to_owned())
        .collect();
    assert_eq!(scopes, ["north/2".to_owned()].into());
    assert!(sum(&report, "collector.spool.depth").abs() < 1e-9);
}

#[tokio::test]
async fn an_event_that_names_an_unknown_target_is_refused_and_says_which_there_are() {
    let stage = Stage::new().await;
    let error =
        stage.life.run(&stage.collector, &event(0, SignedDuration::ZERO).for_target("east"), TIME).await.unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("north/1, north/2"), "{error}");
}
