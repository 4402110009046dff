//! What a run does with its points: commit what may be said once, deliver all of it, keep what Datadog did not take.

use crate::cursor::{Cursor, Step};
use crate::datadog::{Base, Delivery, Dropped, Flush, Held, Intake, LIMITS, Mark, Payload, Spool, admit, encode};
use crate::{Error, Event, Result, Sample, Store, store::Version};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a lost race for a cursor is run again.
const RACES: usize = 4;

/// Payloads by endpoint, and their compressed bytes.
pub type Bytes = BTreeMap<&'static str, usize>;

/// What became of a run's payloads.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Series that Datadog accepted.
    pub accepted: usize,
    /// Series that it refuses for what they are.
    pub rejected: usize,
    /// Payloads that wait in the spool for a later run.
    pub spooled: usize,
    /// Payloads that are neither delivered nor kept.
    pub lost: usize,
    /// Payloads of earlier runs that were delivered.
    pub recovered: usize,
    /// Why credentials were refused.
    pub refused: Option<String>,
}

/// Failures that the next run that gets through reports.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    errors: BTreeMap<String, u64>,
    expired: u64,
}

/// What a target's samples came to once its observations are committed.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Gauges and counts to send.
    pub series: Vec<Sample>,
    /// Observations that are on their way.
    pub observations: Vec<Sample>,
    /// Count samples of slots that lie too far back.
    pub too_old: usize,
    /// Observations that may not be sent.
    pub dropped: Dropped,
    /// Why the store is a gap of this target.
    pub gap: Option<String>,
}

/// A run's way to Datadog.
pub(crate) struct Outbox<'a> {
    store: &'a Store,
    intake: Option<&'a Intake>,
    base: &'a Base,
    now: Timestamp,
    wall: Timestamp,
    spool: Spool,
    held: Vec<(Held, Payload)>,
    flush: Option<Flush>,
    past: Option<(Past, Option<Version>)>,
    failure: Option<String>,
}

impl<'a> Outbox<'a> {
    /// Delivers first what earlier runs left in the spool. Without an intake nothing is sent or committed.
    pub(crate) async fn open(
        store: &'a Store,
        intake: Option<&'a Intake>,
        base: &'a Base,
        event: &Event,
        time_left: Duration,
    ) -> Self {
        let (now, wall) = (event.now(), event.wall());
        let lease = wall + SignedDuration::try_from(time_left).unwrap_or(SignedDuration::from_mins(15));
        let spool = Spool::new(store.clone(), wall, lease);
        let mut outbox =
            Self { store, intake, base, now, wall, spool, held: Vec::new(), flush: None, past: None, failure: None };
        if let Some(intake) = intake {
            match outbox.spool.flush(intake).await {
                Ok(flush) => outbox.flush = Some(flush),
                Err(error) => outbox.fail(&error),
            }
            match outbox.load_past().await {
                Ok(past) => outbox.past = Some(past),
                Err(error) => outbox.fail(&error),
            }
        }
        outbox
    }

    fn fail(&mut self, error: &Error) {
        let why = error.with_causes();
        tracing::warn!(why, "the store failed");
        self.failure.get_or_insert(why);
    }

    /// Why the store could not be used, if so.
    pub(crate) fn store_failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Depth of the spool and the time of its oldest point; nothing when it is not known.
    pub(crate) fn spool(&self) -> Option<(usize, Option<Timestamp>)> {
        self.flush.as_ref().map(|flush| (flush.depth, flush.oldest))
    }

    /// Failed submissions and expired payloads since the last run that got through, those of this run's flush included.
    pub(crate) fn past(&self) -> Option<(BTreeMap<String, u64>, u64)> {
        let (past, _) = self.past.as_ref()?;
        let flush = self.flush.as_ref()?;
        Some((flush.delivery.errors_with(&past.errors), past.expired + flush.expired as u64))
    }

    /// Compressed bytes of these payloads and of the observations on their way.
    pub(crate) fn bytes(&self, payloads: &[Payload]) -> Bytes {
        let mut bytes = Bytes::new();
        for payload in payloads.iter().chain(self.held.iter().map(|(_, payload)| payload)) {
            *bytes.entry(payload.endpoint().word()).or_default() += payload.compressed().len();
        }
        bytes
    }

    /// Decides which of a target's samples are due. Observations go to the spool first, then the cursor says that they
    /// are said, and only then are they sent: whenever the run dies, a later one can tell which of the two happened.
    pub(crate) async fn commit(
        &mut self,
        collector: &'static str,
        target: &str,
        samples: Vec<Sample>,
        mut found: Option<Cursor>,
        mut version: Option<Version>,
    ) -> Committed {
        let mut committed = Committed::default();
        for _ in 0..RACES {
            let step = Cursor::step(found.as_ref(), self.now, samples.clone());
            let Step { series, observations, next, too_old, gap } = step;
            let (observations, dropped) = admit(observations, self.base, self.now, self.wall);
            committed = Committed { series, observations, too_old, dropped, gap: gap.map(str::to_owned) };
            let (Some(next), true) = (next, self.intake.is_some()) else {
                return committed;
            };
            match self.try_commit(collector, target, &next, &committed.observations, version.as_ref()).await {
                Ok(true) => return committed,
                Ok(false) => {}
                Err(error) => return committed.without_observations(error.with_causes()),
            }
            match Cursor::load(self.store, collector, target).await {
                Ok((cursor, seen, _)) => (found, version) = (cursor, seen),
                Err(error) => return committed.without_observations(error.with_causes()),
            }
        }
        committed.without_observations(format!("the cursor was written by others {RACES} times while this run tried"))
    }

    async fn try_commit(
        &mut self,
        collector: &'static str,
        target: &str,
        next: &Cursor,
        observations: &[Sample],
        seen: Option<&Version>,
    ) -> Result<bool> {
        let mut held = Vec::new();
        for payload in encode(observations, self.base, self.now, LIMITS)? {
            let mark = Mark { collector: collector.to_owned(), target: target.to_owned(), until: next.until };
            held.push((self.spool.put(&payload, collector, self.now, Some(mark)).await?, payload));
        }
        if next.commit(self.store, collector, target, seen).await? {
            self.held.append(&mut held);
            return Ok(true);
        }
        for (held, _) in &held {
            self.spool.release(held).await?;
        }
        Ok(false)
    }

    /// Sends gauges and counts, then the committed observations; what is not taken stays in the spool.
    pub(crate) async fn deliver(mut self, collector: &'static str, payloads: Vec<Payload>) -> Option<Outcome> {
        let intake = self.intake?;
        let mut sum = intake.deliver(payloads).await;
        let mut outcome = Outcome::default();
        for payload in std::mem::take(&mut sum.undelivered) {
            match self.spool.put(&payload, collector, self.now, None).await {
                Ok(_) => outcome.spooled += 1,
                Err(error) => {
                    self.fail(&error);
                    outcome.lost += 1;
                }
            }
        }
        for (held, payload) in std::mem::take(&mut self.held) {
            if let Err(error) = self.deliver_held(intake, &held, payload, &mut sum, &mut outcome).await {
                self.fail(&error);
            }
        }
        (outcome.accepted, outcome.rejected, outcome.refused) = (sum.accepted, sum.rejected, sum.refused.take());
        if let Some(flush) = &self.flush {
            outcome.recovered = flush.delivery.accepted;
        }
        if let Err(error) = self.save_past(collector, &sum).await {
            self.fail(&error);
        }
        Some(outcome)
    }

    async fn deliver_held(
        &self,
        intake: &Intake,
        held: &Held,
        payload: Payload,
        sum: &mut Delivery,
        outcome: &mut Outcome,
    ) -> Result<()> {
        if sum.refused.is_some() {
            outcome.spooled += 1;
            return Ok(());
        }
        let mut delivery = intake.deliver(vec![payload]).await;
        let rest = std::mem::take(&mut delivery.undelivered);
        outcome.spooled += rest.len();
        let result = self.spool.settle(held, &rest).await;
        sum.absorb(&mut delivery);
        result
    }

    async fn load_past(&self) -> Result<(Past, Option<Version>)> {
        let key = past_key(self.base.collector);
        let Some(object) = self.store.get(&key).await? else {
            return Ok((Past::default(), None));
        };
        Ok((serde_json::from_slice(&object.bytes).unwrap_or_default(), Some(object.version)))
    }

    /// What was reported is forgotten, what failed since is remembered.
    async fn save_past(&self, collector: &'static str, sum: &Delivery) -> Result<()> {
        let Some((past, version)) = &self.past else {
            return Ok(());
        };
        let told = sum.accepted > 0;
        let (errors, expired) = match (told, self.past()) {
            (false, Some((errors, expired))) => (errors, expired),
            _ => (BTreeMap::new(), 0),
        };
        let next = Past { errors: sum.errors_with(&errors), expired };
        if next == *past {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&next).map_err(|error| Error::store("write the failures of the sink", error))?;
        // A lost race means that another run told of them at this very moment.
        self.store.put_if(&past_key(collector), bytes, version.as_ref()).await.map(drop)
    }
}

fn past_key(collector: &str) -> String {
    format!("sink/{collector}")
}

impl Committed {
    fn without_observations(self, why: String) -> Self {
        Self { observations: Vec::new(), gap: Some(why), ..self }
    }
}
