//! Asana's HTTP API over the model, as it stands at the sandbox's clock.

mod access;

pub use access::Asana;
use axum::Router;

pub(crate) fn router(_: std::sync::Arc<crate::Organisation>, _: crate::Clock, _: Asana) -> Router {
    Router::new()
}
