//! The words every collector is written in, and the whole life of a function.

mod auth;
pub mod aws;
mod check;
mod collector;
mod condition;
pub mod cursor;
pub mod datadog;
mod env;
mod error;
mod event;
pub mod heartbeat;
pub mod http;
pub mod lambda;
mod life;
mod logs;
mod meter;
mod metric;
mod outbox;
mod pause;
pub mod prices;
pub use pause::is_rate_limited;
mod report;
mod score;
mod secret;
mod settings;
pub mod snapshots;
pub mod stats;
pub mod store;
pub mod tags;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tls;

pub use auth::Auth;
pub use check::{
    CHECK_TAGS, Check, METRICS as CHECK_METRICS, Overrides, Reads, Verdict, Word, judge, prefixed, totals,
};
pub use collector::{Collector, Context, Probe};
pub use condition::{Condition, Operator};
pub use env::Env;
pub use error::{Error, Result};
pub use event::{Event, floor};
pub use http::Http;
pub use life::Life;
pub use logs::{Logs, logs};
pub use meter::{Meter, Tally};
pub use metric::{GRID, Kind, Metric, Occurrence, SLOTS, Sample, Unit};
pub use outbox::Outcome;
pub use report::Report;
pub use score::{Fold, Score, scores};
pub use secret::Secret;
pub use settings::Settings;
pub use store::Store;
