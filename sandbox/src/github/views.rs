//! The model as it stands at an instant: what has happened by then, and nothing later.

mod commits;
mod issues;
mod pulls;

pub use commits::{Branch, Commit, tip_sha};
pub use issues::{Deployment, Issue};
pub use pulls::{Comment, Pull, Review};

use super::index::Index;
use crate::model::{Organisation, Person, PersonId, github as model};
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::HashMap;

/// Everything one request can see.
pub struct World<'w> {
    /// The pretend organisation.
    pub organisation: &'w Organisation,
    /// Ways into it.
    pub index: &'w Index,
    /// The instant it is seen at.
    pub now: Timestamp,
    /// Scheme and host of the API, as the client named them.
    pub base: String,
    /// What was counted of repositories so far.
    pub details: RefCell<HashMap<usize, serde_json::Value>>,
}

impl<'w> World<'w> {
    /// Finds a repository by its name, in any case.
    pub fn repository(&'w self, owner: &str, name: &str) -> Option<Repo<'w>> {
        self.repositories()
            .find(|repo| repo.data().owner.eq_ignore_ascii_case(owner) && repo.data().name.eq_ignore_ascii_case(name))
    }

    /// All repositories that exist by now.
    pub fn repositories(&'w self) -> impl Iterator<Item = Repo<'w>> {
        (0..self.organisation.repositories.len())
            .map(|at| Repo { world: self, at })
            .filter(|repo| repo.data().created_at <= self.now)
    }

    /// Somebody, by their place in the list.
    pub fn person(&'w self, id: PersonId) -> Option<&'w Person> {
        self.organisation.people.get(id)
    }

    /// Whether something of this time has happened.
    pub fn past(&self, at: Timestamp) -> bool {
        at <= self.now
    }
}

/// The login GraphQL shows: without the suffix of bots.
pub fn bare_login(person: &Person) -> &str {
    person.login.strip_suffix("[bot]").unwrap_or(&person.login)
}

/// The login REST shows: with the suffix of bots.
pub fn rest_login(person: &Person) -> String {
    if person.bot { format!("{}[bot]", bare_login(person)) } else { person.login.clone() }
}

/// A time as GitHub writes it: whole seconds, UTC.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A repository.
#[derive(Clone, Copy)]
pub struct Repo<'w> {
    /// Where it is seen.
    pub world: &'w World<'w>,
    /// Its place in the organisation.
    pub at: usize,
}

impl<'w> Repo<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Repository {
        &self.world.organisation.repositories[self.at]
    }

    /// Its database id.
    pub fn id(self) -> u64 {
        700_000_000 + self.at as u64
    }

    /// `owner/name`.
    pub fn full_name(self) -> String {
        format!("{}/{}", self.data().owner, self.data().name)
    }

    /// Its page for people.
    pub fn html(self) -> String {
        format!("https://github.com/{}", self.full_name())
    }

    /// Its address in the REST API.
    pub fn api(self) -> String {
        format!("{}/repos/{}", self.world.base, self.full_name())
    }

    /// Pull requests opened by now, by ascending number.
    pub fn pulls(self) -> impl Iterator<Item = Pull<'w>> {
        let count = self.data().pulls.len();
        (0..count).map(move |at| Pull { repo: self, at }).filter(|pull| pull.repo.world.past(pull.data().created_at))
    }

    /// A pull request by number.
    pub fn pull(self, number: u64) -> Option<Pull<'w>> {
        let at = *self.world.index.repositories[self.at].pulls.get(&number)?;
        Some(Pull { repo: self, at }).filter(|pull| self.world.past(pull.data().created_at))
    }

    /// Issues opened by now.
    pub fn issues(self) -> impl Iterator<Item = Issue<'w>> {
        let count = self.data().issues.len();
        (0..count)
            .map(move |at| Issue { repo: self, at })
            .filter(|issue| issue.repo.world.past(issue.data().created_at))
    }

    /// Commits the default branch contains by now, newest committer date first.
    pub fn history(self) -> impl Iterator<Item = Commit<'w>> {
        let order = &self.world.index.repositories[self.at].history;
        let landed = move |at: &&usize| self.world.past(self.data().commits[**at].landed_at);
        order.iter().filter(landed).map(move |at| Commit::landed(self, *at))
    }

    /// The commit that the default branch points at: the one that landed last, whatever date it carries.
    pub fn head(self) -> Option<Commit<'w>> {
        let landed = self.data().commits.partition_point(|commit| self.world.past(commit.landed_at));
        landed.checked_sub(1).map(|at| Commit::landed(self, at))
    }

    /// Whether the default branch holds nothing.
    pub fn is_empty(self) -> bool {
        self.data().empty || self.history().next().is_none()
    }

    /// Branches that exist by now, the default one first.
    pub fn branches(self) -> impl Iterator<Item = Branch<'w>> {
        let default = (!self.is_empty()).then_some(Branch { repo: self, at: None });
        let count = self.data().branches.len();
        let others = (0..count).map(move |at| Branch { repo: self, at: Some(at) });
        default.into_iter().chain(others.filter(|branch| branch.exists()))
    }

    /// A branch that exists by now, by name.
    pub fn branch(self, name: &str) -> Option<Branch<'w>> {
        if name == self.data().default_branch {
            return (!self.is_empty()).then_some(Branch { repo: self, at: None });
        }
        let places = self.world.index.repositories[self.at].branches.get(name)?;
        places.iter().map(|at| Branch { repo: self, at: Some(*at) }).find(|branch| branch.exists())
    }

    /// A commit by its whole sha.
    pub fn commit(self, sha: &str) -> Option<Commit<'w>> {
        let at = *self.world.index.repositories[self.at].commits.get(sha)?;
        Some(Commit { repo: self, sha: sha.to_owned(), at }).filter(Commit::visible)
    }

    /// A commit by sha, branch, tag-like or `refs/heads/` name, or `HEAD`.
    pub fn resolve(self, text: &str) -> Option<Commit<'w>> {
        let name = text.strip_prefix("refs/heads/").or_else(|| text.strip_prefix("heads/")).unwrap_or(text);
        let name = if name == "HEAD" { &self.data().default_branch } else { name };
        self.branch(name).and_then(Branch::tip).or_else(|| self.commit(text))
    }

    /// Deployments created by now.
    pub fn deployments(self) -> impl Iterator<Item = Deployment<'w>> {
        let count = self.data().deployments.len();
        (0..count)
            .map(move |at| Deployment { repo: self, at })
            .filter(|deployment| deployment.repo.world.past(deployment.data().created_at))
    }

    /// When something last reached it.
    pub fn pushed_at(self) -> Timestamp {
        let commits = &self.data().commits;
        let landed = commits.partition_point(|commit| commit.landed_at <= self.world.now);
        let tips = self.data().branches.iter().flat_map(|branch| branch.tips.iter().map(|tip| tip.1));
        tips.filter(|at| self.world.past(*at))
            .chain(commits[..landed].last().map(|commit| commit.landed_at))
            .max()
            .unwrap_or(self.data().created_at)
    }
}
