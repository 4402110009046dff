//! Servers that refuse a form of asking, or that are too slow for it: another form brings the same numbers, and the refused
//! one is not tried again.

use crate::Projects;
use jiff::SignedDuration;
use kit::sandbox::wandb::{Dots, Mood};
use kit::sandbox::{Fault, Rule};
use kit::shared::GRID;
use kit::shared::testing::{differences, gauges};
use kit::{Stage, Subject};
use std::time::Duration;

/// A run whose every number is true and whole.
async fn true_run(stage: &Stage<Projects>, what: &str) {
    let report = stage.run().await;
    assert!(report.is_up(), "{what}: {:?}", report.shares);
    let differ = differences(&gauges(&report), &Projects::gauges(&stage.scene(), report.now));
    assert!(differ.is_empty(), "{what}: {differ:#?}");
}

fn strikes(stage: &Stage<Projects>) -> u64 {
    stage.sandbox.faults().strikes("wandb").iter().sum()
}

/// A rule that does nothing but count the requests whose body contains this.
fn counted(part: &str) -> Rule {
    Rule::new(Fault::Latency(Duration::ZERO)).body(part)
}

#[tokio::test]
async fn a_filter_that_is_refused_is_not_tried_again_and_costs_no_number() {
    let refusals = [
        ("400", Fault::answer(400, &[], "{\"errors\":[{\"message\":\"invalid filters\"}]}")),
        ("500", Fault::status(500)),
        ("errors with 200", Fault::answer(200, &[], "{\"data\":null,\"errors\":[{\"message\":\"invalid filters\"}]}")),
    ];
    for filter in ["$exists", "$nin"] {
        for (name, refusal) in &refusals {
            let what = format!("{name} to {filter}");
            let stage = Stage::<Projects>::new(Projects::HEALTHY, kit::time_of(Projects::HEALTHY), true).await;
            stage.sandbox.faults().inject("wandb", Rule::new(refusal.clone()).body(filter));
            for _ in 0..2 {
                true_run(&stage, &what).await;
                stage.clock.advance(GRID);
            }
            let tried = strikes(&stage);
            assert!(tried > 0, "{what}: nobody asks that");
            true_run(&stage, &what).await;
            // So long after it, everything is asked anew.
            stage.clock.advance(SignedDuration::from_hours(5));
            true_run(&stage, &what).await;
            stage.clock.advance(GRID);
            true_run(&stage, &what).await;
            assert_eq!(strikes(&stage), tried, "{what}: tried again");
            stage.clock.advance(SignedDuration::from_hours(7 * 24));
            true_run(&stage, &what).await;
            stage.clock.advance(GRID);
            true_run(&stage, &what).await;
            assert!(strikes(&stage) > tried, "{what}: a week later the server may have been renewed");
        }
    }
}

#[tokio::test]
async fn a_continued_read_that_fails_becomes_a_whole_one_in_the_same_run() {
    let failures = [("502", Fault::bad_gateway()), ("a cut connection", Fault::CutBefore), ("no JSON", Fault::Garbage)];
    for (name, failure) in failures {
        let stage = Stage::<Projects>::new(Projects::HEALTHY, kit::time_of(Projects::HEALTHY), true).await;
        true_run(&stage, name).await;
        stage.clock.advance(GRID);
        stage.sandbox.faults().inject("wandb", Rule::new(failure).body("$nin"));
        true_run(&stage, name).await;
        let tried = strikes(&stage);
        stage.clock.advance(GRID);
        true_run(&stage, name).await;
        assert!(tried > 0 && strikes(&stage) > tried, "{name}: says nothing of what the server takes");
    }
}

#[tokio::test]
async fn a_server_that_is_too_slow_for_large_pages_is_asked_for_small_ones() {
    let stage = Stage::<Projects>::sized(1, true).await;
    stage.sandbox.wandb_mood().set(Mood { patience: Some(300), ..Mood::of(0) });
    stage.sandbox.faults().inject("wandb", counted("\"first\":200"));
    stage.sandbox.faults().inject("wandb", counted("\"first\":50"));
    let report = stage.run().await;
    let seen = stage.sandbox.faults().strikes("wandb");
    assert!(report.is_up() && seen[0] == 3 && seen[1] > 15, "{seen:?}");
    stage.clock.advance(GRID);
    assert!(stage.run().await.is_up());
    stage.clock.advance(SignedDuration::from_hours(5));
    let report = stage.run().await;
    assert!(report.is_up());
    assert_eq!(stage.sandbox.faults().strikes("wandb")[0], 3, "not tried again");
    let truth = Projects::gauges(&stage.scene(), report.now);
    let differ: Vec<String> = differences(&gauges(&report), &truth);
    let wrong: Vec<&String> = differ.iter().filter(|line| line.contains("acme/arena")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn no_page_is_larger_than_two_hundred_and_every_mood_brings_the_same_numbers() {
    let healthy = Stage::<Projects>::single(false).await;
    let moods = (0..12).map(Mood::of).collect::<Vec<Mood>>();
    assert!(moods.iter().any(|mood| mood.largest_page.is_some() && mood.dots == Dots::Flat));
    let expected = gauges(&healthy.run().await);
    for mood in moods {
        healthy.sandbox.wandb_mood().set(mood);
        let settings = Projects::single(&healthy.sandbox).0;
        let stage = Stage::<Projects>::on(&healthy.sandbox, Projects::HEALTHY, false, settings).await;
        let report = stage.run().await;
        assert!(report.is_up(), "{mood:?}: {:?}", report.shares);
        assert!(differences(&gauges(&report), &expected).is_empty(), "{mood:?}");
    }
}
