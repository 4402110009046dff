//! What a snapshot means: every row of the catalogue as a formula over plain data.

mod gpus;
mod jobs;

use crate::metrics;
use crate::snapshot::{Group, Job, Snapshot, Status};
use jiff::Timestamp;
use shared::window::{WEEK, last};
use shared::{Sample, stats};
use std::collections::BTreeMap;

/// Every row of the server, without a value where it is unknown.
pub(crate) fn all(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let (queue, ended) = (&snapshot.queue, snapshot.queue.ended());
    let running: Option<Vec<&Job>> = queue.live.as_ref().map(|live| of(live, Group::Running));
    let parts = [
        vec![metrics::ACTIVE_CLUSTERS.maybe(snapshot.clusters.map(stats::count))],
        history(queue.history()),
        jobs::levels(queue, now),
        jobs::runtimes(running.as_deref(), &snapshot.rules, now),
        jobs::places(running.as_deref()),
        gpus::samples(running.as_deref(), &snapshot.rules),
        over(ended.as_deref(), now),
        by_status(queue.live.as_deref(), ended.as_deref(), now),
    ];
    parts.into_iter().flatten().map(|sample| sample.tag("server", &snapshot.server)).collect()
}

/// The jobs of a group.
fn of(jobs: &[Job], group: Group) -> Vec<&Job> {
    jobs.iter().filter(|job| job.status.group() == group).collect()
}

/// Rows of the whole history, as the server counts them.
fn history(counts: Option<&BTreeMap<String, u64>>) -> Vec<Sample> {
    let rows = [
        (&metrics::FAILED, Group::Failed),
        (&metrics::SUCCEEDED, Group::Succeeded),
        (&metrics::CANCELLED, Group::Cancelled),
    ];
    rows.into_iter()
        .map(|(row, group)| {
            let of_group = |(word, _): &(&String, &u64)| Status::read(Some(word)).group() == group;
            let sum = counts.map(|counts| counts.iter().filter(of_group).map(|(_, number)| *number).sum::<u64>());
            row.maybe(sum.and_then(|sum| usize::try_from(sum).ok()).map(stats::count))
        })
        .collect()
}

/// The word for how a job ended.
const fn outcome(job: &Job) -> Option<&'static str> {
    match job.status.group() {
        Group::Succeeded => Some("succeeded"),
        Group::Failed => Some("failed"),
        Group::Cancelled => Some("cancelled"),
        Group::Queued | Group::Running | Group::Unknown => None,
    }
}

const OUTCOMES: [&str; 3] = ["succeeded", "failed", "cancelled"];

/// Jobs that are over: the failed ones of the week, those of each slot, and how long each ran.
fn over(jobs: Option<&[&Job]>, now: Timestamp) -> Vec<Sample> {
    let week = last(WEEK, now);
    let failed = jobs.map(|jobs| {
        let recent = jobs.iter().filter(|job| job.end_at.is_some_and(|ended| week.contains(&ended)));
        recent.filter(|job| job.status.group() == Group::Failed).count()
    });
    let mut samples = vec![metrics::FAILED_7D.maybe(failed.map(stats::count))];
    for word in OUTCOMES {
        let times: Option<Vec<Timestamp>> = jobs
            .map(|jobs| jobs.iter().filter(|job| outcome(job) == Some(word)).filter_map(|job| job.end_at).collect());
        samples.extend(metrics::FINISHED.slots(times.as_deref(), now).map(|sample| sample.tag("outcome", word)));
    }
    samples.extend(jobs.into_iter().flatten().filter_map(|job| observation(job)));
    samples
}

/// How long a job ran, once; one that never started did not run.
fn observation(job: &Job) -> Option<Sample> {
    let (outcome, ended) = (outcome(job)?, job.end_at?);
    job.start_at?;
    let seconds = jobs::runtime(job, ended)?;
    // A server that is set up anew counts its jobs from one again.
    let id = format!("{}/{}", job.id, job.submitted_at.map_or(0, Timestamp::as_second));
    Some(metrics::RUNTIME.observe(seconds, ended, id).tag("outcome", outcome))
}

/// Jobs by exact status: the open ones, and those that ended in the week.
fn by_status(live: Option<&[Job]>, ended: Option<&[&Job]>, now: Timestamp) -> Vec<Sample> {
    let week = last(WEEK, now);
    let known = live.zip(ended);
    let number = |status: Status| {
        let (live, ended) = known?;
        // An open job whose first failed task has company that still runs is neither live nor over.
        let open = live.iter().filter(|job| job.status == status && !status.is_final()).count();
        let recent = ended.iter().filter(|job| job.end_at.is_some_and(|ended| week.contains(&ended)));
        Some(stats::count(open + recent.filter(|job| job.status == status).count()))
    };
    let sample = |status: &Status| metrics::BY_STATUS.maybe(number(*status)).tag("status", status.word());
    Status::ALL.iter().map(sample).collect()
}

#[cfg(test)]
mod tests;
