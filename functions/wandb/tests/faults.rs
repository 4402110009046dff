//! Upstreams that fail: what is known is delivered, what is not is absent and named, and no zero is invented.

mod stage;

use sandbox::{API_KEY, Fault, Options, Rule, Sandbox, Seed, WANDB_KEY};
use serde_json::{Value, json};
use shared::testing::{Journal, at, gaps, says, unread, value};
use shared::{Collector, Env, GRID};
use stage::{EPOCH, Stage};
use std::collections::BTreeSet;
use std::time::Duration;
use wandb::WandB;

fn seed() -> Seed {
    Seed { number: 3, size: 0, epoch: at(EPOCH) }
}

async fn stage() -> Stage {
    Stage::new(seed(), at(EPOCH), true, &[("WANDB_PROJECTS", "acme/arena")]).await
}

/// What a question of each part, and of no other, holds.
const COUNTS: &str = "running: runCount";
const RECENT: &str = "systemMetrics";
const BEST: &str = "-summary_metrics.accuracy";
const SUMMARIES: &str = "query Summaries";

#[tokio::test]
async fn a_part_that_fails_for_good_is_absent_and_named_and_the_rest_is_there() {
    let table: Vec<(&str, Fault, &str)> = vec![
        ("500", Fault::status(500), "server"),
        ("502", Fault::bad_gateway(), "server"),
        ("429 with a long pause", Fault::too_many(3600), "rate_limited"),
        (
            "429 with a far reset",
            Fault::answer(429, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1800")], "{}"),
            "rate_limited",
        ),
        ("400 with errors", Fault::answer(400, &[], "{\"errors\":[{\"message\":\"invalid filters\"}]}"), "server"),
        ("a cut connection", Fault::CutBefore, "network"),
        ("a cut body", Fault::CutBody(40), "network"),
        ("truncated JSON", Fault::Truncated, "decode"),
        ("a page of HTML", Fault::Garbage, "decode"),
        ("another shape", Fault::rewrite(|_| json!({"data": {"project": {"runs": 7, "all": "many"}}})), "decode"),
        ("a redirect", Fault::answer(302, &[("location", "https://login.example.com/")], ""), "server"),
        ("errors with 200", Fault::rewrite(|_| json!({"data": null, "errors": [{"message": "internal"}]})), "server"),
    ];
    let questions: [(&str, &[&str], &[&str]); 4] = [
        (COUNTS, &["counts"], &["wandb.runs.total", "wandb.runs.stale"]),
        (BEST, &["best"], &["wandb.metrics.best_accuracy", "health.training.best_accuracy"]),
        (SUMMARIES, &["summaries"], &["wandb.metrics.avg", "wandb.metrics.latest", "wandb.summary"]),
        (
            RECENT,
            &["gpus", "recent", "summaries"],
            &[
                "wandb.runs.active",
                "wandb.runs.by",
                "wandb.runs.c",
                "wandb.training",
                "wandb.summary",
                "wandb.runs.ended",
            ],
        ),
    ];
    for (name, fault, kind) in table {
        for (question, parts, rows) in questions {
            let stage = stage().await;
            stage.sandbox.faults().inject("wandb", Rule::new(fault.clone()).body(question));
            let report = stage.run().await;
            let expected: BTreeSet<&str> = parts.iter().copied().collect();
            assert_eq!(gaps(&report), expected, "{name} to {question}: {:?}", report.shares);
            for row in rows {
                assert_eq!(says(&report, row), 0, "{name} to {question}: {row}");
            }
            assert!(says(&report, "wandb.") >= 2, "{name} to {question}: the rest is there");
            assert_eq!(value(&report, "collector.up{}"), Some(0.0), "{name}");
            for part in parts {
                let gap = format!("collector.gap{{part:{part},target:acme/arena}}");
                assert_eq!(value(&report, &gap), Some(1.0), "{name} to {question}");
            }
            let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:wandb}}"));
            assert!(counted > Some(0.0), "{name} to {question}: {counted:?}");
            assert!(report.outcome.as_ref().unwrap().accepted > 30, "{name}: what is known is delivered");
            assert!(report.failure().is_none(), "{name}: a part that fails alone does not fail the run");
        }
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_of_paging_leaves_no_half_of_a_list() {
    let stage = Stage::new(Seed { size: 1, ..seed() }, at(EPOCH), true, &[("WANDB_PROJECTS", "acme/arena")]).await;
    stage.sandbox.faults().inject("wandb", Rule::new(Fault::bad_gateway()).body(RECENT).skip(4));
    let report = stage.run().await;
    assert!(gaps(&report).contains("recent"));
    assert_eq!((says(&report, "wandb.runs.active"), says(&report, "wandb.runs.total")), (0, 1));
    stage.sandbox.faults().clear();
    let healed = stage.run().await;
    assert!(says(&healed, "wandb.runs.active") == 5 && !gaps(&healed).contains("recent"));
}

#[tokio::test]
async fn what_passes_by_itself_leaves_no_trace_but_calls() {
    let table = [
        Rule::new(Fault::status(500)).times(1),
        Rule::new(Fault::too_many(1)).body(RECENT).times(1),
        Rule::new(Fault::answer(429, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1")], "{}")).times(1),
        Rule::new(Fault::bad_gateway()).body(SUMMARIES).times(2),
        Rule::new(Fault::CutBefore).body(BEST).times(1),
        Rule::new(Fault::Latency(Duration::from_millis(200))),
    ];
    let expected = stage().await.run().await;
    for rule in table {
        let ill = stage().await;
        ill.sandbox.faults().inject("wandb", rule.clone());
        let report = ill.run().await;
        assert!(report.is_up(), "{rule:?}: {:?}", report.shares);
        assert_eq!(unread(&report), unread(&expected), "{rule:?}");
        assert_eq!(says(&report, "wandb."), says(&expected, "wandb."), "{rule:?}");
    }
}

#[tokio::test]
async fn a_reset_that_is_asked_for_is_waited_for_and_the_quota_is_told() {
    let stage = stage().await;
    let limited = Fault::answer(429, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "2")], "{}");
    stage.sandbox.faults().inject("wandb", Rule::new(limited).times(1));
    let started = std::time::Instant::now();
    let report = stage.run().await;
    assert!(started.elapsed() >= Duration::from_secs(2));
    assert_eq!(value(&report, "collector.api_budget_pct{target:acme/arena,upstream:wandb}"), Some(99.9));
}

#[tokio::test]
async fn an_upstream_that_is_down_fails_the_run_and_its_heartbeat_is_delivered() {
    let stage = stage().await;
    stage.run().await;
    stage.clock.advance(GRID);
    stage.sandbox.faults().inject("wandb", Rule::new(Fault::CutBefore));
    let report = stage.run().await;
    assert_eq!((says(&report, "wandb."), says(&report, "health.")), (0, 0));
    assert_eq!(value(&report, "collector.up{}"), Some(0.0));
    assert_eq!(value(&report, "collector.target_up{target:acme/arena}"), Some(0.0));
    assert!(report.outcome.as_ref().unwrap().accepted > 10);
    assert!(report.failure().is_some());
    stage.clock.advance(GRID);
    stage.sandbox.faults().clear();
    let report = stage.run().await;
    assert_eq!(says(&report, "wandb.runs.total"), 1);
    let slots = report.samples.iter().filter(|sample| sample.name() == "wandb.runs.ended.new").count();
    assert!(slots >= 15 * 3, "the slots that could not be counted are sent by the run that can: {slots}");
}

#[tokio::test]
async fn a_project_that_is_gone_or_hidden_does_not_touch_the_others() {
    let projects = [("WANDB_PROJECTS", "acme/arena,acme/gone,rival/secret,acme/fresh")];
    let stage = Stage::new(seed(), at(EPOCH), true, &projects).await;
    let report = stage.run().await;
    let gone = |target: &str| value(&report, &format!("collector.gap{{part:counts,target:{target}}}"));
    assert_eq!(
        ["acme/arena", "acme/gone", "rival/secret", "acme/fresh"].map(gone),
        [Some(0.0), Some(1.0), Some(1.0), Some(0.0)]
    );
    assert_eq!(says(&report, "wandb.runs.total"), 2);
    assert_eq!(value(&report, "wandb.runs.total{project:acme/fresh}"), Some(0.0), "we looked, and there is none");
    assert_eq!(report.failed.len(), 2);
    let why = report.failed[0].1.with_causes();
    assert!(why.contains("acme/gone") && why.contains("WANDB_API_KEY"), "{why}");
}

#[tokio::test]
async fn a_key_that_was_replaced_in_the_secret_store_heals_by_itself() {
    let sandbox = Sandbox::start(Options::new(seed(), sandbox::Clock::at(at(EPOCH)))).await.unwrap();
    sandbox.secrets().put("vitals", &json!({"WANDB_API_KEY": WANDB_KEY}).to_string());
    let url = sandbox.url("secrets").to_owned();
    let more = [
        ("WANDB_API_KEY", ""),
        ("WANDB_PROJECTS", "acme/arena"),
        ("SECRET_ARN", "vitals"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let stage = Stage::on(sandbox, true, &more).await;
    let well = stage.run().await;
    assert!(says(&well, "wandb.") > 20);
    stage.sandbox.wandb_keys().revoke(WANDB_KEY);
    stage.sandbox.wandb_keys().allow("another");
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert_eq!((says(&report, "wandb."), report.failure().unwrap().kind()), (0, Some("auth")));
    stage.sandbox.secrets().put("vitals", &json!({"WANDB_API_KEY": "another"}).to_string());
    stage.clock.advance(GRID);
    let reads = stage.sandbox.secrets().reads();
    let report = stage.run().await;
    assert!(well.is_up() && report.is_up() && report.failed.is_empty(), "{:?}", report.shares);
    assert_eq!(stage.sandbox.secrets().reads(), reads + 1, "read once more, and once only");
}

#[tokio::test]
async fn a_refused_key_is_named_by_its_place_and_never_by_its_value() {
    for status in [401, 403] {
        let stage = stage().await;
        stage.sandbox.faults().inject("wandb", Rule::new(Fault::status(status)));
        let report = stage.run().await;
        let text = report.failure().unwrap().with_causes();
        assert!(text.contains("WANDB_API_KEY") && !text.contains(WANDB_KEY), "{text}");
    }
}

#[tokio::test]
async fn a_list_out_of_order_or_without_a_way_on_is_unknown() {
    let runs = |change: fn(&mut Value)| {
        Fault::rewrite(move |mut answer: Value| {
            if let Some(runs) = answer.pointer_mut("/data/project/runs") {
                change(runs);
            }
            answer
        })
    };
    let backwards = runs(|runs| runs["edges"].as_array_mut().unwrap().reverse());
    let lost = runs(|runs| {
        runs["pageInfo"] = json!({"endCursor": null, "hasNextPage": true});
        for edge in runs["edges"].as_array_mut().unwrap() {
            edge["cursor"] = Value::Null;
        }
    });
    for fault in [backwards, lost] {
        let stage = stage().await;
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
async fn no_name_title_or_secret_leaves_the_collector() {
    let journal = Journal::keep();
    let stage = Stage::new(seed(), at(EPOCH), true, &[]).await;
    let mut said = String::new();
    for step in 0..4 {
        if step == 2 {
            stage.sandbox.faults().inject("wandb", Rule::new(Fault::status(500)).body(BEST));
        }
        let report = stage.run().await;
        said.extend(report.samples.iter().map(|sample| format!("{sample}\n")));
        stage.clock.advance(GRID);
    }
    let (kept, logged) = (stage.inner.snapshots().await, journal.text());
    assert!(logged.contains("\"message\":\"run\""), "the line that sums the run up is among them");
    assert!(kept.len() > 1000 && kept.contains("acme/arena"));
    let organisation = stage.sandbox.organisation();
    let people = organisation
        .people
        .iter()
        .flat_map(|person| [person.name.clone(), person.login.clone()].into_iter().chain(person.emails.clone()));
    let runs = organisation.projects.iter().flat_map(|project| &project.runs);
    let names = runs.flat_map(|run| [Some(run.name.clone()), run.display_name.clone()].into_iter().flatten());
    let secrets = [WANDB_KEY.to_owned(), API_KEY.to_owned(), "sandbox-reader".to_owned(), "quoted".to_owned()];
    let told: Vec<String> = people.chain(names).chain(secrets).filter(|text| text.len() > 5).collect();
    assert!(told.len() > 500);
    let all = [&kept, &said, &logged];
    let found: Vec<&String> =
        told.iter().filter(|text| all.iter().any(|place| place.contains(text.as_str()))).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_wrong_configuration_ends_with_78_and_names_the_variable() {
    let base = [("DD_API_KEY", "k"), ("DD_ENV", "test"), ("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "k")];
    assert!(WandB::connect(&Env::of(base)).await.is_ok());
    for (name, value) in [
        ("WANDB_PROJECTS", ""),
        ("WANDB_PROJECTS", "arena"),
        ("WANDB_API_KEY", ""),
        ("WANDB_URL", "localhost"),
        ("WANDB_STALE_MINUTES", "-1"),
        ("WANDB_KEYS", "accuracy"),
        ("WANDB_PRICING", "free"),
        ("WANDB_RUN_TYPES", "train=x"),
        ("PRICES", "{"),
    ] {
        let error = WandB::connect(&Env::of(base.into_iter().chain([(name, value)]))).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.exit_code(), 78, "{text}");
        assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
    }
}
