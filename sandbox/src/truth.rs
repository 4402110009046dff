//! What every metric must be, computed straight from the model by code that no collector shares.
//!
//! It is written from the catalogue alone and prefers the plain to the fast. Each upstream has a module of its own, with
//! its levels, its counts and its observations; a row that must be absent is not in the answer.

mod book;
mod github;
mod statistics;

pub use github::{Deploys, Settings, github, github_counts, github_observations};
