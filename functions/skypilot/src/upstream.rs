//! How we ask SkyPilot: one fetch of one server, as a whole or continued from the last.

mod clusters;
mod exchange;
#[cfg(test)]
mod fake;
mod probe;
mod queue;
mod records;
mod resources;

use crate::SkyPilot;
use crate::config::SERVERS;
use crate::parts::{ACCELERATORS, CLUSTERS, ENDED, HISTORY, LIVE, OF_QUEUE, STATUSES};
use crate::snapshot::{Group, Job, Snapshot, Status, hides_gpus};
pub(crate) use exchange::Client;
use futures::future;
use jiff::{SignedDuration, Timestamp};
use queue::{PAGE, Wanted};
use records::Record;
use shared::window::WEEK;
use shared::{Collector, Context, Error, Last, Part, Result};
use std::collections::{BTreeMap, BTreeSet};

/// How far a continued fetch reaches back behind the last one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

/// How long an answer of the jobs controller is as good as new: until the next run.
const LASTS: SignedDuration = SignedDuration::from_mins(15);

/// What is known of the jobs of a server.
#[derive(Default)]
struct Jobs {
    read_at: Option<Timestamp>,
    asleep: bool,
    live: Option<Vec<Job>>,
    history: Option<BTreeMap<String, u64>>,
    ended: Option<Vec<Job>>,
}

impl SkyPilot {
    fn client(&self, server: &str) -> Result<&Client> {
        self.clients.get(server).ok_or_else(|| SERVERS.refused(format!("does not name `{server}`")))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub(crate) async fn fetch_server(&self, cx: &Context, server: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        let client = self.client(server)?;
        let unknown = self.unknown(server);
        // The state of a fetch is too large for a stack.
        let jobs = self.jobs(cx, client, &unknown.source, last);
        let (clusters, jobs) = Box::pin(future::join(client.clusters(), jobs)).await;
        let jobs = match (jobs, clusters.is_err()) {
            // Nothing at all could be read: the target has failed, and says why.
            (Err(error), true) => return Err(error),
            (Err(error), false) => {
                fail(cx, &OF_QUEUE, &error);
                Jobs::default()
            }
            (Ok(jobs), _) => jobs,
        };
        let clusters = cx.part(CLUSTERS, clusters);
        let Jobs { read_at, asleep, live, history, ended } = jobs;
        judge(cx, live.as_deref().unwrap_or_default());
        Ok(Snapshot { read_at, asleep, live, history, ended, clusters, ..unknown })
    }

    /// The queue: open jobs before those that are over. Asked side by side, what ends between the two questions would
    /// be in neither answer, and a continued fetch would never find it. The price is 200 ms of a full fetch at 100 ms
    /// an answer.
    async fn jobs(&self, cx: &Context, client: &Client, source: &str, last: Last<Snapshot>) -> Result<Jobs> {
        let open = Wanted { open: true, ..Wanted::default() };
        let (live, history) = future::join(client.list(&open), history(client)).await;
        match (live, history) {
            (Err(Error::NotFound { .. }), _) => self.old(cx, client, source, last).await,
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok(history)) => {
                // They stand on the open jobs: a pipeline whose first task succeeded and whose second runs looks
                // finished in the rows of finished tasks. A route that gives whole jobs would change this.
                fail(cx, &[LIVE, ENDED, STATUSES, ACCELERATORS], &error);
                Ok(Jobs { history: Some(history), ..Jobs::default() })
            }
            (Ok(None), _) => Ok(self.asleep(cx, source, last.memory())),
            (Ok(Some(records)), history) => {
                let is_base = matches!(last, Last::Base(_));
                let base = base(last);
                let asks_all = is_base && base.is_none();
                let (live, ended) = self.ended(cx, client, records::jobs(records, &self.digester), base).await;
                let (history, ended) = (cx.part(HISTORY, history), cx.part(ENDED, ended));
                if asks_all && ended.is_some() {
                    cx.asked_all();
                }
                Ok(Jobs { read_at: Some(cx.now()), asleep: false, live: Some(live), history, ended })
            }
        }
    }

    /// Jobs that are over: all of the time that is looked at, or those that were not over at the last fetch. What the
    /// server takes back, as one that reads from a copy may, is open again.
    async fn ended(
        &self,
        cx: &Context,
        client: &Client,
        mut live: BTreeMap<u64, Job>,
        base: Option<Base>,
    ) -> (Vec<Job>, Result<Vec<Job>>) {
        let read = match &base {
            None => {
                let over = Wanted { statuses: Some(finals()), since: Some(self.horizon(cx)), ..Wanted::default() };
                client.list(&over).await
            }
            Some(base) => changed(client, &live, base).await,
        };
        let ended = read.and_then(|records| records.ok_or_else(gone_to_sleep)).map(|records| {
            let before = base.map(|base| base.ended).unwrap_or_default();
            let mut over: BTreeMap<u64, Job> = before.into_iter().map(|job| (job.id, job)).collect();
            let mut open: BTreeSet<u64> = live.keys().copied().collect();
            open.extend(records.iter().filter(|record| !record.status().is_final()).map(|record| record.job_id));
            for (id, job) in records::jobs(records, &self.digester) {
                if open.contains(&id) {
                    live.entry(id).or_insert(job);
                } else {
                    over.insert(id, job);
                }
            }
            over.retain(|id, _| !open.contains(id));
            over.into_values().filter(|job| self.is_kept(cx, job)).map(slim).collect()
        });
        (live.into_values().collect(), ended)
    }

    /// A server without the new route: one answer with everything.
    async fn old(&self, cx: &Context, client: &Client, source: &str, last: Last<Snapshot>) -> Result<Jobs> {
        let Some(records) = client.everything().await? else {
            return Ok(self.asleep(cx, source, last.memory()));
        };
        if matches!(last, Last::Base(_)) {
            cx.asked_all();
        }
        let mut history: BTreeMap<String, u64> = BTreeMap::new();
        for record in &records {
            *history.entry(record.status().word().to_owned()).or_default() += 1;
        }
        let open: BTreeSet<u64> =
            records.iter().filter(|record| !record.status().is_final()).map(|record| record.job_id).collect();
        let all = records::jobs(records, &self.digester).into_values();
        let (live, over): (Vec<Job>, Vec<Job>) = all.partition(|job| open.contains(&job.id));
        let ended = over.into_iter().filter(|job| self.is_kept(cx, job)).map(slim).collect();
        let (live, history, ended) = (Some(live), Some(history), Some(ended));
        Ok(Jobs { read_at: Some(cx.now()), asleep: false, live, history, ended })
    }

    /// Without a jobs controller nothing is open and nothing ends: what it said before it went to sleep is still true.
    fn asleep(&self, cx: &Context, source: &str, last: Option<Snapshot>) -> Jobs {
        let last = last.filter(|last| last.source == source);
        let (read_at, history, ended) =
            last.map_or((None, None, None), |last| (last.read_at, last.history, last.ended));
        for (part, known) in [(HISTORY, history.is_some()), (ENDED, ended.is_some())] {
            match read_at.filter(|_| known) {
                Some(read_at) => cx.reused(read_at, LASTS),
                None => {
                    cx.gap(part, "there is no jobs controller, and what it keeps was never read before");
                }
            }
        }
        let ended = ended.map(|jobs| jobs.into_iter().filter(|job| self.is_kept(cx, job)).collect());
        Jobs { read_at, asleep: true, live: Some(Vec::new()), history, ended }
    }

    /// Jobs that were submitted before this are not looked for among those that are over.
    fn horizon(&self, cx: &Context) -> Timestamp {
        cx.now() - SignedDuration::from_hours(24 * i64::from(self.config.history_days))
    }

    /// Whether a job that is over is known whichever way it was asked for, and matters to a formula.
    ///
    /// One that failed before it was submitted has no time of submission, and no window finds it. A continued fetch may
    /// see it by its id and drops it, so that it equals a whole one; `jobs.failed` counts it. A filter by end would
    /// change this.
    fn is_kept(&self, cx: &Context, job: &Job) -> bool {
        let submitted = job.last_submitted_at.is_some_and(|submitted| submitted >= self.horizon(cx));
        submitted && job.end_at.is_some_and(|ended| ended >= cx.now() - WEEK)
    }
}

/// What a fetch continues from.
struct Base {
    read_at: Timestamp,
    live: Vec<Job>,
    ended: Vec<Job>,
}

/// What of the last snapshot a fetch may continue from. What ended right before the jobs controller went to sleep was never
/// read, so that everything is asked when it wakes.
fn base(last: Last<Snapshot>) -> Option<Base> {
    let last = last.base().filter(|last| !last.asleep)?;
    Some(Base { read_at: last.read_at?, live: last.live?, ended: last.ended? })
}

/// What was open at the last fetch and is not any more, and what was submitted since and is over already. Together
/// these are all that ended: the server filters by submission and not by end.
async fn changed(client: &Client, live: &BTreeMap<u64, Job>, base: &Base) -> Result<Option<Vec<Record>>> {
    let gone: Vec<u64> = base.live.iter().map(|job| job.id).filter(|id| !live.contains_key(id)).collect();
    let wanted = gone.chunks(PAGE).map(|ids| Wanted { ids: Some(ids.to_vec()), ..Wanted::default() });
    let recent = Wanted { statuses: Some(finals()), since: Some(base.read_at - OVERLAP), ..Wanted::default() };
    let asked: Vec<Wanted> = wanted.chain([recent]).collect();
    let answers = future::try_join_all(asked.iter().map(|wanted| client.list(wanted))).await?;
    let answers: Option<Vec<Vec<Record>>> = answers.into_iter().collect();
    Ok(answers.map(|answers| answers.into_iter().flatten().collect()))
}

/// The words of jobs that are over.
fn finals() -> Vec<&'static str> {
    Status::ALL.iter().filter(|status| status.is_final()).map(|status| status.word()).collect()
}

/// Rows of the whole history by status, as the server counts them.
async fn history(client: &Client) -> Result<BTreeMap<String, u64>> {
    let part = client.page(&Wanted::default(), 1, 1).await?.ok_or_else(gone_to_sleep)?;
    let counts = part.status_counts.ok_or_else(|| client.unsound("does not count its history"))?;
    // A word that nobody has heard of may be anything.
    Ok(counts.into_iter().filter(|(word, _)| Status::read(Some(word)) != Status::Other).collect())
}

fn gone_to_sleep() -> Error {
    Error::incomplete("the jobs controller went away between two questions")
}

/// What of a job that is over matters to no formula.
fn slim(mut job: Job) -> Job {
    (job.user, job.gpus, job.pricing, job.region) = (None, None, None, None);
    job
}

/// Says of several parts that they failed for one reason.
fn fail(cx: &Context, parts: &[Part], error: &Error) {
    for part in parts {
        cx.gap(*part, error.with_causes());
    }
}

/// Says what cannot be interpreted of the jobs that were read.
fn judge(cx: &Context, live: &[Job]) {
    cx.unread(STATUSES, live.iter().filter(|job| job.status == Status::Other).count());
    let running = || live.iter().filter(|job| job.status.group() == Group::Running);
    let (unread, all) = (running().filter(|job| job.gpus.is_none()).count(), running().count());
    cx.unread(ACCELERATORS, unread);
    if hides_gpus(unread, all) {
        cx.gap(ACCELERATORS, format!("the accelerators of {unread} of {all} running jobs cannot be read"));
    }
}

#[cfg(test)]
mod tests;
