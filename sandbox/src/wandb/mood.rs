//! How a server of W&B is where servers differ: by their release, by their database, and by how busy they are.

use http::StatusCode;
use std::sync::{Arc, Mutex, PoisonError};

/// How a key with dots is looked for, in filters and orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dots {
    /// Each dot leads into a dictionary.
    Nested,
    /// The dots are letters of the key.
    Flat,
}

/// How a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mood {
    /// The largest page that is not refused; elsewhere a larger one is cut down.
    pub largest_page: Option<usize>,
    /// How keys with dots are looked for.
    pub dots: Dots,
    /// What a filter by heartbeat is answered with, where it is not taken.
    pub heartbeat_filter: Option<StatusCode>,
    /// What a page may cost, in runs without a large field; a costlier one is given up.
    pub patience: Option<usize>,
}

impl Mood {
    /// That of an organisation of this number.
    #[must_use]
    pub fn of(number: u64) -> Self {
        Self {
            largest_page: (number % 2 == 1).then_some(200),
            dots: if (number / 2).is_multiple_of(2) { Dots::Nested } else { Dots::Flat },
            heartbeat_filter: [None, Some(StatusCode::BAD_REQUEST), Some(StatusCode::INTERNAL_SERVER_ERROR)]
                [usize::try_from(number % 3).unwrap_or(0)],
            patience: (number % 4 == 2).then_some(300),
        }
    }
}

/// The mood that a server is in; clones share it.
#[derive(Debug, Clone)]
pub struct WandbMood(Arc<Mutex<Mood>>);

impl WandbMood {
    /// A server in this mood.
    #[must_use]
    pub fn new(mood: Mood) -> Self {
        Self(Arc::new(Mutex::new(mood)))
    }

    /// Changes it.
    pub fn set(&self, mood: Mood) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// What it is.
    #[must_use]
    pub fn get(&self) -> Mood {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
