//! The sink: samples become bodies, bodies are delivered, what was not accepted is stored.

mod admit;
mod base;
mod encode;
mod intake;
mod payload;
mod spool;

pub use admit::Dropped;
pub(crate) use admit::{AHEAD, OLDEST, REASONS, add, admit};
pub use base::Base;
pub use encode::encode;
pub use intake::{Delivery, Intake};
pub(crate) use intake::{NotAccepted, PUSH_ERRORS};
pub(crate) use payload::Endpoint;
pub use payload::{LIMITS, Limits, Payload};
pub(crate) use spool::{Found, Spool};
