//! Grows the organisation from its seed: the same seed tells the same story to the last digit.
//!
//! Much of it is there to be inconvenient: whatever a definition of the catalogue turns on happens here often, and many
//! things happen exactly on the grid of runs or a second before it, where windows begin and end.

mod asana;
mod commits;
mod dice;
mod pulls;
mod rest;
mod runs;
mod skypilot;
mod wandb;

use crate::model::github::Repository;
use crate::model::{Organisation, Person, Seed};
use dice::Dice;
use jiff::{SignedDuration, Timestamp};

/// How long before the epoch the story begins, and how long after it ends.
const BEFORE: SignedDuration = SignedDuration::from_hours(60 * 24);
const AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The time a story is told in, and how much happens in it.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: Timestamp,
    end: Timestamp,
    epoch: Timestamp,
    factor: f64,
}

impl Span {
    /// How often something happens in all this time that happens so often a week at the reference size.
    fn times(self, a_week: f64) -> u64 {
        let weeks = self.end.duration_since(self.start).as_secs_f64() / (7.0 * 86400.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        {
            (a_week * weeks * self.factor).round().max(1.0) as u64
        }
    }

    fn whenever(self, dice: &mut Dice) -> Timestamp {
        let seconds = self.end.duration_since(self.start).as_secs();
        self.start + SignedDuration::from_secs(dice.below(seconds))
    }
}

/// The organisation of this seed. Size 0 is a tenth of the reference, for tests that want many of them.
#[must_use]
pub fn grow(seed: Seed) -> Organisation {
    let mut dice = Dice::new(seed.number.wrapping_mul(1_000_003) ^ u64::from(seed.size));
    let factor = if seed.size == 0 { 0.1 } else { f64::from(seed.size) };
    let span = Span { start: seed.epoch - BEFORE, end: seed.epoch + AFTER, epoch: seed.epoch, factor };
    let people = people(&mut dice, if seed.size == 0 { 8 } else { 25 });
    let branches = ["main", "master", "trunk"];
    let mut repositories = Vec::new();
    for (number, name) in ["web", "api"].into_iter().enumerate() {
        let branch = branches[(usize::try_from(seed.number % 3).unwrap_or(0) + number) % 3];
        // The first repository is the one of the reference; the second is a small one beside it.
        let span = if number == 0 { span } else { Span { factor: (factor / 4.0).min(0.5), ..span } };
        repositories.push(repository(&mut dice, span, &people, name, branch));
    }
    if dice.chance(0.3) {
        repositories.push(empty(span.start, "attic", branches[0]));
    }
    let workspaces = asana::grow(seed, span);
    let skypilot = skypilot::grow(seed, span, &people);
    let projects = wandb::grow(span, seed, people.len());
    Organisation { seed, people, repositories, workspaces, skypilot, projects }
}

fn people(dice: &mut Dice, humans: u64) -> Vec<Person> {
    let bots = ["dependabot", "renovate", "reviewer"].into_iter().map(|word| Person {
        login: format!("{word}[bot]"),
        // An app commits under its login.
        name: format!("{word}[bot]"),
        emails: vec![format!("{word}@bots.example.org")],
        bot: true,
        linked: true,
    });
    let people = (0..humans).map(|number| {
        let (first, last) = (dice.word(), dice.word());
        let mut emails = vec![format!("{first}.{last}{number}@acme.example.org")];
        if dice.chance(0.4) {
            emails.push(format!("{first}{number}@home.example.org"));
        }
        Person {
            login: format!("{first}{number}"),
            name: format!("{} {}", capital(&first), capital(&last)),
            emails,
            bot: false,
            linked: dice.chance(0.85),
        }
    });
    let people: Vec<Person> = people.collect();
    people.into_iter().chain(bots).collect()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A repository without anything in it.
pub(crate) fn empty(created_at: Timestamp, name: &str, branch: &str) -> Repository {
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

fn repository(dice: &mut Dice, span: Span, people: &[Person], name: &str, branch: &str) -> Repository {
    let mut repository =
        Repository { empty: false, ..empty(span.start - SignedDuration::from_hours(24), name, branch) };
    repository.pulls = pulls::grow(dice, span, people, branch);
    repository.issues = rest::issues(dice, span);
    number(&mut repository);
    repository.commits = commits::grow(dice, span, people, &mut repository.pulls, branch);
    repository.branches = rest::branches(dice, span, &repository.pulls);
    repository.workflows = runs::workflows(span);
    repository.runs = runs::grow(dice, span, people, &repository);
    repository.deployments = rest::deployments(dice, span, &repository.commits);
    (repository.force_pushes, repository.rule_suites) = rest::pushes(dice, span, people, &repository);
    repository.runners = rest::runners(dice);
    repository
}

/// Pull requests and issues share one numbering, in the order in which they were opened.
fn number(repository: &mut Repository) {
    repository.pulls.sort_by_key(|pull| pull.created_at);
    repository.issues.sort_by_key(|issue| issue.created_at);
    let mut pulls = repository.pulls.iter_mut().peekable();
    let mut issues = repository.issues.iter_mut().peekable();
    for number in 1.. {
        let pull_first = match (pulls.peek(), issues.peek()) {
            (Some(pull), Some(issue)) => pull.created_at <= issue.created_at,
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => break,
        };
        if pull_first && let Some(pull) = pulls.next() {
            pull.number = number;
        } else if let Some(issue) = issues.next() {
            issue.number = number;
        }
    }
    for pull in &mut repository.pulls {
        pull.head = pull.head.replace('#', &pull.number.to_string());
        if let Some(original) = pull.body.strip_prefix("This reverts commit ").map(str::to_owned) {
            pull.body = format!("Found on Friday.\n\nThis reverts commit {original}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(number: u64, size: u32) -> Seed {
        Seed { number, size, epoch: "2026-01-08T12:00:00Z".parse().unwrap() }
    }

    #[test]
    fn one_seed_tells_one_story_and_another_seed_another() {
        let told = |number| format!("{:?}", grow(seed(number, 0)));
        assert_eq!(told(7), told(7));
        assert_ne!(told(7), told(8));
    }

    #[test]
    fn the_reference_organisation_has_the_size_that_the_budgets_speak_of() {
        let organisation = grow(seed(1, 1));
        let (now, week) = (organisation.seed.epoch, organisation.seed.epoch - SignedDuration::from_hours(7 * 24));
        let repository = &organisation.repositories[0];
        let open = repository
            .pulls
            .iter()
            .filter(|pull| pull.created_at <= now && pull.closed_at.is_none_or(|closed| closed > now))
            .count();
        let merged = repository
            .pulls
            .iter()
            .filter(|pull| pull.merged_at.is_some_and(|merged| week <= merged && merged < now))
            .count();
        let commits =
            repository.commits.iter().filter(|commit| week <= commit.committed_at && commit.landed_at < now).count();
        let runs = repository.runs.iter().filter(|run| week <= run.created_at && run.created_at < now).count();
        assert!((110..150).contains(&open), "{open} open");
        assert!((75..110).contains(&merged), "{merged} merged");
        assert!((70..115).contains(&commits), "{commits} commits");
        assert!((1900..2300).contains(&runs), "{runs} runs");
    }

    #[test]
    fn every_inconvenience_happens_in_some_story() {
        let stories: Vec<Organisation> = (0..40).map(|number| grow(seed(number, 0))).collect();
        let pulls: Vec<_> =
            stories.iter().flat_map(|story| &story.repositories).flat_map(|repository| &repository.pulls).collect();
        let runs: Vec<_> =
            stories.iter().flat_map(|story| &story.repositories).flat_map(|repository| &repository.runs).collect();
        let commits: Vec<_> =
            stories.iter().flat_map(|story| &story.repositories).flat_map(|repository| &repository.commits).collect();
        let attempts = |words: &[&str]| {
            runs.iter()
                .filter(|run| run.attempts.iter().map(|attempt| attempt.conclusion).eq(words.iter().copied()))
                .count()
        };
        let on_grid = |time: Timestamp| time.as_second() % 900 == 0;
        let found = [
            (
                "empty repository",
                stories.iter().flat_map(|story| &story.repositories).filter(|repository| repository.empty).count(),
            ),
            ("ghost author", pulls.iter().filter(|pull| pull.author.is_none()).count()),
            ("born a draft", pulls.iter().filter(|pull| pull.born_draft).count()),
            ("draft again", pulls.iter().filter(|pull| pull.draft_turns.len() > 1).count()),
            (
                "pending review",
                pulls.iter().flat_map(|pull| &pull.reviews).filter(|review| review.submitted_at.is_none()).count(),
            ),
            (
                "author's own comment",
                pulls.iter().filter(|pull| pull.comments.iter().any(|comment| comment.author == pull.author)).count(),
            ),
            ("another base", pulls.iter().filter(|pull| pull.base.contains('/')).count()),
            ("from a fork", pulls.iter().filter(|pull| pull.from_fork).count()),
            (
                "touched after merge",
                pulls
                    .iter()
                    .filter(|pull| {
                        pull.touches.iter().any(|touch| pull.merged_at.is_some_and(|merged| *touch > merged))
                    })
                    .count(),
            ),
            ("many files", pulls.iter().filter(|pull| pull.files.len() > 100).count()),
            ("many comments", pulls.iter().filter(|pull| pull.comments.len() > 50).count()),
            ("many reviews", pulls.iter().filter(|pull| pull.reviews.len() > 50).count()),
            ("merged on the grid", pulls.iter().filter(|pull| pull.merged_at.is_some_and(on_grid)).count()),
            ("revert of a revert", pulls.iter().filter(|pull| pull.title.starts_with("Revert \"Revert ")).count()),
            ("do not revert", pulls.iter().filter(|pull| pull.title.contains("do not revert")).count()),
            ("hotfixed in a title", pulls.iter().filter(|pull| pull.title.contains("hotfixed")).count()),
            ("late commit", commits.iter().filter(|commit| commit.landed_at > commit.committed_at).count()),
            ("merge commit", commits.iter().filter(|commit| commit.parents.len() > 1).count()),
            ("direct commit", commits.iter().filter(|commit| commit.pull.is_none()).count()),
            ("very many files", commits.iter().filter(|commit| commit.files.len() > 300).count()),
            (
                "renamed file",
                commits.iter().filter(|commit| commit.files.iter().any(|(_, former)| former.is_some())).count(),
            ),
            ("failed, then passed", attempts(&["failure", "success"])),
            ("failed twice", attempts(&["failure", "failure"])),
            ("cancelled, then passed", attempts(&["cancelled", "success"])),
            ("timed out", attempts(&["timed_out"])),
            (
                "a fork's branch of our name",
                runs.iter()
                    .filter(|run| run.from_fork && ["main", "master", "trunk"].contains(&run.head_branch.as_str()))
                    .count(),
            ),
            (
                "never ending",
                runs.iter().filter(|run| run.attempts.iter().any(|attempt| attempt.completed_at.is_none())).count(),
            ),
        ];
        for (what, number) in found {
            assert!(number > 0, "{what} never happens");
        }
    }
}
