//! Chance that can be repeated: splitmix64, of which nothing but evenness is asked.

use jiff::{SignedDuration, Timestamp};

/// A source of chance.
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to one below the limit.
    pub(super) fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.next() % limit.max(1).unsigned_abs()).unwrap_or(0)
    }

    /// A number between these two, both included.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high - low + 1)
    }

    pub(super) fn count(&mut self, low: usize, high: usize) -> usize {
        low + usize::try_from(self.next() % (high - low + 1) as u64).unwrap_or(0)
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
    pub(super) fn weighted<'a, T>(&mut self, from: &'a [(u32, T)]) -> &'a T {
        let total: i64 = from.iter().map(|(weight, _)| i64::from(*weight)).sum();
        let mut left = self.below(total);
        for (weight, value) in from {
            left -= i64::from(*weight);
            if left < 0 {
                return value;
            }
        }
        &from[0].1
    }

    /// A length of time about this long, short ones more often than long ones.
    pub(super) fn about(&mut self, mean: SignedDuration) -> SignedDuration {
        let stretch = -(1.0 - self.part()).ln();
        #[expect(clippy::cast_possible_truncation, reason = "weeks in seconds")]
        SignedDuration::from_secs((mean.as_secs_f64() * stretch) as i64)
    }

    /// Moves a time back to the grid of runs now and then, or to a second before it: there windows begin and end.
    pub(super) fn snap(&mut self, time: Timestamp) -> Timestamp {
        let past = time.as_second().rem_euclid(900);
        match self.below(12) {
            0 => time - SignedDuration::from_secs(past),
            1 => time - SignedDuration::from_secs(past + 1),
            _ => time,
        }
    }

    pub(super) fn sha(&mut self) -> String {
        let parts: [u64; 3] = [self.next(), self.next(), self.next()];
        format!("{:016x}{:016x}{:08x}", parts[0], parts[1], parts[2] >> 32)
    }

    pub(super) fn word(&mut self) -> String {
        const FIRST: [&str; 12] = ["ar", "bel", "cor", "dan", "el", "fen", "gar", "hol", "ing", "jor", "kel", "lun"];
        const LAST: [&str; 12] = ["a", "bert", "cy", "dor", "en", "fi", "gard", "hild", "is", "jo", "ka", "lo"];
        format!("{}{}", self.pick(&FIRST), self.pick(&LAST))
    }

    /// A path of the repository.
    pub(super) fn path(&mut self) -> String {
        format!("src/{}/part_{}.rs", ["core", "web", "store", "jobs"][self.count(0, 3)], self.below(60))
    }
}
