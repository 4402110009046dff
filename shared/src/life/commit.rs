//! Commits observations before they are sent: when the run is killed, a later one finds what was being delivered.

use super::run::Run;
use super::target::Target;
use crate::cursor::{Cursor, Loaded, Pending, Step};
use crate::datadog::{Dropped, Payload};
use crate::{Error, Result, Sample, store::Version};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// How often a lost race for a cursor is run again.
pub(crate) const RACES: usize = 4;

/// How many cursors are written side by side.
pub(crate) const WRITES_AT_ONCE: usize = 16;

/// The committed observations of a target.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// The target.
    pub target: String,
    /// Observations that are being delivered.
    pub observations: Vec<Sample>,
    /// Observations that may not be sent.
    pub dropped: Dropped,
    /// Closed slots that were never sent and cannot be any more.
    pub missed_slots: usize,
    /// Bodies that killed runs left, too old ones included, by the time of their points.
    pub waiting: Vec<Timestamp>,
    /// Those of them that are too old for Datadog, with the kind of failure that kept them, where one is known.
    pub expired: Vec<Option<String>>,
    /// Whether a later run was committed before this one.
    pub is_overtaken: bool,
    /// Why the store is a gap of this target.
    pub gap: Option<String>,
    /// The cursor as committed.
    pub cursor: Option<(Cursor, Version)>,
    /// What is to be sent now.
    pub bodies: Vec<Body>,
}

/// A body of observations that this run is to deliver.
#[derive(Debug)]
pub(crate) struct Body {
    /// Its name in the cursor.
    pub id: String,
    /// What is sent.
    pub payload: Payload,
    /// The kind of failure that kept it so far.
    pub failed: Option<String>,
    /// How often it was sent without an answer.
    pub unanswered: u8,
    /// Whether this run made it; else it was taken over from a killed one.
    pub is_own: bool,
}

impl Run<'_> {
    /// Commits the observations of every target, side by side, where they may be committed.
    pub(crate) async fn commit(&self, targets: &[Target], may_commit: bool) -> Vec<Committed> {
        if !may_commit {
            return targets.iter().map(|target| target.uncommitted(self.now())).collect();
        }
        let commits = targets.iter().map(|target| self.commit_one(target));
        stream::iter(commits.collect::<Vec<_>>()).buffered(WRITES_AT_ONCE).collect().await
    }

    async fn commit_one(&self, target: &Target) -> Committed {
        Box::pin(self.race(target))
            .await
            .unwrap_or_else(|error| Committed { gap: Some(error.with_causes()), ..target.uncommitted(self.now()) })
    }

    /// One conditional write marks the observations as reported and holds their bodies under a lease.
    async fn race(&self, target: &Target) -> Result<Committed> {
        let (name, collector, lease) = (target.share.target.as_str(), self.base.collector, self.lease());
        let observed = (target.observations.as_slice(), target.is_whole());
        let mut read_again: Loaded;
        let mut found = &target.cursor;
        for _ in 0..RACES {
            let step = Cursor::step(found, (self.now(), self.wall, lease), self.event.scope(), observed);
            let (mut committed, next) = self.prepare(name, step)?;
            let Some(next) = next else { return Ok(committed) };
            if Instant::now() >= self.schedule.commit {
                return Err(Error::store("commit observations", "the run has no time left"));
            }
            if let Some(version) = next.write(self.store, collector, name, found.version.as_ref()).await? {
                committed.cursor = Some((next, version));
                return Ok(committed);
            }
            read_again = Cursor::load(self.store, collector, name, self.wall).await?;
            found = &read_again;
            // Perhaps our write succeeded, its answer was lost, and another run wrote since.
            if let (Some(cursor), Some(version)) = (&found.cursor, &found.version)
                && committed.is_in(cursor)
            {
                committed.cursor = Some((cursor.clone(), version.clone()));
                return Ok(committed);
            }
        }
        let why = format!("others wrote it {RACES} times while this run tried");
        Err(Error::store(format!("commit the observations of {name}"), why))
    }

    fn prepare(&self, target: &str, step: Step) -> Result<(Committed, Option<Cursor>)> {
        let (observations, dropped) = self.admit(step.observations);
        let (gap, is_overtaken) = (step.gap.map(str::to_owned), step.is_overtaken);
        let mut committed = Committed { target: target.to_owned(), dropped, gap, is_overtaken, ..Committed::default() };
        let Some(mut next) = step.next else { return Ok((committed, None)) };
        committed.missed_slots = step.missed_slots;
        committed.waiting = step.taken.iter().chain(&step.expired).map(|pending| pending.at).collect();
        committed.expired = step.expired.into_iter().map(|pending| pending.failed).collect();
        for Pending { id: old, failed, unanswered, body, .. } in step.taken {
            match Payload::observations(&body) {
                Ok(payload) => {
                    // Another run may take it over at this moment, under an equal lease.
                    let id = new_id(target);
                    next.pending
                        .iter_mut()
                        .filter(|pending| pending.id == old)
                        .for_each(|held| held.id.clone_from(&id));
                    committed.bodies.push(Body { id, payload, failed, unanswered, is_own: false });
                }
                Err(error) => {
                    tracing::error!(target, error = error.with_causes(), "unreadable observations are dropped");
                    next.pending.retain(|pending| pending.id != old);
                    committed.expired.push(failed);
                }
            }
        }
        for payload in self.encode(&observations)? {
            let id = new_id(target);
            let (at, lease, body) = (self.now(), self.lease(), payload.text());
            next.pending.push(Pending { id: id.clone(), at, lease, body, failed: None, unanswered: 0 });
            committed.bodies.push(Body { id, payload, failed: None, unanswered: 0, is_own: true });
        }
        committed.observations = observations;
        Ok((committed, Some(next)))
    }
}

impl Committed {
    /// Whether a cursor holds the bodies that this run made or took over: their names are its own.
    fn is_in(&self, cursor: &Cursor) -> bool {
        let is_held = |body: &Body| cursor.pending.iter().any(|one| one.id == body.id);
        !self.bodies.is_empty() && self.bodies.iter().all(is_held)
    }
}

/// A unique name for a body.
fn new_id(target: &str) -> String {
    format!("{:016x}", RandomState::new().hash_one(target))
}

#[cfg(test)]
mod tests {
    use super::super::schedule::Schedule;
    use super::*;
    use crate::datadog::Base;
    use crate::heartbeat::Share;
    use crate::testing::{Folder, at};
    use crate::{Deadlines, Event, Findings, Meter, Store};
    use std::time::Duration;

    crate::catalogue! {
        /// How long a thing took.
        TOOK = Distribution "test.took" in Hour by [], fold None, better Neither;
    }

    /// The cursor of a target whose last run was killed while it delivered a body.
    async fn dead(store: &Store, now: Timestamp) -> Loaded {
        let first = Cursor::step(&Loaded::default(), (now, now, now), "all", (&[], true));
        let mut cursor = first.next.unwrap();
        let body = r#"{"series":[{"metric":"test.took"}]}"#.to_owned();
        cursor.pending.push(Pending { id: "dead".into(), at: now, lease: now, body, failed: None, unanswered: 0 });
        cursor.write(store, "c", "it", None).await.unwrap().unwrap();
        Cursor::load(store, "c", "it", now).await.unwrap()
    }

    #[tokio::test]
    async fn of_two_runs_that_take_over_a_body_at_once_one_has_it_and_one_knows_that_it_has_not() {
        let now = at("2026-01-08T12:00:00Z");
        let base = Base::new("c", "test", "s");
        for ended in [vec![], vec![TOOK.observe(1.0, now, "a")]] {
            let folder = Folder::new("commit");
            let store = Store::directory(folder.path());
            let found = dead(&store, now).await;
            // Their leases are equal, to the last digit.
            let event = Event::new(now + crate::GRID, now + crate::GRID);
            let run = Run {
                base: &base,
                event: &event,
                store: &store,
                meter: &Meter::default(),
                deadlines: &Deadlines::default(),
                schedule: Schedule::new(Instant::now(), Duration::from_mins(1)),
                wall: event.now(),
                is_repetition: false,
            };
            let share = Share {
                target: "it".to_owned(),
                parts: Vec::new(),
                findings: Findings::default(),
                until: None,
                repeated: false,
                failed: None,
            };
            let target = Target::new(share, found, ended.clone());
            let held = [run.commit_one(&target).await, run.commit_one(&target).await];
            assert!(held.iter().all(|one| one.gap.is_none()), "{held:?}");
            let bodies: Vec<usize> = held.iter().map(|one| one.bodies.len()).collect();
            assert_eq!(bodies, [1 + ended.len(), 0]);
        }
        assert_eq!(METRICS.len(), 1);
    }
}
