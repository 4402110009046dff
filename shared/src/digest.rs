//! Digests: of texts that are no secret, and of people and names under a key that all functions of a store share.

use crate::{Error, Result, Store};
use hmac::{Hmac, KeyInit, Mac};
use rustls::crypto::ring;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Sixteen hexadecimal digits that stand for a text which is no secret: equal texts are equal.
#[must_use]
pub fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes())[..8])
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(nibble.into(), 16).unwrap_or('0'));
        }
        text
    })
}

/// The one key of all digests. It is no credential, so that a rotated one changes no digest.
const KEY: &str = "keys/digest";

/// How long the key is.
const BYTES: usize = 32;

/// Replaces the texts of people by digests that nobody without the key can recompute; clones share the key.
#[derive(Clone)]
pub struct Digester(Arc<RwLock<Keyed>>);

struct Keyed {
    mac: Hmac<Sha256>,
    /// Whether the store has the key, so that other runs make the same digests.
    is_shared: bool,
}

impl Default for Digester {
    /// A digester whose key nobody else knows, until one is read.
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Keyed { mac: keyed(&random()), is_shared: false })))
    }
}

impl Digester {
    /// Sixteen hexadecimal digits that stand for the text.
    #[must_use]
    pub fn of(&self, text: &str) -> String {
        let mac = self.0.read().unwrap_or_else(PoisonError::into_inner).mac.clone();
        hex(&mac.chain_update(text.as_bytes()).finalize().into_bytes()[..8])
    }

    /// Whether other runs make the same digests.
    pub(crate) fn is_shared(&self) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).is_shared
    }

    /// Takes the key of the store, which is made where there is none. Without it the digests are this process's own.
    pub(crate) async fn load(&self, store: &Store) -> Result<()> {
        if self.is_shared() {
            return Ok(());
        }
        let key = match store.get(KEY, BYTES).await? {
            Some(object) => object.bytes,
            None => create_key(store).await?,
        };
        if key.len() != BYTES {
            return Err(Error::store(format!("read {KEY}"), format!("it is not {BYTES} bytes long")));
        }
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *state = Keyed { mac: keyed(&key), is_shared: true };
        Ok(())
    }
}

/// Of several that create the key at once, one wins, and the others read its key.
async fn create_key(store: &Store) -> Result<Vec<u8>> {
    let key = random().to_vec();
    if store.put_if(KEY, key.clone(), None).await?.is_some() {
        return Ok(key);
    }
    let winner = store.get(KEY, BYTES).await?;
    winner.map(|object| object.bytes).ok_or_else(|| Error::store(format!("read {KEY}"), "it was created and is gone"))
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // A short key fills a part of the block, which is how HMAC itself would pad it.
    let mut block = [0; 64];
    for (place, byte) in block.iter_mut().zip(key) {
        *place = *byte;
    }
    Hmac::new(&block.into())
}

fn random() -> [u8; BYTES] {
    let mut key = [0; BYTES];
    if ring::default_provider().secure_random.fill(&mut key).is_err() {
        tracing::error!("no random bytes from the system: digests of this run can be recomputed");
    }
    key
}

impl fmt::Debug for Digester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digester")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    #[tokio::test]
    async fn everybody_with_the_same_store_makes_the_same_digests_whoever_comes_first() {
        let folder = Folder::new("digest");
        let store = Store::directory(folder.path());
        let all: Vec<Digester> = (0..8).map(|_| Digester::default()).collect();
        let digests: std::collections::BTreeSet<String> = all.iter().map(|digester| digester.of("ada")).collect();
        assert_eq!(digests.len(), 8, "before they know the key each has its own");
        for loaded in futures::future::join_all(all.iter().map(|digester| digester.load(&store))).await {
            loaded.unwrap();
        }
        let digests: std::collections::BTreeSet<String> = all.iter().map(|digester| digester.of("ada")).collect();
        assert_eq!((digests.len(), all[0].of("ada") == all[0].of("bob")), (1, false));
    }

    #[tokio::test]
    async fn what_is_no_key_is_never_used_as_one() {
        let folder = Folder::new("digest");
        let store = Store::directory(folder.path());
        store.put(KEY, b"short".to_vec()).await.unwrap();
        let digester = Digester::default();
        assert!(digester.load(&store).await.is_err() && !digester.is_shared());
    }
}
