//! Jobs that are over: those that the server tells, and those whose end we notice ourselves.

use super::exchange::Client;
use super::queue::{PAGE, Wanted};
use super::records::{self, Record};
use super::{Before, Jobs, newest_of};
use crate::SkyPilot;
use crate::snapshot::{Job, Seen};
use futures::future;
use jiff::{SignedDuration, Timestamp};
use shared::window::WEEK;
use shared::{Context, Error, Result};
use std::collections::BTreeSet;

/// The most new jobs that are asked for by their ids.
const MOST: u64 = 5_000;

/// What was read of jobs that are over.
pub(super) struct Over {
    /// The jobs that were over before, if what changed since then alone was read.
    pub base: Option<Vec<Job>>,
    /// The newest job that was there before this was read.
    pub newest: Option<u64>,
    pub records: Vec<Record>,
}

impl SkyPilot {
    /// Asks for the jobs that are over: all of the time that is looked at, or those that were not over or not there at the
    /// last fetch. The server filters by submission and not by end.
    pub(super) async fn over(
        &self,
        cx: &Context,
        client: &Client,
        before: &Before,
        (live, newest): (&Jobs, Option<u64>),
    ) -> Result<Over> {
        let changed = before.base().zip(changed(&before.queue.seen, live, newest));
        let (base, records) = match changed {
            Some((base, ids)) => (Some(base.to_vec()), by_ids(client, &ids).await?),
            None => (None, client.over(self.horizon(cx)).await?),
        };
        Ok(Over { base, newest, records: records.ok_or_else(gone_to_sleep)? })
    }

    /// The jobs whose end the server tells, and notes the ends that it does not tell. What it takes back, as one that reads
    /// from a copy may, is open again.
    pub(super) fn close(&self, cx: &Context, over: Over, live: &mut Jobs, seen: &mut Seen) -> Vec<Job> {
        let Over { base, newest, records } = over;
        let (is_whole, open) = (base.is_none(), open(&records));
        let mut ended: Jobs = base.into_iter().flatten().map(|job| (job.id, job)).collect();
        for (id, job) in records::jobs(records, &self.digester) {
            if open.contains(&id) {
                live.entry(id).or_insert(job);
            } else {
                ended.insert(id, slim(job));
            }
        }
        ended.retain(|id, _| !live.contains_key(id));
        let newest = newest.max(newest_of(live)).max(newest_of(&ended));
        seen.notice(&ended, live, cx.now());
        // A server that is set up anew counts its jobs from one again, which shows when everything is read.
        seen.newest = if is_whole { newest.or(Some(0)) } else { newest.max(seen.newest) };
        ended.into_values().filter(|job| self.is_kept(cx, job)).collect()
    }

    /// Jobs that were submitted before this are not looked for among those that are over.
    fn horizon(&self, cx: &Context) -> Timestamp {
        cx.now() - SignedDuration::from_hours(24 * i64::from(self.config.history_days))
    }

    /// Whether a job that is over is known whichever way it was asked for, and matters to a formula. One that was never
    /// submitted is known by its end.
    pub(super) fn is_kept(&self, cx: &Context, job: &Job) -> bool {
        let is_recent = job.last_submitted_at.is_none_or(|submitted| submitted >= self.horizon(cx));
        is_recent && job.end_at.is_some_and(|ended| ended >= cx.now() - WEEK)
    }
}

impl Seen {
    /// Notes what is open. What was open and is not any more is forgotten once it was asked what became of it.
    pub(super) fn look(&mut self, live: &Jobs, is_told: bool, now: Timestamp) {
        if is_told {
            self.open.retain(|id, _| live.contains_key(id));
        }
        for id in live.keys() {
            self.open.entry(*id).or_insert(now);
        }
    }

    /// Notes which jobs are over without an end: of those that were open or not there when we last looked, this is it.
    fn notice(&mut self, ended: &Jobs, live: &Jobs, now: Timestamp) {
        self.ended.retain(|job| {
            let is_open_or_told =
                live.contains_key(&job.id) || ended.get(&job.id).is_some_and(|job| job.end_at.is_some());
            !is_open_or_told && job.end_at.is_some_and(|ended| ended >= now - WEEK)
        });
        let known: BTreeSet<u64> = self.ended.iter().map(|job| job.id).collect();
        let is_fresh = |id: u64| self.open.contains_key(&id) || self.newest.is_some_and(|newest| id > newest);
        let unended = ended.values().filter(|job| job.end_at.is_none() && is_fresh(job.id) && !known.contains(&job.id));
        let noticed: Vec<Job> = unended.map(|job| Job { end_at: Some(now), ..job.clone() }).collect();
        self.ended.extend(noticed);
    }
}

/// The jobs that may be over since the last fetch: those that were open then, and those that are newer; unless these are so
/// many that all are read better.
fn changed(seen: &Seen, live: &Jobs, newest: Option<u64>) -> Option<Vec<u64>> {
    let (known, newest) = (seen.newest?, newest.unwrap_or_default());
    if newest.saturating_sub(known) > MOST {
        return None;
    }
    let ids = seen.open.keys().copied().chain(known.saturating_add(1)..=newest);
    Some(ids.filter(|id| !live.contains_key(id)).collect())
}

async fn by_ids(client: &Client, ids: &[u64]) -> Result<Option<Vec<Record>>> {
    let asked: Vec<Wanted> = ids.chunks(PAGE).map(|ids| Wanted::Ids(ids.to_vec())).collect();
    let answers = future::try_join_all(asked.iter().map(|wanted| client.list(wanted))).await?;
    let answers: Option<Vec<Vec<Record>>> = answers.into_iter().collect();
    Ok(answers.map(|answers| answers.into_iter().flatten().collect()))
}

/// The jobs with a task that is not over.
pub(super) fn open(records: &[Record]) -> BTreeSet<u64> {
    records.iter().filter(|record| !record.status().is_final()).map(|record| record.job_id).collect()
}

pub(super) fn gone_to_sleep() -> Error {
    Error::incomplete("the jobs controller went away between two questions")
}

/// What of a job that is over matters to no formula.
fn slim(mut job: Job) -> Job {
    (job.user, job.gpus, job.pricing, job.region) = (None, None, None, None);
    job
}
