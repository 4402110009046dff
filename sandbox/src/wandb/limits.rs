//! What one request may ask of a server, and how it is refused as a whole.

use super::filter::Filter;
use super::mood::{Dots, Mood};
use http::StatusCode;
use std::cell::Cell;

/// The limits of one request.
pub struct Limits {
    mood: Mood,
    /// What a run of the request costs.
    weight: usize,
    refusal: Cell<Option<StatusCode>>,
}

impl Limits {
    /// Those of a server in this mood. Fields that are read out of large documents make a request costly.
    pub fn new(mood: Mood, body: &[u8]) -> Self {
        let asks = |field: &str| body.windows(field.len()).any(|part| part == field.as_bytes());
        let weights = [("summaryMetrics", 3), ("systemMetrics", 1), ("config", 1)];
        let weight = 1 + weights.iter().filter(|(field, _)| asks(field)).map(|(_, weight)| weight).sum::<usize>();
        Self { mood, weight, refusal: Cell::new(None) }
    }

    /// How keys with dots are looked for.
    pub const fn dots(&self) -> Dots {
        self.mood.dots
    }

    /// Whether a page of so many runs may be asked for.
    pub fn takes_page(&self, size: usize) -> bool {
        self.passes(self.mood.largest_page.is_none_or(|largest| size <= largest), StatusCode::BAD_REQUEST)
    }

    /// Whether so many runs are found in time. A server that is a little late answers through its load balancer, one that
    /// is very late not at all.
    pub fn bears(&self, runs: usize) -> bool {
        let (cost, patience) = (runs * self.weight, self.mood.patience.unwrap_or(usize::MAX));
        let status = if cost / 2 > patience { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
        self.passes(cost <= patience, status)
    }

    /// Whether a filter is understood.
    pub fn takes_filter(&self, filter: &Filter) -> bool {
        let by_heartbeat = ["heartbeat_at", "heartbeatAt"].iter().any(|key| filter.mentions(key));
        self.mood.heartbeat_filter.is_none_or(|status| self.passes(!by_heartbeat, status))
    }

    /// How the request is refused as a whole, if it is.
    pub fn refusal(&self) -> Option<StatusCode> {
        self.refusal.get()
    }

    /// Refuses the request as a whole.
    pub fn refuse(&self, status: StatusCode) {
        self.refusal.set(Some(status));
    }

    fn passes(&self, good: bool, status: StatusCode) -> bool {
        if !good {
            self.refuse(status);
        }
        good
    }
}
