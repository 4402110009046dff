//! Commits and changes: how many, by how many, and how often something had to be mended.

use crate::metrics;
use crate::snapshot::{Commit, Pulls, Snapshot};
use jiff::Timestamp;
use shared::window::{WEEK, last};
use shared::{Metric, Sample, stats};
use std::collections::BTreeSet;

pub(super) fn samples(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
    let week = last(WEEK, now);
    let commits: Option<Vec<&Commit>> = snapshot
        .commits
        .as_ref()
        .map(|commits| commits.iter().filter(|commit| week.contains(&commit.committed_at)).collect());
    let changes = changes(snapshot);
    let forced = snapshot.forced.as_ref().map(|times| times.iter().filter(|time| week.contains(time)).count());
    let mut samples = volume(commits.as_deref());
    samples.push(metrics::FORCE_MERGES.number(forced));
    samples.push(metrics::FILES_CHANGED.number(files(snapshot, now)));
    samples.extend(mended(&metrics::HOTFIXES, &metrics::HOTFIXES_NEW, changes.as_deref(), |change| change.hotfix, now));
    samples.extend(mended(&metrics::REVERTS, &metrics::REVERTS_NEW, changes.as_deref(), |change| change.revert, now));
    samples
}

/// Commits, lines and authors of a week.
fn volume(commits: Option<&[&Commit]>) -> Vec<Sample> {
    let lines = |of: fn(&Commit) -> u64| {
        let plain = |commits: &[&Commit]| commits.iter().filter(|commit| !commit.merge).map(|commit| of(commit)).sum();
        commits.map(plain).and_then(|lines: u64| usize::try_from(lines).ok())
    };
    let people = |commits: &[&Commit]| {
        let people: BTreeSet<&str> =
            commits.iter().filter(|commit| !commit.bot).map(|commit| commit.author.as_str()).collect();
        people.len()
    };
    let developers = commits.map(people);
    let share = |commits: &[&Commit]| stats::ratio(stats::count(commits.len()), stats::count(people(commits)));
    vec![
        metrics::COMMITS.number(commits.map(<[_]>::len)),
        metrics::DEVELOPERS.number(developers),
        metrics::COMMITS_PER_DEVELOPER.maybe(commits.and_then(share)),
        metrics::LINES_ADDED.number(lines(|commit| commit.additions)),
        metrics::LINES_DELETED.number(lines(|commit| commit.deletions)),
    ]
}

/// A pull request merged into the branch, or a commit on it that belongs to none.
struct Change {
    reached_at: Timestamp,
    hotfix: bool,
    revert: bool,
}

/// Every change the snapshot knows; a commit of a pull request is part of that one change, whenever it is merged.
///
/// The API does not say when a push brought a commit. One without a pull request counts at its committer date: in the
/// slot of that date while that is recounted, and in none after that.
fn changes(snapshot: &Snapshot) -> Option<Vec<Change>> {
    let (pulls, commits) = (snapshot.pulls.as_ref()?, snapshot.commits.as_ref()?);
    let merges = pulls.merged.iter().filter(|pull| pull.into_branch);
    let merges = merges.map(|pull| Change { reached_at: pull.merged_at, hotfix: pull.hotfix, revert: pull.revert });
    let direct = commits.iter().filter(|commit| commit.pull.is_none());
    let direct =
        direct.map(|commit| Change { reached_at: commit.committed_at, hotfix: commit.hotfix, revert: commit.revert });
    Some(merges.chain(direct).collect())
}

/// The total of a week and the counts of the slots, of the changes of one kind.
fn mended(
    total: &'static Metric,
    new: &'static Metric,
    changes: Option<&[Change]>,
    kind: fn(&Change) -> bool,
    now: Timestamp,
) -> Vec<Sample> {
    let week = last(WEEK, now);
    let times: Option<Vec<Timestamp>> =
        changes.map(|changes| changes.iter().filter(|change| kind(change)).map(|change| change.reached_at).collect());
    let in_week = times.as_ref().map(|times| times.iter().filter(|time| week.contains(time)).count());
    let mut samples = vec![total.number(in_week)];
    samples.extend(new.slots(times.as_deref(), now));
    samples
}

/// Distinct paths that the changes of a week touch; unknown while those of one change are.
fn files(snapshot: &Snapshot, now: Timestamp) -> Option<usize> {
    let (pulls, commits, direct): (&Pulls, _, _) =
        (snapshot.pulls.as_ref()?, snapshot.commits.as_ref()?, snapshot.direct_files.as_ref()?);
    let week = last(WEEK, now);
    let mut paths = BTreeSet::new();
    for pull in pulls.merged.iter().filter(|pull| pull.into_branch && week.contains(&pull.merged_at)) {
        paths.extend(pull.files.as_ref()?);
    }
    for commit in commits.iter().filter(|commit| commit.pull.is_none() && week.contains(&commit.committed_at)) {
        paths.extend(direct.get(&commit.oid)?);
    }
    Some(paths.len())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, jan, nothing, said};
    use super::*;
    use crate::snapshot::MergedPull;
    use shared::testing::at;

    fn commit(oid: &str, committed: &str) -> Commit {
        Commit {
            oid: oid.to_owned(),
            committed_at: jan(committed),
            author: "ada".to_owned(),
            bot: false,
            additions: 10,
            deletions: 3,
            merge: false,
            pull: None,
            hotfix: false,
            revert: false,
        }
    }

    fn merged(number: u64, merged: &str) -> MergedPull {
        MergedPull {
            number,
            created_at: jan("01T00:00:00"),
            merged_at: jan(merged),
            live_since: jan("01T00:00:00"),
            into_branch: true,
            comments: 0,
            first_review: None,
            hotfix: true,
            revert: true,
            files: Some(vec!["a".into(), "b".into()]),
        }
    }

    fn of(merged: Vec<MergedPull>, commits: Vec<Commit>) -> Snapshot {
        Snapshot { pulls: Some(Pulls { merged, ..Pulls::default() }), commits: Some(commits), ..nothing() }
    }

    fn say(snapshot: &Snapshot, name: &str) -> String {
        said(&samples(snapshot, at(NOW)), name)
    }

    #[test]
    fn a_commit_belongs_to_the_week_by_its_committer_date_and_a_merge_commit_has_no_lines() {
        let mut merge = commit("c", "08T11:59:59");
        merge.merge = true;
        let commits = vec![commit("a", "01T11:59:59"), commit("b", "01T12:00:00"), merge, commit("d", "08T12:00:00")];
        let snapshot = of(Vec::new(), commits);
        assert_eq!(say(&snapshot, "github.commits.total"), "github.commits.total_7d{} 2");
        assert_eq!(
            say(&snapshot, "github.code.lines"),
            "github.code.lines_added_7d{} 10\ngithub.code.lines_deleted_7d{} 3"
        );
    }

    #[test]
    fn one_author_is_one_developer_and_a_bot_is_none() {
        let (mut bot, mut other) = (commit("c", "05T00:00:00"), commit("d", "05T00:00:00"));
        (bot.bot, bot.author) = (true, "bot".into());
        other.author = "bob".into();
        let ada = [commit("a", "05T00:00:00"), commit("b", "06T00:00:00"), commit("e", "06T00:00:00")];
        let snapshot = of(Vec::new(), [ada.to_vec(), vec![bot.clone(), other]].concat());
        assert_eq!(say(&snapshot, "github.developers"), "github.developers.active_7d{} 2");
        assert_eq!(say(&snapshot, "github.commits.per"), "github.commits.per_developer_7d{} 2.5");
        let snapshot = of(Vec::new(), vec![bot]);
        assert_eq!(say(&snapshot, "github.developers"), "github.developers.active_7d{} 0");
        assert_eq!(say(&snapshot, "github.commits.per"), "");
    }

    #[test]
    fn a_change_is_a_merge_into_the_branch_or_a_commit_without_pull_request() {
        let mut elsewhere = merged(2, "05T00:00:00");
        elsewhere.into_branch = false;
        let direct = Commit { hotfix: true, ..commit("a", "05T00:00:00") };
        let of_the_merge = Commit { hotfix: true, revert: true, pull: Some(1), ..commit("b", "05T00:00:00") };
        let of_an_older_merge = Commit { hotfix: true, pull: Some(3), ..commit("c", "05T00:00:00") };
        let snapshot = of(
            vec![merged(1, "05T00:00:00"), elsewhere, merged(3, "01T11:59:59")],
            vec![direct, of_the_merge, of_an_older_merge, commit("d", "05T00:00:00")],
        );
        assert_eq!(say(&snapshot, "github.commits.hotfix{"), "github.commits.hotfix{} 2");
        assert_eq!(say(&snapshot, "github.commits.reverts{"), "github.commits.reverts{} 1");
    }

    #[test]
    fn a_change_counts_when_it_reached_the_branch_with_the_edges_of_week_and_slot() {
        let direct = |oid, committed| Commit { hotfix: true, ..commit(oid, committed) };
        let snapshot = of(
            vec![merged(1, "01T12:00:00"), merged(2, "08T11:45:00"), merged(3, "08T12:00:00")],
            vec![direct("a", "01T11:59:59"), direct("b", "08T11:59:59"), direct("c", "08T11:44:59")],
        );
        assert_eq!(say(&snapshot, "github.commits.hotfix{"), "github.commits.hotfix{} 4");
        let news = "github.commits.hotfix.new{} 0 @ 2026-01-08T11:15:00Z\n\
                    github.commits.hotfix.new{} 0 @ 2026-01-08T11:30:00Z\n\
                    github.commits.hotfix.new{} 1 @ 2026-01-08T11:45:00Z\n\
                    github.commits.hotfix.new{} 2 @ 2026-01-08T12:00:00Z";
        assert_eq!(say(&snapshot, "github.commits.hotfix.new"), news);
        let revert = "github.commits.reverts.new{} 1 @ 2026-01-08T12:00:00Z";
        assert!(say(&snapshot, "github.commits.reverts.new").ends_with(revert));
    }

    #[test]
    fn hotfixes_and_reverts_need_pull_requests_and_commits() {
        let whole = of(vec![merged(1, "05T00:00:00")], vec![commit("a", "05T00:00:00")]);
        for part in [Snapshot { pulls: None, ..whole.clone() }, Snapshot { commits: None, ..whole.clone() }] {
            assert_eq!(say(&part, "github.commits.hotfix"), "");
            assert_eq!(say(&part, "github.commits.reverts"), "");
            assert_eq!(samples(&part, at(NOW)).len(), samples(&whole, at(NOW)).len());
        }
        let without_pulls = Snapshot { pulls: None, ..whole };
        assert_eq!(say(&without_pulls, "github.commits.total"), "github.commits.total_7d{} 1");
    }

    #[test]
    fn nothing_in_a_week_is_zero_and_what_is_unknown_is_absent() {
        let empty = Snapshot { direct_files: Some([].into()), forced: Some(Vec::new()), ..of(Vec::new(), Vec::new()) };
        let totals: Vec<String> =
            say(&empty, "").lines().filter(|line| !line.contains('@')).map(str::to_owned).collect();
        let expected = [
            "github.code.files_changed_7d{} 0",
            "github.code.lines_added_7d{} 0",
            "github.code.lines_deleted_7d{} 0",
            "github.commits.force_merge_7d{} 0",
            "github.commits.hotfix{} 0",
            "github.commits.reverts{} 0",
            "github.commits.total_7d{} 0",
            "github.developers.active_7d{} 0",
        ];
        assert_eq!(totals, expected);
        assert_eq!(say(&nothing(), ""), "");
    }

    #[test]
    fn events_around_the_rules_count_in_their_week() {
        let forced = ["01T11:59:59", "01T12:00:00", "08T11:59:59", "08T12:00:00"].map(jan).to_vec();
        let snapshot = Snapshot { forced: Some(forced), ..nothing() };
        assert_eq!(say(&snapshot, "github.commits.force"), "github.commits.force_merge_7d{} 2");
    }

    #[test]
    fn files_are_distinct_paths_of_changes_and_unknown_while_those_of_one_change_are() {
        let mut elsewhere = merged(2, "05T00:00:00");
        (elsewhere.into_branch, elsewhere.files) = (false, None);
        let before = MergedPull { files: None, ..merged(3, "01T11:59:59") };
        let of_the_merge = Commit { pull: Some(1), ..commit("y", "05T00:00:00") };
        let merges = vec![merged(1, "05T00:00:00"), elsewhere, before];
        let commits = vec![commit("x", "05T00:00:00"), of_the_merge, commit("z", "01T11:59:59")];
        let direct = [("x".to_owned(), vec!["b".to_owned(), "c".to_owned(), "c".to_owned()])];
        let known = Snapshot { direct_files: Some(direct.into()), ..of(merges.clone(), commits) };
        assert_eq!(say(&known, "github.code.files"), "github.code.files_changed_7d{} 3");

        let unread = MergedPull { files: None, ..merged(4, "05T00:00:00") };
        let mut pulls = merges;
        pulls.push(unread);
        let one_pull = Snapshot { pulls: Some(Pulls { merged: pulls, ..Pulls::default() }), ..known.clone() };
        let one_commit = Snapshot { direct_files: Some([].into()), ..known.clone() };
        let all = Snapshot { direct_files: None, ..known };
        for unknown in [one_pull, one_commit, all] {
            assert_eq!(say(&unknown, "github.code.files"), "");
        }
    }
}
