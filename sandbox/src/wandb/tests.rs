//! The API as clients see it: paging, orders, filters, refusals and shapes.

use super::{Dots, Mood, WandbKeys, WandbMood, router};
use crate::model::wandb::{Fact, Machine, Project, Run};
use crate::model::{Organisation, Person, Seed};
use crate::{Clock, WANDB_KEY};
use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::ServiceExt;

fn now() -> Timestamp {
    "2026-01-08T12:00:00Z".parse().unwrap()
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

fn run(name: &str, created: i64, beat: Option<i64>, state: &'static str, accuracy: Option<Fact>) -> Run {
    Run {
        name: name.to_owned(),
        display_name: (name != "bare").then(|| format!("try {name}")),
        sweep: (name == "b").then(|| "sw1".to_owned()),
        user: 0,
        created_at: ago(created),
        states: vec![(ago(created), "running"), (ago(beat.unwrap_or(created)), state)],
        beats: beat.map(|beat| (ago(created), ago(beat))).into_iter().collect(),
        summary: accuracy.map(|fact| ("accuracy".to_owned(), fact)).into_iter().collect(),
        wrapped: name == "c",
        machines: Some(vec![Machine { label: None, cards: vec![(0, Some(50.0)), (1, None)], used: Some(vec![1]) }]),
        watched_from: ago(created),
        bare_keys: name == "d",
        nodes: Some(2),
    }
}

fn project(entity: &str, name: &str, visible: bool, public: bool, runs: Vec<Run>) -> Project {
    Project { entity: entity.to_owned(), name: name.to_owned(), created_at: ago(90_000), visible, public, runs }
}

fn organisation() -> Organisation {
    let number = |value: f64| Some(Fact::Number(value));
    let runs = vec![
        run("a", 600, Some(500), "finished", number(0.5)),
        run("b", 590, Some(10), "finished", number(0.9)),
        run("c", 580, Some(400), "crashed", Some(Fact::Word("NaN"))),
        run("d", 570, Some(0), "running", None),
        run("bare", 560, None, "pending", None),
        run("e", 550, Some(300), "finished", Some(Fact::Nested(vec![("max".to_owned(), Fact::Number(1.0))]))),
        run("future", -5, Some(-10), "finished", None),
    ];
    Organisation {
        people: vec![Person {
            login: "ann".to_owned(),
            name: "Ann Example".to_owned(),
            emails: vec![],
            bot: false,
            linked: true,
        }],
        projects: vec![
            project("acme", "arena", true, false, runs),
            project("acme", "open", true, true, Vec::new()),
            project("rival", "secret", false, false, Vec::new()),
        ],
        ..Organisation::bare(Seed { number: 1, size: 0, epoch: now() })
    }
}

struct Api {
    router: axum::Router,
    keys: WandbKeys,
    mood: WandbMood,
    key: Option<String>,
}

/// A server that takes everything.
const MILD: Mood = Mood { largest_page: None, dots: Dots::Flat, heartbeat_filter: None, patience: None };

impl Api {
    fn new() -> Self {
        let keys = WandbKeys::with_key(WANDB_KEY);
        let mood = WandbMood::new(MILD);
        let router = router(Arc::new(organisation()), Clock::at(now()), keys.clone(), mood.clone());
        Self { router, keys, mood, key: Some(WANDB_KEY.to_owned()) }
    }

    async fn send(&self, body: &Value) -> (StatusCode, HeaderMap, Value) {
        let (status, headers, text) = self.send_text(body).await;
        (status, headers, serde_json::from_slice(&text).unwrap())
    }

    async fn send_text(&self, body: &Value) -> (StatusCode, HeaderMap, Vec<u8>) {
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(format!("api:{key}"))));
        }
        let answer = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        (parts.status, parts.headers, bytes.to_vec())
    }

    async fn ask(&self, query: &str) -> Value {
        self.send(&json!({ "query": query })).await.2
    }

    async fn names(&self, arguments: &str) -> Vec<String> {
        let query = format!(
            "{{ project(name: \"arena\", entityName: \"acme\") {{ runs({arguments}) {{ edges {{ node {{ name }} }} }} }} }}"
        );
        let answer = self.ask(&query).await;
        let edges = answer["data"]["project"]["runs"]["edges"].as_array();
        edges
            .unwrap_or_else(|| panic!("{answer}"))
            .iter()
            .map(|edge| edge["node"]["name"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn filtered(&self, filters: Value) -> Vec<String> {
        self.names(&format!("order: \"+created_at\", filters: {}", json!(filters.to_string()))).await
    }
}

#[tokio::test]
async fn runs_come_in_the_order_asked_for_and_what_has_no_value_comes_last_when_it_descends() {
    let api = Api::new();
    for (order, names) in [
        ("-heartbeat_at", "d b e c a bare"),
        ("+heartbeat_at", "bare a c e b d"),
        ("heartbeatAt", "bare a c e b d"),
        ("+created_at", "a b c d bare e"),
        ("-created_at", "e bare d c b a"),
        ("-summary_metrics.accuracy", "e c b a bare d"),
        ("+display_name", "bare a b c d e"),
        ("", "e bare d c b a"),
    ] {
        assert_eq!(api.names(&format!("order: \"{order}\"")).await.join(" "), names, "{order}");
    }
    let answer =
        api.ask("{ project(name: \"arena\", entityName: \"acme\") { runs(order: \"-colour\") { totalCount } } }").await;
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("colour"), "{answer}");
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor_without_a_gap_or_a_double() {
    let api = Api::new();
    let query = "query($after: String) { project(name: \"arena\", entityName: \"acme\") { runCount \
        runs(order: \"-heartbeat_at\", first: 4, after: $after) { edges { cursor node { name } } \
        pageInfo { endCursor hasNextPage startCursor hasPreviousPage } totalCount } } }";
    let (mut after, mut seen, mut pages) = (Value::Null, Vec::new(), 0);
    loop {
        let (_, _, answer) = api.send(&json!({ "query": query, "variables": { "after": after } })).await;
        let runs = &answer["data"]["project"]["runs"];
        let edges = runs["edges"].as_array().unwrap();
        seen.extend(edges.iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()));
        pages += 1;
        assert_eq!(runs["pageInfo"]["endCursor"], edges.last().unwrap()["cursor"]);
        assert_eq!((&runs["totalCount"], &answer["data"]["project"]["runCount"]), (&json!(6), &json!(6)));
        if runs["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        after = runs["pageInfo"]["endCursor"].clone();
    }
    assert_eq!((seen.join(" "), pages), ("d b e c a bare".to_owned(), 2));
    let (_, _, answer) = api.send(&json!({ "query": query, "variables": { "after": "???" } })).await;
    assert_eq!(answer["errors"][0]["message"], "invalid cursor");
    assert_eq!(answer["data"]["project"]["runs"], Value::Null);
}

#[tokio::test]
async fn filters_speak_the_language_of_mongodb() {
    let api = Api::new();
    for (filters, names) in [
        (json!({}), "a b c d bare e"),
        (json!({"state": "finished"}), "a b e"),
        (json!({"state": {"$in": ["running", "pending"]}}), "d bare"),
        (json!({"state": {"$ne": "finished"}}), "c d bare"),
        (json!({"state": {"$nin": ["finished", "crashed"]}}), "d bare"),
        (json!({"name": {"$in": ["a", "e", "zzz"]}}), "a e"),
        (json!({"display_name": {"$regex": "^try a"}}), "a"),
        (json!({"displayName": "bare"}), "bare"),
        (json!({"$or": [{"name": "a"}, {"$and": [{"state": "finished"}, {"name": "b"}]}]}), "a b"),
        (json!({"$nor": [{"state": "finished"}]}), "c d bare"),
        (json!({"heartbeat_at": {"$gte": "2026-01-08T11:50:00Z"}}), "b d"),
        (json!({"heartbeat_at": {"$gt": "2026-01-08T11:50:00"}}), "d"),
        (json!({"created_at": {"$lt": "2026-01-08T02:15:00Z", "$gte": "2026-01-08T02:10:00Z"}}), "b"),
        (json!({"createdAt": {"$lte": "2026-01-07"}}), ""),
        (json!({"heartbeat_at": {"$exists": false}}), "bare"),
        (json!({"summary_metrics.accuracy": {"$exists": true}}), "a b c e"),
        (json!({"summary_metrics.accuracy": {"$gt": 0.5}}), "b"),
        (json!({"summary_metrics.accuracy": {"$gte": 0.5}}), "a b"),
        (json!({"config.num_nodes.value": 2, "name": "a"}), "a"),
        (json!({"config.num_nodes": 2, "name": "a"}), "a"),
        (json!({"config.num_nodes": {"$lt": 3}, "name": "b"}), "b"),
        (json!({"config.num_nodes": {"$lt": 2}}), ""),
        (json!({"config.trainer.num_nodes": 2, "name": "a"}), "a"),
        (json!({"config.trainer.value.num_nodes": 2, "name": "a"}), "a"),
        (json!({"sweep": "sw1"}), "b"),
    ] {
        assert_eq!(api.filtered(filters.clone()).await.join(" "), names, "{filters}");
    }
    let query = "query($filters: JSONString) { project(name: \"arena\", entityName: \"acme\") { \
        all: runCount running: runCount(filters: $filters) } }";
    let variables = json!({ "filters": "{\"state\":\"running\"}" });
    let (_, _, answer) = api.send(&json!({ "query": query, "variables": variables })).await;
    assert_eq!(answer, json!({ "data": { "project": { "all": 6, "running": 1 } } }));
}

#[tokio::test]
async fn servers_differ_in_dots_in_pages_in_filters_by_heartbeat_and_in_patience() {
    let api = Api::new();
    let deep = json!({"summary_metrics.accuracy.max": 1.0});
    assert_eq!(api.filtered(deep.clone()).await.join(" "), "", "the dot is a letter of the key");
    api.mood.set(Mood { dots: Dots::Nested, ..MILD });
    assert_eq!(api.filtered(deep).await.join(" "), "e");
    let status = async |mood: Mood, arguments: &str, fields: &str| {
        api.mood.set(mood);
        let query = format!(
            "{{ project(name: \"arena\", entityName: \"acme\") {{ runs({arguments}) {{ edges {{ node {{ {fields} }} }} }} }} }}"
        );
        api.send_text(&json!({ "query": query })).await.0
    };
    let small = Mood { largest_page: Some(200), ..MILD };
    assert_eq!(status(small, "first: 200", "name").await, StatusCode::OK);
    assert_eq!(status(small, "first: 201", "name").await, StatusCode::BAD_REQUEST);
    assert_eq!(status(MILD, "first: 5000", "name").await, StatusCode::OK, "cut down without a word");
    let filter = "filters: \"{\\\"heartbeat_at\\\": {\\\"$gte\\\": \\\"2026-01-01\\\"}}\"";
    assert_eq!(status(MILD, filter, "name").await, StatusCode::OK);
    for refusal in [StatusCode::BAD_REQUEST, StatusCode::INTERNAL_SERVER_ERROR] {
        let mood = Mood { heartbeat_filter: Some(refusal), ..MILD };
        assert_eq!(status(mood, filter, "name").await, refusal);
        assert_eq!(status(mood, "order: \"-heartbeat_at\"", "name").await, StatusCode::OK, "an order is no filter");
    }
    let busy = Mood { patience: Some(6), ..MILD };
    assert_eq!(status(busy, "first: 6", "name").await, StatusCode::OK);
    assert_eq!(status(busy, "first: 2", "name summaryMetrics").await, StatusCode::BAD_GATEWAY);
    assert_eq!(status(busy, "first: 6", "name summaryMetrics").await, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(status(busy, "first: 1", "name summaryMetrics").await, StatusCode::OK);
}

#[tokio::test]
async fn a_history_is_sampled_by_specs_and_holds_the_steps_that_have_every_key() {
    let query = "query($specs: [JSONString!]!) { project(name: \"arena\", entityName: \"acme\") { \
        run(name: \"a\") { sampledHistory(specs: $specs) history historyLineCount } } }";
    let specs = json!([r#"{"keys": ["accuracy"], "samples": 9}"#, r#"{"keys": ["accuracy", "loss"], "samples": 9}"#]);
    let answer = Api::new().send(&json!({ "query": query, "variables": { "specs": specs } })).await.2;
    let run = &answer["data"]["project"]["run"];
    assert_eq!(run["sampledHistory"], json!([[{ "accuracy": 0.5 }], []]), "a list for each spec");
    assert_eq!((&run["history"], &run["historyLineCount"]), (&json!(["{\"accuracy\":0.5}"]), &json!(1)));
}

#[tokio::test]
async fn metrics_are_json_in_strings_and_python_writes_it() {
    let api = Api::new();
    let query = "{ project(name: \"arena\", entityName: \"acme\") { c: run(name: \"c\") { summaryMetrics displayName user { username } } \
        d: run(name: \"d\") { systemMetrics config heartbeatAt createdAt state sweepName } \
        bare: run(name: \"bare\") { systemMetrics heartbeatAt displayName } none: run(name: \"zzz\") { id } } }";
    let answer = api.ask(query).await;
    let project = &answer["data"]["project"];
    assert_eq!(project["c"]["summaryMetrics"], "\"{\\\"accuracy\\\": NaN}\"", "a text within a text");
    let machine: Value = serde_json::from_str(project["d"]["systemMetrics"].as_str().unwrap()).unwrap();
    assert_eq!((&machine["gpu.0.gpu"], machine.get("gpu.1.gpu")), (&json!(50.0), None));
    assert!(
        machine.get("gpu.process.1.temp").is_some() && machine.get("gpu.process.0.temp").is_none(),
        "the cards in use"
    );
    let config: Value = serde_json::from_str(project["d"]["config"].as_str().unwrap()).unwrap();
    assert_eq!(config["num_nodes"], json!({ "desc": null, "value": 2 }));
    assert_eq!(project["d"]["heartbeatAt"], "2026-01-08T12:00:00Z");
    assert_eq!(project["bare"], json!({ "systemMetrics": null, "heartbeatAt": null, "displayName": null }));
    assert_eq!(project["none"], Value::Null);
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_there_and_a_wrong_key_is_refused() {
    let mut api = Api::new();
    let query = "{ viewer { username } arena: project(name: \"arena\", entityName: \"acme\") { name } \
        open: project(name: \"open\", entityName: \"acme\") { name } \
        hidden: project(name: \"secret\", entityName: \"rival\") { name } gone: project(name: \"x\", entityName: \"acme\") { name } }";
    let answer = api.ask(query).await;
    let arena = json!({ "name": "arena" });
    assert_eq!((&answer["data"]["arena"], &answer["data"]["viewer"]["username"]), (&arena, &json!("sandbox-reader")));
    assert_eq!((&answer["data"]["hidden"], &answer["data"]["gone"]), (&Value::Null, &Value::Null));
    api.key = None;
    let answer = api.ask(query).await;
    assert_eq!((&answer["data"]["arena"], &answer["data"]["viewer"]), (&Value::Null, &Value::Null));
    assert_eq!(answer["data"]["open"], json!({ "name": "open" }), "what is public needs no key");
    api.key = Some("wrong".to_owned());
    let (status, _, answer) = api.send(&json!({ "query": query })).await;
    let error = json!({
        "message": "user is not logged in", "path": ["viewer"], "extensions": { "code": "PERMISSION_ERROR" },
    });
    assert_eq!((status, answer), (StatusCode::UNAUTHORIZED, json!({ "errors": [error], "data": { "viewer": null } })));
}

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_is_a_bad_request() {
    let api = Api::new();
    for (body, message) in [
        (json!({ "query": "{ colour }" }), "Cannot query field \"colour\" on type \"Query\"."),
        (
            json!({ "query": "{ project(nam: \"x\") { id } }" }),
            "Unknown argument \"nam\" on field \"project\" of type \"Query\".",
        ),
        (
            json!({ "query": "query($p: String!) { project(name: $p) { id } }" }),
            "Variable \"$p\" of required type \"String!\" was not provided.",
        ),
        (json!({ "query": "{ viewer " }), "Syntax Error GraphQL request"),
        (json!({ "query": "mutation { deleteRun }" }), ""),
        (json!({ "query": "" }), "Must provide an operation."),
        (json!({ "variables": {} }), "Must provide an operation."),
        (json!({ "query": "{ viewer { id } }", "variables": [] }), "Variables must be provided as an Object."),
        (json!({ "query": "query A { viewer { id } }", "operationName": "B" }), "Unknown operation named \"B\"."),
    ] {
        let (status, _, answer) = api.send(&body).await;
        let told = answer["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{answer}"));
        assert!(status == StatusCode::BAD_REQUEST && told.starts_with(message), "{status} {told}");
    }
    let (status, _, answer) = api
        .send(&json!({ "query": "{ project(name: \"arena\", entityName: \"acme\") { runCount(filters: \"{\") } }" }))
        .await;
    assert_eq!((status, answer["errors"][0]["path"][1].clone()), (StatusCode::BAD_REQUEST, json!("runCount")));
}

#[tokio::test]
async fn the_schema_can_be_asked_for() {
    let answer = Api::new().ask("{ __type(name: \"Run\") { fields { name } } }").await;
    let fields = answer["data"]["__type"]["fields"].as_array().unwrap();
    assert!(fields.iter().any(|field| field["name"] == "heartbeatAt"));
}

#[tokio::test]
async fn every_answer_tells_what_is_left_and_one_too_many_is_refused() {
    let api = Api::new();
    api.keys.set_limit(2);
    let header = |headers: &HeaderMap, name: &str| headers[name].to_str().unwrap().to_owned();
    for left in ["500", "0"] {
        let (status, headers, _) = api.send(&json!({ "query": "{ viewer { id } }" })).await;
        assert_eq!((status, header(&headers, "ratelimit-remaining").as_str()), (StatusCode::OK, left));
    }
    let (status, headers, body) = api.send(&json!({ "query": "{ viewer { id } }" })).await;
    assert_eq!((status, body), (StatusCode::TOO_MANY_REQUESTS, json!({ "error": "rate limit exceeded" })));
    assert_eq!(
        (header(&headers, "ratelimit-remaining"), header(&headers, "ratelimit-reset")),
        ("0".into(), "60".into())
    );
}

#[tokio::test]
async fn other_paths_and_methods_are_not_served() {
    let api = Api::new();
    for (request, status) in
        [(Request::get("/graphql"), StatusCode::METHOD_NOT_ALLOWED), (Request::post("/"), StatusCode::NOT_FOUND)]
    {
        let answer = api.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}
