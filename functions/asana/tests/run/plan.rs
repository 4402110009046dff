//! What the plan of a domain changes: how much it may ask in a minute, and whether it may search.

use crate::odd::{single, truth_of, with, wrong};
use crate::{OF_TASKS, Workspaces};
use kit::sandbox::{Clock, Options, Sandbox};
use kit::shared::testing::{Values, at, gaps, gauges, pending, says, value};
use kit::shared::{Event, GRID, Report};
use kit::{EPOCH, Settings, Stage, seed, time_of};
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// The organisation with 236 active projects, in a domain that does not pay.
async fn free_domain(more: Settings) -> Stage<Workspaces> {
    let options = Options::new(seed(1, 2), Clock::at(at(EPOCH)));
    let sandbox = Rc::new(Sandbox::start(options).await.unwrap());
    let first = vec![("ASANA_WORKSPACES", format!("acme={}", sandbox.organisation().workspaces[0].gid))];
    Stage::on(&sandbox, 1, false, first.into_iter().chain(more).collect()).await
}

/// A run in a minute of its own that may take so long, with the number of answers that were refused.
async fn run_for(stage: &Stage<Workspaces>, seconds: u64) -> Report {
    stage.sandbox.asana().set_quota(150);
    let event = Event::new(stage.clock.now(), stage.clock.now());
    stage.inner.life.run(&stage.inner.collector, &event, Duration::from_secs(seconds)).await.unwrap()
}

fn rows_of_tasks(report: &Report) -> usize {
    OF_TASKS.iter().map(|prefix| says(report, prefix)).sum()
}

#[tokio::test]
async fn a_free_domain_of_236_projects_is_whole_and_true_after_two_runs_without_a_refusal() {
    let stage = free_domain(vec![]).await;
    for step in 0..4 {
        stage.sandbox.faults().forget_requests();
        let started = Instant::now();
        let report = run_for(&stage, 60).await;
        println!(
            "run {step}: {} calls, {:.2} s, {} pending, {} rows of tasks",
            report.calls,
            started.elapsed().as_secs_f64(),
            pending(&report),
            rows_of_tasks(&report)
        );
        assert!(report.is_up(), "{:?}", report.shares);
        assert!(report.calls <= 150, "{} calls in a minute of 150", report.calls);
        assert_eq!(report.calls, stage.sandbox.faults().requests("asana").len() as u64);
        assert_eq!((pending(&report) > 0, rows_of_tasks(&report) == 0), (step == 0, step == 0), "{step}");
        assert!(says(&report, "asana.projects.bugs.") > 10 && says(&report, "asana.projects.active") == 1);
        if step > 0 {
            assert_eq!(wrong(&stage, &report, &truth_of(&stage)), Vec::<String>::new());
        }
    }
}

#[tokio::test]
async fn the_daily_fetch_of_everything_makes_nothing_unknown_in_a_free_domain() {
    let stage = free_domain(vec![]).await;
    let mut filling = Vec::new();
    for step in 0..16 {
        let report = run_for(&stage, 60).await;
        assert!(report.is_up(), "{step}: {:?}", report.shares);
        assert!(report.calls <= 150, "{step}: {} calls in a minute of 150", report.calls);
        assert_eq!(rows_of_tasks(&report) == 0, step == 0, "{step}");
        filling.extend((pending(&report) > 0).then_some(step));
        // Every two hours, but for the runs that fill.
        stage.clock.advance(if [0, 13].contains(&step) { GRID } else { GRID * 8 });
    }
    assert_eq!(filling, [0, 13], "the first run, and the one that begins a day later");
    for _ in 0..2 {
        run_for(&stage, 60).await;
    }
    let differs = wrong(&stage, &run_for(&stage, 60).await, &truth_of(&stage));
    assert!(differs.is_empty(), "{differs:#?}");
}

#[tokio::test]
async fn a_quota_of_a_minute_is_waited_for_where_the_time_allows() {
    let stage = free_domain(vec![("ASANA_BUDGET", "1400".to_owned())]).await;
    stage.sandbox.asana().set_minute(Duration::from_secs(3));
    let started = Instant::now();
    let report = run_for(&stage, 60).await;
    println!("{} calls in {:.2} s", report.calls, started.elapsed().as_secs_f64());
    assert!(started.elapsed() >= Duration::from_secs(1), "150 calls were answered, and the others only later");
    assert!(report.is_up() && pending(&report) == 0, "{:?}", report.shares);
    assert_eq!(wrong(&stage, &report, &truth_of(&stage)), Vec::<String>::new());
}

#[tokio::test]
async fn a_quota_for_which_there_is_no_time_leaves_the_rest_to_the_next_run() {
    let stage = free_domain(vec![("ASANA_BUDGET", "1400".to_owned())]).await;
    // Of a minute, a quarter is kept for delivery: the minute of the quota ends after that of the fetch.
    let first = run_for(&stage, 60).await;
    assert!(first.is_up() && gaps(&first).is_empty(), "{:?}", first.shares);
    assert!((80..200).contains(&pending(&first)) && rows_of_tasks(&first) == 0, "{}", pending(&first));
    assert!(says(&first, "asana.projects.bugs.") > 10 && says(&first, "asana.projects.active") == 1);
    let limited = value(&first, "collector.api_errors{kind:rate_limited,upstream:asana}");
    assert!(limited >= Some(1.0) && limited <= Some(8.0), "{limited:?}");
    let second = run_for(&stage, 60).await;
    assert!(second.is_up() && pending(&second) == 0, "{:?}", second.shares);
    assert_eq!(wrong(&stage, &second, &truth_of(&stage)), Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_search_is_replaced_by_the_lists() {
    let listing = gauges(&single().await.run().await);
    let stage = with(&single().await, "ASANA_SEARCH", "on").await;
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&listing));
}

/// Holds what search finds in these organisations against the truth, of the first run and of one that follows.
async fn search_is_true(numbers: Range<u64>) {
    for number in numbers {
        let stage = Stage::<Workspaces>::new(number, time_of(number), false).await;
        let stage = with(&stage, "ASANA_SEARCH", "on").await;
        stage.sandbox.asana().premium(true);
        for _ in 0..2 {
            let report = stage.run().await;
            assert!(report.is_up(), "organisation {number}: {:?}", report.shares);
            let differs = wrong(&stage, &report, &truth_of(&stage));
            // A search is always whole: nothing escapes it.
            assert!(differs.is_empty(), "organisation {number}:\n{}", differs.join("\n"));
            let asked = stage.sandbox.faults().requests("asana");
            let lists = asked.iter().filter(|(_, path)| path.contains("/tasks?"));
            assert!(
                lists.clone().count() < 10 && lists.clone().all(|(_, path)| path.contains("tags.name")),
                "of bugs alone"
            );
            stage.clock.advance(GRID);
            stage.sandbox.faults().forget_requests();
        }
    }
}

#[test]
fn a_search_gives_the_truth_of_organisations_0_to_99() {
    kit::run(search_is_true(0..100));
}

#[test]
fn a_search_gives_the_truth_of_organisations_100_to_199() {
    kit::run(search_is_true(100..200));
}
