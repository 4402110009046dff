//! What only GitHub does.

use crate::Repositories;
use kit::sandbox::github::{APP_KEY, App};
use kit::sandbox::{Clock, Fault, Options, Rule, Sandbox};
use kit::shared::GRID;
use kit::shared::testing::{at, gaps, gauges, says, value};
use kit::{EPOCH, Settings, Stage, Subject, seed};
use serde_json::{Value, json};
use std::rc::Rc;

/// A stage on this sandbox, with these variables.
async fn on(sandbox: &Rc<Sandbox>, more: &[(&'static str, &str)]) -> Stage<Repositories> {
    let more: Settings = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Stage::on(sandbox, Repositories::HEALTHY, true, more).await
}

async fn stage() -> Stage<Repositories> {
    Stage::single(true).await
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
    let stage = on(&Stage::<Repositories>::sized(1, true).await.sandbox, &more).await;
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
async fn a_repository_that_is_gone_or_empty_does_not_touch_the_others() {
    let mut number = 0;
    let sandbox = loop {
        let sandbox = Sandbox::start(Options::new(seed(number, 0), Clock::at(at(EPOCH)))).await.unwrap();
        if sandbox.organisation().repositories.iter().any(|repository| repository.empty) {
            break Rc::new(sandbox);
        }
        number += 1;
    };
    let stage = on(&sandbox, &[("GITHUB_REPOS", "acme/web,acme/gone,acme/attic")]).await;
    let report = stage.settled().await;
    let up = |target: &str| value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((up("acme/web"), up("acme/gone"), up("acme/attic")), (Some(1.0), Some(0.0), Some(0.0)));
    assert_eq!(says(&report, "github.prs.open"), 1, "only of the repository that is there");
    assert_eq!(report.failed().count(), 2);
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
    let with_token = on(&stage().await.sandbox, &more[..1]).await;
    let with_app = on(&with_token.sandbox, &more).await;
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
