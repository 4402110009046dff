//! Samples to bodies: sorted, split below Datadog's limits, compressed; no series lost or sent twice. Pure.

use super::Base;
use super::payload::{CLOSE, Endpoint, Limits, OPEN, Payload};
use crate::{GRID, Kind, Result, Sample};
use jiff::Timestamp;

/// The bodies of these samples: gauges and counts, then observations.
///
/// # Errors
/// When a body cannot be compressed.
pub fn encode(samples: &[Sample], base: &Base, now: Timestamp, limits: Limits) -> Result<Vec<Payload>> {
    let mut sorted: Vec<&Sample> = samples.iter().filter(|sample| sample.value.is_some()).collect();
    sorted.sort_by_cached_key(|sample| (sample.series(), sample.at));
    let (observations, series): (Vec<&Sample>, Vec<&Sample>) =
        sorted.into_iter().partition(|sample| sample.metric.kind == Kind::Distribution);
    let mut payloads = Vec::new();
    let mut bodies = Bodies::new(Endpoint::Series, limits);
    for sample in series {
        bodies.add(&mut payloads, |json| write_series(json, sample, base, now))?;
    }
    bodies.finish(&mut payloads)?;
    let mut bodies = Bodies::new(Endpoint::Distribution, limits);
    for group in observations.chunk_by(|a, b| a.name == b.name && a.tags == b.tags) {
        bodies.add(&mut payloads, |json| write_distribution(json, group, base, now))?;
    }
    bodies.finish(&mut payloads)?;
    Ok(payloads)
}

struct Bodies {
    endpoint: Endpoint,
    limits: Limits,
    items: Vec<u8>,
    ends: Vec<usize>,
}

impl Bodies {
    const fn new(endpoint: Endpoint, limits: Limits) -> Self {
        Self { endpoint, limits, items: Vec::new(), ends: Vec::new() }
    }

    fn add(&mut self, payloads: &mut Vec<Payload>, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let start = self.items.len();
        write(&mut self.items);
        self.items.push(b',');
        if self.items.len() + OPEN.len() + CLOSE.len() > self.limits.plain && start > 0 {
            let last = self.items.split_off(start);
            self.finish(payloads)?;
            self.items = last;
        }
        self.ends.push(self.items.len());
        Ok(())
    }

    fn finish(&mut self, payloads: &mut Vec<Payload>) -> Result<()> {
        if self.items.is_empty() {
            return Ok(());
        }
        let (items, ends) = (std::mem::take(&mut self.items), std::mem::take(&mut self.ends));
        Payload::new(self.endpoint, items, ends)?.within(self.limits, payloads)
    }
}

// Names, tags, units and words are of characters that JSON takes as they are: they went through `admit`.

fn write_series(json: &mut Vec<u8>, sample: &Sample, base: &Base, now: Timestamp) {
    write_head(json, sample, base);
    json.extend_from_slice(if sample.metric.kind == Kind::Count {
        br#"],"type":1,"interval":"#
    } else {
        br#"],"type":3"#
    });
    if sample.metric.kind == Kind::Count {
        write_number(json, GRID.as_secs());
    }
    json.extend_from_slice(br#","unit":""#);
    json.extend_from_slice(sample.metric.unit.word().as_bytes());
    json.extend_from_slice(br#"","points":[{"timestamp":"#);
    write_number(json, sample.at.unwrap_or(now).as_second());
    json.extend_from_slice(br#","value":"#);
    write_value(json, sample.value);
    json.extend_from_slice(b"}]}");
}

fn write_distribution(json: &mut Vec<u8>, group: &[&Sample], base: &Base, now: Timestamp) {
    let Some(first) = group.first() else { return };
    write_head(json, first, base);
    json.extend_from_slice(br#"],"type":"distribution","points":[["#);
    write_number(json, now.as_second());
    json.extend_from_slice(b",[");
    for (index, sample) in group.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_value(json, sample.value);
    }
    json.extend_from_slice(b"]]]}");
}

fn write_head(json: &mut Vec<u8>, sample: &Sample, base: &Base) {
    json.extend_from_slice(br#"{"metric":""#);
    json.extend_from_slice(base.name(&sample.name).as_bytes());
    json.extend_from_slice(br#"","tags":["#);
    let own_category = sample.tag_value("workflow_category").is_some();
    let category = (!own_category).then(|| sample.category.unwrap_or_else(|| base.category(&sample.name)));
    let fixed: [(&str, Option<&str>); 5] = [
        ("collector", Some(base.collector)),
        ("env", Some(&base.env)),
        ("service", Some(&base.service)),
        ("source", Some(base.source)),
        ("workflow_category", category),
    ];
    let mut own = sample.tags.iter().map(|(key, value)| (*key, value.as_str())).peekable();
    let mut base = fixed.into_iter().filter_map(|(key, value)| Some((key, value?))).peekable();
    let mut comma = false;
    // Both are in order, so the whole is merged into order.
    while let Some((key, value)) = match (own.peek(), base.peek()) {
        (Some(mine), Some(theirs)) if mine.0 < theirs.0 => own.next(),
        (Some(_), None) => own.next(),
        _ => base.next(),
    } {
        json.extend_from_slice(if comma { b",\"" } else { b"\"" });
        comma = true;
        json.extend_from_slice(key.as_bytes());
        json.push(b':');
        json.extend_from_slice(value.as_bytes());
        json.push(b'"');
    }
}

fn write_number(json: &mut Vec<u8>, number: i64) {
    json.extend_from_slice(number.to_string().as_bytes());
}

fn write_value(json: &mut Vec<u8>, value: Option<f64>) {
    // Writing a finite number to memory cannot fail, and `admit` lets no other pass.
    if serde_json::to_writer(&mut *json, &value).is_err() {
        json.extend_from_slice(b"null");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datadog::LIMITS;
    use crate::testing::at;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::io::Read;

    crate::catalogue! {
        /// A level.
        LEVEL = Gauge "github.prs.open" in Item by ["repo"], fold Sum, better Neither;
        /// Things in a slot.
        NEW = Count "github.prs.merged.new" in Item by ["repo"], fold Sum, better Neither;
        /// How long a thing took.
        TOOK = Distribution "github.prs.cycle_time" in Hour by ["repo"], fold None, better Neither;
    }

    const NOW: &str = "2026-01-08T12:00:00Z";

    fn base() -> Base {
        Base { categories: &[("github.", "code")], ..Base::new("github", "test", "s") }
    }

    fn decoded(payload: &Payload) -> Value {
        let mut plain = String::new();
        match payload.endpoint() {
            Endpoint::Series => flate2::read::GzDecoder::new(payload.compressed()).read_to_string(&mut plain).unwrap(),
            Endpoint::Distribution => {
                flate2::read::ZlibDecoder::new(payload.compressed()).read_to_string(&mut plain).unwrap()
            }
        };
        assert_eq!(plain.as_bytes(), payload.plain());
        serde_json::from_str(&plain).unwrap()
    }

    #[test]
    fn a_body_says_type_unit_interval_and_sorted_tags_as_datadog_wants_them() {
        let samples = [
            TOOK.observe(2.0, at("2026-01-08T11:50:00Z"), 1).tag("repo", "acme/web"),
            NEW.sample(4.0).tag("repo", "acme/web").at(at("2026-01-08T11:45:00Z")),
            LEVEL.sample(12.5).tag("repo", "acme/web"),
            TOOK.observe(3.0, at("2026-01-08T11:51:00Z"), 2).tag("repo", "acme/web"),
        ];
        let payloads = encode(&samples, &base(), at(NOW), LIMITS).unwrap();
        let tags = json!([
            "collector:github",
            "env:test",
            "repo:acme/web",
            "service:s",
            "source:cron",
            "workflow_category:code"
        ]);
        assert_eq!(
            decoded(&payloads[0]),
            json!({"series": [
                {"metric": "github.prs.merged.new", "tags": tags, "type": 1, "interval": 900, "unit": "item", "points": [{"timestamp": 1_767_872_700, "value": 4.0}]},
                {"metric": "github.prs.open", "tags": tags, "type": 3, "unit": "item", "points": [{"timestamp": 1_767_873_600, "value": 12.5}]},
            ]})
        );
        assert_eq!(
            decoded(&payloads[1]),
            json!({"series": [{"metric": "github.prs.cycle_time", "tags": tags, "type": "distribution", "points": [[1_767_873_600, [2.0, 3.0]]]}]})
        );
        assert_eq!((payloads.len(), METRICS.len()), (2, 3));
    }

    #[test]
    fn the_same_samples_in_any_order_give_the_same_bytes() {
        let one: Vec<Sample> = (0..50).map(|n| LEVEL.sample(f64::from(n)).tag("repo", format!("r{n}"))).collect();
        let other: Vec<Sample> = one.iter().rev().cloned().collect();
        let bytes = |samples: &[Sample]| encode(samples, &base(), at(NOW), LIMITS).unwrap()[0].compressed().to_vec();
        assert_eq!(bytes(&one), bytes(&other));
    }

    #[test]
    fn a_payload_survives_the_spool() {
        let samples: Vec<Sample> = (0..3).map(|n| LEVEL.sample(f64::from(n)).tag("repo", format!("r{n}"))).collect();
        let payload = encode(&samples, &base(), at(NOW), LIMITS).unwrap().remove(0);
        let plain = String::from_utf8(payload.plain()).unwrap();
        let again = Payload::from_plain(Endpoint::Series, &plain).unwrap();
        assert_eq!((again.len(), again.plain()), (3, payload.plain()));
        assert!(Payload::from_plain(Endpoint::Series, "{").is_err());
    }

    #[test]
    fn payloads_are_merged_where_that_is_within_the_limits_and_lose_no_series() {
        let observed = |n: u32| TOOK.observe(2.0, at("2026-01-08T11:50:00Z"), n).tag("repo", format!("r{n}"));
        let payloads: Vec<Payload> =
            (0..40).flat_map(|n| encode(&[observed(n)], &base(), at(NOW), LIMITS).unwrap()).collect();
        let merged = Payload::merged(payloads.iter(), LIMITS).unwrap().unwrap();
        let body = decoded(&merged);
        let tags: std::collections::BTreeSet<String> =
            body["series"].as_array().unwrap().iter().map(|series| series["tags"][2].to_string()).collect();
        assert_eq!((merged.len(), tags.len(), merged.endpoint()), (40, 40, Endpoint::Distribution));
        let plain = merged.plain().len();
        for limits in [Limits { plain: plain - 1, ..LIMITS }, Limits { compressed: 100, ..LIMITS }] {
            assert!(Payload::merged(payloads.iter(), limits).unwrap().is_none());
        }
        assert!(Payload::merged([].into_iter(), LIMITS).unwrap().is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn splitting_keeps_every_series_once_and_no_body_exceeds_the_limits(
            values in prop::collection::vec(-1e9..1e9f64, 0..400), plain in 400..6_000usize, compressed in 250..900usize,
        ) {
            let limits = Limits { plain, compressed };
            let samples: Vec<Sample> = values.iter().enumerate().map(|(n, value)| LEVEL.sample(*value).tag("repo", format!("r{n}"))).collect();
            let mut seen = BTreeMap::new();
            for payload in encode(&samples, &base(), at(NOW), limits).unwrap() {
                prop_assert!(payload.plain().len() <= plain && (payload.compressed().len() <= compressed || payload.len() == 1));
                let body = decoded(&payload);
                prop_assert_eq!(body["series"].as_array().unwrap().len(), payload.len());
                for series in body["series"].as_array().unwrap() {
                    let value = series["points"][0]["value"].as_f64().unwrap();
                    prop_assert!(seen.insert(series["tags"][2].to_string(), value).is_none());
                }
            }
            let expected: BTreeMap<String, f64> = values.iter().enumerate().map(|(n, value)| (format!("\"repo:r{n}\""), *value)).collect();
            prop_assert_eq!(seen, expected);
        }
    }
}
