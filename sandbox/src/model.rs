//! The pretend organisation: plain facts with their times, as a function of a seed, a size and an instant.
//!
//! Nothing here knows a wire format, and nothing here counts: the APIs show these facts as they stood at a given
//! instant, and `truth` says what they add up to. A fact with a time after that instant has not happened yet.

pub mod asana;
pub mod github;
pub mod skypilot;
pub mod wandb;

use jiff::Timestamp;

/// What an organisation is grown from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed {
    /// Two organisations of one seed, size and epoch are equal to the last digit.
    pub number: u64,
    /// 1 is the reference size; 10 and 100 multiply the activity, not the number of repositories.
    pub size: u32,
    /// The middle of the story: history is told from 60 days before it until 3 days after it.
    pub epoch: Timestamp,
}

/// Everything there is.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// What it was grown from.
    pub seed: Seed,
    /// Everybody who has a hand in anything; other facts name people by their place in this list.
    pub people: Vec<Person>,
    /// The repositories on GitHub.
    pub repositories: Vec<github::Repository>,
    /// The workspaces on Asana.
    pub workspaces: Vec<asana::Workspace>,
    /// The API servers of SkyPilot.
    pub skypilot: Vec<skypilot::Server>,
    /// The projects at W&B.
    pub projects: Vec<wandb::Project>,
}

impl Organisation {
    /// Nobody and nothing.
    #[must_use]
    pub const fn bare(seed: Seed) -> Self {
        Self {
            seed,
            people: Vec::new(),
            repositories: Vec::new(),
            workspaces: Vec::new(),
            skypilot: Vec::new(),
            projects: Vec::new(),
        }
    }
}

/// A place in [`Organisation::people`].
pub type PersonId = usize;

/// Somebody, or something, that does things.
#[derive(Debug, Clone)]
pub struct Person {
    /// Login on GitHub; bots end in `[bot]` over REST and do not over GraphQL.
    pub login: String,
    /// Display name: personal data that must reach no tag, log or snapshot.
    pub name: String,
    /// Mail addresses, in the spelling they are committed with; the first is the usual one.
    pub emails: Vec<String>,
    /// An app account rather than a person.
    pub bot: bool,
    /// Whether commits of this person are linked to an account (else the API answers a null user).
    pub linked: bool,
}
