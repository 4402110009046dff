//! What only SkyPilot's servers do.

use crate::Servers;
use kit::sandbox::model::skypilot::{Controller, Release};
use kit::sandbox::truth::{self, SkySettings};
use kit::sandbox::{Clock, Fault, Options, Rule, SKYPILOT_PASSWORD, SKYPILOT_TOKEN, SKYPILOT_USER, Sandbox};
use kit::shared::testing::{at, differences, gaps, gauges, observations, says, value};
use kit::shared::{Collector, GRID, Report};
use kit::{EPOCH, Stage, seed};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

const TARGET: &str = "prod";

async fn sandbox(number: u64) -> Rc<Sandbox> {
    Rc::new(Sandbox::start(Options::new(seed(number, 0), Clock::at(at(EPOCH)))).await.unwrap())
}

/// The names of all rows that are said.
fn names(report: &Report) -> BTreeSet<String> {
    let known = report.samples.iter().filter(|sample| sample.value().is_some());
    known.map(|sample| sample.name().to_owned()).filter(|name| name.starts_with("skypilot.")).collect()
}

/// Changes what a request came to.
fn return_values(change: fn(&mut Value)) -> Fault {
    Fault::rewrite(move |mut answer| {
        if let Some(value) = answer.get_mut("return_value") {
            change(value);
        }
        answer
    })
}

/// The rule for every result, whatever was asked.
fn results(fault: Fault) -> Rule {
    Rule::new(fault).path("/api/get")
}

#[tokio::test]
async fn results_that_are_missing_or_of_another_shape_are_no_zeros() {
    let other = return_values(|value| *value = Value::from("{\"jobs\": 7}"));
    let none = return_values(|value| *value = Value::Null);
    for (name, fault, kind) in [("another shape", other, "decode"), ("none", none, "server")] {
        let stage = Stage::<Servers>::single(true).await;
        stage.sandbox.faults().inject("skypilot", results(fault));
        let report = stage.run().await;
        assert_eq!((says(&report, "skypilot."), gaps(&report).len()), (0, 6), "{name}");
        let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:skypilot}}"));
        assert!(counted >= Some(3.0), "{name}: {counted:?}");
        assert!(report.failure().is_some(), "{name}: nothing could be read");
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_of_paging_loses_the_list_and_not_a_page() {
    let stage = Stage::<Servers>::sized(1, true).await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::bad_gateway()).body("\"page\":2,"));
    let report = stage.run().await;
    let share = report.shares.iter().find(|share| share.target == TARGET).unwrap();
    assert!(share.findings.gaps.contains_key("ended"), "{:?}", share.findings.gaps);
    assert_eq!(value(&report, "skypilot.jobs.failed_7d{server:prod}"), None);
    assert!(value(&report, "skypilot.jobs.running{server:prod}") > Some(0.0));
}

#[tokio::test]
async fn requests_that_take_their_time_are_waited_for_side_by_side() {
    let stage = Stage::<Servers>::single(true).await;
    stage.sandbox.workshop().takes(Duration::from_millis(700));
    let started = Instant::now();
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1400) && took < Duration::from_secs(4), "two after each other: {took:?}");
}

#[tokio::test]
async fn one_server_that_is_down_does_not_touch_the_other() {
    let stage = Stage::<Servers>::new(1, at(EPOCH), true).await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::status(503)));
    let report = stage.run().await;
    assert!(value(&report, "skypilot.jobs.running{server:lab}").is_some());
    assert!(
        !report.samples.iter().any(|sample| { sample.tag_value("server") == Some(TARGET) && sample.value().is_some() })
    );
    assert_eq!(report.failed().count(), 1);
}

/// A fake answer of the queue: the request fails with this exception.
fn failing(kind: &'static str, message: &'static str) -> Fault {
    let error = json!({"object": "gAJOLg==", "type": kind, "message": message}).to_string();
    let body = json!({"detail": {"request_id": "x", "status": "FAILED", "return_value": "null", "error": error}});
    Fault::answer(500, &[("content-type", "application/json")], &body.to_string())
}

#[tokio::test]
async fn no_controller_is_no_open_job_and_a_dead_one_is_not_a_quiet_one() {
    let queue = |kind, message| {
        // The first request is for the clusters, or the queue; only requests of the queue are to fail.
        Rule::new(failing(kind, message)).path("/api/get")
    };
    let absent = Stage::<Servers>::single(true).await;
    absent.sandbox.faults().inject("skypilot", queue("ClusterNotUpError", "No in-progress managed jobs."));
    let report = absent.run().await;
    assert_eq!(value(&report, "skypilot.jobs.running{server:prod}"), Some(0.0));
    assert_eq!(value(&report, "skypilot.users.active_count{server:prod}"), Some(0.0));
    assert!(gaps(&report).is_superset(&["history", "ended"].into()));
    for row in ["jobs.failed", "jobs.failed_7d", "jobs.by_status", "jobs.finished.new"] {
        assert!(!names(&report).contains(&format!("skypilot.{row}")), "{row}");
    }
    assert_eq!(value(&report, "collector.up{}"), Some(0.0));
    let message = "Failed to connect to jobs controller, please try again later.";
    for (kind, message) in [("ClusterNotUpError", message), ("RuntimeError", "No in-progress managed jobs.")] {
        let dead = Stage::<Servers>::single(true).await;
        dead.sandbox.faults().inject("skypilot", queue(kind, message));
        let report = dead.run().await;
        assert_eq!(says(&report, "skypilot.jobs."), 0, "{kind}: {message}");
        assert!(gaps(&report).is_superset(&["live", "history", "ended"].into()));
        assert_eq!(value(&report, "collector.api_errors{kind:server,upstream:skypilot}"), Some(3.0));
    }
}

/// What becomes of requests about the queue while there is no jobs controller; clusters need none.
fn asleep() -> Fault {
    let error = json!({"type": "ClusterNotUpError", "message": "No in-progress managed jobs."}).to_string();
    Fault::rewrite(move |answer| {
        let is_queue = answer["return_value"].as_str().is_some_and(|value| value.starts_with('{'));
        if is_queue { json!({"status": "FAILED", "return_value": "null", "error": error}) } else { answer }
    })
}

#[tokio::test]
async fn a_sleeping_controller_is_a_quiet_night_and_not_an_alarm() {
    let stage = Stage::<Servers>::single(true).await;
    let server = stage.sandbox.organisation().skypilot[0].clone();
    let before = stage.run().await;
    let settings = SkySettings { looks: vec![before.now], ..SkySettings::default() };
    let truth = |now| truth::skypilot(&server, now, &settings);
    assert_eq!(differences(&gauges(&before), &truth(before.now)), Vec::<String>::new());
    stage.sandbox.faults().inject("skypilot", Rule::new(asleep()).path("/api/get"));
    // Through the daily fetch of everything, and past a pause after which nothing is continued.
    for steps in [1; 98].into_iter().chain([9]) {
        stage.clock.advance(GRID * steps);
        let report = stage.run().await;
        let now = report.now;
        assert!(report.is_up(), "{now}: {:?}", report.shares);
        assert_eq!(value(&report, "collector.target_up{target:prod}"), Some(1.0), "{now}");
        for row in ["jobs.running", "jobs.queued", "users.active_count", "resources.gpus.total_count"] {
            assert_eq!(value(&report, &format!("skypilot.{row}{{server:prod}}")), Some(0.0), "{now}: {row}");
        }
        for row in ["jobs.failed", "jobs.succeeded", "jobs.cancelled"] {
            let series = format!("skypilot.{row}{{server:prod}}");
            assert_eq!(value(&report, &series), value(&before, &series), "{now}: {row}");
        }
        // An answer of the run before is as good as new.
        let age = now.duration_since(before.now);
        let age = if age > GRID { age.as_secs_f64() } else { 0.0 };
        assert_eq!(value(&report, "collector.data_age_seconds{target:prod}"), Some(age), "{now}");
        assert_eq!(says(&report, "skypilot.jobs.finished.new"), 12, "{now}");
        assert!(observations(&report).is_empty(), "{now}: nothing ends");
    }
    stage.sandbox.faults().clear();
    stage.clock.advance(GRID);
    let awake = stage.run().await;
    assert!(awake.is_up(), "{:?}", awake.shares);
    assert_eq!(differences(&gauges(&awake), &truth(awake.now)), Vec::<String>::new());
    assert_eq!(value(&awake, "collector.data_age_seconds{target:prod}"), Some(0.0));
}

#[tokio::test]
async fn every_mood_of_a_server_is_in_some_organisation() {
    let (mut moods, mut groups, mut pools) = (BTreeSet::new(), 0, 0);
    for number in 0..30 {
        let sandbox = sandbox(number).await;
        let server = &sandbox.organisation().skypilot[0];
        moods.insert((server.release == Release::Middle, server.remote));
        let open = server
            .jobs
            .iter()
            .filter(|job| job.tasks.iter().any(|task| task.turns.iter().any(|(_, word)| *word == "RUNNING")));
        (groups, pools) = open.fold((groups, pools), |(groups, pools), job| {
            (groups + u64::from(job.parallel), pools + u64::from(job.pool.is_some()))
        });
    }
    assert_eq!((moods.len(), groups > 50, pools > 50), (4, true, true), "{moods:?} {groups} {pools}");
}

#[tokio::test]
async fn a_server_from_before_job_groups_is_asked_again_once_a_day_and_not_in_each_run() {
    let stage = Stage::<Servers>::new(2, at(EPOCH), true).await;
    assert_eq!(stage.sandbox.organisation().skypilot[0].release, Release::Middle);
    let mut calls = Vec::new();
    for _ in 0..3 {
        let report = stage.run().await;
        assert!(report.is_up(), "{:?}", report.shares);
        calls.push(report.calls);
        stage.clock.advance(GRID);
    }
    assert!(calls[1] <= calls[0] - 2 && calls[2] <= calls[0] - 2, "{calls:?}");
}

#[tokio::test]
async fn an_old_server_without_jobs_has_none() {
    let mut number = 0;
    let (sandbox, quiet) = loop {
        let sandbox = sandbox(number).await;
        let server = sandbox.organisation().skypilot[1].clone();
        if server.controller == Controller::Absent {
            break (sandbox, server);
        }
        number += 1;
    };
    assert_eq!(quiet.release, Release::Old);
    let servers = format!("lab={}", sandbox.url("skypilot_old"));
    let stage = Stage::<Servers>::on(&sandbox, number, false, vec![("SKYPILOT_SERVERS", servers)]).await;
    let report = stage.run().await;
    assert_eq!(value(&report, "skypilot.jobs.queued{server:lab}"), Some(0.0));
    assert_eq!(value(&report, "skypilot.jobs.succeeded{server:lab}"), None);
    assert_eq!(gaps(&report), ["ended", "history"].into());
}

#[tokio::test]
async fn a_server_that_lost_its_requests_is_no_server_without_the_route() {
    let stage = Stage::<Servers>::single(true).await;
    let lost = Fault::answer(404, &[("content-type", "application/json")], "{\"detail\":\"Request 'x' not found\"}");
    stage.sandbox.faults().inject("skypilot", Rule::new(lost).path("/api/get"));
    let report = stage.run().await;
    assert_eq!(says(&report, "skypilot."), 0);
    let asked = stage.sandbox.faults().requests("skypilot");
    assert!(asked.iter().all(|(_, path)| path != "/jobs/queue"), "{asked:?}");
}

#[tokio::test]
async fn a_user_with_a_password_is_let_in_too() {
    let sandbox = sandbox(4).await;
    let settings = [
        ("SKYPILOT_SERVERS", format!("lab={}", sandbox.url("skypilot_old"))),
        ("SKYPILOT_TOKEN", String::new()),
        ("SKYPILOT_USER", SKYPILOT_USER.to_owned()),
        ("SKYPILOT_PASSWORD__LAB", SKYPILOT_PASSWORD.to_owned()),
        ("SKYPILOT_USER__LAB", SKYPILOT_USER.to_owned()),
    ];
    let stage = Stage::<Servers>::on(&sandbox, 4, false, settings.into()).await;
    assert_eq!(says(&stage.run().await, "skypilot.clusters.active"), 1);
}

#[tokio::test]
async fn a_refused_token_is_named_by_its_place_and_never_by_its_value() {
    let stage = Stage::<Servers>::single(true).await;
    stage.sandbox.sky_credentials().revoke(SKYPILOT_TOKEN);
    let report = stage.run().await;
    assert_eq!((says(&report, "skypilot."), gaps(&report).len()), (0, 6));
    let text = report.failure().unwrap().with_causes();
    assert!(text.contains("SKYPILOT_TOKEN") && !text.contains(SKYPILOT_TOKEN), "{text}");
    let probes = stage.inner.collector.probe(TARGET).await;
    let failed: Vec<&str> =
        probes.iter().filter(|probe| probe.found.is_err()).map(|probe| probe.what.as_str()).collect();
    assert_eq!(failed, ["prod: credentials", "prod: clusters", "prod: managed jobs"], "the server itself is there");
}

#[tokio::test]
async fn a_newcomer_is_told_what_it_may_see_and_not_who_it_is() {
    let stage = Stage::<Servers>::single(true).await;
    let probes = stage.inner.collector.probe(TARGET).await;
    let found: Vec<&str> = probes.iter().map(|probe| probe.found.as_deref().unwrap()).collect();
    assert_eq!(found[0], "SkyPilot 0.14.1 with API version 62");
    assert_eq!(found[1], "accepted", "and of whom is nobody else's business");
    assert!(found[2].ends_with("are up") && found[3].ends_with("in its history"), "{found:?}");
}
