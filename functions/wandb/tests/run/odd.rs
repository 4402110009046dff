//! What only W&B does.

use crate::Projects;
use kit::sandbox::{Fault, Rule};
use kit::shared::testing::{gaps, says, value};
use kit::{Stage, Subject};
use serde_json::{Value, json};
use std::time::Duration;

const RECENT: &str = "systemMetrics";

#[tokio::test]
async fn a_failure_in_the_middle_of_paging_leaves_no_half_of_a_list() {
    let stage = Stage::<Projects>::sized(1, true).await;
    stage.sandbox.faults().inject("wandb", Rule::new(Fault::bad_gateway()).body(RECENT).skip(4));
    let report = stage.run().await;
    assert!(gaps(&report).contains("recent"));
    assert_eq!((says(&report, "wandb.runs.active"), says(&report, "wandb.runs.total")), (0, 1));
    stage.sandbox.faults().clear();
    let healed = stage.run().await;
    assert!(says(&healed, "wandb.runs.active") == 5 && !gaps(&healed).contains("recent"));
}

#[tokio::test]
async fn every_row_that_a_failing_question_silences_is_there_in_health() {
    let report = Stage::<Projects>::single(true).await.run().await;
    for question in Projects::questions() {
        for row in question.silent {
            assert!(says(&report, row) > 0, "{}: {row} is no row", question.name);
        }
    }
    assert!(value(&report, "collector.unread{part:gpus,target:acme/arena}") > Some(0.0), "and some runs tell no GPUs");
}

#[tokio::test]
async fn a_reset_that_is_asked_for_is_waited_for_and_the_quota_is_told() {
    let stage = Stage::<Projects>::single(true).await;
    let limited = Fault::answer(429, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "2")], "{}");
    stage.sandbox.faults().inject("wandb", Rule::new(limited).times(1));
    let started = std::time::Instant::now();
    let report = stage.run().await;
    assert!(report.is_up() && started.elapsed() >= Duration::from_secs(2));
    assert_eq!(value(&report, "collector.api_budget_pct{target:acme/arena,upstream:wandb}"), Some(99.9));
}

#[tokio::test]
async fn a_project_of_another_team_is_a_gap_and_a_new_one_is_empty() {
    let stage = Stage::<Projects>::single(true).await;
    let projects = [("WANDB_PROJECTS", "acme/arena,rival/secret,acme/fresh".to_owned())];
    let stage = Stage::<Projects>::on(&stage.sandbox, Projects::HEALTHY, true, projects.into()).await;
    let report = stage.run().await;
    let gone = |target: &str| value(&report, &format!("collector.gap{{part:counts,target:{target}}}"));
    assert_eq!(["acme/arena", "rival/secret", "acme/fresh"].map(gone), [Some(0.0), Some(1.0), Some(0.0)]);
    assert_eq!(value(&report, "wandb.runs.total{project:acme/fresh}"), Some(0.0), "we looked, and there is none");
    let why = report.failure().unwrap().with_causes();
    assert!(why.contains("rival/secret") && why.contains("WANDB_API_KEY"), "{why}");
}

/// Changes the runs of an answer.
fn runs(change: fn(&mut Value)) -> Fault {
    Fault::rewrite(move |mut answer: Value| {
        if let Some(runs) = answer.pointer_mut("/data/project/runs") {
            change(runs);
        }
        answer
    })
}

#[tokio::test]
async fn a_list_out_of_order_or_without_a_way_on_is_unknown() {
    let backwards = runs(|runs| runs["edges"].as_array_mut().unwrap().reverse());
    let lost = runs(|runs| {
        runs["pageInfo"] = json!({"endCursor": null, "hasNextPage": true});
        for edge in runs["edges"].as_array_mut().unwrap() {
            edge["cursor"] = Value::Null;
        }
    });
    for fault in [backwards, lost] {
        let stage = Stage::<Projects>::single(true).await;
        // Nothing in it is older than the window, so that the list would have to go on.
        let fresh = runs(|runs| {
            for edge in runs["edges"].as_array_mut().unwrap() {
                if edge["node"]["heartbeatAt"].as_str().is_some_and(|time| time < "2026-01-02") {
                    edge["node"]["heartbeatAt"] = json!("2026-01-02T00:00:00Z");
                }
            }
        });
        stage.sandbox.faults().inject("wandb", Rule::new(fresh).body(RECENT));
        stage.sandbox.faults().inject("wandb", Rule::new(fault).body(RECENT));
        let report = stage.run().await;
        assert!(gaps(&report).contains("recent"), "{:?}", report.shares);
        assert_eq!((says(&report, "wandb.runs.active"), says(&report, "wandb.runs.total")), (0, 1));
        let decode = value(&report, "collector.api_errors{kind:decode,upstream:wandb}");
        assert!(decode > Some(0.0), "{decode:?}");
    }
}

#[tokio::test]
async fn a_refused_key_is_named_by_its_place_and_never_by_its_value() {
    for status in [401, 403] {
        let stage = Stage::<Projects>::single(true).await;
        stage.sandbox.faults().inject("wandb", Rule::new(Fault::status(status)));
        let text = stage.run().await.failure().unwrap().with_causes();
        assert!(text.contains("WANDB_API_KEY") && !text.contains(Projects::credential().value), "{text}");
    }
}
