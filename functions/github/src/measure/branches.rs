//! Branches beside the one that counts.

use crate::metrics;
use crate::snapshot::Branch;
use jiff::Timestamp;
use shared::Sample;
use shared::window::{MONTH, last};

pub(super) fn samples(branches: Option<&[Branch]>, now: Timestamp) -> Vec<Sample> {
    let month = last(MONTH, now);
    let count = |wanted: &dyn Fn(&Branch) -> bool| {
        branches.map(|branches| branches.iter().filter(|branch| wanted(branch)).count())
    };
    vec![
        metrics::BRANCHES_ACTIVE.number(count(&|branch| month.contains(&branch.committed_at))),
        metrics::BRANCHES_STALE.number(count(&|branch| branch.committed_at < month.start && !branch.has_open_pull)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::{at, lines};

    fn of(branches: &[(&str, bool)]) -> String {
        let branches: Vec<Branch> = branches
            .iter()
            .map(|(committed, has_open_pull)| Branch { committed_at: at(committed), has_open_pull: *has_open_pull })
            .collect();
        lines(&samples(Some(&branches), at("2026-03-31T00:00:00Z")))
    }

    #[test]
    fn a_tip_of_thirty_days_is_active_and_an_older_one_stale_unless_it_waits_for_its_merge() {
        let branches = [
            ("2026-03-01T00:00:00Z", false),
            ("2026-03-30T23:59:59Z", true),
            ("2026-02-28T23:59:59Z", false),
            ("2026-02-28T23:59:59Z", true),
            ("2026-03-31T00:00:00Z", false),
        ];
        assert_eq!(of(&branches), "github.branches.active{} 2\ngithub.branches.stale{} 1");
    }

    #[test]
    fn no_branches_are_zero_and_unknown_ones_are_absent() {
        assert_eq!(of(&[]), "github.branches.active{} 0\ngithub.branches.stale{} 0");
        assert_eq!(lines(&samples(None, at("2026-03-31T00:00:00Z"))), "");
    }
}
