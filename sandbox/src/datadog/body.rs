//! Bodies as they are sent: bounded, in the encodings that an endpoint documents, and bounded again when unpacked.

use super::reply::Refusal;
use axum::body::{Body, to_bytes};
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, StatusCode, header};
use std::io::Read;

/// The largest body as sent.
pub(super) const SENT: usize = 512_000;

/// The largest body as JSON.
pub(super) const UNPACKED: usize = 5_242_880;

/// What is read of a body that is too large, so that its sender gets an answer and not a broken connection.
const PATIENCE: usize = 64 << 20;

/// A window larger than any body that is accepted would be of no use.
const ZSTD_WINDOW_LOG: u32 = 23;

/// An encoding of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Deflate,
    Gzip,
    Zstd,
}

impl Encoding {
    /// What the header says. Datadog's description names `zstd1`, and its own senders say `zstd`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let word = headers.get(header::CONTENT_ENCODING).map_or(Ok(""), |value| value.to_str());
        match word.unwrap_or("unreadable").trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "deflate" => Ok(Self::Deflate),
            "gzip" => Ok(Self::Gzip),
            "zstd" | "zstd1" => Ok(Self::Zstd),
            other => Err(Refusal::bad(format!("Unsupported content encoding: {other}"))),
        }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Reads a body as sent.
pub(super) async fn receive(body: Body) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large");
    let sent = to_bytes(body, PATIENCE).await.map_err(|_| too_large())?;
    if sent.len() > SENT { Err(too_large()) } else { Ok(sent.into()) }
}

/// Unpacks a body, of which no more than what is allowed is ever held.
pub(super) fn unpack(sent: Vec<u8>, encoding: Encoding) -> Result<Vec<u8>, Refusal> {
    match encoding {
        Encoding::Identity => Ok(sent),
        Encoding::Deflate => bounded(ZlibDecoder::new(sent.as_slice())),
        Encoding::Gzip => bounded(MultiGzDecoder::new(sent.as_slice())),
        Encoding::Zstd => {
            let mut decoder = zstd::Decoder::new(sent.as_slice()).map_err(|error| unreadable(&error))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(|error| unreadable(&error))?;
            bounded(decoder)
        }
    }
}

fn bounded(decoder: impl Read) -> Result<Vec<u8>, Refusal> {
    let mut plain = Vec::new();
    decoder.take(UNPACKED as u64 + 1).read_to_end(&mut plain).map_err(|error| unreadable(&error))?;
    if plain.len() > UNPACKED {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "Payload too large when decompressed"));
    }
    Ok(plain)
}

fn unreadable(error: &std::io::Error) -> Refusal {
    Refusal::bad(format!("Unable to decompress payload: {error}"))
}
