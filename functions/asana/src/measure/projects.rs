//! Projects and what their status updates say.

use crate::metrics;
use crate::snapshot::Status;
use shared::Sample;
use std::collections::BTreeMap;

pub(super) fn samples(active: Option<&BTreeMap<String, Option<Status>>>) -> Vec<Sample> {
    let says = |status: Status| active.map(|all| all.values().filter(|said| **said == Some(status)).count());
    vec![
        metrics::PROJECTS_ACTIVE.number(active.map(BTreeMap::len)),
        metrics::PROJECTS_ON_TRACK.number(says(Status::OnTrack)),
        metrics::PROJECTS_AT_RISK.number(says(Status::AtRisk)),
        metrics::PROJECTS_OFF_TRACK.number(says(Status::OffTrack)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::lines;

    #[test]
    fn a_project_without_an_update_or_with_another_word_is_active_and_nothing_else() {
        let said = [
            Some(Status::OnTrack),
            Some(Status::OnTrack),
            Some(Status::OnTrack),
            Some(Status::AtRisk),
            Some(Status::AtRisk),
            Some(Status::OffTrack),
            Some(Status::Other),
            None,
        ];
        let projects = said.into_iter().enumerate().map(|(gid, said)| (gid.to_string(), said)).collect();
        let expected = "asana.projects.active{} 8\n\
                        asana.projects.at_risk{} 2\n\
                        asana.projects.off_track{} 1\n\
                        asana.projects.on_track{} 3";
        assert_eq!(lines(&samples(Some(&projects))), expected);
        assert_eq!(lines(&samples(None)), "");
    }
}
