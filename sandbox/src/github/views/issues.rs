//! Issues and deployments, as they stand.

use super::Repo;
use crate::github::ids::{Kind, node_id};
use crate::model::{PersonId, github as model};
use jiff::Timestamp;

/// An issue.
#[derive(Clone, Copy)]
pub struct Issue<'w> {
    /// Its repository.
    pub repo: Repo<'w>,
    /// Its place there.
    pub at: usize,
}

impl<'w> Issue<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Issue {
        &self.repo.data().issues[self.at]
    }

    /// Its database id.
    pub fn id(self) -> u64 {
        1_500_000_000 + self.repo.at as u64 * 10_000_000 + self.data().number
    }

    /// Its global node id.
    pub fn node_id(self) -> String {
        node_id(Kind::Issue, &[self.repo.id(), self.id()], "")
    }

    /// Its page for people.
    pub fn html(self) -> String {
        format!("{}/issues/{}", self.repo.html(), self.data().number)
    }

    /// When it was closed, if it is.
    pub fn closed_at(self) -> Option<Timestamp> {
        self.data().closed_at.filter(|at| self.repo.world.past(*at))
    }

    /// When anything last happened to it.
    pub fn updated_at(self) -> Timestamp {
        self.closed_at().unwrap_or(self.data().created_at).max(self.data().created_at)
    }
}

/// A deployment.
#[derive(Clone, Copy)]
pub struct Deployment<'w> {
    /// Its repository.
    pub repo: Repo<'w>,
    /// Its place there.
    pub at: usize,
}

impl<'w> Deployment<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Deployment {
        &self.repo.data().deployments[self.at]
    }

    /// Statuses given by now, ascending.
    pub fn statuses(self) -> impl DoubleEndedIterator<Item = (usize, &'static str, Timestamp)> {
        let statuses = self.data().statuses.iter().enumerate();
        statuses.filter(move |found| self.repo.world.past(found.1.1)).map(|(at, status)| (at, status.0, status.1))
    }

    /// When its status last changed.
    pub fn updated_at(self) -> Timestamp {
        self.statuses().last().map_or(self.data().created_at, |status| status.2)
    }

    /// Who asked for it: the author of what is deployed.
    pub fn creator(self) -> Option<PersonId> {
        self.repo.commit(&self.data().sha).and_then(|commit| commit.author())
    }

    /// Its global node id.
    pub fn node_id(self) -> String {
        node_id(Kind::Deployment, &[self.repo.id(), self.data().id], "")
    }
}
