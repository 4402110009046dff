//! Each fault, as a client meets it.

use super::*;
use axum::Router;
use axum::routing::{get, post};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const BODY: &str = r#"{"data":{"name":"acme/web","numbers":[1,2,3,4,5,6,7,8,9,10]}}"#;

/// An upstream that counts what it really saw.
struct Stage {
    faults: Faults,
    address: SocketAddr,
    seen: Arc<Mutex<u32>>,
}

impl Stage {
    async fn new() -> Self {
        let (faults, seen) = (Faults::default(), Arc::new(Mutex::new(0)));
        let count = Arc::clone(&seen);
        let json = move || {
            *count.lock().unwrap() += 1;
            async { ([("content-type", "application/json")], BODY) }
        };
        let router = Router::new().route("/json", get(json)).route("/echo", post(async |text: String| text));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = around(router, faults.clone(), "up").into_make_service_with_connect_info::<Wire>();
        tokio::spawn(async move { axum::serve(Door(listener), service).await.unwrap() });
        Self { faults, address, seen }
    }

    /// Everything that comes back on a connection of its own, until it ends.
    async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: up\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the last byte is an end like any other.
        stream.read_to_end(&mut answer).await.unwrap_or_default();
        String::from_utf8(answer).unwrap()
    }

    async fn get(&self) -> String {
        self.ask("GET", "/json", "").await
    }

    fn seen(&self) -> u32 {
        *self.seen.lock().unwrap()
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

fn promised(answer: &str) -> usize {
    let head = answer.to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap()
}

#[tokio::test]
async fn a_rule_strikes_the_requests_it_names_and_no_others() {
    let stage = Stage::new().await;
    for (rule, struck) in [
        (Rule::new(Fault::status(503)), "1111111"),
        (Rule::new(Fault::status(503)).times(2), "1100000"),
        (Rule::new(Fault::status(503)).skip(2), "0011111"),
        (Rule::new(Fault::status(503)).skip(1).times(2), "0110000"),
        (Rule::new(Fault::status(503)).every(3), "1001001"),
        (Rule::new(Fault::status(503)).skip(1).every(2).times(2), "0101000"),
        (Rule::new(Fault::status(503)).path("/json"), "1111111"),
        (Rule::new(Fault::status(503)).path("/js?"), "0000000"),
        (Rule::new(Fault::status(503)).containing("page=2"), "1111111"),
        (Rule::new(Fault::status(503)).containing("page=3"), "0000000"),
        (Rule::new(Fault::status(503)).method("get"), "1111111"),
        (Rule::new(Fault::status(503)).method("POST"), "0000000"),
        (Rule::new(Fault::status(503)).body("pullRequests"), "0000000"),
    ] {
        stage.faults.clear();
        stage.faults.inject("up", rule.clone());
        let mut found = String::new();
        for _ in 0..7 {
            let answer = stage.ask("GET", "/json?page=2", "").await;
            found.push(if status(&answer) == "503" { '1' } else { '0' });
        }
        assert_eq!(found, struck, "{rule:?}");
        let strikes = u64::try_from(struck.matches('1').count()).unwrap();
        assert_eq!(stage.faults.strikes("up"), [strikes]);
    }
}

#[tokio::test]
async fn a_rule_can_look_into_the_body_which_the_upstream_still_gets() {
    let stage = Stage::new().await;
    stage.faults.inject("up", Rule::new(Fault::status(502)).body("pullRequests"));
    assert_eq!(status(&stage.ask("POST", "/echo", "query { pullRequests }").await), "502");
    let other = stage.ask("POST", "/echo", "query { issues }").await;
    assert_eq!((status(&other), body(&other)), ("200", "query { issues }"));
}

#[tokio::test]
async fn a_fault_of_one_upstream_does_not_touch_another_and_ends_when_cleared() {
    let stage = Stage::new().await;
    stage.faults.inject("other", Rule::new(Fault::status(500)));
    assert_eq!(status(&stage.get().await), "200");
    stage.faults.inject("up", Rule::new(Fault::status(500)));
    assert_eq!(status(&stage.get().await), "500");
    stage.faults.clear();
    assert_eq!(status(&stage.get().await), "200");
}

#[tokio::test]
async fn answers_in_the_upstreams_place_never_reach_it() {
    let stage = Stage::new().await;
    for (fault, code, header, words) in [
        (Fault::too_many(7), "429", "retry-after: 7", "Too many requests"),
        (Fault::secondary_limit(60), "403", "retry-after: 60", "You have exceeded a secondary rate limit"),
        (Fault::bad_gateway(), "502", "content-type: text/html", "<h1>502 Bad Gateway</h1>"),
        (Fault::Garbage, "200", "content-type: text/html", "<!DOCTYPE html>"),
    ] {
        stage.faults.clear();
        stage.faults.inject("up", Rule::new(fault));
        let answer = stage.get().await;
        assert_eq!(status(&answer), code);
        assert!(answer.contains(header) && body(&answer).contains(words), "{answer}");
    }
    assert_eq!(stage.seen(), 0);
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_upstream_acts() {
    let stage = Stage::new().await;
    stage.faults.inject("up", Rule::new(Fault::CutBefore).times(1));
    assert_eq!((stage.get().await.as_str(), stage.seen()), ("", 0));
    stage.faults.inject("up", Rule::new(Fault::CutAfter).times(1));
    assert_eq!((stage.get().await.as_str(), stage.seen()), ("", 1));
    assert_eq!(status(&stage.get().await), "200");
}

#[tokio::test]
async fn a_cut_body_is_shorter_than_promised_and_a_truncated_one_is_not() {
    let stage = Stage::new().await;
    for kept in [0, 10, BODY.len(), BODY.len() + 100] {
        stage.faults.clear();
        stage.faults.inject("up", Rule::new(Fault::CutBody(kept)));
        let answer = stage.get().await;
        assert_eq!(body(&answer), &BODY[..kept.min(BODY.len())]);
        assert!(promised(&answer) > body(&answer).len(), "{kept}: {answer}");
    }
    stage.faults.clear();
    stage.faults.inject("up", Rule::new(Fault::Truncated));
    let answer = stage.get().await;
    assert_eq!((body(&answer), promised(&answer)), (&BODY[..BODY.len() / 2], BODY.len() / 2));
}

#[tokio::test]
async fn a_json_answer_is_rewritten_and_another_one_is_left_alone() {
    let stage = Stage::new().await;
    let partial = |mut answer: Value| {
        answer["errors"] = serde_json::json!([{"type": "FORBIDDEN"}]);
        answer
    };
    stage.faults.inject("up", Rule::new(Fault::rewrite(partial)));
    let answer = stage.get().await;
    let value: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!((&value["data"]["name"], &value["errors"][0]["type"]), (&"acme/web".into(), &"FORBIDDEN".into()));
    assert_eq!(body(&stage.ask("POST", "/echo", "no json").await), "no json");
}

#[tokio::test]
async fn latencies_add_up_and_other_faults_still_happen() {
    let stage = Stage::new().await;
    stage.faults.base_latency("up", Duration::from_millis(60));
    stage.faults.inject("up", Rule::new(Fault::Latency(Duration::from_millis(50))));
    stage.faults.inject("up", Rule::new(Fault::status(504)));
    let start = Instant::now();
    assert_eq!(status(&stage.get().await), "504");
    assert!(start.elapsed() >= Duration::from_millis(110), "{:?}", start.elapsed());
    stage.faults.clear();
    let start = Instant::now();
    assert_eq!(status(&stage.get().await), "200");
    assert!(start.elapsed() >= Duration::from_millis(60), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_slow_body_arrives_whole_and_late() {
    let stage = Stage::new().await;
    stage.faults.inject("up", Rule::new(Fault::SlowBody(200)));
    let start = Instant::now();
    assert_eq!(body(&stage.get().await), BODY);
    let least = Duration::from_millis(u64::try_from(BODY.len()).unwrap() * 1000 / 200);
    assert!(start.elapsed() >= least, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_hanging_request_gets_no_answer_while_others_do() {
    let stage = Stage::new().await;
    stage.faults.inject("up", Rule::new(Fault::Hang).times(1));
    assert!(tokio::time::timeout(Duration::from_millis(200), stage.get()).await.is_err());
    assert_eq!(status(&stage.get().await), "200");
}

#[tokio::test]
async fn every_request_is_written_down_until_the_log_is_cleared() {
    let stage = Stage::new().await;
    stage.faults.inject("up", Rule::new(Fault::CutBefore).times(1));
    stage.ask("GET", "/json?page=1", "").await;
    stage.ask("GET", "/json?page=2", "").await;
    stage.ask("POST", "/echo", "x").await;
    let log = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    let expected = [log("GET", "/json?page=1"), log("GET", "/json?page=2"), log("POST", "/echo")];
    assert_eq!(stage.faults.requests("up"), expected);
    assert_eq!(stage.faults.counts("up"), BTreeMap::from([("/json".to_owned(), 2), ("/echo".to_owned(), 1)]));
    stage.faults.forget_requests();
    assert!(stage.faults.requests("up").is_empty());
    assert!(stage.faults.requests("another").is_empty());
}
