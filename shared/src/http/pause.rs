//! How long to wait before a retry: as long as the upstream asks, else a little longer each time.

use crate::http::Answer;
use http::{HeaderMap, StatusCode, header};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Whether an answer limits our rate: 429, or a 403 that names a pause or an empty quota, as GitHub's limits do.
pub(crate) fn is_rate_limited(answer: &Answer) -> bool {
    let headers = answer.headers();
    let empty = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    match answer.status() {
        StatusCode::TOO_MANY_REQUESTS => true,
        StatusCode::FORBIDDEN => empty || headers.contains_key(header::RETRY_AFTER),
        _ => false,
    }
}

/// The pause that an answer asks for: `Retry-After` in seconds or as a date, else the reset of an empty quota. Both are
/// measured by the answer's own clock, so that ours may be wrong.
pub(crate) fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let server_time = text("date").and_then(http_date);
    let until = |then: i64| server_time.map(|now| Duration::from_secs((then - now).max(0).unsigned_abs()));
    let retry_after = text("retry-after").and_then(|value| match value.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => http_date(value).and_then(until),
    });
    // GitHub's reset is an instant; Datadog's and W&B's are seconds from now.
    let reset = ["x-ratelimit-reset", "ratelimit-reset"].into_iter().find_map(|name| text(name)?.parse::<f64>().ok());
    #[expect(clippy::cast_possible_truncation, reason = "instants in seconds are far below 2^53")]
    let reset =
        reset.and_then(|reset| if reset > 1e9 { until(reset as i64) } else { Duration::try_from_secs_f64(reset).ok() });
    let empty = text("x-ratelimit-remaining").or_else(|| text("ratelimit-remaining")) == Some("0");
    retry_after.or(reset.filter(|_| empty))
}

fn http_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text).ok().map(|date| date.timestamp().as_second())
}

/// Half a second, doubled at each attempt, with full jitter.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let ceiling = 500 * 2_u64.pow(attempt - 1);
    Duration::from_millis(RandomState::new().hash_one(attempt) % ceiling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn pauses_are_read_in_every_form() {
        let headers = |pairs: &[(&'static str, &str)]| {
            pairs
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(*value).unwrap()))
                .collect()
        };
        let date = ("date", "Thu, 08 Jan 2026 12:00:00 GMT");
        for (pairs, seconds) in [
            (headers(&[("retry-after", "7")]), Some(7)),
            (headers(&[("retry-after", "Thu, 08 Jan 2026 12:00:09 GMT"), date]), Some(9)),
            (headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1767873611"), date]), Some(11)),
            (headers(&[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "12")]), Some(12)),
            (headers(&[("x-ratelimit-remaining", "5"), ("x-ratelimit-reset", "12")]), None),
            (headers(&[("ratelimit-remaining", "0"), ("ratelimit-reset", "13")]), Some(13)),
            (headers(&[]), None),
        ] {
            assert_eq!(asked_pause(&pairs).map(|pause| pause.as_secs()), seconds, "{pairs:?}");
        }
    }
}
