//! Servers that fail: what is known is delivered, what is not is absent and named, and no zero is invented.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod stage;

use sandbox::model::skypilot::{Controller, Release};
use sandbox::truth::{self, SkySettings};
use sandbox::{Fault, Options, Rule, SKYPILOT_PASSWORD, SKYPILOT_TOKEN, SKYPILOT_USER, Sandbox};
use serde_json::{Value, json};
use shared::testing::{at, differences, gaps, gauges, observations, says, value};
use shared::{Collector, Env, GRID, Report};
use skypilot::SkyPilot;
use stage::{EPOCH, Stage, seed};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const TARGET: &str = "prod";

async fn sandbox(number: u64) -> Sandbox {
    Sandbox::start(Options::new(seed(number, 0), sandbox::Clock::at(at(EPOCH)))).await.unwrap()
}

/// A stage with the new server alone, of which everything can be read.
async fn stage() -> Stage {
    let mut number = 0;
    loop {
        let sandbox = sandbox(number).await;
        let server = &sandbox.organisation().skypilot[0];
        if truth::skypilot_gaps(server, at(EPOCH)).is_empty() {
            let servers = format!("{TARGET}={}", sandbox.url("skypilot"));
            return Stage::on(sandbox, true, &[("SKYPILOT_SERVERS", &servers)]).await;
        }
        number += 1;
    }
}

/// The names of all rows that are said.
fn names(report: &Report) -> BTreeSet<String> {
    let known = report.samples.iter().filter(|sample| sample.value().is_some());
    known.map(|sample| sample.name().to_owned()).filter(|name| name.starts_with("skypilot.")).collect()
}

#[tokio::test]
async fn a_part_that_fails_for_good_is_absent_and_named_and_the_rest_is_there() {
    let faults: Vec<(&str, Fault, &str)> = vec![
        ("500", Fault::status(500), "server"),
        ("502", Fault::bad_gateway(), "server"),
        ("429 with a long pause", Fault::too_many(3600), "rate_limited"),
        ("403", Fault::status(403), "auth"),
        ("a cut connection", Fault::CutBefore, "network"),
        ("a page of HTML", Fault::Garbage, "decode"),
        ("a redirect", Fault::answer(302, &[("location", "https://login.example.com/")], ""), "server"),
    ];
    for (name, fault, kind) in faults {
        // The counts of the history alone ask for one job.
        let rule = Rule::new(fault).body("\"limit\":1,");
        let stage = stage().await;
        stage.sandbox.faults().inject("skypilot", rule);
        let report = stage.run().await;
        assert_eq!(gaps(&report), ["history"].into(), "{name}");
        for row in ["skypilot.jobs.failed", "skypilot.jobs.succeeded", "skypilot.jobs.cancelled"] {
            assert!(!names(&report).contains(row), "{name}: {row}");
        }
        for row in ["skypilot.jobs.failed_7d", "skypilot.jobs.running", "skypilot.clusters.active"] {
            assert!(names(&report).contains(row), "{name}: {row}");
        }
        assert_eq!(value(&report, "collector.up{}"), Some(0.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:history,target:prod}"), Some(1.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:live,target:prod}"), Some(0.0), "{name}");
        let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:skypilot}}"));
        assert_eq!(counted, Some(1.0), "{name}");
        assert!(report.outcome.as_ref().unwrap().accepted > 30, "{name}: what is known is delivered");
        assert!(report.failure().is_none(), "{name}: a part that fails alone does not fail the run");
    }
}

#[tokio::test]
async fn what_hangs_on_an_unknown_part_is_unknown_too() {
    let stage = stage().await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::status(502)).body("\"skip_finished\":true"));
    let report = stage.run().await;
    assert_eq!(gaps(&report), ["accelerators", "ended", "live", "statuses"].into());
    let expected = ["clusters.active", "jobs.cancelled", "jobs.failed", "jobs.succeeded"];
    assert_eq!(names(&report), expected.map(|name| format!("skypilot.{name}")).into());
    let stage = self::stage().await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::status(502)).path("/status"));
    let report = stage.run().await;
    assert_eq!((gaps(&report), says(&report, "skypilot.clusters")), (["clusters"].into(), 0));
    assert!(says(&report, "skypilot.jobs.") > 30);
}

#[tokio::test]
async fn answers_that_are_cut_truncated_or_of_another_shape_are_no_zeros() {
    let table: Vec<(&str, Fault, &str)> = vec![
        ("a cut body", Fault::CutBody(40), "network"),
        ("truncated JSON", Fault::Truncated, "decode"),
        (
            "a return value of another shape",
            Fault::rewrite(|mut answer| {
                if let Some(Value::String(text)) = answer.get_mut("return_value") {
                    *text = "{\"jobs\": 7}".to_owned();
                }
                answer
            }),
            "decode",
        ),
        (
            "no return value",
            Fault::rewrite(|mut answer| {
                if let Some(value) = answer.get_mut("return_value") {
                    *value = Value::Null;
                }
                answer
            }),
            "server",
        ),
    ];
    for (name, fault, kind) in table {
        let stage = stage().await;
        stage.sandbox.faults().inject("skypilot", Rule::new(fault).path("/api/get"));
        let report = stage.run().await;
        assert_eq!((says(&report, "skypilot."), gaps(&report).len()), (0, 6), "{name}");
        let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:skypilot}}"));
        assert!(counted >= Some(3.0), "{name}: {counted:?}");
        assert!(report.failure().is_some(), "{name}: nothing could be read");
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_of_paging_loses_the_list_and_not_a_page() {
    let sandbox = Sandbox::start(Options::new(seed(1, 1), sandbox::Clock::at(at(EPOCH)))).await.unwrap();
    let stage = Stage::on(sandbox, true, &[]).await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::bad_gateway()).body("\"page\":2,"));
    let report = stage.run().await;
    let share = report.shares.iter().find(|share| share.target == TARGET).unwrap();
    assert!(share.findings.gaps.contains_key("ended"), "{:?}", share.findings.gaps);
    assert_eq!(value(&report, "skypilot.jobs.failed_7d{server:prod}"), None);
    assert!(value(&report, "skypilot.jobs.running{server:prod}") > Some(0.0));
}

#[tokio::test]
async fn what_passes_by_itself_leaves_no_trace_but_calls() {
    let table = [
        Rule::new(Fault::status(500)).path("/jobs/queue/v2").times(1),
        Rule::new(Fault::too_many(1)).path("/api/get").times(1),
        Rule::new(Fault::bad_gateway()).path("/api/get").times(2),
        Rule::new(Fault::CutBefore).path("/api/get").times(1),
        Rule::new(Fault::CutAfter).path("/status").times(1),
        Rule::new(Fault::Latency(Duration::from_millis(200))),
    ];
    for rule in table {
        let (well, ill) = (stage().await, stage().await);
        let expected = well.run().await;
        ill.sandbox.faults().inject("skypilot", rule.clone());
        let report = ill.run().await;
        assert!(report.is_up(), "{rule:?}: {:?}", gaps(&report));
        assert_eq!(names(&report), names(&expected), "{rule:?}");
    }
}

#[tokio::test]
async fn requests_that_take_their_time_are_waited_for_side_by_side() {
    let stage = stage().await;
    stage.sandbox.workshop().takes(Duration::from_millis(700));
    let started = Instant::now();
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1400) && took < Duration::from_secs(4), "two after each other: {took:?}");
}

#[tokio::test]
async fn a_server_that_is_down_fails_the_run_and_the_slots_are_counted_later() {
    let stage = stage().await;
    stage.run().await;
    stage.clock.advance(GRID);
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::CutBefore));
    let report = stage.run().await;
    assert_eq!(says(&report, "skypilot."), 0);
    assert_eq!(
        (value(&report, "collector.up{}"), value(&report, "collector.target_up{target:prod}")),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(gaps(&report).len(), 6);
    assert!(report.outcome.as_ref().unwrap().accepted > 10, "the heartbeat is delivered");
    assert_eq!(report.failure().unwrap().kind(), Some("network"));
    stage.clock.advance(GRID);
    stage.sandbox.faults().clear();
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let slots = report
        .samples
        .iter()
        .filter(|sample| sample.series() == "skypilot.jobs.finished.new{outcome:failed,server:prod}")
        .count();
    assert!(slots >= 3, "the slots that could not be counted are sent by the run that can: {slots}");
}

#[tokio::test]
async fn one_server_that_is_down_does_not_touch_the_other() {
    let stage = Stage::new(seed(1, 0), at(EPOCH), true, &[]).await;
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::status(503)));
    let report = stage.run().await;
    assert!(value(&report, "skypilot.jobs.running{server:lab}").is_some());
    assert!(
        !report.samples.iter().any(|sample| { sample.tag_value("server") == Some(TARGET) && sample.value().is_some() })
    );
    assert_eq!(report.failed.len(), 1);
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
    let absent = stage().await;
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
        let dead = stage().await;
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
    let stage = stage().await;
    let server = stage.sandbox.organisation().skypilot[0].clone();
    let truth = |now| truth::skypilot(&server, now, &SkySettings::default());
    let before = stage.run().await;
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
    let stage = Stage::on(sandbox, false, &[("SKYPILOT_SERVERS", &servers)]).await;
    let report = stage.run().await;
    assert_eq!(value(&report, "skypilot.jobs.queued{server:lab}"), Some(0.0));
    assert_eq!(value(&report, "skypilot.jobs.succeeded{server:lab}"), None);
    assert_eq!(gaps(&report), ["ended", "history"].into());
}

#[tokio::test]
async fn a_server_that_lost_its_requests_is_no_server_without_the_route() {
    let stage = stage().await;
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
    let servers = format!("lab={}", sandbox.url("skypilot_old"));
    let more = [
        ("SKYPILOT_SERVERS", servers.as_str()),
        ("SKYPILOT_TOKEN", ""),
        ("SKYPILOT_USER", SKYPILOT_USER),
        ("SKYPILOT_PASSWORD__LAB", SKYPILOT_PASSWORD),
        ("SKYPILOT_USER__LAB", SKYPILOT_USER),
    ];
    let stage = Stage::on(sandbox, false, &more).await;
    assert_eq!(says(&stage.run().await, "skypilot.clusters.active"), 1);
}

#[tokio::test]
async fn a_token_that_was_replaced_in_the_secret_store_heals_by_itself() {
    let stage = stage().await;
    let servers = format!("{TARGET}={}", stage.sandbox.url("skypilot"));
    let sandbox = stage.sandbox;
    sandbox.secrets().put("vitals", &json!({"SKYPILOT_TOKEN": SKYPILOT_TOKEN}).to_string());
    let url = sandbox.url("secrets").to_owned();
    let more = [
        ("SKYPILOT_SERVERS", servers.as_str()),
        ("SKYPILOT_TOKEN", ""),
        ("SECRET_ARN", "vitals"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let stage = Stage::on(sandbox, true, &more).await;
    assert!(stage.run().await.is_up());
    stage.sandbox.sky_credentials().revoke(SKYPILOT_TOKEN);
    stage.sandbox.sky_credentials().allow("sky_another");
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert_eq!((says(&report, "skypilot."), report.failure().unwrap().kind()), (0, Some("auth")));
    stage.sandbox.secrets().put("vitals", &json!({"SKYPILOT_TOKEN": "sky_another"}).to_string());
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
}

#[tokio::test]
async fn a_refused_token_is_named_by_its_place_and_never_by_its_value() {
    let stage = stage().await;
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
    let stage = stage().await;
    let probes = stage.inner.collector.probe(TARGET).await;
    let found: Vec<&str> = probes.iter().map(|probe| probe.found.as_deref().unwrap()).collect();
    assert_eq!(found[0], "SkyPilot 0.14.1 with API version 62");
    assert_eq!(found[1], "accepted", "and of whom is nobody else's business");
    assert!(found[2].ends_with("are up") && found[3].ends_with("in its history"), "{found:?}");
}

#[tokio::test]
async fn a_wrong_configuration_names_its_variable_and_ends_with_78() {
    for (name, wrong) in [
        ("SKYPILOT_SERVERS", ""),
        ("SKYPILOT_SERVERS", "prod"),
        ("SKYPILOT_TOKEN", ""),
        ("SKYPILOT_HISTORY_DAYS", "-1"),
        ("SKYPILOT_LONG_HOURS", "long"),
        ("PRICES", "[1]"),
    ] {
        let sandbox = sandbox(1).await;
        let mut settings = sandbox.env();
        settings.insert(name.to_owned(), wrong.to_owned());
        let error = SkyPilot::connect(&Env::of(settings)).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 78, "{text}");
        assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
    }
}
