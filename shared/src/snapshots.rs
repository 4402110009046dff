//! What is stored of each target: the newest snapshot with how it was read, an unfinished full fetch, and dated copies.

use crate::{Collector, Error, Event, GRID, Result, Store, http, store::Object, store::Version};
use jiff::{SignedDuration, Timestamp};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{BufReader, BufWriter, Read};

/// How long snapshots are continued before a full fetch, and how long that may take.
pub(crate) const HEAL: SignedDuration = SignedDuration::from_hours(24);

/// How long a full fetch rests that failed, as a whole or in a part: it costs as much each time.
pub(crate) const REST: SignedDuration = SignedDuration::from_hours(1);

/// How often a lost race for the newest snapshot is run again.
const RACES: usize = 4;

/// The largest object that is read, and the largest JSON in it.
const LARGEST: usize = 64 * 1024 * 1024;
const LARGEST_JSON: u64 = 1024 * 1024 * 1024;

/// A snapshot with what decides whether it may be used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stored<S> {
    /// [`Collector::VERSION`] of the collector that wrote it.
    pub version: u32,
    /// The run's time.
    pub at: Timestamp,
    /// When the full fetch began that this snapshot goes back to.
    pub whole_at: Timestamp,
    /// Fingerprint of the configuration, the address and the key of digests that it was read with.
    pub fingerprint: String,
    /// The parts that failed, with the reasons.
    pub gaps: BTreeMap<String, String>,
    /// How many answers the parts that are filling waited for.
    pub pending: BTreeMap<String, u64>,
    /// How many records of the parts could not be interpreted.
    pub unread: BTreeMap<String, u64>,
    /// A full fetch that is not complete yet; the snapshot is used until it is.
    pub(crate) healing: Option<Healing<S>>,
    /// Before this no full fetch is tried again: the last one failed, as a whole or in a part.
    pub rests_until: Option<Timestamp>,
    /// Identifies the key of digests that it was read with.
    #[serde(default)]
    pub key: String,
    /// What the collector returned.
    pub snapshot: S,
}

/// An unfinished full fetch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Healing<S> {
    /// When it began.
    pub since: Timestamp,
    /// The time of the run that continued it last.
    #[serde(default)]
    pub at: Timestamp,
    /// What it knows so far, continued in each run.
    pub snapshot: S,
}

impl<S> Healing<S> {
    /// Whether it may go on at `now`: within the overlap, like every snapshot, and until the next one is due.
    pub(crate) fn continues<C: Collector>(&self, now: Timestamp) -> bool {
        now.duration_since(self.since) < HEAL && now.duration_since(self.at) <= C::OVERLAP
    }
}

impl<S> Stored<S> {
    /// Whether a fetch at `now` may read only what changed since this one.
    pub(crate) fn continues<C: Collector>(&self, fingerprint: &str, now: Timestamp) -> bool {
        self.fingerprint == fingerprint && self.at <= now && now.duration_since(self.at) <= C::OVERLAP
    }

    fn without_heal(&self) -> Stored<&S> {
        let (gaps, pending, unread) = (self.gaps.clone(), self.pending.clone(), self.unread.clone());
        let (version, at, whole_at, fingerprint) = (self.version, self.at, self.whole_at, self.fingerprint.clone());
        let (rests_until, key, snapshot) = (self.rests_until, self.key.clone(), &self.snapshot);
        Stored { version, at, whole_at, fingerprint, gaps, pending, unread, healing: None, rests_until, key, snapshot }
    }

    /// Whether every part was read whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.gaps.is_empty() && self.pending.values().all(|missing| *missing == 0)
    }
}

/// What a run knows of the object that holds the newest snapshot.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    /// It was this version, or nothing, and may be replaced.
    Version(Option<Version>),
    /// It has to be read first.
    Unknown,
}

/// The folder of a target's objects: a target may hold slashes, which are no folders in a key of the store.
pub(crate) fn folder(kind: &str, collector: &str, target: &str) -> String {
    format!("{kind}/{collector}/{}", http::escape(target))
}

fn latest_key(collector: &str, target: &str) -> String {
    format!("{}/latest", folder("snapshots", collector, target))
}

fn dated_key(collector: &str, target: &str, now: Timestamp) -> String {
    format!("{}/{}", folder("snapshots", collector, target), now.strftime("%Y%m%dT%H%MZ"))
}

/// The newest snapshot of a target, and the object that is there. One that cannot be read, is of another version or
/// from the future is ignored.
///
/// # Errors
/// When the store does not answer.
pub async fn latest<C: Collector>(
    store: &Store,
    target: &str,
    wall: Timestamp,
) -> Result<(Option<Stored<C::Snapshot>>, Option<Object>)> {
    read::<C>(store, &latest_key(C::NAME, target), wall).await
}

/// The dated copy of a run's snapshot.
pub(crate) async fn dated<C: Collector>(
    store: &Store,
    target: &str,
    now: Timestamp,
) -> Result<Option<Stored<C::Snapshot>>> {
    Ok(read::<C>(store, &dated_key(C::NAME, target, now), now).await?.0)
}

async fn read<C: Collector>(
    store: &Store,
    key: &str,
    wall: Timestamp,
) -> Result<(Option<Stored<C::Snapshot>>, Option<Object>)> {
    let Some(object) = store.get(key, LARGEST).await? else { return Ok((None, None)) };
    if object.is_too_large {
        tracing::warn!(key, "a snapshot of over {LARGEST} bytes is ignored");
    }
    let stored = match unpack::<C::Snapshot>(&object.bytes) {
        Ok(stored) if stored.version != C::VERSION => {
            tracing::info!(key, found = stored.version, wanted = C::VERSION, "snapshot of another version is ignored");
            None
        }
        Ok(stored) if stored.at > wall + GRID => {
            tracing::warn!(key, at = %stored.at, "snapshot from the future is ignored");
            None
        }
        Ok(stored) => Some(stored),
        Err(error) => {
            tracing::warn!(key, error = error.with_causes(), "unreadable snapshot is ignored");
            None
        }
    };
    Ok((stored, Some(object)))
}

/// Stores a snapshot as a dated copy, and as the newest one unless a newer one is there. `seen` is what was there when the
/// run began.
pub(crate) async fn put<C: Collector>(
    store: &Store,
    event: &Event,
    target: &str,
    stored: &Stored<C::Snapshot>,
    seen: Seen,
) -> Result<()> {
    let newest = pack(stored)?;
    // A dated copy is only measured, never continued.
    let copy = if stored.healing.is_none() { newest.clone() } else { pack(&stored.without_heal())? };
    let dated = dated_key(C::NAME, target, event.now());
    let (dated, newest) = futures::join!(store.put(&dated, copy), put_newest::<C>(store, event, target, newest, seen));
    dated.and(newest)
}

async fn put_newest<C: Collector>(
    store: &Store,
    event: &Event,
    target: &str,
    bytes: Vec<u8>,
    mut seen: Seen,
) -> Result<()> {
    let key = latest_key(C::NAME, target);
    for _ in 0..RACES {
        let version = match std::mem::replace(&mut seen, Seen::Unknown) {
            Seen::Version(version) => version,
            Seen::Unknown => {
                let there = store.get(&key, LARGEST).await?;
                let at =
                    there.as_ref().and_then(|object| unpack::<IgnoredAny>(&object.bytes).ok()).map(|stored| stored.at);
                // What is from the future or cannot be read may be replaced.
                if at.is_some_and(|at| at > event.now() && at <= event.wall() + GRID) {
                    return Ok(());
                }
                there.map(|object| object.version)
            }
        };
        if store.put_if(&key, bytes.clone(), version.as_ref()).await?.is_some() {
            return Ok(());
        }
    }
    Err(Error::store(format!("write {key}"), format!("others wrote it {RACES} times while this run tried")))
}

fn pack<S: Serialize>(stored: &Stored<S>) -> Result<Vec<u8>> {
    let failed = |error| Error::store("compress a snapshot", error);
    // Piece by piece: the JSON of a large snapshot is larger than all that was fetched for it.
    let mut pieces = BufWriter::new(zstd::Encoder::new(Vec::new(), 3).map_err(failed)?);
    serde_json::to_writer(&mut pieces, stored).map_err(|error| Error::store("write a snapshot as JSON", error))?;
    let encoder = pieces.into_inner().map_err(|error| failed(error.into_error()))?;
    encoder.finish().map_err(failed)
}

/// A snapshot from the bytes of its object.
pub(crate) fn unpack<S: DeserializeOwned>(bytes: &[u8]) -> Result<Stored<S>> {
    let pieces = zstd::Decoder::with_buffer(bytes).map_err(|error| Error::store("decompress a snapshot", error))?;
    let bounded = BufReader::new(pieces).take(LARGEST_JSON);
    serde_json::from_reader(bounded).map_err(|error| Error::store("read a snapshot", error))
}
