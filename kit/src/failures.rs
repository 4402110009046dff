//! Upstreams that fail, pass, drag, hang and lie: what is known is delivered and true, what is not is absent and named.

use crate::numbers::wrong;
use crate::stage::Stage;
use crate::subject::{Question, Subject};
use sandbox::{Fault, Rule};
use serde_json::json;
use shared::testing::{Values, counts, differences, gaps, gauges, pending, says, value};
use shared::{Collector, Event, GRID, Report};
use std::time::Duration;

/// What any upstream may answer that is no answer, with the kind of error that it is.
fn faults() -> Vec<(&'static str, Fault, &'static str)> {
    vec![
        ("500", Fault::status(500), "server"),
        ("502", Fault::bad_gateway(), "server"),
        ("429 with a long pause", Fault::too_many(3600), "rate_limited"),
        ("403", Fault::status(403), "auth"),
        ("a cut connection", Fault::CutBefore, "network"),
        ("a cut body", Fault::CutBody(40), "network"),
        ("truncated JSON", Fault::Truncated, "decode"),
        ("a page of HTML", Fault::Garbage, "decode"),
        ("a redirect", Fault::answer(302, &[("location", "https://login.example.com/")], ""), "server"),
        ("JSON of another shape", Fault::rewrite(|_| json!([{"data": 7}])), "decode"),
    ]
}

/// Each question fails for good, in every way: its parts are absent and named, and the rest is there and true.
pub async fn failing_parts<S: Subject>() {
    let healthy = Stage::<S>::single(true).await;
    let truth = S::gauges(&healthy.scene(), healthy.clock.now());
    for question in S::questions() {
        let spared = |fault: &(&str, Fault, &str)| question.spared.contains(&fault.0);
        for (name, fault, kind) in faults().into_iter().chain((question.lies)()).filter(|fault| !spared(fault)) {
            let what = format!("{name} to {}", question.name);
            let stage = Stage::<S>::on(&healthy.sandbox, S::HEALTHY, true, S::single(&healthy.sandbox).0).await;
            stage.sandbox.faults().clear();
            inject::<S>(&stage, &(question.asks)(Rule::new(fault)));
            let report = stage.run().await;
            assert!(strikes::<S>(&stage) > 0, "{what}: nobody asks that");
            absent_and_named::<S>(&report, &question, &what);
            let wrong = wrong(&report, &truth, true);
            assert!(wrong.is_empty(), "{what}: {wrong:#?}");
            let errors = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:{}}}", S::UPSTREAMS[0]));
            assert!(errors > Some(0.0), "{what}: no error of the kind {kind}");
            assert!(report.deliveries.as_ref().unwrap().accepted > 10, "{what}: what is known is delivered");
            assert!(report.failure().is_none(), "{what}: a part that fails alone does not fail the run");
        }
    }
}

fn inject<S: Subject>(stage: &Stage<S>, rule: &Rule) {
    for upstream in S::UPSTREAMS {
        stage.sandbox.faults().inject(upstream, rule.clone());
    }
}

fn strikes<S: Subject>(stage: &Stage<S>) -> u64 {
    S::UPSTREAMS.iter().flat_map(|upstream| stage.sandbox.faults().strikes(upstream)).sum()
}

/// The parts of a question, and no others, are gaps; their rows say nothing, others do.
fn absent_and_named<S: Subject>(report: &Report, question: &Question, what: &str) {
    let name = <S::Collector as Collector>::NAME;
    assert!(gaps(report).into_iter().eq(question.parts.iter().copied()), "{what}: {:?}", report.shares);
    for share in &report.shares {
        for part in &share.parts {
            let gap = value(report, &format!("collector.gap{{part:{},target:{}}}", part.name(), share.target));
            let failed = question.parts.contains(&part.name());
            assert_eq!(gap, Some(f64::from(u8::from(failed))), "{what}: {}", part.name());
        }
    }
    assert_eq!(value(report, "collector.up{}"), Some(0.0), "{what}");
    for row in question.silent {
        assert_eq!(says(report, row), 0, "{what}: {row}");
    }
    assert!(says(report, &format!("{name}.")) > 0, "{what}: the rest is there");
}

/// Failures that a second attempt gets over change no number.
pub async fn passing_faults<S: Subject>() {
    let healthy = Stage::<S>::single(false).await;
    let expected = gauges(&healthy.settled().await);
    let table = [
        Rule::new(Fault::status(500)).times(1),
        Rule::new(Fault::status(503)).skip(1).times(1),
        Rule::new(Fault::too_many(1)).times(1),
        Rule::new(Fault::bad_gateway()).skip(2).times(2),
        Rule::new(Fault::CutBefore).times(1),
        Rule::new(Fault::CutAfter).skip(1).times(1),
        Rule::new(Fault::CutBody(9)).times(1),
    ];
    for rule in table {
        same_numbers::<S>(&healthy, &rule, &expected).await;
    }
}

/// An upstream whose every answer takes its time, and comes in drops, changes no number.
pub async fn slow<S: Subject>() {
    let healthy = Stage::<S>::single(false).await;
    let expected = gauges(&healthy.settled().await);
    same_numbers::<S>(&healthy, &Rule::new(Fault::Latency(Duration::from_millis(200))), &expected).await;
    same_numbers::<S>(&healthy, &Rule::new(Fault::SlowBody(200_000)), &expected).await;
}

async fn same_numbers<S: Subject>(healthy: &Stage<S>, rule: &Rule, expected: &Values) {
    let ill = Stage::<S>::on(&healthy.sandbox, S::HEALTHY, false, S::single(&healthy.sandbox).0).await;
    ill.sandbox.faults().clear();
    inject::<S>(&ill, rule);
    let report = ill.settled().await;
    assert!(strikes::<S>(&ill) > 0, "{rule:?}: nothing went wrong");
    assert!(report.is_up() && pending(&report) == 0, "{rule:?}: {:?}", report.shares);
    let differ = differences(&gauges(&report), expected);
    assert!(differ.is_empty(), "{rule:?}: {differ:#?}");
}

/// A question that is never answered costs its own parts, and the rest of the run's time is enough for all others.
pub async fn hanging<S: Subject>() {
    let stage = Stage::<S>::single(true).await;
    let truth = S::gauges(&stage.scene(), stage.clock.now());
    let question = S::questions().remove(0);
    inject::<S>(&stage, &(question.asks)(Rule::new(Fault::Hang)));
    let event = Event::new(stage.clock.now(), stage.clock.now());
    let report = stage.inner.life.run(&stage.inner.collector, &event, Duration::from_secs(12)).await.unwrap();
    let named = gaps(&report);
    assert!(question.parts.iter().all(|part| named.contains(part)), "{:?}", report.shares);
    let wrong = wrong(&report, &truth, true);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(report.deliveries.as_ref().unwrap().accepted > 10, "what is known is delivered");
    assert!(question.silent.iter().all(|row| says(&report, row) == 0));
}

/// Nothing answers: the run fails, its heartbeat is delivered, and the next run counts the slots that it could not.
pub async fn down<S: Subject>() {
    let name = format!("{}.", <S::Collector as Collector>::NAME);
    let stage = Stage::<S>::single(true).await;
    let target = S::single(&stage.sandbox).1;
    stage.settled().await;
    stage.clock.advance(GRID);
    inject::<S>(&stage, &Rule::new(Fault::CutBefore));
    let report = stage.run().await;
    assert_eq!((says(&report, &name), says(&report, "health.ci."), says(&report, "health.training.")), (0, 0, 0));
    let checks = report.samples.iter().filter(|sample| sample.name().starts_with("metta."));
    let known: Vec<_> = checks.filter(|sample| sample.tag_value("status") != Some("unknown")).collect();
    assert!(known.is_empty(), "the targets of checks are there, and every verdict is unknown: {known:?}");
    let up = value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((value(&report, "collector.up{}"), up), (Some(0.0), Some(0.0)));
    assert!(report.deliveries.as_ref().unwrap().accepted > 10, "the heartbeat is delivered");
    assert!(report.failure().is_some());
    stage.clock.advance(GRID);
    stage.sandbox.faults().clear();
    let report = stage.settled().await;
    assert!(report.is_up(), "{:?}", report.shares);
    let wrong = wrong(&report, &S::gauges(&stage.scene(), report.now), true);
    assert!(wrong.is_empty(), "{wrong:#?}");
    let slots: Vec<_> = counts(&report).into_keys().collect();
    assert_eq!(slots, (0..4).rev().map(|back| report.now - GRID * back).collect::<Vec<_>>(), "all that Datadog takes");
}
