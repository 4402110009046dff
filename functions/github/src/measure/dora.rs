//! Deployments: how often, how soon, how many fail, and how long it takes to recover.

use crate::metrics;
use crate::snapshot::{Deployment, Deployments, Shipped, Snapshot};
use jiff::{SignedDuration, Timestamp};
use shared::window::{MONTH, hours, last};
use shared::{Sample, stats};
use std::collections::BTreeSet;

/// How long after a deployment an incident is still laid to it.
const BLAME: SignedDuration = SignedDuration::from_hours(24);

/// The days of the window.
const DAYS: f64 = 30.0;

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    if !snapshot.rules.deploys {
        return Vec::new();
    }
    let month = snapshot.deployments.as_ref().map(|deployments| Month::of(deployments, now));
    let month = month.as_ref();
    let shipped_late = month.and_then(Month::lead_times);
    let recoveries = month.map(Month::recoveries);
    vec![
        metrics::DORA_FREQUENCY.maybe(month.map(|month| stats::count(month.members().count()) / DAYS)),
        metrics::DORA_LEAD_TIME.percentile(0.5, shipped_late.as_deref()),
        metrics::DORA_CHANGE_FAIL_RATE.maybe(month.and_then(|month| month.share(Month::failed))),
        metrics::DORA_RECOVERY_TIME.percentile(0.5, recoveries.as_deref()),
        metrics::DORA_REWORK_RATE.maybe(month.and_then(|month| {
            month.share(|month, place| Some(month.first_contained(place)?.iter().any(|commit| commit.hotfix)))
        })),
    ]
}

/// The deployments until now, of which those of the last 30 days are judged.
struct Month<'a> {
    successes: Vec<&'a Deployment>,
    incidents: &'a [(Timestamp, Option<Timestamp>)],
    now: Timestamp,
}

impl<'a> Month<'a> {
    fn of(deployments: &'a Deployments, now: Timestamp) -> Self {
        let mut successes: Vec<&Deployment> =
            deployments.successes.iter().filter(|deployment| deployment.succeeded_at < now).collect();
        successes.sort_by_key(|deployment| deployment.succeeded_at);
        Self { successes, incidents: &deployments.incidents, now }
    }

    /// The places of the deployments of the window.
    fn members(&self) -> impl Iterator<Item = usize> {
        let month = last(MONTH, self.now);
        let places = self.successes.iter().enumerate();
        places.filter(move |(_, deployment)| month.contains(&deployment.succeeded_at)).map(|(place, _)| place)
    }

    /// The commits that no deployment before this one contained: what a roll-back took away comes back as old.
    fn first_contained(&self, place: usize) -> Option<Vec<&'a Shipped>> {
        let commits = self.successes.get(place)?.commits.as_deref()?;
        let earlier: Option<Vec<&[Shipped]>> =
            self.successes[..place].iter().map(|deployment| deployment.commits.as_deref()).collect();
        let known: BTreeSet<&str> = earlier?.into_iter().flatten().map(|commit| commit.oid.as_str()).collect();
        Some(commits.iter().filter(|commit| !known.contains(commit.oid.as_str())).collect())
    }

    /// The percentage of the deployments of the window of which this is true; unknown if it is of one of them.
    fn share(&self, is: impl Fn(&Self, usize) -> Option<bool>) -> Option<f64> {
        let verdicts: Option<Vec<bool>> = self.members().map(|place| is(self, place)).collect();
        let verdicts = verdicts?;
        let number = verdicts.iter().filter(|is| **is).count();
        stats::percent(stats::count(number), stats::count(verdicts.len()))
    }

    /// Hours from each commit to the deployment that shipped it.
    fn lead_times(&self) -> Option<Vec<f64>> {
        let mut times = Vec::new();
        for place in self.members() {
            let succeeded = self.successes[place].succeeded_at;
            times.extend(
                self.first_contained(place)?.into_iter().filter_map(|commit| hours(commit.committed_at, succeeded)),
            );
        }
        Some(times)
    }

    /// Whether a deployment failed: an incident began soon after it, or the next one mended something.
    fn failed(&self, place: usize) -> Option<bool> {
        let succeeded = self.successes[place].succeeded_at;
        let next = self.successes.get(place + 1);
        let until = next.map_or(self.now, |next| next.succeeded_at).min(succeeded + BLAME);
        if self.incidents.iter().any(|(opened, _)| (succeeded..until).contains(opened)) {
            return Some(true);
        }
        match next {
            None => Some(false),
            Some(_) => Some(self.first_contained(place + 1)?.iter().any(|commit| commit.hotfix || commit.revert)),
        }
    }

    /// Hours that each incident closed in the window was open.
    fn recoveries(&self) -> Vec<f64> {
        let month = last(MONTH, self.now);
        let closed = self.incidents.iter().filter_map(|(opened, closed)| Some((*opened, (*closed)?)));
        closed
            .filter(|(_, closed)| month.contains(closed))
            .filter_map(|(opened, closed)| hours(opened, closed))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{nothing, said};
    use super::*;
    use crate::snapshot::Rules;
    use shared::testing::at;

    /// The window of 30 days begins on the first of March.
    const NOW: &str = "2026-03-31T00:00:00Z";

    fn march(text: &str) -> Timestamp {
        at(&format!("2026-03-{text}Z"))
    }

    fn deployment(succeeded: Timestamp, commits: &[Shipped]) -> Deployment {
        Deployment { succeeded_at: succeeded, commits: Some(commits.to_vec()) }
    }

    /// A commit of its own for each time.
    fn plain(committed: Timestamp) -> Shipped {
        Shipped { oid: committed.to_string(), committed_at: committed, hotfix: false, revert: false }
    }

    fn of(successes: Vec<Deployment>, incidents: Vec<(Timestamp, Option<Timestamp>)>) -> Snapshot {
        Snapshot {
            rules: Rules { deploys: true, ..Rules::default() },
            deployments: Some(Deployments { successes, incidents }),
            ..nothing()
        }
    }

    fn say(snapshot: &Snapshot, name: &str) -> String {
        said(&samples(snapshot, at(NOW)), &format!("github.dora.{name}"))
    }

    #[test]
    fn three_deployments_in_thirty_days_are_one_in_ten_with_the_edges_of_the_window() {
        let times = [
            at("2026-02-28T23:59:59Z"),
            march("01T00:00:00"),
            march("15T00:00:00"),
            march("30T23:59:59"),
            march("31T00:00:00"),
        ];
        let snapshot = of(times.map(|time| deployment(time, &[])).to_vec(), Vec::new());
        assert_eq!(say(&snapshot, "deployment_frequency"), "github.dora.deployment_frequency{} 0.1");
    }

    #[test]
    fn the_lead_time_is_the_median_over_commits_and_not_over_deployments() {
        let before = deployment(at("2026-02-27T00:00:00Z"), &[plain(at("2026-01-01T00:00:00Z"))]);
        let first = deployment(
            march("10T10:00:00"),
            &[plain(march("10T08:00:00")), plain(march("10T06:00:00")), plain(march("10T11:00:00"))],
        );
        let second = deployment(march("20T10:00:00"), &[plain(march("19T10:00:00"))]);
        let snapshot = of(vec![before, first.clone(), second], Vec::new());
        assert_eq!(say(&snapshot, "lead_time"), "github.dora.lead_time_hours{} 4");
        let unread = Deployment { succeeded_at: march("20T10:00:00"), commits: None };
        let unknown = of(vec![first, unread], Vec::new());
        assert_eq!(say(&unknown, "lead_time"), "");
        assert_eq!(say(&unknown, "deployment_frequency"), "github.dora.deployment_frequency{} 0.06666666666666667");
    }

    #[test]
    fn what_a_roll_back_took_away_is_not_shipped_again() {
        let hotfix = Shipped { hotfix: true, ..plain(march("10T08:00:00")) };
        let successes = vec![
            deployment(march("10T10:00:00"), std::slice::from_ref(&hotfix)),
            deployment(march("11T10:00:00"), &[]),
            deployment(march("12T10:00:00"), &[hotfix, plain(march("12T06:00:00"))]),
        ];
        let snapshot = of(successes, Vec::new());
        assert_eq!(say(&snapshot, "lead_time"), "github.dora.lead_time_hours{} 3", "of 2 and 4 hours");
        assert_eq!(say(&snapshot, "change_fail"), "github.dora.change_fail_rate_pct{} 0");
        assert_eq!(say(&snapshot, "rework"), "github.dora.rework_rate_pct{} 33.333333333333336");
    }

    #[test]
    fn a_deployment_failed_by_an_incident_within_a_day_or_by_what_the_next_one_mends() {
        let hotfix = Shipped { hotfix: true, ..plain(march("12T00:00:00")) };
        let revert = Shipped { revert: true, ..plain(march("13T00:00:00")) };
        let base = [march("10T00:00:00"), march("12T00:00:00"), march("14T00:00:00"), march("14T12:00:00")];
        let deployments = |second: &[Shipped], third: &[Shipped]| {
            vec![
                deployment(base[0], &[]),
                deployment(base[1], second),
                deployment(base[2], third),
                deployment(base[3], &[]),
            ]
        };
        let opened = |time: &str| vec![(march(time), None)];
        let calm = plain(march("11T00:00:00"));
        let cases = [
            ("nothing happened", deployments(&[], &[]), Vec::new(), 0),
            ("the second is a hotfix", deployments(&[hotfix.clone(), calm], &[]), Vec::new(), 25),
            ("the third is a revert", deployments(&[], std::slice::from_ref(&revert)), Vec::new(), 25),
            ("at the very second", deployments(&[], &[]), opened("10T00:00:00"), 25),
            ("before the first", deployments(&[], &[]), opened("09T23:59:59"), 0),
            ("a day after the first", deployments(&[], &[]), opened("11T00:00:00"), 0),
            ("at the next one, laid to it alone", deployments(&[], &[]), opened("14T12:00:00"), 25),
            ("both, counted once", deployments(&[hotfix], &[]), opened("10T01:00:00"), 25),
            ("two of four", deployments(&[], &[revert]), opened("10T01:00:00"), 50),
        ];
        for (name, successes, incidents, percent) in cases {
            let expected = format!("github.dora.change_fail_rate_pct{{}} {percent}");
            assert_eq!(say(&of(successes, incidents), "change_fail"), expected, "{name}");
        }
    }

    #[test]
    fn the_verdict_on_a_deployment_is_unknown_while_the_next_ones_commits_are() {
        let successes = vec![
            deployment(march("10T00:00:00"), &[]),
            Deployment { succeeded_at: march("12T00:00:00"), commits: None },
        ];
        assert_eq!(say(&of(successes.clone(), Vec::new()), "change_fail"), "");
        assert_eq!(say(&of(successes.clone(), Vec::new()), "rework"), "");
        let incident = vec![(march("10T01:00:00"), None)];
        assert_eq!(say(&of(successes, incident), "change_fail"), "github.dora.change_fail_rate_pct{} 50");
    }

    #[test]
    fn recovery_is_the_median_of_the_incidents_closed_in_the_window() {
        let incidents = vec![
            (at("2026-02-28T00:00:00Z"), Some(at("2026-02-28T23:59:59Z"))),
            (at("2026-02-28T23:00:00Z"), Some(march("01T00:00:00"))),
            (march("10T00:00:00"), Some(march("10T05:00:00"))),
            (march("10T00:00:00"), None),
            (march("30T00:00:00"), Some(march("31T00:00:00"))),
        ];
        assert_eq!(say(&of(Vec::new(), incidents), "recovery"), "github.dora.recovery_time_hours{} 3");
    }

    #[test]
    fn rework_is_the_share_of_deployments_that_ship_a_hotfix() {
        let hotfix = Shipped { hotfix: true, ..plain(march("12T00:00:00")) };
        let revert = Shipped { revert: true, ..plain(march("13T00:00:00")) };
        let before = deployment(at("2026-02-27T00:00:00Z"), std::slice::from_ref(&hotfix));
        let successes = vec![
            before,
            deployment(march("10T00:00:00"), &[Shipped { oid: "other".to_owned(), ..hotfix.clone() }, hotfix]),
            deployment(march("12T00:00:00"), &[revert]),
            deployment(march("14T00:00:00"), &[]),
            deployment(march("16T00:00:00"), &[]),
        ];
        assert_eq!(say(&of(successes, Vec::new()), "rework"), "github.dora.rework_rate_pct{} 25");
    }

    #[test]
    fn no_deployment_is_a_frequency_of_zero_and_nothing_else() {
        assert_eq!(say(&of(Vec::new(), Vec::new()), ""), "github.dora.deployment_frequency{} 0");
        let unknown = Snapshot { deployments: None, ..of(Vec::new(), Vec::new()) };
        assert_eq!((say(&unknown, ""), samples(&unknown, at(NOW)).len()), (String::new(), 5));
        let unconfigured = Snapshot { rules: Rules::default(), ..of(Vec::new(), Vec::new()) };
        assert!(samples(&unconfigured, at(NOW)).is_empty());
    }
}
