//! The parts that a workspace is read in.

use crate::config::Config;
use shared::Part;

/// Active projects and their status.
pub(crate) const PROJECTS: Part = Part::new("projects");
/// Tasks: where there are more lists than a run may read, they take several.
pub(crate) const TASKS: Part = Part::new("tasks").filling();
/// Projects of bugs.
pub(crate) const BUGS: Part = Part::new("bugs");

/// The parts that are configured.
pub(crate) fn configured(config: &Config) -> Vec<Part> {
    let bugs = (!config.bugs.is_empty()).then_some(BUGS);
    [PROJECTS, TASKS].into_iter().chain(bugs).collect()
}
