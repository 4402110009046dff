//! The pretend Datadog as its clients see it: query.

use super::*;

/// Two repositories on the grid, a count, and the hours that things took.
async fn told() -> Stage {
    let stage = Stage::new();
    let points = |values: [f64; 3]| {
        let point = |(index, value): (i64, f64)| json!({"timestamp": NOW - 1800 + 900 * index, "value": value});
        (0..).zip(values).map(point).collect::<Vec<_>>()
    };
    let count = |repo: &str, values| json!({"metric": "merged", "type": 1, "interval": 900, "tags": [format!("repo:{repo}"), "env:prod"], "points": points(values)});
    let level = |repo: &str, values| json!({"metric": "open", "type": 3, "unit": "item", "tags": [format!("repo:{repo}"), "env:prod"], "points": points(values)});
    stage.take(json!([level("web", [4.0, 6.0, 8.0]), level("api", [1.0, 2.0, 3.0])])).await;
    stage.take(json!([count("web", [2.0, 0.0, 4.0]), count("api", [1.0, 1.0, 1.0])])).await;
    stage.take(json!([gauge("lonely", &["env:prod"], NOW - 900, 5.0)])).await;
    let hours: Vec<f64> = (0..100).map(f64::from).collect();
    stage
        .observe(
            json!([{"metric": "took", "tags": ["repo:web"], "points": [[NOW - 900, hours[..60]], [NOW, hours[60..]]]}]),
        )
        .await;
    stage
}

async fn v1(stage: &Stage, query: &str) -> (StatusCode, Value) {
    let query = query.replace('+', "%2B").replace(' ', "+");
    stage.get(&format!("/api/v1/query?from={}&to={}&query={query}", NOW - 1800, NOW + 1)).await
}

/// The values of a query with 15-minute buckets, one list for each group.
async fn values(stage: &Stage, query: &str) -> Value {
    let (status, answer) = v1(stage, query).await;
    assert_eq!(status, StatusCode::OK, "{query}: {answer}");
    let points =
        |series: &Value| series["pointlist"].as_array().unwrap().iter().map(|point| point[1].clone()).collect();
    answer["series"].as_array().unwrap().iter().map(|series| Value::Array(points(series))).collect()
}

#[tokio::test]
async fn queries_choose_group_and_combine_series() {
    let stage = told().await;
    for (query, expected) in [
        ("avg:open{*}.rollup(avg,900)", json!([[2.5, 4.0, 5.5]])),
        ("sum:open{*}.rollup(avg,900)", json!([[5.0, 8.0, 11.0]])),
        ("min:open{*}.rollup(avg,900)", json!([[1.0, 2.0, 3.0]])),
        ("max:open{*}.rollup(avg,900)", json!([[4.0, 6.0, 8.0]])),
        ("count:open{*}.rollup(avg,900)", json!([[2.0, 2.0, 2.0]])),
        ("avg:open{repo:web}.rollup(avg,900)", json!([[4.0, 6.0, 8.0]])),
        ("avg:open{!repo:web}.rollup(avg,900)", json!([[1.0, 2.0, 3.0]])),
        ("avg:open{repo:w*}.rollup(avg,900)", json!([[4.0, 6.0, 8.0]])),
        ("avg:open{repo IN (api,none)}.rollup(avg,900)", json!([[1.0, 2.0, 3.0]])),
        ("avg:open{env:prod AND NOT repo:api}.rollup(avg,900)", json!([[4.0, 6.0, 8.0]])),
        ("avg:open{env:dev}.rollup(avg,900)", json!([])),
        ("avg:open{*} by {repo}.rollup(avg,900)", json!([[1.0, 2.0, 3.0], [4.0, 6.0, 8.0]])),
        ("avg:open{*}.rollup(max,1800)", json!([[4.0, 5.5]])),
        ("sum:open{*}.rollup(sum,3600)", json!([[13.0, 11.0]])),
        ("sum:open{*}.as_count().rollup(avg,900)", json!([[5.0, 8.0, 11.0]])),
        ("sum:merged{*}.as_count().rollup(sum,900)", json!([[3.0, 1.0, 5.0]])),
        ("sum:merged{repo:web}.as_rate().rollup(sum,900)", json!([[2.0 / 900.0, 0.0, 4.0 / 900.0]])),
        ("avg:open{*}.rollup(avg,900) - avg:open{repo:api}.rollup(avg,900)", json!([[1.5, 2.0, 2.5]])),
        (
            "100 * sum:open{*} by {repo}.rollup(avg,900) / sum:open{*}.rollup(avg,900)",
            json!([[20.0, 25.0, 300.0 / 11.0], [80.0, 75.0, 800.0 / 11.0]]),
        ),
        ("avg:lonely{*}.rollup(avg,900)", json!([[5.0]])),
        ("default_zero(avg:lonely{*}.rollup(avg,900))", json!([[0.0, 5.0, 0.0]])),
        ("default_zero(avg:absent{*})", json!([])),
        ("avg:open{repo:api}.rollup(avg,900),avg:lonely{*}", json!([[1.0, 2.0, 3.0], [5.0]])),
    ] {
        assert_eq!(values(&stage, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn distributions_answer_percentiles_and_overshadow_points_of_their_name() {
    let stage = told().await;
    for (query, expected) in [
        ("p50:took{*}.rollup(avg,7200)", json!([[29.0, 79.0]])),
        ("p95:took{*}.rollup(avg,900)", json!([[56.0, 97.0]])),
        ("p99:took{*} by {repo}.rollup(avg,900)", json!([[58.0, 98.0]])),
        ("avg:took{*}.rollup(avg,900)", json!([[29.5, 79.5]])),
        ("count:took{*}.rollup(avg,900)", json!([[60.0, 40.0]])),
        ("max:took{*}.rollup(avg,900)", json!([[59.0, 99.0]])),
    ] {
        assert_eq!(values(&stage, query).await, expected, "{query}");
    }
    stage.take(json!([gauge("took", &["repo:web"], NOW, 7.0)])).await;
    assert_eq!(values(&stage, "max:took{*}.rollup(avg,900)").await, json!([[59.0, 99.0]]));
    let (status, answer) = v1(&stage, "p95:open{*}").await;
    assert_eq!(
        (status, &answer["errors"][0]),
        (StatusCode::BAD_REQUEST, &json!("p95 of open, which is no distribution"))
    );
}

#[tokio::test]
async fn the_first_version_says_all_that_its_description_names() {
    let stage = told().await;
    let (status, answer) = v1(&stage, "avg:open{env:prod} by {repo}.rollup(avg,900)").await;
    assert_eq!(status, StatusCode::OK);
    let milliseconds = |ts: i64| json!(ts * 1000);
    assert_eq!((&answer["from_date"], &answer["to_date"]), (&milliseconds(NOW - 1800), &milliseconds(NOW + 1)));
    assert_eq!((&answer["status"], &answer["group_by"]), (&json!("ok"), &json!(["repo"])));
    let mut series = answer["series"][1].clone();
    let unit = series["unit"].take();
    assert_eq!((&unit[0]["name"], &unit[1]), (&json!("item"), &json!(null)));
    let expected = json!({
        "metric": "open", "display_name": "open", "aggr": "avg", "query_index": 0, "interval": 900, "length": 3,
        "scope": "env:prod,repo:web", "tag_set": ["repo:web"], "expression": "avg:open{env:prod,repo:web}",
        "start": (NOW - 1800) * 1000, "end": (NOW + 900) * 1000 - 1000, "unit": null,
        "pointlist": [[1_767_871_800_000.0, 4.0], [1_767_872_700_000.0, 6.0], [1_767_873_600_000.0, 8.0]],
    });
    assert_eq!(series, expected);
    for (query, reason) in [
        ("from=1&to=2", "The parameter 'query' is required"),
        ("from=2&to=1&query=a{*}", "'from' must be before 'to'"),
        ("to=1&query=a{*}", "The parameter 'from' is required and a Unix time in seconds"),
        ("from=1&to=2&query=top(a{*})", "Error parsing query: unknown function `top`"),
        ("from=1&to=2&query=a", "no query is called `a`"),
    ] {
        let (status, answer) = stage.get(&format!("/api/v1/query?{query}")).await;
        assert_eq!((status, &answer["errors"][0]), (StatusCode::BAD_REQUEST, &json!(reason)), "{query}");
    }
}

fn request(kind: &str, queries: &Value, formulas: &Value) -> Value {
    let mut attributes =
        json!({"from": (NOW - 1800) * 1000, "to": (NOW + 1) * 1000, "queries": queries, "formulas": formulas});
    if kind == "timeseries" {
        attributes["interval"] = json!(900_000);
    }
    json!({"data": {"type": format!("{kind}_request"), "attributes": attributes}})
}

#[tokio::test]
async fn time_series_of_formulas_share_their_times() {
    let stage = told().await;
    let queries = json!([
        {"data_source": "metrics", "name": "a", "query": "sum:open{*} by {repo}"},
        {"data_source": "metrics", "name": "b", "query": "avg:lonely{*}"},
    ]);
    let formulas = json!([{"formula": "a * 2"}, {"formula": "b"}]);
    let (status, answer) = stage.post("/api/v2/query/timeseries", &request("timeseries", &queries, &formulas)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["data"]["type"], "timeseries_response");
    let attributes = &answer["data"]["attributes"];
    assert_eq!(attributes["times"], json!([(NOW - 1800) * 1000, (NOW - 900) * 1000, NOW * 1000]));
    assert_eq!(attributes["values"], json!([[2.0, 4.0, 6.0], [8.0, 12.0, 16.0], [null, 5.0, null]]));
    let tags: Vec<&Value> =
        attributes["series"].as_array().unwrap().iter().map(|series| &series["group_tags"]).collect();
    assert_eq!(tags, [&json!(["repo:api"]), &json!(["repo:web"]), &json!([])]);
    assert_eq!((&attributes["series"][2]["query_index"], &attributes["series"][2]["unit"]), (&json!(1), &json!(null)));
    // Without formulas, each query is one; without names, they are letters.
    let queries = json!([{"data_source": "metrics", "query": "avg:lonely{*}"}, {"data_source": "metrics", "query": "max:open{*}"}]);
    let (_, answer) = stage.post("/api/v2/query/timeseries", &request("timeseries", &queries, &json!([]))).await;
    assert_eq!(answer["data"]["attributes"]["values"], json!([[null, 5.0, null], [4.0, 6.0, 8.0]]));
    let (_, answer) =
        stage.post("/api/v2/query/timeseries", &request("timeseries", &queries, &json!([{"formula": "a + b"}]))).await;
    assert_eq!(answer["data"]["attributes"]["values"], json!([[11.0]]));
}

#[tokio::test]
async fn scalars_reduce_each_query_and_then_compute() {
    let stage = told().await;
    for (aggregator, query, expected) in [
        ("avg", "sum:open{repo:web}", json!([6.0])),
        ("mean", "sum:open{repo:web}", json!([6.0])),
        ("min", "sum:open{repo:web}", json!([4.0])),
        ("max", "sum:open{repo:web}", json!([8.0])),
        ("sum", "sum:open{repo:web}", json!([18.0])),
        ("last", "sum:open{repo:web}", json!([8.0])),
        ("last", "sum:open{*} by {repo}", json!([3.0, 8.0])),
        ("area", "sum:open{repo:web}.rollup(avg,900)", json!([16200.0])),
        ("l2norm", "sum:open{repo:api}", json!([14f64.sqrt()])),
        ("percentile", "p95:took{*}", json!([94.0])),
        ("sum", "sum:merged{*}.as_count()", json!([9.0])),
        ("last", "avg:absent{*}", json!([])),
    ] {
        let queries = json!([{"data_source": "metrics", "name": "a", "query": query, "aggregator": aggregator}]);
        let (status, answer) =
            stage.post("/api/v2/query/scalar", &request("scalar", &queries, &json!([{"formula": "a"}]))).await;
        assert_eq!(status, StatusCode::OK, "{aggregator} {query}: {answer}");
        let columns = answer["data"]["attributes"]["columns"].as_array().unwrap().clone();
        assert_eq!(columns.last().unwrap()["values"], expected, "{aggregator} {query}");
    }
}

#[tokio::test]
async fn scalar_columns_are_groups_then_numbers_in_rows_that_fit() {
    let stage = told().await;
    let query =
        |name: &str, query: &str| json!({"data_source": "metrics", "name": name, "query": query, "aggregator": "last"});
    let queries = json!([query("a", "avg:open{*} by {repo}"), query("b", "sum:open{repo:web} by {repo}")]);
    let formulas = json!([{"formula": "a"}, {"formula": "b / 4"}]);
    let (_, answer) = stage.post("/api/v2/query/scalar", &request("scalar", &queries, &formulas)).await;
    let mut columns = answer["data"]["attributes"]["columns"].clone();
    for column in [1, 2] {
        let unit = columns[column]["meta"]["unit"].take();
        assert_eq!((&unit[0]["plural"], &unit[1]), (&json!("items"), &json!(null)));
    }
    let expected = json!([
        {"name": "repo", "type": "group", "values": [["api"], ["web"]]},
        {"name": "a", "type": "number", "values": [3.0, 8.0], "meta": {"unit": null}},
        {"name": "b / 4", "type": "number", "values": [null, 2.0], "meta": {"unit": null}},
    ]);
    assert_eq!(columns, expected);
    for (order, expected) in [("desc", json!([8.0])), ("asc", json!([3.0]))] {
        let formulas = json!([{"formula": "a", "limit": {"count": 1, "order": order}}]);
        let (_, answer) = stage.post("/api/v2/query/scalar", &request("scalar", &queries, &formulas)).await;
        assert_eq!(answer["data"]["attributes"]["columns"][1]["values"], expected);
    }
}

#[tokio::test]
async fn questions_that_cannot_be_answered_are_refused_with_a_reason() {
    let stage = told().await;
    let query = |query: &str, aggregator: Option<&str>| {
        let mut value = json!({"data_source": "metrics", "name": "a", "query": query});
        if let Some(aggregator) = aggregator {
            value["aggregator"] = json!(aggregator);
        }
        json!([value])
    };
    for (kind, queries, formula, reason) in [
        ("timeseries", query("avg:open{*}.fill(last)", None), "a", "unknown function `fill`"),
        ("timeseries", query("avg:open{*}", None), "b", "no query is called `b`"),
        ("timeseries", query("a", None), "a", "no query is called `a`"),
        ("timeseries", query("avg:open{*}", None), "forecast(a)", "unknown function `forecast`"),
        (
            "timeseries",
            json!([{"data_source": "logs", "query": "x"}]),
            "a",
            "queries.data_source: logs is not served here",
        ),
        ("timeseries", json!([{"data_source": "metrics"}]), "a", "queries.query: missing required field"),
        ("scalar", query("avg:open{*}", None), "a", "queries.aggregator: missing required field"),
        ("scalar", query("avg:open{*}", Some("median")), "a", "queries.aggregator: unknown aggregator `median`"),
        (
            "scalar",
            query("avg:open{*}", Some("percentile")),
            "a",
            "queries.aggregator: percentile wants a query of a percentile, such as p95",
        ),
        (
            "scalar",
            query("avg:open{*}", Some("avg")),
            "avg:open{*}",
            "a formula names queries and does not write them out",
        ),
    ] {
        let asked = request(kind, &queries, &json!([{"formula": formula}]));
        let (status, answer) = stage.post(&format!("/api/v2/query/{kind}"), &asked).await;
        assert_eq!((status, &answer["errors"][0]), (StatusCode::BAD_REQUEST, &json!(reason)), "{kind} {formula}");
    }
    let (status, _) = stage
        .post("/api/v2/query/scalar", &request("timeseries", &query("avg:open{*}", Some("avg")), &json!([])))
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_series_without_the_key_is_in_a_group_of_its_own_and_one_with_two_values_in_both() {
    let stage = Stage::new();
    stage.take(json!([gauge("m", &["label:a", "label:b"], NOW, 1.0), gauge("m", &["x:1"], NOW, 2.0)])).await;
    let (_, answer) =
        stage.get(&format!("/api/v1/query?from={}&to={}&query=sum:m{{*}}by{{label}}", NOW - 60, NOW + 60)).await;
    let found: Vec<(&Value, &Value)> = answer["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|series| (&series["tag_set"], &series["pointlist"][0][1]))
        .collect();
    let expected =
        [(json!(["label:N/A"]), json!(2.0)), (json!(["label:a"]), json!(1.0)), (json!(["label:b"]), json!(1.0))];
    assert_eq!(found, expected.iter().map(|(tags, value)| (tags, value)).collect::<Vec<_>>());
}
