//! Upstreams that fail: what is known is delivered, what is not is absent and named, and no zero is invented.

mod stage;

use sandbox::github::{APP_KEY, App};
use sandbox::{API_KEY, Fault, GITHUB_TOKEN, Options, Rule, Sandbox, Seed};
use serde_json::{Value, json};
use shared::GRID;
use shared::testing::{Journal, at, gaps, gauges, says, value};
use stage::{EPOCH, Stage};
use std::time::Duration;

fn seed() -> Seed {
    Seed { number: 3, size: 0, epoch: at(EPOCH) }
}

async fn stage() -> Stage {
    Stage::new(seed(), at(EPOCH), true, &[("GITHUB_REPOS", "acme/web")]).await
}

#[tokio::test]
async fn a_part_that_fails_for_good_is_absent_and_named_and_the_rest_is_there() {
    let runs = || "/actions/runs?";
    let table: Vec<(&str, Rule, &str)> = vec![
        ("500", Rule::new(Fault::status(500)).containing(runs()), "server"),
        ("502 in the middle of paging", Rule::new(Fault::bad_gateway()).containing("page=2"), "server"),
        ("429 with a long pause", Rule::new(Fault::too_many(3600)).containing(runs()), "rate_limited"),
        (
            "secondary limit with a long pause",
            Rule::new(Fault::secondary_limit(3600)).containing(runs()),
            "rate_limited",
        ),
        ("403", Rule::new(Fault::status(403)).containing(runs()), "auth"),
        ("a cut connection", Rule::new(Fault::CutBefore).containing(runs()), "network"),
        ("a cut body", Rule::new(Fault::CutBody(40)).containing(runs()), "network"),
        ("truncated JSON", Rule::new(Fault::Truncated).containing(runs()), "decode"),
        ("a page of HTML", Rule::new(Fault::Garbage).containing(runs()), "decode"),
    ];
    for (name, rule, kind) in table {
        let stage = Stage::new(Seed { size: 1, ..seed() }, at(EPOCH), true, &[("GITHUB_REPOS", "acme/web")]).await;
        stage.sandbox.faults().inject("github", rule);
        let report = stage.run().await;
        assert!(gaps(&report).contains("runs"), "{name}: {:?}", gaps(&report));
        assert_eq!(says(&report, "github.ci."), 0, "{name}: no figure of CI is known");
        assert!(says(&report, "github.prs.") > 10, "{name}: pull requests are known");
        assert_eq!(value(&report, "collector.up{}"), Some(0.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:runs,target:acme/web}"), Some(1.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:pulls,target:acme/web}"), Some(0.0), "{name}");
        let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:github}}"));
        assert!(counted > Some(0.0), "{name}: {counted:?}");
        assert!(report.outcome.as_ref().unwrap().accepted > 50, "{name}: what is known is delivered");
        assert!(report.failure().is_none(), "{name}: a part that fails alone does not fail the run");
    }
}

/// The parts that wait for answers, with the rows that say nothing until those are there.
const WAITING: [(&str, &str); 5] = [
    ("dora", "github.dora.lead_time_hours"),
    ("files", "github.code.files_changed_7d"),
    ("flaky", "github.ci.flaky_checks_7d"),
    ("queue", "github.ci.queue_time"),
    ("timeouts", "github.ci.timeout_cancellations_7d"),
];

#[tokio::test]
async fn what_is_skipped_to_save_calls_is_pending_and_no_failure() {
    let more = [
        ("GITHUB_REPOS", "acme/web"),
        ("GITHUB_RESERVE", "1000000"),
        ("GITHUB_JOB_LIMITS", "*=1"),
        ("GITHUB_DEPLOYS", "environment:production"),
        ("GITHUB_QUEUE_TIME", "on"),
    ];
    let stage = Stage::new(Seed { size: 1, ..seed() }, at(EPOCH), true, &more).await;
    for _ in 0..3 {
        let report = stage.run().await;
        assert_eq!((value(&report, "collector.up{}"), gaps(&report).len()), (Some(1.0), 0));
        assert_eq!(value(&report, "collector.target_up{target:acme/web}"), Some(1.0));
        assert!(value(&report, "collector.coverage_pct{target:acme/web}") < Some(70.0));
        for (part, row) in WAITING {
            let of = |row: &str| value(&report, &format!("collector.{row}{{part:{part},target:acme/web}}"));
            assert!(of("pending") > Some(0.0), "{part} waits");
            assert_eq!((of("gap"), says(&report, row)), (Some(0.0), 0), "{part} is no gap, and {row} is absent");
        }
        assert!(says(&report, "github.prs.") > 10 && says(&report, "github.ci.workflow_runs_7d") == 1);
        stage.clock.advance(GRID);
    }
}

#[tokio::test]
async fn what_is_left_of_the_quotas_is_told_for_the_target() {
    let report = stage().await.run().await;
    for upstream in ["github_graphql", "github_rest"] {
        let left = value(&report, &format!("collector.api_budget_pct{{target:acme/web,upstream:{upstream}}}"));
        assert!(left > Some(90.0) && left < Some(100.0), "{upstream}: {left:?}");
    }
}

#[tokio::test]
async fn what_passes_by_itself_leaves_no_trace_but_calls() {
    let table = [
        Rule::new(Fault::status(500)).containing("/actions/").times(1),
        Rule::new(Fault::secondary_limit(1)).containing("/actions/").times(1),
        Rule::new(Fault::too_many(1)).containing("/graphql").times(1),
        Rule::new(Fault::bad_gateway()).containing("/graphql").times(2),
        Rule::new(Fault::CutBefore).containing("/graphql").times(1),
        Rule::new(Fault::Latency(Duration::from_millis(200))),
    ];
    for rule in table {
        let (well, ill) = (stage().await, stage().await);
        let expected = well.settled().await;
        ill.sandbox.faults().inject("github", rule.clone());
        let report = ill.settled().await;
        assert!(report.is_up(), "{rule:?}: {:?}", gaps(&report));
        assert_eq!(says(&report, "github."), says(&expected, "github."), "{rule:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_fails_the_run_and_its_heartbeat_is_delivered() {
    let stage = stage().await;
    stage.run().await;
    stage.clock.advance(GRID);
    stage.sandbox.faults().inject("github", Rule::new(Fault::CutBefore));
    let report = stage.run().await;
    assert_eq!(says(&report, "github."), 0);
    assert_eq!(
        (value(&report, "collector.up{}"), value(&report, "collector.target_up{target:acme/web}")),
        (Some(0.0), Some(0.0))
    );
    assert_eq!(
        value(&report, "collector.coverage_pct{target:acme/web}").map(|share| share < 20.0),
        Some(true),
        "{:?}",
        report.shares
    );
    assert!(says(&report, "metta.infra.cron.") > 5, "the targets of the checks are there, their verdicts unknown");
    assert!(
        report
            .samples
            .iter()
            .filter(|sample| sample.name().starts_with("metta.infra."))
            .all(|sample| sample.tag_value("status") == Some("unknown"))
    );
    assert!(report.outcome.as_ref().unwrap().accepted > 20);
    assert!(report.failure().is_some());
    stage.clock.advance(GRID);
    stage.sandbox.faults().clear();
    let report = stage.settled().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let slots =
        report.samples.iter().filter(|sample| sample.series() == "github.prs.merged.new{repo:acme/web}").count();
    assert!(slots >= 3, "the slots that could not be counted are sent by the run that can: {slots}");
}

#[tokio::test]
async fn a_repository_that_is_gone_or_empty_does_not_touch_the_others() {
    let mut number = 0;
    let seed = loop {
        let sandbox =
            Sandbox::start(Options::new(Seed { number, ..seed() }, sandbox::Clock::at(at(EPOCH)))).await.unwrap();
        if sandbox.organisation().repositories.iter().any(|repository| repository.empty) {
            break sandbox;
        }
        number += 1;
    };
    let stage = Stage::on(seed, true, &[("GITHUB_REPOS", "acme/web,acme/gone,acme/attic")]).await;
    let report = stage.settled().await;
    let up = |target: &str| value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((up("acme/web"), up("acme/gone"), up("acme/attic")), (Some(1.0), Some(0.0), Some(0.0)));
    assert_eq!(says(&report, "github.prs.open"), 1, "only of the repository that is there");
    assert_eq!(report.failed.len(), 2);
}

#[tokio::test]
async fn an_error_of_graphql_makes_the_part_that_it_names_unknown_and_no_other() {
    let stage = stage().await;
    let spoil = |mut answer: Value| {
        if let Some(repository) = answer.pointer_mut("/data/repository")
            && repository.get("bugs").is_none()
            && let Some(open) = repository.get_mut("open")
        {
            *open = Value::Null;
            answer["errors"] = json!([{"message": "Something went wrong while executing your query.", "path": ["repository", "open"]}]);
        }
        answer
    };
    stage.sandbox.faults().inject("github", Rule::new(Fault::rewrite(spoil)).containing("/graphql"));
    let report = stage.run().await;
    let gaps = gaps(&report);
    assert!(
        gaps.contains("pulls") && !gaps.contains("commits") && !gaps.contains("branches") && !gaps.contains("runs"),
        "{gaps:?}"
    );
    assert_eq!((says(&report, "github.prs."), says(&report, "github.commits.hotfix")), (0, 0));
    assert!(says(&report, "github.commits.total_7d") == 1 && says(&report, "github.ci.") > 10);
}

#[tokio::test]
async fn a_token_that_was_replaced_in_the_secret_store_heals_by_itself() {
    let sandbox = Sandbox::start(Options::new(seed(), sandbox::Clock::at(at(EPOCH)))).await.unwrap();
    sandbox.secrets().put("vitals", &json!({"GITHUB_TOKEN": GITHUB_TOKEN}).to_string());
    let url = sandbox.url("secrets").to_owned();
    let more = [
        ("GITHUB_TOKEN", ""),
        ("GITHUB_REPOS", "acme/web"),
        ("SECRET_ARN", "vitals"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let stage = Stage::on(sandbox, true, &more).await;
    assert!(stage.settled().await.is_up());
    stage.sandbox.credentials().revoke(GITHUB_TOKEN);
    stage.sandbox.credentials().allow("ghp_another");
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert_eq!(
        (says(&report, "github."), report.failure().unwrap().kind()),
        (0, Some("auth")),
        "the secret store does not know yet"
    );
    stage.sandbox.secrets().put("vitals", &json!({"GITHUB_TOKEN": "ghp_another"}).to_string());
    stage.clock.advance(GRID);
    let reads = stage.sandbox.secrets().reads();
    let report = stage.settled().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    assert_eq!(stage.sandbox.secrets().reads(), reads + 1, "read once more, and once only");
}

#[tokio::test]
async fn an_app_reads_what_a_token_reads_and_another_key_opens_nothing() {
    let app = App::default();
    let (id, installation) = (app.id.to_string(), app.installation.to_string());
    let more = [
        ("GITHUB_REPOS", "acme/web"),
        ("GITHUB_TOKEN", ""),
        ("GITHUB_APP_ID", id.as_str()),
        ("GITHUB_APP_KEY", APP_KEY),
        ("GITHUB_APP_INSTALLATION", installation.as_str()),
    ];
    let (with_token, with_app) = (stage().await, Stage::new(seed(), at(EPOCH), true, &more).await);
    let (expected, report) = (with_token.settled().await, with_app.settled().await);
    assert_eq!(gauges(&report), gauges(&expected));
    // Its tokens are gone: it asks for another.
    with_app.sandbox.credentials().revoke_installation_tokens();
    with_app.clock.advance(GRID);
    assert!(with_app.settled().await.is_up());
    with_app.sandbox.credentials().install(App { id: 8, ..App::default() });
    with_app.sandbox.credentials().revoke_installation_tokens();
    with_app.clock.advance(GRID);
    let text = with_app.run().await.failure().unwrap().with_causes();
    assert!(text.contains("GITHUB_APP_KEY") && !text.contains("BEGIN"), "{text}");
}

#[tokio::test]
async fn a_refused_token_is_named_by_its_place_and_never_by_its_value() {
    let stage = stage().await;
    stage.sandbox.credentials().revoke(GITHUB_TOKEN);
    let report = stage.run().await;
    let text = report.failure().unwrap().with_causes();
    assert!(text.contains("GITHUB_TOKEN") && !text.contains(GITHUB_TOKEN), "{text}");
}

#[tokio::test]
async fn no_name_address_title_or_secret_leaves_the_collector() {
    let journal = Journal::keep();
    let stage = stage().await;
    let mut said = String::new();
    for _ in 0..3 {
        let report = stage.settled().await;
        said.extend(report.samples.iter().map(|sample| format!("{sample}\n")));
        stage.clock.advance(GRID);
    }
    let (kept, logged) = (stage.inner.snapshots().await, journal.text());
    assert!(logged.contains("\"message\":\"run\""), "the line that sums the run up is among them");
    assert!(kept.len() > 1000 && kept.contains("acme/web"));
    let organisation = stage.sandbox.organisation();
    let repository = &organisation.repositories[0];
    let people = organisation
        .people
        .iter()
        .flat_map(|person| [person.name.clone(), person.login.clone()].into_iter().chain(person.emails.clone()));
    let texts = repository
        .pulls
        .iter()
        .map(|pull| pull.title.clone())
        .chain(repository.issues.iter().map(|issue| issue.title.clone()));
    let heads = repository.commits.iter().map(|commit| commit.message.lines().next().unwrap_or_default().to_owned());
    for secret in people.chain(texts).chain(heads).filter(|text| text.len() > 5) {
        assert!([&kept, &said, &logged].iter().all(|text| !text.contains(&secret)), "`{secret}` is told");
    }
    for secret in [GITHUB_TOKEN, API_KEY] {
        assert!([&kept, &said, &logged].iter().all(|text| !text.contains(secret)), "`{secret}` is told");
    }
}
