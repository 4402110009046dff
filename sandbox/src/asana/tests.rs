//! The whole server, asked in process.

use super::{Asana, crowd, router};
use crate::faults::{Fault, Faults, Rule, around};
use crate::model::asana::sample::{time, workspace};
use crate::{Clock, Organisation, Seed};
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt as _;

struct Server {
    router: axum::Router,
    door: Asana,
    clock: Clock,
    faults: Faults,
}

impl Server {
    fn new() -> Self {
        let epoch = time("2026-01-08T12:00:00Z");
        let seed = Seed { number: 1, size: 1, epoch };
        let organisation = Organisation { workspaces: vec![workspace()], ..Organisation::bare(seed) };
        let (door, clock, faults) = (Asana::with_token("good"), Clock::at(epoch), Faults::default());
        let router = router(Arc::new(organisation), clock.clone(), door.clone());
        let router = crowd(around(router, faults.clone(), "asana"), door.clone());
        Self { router, door, clock, faults }
    }

    async fn ask(&self, path: &str, token: &str) -> (StatusCode, HeaderMap, Value) {
        let request =
            Request::builder().uri(format!("/api/1.0{path}")).header("authorization", format!("Bearer {token}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap())
    }

    async fn ok(&self, path: &str) -> Value {
        let (status, _, body) = self.ask(path, "good").await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// The identifiers of a list.
    async fn gids(&self, path: &str) -> Vec<String> {
        let body = self.ok(path).await;
        body["data"].as_array().unwrap().iter().map(|item| item["gid"].as_str().unwrap().to_owned()).collect()
    }

    async fn refused(&self, path: &str) -> (u16, String) {
        let (status, _, body) = self.ask(path, "good").await;
        let help = body["errors"][0]["help"].as_str().unwrap_or_default();
        assert_eq!(help.contains("read the docs"), status != StatusCode::TOO_MANY_REQUESTS, "{body}");
        (status.as_u16(), body["errors"][0]["message"].as_str().unwrap().to_owned())
    }
}

fn no(status: u16, message: &str) -> (u16, String) {
    (status, message.to_owned())
}

#[tokio::test]
async fn whoever_is_unknown_is_not_authorized() {
    let server = Server::new();
    let (status, _, body) = server.ask("/users/me", "bad").await;
    assert_eq!((status.as_u16(), &body["errors"][0]["message"]), (401, &json!("Not Authorized")));
    assert_eq!(server.ok("/users/me").await["data"]["email"], "ann@example.org");
    server.door.revoke("good");
    assert_eq!(server.refused("/users/me").await, no(401, "Not Authorized"));
    server.door.allow("good");
    assert_eq!(server.ok("/users/me?opt_fields=name").await, json!({"data": {"gid": "11", "name": "Ann Lee"}}));
}

#[tokio::test]
async fn what_is_not_there_or_not_to_be_seen_is_refused_as_asana_does() {
    let server = Server::new();
    assert_eq!(server.refused("/projects/999").await, no(404, "project: Unknown object: 999"));
    assert_eq!(server.refused("/tasks?project=999").await, no(404, "project: Unknown object: 999"));
    // It will be made tomorrow.
    assert_eq!(server.refused("/projects/24").await, no(404, "project: Unknown object: 24"));
    assert_eq!(server.refused("/tasks/108").await, no(404, "task: Unknown object: 108"));
    assert_eq!(server.refused("/projects/bugs").await, no(400, "project: Not a recognized ID: bugs"));
    assert_eq!(server.refused("/nowhere").await, no(404, "No matching route for request"));
    assert_eq!(server.refused("/tasks").await, no(400, "workspace: Missing input"));
    let which = "Must specify exactly one of project, tag, section, user task list, or assignee + workspace";
    assert_eq!(server.refused("/tasks?workspace=1").await, no(400, which));
    assert_eq!(server.refused("/tasks?project=21&section=31").await, no(400, which));
    server.door.hide("21");
    assert_eq!(server.refused("/tasks?project=21").await, no(403, "Forbidden"));
    assert!(!server.gids("/projects?workspace=1").await.contains(&"21".to_owned()));
    server.door.show("21");
    assert_eq!(server.ok("/projects/21").await["data"]["gid"], "21");
}

#[tokio::test]
async fn projects_are_listed_by_whether_they_are_archived_completed_ones_included() {
    let server = Server::new();
    assert_eq!(server.gids("/projects?workspace=1").await, ["21", "22", "23", "25"]);
    assert_eq!(server.gids("/projects?workspace=1&archived=false").await, ["21", "22", "25"]);
    assert_eq!(server.gids("/projects?workspace=1&archived=true").await, ["23"]);
    // As Asana's own clients write it.
    assert_eq!(server.gids("/projects?workspace=1&archived=False").await, ["21", "22", "25"]);
    assert_eq!(server.refused("/projects?workspace=1&archived=no").await, no(400, "archived: Not a boolean: no"));
    let fields = "opt_fields=name,completed,current_status_update.status_type,current_status_update.created_at";
    let body = server.ok(&format!("/projects?workspace=1&archived=false&{fields}")).await;
    assert_eq!(
        body["data"][0],
        json!({"gid": "21", "name": "Project 21", "completed": false, "current_status_update":
            {"gid": "72", "status_type": "at_risk", "created_at": "2026-01-05T00:00:00.000Z"}})
    );
    assert_eq!(body["data"][1]["current_status_update"], Value::Null);
    assert_eq!(body["data"][2]["completed"], true);
    assert_eq!(body.get("next_page"), None, "no pages were asked for");
    assert_eq!(server.gids("/projects/21/sections").await, ["31", "32", "33", "34"]);
}

#[tokio::test]
async fn tasks_are_told_by_the_fields_that_are_asked_for() {
    let server = Server::new();
    let compact = server.ok("/tasks?project=21&completed_since=now").await;
    assert_eq!(
        compact["data"][0],
        json!({"gid": "111", "resource_type": "task", "name": "Task 111", "resource_subtype": "default_task"})
    );
    let fields = "created_at,completed,completed_at,memberships.project.gid,memberships.section.name,tags.name,\
                  custom_fields.enum_value.name,due_on,due_at,assignee.gid";
    let task = |gid: &str| format!("/tasks/{gid}?opt_fields={fields}");
    assert_eq!(
        server.ok(&task("101")).await["data"],
        json!({
            "gid": "101", "created_at": "2025-12-29T12:00:00.000Z", "completed": false, "completed_at": null,
            "memberships": [
                {"project": {"gid": "22"}, "section": {"gid": "35", "name": "Triage"}},
                {"project": {"gid": "21"}, "section": {"gid": "34", "name": "Icebox"}},
            ],
            "tags": [{"gid": "41", "name": "TRAINING"}], "custom_fields": [],
            "due_on": null, "due_at": null, "assignee": {"gid": "11"},
        })
    );
    let due = server.ok(&task("110")).await;
    assert_eq!(
        (&due["data"]["due_on"], &due["data"]["due_at"]),
        (&json!("2026-01-09"), &json!("2026-01-08T23:30:00.000Z"))
    );
    let chosen = server.ok(&task("111")).await;
    assert_eq!(
        chosen["data"]["custom_fields"],
        json!([{"gid": "51", "enum_value": {"gid": "61", "name": "Training"}}])
    );
    let whole = server.ok("/tasks/107").await;
    assert_eq!(
        whole["data"]["parent"],
        json!({"gid": "101", "resource_type": "task", "name": "Task 101", "resource_subtype": "default_task"})
    );
    assert_eq!(server.gids("/tasks/101/subtasks").await, ["107"]);
}

#[tokio::test]
async fn lists_hold_what_is_open_or_done_since_and_what_was_modified_since() {
    let server = Server::new();
    let of = |query: &str| format!("/tasks?project=22&{query}");
    assert_eq!(server.gids(&of("")).await, ["101", "104", "105", "109", "110", "112"]);
    assert_eq!(server.gids(&of("completed_since=now")).await, ["101", "109", "110", "112"]);
    assert_eq!(server.gids(&of("completed_since=2026-01-01T12:00:00Z")).await, ["101", "104", "109", "110", "112"]);
    assert_eq!(server.gids(&of("modified_since=2026-01-05T00:00:00Z")).await, ["101", "109", "112"]);
    assert_eq!(server.gids(&of("modified_since=2026-01-05T00:00:00.001Z")).await, ["101", "112"]);
    assert_eq!(server.gids(&of("completed_since=2026-01-08")).await, ["101", "109", "110", "112"]);
    assert_eq!(server.refused(&of("completed_since=soon")).await.0, 400);
    assert_eq!(server.gids("/tasks?workspace=1&assignee=12").await, ["102", "110"]);
    assert_eq!(server.gids("/tasks?workspace=1&assignee=me&completed_since=now").await, ["101", "111"]);
    assert_eq!(server.gids("/tasks?section=32").await, ["102", "111"]);
    // As it was before it was reopened.
    server.clock.set(time("2026-01-04T12:00:00Z"));
    assert_eq!(server.gids(&of("completed_since=now")).await, ["101", "108", "110"]);
}

#[tokio::test]
async fn pages_follow_each_other_until_there_are_no_more() {
    let server = Server::new();
    let first = server.ok("/tasks?project=22&limit=4&opt_fields=gid").await;
    assert_eq!(first["data"].as_array().unwrap().len(), 4);
    let next = &first["next_page"];
    let path = next["path"].as_str().unwrap();
    assert!(path.starts_with("/tasks?project=22&limit=4&opt_fields=gid&offset="), "{path}");
    assert_eq!(next["uri"], format!("https://app.asana.com/api/1.0{path}"));
    let second = server.ok(path).await;
    assert_eq!(second, json!({"data": [{"gid": "110"}, {"gid": "112"}], "next_page": null}));
    let offset = next["offset"].as_str().unwrap();
    let expired = no(400, "offset: Your pagination token has expired.");
    let invalid = no(400, "offset: Your pagination token is invalid.");
    assert_eq!(server.refused("/tasks?project=22&limit=4&offset=nonsense").await, invalid);
    assert_eq!(server.refused(&format!("/tasks?project=21&limit=4&offset={offset}")).await, invalid);
    server.door.expire_offsets();
    assert_eq!(server.refused(path).await, expired);
    for limit in ["0", "101", "many", "-1"] {
        assert_eq!(server.refused(&format!("/tasks?project=22&limit={limit}")).await.0, 400, "{limit}");
    }
    let first = server.ok("/projects?workspace=1&limit=1").await;
    server.clock.set(time("2026-01-08T14:00:00Z"));
    assert_eq!(server.refused(first["next_page"]["path"].as_str().unwrap()).await, expired);
}

#[tokio::test]
async fn searching_is_for_those_who_pay_and_has_no_pages() {
    let server = Server::new();
    let path = "/workspaces/1/tasks/search?sort_by=created_at&sort_ascending=true&completed=false";
    assert_eq!(server.refused(path).await, no(402, "Search is only available to premium users."));
    server.door.premium(true);
    // Whatever is in no project and what is in an archived one is found too.
    assert_eq!(server.gids(path).await, ["106", "107", "109", "110", "101", "103", "111", "112"]);
    let after = format!("{path}&created_at.after=2025-12-20T12:00:00Z");
    assert_eq!(server.gids(&after).await, ["101", "103", "111", "112"]);
    assert_eq!(server.gids(&format!("{after}&limit=2")).await, ["101", "103"]);
    assert_eq!(server.ok(&format!("{after}&limit=2")).await.get("next_page"), None);
    assert_eq!(server.gids(&format!("{path}&projects.any=21")).await, ["101", "103", "111"]);
    let done = "/workspaces/1/tasks/search?completed_at.after=2026-01-01T12:00:00Z&sort_by=completed_at";
    assert_eq!(server.gids(done).await, ["113", "102"]);
    assert_eq!(server.refused(&format!("{path}&offset=x")).await.0, 400);
}

#[tokio::test]
async fn too_many_requests_are_told_how_long_to_wait() {
    let server = Server::new();
    server.door.set_quota(2);
    server.ok("/users/me").await;
    server.ok("/users/me").await;
    let (status, headers, body) = server.ask("/users/me", "good").await;
    assert_eq!(status.as_u16(), 429);
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(body["errors"][0]["message"].as_str().unwrap().contains("hit a rate limit"));
    server.door.set_quota(1000);
    let readings: Vec<_> = (0..50).map(|_| server.door.begin("good").unwrap()).collect();
    assert_eq!(server.refused("/users/me").await.0, 429);
    drop(readings);
    server.ok("/users/me").await;
}

#[tokio::test]
async fn injected_faults_speak_as_asana_does_unless_they_have_words_of_their_own() {
    let server = Server::new();
    let own = json!({"errors": [{"message": "offset: Your pagination token has expired."}]}).to_string();
    for (fault, status, message, member) in [
        (Fault::status(500), 500, "Server Error", Some("phrase")),
        (Fault::status(403), 403, "Forbidden", Some("help")),
        (Fault::status(401), 401, "Not Authorized", Some("help")),
        (Fault::too_many(7), 429, super::TOO_MANY, None),
        (Fault::answer(400, &[], &own), 400, "offset: Your pagination token has expired.", None),
    ] {
        server.faults.inject("asana", Rule::new(fault).times(1));
        let (told, headers, body) = server.ask("/users/me", "good").await;
        let error = body["errors"][0].as_object().unwrap();
        let more: Vec<&str> = error.keys().map(String::as_str).filter(|key| *key != "message").collect();
        assert_eq!(
            (told.as_u16(), error["message"].as_str().unwrap(), more),
            (status, message, member.into_iter().collect())
        );
        assert_eq!(headers.get("retry-after").is_some(), status == 429);
    }
}
