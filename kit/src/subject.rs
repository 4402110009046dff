//! What a collector tells of itself, so that the house's proofs can be made of it.

use crate::stage::Scene;
use jiff::Timestamp;
use sandbox::{Fault, Organisation, Rule, Sandbox};
use shared::Collector;
use shared::testing::Values;
use std::collections::{BTreeMap, BTreeSet};

/// Variables that are set beside the sandbox's own; the later ones win.
pub type Settings = Vec<(&'static str, String)>;

/// Observations by series, ascending.
pub type Observations = BTreeMap<String, Vec<f64>>;

/// Requests of which some parts need every one, and no other part any.
pub struct Question {
    /// What is asked, in a word.
    pub name: &'static str,
    /// Narrows a rule down to these requests.
    pub asks: fn(Rule) -> Rule,
    /// The parts that are unknown without them.
    pub parts: &'static [&'static str],
    /// How the names of the rows begin that say nothing then.
    pub silent: &'static [&'static str],
    /// Faults that are none here: an answer whose body nobody reads may be cut, and a refusal may mean all questions.
    pub spared: &'static [&'static str],
    /// What this upstream may answer beside what any may, each with the kind of error that it is.
    pub lies: fn() -> Vec<(&'static str, Fault, &'static str)>,
}

/// What lets the collector in.
pub struct Credential {
    /// The variable that holds it.
    pub variable: &'static str,
    /// Its value.
    pub value: &'static str,
    /// Another one, as this upstream gives them out.
    pub another: &'static str,
    /// The upstream lets it in no more.
    pub revoke: fn(&Sandbox, &str),
    /// The upstream lets this one in from now on.
    pub allow: fn(&Sandbox, &str),
}

/// A collector with its truth and its questions.
pub trait Subject: 'static {
    /// The collector.
    type Collector: Collector;

    /// The word of `collector.api_errors`, and of the sandbox's upstreams that it asks the first.
    const UPSTREAMS: &'static [&'static str];
    /// An organisation of which all is known, for proofs that need one.
    const HEALTHY: u64;
    /// How large the organisations are whose cost is held against the budget.
    const SIZES: &'static [u32] = &[1, 10];
    /// A configuration of one target alone, with its word.
    fn single(sandbox: &Sandbox) -> (Settings, &'static str);
    /// The configuration of one target that the budget speaks of.
    #[must_use]
    fn reference(sandbox: &Sandbox) -> Settings {
        Self::single(sandbox).0
    }

    /// A configuration of one target that is there and one that is not, with their words.
    fn missing(sandbox: &Sandbox) -> (Settings, [&'static str; 2]);
    /// Variables that are refused, with their wrong values.
    const WRONG: &'static [(&'static str, &'static str)];
    /// Rows of `collector.*` that its healthy runs do not need.
    const ABSENT: &'static [&'static str] = &[];
    /// What it asks.
    fn questions() -> Vec<Question>;
    /// What lets it in.
    fn credential() -> Credential;
    /// Names, titles and texts of people, none of which may be told.
    fn private(organisation: &Organisation) -> Vec<String>;

    /// How the organisation of this number is configured.
    #[must_use]
    fn settings(_: u64) -> Settings {
        Settings::new()
    }

    /// Makes the sandbox ready.
    fn prepare(_: &Sandbox) {}

    /// Every gauge at this time, checks and scores included.
    fn gauges(scene: &Scene<'_>, now: Timestamp) -> Values;

    /// The counts of the slot that ends at this time, as they stand at `now`.
    fn counts(scene: &Scene<'_>, slot: Timestamp, now: Timestamp) -> Values;

    /// What ended in this time.
    fn observations(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> Observations;

    /// How many checks are judged, and how many pass: the run's own counts.
    #[must_use]
    fn verdicts(_: &Scene<'_>, _: Timestamp) -> Values {
        Values::new()
    }

    /// The parts of a target that cannot be known of this organisation.
    #[must_use]
    fn gaps(_: &Scene<'_>, _: &str, _: Timestamp) -> BTreeSet<&'static str> {
        BTreeSet::new()
    }

    /// How many records of each part of a target make no sense.
    #[must_use]
    fn unread(_: &Scene<'_>, _: &str, _: Timestamp) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }

    /// Words of the rows that a continued run may be wrong about, because the upstream does not tell what happened in this
    /// time; the daily fetch of everything sees it.
    #[must_use]
    fn unseen(_: &Scene<'_>, _: Timestamp, _: Timestamp) -> &'static [&'static str] {
        &[]
    }
}
