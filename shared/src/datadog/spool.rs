//! Keeps what Datadog did not take, and observations until it did; any later run of any function delivers them.

use super::admit::OLDEST;
use super::{Delivery, Endpoint, Intake, Payload};
use crate::cursor::Cursor;
use crate::{Error, Result, Store, store::Version};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

/// Which commit of which cursor makes a spooled payload true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The collector.
    pub collector: String,
    /// Its target.
    pub target: String,
    /// The cursor's `until` once it is committed.
    pub until: Timestamp,
}

/// A payload in the store.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    endpoint: Endpoint,
    /// The time of its oldest point.
    stamp: Timestamp,
    /// What must be committed before it may be sent.
    mark: Option<Mark>,
    /// Until then it belongs to the run that wrote or took it.
    leased_until: Timestamp,
    body: String,
}

/// The folder of undelivered payloads.
#[derive(Debug, Clone)]
pub struct Spool {
    store: Store,
    /// What the clock on the wall says.
    wall: Timestamp,
    /// When this run is over for certain.
    lease: Timestamp,
}

/// A payload that this run put into the spool and is to send itself.
#[derive(Debug)]
pub struct Held {
    key: String,
}

/// What a flush came to.
#[derive(Debug, Default)]
pub struct Flush {
    /// What became of the payloads.
    pub delivery: Delivery,
    /// Payloads that are still waiting.
    pub depth: usize,
    /// The time of the oldest point among them.
    pub oldest: Option<Timestamp>,
    /// Payloads whose points became too old for Datadog; they lie under `expired/`.
    pub expired: usize,
}

impl Spool {
    /// The spool of a store, for a run that is over by `lease`.
    #[must_use]
    pub const fn new(store: Store, wall: Timestamp, lease: Timestamp) -> Self {
        Self { store, wall, lease }
    }

    /// Puts a payload into the spool. With a mark it waits for that commit, and belongs to this run for as long as it lasts.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn put(&self, payload: &Payload, collector: &str, stamp: Timestamp, mark: Option<Mark>) -> Result<Held> {
        let leased_until = if mark.is_some() { self.lease } else { self.wall };
        let body = String::from_utf8(payload.plain()).map_err(|error| Error::store("spool a payload", error))?;
        let entry = Entry { endpoint: payload.endpoint(), stamp, mark, leased_until, body };
        self.insert(collector, &entry).await
    }

    /// Two runs of one target may put the same body at once, so that each has a key of its own.
    async fn insert(&self, collector: &str, entry: &Entry) -> Result<Held> {
        let unique = RandomState::new().hash_one(std::process::id());
        let key = format!("spool/{:011}-{collector}-{}-{unique:016x}", entry.stamp.as_second(), entry.endpoint.word());
        self.store.put(&key, pack(entry)?).await?;
        Ok(Held { key })
    }

    /// Takes a payload out of the spool: it was delivered, or must not be.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn release(&self, held: &Held) -> Result<()> {
        self.store.delete(&held.key).await
    }

    /// Settles a payload that this run tried to send: what was taken leaves the spool, the rest waits for a later run.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn settle(&self, held: &Held, rest: &[Payload]) -> Result<()> {
        if !rest.is_empty()
            && let Some(object) = self.store.get(&held.key).await?
        {
            self.keep_rest(&unpack(&object.bytes)?, rest).await?;
        }
        self.release(held).await
    }

    /// What was taken of a payload must not be sent again, and the rest need not wait for this run to be over.
    async fn keep_rest(&self, entry: &Entry, rest: &[Payload]) -> Result<()> {
        let collector = entry.mark.as_ref().map_or("unknown", |mark| mark.collector.as_str());
        for rest in rest {
            let body = String::from_utf8_lossy(&rest.plain()).into_owned();
            self.insert(collector, &Entry { body, leased_until: self.wall, ..entry.copy() }).await?;
        }
        Ok(())
    }

    /// Delivers what is waiting, oldest first, until Datadog takes no more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn flush(&self, intake: &Intake) -> Result<Flush> {
        let mut flush = Flush::default();
        let mut open = true;
        for key in self.store.list("spool/").await? {
            let Some(object) = self.store.get(&key).await? else {
                continue;
            };
            let Ok(entry) = unpack(&object.bytes) else {
                tracing::error!(key, "unreadable payload in the spool: set aside");
                self.set_aside(&key, object.bytes).await?;
                continue;
            };
            let waits = match self.fate(&entry).await? {
                Fate::Send if open => !self.send(&key, &entry, &object.version, intake, &mut flush).await?,
                Fate::Discard => {
                    self.store.delete(&key).await?;
                    false
                }
                Fate::Expire => {
                    flush.expired += 1;
                    self.set_aside(&key, object.bytes).await?;
                    false
                }
                Fate::Wait | Fate::Send => true,
            };
            open = flush.delivery.undelivered.is_empty();
            if waits {
                flush.depth += 1;
                flush.oldest = Some(flush.oldest.map_or(entry.stamp, |oldest| oldest.min(entry.stamp)));
            }
        }
        Ok(flush)
    }

    async fn fate(&self, entry: &Entry) -> Result<Fate> {
        let leased = entry.leased_until > self.wall;
        if let Some(mark) = &entry.mark {
            let (cursor, _, _) = Cursor::load(&self.store, &mark.collector, &mark.target).await?;
            let committed = cursor.is_some_and(|cursor| cursor.until >= mark.until);
            if leased {
                return Ok(Fate::Wait);
            }
            if !committed {
                // Its run died before the commit: the next run of the target observes the same things again.
                return Ok(Fate::Discard);
            }
        }
        Ok(if entry.stamp < self.wall - OLDEST { Fate::Expire } else { Fate::Send })
    }

    async fn send(
        &self,
        key: &str,
        entry: &Entry,
        version: &Version,
        intake: &Intake,
        flush: &mut Flush,
    ) -> Result<bool> {
        if entry.endpoint == Endpoint::Distribution {
            // Observations add up, so only one run may send them: it says so first.
            let taken = Entry { leased_until: self.lease, ..entry.copy() };
            if self.store.put_if(key, pack(&taken)?, Some(version)).await?.is_none() {
                return Ok(false);
            }
        }
        let payload = Payload::from_plain(entry.endpoint, &entry.body)?;
        let mut delivery = intake.deliver(vec![payload]).await;
        let done = delivery.undelivered.is_empty();
        if done {
            self.store.delete(key).await?;
        } else {
            self.keep_rest(entry, &delivery.undelivered).await?;
            self.store.delete(key).await?;
        }
        flush.delivery.absorb(&mut delivery);
        Ok(done)
    }

    async fn set_aside(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&key.replacen("spool/", "expired/", 1), bytes).await?;
        self.store.delete(key).await
    }
}

enum Fate {
    Send,
    Wait,
    Discard,
    Expire,
}

impl Entry {
    fn copy(&self) -> Self {
        Self { mark: self.mark.clone(), body: self.body.clone(), ..*self }
    }
}

impl Delivery {
    /// Adds what became of other payloads.
    pub fn absorb(&mut self, other: &mut Self) {
        self.accepted += other.accepted;
        self.rejected += other.rejected;
        self.undelivered.append(&mut other.undelivered);
        for (kind, number) in std::mem::take(&mut other.errors) {
            *self.errors.entry(kind).or_default() += number;
        }
        self.refused = self.refused.take().or_else(|| other.refused.take());
    }

    /// Failed submissions by kind, added to those of another delivery.
    #[must_use]
    pub fn errors_with(&self, other: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
        let mut sum = other.clone();
        for (kind, number) in &self.errors {
            *sum.entry((*kind).to_owned()).or_default() += number;
        }
        sum
    }
}

fn pack(entry: &Entry) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(entry).map_err(|error| Error::store("write a spooled payload", error))?;
    zstd::encode_all(json.as_slice(), 3).map_err(|error| Error::store("compress a spooled payload", error))
}

fn unpack(bytes: &[u8]) -> Result<Entry> {
    let json = zstd::decode_all(bytes).map_err(|error| Error::store("decompress a spooled payload", error))?;
    serde_json::from_slice(&json).map_err(|error| Error::store("read a spooled payload", error))
}
