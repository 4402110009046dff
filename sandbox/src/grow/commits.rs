//! Commits of the default branch: squashed, merged and rebased pull requests, and pushes past them.
//!
//! What lands at one instant is one push, its last commit the new tip; a tip is never older than what landed before it,
//! as in a history that git would take.

use super::dice::Dice;
use super::people::Crowd;
use super::span::Span;
use super::texts;
use crate::model::PersonId;
use crate::model::github::{Commit, Pull};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The default branch as it grows.
struct Trunk<'a> {
    crowd: &'a Crowd,
    branch: &'a str,
    commits: Vec<Commit>,
    tip: String,
    /// When the branch last took something.
    since: Timestamp,
}

pub(super) fn grow(dice: &mut Dice, span: Span, crowd: &Crowd, pulls: &mut [Pull], branch: &str) -> Vec<Commit> {
    let mut landings: BTreeMap<Timestamp, Option<usize>> = BTreeMap::new();
    for (place, pull) in pulls.iter_mut().enumerate() {
        match pull.merged_at {
            Some(at) if pull.base == branch => {
                landings.insert(at, Some(place));
            }
            Some(_) => pull.merge_commit = Some(dice.sha()),
            None => {}
        }
    }
    for at in [7, 30].iter().flat_map(|days| span.edges(dice, *days)).collect::<Vec<_>>() {
        landings.entry(at).or_insert(None);
    }
    for _ in 0..span.times(span.start, 7.0) {
        landings.entry(span.whenever(dice)).or_insert(None);
    }
    let mut trunk = Trunk { crowd, branch, commits: Vec::new(), tip: String::new(), since: span.start - HOUR * 12 };
    let first = trunk.commit(dice, trunk.since, 0, "Begin".to_owned());
    trunk.tip.clone_from(&first.sha);
    trunk.commits.push(Commit { parents: Vec::new(), ..first });
    for (at, place) in landings {
        match place {
            Some(place) => trunk.merge(dice, &mut pulls[place], at),
            None => trunk.push(dice, at),
        }
        trunk.since = at;
    }
    trunk.commits
}

impl Trunk<'_> {
    /// A commit upon the tip.
    fn commit(&self, dice: &mut Dice, committed_at: Timestamp, author: PersonId, message: String) -> Commit {
        let age = if dice.chance(0.3) { dice.about(HOUR * 10) } else { SignedDuration::ZERO };
        Commit {
            sha: dice.sha(),
            committed_at,
            authored_at: committed_at - age,
            landed_at: committed_at,
            author,
            email: self.crowd.email(dice, author),
            message,
            parents: vec![self.tip.clone()],
            additions: dice.between(0, 300).unsigned_abs(),
            deletions: dice.between(0, 120).unsigned_abs(),
            files: files(dice),
            pull: None,
        }
    }

    /// Takes these commits at an instant; the last one is the new tip.
    fn land(&mut self, commits: Vec<Commit>, at: Timestamp, pull: Option<&Pull>) {
        if let Some(tip) = commits.last() {
            self.tip.clone_from(&tip.sha);
        }
        let number = pull.map(|pull| pull.number);
        self.commits.extend(commits.into_iter().map(|commit| Commit { landed_at: at, pull: number, ..commit }));
    }

    fn merge(&mut self, dice: &mut Dice, pull: &mut Pull, at: Timestamp) {
        let author = pull.author.unwrap_or(0);
        let commits = match dice.between(0, 29) {
            0 | 1 => {
                let title = format!("Merge pull request #{} from acme/{}", pull.number, pull.head);
                let message = format!("{title}\n\n{}", pull.title);
                self.side_line(dice, author, pull.created_at.min(at) - HOUR * 20, at, message)
            }
            // A rebase makes its commits anew at one instant.
            2 | 3 => {
                let times = vec![at; dice.count(1, 3)];
                self.line(dice, author, times)
            }
            _ => {
                let message = format!("{} (#{})\n\n{}", pull.title, pull.number, pull.body);
                let squashed = self.commit(dice, at, author, message);
                let files = pull.files.iter().map(|path| (path.clone(), None)).collect();
                vec![Commit { files, ..squashed }]
            }
        };
        pull.merge_commit = commits.last().map(|commit| commit.sha.clone());
        self.land(commits, at, Some(pull));
    }

    fn push(&mut self, dice: &mut Dice, at: Timestamp) {
        let author = self.crowd.writer(dice);
        let commits = match dice.between(0, 9) {
            // Old work of a local branch, merged at home.
            0 | 1 => {
                let message = format!("Merge branch '{}' into {}", texts::word(dice), self.branch);
                self.side_line(dice, author, at - HOUR * 24 * 9, at, message)
            }
            // Several commits at once, made since the branch last moved.
            2 => {
                let earliest = self.since + SECOND;
                let mut times: Vec<Timestamp> = (0..dice.count(1, 3)).map(|_| dice.moment(earliest, at)).collect();
                times.sort();
                self.line(dice, author, times)
            }
            _ => self.line(dice, author, vec![at]),
        };
        self.land(commits, at, None);
    }

    /// Commits upon each other, the first upon the tip.
    fn line(&self, dice: &mut Dice, author: PersonId, times: Vec<Timestamp>) -> Vec<Commit> {
        let mut commits: Vec<Commit> = Vec::new();
        for at in times {
            let (title, body) = texts::change(dice);
            let commit = self.commit(dice, at, author, format!("{title}\n\n{body}"));
            let parents = commits.last().map_or(commit.parents.clone(), |before| vec![before.sha.clone()]);
            commits.push(Commit { parents, ..commit });
        }
        commits
    }

    /// Commits made aside from an instant on, and the merge commit that brings them.
    fn side_line(
        &self,
        dice: &mut Dice,
        author: PersonId,
        from: Timestamp,
        at: Timestamp,
        message: String,
    ) -> Vec<Commit> {
        let mut times: Vec<Timestamp> = (0..dice.count(1, 3)).map(|_| dice.moment(from, at - SECOND)).collect();
        times.sort();
        let mut commits = self.line(dice, author, times);
        // They grew upon what the branch held when they were begun.
        if let Some(first) = commits.first_mut() {
            let older = self.commits.iter().rfind(|commit| commit.landed_at <= first.committed_at);
            first.parents = older.map(|commit| commit.sha.clone()).into_iter().collect();
        }
        let merge = self.commit(dice, at, author, message);
        let aside = commits.last().map(|commit| commit.sha.clone());
        let parents = merge.parents.iter().cloned().chain(aside).collect();
        commits.push(Commit { parents, ..merge });
        commits
    }
}

fn files(dice: &mut Dice) -> Vec<(String, Option<String>)> {
    if dice.chance(0.015) {
        return (0..dice.count(301, 650)).map(|number| (format!("vendor/file_{number}.txt"), None)).collect();
    }
    let mut files: BTreeMap<String, Option<String>> =
        (0..dice.count(1, 4)).map(|_| (texts::path(dice), None)).collect();
    if dice.chance(0.15) {
        let former = texts::path(dice).replace("src/", "old/");
        files.insert(texts::path(dice), Some(former));
    }
    files.into_iter().collect()
}
