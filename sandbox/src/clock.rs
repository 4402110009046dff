//! The sandbox's clock: an instant that stays until it is moved, or the wall's.

use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The instant that every server of a sandbox shows its upstream at; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Mutex<Option<Timestamp>>>);

impl Clock {
    /// A clock that stands at this instant until it is moved.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Some(now))))
    }

    /// A clock that follows the wall's until it is set.
    #[must_use]
    pub fn real() -> Self {
        Self(Arc::default())
    }

    /// The instant it shows.
    pub fn now(&self) -> Timestamp {
        self.lock().unwrap_or_else(wall)
    }

    /// The instant it stands at; nothing while it follows the wall's.
    #[must_use]
    pub fn stands_at(&self) -> Option<Timestamp> {
        *self.lock()
    }

    /// Moves it to an instant, where it then stands.
    pub fn set(&self, now: Timestamp) {
        *self.lock() = Some(now);
    }

    /// Moves it on, or back; it then stands. Beyond the ends of time it stays where it is.
    pub fn advance(&self, by: SignedDuration) {
        let mut shown = self.lock();
        let now = shown.unwrap_or_else(wall);
        *shown = Some(now.checked_add(by).unwrap_or(now));
    }

    fn lock(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the sandbox stands in the place of what has a clock of its own")]
fn wall() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_stands_until_it_is_moved_and_its_clones_move_with_it() {
        let noon: Timestamp = "2026-01-08T12:00:00Z".parse().unwrap();
        let clock = Clock::at(noon);
        let other = clock.clone();
        assert_eq!(clock.now(), noon);
        other.advance(SignedDuration::from_mins(15));
        assert_eq!(clock.now(), noon + SignedDuration::from_mins(15));
        clock.set(noon);
        assert_eq!(other.now(), noon);
        clock.advance(SignedDuration::MAX);
        assert_eq!(clock.now(), noon);
    }

    #[test]
    fn a_real_clock_goes_on_until_it_is_set() {
        let clock = Clock::real();
        let (before, shown, after) = (wall(), clock.now(), wall());
        assert!(before <= shown && shown <= after);
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }
}
