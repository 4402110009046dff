//! How we ask SkyPilot: one fetch of one server, as a whole or continued from the last.

mod clusters;
mod ended;
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
use crate::snapshot::{Group, Job, Kept, Queue, Snapshot, Status, hides_gpus};
use ended::Over;
pub(crate) use exchange::Client;
use futures::future;
use jiff::SignedDuration;
use queue::Wanted;
use records::Record;
use shared::{Collector, Context, Error, Last, Part, Result};
use std::collections::BTreeMap;

/// How long an answer of the jobs controller is as good as new: until the next run.
const LASTS: SignedDuration = SignedDuration::from_mins(15);

/// Jobs by their ids.
type Jobs = BTreeMap<u64, Job>;

/// What is known from earlier fetches of the same server.
struct Before {
    queue: Queue,
    /// Whether the last fetch may be continued.
    is_base: bool,
}

impl Before {
    fn new(last: Last<Snapshot>, source: &str) -> Self {
        let is_base = matches!(last, Last::Base(_));
        let last = last.memory().filter(|last| last.source == source);
        Self { is_base, queue: last.map(|last| last.queue).unwrap_or_default() }
    }

    /// The jobs that are over, if what changed since then is all that has to be asked. What ended right before the jobs
    /// controller went to sleep was never read, so that everything is asked when it wakes.
    fn base(&self) -> Option<&[Job]> {
        let ended = self.queue.ended.as_ref().filter(|ended| ended.is_known && self.is_base && !self.queue.asleep)?;
        Some(&ended.value)
    }
}

impl SkyPilot {
    fn client(&self, server: &str) -> Result<&Client> {
        self.clients.get(server).ok_or_else(|| SERVERS.refused(format!("does not name `{server}`")))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub(crate) async fn fetch_server(&self, cx: &Context, server: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        let client = self.client(server)?;
        let unknown = self.unknown(server);
        let before = Before::new(last, &unknown.source);
        client.mark_plain(before.is_base && before.queue.is_plain);
        // The state of a fetch is too large for a stack.
        let (clusters, queue) = Box::pin(future::join(client.clusters(), self.queue(cx, client, &before))).await;
        let queue = match (queue, clusters.is_err()) {
            // Nothing at all could be read: the target has failed, and says why.
            (Err(error), true) => return Err(error),
            (Err(error), false) => {
                fail(cx, &OF_QUEUE, &error);
                before.queue.unread()
            }
            (Ok(queue), _) => queue,
        };
        let clusters = cx.part(CLUSTERS, clusters);
        judge(cx, queue.live.as_deref().unwrap_or_default());
        Ok(Snapshot { queue: Queue { is_plain: client.is_plain(), ..queue }, clusters, ..unknown })
    }

    /// The queue: open jobs before those that are over. Asked side by side, what ends between the two questions would
    /// be in neither answer, and a continued fetch would never find it. The price is 200 ms of a full fetch at 100 ms
    /// an answer.
    async fn queue(&self, cx: &Context, client: &Client, before: &Before) -> Result<Queue> {
        let (live, history) = future::join(client.list(&Wanted::Open), history(client)).await;
        match (live, history) {
            (Err(Error::NotFound { .. }), _) => self.old(cx, client, before).await,
            (Err(error), Err(_)) => Err(error),
            (Err(error), Ok((history, _))) => {
                // They stand on the open jobs: a pipeline whose first task succeeded and whose second runs looks
                // finished in the rows of finished tasks. A route that gives whole jobs would change this.
                fail(cx, &[LIVE, ENDED, STATUSES, ACCELERATORS], &error);
                Ok(Queue { history: Some(Kept::read(cx.now(), history)), ..before.queue.clone().unread() })
            }
            (Ok(None), _) => Ok(self.asleep(cx, before)),
            (Ok(Some(records)), history) => {
                let live = records::jobs(records, &self.digester);
                let newest = history.as_ref().ok().and_then(|(_, newest)| *newest).max(newest_of(&live));
                let over = self.over(cx, client, before, (&live, newest)).await;
                let (history, over) = (cx.part(HISTORY, history), cx.part(ENDED, over));
                Ok(self.settled(cx, before, live, history.map(|(counts, _)| counts), over))
            }
        }
    }

    /// A server without the new route: one answer with everything.
    async fn old(&self, cx: &Context, client: &Client, before: &Before) -> Result<Queue> {
        let Some(records) = client.everything().await? else {
            return Ok(self.asleep(cx, before));
        };
        let mut history: BTreeMap<String, u64> = BTreeMap::new();
        for record in &records {
            *history.entry(record.status().word().to_owned()).or_default() += 1;
        }
        let open = ended::open(&records);
        let (live, records) = records.into_iter().partition(|record: &Record| open.contains(&record.job_id));
        let live = records::jobs(live, &self.digester);
        let over = Over { base: None, newest: newest_of(&live), records };
        Ok(self.settled(cx, before, live, Some(history), Some(over)))
    }

    /// What was read, and what we know of it ourselves.
    fn settled(
        &self,
        cx: &Context,
        before: &Before,
        mut live: Jobs,
        history: Option<BTreeMap<String, u64>>,
        over: Option<Over>,
    ) -> Queue {
        let mut queue = before.queue.clone().unread();
        if let Some(history) = history {
            queue.history = Some(Kept::read(cx.now(), history));
        }
        let is_told = over.is_some();
        if let Some(over) = over {
            if over.base.is_none() && before.is_base {
                cx.asked_all();
            }
            queue.ended = Some(Kept::read(cx.now(), self.close(cx, over, &mut live, &mut queue.seen)));
        }
        queue.seen.look(&live, is_told, cx.now());
        queue.live = Some(live.into_values().collect());
        queue
    }

    /// Without a jobs controller nothing is open and nothing ends: what it said before it went to sleep is still true.
    fn asleep(&self, cx: &Context, before: &Before) -> Queue {
        let queue = before.queue.clone().unread();
        let history = still(cx, HISTORY, queue.history);
        let ended = still(cx, ENDED, queue.ended).map(|mut ended| {
            ended.value.retain(|job| self.is_kept(cx, job));
            ended
        });
        Queue { live: Some(Vec::new()), history, ended, asleep: true, ..queue }
    }
}

/// An answer that a jobs controller that sleeps cannot repeat.
fn still<T>(cx: &Context, part: Part, kept: Option<Kept<T>>) -> Option<Kept<T>> {
    let Some(kept) = kept else {
        cx.gap(part, "there is no jobs controller, and what it keeps was never read before");
        return None;
    };
    cx.reused(kept.at, LASTS);
    Some(kept.marked(true))
}

/// Rows of the whole history by status, as the server counts them, and the newest job.
async fn history(client: &Client) -> Result<(BTreeMap<String, u64>, Option<u64>)> {
    let part = client.page(&Wanted::Counts, 1, 1).await?.ok_or_else(ended::gone_to_sleep)?;
    let counts = part.status_counts.ok_or_else(|| client.unsound("does not count its history"))?;
    // A word that nobody has heard of may be anything.
    let known = counts.into_iter().filter(|(word, _)| Status::read(Some(word)) != Status::Other).collect();
    Ok((known, part.jobs.iter().map(|record| record.job_id).max()))
}

fn newest_of(jobs: &Jobs) -> Option<u64> {
    jobs.keys().next_back().copied()
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
