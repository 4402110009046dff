//! Pull requests, changes, commits, branches and issues.

use super::Values;
use super::scene::{self, Scene, hours, mean, percentile, series};
use crate::model::github::{Commit, Pull};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// A pull request is merged in time within this many hours.
const TARGET_HOURS: f64 = 48.0;

pub(super) fn tell(scene: &Scene<'_>, values: &mut Values) {
    pulls(scene, values);
    reviews(scene, values);
    changes(scene, values);
    commits(scene, values);
    branches(scene, values);
    issues(scene, values);
}

/// M: merged in the last seven days, into whatever branch.
fn merged<'a>(scene: &'a Scene<'_>) -> Vec<(&'a Pull, Timestamp)> {
    let at = |pull: &'a Pull| pull.merged_at.filter(|merged| scene.within(7, *merged)).map(|merged| (pull, merged));
    scene.repository.pulls.iter().filter_map(at).collect()
}

/// When it last became ready for review, if it ever was a draft that did; else when it was opened.
fn live_since(scene: &Scene<'_>, pull: &Pull) -> Timestamp {
    let ready = pull.draft_turns.iter().filter(|(at, draft)| !draft && *at <= scene.now).map(|(at, _)| *at).max();
    ready.unwrap_or(pull.created_at)
}

fn pulls(scene: &Scene<'_>, values: &mut Values) {
    let open: Vec<&Pull> = scene.repository.pulls.iter().filter(|pull| scene.is_open(pull)).collect();
    let draft = |pull: &Pull| {
        pull.draft_turns.iter().rev().find(|(at, _)| *at <= scene.now).map_or(pull.born_draft, |(_, draft)| *draft)
    };
    let old = scene.now - SignedDuration::from_hours(14 * 24);
    let closed = scene
        .repository
        .pulls
        .iter()
        .filter(|pull| pull.merged_at.is_none() && pull.closed_at.is_some_and(|closed| scene.within(7, closed)));
    let merged = merged(scene);
    let cycle: Vec<f64> = merged.iter().map(|(pull, merged)| hours(pull.created_at, *merged)).collect();
    let live: Vec<f64> = merged
        .iter()
        .map(|(pull, merged)| hours(live_since(scene, pull), *merged))
        .filter(|hours| *hours >= 0.0)
        .collect();
    for (name, value) in [
        ("github.prs.open", Some(scene::count(open.len()))),
        ("github.prs.draft", Some(scene::count(open.iter().filter(|pull| draft(pull)).count()))),
        ("github.prs.stale_count_14d", Some(scene::count(open.iter().filter(|pull| pull.created_at < old).count()))),
        ("github.prs.merged_7d", Some(scene::count(merged.len()))),
        ("github.prs.closed_without_merge_7d", Some(scene::count(closed.count()))),
        ("github.prs.cycle_time_hours", mean(&cycle)),
        ("github.prs.cycle_time_hours.p50", percentile(&cycle, 0.5)),
        ("github.prs.cycle_time_hours.p90", percentile(&cycle, 0.9)),
        ("github.prs.avg_time_to_merge_hours", mean(&live)),
    ] {
        scene.put(values, name, &[], value);
    }
}

fn reviews(scene: &Scene<'_>, values: &mut Values) {
    let merged = merged(scene);
    let (mut comments, mut commented, mut unreviewed) = (0, 0, 0);
    let (mut first, mut pickup, mut review): (Vec<f64>, Vec<f64>, Vec<f64>) = (vec![], vec![], vec![]);
    for (pull, merged) in &merged {
        let others = pull.reviews.iter().filter(|review| scene.is_human_other(review.author, pull.author));
        let reviews: Vec<_> =
            others.filter_map(|review| Some((review, review.submitted_at.filter(|at| *at <= scene.now)?))).collect();
        let talk: Vec<_> = pull
            .comments
            .iter()
            .filter(|comment| comment.created_at <= scene.now && scene.is_human_other(comment.author, pull.author))
            .collect();
        let said = reviews
            .iter()
            .map(|(review, _)| review.inline_comments as usize + usize::from(!review.body.is_empty()))
            .sum::<usize>()
            + talk.len();
        comments += said;
        commented += usize::from(said > 0);
        let earliest = reviews.iter().map(|(_, at)| *at).chain(talk.iter().map(|comment| comment.created_at)).min();
        let live = live_since(scene, pull);
        if let Some(earliest) = earliest {
            let waited = hours(live, earliest).max(0.0);
            first.push(waited);
            pickup.push(waited);
            review.push(hours(earliest, *merged));
        } else {
            unreviewed += 1;
            pickup.push(hours(live, *merged));
        }
    }
    review.retain(|hours| *hours >= 0.0);
    pickup.retain(|hours| *hours >= 0.0);
    let members = scene::count(merged.len());
    let share = |part: f64| if merged.is_empty() { None } else { Some(part / members) };
    for (name, value) in [
        ("github.prs.with_review_comments_pct", share(100.0 * scene::count(commented))),
        ("github.prs.avg_comments_per_pr", share(scene::count(comments))),
        ("github.prs.time_to_first_review_hours", mean(&first)),
        ("github.prs.pickup_time_hours.p50", percentile(&pickup, 0.5)),
        ("github.prs.pickup_time_hours.p90", percentile(&pickup, 0.9)),
        ("github.prs.review_time_hours.p50", percentile(&review, 0.5)),
        ("github.prs.review_time_hours.p90", percentile(&review, 0.9)),
        ("github.prs.merged_without_review_7d", Some(scene::count(unreviewed))),
    ] {
        scene.put(values, name, &[], value);
    }
}

/// A pull request merged into the default branch, or a commit that came without one.
pub(super) enum Change<'a> {
    Pull(&'a Pull),
    Commit(&'a Commit),
}

fn changed<'a>(scene: &'a Scene<'_>) -> Vec<(Change<'a>, Timestamp)> {
    let branch = &scene.repository.default_branch;
    let pulls =
        merged(scene).into_iter().filter(|(pull, _)| pull.base == *branch).map(|(pull, at)| (Change::Pull(pull), at));
    let direct = landed(scene)
        .into_iter()
        .filter(|commit| commit.pull.is_none())
        .map(|commit| (Change::Commit(commit), commit.committed_at));
    pulls.chain(direct).collect()
}

/// Commits that the default branch holds now, made in the last seven days.
fn landed<'a>(scene: &'a Scene<'_>) -> Vec<&'a Commit> {
    scene
        .repository
        .commits
        .iter()
        .filter(|commit| commit.landed_at <= scene.now && scene.within(7, commit.committed_at))
        .collect()
}

/// Whether a title holds hotfix or hotfixes, with or without a hyphen, as a word of its own.
fn is_hotfix_title(title: &str) -> bool {
    let letters: Vec<char> = format!(" {} ", title.to_lowercase()).chars().collect();
    ["hotfix", "hot-fix", "hotfixes", "hot-fixes"].iter().any(|word| {
        let word: Vec<char> = word.chars().collect();
        letters.windows(word.len() + 2).any(|window| {
            let inside = |c: char| c.is_alphanumeric() || c == '_';
            window[1..=word.len()] == word[..] && !inside(window[0]) && !inside(window[word.len() + 1])
        })
    })
}

/// Whether a title or a body says that something is taken back, and is not itself taken back.
fn is_revert_text(title: &str, body: &str) -> bool {
    if title.starts_with("Revert \"Revert \"") || title.starts_with("Reapply \"") {
        return false;
    }
    let scoped = title.strip_prefix("revert(").is_some_and(|rest| rest.contains("):"));
    title.starts_with("Revert \"")
        || title.starts_with("revert:")
        || scoped
        || body.lines().any(|line| line.starts_with("This reverts commit "))
}

fn parts(message: &str) -> (&str, &str) {
    message.split_once('\n').unwrap_or((message, ""))
}

pub(super) fn is_hotfix(scene: &Scene<'_>, change: &Change<'_>) -> bool {
    match change {
        Change::Pull(pull) => is_hotfix_title(&pull.title) || scene.has_label(pull, &scene.settings.hotfix),
        Change::Commit(commit) => is_hotfix_title(parts(&commit.message).0),
    }
}

pub(super) fn is_revert(scene: &Scene<'_>, change: &Change<'_>) -> bool {
    match change {
        Change::Pull(pull) => is_revert_text(&pull.title, &pull.body) || scene.has_label(pull, &scene.settings.revert),
        Change::Commit(commit) => {
            let (title, body) = parts(&commit.message);
            is_revert_text(title, body)
        }
    }
}

fn changes(scene: &Scene<'_>, values: &mut Values) {
    let changes = changed(scene);
    let branch = &scene.repository.default_branch;
    let pushed =
        scene.repository.force_pushes.iter().filter(|push| push.branch == *branch && scene.within(7, push.at)).count();
    let labelled = changes
        .iter()
        .filter(|(change, _)| matches!(change, Change::Pull(pull) if scene.has_label(pull, &scene.settings.force)))
        .count();
    let mut files: BTreeSet<&str> = BTreeSet::new();
    for (change, _) in &changes {
        match change {
            Change::Pull(pull) => files.extend(pull.files.iter().map(String::as_str)),
            Change::Commit(commit) => files.extend(commit.files.iter().map(|(path, _)| path.as_str())),
        }
    }
    for (name, number) in [
        ("github.commits.hotfix", changes.iter().filter(|(change, _)| is_hotfix(scene, change)).count()),
        ("github.commits.reverts", changes.iter().filter(|(change, _)| is_revert(scene, change)).count()),
        ("github.commits.force_merge_7d", pushed + labelled),
        ("github.code.files_changed_7d", files.len()),
    ] {
        scene.put(values, name, &[], Some(scene::count(number)));
    }
}

fn commits(scene: &Scene<'_>, values: &mut Values) {
    let commits = landed(scene);
    let mut developers = BTreeSet::new();
    for commit in &commits {
        let person = &scene.people[commit.author];
        if !person.linked {
            developers.insert(commit.email.to_lowercase());
        } else if !scene.is_bot(commit.author) {
            developers.insert(format!("@{}", person.login));
        }
    }
    let own: Vec<&&Commit> = commits.iter().filter(|commit| commit.parents.len() < 2).collect();
    let lines = |of: fn(&Commit) -> u64| {
        Some(scene::count(usize::try_from(own.iter().map(|commit| of(commit)).sum::<u64>()).unwrap_or(0)))
    };
    let each =
        if developers.is_empty() { None } else { Some(scene::count(commits.len()) / scene::count(developers.len())) };
    for (name, value) in [
        ("github.commits.total_7d", Some(scene::count(commits.len()))),
        ("github.commits.per_developer_7d", each),
        ("github.developers.active_7d", Some(scene::count(developers.len()))),
        ("github.code.lines_added_7d", lines(|commit| commit.additions)),
        ("github.code.lines_deleted_7d", lines(|commit| commit.deletions)),
    ] {
        scene.put(values, name, &[], value);
    }
}

fn branches(scene: &Scene<'_>, values: &mut Values) {
    let (mut active, mut stale) = (0, 0);
    for branch in
        scene.repository.branches.iter().filter(|branch| branch.deleted_at.is_none_or(|deleted| scene.now < deleted))
    {
        let Some((committed, _)) = branch.tips.iter().rev().find(|(_, since)| *since <= scene.now) else { continue };
        let wanted = scene
            .repository
            .pulls
            .iter()
            .any(|pull| scene.is_open(pull) && !pull.from_fork && pull.head == branch.name);
        active += usize::from(scene.within(30, *committed));
        stale += usize::from(*committed < scene.now - SignedDuration::from_hours(30 * 24) && !wanted);
    }
    scene.put(values, "github.branches.active", &[], Some(scene::count(active)));
    scene.put(values, "github.branches.stale", &[], Some(scene::count(stale)));
}

fn issues(scene: &Scene<'_>, values: &mut Values) {
    let open =
        || {
            scene.repository.issues.iter().filter(|issue| {
                issue.created_at <= scene.now && issue.closed_at.is_none_or(|closed| scene.now < closed)
            })
        };
    scene.put(values, "github.issues.open", &[("label", "any")], Some(scene::count(open().count())));
    for label in &scene.settings.bugs {
        let number = open().filter(|issue| issue.labels.iter().any(|other| other.eq_ignore_ascii_case(label))).count();
        scene.put(values, "github.issues.open", &[("label", label)], Some(scene::count(number)));
    }
}

pub(super) fn count_in_slot(times: impl Iterator<Item = Timestamp>, end: Timestamp) -> f64 {
    scene::count(times.filter(|time| end - SignedDuration::from_mins(15) <= *time && *time < end).count())
}

pub(super) fn count(scene: &Scene<'_>, end: Timestamp, values: &mut Values) {
    let merged = merged(scene);
    let in_time = merged.iter().filter(|(pull, merged)| hours(pull.created_at, *merged) <= TARGET_HOURS);
    let changes = changed(scene);
    let of = |wanted: fn(&Scene<'_>, &Change<'_>) -> bool| {
        count_in_slot(changes.iter().filter(|(change, _)| wanted(scene, change)).map(|(_, at)| *at), end)
    };
    for (name, value) in [
        ("github.prs.merged.new", count_in_slot(merged.iter().map(|(_, at)| *at), end)),
        ("github.prs.merged_within_target.new", count_in_slot(in_time.map(|(_, at)| *at), end)),
        ("github.commits.hotfix.new", of(is_hotfix)),
        ("github.commits.reverts.new", of(is_revert)),
    ] {
        scene.put(values, name, &[], Some(value));
    }
}

pub(super) fn observe(scene: &Scene<'_>, from: Timestamp, values: &mut BTreeMap<String, Vec<f64>>) {
    for (pull, merged) in merged(scene).into_iter().filter(|(_, merged)| from <= *merged) {
        values
            .entry(series("github.prs.cycle_time", &[("repo", &scene.repo())]))
            .or_default()
            .push(hours(pull.created_at, merged));
    }
}
