//! GPUs of running jobs by type and pricing, and what they cost.

use crate::metrics;
use crate::snapshot::{Job, Rules, hides_gpus};
use shared::Sample;
use shared::prices::Pricing;
use std::collections::{BTreeMap, BTreeSet};

/// Types that have a row of their own although they have no price: without a price table there would be none at all.
const TYPES: usize = 30;

/// What the types beyond those are called together.
const OTHER: &str = "other";

/// GPUs by type and pricing.
type Gpus = BTreeMap<(String, Option<Pricing>), f64>;

/// The rows about GPUs; unknown as soon as more than a tenth of the running jobs cannot be read.
pub(super) fn samples(running: Option<&[&Job]>, rules: &Rules) -> Vec<Sample> {
    let Some(gpus) = running.and_then(count) else {
        return vec![
            metrics::GPUS_L4.maybe(None),
            metrics::GPUS_A10G.maybe(None),
            metrics::GPUS_H100.maybe(None),
            metrics::GPUS_TOTAL.maybe(None),
            metrics::UNPRICED.maybe(None),
        ];
    };
    // An empty sum of floating points is a negative zero, which would be sent as such.
    let sum = |numbers: &mut dyn Iterator<Item = &f64>| numbers.fold(0.0, |sum, number| sum + number);
    let of = |name: &str| sum(&mut gpus.iter().filter(|((kind, _), _)| kind == name).map(|(_, number)| number));
    let mut samples = vec![
        metrics::GPUS_L4.sample(of("l4")),
        metrics::GPUS_A10G.sample(of("a10g")),
        metrics::GPUS_H100.sample(of("h100")),
        metrics::GPUS_TOTAL.sample(sum(&mut gpus.values())),
    ];
    samples.extend(by_type(&gpus, rules));
    samples
}

fn count(running: &[&Job]) -> Option<Gpus> {
    let unread = running.iter().filter(|job| job.gpus.is_none()).count();
    if hides_gpus(unread, running.len()) {
        return None;
    }
    let mut gpus = Gpus::new();
    for job in running {
        for of_a_kind in job.gpus.iter().flatten() {
            *gpus.entry((of_a_kind.kind.clone(), of_a_kind.pricing)).or_default() += of_a_kind.number;
        }
    }
    Some(gpus)
}

/// Each type that is used now or has a price, both ways of paying; what has no price is counted as such.
fn by_type(gpus: &Gpus, rules: &Rules) -> Vec<Sample> {
    let named = named(gpus, rules);
    let mut shown: BTreeMap<(&str, Pricing), f64> = BTreeMap::new();
    for kind in &named {
        shown.extend(Pricing::ALL.map(|pricing| ((*kind, pricing), 0.0)));
    }
    let mut unpriced = 0.0;
    for ((kind, pricing), number) in gpus {
        let price = pricing.and_then(|pricing| rules.prices.get(kind)?.of(pricing));
        if price.is_none() {
            unpriced += number;
        }
        let kind = if named.contains(kind.as_str()) { kind.as_str() } else { OTHER };
        // One whose way of paying is not known yet is in neither row.
        if let Some(pricing) = pricing {
            *shown.entry((kind, *pricing)).or_default() += number;
        }
    }
    let mut samples = vec![metrics::UNPRICED.sample(unpriced)];
    for ((kind, pricing), number) in shown {
        let tagged = |sample: Sample| sample.tag("gpu_type", kind).tag("pricing", pricing.word());
        samples.push(tagged(metrics::GPUS_BY_TYPE.sample(number)));
        if let Some(price) = rules.prices.get(kind).and_then(|price| price.of(pricing)) {
            samples.push(tagged(metrics::BURN_RATE.sample(number * price)).tag("price_source", "table"));
        }
    }
    samples
}

/// The types that have a row of their own: those with a price, and the most used ones.
fn named<'a>(gpus: &'a Gpus, rules: &'a Rules) -> BTreeSet<&'a str> {
    let mut used: BTreeMap<&str, f64> = BTreeMap::new();
    for ((kind, _), number) in gpus {
        *used.entry(kind).or_default() += number;
    }
    let mut used: Vec<(&str, f64)> = used.into_iter().collect();
    used.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most_used = used.into_iter().map(|(kind, _)| kind).filter(|kind| !rules.prices.contains_key(*kind)).take(TYPES);
    rules.prices.keys().map(String::as_str).chain(most_used).collect()
}
