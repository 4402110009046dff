//! How long a run may go on making calls: upstreams and Datadog have their time, the store and secrets have theirs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The deadlines of a run, shared by all clients of a process. Without a run there are none.
#[derive(Debug, Clone, Default)]
pub struct Deadlines(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    upstreams: Option<Instant>,
    store: Option<Instant>,
    share: Option<Duration>,
}

impl Deadlines {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a run: upstreams are asked until one moment, the store until another, and no single call to the store takes
    /// longer than `share`.
    pub fn begin(&self, upstreams: Instant, store: Instant, share: Duration) {
        *self.lock() = Inner { upstreams: Some(upstreams), store: Some(store), share: Some(share) };
    }

    /// Sets the moment after which no call to an upstream or to Datadog may be under way.
    pub fn set(&self, deadline: Instant) {
        self.lock().upstreams = Some(deadline);
    }

    /// Sets the moment after which no call to the store may be under way.
    pub fn set_store(&self, deadline: Instant) {
        self.lock().store = Some(deadline);
    }

    /// Whether no time is left to ask an upstream.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left(Duration::MAX).is_none()
    }

    /// How long a call may take now, at most `limit`; nothing when the time is over.
    pub(crate) fn left(&self, limit: Duration) -> Option<Duration> {
        until(self.lock().upstreams, limit)
    }

    /// The same for a call to the store or for a secret.
    pub(crate) fn left_for_store(&self, limit: Duration) -> Option<Duration> {
        until(self.lock().store, limit)
    }

    /// The most that a single call to the store may take, at most `limit`.
    pub(crate) fn share(&self, limit: Duration) -> Duration {
        self.lock().share.map_or(limit, |share| share.min(limit))
    }
}

fn until(deadline: Option<Instant>, limit: Duration) -> Option<Duration> {
    let Some(deadline) = deadline else { return Some(limit) };
    let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
    left.map(|left| left.min(limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_and_the_store_have_time_of_their_own_and_outside_of_a_run_no_limit() {
        let (deadlines, minute) = (Deadlines::default(), Duration::from_mins(1));
        assert_eq!((deadlines.left(minute), deadlines.left_for_store(minute)), (Some(minute), Some(minute)));
        assert_eq!(deadlines.share(minute), minute);
        let now = Instant::now();
        deadlines.begin(now, now + minute, Duration::from_secs(15));
        assert_eq!((deadlines.left(minute), deadlines.share(minute)), (None, Duration::from_secs(15)));
        assert!(deadlines.is_over());
        assert!(deadlines.left_for_store(Duration::from_secs(1)).is_some());
        deadlines.set(now + minute);
        deadlines.set_store(now);
        assert_eq!(
            (deadlines.left(Duration::from_secs(1)), deadlines.left_for_store(minute)),
            (Some(Duration::from_secs(1)), None)
        );
    }
}
