//! Small objects under keys: in a directory, or in a bucket. A store that fails costs state, and never the points.

mod bucket;
mod directory;

use crate::{Deadlines, Env, Error, Meter, Result};
use bucket::Bucket;
use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The upstream that a bucket's calls count as.
pub(crate) const UPSTREAM: &str = "s3";

/// The longest attempt at the store, and the longest that all attempts of a call may take.
const ATTEMPT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(10);

/// Where snapshots, cursors and the spool are kept.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    meter: Meter,
    deadlines: Deadlines,
    /// The run in which the store failed for good, and why: it is not used again in that run.
    failed: Arc<Mutex<Option<(u64, String)>>>,
}

#[derive(Clone)]
enum Backend {
    Directory(PathBuf),
    Bucket(Bucket),
    /// A store that dies in the middle, for tests of what a killed run leaves behind.
    #[cfg(any(test, feature = "testing"))]
    Fused(Box<Store>, crate::testing::Fuse),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// An object as it was read.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Identifies this content of the key.
    pub version: Version,
    /// Whether it is too large to be read: then it has no content here, and can still be replaced.
    pub is_too_large: bool,
}

/// Identifies one content of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(String);

impl Store {
    /// The bucket that `STATE_BUCKET` names, else the directory `STATE_DIR`, `.vitals` by default.
    ///
    /// # Errors
    /// When the configuration of the bucket cannot be read.
    pub async fn open(env: &Env) -> Result<Self> {
        match env.get("STATE_BUCKET") {
            Some(name) => Self::bucket(env, name).await,
            None => Ok(Self::of(Backend::Directory(env.get("STATE_DIR").unwrap_or(".vitals").into()), env)),
        }
    }

    /// The bucket of this name, asked with the credentials that are configured.
    pub(crate) async fn bucket(env: &Env, name: &str) -> Result<Self> {
        Ok(Self::of(Backend::Bucket(Bucket::open(env, name).await?), env))
    }

    /// This directory.
    #[must_use]
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        let (meter, deadlines) = (Meter::default(), Deadlines::default());
        Self { backend: Backend::Directory(path.into()), meter, deadlines, failed: Arc::default() }
    }

    /// The same store behind a fuse.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn fused(&self, fuse: crate::testing::Fuse) -> Self {
        Self { backend: Backend::Fused(Box::new(self.clone()), fuse), ..self.clone() }
    }

    fn of(backend: Backend, env: &Env) -> Self {
        let (meter, deadlines) = (env.meter().clone(), env.deadlines().clone());
        Self { backend, meter, deadlines, failed: Arc::default() }
    }

    /// Why the store failed for good in this run, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.as_ref().filter(|(run, _)| *run == self.meter.run()).map(|(_, why)| why.clone())
    }

    /// Makes a call within the time that is left; those of the SDK are boxed, because they are too large for a stack. After
    /// the first that failed for good no more are made in this run: each would wait as long again.
    async fn call<T>(&self, what: impl FnOnce() -> String, call: impl Future<Output = Result<T>>) -> Result<T> {
        if let Some(why) = self.failure() {
            return Err(Error::store(what(), format!("it failed before in this run: {why}")));
        }
        let whole = self.deadlines.share(CALL);
        let Some(limit) = self.deadlines.left_for_store(whole) else {
            return Err(Error::store(what(), "the run has no time left"));
        };
        let result = match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => Err(Error::store(what(), format!("no answer in {:.1} s", limit.as_secs_f64()))),
        };
        // What our own deadline cut off says nothing about the store.
        let is_cut_off = limit < whole && self.deadlines.left_for_store(whole).is_none();
        if let Err(error) = &result
            && !is_cut_off
        {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            *failed = Some((self.meter.run(), error.with_causes()));
        }
        result
    }

    /// The object under this key, if there is one; without its content where that is more than so many bytes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, key: &str, largest: usize) -> Result<Option<Object>> {
        let what = || format!("read {key}");
        match &self.backend {
            #[cfg(any(test, feature = "testing"))]
            Backend::Fused(store, fuse) => fuse.around(Box::pin(store.get(key, largest))).await,
            Backend::Directory(root) => self.call(what, directory::get(root.join(key), key, largest)).await,
            Backend::Bucket(bucket) => self.call(what, Box::pin(bucket.get(key, largest))).await,
        }
    }

    /// Puts an object under this key, whatever was there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        let what = || format!("write {key}");
        match &self.backend {
            #[cfg(any(test, feature = "testing"))]
            Backend::Fused(store, fuse) => fuse.around(Box::pin(store.put(key, bytes))).await,
            Backend::Directory(root) => self.call(what, directory::put(root.join(key), key, bytes)).await,
            Backend::Bucket(bucket) => self.call(what, Box::pin(bucket.put(key, bytes))).await,
        }
    }

    /// Puts an object if the key still holds the version that was seen, or still nothing; `None` is a lost race.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn put_if(&self, key: &str, bytes: Vec<u8>, seen: Option<&Version>) -> Result<Option<Version>> {
        let what = || format!("write {key}");
        match &self.backend {
            #[cfg(any(test, feature = "testing"))]
            Backend::Fused(store, fuse) => fuse.around(Box::pin(store.put_if(key, bytes, seen))).await,
            Backend::Directory(root) => {
                self.call(what, directory::put_if(root.clone(), key, bytes, seen.cloned())).await
            }
            Backend::Bucket(bucket) => self.call(what, Box::pin(bucket.put_if(key, bytes, seen))).await,
        }
    }

    /// Removes what is under this key, if anything.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete(&self, key: &str) -> Result<()> {
        let what = || format!("delete {key}");
        match &self.backend {
            #[cfg(any(test, feature = "testing"))]
            Backend::Fused(store, fuse) => fuse.around(Box::pin(store.delete(key))).await,
            Backend::Directory(root) => self.call(what, directory::delete(root.join(key), key)).await,
            Backend::Bucket(bucket) => self.call(what, Box::pin(bucket.delete(key))).await,
        }
    }

    /// The keys with this prefix, which ends in a slash, ascending; at most so many of them.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self, prefix: &str, most: usize) -> Result<Vec<String>> {
        let what = || format!("list {prefix}");
        let mut keys = match &self.backend {
            #[cfg(any(test, feature = "testing"))]
            Backend::Fused(store, fuse) => fuse.around(Box::pin(store.list(prefix, most))).await?,
            Backend::Directory(root) => self.call(what, directory::list(root.clone(), prefix)).await?,
            Backend::Bucket(bucket) => self.call(what, Box::pin(bucket.list(prefix, most))).await?,
        };
        keys.sort();
        keys.truncate(most);
        Ok(keys)
    }
}

/// Decompresses an object, to at most so many bytes.
pub(crate) fn unpacked(bytes: &[u8], largest: usize) -> Result<Vec<u8>> {
    let failed = |error| Error::store("decompress an object", error);
    let mut plain = Vec::new();
    let limit = u64::try_from(largest).unwrap_or(u64::MAX);
    let stream = zstd::Decoder::with_buffer(bytes).map_err(failed)?;
    if stream.take(limit + 1).read_to_end(&mut plain).map_err(failed)? > largest {
        return Err(Error::store("decompress an object", format!("it is larger than {largest} bytes")));
    }
    Ok(plain)
}
