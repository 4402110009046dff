//! Runs that do not tell their GPUs.

use super::{Scene, WandbSettings};
use crate::model::wandb::Project;
use jiff::{SignedDuration, Timestamp};

/// How many runs a row of GPUs would count, had they told theirs: they ran in the last seven days, beat in the last one or
/// are alive.
#[must_use]
pub fn wandb_unread(project: &Project, now: Timestamp, settings: &WandbSettings) -> u64 {
    let scene = Scene::new(project, now, settings);
    let (week, day) = (scene.week(), now - SignedDuration::from_hours(24));
    let mut silent = 0;
    for run in scene.all.iter().filter(|run| run.gpus(&scene).is_none()) {
        let Some((from, until)) = run.span() else { continue };
        let ran = until.min(now) > from.max(week);
        let beat = until >= day && (until < now || from < now);
        silent += u64::from(ran || beat || scene.is_alive(run));
    }
    silent
}
