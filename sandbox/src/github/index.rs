//! Ways into the model that would otherwise be searched for at every request.

use super::ids::sha_of;
use super::views::tip_sha;
use crate::model::{Organisation, github::Repository};
use std::collections::HashMap;

/// Where a commit is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitAt {
    /// A place among the commits of the default branch.
    Landed(usize),
    /// A place among the branches, and the tip's place there.
    Tip(usize, usize),
    /// The head of a pull request whose branch the model does not tell of, such as one in a fork.
    Head(usize),
}

/// The ways into one repository.
#[derive(Debug, Default)]
pub struct RepositoryIndex {
    /// Pull requests by number.
    pub pulls: HashMap<u64, usize>,
    /// Runs by id.
    pub runs: HashMap<u64, usize>,
    /// Branches by name, oldest first: a name may be used again.
    pub branches: HashMap<String, Vec<usize>>,
    /// Pull requests by head branch of this repository.
    pub heads: HashMap<String, usize>,
    /// Commits by sha.
    pub commits: HashMap<String, CommitAt>,
    /// Commits that came with a pull request.
    pub commits_of: HashMap<u64, Vec<usize>>,
    /// Commits of the default branch, newest committer date first.
    pub history: Vec<usize>,
}

/// The ways into an organisation.
#[derive(Debug, Default)]
pub struct Index {
    /// One for each repository.
    pub repositories: Vec<RepositoryIndex>,
}

impl Index {
    /// Reads an organisation once.
    pub fn new(organisation: &Organisation) -> Self {
        Self { repositories: organisation.repositories.iter().map(of).collect() }
    }
}

fn of(data: &Repository) -> RepositoryIndex {
    let mut index = RepositoryIndex::default();
    for (at, pull) in data.pulls.iter().enumerate() {
        index.pulls.insert(pull.number, at);
        let head = sha_of(&[&format!("{}/{}", data.owner, data.name), "pull", &pull.number.to_string()]);
        index.commits.insert(head, CommitAt::Head(at));
        if !pull.from_fork {
            index.heads.insert(pull.head.clone(), at);
        }
    }
    for (at, branch) in data.branches.iter().enumerate() {
        index.branches.entry(branch.name.clone()).or_default().push(at);
        for tip in 0..branch.tips.len() {
            index.commits.insert(tip_sha(data, at, tip), CommitAt::Tip(at, tip));
        }
    }
    for (at, commit) in data.commits.iter().enumerate() {
        index.commits.insert(commit.sha.clone(), CommitAt::Landed(at));
        if let Some(number) = commit.pull {
            index.commits_of.entry(number).or_default().push(at);
        }
    }
    index.runs = data.runs.iter().enumerate().map(|(at, run)| (run.id, at)).collect();
    index.history = (0..data.commits.len()).collect();
    index.history.sort_by_key(|at| std::cmp::Reverse((data.commits[*at].committed_at, *at)));
    index
}
