//! How we ask SkyPilot: one fetch of one server, as a whole or continued from the last.

mod clusters;
mod exchange;
#[cfg(test)]
mod fake;
mod probe;
mod queue;
mod records;
mod resources;

use crate::config::{Config, Server};
use crate::snapshot::{Group, Job, Snapshot, Status};
use exchange::Client;
use futures::future;
use jiff::{SignedDuration, Timestamp};
use queue::{PAGE, Wanted};
use records::Record;
use shared::tags::{self, Digester};
use shared::{Context, Env, Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The parts that a server is read in.
pub(crate) const PARTS: [&str; 6] = ["clusters", "live", "history", "ended", "statuses", "accelerators"];

/// The longest window over jobs that are over.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far a continued fetch reaches back behind the last one.
const OVERLAP: SignedDuration = SignedDuration::from_mins(15);

/// A snapshot older than this is not continued.
const STALE: SignedDuration = SignedDuration::from_hours(2);

/// How long fetches are continued before everything is asked again.
const HEAL: SignedDuration = SignedDuration::from_hours(24);

/// Asks the configured servers.
#[derive(Debug)]
pub(crate) struct Upstream {
    config: Config,
    clients: BTreeMap<String, Client>,
    digester: Digester,
}

/// What is known of the jobs of a server.
struct Jobs {
    live: Option<Vec<Job>>,
    history: Option<BTreeMap<String, u64>>,
    ended: Option<Vec<Job>>,
    whole: bool,
}

impl Upstream {
    /// Reads the configuration and makes the clients.
    pub async fn new(env: &Env) -> Result<Self> {
        let config = Config::read(env).await?;
        let client = |server: &Server| Ok((server.alias.clone(), Client::new(env, server)?));
        let clients = config.servers.iter().map(client).collect::<Result<_>>()?;
        Ok(Self { config, clients, digester: env.digester() })
    }

    /// The aliases of the servers.
    pub fn servers(&self) -> Vec<String> {
        self.config.servers.iter().map(|server| server.alias.clone()).collect()
    }

    /// Nothing known of a server.
    pub fn unknown(&self, server: &str) -> Snapshot {
        let address = self.config.servers.iter().find(|other| other.alias == server).map(|server| &server.url);
        Snapshot {
            server: server.to_owned(),
            rules: self.config.rules.clone(),
            at: Timestamp::UNIX_EPOCH,
            reading: tags::digest(&format!("{address:?} {} {}", self.config.history_days, self.digester.of(""))),
            live: None,
            history: None,
            ended: None,
            clusters: None,
        }
    }

    fn client(&self, server: &str) -> Result<&Client> {
        self.clients.get(server).ok_or_else(|| Error::config("SKYPILOT_SERVERS", format!("names no `{server}`")))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub async fn fetch(&self, cx: &Context, server: &str, last: Option<Snapshot>) -> Result<Snapshot> {
        let client = self.client(server)?;
        let mut snapshot = Snapshot { at: cx.now(), ..self.unknown(server) };
        let healthy = cx.last_full().is_some_and(|full| full <= cx.now() && cx.now().duration_since(full) < HEAL);
        let last = last.filter(|last| healthy && continues(&snapshot, last));
        // The state of a fetch is too large for a stack.
        let (clusters, jobs) = Box::pin(future::join(client.clusters(), self.jobs(cx, client, last))).await;
        let jobs = match (jobs, clusters.is_err()) {
            // Nothing at all could be read: the target has failed, and says why.
            (Err(error), true) => return Err(error),
            (jobs, _) => jobs,
        };
        snapshot.clusters = cx.part("clusters", clusters);
        match jobs {
            Ok(jobs) => {
                if jobs.whole {
                    cx.fetched_whole();
                }
                (snapshot.live, snapshot.history, snapshot.ended) = (jobs.live, jobs.history, jobs.ended);
            }
            Err(error) => {
                // The other parts of the queue stand on the open jobs.
                for part in ["live", "history", "ended", "statuses", "accelerators"] {
                    cx.gap(part, error.with_causes());
                }
            }
        }
        judge(cx, &snapshot);
        Ok(snapshot)
    }

    /// The queue: open jobs before those that are over, because what ends between the two questions is then in either.
    async fn jobs(&self, cx: &Context, client: &Client, last: Option<Snapshot>) -> Result<Jobs> {
        let open = Wanted { open: true, ..Wanted::default() };
        let (live, history) = future::join(client.list(&open), history(client)).await;
        let records = match (live, history) {
            (Err(Error::NotFound { .. }), _) => return self.old(cx, client).await,
            (Err(error), Err(_)) => return Err(error),
            (Err(error), Ok(history)) => {
                for part in ["live", "ended", "statuses", "accelerators"] {
                    cx.gap(part, error.with_causes());
                }
                return Ok(Jobs { live: None, history: Some(history), ended: None, whole: false });
            }
            (Ok(None), _) => return Ok(without_controller(cx)),
            (Ok(Some(records)), history) => {
                let live = records::jobs(records, &self.digester);
                let ended = self.ended(cx, client, live, last.as_ref()).await;
                (ended, history)
            }
        };
        let ((live, ended), history) = records;
        let (history, ended) = (cx.part("history", history), cx.part("ended", ended));
        let whole = last.is_none() && ended.is_some();
        Ok(Jobs { live: Some(live), history, ended, whole })
    }

    /// Jobs that are over: all of the time that is looked at, or those that were not over at the last fetch. What the
    /// server takes back, as one that reads from a copy may, is open again.
    async fn ended(
        &self,
        cx: &Context,
        client: &Client,
        mut live: BTreeMap<u64, Job>,
        last: Option<&Snapshot>,
    ) -> (Vec<Job>, Result<Vec<Job>>) {
        let read = match last {
            None => {
                let over = Wanted { statuses: Some(finals()), since: Some(self.horizon(cx)), ..Wanted::default() };
                client.list(&over).await
            }
            Some(last) => changed(client, &live, last).await,
        };
        let ended = read.and_then(|records| records.ok_or_else(no_controller)).map(|records| {
            let mut over: BTreeMap<u64, Job> = last
                .and_then(|last| last.ended.clone())
                .unwrap_or_default()
                .into_iter()
                .map(|job| (job.id, job))
                .collect();
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
    async fn old(&self, cx: &Context, client: &Client) -> Result<Jobs> {
        let Some(records) = client.everything().await? else {
            return Ok(without_controller(cx));
        };
        let mut history: BTreeMap<String, u64> = BTreeMap::new();
        for record in &records {
            *history.entry(record.status().word().to_owned()).or_default() += 1;
        }
        let open: BTreeSet<u64> =
            records.iter().filter(|record| !record.status().is_final()).map(|record| record.job_id).collect();
        let all = records::jobs(records, &self.digester).into_values();
        let (live, over): (Vec<Job>, Vec<Job>) = all.partition(|job| open.contains(&job.id));
        let ended = over.into_iter().filter(|job| self.is_kept(cx, job)).map(slim).collect();
        Ok(Jobs { live: Some(live), history: Some(history), ended: Some(ended), whole: true })
    }

    /// Jobs that were submitted before this are not looked for among those that are over.
    fn horizon(&self, cx: &Context) -> Timestamp {
        cx.now() - SignedDuration::from_hours(24 * i64::from(self.config.history_days))
    }

    /// Whether a job that is over is known whichever way it was asked for, and matters to a formula.
    fn is_kept(&self, cx: &Context, job: &Job) -> bool {
        let submitted = job.last_submitted_at.is_some_and(|submitted| submitted >= self.horizon(cx));
        submitted && job.end_at.is_some_and(|ended| ended >= cx.now() - WEEK)
    }
}

/// Whether a fetch may ask for what changed since this one.
fn continues(now: &Snapshot, last: &Snapshot) -> bool {
    let fresh = last.at <= now.at && now.at.duration_since(last.at) <= STALE;
    fresh && last.reading == now.reading && last.live.is_some() && last.ended.is_some()
}

/// What was open at the last fetch and is not any more, and what was submitted since and is over already.
async fn changed(client: &Client, live: &BTreeMap<u64, Job>, last: &Snapshot) -> Result<Option<Vec<Record>>> {
    let before = last.live.iter().flatten().map(|job| job.id);
    let gone: Vec<u64> = before.filter(|id| !live.contains_key(id)).collect();
    let wanted = gone.chunks(PAGE).map(|ids| Wanted { ids: Some(ids.to_vec()), ..Wanted::default() });
    let recent = Wanted { statuses: Some(finals()), since: Some(last.at - OVERLAP), ..Wanted::default() };
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
    let part = client.page(&Wanted::default(), 1, 1).await?.ok_or_else(no_controller)?;
    let counts = part.status_counts.ok_or_else(|| Error::incomplete("the server does not count its history"))?;
    // A word that nobody has heard of may be anything.
    Ok(counts.into_iter().filter(|(word, _)| Status::read(Some(word)) != Status::Other).collect())
}

fn no_controller() -> Error {
    Error::incomplete("there is no jobs controller, and it keeps the history")
}

/// Without a jobs controller nothing is open, and nobody knows what was.
fn without_controller(cx: &Context) -> Jobs {
    for part in ["history", "ended"] {
        cx.gap(part, no_controller().to_string());
    }
    Jobs { live: Some(Vec::new()), history: None, ended: None, whole: false }
}

/// What of a job that is over matters to no formula.
fn slim(mut job: Job) -> Job {
    (job.user, job.gpus, job.pricing, job.region) = (None, None, None, None);
    job
}

/// Says what could not be understood of jobs that were read.
fn judge(cx: &Context, snapshot: &Snapshot) {
    let live = || snapshot.live.iter().flatten();
    let odd = live().filter(|job| job.status == Status::Other).count();
    if odd > 0 {
        cx.gap("statuses", format!("{odd} jobs have a status that is not known here"));
    }
    let unread = live().filter(|job| job.status.group() == Group::Running && job.gpus.is_none()).count();
    if unread > 0 {
        cx.gap("accelerators", format!("the accelerators of {unread} running jobs cannot be read"));
    }
}

#[cfg(test)]
mod tests;
