//! How many calls are under way at one time: eight, and half as many each time that one had to be repeated.

use shared::Meter;
use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The most calls at one time.
pub(super) const WIDTH: usize = 8;

/// A gate that all calls pass. Asana counts what it rejects against the quota, so that as many calls as before would only
/// be rejected again. [`shared::Http`] repeats calls by itself; the meter tells that it did, since it counts every
/// attempt. A hook in it would tell 429 from other reasons; a second collector that wants one should add it.
#[derive(Debug)]
pub(super) struct Gate {
    permits: Semaphore,
    meter: Meter,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    run: u64,
    /// Calls that were begun in this run.
    begun: u64,
    /// Attempts beyond those that were noticed.
    repeated: u64,
    width: usize,
    /// Permits that are to be taken away as soon as they come back.
    owed: usize,
    /// How often the width was halved: calls begun before that tell nothing about the new width.
    generation: u64,
}

impl State {
    const fn new(run: u64) -> Self {
        Self { run, begun: 0, repeated: 0, width: WIDTH, owed: 0, generation: 0 }
    }
}

impl Gate {
    pub fn new(meter: Meter) -> Self {
        let state = Mutex::new(State::new(meter.run()));
        Self { permits: Semaphore::new(WIDTH), meter, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call when there is room for it.
    pub async fn pass<T>(&self, call: impl Future<Output = T>) -> T {
        self.refresh();
        // The gate is never closed, so that there is always a permit to come.
        let permit = self.permits.acquire().await.ok();
        let generation = {
            let mut state = self.state();
            state.begun += 1;
            state.generation
        };
        let result = call.await;
        self.leave(permit, generation);
        result
    }

    /// Each run begins with the whole width.
    fn refresh(&self) {
        let run = self.meter.run();
        let mut state = self.state();
        if state.run != run {
            self.permits.add_permits(WIDTH - state.width - state.owed);
            *state = State::new(run);
        }
    }

    fn leave(&self, permit: Option<SemaphorePermit<'_>>, generation: u64) {
        let mut state = self.state();
        let repeated = self.meter.calls().saturating_sub(state.begun);
        if repeated > state.repeated {
            state.repeated = repeated;
            if generation == state.generation && state.width > 1 {
                let width = state.width / 2;
                state.owed += state.width - width;
                state.width = width;
                state.generation += 1;
                tracing::info!(width, "a call had to be repeated: fewer at one time");
            }
        }
        if state.owed > 0
            && let Some(permit) = permit
        {
            permit.forget();
            state.owed -= 1;
        }
    }

    /// How many calls may be under way at one time now.
    #[cfg(test)]
    pub fn width(&self) -> usize {
        self.state().width
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    /// Sends so many calls through the gate, and says how many were under way at most.
    async fn crowd(gate: &Gate, meter: &Meter, attempts: impl Fn(usize) -> usize) -> usize {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let call = |number: usize| {
            let attempts = attempts(number);
            let (now, most) = (&now, &most);
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                for _ in 0..attempts {
                    meter.called("asana");
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                now.fetch_sub(1, Ordering::SeqCst);
            }
        };
        future::join_all((0..40).map(|number| gate.pass(call(number)))).await;
        most.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn eight_calls_are_under_way_at_most_and_half_as_many_after_a_repetition() {
        let meter = Meter::default();
        let gate = Gate::new(meter.clone());
        assert_eq!(crowd(&gate, &meter, |_| 1).await, 8);
        assert_eq!(gate.width(), 8);
        // All of the first eight are repeated: that is one reason to ask less, not eight.
        crowd(&gate, &meter, |number| if number < 8 { 2 } else { 1 }).await;
        assert_eq!(gate.width(), 4);
        assert_eq!(crowd(&gate, &meter, |_| 1).await, 4);
        crowd(&gate, &meter, |number| if number < 1 { 2 } else { 1 }).await;
        assert_eq!(gate.width(), 2);
        for _ in 0..3 {
            crowd(&gate, &meter, |_| 2).await;
        }
        assert_eq!((gate.width(), crowd(&gate, &meter, |_| 1).await), (1, 1));
        meter.begin();
        assert_eq!(crowd(&gate, &meter, |_| 1).await, 8, "a new run begins anew");
    }
}
