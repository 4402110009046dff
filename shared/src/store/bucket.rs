//! A bucket of S3 as a store.

use super::{ATTEMPT, CALL, Object, UPSTREAM, Version};
use crate::{Env, Error, Meter, Result, aws};
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

const S3: aws::Service =
    aws::Service { upstream: UPSTREAM, endpoint: "S3_URL", attempt: ATTEMPT, call: CALL, is_internal: true };

// The name of a bucket often holds the number of an account, so that no message repeats it.

/// S3's words for a conditional write that met another content; the last two say that the object was deleted, or is
/// being written at this very moment.
const LOST: [&str; 3] = ["PreconditionFailed", "NoSuchKey", "ConditionalRequestConflict"];

/// Why an object was not read.
enum Broken {
    /// Its answer broke off.
    Off(Error),
    /// There was no answer, or an error.
    Failed(Error),
}

impl Broken {
    fn error(self) -> Error {
        match self {
            Self::Off(error) | Self::Failed(error) => error,
        }
    }
}

#[derive(Clone)]
pub(super) struct Bucket {
    name: String,
    client: Client,
    meter: Meter,
}

impl Bucket {
    pub(super) async fn open(env: &Env, name: &str) -> Result<Self> {
        let config = aws::config(env, S3).await?;
        // A local S3 has no host name for each bucket.
        let own = aws_sdk_s3::config::Builder::from(&config).force_path_style(env.get("S3_URL").is_some());
        Ok(Self { name: name.to_owned(), client: Client::from_conf(own.build()), meter: env.meter().clone() })
    }

    fn failed<E: ProvideErrorMetadata>(&self, verb: &str, key: &str, error: &SdkError<E, HttpResponse>) -> Error {
        let what = format!("{verb} {key} of the bucket");
        let cause = aws::error(&self.meter, UPSTREAM, key, error);
        Error::store(what, cause)
    }

    pub(super) async fn get(&self, key: &str, largest: usize) -> Result<Option<Object>> {
        match self.get_once(key, largest).await {
            // The SDK tries again until an answer begins, and not when it breaks off.
            Err(Broken::Off(_)) => self.get_once(key, largest).await,
            other => other,
        }
        .map_err(Broken::error)
    }

    async fn get_once(&self, key: &str, largest: usize) -> std::result::Result<Option<Object>, Broken> {
        let mut object = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(Broken::Failed(self.failed("read", key, &error))),
        };
        let version = Version(object.e_tag().unwrap_or_default().to_owned());
        let mut bytes = Vec::new();
        let broken = |_| {
            self.meter.failed(UPSTREAM, "network");
            Broken::Off(Error::store(format!("read {key} of the bucket"), "the answer broke off"))
        };
        while let Some(chunk) = object.body.try_next().await.map_err(broken)? {
            if bytes.len() + chunk.len() > largest {
                return Ok(Some(Object { bytes: Vec::new(), version, is_too_large: true }));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Object { bytes, version, is_too_large: false }))
    }

    pub(super) async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let put = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes));
        put.send().await.map(drop).map_err(|error| self.failed("write", key, &error))
    }

    pub(super) async fn put_if(&self, key: &str, bytes: Vec<u8>, seen: Option<&Version>) -> Result<Option<Version>> {
        let put = self.client.put_object().bucket(&self.name).key(key).body(ByteStream::from(bytes.clone()));
        let put = match seen {
            None => put.if_none_match("*"),
            Some(version) => put.if_match(&version.0),
        };
        match put.send().await {
            Ok(done) => Ok(Some(Version(done.e_tag().unwrap_or_default().to_owned()))),
            Err(error) if error.code().is_some_and(|code| LOST.contains(&code)) => {
                // The SDK tries again after an answer that was lost, and then meets its own write.
                let there = self.get(key, bytes.len()).await?;
                Ok(match there {
                    Some(object) if object.bytes == bytes => Some(object.version),
                    _ => None,
                })
            }
            Err(error) => Err(self.failed("write", key, &error)),
        }
    }

    pub(super) async fn delete(&self, key: &str) -> Result<()> {
        let delete = self.client.delete_object().bucket(&self.name).key(key).send().await;
        delete.map(drop).map_err(|error| self.failed("delete", key, &error))
    }

    pub(super) async fn list(&self, prefix: &str, most: usize) -> Result<Vec<String>> {
        let mut pages = self.client.list_objects_v2().bucket(&self.name).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while keys.len() < most
            && let Some(page) = pages.next().await
        {
            let page = page.map_err(|error| self.failed("list", prefix, &error))?;
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        Ok(keys)
    }
}
