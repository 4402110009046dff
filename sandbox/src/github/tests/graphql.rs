//! The GraphQL API's behaviours.

use super::super::{Resource, graphql::Schema};
use super::*;
use apollo_compiler::schema::ExtendedType;

const NOW: &str = "2026-01-09T12:00:00Z";

#[tokio::test]
async fn a_document_that_does_not_fit_the_schema_is_refused_as_a_whole() {
    let server = Server::at(NOW);
    let cases = [
        ("{ viewer { nope } }", json!("undefinedField")),
        ("{ repository(owner: \"a\") { isEmpty } }", Value::Null),
        ("{ repository(owner: \"a\", name: \"b\") { isEmpty(x: 1) } }", Value::Null),
        ("{ viewer }", Value::Null),
        ("query Q { repository(owner: $o, name: \"web\") { isEmpty } }", Value::Null),
        ("{ viewer { login }", Value::Null),
    ];
    for (query, code) in cases {
        let body = server.query(query).await;
        assert_eq!(body.get("data"), None, "{query}");
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{query}");
        assert!(body["errors"][0]["locations"][0]["line"].is_u64(), "{query}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_null_with_a_typed_error() {
    let server = Server::at(NOW);
    let web = |selection: &str| format!("{{ repository(owner: \"acme\", name: \"web\") {{ {selection} }} }}");
    let cases = [
        (
            "{ repository(owner: \"a\", name: \"b\") { isEmpty } }".to_owned(),
            "NOT_FOUND",
            "Could not resolve to a Repository with the name 'a/b'.",
        ),
        (
            web("pullRequest(number: 99) { id }"),
            "NOT_FOUND",
            "Could not resolve to a PullRequest with the number of 99.",
        ),
        (
            web("issues { nodes { number } }"),
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to properly paginate the `issues` connection.",
        ),
        (
            web("issues(first: 101) { nodes { number } }"),
            "EXCESSIVE_PAGINATION",
            "Requesting 101 records on the `issues` connection exceeds the `first` limit of 100 records.",
        ),
        (
            web("issues(first: 1, last: 1) { nodes { number } }"),
            "INVALID_PAGINATION_BOUNDARIES",
            "Passing both `first` and `last` to paginate the `issues` connection is not supported.",
        ),
        (
            web("issues(first: 1, after: \"?\") { nodes { number } }"),
            "INVALID_CURSOR_ARGUMENTS",
            "`?` does not appear to be a valid cursor.",
        ),
    ];
    for (query, kind, message) in cases {
        let (status, _, body) = server.post(&json!({ "query": query }).to_string()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(body["errors"][0]["type"], kind, "{query}");
        assert_eq!(body["errors"][0]["message"], message, "{query}");
        assert!(body["data"].is_object() && body["errors"][0]["path"][0] == "repository", "{query}: {body}");
    }
    assert_eq!(
        server.query("{ repository(owner: \"a\", name: \"b\") { isEmpty } }").await["data"],
        json!({ "repository": null })
    );
    assert_eq!(server.web("issues { totalCount }").await["issues"]["totalCount"], 2);
}

#[tokio::test]
async fn broken_requests_are_refused() {
    let server = Server::at(NOW);
    assert_eq!(server.post("{").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.post("{}").await.0, StatusCode::BAD_REQUEST);
    let missing = "query($n: Int!) { repository(owner: \"acme\", name: \"web\") { pullRequest(number: $n) { id } } }";
    let body = server.query(missing).await;
    assert!(body.get("data").is_none() && body["errors"][0]["message"].as_str().unwrap().contains('n'), "{body}");
    server.credentials.revoke("good");
    let (status, _, body) = server.post("{\"query\":\"{viewer{login}}\"}").await;
    assert_eq!((status, &body["message"]), (StatusCode::UNAUTHORIZED, &json!("Bad credentials")));
}

#[tokio::test]
async fn points_are_counted_until_none_is_left() {
    let server = Server::at(NOW);
    let query = "{ rateLimit { limit cost remaining used nodeCount resetAt } viewer { login } }";
    let limit = json!({
        "limit": 5000, "cost": 1, "remaining": 4999, "used": 1, "nodeCount": 0, "resetAt": "2026-01-09T13:00:00Z",
    });
    assert_eq!(server.query(query).await["data"]["rateLimit"], limit);
    server.credentials.set_remaining("good", Resource::Graphql, 0, at(NOW));
    let (status, headers, body) = server.post("{\"query\":\"{viewer{login}}\"}").await;
    assert_eq!((status, &body["errors"][0]["type"]), (StatusCode::OK, &json!("RATE_LIMITED")));
    assert_eq!(headers["x-ratelimit-resource"], "graphql");
    assert_eq!(server.get("/repos/acme/web").await.0, StatusCode::OK, "REST has a budget of its own");
}

#[tokio::test]
async fn pages_meet_without_gap_or_overlap_in_both_directions() {
    let server = Server::at(NOW);
    for (size, cursor, info, more) in
        [("first", "after", "endCursor", "hasNextPage"), ("last", "before", "startCursor", "hasPreviousPage")]
    {
        let (mut seen, mut place) = (Vec::new(), String::new());
        loop {
            let page = server
                .web(&format!(
                    "pullRequests({size}: 2 {place} orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
                       totalCount pageInfo {{ {info} {more} }} nodes {{ number }} }}"
                ))
                .await;
            let page = &page["pullRequests"];
            assert_eq!(page["totalCount"], 5);
            seen.push(json!(each(&page["nodes"], "number")));
            if page["pageInfo"][more] == false {
                break;
            }
            place = format!("{cursor}: {}", page["pageInfo"][info]);
        }
        let expected = if size == "first" { json!([[2, 6], [1, 5], [3]]) } else { json!([[5, 3], [6, 1], [2]]) };
        assert_eq!(json!(seen), expected, "{size}");
    }
}

#[tokio::test]
async fn pull_requests_are_filtered_and_ordered() {
    let server = Server::at(NOW);
    let cases = [
        ("first: 9", json!([1, 2, 3, 5, 6])),
        ("first: 9, states: [OPEN]", json!([3, 5, 6])),
        ("first: 9, states: [MERGED, CLOSED]", json!([1, 2])),
        ("last: 2, orderBy: {field: CREATED_AT, direction: DESC}", json!([2, 1])),
    ];
    for (arguments, expected) in cases {
        let web = server.web(&format!("pullRequests({arguments}) {{ nodes {{ number }} }}")).await;
        assert_eq!(json!(each(&web["pullRequests"]["nodes"], "number")), expected, "{arguments}");
    }
}

#[tokio::test]
async fn a_pull_request_is_as_far_as_the_clock() {
    let selection = "pullRequest(number: 1) { state isDraft updatedAt reviews(first: 9) { totalCount }
        comments(first: 9) { totalCount } labels(first: 9) { totalCount } }";
    let cases = [
        ("2026-01-01T10:00:00Z", json!(["OPEN", true, "2026-01-01T10:00:00Z", 0, 0, 0])),
        ("2026-01-02T11:30:00Z", json!(["OPEN", false, "2026-01-02T11:00:00Z", 0, 1, 0])),
        ("2026-01-04T10:30:00Z", json!(["OPEN", false, "2026-01-04T10:00:00Z", 2, 1, 1])),
        ("2026-01-05T10:00:00Z", json!(["MERGED", false, "2026-01-05T10:00:00Z", 3, 1, 1])),
        ("2026-01-07T00:00:00Z", json!(["MERGED", false, "2026-01-06T00:00:00Z", 3, 1, 1])),
    ];
    for (now, expected) in cases {
        let pull = Server::at(now).web(selection).await["pullRequest"].clone();
        let told = json!([
            pull["state"],
            pull["isDraft"],
            pull["updatedAt"],
            pull["reviews"]["totalCount"],
            pull["comments"]["totalCount"],
            pull["labels"]["totalCount"],
        ]);
        assert_eq!(told, expected, "{now}");
    }
}

#[tokio::test]
async fn authors_are_what_they_are() {
    let server = Server::at(NOW);
    let web = server
        .web(
            "deleted: pullRequest(number: 2) { author { login } } bot: pullRequest(number: 3) { author { __typename login } }
             defaultBranchRef { target { ... on Commit { author { name user { login } } } } }",
        )
        .await;
    assert_eq!(web["deleted"]["author"], Value::Null);
    assert_eq!(web["bot"]["author"], json!({ "__typename": "Bot", "login": "helper" }));
    assert_eq!(
        web["defaultBranchRef"]["target"]["author"],
        json!({ "name": "HELPER[BOT]", "user": null }),
        "a bot is no user"
    );
}

#[tokio::test]
async fn of_the_timeline_turns_between_draft_and_ready_are_told_and_nothing_else_is_passed_over() {
    let server = Server::at(NOW);
    let web = server
        .web(
            "pullRequest(number: 1) {
               ready: timelineItems(last: 1, itemTypes: [READY_FOR_REVIEW_EVENT, CONVERT_TO_DRAFT_EVENT]) {
                 totalCount nodes { ... on ReadyForReviewEvent { createdAt } } }
               draft: timelineItems(last: 1, itemTypes: [CONVERT_TO_DRAFT_EVENT]) { totalCount } }",
        )
        .await;
    assert_eq!(web["pullRequest"]["ready"]["nodes"], json!([{ "createdAt": "2026-01-02T10:00:00Z" }]));
    assert_eq!(web["pullRequest"]["draft"]["totalCount"], 0);
    for kinds in ["", ", itemTypes: [MERGED_EVENT]"] {
        let query = format!(
            "{{ repository(owner: \"acme\", name: \"web\") {{ pullRequest(number: 1) {{
               timelineItems(last: 1{kinds}) {{ totalCount }} }} }} }}"
        );
        let body = server.query(&query).await;
        assert!(body["errors"][0]["message"].as_str().unwrap().contains("itemTypes"), "{body}");
    }
}

#[tokio::test]
async fn history_refs_issues_and_deployments_are_told() {
    let server = Server::at(NOW);
    let web = server
        .web(
            "defaultBranchRef { target { ... on Commit { history(first: 9, since: \"2026-01-02T00:00:00Z\",
               until: \"2026-01-05T10:00:00Z\") { totalCount nodes { message
               associatedPullRequests(first: 1) { nodes { number } } } } } } }
             refs(first: 9, refPrefix: \"refs/heads/\") { nodes { name } }
             issues(first: 9, states: CLOSED, labels: [\"bug\"]) { nodes { number state } }
             deployments(first: 9, environments: [\"production\"]) { nodes { statuses(first: 9) { nodes { state } } } }",
        )
        .await;
    let history = &web["defaultBranchRef"]["target"]["history"];
    assert_eq!(json!(each(&history["nodes"], "message")), json!(["Commit 3\n\nBody 3", "Commit 2\n\nBody 2"]));
    assert_eq!(history["nodes"][1]["associatedPullRequests"]["nodes"], json!([{ "number": 1 }]));
    assert_eq!(json!(each(&web["refs"]["nodes"], "name")), json!(["main", "topic/5"]));
    assert_eq!(web["issues"]["nodes"], json!([{ "number": 4, "state": "CLOSED" }]));
    let statuses = &web["deployments"]["nodes"][0]["statuses"]["nodes"];
    assert_eq!(json!(each(statuses, "state")), json!(["INACTIVE", "SUCCESS", "IN_PROGRESS"]));
    let earlier = Server::at("2026-01-05T11:02:00Z");
    let earlier = earlier.web("deployments(first: 1) { nodes { statuses { totalCount } } }");
    assert_eq!(earlier.await["deployments"]["nodes"][0]["statuses"]["totalCount"], 1);
    let void =
        server.query("{ repository(owner: \"acme\", name: \"void\") { isEmpty defaultBranchRef { name } } }").await;
    assert_eq!(void["data"]["repository"], json!({ "isEmpty": true, "defaultBranchRef": null }));
}

#[tokio::test]
async fn data_keeps_the_order_of_the_query() {
    let server = Server::at(NOW);
    let request = asking("/graphql").method("POST").body(Body::from("{\"query\":\"{viewer{login __typename}}\"}"));
    let response = server.router.clone().oneshot(request.unwrap()).await.unwrap();
    let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert_eq!(text, "{\"data\":{\"viewer\":{\"login\":\"sandbox-reader\",\"__typename\":\"User\"}}}");
}

/// A selection of everything a type has, to a depth.
fn everything(schema: &apollo_compiler::Schema, ty: &str, depth: usize) -> String {
    let fields = match &schema.types[ty] {
        ExtendedType::Object(object) => &object.fields,
        ExtendedType::Interface(interface) => &interface.fields,
        _ => return "__typename".to_owned(),
    };
    let mut told = vec!["__typename".to_owned()];
    for (name, field) in fields {
        let inner = field.ty.inner_named_type();
        let leaf = schema.types[inner].is_scalar() || schema.types[inner].is_enum();
        if field.arguments.iter().any(|argument| argument.is_required()) || (!leaf && depth == 0) {
            continue;
        }
        let page = match name.as_str() {
            "timelineItems" => "(first: 3, itemTypes: [READY_FOR_REVIEW_EVENT])",
            _ if inner.ends_with("Connection") => "(first: 3)",
            _ => "",
        };
        // The same name may have another type elsewhere in a union, so each is told under a name of its own.
        let alias = format!("{ty}_{name}");
        let below = if leaf { String::new() } else { format!("{{ {} }}", everything(schema, inner, depth - 1)) };
        told.push(format!("{alias}: {name}{page} {below}"));
    }
    told.join(" ")
}

#[tokio::test]
async fn every_field_of_every_object_is_answered() {
    let schema = Schema::new();
    let all = |ty, depth| everything(schema.types(), ty, depth);
    let query = format!(
        "{{ {} repository(owner: \"acme\", name: \"web\") {{ {} pullRequest(number: 1) {{ {} }}
           defaultBranchRef {{ target {{ ... on Commit {{ {} }} }} }}
           refs(refPrefix: \"refs/heads/\", first: 3) {{ {} }} }} }}",
        all("Query", 1),
        all("Repository", 5),
        all("PullRequest", 3),
        all("Commit", 3),
        all("RefConnection", 3),
    );
    let body = Server::at(NOW).query(&query).await;
    assert_eq!(body["errors"], Value::Null, "{query}");
    let mut seen = std::collections::BTreeSet::new();
    collect(&body, &mut seen);
    let known = schema.types().types.values().filter(|ty| matches!(ty, ExtendedType::Object(_)) && !ty.is_built_in());
    // Nobody turned anything into a draft.
    let wanted = known.map(|ty| ty.name().as_str()).filter(|name| *name != "ConvertToDraftEvent");
    let unseen: Vec<_> = wanted.filter(|name| !seen.contains(*name)).collect();
    assert!(unseen.is_empty(), "{unseen:?} in {seen:?}");
}

#[tokio::test]
async fn objects_are_found_by_their_global_ids() {
    let server = Server::at(NOW);
    let web = server.web("pullRequest(number: 1) { id } defaultBranchRef { target { id } }").await;
    let (pull, commit) = (&web["pullRequest"]["id"], &web["defaultBranchRef"]["target"]["id"]);
    let ask = async |ids: Value| {
        let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }";
        server.post(&json!({ "query": query, "variables": { "ids": ids } }).to_string()).await.2
    };
    let found = json!([{ "__typename": "PullRequest", "id": pull }, { "__typename": "Commit", "id": commit }]);
    assert_eq!(ask(json!([pull, commit])).await["data"]["nodes"], found);
    let error = &ask(json!([pull, "nonsense"])).await["errors"][0];
    assert_eq!((&error["type"], &error["path"]), (&json!("NOT_FOUND"), &json!(["nodes", 1])));
}

/// The types of all objects that were told.
fn collect(value: &Value, seen: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            seen.extend(members.get("__typename").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect(member, seen));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, seen)),
        _ => {}
    }
}
