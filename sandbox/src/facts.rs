//! What every metric should be, worked out from the model by the words of its definition alone.
//!
//! Nothing here is shared with a collector: a mistake would have to be made twice, in two ways, to go unseen.

mod asana;
mod checks;
mod code;
mod dora;
mod runs;
mod scene;
mod skypilot;
mod wandb;

use crate::model::Person;
use crate::model::github::Repository;
pub use asana::{AsanaSettings, asana, asana_counts, asana_observations, asana_verdicts};
use jiff::Timestamp;
use scene::Scene;
pub use skypilot::{SkySettings, skypilot, skypilot_counts, skypilot_gaps, skypilot_observations, skypilot_unread};
use std::collections::BTreeMap;

pub use wandb::{WandbSettings, wandb, wandb_counts, wandb_observations, wandb_unread};

/// Values by series, written as `name{tag:value,…}` without the tags that every series has.
pub type Values = BTreeMap<String, f64>;

/// The configuration that definitions speak of, with its defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Logins that are bots beside those that say so.
    pub bots: Vec<String>,
    /// Labels that say hotfix.
    pub hotfix: Vec<String>,
    /// Labels that say revert.
    pub revert: Vec<String>,
    /// Labels that say that the rules were gone around.
    pub force: Vec<String>,
    /// Labels of the bug queue.
    pub bugs: Vec<String>,
    /// The label of incidents.
    pub incident: String,
    /// The environment whose deployments count, where they are wanted.
    pub deploys: Option<String>,
    /// What a job may take, in minutes.
    pub limit_minutes: f64,
    /// Whether self-hosted runners are wanted.
    pub runners: bool,
    /// The classes of runners whose queues are told apart, where waiting times are wanted.
    pub queue: Option<Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            bots: Vec::new(),
            hotfix: words(&["hotfix"]),
            revert: words(&["revert"]),
            force: words(&["force-merge", "force_merge"]),
            bugs: words(&["bug", "Training"]),
            incident: "incident".to_owned(),
            deploys: None,
            limit_minutes: 360.0,
            runners: false,
            queue: None,
        }
    }
}

/// Every gauge of a repository at this time, its checks and its scores included.
#[must_use]
pub fn github(repository: &Repository, people: &[Person], now: Timestamp, settings: &Settings) -> Values {
    let scene = Scene::new(repository, people, now, settings);
    let mut values = Values::new();
    code::tell(&scene, &mut values);
    runs::tell(&scene, &mut values);
    dora::tell(&scene, &mut values);
    checks::tell(&scene, &mut values);
    values
}

/// The counts of the slot of fifteen minutes that ends at this time, as they stand at `now`.
#[must_use]
pub fn github_counts(
    repository: &Repository,
    people: &[Person],
    slot_end: Timestamp,
    now: Timestamp,
    settings: &Settings,
) -> Values {
    let scene = Scene::new(repository, people, now, settings);
    let mut values = Values::new();
    code::count(&scene, slot_end, &mut values);
    runs::count(&scene, slot_end, &mut values);
    values
}

/// How many checks are judged at this time, and how many of them pass.
#[must_use]
pub fn github_verdicts(repository: &Repository, people: &[Person], now: Timestamp, settings: &Settings) -> Values {
    checks::count_verdicts(&Scene::new(repository, people, now, settings), &github(repository, people, now, settings))
}

/// The observations of what ended in `[from, until)`, ascending.
#[must_use]
pub fn github_observations(
    repository: &Repository,
    people: &[Person],
    (from, until): (Timestamp, Timestamp),
    settings: &Settings,
) -> BTreeMap<String, Vec<f64>> {
    let scene = Scene::new(repository, people, until, settings);
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    code::observe(&scene, from, &mut values);
    runs::observe(&scene, from, &mut values);
    runs::observe_queues(&scene, from, &mut values);
    for values in values.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    values
}
