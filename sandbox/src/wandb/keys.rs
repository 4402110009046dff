//! Who asks W&B, and how much each may still ask.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a budget lasts.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// Requests of a window, unless a test wants fewer.
const USUAL: u64 = 100_000;

/// What is left of a budget is told in thousandths of it.
const SCALE: u64 = 1000;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Somebody without a key.
    Nobody,
    /// Somebody with a key that is not let in.
    Unknown,
    /// The owner of a key.
    Known { key: String, login: String },
}

/// How a budget stands: thousandths that are left, and seconds until it is whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub remaining: u64,
    pub reset: u64,
}

#[derive(Debug)]
struct Inner {
    keys: HashMap<String, String>,
    limit: u64,
    spent: HashMap<String, (u64, Timestamp)>,
}

/// The keys that W&B lets in; clones share them.
#[derive(Debug, Clone)]
pub struct WandbKeys(Arc<Mutex<Inner>>);

impl WandbKeys {
    /// Keys with this one.
    #[must_use]
    pub fn with_key(key: &str) -> Self {
        let inner = Inner { keys: HashMap::new(), limit: USUAL, spent: HashMap::new() };
        let keys = Self(Arc::new(Mutex::new(inner)));
        keys.allow(key);
        keys
    }

    /// Lets a key in.
    pub fn allow(&self, key: &str) {
        self.lock().keys.insert(key.to_owned(), "sandbox-reader".to_owned());
    }

    /// Lets a key in no longer.
    pub fn revoke(&self, key: &str) {
        self.lock().keys.remove(key);
    }

    /// Changes how many requests a key may make in a minute.
    pub fn set_limit(&self, limit: u64) {
        self.lock().limit = limit;
    }

    pub(super) fn caller(&self, headers: &HeaderMap) -> Caller {
        let Some(value) = headers.get(AUTHORIZATION) else { return Caller::Nobody };
        let key = || -> Option<String> {
            let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => Some(rest.trim().to_owned()),
                "basic" => {
                    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
                    pair.split_once(':').map(|(_, key)| key.to_owned())
                }
                _ => None,
            }
        };
        let Some(key) = key() else { return Caller::Unknown };
        let login = self.lock().keys.get(&key).cloned();
        login.map_or(Caller::Unknown, |login| Caller::Known { key, login })
    }

    /// Spends one request, unless none is left.
    pub(super) fn spend(&self, caller: &Caller, now: Timestamp) -> Result<Standing, Standing> {
        let mut inner = self.lock();
        let limit = inner.limit.max(1);
        let key = match caller {
            Caller::Known { key, .. } => key.clone(),
            Caller::Nobody | Caller::Unknown => String::new(),
        };
        let (spent, since) = inner.spent.entry(key).or_insert((0, now));
        if !(*since..*since + WINDOW).contains(&now) {
            (*spent, *since) = (0, now);
        }
        let reset = (*since + WINDOW).duration_since(now).as_secs().unsigned_abs();
        if *spent >= limit {
            return Err(Standing { remaining: 0, reset });
        }
        *spent += 1;
        Ok(Standing { remaining: (limit - *spent) * SCALE / limit, reset })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_told_in_thousandths_and_is_whole_again_after_a_minute() {
        let keys = WandbKeys::with_key("k");
        keys.set_limit(4);
        let caller = Caller::Known { key: "k".to_owned(), login: "sandbox-reader".to_owned() };
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(keys.spend(&caller, at(0)), Ok(Standing { remaining: 750, reset: 60 }));
        for _ in 0..3 {
            assert!(keys.spend(&caller, at(20)).is_ok());
        }
        assert_eq!(keys.spend(&caller, at(20)), Err(Standing { remaining: 0, reset: 40 }));
        assert_eq!(keys.spend(&caller, at(60)), Ok(Standing { remaining: 750, reset: 60 }));
    }
}
