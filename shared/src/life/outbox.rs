//! Delivers a run: its own points first, then its observations, then what earlier runs left.

use super::commit::{Body, Committed, RACES, WRITES_AT_ONCE};
use super::deliveries::{Deliveries, Left};
use super::message::Payloads;
use super::run::Run;
use crate::cursor::Cursor;
use crate::datadog::{Found, Intake, LIMITS, NotAccepted, Payload, Spool};
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

/// Delivers one run to Datadog.
#[derive(Debug)]
pub(crate) struct Outbox<'a> {
    pub run: Run<'a>,
    pub intake: &'a Intake,
    pub spool: Spool,
}

impl Outbox<'_> {
    /// Sends everything but the last rows. Once Datadog is known to be unavailable nothing more is tried or read.
    pub(crate) async fn deliver(
        &self,
        payloads: Payloads,
        committed: Vec<Committed>,
        found: Option<Found>,
    ) -> Deliveries {
        let Run { deadlines, schedule, is_repetition, .. } = self.run;
        let mut deliveries = Deliveries::default();
        for failed in committed.iter().flat_map(|one| &one.expired) {
            deliveries.expired += 1;
            deliveries.count(failed.as_deref());
        }
        deadlines.set_store(schedule.end);
        deadlines.set(schedule.send);
        let (own, found) = found.map_or((Vec::new(), None), |found| self.split(found));
        // What the first try of a repeated run left holds more than the repetition, and is older.
        if is_repetition {
            self.send_entries(own.clone(), schedule.backlog_from(Instant::now()), &mut deliveries).await;
        }
        let undelivered = self.send_own(payloads, &mut deliveries).await;
        if undelivered.is_empty() && !is_repetition {
            // This run's own points are accepted: an earlier try of it has nothing to add.
            self.remove(own).await;
        }
        self.store(undelivered, &mut deliveries).await;
        deadlines.set(schedule.backlog);
        self.send_bodies(committed, &mut deliveries).await;
        if let (None, Some(found)) = (deliveries.unavailable, found) {
            self.send_backlog(found, &mut deliveries).await;
        }
        deadlines.set(schedule.last);
        deadlines.set_store(schedule.end);
        deliveries
    }

    /// What an earlier try of this run left, and what other runs did, which a repetition leaves to the next run.
    fn split(&self, found: Found) -> (Vec<(Timestamp, String)>, Option<Found>) {
        let (own, earlier): (Vec<_>, Vec<_>) = found.waiting.into_iter().partition(|(at, _)| *at == self.run.now());
        (own, (!self.run.is_repetition).then_some(Found { waiting: earlier, ..found }))
    }

    async fn send_own(&self, payloads: Payloads, deliveries: &mut Deliveries) -> Vec<(Payload, &'static str)> {
        if let Some(kind) = deliveries.unavailable {
            return payloads.points.into_iter().map(|payload| (payload, kind)).collect();
        }
        let undelivered = deliveries.take(self.intake.deliver(payloads.points, false).await, false);
        if deliveries.unavailable.is_none() {
            let slots = self.intake.deliver(payloads.slots, deliveries.is_open()).await;
            // The next runs recount what was not accepted, so that nobody else counts its failure.
            for (_, kind) in deliveries.take(slots, false) {
                deliveries.count(Some(kind));
            }
        }
        undelivered
    }

    /// Sends the last rows of the run, which count what became of everything else.
    pub(crate) async fn deliver_last(&self, payloads: Vec<Payload>, deliveries: &mut Deliveries) {
        let undelivered = if let Some(kind) = deliveries.unavailable {
            payloads.into_iter().map(|payload| (payload, kind)).collect()
        } else {
            deliveries.take(self.intake.deliver(payloads, deliveries.is_open()).await, false)
        };
        self.store(undelivered, deliveries).await;
    }

    async fn store(&self, payloads: Vec<(Payload, &'static str)>, deliveries: &mut Deliveries) {
        for (payload, kind) in payloads {
            match self.spool.put(&payload, self.run.now(), kind).await {
                Ok(()) => deliveries.spooled += 1,
                Err(error) => {
                    tracing::error!(error = error.with_causes(), series = payload.len(), "points are lost");
                    deliveries.lost += 1;
                    deliveries.count(Some(kind));
                }
            }
        }
    }

    /// Sends the bodies of observations, those of all targets in as few payloads as there can be, and writes in each
    /// cursor what became of them: a run killed in between leaves one payload that may or may not have been accepted.
    async fn send_bodies(&self, committed: Vec<Committed>, deliveries: &mut Deliveries) {
        let mut waiting: Vec<Committed> = committed.into_iter().filter(|one| !one.bodies.is_empty()).collect();
        while !waiting.is_empty() {
            if let Some(why) = self.run.store.failure() {
                // Nobody could record that they were delivered, and the next run would send them again.
                let bodies = waiting.iter().map(|one| one.bodies.len()).sum::<usize>();
                tracing::warn!(why, bodies, "observations wait for the next run, because the store failed");
                deliveries.spooled += bodies;
                return;
            }
            let (number, merged) = largest(&waiting);
            let rest = waiting.split_off(number);
            let results = self.observe(&waiting, merged, deliveries).await;
            let settled = waiting.into_iter().zip(results).map(|(one, result)| self.settle(one, result));
            let settled = stream::iter(settled.collect::<Vec<_>>()).buffered(WRITES_AT_ONCE).collect::<Vec<_>>().await;
            for error in settled.into_iter().filter_map(Result::err) {
                tracing::warn!(error = error.with_causes(), "delivered observations could not be recorded");
            }
            waiting = rest;
        }
    }

    /// Sends the bodies of some targets as one payload, or each by itself where that has something wrong in it.
    async fn observe(
        &self,
        targets: &[Committed],
        merged: Option<Payload>,
        deliveries: &mut Deliveries,
    ) -> Vec<Vec<Left>> {
        if let (None, Some(merged)) = (deliveries.unavailable, merged) {
            let sent = self.intake.observe(&merged).await;
            if !matches!(sent, Err(NotAccepted::Invalid)) {
                let every =
                    targets.iter().map(|one| one.bodies.iter().map(|body| deliveries.observed(body, &sent)).collect());
                return every.collect();
            }
        }
        let mut all = Vec::new();
        for one in targets {
            let mut left = Vec::new();
            for body in &one.bodies {
                left.push(self.observe_one(body, deliveries).await);
            }
            all.push(left);
        }
        all
    }

    async fn observe_one(&self, body: &Body, deliveries: &mut Deliveries) -> Left {
        if let Some(kind) = deliveries.unavailable {
            let unavailable = Err(NotAccepted::Unavailable { kind, refused: None, is_answered: true });
            return deliveries.observed(body, &unavailable);
        }
        let sent = self.intake.observe(&body.payload).await;
        if !matches!(sent, Err(NotAccepted::Invalid)) {
            return deliveries.observed(body, &sent);
        }
        let mut delivery = self.intake.deliver(vec![body.payload.clone()], deliveries.is_open()).await;
        let left = delivery.undelivered.pop();
        drop(deliveries.take(delivery, !body.is_own));
        let Some((payload, kind)) = left else {
            deliveries.count(body.failed.as_deref());
            return Left::Nothing;
        };
        (deliveries.unavailable, deliveries.spooled) = (Some(kind), deliveries.spooled + 1);
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
        Err(Error::store(format!("record what of {target} was delivered"), "others kept writing the cursor"))
    }

    /// Delivers what earlier runs of this function and scope left, oldest first, and gives up what is too old.
    async fn send_backlog(&self, found: Found, deliveries: &mut Deliveries) {
        let keys = found.waiting.into_iter().take(MOST_ENTRIES).collect();
        let Run { deadlines, schedule, .. } = self.run;
        let until = schedule.backlog_from(Instant::now());
        deadlines.set(until);
        // The store may not take here what the last rows of the run need.
        deadlines.set_store(schedule.backlog);
        self.send_entries(keys, until, deliveries).await;
        if deliveries.unavailable.is_none() {
            for given_up in self.spool.expire(found.expired, until).await {
                deliveries.expired += usize::from(matches!(given_up, Ok(Some(_))));
                deliveries.record(given_up);
            }
        }
    }

    /// Delivers entries of the spool in this order, until Datadog is unavailable or it is this late. Those of one second
    /// go one after the other: they may be of two tries, and the later one is right.
    async fn send_entries(&self, entries: Vec<(Timestamp, String)>, until: Instant, deliveries: &mut Deliveries) {
        let breaker = Breaker { intake: self.intake, is_open: deliveries.is_open(), deliveries: Mutex::default() };
        let breaker = &breaker;
        let seconds = entries.chunk_by(|one, other| one.0 == other.0);
        let sends = seconds.map(|entries| async move {
            let mut results = Vec::new();
            for (_, key) in entries {
                if breaker.lock().unavailable.is_some() || Instant::now() >= until {
                    break;
                }
                results.push(self.send_entry(key, breaker).await);
            }
            results
        });
        let sent: Vec<_> = stream::iter(sends.collect::<Vec<_>>()).buffered(SENT_AT_ONCE).collect().await;
        deliveries.absorb(std::mem::take(&mut *breaker.lock()));
        for result in sent.into_iter().flatten() {
            deliveries.record(result);
        }
    }

    /// Delivers one entry; the kind of failure that had brought it here, once it is delivered.
    async fn send_entry(&self, key: &str, breaker: &Breaker<'_>) -> Result<Option<String>> {
        let Some((payload, kind)) = self.spool.read(key).await? else { return Ok(None) };
        match breaker.pass(payload).await {
            None => self.spool.remove(key).await.map(|()| Some(kind)),
            Some(_) => Ok(None),
        }
    }

    async fn remove(&self, entries: Vec<(Timestamp, String)>) {
        for (_, key) in entries {
            if let Err(error) = self.spool.remove(&key).await {
                tracing::warn!(error = error.with_causes(), "an entry of the spool could not be removed");
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

/// Lets payloads pass side by side, until one shows that Datadog is unavailable.
struct Breaker<'a> {
    intake: &'a Intake,
    /// Whether Datadog accepted something of this run.
    is_open: bool,
    deliveries: Mutex<Deliveries>,
}

impl Breaker<'_> {
    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        self.deliveries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Delivers a payload of an earlier run; what is left of it is returned with the kind of failure.
    async fn pass(&self, payload: Payload) -> Option<(Payload, &'static str)> {
        let unavailable = self.lock().unavailable;
        if let Some(kind) = unavailable {
            return Some((payload, kind));
        }
        let is_open = self.is_open || self.lock().is_open();
        let delivery = self.intake.deliver(vec![payload], is_open).await;
        self.lock().take(delivery, true).pop()
    }
}
