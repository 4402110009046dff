//! The truth about a repository on GitHub at an instant.
//!
//! Where the catalogue leaves an edge open it is decided here, once:
//! - a level (open, draft, a branch, an issue) is what is there at `now`, things of exactly `now` included; a window
//!   `[now-7d, now)` leaves them out;
//! - comments, reviews and labels of a merged pull request are those there at `now`, whenever they came;
//! - a commit is judged by its committer date, also in slots, and must have landed by `now`;
//! - a deleted account that answers a deleted account counts as the author, because upstream shows both as nobody;
//! - workflow runs are those created in W7 for every row, slot and observation; blocking and benchmark workflows alone
//!   are looked at over 14 days;
//! - a run of several attempts is its newest attempt begun by the end of the slot: what an earlier one ended with is no
//!   longer shown then;
//! - commits belong to the first successful deployment that contains them, for each row about deployments.

mod changes;
mod checks;
mod deployments;
mod pulls;
mod runs;
mod scores;
mod settings;
#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the numbers are worked by hand and come out exact")]
mod tests;

pub use settings::{Deploys, Settings};

use super::book::{Book, key};
use super::statistics::size;
use crate::model::github::{Branch, Repository};
use crate::model::{Person, PersonId};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const SLOT: SignedDuration = SignedDuration::from_secs(900);
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);
const FORTNIGHT: SignedDuration = SignedDuration::from_hours(14 * 24);
const MONTH: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A repository as it stands at an instant.
#[derive(Debug, Clone, Copy)]
struct View<'a> {
    repository: &'a Repository,
    people: &'a [Person],
    settings: &'a Settings,
    now: Timestamp,
}

impl<'a> View<'a> {
    fn past(&self, time: Timestamp) -> bool {
        time <= self.now
    }

    /// Whether a time lies in the window of this length that ends now: its start is in it, its end is not.
    fn within(&self, length: SignedDuration, time: Timestamp) -> bool {
        self.now - length <= time && time < self.now
    }

    fn week(&self, time: Timestamp) -> bool {
        self.within(WEEK, time)
    }

    /// The branch that counts as the default one.
    fn branch(&self) -> &'a str {
        self.settings.branch.as_deref().unwrap_or(&self.repository.default_branch)
    }

    fn repo(&self) -> String {
        format!("{}/{}", self.repository.owner, self.repository.name)
    }

    fn is_bot(&self, person: PersonId) -> bool {
        self.people.get(person).is_some_and(|person| {
            let listed = self.settings.bots.iter().any(|login| login.eq_ignore_ascii_case(&person.login));
            person.bot || person.login.ends_with("[bot]") || listed
        })
    }

    fn is_gone(&self) -> bool {
        self.repository.empty || !self.repository.commits.iter().any(|commit| self.past(commit.landed_at))
    }
}

/// Every level of a repository at `now`: its gauges, the checks that read them, and the scores made of them.
///
/// A repository that is empty at `now` fails as a target, so there is nothing of it. `now` lies on the grid of runs.
#[must_use]
pub fn github(
    repository: &Repository,
    people: &[Person],
    now: Timestamp,
    settings: &Settings,
) -> BTreeMap<String, f64> {
    let view = View { repository, people, settings, now };
    if view.is_gone() { BTreeMap::new() } else { levels(view).into_rows() }
}

fn levels(view: View) -> Book {
    let mut book = Book::default();
    pulls::levels(view, &mut book);
    changes::levels(view, &mut book);
    branches(view, &mut book);
    issues(view, &mut book);
    runners(view, &mut book);
    runs::levels(view, &mut book);
    deployments::levels(view, &mut book);
    scores::levels(view, &mut book);
    checks::levels(view, &mut book);
    book
}

/// Every count of the slot `[slot_end - 900 s, slot_end)`, as a run at its end finds it.
#[must_use]
pub fn github_counts(
    repository: &Repository,
    people: &[Person],
    slot_end: Timestamp,
    settings: &Settings,
) -> BTreeMap<String, f64> {
    let view = View { repository, people, settings, now: slot_end };
    if view.is_gone() {
        return BTreeMap::new();
    }
    let mut book = Book::default();
    pulls::counts(view, &mut book);
    changes::counts(view, &mut book);
    runs::counts(view, &mut book);
    checks::counts(view, &levels(view), &mut book);
    book.into_rows()
}

/// Every observation of things that ended in `[from, until)`, ascending, as a run at `until` finds them.
#[must_use]
pub fn github_observations(
    repository: &Repository,
    people: &[Person],
    from: Timestamp,
    until: Timestamp,
    settings: &Settings,
) -> BTreeMap<String, Vec<f64>> {
    let view = View { repository, people, settings, now: until };
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    if view.is_gone() {
        return found;
    }
    for (name, tags, value) in pulls::observations(view, from).into_iter().chain(runs::observations(view, from)) {
        let repo = view.repo();
        let tags: Vec<(&str, &str)> =
            tags.iter().map(|(tag, value)| (*tag, value.as_str())).chain([("repo", repo.as_str())]).collect();
        found.entry(key(name, &tags)).or_default().push(value);
    }
    for values in found.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    found
}

/// One observation: metric, tags besides the repository, value.
type Observation = (&'static str, Vec<(&'static str, String)>, f64);

fn branches(view: View, book: &mut Book) {
    let repo = view.repo();
    let there = |branch: &&Branch| branch.name != view.branch() && !branch.deleted_at.is_some_and(|at| view.past(at));
    let tip =
        |branch: &Branch| branch.tips.iter().rfind(|(_, since)| view.past(*since)).map(|(committed, _)| *committed);
    let open: Vec<&str> =
        pulls::open(view).iter().filter(|pull| !pull.from_fork).map(|pull| pull.head.as_str()).collect();
    let tips: Vec<(&str, Timestamp)> = view
        .repository
        .branches
        .iter()
        .filter(there)
        .filter_map(|branch| Some((branch.name.as_str(), tip(branch)?)))
        .collect();
    let active = tips.iter().filter(|(_, committed)| view.within(MONTH, *committed)).count();
    let stale = tips.iter().filter(|(name, committed)| *committed < view.now - MONTH && !open.contains(name)).count();
    book.put("github.branches.active", &[("repo", &repo)], size(active));
    book.put("github.branches.stale", &[("repo", &repo)], size(stale));
}

fn issues(view: View, book: &mut Book) {
    let repo = view.repo();
    let open: Vec<_> = view
        .repository
        .issues
        .iter()
        .filter(|issue| view.past(issue.created_at) && !issue.closed_at.is_some_and(|at| view.past(at)))
        .collect();
    book.put("github.issues.open", &[("repo", &repo), ("label", "any")], size(open.len()));
    for label in &view.settings.bug_labels {
        let with = open.iter().filter(|issue| issue.labels.iter().any(|own| own.eq_ignore_ascii_case(label))).count();
        book.put("github.issues.open", &[("repo", &repo), ("label", label)], size(with));
    }
}

fn runners(view: View, book: &mut Book) {
    if !view.settings.runners {
        return;
    }
    let repo = view.repo();
    for state in ["busy", "idle", "offline"] {
        let in_it = view.repository.runners.iter().filter(|runner| match (runner.online, runner.busy) {
            (false, _) => state == "offline",
            (true, true) => state == "busy",
            (true, false) => state == "idle",
        });
        book.put("github.runners.count", &[("repo", &repo), ("state", state)], size(in_it.count()));
    }
}
