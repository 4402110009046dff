//! What the server does not take, learned while it is asked.

use crate::snapshot::{Form, Refused};
use jiff::{SignedDuration, Timestamp};
use shared::Error;
use shared::window::WEEK;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// After this time a form is tried once more: servers are renewed.
const REMEMBERED: SignedDuration = WEEK;

/// The forms of asking that the server refuses.
pub(super) struct Refusals {
    now: Timestamp,
    refused: Mutex<Refused>,
}

impl Refusals {
    /// What is remembered of this server.
    pub fn new(mut before: Refused, server: &str, now: Timestamp) -> Self {
        before.forms.retain(|_, at| before.server == server && now.duration_since(*at) < REMEMBERED);
        let refused = Refused { server: server.to_owned(), forms: before.forms };
        Self { now, refused: Mutex::new(refused) }
    }

    /// Whether the server refuses this form.
    pub fn has(&self, form: Form) -> bool {
        self.lock().forms.contains_key(&form)
    }

    /// Remembers that the server refused this form, and answered another one.
    pub fn learn(&self, form: Form) {
        tracing::info!(?form, "the server refuses a form of asking, which is not tried again for a week");
        self.lock().forms.entry(form).or_insert(self.now);
    }

    /// All that is known by now.
    pub fn known(&self) -> Refused {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Refused> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error may mean that the question is not understood: a refusal, an error beside data, or a server that falls
/// over it.
pub(super) const fn is_refusal(error: &Error) -> bool {
    matches!(error, Error::Status { status: 200 | 400 | 500, .. })
}

/// Whether an error may mean that too much was asked for at once.
pub(super) const fn is_too_much(error: &Error) -> bool {
    matches!(error, Error::Status { .. } | Error::Timeout { .. })
}
