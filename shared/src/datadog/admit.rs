//! What may be sent at all: known, finite, declared, well named, once, and not too much of it.

use super::Base;
use crate::{Kind, Sample, tags};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// The most series that a run may send of one target; far above what a collector emits, far below what would be expensive.
pub(crate) const MOST_SERIES: usize = 20_000;

/// Why a sample is not sent; a closed set.
pub(crate) const REASONS: [&str; 4] = ["invalid", "too_old", "cardinality", "duplicate"];

/// Datadog drops points that are older than this.
pub(crate) const OLDEST: SignedDuration = SignedDuration::from_hours(1);

/// Datadog drops points that are further ahead than this.
pub(crate) const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// How many samples were not sent, by reason.
pub type Dropped = BTreeMap<&'static str, usize>;

/// Adds to what is not sent.
pub(crate) fn add(sum: &mut Dropped, more: &Dropped) {
    for (reason, number) in more {
        *sum.entry(reason).or_default() += number;
    }
}

/// Splits off what may not be sent; samples without a value are left out and not counted.
pub(crate) fn admit(samples: Vec<Sample>, base: &Base, now: Timestamp, wall: Timestamp) -> (Vec<Sample>, Dropped) {
    let mut refused: BTreeMap<&'static str, (usize, String)> = BTreeMap::new();
    let mut seen = Seen::default();
    let mut admitted = Vec::with_capacity(samples.len());
    for sample in samples {
        if sample.value.is_none() {
            continue;
        }
        let reason = refusal(&sample, base, now, wall).or_else(|| seen.refusal(&sample));
        match reason {
            None => admitted.push(sample),
            // Earlier runs sent it, or its slot is counted as missed.
            Some("too_old") if sample.is_slot() => {}
            Some(reason) => {
                refused.entry(reason).or_insert_with(|| (0, sample.series())).0 += 1;
            }
        }
    }
    let mut dropped = Dropped::new();
    for (reason, (number, example)) in refused {
        tracing::warn!(reason, number, example, "samples not sent");
        dropped.insert(reason, number);
    }
    (admitted, dropped)
}

/// What distinguishes the samples of a series: the time of a slot, or the thing that was observed.
type Place = (Option<Timestamp>, Option<String>);

/// What was admitted so far.
#[derive(Default)]
struct Seen {
    places: HashMap<String, HashSet<Place>>,
    /// How many series each target has.
    series: HashMap<Option<Arc<str>>, usize>,
}

impl Seen {
    /// Records a sample, unless it is there already or its target has all the series that it may have.
    fn refusal(&mut self, sample: &Sample) -> Option<&'static str> {
        let series = sample.series();
        if !self.places.contains_key(&series) {
            // What the run reports about a target counts as that target's, too.
            let target = sample.target.clone().or_else(|| sample.tag_value("target").map(Arc::from));
            let number = self.series.entry(target).or_default();
            if *number == MOST_SERIES {
                return Some("cardinality");
            }
            *number += 1;
        }
        let thing = sample.occurrence.as_ref().map(|thing| thing.digest.clone());
        let is_new = self.places.entry(series).or_default().insert((sample.at, thing));
        (!is_new).then_some("duplicate")
    }
}

fn refusal(sample: &Sample, base: &Base, now: Timestamp, wall: Timestamp) -> Option<&'static str> {
    let name = base.name(&sample.name);
    let finite = sample.value.is_some_and(f64::is_finite);
    let nine = !sample.name.starts_with("metta.infra.")
        || ["check", "condition", "status", "task", "workflow_category", "workflow_name"]
            .iter()
            .all(|key| sample.tag_value(key).is_some());
    if !finite || !tags::is_name(&name) || !sample.is_declared() || !nine {
        return Some("invalid");
    }
    let late = base.historical && sample.metric.kind == Kind::Gauge;
    let time = sample.at.unwrap_or(now);
    if time > wall + AHEAD {
        return Some("invalid");
    }
    (!late && time < wall - OLDEST).then_some("too_old")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, lines};

    crate::catalogue! {
        /// A level.
        LEVEL = Gauge "test.level" in Item by ["repo"], fold Sum, better Neither;
        /// How long a thing took.
        TOOK = Distribution "test.took" in Hour by [], fold None, better Neither;
        /// A name that Datadog would change.
        ODD = Gauge "test..odd" in Hour by [], fold None, better Neither;
        /// A check without its tags.
        NAKED = Gauge "metta.infra.cron.naked" in Check by [], fold None, better Neither;
    }

    fn base() -> Base {
        Base::new("c", "test", "s")
    }

    const NOW: &str = "2026-01-08T12:00:00Z";

    #[test]
    fn what_may_not_be_sent_is_counted_by_its_reason_and_the_rest_goes_on() {
        let old = at("2026-01-08T10:59:59Z");
        let samples = vec![
            LEVEL.sample(1.0).tag("repo", "a"),
            LEVEL.sample(2.0).tag("repo", "a"),
            LEVEL.sample(3.0).tag("repo", "b").tag("person", "p"),
            LEVEL.sample(4.0),
            LEVEL.sample(f64::NAN).tag("repo", "c"),
            LEVEL.sample(f64::INFINITY).tag("repo", "d"),
            LEVEL.maybe(None).tag("repo", "e"),
            LEVEL.sample(5.0).tag("repo", "f").at(old),
            ODD.sample(1.0),
            NAKED.sample(1.0),
            TOOK.observe(1.0, at(NOW), "one"),
            TOOK.observe(1.0, at(NOW), "two"),
        ];
        let (admitted, dropped) = admit(samples, &base(), at(NOW), at(NOW));
        assert_eq!(lines(&admitted), "test.level{repo:a} 1\ntest.took{} 1\ntest.took{} 1");
        assert_eq!(dropped, Dropped::from([("duplicate", 1), ("invalid", 6), ("too_old", 1)]));
        assert_eq!(METRICS.len(), 4);
    }

    #[test]
    fn a_run_that_comes_late_is_sent_up_to_an_hour_and_refused_after_it() {
        let sent = |wall: &str, historical| {
            let base = Base { historical, ..base() };
            admit(vec![LEVEL.sample(1.0).tag("repo", "a")], &base, at(NOW), at(wall)).0.len()
        };
        assert_eq!(sent("2026-01-08T12:59:00Z", false), 1);
        assert_eq!(sent("2026-01-08T13:01:00Z", false), 0);
        assert_eq!(sent("2026-01-08T13:01:00Z", true), 1);
    }

    fn of(target: &str, series: usize, time: &str) -> impl Iterator<Item = Sample> {
        let samples = (0..series).map(|number| LEVEL.sample(1.0).tag("repo", format!("{target}{number}")).at(at(time)));
        let samples: Vec<Sample> = samples.map(|sample| Sample { target: Some(target.into()), ..sample }).collect();
        samples.into_iter()
    }

    #[test]
    fn a_target_has_no_more_series_than_the_ceiling_which_counts_none_twice_and_costs_no_other_target() {
        let before = "2026-01-08T11:45:00Z";
        let large = of("large", MOST_SERIES + 2, NOW).chain(of("large", MOST_SERIES + 2, before));
        let samples = of("full", MOST_SERIES, NOW).chain(of("full", MOST_SERIES, before)).chain(large);
        let (admitted, dropped) = admit(samples.chain(of("last", 1, NOW)).collect(), &base(), at(NOW), at(NOW));
        assert_eq!((admitted.len(), dropped), (4 * MOST_SERIES + 1, Dropped::from([("cardinality", 4)])));
    }
}
