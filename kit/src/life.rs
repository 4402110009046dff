//! Runs that are killed at each of their steps, and repeated.

use crate::stage::{EPOCH, Stage, started};
use crate::subject::Subject;
use jiff::SignedDuration;
use sandbox::Sandbox;
use shared::testing::{Fuse, Points, Sink, Values, at, differences};
use shared::{Event, GRID};
use std::rc::Rc;
use std::time::Duration;

/// What a run may take.
const TIME: Duration = Duration::from_mins(1);

/// A run is killed at each of its steps in the store, and comes again two minutes later: every point and every
/// observation is there as if nothing had happened, but for the one payload that Datadog may have been given before the
/// store knew.
pub async fn killed<S: Subject>() {
    let sandbox = started::<S>(S::HEALTHY, 0, at(EPOCH)).await;
    let expected = story::<S>(&sandbox, None).await.0;
    assert!(expected.series.len() > 20, "{expected:?}");
    let (mut step, mut doubled) = (0, 0);
    loop {
        let (told, over) = story::<S>(&sandbox, Some(step)).await;
        let differ = differences(&values(&told), &values(&expected));
        assert!(differ.is_empty(), "killed at step {step}: {differ:#?}");
        let twice = told.doubled(&expected);
        assert!(twice.is_some(), "killed at step {step}: {:?}, undisturbed {:?}", told.observed, expected.observed);
        doubled += twice.unwrap_or_default();
        if over {
            break;
        }
        step += 1;
    }
    assert!(step >= 12 && doubled <= 4, "{doubled} of {step} kills doubled a payload");
}

/// Gauges and counts with their second; sums go in another order in each store, so that the last digit may differ.
fn values(points: &Points) -> Values {
    let series = points.series.iter();
    series.map(|((metric, tags, second), value)| (format!("{metric}{tags} {second}"), value.parse().unwrap())).collect()
}

/// Three quarters of an hour, the run in the middle killed at this step; what Datadog has at their end, and whether the
/// run was over by itself.
async fn story<S: Subject>(sandbox: &Rc<Sandbox>, killed_at: Option<usize>) -> (Points, bool) {
    let sink = Sink::start().await;
    let mut settings = S::single(sandbox).0;
    settings.push(("DATADOG_URL", sink.url().to_owned()));
    let stage = Stage::<S>::on(sandbox, S::HEALTHY, true, settings).await;
    stage.clock.set(at(EPOCH));
    stage.settled().await;
    // Long enough for something to end, and soon enough to be continued.
    stage.clock.advance(GRID * 7);
    let mut over = true;
    if let Some(step) = killed_at {
        let (fuse, now) = (Fuse::new(step), stage.clock.now());
        let life = stage.inner.life.fused(fuse.clone());
        let event = Event::new(now, now);
        over = Box::pin(fuse.run(life.run(&stage.inner.collector, &event, TIME))).await.is_some();
        // Lambda repeats an event after a minute at the earliest, when the run before it is over for certain.
        let again = Event::new(now, now + SignedDuration::from_mins(2));
        stage.inner.life.run(&stage.inner.collector, &again, TIME).await.unwrap();
    } else {
        stage.run().await;
    }
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert!(report.is_up() && report.failure().is_none());
    (sink.points().told(), over)
}
