//! S3's protocol over objects in memory: reads, conditional writes, deletions, and lists in pages.

use crate::uri;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most keys of one page of a list.
const PAGE: usize = 1000;

/// The buckets; clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Buckets(Arc<Mutex<BTreeMap<String, BTreeMap<String, Bytes>>>>);

impl Buckets {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an empty bucket.
    pub fn make(&self, bucket: &str) {
        self.lock().entry(bucket.to_owned()).or_default();
    }

    /// Every key of a bucket, ascending.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.lock().get(bucket).map(|objects| objects.keys().cloned().collect()).unwrap_or_default()
    }

    pub(crate) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }
}

/// What is refused, in S3's words.
struct Refusal(StatusCode, &'static str, &'static str);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, code, message) = self;
        xml(
            status,
            &format!(
                "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
            ),
        )
    }
}

const NO_BUCKET: Refusal = Refusal(StatusCode::NOT_FOUND, "NoSuchBucket", "The specified bucket does not exist");
const NO_KEY: Refusal = Refusal(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist.");
const OTHERWISE: Refusal = Refusal(
    StatusCode::PRECONDITION_FAILED,
    "PreconditionFailed",
    "At least one of the pre-conditions you specified did not hold",
);

fn xml(status: StatusCode, body: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
    (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response()
}

async fn answer(
    State(buckets): State<Buckets>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !text("authorization").is_some_and(|text| text.starts_with("AWS4-HMAC-SHA256 ")) {
        return Err(Refusal(StatusCode::FORBIDDEN, "AccessDenied", "Access Denied"));
    }
    let path = uri::unescape(uri.path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
    let mut buckets = buckets.lock();
    if key.is_empty() && method == Method::PUT {
        buckets.entry(bucket.to_owned()).or_default();
        return Ok(StatusCode::OK.into_response());
    }
    let objects = buckets.get_mut(bucket).ok_or(NO_BUCKET)?;
    match method {
        Method::GET if key.is_empty() => list(bucket, objects, uri.query().unwrap_or_default()),
        Method::GET | Method::HEAD => {
            let object = objects.get(key).ok_or(NO_KEY)?;
            Ok(([(header::ETAG, etag(object))], object.clone()).into_response())
        }
        Method::PUT => {
            let held = objects.get(key).map(etag);
            match (text("if-none-match"), text("if-match")) {
                (Some("*"), _) if held.is_some() => return Err(OTHERWISE),
                (_, Some(_)) if held.is_none() => return Err(NO_KEY),
                (_, Some(seen)) if held.as_deref() != Some(seen) => return Err(OTHERWISE),
                _ => {}
            }
            let tag = etag(&body);
            objects.insert(key.to_owned(), body);
            Ok([(header::ETAG, tag)].into_response())
        }
        Method::DELETE => {
            objects.remove(key);
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        _ => Err(Refusal(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        )),
    }
}

/// What tells one content from another, in the quotes it travels with.
fn etag(object: &Bytes) -> String {
    let mut tag = String::from("\"");
    for byte in Sha256::digest(object).iter().take(16) {
        write!(tag, "{byte:02x}").unwrap_or_default();
    }
    tag + "\""
}

fn list(bucket: &str, objects: &BTreeMap<String, Bytes>, query: &str) -> Result<Response, Refusal> {
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(key, _)| *key == name).map(|(_, value)| uri::unescape(value)).next()
    };
    let invalid = Refusal(StatusCode::BAD_REQUEST, "InvalidArgument", "Invalid Argument");
    if value("list-type").as_deref() != Some("2") {
        return Err(invalid);
    }
    let most = value("max-keys").map_or(Ok(PAGE), |text| text.parse()).map_err(|_| invalid)?.min(PAGE);
    let (prefix, after) = (value("prefix").unwrap_or_default(), value("continuation-token"));
    let wanted = |key: &&String| key.starts_with(&prefix) && after.as_ref().is_none_or(|after| *key > after);
    let mut keys: Vec<&String> = objects.keys().filter(wanted).collect();
    let more = keys.len() > most;
    keys.truncate(most);
    let head = format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name>\
         <Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>",
        escaped(&prefix),
        keys.len()
    );
    let next = keys.last().filter(|_| more);
    let next = next.map(|last| format!("<NextContinuationToken>{}</NextContinuationToken>", escaped(last)));
    let contents = keys.iter().filter_map(|key| {
        let object = objects.get(*key)?;
        Some(format!(
            "<Contents><Key>{}</Key><LastModified>2026-01-08T12:00:00.000Z</LastModified><ETag>{}</ETag>\
             <Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
            escaped(key),
            escaped(&etag(object)),
            object.len()
        ))
    });
    let body: String = std::iter::once(head).chain(next).chain(contents).collect();
    Ok(xml(StatusCode::OK, &(body + "</ListBucketResult>")))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
