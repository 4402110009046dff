//! Means, percentiles and lengths of time, as section 1.3 of the catalogue has them.

use jiff::Timestamp;

/// A number of things as a value.
pub(super) fn size(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// The mean, of nothing nothing.
pub(super) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / size(values.len()))
}

/// One number over another, nothing over zero.
pub(super) fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// Linear interpolation at rank `(n-1)·q` of the ascending values.
pub(super) fn percentile(values: &[f64], q: f64) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let rank = size(values.len().checked_sub(1)?) * q;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank within the list")]
    let (below, above) = (rank.floor() as usize, rank.ceil() as usize);
    Some(values[below] + (values[above] - values[below]) * (rank - rank.floor()))
}

/// Hours from one instant to another.
pub(super) fn hours(from: Timestamp, until: Timestamp) -> f64 {
    seconds(from, until) / 3600.0
}

/// Seconds from one instant to another.
pub(super) fn seconds(from: Timestamp, until: Timestamp) -> f64 {
    until.duration_since(from).as_secs_f64()
}

#[test]
fn a_percentile_lies_within_the_values_however_few_they_are() {
    assert_eq!(percentile(&[], 0.9), None);
    assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
    assert_eq!(percentile(&[3.0, 1.0], 0.5), Some(2.0));
    // Rank 2.7 of 0, 10, 20, 40: 20 + 0.7 · 20.
    assert_eq!(percentile(&[40.0, 0.0, 20.0, 10.0], 0.9), Some(34.0));
    assert_eq!(mean(&[]), None);
    assert_eq!(ratio(1.0, 0.0), None);
}
