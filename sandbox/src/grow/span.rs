//! The time a story is told in, and the instants in it at which a second decides.

use super::dice::Dice;
use jiff::{SignedDuration, Timestamp};

/// How long before the epoch the story begins, and how long after it ends.
const BEFORE: SignedDuration = SignedDuration::from_hours(60 * 24);
const AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The time a story is told in, and how much happens in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    /// The epoch, on the grid of runs.
    pub(super) now: Timestamp,
    /// 1 is the reference.
    pub(super) factor: f64,
}

impl Span {
    pub(super) fn new(epoch: Timestamp, factor: f64) -> Self {
        let now = epoch - SignedDuration::from_secs(epoch.as_second().rem_euclid(900));
        let now = now - SignedDuration::from_nanos(i64::from(now.subsec_nanosecond()));
        Self { start: now - BEFORE, end: now + AFTER, now, factor }
    }

    /// How often something happens from an instant to the end that happens so often a week at the reference size.
    pub(super) fn times(self, from: Timestamp, a_week: f64) -> usize {
        let weeks = self.end.duration_since(from).as_secs_f64() / (7.0 * 86400.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        {
            (a_week * weeks * self.factor).round().max(1.0) as usize
        }
    }

    /// Any instant, sometimes one on the grid of runs.
    pub(super) fn whenever(self, dice: &mut Dice) -> Timestamp {
        let at = dice.moment(self.start + SignedDuration::from_secs(1), self.end);
        dice.snap(at).max(self.start)
    }

    /// Instants at which a window of so many days begins for a run at the epoch, a second before it, and at which it and
    /// its last slot end; some of them.
    pub(super) fn edges(self, dice: &mut Dice, days: i64) -> Vec<Timestamp> {
        let start = self.now - SignedDuration::from_hours(24 * days);
        let back = |seconds| SignedDuration::from_secs(seconds);
        let edges = [start, start - back(1), self.now, self.now - back(1), self.now - back(900), self.now - back(901)];
        edges.into_iter().filter(|_| dice.chance(0.4)).collect()
    }
}
