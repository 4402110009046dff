//! Measures how many series a second one core encodes, splits and compresses.

use crate::{Row, epoch};
use shared::datadog::{Base, LIMITS, encode};
use shared::stats;
use std::time::Instant;

shared::catalogue! {
    /// A gauge with as many tags as collectors send.
    LEVEL = Gauge "bench.level" in Item by ["repo", "workflow", "role"], fold Sum, better Neither;
}

const SERIES: usize = 200_000;

pub fn throughput() -> Row {
    let collector = METRICS[0].name.split('.').next().unwrap_or_default();
    let base = Base::new(collector, "production", "infra-health-dashboard");
    let samples: Vec<_> = (0..SERIES)
        .map(|number| {
            let value = stats::count(number) / 7.0;
            LEVEL
                .sample(value)
                .tag("repo", format!("acme/repo-{}", number % 50))
                .tag("workflow", format!("workflow-{number}"))
                .tag("role", "other")
        })
        .collect();
    let mut best = f64::INFINITY;
    let mut bodies = 0;
    for _ in 0..5 {
        let started = Instant::now();
        bodies = encode(&samples, &base, epoch(), LIMITS).map_or(0, |payloads| payloads.len());
        best = best.min(started.elapsed().as_secs_f64());
    }
    Row::at_least(
        "encoding, splitting and compressing on one core",
        (stats::count(SERIES) / best).round(),
        500_000.0,
        "series/s",
    )
    .note(format!("best of 5 over {SERIES} series in {bodies} bodies"))
}
