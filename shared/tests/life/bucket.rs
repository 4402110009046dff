//! The store is a bucket that hangs, answers late, refuses, or loses its answers.

use crate::stage::{TIME, event, now, prepared, sum, undisturbed};
use jiff::SignedDuration;
use sandbox::{Clock, Fault, Options, Rule, Sandbox, Seed};
use shared::testing::{Journal, Points, Reply, Sink, StandIn, at};
use shared::{Env, Life, Report};
use std::time::{Duration, Instant};

struct Stage {
    sandbox: Sandbox,
    sink: Sink,
    life: Life,
    collector: StandIn<0>,
}

impl Stage {
    async fn new() -> Self {
        let seed = Seed { number: 1, size: 0, epoch: at("2026-01-08T12:00:00Z") };
        let sandbox = Sandbox::start(Options::new(seed, Clock::at(now(0)))).await.unwrap();
        sandbox.buckets().make("state");
        let sink = Sink::start().await;
        let env = Env::of([
            ("DATADOG_URL", sink.url()),
            ("DD_API_KEY", "k3y"),
            ("DD_ENV", "test"),
            ("STATE_BUCKET", "state"),
            ("S3_URL", sandbox.url("s3")),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
        ]);
        let (life, collector) = prepared::<0>(&env).await;
        Self { sandbox, sink, life, collector }
    }

    async fn run_within(&self, slot: i32, time: Duration) -> Report {
        self.life.run(&self.collector, &event(slot, SignedDuration::ZERO), time).await.unwrap()
    }

    async fn run(&self, slot: i32) -> Report {
        self.run_within(slot, TIME).await
    }
}

/// Everything that was observed, whenever it was told.
fn observed(points: &Points) -> Vec<String> {
    let mut all: Vec<String> = points.observed.values().flatten().cloned().collect();
    all.sort();
    all
}

#[tokio::test]
async fn a_write_that_succeeded_and_whose_answer_was_lost_loses_no_observation() {
    let expected = undisturbed(3).await;
    for times in [1, 2] {
        let stage = Stage::new().await;
        stage.run(0).await;
        // The SDK tries again, and meets its own write: 412.
        let rule = Rule::new(Fault::CutAfter).method("PUT").containing("cursors/").times(times);
        stage.sandbox.faults().inject("s3", rule);
        let report = stage.run(1).await;
        assert!(report.is_up() && report.failure().is_none());
        stage.sandbox.faults().clear();
        stage.run(2).await;
        assert_eq!(stage.sink.points().told(), expected);
    }
}

#[tokio::test]
async fn calls_at_the_bucket_are_counted_like_those_of_any_upstream() {
    let stage = Stage::new().await;
    let report = stage.run(0).await;
    let calls = report.samples.iter().find(|sample| sample.to_string().starts_with("collector.api_calls{upstream:s3}"));
    assert!(calls.unwrap().value().unwrap() >= 8.0);
    assert_eq!(report.calls, 0, "it is no upstream of the collector's");
    stage.sandbox.faults().inject("s3", Rule::new(Fault::status(403)).method("PUT"));
    let report = stage.run(1).await;
    assert!(sum(&report, "collector.api_errors") > 0.0);
}

#[tokio::test]
async fn a_bucket_that_fails_answers_late_or_hangs_costs_no_point() {
    let late = Duration::from_secs(7);
    for fault in [Fault::status(503), Fault::status(403), Fault::Latency(late), Fault::Hang] {
        let stage = Stage::new().await;
        stage.run(0).await;
        stage.sandbox.faults().inject("s3", Rule::new(fault.clone()));
        let (started, journal, time) = (Instant::now(), Journal::keep(), Duration::from_secs(12));
        let report = stage.run_within(1, time).await;
        // Lambda would have ended it.
        assert!(started.elapsed() < time, "{fault:?}: {:?}", started.elapsed());
        assert!(report.shares.iter().all(|share| share.findings.gaps.contains_key("store")), "{fault:?}");
        assert!(report.deliveries.as_ref().unwrap().accepted > 0 && report.failure().is_none(), "{fault:?}");
        let points = stage.sink.points();
        let second = Some(now(1).as_second());
        assert!(points.sum("standin.things", second) > 0.0 && points.sum("collector.build", second) > 0.0, "{fault:?}");
        assert!(journal.text().contains("\"message\":\"run\""), "{fault:?}");
        // What ended meanwhile is observed when the store is there again.
        stage.sandbox.faults().clear();
        stage.run(2).await;
        assert_eq!(observed(&stage.sink.points()), observed(&undisturbed(3).await), "{fault:?}");
    }
}

#[tokio::test]
async fn observations_are_sent_once_although_the_bucket_fails_in_the_middle_of_runs() {
    let expected = observed(&undisturbed(4).await);
    for (method, part) in [("GET", "list-type"), ("PUT", "cursors/zero/north%252F1")] {
        let stage = Stage::new().await;
        stage.run(0).await;
        stage.sandbox.faults().inject("s3", Rule::new(Fault::status(503)).method(method).containing(part));
        for slot in 1..3 {
            let report = stage.run(slot).await;
            assert!(!report.is_up() && report.failure().is_none(), "{method} {part}");
        }
        assert!(stage.sandbox.faults().strikes("s3")[0] >= 2, "{method} {part}");
        assert_eq!(observed(&stage.sink.points()), Vec::<String>::new(), "{method} {part}");
        stage.sandbox.faults().clear();
        stage.run(3).await;
        assert_eq!(observed(&stage.sink.points()), expected, "{method} {part}");
    }
}

#[tokio::test]
async fn what_is_too_old_is_given_up_within_the_time_of_the_spool_and_costs_the_run_nothing() {
    let stage = Stage::new().await;
    stage.run(0).await;
    for number in 0..300 {
        let key = format!("spool/zero/all/{:011}-{number:016x}", now(-9).as_second());
        stage.life.store().put(&key, b"{broken".to_vec()).await.unwrap();
    }
    let waiting = || stage.sandbox.buckets().keys("state").iter().filter(|key| key.starts_with("spool/")).count();
    // Moving them all would take twice as long as the run has.
    stage.sandbox.faults().base_latency("s3", Duration::from_millis(150));
    let report = stage.run_within(1, Duration::from_secs(12)).await;
    let outcome = report.deliveries.as_ref().unwrap();
    assert!(outcome.lost == 0 && outcome.spooled == 0 && report.is_up(), "{outcome:?}");
    let mut left = waiting();
    assert!(left > 0 && outcome.expired == 300 - left, "{left} of 300 are left: {outcome:?}");
    stage.sandbox.faults().base_latency("s3", Duration::ZERO);
    let mut slot = 2;
    while left > 0 {
        let expired = stage.run(slot).await.deliveries.unwrap().expired;
        assert!(expired > 0 && expired == left - waiting(), "{expired} of {left} in slot {slot}");
        (left, slot) = (waiting(), slot + 1);
    }
}

#[tokio::test]
async fn a_bucket_that_is_well_is_not_taken_for_a_failed_one_where_our_own_time_is_over() {
    let stage = Stage::new().await;
    stage.run(0).await;
    stage.sandbox.faults().base_latency("s3", Duration::from_millis(20));
    stage.sink.answer(Some(Reply::Hang));
    // The run asks until the end of its time for that, and Datadog takes the rest.
    let report = stage.run_within(1, Duration::from_secs(6)).await;
    let outcome = report.deliveries.as_ref().unwrap();
    assert!(outcome.lost == 0 && outcome.spooled > 0, "{outcome:?}");
    assert!(report.failure().is_none());
}

#[tokio::test]
async fn where_both_the_bucket_and_datadog_hang_the_log_says_what_was_lost() {
    let stage = Stage::new().await;
    stage.run(0).await;
    stage.sandbox.faults().inject("s3", Rule::new(Fault::Hang));
    stage.sink.answer(Some(Reply::Hang));
    let (started, journal) = (Instant::now(), Journal::keep());
    let report = stage.run_within(1, Duration::from_secs(12)).await;
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
    assert!(report.deliveries.as_ref().unwrap().lost > 0 && report.failure().is_some());
    let text = journal.text();
    assert!(text.contains("points are lost") && text.contains("\"message\":\"run\""), "{text}");
}

#[tokio::test]
async fn neither_logs_nor_gaps_name_an_account_or_a_role() {
    let stage = Stage::new().await;
    let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>User: \
        arn:aws:sts::123456789012:assumed-role/vitals/ada is not authorized to perform: s3:GetObject</Message></Error>";
    let journal = Journal::keep();
    stage.sandbox.faults().inject("s3", Rule::new(Fault::answer(403, &[("content-type", "application/xml")], body)));
    let report = stage.run(0).await;
    let gap = &report.shares[0].findings.gaps["store"];
    assert!(gap.contains("403 AccessDenied"), "{gap}");
    for text in [gap.clone(), journal.text()] {
        assert!(!text.contains("123456789012") && !text.contains("assumed-role"), "{text}");
    }
}
