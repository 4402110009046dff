//! Formulas against literals that were worked out by hand.

use super::*;
use crate::snapshot::{Gpus, Kept, Queue, Rules, Seen};
use shared::prices::{Price, Pricing};
use shared::testing::{at, lines};

const NOW: &str = "2026-01-08T12:00:00Z";

fn jan(text: &str) -> Timestamp {
    at(&format!("2026-01-{text}Z"))
}

fn job(id: u64, status: Status) -> Job {
    Job {
        id,
        status,
        submitted_at: Some(jan("08T06:00:00")),
        last_submitted_at: Some(jan("08T06:00:00")),
        start_at: None,
        end_at: None,
        seconds: 0.0,
        recoveries: 0,
        name: None,
        user: Some(format!("user-{id}")),
        gpus: Some(Vec::new()),
        pricing: Some(Pricing::Ondemand),
        region: Some("us-east-1".into()),
    }
}

fn running(id: u64, seconds: f64) -> Job {
    Job { start_at: Some(jan("08T07:00:00")), seconds, ..job(id, Status::Running) }
}

fn with_gpus(id: u64, kind: &str, number: f64, pricing: Option<Pricing>) -> Job {
    Job { gpus: Some(vec![Gpus { kind: kind.to_owned(), pricing, number }]), pricing, ..running(id, 60.0) }
}

fn over(id: u64, status: Status, ended: &str) -> Job {
    Job { start_at: Some(jan("08T07:00:00")), end_at: Some(at(ended)), seconds: 50.0, ..job(id, status) }
}

fn snapshot(live: Vec<Job>, ended: Vec<Job>) -> Snapshot {
    Snapshot {
        server: "prod".into(),
        rules: Rules { long_hours: 48.0, prices: BTreeMap::new() },
        source: String::new(),
        queue: Queue { live: Some(live), ended: Some(Kept::read(at(NOW), ended)), ..Queue::default() },
        clusters: None,
    }
}

/// The same with rows of the whole history.
fn with_history(history: BTreeMap<String, u64>, snapshot: Snapshot) -> Snapshot {
    let history = Some(Kept::read(at(NOW), history));
    Snapshot { queue: Queue { history, ..snapshot.queue }, ..snapshot }
}

fn all_lines(snapshot: &Snapshot) -> Vec<String> {
    lines(&all(snapshot, at(NOW))).lines().map(str::to_owned).collect()
}

/// The lines of the rows whose names begin so, without `skypilot.` and the tag of the server.
fn told(snapshot: &Snapshot, prefix: &str) -> Vec<String> {
    all_lines(snapshot)
        .into_iter()
        .filter_map(|line| line.strip_prefix("skypilot.").map(str::to_owned))
        .filter(|line| line.starts_with(prefix))
        .map(|line| {
            line.replace(",server:prod", "").replace("server:prod,", "").replace("server:prod", "").replace("{}", "")
        })
        .collect()
}

#[test]
fn a_quiet_server_is_zeros_and_no_statistics() {
    let quiet = Snapshot { clusters: Some(0), ..with_history(BTreeMap::new(), snapshot(vec![], vec![])) };
    let lines = all_lines(&quiet);
    assert!(lines.iter().all(|line| line.split('@').next().unwrap().trim_end().ends_with(" 0")), "{lines:#?}");
    for absent in ["runtime_seconds", "queue_wait", "recovery_count", "by_type", "burn_rate"] {
        assert!(!lines.iter().any(|line| line.contains(absent)), "{absent}");
    }
    assert_eq!(told(&quiet, "jobs.by_status").len(), 15);
    assert_eq!(told(&quiet, "jobs.by_region"), ["jobs.by_region{region:unknown} 0"]);
}

#[test]
fn of_an_unknown_server_nothing_is_said() {
    let known = with_history([("FAILED".to_owned(), 3)].into(), snapshot(vec![job(1, Status::Running)], vec![]));
    // What was known before is kept, and nothing is said of it.
    let unknown = Snapshot { queue: known.queue.clone().unread(), ..known };
    assert_eq!(all_lines(&unknown), Vec::<String>::new());
    let names: std::collections::BTreeSet<&str> =
        all(&unknown, at(NOW)).iter().map(|sample| sample.metric().name).collect();
    assert!(names.len() >= 36, "every row is there without a value: {}", names.len());
}

#[test]
fn groups_partition_the_statuses() {
    let live = Status::ALL.iter().zip(1..).map(|(status, id)| job(id, *status)).collect();
    let snapshot = snapshot(live, vec![]);
    assert_eq!(told(&snapshot, "jobs.queued"), ["jobs.queued 4"]);
    assert_eq!(told(&snapshot, "jobs.running"), ["jobs.running 3"]);
    assert_eq!(told(&snapshot, "users.active_count"), ["users.active_count 7"], "of open jobs alone");
    let by_status = told(&snapshot, "jobs.by_status");
    assert!(by_status.contains(&"jobs.by_status{status:winding_down} 1".to_owned()));
    assert!(by_status.contains(&"jobs.by_status{status:other} 1".to_owned()));
    assert!(by_status.contains(&"jobs.by_status{status:failed} 0".to_owned()), "an open job that failed is not over");
}

#[test]
fn failures_of_the_week_go_by_their_end() {
    let ended = vec![
        Job { submitted_at: Some(at("2025-12-29T12:00:00Z")), ..over(1, Status::Failed, "2026-01-08T11:00:00Z") },
        over(2, Status::FailedPrechecks, "2026-01-01T12:00:00Z"),
        over(3, Status::FailedSetup, "2026-01-01T11:59:59Z"),
        over(4, Status::FailedController, "2026-01-08T12:00:00Z"),
        over(5, Status::Succeeded, "2026-01-08T11:00:00Z"),
        over(6, Status::FailedNoResource, "2026-01-08T11:59:59Z"),
    ];
    let snapshot = snapshot(vec![], ended);
    assert_eq!(told(&snapshot, "jobs.failed_7d"), ["jobs.failed_7d 3"]);
    let by_status = told(&snapshot, "jobs.by_status");
    for line in ["failed} 1", "failed_prechecks} 1", "failed_setup} 0", "failed_controller} 0", "succeeded} 1"] {
        assert!(by_status.contains(&format!("jobs.by_status{{status:{line}")), "{line}");
    }
}

#[test]
fn the_history_is_the_servers_own_count_of_rows() {
    let counts = [("FAILED", 5), ("FAILED_SETUP", 2), ("FAILED_CONTROLLER", 1), ("SUCCEEDED", 40), ("RUNNING", 3)];
    let history = counts.into_iter().map(|(word, number)| (word.to_owned(), number)).collect();
    let snapshot = with_history(history, snapshot(vec![], vec![]));
    for line in [
        "skypilot.jobs.failed{server:prod} 8",
        "skypilot.jobs.succeeded{server:prod} 40",
        "skypilot.jobs.cancelled{server:prod} 0",
    ] {
        assert!(all_lines(&snapshot).contains(&line.to_owned()), "{line}");
    }
}

#[test]
fn runtimes_are_the_servers_else_counted_from_the_start() {
    const HOUR: f64 = 3600.0;
    let live = vec![
        running(1, 1.0 * HOUR),
        running(2, 3.0 * HOUR),
        running(3, 24.0 * HOUR),
        running(4, 48.0 * HOUR),
        // No duration: five hours since its start.
        running(5, 0.0),
        // Neither: left out.
        job(6, Status::Running),
        // Holds no resources any more.
        Job { seconds: 9.0, ..job(7, Status::Recovering) },
    ];
    let snapshot = snapshot(live, vec![]);
    assert_eq!(
        told(&snapshot, "jobs.runtime"),
        [
            "jobs.runtime_buckets.0_1h 0",
            "jobs.runtime_buckets.1_4h 2",
            "jobs.runtime_buckets.4_24h 1",
            "jobs.runtime_buckets.over_24h 2",
            // (1 + 3 + 5 + 24 + 48) / 5 = 16.2 hours; p90 at rank 3.6: 24 + 0.6 × 24 = 38.4; p99 at 3.96: 47.04.
            "jobs.runtime_seconds.avg 58320",
            "jobs.runtime_seconds.max 172800",
            "jobs.runtime_seconds.min 3600",
            "jobs.runtime_seconds.p50 18000",
            "jobs.runtime_seconds.p90 138240",
            "jobs.runtime_seconds.p99 169344",
        ]
    );
    assert_eq!(told(&snapshot, "jobs.long_running"), ["jobs.long_running 0"], "forty-eight hours are not over them");
    let longer = Snapshot { rules: Rules { long_hours: 23.9, ..snapshot.rules.clone() }, ..snapshot };
    assert_eq!(told(&longer, "jobs.long_running"), ["jobs.long_running 2"]);
}

#[test]
fn the_median_of_one_and_three_is_two() {
    let snapshot = snapshot(vec![running(1, 1.0), running(2, 3.0)], vec![]);
    assert_eq!(told(&snapshot, "jobs.runtime_seconds.p50"), ["jobs.runtime_seconds.p50 2"]);
}

#[test]
fn waits_are_of_queued_jobs_that_never_started() {
    let since = |id, status, time: &str| Job { submitted_at: Some(jan(time)), ..job(id, status) };
    let live = vec![
        since(1, Status::Starting, "08T11:59:00"),
        since(2, Status::Submitted, "08T11:55:00"),
        Job { submitted_at: None, ..job(3, Status::Pending) },
        Job { start_at: Some(jan("08T07:00:00")), ..since(4, Status::Recovering, "08T00:00:00") },
        since(5, Status::Running, "08T00:00:00"),
    ];
    // 60 and 300 seconds: the median is 180, the 90th percentile 60 + 0.9 × 240 = 276.
    assert_eq!(
        told(&snapshot(live, vec![]), "jobs.queue_wait"),
        ["jobs.queue_wait_seconds.p50 180", "jobs.queue_wait_seconds.p90 276"]
    );
}

#[test]
fn the_wait_of_a_pending_job_is_counted_from_when_it_was_first_seen() {
    let pending = (1..=300).map(|id| Job { submitted_at: None, ..job(id, Status::Pending) });
    let starting = (301..=302).map(|id| Job { submitted_at: Some(jan("08T11:56:00")), ..job(id, Status::Starting) });
    let mut snapshot = snapshot(pending.chain(starting).collect(), vec![]);
    // What was submitted waits since then, whenever it was seen.
    snapshot.queue.seen.open = (1..=302).map(|id| (id, jan("07T12:00:00"))).collect();
    assert_eq!(
        told(&snapshot, "jobs.queue_wait"),
        ["jobs.queue_wait_seconds.p50 86400", "jobs.queue_wait_seconds.p90 86400"]
    );
}

#[test]
fn a_job_whose_end_was_noticed_is_over_like_the_others_where_those_are_known() {
    let noticed = Job { submitted_at: None, ..job(2, Status::Cancelled) };
    let ended = vec![Job { end_at: Some(jan("08T11:50:00")), ..noticed }];
    let mut snapshot = snapshot(vec![], vec![over(1, Status::Cancelled, "2026-01-08T11:51:00Z")]);
    snapshot.queue.seen = Seen { ended, ..Seen::default() };
    let two = "jobs.by_status{status:cancelled} 2".to_owned();
    assert!(told(&snapshot, "jobs.by_status").contains(&two));
    assert!(
        told(&snapshot, "jobs.finished.new")
            .contains(&"jobs.finished.new{outcome:cancelled} 2 @ 2026-01-08T12:00:00Z".to_owned())
    );
    snapshot.queue.ended = None;
    assert_eq!((told(&snapshot, "jobs.by_status"), told(&snapshot, "jobs.finished")), (vec![], vec![]));
}

#[test]
fn the_gpus_of_a_job_may_be_of_several_kinds_and_paid_for_in_several_ways() {
    let (spot, demand) = (Some(Pricing::Spot), Some(Pricing::Ondemand));
    let of = |kind: &str, pricing, number| Gpus { kind: kind.to_owned(), pricing, number };
    let gpus = Some(vec![of("h100", demand, 16.0), of("h100", spot, 8.0), of("l4", None, 1.0)]);
    let snapshot = snapshot(vec![Job { gpus, ..running(1, 60.0) }], vec![]);
    let rows = told(&snapshot, "resources.");
    for line in [
        "gpus.total_count 25",
        "gpus.by_type{gpu_type:h100,pricing:ondemand} 16",
        "gpus.by_type{gpu_type:h100,pricing:spot} 8",
        "ondemand_jobs 1",
        "spot_jobs 0",
    ] {
        assert!(rows.contains(&format!("resources.{line}")), "{line}: {rows:#?}");
    }
}

#[test]
fn recoveries_are_those_of_open_jobs_that_had_any() {
    let of = |id, status, recoveries| Job { recoveries, ..job(id, status) };
    let live = vec![
        of(1, Status::Running, 2),
        of(2, Status::Recovering, 5),
        of(3, Status::Pending, 0),
        of(4, Status::Other, 9),
    ];
    let snapshot = snapshot(live, vec![Job { recoveries: 7, ..over(5, Status::Failed, NOW) }]);
    assert_eq!(told(&snapshot, "jobs.with_recoveries"), ["jobs.with_recoveries 2"]);
    assert_eq!(told(&snapshot, "jobs.recovery_count"), ["jobs.recovery_count.avg 3.5", "jobs.recovery_count.max 5"]);
}

#[test]
fn users_are_those_with_an_open_job_each_once() {
    let of = |id, user: Option<&str>| Job { user: user.map(str::to_owned), ..job(id, Status::Pending) };
    let live = vec![of(1, Some("a")), of(2, Some("a")), of(3, Some("b")), of(4, None)];
    let ended = vec![Job { user: Some("c".into()), ..over(5, Status::Failed, "2026-01-08T11:00:00Z") }];
    assert_eq!(told(&snapshot(live, ended), "users."), ["users.active_count 2"]);
}

#[test]
fn a_job_without_a_region_is_in_the_row_of_the_unknown_alone() {
    let of = |id, region: Option<&str>| Job { region: region.map(str::to_owned), ..running(id, 1.0) };
    let live = vec![of(1, Some("us-east-1")), of(2, Some("us-west-2")), of(3, Some("us-west-20")), of(4, None)];
    let snapshot = snapshot(live, vec![]);
    assert_eq!(told(&snapshot, "regions."), ["regions.other 1", "regions.us_east_1 1", "regions.us_west_2 1"]);
    assert_eq!(
        told(&snapshot, "jobs.by_region"),
        [
            "jobs.by_region{region:unknown} 1",
            "jobs.by_region{region:us-east-1} 1",
            "jobs.by_region{region:us-west-2} 1",
            "jobs.by_region{region:us-west-20} 1"
        ]
    );
}

#[test]
fn regions_beyond_forty_are_one_row() {
    let live = (0..45).map(|id| Job { region: Some(format!("region-{id}")), ..running(id, 1.0) }).collect();
    let rows = told(&snapshot(live, vec![]), "jobs.by_region");
    assert_eq!(rows.len(), 42, "forty, the others, the unknown");
    assert!(rows.contains(&"jobs.by_region{region:other} 5".to_owned()));
}

#[test]
fn gpus_are_exact_by_type_and_priced_where_there_is_a_price() {
    let (spot, demand) = (Some(Pricing::Spot), Some(Pricing::Ondemand));
    let live = vec![
        with_gpus(1, "h100", 32.0, spot),
        with_gpus(2, "l40s", 4.0, demand),
        with_gpus(3, "l4", 0.5, spot),
        with_gpus(4, "l4", 2.0, None),
        with_gpus(5, "a10g", 1.0, spot),
        Job { status: Status::Recovering, ..with_gpus(6, "h100", 64.0, spot) },
    ];
    let prices = [
        ("l4".to_owned(), Price { ondemand: Some(0.75), spot: Some(0.25) }),
        ("h100".to_owned(), Price { ondemand: None, spot: Some(3.0) }),
    ];
    let mut snapshot = snapshot(live, vec![]);
    snapshot.rules.prices = prices.into();
    assert_eq!(
        told(&snapshot, "resources.gpus.").into_iter().filter(|line| line.contains("count")).collect::<Vec<_>>(),
        [
            "resources.gpus.a10g_count 1",
            "resources.gpus.h100_count 32",
            "resources.gpus.l4_count 2.5",
            "resources.gpus.total_count 39.5"
        ]
    );
    assert_eq!(
        told(&snapshot, "resources.gpus.by_type"),
        [
            "resources.gpus.by_type{gpu_type:a10g,pricing:ondemand} 0",
            "resources.gpus.by_type{gpu_type:a10g,pricing:spot} 1",
            "resources.gpus.by_type{gpu_type:h100,pricing:ondemand} 0",
            "resources.gpus.by_type{gpu_type:h100,pricing:spot} 32",
            "resources.gpus.by_type{gpu_type:l4,pricing:ondemand} 0",
            "resources.gpus.by_type{gpu_type:l4,pricing:spot} 0.5",
            "resources.gpus.by_type{gpu_type:l40s,pricing:ondemand} 4",
            "resources.gpus.by_type{gpu_type:l40s,pricing:spot} 0",
        ]
    );
    assert_eq!(
        told(&snapshot, "cost."),
        [
            "cost.burn_rate_hourly{gpu_type:h100,price_source:table,pricing:spot} 96",
            "cost.burn_rate_hourly{gpu_type:l4,price_source:table,pricing:ondemand} 0",
            "cost.burn_rate_hourly{gpu_type:l4,price_source:table,pricing:spot} 0.125",
            // 4 L40S, 2 L4 of nobody knows which kind, 1 A10G.
            "cost.unpriced_gpus 7",
        ]
    );
    assert_eq!(told(&snapshot, "resources.spot_jobs"), ["resources.spot_jobs 3"]);
    assert_eq!(told(&snapshot, "resources.ondemand_jobs"), ["resources.ondemand_jobs 1"]);
}

#[test]
fn a_tenth_of_unreadable_jobs_is_left_out_and_more_makes_gpus_unknown() {
    let unreadable = |id| Job { gpus: None, ..running(id, 1.0) };
    let mut live: Vec<Job> = (0..9).map(|id| with_gpus(id, "l4", 1.0, None)).collect();
    live.push(unreadable(9));
    let one = snapshot(live.clone(), vec![]);
    assert_eq!(told(&one, "resources.gpus.total_count"), ["resources.gpus.total_count 9"]);
    live.push(unreadable(10));
    let two = snapshot(live, vec![]);
    assert_eq!((told(&two, "resources.gpus."), told(&two, "cost.")), (vec![], vec![]));
    assert_eq!(told(&two, "jobs.running"), ["jobs.running 11"], "the other rows stand");
}

#[test]
fn types_without_a_price_beyond_thirty_are_one_row() {
    let live = (0..35).map(|id| with_gpus(id, &format!("gpu-{id}"), 1.0, Some(Pricing::Spot))).collect();
    let rows = told(&snapshot(live, vec![]), "resources.gpus.by_type");
    assert_eq!(rows.len(), 31 + 30, "the others have one way of paying");
    assert!(rows.contains(&"resources.gpus.by_type{gpu_type:other,pricing:spot} 5".to_owned()));
}

#[test]
fn what_ended_is_counted_by_slot_and_observed_if_it_ever_started() {
    let ended = vec![
        over(1, Status::Succeeded, "2026-01-08T11:45:00Z"),
        over(2, Status::FailedSetup, "2026-01-08T11:44:59Z"),
        over(3, Status::Cancelled, "2026-01-08T12:00:00Z"),
        Job { start_at: None, seconds: 0.0, ..over(4, Status::Cancelled, "2026-01-08T11:59:59Z") },
        Job { seconds: 0.0, ..over(5, Status::Failed, "2026-01-08T09:00:00Z") },
    ];
    let snapshot = snapshot(vec![], ended);
    let slots = told(&snapshot, "jobs.finished.new");
    assert_eq!(slots.len(), 12);
    for line in [
        "{outcome:succeeded} 1 @ 2026-01-08T12:00:00Z",
        "{outcome:failed} 0 @ 2026-01-08T12:00:00Z",
        "{outcome:cancelled} 1 @ 2026-01-08T12:00:00Z",
        "{outcome:failed} 1 @ 2026-01-08T11:45:00Z",
        "{outcome:succeeded} 0 @ 2026-01-08T11:45:00Z",
    ] {
        assert!(slots.contains(&format!("jobs.finished.new{line}")), "{line}: {slots:#?}");
    }
    let samples = all(&snapshot, at(NOW));
    let observed: Vec<String> =
        samples.iter().filter(|sample| sample.occurrence().is_some()).map(ToString::to_string).collect();
    assert_eq!(
        observed,
        [
            "skypilot.jobs.runtime{outcome:succeeded,server:prod} 50",
            "skypilot.jobs.runtime{outcome:failed,server:prod} 50",
            "skypilot.jobs.runtime{outcome:cancelled,server:prod} 50",
            // From its start at seven to its end at nine.
            "skypilot.jobs.runtime{outcome:failed,server:prod} 7200",
        ]
    );
}
