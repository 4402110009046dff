//! A pretend organisation behind real HTTP APIs, and the truth about it.
//!
//! The model is grown from a seed; the servers show it as it stands at the sandbox's clock, the way the real upstreams
//! are documented to; `truth` says what every metric of it should be, by code of its own.

pub mod asana;
pub mod clock;
mod control;
pub mod datadog;
pub mod facts;
pub mod faults;
pub mod github;
pub mod model;
pub mod s3;
pub mod secrets;
pub mod skypilot;
mod stage;
mod story;
mod uri;
pub mod wandb;

pub use clock::Clock;
pub use facts as truth;
pub use faults::{Fault, Faults, Rule};
pub use model::{Organisation, Seed};
pub use skypilot::{PRICES, SkyCredentials, Workshop};
pub use stage::{
    API_KEY, APPLICATION_KEY, ASANA_TOKEN, GITHUB_TOKEN, Options, SKYPILOT_PASSWORD, SKYPILOT_TOKEN, SKYPILOT_USER,
    Sandbox, WANDB_KEY,
};
pub use wandb::{Mood, WandbKeys, WandbMood};
