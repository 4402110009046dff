//! Pull requests with their reviews and comments, as they stand.

use super::{Branch, Commit, Repo, World};
use crate::github::ids::{Kind, node_id, sha_of};
use crate::github::index::CommitAt;
use crate::model::github as model;
use jiff::Timestamp;

/// A pull request.
#[derive(Clone, Copy)]
pub struct Pull<'w> {
    /// Its repository.
    pub repo: Repo<'w>,
    /// Its place there.
    pub at: usize,
}

impl<'w> Pull<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Pull {
        &self.repo.data().pulls[self.at]
    }

    fn world(self) -> &'w World<'w> {
        self.repo.world
    }

    /// Its database id.
    pub fn id(self) -> u64 {
        1_000_000_000 + self.repo.at as u64 * 10_000_000 + self.data().number
    }

    /// Its global node id.
    pub fn node_id(self) -> String {
        node_id(Kind::PullRequest, &[self.repo.id(), self.id()], "")
    }

    /// Its page for people.
    pub fn html(self) -> String {
        format!("{}/pull/{}", self.repo.html(), self.data().number)
    }

    /// When it was merged, if it is.
    pub fn merged_at(self) -> Option<Timestamp> {
        self.data().merged_at.filter(|at| self.world().past(*at))
    }

    /// When it was closed or merged, if it is.
    pub fn closed_at(self) -> Option<Timestamp> {
        self.data().closed_at.or(self.data().merged_at).filter(|at| self.world().past(*at))
    }

    /// `OPEN`, `CLOSED` or `MERGED`.
    pub fn state(self) -> &'static str {
        match (self.merged_at(), self.closed_at()) {
            (Some(_), _) => "MERGED",
            (None, Some(_)) => "CLOSED",
            (None, None) => "OPEN",
        }
    }

    /// Whether it is a draft.
    pub fn is_draft(self) -> bool {
        let turns = self.data().draft_turns.iter().rev();
        turns.filter(|turn| self.world().past(turn.0)).map(|turn| turn.1).next().unwrap_or(self.data().born_draft)
    }

    /// Turns between draft and ready that have happened.
    pub fn draft_turns(self) -> impl Iterator<Item = (usize, (Timestamp, bool))> {
        let turns = self.data().draft_turns.iter().copied().enumerate();
        turns.filter(move |turn| self.world().past(turn.1.0))
    }

    /// Reviews submitted by now; pending ones are for their author's eyes.
    pub fn reviews(self) -> impl Iterator<Item = Review<'w>> {
        let count = self.data().reviews.len();
        (0..count).map(move |at| Review { pull: self, at }).filter(|review| review.visible())
    }

    /// Comments written by now, with their places.
    pub fn comments(self) -> impl Iterator<Item = Comment<'w>> {
        let comments = self.data().comments.iter().enumerate();
        comments
            .filter(move |found| self.world().past(found.1.created_at))
            .map(move |(at, _)| Comment { pull: self, at })
    }

    /// Labels added by now.
    pub fn labels(self) -> impl Iterator<Item = &'w (String, Timestamp)> {
        self.data().labels.iter().filter(move |label| self.world().past(label.1))
    }

    /// When anything last happened to it.
    pub fn updated_at(self) -> Timestamp {
        let data = self.data();
        let turns = data.draft_turns.iter().map(|turn| turn.0);
        let reviews = data.reviews.iter().filter_map(|review| review.submitted_at);
        let comments = data.comments.iter().map(|comment| comment.created_at);
        let labels = data.labels.iter().map(|label| label.1);
        let ends = data.merged_at.into_iter().chain(data.closed_at);
        turns
            .chain(reviews)
            .chain(comments)
            .chain(labels)
            .chain(ends)
            .chain(data.touches.iter().copied())
            .filter(|at| self.world().past(*at))
            .fold(data.created_at, Timestamp::max)
    }

    /// The commit that merged it, once it has.
    pub fn merge_commit(self) -> Option<Commit<'w>> {
        self.merged_at()?;
        self.repo.commit(self.data().merge_commit.as_deref()?)
    }

    /// The tip of its head branch.
    pub fn head(self) -> Commit<'w> {
        let parents = self.merge_commit().map(|commit| commit.parents()).unwrap_or_default();
        if let Some(commit) = parents.get(1).and_then(|sha| self.repo.commit(sha)) {
            return commit;
        }
        let index = &self.world().index.repositories[self.repo.at];
        let places = index.branches.get(&self.data().head).filter(|_| !self.data().from_fork);
        let branches = places.into_iter().flatten().map(|at| Branch { repo: self.repo, at: Some(*at) });
        branches.filter_map(Branch::last_tip).next_back().unwrap_or_else(|| Commit {
            repo: self.repo,
            sha: sha_of(&[&self.repo.full_name(), "pull", &self.data().number.to_string()]),
            at: CommitAt::Head(self.at),
        })
    }

    /// The commits it consists of.
    pub fn commits(self) -> Vec<Commit<'w>> {
        let Some(merge) = self.merge_commit().filter(|commit| commit.parents().len() > 1) else {
            return vec![self.head()];
        };
        let places = self.world().index.repositories[self.repo.at].commits_of.get(&self.data().number);
        let commits = places.into_iter().flatten().map(|at| Commit::landed(self.repo, *at));
        let mut commits: Vec<_> = commits.filter(|commit| commit.visible() && commit.sha != merge.sha).collect();
        commits.sort_by_key(Commit::committed_at);
        if commits.is_empty() { vec![self.head()] } else { commits }
    }

    /// Lines added and deleted: those of its commits, or a line a file while nothing of it has landed.
    pub fn lines(self) -> (u64, u64) {
        match self.merge_commit().and_then(|commit| commit.model()) {
            Some(commit) if commit.parents.len() < 2 => (commit.additions, commit.deletions),
            Some(_) => self.commits().iter().map(Commit::lines).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            None => (self.data().files.len() as u64, 0),
        }
    }
}

/// A review that its readers may see.
#[derive(Clone, Copy)]
pub struct Review<'w> {
    /// Its pull request.
    pub pull: Pull<'w>,
    /// Its place there.
    pub at: usize,
}

impl<'w> Review<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Review {
        &self.pull.data().reviews[self.at]
    }

    /// When it was submitted; visible ones always were.
    pub fn submitted_at(self) -> Timestamp {
        self.data().submitted_at.unwrap_or(self.pull.data().created_at)
    }

    /// Whether it has been submitted by now.
    pub fn visible(self) -> bool {
        let data = self.data();
        data.state != "PENDING" && data.submitted_at.is_some_and(|at| self.pull.repo.world.past(at))
    }
}

/// A conversation comment.
#[derive(Clone, Copy)]
pub struct Comment<'w> {
    /// Its pull request.
    pub pull: Pull<'w>,
    /// Its place there.
    pub at: usize,
}

impl<'w> Comment<'w> {
    /// The facts.
    pub fn data(self) -> &'w model::Comment {
        &self.pull.data().comments[self.at]
    }
}
