//! Small objects under keys: in a directory, or in a bucket.

use crate::{Env, Error, Result, aws};
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Where snapshots, cursors and the spool are kept.
#[derive(Debug, Clone)]
pub enum Store {
    /// A directory of this machine.
    Directory(PathBuf),
    /// An S3 bucket.
    Bucket {
        /// Its name.
        name: String,
        /// What asks for it.
        client: aws_sdk_s3::Client,
    },
    /// A store that dies in the middle, for tests of what a killed run leaves behind.
    #[cfg(any(test, feature = "testing"))]
    Fused(Box<Self>, crate::testing::Fuse),
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// What tells this content from any other under the key.
    pub version: Version,
}

/// What tells one content of a key from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Store {
    /// The bucket that `STATE_BUCKET` names, else the directory `STATE_DIR`, `.vitals` by default.
    ///
    /// # Errors
    /// When the configuration of the bucket cannot be read.
    pub async fn open(env: &Env) -> Result<Self> {
        let Some(name) = env.get("STATE_BUCKET") else {
            return Ok(Self::Directory(env.get("STATE_DIR").unwrap_or(".vitals").into()));
        };
        Self::bucket(env, name).await
    }

    /// The bucket of this name, asked with the credentials that are configured.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub async fn bucket(env: &Env, name: &str) -> Result<Self> {
        let config = aws::config(env, "S3_URL").await?;
        // An S3 of one's own has no host name for each bucket.
        let own = aws_sdk_s3::config::Builder::from(&config).force_path_style(env.get("S3_URL").is_some());
        Ok(Self::Bucket { name: name.to_owned(), client: aws_sdk_s3::Client::from_conf(own.build()) })
    }

    /// The object under this key, if there is one.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn get(&self, key: &str) -> Result<Option<Object>> {
        match self {
            #[cfg(any(test, feature = "testing"))]
            Self::Fused(store, fuse) => fuse.around(Box::pin(store.get(key))).await,
            Self::Directory(root) => {
                let path = root.join(key);
                blocking(format!("read {key}"), move || read(&path)).await
            }
            Self::Bucket { name, client } => match client.get_object().bucket(name).key(key).send().await {
                Ok(object) => {
                    let version = Version(object.e_tag().unwrap_or_default().to_owned());
                    let bytes =
                        object.body.collect().await.map_err(|error| Error::store(format!("read {key}"), error))?;
                    Ok(Some(Object { bytes: bytes.to_vec(), version }))
                }
                Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
                Err(error) => Err(aws::store_error(format!("read {key} of the bucket {name}"), error)),
            },
        }
    }

    /// Puts an object under this key, whatever was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        match self {
            #[cfg(any(test, feature = "testing"))]
            Self::Fused(store, fuse) => fuse.around(Box::pin(store.put(key, bytes))).await,
            Self::Directory(root) => {
                let path = root.join(key);
                blocking(format!("write {key}"), move || write(&path, &bytes)).await
            }
            Self::Bucket { name, client } => {
                let put = client.put_object().bucket(name).key(key).body(ByteStream::from(bytes));
                put.send()
                    .await
                    .map(drop)
                    .map_err(|error| aws::store_error(format!("write {key} to the bucket {name}"), error))
            }
        }
    }

    /// Puts an object if the key still holds the version that was seen, or still nothing; `None` is a lost race.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_if(&self, key: &str, bytes: Vec<u8>, seen: Option<&Version>) -> Result<Option<Version>> {
        match self {
            #[cfg(any(test, feature = "testing"))]
            Self::Fused(store, fuse) => fuse.around(Box::pin(store.put_if(key, bytes, seen))).await,
            Self::Directory(root) => {
                let (root, path, seen) = (root.clone(), root.join(key), seen.cloned());
                blocking(format!("write {key}"), move || exchange(&root, &path, &bytes, seen.as_ref())).await
            }
            Self::Bucket { name, client } => {
                let put = client.put_object().bucket(name).key(key).body(ByteStream::from(bytes));
                let put = match seen {
                    None => put.if_none_match("*"),
                    Some(version) => put.if_match(&version.0),
                };
                match put.send().await {
                    Ok(done) => Ok(Some(Version(done.e_tag().unwrap_or_default().to_owned()))),
                    // The last two: somebody deleted it, or writes at this very moment.
                    Err(error)
                        if matches!(
                            error.code(),
                            Some("PreconditionFailed" | "NoSuchKey" | "ConditionalRequestConflict")
                        ) =>
                    {
                        Ok(None)
                    }
                    Err(error) => Err(aws::store_error(format!("write {key} to the bucket {name}"), error)),
                }
            }
        }
    }

    /// Removes what is under this key, if anything.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self {
            #[cfg(any(test, feature = "testing"))]
            Self::Fused(store, fuse) => fuse.around(Box::pin(store.delete(key))).await,
            Self::Directory(root) => {
                let path = root.join(key);
                blocking(format!("delete {key}"), move || absent_is_fine(std::fs::remove_file(&path)).map(drop)).await
            }
            Self::Bucket { name, client } => {
                let delete = client.delete_object().bucket(name).key(key).send().await;
                delete.map(drop).map_err(|error| aws::store_error(format!("delete {key} of the bucket {name}"), error))
            }
        }
    }

    /// Every key with this prefix, which ends in a slash, ascending.
    ///
    /// # Errors
    /// When it cannot be told.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut keys = match self {
            #[cfg(any(test, feature = "testing"))]
            Self::Fused(store, fuse) => fuse.around(Box::pin(store.list(prefix))).await?,
            Self::Directory(root) => {
                let (root, folder) = (root.clone(), root.join(prefix));
                blocking(format!("list {prefix}"), move || walk(&root, &folder)).await?
            }
            Self::Bucket { name, client } => {
                let mut pages = client.list_objects_v2().bucket(name).prefix(prefix).into_paginator().send();
                let mut keys = Vec::new();
                while let Some(page) = pages.next().await {
                    let page =
                        page.map_err(|error| aws::store_error(format!("list {prefix} of the bucket {name}"), error))?;
                    keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
                }
                keys
            }
        };
        keys.sort();
        Ok(keys)
    }
}

async fn blocking<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::store(what, error)),
        Err(error) => Err(Error::store(what, error)),
    }
}

fn absent_is_fine<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> std::io::Result<Option<Object>> {
    let bytes = absent_is_fine(std::fs::read(path))?;
    Ok(bytes.map(|bytes| Object { version: version(&bytes), bytes }))
}

fn version(bytes: &[u8]) -> Version {
    use sha2::{Digest, Sha256};
    Version(crate::tags::hex(&Sha256::digest(bytes)))
}

/// A reader sees the old content or the new one, never a part: the new one is written beside it and moved into place.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)?;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let beside = folder.join(format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    drop(file);
    std::fs::rename(&beside, path)
}

/// Compares and writes under a lock that the system gives back when its holder dies.
fn exchange(root: &Path, path: &Path, bytes: &[u8], seen: Option<&Version>) -> std::io::Result<Option<Version>> {
    std::fs::create_dir_all(root)?;
    let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(root.join(".lock"))?;
    lock.lock()?;
    if read(path)?.map(|object| object.version).as_ref() != seen {
        return Ok(None);
    }
    write(path, bytes)?;
    Ok(Some(version(bytes)))
}

fn walk(root: &Path, folder: &Path) -> std::io::Result<Vec<String>> {
    let mut keys = Vec::new();
    for entry in absent_is_fine(std::fs::read_dir(folder))?.into_iter().flatten() {
        let path = entry?.path();
        // Files that begin with a dot are still being written.
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if path.is_dir() {
            keys.extend(walk(root, &path)?);
        } else if let Ok(key) = path.strip_prefix(root) {
            keys.push(key.to_string_lossy().into_owned());
        }
    }
    Ok(keys)
}
