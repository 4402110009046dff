//! A directory as a store: what is written is on the disk before anybody sees it, and nobody else may read it.

use super::{Object, Version};
use crate::digest::hex;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

pub(super) async fn get(path: PathBuf, key: &str, largest: usize) -> Result<Option<Object>> {
    blocking(format!("read {key}"), move || read(&path, largest)).await
}

pub(super) async fn put(path: PathBuf, key: &str, bytes: Vec<u8>) -> Result<()> {
    blocking(format!("write {key}"), move || write(&path, &bytes)).await
}

pub(super) async fn put_if(root: PathBuf, key: &str, bytes: Vec<u8>, seen: Option<Version>) -> Result<Option<Version>> {
    let path = root.join(key);
    blocking(format!("write {key}"), move || exchange(&root, &path, &bytes, seen.as_ref())).await
}

pub(super) async fn delete(path: PathBuf, key: &str) -> Result<()> {
    blocking(format!("delete {key}"), move || absent_is_fine(fs::remove_file(&path)).map(drop)).await
}

pub(super) async fn list(root: PathBuf, prefix: &str) -> Result<Vec<String>> {
    let folder = root.join(prefix);
    blocking(format!("list {prefix}"), move || walk(&root, &folder)).await
}

async fn blocking<T: Send + 'static>(what: String, work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::store(what, error)),
        Err(error) => Err(Error::store(what, error)),
    }
}

fn absent_is_fine<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read(path: &Path, largest: usize) -> io::Result<Option<Object>> {
    let Some(mut file) = absent_is_fine(File::open(path))? else { return Ok(None) };
    let (mut bytes, mut hash) = (Vec::new(), Sha256::new());
    let mut chunk = vec![0; 64 * 1024];
    let mut is_too_large = false;
    loop {
        let length = file.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hash.update(&chunk[..length]);
        is_too_large |= bytes.len() + length > largest;
        if !is_too_large {
            bytes.extend_from_slice(&chunk[..length]);
        }
    }
    if is_too_large {
        bytes.clear();
    }
    Ok(Some(Object { bytes, version: Version(hex(&hash.finalize())), is_too_large }))
}

fn version(bytes: &[u8]) -> Version {
    Version(hex(&Sha256::digest(bytes)))
}

fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A reader sees the old content or the new one, never a part: the new one is written beside it, to the disk, and moved
/// into place.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let place = path.parent().unwrap_or(path);
    folder(place)?;
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let beside = place.join(format!(".{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, path)?;
    // The name is on the disk as well when the folder is.
    File::open(place)?.sync_all()
}

/// Compares and writes under a lock that the system gives back when its holder dies.
fn exchange(root: &Path, path: &Path, bytes: &[u8], seen: Option<&Version>) -> io::Result<Option<Version>> {
    folder(root)?;
    let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(root.join(".lock"))?;
    lock.lock()?;
    let held = absent_is_fine(fs::read(path))?.map(|bytes| version(&bytes));
    if held.as_ref() != seen {
        return Ok(None);
    }
    write(path, bytes)?;
    Ok(Some(version(bytes)))
}

fn walk(root: &Path, folder: &Path) -> io::Result<Vec<String>> {
    let mut keys = Vec::new();
    for entry in absent_is_fine(fs::read_dir(folder))?.into_iter().flatten() {
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
