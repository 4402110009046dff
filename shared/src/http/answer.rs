//! An answer over HTTP, read to its end within a limit.

use bytes::{Bytes, BytesMut};
use http::Response;

/// An answer that was read to its end.
pub type Answer = Response<Bytes>;

/// Why an answer could not be read.
pub(crate) enum ReadError {
    Broken(reqwest::Error),
    TooLarge,
}

/// Reads an answer to its end, or to the limit.
pub(crate) async fn read(mut answer: reqwest::Response, largest: usize) -> std::result::Result<Answer, ReadError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(ReadError::Broken)? {
        if body.len() + chunk.len() > largest {
            return Err(ReadError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    let mut whole = Response::new(body.freeze());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = answer.headers().clone();
    Ok(whole)
}
