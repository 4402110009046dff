//! A collector on a stage: configured, with a store of its own, and run as often as a test wants.

use super::Folder;
use crate::{Collector, Env, Event, Kind, Life, Report, Sample};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a run on a stage may take.
const TIME: Duration = Duration::from_mins(2);

/// How often a run is repeated for parts that are read a few pieces at a time.
const PATIENCE: usize = 40;

/// Values by series, without the tags that every series has.
pub type Values = BTreeMap<String, f64>;

/// A collector with its configuration and its store.
#[derive(Debug)]
pub struct Stage<C> {
    /// The life that runs it.
    pub life: Life,
    /// The collector.
    pub collector: C,
    state: Folder,
}

impl<C: Collector> Stage<C> {
    /// A collector with these variables, the later ones winning; `push` says whether it sends what it measures.
    ///
    /// # Panics
    /// When the configuration is wrong.
    pub async fn new(settings: BTreeMap<String, String>, more: &[(&str, &str)], push: bool) -> Self {
        Self::with(settings, more, push, Folder::new(C::NAME)).await
    }

    /// The same, with this store.
    ///
    /// # Panics
    /// When the configuration is wrong.
    #[expect(clippy::expect_used, reason = "a test without its stage has failed")]
    pub async fn with(
        mut settings: BTreeMap<String, String>,
        more: &[(&str, &str)],
        push: bool,
        state: Folder,
    ) -> Self {
        settings.insert("STATE_DIR".to_owned(), state.path().display().to_string());
        settings.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let env = Env::load(settings).await.expect("an environment");
        let life = Life::prepare::<C>(&env, push).await.expect("a life");
        let collector = C::connect(&env).await.expect("a collector");
        Self { life, collector, state }
    }

    /// The store alone, for another stage.
    #[must_use]
    pub fn into_state(self) -> Folder {
        self.state
    }

    /// One run at this time.
    ///
    /// # Panics
    /// When the run cannot even be reported on.
    #[expect(clippy::expect_used, reason = "a test without its report has failed")]
    pub async fn run(&self, now: Timestamp) -> Report {
        self.life.run(&self.collector, &Event::new(now, now), TIME).await.expect("a report")
    }

    /// Runs at this time until nothing is pending any more: what never changes may be asked for over several runs.
    ///
    /// # Panics
    /// When that does not end.
    #[expect(clippy::panic, reason = "a test that waits for ever has failed")]
    pub async fn settled(&self, now: Timestamp) -> Report {
        for _ in 0..PATIENCE {
            let report = self.run(now).await;
            if report.shares.iter().all(|share| share.findings.pending.values().all(|missing| *missing == 0)) {
                return report;
            }
        }
        panic!("{} is still pending after {PATIENCE} runs", C::NAME);
    }

    /// The text of every snapshot in the store.
    ///
    /// # Panics
    /// When the store cannot be read.
    #[expect(clippy::expect_used, reason = "a test without its snapshots has failed")]
    pub async fn snapshots(&self) -> String {
        let mut text = String::new();
        for key in self.life.store().list("snapshots/", usize::MAX).await.expect("a list") {
            let object = self.life.store().get(&key, usize::MAX).await.expect("a store").expect("an object");
            let bytes = zstd::decode_all(object.bytes.as_slice()).expect("a whole object");
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
        text
    }
}

fn known(report: &Report, kind: Kind) -> impl Iterator<Item = (&Sample, f64)> {
    let own = move |sample: &&Sample| sample.metric().kind == kind && !sample.name().starts_with("collector.");
    report.samples.iter().filter(own).filter_map(|sample| {
        let value = sample.value()?;
        Some((sample, value))
    })
}

/// The known gauges of a report, without what the collector says about itself.
#[must_use]
pub fn gauges(report: &Report) -> Values {
    known(report, Kind::Gauge).map(|(sample, value)| (sample.series(), value)).collect()
}

/// The counts of a report by the end of their slot, without what the collector says about itself.
#[must_use]
pub fn counts(report: &Report) -> BTreeMap<Timestamp, Values> {
    let mut slots: BTreeMap<Timestamp, Values> = BTreeMap::new();
    for (sample, value) in known(report, Kind::Count) {
        slots.entry(sample.time().unwrap_or(report.now)).or_default().insert(sample.series(), value);
    }
    slots
}

/// The observations of a report by series, ascending.
#[must_use]
pub fn observations(report: &Report) -> BTreeMap<String, Vec<f64>> {
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (sample, value) in known(report, Kind::Distribution) {
        all.entry(sample.series()).or_default().push(value);
    }
    for values in all.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    all
}

/// What differs between what was said and what is true, one line each.
#[must_use]
pub fn differences(said: &Values, truth: &Values) -> Vec<String> {
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    let wrong = truth.iter().filter(|(series, value)| !said.get(*series).is_some_and(|said| close(*said, **value)));
    let wrong = wrong.map(|(series, value)| format!("{series}: said {:?}, true {value}", said.get(series)));
    let invented = said.iter().filter(|(series, _)| !truth.contains_key(*series));
    wrong.chain(invented.map(|(series, value)| format!("{series}: said {value}, true absent"))).collect()
}

/// How many answers the parts of all targets wait for.
#[must_use]
pub fn pending(report: &Report) -> u64 {
    report.shares.iter().flat_map(|share| share.findings.pending.values()).sum()
}

/// How many records of the parts of all targets make no sense.
#[must_use]
pub fn unread(report: &Report) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for (part, records) in report.shares.iter().flat_map(|share| &share.findings.unread) {
        *sums.entry(*part).or_default() += records;
    }
    sums
}

/// The parts that failed.
#[must_use]
pub fn gaps(report: &Report) -> BTreeSet<&'static str> {
    report.shares.iter().flat_map(|share| share.findings.gaps.keys().copied()).collect()
}

/// How many values are said of rows whose names begin so.
#[must_use]
pub fn says(report: &Report, prefix: &str) -> usize {
    report.samples.iter().filter(|sample| sample.name().starts_with(prefix) && sample.value().is_some()).count()
}

/// The value of a series.
#[must_use]
pub fn value(report: &Report, series: &str) -> Option<f64> {
    report.samples.iter().find(|sample| sample.series() == series)?.value()
}
