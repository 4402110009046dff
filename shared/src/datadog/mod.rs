//! The sink: samples become bodies, bodies are delivered, what was not taken is kept.

mod admit;
mod base;
mod encode;
mod intake;
mod payload;
mod spool;

pub(crate) use admit::{AHEAD, add};
pub use admit::{Dropped, MOST_SERIES, OLDEST, REASONS, admit};
pub use base::Base;
pub use encode::encode;
pub(crate) use intake::Unobserved;
pub use intake::{Delivery, Intake, PUSH_ERRORS};
pub use payload::{Endpoint, LIMITS, Limits, Payload};
pub(crate) use spool::{Found, Spool};
