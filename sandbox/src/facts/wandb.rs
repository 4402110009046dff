//! Training runs at W&B.

mod gpus;
mod settings;

pub use gpus::wandb_unread;
pub use settings::WandbSettings;

use super::Values;
use super::scene::{count, hours, mean, series};
use crate::model::wandb::{Fact, Project, Run};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const TYPES: [&str; 5] = ["ptm", "sweep", "stable", "local", "other"];

/// A run as it stands.
struct Standing<'a> {
    run: &'a Run,
    state: &'static str,
    beat: Option<Timestamp>,
}

struct Scene<'a> {
    project: &'a Project,
    now: Timestamp,
    settings: &'a WandbSettings,
    all: Vec<Standing<'a>>,
}

fn outcome(state: &str) -> Option<&'static str> {
    match state {
        "finished" => Some("success"),
        "failed" | "crashed" => Some("failure"),
        "killed" | "preempted" => Some("stopped"),
        _ => None,
    }
}

fn kind(run: &Run) -> &'static str {
    let called = run.display_name.as_ref().unwrap_or(&run.name);
    if called.starts_with("github.sky.") {
        return "ptm";
    }
    if run.sweep.is_some() || called.contains("sweep") {
        return "sweep";
    }
    ["stable", "local"].into_iter().find(|word| called.contains(word)).unwrap_or("other")
}

impl Standing<'_> {
    /// When and how it ended, if it did.
    fn end(&self) -> Option<(Timestamp, &'static str)> {
        Some((self.beat?, outcome(self.state)?))
    }

    fn hours(&self) -> Option<f64> {
        Some(hours(self.run.created_at, self.beat?))
    }

    /// A finite number of the summary.
    fn value(&self, key: &str) -> Option<f64> {
        fn find<'f>(entries: &'f [(String, Fact)], key: &str) -> Option<&'f Fact> {
            for (name, fact) in entries {
                if name == key {
                    return Some(fact);
                }
                let rest = key.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('.'));
                if let (Some(rest), Fact::Nested(inner)) = (rest, fact)
                    && let Some(found) = find(inner, rest)
                {
                    return Some(found);
                }
            }
            None
        }
        match find(&self.run.summary, key)? {
            Fact::Number(number) if number.is_finite() => Some(*number),
            _ => None,
        }
    }

    /// Between which times it is known to have beaten; runs that wait, or are about to be stopped, are left aside.
    fn span(&self) -> Option<(Timestamp, Timestamp)> {
        if matches!(self.state, "pending" | "preempting") { None } else { Some((self.run.created_at, self.beat?)) }
    }
}

impl<'a> Scene<'a> {
    fn new(project: &'a Project, now: Timestamp, settings: &'a WandbSettings) -> Self {
        let stand = |run: &'a Run| Some(Standing { run, state: run.state(now)?, beat: run.heartbeat(now) });
        let all = project.runs.iter().filter_map(stand).collect();
        Self { project, now, settings, all }
    }

    fn week(&self) -> Timestamp {
        self.now - SignedDuration::from_hours(7 * 24)
    }

    fn is_alive(&self, run: &Standing<'_>) -> bool {
        let limit = self.now - SignedDuration::from_mins(self.settings.stale_minutes);
        run.state == "running" && run.beat.is_some_and(|beat| beat >= limit)
    }

    fn ended(&self) -> impl Iterator<Item = &Standing<'a>> {
        self.all.iter().filter(|run| run.end().is_some_and(|(end, _)| self.week() <= end && end < self.now))
    }

    /// The value of the run that ended last among these and has it; among equals the one created last, then the largest.
    fn latest<'s>(&'s self, key: &str, wanted: impl Fn(&Standing<'_>) -> bool + 's) -> Option<f64>
    where
        'a: 's,
    {
        let mut found: Option<(Timestamp, Timestamp, f64)> = None;
        for run in self.ended().filter(|run| wanted(run)) {
            if let (Some((end, _)), Some(value)) = (run.end(), run.value(key)) {
                let this = (end, run.run.created_at, value);
                if found.is_none_or(|best| {
                    (best.0, best.1) < (this.0, this.1) || ((best.0, best.1) == (this.0, this.1) && best.2 < value)
                }) {
                    found = Some(this);
                }
            }
        }
        found.map(|found| found.2)
    }

    fn tag(&self) -> String {
        format!("{}/{}", self.project.entity, self.project.name)
    }

    fn put(&self, values: &mut Values, name: &str, more: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            let project = self.tag();
            let mut tags = vec![("project", project.as_str())];
            tags.extend(more);
            values.insert(series(name, &tags), value);
        }
    }

    fn run_rows(&self, values: &mut Values) {
        let mut good = 0.0;
        let mut bad = 0.0;
        for kind in TYPES {
            let of_kind = |run: &&Standing<'_>| self::kind(run.run) == kind;
            let ended = |way: &str| {
                count(self.ended().filter(of_kind).filter(|run| run.end().is_some_and(|end| end.1 == way)).count())
            };
            let alive = self.all.iter().filter(|run| self.is_alive(run)).filter(of_kind).count();
            let tags = [("run_type", kind)];
            self.put(values, "wandb.runs.active", &tags, Some(count(alive)));
            self.put(values, "wandb.runs.completed_7d", &tags, Some(ended("success")));
            self.put(values, "wandb.runs.failed_7d", &tags, Some(ended("failure")));
            good += ended("success");
            bad += ended("failure");
            for (word, key) in &self.settings.keys {
                let latest = self.latest(key, |run| self::kind(run.run) == kind);
                self.put(values, "wandb.summary.latest", &[("run_type", kind), ("key", word)], latest);
            }
        }
        self.put(values, "wandb.runs.total", &[], Some(count(self.all.len())));
        let dead = self.all.iter().filter(|run| run.state == "running" && !self.is_alive(run)).count();
        self.put(values, "wandb.runs.stale", &[], Some(count(dead)));
        for state in ["finished", "failed", "crashed", "killed", "preempted"] {
            let number = self.ended().filter(|run| run.state == state).count();
            self.put(values, "wandb.runs.by_state_7d", &[("state", state)], Some(count(number)));
        }
        self.put(values, "health.training.run_success.fom", &[], Some((good / 7.0).min(1.0)));
        self.put(values, "health.training.run_failures.fom", &[], Some((1.0 - bad / 3.0).max(0.0)));
    }

    fn summary_rows(&self, values: &mut Values) {
        let accuracy = &self.settings.keys[0].1;
        let all = self.all.iter().filter(|run| run.state == "finished").filter_map(|run| run.value(accuracy));
        let best = all.fold(None, |best: Option<f64>, value| Some(best.map_or(value, |best| best.max(value))));
        self.put(values, "wandb.metrics.best_accuracy", &[], best);
        let week: Vec<f64> =
            self.ended().filter(|run| run.state == "finished").filter_map(|run| run.value(accuracy)).collect();
        self.put(values, "wandb.metrics.avg_accuracy_7d", &[], mean(&week));
        let loss = self.latest(&self.settings.keys[1].1, |run| run.state == "finished");
        self.put(values, "wandb.metrics.latest_loss", &[], loss);
        let points = |x: f64| if x > 1.0 { (x / 100.0).min(1.0) } else { x.max(0.0) };
        self.put(values, "health.training.best_accuracy.fom", &[], best.map(points));
        self.put(values, "health.training.avg_accuracy.fom", &[], mean(&week).map(points));
        let score = loss.filter(|loss| *loss > 0.0).map(|loss| (1.0 - (loss - 0.1) / 1.9).clamp(0.0, 1.0));
        self.put(values, "health.training.latest_loss.fom", &[], score);
    }

    fn training_rows(&self, values: &mut Values) {
        let lengths: Vec<f64> = self.ended().filter_map(Standing::hours).filter(|hours| *hours >= 0.0).collect();
        let length = mean(&lengths);
        self.put(values, "wandb.training.avg_duration_hours", &[], length);
        let score = length.map(|length| match length {
            short if short < 1.0 => 0.3,
            long if long > 8.0 => (1.0 - (long - 8.0) / 8.0).max(0.0),
            _ => 1.0,
        });
        self.put(values, "health.training.duration.fom", &[], score);
        self.gpu_rows(values);
    }
}

/// Every gauge of a project at this time, its scores included.
#[must_use]
pub fn wandb(project: &Project, now: Timestamp, settings: &WandbSettings) -> Values {
    let scene = Scene::new(project, now, settings);
    let mut values = Values::new();
    scene.run_rows(&mut values);
    scene.summary_rows(&mut values);
    scene.training_rows(&mut values);
    values
}

/// The counts of the slot of fifteen minutes that ends at this time, as they stand at `now`.
#[must_use]
pub fn wandb_counts(project: &Project, slot_end: Timestamp, now: Timestamp) -> Values {
    let settings = WandbSettings::default();
    let scene = Scene::new(project, now, &settings);
    let mut values = Values::new();
    for kind in TYPES {
        for way in ["success", "failure", "stopped"] {
            let in_slot = |run: &&Standing<'_>| {
                let end = run.end().filter(|_| self::kind(run.run) == kind);
                end.is_some_and(|(end, how)| {
                    how == way && slot_end - SignedDuration::from_mins(15) <= end && end < slot_end
                })
            };
            let number = count(scene.all.iter().filter(in_slot).count());
            scene.put(&mut values, "wandb.runs.ended.new", &[("run_type", kind), ("outcome", way)], Some(number));
        }
    }
    values
}

/// The durations of the runs whose end became known between these two times, ascending: those that ended before the
/// second, not longer ago than two days before the first, and had not ended in the same way before.
#[must_use]
pub fn wandb_observations(project: &Project, (from, until): (Timestamp, Timestamp)) -> BTreeMap<String, Vec<f64>> {
    let settings = WandbSettings::default();
    let scene = Scene::new(project, until, &settings);
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in &scene.all {
        let Some((end, way)) = run.end() else { continue };
        let before = run.run.state(from).and_then(outcome).and(run.run.heartbeat(from)).filter(|end| *end < from);
        let in_time = from - SignedDuration::from_hours(48) <= end && end < until;
        if let Some(length) = run.hours().filter(|length| *length >= 0.0 && in_time && before != Some(end)) {
            let project = scene.tag();
            let tags = [("project", project.as_str()), ("run_type", kind(run.run)), ("outcome", way)];
            values.entry(series("wandb.training.duration_hours", &tags)).or_default().push(length);
        }
    }
    for values in values.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    values
}
