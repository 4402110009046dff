//! Whole fetches against fakes.

use super::fake::{ASLEEP, Stage, UNREACHABLE};
use super::*;
use crate::snapshot::{Seen, Snapshot};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::testing::at;
use shared::{Digester, Env, Event, GRID};
use std::sync::{Arc, Mutex};

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

/// A row of a job that was never submitted.
fn unsubmitted(id: u64, status: &str, ended: Option<f64>) -> Value {
    json!({"job_id": id, "task_id": 0, "status": status, "submitted_at": null, "end_at": ended})
}

/// The open jobs.
fn live(queue: &Queue) -> Vec<u64> {
    queue.live.iter().flatten().map(|job| job.id).collect()
}

/// The jobs that are over.
fn ended(queue: &Queue) -> Vec<u64> {
    queue.ended().into_iter().flatten().map(|job| job.id).collect()
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
async fn a_whole_fetch_asks_for_open_jobs_those_that_are_over_and_the_counts() {
    const DAY: f64 = 86_400.0;
    let stage = Stage::routed(|_, path, body| {
        Some(match (path, about(body)) {
            ("/status", _) => json!([{"name": "dev", "status": "UP"}]),
            (_, "open") => queue(&[row(9, "RUNNING", SECONDS - 50.0, None)]),
            (_, "over") => queue(&[
                row(9, "SUCCEEDED", SECONDS - 60.0, Some(SECONDS - 10.0)),
                unsubmitted(8, "FAILED_CONTROLLER", Some(SECONDS - 30.0)),
                unsubmitted(7, "CANCELLED", None),
                row(6, "FAILED", SECONDS - 90.0, Some(SECONDS - 20.0)),
                row(5, "FAILED", SECONDS - 10.0 * DAY, Some(SECONDS - 8.0 * DAY)),
                row(4, "FAILED", SECONDS - 90.0, None),
                row(3, "FAILED", SECONDS - 22.0 * DAY, Some(SECONDS - 20.0)),
            ]),
            _ => queue(&[]),
        })
    })
    .await;
    let cx = context(at(NOW));
    let snapshot = sky(&stage).await.fetch(&cx, "prod", Last::None).await.unwrap();
    assert_eq!((gaps(&cx), snapshot.queue.asleep), (vec![], false));
    assert_eq!((snapshot.clusters, snapshot.queue.history().unwrap()["SUCCEEDED"]), (Some(1), 3));
    assert_eq!(live(&snapshot.queue), [9]);
    // Neither a pipeline that goes on, nor an old end, nor one that nobody saw, nor what was submitted too long ago.
    assert_eq!(ended(&snapshot.queue), [6, 8]);
    assert_eq!((snapshot.queue.seen.newest, snapshot.queue.seen.open), (Some(9), [(9, at(NOW))].into()));
    let asked = stage.asked("/jobs/queue/v2");
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
                row(11, "PENDING", SECONDS + 850.0, None),
                row(10, "SUCCEEDED", SECONDS + 60.0, Some(SECONDS + 100.0)),
                row(8, "RUNNING", SECONDS - 60.0, None),
                row(7, "CANCELLED", SECONDS - 60.0, Some(SECONDS + 10.0)),
                row(3, "FAILED", SECONDS - 30.0 * 86_400.0, Some(SECONDS + 10.0)),
            ]),
            _ => queue(&[row(11, "PENDING", SECONDS + 850.0, None)]),
        })
    })
    .await;
    let sky = sky(&stage).await;
    let job = |id, status: &str, ended| {
        let record = serde_json::from_value(row(id, status, SECONDS - 60.0, ended)).unwrap();
        records::jobs(vec![record], &Digester::default()).into_values().next().unwrap()
    };
    let before = vec![job(5, "FAILED", Some(SECONDS - 30.0)), job(2, "FAILED", Some(SECONDS - 604_800.0))];
    let queue = Queue {
        ended: Some(Kept::read(at(NOW), before)),
        seen: Seen { newest: Some(9), open: [3, 7, 8, 9].map(|id| (id, at(NOW))).into(), ended: vec![] },
        ..Queue::default()
    };
    let cx = context(at(NOW) + GRID);
    let snapshot = sky.fetch(&cx, "prod", Last::Base(Snapshot { queue, ..sky.unknown("prod") })).await.unwrap();
    assert_eq!(ended(&snapshot.queue), [5, 7, 10], "an end before the week, and a job submitted too long ago, are not");
    assert_eq!(live(&snapshot.queue), [8, 9, 11], "what the server takes back is open");
    assert_eq!(snapshot.queue.seen.open.into_keys().collect::<Vec<_>>(), [8, 9, 11]);
    assert!(!cx.findings().asked_all);
    let asked = stage.asked("/jobs/queue/v2");
    let gone: Vec<&Value> = asked.iter().filter(|body| about(body) == "gone").collect();
    assert_eq!((gone.len(), &gone[0]["job_ids"], asked.len()), (1, &json!([3, 7, 8, 10, 11]), 3));
}

/// Open jobs and jobs that are over, or why requests fail.
type Told = std::result::Result<[Vec<Value>; 2], &'static str>;

/// A server whose queue a test changes between two fetches.
struct Scene {
    stage: Stage,
    sky: SkyPilot,
    rows: Arc<Mutex<Told>>,
}

impl Scene {
    async fn new(open: Vec<Value>, over: Vec<Value>) -> Self {
        let rows = Arc::new(Mutex::new(Ok([open, over])));
        let told = Arc::clone(&rows);
        let stage = Stage::routed(move |_, path, body| {
            let [open, over] = match told.lock().unwrap().clone() {
                _ if path == "/status" => return Some(json!([])),
                Err(why) => return Some(json!(why)),
                Ok(rows) => rows,
            };
            let all = || open.iter().chain(&over);
            let wanted = |row: &&Value| body["job_ids"].as_array().unwrap().contains(&row["job_id"]);
            let newest = || all().max_by_key(|row| row["job_id"].as_u64());
            Some(queue(&match about(body) {
                "open" => open.clone(),
                "over" => over.clone(),
                "gone" => all().filter(wanted).cloned().collect::<Vec<_>>(),
                _ => newest().cloned().into_iter().collect(),
            }))
        })
        .await;
        Self { sky: sky(&stage).await, stage, rows }
    }

    fn change(&self, open: Vec<Value>, over: Vec<Value>) {
        *self.rows.lock().unwrap() = Ok([open, over]);
    }

    fn fails(&self, why: &'static str) {
        *self.rows.lock().unwrap() = Err(why);
    }

    /// A fetch this many runs after the first, with its context.
    async fn fetch(&self, run: i32, last: Last<Snapshot>) -> (Context, Snapshot) {
        let cx = context(time(run));
        let snapshot = self.sky.fetch(&cx, "prod", last).await.unwrap();
        (cx, snapshot)
    }
}

/// The time of the run after so many others.
fn time(run: i32) -> Timestamp {
    at(NOW) + GRID * run
}

/// One live job, and one that is over.
async fn quiet() -> Scene {
    let over = row(6, "FAILED", SECONDS - 90.0, Some(SECONDS - 20.0));
    Scene::new(vec![row(7, "RUNNING", SECONDS - 50.0, None)], vec![over]).await
}

#[tokio::test]
async fn what_was_cancelled_while_it_was_pending_ended_when_that_was_noticed() {
    let cancelled = |id| unsubmitted(id, "CANCELLED", None);
    let scene = Scene::new(vec![unsubmitted(7, "PENDING", None)], vec![cancelled(5)]).await;
    let (_, first) = scene.fetch(0, Last::None).await;
    assert_eq!((live(&first.queue), ended(&first.queue)), (vec![7], vec![]), "nobody knows when the other ended");
    // The second came and went between the two fetches.
    scene.change(vec![], vec![cancelled(8), cancelled(7), cancelled(5)]);
    for whole in [false, true] {
        let last = if whole { Last::Memory(first.lasting()) } else { Last::Base(first.clone()) };
        let (_, second) = scene.fetch(1, last).await;
        assert_eq!(ended(&second.queue), [7, 8], "{whole}");
        assert!(second.queue.ended().unwrap().iter().all(|job| job.end_at == Some(time(1))), "{whole}");
        // It stays so, through a fetch of everything, until the server says better or the week is over.
        let (_, third) = scene.fetch(2, Last::Memory(second.lasting())).await;
        assert_eq!(third.queue.seen.ended, second.queue.seen.ended);
    }
    let (_, second) = scene.fetch(1, Last::Base(first)).await;
    scene.change(vec![unsubmitted(8, "PENDING", None)], vec![unsubmitted(7, "CANCELLED", Some(SECONDS + 1.0))]);
    let (_, third) = scene.fetch(2, Last::Memory(second.lasting())).await;
    assert_eq!((live(&third.queue), ended(&third.queue), third.queue.seen.ended), (vec![8], vec![7], vec![]));
    let (_, later) = scene.fetch(1 + 7 * 96 + 1, Last::Memory(second.lasting())).await;
    assert_eq!(later.queue.seen.ended, vec![]);
}

#[tokio::test]
async fn when_a_job_was_first_seen_outlives_a_fetch_of_everything_and_a_queue_that_cannot_be_read() {
    let scene = Scene::new(vec![unsubmitted(7, "PENDING", None)], vec![]).await;
    let (_, first) = scene.fetch(0, Last::None).await;
    let seen = |snapshot: &Snapshot| snapshot.queue.seen.open[&7];
    assert_eq!(seen(&scene.fetch(1, Last::Base(first.clone())).await.1), time(0));
    assert_eq!(seen(&scene.fetch(96, Last::Memory(first.lasting())).await.1), time(0));
    scene.fails(UNREACHABLE);
    let (cx, blind) = scene.fetch(1, Last::Base(first.clone())).await;
    assert_eq!((gaps(&cx).len(), blind.queue.live.is_none(), blind.queue.ended().is_none()), (5, true, true));
    scene.change(vec![unsubmitted(7, "PENDING", None)], vec![]);
    let (cx, third) = scene.fetch(2, Last::Base(blind)).await;
    assert_eq!((seen(&third), cx.findings().asked_all), (time(0), true));
    let other = Snapshot { source: "another".to_owned(), ..first };
    assert_eq!(seen(&scene.fetch(1, Last::Memory(other)).await.1), time(1), "another server has another job 7");
}

#[tokio::test]
async fn what_a_controller_said_before_it_went_to_sleep_is_still_true() {
    let scene = quiet().await;
    let (_, mut last) = scene.fetch(0, Last::None).await;
    // While it goes down it cannot be reached.
    scene.fails(UNREACHABLE);
    last = scene.fetch(1, Last::Base(last)).await.1;
    assert!(last.queue.history().is_none() && last.queue.ended().is_none());
    scene.fails(ASLEEP);
    for run in [2, 3, 4] {
        // The last is the daily fetch of everything.
        let given = if run == 4 { Last::Memory(last.lasting()) } else { Last::Base(last) };
        let (cx, snapshot) = scene.fetch(run, given).await;
        assert_eq!((gaps(&cx), cx.findings().oldest), (vec![], Some(at(NOW))), "{run}");
        assert_eq!((live(&snapshot.queue), ended(&snapshot.queue)), (vec![], vec![6]), "{run}");
        assert_eq!((snapshot.queue.asleep, snapshot.queue.history().unwrap()["SUCCEEDED"]), (true, 3), "{run}");
        last = snapshot;
    }
    // What ended before it fell asleep was never read, and one that was cancelled then is noticed now.
    let over = vec![unsubmitted(8, "CANCELLED", None), row(7, "FAILED", SECONDS, Some(SECONDS + 400.0))];
    scene.change(vec![], over);
    let (cx, awake) = scene.fetch(5, Last::Base(last)).await;
    assert_eq!((ended(&awake.queue), cx.findings().oldest, cx.findings().asked_all), (vec![7, 8], None, true));
}

#[tokio::test]
async fn an_answer_of_the_run_before_is_as_good_as_new_while_the_controller_sleeps() {
    let scene = quiet().await;
    let (_, last) = scene.fetch(0, Last::None).await;
    scene.fails(ASLEEP);
    assert_eq!(scene.fetch(1, Last::Base(last)).await.0.findings().oldest, None);
}

#[tokio::test]
async fn what_was_never_read_of_this_server_is_a_gap_while_its_controller_sleeps() {
    let scene = quiet().await;
    let (_, last) = scene.fetch(0, Last::None).await;
    scene.fails(ASLEEP);
    let other = Snapshot { source: "another".to_owned(), ..last };
    for last in [Last::None, Last::Base(scene.sky.unknown("prod")), Last::Memory(other)] {
        let (cx, snapshot) = scene.fetch(1, last).await;
        assert_eq!((gaps(&cx), live(&snapshot.queue)), (vec!["ended", "history"], vec![]));
        assert_eq!((snapshot.queue.history, snapshot.queue.ended, cx.findings().oldest), (None, None, None));
    }
}

#[tokio::test]
async fn a_last_fetch_that_lacks_something_is_not_continued() {
    let scene = quiet().await;
    let (_, last) = scene.fetch(0, Last::None).await;
    let with = |change: fn(&mut Queue)| {
        let mut last = last.clone();
        change(&mut last.queue);
        last
    };
    for (last, all) in [
        (last.clone(), false),
        (with(|queue| *queue = queue.clone().unread()), true),
        (with(|queue| queue.ended = None), true),
        (with(|queue| queue.asleep = true), true),
        (with(|queue| queue.seen.newest = Some(0)), false),
    ] {
        let before = scene.stage.asked("/jobs/queue/v2").len();
        let (cx, _) = scene.fetch(1, Last::Base(last)).await;
        let asked = &scene.stage.asked("/jobs/queue/v2")[before..];
        let whole = asked.iter().any(|body| about(body) == "over");
        assert_eq!((whole, cx.findings().asked_all), (all, all));
    }
    scene.change(vec![row(20_000, "RUNNING", SECONDS, None)], vec![]);
    assert!(
        scene.fetch(1, Last::Base(last)).await.0.findings().asked_all,
        "thousands of new jobs are read page by page"
    );
}

#[tokio::test]
async fn that_a_field_is_refused_is_remembered_until_everything_is_asked() {
    let stage = Stage::routed(|_, path, body| {
        let knows = |body: &Value| !body["fields"].to_string().contains("is_primary_in_job_group");
        Some(match path {
            "/status" => json!([]),
            _ if knows(body) => queue(&[]),
            _ => json!(super::fake::UNKNOWN_FIELD),
        })
    })
    .await;
    let mut last = Last::None;
    for (run, refused) in [(0, 1), (1, 0), (2, 0), (96, 1)] {
        // A new process each time.
        let (cx, before) = (context(time(run)), stage.fake.seen().len());
        let snapshot = sky(&stage).await.fetch(&cx, "prod", last).await.unwrap();
        assert_eq!((gaps(&cx), snapshot.queue.is_plain), (vec![], true), "{run}");
        let calls = if run == 1 || run == 2 { 6 } else { 8 };
        assert_eq!(stage.fake.seen().len() - before, calls + 2 * refused, "{run}");
        last = if run == 2 { Last::Memory(snapshot.lasting()) } else { Last::Base(snapshot) };
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
    assert_eq!((live(&snapshot.queue), ended(&snapshot.queue)), (vec![1, 4], vec![2]));
    assert_eq!(snapshot.queue.history().unwrap()["SUCCEEDED"], 2);
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
    assert_eq!((snapshot.queue.history, gaps(&cx)), (None, vec!["history"]));
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
