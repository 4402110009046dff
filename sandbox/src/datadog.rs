//! Datadog's metrics intake, metadata and query API over an embedded store.
//!
//! What Datadog is documented to refuse is refused, and what it is known to accept and throw away is accepted and
//! written down as dropped, so that a test can look.

mod body;
mod catalogue;
mod events;
mod intake;
mod keys;
mod late;
mod normal;
mod query;
mod read;
mod reply;
mod shape;
mod store;
mod units;

pub use keys::Keys;
pub use read::{Event, Metadata, Series};
pub use store::{Dropped, Intaken, Store};

use crate::Clock;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

/// Everything the server knows; clones share it.
#[derive(Clone)]
pub(crate) struct Datadog {
    store: Store,
    clock: Clock,
    keys: Keys,
}

/// The API, to be mounted at the root of a host.
pub fn router(store: Store, clock: Clock, keys: Keys) -> Router {
    let datadog = Datadog { store, clock, keys };
    let submits = Router::new()
        .route("/api/v1/validate", get(keys::validate))
        .route("/api/v2/series", post(intake::series))
        .route("/api/v1/distribution_points", post(intake::distributions))
        .route("/api/v1/events", post(events::event))
        .layer(from_fn_with_state((datadog.clone(), false), admit));
    let reads = Router::new()
        .route("/api/v1/metrics", get(catalogue::active))
        .route("/api/v1/metrics/{name}", get(catalogue::metadata).put(catalogue::describe))
        .route("/api/v2/metrics", get(catalogue::list))
        .route("/api/v2/metrics/historical-metrics-configurations", post(late::enable))
        .route("/api/v2/metrics/historical-metrics-configurations/{name}", get(late::state).delete(late::disable))
        .route("/api/v1/query", get(query::v1))
        .route("/api/v2/query/timeseries", post(query::timeseries))
        .route("/api/v2/query/scalar", post(query::scalar))
        .layer(from_fn_with_state((datadog.clone(), true), admit));
    submits.merge(reads).fallback(reply::unknown).with_state(datadog)
}

async fn admit(State((datadog, reads)): State<(Datadog, bool)>, request: Request, next: Next) -> Response {
    if datadog.keys.admit(request.headers(), reads) { next.run(request).await } else { reply::forbidden() }
}

#[cfg(test)]
mod tests;
