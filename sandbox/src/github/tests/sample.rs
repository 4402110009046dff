//! A small organisation whose every fact a test can name.

use crate::model::github::{
    Attempt, Branch, Comment, Commit, Deployment, ForcePush, Issue, Job, Pull, Repository, Review, RuleSuite, Run,
    Runner, Workflow,
};
use crate::model::{Organisation, Person, Seed};
use jiff::{SignedDuration, Timestamp};

/// A time.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A sha of one repeated digit pair.
pub fn sha(number: usize) -> String {
    format!("{number:040x}")
}

fn person(login: &str, bot: bool, linked: bool) -> Person {
    Person {
        login: login.to_owned(),
        name: login.to_uppercase(),
        emails: vec![format!("{login}@example.com")],
        bot,
        linked,
    }
}

/// A pull request opened at this time, with nothing else to it.
pub fn pull(number: u64, created: &str) -> Pull {
    Pull {
        number,
        author: Some(0),
        title: format!("Change {number}"),
        body: "Why & how".to_owned(),
        base: "main".to_owned(),
        head: format!("topic/{number}"),
        from_fork: false,
        created_at: at(created),
        born_draft: false,
        draft_turns: Vec::new(),
        reviews: Vec::new(),
        comments: Vec::new(),
        labels: Vec::new(),
        merged_at: None,
        closed_at: None,
        files: vec!["src/a.rs".to_owned(), "docs/b.md".to_owned()],
        merge_commit: None,
        touches: Vec::new(),
    }
}

fn pulls() -> Vec<Pull> {
    let review = |author, time: Option<&str>, state, inline| Review {
        author,
        submitted_at: time.map(at),
        state,
        body: "Fine".to_owned(),
        inline_comments: inline,
    };
    let mut first = pull(1, "2026-01-01T10:00:00Z");
    first.born_draft = true;
    first.draft_turns = vec![(at("2026-01-02T10:00:00Z"), false)];
    first.reviews = vec![
        review(Some(1), Some("2026-01-03T10:00:00Z"), "CHANGES_REQUESTED", 2),
        review(Some(1), Some("2026-01-04T10:00:00Z"), "APPROVED", 0),
        review(None, Some("2026-01-04T11:00:00Z"), "COMMENTED", 0),
        review(Some(2), None, "PENDING", 1),
    ];
    first.comments = vec![Comment { author: Some(3), created_at: at("2026-01-02T11:00:00Z"), body: "Beep".to_owned() }];
    first.labels = vec![("bug".to_owned(), at("2026-01-02T12:00:00Z"))];
    first.merged_at = Some(at("2026-01-05T10:00:00Z"));
    first.closed_at = first.merged_at;
    first.merge_commit = Some(sha(3));
    first.touches = vec![at("2026-01-06T00:00:00Z")];
    let mut second = pull(2, "2026-01-02T10:00:00Z");
    second.author = None;
    second.closed_at = Some(at("2026-01-07T10:00:00Z"));
    let mut third = pull(3, "2026-01-03T10:00:00Z");
    third.author = Some(3);
    third.from_fork = true;
    third.labels = vec![("Bug".to_owned(), at("2026-01-03T10:00:00Z"))];
    vec![first, second, third, pull(5, "2026-01-05T10:00:00Z"), pull(6, "2026-01-06T10:00:00Z")]
}

fn commits() -> Vec<Commit> {
    let commit = |number: usize, committed: &str, landed: &str, author, parents: &[usize], pull| Commit {
        sha: sha(number),
        committed_at: at(committed),
        authored_at: at(committed),
        landed_at: at(landed),
        author,
        email: format!("mail{author}@example.com"),
        message: format!("Commit {number}\n\nBody {number}"),
        parents: parents.iter().map(|parent| sha(*parent)).collect(),
        additions: 10,
        deletions: 3,
        files: vec![(format!("src/{number}.rs"), None), ("docs/new.md".to_owned(), Some("docs/old.md".to_owned()))],
        pull,
    };
    let mut commits = vec![
        commit(1, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", 0, &[], None),
        commit(2, "2026-01-02T00:00:00Z", "2026-01-05T10:00:00Z", 2, &[1], Some(1)),
        commit(3, "2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z", 0, &[1, 2], Some(1)),
        commit(4, "2026-01-08T00:00:00Z", "2026-01-08T00:00:00Z", 3, &[3], None),
    ];
    commits[3].files = (0..450).map(|file| (format!("big/{file}.rs"), None)).collect();
    commits
}

fn run(id: u64, created: Timestamp) -> Run {
    Run {
        id,
        workflow: 11,
        run_number: id,
        event: "push",
        head_branch: "main".to_owned(),
        head_sha: sha(4),
        from_fork: false,
        actor: 0,
        created_at: created,
        attempts: vec![attempt(id * 10, created, "success")],
    }
}

fn attempt(job: u64, started: Timestamp, conclusion: &'static str) -> Attempt {
    let later = |minutes| started + SignedDuration::from_mins(minutes);
    Attempt {
        started_at: started,
        running_at: later(1),
        completed_at: Some(later(10)),
        conclusion,
        jobs: vec![Job {
            id: job,
            name: "test".to_owned(),
            created_at: started,
            started_at: Some(later(1)),
            completed_at: Some(later(9)),
            conclusion,
            labels: vec!["self-hosted".to_owned()],
            runner: Some("runner-1".to_owned()),
        }],
    }
}

fn runs() -> Vec<Run> {
    let start = at("2026-01-08T00:00:00Z");
    let mut runs: Vec<_> = (0_u32..1200)
        .map(|number| run(1000 + u64::from(number), start + SignedDuration::from_mins(i64::from(number))))
        .collect();
    runs[0].attempts = vec![attempt(1, start, "failure"), attempt(2, start + SignedDuration::from_hours(1), "success")];
    runs[1].event = "pull_request";
    "topic/5".clone_into(&mut runs[1].head_branch);
    runs[2].actor = 3;
    runs[2].from_fork = true;
    runs.push(run(9000, at("2026-01-09T23:55:00Z")));
    runs
}

#[expect(clippy::too_many_lines, reason = "it is one literal")]
/// The organisation: `acme/web` with all sorts of things, `acme/void` with nothing.
pub fn organisation() -> Organisation {
    let branch = |name: &str, tips: &[(&str, &str)], deleted: Option<&str>| Branch {
        name: name.to_owned(),
        tips: tips.iter().map(|tip| (at(tip.0), at(tip.1))).collect(),
        deleted_at: deleted.map(at),
    };
    let web = Repository {
        owner: "acme".to_owned(),
        name: "web".to_owned(),
        default_branch: "main".to_owned(),
        empty: false,
        created_at: at("2025-12-01T00:00:00Z"),
        pulls: pulls(),
        commits: commits(),
        branches: vec![
            branch("topic/1", &[("2026-01-01T09:00:00Z", "2026-01-01T09:30:00Z")], Some("2026-01-05T10:01:00Z")),
            branch(
                "topic/5",
                &[("2026-01-05T09:00:00Z", "2026-01-05T09:30:00Z"), ("2026-01-06T09:00:00Z", "2026-01-06T09:30:00Z")],
                None,
            ),
        ],
        workflows: vec![
            Workflow {
                id: 11,
                name: "Test".to_owned(),
                path: ".github/workflows/test.yml".to_owned(),
                state: "active",
                created_at: at("2025-12-01T00:00:00Z"),
            },
            Workflow {
                id: 12,
                name: "Old".to_owned(),
                path: ".github/workflows/old.yml".to_owned(),
                state: "disabled_manually",
                created_at: at("2025-12-01T00:00:00Z"),
            },
        ],
        runs: runs(),
        issues: vec![
            Issue {
                number: 4,
                title: "It breaks".to_owned(),
                labels: vec!["bug".to_owned(), "help wanted".to_owned()],
                created_at: at("2026-01-04T00:00:00Z"),
                closed_at: Some(at("2026-01-06T00:00:00Z")),
            },
            Issue {
                number: 7,
                title: "It is slow".to_owned(),
                labels: Vec::new(),
                created_at: at("2026-01-07T00:00:00Z"),
                closed_at: None,
            },
        ],
        deployments: vec![Deployment {
            id: 500,
            environment: "production".to_owned(),
            sha: sha(3),
            created_at: at("2026-01-05T11:00:00Z"),
            statuses: vec![
                ("IN_PROGRESS", at("2026-01-05T11:01:00Z")),
                ("SUCCESS", at("2026-01-05T11:05:00Z")),
                ("INACTIVE", at("2026-01-09T00:00:00Z")),
            ],
        }],
        force_pushes: vec![ForcePush {
            id: 77,
            branch: "main".to_owned(),
            at: at("2026-01-08T12:00:00Z"),
            actor: 1,
            before: sha(3),
            after: sha(4),
        }],
        rule_suites: vec![
            RuleSuite {
                id: 21,
                branch: "main".to_owned(),
                at: at("2026-01-08T00:00:00Z"),
                actor: 0,
                result: "bypass",
                after: sha(4),
            },
            RuleSuite {
                id: 20,
                branch: "main".to_owned(),
                at: at("2026-01-01T00:00:00Z"),
                actor: 0,
                result: "pass",
                after: sha(1),
            },
        ],
        runners: vec![Runner {
            id: 1,
            name: "runner-1".to_owned(),
            online: true,
            busy: false,
            labels: vec!["self-hosted".to_owned(), "gpu".to_owned()],
        }],
    };
    let void = crate::story::empty(web.created_at, "void", &web.default_branch);
    Organisation {
        people: vec![
            person("ann", false, true),
            person("bob", false, true),
            person("cy", false, false),
            person("helper[bot]", true, true),
        ],
        repositories: vec![web, void],
        ..Organisation::bare(Seed { number: 1, size: 1, epoch: at("2026-01-08T12:00:00Z") })
    }
}
