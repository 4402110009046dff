//! Fetching a target: what is stored of it is loaded, continued or healed, and stored again.

use crate::cursor::{Cursor, Loaded};
use crate::heartbeat::{STORE, Share};
use crate::snapshots::{self, Healing, Seen, Stored};
use crate::{Collector, Context, Deadlines, Error, Event, Findings, Last, Meter, Result, Store, digest};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A target before it is measured.
pub(crate) struct Fetched<S> {
    pub snapshot: S,
    pub share: Share,
    pub cursor: Loaded,
}

/// Fetches the targets of a run, several side by side.
pub(crate) struct Fetcher<'a, C> {
    pub collector: &'a C,
    pub store: &'a Store,
    pub meter: &'a Meter,
    pub deadlines: &'a Deadlines,
    pub event: &'a Event,
    /// The digest of an empty text, which identifies the key of digests.
    pub key: String,
    /// How many full fetches this run may still make beside current snapshots: too many would take each other's time.
    pub heals: AtomicUsize,
    /// The longest that one of them may take.
    pub heal_time: Duration,
    /// Why there is no shared key of digests: then nothing is continued, stored or committed.
    pub key_gap: Option<String>,
}

/// What the store holds of a target.
struct Previous<S> {
    stored: Option<Stored<S>>,
    /// The same as it is stored, which is much smaller.
    packed: Vec<u8>,
    /// What a new snapshot would replace; nothing where the store failed, and nothing is stored.
    seen: Option<Seen>,
    cursor: Loaded,
}

impl<C: Collector> Fetcher<'_, C> {
    /// Loads, fetches and stores a target.
    pub(crate) async fn target(&self, target: String) -> Fetched<C::Snapshot> {
        let cx = Context::new(self.event.clone(), &target);
        let read_with = format!("{} {}", self.collector.fingerprint(&target), self.key);
        let fingerprint = digest(&read_with);
        let previous = self.load(&cx, &target).await;
        let until = previous.cursor.cursor.as_ref().map(|cursor| cursor.until);
        let is_repeated = until.is_some_and(|until| self.event.now() <= until);
        if is_repeated && let Some(stored) = self.measured_before(&cx, &target, &fingerprint).await {
            let (snapshot, findings) = (stored.snapshot, self.findings_of(stored.pending, stored.unread));
            let share = Share { target, parts: self.parts(), findings, until, repeated: true, failed: None };
            return Fetched { snapshot, share, cursor: previous.cursor };
        }
        let Previous { stored, packed, seen, cursor } = previous;
        let fetched = self.fetch(&cx, &target, &fingerprint, stored.zip(Some(packed))).await;
        let (snapshot, failed) = match fetched {
            Ok(stored) => {
                // A run that shows a past time to somebody stores nothing.
                if let (Some(seen), false) = (seen, self.event.is_late()) {
                    let done = snapshots::put::<C>(self.store, self.event, &target, &stored, seen).await;
                    cx.part(STORE, done);
                }
                (stored.snapshot, None)
            }
            Err(error) => {
                tracing::error!(target, error = error.with_causes(), "target failed");
                for part in self.collector.parts() {
                    cx.gap(part, error.with_causes());
                }
                (self.collector.unknown(&target), Some(error))
            }
        };
        let share = Share { target, parts: self.parts(), findings: cx.findings(), until, repeated: false, failed };
        Fetched { snapshot, share, cursor }
    }

    fn parts(&self) -> Vec<crate::Part> {
        let mut parts = self.collector.parts();
        parts.push(STORE);
        parts
    }

    async fn load(&self, cx: &Context, target: &str) -> Previous<C::Snapshot> {
        if let Some(why) = &self.key_gap {
            cx.gap(STORE, why);
            return Previous { stored: None, packed: Vec::new(), seen: None, cursor: Loaded::default() };
        }
        let wall = self.event.wall();
        let (stored, cursor) = futures::join!(
            snapshots::latest::<C>(self.store, target, wall),
            Cursor::load(self.store, C::NAME, target, wall)
        );
        let cursor = cx.part(STORE, cursor).unwrap_or_default();
        if let Some(why) = cursor.unreadable {
            cx.gap(STORE, why);
        }
        let Some((stored, object)) = cx.part(STORE, stored) else {
            return Previous { stored: None, packed: Vec::new(), seen: None, cursor };
        };
        // A snapshot from after this run's time knows too much for it, and stays.
        let is_newer = stored.as_ref().is_some_and(|stored| stored.at > self.event.now());
        let (packed, version) = object.map_or((Vec::new(), None), |object| (object.bytes, Some(object.version)));
        let seen = if is_newer { Seen::Unknown } else { Seen::Version(version) };
        Previous { stored: stored.filter(|_| !is_newer), packed, seen: Some(seen), cursor }
    }

    /// The snapshot of this very time, where it is stored and whole.
    async fn measured_before(&self, cx: &Context, target: &str, fingerprint: &str) -> Option<Stored<C::Snapshot>> {
        let stored = cx.part(STORE, snapshots::dated::<C>(self.store, target, self.event.now()).await)??;
        let is_same = stored.fingerprint == fingerprint && stored.at == self.event.now();
        (is_same && stored.is_whole()).then_some(stored)
    }

    /// The findings that a snapshot was stored with, for the parts that are configured now.
    fn findings_of(&self, pending: BTreeMap<String, u64>, unread: BTreeMap<String, u64>) -> Findings {
        let named = |counts: BTreeMap<String, u64>| {
            let parts = self.collector.parts().into_iter();
            parts.filter_map(|part| Some((part.name(), counts.get(part.name()).copied()?))).collect()
        };
        Findings { pending: named(pending), unread: named(unread), ..Findings::default() }
    }

    /// Continues the stored snapshot, or reads everything. Where a full fetch is due it is made beside that snapshot, which
    /// is used until the new one is complete.
    async fn fetch(
        &self,
        cx: &Context,
        target: &str,
        fingerprint: &str,
        stored: Option<(Stored<C::Snapshot>, Vec<u8>)>,
    ) -> Result<Stored<C::Snapshot>> {
        let now = self.event.now();
        let Some((mut stored, packed)) = stored else {
            return self.fetch_all(cx, target, fingerprint, Last::None).await;
        };
        if !stored.continues::<C>(fingerprint, now) {
            drop(packed);
            return self.fetch_all(cx, target, fingerprint, self.remembered(&stored)).await;
        }
        if self.is_heal_due(&stored) {
            return self.fetch_beside(cx, target, stored, packed).await;
        }
        drop(packed);
        let healing = stored.healing.take();
        self.fetch_changes(cx, target, stored, healing).await
    }

    /// Whether a full fetch is due now: a day after the last one, and until it is complete.
    fn is_heal_due(&self, stored: &Stored<C::Snapshot>) -> bool {
        let now = self.event.now();
        let is_old = now.duration_since(stored.whole_at) >= snapshots::HEAL;
        let is_resting = stored.rests_until.is_some_and(|until| now < until);
        let takes_one = |heals: usize| heals.checked_sub(1);
        (is_old || stored.healing.is_some())
            && !is_resting
            && self.heals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, takes_one).is_ok()
    }

    async fn fetch_changes(
        &self,
        cx: &Context,
        target: &str,
        stored: Stored<C::Snapshot>,
        healing: Option<Healing<C::Snapshot>>,
    ) -> Result<Stored<C::Snapshot>> {
        let Stored { fingerprint, whole_at, rests_until, snapshot, .. } = stored;
        let fetch = self.collector.fetch(cx, target, Last::Base(snapshot));
        let fetched = self.meter.asking_for(target, fetch).await?;
        let whole_at = if cx.findings().asked_all { self.event.now() } else { whole_at };
        // What continued fetches cannot see is as old as this.
        cx.reused(whole_at, snapshots::HEAL * 2);
        Ok(Stored { healing, rests_until, ..self.to_store(cx, &fingerprint, whole_at, fetched)? })
    }

    /// Makes a full fetch beside the stored snapshot, which is used until that is complete.
    async fn fetch_beside(
        &self,
        cx: &Context,
        target: &str,
        stored: Stored<C::Snapshot>,
        packed: Vec<u8>,
    ) -> Result<Stored<C::Snapshot>> {
        let memory = self.remembered(&stored);
        let Stored { fingerprint, whole_at, healing, snapshot, gaps, .. } = stored;
        let (since, last) = match healing.filter(|one| one.continues::<C>(cx.now())) {
            Some(healing) => (healing.since, Last::Base(healing.snapshot)),
            None => (cx.now(), memory),
        };
        // There is no memory for two large snapshots at once: the stored one is unpacked again where it is needed.
        drop(snapshot);
        let failing: Vec<&str> = gaps.keys().map(String::as_str).collect();
        // What did not finish in its share for a day gets half of the time.
        let is_overdue = cx.now().duration_since(whole_at) >= snapshots::HEAL * 2;
        let (unfinished, rests) = match self.full_fetch(target, last, &failing, is_overdue).await {
            Heal::Done(healed, findings) => {
                cx.adopt(findings);
                return self.to_store(cx, &fingerprint, since, healed);
            }
            Heal::Unfinished { snapshot, pending, has_gap } => {
                cx.still_pending(&pending);
                // What failed is read as a whole again, which costs as much each time.
                (Some(Healing { since, at: cx.now(), snapshot }), has_gap)
            }
            Heal::Failed => (None, true),
        };
        let mut stored = snapshots::unpack::<C::Snapshot>(&packed)?;
        drop(packed);
        let healing = unfinished.or_else(|| stored.healing.take());
        if rests {
            stored.rests_until = Some(cx.now() + snapshots::REST);
        }
        self.fetch_changes(cx, target, stored, healing).await
    }

    /// What may be used of a snapshot that is not continued; with another key of digests, nothing.
    fn remembered(&self, stored: &Stored<C::Snapshot>) -> Last<C::Snapshot> {
        let lasting = C::lasting(&stored.snapshot).filter(|_| stored.key == self.key);
        lasting.map_or(Last::None, Last::Memory)
    }

    async fn fetch_all(
        &self,
        cx: &Context,
        target: &str,
        fingerprint: &str,
        last: Last<C::Snapshot>,
    ) -> Result<Stored<C::Snapshot>> {
        let fetched = self.meter.asking_for(target, self.collector.fetch(cx, target, last)).await?;
        self.to_store(cx, fingerprint, cx.now(), fetched)
    }

    /// A full fetch in a part of the time, so that this and other targets can still be continued.
    async fn full_fetch(
        &self,
        target: &str,
        last: Last<C::Snapshot>,
        failing: &[&str],
        is_overdue: bool,
    ) -> Heal<C::Snapshot> {
        let half = self.deadlines.left(Duration::MAX).unwrap_or_default() / 2;
        let half = if is_overdue { half } else { half.min(self.heal_time) };
        let cx = Context::new(self.event.clone(), target);
        let fetch = self.meter.asking_for(target, self.collector.fetch(&cx, target, last));
        let fetched = match tokio::time::timeout(half, fetch).await {
            Ok(Ok(fetched)) => fetched,
            Ok(Err(error)) => {
                tracing::warn!(target, error = error.with_causes(), "the daily full fetch failed: it is tried again");
                return Heal::Failed;
            }
            Err(_) => {
                tracing::warn!(target, "the daily full fetch took too long: it is tried again");
                return Heal::Failed;
            }
        };
        let findings = cx.findings();
        // A part that fails anyway does not prevent a full fetch of the others.
        let has_gap = findings.gaps.keys().any(|part| !failing.contains(part));
        if has_gap || findings.pending.values().any(|missing| *missing > 0) {
            return Heal::Unfinished { snapshot: fetched, pending: findings.pending, has_gap };
        }
        Heal::Done(fetched, findings)
    }

    fn to_store(
        &self,
        cx: &Context,
        fingerprint: &str,
        whole_at: jiff::Timestamp,
        snapshot: C::Snapshot,
    ) -> Result<Stored<C::Snapshot>> {
        let findings = cx.findings();
        // A target of which no part could be read has failed, whatever its collector returned.
        let parts = self.collector.parts();
        if let Some(why) = parts.first().and_then(|part| findings.gaps.get(part.name()))
            && parts.iter().all(|part| findings.gaps.contains_key(part.name()))
        {
            return Err(Error::NothingRead { why: why.clone() });
        }
        let owned =
            |counts: &BTreeMap<&'static str, u64>| counts.iter().map(|(part, n)| ((*part).to_owned(), *n)).collect();
        let mut gaps: BTreeMap<String, String> =
            findings.gaps.iter().map(|(part, why)| ((*part).to_owned(), why.clone())).collect();
        gaps.remove(STORE.name());
        Ok(Stored {
            version: C::VERSION,
            at: self.event.now(),
            whole_at,
            fingerprint: fingerprint.to_owned(),
            gaps,
            pending: owned(&findings.pending),
            unread: owned(&findings.unread),
            healing: None,
            rests_until: None,
            key: self.key.clone(),
            snapshot,
        })
    }
}

/// The result of a full fetch beside the stored snapshot.
enum Heal<S> {
    Done(S, Findings),
    Unfinished {
        snapshot: S,
        /// How many answers its parts wait for.
        pending: BTreeMap<&'static str, u64>,
        /// Whether a part failed that does not fail otherwise.
        has_gap: bool,
    },
    Failed,
}
