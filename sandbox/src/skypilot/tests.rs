//! The whole server, asked in process.

use super::{SkyCredentials, Workshop, router};
use crate::model::skypilot::{Controller, Pool, Release, Server, Shape};
use crate::{Clock, Organisation, Seed, story};
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower::ServiceExt as _;

const NOW: &str = "2026-01-08T12:00:00Z";

/// One of the servers of an organisation.
struct Stage {
    router: axum::Router,
    workshop: Workshop,
    credentials: SkyCredentials,
    authorization: Option<&'static str>,
}

impl Stage {
    fn of(release: Release, controller: Controller) -> Self {
        let place = usize::from(release == Release::Old);
        Self::on(organisation(release, controller), place)
    }

    /// The new server after a change.
    fn changed(change: fn(&mut Server)) -> Self {
        let mut organisation = organisation(Release::New, Controller::Up);
        change(&mut organisation.skypilot[0]);
        Self::on(organisation, 0)
    }

    fn on(organisation: Organisation, place: usize) -> Self {
        let (workshop, credentials) = (Workshop::default(), SkyCredentials::new("sky_good", "ann", "secret"));
        let clock = Clock::at(NOW.parse().unwrap());
        let router = router(Arc::new(organisation), place, clock, credentials.clone(), workshop.clone());
        Self { router, workshop, credentials, authorization: Some("Bearer sky_good") }
    }

    fn new() -> Self {
        Self::of(Release::New, Controller::Up)
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> (StatusCode, HeaderMap, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(text) = self.authorization {
            request = request.header("authorization", text);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    /// Asks and fetches the result, whatever it is.
    async fn result(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let (status, headers, answer) = self.send("POST", path, &body.to_string()).await;
        assert_eq!((status, answer), (StatusCode::OK, Value::Null));
        let id = headers.get("x-skypilot-request-id").or(headers.get("x-request-id")).unwrap().to_str().unwrap();
        let (status, _, answer) = self.send("GET", &format!("/api/get?request_id={id}"), "").await;
        (status, answer)
    }

    /// The return value of a request that must be fine.
    async fn ask(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.result(path, body).await;
        assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("SUCCEEDED")), "{answer}");
        serde_json::from_str(answer["return_value"].as_str().unwrap()).unwrap()
    }

    async fn queue(&self, more: Value) -> Value {
        let mut body = json!({"refresh": false, "all_users": true});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ask("/jobs/queue/v2", &body).await
    }
}

fn organisation(release: Release, controller: Controller) -> Organisation {
    let mut organisation = story::grow(Seed { number: 1, size: 0, epoch: NOW.parse().unwrap() });
    let place = usize::from(release == Release::Old);
    organisation.skypilot[place].controller = controller;
    organisation
}

fn server() -> Server {
    organisation(Release::New, Controller::Up).skypilot.swap_remove(0)
}

fn jobs(queue: &Value) -> Vec<u64> {
    let mut ids: Vec<u64> =
        queue["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_u64().unwrap()).collect();
    ids.dedup();
    ids
}

#[tokio::test]
async fn a_question_is_a_request_whose_result_is_json_in_a_text() {
    let stage = Stage::new();
    let (status, answer) = stage.result("/jobs/queue/v2", &json!({"all_users": true, "page": 1, "limit": 2})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((answer["name"].as_str(), answer["error"].as_str()), (Some("sky.jobs.queue_v2"), Some("null")));
    let value: Value = serde_json::from_str(answer["return_value"].as_str().unwrap()).unwrap();
    let members: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["infra_options", "jobs", "status_counts", "total", "total_no_filter"]);
}

#[tokio::test]
async fn pages_are_of_whole_jobs_and_together_they_are_the_list() {
    let stage = Stage::new();
    let all = stage.queue(json!({})).await;
    let total = all["total"].as_u64().unwrap();
    let (mut paged, mut rows) = (Vec::new(), 0);
    for page in 1..=total.div_ceil(100) + 1 {
        let part = stage.queue(json!({"page": page, "limit": 100})).await;
        assert_eq!(part["total"], all["total"]);
        rows += part["jobs"].as_array().unwrap().len();
        paged.extend(jobs(&part));
    }
    assert_eq!(paged, jobs(&all));
    assert_eq!((paged.len() as u64, rows), (total, all["jobs"].as_array().unwrap().len()));
    assert!(
        paged.is_sorted_by(|a, b| a > b) && (rows as u64) > total,
        "the newest first, and pipelines have several rows"
    );
}

#[tokio::test]
async fn open_jobs_keep_the_rows_of_their_tasks_that_are_over() {
    let open = Stage::new().queue(json!({"skip_finished": true})).await;
    let rows = open["jobs"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["status"] == "SUCCEEDED") && rows.iter().any(|row| row["status"] == "RUNNING"));
    let counted: u64 = open["status_counts"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    assert_eq!(counted, rows.len() as u64);
    assert!(open["total_no_filter"].as_u64() > Some(counted));
}

#[tokio::test]
async fn statuses_dates_and_ids_choose_rows_and_counts_know_no_statuses() {
    let stage = Stage::new();
    let since = 1_767_873_600 - 7 * 86_400;
    let wanted = stage.queue(json!({"statuses": ["FAILED"], "submitted_after": since, "page": 1, "limit": 500})).await;
    let rows = wanted["jobs"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["status"] == "FAILED"));
    assert!(rows.iter().all(|row| row["submitted_at"].as_f64() >= Some(f64::from(since))));
    assert!(wanted["status_counts"]["SUCCEEDED"].as_u64() > Some(0));
    let all = stage.queue(json!({})).await;
    let never: BTreeSet<u64> = all["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["submitted_at"].is_null() && !row["end_at"].is_null())
        .map(|row| row["job_id"].as_u64().unwrap())
        .collect();
    assert!(!never.is_empty(), "some were never submitted");
    let window = stage.queue(json!({"submitted_after": 0})).await;
    let of_window = window["jobs"].as_array().unwrap();
    assert!(
        of_window.iter().all(|row| !row["submitted_at"].is_null() || row["end_at"].is_null()),
        "they are in no window"
    );
    let some = stage.queue(json!({"job_ids": [3, 5, 1_000_000]})).await;
    assert_eq!(jobs(&some), [5, 3]);
    let nobodys = stage.queue(json!({"all_users": false})).await;
    assert!(nobodys["jobs"].as_array().unwrap().iter().all(|row| row["user_hash"].is_null()));
}

#[tokio::test]
async fn a_record_holds_the_fields_that_were_asked_for_and_three_more() {
    let stage = Stage::new();
    let slim = stage.queue(json!({"fields": ["region", "job_duration"], "page": 1, "limit": 1})).await;
    let members: Vec<&str> = slim["jobs"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["job_duration", "job_id", "region", "status", "task_id"]);
    assert_eq!(slim["jobs"][0]["task_id"], Value::Null, "there, and not read unless it is asked for");
    let whole = stage.queue(json!({"page": 1, "limit": 1})).await;
    assert!(whole["jobs"][0].as_object().unwrap().len() > 30);
}

#[tokio::test]
async fn durations_leave_recovery_out() {
    let stage = Stage::new();
    let recovering = server()
        .jobs
        .iter()
        .flat_map(|job| job.tasks.iter().map(move |task| (job.id, task.clone())))
        .find(|(_, task)| {
            let words: Vec<&str> = task.turns.iter().map(|(_, word)| *word).collect();
            let past = task.turns.iter().all(|(time, _)| *time < NOW.parse().unwrap());
            words == ["PENDING", "STARTING", "RUNNING", "RECOVERING", "RUNNING", "SUCCEEDED"] && past && !task.forgetful
        });
    let (id, task) = recovering.unwrap();
    let length = |from: usize| task.turns[from + 1].0.duration_since(task.turns[from].0).as_secs_f64();
    let queue = stage.queue(json!({"job_ids": [id]})).await;
    let row = queue["jobs"].as_array().unwrap().iter().find(|row| row["recovery_count"] == 1).unwrap();
    assert_eq!(row["job_duration"].as_f64(), Some(length(2) + length(4)));
}

#[tokio::test]
async fn what_cannot_be_done_is_a_request_that_failed() {
    let stage = Stage::new();
    for (body, kind, message) in [
        (json!({"page": 1}), "ValueError", "Limit must be specified when page is specified"),
        (json!({"limit": 0}), "ValueError", "Limit must be at least 1, got 0"),
        (json!({"page": 0, "limit": 1}), "ValueError", "Page must be at least 1, got 0"),
    ] {
        let (status, answer) = stage.result("/jobs/queue/v2", &body).await;
        assert_eq!((status, &answer["detail"]["status"]), (StatusCode::INTERNAL_SERVER_ERROR, &json!("FAILED")));
        let error: Value = serde_json::from_str(answer["detail"]["error"].as_str().unwrap()).unwrap();
        assert_eq!((&error["type"], &error["message"]), (&json!(kind), &json!(message)));
    }
    let (_, answer) = stage.result("/jobs/queue/v2", &json!({"fields": ["colour"]})).await;
    let error: Value = serde_json::from_str(answer["detail"]["error"].as_str().unwrap()).unwrap();
    assert_eq!(error["type"], "RuntimeError");
    assert!(error["message"].as_str().unwrap().contains("Traceback"));
    for (controller, part) in [(Controller::Absent, "No in-progress"), (Controller::Unreachable, "Failed to connect")] {
        for (release, path) in [(Release::New, "/jobs/queue/v2"), (Release::Old, "/jobs/queue")] {
            let (status, answer) = Stage::of(release, controller).result(path, &json!({"all_users": true})).await;
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
            let error = answer["detail"]["error"].as_str().unwrap();
            assert!(error.contains("ClusterNotUpError") && error.contains(part), "{error}");
        }
    }
}

#[tokio::test]
async fn a_group_says_which_tasks_it_waits_for_and_a_job_on_a_pool_shows_the_whole_worker() {
    let open = Stage::new().queue(json!({"skip_finished": true})).await;
    let rows = open["jobs"].as_array().unwrap();
    let group = |row: &&Value| row["execution"] == "parallel";
    assert!(
        rows.iter().filter(group).count() > 1
            && rows.iter().all(|row| row["is_primary_in_job_group"].is_boolean() == group(&row))
    );
    let shared = Stage::changed(|server| {
        for job in &mut server.jobs {
            job.pool = Some(Pool { name: "trainers", accelerators: ("H100", 8.0), spot: true });
            for task in &mut job.tasks {
                (task.accelerators, task.shape, task.spot) = (Some(("H100", 1.0)), Shape::Object, true);
                (task.nodes, task.either) = (Some(1), false);
            }
        }
    });
    let open = shared.queue(json!({"skip_finished": true})).await;
    let running: Vec<&Value> =
        open["jobs"].as_array().unwrap().iter().filter(|row| row["status"] == "RUNNING").collect();
    assert!(!running.is_empty());
    for row in running {
        assert_eq!((&row["pool"], &row["resources"]), (&json!("trainers"), &json!("1x[H100:1]")));
        assert_eq!(row["accelerators"], json!({"H100": 8}));
        assert_eq!(row["cluster_resources"], "1x[spot](gpus=H100:8, p4d.24xlarge, ...)");
    }
}

#[tokio::test]
async fn a_controller_that_answers_over_grpc_leaves_accelerators_empty_where_it_has_none() {
    let remote = Stage::changed(|server| server.remote = true);
    let rows = remote.queue(json!({"skip_finished": true})).await;
    let rows = rows["jobs"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["accelerators"].is_object()));
    assert!(rows.iter().any(|row| row["status"] == "RUNNING" && row["accelerators"] == json!({})));
    let (_, answer) = remote.result("/jobs/queue/v2", &json!({"fields": ["colour"]})).await;
    let error: Value = serde_json::from_str(answer["detail"]["error"].as_str().unwrap()).unwrap();
    assert_eq!((&error["type"], &error["message"]), (&json!("SkyletInternalError"), &json!("Unknown field: colour")));
}

#[tokio::test]
async fn a_server_from_before_job_groups_refuses_their_fields_and_its_pages_are_of_rows() {
    let middle = Stage::changed(|server| server.release = Release::Middle);
    let (status, answer) = middle.result("/jobs/queue/v2", &json!({"fields": ["is_primary_in_job_group"]})).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer["detail"]["error"].as_str().unwrap().contains("Unknown field: is_primary_in_job_group"));
    let all = middle.queue(json!({"fields": ["pool"]})).await;
    let rows = all["jobs"].as_array().unwrap().len();
    let page = middle.queue(json!({"page": 2, "limit": 10})).await;
    assert_eq!((page["total"].as_u64(), page["jobs"].as_array().unwrap().len()), (Some(rows as u64), 10));
    assert_eq!(page["jobs"][0]["job_id"], all["jobs"][10]["job_id"]);
}

#[tokio::test]
async fn what_was_cancelled_while_it_was_pending_has_no_times_and_is_in_no_window() {
    let stage = Stage::new();
    let never = |queue: &Value| {
        let rows = queue["jobs"].as_array().unwrap().iter();
        rows.filter(|row| row["status"] == "CANCELLED" && row["submitted_at"].is_null() && row["end_at"].is_null())
            .count()
    };
    assert!(never(&stage.queue(json!({})).await) > 0);
    assert_eq!(never(&stage.queue(json!({"submitted_after": 0})).await), 0);
}

#[tokio::test]
async fn an_old_server_has_one_route_with_a_list() {
    let stage = Stage::of(Release::Old, Controller::Up);
    let (status, _, answer) = stage.send("POST", "/jobs/queue/v2", "{}").await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({"detail": "Not Found"})));
    let (_, headers, _) = stage.send("POST", "/jobs/queue", "{}").await;
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("x-skypilot-request-id"));
    let all = stage.ask("/jobs/queue", &json!({"all_users": true})).await;
    let open = stage.ask("/jobs/queue", &json!({"all_users": true, "skip_finished": true})).await;
    assert!(all.as_array().unwrap().len() > open.as_array().unwrap().len());
}

#[tokio::test]
async fn clusters_are_as_they_stand_and_those_of_managed_jobs_are_left_out() {
    let stage = Stage::new();
    let clusters = stage.ask("/status", &json!({"refresh": "NONE", "all_users": true})).await;
    let clusters = clusters.as_array().unwrap();
    assert!(clusters.len() > 2 && clusters.iter().all(|cluster| cluster["is_managed"] == false));
    let words: BTreeSet<&str> = clusters.iter().map(|cluster| cluster["status"].as_str().unwrap()).collect();
    assert!(
        words.contains("UP") && words.iter().all(|state| ["INIT", "UP", "STOPPED", "AUTOSTOPPING"].contains(state))
    );
}

#[tokio::test]
async fn who_is_not_known_is_refused_in_the_words_of_the_server() {
    let with = |text: Option<&'static str>| Stage { authorization: text, ..Stage::new() };
    for (authorization, body) in [
        (None, json!("Authentication required")),
        (Some("Bearer of-another-make"), json!("Invalid authentication method")),
        (Some("Bearer sky_bad"), json!({"detail": "Invalid or expired service account token"})),
        (Some("Basic bm90aGluZw=="), json!("Invalid basic auth")),
        (Some("Basic YW5uOndyb25n"), json!("Invalid credentials")),
    ] {
        let (status, headers, answer) = with(authorization).send("POST", "/status", "{}").await;
        assert_eq!((status, &answer), (StatusCode::UNAUTHORIZED, &body), "{authorization:?}");
        assert_eq!(headers.contains_key("www-authenticate"), body.is_string());
        assert_eq!(headers["cache-control"], "no-store");
    }
    assert_eq!(with(Some("Basic YW5uOnNlY3JldA==")).send("POST", "/status", "{}").await.0, StatusCode::OK);
    let revoked = Stage::new();
    revoked.credentials.revoke("sky_good");
    let (_, _, answer) = revoked.send("POST", "/status", "{}").await;
    assert_eq!(answer, json!({"detail": "Service account token revoked or rotated"}));
}

#[tokio::test]
async fn the_health_is_for_everybody_and_says_who_asks_where_that_is_known() {
    let known = Stage::new().send("GET", "/api/health", "").await.2;
    assert_eq!((&known["status"], &known["api_version"]), (&json!("healthy"), &json!("62")));
    assert_eq!((&known["user"]["name"], &known["user"]["user_type"]), (&json!("vitals"), &Value::Null));
    for stranger in [None, Some("Basic YW5uOndyb25n"), Some("Bearer of-another-make")] {
        let (status, _, answer) =
            Stage { authorization: stranger, ..Stage::new() }.send("GET", "/api/health", "").await;
        let told = (status, &answer["version"], &answer["user"]);
        assert_eq!(told, (StatusCode::OK, &json!("0.14.1"), &Value::Null), "{stranger:?}");
    }
    let refused = Stage { authorization: Some("Bearer sky_bad"), ..Stage::new() }.send("GET", "/api/health", "").await;
    assert_eq!(refused.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_request_takes_its_time_and_is_found_by_its_id() {
    let stage = Stage::new();
    stage.workshop.takes(Duration::from_millis(150));
    let started = Instant::now();
    let (_, headers, _) = stage.send("POST", "/status", "{}").await;
    assert!(started.elapsed() < Duration::from_millis(100), "the POST does not wait");
    let id = headers["x-skypilot-request-id"].to_str().unwrap();
    let (status, _, answer) = stage.send("GET", &format!("/api/get?request_id={id}"), "").await;
    assert_eq!((status, answer["request_id"].as_str()), (StatusCode::OK, Some(id)));
    assert!(started.elapsed() >= Duration::from_millis(150));
    let (status, _, answer) = stage.send("GET", "/api/get?request_id=nothing", "").await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({"detail": "Request 'nothing' not found"})));
    let (status, _, _) = stage.send("GET", "/api/get", "").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn routes_methods_and_bodies_that_are_not_known_are_refused() {
    let stage = Stage::new();
    for (method, path, body, status) in [
        ("GET", "/jobs/nothing", "", StatusCode::NOT_FOUND),
        ("GET", "/status", "", StatusCode::METHOD_NOT_ALLOWED),
        ("POST", "/status", "", StatusCode::UNPROCESSABLE_ENTITY),
        ("POST", "/jobs/queue/v2", "{", StatusCode::UNPROCESSABLE_ENTITY),
        ("POST", "/jobs/queue/v2", "{\"page\": \"one\"}", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(stage.send(method, path, body).await.0, status, "{method} {path} {body}");
    }
    let (status, _, _) = stage.send("POST", "/jobs/queue/v2", "{\"colour\": \"red\"}").await;
    assert_eq!(status, StatusCode::OK, "what is not known in a body is ignored");
}
