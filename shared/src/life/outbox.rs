//! Delivers what a run has to say: its own points first, then its observations, then what earlier runs left.

use super::commit::{Body, Committed, RACES, WRITES_AT_ONCE};
use super::message::Payloads;
use super::outcome::{Left, Outcome};
use super::run::Run;
use crate::cursor::Cursor;
use crate::datadog::{Found, Intake, LIMITS, Payload, Spool, Unobserved};
use crate::{Error, Result};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How many entries of the spool are sent side by side.
const SENT_AT_ONCE: usize = 4;

/// The most entries of the spool that a run delivers.
const MOST_ENTRIES: usize = 500;

/// A run's way to Datadog.
#[derive(Debug)]
pub(crate) struct Outbox<'a> {
    pub run: Run<'a>,
    pub intake: &'a Intake,
    pub spool: Spool,
}

impl Outbox<'_> {
    /// Sends everything but the last rows. Once Datadog is known to be closed nothing more is tried or read.
    pub(crate) async fn deliver(&self, payloads: Payloads, committed: Vec<Committed>, found: Option<Found>) -> Outcome {
        let Run { deadlines, schedule, is_repetition, .. } = self.run;
        let mut outcome = Outcome::default();
        for failed in committed.iter().flat_map(|one| &one.expired) {
            outcome.expired += 1;
            outcome.count(failed.as_deref());
        }
        deadlines.set_store(schedule.end);
        deadlines.set(schedule.send);
        let (own, found) = found.map_or((Vec::new(), None), |found| self.split(found));
        // What the first try of a repeated run left says more than the repetition does, and is older.
        if is_repetition {
            self.send_entries(own.clone(), schedule.backlog_from(Instant::now()), &mut outcome).await;
        }
        let undelivered = self.send_own(payloads, &mut outcome).await;
        if undelivered.is_empty() && !is_repetition {
            // This run's own points are accepted: an earlier try of it has nothing to add.
            self.remove(own).await;
        }
        self.keep(undelivered, &mut outcome).await;
        deadlines.set(schedule.backlog);
        self.send_bodies(committed, &mut outcome).await;
        if let (None, Some(found)) = (outcome.closed, found) {
            self.send_backlog(found, &mut outcome).await;
        }
        deadlines.set(schedule.last);
        deadlines.set_store(schedule.end);
        outcome
    }

    /// What an earlier try of this run left, and what other runs did, which a repetition leaves to the next run.
    fn split(&self, found: Found) -> (Vec<(Timestamp, String)>, Option<Found>) {
        let (own, earlier): (Vec<_>, Vec<_>) = found.waiting.into_iter().partition(|(at, _)| *at == self.run.now());
        (own, (!self.run.is_repetition).then_some(Found { waiting: earlier, ..found }))
    }

    async fn send_own(&self, payloads: Payloads, outcome: &mut Outcome) -> Vec<(Payload, &'static str)> {
        if let Some(kind) = outcome.closed {
            return payloads.points.into_iter().map(|payload| (payload, kind)).collect();
        }
        let undelivered = outcome.take(self.intake.deliver(payloads.points, false).await, false);
        if outcome.closed.is_none() {
            let slots = self.intake.deliver(payloads.slots, outcome.is_open()).await;
            // The next runs recount what was not taken, so that its failure is told by nobody else.
            for (_, kind) in outcome.take(slots, false) {
                outcome.count(Some(kind));
            }
        }
        undelivered
    }

    /// Sends the last rows of the run, which count what became of everything else.
    pub(crate) async fn deliver_last(&self, payloads: Vec<Payload>, outcome: &mut Outcome) {
        let undelivered = if let Some(kind) = outcome.closed {
            payloads.into_iter().map(|payload| (payload, kind)).collect()
        } else {
            outcome.take(self.intake.deliver(payloads, outcome.is_open()).await, false)
        };
        self.keep(undelivered, outcome).await;
    }

    async fn keep(&self, payloads: Vec<(Payload, &'static str)>, outcome: &mut Outcome) {
        for (payload, kind) in payloads {
            match self.spool.keep(&payload, self.run.now(), kind).await {
                Ok(()) => outcome.spooled += 1,
                Err(error) => {
                    tracing::error!(error = error.with_causes(), series = payload.len(), "points are lost");
                    outcome.lost += 1;
                    outcome.count(Some(kind));
                }
            }
        }
    }

    /// Sends the bodies of observations, those of all targets in as few payloads as there can be, and writes in each
    /// cursor what became of them: a run that dies in between leaves one payload of which nobody knows whether it was taken.
    async fn send_bodies(&self, committed: Vec<Committed>, outcome: &mut Outcome) {
        let mut waiting: Vec<Committed> = committed.into_iter().filter(|one| !one.bodies.is_empty()).collect();
        while !waiting.is_empty() {
            if let Some(why) = self.run.store.failure() {
                // Nobody could note that they were delivered, and the next run would send them again.
                let bodies = waiting.iter().map(|one| one.bodies.len()).sum::<usize>();
                tracing::warn!(why, bodies, "observations wait for the next run, because the store failed");
                outcome.spooled += bodies;
                return;
            }
            let (number, merged) = largest(&waiting);
            let rest = waiting.split_off(number);
            let results = self.observe(&waiting, merged, outcome).await;
            let settled = waiting.into_iter().zip(results).map(|(one, result)| self.settle(one, result));
            let settled = stream::iter(settled.collect::<Vec<_>>()).buffered(WRITES_AT_ONCE).collect::<Vec<_>>().await;
            for error in settled.into_iter().filter_map(Result::err) {
                tracing::warn!(error = error.with_causes(), "what became of observations is not noted");
            }
            waiting = rest;
        }
    }

    /// Sends the bodies of some targets as one payload, or each by itself where that has something wrong in it.
    async fn observe(&self, targets: &[Committed], merged: Option<Payload>, outcome: &mut Outcome) -> Vec<Vec<Left>> {
        if let (None, Some(merged)) = (outcome.closed, merged) {
            let sent = self.intake.observe(&merged).await;
            if !matches!(sent, Err(Unobserved::Unfit)) {
                let every =
                    targets.iter().map(|one| one.bodies.iter().map(|body| outcome.observed(body, &sent)).collect());
                return every.collect();
            }
        }
        let mut all = Vec::new();
        for one in targets {
            let mut left = Vec::new();
            for body in &one.bodies {
                left.push(self.observe_one(body, outcome).await);
            }
            all.push(left);
        }
        all
    }

    async fn observe_one(&self, body: &Body, outcome: &mut Outcome) -> Left {
        if let Some(kind) = outcome.closed {
            let closed = Err(Unobserved::Closed { kind, refused: None, is_answered: true });
            return outcome.observed(body, &closed);
        }
        let sent = self.intake.observe(&body.payload).await;
        if !matches!(sent, Err(Unobserved::Unfit)) {
            return outcome.observed(body, &sent);
        }
        let mut delivery = self.intake.deliver(vec![body.payload.clone()], outcome.is_open()).await;
        let left = delivery.undelivered.pop();
        drop(outcome.take(delivery, !body.is_own));
        let Some((payload, kind)) = left else {
            outcome.count(body.failed.as_deref());
            return Left::Nothing;
        };
        (outcome.closed, outcome.spooled) = (Some(kind), outcome.spooled + 1);
        Left::Waits { body: payload.text(), kind, unanswered: body.unanswered }
    }

    /// Takes delivered bodies out of the cursor; what is left of the others is free for the next run.
    async fn settle(&self, one: Committed, left: Vec<Left>) -> Result<()> {
        let (store, collector, wall) = (self.run.store, self.run.base.collector, self.run.wall);
        let Committed { target, cursor, bodies, .. } = one;
        let Some((mut cursor, mut version)) = cursor else { return Ok(()) };
        let left: BTreeMap<String, Left> = bodies.into_iter().map(|body| body.id).zip(left).collect();
        for _ in 0..RACES {
            cursor.pending.retain_mut(|pending| match left.get(&pending.id) {
                None => true,
                Some(Left::Nothing) => false,
                Some(Left::Waits { body, kind, unanswered }) => {
                    (pending.lease, pending.body, pending.unanswered) = (wall, body.clone(), *unanswered);
                    pending.failed = Some((*kind).to_owned());
                    true
                }
            });
            if cursor.write(store, collector, &target, Some(&version)).await?.is_some() {
                return Ok(());
            }
            let found = Cursor::load(store, collector, &target, wall).await?;
            match (found.cursor, found.version) {
                (Some(there), Some(seen)) => (cursor, version) = (there, seen),
                _ => return Ok(()),
            }
        }
        Err(Error::store(format!("note what of {target} was delivered"), "others wrote the cursor all the time"))
    }

    /// Delivers what earlier runs of this function and scope left, oldest first, and gives up what is too old.
    async fn send_backlog(&self, found: Found, outcome: &mut Outcome) {
        let keys = found.waiting.into_iter().take(MOST_ENTRIES).collect();
        let Run { deadlines, schedule, .. } = self.run;
        let until = schedule.backlog_from(Instant::now());
        deadlines.set(until);
        // The store may not take here what the last rows of the run need.
        deadlines.set_store(schedule.backlog);
        self.send_entries(keys, until, outcome).await;
        if outcome.closed.is_none() {
            for given_up in self.spool.expire(found.expired, until).await {
                outcome.expired += usize::from(matches!(given_up, Ok(Some(_))));
                outcome.note(given_up);
            }
        }
    }

    /// Delivers entries of the spool in this order, until Datadog is closed or it is this late. Those of one second
    /// go one after the other: they may be of two tries, and the later one is right.
    async fn send_entries(&self, entries: Vec<(Timestamp, String)>, until: Instant, outcome: &mut Outcome) {
        let gate = Gate { intake: self.intake, open: outcome.is_open(), outcome: Mutex::default() };
        let gate = &gate;
        let seconds = entries.chunk_by(|one, other| one.0 == other.0);
        let sends = seconds.map(|entries| async move {
            let mut results = Vec::new();
            for (_, key) in entries {
                if gate.lock().closed.is_some() || Instant::now() >= until {
                    break;
                }
                results.push(self.send_entry(key, gate).await);
            }
            results
        });
        let sent: Vec<_> = stream::iter(sends.collect::<Vec<_>>()).buffered(SENT_AT_ONCE).collect().await;
        outcome.absorb(std::mem::take(&mut *gate.lock()));
        for result in sent.into_iter().flatten() {
            outcome.note(result);
        }
    }

    /// Delivers one entry; the kind of failure that had kept it, once it is through.
    async fn send_entry(&self, key: &str, gate: &Gate<'_>) -> Result<Option<String>> {
        let Some((payload, kind)) = self.spool.read(key).await? else { return Ok(None) };
        match gate.pass(payload).await {
            None => self.spool.remove(key).await.map(|()| Some(kind)),
            Some(_) => Ok(None),
        }
    }

    async fn remove(&self, entries: Vec<(Timestamp, String)>) {
        for (_, key) in entries {
            if let Err(error) = self.spool.remove(&key).await {
                tracing::warn!(error = error.with_causes(), "an entry of the spool stays as it is");
            }
        }
    }
}

/// The most targets, from the first on, whose bodies make one payload within the limits, and that payload.
fn largest(targets: &[Committed]) -> (usize, Option<Payload>) {
    let mut number = targets.len();
    while number > 1 {
        let bodies = targets[..number].iter().flat_map(|one| &one.bodies).map(|body| &body.payload);
        if let Ok(Some(merged)) = Payload::merged(bodies, LIMITS) {
            return (number, Some(merged));
        }
        number /= 2;
    }
    let bodies = targets[..number].iter().flat_map(|one| &one.bodies).map(|body| &body.payload);
    (number, Payload::merged(bodies, LIMITS).ok().flatten())
}

/// Lets payloads pass side by side, until one shows that Datadog is closed.
struct Gate<'a> {
    intake: &'a Intake,
    /// Whether Datadog took something of this run.
    open: bool,
    outcome: Mutex<Outcome>,
}

impl Gate<'_> {
    fn lock(&self) -> MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers a payload of an earlier run; what is left of it comes back, with the kind of failure.
    async fn pass(&self, payload: Payload) -> Option<(Payload, &'static str)> {
        let closed = self.lock().closed;
        if let Some(kind) = closed {
            return Some((payload, kind));
        }
        let open = self.open || self.lock().is_open();
        let delivery = self.intake.deliver(vec![payload], open).await;
        self.lock().take(delivery, true).pop()
    }
}
