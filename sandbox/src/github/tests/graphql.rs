//! The GraphQL API's behaviours.

use super::super::{Resource, graphql::Schema};
use super::*;
use apollo_compiler::schema::ExtendedType;

const NOW: &str = "2026-01-09T12:00:00Z";

#[tokio::test]
async fn mistakes_are_explained_in_githubs_words() {
    let server = Server::at(NOW);
    let web = "repository(owner: \"acme\", name: \"web\")";
    let cases = [
        ("{ viewer { nope } }".to_owned(), "undefinedField", "Field 'nope' doesn't exist on type 'User'"),
        (
            "{ repository(owner: \"a\") { id } }".to_owned(),
            "missingRequiredArguments",
            "Field 'repository' is missing required arguments: name",
        ),
        (format!("{{ {web} {{ id(x: 1) }} }}"), "argumentNotAccepted", "Field 'id' doesn't accept argument 'x'"),
        (
            format!("{{ {web} {{ issue(number: \"4\") {{ id }} }} }}"),
            "argumentLiteralsIncompatible",
            "Argument 'number' on Field 'issue' has an invalid value (\"4\"). Expected type 'Int!'.",
        ),
        (
            "{ viewer }".to_owned(),
            "selectionMismatch",
            "Field must have selections (field 'viewer' returns User but has no selections. Did you mean 'viewer { ... }'?)",
        ),
        (
            "query Q { repository(owner: $o, name: \"web\") { id } }".to_owned(),
            "variableNotDefined",
            "Variable $o is used by Q but not declared",
        ),
    ];
    for (query, code, message) in cases {
        let body = server.query(&query).await;
        assert_eq!(body["data"], Value::Null, "{query}");
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{query}");
        assert_eq!(body["errors"][0]["message"], message, "{query}");
        assert!(body["errors"][0]["locations"][0]["line"].is_u64(), "{query}");
    }
    let body = server.query("{ viewer { nope } }").await;
    assert_eq!(body["errors"][0]["path"], json!(["query", "viewer", "nope"]));
    let body = server.query("{ viewer { login }").await;
    assert_eq!(body["errors"][0]["message"], "Unexpected end of document");
}

#[tokio::test]
async fn what_cannot_be_answered_is_null_with_a_typed_error() {
    let server = Server::at(NOW);
    let web = |selection: &str| format!("{{ repository(owner: \"acme\", name: \"web\") {{ {selection} }} }}");
    let cases = [
        (
            "{ repository(owner: \"a\", name: \"b\") { id } }".to_owned(),
            "NOT_FOUND",
            "Could not resolve to a Repository with the name 'a/b'.",
        ),
        (
            web("pullRequest(number: 99) { id }"),
            "NOT_FOUND",
            "Could not resolve to a PullRequest with the number of 99.",
        ),
        (
            web("issues { nodes { id } }"),
            "MISSING_PAGINATION_BOUNDARIES",
            "You must provide a `first` or `last` value to properly paginate the `issues` connection.",
        ),
        (
            web("issues(first: 101) { nodes { id } }"),
            "EXCESSIVE_PAGINATION",
            "Requesting 101 records on the `issues` connection exceeds the `first` limit of 100 records.",
        ),
        (
            web("issues(first: 1, last: 1) { nodes { id } }"),
            "INVALID_PAGINATION_BOUNDARIES",
            "Passing both `first` and `last` to paginate the `issues` connection is not supported.",
        ),
        (
            web("issues(first: 1, after: \"?\") { nodes { id } }"),
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
        server.query("{ repository(owner: \"a\", name: \"b\") { id } }").await["data"],
        json!({ "repository": null })
    );
    assert_eq!(server.web("issues { totalCount }").await["issues"]["totalCount"], 2);
}

#[tokio::test]
async fn broken_requests_are_refused() {
    let server = Server::at(NOW);
    assert_eq!(server.post("{").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(server.post("{}").await.0, StatusCode::BAD_REQUEST);
    let request = asking("/graphql").method("POST").body(Body::from("{\"query\":\"query($n: Int!) { repository(owner: \\\"acme\\\", name: \\\"web\\\") { issue(number: $n) { id } } }\"}")).unwrap();
    let (_, _, body) = server.send(request).await;
    assert_eq!(body["errors"][0]["message"], "Variable $n of type Int! was provided invalid value");
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
    let dry = server.query("{ rateLimit(dryRun: true) { remaining } viewer { login } }").await;
    assert_eq!(dry, json!({ "data": { "rateLimit": { "remaining": 4999 } } }));
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
        ("first: 9, labels: [\"bug\"]", json!([1, 3])),
        ("first: 9, headRefName: \"topic/5\"", json!([5])),
        ("first: 9, baseRefName: \"other\"", json!([])),
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
        comments(first: 9) { totalCount } labels(first: 9) { totalCount } timelineItems(first: 9) { totalCount } }";
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
             object(expression: \"main\") { ... on Commit { author { name user { login } } } }",
        )
        .await;
    assert_eq!(web["deleted"]["author"], Value::Null);
    assert_eq!(web["bot"]["author"], json!({ "__typename": "Bot", "login": "helper" }));
    assert_eq!(web["object"]["author"], json!({ "name": "HELPER[BOT]", "user": null }), "a bot is no user");
}

#[tokio::test]
async fn the_timeline_knows_its_kinds() {
    let server = Server::at(NOW);
    let web = server
        .web(
            "pullRequest(number: 1) { all: timelineItems(first: 50) { nodes { __typename } }
             ready: timelineItems(first: 5, itemTypes: [READY_FOR_REVIEW_EVENT, CONVERT_TO_DRAFT_EVENT]) {
               totalCount nodes { ... on ReadyForReviewEvent { createdAt } } }
             late: timelineItems(first: 50, since: \"2026-01-05T00:00:00Z\") { nodes { __typename } } }",
        )
        .await;
    let kinds = json!(each(&web["pullRequest"]["all"]["nodes"], "__typename"));
    let expected = json!([
        "PullRequestCommit",
        "ReadyForReviewEvent",
        "IssueComment",
        "LabeledEvent",
        "PullRequestReview",
        "PullRequestReview",
        "PullRequestReview",
        "MergedEvent",
        "ClosedEvent",
        "HeadRefDeletedEvent",
    ]);
    assert_eq!(kinds, expected);
    assert_eq!(web["pullRequest"]["ready"]["nodes"], json!([{ "createdAt": "2026-01-02T10:00:00Z" }]));
    let late = json!(each(&web["pullRequest"]["late"]["nodes"], "__typename"));
    assert_eq!(late, json!(["MergedEvent", "ClosedEvent", "HeadRefDeletedEvent"]));
}

#[tokio::test]
async fn history_refs_issues_and_deployments_are_told() {
    let server = Server::at(NOW);
    let web = server
        .web(
            "defaultBranchRef { target { ... on Commit { history(first: 9, since: \"2026-01-02T00:00:00Z\",
               until: \"2026-01-05T10:00:00Z\") { totalCount nodes { messageHeadline messageBody
               associatedPullRequests(first: 1) { nodes { number } } } } } } }
             refs(first: 9, refPrefix: \"refs/heads/\") { nodes { name } }
             issues(first: 9, states: CLOSED, filterBy: {labels: [\"bug\"]}) { nodes { number stateReason } }
             deployments(first: 9, environments: [\"production\"]) { nodes { state latestStatus { state } } }",
        )
        .await;
    let history = &web["defaultBranchRef"]["target"]["history"];
    assert_eq!(json!(each(&history["nodes"], "messageHeadline")), json!(["Commit 3", "Commit 2"]));
    assert_eq!(history["nodes"][1]["messageBody"], "Body 2");
    assert_eq!(history["nodes"][1]["associatedPullRequests"]["nodes"], json!([{ "number": 1 }]));
    assert_eq!(json!(each(&web["refs"]["nodes"], "name")), json!(["main", "topic/5"]));
    assert_eq!(web["issues"]["nodes"], json!([{ "number": 4, "stateReason": "COMPLETED" }]));
    assert_eq!(web["deployments"]["nodes"], json!([{ "state": "INACTIVE", "latestStatus": { "state": "INACTIVE" } }]));
    let earlier = Server::at("2026-01-06T00:00:00Z").web("deployments(first: 1) { nodes { state } }").await;
    assert_eq!(earlier["deployments"]["nodes"], json!([{ "state": "ACTIVE" }]));
    let void =
        server.query("{ repository(owner: \"acme\", name: \"void\") { isEmpty defaultBranchRef { name } } }").await;
    assert_eq!(void["data"]["repository"], json!({ "isEmpty": true, "defaultBranchRef": null }));
}

#[tokio::test]
async fn data_keeps_the_order_of_the_query() {
    let server = Server::at(NOW);
    let request = asking("/graphql").method("POST").body(Body::from("{\"query\":\"{viewer{login id __typename}}\"}"));
    let response = server.router.clone().oneshot(request.unwrap()).await.unwrap();
    let text = String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    assert!(text.starts_with("{\"data\":{\"viewer\":{\"login\":\"sandbox-reader\",\"id\":"), "{text}");
}

#[tokio::test]
async fn search_understands_qualifiers() {
    let server = Server::at(NOW);
    let cases = [
        ("repo:acme/web is:pr is:open", json!([6, 5, 3])),
        ("repo:acme/web is:pr is:merged merged:>=2026-01-05", json!([1])),
        ("repo:acme/web is:issue", json!([7, 4])),
        ("org:acme is:pr author:app/helper", json!([3])),
        ("repo:acme/web is:pr -label:bug sort:created-asc", json!([2, 5, 6])),
        ("repo:acme/void is:pr", json!([])),
    ];
    for (words, expected) in cases {
        let query = format!(
            "{{ search(type: ISSUE, query: {words:?}, first: 9) {{ issueCount nodes {{
               ... on PullRequest {{ number }} ... on Issue {{ number }} }} }} }}"
        );
        let search = server.query(&query).await["data"]["search"].clone();
        assert_eq!(json!(each(&search["nodes"], "number")), expected, "{words}");
        assert_eq!(search["issueCount"], expected.as_array().unwrap().len(), "{words}");
    }
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
        let page = if inner.ends_with("Connection") { "(first: 3)" } else { "" };
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
    let server = Server::at(NOW);
    let kinds = ["PullRequest", "Issue", "Commit", "Repository", "Ref", "Deployment", "Label", "PullRequestReview"];
    let ids = server
        .web(
            "id defaultBranchRef { id target { id } } issue(number: 4) { id } label(name: \"bug\") { id }
             deployments(first: 1) { nodes { id latestStatus { id } } }
             pullRequest(number: 1) { id author { ... on User { id } } reviews(first: 1) { nodes { id comments(first: 1) { nodes { id } } } }
               comments(first: 1) { nodes { id author { ... on Bot { id } } } } reviewThreads(first: 1) { nodes { id } } commits(first: 1) { nodes { id } }
               timelineItems(first: 50) { nodes { ... on MergedEvent { id } ... on ClosedEvent { id }
                 ... on LabeledEvent { id } ... on HeadRefDeletedEvent { id } ... on ReadyForReviewEvent { id } } } }",
        )
        .await;
    let mut all = Vec::new();
    collect(&ids, &mut all);
    assert!(all.len() >= 17, "{ids}");
    let mut seen = Vec::new();
    for id in all {
        let kind = server.query(&format!("{{ node(id: {id:?}) {{ __typename id }} }}")).await;
        assert_eq!(kind["data"]["node"]["id"], id, "{kind}");
        let kind = kind["data"]["node"]["__typename"].as_str().unwrap().to_owned();
        let fields = everything(schema.types(), &kind, 2);
        let body = server.query(&format!("{{ node(id: {id:?}) {{ ... on {kind} {{ {fields} }} }} }}")).await;
        assert_eq!(body["errors"], Value::Null, "{kind}");
        seen.push(kind);
    }
    assert!(kinds.iter().all(|kind| seen.iter().any(|seen| seen == kind)), "{seen:?}");
}

fn collect(value: &Value, ids: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(id) if name == "id" => ids.push(id.clone()),
                    member => collect(member, ids),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, ids)),
        _ => {}
    }
}
