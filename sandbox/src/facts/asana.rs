//! What every metric of Asana should be.

use super::Values;
use crate::model::asana::Workspace;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// The configuration that definitions speak of, with its defaults.
#[derive(Debug, Clone)]
pub struct AsanaSettings {
    /// The workspace's alias.
    pub workspace: String,
    /// The alias of the project of bugs and its identifier, if there is one.
    pub bugs: Option<(String, String)>,
    /// Kinds of sections, each with the text in the name that says so; the first that fits wins.
    pub sections: Vec<(String, String)>,
    /// Labels of bugs.
    pub labels: Vec<String>,
    /// Where days begin.
    pub timezone: TimeZone,
    /// Identifiers of the projects whose tasks count; all active ones if there are none.
    pub projects: Vec<String>,
}

impl AsanaSettings {
    /// The defaults, with what the sandbox's variables say of this workspace.
    #[must_use]
    pub fn of(workspace: &Workspace) -> Self {
        let bugs = workspace.bugs.map(|project| ("bugs".to_owned(), workspace.projects[project].gid.clone()));
        Self { workspace: workspace.alias.clone(), bugs, ..Self::default() }
    }
}

impl Default for AsanaSettings {
    fn default() -> Self {
        let kinds = ["triage", "active", "backlog"];
        Self {
            workspace: "acme".to_owned(),
            bugs: None,
            sections: kinds.map(|kind| (kind.to_owned(), kind.to_owned())).into(),
            labels: vec!["Training".to_owned()],
            timezone: TimeZone::UTC,
            projects: Vec::new(),
        }
    }
}

/// Every gauge of a workspace at this time, its check and its score included.
#[must_use]
pub fn asana(_workspace: &Workspace, _now: Timestamp, _settings: &AsanaSettings) -> Values {
    Values::new()
}

/// The counts of the slot of fifteen minutes that ends at this time, as they stand at `now`.
#[must_use]
pub fn asana_counts(_w: &Workspace, _slot_end: Timestamp, _now: Timestamp, _settings: &AsanaSettings) -> Values {
    Values::new()
}

/// How many checks are judged at this time, and how many of them pass.
#[must_use]
pub fn asana_verdicts(_workspace: &Workspace, _now: Timestamp, _settings: &AsanaSettings) -> Values {
    Values::new()
}

/// The observations of what was completed in `[from, until)`, ascending.
#[must_use]
pub fn asana_observations(
    _workspace: &Workspace,
    _span: (Timestamp, Timestamp),
    _settings: &AsanaSettings,
) -> BTreeMap<String, Vec<f64>> {
    BTreeMap::new()
}
