//! Deployments and what went wrong after them; absent unless it is configured what a deployment is.

use super::{Deploys, MONTH, View, changes, runs};
use crate::model::github::{Commit, Issue};
use crate::truth::book::Book;
use crate::truth::statistics::{hours, percentile, ratio, size};
use jiff::{SignedDuration, Timestamp};

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A deployment that succeeded, with the commits that no earlier one contained.
struct Release<'a> {
    at: Timestamp,
    commits: Vec<&'a Commit>,
}

/// When something succeeded, and the commit it brought.
fn successes<'a>(view: View<'a>, deploys: &Deploys) -> Vec<(Timestamp, &'a str)> {
    let mut found: Vec<(Timestamp, &str)> = match deploys {
        Deploys::Environment(name) => {
            let of_it = view.repository.deployments.iter().filter(|deployment| deployment.environment == *name);
            // What a newer deployment made inactive has succeeded all the same.
            let first =
                |statuses: &[(&str, Timestamp)]| statuses.iter().find(|(state, _)| *state == "SUCCESS").map(|it| it.1);
            of_it
                .filter_map(|deployment| Some((first(&deployment.statuses)?, deployment.sha.as_str())))
                .filter(|(at, _)| view.past(*at))
                .collect()
        }
        Deploys::Workflow(name) => {
            let workflow = view.repository.workflows.iter().find(|workflow| runs::means(name, workflow));
            let passed = workflow.map(|workflow| runs::passed_on_branch(view, workflow)).unwrap_or_default();
            passed.into_iter().map(|over| (over.at, over.run.head_sha.as_str())).collect()
        }
    };
    found.sort();
    found
}

fn releases<'a>(view: View<'a>, deploys: &Deploys) -> Vec<Release<'a>> {
    let commits = &view.repository.commits;
    // A commit contains what the branch held when it landed, so the time says which commits are in a deployment.
    let landed = |sha: &str| commits.iter().find(|commit| commit.sha == sha).map(|commit| commit.landed_at);
    let mut until: Option<Timestamp> = None;
    let mut releases = Vec::new();
    for (at, sha) in successes(view, deploys) {
        let tip = landed(sha);
        let new = |commit: &&Commit| {
            tip.is_some_and(|tip| commit.landed_at <= tip) && until.is_none_or(|until| until < commit.landed_at)
        };
        releases.push(Release { at, commits: commits.iter().filter(new).collect() });
        until = until.max(tip);
    }
    releases
}

pub(super) fn levels(view: View, book: &mut Book) {
    let Some(deploys) = &view.settings.deploys else { return };
    let repo = view.repo();
    let tags = [("repo", repo.as_str())];
    let releases = releases(view, deploys);
    let recent: Vec<(usize, &Release)> =
        releases.iter().enumerate().filter(|(_, release)| view.within(MONTH, release.at)).collect();
    let all = size(recent.len());
    book.put("github.dora.deployment_frequency", &tags, all / 30.0);

    let lead = |release: &&Release| -> Vec<f64> {
        release.commits.iter().map(|commit| hours(commit.committed_at, release.at)).collect()
    };
    let leads: Vec<f64> = recent.iter().flat_map(|(_, release)| lead(release)).collect();
    book.maybe("github.dora.lead_time_hours", &tags, percentile(&leads, 0.5));

    let incidents: Vec<&Issue> = view.repository.issues.iter().filter(|issue| is_incident(view, issue)).collect();
    let failed = recent.iter().filter(|(place, release)| failed(view, release, releases.get(place + 1), &incidents));
    book.maybe("github.dora.change_fail_rate_pct", &tags, ratio(100.0 * size(failed.count()), all));

    let closed = incidents.iter().filter_map(|issue| Some((issue.created_at, issue.closed_at?)));
    let recoveries: Vec<f64> =
        closed.filter(|(_, at)| view.within(MONTH, *at)).map(|(from, until)| hours(from, until)).collect();
    book.maybe("github.dora.recovery_time_hours", &tags, percentile(&recoveries, 0.5));

    let hotfix = |release: &&Release| release.commits.iter().any(|commit| changes::judge(view, commit).0);
    let rework = recent.iter().filter(|(_, release)| hotfix(release)).count();
    book.maybe("github.dora.rework_rate_pct", &tags, ratio(100.0 * size(rework), all));
}

fn is_incident(view: View, issue: &Issue) -> bool {
    let listed = |own: &String| view.settings.incident_labels.iter().any(|label| label.eq_ignore_ascii_case(own));
    view.past(issue.created_at) && issue.labels.iter().any(listed)
}

/// Whether an incident began within a day and before the next deployment, or the next one had to mend it.
fn failed(view: View, release: &Release, next: Option<&Release>, incidents: &[&Issue]) -> bool {
    let until = next.map_or(release.at + DAY, |next| next.at.min(release.at + DAY));
    let incident = incidents.iter().any(|issue| release.at <= issue.created_at && issue.created_at < until);
    let mends = |commit: &Commit| {
        let (hotfix, revert) = changes::judge(view, commit);
        hotfix || revert
    };
    incident || next.is_some_and(|next| next.commits.iter().any(|commit| mends(commit)))
}
