//! Rows of the catalogue and the samples made from them.

use crate::{Better, Fold, Unit, digest, stats, tags};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The grid that every run and every slot of a count stands on.
pub const GRID: SignedDuration = SignedDuration::from_mins(15);

/// How many closed slots of a count a run can still deliver: Datadog drops points that are older than an hour.
pub(crate) const SLOTS: i32 = 4;

/// What a number does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A level at an instant, or the total of a rolling window.
    Gauge,
    /// What happened in one closed slot of fifteen minutes.
    Count,
    /// One observation for each thing that ended.
    Distribution,
}

impl Kind {
    /// The word the catalogue and Datadog use.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Count => "count",
            Self::Distribution => "distribution",
        }
    }
}

/// One row of the catalogue.
#[derive(Debug)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// What the number does over time.
    pub kind: Kind,
    /// What it counts.
    pub unit: Unit,
    /// What it counts by, for a rate such as operations per day.
    pub per: Option<Unit>,
    /// The dimension tags of every sample; the base tags come on top.
    pub tags: &'static [&'static str],
    /// How the values of several members make one.
    pub fold: Fold,
    /// Which way it is good.
    pub better: Better,
    /// What the number means, for people.
    pub help: &'static str,
}

impl Metric {
    /// A sample with this value.
    #[must_use]
    pub fn sample(&'static self, value: f64) -> Sample {
        self.maybe(Some(value))
    }

    /// A sample with this value, or one that says that the value is unknown.
    ///
    /// A sample without a value is never sent: it tells the checks which member of a row is unknown.
    #[must_use]
    pub const fn maybe(&'static self, value: Option<f64>) -> Sample {
        Sample {
            metric: self,
            name: Cow::Borrowed(self.name),
            tags: Vec::new(),
            value,
            also: &[],
            category: None,
            target: None,
            observations: None,
            at: None,
            occurrence: None,
        }
    }

    /// A number of things, where they are known.
    #[must_use]
    pub fn number(&'static self, things: Option<usize>) -> Sample {
        self.maybe(things.map(stats::count))
    }

    /// The mean of what is known.
    #[must_use]
    pub fn mean(&'static self, values: Option<&[f64]>) -> Sample {
        self.maybe(values.and_then(stats::mean))
    }

    /// A percentile of what is known, with the number of values behind it for checks that require a minimum.
    #[must_use]
    pub fn percentile(&'static self, q: f64, values: Option<&[f64]>) -> Sample {
        let sample = self.maybe(values.and_then(|values| stats::percentile(values, q)));
        sample.of(values.map_or(0, <[f64]>::len))
    }

    /// The recount of each slot that can still be delivered, zeros included, from the times at which things happened.
    pub fn slots(&'static self, times: Option<&[Timestamp]>, now: Timestamp) -> impl Iterator<Item = Sample> {
        (0..SLOTS).map(move |back| {
            let end = now - GRID * back;
            let value = times.map(|times| times.iter().filter(|time| (end - GRID..end).contains(time)).count());
            Sample { at: Some(end), ..self.maybe(value.map(stats::count)) }
        })
    }

    /// One observation of a thing that ended at this time; `id` is unique within this metric.
    #[must_use]
    pub fn observe(&'static self, value: f64, ended_at: Timestamp, id: impl fmt::Display) -> Sample {
        let occurrence = Occurrence { ended_at, digest: digest(&format!("{}/{id}", self.name)) };
        Sample { occurrence: Some(occurrence), ..self.sample(value) }
    }
}

/// The thing that was observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// When the thing ended.
    pub ended_at: Timestamp,
    /// Identifies the thing without naming it.
    pub digest: String,
}

/// One value of one series, made from a row of the catalogue. Prints as `name{tag:value} 12`.
#[derive(Debug, Clone)]
pub struct Sample {
    pub(crate) metric: &'static Metric,
    pub(crate) name: Cow<'static, str>,
    pub(crate) tags: Vec<(&'static str, String)>,
    pub(crate) value: Option<f64>,
    pub(crate) also: &'static [&'static str],
    pub(crate) category: Option<&'static str>,
    pub(crate) target: Option<Arc<str>>,
    pub(crate) observations: Option<usize>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) occurrence: Option<Occurrence>,
}

impl Sample {
    /// Adds a tag; the value is normalised as Datadog would do it.
    #[must_use]
    pub fn tag(mut self, key: &'static str, value: impl AsRef<str>) -> Self {
        let place = self.tags.partition_point(|(other, _)| *other < key);
        self.tags.insert(place, (key, tags::value(key, value.as_ref())));
        self
    }

    /// Sets how many observations the value is made of, for checks that require a minimum.
    #[must_use]
    pub const fn of(mut self, observations: usize) -> Self {
        self.observations = Some(observations);
        self
    }

    /// Sets its `workflow_category`, where its name does not decide it.
    pub(crate) const fn of_category(mut self, category: &'static str) -> Self {
        self.category = Some(category);
        self
    }

    /// Gives the sample a time of its own instead of the run's.
    #[must_use]
    pub const fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// The target that it is about; none where it is about the collector.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The row this sample is made from.
    #[must_use]
    pub const fn metric(&self) -> &'static Metric {
        self.metric
    }

    /// The full name, as sent.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, where it is known.
    #[must_use]
    pub const fn value(&self) -> Option<f64> {
        self.value
    }

    /// The dimension tags by ascending key.
    #[must_use]
    pub fn tags(&self) -> &[(&'static str, String)] {
        &self.tags
    }

    /// The value of one dimension.
    #[must_use]
    pub fn tag_value(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(other, _)| *other == key).map(|(_, value)| value.as_str())
    }

    /// Whether its tags are the ones its row declares, and for a check those of what it reads.
    pub(crate) fn is_declared(&self) -> bool {
        let mut declared: Vec<&str> = self.metric.tags.iter().chain(self.also).copied().collect();
        declared.sort_unstable();
        declared.dedup();
        self.tags.iter().map(|(key, _)| *key).eq(declared)
    }

    /// The sample's own time, where it has one.
    #[must_use]
    pub const fn time(&self) -> Option<Timestamp> {
        self.at
    }

    /// Whether it recounts a slot: later runs recount it too, and an old recount must not overwrite a newer one.
    pub(crate) fn is_slot(&self) -> bool {
        self.metric.kind == Kind::Count && self.at.is_some()
    }

    /// What is observed, for a distribution.
    #[must_use]
    pub const fn occurrence(&self) -> Option<&Occurrence> {
        self.occurrence.as_ref()
    }

    /// `name{tag:value,…}` without the value.
    #[must_use]
    pub fn series(&self) -> String {
        let room =
            self.name.len() + 2 + self.tags.iter().map(|(key, value)| key.len() + value.len() + 2).sum::<usize>();
        let mut text = String::with_capacity(room);
        text.push_str(&self.name);
        for (number, (key, value)) in self.tags.iter().enumerate() {
            text.push(if number == 0 { '{' } else { ',' });
            text.push_str(key);
            text.push(':');
            text.push_str(value);
        }
        text.push_str(if self.tags.is_empty() { "{}" } else { "}" });
        text
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{} {value}", self.series()),
            None => write!(f, "{} unknown", self.series()),
        }
    }
}

/// Declares rows of the catalogue, and `METRICS` with all of them.
///
/// The doc comment of a row is the text that people read in Datadog and in the docs.
#[macro_export]
macro_rules! catalogue {
    ($($(#[doc = $help:literal])+ $id:ident = $kind:ident $name:literal in $unit:ident $(/ $per:ident)? by [$($tag:literal),*], fold $fold:ident, better $better:ident;)+) => {
        $(
            $(#[doc = $help])+
            pub static $id: $crate::Metric = $crate::Metric {
                name: $name,
                kind: $crate::Kind::$kind,
                unit: $crate::Unit::$unit,
                per: $crate::catalogue!(@per $($per)?),
                tags: &[$($tag),*],
                fold: $crate::Fold::$fold,
                better: $crate::Better::$better,
                help: concat!($($help),+),
            };
        )+

        /// Every row of this catalogue.
        pub static METRICS: &[&$crate::Metric] = &[$(&$id),+];
    };
    (@per) => { None };
    (@per $per:ident) => { Some($crate::Unit::$per) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    crate::catalogue! {
        /// Things merged.
        MERGED = Count "test.merged.new" in Item by ["repo"], fold Sum, better Up;
        /// Deployments a day.
        PACE = Gauge "test.pace" in Operation / Day by [], fold Sum, better Up;
    }

    #[test]
    fn a_sample_prints_its_tags_by_key_and_its_value() {
        let sample = PACE.sample(12.0).tag("repo", "Acme/Web Shop").tag("area", "ci");
        assert_eq!(sample.to_string(), "test.pace{area:ci,repo:acme/web_shop} 12");
        assert_eq!(PACE.maybe(None).to_string(), "test.pace{} unknown");
        assert_eq!((PACE.help, PACE.per), (" Deployments a day.", Some(Unit::Day)));
        assert_eq!(METRICS.len(), 2);
    }

    #[test]
    fn a_slot_holds_its_start_and_not_its_end() {
        let now = at("2026-01-08T12:00:00Z");
        let times =
            ["2026-01-08T11:44:59Z", "2026-01-08T11:45:00Z", "2026-01-08T11:59:59Z", "2026-01-08T12:00:00Z"].map(at);
        let slots: Vec<(Option<Timestamp>, Option<f64>)> =
            MERGED.slots(Some(&times), now).map(|sample| (sample.time(), sample.value())).collect();
        assert_eq!(slots[0], (Some(now), Some(2.0)));
        assert_eq!(slots[1], (Some(at("2026-01-08T11:45:00Z")), Some(1.0)));
        assert_eq!(slots[2..].iter().map(|slot| slot.1).collect::<Vec<_>>(), [Some(0.0), Some(0.0)]);
        assert!(MERGED.slots(None, now).all(|sample| sample.value().is_none()));
    }
}
