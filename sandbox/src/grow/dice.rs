//! Chance that can be repeated: splitmix64, of which nothing but evenness is asked.

use jiff::{SignedDuration, Timestamp};

/// A source of chance.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Chance of its own for a part of the story, so that a change to one part leaves the others as they were.
    pub(super) const fn split(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from the first to the last of these.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = high.saturating_sub(low).max(0).unsigned_abs() + 1;
        low + i64::try_from(self.next() % width).unwrap_or(0)
    }

    /// A number of things from the first to the last of these.
    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        low + usize::try_from(self.next() % (high.saturating_sub(low) as u64 + 1)).unwrap_or(0)
    }

    /// A number in [0, 1).
    pub(super) fn part(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        {
            (self.next() >> 11) as f64 / (1_u64 << 53) as f64
        }
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.part() < probability
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.count(0, from.len() - 1)]
    }

    /// One of these by weight.
    pub(super) fn weighted<T: Copy>(&mut self, from: &[(u32, T)]) -> T {
        let total: i64 = from.iter().map(|(weight, _)| i64::from(*weight)).sum();
        let mut left = self.between(0, total - 1);
        for (weight, value) in from {
            left -= i64::from(*weight);
            if left < 0 {
                return *value;
            }
        }
        from[0].1
    }

    /// A moment from the first to the last of these, both included.
    pub(super) fn moment(&mut self, from: Timestamp, until: Timestamp) -> Timestamp {
        from + SignedDuration::from_secs(self.between(0, until.duration_since(from).as_secs()))
    }

    /// A length of time, short ones more often than long ones, at most twelve times the mean.
    pub(super) fn about(&mut self, mean: SignedDuration) -> SignedDuration {
        let stretch = -(1.0 - self.part()).ln();
        #[expect(clippy::cast_possible_truncation, reason = "months in seconds")]
        SignedDuration::from_secs((mean.as_secs_f64() * stretch.min(12.0)) as i64)
    }

    /// Moves a time back to the grid of runs now and then, or to a second before it: there slots begin and end.
    pub(super) fn snap(&mut self, time: Timestamp) -> Timestamp {
        let past = time.as_second().rem_euclid(900);
        match self.between(0, 14) {
            0 => time - SignedDuration::from_secs(past),
            1 => time - SignedDuration::from_secs(past + 1),
            _ => time,
        }
    }

    /// 40 hexadecimal digits.
    pub(super) fn sha(&mut self) -> String {
        format!("{:016x}{:016x}{:08x}", self.next(), self.next(), self.next() >> 32)
    }
}
