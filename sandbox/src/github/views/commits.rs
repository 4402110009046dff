//! Branches and commits, as they stand.

use super::{Pull, Repo};
use crate::github::ids::{Kind, node_id, sha_of};
use crate::github::index::CommitAt;
use crate::model::{PersonId, github as model};
use jiff::Timestamp;

/// A branch; the default one has no place among the others.
#[derive(Clone, Copy)]
pub struct Branch<'w> {
    /// Its repository.
    pub repo: Repo<'w>,
    /// Its place among the branches other than the default one.
    pub at: Option<usize>,
}

impl<'w> Branch<'w> {
    /// Its name without `refs/heads/`.
    pub fn name(self) -> &'w str {
        match self.at {
            Some(at) => &self.repo.data().branches[at].name,
            None => &self.repo.data().default_branch,
        }
    }

    pub(super) fn exists(self) -> bool {
        let world = self.repo.world;
        self.at.map(|at| &self.repo.data().branches[at]).is_none_or(|branch| {
            branch.tips.first().is_some_and(|tip| world.past(tip.1))
                && !branch.deleted_at.is_some_and(|at| world.past(at))
        })
    }

    /// The newest commit on it.
    pub fn tip(self) -> Option<Commit<'w>> {
        if self.at.is_none() { self.repo.head() } else { self.last_tip() }
    }

    pub(super) fn last_tip(self) -> Option<Commit<'w>> {
        let at = self.at?;
        let tips = &self.repo.data().branches[at].tips;
        let tip = tips.iter().rposition(|tip| self.repo.world.past(tip.1))?;
        Some(Commit { repo: self.repo, sha: tip_sha(self.repo.data(), at, tip), at: CommitAt::Tip(at, tip) })
    }
}

/// The sha of a branch's n-th tip: the model tells its dates alone.
pub fn tip_sha(repository: &model::Repository, branch: usize, tip: usize) -> String {
    let name = &repository.branches[branch].name;
    sha_of(&[&repository.owner, &repository.name, name, &branch.to_string(), &tip.to_string()])
}

/// A commit: one of the default branch, or the tip of another.
#[derive(Clone)]
pub struct Commit<'w> {
    /// Its repository.
    pub repo: Repo<'w>,
    /// 40 hexadecimal digits.
    pub sha: String,
    /// Where it is told of.
    pub at: CommitAt,
}

impl<'w> Commit<'w> {
    /// One of the default branch's.
    pub fn landed(repo: Repo<'w>, at: usize) -> Self {
        Self { repo, sha: repo.data().commits[at].sha.clone(), at: CommitAt::Landed(at) }
    }

    /// The facts, if it is one of the default branch's.
    pub fn model(&self) -> Option<&'w model::Commit> {
        match self.at {
            CommitAt::Landed(at) => self.repo.data().commits.get(at),
            CommitAt::Tip(..) | CommitAt::Head(_) => None,
        }
    }

    /// Whether it is there by now.
    pub fn visible(&self) -> bool {
        let data = self.repo.data();
        self.repo.world.past(match self.at {
            CommitAt::Landed(at) => data.commits[at].landed_at,
            CommitAt::Tip(branch, tip) => data.branches[branch].tips[tip].1,
            CommitAt::Head(pull) => data.pulls[pull].created_at,
        })
    }

    /// Committer date.
    pub fn committed_at(&self) -> Timestamp {
        let data = self.repo.data();
        match self.at {
            CommitAt::Landed(at) => data.commits[at].committed_at,
            CommitAt::Tip(branch, tip) => data.branches[branch].tips[tip].0,
            CommitAt::Head(pull) => data.pulls[pull].created_at,
        }
    }

    /// Author date.
    pub fn authored_at(&self) -> Timestamp {
        self.model().map_or_else(|| self.committed_at(), |commit| commit.authored_at)
    }

    fn pull_of_tip(&self) -> Option<&'w model::Pull> {
        let data = self.repo.data();
        match self.at {
            CommitAt::Landed(_) => None,
            CommitAt::Tip(branch, _) => {
                let heads = &self.repo.world.index.repositories[self.repo.at].heads;
                heads.get(&data.branches[branch].name).map(|at| &data.pulls[*at])
            }
            CommitAt::Head(pull) => data.pulls.get(pull),
        }
    }

    /// Its author.
    pub fn author(&self) -> Option<PersonId> {
        self.model().map_or_else(|| self.pull_of_tip().and_then(|pull| pull.author), |commit| Some(commit.author))
    }

    /// Its author, where the address leads to an account.
    pub fn account(&self) -> Option<PersonId> {
        self.author().filter(|id| self.repo.world.person(*id).is_some_and(|person| person.linked))
    }

    /// The author's name and address.
    pub fn signature(&self) -> (String, String) {
        let person = self.author().and_then(|id| self.repo.world.person(id));
        let name = person.map_or_else(|| "Ghost".to_owned(), |person| person.name.clone());
        let usual = person.and_then(|person| person.emails.first().cloned());
        let email = self.model().map(|commit| commit.email.clone()).or(usual);
        (name, email.unwrap_or_else(|| "ghost@users.noreply.github.com".to_owned()))
    }

    /// The whole message.
    pub fn message(&self) -> String {
        let tip = || self.pull_of_tip().map_or_else(|| "Work in progress".to_owned(), |pull| pull.title.clone());
        self.model().map_or_else(tip, |commit| commit.message.clone())
    }

    /// Shas of its parents.
    pub fn parents(&self) -> Vec<String> {
        let data = self.repo.data();
        match self.at {
            CommitAt::Landed(at) => data.commits[at].parents.clone(),
            CommitAt::Tip(branch, tip) if tip > 0 => vec![tip_sha(data, branch, tip - 1)],
            CommitAt::Tip(..) | CommitAt::Head(_) => {
                let base = self.repo.history().find(|commit| commit.committed_at() <= self.committed_at());
                base.map(|commit| commit.sha).into_iter().collect()
            }
        }
    }

    /// Lines added and deleted.
    pub fn lines(&self) -> (u64, u64) {
        self.model().map_or_else(|| (self.files().len() as u64, 0), |commit| (commit.additions, commit.deletions))
    }

    /// Paths touched, each with its former name where it was renamed.
    pub fn files(&self) -> Vec<(String, Option<String>)> {
        let tip = || self.pull_of_tip().map(|pull| pull.files.iter().map(|path| (path.clone(), None)).collect());
        self.model().map(|commit| commit.files.clone()).or_else(tip).unwrap_or_default()
    }

    /// The pull requests it came with.
    pub fn pulls(&self) -> Vec<Pull<'w>> {
        let number = self.model().map_or_else(|| self.pull_of_tip().map(|pull| pull.number), |commit| commit.pull);
        number.and_then(|number| self.repo.pull(number)).into_iter().collect()
    }

    /// It and what came before it, newest first. Along the default branch that is whatever the branch held when it
    /// landed, because the model tells when commits land and not every parent of theirs.
    pub fn history(&self) -> Vec<Commit<'w>> {
        let repo = self.repo;
        match self.at {
            CommitAt::Landed(at) => {
                // Commits stand in the order in which they landed; the later ones are no ancestors of this one, whatever
                // dates they carry.
                let before = |commit: &Commit<'w>| matches!(commit.at, CommitAt::Landed(other) if other < at);
                std::iter::once(self.clone()).chain(repo.history().filter(before)).collect()
            }
            CommitAt::Tip(branch, tip) => {
                let of = |tip| Commit { repo, sha: tip_sha(repo.data(), branch, tip), at: CommitAt::Tip(branch, tip) };
                let own: Vec<_> = (0..=tip).rev().map(of).collect();
                let began = repo.data().branches[branch].tips[0].0;
                own.into_iter().chain(repo.history().filter(|commit| commit.committed_at() <= began)).collect()
            }
            CommitAt::Head(_) => {
                let began = self.committed_at();
                let base = repo.history().filter(|commit| commit.committed_at() <= began);
                std::iter::once(self.clone()).chain(base).collect()
            }
        }
    }

    /// Its global node id.
    pub fn node_id(&self) -> String {
        node_id(Kind::Commit, &[self.repo.id()], &self.sha)
    }

    /// Its page for people.
    pub fn html(&self) -> String {
        format!("{}/commit/{}", self.repo.html(), self.sha)
    }
}
