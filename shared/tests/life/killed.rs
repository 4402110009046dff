//! Runs that are killed, and two at once.

use crate::stage::{Stage, TIME, env, event, now, prepared, sum, undisturbed};
use jiff::SignedDuration;
use shared::testing::{Fuse, Points, Reply, StandIn};
use std::collections::BTreeMap;

/// Kills the run of slot 1 at each of its steps, goes on as `after` says, and hands over what came of it and whether the
/// run was over by itself. Gives the number of kills.
async fn killed_at_each_step(after: impl AsyncFn(&Stage), mut compare: impl FnMut(usize, Points)) -> usize {
    for step in 0.. {
        let stage = Stage::new().await;
        stage.on_time(0).await;
        let fuse = Fuse::new(step);
        let (killed, event) = (stage.life.fused(fuse.clone()), event(1, SignedDuration::ZERO));
        let over = Box::pin(fuse.run(killed.run(&stage.collector, &event, TIME))).await.is_some();
        after(&stage).await;
        stage.on_time(2).await;
        compare(step, stage.told());
        assert_eq!(stage.keys("spool/").await, Vec::<String>::new(), "killed at step {step}");
        if over {
            return step;
        }
    }
    0
}

/// Kills, and lets the event come again so much later.
async fn killed_and_repeated(later: SignedDuration) {
    let expected = undisturbed(3).await;
    // The first run observes nothing, each later one what ended in its quarter of an hour: three or four things a place.
    assert_eq!(expected.observed.len(), 4);
    let mut doubled = 0;
    let kills = Box::pin(killed_at_each_step(
        async |stage| drop(stage.run(1, later).await),
        |step, told| {
            assert_eq!(told.series, expected.series, "killed at step {step}");
            let twice = told.doubled(&expected);
            assert!(twice.is_some(), "killed at step {step}: {told:?}");
            doubled += twice.unwrap_or_default();
        },
    ))
    .await;
    assert!(kills >= 25, "only {kills} steps");
    // A run that dies after Datadog took its payload and before the cursors know is like an answer that got lost: the steps
    // before and within the writes that say so, for two targets.
    assert!(doubled <= 4, "{doubled} of {kills} kills doubled a payload");
}

#[tokio::test]
async fn a_run_killed_at_any_step_and_repeated_soon_leaves_what_an_undisturbed_one_would_have() {
    // Lambda repeats an event after a minute at the earliest, when the run before it is over for certain.
    killed_and_repeated(SignedDuration::from_mins(2)).await;
}

#[tokio::test]
async fn a_run_killed_at_any_step_and_repeated_late_leaves_what_an_undisturbed_one_would_have() {
    killed_and_repeated(SignedDuration::from_mins(14)).await;
}

#[tokio::test]
async fn a_run_killed_at_any_step_and_never_repeated_costs_its_levels_and_nothing_else() {
    let (second, expected) = (now(1).as_second(), undisturbed(3).await);
    let lasting = |points: &Points| {
        let mut series = points.series.clone();
        series.retain(|(metric, _, time), _| metric == "standin.ended.new" || *time != second);
        series
    };
    // What each place observed, whenever that was told.
    let observed = |points: &Points| {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((_, tags, _), values) in &points.observed {
            all.entry(tags.clone()).or_default().extend(values.iter().cloned());
        }
        for values in all.values_mut() {
            values.sort();
        }
        all
    };
    let mut doubled = 0;
    let kills = Box::pin(killed_at_each_step(
        async |_| {},
        |step, told| {
            assert_eq!(lasting(&told), lasting(&expected), "killed at step {step}");
            // What it had observed and not committed is observed by the next run.
            let (mut said, wanted) = (observed(&told), observed(&expected));
            let number = |all: &BTreeMap<String, Vec<String>>| all.values().map(Vec::len).sum::<usize>();
            doubled += usize::from(number(&said) > number(&wanted));
            assert!(number(&said) <= number(&wanted) + 8, "no more than one payload twice");
            said.values_mut().for_each(Vec::dedup);
            assert_eq!(said, wanted, "killed at step {step}");
        },
    ))
    .await;
    assert!(kills >= 25 && doubled <= 4, "{doubled} of {kills} kills doubled a payload");
}

#[tokio::test]
async fn observations_of_a_run_that_still_lives_are_left_to_it() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    // Datadog hangs when it is given observations: the run holds them, and does not end.
    stage.sink.feel(|seen| seen.path.contains("distribution").then_some(shared::testing::Reply::Hang));
    let first = event(1, SignedDuration::ZERO);
    let living = stage.life.run(&stage.collector, &first, TIME);
    tokio::select! {
        _ = living => panic!("it hangs"),
        () = tokio::time::sleep(std::time::Duration::from_millis(700)) => {}
    }
    stage.sink.answer(None);
    // Another try of it begins while the first one may still live, and a later run when it cannot any more.
    let report = stage.run(1, SignedDuration::from_secs(30)).await;
    assert!(report.failure().is_none() && stage.told().observed.is_empty(), "the lease is held");
    stage.on_time(2).await;
    assert_eq!(stage.told().observed, undisturbed(3).await.observed, "taken over, with their own time");
}

#[tokio::test]
async fn a_body_whose_lease_is_still_held_is_not_taken_over_by_the_next_run() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    stage.sink.feel(|seen| seen.path.contains("distribution").then_some(Reply::Hang));
    // It begins late, so that it may still live when the next quarter comes.
    let late = event(1, SignedDuration::from_secs(14 * 60 + 30));
    tokio::select! {
        _ = stage.life.run(&stage.collector, &late, TIME) => unreachable!("it hangs"),
        () = tokio::time::sleep(std::time::Duration::from_millis(700)) => {}
    }
    stage.sink.answer(None);
    stage.on_time(2).await;
    let second = now(1).as_second();
    assert!(stage.told().observed.keys().all(|place| place.2 != second), "it is left to the run that holds it");
    stage.run(3, SignedDuration::from_mins(1)).await;
    let (told, expected) = (stage.told().observed, undisturbed(4).await.observed);
    assert_eq!(told, expected, "and taken over when that is over");
}

#[tokio::test]
async fn an_answer_of_datadogs_that_is_lost_each_time_doubles_a_body_once_and_no_more() {
    let stage = Stage::new().await;
    stage.on_time(0).await;
    let expected = undisturbed(5).await;
    let taken = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&taken);
    // It takes them, and the connection breaks before it can say so.
    stage.sink.feel(move |seen| {
        seen.path.contains("distribution").then(|| {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::Cut
        })
    });
    stage.on_time(1).await;
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 1, "one payload for both targets, and no second try");
    let report = stage.on_time(2).await;
    // The bodies of slot 1 are given up, those of slot 2 were sent once.
    assert_eq!(taken.load(std::sync::atomic::Ordering::SeqCst), 2);
    assert!(sum(&report, "collector.spool.expired") > 1.0 && sum(&report, "collector.push_errors") > 1.0);
    stage.sink.answer(None);
    for slot in 3..5 {
        stage.on_time(slot).await;
    }
    let of = |points: &Points, slot: i32| {
        points.observed.iter().filter(|(place, _)| place.2 == now(slot).as_second()).count()
    };
    let told = stage.told();
    assert_eq!([1, 2, 3, 4].map(|slot| of(&told, slot)), [0, 2, 2, 2]);
    assert_eq!(of(&expected, 2), 2);
}

#[tokio::test]
async fn the_observations_of_a_hundred_targets_are_one_payload() {
    let stage = Stage::with(&[("STANDIN_TARGETS", "100")]).await;
    stage.on_time(0).await;
    let before = stage.sink.seen().len();
    let report = stage.on_time(1).await;
    assert!(report.is_up());
    let sent = stage.sink.seen().split_off(before);
    assert_eq!(sent.iter().filter(|seen| seen.path.contains("distribution")).count(), 1);
    assert_eq!(stage.told().observed.len(), 100);
}

#[tokio::test]
async fn two_runs_of_one_target_at_once_leave_what_one_would_have() {
    let expected = undisturbed(3).await;
    for _ in 0..5 {
        let stage = Stage::new().await;
        stage.on_time(0).await;
        let twice = tokio::join!(stage.on_time(1), stage.on_time(1));
        assert!(twice.0.failure().is_none() && twice.1.failure().is_none());
        stage.on_time(2).await;
        assert_eq!(stage.told(), expected);
    }
}

#[tokio::test]
async fn two_functions_and_their_targets_at_once_on_one_store_do_not_touch_each_other() {
    let stage = Stage::new().await;
    let other_env = env(&stage.sink, &stage.state, &[("STANDIN_TARGETS", "3")]);
    let (life, other) = prepared::<1>(&other_env).await;
    for slot in 0..3 {
        let one = stage.on_time(slot);
        let all = event(slot, SignedDuration::ZERO);
        let whole = life.run(&other, &all, TIME);
        let named = event(slot, SignedDuration::ZERO).for_target("north/2");
        let single = stage.life.run(&stage.collector, &named, TIME);
        let (one, whole, single) = tokio::join!(one, whole, single);
        for report in [one, whole.unwrap(), single.unwrap()] {
            assert!(report.is_up() && report.failure().is_none());
        }
    }
    let of = |function: &str| {
        let mut told = stage.told();
        told.series.retain(|(_, tags, _), _| tags.contains(&format!("collector:{function}")));
        told.observed.retain(|(_, tags, _), _| tags.contains(&format!("collector:{function}")));
        told
    };
    assert_eq!(of("zero"), undisturbed(3).await);
    assert_eq!(of("one").observed.len(), 6, "three targets observed in two slots");
    let _: &StandIn<1> = &other;
}
