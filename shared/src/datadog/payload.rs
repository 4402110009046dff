//! One body: where it goes, how large it may be, and how it is split in two. Pure.

use crate::{Error, Result};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::value::RawValue;
use std::io::Write;

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// As JSON.
    pub plain: usize,
    /// As sent.
    pub compressed: usize,
}

/// A little below the 5,242,880 and 512,000 bytes that Datadog documents.
pub const LIMITS: Limits = Limits { plain: 5_000_000, compressed: 500_000 };

/// Where a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Endpoint {
    /// Gauges and counts.
    Series,
    /// Observations.
    Distribution,
}

impl Endpoint {
    /// The path below the base address.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Series => "/api/v2/series",
            Self::Distribution => "/api/v1/distribution_points",
        }
    }

    /// The word in `collector.payload_bytes`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Series => "series",
            Self::Distribution => "distribution",
        }
    }

    /// The encoding of the body: the distribution endpoint documents no other than this one.
    ///
    /// Every sender uses gzip for series. Zstandard is `zstd1` in the schema and `zstd` in Datadog's own senders, and
    /// the bodies are a few kilobytes.
    #[must_use]
    pub const fn encoding(self) -> &'static str {
        match self {
            Self::Series => "gzip",
            Self::Distribution => "deflate",
        }
    }

    fn compress(self, plain: &[u8]) -> Result<Vec<u8>> {
        let failed = |error| Error::Intake { what: format!("a body could not be compressed: {error}") };
        let room = Vec::with_capacity(plain.len() / 16);
        match self {
            Self::Series => {
                let mut gzip = GzEncoder::new(room, Compression::fast());
                gzip.write_all(plain).and_then(|()| gzip.finish()).map_err(failed)
            }
            Self::Distribution => {
                let mut zlib = ZlibEncoder::new(room, Compression::fast());
                zlib.write_all(plain).and_then(|()| zlib.finish()).map_err(failed)
            }
        }
    }
}

pub(super) const OPEN: &[u8] = br#"{"series":["#;
pub(super) const CLOSE: &[u8] = b"]}";

/// One body, ready to be sent; it can be split in two where Datadog refuses it.
#[derive(Debug, Clone)]
pub struct Payload {
    endpoint: Endpoint,
    /// The series as JSON, with a comma after each.
    items: Vec<u8>,
    /// Where each series ends in `items`, its comma included.
    ends: Vec<usize>,
    compressed: Vec<u8>,
}

impl Payload {
    pub(super) fn new(endpoint: Endpoint, items: Vec<u8>, ends: Vec<usize>) -> Result<Self> {
        let mut payload = Self { endpoint, items, ends, compressed: Vec::new() };
        payload.compressed = endpoint.compress(&payload.plain())?;
        Ok(payload)
    }

    /// A payload from the JSON of its body.
    pub(crate) fn from_plain(endpoint: Endpoint, plain: &str) -> Result<Self> {
        #[derive(serde::Deserialize)]
        struct Body<'a> {
            #[serde(borrow)]
            series: Vec<&'a RawValue>,
        }
        let body: Body<'_> =
            serde_json::from_str(plain).map_err(|error| Error::store("read a spooled payload", error))?;
        let (mut items, mut ends) = (Vec::with_capacity(plain.len()), Vec::with_capacity(body.series.len()));
        for series in body.series {
            items.extend_from_slice(series.get().as_bytes());
            items.push(b',');
            ends.push(items.len());
        }
        Self::new(endpoint, items, ends)
    }

    /// A payload of observations from the JSON of its body.
    pub(crate) fn observations(plain: &str) -> Result<Self> {
        Self::from_plain(Endpoint::Distribution, plain)
    }

    /// Where it goes.
    pub(crate) const fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// How many series it holds.
    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// The body as JSON.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let items = self.items.strip_suffix(b",").unwrap_or(&self.items);
        [OPEN, items, CLOSE].concat()
    }

    /// The body as sent.
    pub(crate) fn compressed(&self) -> &[u8] {
        &self.compressed
    }

    /// The same as text, for storing it.
    pub(crate) fn text(&self) -> String {
        // It was written as JSON by us, or came in as text.
        String::from_utf8_lossy(&self.plain()).into_owned()
    }

    /// The same series in two payloads; nothing when there is only one series.
    pub(crate) fn halves(&self) -> Result<Option<(Self, Self)>> {
        let middle = self.ends.len() / 2;
        if middle == 0 {
            return Ok(None);
        }
        let cut = self.ends[middle - 1];
        let ends = self.ends[middle..].iter().map(|end| end - cut).collect();
        let first = Self::new(self.endpoint, self.items[..cut].to_vec(), self.ends[..middle].to_vec())?;
        Ok(Some((first, Self::new(self.endpoint, self.items[cut..].to_vec(), ends)?)))
    }

    /// The pieces of one payload joined again; nothing of no pieces.
    pub(super) fn joined(pieces: impl Iterator<Item = Self>) -> Option<Self> {
        pieces.reduce(|mut whole, piece| {
            let shift = whole.items.len();
            whole.items.extend_from_slice(&piece.items);
            whole.ends.extend(piece.ends.iter().map(|end| end + shift));
            whole.compressed.clear();
            whole
        })
    }

    /// Several payloads of one endpoint as one, where that is within the limits.
    pub(crate) fn merged<'a>(pieces: impl Iterator<Item = &'a Self> + Clone, limits: Limits) -> Result<Option<Self>> {
        let room = OPEN.len() + CLOSE.len();
        if pieces.clone().map(|piece| piece.items.len()).sum::<usize>() + room > limits.plain {
            return Ok(None);
        }
        let Some(whole) = Self::joined(pieces.cloned()) else { return Ok(None) };
        let whole = Self::new(whole.endpoint, whole.items, whole.ends)?;
        Ok(Some(whole).filter(|whole| whole.compressed.len() <= limits.compressed))
    }

    pub(super) fn within(self, limits: Limits, into: &mut Vec<Self>) -> Result<()> {
        if self.compressed.len() <= limits.compressed {
            into.push(self);
            return Ok(());
        }
        match self.halves()? {
            None => into.push(self),
            Some((first, second)) => {
                first.within(limits, into)?;
                second.within(limits, into)?;
            }
        }
        Ok(())
    }
}
