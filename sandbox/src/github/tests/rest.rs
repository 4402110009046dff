//! The REST API's behaviours.

use super::sample::sha;
use super::*;

const NOW: &str = "2026-01-09T12:00:00Z";

#[tokio::test]
async fn errors_are_githubs() {
    let server = Server::at(NOW);
    let cases = [
        ("/nothing", 404, "Not Found"),
        ("/repos/acme/none", 404, "Not Found"),
        ("/repos/acme/web/pulls/99/files", 404, "Not Found"),
        ("/repos/acme/web/branches/none", 404, "Branch not found"),
        ("/repos/acme/void/commits", 409, "Git Repository is empty."),
        (
            "/repos/acme/web/commits/ffffffffffffffffffffffffffffffffffffffff",
            422,
            "No commit found for SHA: ffffffffffffffffffffffffffffffffffffffff",
        ),
        ("/repos/acme/web/activity?activity_type=odd", 422, "Validation Failed"),
    ];
    for (path, status, message) in cases {
        let (answered, _, body) = server.get(path).await;
        assert_eq!(answered, status, "{path}");
        assert_eq!(body["message"], message, "{path}");
        assert_eq!(body["status"], status.to_string(), "{path}");
        assert!(body["documentation_url"].as_str().unwrap().starts_with("https://docs.github.com/rest"), "{path}");
    }
}

#[tokio::test]
async fn a_filter_that_is_not_known_is_refused_rather_than_passed_over() {
    let server = Server::at(NOW);
    for path in
        ["pulls?state=all", "issues?labels=bug", "commits?author=ann", "actions/runs?event=push", "activity?actor=a"]
    {
        assert_eq!(server.get(&format!("/repos/acme/web/{path}")).await.0, StatusCode::NOT_IMPLEMENTED, "{path}");
    }
}

#[tokio::test]
async fn who_asks_matters() {
    let server = Server::at(NOW);
    let ask = |header: Option<(&str, &str)>, agent: &str| {
        let mut request = Request::builder().uri("/repos/acme/web").header("user-agent", agent);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        server.send(request.body(Body::empty()).unwrap())
    };
    let (status, _, body) = ask(Some(("authorization", "token wrong")), "test").await;
    assert_eq!((status, &body["message"]), (StatusCode::UNAUTHORIZED, &json!("Bad credentials")));
    assert_eq!(ask(None, "test").await.0, StatusCode::NOT_FOUND);
    let (status, _, body) = ask(Some(("authorization", "token good")), "").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.as_str().unwrap().contains("User-Agent"));
    server.credentials.revoke("good");
    assert_eq!(ask(Some(("authorization", "token good")), "test").await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn requests_are_counted_until_none_is_left() {
    let server = Server::at(NOW);
    let left = |headers: &HeaderMap| headers["x-ratelimit-remaining"].to_str().unwrap().to_owned();
    assert_eq!(left(&server.get("/repos/acme/web").await.1), "4999");
    assert_eq!(left(&server.get("/rate_limit").await.1), "4999");
    assert_eq!(left(&server.get("/repos/acme/nothing").await.1), "4998");
    server.credentials.set_remaining("good", super::super::Resource::Core, 0, at(NOW));
    let (status, headers, body) = server.get("/repos/acme/web").await;
    assert_eq!((status, left(&headers)), (StatusCode::FORBIDDEN, "0".to_owned()));
    assert!(body["message"].as_str().unwrap().starts_with("API rate limit exceeded for user ID "));
    assert_eq!(headers["x-ratelimit-reset"], (at(NOW).as_second() + 3600).to_string());
}

#[tokio::test]
async fn an_answer_the_client_has_is_not_sent_again_and_costs_nothing() {
    let server = Server::at(NOW);
    let (_, headers, _) = server.get("/repos/acme/web/pulls").await;
    let request = asking("/repos/acme/web/pulls").header("if-none-match", headers["etag"].clone());
    let (status, again, body) = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!((status, body), (StatusCode::NOT_MODIFIED, json!("")));
    assert_eq!(again["etag"], headers["etag"]);
    assert_eq!(again["x-ratelimit-remaining"], headers["x-ratelimit-remaining"]);
    let request = asking("/repos/acme/web/pulls?per_page=1").header("if-none-match", headers["etag"].clone());
    assert_eq!(server.send(request.body(Body::empty()).unwrap()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn pages_are_linked_and_a_filtered_listing_ends_at_a_thousand() {
    let server = Server::at(NOW);
    let path = "/repos/acme/web/actions/runs?created=2026-01-08..2026-01-09&per_page=500";
    let (_, headers, body) = server.get(path).await;
    assert_eq!((&body["total_count"], body["workflow_runs"].as_array().unwrap().len()), (&json!(1200), 100));
    let link = headers["link"].to_str().unwrap();
    assert!(link.contains("page=2>; rel=\"next\"") && link.contains("page=10>; rel=\"last\""), "{link}");
    let last = server.get(&format!("{path}&page=10")).await;
    assert_eq!(last.2["workflow_runs"].as_array().unwrap().len(), 100);
    let link = last.1["link"].to_str().unwrap();
    assert!(link.contains("rel=\"first\"") && !link.contains("rel=\"next\""), "{link}");
    let beyond = server.ok(&format!("{path}&page=11")).await;
    assert_eq!((&beyond["total_count"], &beyond["workflow_runs"]), (&json!(1200), &json!([])));
    let next = link.split('<').nth(1).unwrap().split('>').next().unwrap().replace("https://api.github.com", "");
    assert_eq!(server.ok(&next).await["workflow_runs"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn runs_are_filtered() {
    let server = Server::at(NOW);
    let cases = [
        ("created=2026-01-08T00:00:00Z", 1),
        ("created=%3E%3D2026-01-08T19:00:00Z", 60),
        ("created=%3C2026-01-08", 0),
        ("created=*..2026-01-08T00:01:00Z", 2),
        ("branch=topic/5", 1),
        ("status=success", 1200),
        ("status=failure", 0),
        ("status=in_progress", 0),
    ];
    for (query, count) in cases {
        let body = server.ok(&format!("/repos/acme/web/actions/runs?{query}")).await;
        assert_eq!(body["total_count"], count, "{query}");
    }
}

#[tokio::test]
async fn a_run_is_as_far_as_the_clock() {
    let cases = [
        ("2026-01-08T00:00:30Z", json!(["queued", null, 1])),
        ("2026-01-08T00:05:00Z", json!(["in_progress", null, 1])),
        ("2026-01-08T00:10:00Z", json!(["completed", "failure", 1])),
        ("2026-01-08T01:05:00Z", json!(["in_progress", null, 2])),
        ("2026-01-08T02:00:00Z", json!(["completed", "success", 2])),
    ];
    for (now, expected) in cases {
        let run = Server::at(now).ok("/repos/acme/web/actions/runs/1000").await;
        assert_eq!(json!([run["status"], run["conclusion"], run["run_attempt"]]), expected, "{now}");
    }
    let server = Server::at(NOW);
    assert_eq!(server.ok("/repos/acme/web/actions/runs/1000/attempts/1").await["conclusion"], "failure");
    let jobs = server.ok("/repos/acme/web/actions/runs/1000/jobs").await;
    assert_eq!(each(&jobs["jobs"], "id"), [2]);
    assert_eq!(server.ok("/repos/acme/web/actions/runs/1000/jobs?filter=all").await["total_count"], 2);
    assert_eq!(server.get("/repos/acme/web/actions/runs/9000").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn commits_appear_when_they_land_newest_committer_date_first() {
    let before = Server::at("2026-01-05T09:00:00Z").ok("/repos/acme/web/commits").await;
    assert_eq!(each(&before, "sha"), [&sha(1)]);
    let server = Server::at(NOW);
    let all = server.ok("/repos/acme/web/commits").await;
    assert_eq!(each(&all, "sha"), [&sha(4), &sha(3), &sha(2), &sha(1)]);
    let some = server.ok("/repos/acme/web/commits?since=2026-01-05T10:00:00Z").await;
    assert_eq!(each(&some, "sha"), [&sha(4), &sha(3)]);
    assert_eq!(all[2]["author"], Value::Null, "an address that leads to no account");
}

#[tokio::test]
async fn the_files_of_a_commit_come_in_pages_of_three_hundred() {
    let server = Server::at(NOW);
    let path = format!("/repos/acme/web/commits/{}", sha(4));
    let (_, headers, body) = server.get(&path).await;
    assert_eq!(body["files"].as_array().unwrap().len(), 300);
    assert!(headers["link"].to_str().unwrap().contains("page=2>; rel=\"next\""));
    let second = server.ok(&format!("{path}?page=2")).await;
    assert_eq!((second["files"].as_array().unwrap().len(), &second["sha"]), (150, &body["sha"]));
}

#[tokio::test]
async fn comparisons_count_what_lies_between() {
    let server = Server::at(NOW);
    let (one, three) = (sha(1), sha(3));
    let ahead = server.ok(&format!("/repos/acme/web/compare/{one}...{three}")).await;
    assert_eq!(json!([ahead["status"], ahead["ahead_by"], ahead["behind_by"]]), json!(["ahead", 2, 0]));
    assert_eq!(each(&ahead["commits"], "sha"), [&sha(2), &sha(3)]);
    assert_eq!(ahead["merge_base_commit"]["sha"], one);
    let behind = server.ok(&format!("/repos/acme/web/compare/main...{three}")).await;
    assert_eq!(json!([behind["status"], behind["ahead_by"], behind["behind_by"]]), json!(["behind", 0, 1]));
    let page = server.ok(&format!("/repos/acme/web/compare/{one}...{three}?per_page=1&page=2")).await;
    assert_eq!(each(&page["commits"], "sha"), [&sha(3)]);
    assert_eq!(server.ok("/repos/acme/web/compare/main...main").await["status"], "identical");
}

#[tokio::test]
async fn pull_requests_and_issues_are_listed_while_they_are_open() {
    let server = Server::at(NOW);
    let pulls = server.ok("/repos/acme/web/pulls").await;
    assert_eq!(json!(each(&pulls, "number")), json!([6, 5, 3]));
    assert_eq!(json!([pulls[2]["user"]["login"], pulls[2]["user"]["type"]]), json!(["helper[bot]", "Bot"]));
    let issues = server.ok("/repos/acme/web/issues").await;
    assert_eq!(json!(each(&issues, "number")), json!([7, 6, 5, 3]));
    assert!(issues[1]["pull_request"].is_object() && issues[0]["pull_request"].is_null());
    let (_, headers, files) = server.get("/repos/acme/web/pulls/1/files?per_page=1").await;
    assert_eq!(json!(each(&files, "filename")), json!(["src/a.rs"]));
    assert!(headers["link"].to_str().unwrap().contains("page=2>; rel=\"next\""));
}

#[tokio::test]
async fn activities_are_paged_by_cursor() {
    let server = Server::at(NOW);
    let all = server.ok("/repos/acme/web/activity").await;
    let mut path = "/repos/acme/web/activity?per_page=3".to_owned();
    let mut seen = Vec::new();
    for _ in 0..10 {
        let (_, headers, body) = server.get(&path).await;
        seen.extend(each(&body, "id").into_iter().cloned());
        let link = headers.get("link").map(|link| link.to_str().unwrap().to_owned()).unwrap_or_default();
        let Some(next) = link.split(", ").find(|link| link.ends_with("rel=\"next\"")) else { break };
        path = next[1..].split('>').next().unwrap().replace("https://api.github.com", "");
    }
    assert_eq!(json!(seen), json!(each(&all, "id")));
    let kinds = json!(each(&all, "activity_type"));
    assert_eq!(kinds[0], "force_push", "newest first: {kinds}");
    let forced = "/repos/acme/web/activity?ref=refs/heads/main&activity_type=force_push&time_period=day";
    assert_eq!(json!(each(&server.ok(forced).await, "id")), json!([77]));
    let later = Server::at("2026-01-09T12:00:01Z").ok(forced).await;
    assert_eq!(later, json!([]), "a day is 24 hours");
}

#[tokio::test]
async fn rule_suites_deployments_branches_and_runners_are_told() {
    let server = Server::at(NOW);
    assert_eq!(server.ok("/repos/acme/web/rulesets/rule-suites").await, json!([]), "the default period is a day");
    let week = server.ok("/repos/acme/web/rulesets/rule-suites?time_period=week&rule_suite_result=bypass").await;
    assert_eq!(json!(each(&week, "id")), json!([21]));
    assert_eq!(json!(each(&server.ok("/repos/acme/web/deployments").await, "id")), json!([500]));
    assert_eq!(server.ok("/repos/acme/web/branches/topic%2F5").await["name"], "topic/5");
    let runners = server.ok("/repos/acme/web/actions/runners").await;
    assert_eq!(json!([runners["total_count"], runners["runners"][0]["status"]]), json!([1, "online"]));
}

#[tokio::test]
async fn the_app_gets_a_token_for_its_installation() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let server = Server::at(NOW);
    // The lifetime is judged by real time, which a test may not read: a token far in the past is refused.
    let claims = URL_SAFE_NO_PAD.encode("{\"iss\":\"7\",\"iat\":0,\"exp\":60}");
    let header = URL_SAFE_NO_PAD.encode("{\"alg\":\"RS256\"}");
    let token = format!("Bearer {header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 256]));
    let request = Request::builder().uri("/app/installations/70/access_tokens").method("POST");
    let request = request.header("user-agent", "test").header("authorization", token);
    assert_eq!(server.send(request.body(Body::empty()).unwrap()).await.0, StatusCode::UNAUTHORIZED);
    let (token, _) = server.credentials.issue(70);
    let ask = |path: &str| {
        let request = Request::builder().uri(path.to_owned()).header("user-agent", "test");
        server.send(request.header("authorization", format!("token {token}")).body(Body::empty()).unwrap())
    };
    assert_eq!(ask("/repos/acme/web").await.2["full_name"], "acme/web");
}
