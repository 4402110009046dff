//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

mod odd;

use github::GitHub;
use jiff::{SignedDuration, Timestamp};
use kit::sandbox::model::github::Repository;
use kit::sandbox::truth::{self, Settings as Words};
use kit::sandbox::{Fault, GITHUB_TOKEN, Organisation, Sandbox};
use kit::shared::testing::Values;
use kit::{Credential, Observations, Question, Scene, Settings, Subject};

/// Repositories on GitHub.
pub struct Repositories;

kit::suite!(Repositories);

impl Subject for Repositories {
    type Collector = GitHub;

    const UPSTREAMS: &'static [&'static str] = &["github"];
    const HEALTHY: u64 = 3;
    // No part of a repository holds records that may make no sense one by one.
    const ABSENT: &'static [&'static str] = &["collector.unread"];
    // Ten times as large, it takes minutes in a build for tests; `make bench` holds it against its budget.
    const SIZES: &'static [u32] = &[1];
    const WRONG: &'static [(&'static str, &'static str)] = &[
        ("GITHUB_REPOS", ""),
        ("GITHUB_REPOS", "web"),
        ("GITHUB_TOKEN", ""),
        ("GITHUB_URL", "github"),
        ("GITHUB_DEPLOYS", "production"),
        ("GITHUB_JOB_LIMITS", "*=long"),
        ("GITHUB_QUEUE_TIME", "perhaps"),
        ("GITHUB_RESERVE", "much"),
    ];

    /// Everything that is off by default.
    fn settings(_: u64) -> Settings {
        let settings =
            [("GITHUB_DEPLOYS", "environment:production"), ("GITHUB_QUEUE_TIME", "on"), ("GITHUB_RUNNERS", "on")];
        settings.map(|(name, value)| (name, value.to_owned())).into()
    }

    fn single(_: &Sandbox) -> (Settings, &'static str) {
        let mut settings = Self::settings(Self::HEALTHY);
        settings.push(("GITHUB_REPOS", "acme/web".to_owned()));
        (settings, "acme/web")
    }

    fn reference(_: &Sandbox) -> Settings {
        vec![("GITHUB_REPOS", "acme/web".to_owned())]
    }

    fn missing(sandbox: &Sandbox) -> (Settings, [&'static str; 2]) {
        let (mut settings, target) = Self::single(sandbox);
        settings.push(("GITHUB_REPOS", "acme/web,acme/gone".to_owned()));
        (settings, [target, "acme/gone"])
    }

    fn questions() -> Vec<Question> {
        vec![Question {
            name: "workflow runs",
            asks: |rule| rule.containing("/actions/runs?"),
            parts: &["flaky", "queue", "runs", "timeouts"],
            silent: &["github.ci."],
            spared: &[],
            lies: || vec![("a secondary limit with a long pause", Fault::secondary_limit(3600), "rate_limited")],
        }]
    }

    fn credential() -> Credential {
        Credential {
            variable: "GITHUB_TOKEN",
            value: GITHUB_TOKEN,
            another: "ghp_another",
            revoke: |sandbox, token| sandbox.credentials().revoke(token),
            allow: |sandbox, token| sandbox.credentials().allow(token),
        }
    }

    fn private(organisation: &Organisation) -> Vec<String> {
        let repositories = organisation.repositories.iter();
        let texts = repositories.flat_map(|repository| {
            let titles = repository.pulls.iter().map(|pull| &pull.title);
            let titles = titles.chain(repository.issues.iter().map(|issue| &issue.title)).cloned();
            let heads = repository.commits.iter().filter_map(|commit| commit.message.lines().next());
            titles.chain(heads.map(str::to_owned))
        });
        texts.collect()
    }

    fn gauges(scene: &Scene<'_>, now: Timestamp) -> Values {
        let people = &scene.organisation.people;
        repositories(scene).flat_map(|repository| truth::github(repository, people, now, &words())).collect()
    }

    fn counts(scene: &Scene<'_>, slot: Timestamp, now: Timestamp) -> Values {
        let people = &scene.organisation.people;
        repositories(scene).flat_map(|one| truth::github_counts(one, people, slot, now, &words())).collect()
    }

    fn observations(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> Observations {
        let (people, time) = (&scene.organisation.people, (from, until));
        repositories(scene).flat_map(|one| truth::github_observations(one, people, time, &words())).collect()
    }

    fn verdicts(scene: &Scene<'_>, now: Timestamp) -> Values {
        let people = &scene.organisation.people;
        repositories(scene).flat_map(|one| truth::github_verdicts(one, people, now, &words())).collect()
    }

    /// A re-run of a run older than two hours is seen by the daily fetch of everything only.
    fn unseen(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> &'static [&'static str] {
        let old = until - SignedDuration::from_hours(2);
        let rerun = scene.organisation.repositories.iter().flat_map(|repository| &repository.runs).any(|run| {
            let mut later = run.attempts.iter().skip(1);
            run.created_at < old && later.any(|attempt| from < attempt.started_at && attempt.started_at <= until)
        });
        if rerun { &["github.ci.", "health.ci.", "health.check", "cron.ci."] } else { &[] }
    }
}

/// The repositories that hold something.
fn repositories<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Repository> {
    scene.organisation.repositories.iter().filter(|repository| !repository.empty)
}

/// The configuration in the words of the truth.
fn words() -> Words {
    let classes = ["ubuntu-latest", "self-hosted"].map(str::to_owned).to_vec();
    Words { deploys: Some("production".to_owned()), runners: true, queue: Some(classes), ..Words::default() }
}
