//! What one fetch asks of GraphQL, and the branch that the answers name.

use super::Upstream;
use super::branches::Branches;
use super::commits::Commits;
use super::deployments::Shipping;
use super::force;
use super::issues::Issues;
use super::pulls::Sets;
use super::rounds::{self, Ongoing, Query, ROUNDS, Target};
use crate::kept::Fetched;
use futures::future;
use jiff::Timestamp;
use shared::{Error, Result};

/// The parts that are read in rounds of GraphQL.
pub(super) struct Rounds<'r> {
    pub pulls: Ongoing<Sets>,
    pub branches: Ongoing<Branches>,
    pub commits: Ongoing<Commits<'r>>,
    pub issues: Ongoing<Issues<'r>>,
    pub shipping: Option<Ongoing<Shipping<'r>>>,
    /// How many rounds were asked.
    pub asked: u64,
}

impl Rounds<'_> {
    /// Asks one round; the name of the branch, or none where nothing is wanted any more.
    async fn step(&mut self, up: &Upstream, repo: &str, target: &Target) -> Result<Option<String>> {
        if up.client.left("github_graphql").is_some_and(|left| left < up.config.reserve)
            && let Some(pulls) = self.pulls.get_mut()
        {
            pulls.skip_files();
        }
        let mut parts: Vec<&mut dyn Query> =
            vec![&mut self.pulls, &mut self.branches, &mut self.commits, &mut self.issues];
        parts.extend(self.shipping.as_mut().map(|shipping| shipping as &mut dyn Query));
        let branch = rounds::step(&up.client, repo, target, parts).await?;
        self.asked += u64::from(branch.is_some());
        Ok(branch)
    }

    /// The parts that are not complete stay unknown, for this reason.
    fn fail(&mut self, error: &Error) {
        self.pulls.fail(error);
        self.branches.fail(error);
        self.commits.fail(error);
        self.issues.fail(error);
        if let Some(shipping) = &mut self.shipping {
            shipping.fail(error);
        }
    }
}

impl Upstream {
    /// The parts as a fetch begins with them.
    pub(super) fn rounds<'r>(&'r self, now: Timestamp, last: Option<&Fetched>) -> Rounds<'r> {
        let target = self.target();
        let known_pulls = last.and_then(|last| Some((last.snapshot.pulls.as_ref()?, last.kept.at)));
        let mut commits = Commits::new(&self.config, &self.digester, target.field(), now);
        if let Some(last) = last
            && let Some(known) = &last.snapshot.commits
        {
            commits = commits.known(known, last.kept.head.as_ref());
        }
        Rounds {
            pulls: Ongoing::new(Sets::new(now, known_pulls)),
            branches: Ongoing::new(Branches::new(last.map(|last| last.kept.cursors.as_slice()).unwrap_or_default())),
            commits: Ongoing::new(commits),
            issues: Ongoing::new(Issues::new(&self.config)),
            shipping: self.config.deploys.is_some().then(|| Ongoing::new(Shipping::new(&self.config, now))),
            asked: 0,
        }
    }

    pub(super) fn target(&self) -> Target {
        self.config.branch.clone().map_or(Target::Default, Target::Named)
    }

    /// Reads the rounds, and the forced events once the branch is known; none where the branch is not the expected one.
    pub(super) async fn graph(
        &self,
        repo: &str,
        expected: Option<&str>,
        rounds: &mut Rounds<'_>,
    ) -> Result<Option<(String, Result<force::Events>)>> {
        let target = self.target();
        let mut branch = String::new();
        while branch.is_empty() {
            branch = match rounds.step(self, repo, &target).await {
                Ok(branch) => branch.ok_or_else(|| Error::incomplete(format!("the branch of {repo}")))?,
                // Without GraphQL the rest can still be read, if it is known which branch counts.
                Err(
                    error @ (Error::Network { .. }
                    | Error::Timeout { .. }
                    | Error::Status { .. }
                    | Error::RateLimited { .. }
                    | Error::Decode { .. }),
                ) => {
                    let known = expected.map(str::to_owned).or_else(|| self.config.branch.clone());
                    let Some(known) = known else { return Err(error) };
                    rounds.fail(&error);
                    known
                }
                Err(error) => return Err(error),
            };
        }
        if expected.is_some_and(|expected| expected != branch) {
            return Ok(None);
        }
        let rest = self.remaining_rounds(repo, &target, rounds);
        let ((), events) = future::join(rest, force::ask(&self.client, repo, &branch, self.config.sources)).await;
        Ok(Some((branch, events)))
    }

    async fn remaining_rounds(&self, repo: &str, target: &Target, rounds: &mut Rounds<'_>) {
        for _ in 0..ROUNDS {
            match rounds.step(self, repo, target).await {
                Ok(None) => return,
                Ok(Some(_)) => {}
                Err(error) => rounds.fail(&error),
            }
        }
        rounds.fail(&Error::incomplete(format!("{repo} after {ROUNDS} rounds of GraphQL")));
    }
}
