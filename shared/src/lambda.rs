//! The life of a function on Lambda: start, then one run for each event.

use crate::{Collector, Env, Error, Event, Life, Logs, Result, logs};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// Runs a collector for as long as Lambda wants it. A wrong configuration ends the process with 78 and names the variable.
#[must_use]
pub fn run<C: Collector + 'static>() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve::<C>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(collector = C::NAME, error = error.with_causes(), "start failed");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn serve<C: Collector + 'static>() -> Result<()> {
    // Logging begins before anything can fail: without its secret a function still has to be able to say so.
    logs(&Env::of_process(), Logs::Json, "info")?;
    let env = Env::from_process().await?;
    let life = Life::prepare::<C>(&env, true).await?;
    let collector = C::connect(&env).await?;
    let handler = service_fn(|event: LambdaEvent<Value>| {
        let (life, collector) = (&life, &collector);
        async move {
            let result = Box::pin(handle(life, collector, event)).await;
            // Lambda's own line of a failure has no fields that an alarm could look for.
            result
                .inspect_err(|error| {
                    tracing::error!(collector = C::NAME, error = error.with_causes(), "run failed");
                })
                .map_err(lambda_runtime::Error::from)
        }
    });
    lambda_runtime::run(handler).await.map_err(|error| Error::local("go on serving lambda", error))
}

#[expect(clippy::disallowed_methods, reason = "only the surroundings of a run know the time, and here we are they")]
fn wall() -> Timestamp {
    Timestamp::now()
}

/// The longest that Lambda lets a function run.
const LONGEST: SignedDuration = SignedDuration::from_mins(15);

/// What a run has until its deadline, in milliseconds since 1970. Nothing, where that has passed; one that is older
/// than any run is no deadline: `cargo lambda watch` sends 600,000 to every function. One that is further ahead than any run lasts is not
/// believed, because what a run holds is left to it until then.
fn time_left(deadline: u64, wall: Timestamp) -> Duration {
    let deadline = i64::try_from(deadline).ok().and_then(|deadline| Timestamp::from_millisecond(deadline).ok());
    match deadline.map(|deadline| deadline.duration_since(wall)) {
        Some(left) if left > -LONGEST => Duration::try_from(left.min(LONGEST)).unwrap_or(Duration::ZERO),
        _ => Duration::from_mins(1),
    }
}

async fn handle<C: Collector>(life: &Life, collector: &C, event: LambdaEvent<Value>) -> Result<Value> {
    let wall = wall();
    let time_left = time_left(event.context.deadline, wall);
    let event = Event::parse(&event.payload, wall)?;
    let report = life.run(collector, &event, time_left).await?;
    let gaps: Vec<Value> = report
        .shares
        .iter()
        .flat_map(|share| share.findings.gaps.keys().map(|part| json!({"target": share.target, "part": part})))
        .collect();
    let sent = report.deliveries.as_ref();
    let answer = json!({
        "collector": report.collector,
        "now": report.now.to_string(),
        "up": report.is_up(),
        "late": report.late,
        "gaps": gaps,
        "accepted": sent.map(|sent| sent.accepted),
        "spooled": sent.map(|sent| sent.spooled),
    });
    match report.failure() {
        None => Ok(answer),
        Some(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_none_leaves_a_minute_and_one_that_passed_nothing() {
        let wall = "2026-01-08T12:00:00Z".parse::<Timestamp>().unwrap();
        let at = |seconds: i64| u64::try_from(wall.as_millisecond() + seconds * 1000).unwrap();
        assert_eq!(time_left(at(45), wall), Duration::from_secs(45));
        assert_eq!(time_left(at(-2), wall), Duration::ZERO);
        assert_eq!(time_left(600_000, wall), Duration::from_mins(1));
        assert_eq!(time_left(u64::MAX, wall), Duration::from_mins(1));
        assert_eq!(time_left(at(7 * 24 * 3600), wall), Duration::from_mins(15), "no function runs longer");
    }
}
