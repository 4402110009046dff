//! Ranges of dates in the search syntax.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

/// Seconds from (inclusive) and to (exclusive) of the search syntax for dates.
pub fn range(text: &str) -> Option<(i64, i64)> {
    let (first, last) = (i64::MIN, i64::MAX);
    if let Some((from, to)) = text.split_once("..") {
        let from = if from == "*" { first } else { moment(from)?.0 };
        let to = if to == "*" { last } else { moment(to)?.1 };
        return Some((from, to));
    }
    if let Some(rest) = text.strip_prefix(">=") {
        return Some((moment(rest)?.0, last));
    }
    if let Some(rest) = text.strip_prefix("<=") {
        return Some((first, moment(rest)?.1));
    }
    if let Some(rest) = text.strip_prefix('>') {
        return Some((moment(rest)?.1, last));
    }
    if let Some(rest) = text.strip_prefix('<') {
        return Some((first, moment(rest)?.0));
    }
    moment(text)
}

/// The seconds that a day or an instant covers.
fn moment(text: &str) -> Option<(i64, i64)> {
    let text = text.replace(' ', "+");
    if let (10, Ok(day)) = (text.len(), text.parse::<Date>()) {
        let start = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
        return Some((start.as_second(), (start + SignedDuration::from_hours(24)).as_second()));
    }
    let zoned: Option<Timestamp> = text.parse().ok();
    let plain = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    let second = zoned.or_else(plain)?.as_second();
    Some((second, second + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_the_search_syntax_says() {
        let day = |text: &str| format!("{text}T00:00:00Z").parse::<Timestamp>().unwrap().as_second();
        let (first, second, third) = (day("2026-01-01"), day("2026-01-02"), day("2026-01-03"));
        let cases = [
            ("2026-01-01", Some((first, second))),
            ("2026-01-01T00:00:00Z", Some((first, first + 1))),
            ("2026-01-01T02:00:00 02:00", Some((first, first + 1))),
            ("2026-01-01..2026-01-02", Some((first, third))),
            ("2026-01-01T00:00:00Z..2026-01-02T00:00:00Z", Some((first, second + 1))),
            ("*..2026-01-02", Some((i64::MIN, third))),
            ("2026-01-02..*", Some((second, i64::MAX))),
            (">=2026-01-02", Some((second, i64::MAX))),
            (">2026-01-01", Some((second, i64::MAX))),
            ("<2026-01-02", Some((i64::MIN, second))),
            ("<=2026-01-01", Some((i64::MIN, second))),
            (">2026-01-01T00:00:00Z", Some((first + 1, i64::MAX))),
            ("yesterday", None),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text), expected, "{text}");
        }
    }
}
