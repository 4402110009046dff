//! The newest snapshot of each target, with dated copies of it.

use crate::{Collector, Error, Event, Result, Store, http};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use std::io::{BufReader, BufWriter};

/// A snapshot with what must be known before it is believed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept<S> {
    /// [`Collector::VERSION`] of the collector that wrote it.
    pub version: u32,
    /// The run's time.
    pub at: Timestamp,
    /// The time of the newest fetch that asked for everything.
    pub whole_at: Option<Timestamp>,
    /// What the collector knew.
    pub snapshot: S,
}

/// The folder of a target's objects: a target may hold slashes, a key of the store may not mean them.
#[must_use]
pub fn folder(kind: &str, collector: &str, target: &str) -> String {
    format!("{kind}/{collector}/{}", http::escape(target))
}

/// The newest snapshot of a target; one that cannot be read, or is of another version, is as good as none.
///
/// # Errors
/// When the store does not answer.
pub async fn latest<C: Collector>(store: &Store, target: &str) -> Result<Option<Kept<C::Snapshot>>> {
    let key = format!("{}/latest", folder("snapshots", C::NAME, target));
    let Some(object) = store.get(&key).await? else {
        return Ok(None);
    };
    match unpack::<C::Snapshot>(&object.bytes) {
        Ok(kept) if kept.version == C::VERSION => Ok(Some(kept)),
        Ok(kept) => {
            tracing::info!(
                key,
                found = kept.version,
                wanted = C::VERSION,
                "snapshot of another version: fetching everything"
            );
            Ok(None)
        }
        Err(error) => {
            tracing::warn!(key, error = error.with_causes(), "unreadable snapshot: fetching everything");
            Ok(None)
        }
    }
}

/// Keeps a snapshot as the newest one, unless a newer one is there, and as a dated copy.
///
/// # Errors
/// When the store does not take it.
pub async fn keep<C: Collector>(
    store: &Store,
    event: &Event,
    target: &str,
    whole_at: Option<Timestamp>,
    snapshot: &C::Snapshot,
) -> Result<()> {
    let folder = folder("snapshots", C::NAME, target);
    let kept = Kept { version: C::VERSION, at: event.now(), whole_at, snapshot };
    let bytes = pack(&kept)?;
    let key = format!("{folder}/latest");
    store.put(&format!("{folder}/{}", event.now().strftime("%Y%m%dT%H%MZ")), bytes.clone()).await?;
    loop {
        let there = store.get(&key).await?;
        let newer = there
            .as_ref()
            .and_then(|object| unpack::<IgnoredAny>(&object.bytes).ok())
            .is_some_and(|there| there.version == C::VERSION && there.at > event.now());
        if newer || store.put_if(&key, bytes.clone(), there.as_ref().map(|object| &object.version)).await?.is_some() {
            return Ok(());
        }
    }
}

fn pack<S: Serialize>(kept: &Kept<S>) -> Result<Vec<u8>> {
    let failed = |error| Error::store("compress a snapshot", error);
    // Piece by piece: the JSON of a large snapshot is larger than all that was fetched for it.
    let mut pieces = BufWriter::new(zstd::Encoder::new(Vec::new(), 3).map_err(failed)?);
    serde_json::to_writer(&mut pieces, kept).map_err(|error| Error::store("write a snapshot as JSON", error))?;
    let encoder = pieces.into_inner().map_err(|error| failed(error.into_error()))?;
    encoder.finish().map_err(failed)
}

fn unpack<S: DeserializeOwned>(bytes: &[u8]) -> Result<Kept<S>> {
    let pieces = zstd::Decoder::with_buffer(bytes).map_err(|error| Error::store("decompress a snapshot", error))?;
    serde_json::from_reader(BufReader::new(pieces)).map_err(|error| Error::store("read a snapshot", error))
}
