//! The pretend Datadog as its clients see it: intake.

use super::*;
use crate::datadog::{Intaken, body};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use jiff::SignedDuration;
use std::io::Write;

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

async fn encoded(stage: &Stage, path: &str, encoding: &str, body: Vec<u8>) -> StatusCode {
    let request = Request::post(path).header("dd-api-key", "api").header("content-encoding", encoding);
    stage.send(request, body).await.0
}

#[tokio::test]
async fn each_endpoint_takes_the_encodings_it_documents() {
    let stage = Stage::new();
    let series = json!({"series": [gauge("a", &[], NOW, 1.0)]}).to_string().into_bytes();
    let observed = json!({"series": [{"metric": "d", "points": [[NOW, [1.0]]]}]}).to_string().into_bytes();
    let pack = |encoding: &str, plain: &[u8]| match encoding {
        "gzip" => gzip(plain),
        "deflate" => deflate(plain),
        "zstd" | "zstd1" => zstd::encode_all(plain, 1).unwrap(),
        _ => plain.to_vec(),
    };
    for (encoding, first, second) in [
        ("", 202, 202),
        ("identity", 202, 202),
        ("deflate", 202, 202),
        ("gzip", 202, 400),
        ("zstd", 202, 400),
        ("zstd1", 202, 400),
        ("br", 400, 400),
    ] {
        let status = encoded(&stage, SERIES, encoding, pack(encoding, &series)).await;
        assert_eq!(status.as_u16(), first, "series, {encoding}");
        let status = encoded(&stage, DISTRIBUTIONS, encoding, pack(encoding, &observed)).await;
        assert_eq!(status.as_u16(), second, "distributions, {encoding}");
    }
    for encoding in ["gzip", "deflate", "zstd"] {
        assert_eq!(encoded(&stage, SERIES, encoding, series.clone()).await.as_u16(), 400, "unpacked as {encoding}");
        let mut cut = pack(encoding, &series);
        cut.truncate(cut.len() - 5);
        assert_eq!(encoded(&stage, SERIES, encoding, cut).await.as_u16(), 400, "cut {encoding}");
    }
    assert_eq!(stage.lines().iter().filter(|line| line.starts_with("a{")).count(), 1);
}

#[tokio::test]
async fn a_body_is_bounded_as_sent_and_as_unpacked() {
    let stage = Stage::new();
    let of_size = |size: usize| {
        let mut body = json!({"series": [gauge("a", &[], NOW, 1.0)]}).to_string().into_bytes();
        body.resize(size, b' ');
        body
    };
    for (size, status) in [(body::SENT, 202), (body::SENT + 1, 413), (3_000_000, 413)] {
        assert_eq!(encoded(&stage, SERIES, "identity", of_size(size)).await.as_u16(), status, "{size} as sent");
    }
    for (size, status) in [(body::UNPACKED, 202), (body::UNPACKED + 1, 413), (12_000_000, 413)] {
        assert_eq!(encoded(&stage, SERIES, "gzip", gzip(&of_size(size))).await.as_u16(), status, "{size} unpacked");
        let packed = zstd::encode_all(of_size(size).as_slice(), 1).unwrap();
        assert_eq!(encoded(&stage, SERIES, "zstd", packed).await.as_u16(), status, "{size} unpacked");
    }
    let found = stage.store.requests().unwrap();
    let Intaken { path, encoding, bytes, unpacked, series, status } = found[0].clone();
    assert_eq!((path.as_str(), encoding.as_str()), (SERIES, "identity"));
    assert_eq!((bytes, unpacked, series, status), (body::SENT, body::SENT, 1, 202));
    assert_eq!(found.iter().filter(|request| request.status == 413).count(), 6);
}

/// A copy with another value at this place, or without the place.
fn changed(value: &Value, place: &str, new: Option<Value>) -> Value {
    let mut value = value.clone();
    let (parent, key) = place.rsplit_once('/').unwrap();
    match (value.pointer_mut(parent).unwrap(), new) {
        (Value::Object(map), Some(new)) => drop(map.insert(key.to_owned(), new)),
        (Value::Object(map), None) => drop(map.remove(key)),
        (Value::Array(list), Some(new)) => list[key.parse::<usize>().unwrap()] = new,
        (other, new) => panic!("{other} {new:?}"),
    }
    value
}

#[tokio::test]
async fn series_are_refused_where_they_differ_from_the_description() {
    let stage = Stage::new();
    let good = json!({"series": [gauge("test.level", &["repo:acme/web"], NOW, 1.5)]});
    for (place, new, wanted) in [
        ("/series", None, 400),
        ("/series", Some(json!(null)), 400),
        ("/series", Some(json!({})), 400),
        ("/series/0", Some(json!([])), 400),
        ("/series/0/metric", None, 400),
        ("/series/0/metric", Some(json!(7)), 400),
        ("/series/0/points", None, 400),
        ("/series/0/points", Some(json!({})), 400),
        ("/series/0/points/0", Some(json!([NOW, 1.5])), 400),
        ("/series/0/points/0/value", Some(json!("1.5")), 400),
        ("/series/0/points/0/value", Some(json!(null)), 400),
        ("/series/0/points/0/timestamp", Some(json!(1.5)), 400),
        ("/series/0/points/0/timestamp", Some(json!("now")), 400),
        ("/series/0/type", Some(json!("gauge")), 400),
        ("/series/0/type", Some(json!(4)), 400),
        ("/series/0/type", Some(json!(-1)), 400),
        ("/series/0/type", Some(json!(null)), 400),
        ("/series/0/tags", Some(json!("repo:acme/web")), 400),
        ("/series/0/tags", Some(json!([7])), 400),
        ("/series/0/interval", Some(json!("900")), 400),
        ("/series/0/unit", Some(json!(7)), 400),
        ("/series/0/resources", Some(json!("host")), 400),
        ("/series/0/resources", Some(json!([{"name": 7, "type": "host"}])), 400),
        ("/series/0/source_type_name", Some(json!(7)), 400),
        ("/series/0/metadata", Some(json!({"origin": {"product": 1001}})), 400),
        ("/series/0/metadata", Some(json!({"origin": {"product": "x"}})), 400),
        ("/series/0/metadata", Some(json!({"origin": {"product": 12, "service": 3}})), 202),
        ("/series/0/type", None, 202),
        ("/series/0/tags", None, 202),
        ("/series/0/shoe_size", Some(json!(44)), 202),
        ("/series/0/interval", Some(json!(900)), 202),
        ("/series/0/points", Some(json!([])), 202),
        ("/series", Some(json!([])), 202),
    ] {
        let (status, answer) = stage.post(SERIES, &changed(&good, place, new.clone())).await;
        assert_eq!(status.as_u16(), wanted, "{place} {new:?}: {answer}");
        assert_eq!(answer["errors"].as_array().unwrap().len(), usize::from(wanted == 400));
    }
    for text in ["", "{", "[]", "null", r#"{"series":[{"metric":"a","points":[{"timestamp":1,"value":NaN}]}]}"#] {
        assert_eq!(stage.ask("POST", SERIES, text).await.0, StatusCode::BAD_REQUEST, "{text}");
    }
}

#[tokio::test]
async fn observations_are_refused_where_they_differ_from_the_description() {
    let stage = Stage::new();
    let good = json!({"series": [{"metric": "test.hours", "points": [[NOW, [1.5, 2.0]]], "tags": ["a:b"]}]});
    for (place, new, wanted) in [
        ("/series", None, 400),
        ("/series/0/metric", None, 400),
        ("/series/0/points", None, 400),
        ("/series/0/points/0", Some(json!([NOW])), 400),
        ("/series/0/points/0", Some(json!([NOW, [1.5], [2.5]])), 400),
        ("/series/0/points/0", Some(json!({"timestamp": NOW, "value": 1})), 400),
        ("/series/0/points/0/0", Some(json!("now")), 400),
        ("/series/0/points/0/1", Some(json!(1.5)), 400),
        ("/series/0/points/0/1", Some(json!(["1.5"])), 400),
        ("/series/0/points/0/1", Some(json!([null])), 400),
        ("/series/0/type", Some(json!("gauge")), 400),
        ("/series/0/host", Some(json!(7)), 400),
        ("/series/0/type", Some(json!("distribution")), 202),
        ("/series/0/host", Some(json!("web-1")), 202),
    ] {
        let (status, answer) = stage.post(DISTRIBUTIONS, &changed(&good, place, new.clone())).await;
        assert_eq!(status.as_u16(), wanted, "{place} {new:?}: {answer}");
    }
    assert_eq!(stage.store.latest("test.hours", &["host:web-1"]).unwrap(), Some((NOW, 2.0)));
}

#[tokio::test]
async fn a_payload_with_one_bad_series_stores_none_of_them() {
    let stage = Stage::new();
    let bad = json!({"metric": "b", "points": [{"timestamp": NOW, "value": "x"}]});
    let (status, answer) = stage.post(SERIES, &json!({"series": [gauge("a", &[], NOW, 1.0), bad]})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(answer["errors"][0], "Invalid payload: series[1]: points.value: expected a number");
    assert_eq!(stage.lines(), Vec::<String>::new());
}

#[tokio::test]
async fn the_last_value_of_a_second_stays_and_observations_add_up() {
    let stage = Stage::new();
    let count =
        |value: i64| json!({"metric": "c", "type": 1, "interval": 900, "points": [{"timestamp": NOW, "value": value}]});
    stage.take(json!([gauge("a", &["x:1"], NOW, 1.0), gauge("a", &["x:1"], NOW, 2.0), count(3), count(4)])).await;
    stage.take(json!([gauge("a", &["X:1", "x:1"], NOW, 5.0)])).await;
    for _ in 0..2 {
        stage.observe(json!([{"metric": "d", "points": [[NOW, [1.0, 2.0]]]}])).await;
    }
    let last = [format!("a{{x:1}} {NOW} 5"), format!("c{{}} {NOW} 4")];
    assert_eq!(stage.store.all_points(false).unwrap(), last);
    let observed = stage.store.series("d").unwrap();
    assert_eq!(observed[0].points, [(NOW, 1.0), (NOW, 2.0), (NOW, 1.0), (NOW, 2.0)]);
    assert_eq!((stage.store.count("*").unwrap(), stage.store.count("d").unwrap()), (6, 4));
}

#[tokio::test]
async fn points_outside_the_window_are_accepted_and_dropped() {
    let stage = Stage::new();
    for ts in [NOW - 3601, NOW - 3600, NOW + 600, NOW + 601] {
        stage.take(json!([gauge("a", &[], ts, 1.0)])).await;
        stage.observe(json!([{"metric": "d", "points": [[ts, [1.0, 2.0]]]}])).await;
    }
    assert_eq!((stage.store.count("a").unwrap(), stage.store.count("d").unwrap()), (2, 4));
    let drop = |metric: &str, ts: i64, reason: &str| (metric.to_owned(), Some(ts), reason.to_owned());
    let (old, new) = ((NOW - 3601, "too_old"), (NOW + 601, "too_new"));
    let expected = [("a", old), ("d", old), ("d", old), ("a", new), ("d", new), ("d", new)];
    assert_eq!(stage.drops(), expected.map(|(metric, (ts, reason))| drop(metric, ts, reason)));
    // The window moves with the clock.
    stage.clock.advance(SignedDuration::from_secs(1));
    stage.take(json!([gauge("a", &[], NOW - 3600, 2.0), gauge("a", &[], NOW + 601, 2.0)])).await;
    let points = stage.store.series("a").unwrap().remove(0).points;
    assert_eq!(points, [(NOW - 3600, 1.0), (NOW + 600, 1.0), (NOW + 601, 2.0)]);
}

#[tokio::test]
async fn points_without_time_or_value_or_a_possible_name_are_dropped() {
    let stage = Stage::new();
    stage.take(json!([{"metric": "a", "points": [{"value": 1}, {"timestamp": NOW}, {}]}])).await;
    let long = "x".repeat(201);
    stage
        .take(json!([gauge(&long, &[], NOW, 1.0), gauge("???", &[], NOW, 1.0), gauge(&long[1..], &[], NOW, 1.0)]))
        .await;
    let reasons: Vec<String> = stage.drops().into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(reasons, ["incomplete", "incomplete", "incomplete", "name", "name"]);
    assert_eq!(stage.store.count("*").unwrap(), 1);
}

#[tokio::test]
async fn names_tags_and_resources_are_stored_in_their_form() {
    let stage = Stage::new();
    let mut series = gauge("9.CI-runs._total_", &["Repo:Acme/Web", "condition:>0.5", "repo:acme/web"], NOW, 1.0);
    series["resources"] = json!([{"type": "host", "name": "Web-1"}, {"type": "host"}]);
    stage.take(json!([series])).await;
    assert_eq!(stage.lines(), [format!("CI_runs.total{{condition:_0.5,host:web-1,repo:acme/web}} {NOW} 1")]);
}

#[tokio::test]
async fn a_metrics_type_is_that_of_its_first_submission_with_one() {
    let stage = Stage::new();
    let of_type =
        |kind: i64| json!([{"metric": "m", "type": kind, "unit": "hour", "points": [{"timestamp": NOW, "value": 1}]}]);
    let kind = || stage.store.metadata("m").unwrap().unwrap().kind;
    stage.take(of_type(0)).await;
    assert_eq!(kind(), None);
    stage.take(of_type(3)).await;
    stage.take(of_type(1)).await;
    assert_eq!(kind().as_deref(), Some("gauge"));
    assert_eq!(stage.store.metadata("m").unwrap().unwrap().unit.as_deref(), Some("hour"));
    stage.observe(json!([{"metric": "m", "points": [[NOW, [7.0]]]}])).await;
    let metadata = stage.store.metadata("m").unwrap().unwrap();
    assert_eq!((metadata.kind.as_deref(), metadata.distribution), (Some("gauge"), true));
}

#[tokio::test]
async fn a_database_file_holds_what_was_sent_and_can_be_opened_again() {
    let folder = std::env::temp_dir().join(format!("sandbox-datadog-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("datadog.sqlite");
    let now = Timestamp::from_second(NOW).unwrap();
    for value in [1.0, 2.0] {
        let store = Store::open(Some(&file)).unwrap();
        let router = router(store.clone(), Clock::at(now), Keys::new("api", "app"));
        let body = json!({"series": [gauge("a", &["x:1"], NOW, value)]}).to_string();
        let request = Request::post(SERIES).header("dd-api-key", "api").body(Body::from(body)).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::ACCEPTED);
        assert_eq!(store.all_points(true).unwrap(), [format!("a{{x:1}} {NOW} {value}")]);
    }
    let other = rusqlite::Connection::open(&file).unwrap();
    let tags: String = other.query_row("select tags from series", [], |row| row.get(0)).unwrap();
    assert_eq!(tags, "x:1");
    drop(other);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test]
async fn events_are_checked_kept_and_said_back() {
    let stage = Stage::new();
    let event = json!({"title": "Deployed", "text": "web 1.2", "tags": ["Env:Prod"], "alert_type": "success"});
    let (status, answer) = stage.post("/api/v1/events", &event).await;
    assert_eq!((status, &answer["status"], &answer["event"]["id"]), (StatusCode::ACCEPTED, &json!("ok"), &json!(1)));
    let kept = stage.store.events().unwrap();
    assert_eq!((kept[0].title.as_str(), kept[0].tags.as_slice()), ("Deployed", &["env:prod".to_owned()][..]));
    assert_eq!((kept[0].happened, kept[0].priority.as_str()), (NOW, "normal"));
    for (place, new, wanted) in [
        ("/title", None, 400),
        ("/text", None, 400),
        ("/text", Some(json!("x".repeat(4001))), 400),
        ("/text", Some(json!("ä".repeat(4000))), 202),
        ("/alert_type", Some(json!("bad")), 400),
        ("/priority", Some(json!("high")), 400),
        ("/priority", Some(json!(null)), 202),
        ("/aggregation_key", Some(json!("k".repeat(101))), 400),
        ("/date_happened", Some(json!(NOW - 18 * 3600)), 202),
        ("/date_happened", Some(json!(NOW - 18 * 3600 - 1)), 400),
        ("/date_happened", Some(json!("today")), 400),
        ("/tags", Some(json!("a")), 400),
    ] {
        let (status, answer) = stage.post("/api/v1/events", &changed(&event, place, new)).await;
        assert_eq!(status.as_u16(), wanted, "{place}: {answer}");
    }
    assert_eq!(stage.store.events().unwrap().len(), 4);
}
