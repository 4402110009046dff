//! Whole fetches against fakes.

use super::fake::Stage;
use super::*;
use serde_json::{Value, json};
use shared::testing::at;
use shared::{Event, GRID};

const NOW: &str = "2026-01-08T12:00:00Z";
/// The same instant in seconds.
const SECONDS: f64 = 1_767_873_600.0;

async fn upstream(stage: &Stage) -> Upstream {
    let url = stage.fake.url();
    let pairs = [("SKYPILOT_SERVERS", format!("prod={url}")), ("SKYPILOT_TOKEN", "sky_t".to_owned())];
    Upstream::new(&Env::of(pairs)).await.unwrap()
}

fn context(now: Timestamp, last_full: Option<Timestamp>) -> Context {
    Context::new(Event::new(now, now), "prod", last_full)
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
    let cx = context(at(NOW), None);
    let snapshot = upstream(&stage).await.fetch(&cx, "prod", None).await.unwrap();
    assert!(cx.gaps().is_empty() && cx.is_whole());
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
    let upstream = upstream(&stage).await;
    let job = |id, status: &str, ended| {
        let digester = Env::of::<&str, &str>([]).digester();
        let record = serde_json::from_value(row(id, status, SECONDS - 60.0, ended)).unwrap();
        records::jobs(vec![record], &digester).into_values().next().unwrap()
    };
    let last = Snapshot {
        at: at(NOW),
        live: Some(vec![
            job(3, "RUNNING", None),
            job(7, "RUNNING", None),
            job(8, "RUNNING", None),
            job(9, "PENDING", None),
        ]),
        ended: Some(vec![job(5, "FAILED", Some(SECONDS - 30.0)), job(2, "FAILED", Some(SECONDS - 604_800.0))]),
        ..upstream.unknown("prod")
    };
    let cx = context(at(NOW) + GRID, Some(at(NOW)));
    let snapshot = upstream.fetch(&cx, "prod", Some(last)).await.unwrap();
    assert_eq!(
        ids(snapshot.ended.as_ref()),
        [5, 7, 10],
        "an end before the week, and a job submitted too long ago, are not"
    );
    assert_eq!(ids(snapshot.live.as_ref()), [8, 9], "what the server takes back is open");
    assert!(!cx.is_whole());
    let asked = stage.asked("/jobs/queue/v2");
    let of = |what: &str| asked.iter().find(|body| about(body) == what).unwrap();
    assert_eq!(of("gone")["job_ids"], json!([3, 7, 8]));
    assert_eq!(of("over")["submitted_after"], json!(1_767_873_600 - 900));
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
    let cx = context(at(NOW), None);
    let snapshot = upstream(&stage).await.fetch(&cx, "prod", None).await.unwrap();
    assert_eq!((ids(snapshot.live.as_ref()), ids(snapshot.ended.as_ref())), (vec![1, 4], vec![2]));
    assert_eq!(snapshot.history.unwrap()["SUCCEEDED"], 2);
    assert_eq!(cx.gaps().into_keys().collect::<Vec<_>>(), ["statuses"]);
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
    let cx = context(at(NOW), None);
    let snapshot = upstream(&stage).await.fetch(&cx, "prod", None).await.unwrap();
    assert_eq!((snapshot.history, cx.gaps().into_keys().collect::<Vec<_>>()), (None, vec!["history"]));
}

#[tokio::test]
async fn a_newcomer_is_told_what_is_there_and_what_is_missing() {
    let stage = Stage::routed(|_, path, _| match path {
        "/status" => Some(json!([{"name": "dev", "status": "UP"}])),
        "/jobs/queue" => Some(json!([])),
        _ => None,
    })
    .await;
    let probes = upstream(&stage).await.probe("prod").await;
    let found: Vec<String> = probes
        .iter()
        .map(|probe| format!("{}: {}", probe.what, probe.found.as_ref().map_or_else(ToString::to_string, Clone::clone)))
        .collect();
    assert!(found[2].contains("prod: clusters: 1 of"), "{found:?}");
    assert!(found[3].contains("0 rows in its history, by the old route"), "{found:?}");
    assert!(probes[1].mend.contains("SKYPILOT_TOKEN__PROD") && probes[1].mend.contains("Service Accounts"));
}
