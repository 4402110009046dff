//! Fetching a target: what is stored of it is loaded, continued or healed, and stored again.

use crate::cursor::{Cursor, Loaded};
use crate::heartbeat::{STORE, Share};
use crate::snapshots::{self, Healing, Kept, Seen};
use crate::{Collector, Context, Deadlines, Error, Event, Findings, Last, Meter, Result, Store, digest};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a target came to before anything is measured.
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
    /// The digest of nothing, which tells one key of digests from another.
    pub key: String,
    /// How many fetches of everything this run may make beside states: those of many targets would take each other's time.
    pub heals: AtomicUsize,
    /// The longest that one of them may take.
    pub heal_time: Duration,
    /// Why there is no key that other runs have too: then nothing is continued, kept or committed.
    pub key_gap: Option<String>,
}

/// What the store holds of a target.
struct Held<S> {
    kept: Option<Kept<S>>,
    /// The same as the store has it, a small part as large.
    packed: Vec<u8>,
    /// What is there in its place; nothing where the store did not answer, which is then given nothing.
    seen: Option<Seen>,
    cursor: Loaded,
}

impl<C: Collector> Fetcher<'_, C> {
    /// Loads, fetches and keeps a target.
    pub(crate) async fn target(&self, target: String) -> Fetched<C::Snapshot> {
        let cx = Context::new(self.event.clone(), &target);
        let said = format!("{} {}", self.collector.fingerprint(&target), self.key);
        let fingerprint = digest(&said);
        let held = self.load(&cx, &target).await;
        let until = held.cursor.cursor.as_ref().map(|cursor| cursor.until);
        let is_repeated = until.is_some_and(|until| self.event.now() <= until);
        if is_repeated && let Some(kept) = self.measured_before(&cx, &target, &fingerprint).await {
            let (snapshot, findings) = (kept.snapshot, self.findings_of(kept.pending, kept.unread));
            let share = Share { target, parts: self.parts(), findings, until, repeated: true, failed: None };
            return Fetched { snapshot, share, cursor: held.cursor };
        }
        let Held { kept, packed, seen, cursor } = held;
        let fetched = self.fetch(&cx, &target, &fingerprint, kept.zip(Some(packed))).await;
        let (snapshot, failed) = match fetched {
            Ok(kept) => {
                // A late run that is shown to somebody is no run of that time.
                if let (Some(seen), false) = (seen, self.event.is_late()) {
                    let done = snapshots::keep::<C>(self.store, self.event, &target, &kept, seen).await;
                    cx.part(STORE, done);
                }
                (kept.snapshot, None)
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

    async fn load(&self, cx: &Context, target: &str) -> Held<C::Snapshot> {
        if let Some(why) = &self.key_gap {
            cx.gap(STORE, why);
            return Held { kept: None, packed: Vec::new(), seen: None, cursor: Loaded::default() };
        }
        let wall = self.event.wall();
        let (kept, cursor) = futures::join!(
            snapshots::latest::<C>(self.store, target, wall),
            Cursor::load(self.store, C::NAME, target, wall)
        );
        let cursor = cx.part(STORE, cursor).unwrap_or_default();
        if let Some(why) = cursor.unreadable {
            cx.gap(STORE, why);
        }
        let Some((kept, object)) = cx.part(STORE, kept) else {
            return Held { kept: None, packed: Vec::new(), seen: None, cursor };
        };
        // A snapshot from after this run's time would say what had not happened yet, and stays.
        let is_newer = kept.as_ref().is_some_and(|kept| kept.at > self.event.now());
        let (packed, version) = object.map_or((Vec::new(), None), |object| (object.bytes, Some(object.version)));
        let seen = if is_newer { Seen::Unknown } else { Seen::Version(version) };
        Held { kept: kept.filter(|_| !is_newer), packed, seen: Some(seen), cursor }
    }

    /// What this very run knew when it was made before, where that was everything.
    async fn measured_before(&self, cx: &Context, target: &str, fingerprint: &str) -> Option<Kept<C::Snapshot>> {
        let kept = cx.part(STORE, snapshots::dated::<C>(self.store, target, self.event.now()).await)??;
        let is_same = kept.fingerprint == fingerprint && kept.at == self.event.now();
        (is_same && kept.is_whole()).then_some(kept)
    }

    /// The findings that a snapshot was kept with, in the words of the parts as they are configured now.
    fn findings_of(&self, pending: BTreeMap<String, u64>, unread: BTreeMap<String, u64>) -> Findings {
        let named = |counts: BTreeMap<String, u64>| {
            let parts = self.collector.parts().into_iter();
            parts.filter_map(|part| Some((part.name(), counts.get(part.name()).copied()?))).collect()
        };
        Findings { pending: named(pending), unread: named(unread), ..Findings::default() }
    }

    /// Continues what is kept, or asks for everything. Where that is due again it is done beside the state that is kept,
    /// which is served until the new one is complete.
    async fn fetch(
        &self,
        cx: &Context,
        target: &str,
        fingerprint: &str,
        kept: Option<(Kept<C::Snapshot>, Vec<u8>)>,
    ) -> Result<Kept<C::Snapshot>> {
        let now = self.event.now();
        let Some((mut kept, packed)) = kept else { return self.whole(cx, target, fingerprint, Last::None).await };
        if !kept.continues::<C>(fingerprint, now) {
            drop(packed);
            return self.whole(cx, target, fingerprint, self.remembered(&kept)).await;
        }
        if self.is_heal_due(&kept) {
            return self.healed(cx, target, kept, packed).await;
        }
        drop(packed);
        let healing = kept.healing.take();
        self.continued(cx, target, kept, healing).await
    }

    /// Whether everything is to be asked beside this state now: a day after it was, and until that is complete.
    fn is_heal_due(&self, kept: &Kept<C::Snapshot>) -> bool {
        let now = self.event.now();
        let is_old = now.duration_since(kept.whole_at) >= snapshots::HEAL;
        let is_resting = kept.rests_until.is_some_and(|until| now < until);
        let takes_one = |heals: usize| heals.checked_sub(1);
        (is_old || kept.healing.is_some())
            && !is_resting
            && self.heals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, takes_one).is_ok()
    }

    async fn continued(
        &self,
        cx: &Context,
        target: &str,
        kept: Kept<C::Snapshot>,
        healing: Option<Healing<C::Snapshot>>,
    ) -> Result<Kept<C::Snapshot>> {
        let Kept { fingerprint, whole_at, rests_until, snapshot, .. } = kept;
        let fetch = self.collector.fetch(cx, target, Last::Base(snapshot));
        let fetched = self.meter.asking_for(target, fetch).await?;
        let whole_at = if cx.findings().asked_all { self.event.now() } else { whole_at };
        // What continued fetches cannot see is as old as this by now.
        cx.reused(whole_at, snapshots::HEAL * 2);
        Ok(Kept { healing, rests_until, ..self.kept(cx, &fingerprint, whole_at, fetched)? })
    }

    /// Asks for everything beside the state, which is served until that is complete.
    async fn healed(
        &self,
        cx: &Context,
        target: &str,
        kept: Kept<C::Snapshot>,
        packed: Vec<u8>,
    ) -> Result<Kept<C::Snapshot>> {
        let memory = self.remembered(&kept);
        let Kept { fingerprint, whole_at, healing, snapshot, gaps, .. } = kept;
        let (since, last) = match healing.filter(|one| one.continues::<C>(cx.now())) {
            Some(healing) => (healing.since, Last::Base(healing.snapshot)),
            None => (cx.now(), memory),
        };
        // Two large snapshots at once are more than there is memory for: the state is unpacked again where it is needed.
        drop(snapshot);
        let failing: Vec<&str> = gaps.keys().map(String::as_str).collect();
        // What did not fit into its share for a day gets half of the time.
        let is_overdue = cx.now().duration_since(whole_at) >= snapshots::HEAL * 2;
        let heal = self.heal(target, last, &failing, is_overdue).await;
        let heal = match heal {
            Heal::Done(healed, findings) => {
                cx.adopt(findings);
                return self.kept(cx, &fingerprint, since, healed);
            }
            other => other,
        };
        let mut kept = snapshots::unpack::<C::Snapshot>(&packed)?;
        drop(packed);
        let (healing, rests) = match heal {
            Heal::Unfinished { snapshot, pending, has_gap } => {
                cx.still_pending(&pending);
                // What failed is asked as a whole again, which costs as much each time.
                (Some(Healing { since, at: cx.now(), snapshot }), has_gap)
            }
            _ => (kept.healing.take(), true),
        };
        if rests {
            kept.rests_until = Some(cx.now() + snapshots::REST);
        }
        self.continued(cx, target, kept, healing).await
    }

    /// What of a snapshot that is not continued may be remembered; with another key of digests nothing means the same.
    fn remembered(&self, kept: &Kept<C::Snapshot>) -> Last<C::Snapshot> {
        let lasting = C::lasting(&kept.snapshot).filter(|_| kept.key == self.key);
        lasting.map_or(Last::None, Last::Memory)
    }

    async fn whole(
        &self,
        cx: &Context,
        target: &str,
        fingerprint: &str,
        last: Last<C::Snapshot>,
    ) -> Result<Kept<C::Snapshot>> {
        let fetched = self.meter.asking_for(target, self.collector.fetch(cx, target, last)).await?;
        self.kept(cx, fingerprint, cx.now(), fetched)
    }

    /// Asks for everything, in a part of the time that there is, so that this and other states can still be continued.
    async fn heal(
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
                tracing::warn!(
                    target,
                    error = error.with_causes(),
                    "the daily fetch of everything failed: it is tried again"
                );
                return Heal::Failed;
            }
            Err(_) => {
                tracing::warn!(target, "the daily fetch of everything took too long: it is tried again");
                return Heal::Failed;
            }
        };
        let findings = cx.findings();
        // A part that fails anyway does not keep the others from being healed.
        let has_gap = findings.gaps.keys().any(|part| !failing.contains(part));
        if has_gap || findings.pending.values().any(|missing| *missing > 0) {
            return Heal::Unfinished { snapshot: fetched, pending: findings.pending, has_gap };
        }
        Heal::Done(fetched, findings)
    }

    fn kept(
        &self,
        cx: &Context,
        fingerprint: &str,
        whole_at: jiff::Timestamp,
        snapshot: C::Snapshot,
    ) -> Result<Kept<C::Snapshot>> {
        let findings = cx.findings();
        // A target of which no part could be read has failed, whatever its collector thinks.
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
        Ok(Kept {
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

/// What a fetch of everything beside the state came to.
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
