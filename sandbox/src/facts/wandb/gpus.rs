//! The GPUs of runs: how many, how long, how busy, and the runs that do not tell.

use super::{Scene, Standing, WandbSettings, kind};
use crate::facts::Values;
use crate::facts::scene::{count, mean};
use crate::model::wandb::{Machine, Project};
use jiff::{SignedDuration, Timestamp};

/// A card that counts as a run's own: how busy it was, where that is reported.
type Busy = Option<f64>;

/// Every card that the processes of a run use, on whichever machine; where none is seen to be used, every card there is.
fn own(machines: &[Machine]) -> Vec<Busy> {
    let used = machines.iter().flat_map(|machine| {
        machine.cards.iter().filter(|(number, _)| machine.used.as_ref().is_some_and(|used| used.contains(number)))
    });
    let used: Vec<Busy> = used.map(|(_, busy)| *busy).collect();
    if used.is_empty() {
        machines.iter().flat_map(|machine| &machine.cards).map(|(_, busy)| *busy).collect()
    } else {
        used
    }
}

impl Standing<'_> {
    /// What its machines report by now.
    fn machines(&self, scene: &Scene<'_>) -> Option<&[Machine]> {
        let reports = !self.run.beats.is_empty() && self.run.watched_from <= scene.now;
        self.run.machines.as_deref().filter(|_| reports)
    }

    /// Its GPUs on all nodes. Nodes with labels report themselves; of others the first one reports alone.
    fn gpus(&self, scene: &Scene<'_>) -> Option<f64> {
        let machines = self.machines(scene)?;
        let apart = machines.iter().any(|machine| machine.label.is_some());
        let nodes = self.run.nodes.filter(|_| scene.settings.nodes && !apart).unwrap_or(1);
        Some(count(own(machines).len()) * f64::from(nodes))
    }

    fn busy(&self, scene: &Scene<'_>) -> Option<f64> {
        mean(&own(self.machines(scene)?).into_iter().flatten().collect::<Vec<f64>>())
    }

    /// Since when it ran and when it last beat, if the rows of GPUs speak of it: laptops are left out unless that is wished.
    fn trained(&self, scene: &Scene<'_>) -> Option<(Timestamp, Timestamp)> {
        self.span().filter(|_| scene.settings.local_gpus || kind(self.run) != "local")
    }
}

impl Scene<'_> {
    /// The utilisation of these runs, each counting as often as it has GPUs.
    fn utilisation(&self, wanted: impl Fn(&Standing<'_>) -> bool) -> Option<f64> {
        let (mut busy, mut gpus) = (0.0, 0.0);
        for run in self.all.iter().filter(|run| run.trained(self).is_some() && wanted(run)) {
            if let (Some(number), Some(part)) = (run.gpus(self), run.busy(self)) {
                busy += number * part;
                gpus += number;
            }
        }
        (gpus > 0.0).then(|| busy / gpus)
    }

    /// Whether a run is known to have beaten in the last day: a beat after now says that it did.
    fn beat_today(&self, run: &Standing<'_>) -> bool {
        run.trained(self).is_some_and(|(_, until)| until >= self.now - SignedDuration::from_hours(24))
    }

    /// How long a run ran in the last seven days, in seconds.
    fn ran(&self, run: &Standing<'_>) -> f64 {
        let Some((from, until)) = run.trained(self) else { return 0.0 };
        until.min(self.now).duration_since(from.max(self.week())).as_secs_f64().max(0.0)
    }

    /// GPU-hours within the week; unknown where there were runs and none of them tells.
    fn gpu_hours(&self) -> Option<f64> {
        let (mut some, mut told, mut sum) = (false, false, 0.0);
        for run in self.all.iter().filter(|run| self.ran(run) > 0.0) {
            some = true;
            if let Some(gpus) = run.gpus(self) {
                told = true;
                sum += gpus * self.ran(run) / 3600.0;
            }
        }
        (told || !some).then_some(sum)
    }

    pub(super) fn gpu_rows(&self, values: &mut Values) {
        let lately = self.utilisation(|run| self.beat_today(run));
        self.put(values, "wandb.training.gpu_utilization_avg", &[], lately);
        self.put(values, "health.training.gpu_utilization.fom", &[], lately.map(|busy| (busy / 80.0).min(1.0)));
        self.put(values, "wandb.training.gpu_utilization_pct", &[], self.utilisation(|run| self.is_alive(run)));
        let hours = self.gpu_hours();
        self.put(values, "wandb.training.total_gpu_hours_7d", &[], hours);
        let cost = hours.and_then(|hours| Some(hours * self.settings.price?));
        self.put(values, "wandb.training.cost_estimate_usd", &[("price_source", "table")], cost);
    }
}

/// How many runs a row of GPUs would count, had they told theirs: they ran in the last seven days, beat in the last one or
/// are alive.
#[must_use]
pub fn wandb_unread(project: &Project, now: Timestamp, settings: &WandbSettings) -> u64 {
    let scene = Scene::new(project, now, settings);
    let silent = scene.all.iter().filter(|run| run.trained(&scene).is_some() && run.gpus(&scene).is_none());
    let wanted = |run: &Standing<'_>| scene.ran(run) > 0.0 || scene.beat_today(run) || scene.is_alive(run);
    silent.fold(0, |number, run| number + u64::from(wanted(run)))
}
