//! Whole fetches against fakes.

use super::fake::{ASLEEP, Stage};
use super::*;
use crate::snapshot::Snapshot;
use serde_json::{Value, json};
use shared::testing::at;
use shared::{Digester, Env, Event, GRID};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const NOW: &str = "2026-01-08T12:00:00Z";
/// The same instant in seconds.
const SECONDS: f64 = 1_767_873_600.0;

async fn sky(stage: &Stage) -> SkyPilot {
    let url = stage.fake.url();
    let pairs = [("SKYPILOT_SERVERS", format!("prod={url}")), ("SKYPILOT_TOKEN", "sky_t".to_owned())];
    SkyPilot::connect(&Env::of(pairs)).await.unwrap()
}

fn context(now: Timestamp) -> Context {
    Context::new(Event::new(now, now), "prod")
}

/// The parts that failed.
fn gaps(cx: &Context) -> Vec<&'static str> {
    cx.findings().gaps.into_keys().collect()
}

/// How many records of the parts cannot be interpreted, where any.
fn unread(cx: &Context) -> Vec<(&'static str, u64)> {
    cx.findings().unread.into_iter().filter(|(_, records)| *records > 0).collect()
}

fn row(id: u64, status: &str, submitted: f64, ended: Option<f64>) -> Value {
    json!({"job_id": id, "task_id": 0, "status": status, "submitted_at": submitted, "start_at": submitted + 1.0,
           "end_at": ended, "job_duration": 5.0, "resources": "1x[L4:1]"})
}

fn queue(jobs: &[Value]) -> Value {
    json!({"jobs": jobs, "total": jobs.len(), "status_counts": {"SUCCEEDED": 3, "HIBERNATING": 1}})
}

fn ids(jobs: Option<&Vec<Job>>) -> Vec<u64> {
    jobs.into_iter().flatten().map(|job| job.id).collect()
}

/// What a question for the queue is about.
fn about(body: &Value) -> &'static str {
    match (&body["skip_finished"], &body["job_ids"], &body["statuses"]) {
        (Value::Bool(true), ..) => "open",
        (_, Value::Array(_), _) => "gone",
        (_, _, Value::Array(_)) => "over",
        _ => "history",
    }
}

#[tokio::test]
async fn a_whole_fetch_asks_for_open_jobs_the_window_and_the_counts() {
    let stage = Stage::routed(|_, path, body| {
        Some(match (path, about(body)) {
            ("/status", _) => json!([{"name": "dev", "status": "UP"}]),
            (_, "open") => queue(&[row(7, "RUNNING", SECONDS - 50.0, None)]),
            (_, "over") => queue(&[
                row(7, "SUCCEEDED", SECONDS - 60.0, Some(SECONDS - 10.0)),
                row(6, "FAILED", SECONDS - 90.0, Some(SECONDS - 20.0)),
                row(5, "FAILED", SECONDS - 900_000.0, Some(SECONDS - 800_000.0)),
                row(4, "FAILED", SECONDS - 90.0, None),
            ]),
            _ => queue(&[]),
        })
    })
    .await;
    let cx = context(at(NOW));
    let snapshot = sky(&stage).await.fetch(&cx, "prod", Last::None).await.unwrap();
    assert_eq!((gaps(&cx), snapshot.read_at, snapshot.asleep), (vec![], Some(at(NOW)), false));
    assert_eq!((snapshot.clusters, snapshot.history.unwrap()["SUCCEEDED"]), (Some(1), 3));
    assert_eq!(ids(snapshot.live.as_ref()), [7]);
    assert_eq!(
        ids(snapshot.ended.as_ref()),
        [6],
        "a pipeline that goes on, an old end, and one without an end are not"
    );
    let asked = stage.asked("/jobs/queue/v2");
    let over: Vec<&Value> = asked.iter().filter(|body| about(body) == "over").collect();
    assert_eq!(over[0]["submitted_after"], json!(1_767_873_600 - 21 * 86_400));
    assert_eq!(over[0]["statuses"].as_array().unwrap().len(), 7);
    let counts: Vec<&Value> = asked.iter().filter(|body| about(body) == "history").collect();
    assert_eq!((&counts[0]["page"], &counts[0]["limit"]), (&json!(1), &json!(1)));
    assert_eq!(stage.fake.seen().len(), 8);
}

#[tokio::test]
async fn a_continued_fetch_asks_for_what_was_open_and_what_is_new() {
    let stage = Stage::routed(|_, path, body| {
        Some(match (path, about(body)) {
            ("/status", _) => json!([]),
            (_, "open") => queue(&[row(9, "PENDING", SECONDS + 800.0, None)]),
            (_, "gone") => queue(&[
                row(7, "CANCELLED", SECONDS - 60.0, Some(SECONDS + 10.0)),
                row(8, "RUNNING", SECONDS - 60.0, None),
                row(3, "FAILED", SECONDS - 30.0 * 86_400.0, Some(SECONDS + 10.0)),
            ]),
            (_, "over") => queue(&[row(10, "SUCCEEDED", SECONDS + 60.0, Some(SECONDS + 100.0))]),
            _ => queue(&[]),
        })
    })
    .await;
    let sky = sky(&stage).await;
    let job = |id, status: &str, ended| {
        let record = serde_json::from_value(row(id, status, SECONDS - 60.0, ended)).unwrap();
        records::jobs(vec![record], &Digester::default()).into_values().next().unwrap()
    };
    let last = Snapshot {
        read_at: Some(at(NOW)),
        live: Some(vec![
            job(3, "RUNNING", None),
            job(7, "RUNNING", None),
            job(8, "RUNNING", None),
            job(9, "PENDING", None),
        ]),
        ended: Some(vec![job(5, "FAILED", Some(SECONDS - 30.0)), job(2, "FAILED", Some(SECONDS - 604_800.0))]),
        ..sky.unknown("prod")
    };
    let cx = context(at(NOW) + GRID);
    let snapshot = sky.fetch(&cx, "prod", Last::Base(last)).await.unwrap();
    assert_eq!(
        ids(snapshot.ended.as_ref()),
        [5, 7, 10],
        "an end before the week, and a job submitted too long ago, are not"
    );
    assert_eq!(ids(snapshot.live.as_ref()), [8, 9], "what the server takes back is open");
    assert!(!cx.findings().asked_all);
    let asked = stage.asked("/jobs/queue/v2");
    let of = |what: &str| asked.iter().find(|body| about(body) == what).unwrap();
    assert_eq!(of("gone")["job_ids"], json!([3, 7, 8]));
    assert_eq!(of("over")["submitted_after"], json!(1_767_873_600 - 900));
}

/// A server with one live job and one that is over, until its controller goes to sleep.
async fn sleepy() -> (Stage, Arc<AtomicBool>) {
    let asleep: Arc<AtomicBool> = Arc::default();
    let sleeps = Arc::clone(&asleep);
    let stage = Stage::routed(move |_, path, body| {
        Some(match (path, about(body)) {
            ("/status", _) => json!([]),
            _ if sleeps.load(Ordering::Relaxed) => json!(ASLEEP),
            (_, "open") => queue(&[row(7, "RUNNING", SECONDS - 50.0, None)]),
            (_, "over") => queue(&[row(6, "FAILED", SECONDS - 90.0, Some(SECONDS - 20.0))]),
            _ => queue(&[]),
        })
    })
    .await;
    (stage, asleep)
}

#[tokio::test]
async fn what_a_controller_said_before_it_went_to_sleep_is_still_true() {
    let (stage, asleep) = sleepy().await;
    let sky = sky(&stage).await;
    let mut last = sky.fetch(&context(at(NOW)), "prod", Last::None).await.unwrap();
    asleep.store(true, Ordering::Relaxed);
    for (run, oldest) in [(1, None), (2, Some(at(NOW))), (3, Some(at(NOW)))] {
        let cx = context(at(NOW) + GRID * run);
        // The third is the daily fetch of everything.
        let memory = last.lasting().unwrap();
        let given = if run == 3 { Last::Memory(memory) } else { Last::Base(last) };
        last = sky.fetch(&cx, "prod", given).await.unwrap();
        assert_eq!((gaps(&cx), cx.findings().oldest), (vec![], oldest), "{run}");
        assert_eq!((ids(last.live.as_ref()), ids(last.ended.as_ref())), (vec![], vec![6]), "{run}");
        assert_eq!((last.asleep, last.history.as_ref().unwrap()["SUCCEEDED"]), (true, 3), "{run}");
    }
    // What ended before it fell asleep was never read.
    asleep.store(false, Ordering::Relaxed);
    let (cx, before) = (context(at(NOW) + GRID * 4), stage.asked("/jobs/queue/v2").len());
    let awake = sky.fetch(&cx, "prod", Last::Base(last)).await.unwrap();
    assert_eq!((ids(awake.live.as_ref()), cx.findings().oldest, cx.findings().asked_all), (vec![7], None, true));
    let asked = &stage.asked("/jobs/queue/v2")[before..];
    assert!(
        asked.iter().any(|body| about(body) == "over" && body["submitted_after"] == json!(horizon(4))),
        "{asked:?}"
    );
}

/// So many quarters of an hour after the first run, jobs submitted since then are looked for among those that are over.
const fn horizon(run: i64) -> i64 {
    1_767_873_600 + run * 900 - 21 * 86_400
}

#[tokio::test]
async fn what_was_never_read_of_this_server_is_a_gap_while_its_controller_sleeps() {
    let (stage, asleep) = sleepy().await;
    let sky = sky(&stage).await;
    let last = sky.fetch(&context(at(NOW)), "prod", Last::None).await.unwrap();
    asleep.store(true, Ordering::Relaxed);
    let other = Snapshot { source: "another".to_owned(), ..last };
    for last in [Last::None, Last::Base(sky.unknown("prod")), Last::Memory(other)] {
        let cx = context(at(NOW) + GRID);
        let snapshot = sky.fetch(&cx, "prod", last).await.unwrap();
        assert_eq!((gaps(&cx), ids(snapshot.live.as_ref())), (vec!["ended", "history"], vec![]));
        assert_eq!((snapshot.history, snapshot.ended, cx.findings().oldest), (None, None, None));
    }
}

#[tokio::test]
async fn a_last_fetch_that_lacks_something_is_not_continued() {
    let (stage, _) = sleepy().await;
    let sky = sky(&stage).await;
    let last = sky.fetch(&context(at(NOW)), "prod", Last::None).await.unwrap();
    for (last, all) in [
        (last.clone(), false),
        (Snapshot { live: None, ..last.clone() }, true),
        (Snapshot { ended: None, ..last.clone() }, true),
        (Snapshot { asleep: true, ..last }, true),
    ] {
        let (cx, before) = (context(at(NOW) + GRID), stage.asked("/jobs/queue/v2").len());
        sky.fetch(&cx, "prod", Last::Base(last)).await.unwrap();
        let asked = &stage.asked("/jobs/queue/v2")[before..];
        let whole = asked.iter().any(|body| about(body) == "over" && body["submitted_after"] == json!(horizon(1)));
        assert_eq!((whole, cx.findings().asked_all), (all, all));
    }
}

#[tokio::test]
async fn a_tenth_of_unreadable_accelerators_is_counted_and_more_is_a_gap() {
    for (unreadable, expected) in [(1, vec![]), (2, vec!["accelerators"])] {
        let stage = Stage::routed(move |_, path, body| {
            let odd = |mut row: Value| {
                row["accelerators"] = json!("many");
                row["resources"] = json!("many");
                row
            };
            let jobs = (0..10).map(|id| row(id, "RUNNING", SECONDS - 50.0, None));
            let jobs: Vec<Value> =
                jobs.zip(0..).map(|(job, id)| if id < unreadable { odd(job) } else { job }).collect();
            Some(match (path, about(body)) {
                ("/status", _) => json!([]),
                (_, "open") => queue(&jobs),
                _ => queue(&[]),
            })
        })
        .await;
        let cx = context(at(NOW));
        sky(&stage).await.fetch(&cx, "prod", Last::None).await.unwrap();
        assert_eq!((gaps(&cx), unread(&cx)), (expected, vec![("accelerators", unreadable)]));
    }
}

#[tokio::test]
async fn another_address_or_reach_is_another_fingerprint_and_a_credential_is_not() {
    let print = async |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter().copied().chain([("SKYPILOT_SERVERS", "prod=https://a,lab=https://b")]);
        SkyPilot::connect(&Env::of(pairs)).await.unwrap().fingerprint("prod")
    };
    let first = print(&[("SKYPILOT_TOKEN", "t")]).await;
    assert_eq!(first, print(&[("SKYPILOT_TOKEN", "u"), ("SKYPILOT_LONG_HOURS", "3")]).await);
    assert_ne!(first, print(&[("SKYPILOT_TOKEN", "t"), ("SKYPILOT_HISTORY_DAYS", "22")]).await);
    let lab =
        SkyPilot::connect(&Env::of([("SKYPILOT_SERVERS", "lab=https://b"), ("SKYPILOT_TOKEN", "t")])).await.unwrap();
    assert_ne!(first, lab.fingerprint("lab"));
}

#[tokio::test]
async fn a_server_without_the_new_route_tells_everything_at_once() {
    let stage = Stage::routed(|_, path, _| match path {
        "/status" => Some(json!([])),
        "/jobs/queue" => Some(json!([
            row(1, "RUNNING", SECONDS - 50.0, None),
            row(2, "SUCCEEDED", SECONDS - 90.0, Some(SECONDS - 20.0)),
            row(3, "SUCCEEDED", SECONDS - 30.0 * 86_400.0, Some(SECONDS - 20.0)),
            row(4, "HIBERNATING", SECONDS - 90.0, None),
        ])),
        _ => None,
    })
    .await;
    let (cx, sky) = (context(at(NOW)), sky(&stage).await);
    let snapshot = sky.fetch(&cx, "prod", Last::Base(sky.unknown("prod"))).await.unwrap();
    assert!(cx.findings().asked_all);
    assert_eq!((ids(snapshot.live.as_ref()), ids(snapshot.ended.as_ref())), (vec![1, 4], vec![2]));
    assert_eq!(snapshot.history.unwrap()["SUCCEEDED"], 2);
    assert_eq!((gaps(&cx), unread(&cx)), (vec![], vec![("statuses", 1)]));
    let asked = &stage.asked("/jobs/queue")[0];
    assert_eq!(*asked, json!({"refresh": false, "skip_finished": false, "all_users": true}));
}

#[tokio::test]
async fn a_server_without_counts_does_not_invent_its_history() {
    let stage = Stage::routed(|_, path, _| match path {
        "/status" => Some(json!([])),
        _ => Some(json!({"jobs": [], "total": 0})),
    })
    .await;
    let cx = context(at(NOW));
    let snapshot = sky(&stage).await.fetch(&cx, "prod", Last::None).await.unwrap();
    assert_eq!((snapshot.history, gaps(&cx)), (None, vec!["history"]));
}

#[tokio::test]
async fn a_newcomer_is_told_what_is_there_and_what_is_missing() {
    let stage = Stage::routed(|_, path, _| match path {
        "/status" => Some(json!([{"name": "dev", "status": "UP"}])),
        "/jobs/queue" => Some(json!([])),
        _ => None,
    })
    .await;
    let probes = sky(&stage).await.probe("prod").await;
    let found: Vec<String> = probes
        .iter()
        .map(|probe| format!("{}: {}", probe.what, probe.found.as_ref().map_or_else(ToString::to_string, Clone::clone)))
        .collect();
    assert!(found[2].contains("prod: clusters: 1 of"), "{found:?}");
    assert!(found[3].contains("0 rows in its history, by the old route"), "{found:?}");
    assert!(probes[1].fix.contains("SKYPILOT_TOKEN__PROD") && probes[1].fix.contains("Service Accounts"));
}
