//! Windows of time that end at a run's time.

use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

/// The window of most rows.
pub const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The longest window of any row.
pub const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A window that ends at `now`: its start belongs to it, its end does not.
#[must_use]
pub fn last(length: SignedDuration, now: Timestamp) -> Range<Timestamp> {
    now - length..now
}

/// Hours from one instant to another; nothing where the second comes first.
#[must_use]
pub fn hours(from: Timestamp, to: Timestamp) -> Option<f64> {
    let hours = to.duration_since(from).as_secs_f64() / 3600.0;
    (hours >= 0.0).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let (start, now) = (at("2026-01-01T12:00:00Z"), at("2026-01-08T12:00:00Z"));
        let week = last(WEEK, now);
        assert!(week.contains(&start) && !week.contains(&now));
        assert!(!week.contains(&(start - SignedDuration::from_nanos(1))));
    }

    #[test]
    fn hours_are_counted_forwards_alone() {
        let (noon, later) = (at("2026-01-08T12:00:00Z"), at("2026-01-08T13:30:00Z"));
        assert_eq!((hours(noon, later), hours(noon, noon), hours(later, noon)), (Some(1.5), Some(0.0), None));
    }
}
