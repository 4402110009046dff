use super::*;
use crate::grow::{SERVICE_ACCOUNT, grow};
use crate::model::Seed;
use crate::model::github::{
    Attempt, Comment, Commit, Deployment, ForcePush, Issue, Job, Pull, Review, RuleSuite, Run, Runner, Workflow,
};

/// So many hours, minutes and seconds before the epoch.
fn ago(hours: i64, minutes: i64, seconds: i64) -> Timestamp {
    let now: Timestamp = NOW.parse().unwrap();
    now - SignedDuration::from_secs(hours * 3600 + minutes * 60 + seconds)
}

const NOW: &str = "2026-01-08T12:00:00Z";
const DAY: i64 = 24;

fn now() -> Timestamp {
    ago(0, 0, 0)
}

fn person(login: &str, bot: bool, linked: bool) -> Person {
    Person { login: login.to_owned(), name: login.to_owned(), emails: Vec::new(), bot, linked }
}

/// Ada, Bo, a bot, a machine in disguise, and Cy, whose address leads to no account.
fn people() -> Vec<Person> {
    vec![
        person("ada", false, true),
        person("bo", false, true),
        person("renovate[bot]", true, true),
        person("robot", false, true),
        person("cy", false, false),
    ]
}

const ADA: Option<PersonId> = Some(0);
const BO: Option<PersonId> = Some(1);
const BOT: Option<PersonId> = Some(2);
const ROBOT: Option<PersonId> = Some(3);
const GONE: Option<PersonId> = None;

/// A repository with one old commit and nothing else.
fn repository() -> Repository {
    Repository {
        owner: "Acme".to_owned(),
        name: "web".to_owned(),
        default_branch: "trunk".to_owned(),
        empty: false,
        created_at: ago(60 * DAY, 0, 0),
        pulls: Vec::new(),
        commits: vec![commit("0", ago(50 * DAY, 0, 0))],
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

fn commit(sha: &str, at: Timestamp) -> Commit {
    Commit {
        sha: sha.to_owned(),
        committed_at: at,
        authored_at: at,
        landed_at: at,
        author: 0,
        email: "ada@acme.example.org".to_owned(),
        message: "Tidy".to_owned(),
        parents: vec!["0".to_owned()],
        additions: 10,
        deletions: 1,
        files: vec![("a".to_owned(), None)],
        pull: None,
    }
}

fn pull(number: u64, created_at: Timestamp) -> Pull {
    Pull {
        number,
        author: ADA,
        title: "Add x".to_owned(),
        body: String::new(),
        base: "trunk".to_owned(),
        head: format!("x-{number}"),
        from_fork: false,
        created_at,
        born_draft: false,
        draft_turns: Vec::new(),
        reviews: Vec::new(),
        comments: Vec::new(),
        labels: Vec::new(),
        merged_at: None,
        closed_at: None,
        files: vec!["a".to_owned()],
        merge_commit: None,
        touches: Vec::new(),
    }
}

fn merged(number: u64, created_at: Timestamp, at: Timestamp) -> Pull {
    let merge_commit = Some(format!("merge-{number}"));
    Pull { merged_at: Some(at), closed_at: Some(at), merge_commit, ..pull(number, created_at) }
}

fn review(author: Option<PersonId>, at: Timestamp, body: &str, inline_comments: u32) -> Review {
    Review { author, submitted_at: Some(at), state: "COMMENTED", body: body.to_owned(), inline_comments }
}

fn comment(author: Option<PersonId>, created_at: Timestamp) -> Comment {
    Comment { author, created_at, body: "Hm".to_owned() }
}

fn with_pulls(pulls: Vec<Pull>) -> Repository {
    Repository { pulls, ..repository() }
}

fn rows(repository: &Repository, settings: &Settings) -> BTreeMap<String, f64> {
    github(repository, &people(), now(), settings)
}

/// The value of a row without tags but the repository.
fn of(repository: &Repository, name: &str) -> Option<f64> {
    rows(repository, &Settings::default()).get(&format!("{name}{{repo:acme/web}}")).copied()
}

#[test]
fn a_week_begins_with_its_first_second_and_ends_before_now() {
    let open = ago(8 * DAY, 0, 0);
    let repository = with_pulls(vec![
        merged(1, open, ago(7 * DAY, 0, 0)),
        merged(2, open, ago(7 * DAY, 0, 1)),
        merged(3, open, now()),
        merged(4, open, ago(0, 0, 1)),
        Pull { touches: vec![ago(1, 0, 0)], ..merged(5, open, ago(7 * DAY, 0, 2)) },
        Pull { closed_at: Some(ago(7 * DAY, 0, 0)), ..pull(6, open) },
        Pull { closed_at: Some(now()), ..pull(7, open) },
        Pull { merged_at: Some(ago(0, 0, -1)), closed_at: Some(ago(0, 0, -1)), ..pull(8, open) },
        pull(9, now()),
        pull(10, ago(0, 0, -1)),
    ]);
    assert_eq!(of(&repository, "github.prs.merged_7d"), Some(2.0));
    assert_eq!(of(&repository, "github.prs.closed_without_merge_7d"), Some(1.0));
    // 8 is merged a second from now and 9 was opened this second; 7 and 3 are closed this second.
    assert_eq!(of(&repository, "github.prs.open"), Some(2.0));
}

#[test]
fn exactly_fourteen_days_are_not_stale() {
    let repository = with_pulls(vec![pull(1, ago(14 * DAY, 0, 0)), pull(2, ago(14 * DAY, 0, 1))]);
    assert_eq!(of(&repository, "github.prs.stale_count_14d"), Some(1.0));
}

#[test]
fn durations_leave_the_time_as_a_draft_out_where_they_say_so() {
    // Opened 20 h ago as a draft, ready 10 h ago, asked 12 h ago while a draft, merged 4 h ago.
    let repository = with_pulls(vec![Pull {
        born_draft: true,
        draft_turns: vec![(ago(15, 0, 0), false), (ago(14, 0, 0), true), (ago(10, 0, 0), false)],
        comments: vec![comment(BO, ago(12, 0, 0))],
        ..merged(1, ago(20, 0, 0), ago(4, 0, 0))
    }]);
    assert_eq!(of(&repository, "github.prs.cycle_time_hours"), Some(16.0));
    assert_eq!(of(&repository, "github.prs.avg_time_to_merge_hours"), Some(6.0));
    assert_eq!(of(&repository, "github.prs.time_to_first_review_hours"), Some(0.0));
    assert_eq!(of(&repository, "github.prs.review_time_hours.p50"), Some(8.0));
}

#[test]
fn bots_and_the_author_answer_nobody() {
    let begun = ago(10, 0, 0);
    let settings = Settings { bots: vec!["Robot".to_owned()], ..Settings::default() };
    let silent = Pull {
        reviews: vec![review(ADA, ago(9, 0, 0), "Mine.", 2), review(BOT, ago(9, 0, 0), "Bleep.", 3)],
        comments: vec![comment(ADA, ago(8, 0, 0)), comment(ROBOT, ago(8, 0, 0))],
        ..merged(1, begun, ago(2, 0, 0))
    };
    let approved = Pull {
        reviews: vec![
            Review { submitted_at: None, state: "PENDING", ..review(BO, now(), "Later.", 9) },
            Review { state: "APPROVED", ..review(BO, ago(6, 0, 0), "", 0) },
        ],
        ..merged(2, begun, ago(2, 0, 0))
    };
    let answered = Pull {
        reviews: vec![review(BO, ago(7, 0, 0), "Look:", 2)],
        comments: vec![comment(GONE, ago(5, 0, 0)), comment(BO, ago(0, 0, -1))],
        ..merged(3, begun, ago(2, 0, 0))
    };
    let late = Pull { comments: vec![comment(BO, ago(1, 0, 0))], ..merged(4, begun, ago(2, 0, 0)) };
    let rows = rows(&with_pulls(vec![silent, approved, answered, late]), &settings);
    let row = |name: &str| rows[&format!("github.prs.{name}{{repo:acme/web}}")];
    assert_eq!(row("merged_without_review_7d"), 1.0);
    // The third (text, two lines, one comment) and the fourth.
    assert_eq!(row("with_review_comments_pct"), 50.0);
    assert_eq!(row("avg_comments_per_pr"), 5.0 / 4.0);
    // 4, 3 and 9 hours; the first waited 8 hours for nobody.
    assert_eq!(row("time_to_first_review_hours"), 16.0 / 3.0);
    assert_eq!(row("pickup_time_hours.p50"), 6.0);
    // 4 and 5 hours; the fourth was answered after its merge.
    assert_eq!(row("review_time_hours.p50"), 4.5);
}

#[test]
fn a_quiet_repository_has_zeros_and_no_means_and_an_empty_one_nothing() {
    let quiet = repository();
    assert_eq!(of(&quiet, "github.prs.merged_7d"), Some(0.0));
    assert_eq!(of(&quiet, "github.commits.total_7d"), Some(0.0));
    for absent in [
        "github.prs.cycle_time_hours",
        "github.prs.with_review_comments_pct",
        "github.commits.per_developer_7d",
        "github.ci.tests_passing_on_main",
        "github.ci.duration_p90_minutes",
        "github.dora.deployment_frequency",
        "health.ci.pr_cycle_time.fom",
        "health.ci.benchmarks_passing.fom",
    ] {
        assert_eq!(of(&quiet, absent), None, "{absent}");
    }
    let empty = Repository { empty: true, ..repository() };
    assert!(rows(&empty, &Settings::default()).is_empty());
    assert!(github_counts(&empty, &people(), now(), &Settings::default()).is_empty());
}

#[test]
fn a_commit_counts_by_its_committer_date_once_it_has_landed() {
    let robot = Commit { author: 3, ..commit("e", ago(3, 0, 0)) };
    let repository = Repository {
        commits: vec![
            commit("0", ago(50 * DAY, 0, 0)),
            commit("a", ago(7 * DAY, 0, 0)),
            commit("b", ago(7 * DAY, 0, 1)),
            Commit { author: 4, email: "Cy@acme.example.org".to_owned(), ..commit("c", ago(5, 0, 0)) },
            Commit { author: 4, email: "cy@ACME.example.org".to_owned(), ..commit("d", ago(4, 0, 0)) },
            robot,
            Commit { author: 2, ..commit("f", ago(2, 0, 0)) },
            Commit { parents: vec!["f".to_owned(), "z".to_owned()], ..commit("g", ago(1, 0, 0)) },
            Commit { landed_at: ago(0, 0, -1), ..commit("h", ago(1, 0, 0)) },
            commit("i", now()),
        ],
        ..repository()
    };
    let settings = Settings { bots: vec!["robot".to_owned()], ..Settings::default() };
    let rows = rows(&repository, &settings);
    let row = |name: &str| rows[&format!("github.{name}{{repo:acme/web}}")];
    assert_eq!(row("commits.total_7d"), 6.0);
    // Ada and Cy.
    assert_eq!(row("developers.active_7d"), 2.0);
    assert_eq!(row("commits.per_developer_7d"), 3.0);
    // All but the merge commit.
    assert_eq!((row("code.lines_added_7d"), row("code.lines_deleted_7d")), (50.0, 5.0));
}

#[test]
fn a_change_is_a_pull_request_or_a_commit_of_none() {
    let titled = |number, title: &str| Pull { title: title.to_owned(), ..merged(number, ago(30, 0, 0), ago(2, 0, 0)) };
    let labelled = |label: &str, at| vec![(label.to_owned(), at)];
    let said = |sha: &str, message: &str| Commit { message: message.to_owned(), ..commit(sha, ago(2, 0, 0)) };
    let repository = Repository {
        pulls: vec![
            titled(1, "Hotfix: x"),
            Pull { base: "release".to_owned(), ..titled(2, "hotfix y") },
            Pull { labels: labelled("hotfix", ago(1, 0, 0)), ..titled(3, "Mend z") },
            Pull { labels: labelled("hotfix", ago(0, 0, -1)), ..titled(4, "Mend z") },
            Pull { body: "Oh.\r\nThis reverts commit abc.\r\n".to_owned(), ..titled(5, "Undo") },
            Pull { body: "> This reverts commit abc.".to_owned(), ..titled(6, "Keep") },
            titled(7, "Revert \"Revert \"x\"\""),
        ],
        commits: vec![
            commit("0", ago(50 * DAY, 0, 0)),
            // Two commits of one pull request are one change, whatever they say.
            Commit { pull: Some(1), ..said("a", "hotfix a") },
            Commit { pull: Some(1), ..said("b", "hotfix b") },
            Commit { files: vec![("new".to_owned(), Some("old".to_owned()))], ..said("c", "Tidy\n\nA hotfix before.") },
            said("d", "Undo\n\nThis reverts commit abc."),
        ],
        ..repository()
    };
    assert_eq!(of(&repository, "github.commits.hotfix"), Some(2.0));
    assert_eq!(of(&repository, "github.commits.reverts"), Some(2.0));
    // `a` of the pull requests and the direct commit, and `new`.
    assert_eq!(of(&repository, "github.code.files_changed_7d"), Some(2.0));
}

#[test]
fn an_event_that_several_sources_tell_of_is_one() {
    let push = |branch: &str, at, after: &str| ForcePush {
        id: 1,
        branch: branch.to_owned(),
        at,
        actor: 0,
        before: "0".to_owned(),
        after: after.to_owned(),
    };
    let suite = |result, after: &str| RuleSuite {
        id: 1,
        branch: "trunk".to_owned(),
        at: ago(1, 0, 0),
        actor: 0,
        result,
        after: after.to_owned(),
    };
    let forced =
        Pull { labels: vec![("force_merge".to_owned(), ago(9, 0, 0))], ..merged(1, ago(9, 0, 0), ago(1, 0, 0)) };
    let repository = Repository {
        pulls: vec![forced],
        force_pushes: vec![
            push("trunk", ago(7 * DAY, 0, 0), "a"),
            push("trunk", ago(7 * DAY, 0, 1), "b"),
            push("other", ago(1, 0, 0), "c"),
        ],
        rule_suites: vec![suite("bypass", "merge-1"), suite("bypass", "a"), suite("bypass", "d"), suite("pass", "e")],
        ..repository()
    };
    assert_eq!(of(&repository, "github.commits.force_merge_7d"), Some(2.0));
    let sources = ["activity", "labels", "rule_suites"].map(str::to_owned).to_vec();
    let settings = Settings { force_sources: sources, ..Settings::default() };
    assert_eq!(rows(&repository, &settings)["github.commits.force_merge_7d{repo:acme/web}"], 3.0);
}

#[test]
fn branches_are_active_or_stale_by_their_present_tip() {
    let branch =
        |name: &str, tips: Vec<(Timestamp, Timestamp)>| Branch { name: name.to_owned(), tips, deleted_at: None };
    let at = |time: Timestamp| vec![(time, time)];
    let old = ago(40 * DAY, 0, 0);
    let repository = Repository {
        pulls: vec![pull(1, old), Pull { from_fork: true, head: "stale".to_owned(), ..pull(2, old) }],
        branches: vec![
            branch("edge", at(ago(30 * DAY, 0, 0))),
            branch("before", at(ago(30 * DAY, 0, 1))),
            branch("x-1", at(old)),
            branch("stale", at(old)),
            branch("moved", vec![(old, old), (ago(1, 0, 0), ago(1, 0, 0))]),
            branch("moves", vec![(old, old), (ago(1, 0, 0), ago(0, 0, -1))]),
            Branch { deleted_at: Some(now()), ..branch("gone", at(ago(1, 0, 0))) },
        ],
        ..repository()
    };
    assert_eq!(of(&repository, "github.branches.active"), Some(2.0));
    assert_eq!(of(&repository, "github.branches.stale"), Some(3.0));
}

fn workflow(id: u64, name: &str) -> Workflow {
    let path = format!(".github/workflows/w{id}.yml");
    Workflow { id, name: name.to_owned(), path, state: "active", created_at: ago(60 * DAY, 0, 0) }
}

/// A run on the default branch by push, that took so many minutes.
fn run(number: u64, at: Timestamp, minutes: i64, conclusion: &'static str) -> Run {
    Run {
        id: number,
        workflow: 1,
        run_number: number,
        event: "push",
        head_branch: "trunk".to_owned(),
        head_sha: format!("sha-{number}"),
        from_fork: false,
        actor: 0,
        created_at: at,
        attempts: vec![attempt(at, minutes, conclusion)],
    }
}

fn attempt(at: Timestamp, minutes: i64, conclusion: &'static str) -> Attempt {
    let completed_at = Some(at + SignedDuration::from_mins(minutes));
    Attempt { started_at: at, running_at: at, completed_at, conclusion, jobs: Vec::new() }
}

fn with_runs(runs: Vec<Run>) -> Repository {
    Repository { workflows: vec![workflow(1, "Tests")], runs, ..repository() }
}

#[test]
fn the_default_branch_passes_by_its_newest_decisive_run() {
    let passed = || run(1, ago(9, 0, 0), 1, "success");
    let verdict = |runs: Vec<Run>| of(&with_runs(runs), "github.ci.tests_passing_on_main");
    assert_eq!(verdict(vec![passed()]), Some(1.0));
    assert_eq!(verdict(vec![passed(), run(2, ago(8, 0, 0), 1, "timed_out")]), Some(0.0));
    for newer in [
        run(2, ago(8, 0, 0), 1, "cancelled"),
        run(2, ago(8, 0, 0), 1, "skipped"),
        run(2, ago(0, 1, 0), 2, "failure"),
        Run { from_fork: true, event: "pull_request_review", ..run(2, ago(8, 0, 0), 1, "failure") },
        Run { event: "pull_request", ..run(2, ago(8, 0, 0), 1, "failure") },
        Run { head_branch: "x".to_owned(), ..run(2, ago(8, 0, 0), 1, "failure") },
    ] {
        assert_eq!(verdict(vec![passed(), newer.clone()]), Some(1.0), "{newer:?}");
    }
    assert_eq!(verdict(vec![run(1, ago(14 * DAY, 0, 0), 1, "failure")]), Some(0.0));
    assert_eq!(verdict(vec![run(1, ago(14 * DAY, 0, 1), 1, "failure")]), None);
    assert_eq!(verdict(vec![run(1, ago(9, 0, 0), 1, "cancelled")]), None);
    // A schedule alone does not make a workflow blocking.
    assert_eq!(verdict(vec![Run { event: "schedule", ..passed() }]), None);
}

#[test]
fn an_attempt_under_way_takes_the_place_of_the_one_before_it() {
    let mut again = run(1, ago(1, 0, 0), 1, "failure");
    again.attempts.push(attempt(ago(0, 5, 0), 10, "success"));
    let repository = with_runs(vec![again]);
    assert_eq!(of(&repository, "github.ci.failed_workflows_7d"), Some(0.0));
    assert_eq!(of(&repository, "github.ci.workflow_runs_7d"), Some(1.0));
    let settings = Settings::default();
    let at = |time| github(&repository, &people(), time, &settings);
    let before = at(ago(0, 15, 0));
    assert_eq!(before["github.ci.failed_workflows_7d{repo:acme/web}"], 1.0);
    let after = at(ago(0, -15, 0));
    assert_eq!(after["github.ci.flaky_checks_7d{repo:acme/web}"], 1.0);
    assert_eq!(after["github.ci.avg_workflow_duration_minutes{repo:acme/web}"], 10.0);
}

#[test]
fn flaky_is_what_failed_and_then_passed() {
    let attempts = |number, ends: [&'static str; 2]| {
        let mut run = run(number, ago(9, 0, 0), 1, ends[0]);
        run.attempts.push(attempt(ago(8, 0, 0), 1, ends[1]));
        run
    };
    let of_sha = |sha: &str, run: Run| Run { head_sha: sha.to_owned(), ..run };
    let repository = with_runs(vec![
        attempts(1, ["failure", "success"]),
        attempts(2, ["failure", "failure"]),
        attempts(3, ["cancelled", "success"]),
        of_sha("x", run(4, ago(6, 0, 0), 1, "failure")),
        of_sha("x", run(5, ago(5, 0, 0), 1, "success")),
        of_sha("x", run(6, ago(4, 0, 0), 1, "success")),
        of_sha("y", run(7, ago(3, 0, 0), 1, "success")),
        of_sha("y", run(8, ago(2, 0, 0), 1, "failure")),
    ]);
    assert_eq!(of(&repository, "github.ci.flaky_checks_7d"), Some(2.0));
}

fn job(from: Timestamp, seconds: i64, conclusion: &'static str) -> Job {
    Job {
        id: 1,
        name: "job".to_owned(),
        created_at: from,
        started_at: Some(from),
        completed_at: Some(from + SignedDuration::from_secs(seconds)),
        conclusion,
        labels: vec!["linux".to_owned(), "self-hosted".to_owned()],
        runner: None,
    }
}

#[test]
fn a_limit_stops_what_ran_for_95_hundredths_of_it() {
    let begun = ago(20, 0, 0);
    let cancelled = |number, seconds, conclusion| {
        let mut run = run(number, begun, 400, "cancelled");
        run.attempts[0].jobs = vec![job(begun, seconds, conclusion), job(begun, 10, "cancelled")];
        run
    };
    let repository = with_runs(vec![
        cancelled(1, 342 * 60, "cancelled"),
        cancelled(2, 342 * 60 - 1, "cancelled"),
        cancelled(3, 359 * 60, "success"),
        run(4, begun, 360, "timed_out"),
    ]);
    assert_eq!(of(&repository, "github.ci.timeout_cancellations_7d"), Some(2.0));
    let limits = vec![("w1.yml".to_owned(), 60.0), ("*".to_owned(), 360.0)];
    let settings = Settings { job_limits: limits, ..Settings::default() };
    assert_eq!(rows(&repository, &settings)["github.ci.timeout_cancellations_7d{repo:acme/web}"], 3.0);
}

#[test]
fn each_workflow_has_a_role_and_a_check() {
    let at = |id, run: Run| Run { workflow: id, ..run };
    let repository = Repository {
        workflows: vec![
            workflow(1, "Tests"),
            workflow(2, "GPU benchmark"),
            workflow(3, "Docs"),
            Workflow { state: "disabled_manually", ..workflow(4, "Old") },
            workflow(5, "Benchmarking"),
        ],
        runs: vec![
            run(1, ago(9, 0, 0), 1, "success"),
            at(2, run(1, ago(10 * DAY, 0, 0), 1, "failure")),
            at(3, Run { event: "schedule", ..run(1, ago(9, 0, 0), 1, "failure") }),
            at(4, Run { event: "schedule", ..run(1, ago(9, 0, 0), 1, "failure") }),
            at(5, Run { event: "schedule", ..run(1, ago(10 * DAY, 0, 0), 1, "failure") }),
        ],
        ..repository()
    };
    let rows = rows(&repository, &Settings::default());
    let passing: Vec<(&str, f64)> = rows
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("github.ci.workflow_passing")?, *value)))
        .collect();
    assert_eq!(
        passing,
        [
            ("{repo:acme/web,role:benchmark,workflow:gpu_benchmark}", 0.0),
            ("{repo:acme/web,role:blocking,workflow:tests}", 1.0),
            ("{repo:acme/web,role:other,workflow:docs}", 0.0),
        ]
    );
    assert_eq!(rows["github.ci.workflows_failing{repo:acme/web,role:other}"], 1.0);
    assert_eq!(rows["github.ci.benchmarks_passing{repo:acme/web}"], 0.0);
    assert_eq!(rows["health.ci.benchmarks_passing.fom{repo:acme/web}"], 0.0);
    let key = |suffix: &str| {
        format!(
            "metta.infra.cron.ci.workflow.success{suffix}{{check:workflow_success,condition:eq_success,repo:acme/web,\
             role:blocking,status:pass,task:tests_blocking_merge,unit:check,workflow:tests,workflow_category:ci,\
             workflow_name:tests}}"
        )
    };
    assert_eq!([rows[&key("")], rows[&key(".target")], rows[&key(".status")]], [1.0; 3]);
}

#[test]
fn too_few_merges_are_not_judged_and_unknown_sends_the_target_alone() {
    let pulls = |number| (1..=number).map(|number| merged(number, ago(60, 0, 0), ago(12, 0, 0))).collect();
    let of = |pulls| rows(&with_pulls(pulls), &Settings::default());
    let names = |rows: &BTreeMap<String, f64>| -> Vec<(String, f64)> {
        let cycle = rows.iter().filter(|(key, _)| key.starts_with("metta.infra.cron.github.pr_cycle_time.p90"));
        let status =
            |key: &str| key.split("status:").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned();
        cycle.map(|(key, value)| (format!("{} {}", key.split('{').next().unwrap(), status(key)), *value)).collect()
    };
    let few = of(pulls(4));
    assert_eq!(names(&few), [("metta.infra.cron.github.pr_cycle_time.p90.target unknown".to_owned(), 48.0)]);
    assert_eq!(few["health.ci.pr_cycle_time.fom{repo:acme/web}"], 0.5);
    let enough = of(pulls(5));
    let expected = [(".status", 1.0), (".target", 48.0), ("", 48.0)];
    let expected = expected.map(|(end, value)| (format!("metta.infra.cron.github.pr_cycle_time.p90{end} pass"), value));
    assert_eq!(names(&enough), expected);
    let number =
        |rows: &BTreeMap<String, f64>, status: &str| rows[&format!("health.checks{{area:ci,status:{status}}}")];
    assert_eq!(number(&enough, "unknown") + 1.0, number(&few, "unknown"));
    assert_eq!(number(&enough, "pass") - 1.0, number(&few, "pass"));
    let judged = "health.checks.judged.new{check:p90_hours,task:pr_cycle_time,workflow_name:pr_flow}";
    let counts = |pulls| github_counts(&with_pulls(pulls), &people(), now(), &Settings::default())[judged];
    assert_eq!((counts(pulls(4)), counts(pulls(5))), (0.0, 1.0));
}

#[test]
fn a_slot_holds_what_ended_in_it() {
    let long = ago(48, 0, 1);
    let repository = Repository {
        pulls: vec![
            Pull { title: "Hotfix".to_owned(), ..merged(1, ago(48, 15, 0), ago(0, 15, 0)) },
            merged(2, long, ago(0, 0, 1)),
            merged(3, ago(49, 0, 0), ago(0, 0, 1)),
            merged(4, long, ago(0, 15, 1)),
            merged(5, long, now()),
        ],
        workflows: vec![workflow(1, "Tests")],
        runs: vec![
            run(1, ago(0, 20, 0), 5, "success"),
            run(2, ago(0, 20, 0), 6, "failure"),
            run(3, ago(0, 20, 1), 5, "success"),
            run(4, ago(0, 5, 0), 5, "success"),
            Run { event: "pull_request", ..run(5, ago(0, 12, 0), 5, "success") },
        ],
        ..repository()
    };
    let counts = github_counts(&repository, &people(), now(), &Settings::default());
    let count = |name: &str| counts[&format!("github.{name}.new{{repo:acme/web}}")];
    assert_eq!((count("prs.merged"), count("prs.merged_within_target")), (3.0, 2.0));
    assert_eq!((count("commits.hotfix"), count("commits.reverts")), (1.0, 0.0));
    assert_eq!((count("ci.runs_decided"), count("ci.runs_passed")), (2.0, 1.0));
    let seen = github_observations(&repository, &people(), ago(0, 15, 0), now(), &Settings::default());
    assert_eq!(seen["github.prs.cycle_time{repo:acme/web}"], [48.0, 48.0, 49.0 - 1.0 / 3600.0]);
    assert_eq!(seen["github.ci.duration{conclusion:success,repo:acme/web,workflow:tests}"], [5.0, 5.0]);
    assert_eq!(seen["github.ci.duration{conclusion:failure,repo:acme/web,workflow:tests}"], [6.0]);
}

#[test]
fn waiting_and_runners_are_told_on_request() {
    let mut waited = run(1, ago(0, 9, 0), 5, "success");
    let taken = job(ago(0, 9, 0), 60, "success");
    waited.attempts[0].jobs = vec![
        Job { started_at: Some(ago(0, 8, 30)), ..taken.clone() },
        Job { labels: vec!["macos-14".to_owned()], ..taken.clone() },
        Job { started_at: None, ..taken },
    ];
    let runner = |online, busy| Runner { id: 1, name: "r".to_owned(), online, busy, labels: Vec::new() };
    let runners = vec![runner(true, true), runner(true, false), runner(true, false), runner(false, false)];
    let repository = Repository { runners, ..with_runs(vec![waited]) };
    let settings = Settings { queue_time: true, runners: true, ..Settings::default() };
    let seen = github_observations(&repository, &people(), ago(0, 15, 0), now(), &settings);
    assert_eq!(seen["github.ci.queue_time{repo:acme/web,runner:self-hosted}"], [30.0]);
    assert_eq!(seen["github.ci.queue_time{repo:acme/web,runner:other}"], [0.0]);
    let rows = rows(&repository, &settings);
    let count = |state: &str| rows[&format!("github.runners.count{{repo:acme/web,state:{state}}}")];
    assert_eq!((count("busy"), count("idle"), count("offline")), (1.0, 2.0, 1.0));
}

#[test]
fn a_deployment_answers_for_the_commits_it_is_first_to_bring() {
    let deployed = |hours: i64, sha: &str, states: &[&'static str]| Deployment {
        id: 1,
        environment: "production".to_owned(),
        sha: sha.to_owned(),
        created_at: ago(hours, 1, 0),
        statuses: states.iter().map(|state| (*state, ago(hours, 0, 0))).collect(),
    };
    let incident = |from: i64, until: i64| Issue {
        number: 1,
        title: String::new(),
        labels: vec!["incident".to_owned()],
        created_at: ago(from, 0, 0),
        closed_at: Some(ago(until, 0, 0)),
    };
    let said =
        |sha: &str, hours, message: &str| Commit { message: message.to_owned(), ..commit(sha, ago(hours, 0, 0)) };
    let repository = Repository {
        commits: vec![
            commit("0", ago(50 * DAY, 0, 0)),
            commit("a", ago(110, 0, 0)),
            said("b", 90, "hotfix b"),
            commit("c", ago(30, 0, 0)),
        ],
        deployments: vec![
            deployed(40 * DAY, "0", &["SUCCESS", "INACTIVE"]),
            deployed(100, "a", &["SUCCESS", "INACTIVE"]),
            deployed(95, "b", &["FAILURE"]),
            deployed(80, "b", &["SUCCESS"]),
            // Back to an older one, which brings nothing.
            deployed(60, "a", &["SUCCESS"]),
            deployed(20, "c", &["SUCCESS"]),
        ],
        // Within a day of the rollback; the other comes more than a day after the last deployment before it.
        issues: vec![incident(50, 46), incident(33, 31)],
        ..repository()
    };
    let deploys = Some(Deploys::Environment("production".to_owned()));
    let rows = rows(&repository, &Settings { deploys, ..Settings::default() });
    let row = |name: &str| rows[&format!("github.dora.{name}{{repo:acme/web}}")];
    assert_eq!(row("deployment_frequency"), 4.0 / 30.0);
    // 10 h for each of a, b and c.
    assert_eq!(row("lead_time_hours"), 10.0);
    // The first, because the next brought a hotfix, and the rollback, because of the incident.
    assert_eq!(row("change_fail_rate_pct"), 50.0);
    assert_eq!(row("recovery_time_hours"), 3.0);
    assert_eq!(row("rework_rate_pct"), 25.0);
}

#[test]
fn the_truth_about_grown_organisations_is_finite_and_holds_together() {
    let settings = Settings {
        bots: vec![SERVICE_ACCOUNT.to_owned()],
        deploys: Some(Deploys::Workflow("deploy.yml".to_owned())),
        queue_time: true,
        runners: true,
        ..Settings::default()
    };
    for number in 0..12 {
        let organisation = grow(Seed { number, size: 0, epoch: now() });
        for repository in &organisation.repositories {
            let rows = github(repository, &organisation.people, now(), &settings);
            assert_eq!(rows.is_empty(), repository.empty);
            assert!(rows.values().all(|value| value.is_finite()));
            if repository.empty {
                continue;
            }
            let seen = github_observations(repository, &organisation.people, now() - WEEK, now(), &settings);
            let cycles = &seen[&format!("github.prs.cycle_time{{repo:acme/{}}}", repository.name)];
            let mean = cycles.iter().sum::<f64>() / size(cycles.len());
            let row = rows[&format!("github.prs.cycle_time_hours{{repo:acme/{}}}", repository.name)];
            assert!((mean - row).abs() < 1e-9);
        }
    }
}

#[test]
fn slots_add_up_to_the_time_they_are_part_of() {
    let organisation = grow(Seed { number: 3, size: 0, epoch: now() });
    let (repository, settings) = (&organisation.repositories[0], Settings::default());
    let slots = (0..96).map(|slot| github_counts(repository, &organisation.people, now() - SLOT * slot, &settings));
    let merged: f64 = slots.map(|counts| counts["github.prs.merged.new{repo:acme/web}"]).sum();
    let day = github_observations(repository, &organisation.people, ago(DAY, 0, 0), now(), &settings);
    assert!(merged > 0.0);
    assert_eq!(merged, size(day["github.prs.cycle_time{repo:acme/web}"].len()));
}
