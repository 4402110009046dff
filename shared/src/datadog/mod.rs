//! The sink: samples become bodies, bodies are delivered, what was not taken is kept.

mod admit;
mod encode;
mod intake;
mod payload;
mod spool;

pub use admit::{Base, Dropped, MOST_SERIES, REASONS, admit};
pub use encode::encode;
pub use intake::{Delivery, Intake, PUSH_ERRORS};
pub use payload::{Endpoint, LIMITS, Limits, Payload};
pub use spool::{Flush, Held, Mark, Spool};
