//! Stores gauges and a run's own counts that Datadog did not accept, for the next runs of the same function and scope.

use super::{Endpoint, OLDEST, PUSH_ERRORS, Payload};
use crate::event::ALL;
use crate::{Error, Result, Store, http};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

/// The most keys of a spool that a run looks at, and the most entries that it delivers or gives up.
const MOST_KEYS: usize = 5000;
const MOST_ENTRIES: usize = 500;

/// How many entries are read or moved side by side.
const AT_ONCE: usize = 8;

/// The largest entry that is read: a body at its limit, as text inside of JSON.
const LARGEST: usize = 16 * 1024 * 1024;

/// A payload in the store.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When its oldest point becomes too old for Datadog.
    expires: Timestamp,
    /// The kind of failure that brought it here; the run that delivers it or gives it up counts it.
    pub kind: String,
    body: String,
}

/// What a run finds in the spool of its scope, before it delivers anything.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Keys of its own scope that may still be delivered, oldest first, with the time of their points.
    pub waiting: Vec<(Timestamp, String)>,
    /// Keys, of other scopes too where it runs over all, whose points are too old by now.
    pub expired: Vec<String>,
    /// How many entries of its scope there are, and the time of the oldest.
    pub depth: usize,
    pub oldest: Option<Timestamp>,
}

/// The spool of one function and scope.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    store: Store,
    collector: &'static str,
    scope: String,
    /// The time by the clock.
    wall: Timestamp,
    /// How long Datadog accepts points of the entries.
    lasts: SignedDuration,
}

impl Spool {
    /// The spool of runs over all targets, or of those that name this one.
    pub(crate) fn new(store: &Store, collector: &'static str, target: Option<&str>, wall: Timestamp) -> Self {
        let scope = target.map_or_else(|| ALL.to_owned(), http::escape);
        Self { store: store.clone(), collector, scope, wall, lasts: OLDEST }
    }

    fn folder(&self) -> String {
        format!("spool/{}", self.collector)
    }

    /// Lists the entries. Their ages stand in the keys, so that none is read.
    pub(crate) async fn look(&self) -> Result<Found> {
        let own = format!("{}/{}/", self.folder(), self.scope);
        let mut found = Found::default();
        for key in self.store.list(&own, MOST_KEYS).await? {
            let time = time_of(&key);
            found.depth += 1;
            found.oldest = [found.oldest, time].into_iter().flatten().min();
            if self.is_expired(&key) {
                found.expired.push(key);
            } else {
                // A key without a time is no entry of ours, and is set aside when it is read.
                found.waiting.push((time.unwrap_or(Timestamp::MIN), key));
            }
        }
        found.waiting.sort();
        if self.scope == ALL {
            let others = self.store.list(&format!("{}/", self.folder()), MOST_KEYS).await?;
            found.expired.extend(others.into_iter().filter(|key| !key.starts_with(&own) && self.is_expired(key)));
        }
        Ok(found)
    }

    fn is_expired(&self, key: &str) -> bool {
        time_of(key).is_some_and(|time| time < self.wall - self.lasts)
    }

    /// Stores a payload whose points are of this time.
    pub(crate) async fn put(&self, payload: &Payload, now: Timestamp, kind: &str) -> Result<()> {
        let entry = Entry { expires: now + self.lasts, kind: kind.to_owned(), body: payload.text() };
        // Two tries of a run may store the same points, the later one with better values; two runs may do so at once.
        let (unique, wall) = (RandomState::new().hash_one(std::process::id()), self.wall.as_millisecond());
        let key = format!("{}/{}/{:011}-{wall:014}-{unique:016x}", self.folder(), self.scope, now.as_second());
        self.store.put(&key, pack(&entry)?).await
    }

    /// Reads an entry; nothing where another run took it, or where it cannot be read and was set aside.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<(Payload, String)>> {
        let Some(object) = self.store.get(key, LARGEST).await? else { return Ok(None) };
        let entry = unpack(&object.bytes).and_then(|entry| {
            let payload = Payload::from_plain(Endpoint::Series, &entry.body)?;
            Ok((payload, entry.kind))
        });
        match entry {
            Ok(read) => Ok(Some(read)),
            Err(error) => {
                let why = error.with_causes();
                tracing::error!(key, why, "unreadable payload in the spool: set aside");
                self.set_aside(key, &why, &object.bytes).await?;
                Ok(None)
            }
        }
    }

    /// Takes an entry out of the spool: it was delivered, or is not needed.
    pub(crate) async fn remove(&self, key: &str) -> Result<()> {
        self.store.delete(key).await
    }

    /// Gives up entries whose points became too old, until it is this late: what is left waits for the next run. They lie
    /// under `expired/`. Gives the kind of failure of each.
    pub(crate) async fn expire(&self, keys: Vec<String>, until: Instant) -> Vec<Result<Option<String>>> {
        let moves = keys.into_iter().take(MOST_ENTRIES).map(|key| async move {
            if Instant::now() >= until {
                return Ok(None);
            }
            let Some(object) = self.store.get(&key, LARGEST).await? else { return Ok(None) };
            let (kind, why) = match unpack(&object.bytes) {
                Ok(entry) => (entry.kind, format!("too old for datadog since {}", entry.expires)),
                Err(error) => ("rejected".to_owned(), error.with_causes()),
            };
            self.set_aside(&key, &why, &object.bytes).await?;
            Ok(Some(kind))
        });
        stream::iter(moves.collect::<Vec<_>>()).buffered(AT_ONCE).collect().await
    }

    async fn set_aside(&self, key: &str, why: &str, bytes: &[u8]) -> Result<()> {
        let aside = key.replacen("spool/", "expired/", 1);
        self.store.put(&format!("{aside}.why"), why.as_bytes().to_vec()).await?;
        self.store.put(&aside, bytes.to_vec()).await?;
        self.store.delete(key).await
    }
}

/// The time of an entry's points, as its key says it.
fn time_of(key: &str) -> Option<Timestamp> {
    let (seconds, _) = key.rsplit('/').next()?.split_once('-')?;
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

fn pack(entry: &Entry) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(entry).map_err(|error| Error::store("write a spooled payload", error))?;
    zstd::encode_all(json.as_slice(), 3).map_err(|error| Error::store("compress a spooled payload", error))
}

fn unpack(bytes: &[u8]) -> Result<Entry> {
    let json = crate::store::unpacked(bytes, LARGEST)?;
    let entry: Entry = serde_json::from_slice(&json).map_err(|error| Error::store("read a spooled payload", error))?;
    if PUSH_ERRORS.contains(&entry.kind.as_str()) {
        return Ok(entry);
    }
    Err(Error::store("read a spooled payload", "its kind of failure is not a known one"))
}
