//! Counts the requests of a collector, and times its fetches when every answer takes 100 ms.

use crate::{Failure, Row, organisation};
use sandbox::{Clock, Options, Sandbox};
use shared::testing::Stage;
use shared::{Collector, GRID, Report, stats};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many runs come before the one that is measured: they fetch what a single run may not.
const WARM_UP: usize = 3;

/// A full fetch, and a continued one fifteen minutes after the warm-up.
async fn full_and_continued<C: Collector>(
    size: u32,
    latency: Duration,
    one_target: impl Fn(&mut BTreeMap<String, String>),
) -> Result<(Report, Report), Failure> {
    let now = crate::epoch();
    let clock = Clock::at(now);
    let sandbox = Sandbox::start(Options::new(organisation(size), clock.clone())).await?;
    crate::lift_quota(&sandbox);
    sandbox.faults().base_latency(C::NAME, latency);
    let mut settings = sandbox.env();
    one_target(&mut settings);
    let stage = Stage::<C>::new(settings, &[], false).await;
    let full = stage.run(now).await;
    let mut time = now;
    for _ in 0..WARM_UP {
        time += GRID;
        clock.set(time);
        stage.run(time).await;
    }
    time += GRID;
    clock.set(time);
    Ok((full, stage.run(time).await))
}

fn calls(report: &Report) -> f64 {
    stats::count(usize::try_from(report.calls).unwrap_or(usize::MAX))
}

/// How long a continued fetch may take. Asana tells what changed project by project, and eight are asked at a time.
fn continued_seconds(name: &str) -> f64 {
    if name == "asana" { 2.0 } else { 1.0 }
}

/// The figures of a collector; `one_target` reduces the settings to one target.
pub async fn rows<C: Collector>(one_target: impl Fn(&mut BTreeMap<String, String>)) -> Result<Vec<Row>, Failure> {
    let (full, continued) = full_and_continued::<C>(1, Duration::from_millis(100), &one_target).await?;
    let (large, large_continued) = full_and_continued::<C>(10, Duration::ZERO, &one_target).await?;
    let name = C::NAME;
    Ok(vec![
        Row::at_most(format!("{name}, full fetch"), calls(&full), C::BUDGET.full, "calls"),
        Row::at_most(format!("{name}, continued fetch"), calls(&continued), C::BUDGET.continued, "calls"),
        Row::at_most(format!("{name}, full fetch, 100 ms an answer"), full.took.as_secs_f64(), 3.0, "s"),
        Row::at_most(
            format!("{name}, continued fetch, 100 ms an answer"),
            continued.took.as_secs_f64(),
            continued_seconds(name),
            "s",
        ),
        Row::at_most(format!("{name}, full fetch, tenfold"), calls(&large), C::BUDGET.tenfold, "calls"),
        Row::at_most(
            format!("{name}, continued fetch, tenfold"),
            calls(&large_continued),
            C::BUDGET.tenfold_continued,
            "calls",
        ),
    ])
}
