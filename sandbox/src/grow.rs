//! Grows the organisation from its seed: the same seed tells the same story to the last digit.
//!
//! Much of it is there to be inconvenient: whatever a definition of the catalogue turns on happens here often, and many
//! things happen exactly where windows and slots of a run at the epoch begin and end, or a second before. Each upstream
//! is a part with chance of its own, so that a new one leaves the others as they were.

mod branches;
mod commits;
mod deployments;
mod dice;
mod people;
mod pulls;
mod runs;
mod span;
#[cfg(test)]
mod tests;
mod texts;

pub use people::SERVICE_ACCOUNT;

use crate::model::github::Repository;
use crate::model::{Organisation, Seed};
use dice::Dice;
use jiff::{SignedDuration, Timestamp};
use people::Crowd;
use span::Span;

/// How much happens in an organisation of size 0.
const SMALL: f64 = 0.1;

/// The organisation of this seed. Size 0 is a tenth of the reference, for tests that want many of them.
#[must_use]
pub fn grow(seed: Seed) -> Organisation {
    let mut dice = Dice::new(seed.number.wrapping_mul(1_000_003) ^ u64::from(seed.size));
    let factor = if seed.size == 0 { SMALL } else { f64::from(seed.size) };
    let span = Span::new(seed.epoch, factor);
    let crowd = Crowd::new(&mut dice.split(), if seed.size == 0 { 8 } else { 25 });
    let mut names = ["main", "master", "trunk"].into_iter().cycle().skip(dice.count(0, 2));
    let mut repositories = Vec::new();
    // The first repository is the one of the reference; the second is a small one beside it.
    for (name, span) in [("web", span), ("api", Span { factor: (factor / 4.0).min(0.5), ..span })] {
        let branch = names.next().unwrap_or("main");
        repositories.push(repository(&mut dice.split(), span, &crowd, name, branch));
    }
    if dice.chance(0.3) {
        repositories.push(empty(span.start, "attic", "main"));
    }
    Organisation { seed, people: crowd.people, repositories }
}

fn empty(created_at: Timestamp, name: &str, branch: &str) -> Repository {
    Repository {
        owner: "acme".to_owned(),
        name: name.to_owned(),
        default_branch: branch.to_owned(),
        empty: true,
        created_at,
        pulls: Vec::new(),
        commits: Vec::new(),
        branches: Vec::new(),
        workflows: Vec::new(),
        runs: Vec::new(),
        issues: Vec::new(),
        deployments: Vec::new(),
        force_pushes: Vec::new(),
        rule_suites: Vec::new(),
        runners: Vec::new(),
    }
}

fn repository(dice: &mut Dice, span: Span, crowd: &Crowd, name: &str, branch: &str) -> Repository {
    let begun = span.start - SignedDuration::from_hours(24);
    let mut repository = Repository { empty: false, ..empty(begun, name, branch) };
    repository.pulls = pulls::grow(&mut dice.split(), span, crowd, branch);
    repository.issues = deployments::issues(&mut dice.split(), span);
    number(&mut repository);
    repository.commits = commits::grow(&mut dice.split(), span, crowd, &mut repository.pulls, branch);
    repository.branches = branches::grow(&mut dice.split(), span, &repository.pulls);
    repository.workflows = runs::workflows(&mut dice.split(), span);
    repository.runs = runs::grow(&mut dice.split(), span, crowd, &repository);
    repository.deployments = deployments::deployments(&mut dice.split(), span, &repository.commits);
    (repository.force_pushes, repository.rule_suites) =
        deployments::pushes(&mut dice.split(), span, crowd, &repository);
    repository.runners = deployments::runners(&mut dice.split());
    repository
}

/// Pull requests and issues share one numbering, in the order in which they were opened.
fn number(repository: &mut Repository) {
    let pulls = repository.pulls.iter_mut().map(|pull| (pull.created_at, &mut pull.number));
    let issues = repository.issues.iter_mut().map(|issue| (issue.created_at, &mut issue.number));
    let mut all: Vec<(Timestamp, &mut u64)> = pulls.chain(issues).collect();
    all.sort_by_key(|(created_at, _)| *created_at);
    for (next, (_, number)) in (1..).zip(all) {
        *number = next;
    }
    for pull in &mut repository.pulls {
        pull.head = format!("{}/change-{}", pull.head, pull.number);
    }
}
