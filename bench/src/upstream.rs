//! What a collector asks of its upstream, and how long it takes when every answer takes a tenth of a second.

use crate::{Row, organisation};
use sandbox::{Clock, Options, Sandbox};
use shared::testing::Stage;
use shared::{Collector, GRID, Report, stats};
use std::collections::BTreeMap;
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

/// How often a fetch is repeated before the continued one is measured: what a single run may not ask for comes with the
/// next ones.
const WARM: usize = 3;

/// A full fetch, and a continued one of fifteen minutes after the last of some.
async fn pair<C: Collector>(
    size: u32,
    latency: Duration,
    narrow: impl Fn(&mut BTreeMap<String, String>),
) -> Result<(Report, Report), Failure> {
    let now = crate::epoch();
    let clock = Clock::at(now);
    let sandbox = Sandbox::start(Options::new(organisation(size), clock.clone())).await?;
    crate::bear_all(&sandbox);
    sandbox.faults().base_latency(C::NAME, latency);
    let mut settings = sandbox.env();
    narrow(&mut settings);
    let stage = Stage::<C>::new(settings, &[], false).await;
    let full = stage.run(now).await;
    let mut time = now;
    for _ in 0..WARM {
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

/// One target of a collector; `narrow` leaves no other one in the settings.
pub async fn rows<C: Collector>(narrow: impl Fn(&mut BTreeMap<String, String>)) -> Result<Vec<Row>, Failure> {
    let (full, incremental) = pair::<C>(1, Duration::from_millis(100), &narrow).await?;
    let (large, large_incremental) = pair::<C>(10, Duration::ZERO, &narrow).await?;
    let name = C::NAME;
    Ok(vec![
        Row::at_most(format!("{name}, full fetch"), calls(&full), C::BUDGET.full, "calls"),
        Row::at_most(format!("{name}, incremental fetch"), calls(&incremental), C::BUDGET.continued, "calls"),
        Row::at_most(format!("{name}, full fetch, 100 ms an answer"), full.took.as_secs_f64(), 3.0, "s"),
        Row::at_most(format!("{name}, incremental fetch, 100 ms an answer"), incremental.took.as_secs_f64(), 1.0, "s"),
        Row::at_most(format!("{name}, full fetch, tenfold"), calls(&large), C::BUDGET.tenfold, "calls"),
        Row::at_most(
            format!("{name}, incremental fetch, tenfold"),
            calls(&large_incremental),
            C::BUDGET.tenfold_continued,
            "calls",
        ),
    ])
}
