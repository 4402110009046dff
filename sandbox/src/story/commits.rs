//! Commits of the default branch: squashed, merged and rebased pull requests, and those that went past them.

use super::{Dice, Span};
use crate::model::Person;
use crate::model::github::{Commit, Pull};
use jiff::{SignedDuration, Timestamp};

pub(super) fn grow(dice: &mut Dice, span: Span, people: &[Person], pulls: &mut [Pull], branch: &str) -> Vec<Commit> {
    let mut commits = vec![first(dice, span)];
    for pull in pulls.iter_mut().filter(|pull| pull.base == branch) {
        if let Some(merged_at) = pull.merged_at {
            let mut landed = merge(dice, people, pull, merged_at);
            pull.merge_commit = landed.last().map(|commit| commit.sha.clone());
            commits.append(&mut landed);
        }
    }
    for pull in pulls.iter_mut().filter(|pull| pull.base != branch && pull.merged_at.is_some()) {
        pull.merge_commit = Some(dice.sha());
    }
    for _ in 0..span.times(6.0) {
        let at = span.whenever(dice);
        let at = dice.snap(at);
        commits.push(direct(dice, people, at));
    }
    commits.sort_by_key(|commit| (commit.landed_at, commit.committed_at));
    chain(&mut commits);
    commits
}

/// Each commit's first parent is the one that landed before it. A merge commit joins two lines: the branch as it was, and
/// the commits that it brings, which follow each other from there.
fn chain(commits: &mut [Commit]) {
    let mut tip: Option<String> = None;
    for group in commits.chunk_by_mut(|a, b| a.pull.is_some() && a.pull == b.pull && a.landed_at == b.landed_at) {
        let before = tip.clone();
        let joins = group.last().is_some_and(|last| last.parents.len() == 2);
        let last = group.len() - 1;
        for (place, commit) in group.iter_mut().enumerate() {
            commit.parents = match (&before, &tip) {
                (Some(before), Some(tip)) if joins && place == last => vec![before.clone(), tip.clone()],
                (_, tip) => tip.iter().cloned().collect(),
            };
            tip = Some(commit.sha.clone());
        }
    }
}

fn first(dice: &mut Dice, span: Span) -> Commit {
    let at = span.start - SignedDuration::from_hours(12);
    Commit {
        sha: dice.sha(),
        committed_at: at,
        authored_at: at,
        landed_at: at,
        author: 0,
        email: "first@acme.example.org".to_owned(),
        message: "Begin".to_owned(),
        parents: Vec::new(),
        additions: 10,
        deletions: 0,
        files: vec![("README.md".to_owned(), None)],
        pull: None,
    }
}

fn merge(dice: &mut Dice, people: &[Person], pull: &Pull, merged_at: Timestamp) -> Vec<Commit> {
    let author = pull.author.unwrap_or(0);
    let message = format!("{} (#{})\n\n{}", pull.title, pull.number, pull.body);
    let files: Vec<(String, Option<String>)> = pull.files.iter().map(|path| (path.clone(), None)).collect();
    let make = |dice: &mut Dice, committed_at: Timestamp, message: &str, parents: usize| Commit {
        sha: dice.sha(),
        committed_at,
        authored_at: committed_at.min(pull.created_at),
        landed_at: merged_at,
        author,
        email: email(dice, people, author),
        message: message.to_owned(),
        parents: (0..parents).map(|_| dice.sha()).collect(),
        additions: dice.below(300).unsigned_abs(),
        deletions: dice.below(120).unsigned_abs(),
        files: files.clone(),
        pull: Some(pull.number),
    };
    match dice.below(20) {
        // A merge commit brings its commits along, with the dates they were made at.
        0 => {
            let mut landed: Vec<Commit> = (0..dice.count(1, 3))
                .map(|number| {
                    let age = SignedDuration::from_secs(
                        dice.below(merged_at.duration_since(pull.created_at).as_secs() + 86400),
                    );
                    make(dice, merged_at - age, &format!("Step {number} of {}", pull.title.to_lowercase()), 1)
                })
                .collect();
            landed.sort_by_key(|commit| commit.committed_at);
            landed.push(make(
                dice,
                merged_at,
                &format!("Merge pull request #{} from acme/{}", pull.number, pull.head),
                2,
            ));
            landed
        }
        // A rebase makes them anew.
        1 => (0..dice.count(1, 3))
            .map(|number| make(dice, merged_at, &format!("Step {number} of {}", pull.title), 1))
            .collect(),
        _ => vec![make(dice, merged_at, &message, 1)],
    }
}

fn direct(dice: &mut Dice, people: &[Person], at: Timestamp) -> Commit {
    let author = dice.count(0, people.len() - 1);
    let word = dice.word();
    let message = match dice.below(14) {
        0 => format!("hotfix {word}"),
        1 => format!("Revert \"Change {word}\"\n\nThis reverts commit {}.", dice.sha()),
        2 => format!("Mend {word}\n\nIt was hotfixed and reverted before."),
        3 => format!("revert: {word}"),
        4 => format!("Undo {word}\n\nThis reverts commit {}.", dice.sha()),
        _ => format!("Tidy {word}"),
    };
    let mut files: Vec<(String, Option<String>)> = if dice.chance(0.03) {
        (0..dice.count(301, 340)).map(|number| (format!("vendor/file_{number}.txt"), None)).collect()
    } else {
        (0..dice.count(1, 4)).map(|_| (dice.path(), None)).collect()
    };
    files.sort();
    files.dedup_by(|a, b| a.0 == b.0);
    if dice.chance(0.2)
        && let Some(file) = files.first_mut()
    {
        file.1 = Some(format!("old/{word}.rs"));
    }
    // A push comes a little after the commit, and sometimes days after it.
    let late = if dice.chance(0.1) { dice.about(SignedDuration::from_hours(30)) } else { SignedDuration::ZERO };
    Commit {
        sha: dice.sha(),
        committed_at: at,
        authored_at: at - SignedDuration::from_mins(5),
        landed_at: at + late,
        author,
        email: email(dice, people, author),
        message,
        parents: vec![String::new()],
        additions: dice.below(80).unsigned_abs(),
        deletions: dice.below(80).unsigned_abs(),
        files,
        pull: None,
    }
}

/// One of the author's addresses, in one of its spellings.
fn email(dice: &mut Dice, people: &[Person], author: usize) -> String {
    let address = people.get(author).map(|person| dice.pick(&person.emails).clone()).unwrap_or_default();
    if dice.chance(0.2) { address.to_uppercase() } else { address }
}
