//! The pretend Datadog as its clients see it: catalogue.

use super::*;

const LATE: &str = "/api/v2/metrics/historical-metrics-configurations";

#[tokio::test]
async fn metadata_exist_once_the_metric_does_and_change_in_part() {
    let stage = Stage::new();
    let path = "/api/v1/metrics/github.prs.open";
    let missing = (StatusCode::NOT_FOUND, json!({"errors": ["metric_name not found"]}));
    assert_eq!(stage.get(path).await, missing);
    assert_eq!(stage.ask("PUT", path, json!({"unit": "hour"}).to_string()).await, missing);
    stage.take(json!([gauge("github.prs.open", &[], NOW, 1.0)])).await;
    assert_eq!(stage.get(path).await, (StatusCode::OK, json!({"type": "gauge"})));
    let metadata = json!({"unit": "item", "per_unit": "hour", "description": "Open.", "statsd_interval": 10});
    assert_eq!(stage.ask("PUT", path, metadata.to_string()).await.0, StatusCode::OK);
    let said = stage.ask("PUT", path, json!({"short_name": "open", "integration": "x"}).to_string()).await;
    let whole = json!({"type": "gauge", "unit": "item", "per_unit": "hour", "description": "Open.", "short_name": "open", "statsd_interval": 10});
    assert_eq!(said, (StatusCode::OK, whole.clone()));
    for wrong in
        [json!({"unit": 7}), json!({"unit": "gpu"}), json!({"unit": "hour"}), json!({"type": "set"}), json!([])]
    {
        assert_eq!(stage.ask("PUT", path, wrong.to_string()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert_eq!(stage.get(path).await.1, whole);
}

#[tokio::test]
async fn active_metrics_are_those_with_a_point_since_then() {
    let stage = Stage::new();
    stage.take(json!([gauge("a", &["env:prod"], NOW - 1800, 1.0), gauge("b", &["env:dev", "host:h"], NOW, 1.0)])).await;
    stage.observe(json!([{"metric": "d", "points": [[NOW, [1.0]]]}])).await;
    let names = async |query: &str| stage.get(&format!("/api/v1/metrics?from={query}")).await.1["metrics"].clone();
    assert_eq!(names(&format!("{}", NOW - 1800)).await, json!(["a", "b", "d"]));
    assert_eq!(names(&format!("{}", NOW - 1799)).await, json!(["b", "d"]));
    assert_eq!(names("0&tag_filter=env+IN+(prod,staging)").await, json!(["a"]));
    assert_eq!(names("0&host=h").await, json!(["b"]));
    assert_eq!(stage.get("/api/v1/metrics").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(stage.get("/api/v1/metrics?from=7").await.1["from"], "7");
}

#[tokio::test]
async fn the_list_of_metrics_comes_in_pages_and_can_be_filtered() {
    let stage = Stage::new();
    for name in ["a", "b", "c"] {
        stage.take(json!([gauge(name, &[if name == "c" { "env:dev" } else { "env:prod" }], NOW, 1.0)])).await;
    }
    stage.observe(json!([{"metric": "d", "points": [[NOW - 600, [1.0]]]}])).await;
    let list = async |query: &str| {
        let (status, answer) = stage.get(&format!("/api/v2/metrics{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query}: {answer}");
        let ids: Vec<String> =
            answer["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(""), answer["meta"]["pagination"]["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(list("").await, ("abcd".to_owned(), None));
    assert_eq!(list("?page[size]=3").await, ("abc".to_owned(), Some("c".to_owned())));
    assert_eq!(list("?page[size]=3&page[cursor]=c").await, ("d".to_owned(), None));
    assert_eq!(list("?page%5Bsize%5D=4").await, ("abcd".to_owned(), None));
    assert_eq!(list("?filter[tags]=env:prod").await.0, "ab");
    assert_eq!(list("?filter[metric_type]=distribution").await.0, "d");
    assert_eq!(list("?window[seconds]=300").await.0, "abc");
    for wrong in ["?window[seconds]=0", "?page[size]=10001", "?filter[queried]=true", "?filter[tags]=("] {
        assert_eq!(stage.get(&format!("/api/v2/metrics{wrong}")).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn old_points_are_stored_while_historical_ingestion_is_on() {
    let stage = Stage::new();
    let wanted = json!({"data": {"id": "a", "type": "historical_metrics_configurations"}});
    let (status, answer) = stage.post(LATE, &wanted).await;
    assert_eq!((status, &answer["errors"][0]["status"]), (StatusCode::NOT_FOUND, &json!("404")));
    let old = NOW - 30 * 86_400;
    stage.take(json!([gauge("a", &[], NOW, 1.0), gauge("a", &[], old, 1.0)])).await;
    assert_eq!(stage.store.count("a").unwrap(), 1);
    let path = format!("{LATE}/a");
    assert_eq!(stage.get(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(stage.post(LATE, &wanted).await.0, StatusCode::CREATED);
    assert_eq!(stage.post(LATE, &wanted).await.0, StatusCode::OK);
    let since = stage.get(&path).await.1["data"]["attributes"]["created_at"].clone();
    assert_eq!(since, "2026-01-08T12:00:00Z");
    stage.take(json!([gauge("a", &[], old, 1.0), gauge("a", &[], NOW - 500 * 86_400, 1.0)])).await;
    assert_eq!(stage.store.count("a").unwrap(), 2);
    assert_eq!(stage.ask("DELETE", &path, "").await.0, StatusCode::NO_CONTENT);
    assert_eq!(stage.ask("DELETE", &path, "").await.0, StatusCode::NO_CONTENT);
    stage.take(json!([gauge("a", &[], old + 1, 1.0)])).await;
    assert_eq!(stage.store.count("a").unwrap(), 2);
    stage.observe(json!([{"metric": "d", "points": [[NOW, [1.0]]]}])).await;
    let distribution = json!({"data": {"id": "d", "type": "historical_metrics_configurations"}});
    assert_eq!(stage.post(LATE, &distribution).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(stage.post(LATE, &json!({"data": {"id": "a", "type": "x"}})).await.0, StatusCode::BAD_REQUEST);
}
