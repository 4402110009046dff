//! Commits of the default branch, and the changes they are part of.

use super::{SLOT, View, WEEK, pulls};
use crate::model::github::{Commit, Pull};
use crate::truth::book::Book;
use crate::truth::statistics::{ratio, size};
use jiff::SignedDuration;
use std::collections::BTreeSet;

/// A pull request merged into the default branch, or a commit there that belongs to none.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Pull(&'a Pull),
    Commit(&'a Commit),
}

/// Commits on the default branch with a committer date in the window of this length.
fn commits(view: View<'_>, length: SignedDuration) -> Vec<&Commit> {
    if view.branch() != view.repository.default_branch {
        return Vec::new();
    }
    let commits = view.repository.commits.iter().filter(|commit| view.past(commit.landed_at));
    commits.filter(|commit| view.within(length, commit.committed_at)).collect()
}

fn changes(view: View<'_>, length: SignedDuration) -> Vec<Change<'_>> {
    let pulls = pulls::merged(view, length).into_iter().map(|(pull, _)| pull);
    let pulls = pulls.filter(|pull| pull.base == view.branch()).map(Change::Pull);
    let direct = commits(view, length).into_iter().filter(|commit| commit.pull.is_none()).map(Change::Commit);
    pulls.chain(direct).collect()
}

impl Change<'_> {
    fn title(&self) -> &str {
        match self {
            Change::Pull(pull) => pull.title.lines().next().unwrap_or_default(),
            Change::Commit(commit) => commit.message.lines().next().unwrap_or_default(),
        }
    }

    fn body(&self) -> Vec<&str> {
        match self {
            Change::Pull(pull) => pull.body.lines().collect(),
            Change::Commit(commit) => commit.message.lines().skip(1).collect(),
        }
    }

    fn labelled(&self, view: View, labels: &[String]) -> bool {
        match self {
            Change::Pull(pull) => labelled(view, pull, labels),
            Change::Commit(_) => false,
        }
    }

    fn is_hotfix(&self, view: View) -> bool {
        says_hotfix(self.title()) || self.labelled(view, &view.settings.hotfix_labels)
    }

    fn is_revert(&self, view: View) -> bool {
        says_revert(self.title())
            || self.body().iter().any(|line| line.starts_with("This reverts commit "))
            || self.labelled(view, &view.settings.revert_labels)
    }
}

fn labelled(view: View, pull: &Pull, labels: &[String]) -> bool {
    let own = pull.labels.iter().filter(|(_, at)| view.past(*at));
    own.into_iter().any(|(own, _)| labels.iter().any(|label| label.eq_ignore_ascii_case(own)))
}

/// `\bhot-?fix(es)?\b` in any case.
fn says_hotfix(title: &str) -> bool {
    let title = title.to_lowercase();
    let part_of_word = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    ["hotfix", "hot-fix", "hotfixes", "hot-fixes"].iter().any(|word| {
        title.match_indices(word).any(|(at, word)| {
            let (before, after) = (&title[..at], &title[at + word.len()..]);
            !part_of_word(before.chars().next_back()) && !part_of_word(after.chars().next())
        })
    })
}

fn says_revert(title: &str) -> bool {
    let quoted = title.starts_with("Revert \"") && !title.starts_with("Revert \"Revert \"");
    let typed = title.starts_with("revert:")
        || title
            .strip_prefix("revert(")
            .and_then(|rest| rest.split_once(')'))
            .is_some_and(|(_, rest)| rest.starts_with(':'));
    quoted || typed
}

/// Whether the change that a commit is part of is a hotfix, and whether it is a revert.
pub(super) fn judge(view: View, commit: &Commit) -> (bool, bool) {
    let pull = commit.pull.and_then(|number| view.repository.pulls.iter().find(|pull| pull.number == number));
    let change = pull.map_or(Change::Commit(commit), Change::Pull);
    (change.is_hotfix(view), change.is_revert(view))
}

pub(super) fn levels(view: View, book: &mut Book) {
    let repo = view.repo();
    let tags = [("repo", repo.as_str())];
    let (commits, changes) = (commits(view, WEEK), changes(view, WEEK));
    let developers: BTreeSet<String> = commits.iter().filter_map(|commit| developer(view, commit)).collect();
    let (total, active) = (size(commits.len()), size(developers.len()));
    book.put("github.commits.total_7d", &tags, total);
    book.put("github.developers.active_7d", &tags, active);
    book.maybe("github.commits.per_developer_7d", &tags, ratio(total, active));

    let hotfixes = changes.iter().filter(|change| change.is_hotfix(view)).count();
    let reverts = changes.iter().filter(|change| change.is_revert(view)).count();
    book.put("github.commits.hotfix", &tags, size(hotfixes));
    book.put("github.commits.reverts", &tags, size(reverts));
    book.put("github.commits.force_merge_7d", &tags, size(forced(view).len()));

    let own = || commits.iter().filter(|commit| commit.parents.len() < 2);
    let lines = |lines: u64| u32::try_from(lines).map_or(f64::MAX, f64::from);
    book.put("github.code.lines_added_7d", &tags, lines(own().map(|commit| commit.additions).sum()));
    book.put("github.code.lines_deleted_7d", &tags, lines(own().map(|commit| commit.deletions).sum()));
    book.put("github.code.files_changed_7d", &tags, size(files(&changes).len()));
}

fn files(changes: &[Change]) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for change in changes {
        match change {
            Change::Pull(pull) => paths.extend(pull.files.iter().cloned()),
            Change::Commit(commit) => paths.extend(commit.files.iter().map(|(path, _)| path.clone())),
        }
    }
    paths
}

/// Who wrote a commit: the account, else the address whatever its case; a bot is nobody.
fn developer(view: View, commit: &Commit) -> Option<String> {
    let linked = view.people.get(commit.author).is_some_and(|person| person.linked);
    match (view.is_bot(commit.author), linked) {
        (true, _) => None,
        (false, true) => Some(format!("account {}", commit.author)),
        (false, false) => Some(format!("address {}", commit.email.to_lowercase())),
    }
}

/// Events that reached the default branch around its rules. What several sources tell of is one event; they agree on
/// the commit the branch came to.
fn forced(view: View<'_>) -> BTreeSet<&str> {
    let asked = |source: &str| view.settings.force_sources.iter().any(|asked| asked == source);
    let mut events = BTreeSet::new();
    if asked("activity") {
        let pushes = view.repository.force_pushes.iter().filter(|push| push.branch == view.branch());
        events.extend(pushes.filter(|push| view.week(push.at)).map(|push| push.after.as_str()));
    }
    if asked("rule_suites") {
        let suites = view.repository.rule_suites.iter().filter(|suite| suite.branch == view.branch());
        let suites = suites.filter(|suite| suite.result == "bypass" && view.week(suite.at));
        events.extend(suites.map(|suite| suite.after.as_str()));
    }
    if asked("labels") {
        let pulls = pulls::merged(view, WEEK).into_iter().map(|(pull, _)| pull);
        let pulls = pulls.filter(|pull| pull.base == view.branch());
        let pulls = pulls.filter(|pull| labelled(view, pull, &view.settings.force_labels));
        events.extend(pulls.filter_map(|pull| pull.merge_commit.as_deref()));
    }
    events
}

pub(super) fn counts(view: View, book: &mut Book) {
    let repo = view.repo();
    let changes = changes(view, SLOT);
    let hotfixes = changes.iter().filter(|change| change.is_hotfix(view)).count();
    let reverts = changes.iter().filter(|change| change.is_revert(view)).count();
    book.put("github.commits.hotfix.new", &[("repo", &repo)], size(hotfixes));
    book.put("github.commits.reverts.new", &[("repo", &repo)], size(reverts));
}

#[test]
fn a_hotfix_is_a_whole_word_of_the_title() {
    let table = [
        ("Hotfix: login", true),
        ("hot-fix for login", true),
        ("Apply HOTFIXES", true),
        ("two hot-fixes, please", true),
        ("hotfix/login", true),
        ("hotfixed login", false),
        ("shotfix", false),
        ("hotfix_2", false),
        ("hot fix", false),
    ];
    for (title, expected) in table {
        assert_eq!(says_hotfix(title), expected, "{title}");
    }
}

#[test]
fn a_revert_says_so_at_the_start_and_a_reapply_does_not_count() {
    let table = [
        ("Revert \"Add x\"", true),
        ("Revert \"Revert \"Add x\"\"", false),
        ("revert: x", true),
        ("revert(api): x", true),
        ("revert (api): x", false),
        ("Please do not revert x", false),
        ("Reverted the wording", false),
        ("Do not Revert \"x\"", false),
    ];
    for (title, expected) in table {
        assert_eq!(says_revert(title), expected, "{title}");
    }
}
