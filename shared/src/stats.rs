//! Ratio, mean and percentile: each returns `None` for an empty set.

/// `part / whole`, or nothing when the whole is zero.
#[must_use]
pub fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole != 0.0).then(|| part / whole)
}

/// `100 × part / whole`, or nothing when the whole is zero.
#[must_use]
pub fn percent(part: f64, whole: f64) -> Option<f64> {
    ratio(100.0 * part, whole)
}

/// The arithmetic mean.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    ratio(values.iter().sum(), count(values.len()))
}

/// The value at rank `(n - 1)·q` of the sorted values, interpolated: never outside the data.
#[must_use]
pub fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let rank = count(last) * q.clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 <= rank <= len - 1")]
    let below = rank.floor() as usize;
    let above = (below + 1).min(last);
    let (low, high) = (sorted[below], sorted[above]);
    Some((high - low).mul_add(rank - rank.floor(), low))
}

/// A number of things as a value.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "nothing we count comes near 2^52")]
pub const fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_interpolates_between_neighbours_and_stays_within_the_data() {
        let table: &[(&[f64], f64, Option<f64>)] = &[
            (&[], 0.5, None),
            (&[7.0], 0.99, Some(7.0)),
            (&[3.0, 1.0], 0.5, Some(2.0)),
            (&[1.0, 2.0, 3.0, 4.0], 0.9, Some(3.7)),
            (&[1.0, 2.0, 3.0, 4.0], 1.0, Some(4.0)),
            (&[4.0, 1.0, 3.0, 2.0], 0.0, Some(1.0)),
        ];
        for (values, q, expected) in table {
            let actual = percentile(values, *q);
            assert_eq!(
                actual.map(|value| (value * 1e9).round()),
                expected.map(|value| (value * 1e9).round()),
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_mean_and_a_ratio_of_nothing_are_nothing() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0]), Some(1.5));
        assert_eq!(ratio(1.0, 0.0), None);
        assert_eq!(percent(1.0, 4.0), Some(25.0));
    }
}
