//! What a collector asks of its upstream, and how long it takes when every answer takes a tenth of a second.

use crate::{Row, organisation};
use github::GitHub;
use sandbox::{Clock, Options, Sandbox};
use shared::testing::Folder;
use shared::{Collector, Env, Event, GRID, Life, Report, stats};
use std::time::Duration;

type Failure = Box<dyn std::error::Error>;

/// A full fetch and the incremental one of fifteen minutes later.
pub async fn pair(size: u32, latency: Duration) -> Result<(Report, Report), Failure> {
    let now = crate::epoch();
    let clock = Clock::at(now);
    let sandbox = Sandbox::start(Options::new(organisation(size), clock.clone())).await?;
    sandbox.faults().base_latency("github", latency);
    let state = Folder::new("bench");
    let mut settings = sandbox.env();
    // The reference organisation is one repository.
    let first = settings.get("GITHUB_REPOS").and_then(|list| list.split(',').next()).unwrap_or_default().to_owned();
    settings.insert("GITHUB_REPOS".to_owned(), first);
    settings.insert("STATE_DIR".to_owned(), state.path().display().to_string());
    let env = Env::load(settings).await?;
    let life = Life::prepare::<GitHub>(&env, &[], false).await?;
    let collector = GitHub::connect(&env).await?;
    let limit = Duration::from_mins(5);
    let full = life.run(&collector, &Event::new(now, now), limit).await?;
    clock.advance(GRID);
    let later = now + GRID;
    let incremental = life.run(&collector, &Event::new(later, later), limit).await?;
    Ok((full, incremental))
}

fn calls(report: &Report) -> f64 {
    stats::count(usize::try_from(report.calls).unwrap_or(usize::MAX))
}

pub async fn github() -> Result<Vec<Row>, Failure> {
    let (full, incremental) = pair(1, Duration::from_millis(100)).await?;
    let (large, large_incremental) = pair(10, Duration::ZERO).await?;
    Ok(vec![
        Row::at_most("github, full fetch", calls(&full), 40.0, "calls"),
        Row::at_most("github, incremental fetch", calls(&incremental), 8.0, "calls"),
        Row::at_most("github, full fetch, 100 ms an answer", full.took.as_secs_f64(), 3.0, "s"),
        Row::at_most("github, incremental fetch, 100 ms an answer", incremental.took.as_secs_f64(), 1.0, "s"),
        Row::at_most("github, full fetch, tenfold", calls(&large), 4.0 * calls(&full), "calls")
            .note("4 times the full fetch"),
        Row::at_most(
            "github, incremental fetch, tenfold",
            calls(&large_incremental),
            calls(&incremental).max(8.0),
            "calls",
        ),
    ])
}
