//! Deployments: how often, how soon, how well.

use super::Values;
use super::code::{Change, is_hotfix, is_revert};
use super::scene::{self, Scene, hours, percentile};
use crate::model::github::{Commit, Deployment};
use jiff::{SignedDuration, Timestamp};

/// A successful deployment, and the place in history of the commit it shipped.
struct Success {
    at: Timestamp,
    place: usize,
}

pub(super) fn tell(scene: &Scene<'_>, values: &mut Values) {
    let Some(environment) = &scene.settings.deploys else { return };
    let incidents: Vec<_> = scene
        .repository
        .issues
        .iter()
        .filter(|issue| issue.created_at <= scene.now && issue.labels.contains(&scene.settings.incident))
        .collect();
    let recovery: Vec<f64> = incidents
        .iter()
        .filter_map(|issue| Some((issue.created_at, issue.closed_at.filter(|closed| scene.within(30, *closed))?)))
        .map(|(opened, closed)| hours(opened, closed))
        .collect();
    scene.put(values, "github.dora.recovery_time_hours", &[], percentile(&recovery, 0.5));
    let successes = successes(scene, environment);
    let recent: Vec<usize> = (0..successes.len()).filter(|index| scene.within(30, successes[*index].at)).collect();
    scene.put(values, "github.dora.deployment_frequency", &[], Some(scene::count(recent.len()) / 30.0));
    let (mut lead, mut failed, mut reworked) = (Vec::new(), 0, 0);
    for index in &recent {
        let success = &successes[*index];
        let shipped = shipped(scene, &successes, *index);
        lead.extend(shipped.iter().map(|commit| hours(commit.committed_at, success.at)));
        reworked += usize::from(shipped.iter().any(|commit| is_hotfix(scene, &change(scene, commit))));
        let next = successes.get(index + 1);
        let day = success.at + SignedDuration::from_hours(24);
        let end = next.map_or(day, |next| next.at.min(day));
        let incident = incidents.iter().any(|issue| success.at <= issue.created_at && issue.created_at < end);
        let mends = |commit: &Commit| {
            let change = change(scene, commit);
            is_hotfix(scene, &change) || is_revert(scene, &change)
        };
        let undone = next.is_some() && self::shipped(scene, &successes, index + 1).iter().any(mends);
        failed += usize::from(incident || undone);
    }
    let share = |part: usize| {
        if recent.is_empty() { None } else { Some(100.0 * scene::count(part) / scene::count(recent.len())) }
    };
    scene.put(values, "github.dora.lead_time_hours", &[], percentile(&lead, 0.5));
    scene.put(values, "github.dora.change_fail_rate_pct", &[], share(failed));
    scene.put(values, "github.dora.rework_rate_pct", &[], share(reworked));
}

fn successes(scene: &Scene<'_>, environment: &str) -> Vec<Success> {
    let at = |deployment: &Deployment| {
        deployment.statuses.iter().find(|(state, at)| *state == "SUCCESS" && *at <= scene.now).map(|(_, at)| *at)
    };
    let own = scene.repository.deployments.iter().filter(|deployment| deployment.environment == environment);
    let mut successes: Vec<Success> = own
        .filter_map(|deployment| {
            let place = scene.repository.commits.iter().position(|commit| commit.sha == deployment.sha)?;
            Some(Success { at: at(deployment)?, place })
        })
        .collect();
    successes.sort_by_key(|success| success.at);
    successes
}

/// The commits that this deployment is the first one of all to contain. History is a line, so that whatever was
/// deployed furthest along it bounds what is new.
fn shipped<'a>(scene: &'a Scene<'_>, successes: &[Success], index: usize) -> &'a [Commit] {
    let Some(furthest) = successes[..index].iter().map(|before| before.place).max() else { return &[] };
    let (from, to) = (furthest + 1, successes[index].place + 1);
    if from < to { &scene.repository.commits[from..to] } else { &[] }
}

/// The change that a commit belongs to.
fn change<'a>(scene: &'a Scene<'_>, commit: &'a Commit) -> Change<'a> {
    let pull = commit.pull.and_then(|number| scene.repository.pulls.iter().find(|pull| pull.number == number));
    pull.map_or(Change::Commit(commit), Change::Pull)
}
