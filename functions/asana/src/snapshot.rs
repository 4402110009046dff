//! What is known of one workspace at one instant: slim, without any text of a person.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is stored of a workspace: what the formulas see, and where the next fetch continues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    /// What the formulas see.
    pub snapshot: Snapshot,
    /// Where the next fetch continues.
    pub kept: Kept,
}

/// Where the next fetch continues.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The active projects as they were last listed.
    pub active: Option<Active>,
    /// The projects whose tasks are known, and when their lists were read.
    pub listed: BTreeMap<String, Listed>,
    /// Their tasks, while those of other projects are not known, so that nothing is said of tasks.
    pub filling: Option<Tasks>,
    /// For configured projects, where there are several workspaces: whether they are in this one.
    pub here: BTreeMap<String, bool>,
}

/// The active projects at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// When they were listed.
    pub at: Timestamp,
    /// Their identifiers.
    pub gids: BTreeSet<String>,
}

/// When the list of a project was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The last time.
    pub at: Timestamp,
    /// The last time that it was read whole.
    pub whole_at: Timestamp,
}

/// Tasks by their identifiers. There may be hundreds of thousands, so that each word of one counts.
pub type Tasks = BTreeMap<Box<str>, Task>;

/// Bugs by their identifiers.
pub type Bugs = BTreeMap<String, Bug>;

/// All that is known of one workspace; `None` is what could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its alias.
    pub workspace: String,
    /// The configuration that the formulas need.
    pub rules: Rules,
    /// Its active projects: what the current status update of each says, if there is one.
    pub projects: Option<BTreeMap<String, Option<Status>>>,
    /// The tasks that count: at least those that are open or were completed in the window of 30 days.
    pub tasks: Option<Tasks>,
    /// The bugs of each configured project of this workspace, by its alias.
    pub bugs: BTreeMap<String, Option<Bugs>>,
}

/// The configuration that the formulas need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// `ASANA_TIMEZONE`.
    pub timezone: String,
    /// `ASANA_BUGS_LABELS`, lower case.
    pub labels: Vec<String>,
}

/// What a status update says of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// `on_track`.
    OnTrack,
    /// `at_risk`.
    AtRisk,
    /// `off_track`.
    OffTrack,
    /// `on_hold`, `complete`, `dropped`, and whatever Asana may think of: it is in none of the rows.
    Other,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// How far it is.
    #[serde(flatten)]
    pub life: Life,
    /// When it is due.
    pub due: Option<Due>,
    /// Whom it is assigned to, digested.
    pub assignee: Option<Box<str>>,
    /// The projects that it is in, ascending; of many tasks most are in one.
    pub projects: Vec<String>,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is completed.
    pub completed: bool,
    /// When it was completed.
    pub completed_at: Option<Timestamp>,
}

impl Life {
    /// When it was completed, if it is completed still.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.completed_at.filter(|_| self.completed)
    }
}

/// When a task is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Due {
    /// At an instant.
    At(Timestamp),
    /// On a day, whatever the time zone.
    On(Date),
}

/// A task in a project of bugs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bug {
    /// How far it is.
    #[serde(flatten)]
    pub life: Life,
    /// The kind of its section in the project of bugs.
    pub section: Section,
    /// Which of the configured labels it has, lower case and ascending.
    pub labels: Vec<String>,
}

/// The kind of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Section {
    /// New bugs that nobody has looked at.
    Triage,
    /// Bugs that somebody works on.
    Active,
    /// Bugs that wait.
    Backlog,
    /// Any other section, or none.
    Other,
}

impl Section {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Triage, Self::Active, Self::Backlog, Self::Other];

    /// The word that tags it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Active => "active",
            Self::Backlog => "backlog",
            Self::Other => "other",
        }
    }
}
