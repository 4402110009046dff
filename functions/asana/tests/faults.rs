//! Upstreams that fail: what is known is delivered, what is not is absent and named, and no zero is invented.

mod stage;

use asana::Asana;
use sandbox::{API_KEY, ASANA_TOKEN, Clock, Fault, Options, Rule, Sandbox, Seed};
use serde_json::{Value, json};
use shared::testing::{Folder, Journal, at, differences, gaps, gauges, pending, says, value};
use shared::{Collector, Env, GRID, Report};
use stage::{EPOCH, Stage};
use std::collections::BTreeSet;
use std::time::Duration;

fn seed() -> Seed {
    Seed { number: 3, size: 0, epoch: at(EPOCH) }
}

async fn stage() -> Stage {
    Stage::new(seed(), at(EPOCH), true, &[]).await
}

/// Every gauge of tasks, as their names begin.
const OF_TASKS: [&str; 4] = ["asana.tasks.", "asana.velocity.", "asana.cycle_time.", "asana.users."];

#[tokio::test]
async fn a_part_that_fails_for_good_is_absent_and_named_and_the_rest_is_there() {
    let lists = || "/tasks?";
    let table: Vec<(&str, Rule, &str)> = vec![
        ("500", Rule::new(Fault::status(500)).containing(lists()), "server"),
        (
            "502 in the middle of paging",
            Rule::new(Fault::bad_gateway()).containing("offset=").containing(lists()),
            "server",
        ),
        ("429 with a long pause", Rule::new(Fault::too_many(3600)).containing(lists()), "rate_limited"),
        ("401", Rule::new(Fault::status(401)).containing(lists()), "auth"),
        ("403", Rule::new(Fault::status(403)).containing(lists()), "auth"),
        ("404", Rule::new(Fault::status(404)).containing(lists()), "not_found"),
        (
            "a redirect",
            Rule::new(Fault::answer(302, &[("location", "https://login.example.com/")], "")).containing(lists()),
            "server",
        ),
        ("a cut connection", Rule::new(Fault::CutBefore).containing(lists()), "network"),
        ("a cut body", Rule::new(Fault::CutBody(40)).containing(lists()), "network"),
        ("truncated JSON", Rule::new(Fault::Truncated).containing(lists()), "decode"),
        ("a page of HTML", Rule::new(Fault::Garbage).containing(lists()), "decode"),
        (
            "another shape",
            Rule::new(Fault::rewrite(|_| json!({ "data": { "gid": "1" } }))).containing(lists()),
            "decode",
        ),
        ("a field that is missing", Rule::new(Fault::rewrite(without_assignees)).containing(lists()), "decode"),
    ];
    for (name, rule, kind) in table {
        // Where a list is to have a middle, it must have more than a page.
        let size = u32::from(name.contains("middle"));
        let stage = Stage::new(Seed { size, ..seed() }, at(EPOCH), true, &[]).await;
        stage.sandbox.faults().inject("asana", rule);
        let report = stage.run().await;
        assert!(gaps(&report).contains("tasks"), "{name}: {:?}", gaps(&report));
        for prefix in OF_TASKS {
            assert_eq!(says(&report, prefix), 0, "{name}: {prefix} is not known");
        }
        if gaps(&report).contains("bugs") {
            assert_eq!(says(&report, "asana.projects.bugs."), 0, "{name}: no bug is known, and none invented");
            let check = report.samples.iter().filter(|sample| sample.name().starts_with("metta.infra."));
            let verdicts: Vec<_> = check.map(|sample| (sample.name(), sample.tag_value("status"))).collect();
            assert_eq!(verdicts, [("metta.infra.cron.training.bugs.count.target", Some("unknown"))], "{name}");
            assert_eq!(says(&report, "health.training."), 0, "{name}");
        }
        assert!(value(&report, "asana.projects.active{workspace:acme}") > Some(1.0), "{name}: projects are known");
        assert_eq!(value(&report, "collector.up{}"), Some(0.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:tasks,target:acme}"), Some(1.0), "{name}");
        assert_eq!(value(&report, "collector.gap{part:projects,target:acme}"), Some(0.0), "{name}");
        let counted = value(&report, &format!("collector.api_errors{{kind:{kind},upstream:asana}}"));
        assert!(counted > Some(0.0), "{name}: {counted:?}");
        assert!(report.outcome.as_ref().unwrap().accepted > 10, "{name}: what is known is delivered");
        assert!(report.failure().is_none(), "{name}: a part that fails alone does not fail the run");
    }
}

/// As the predecessor's listing of a workspace was: without assignees.
fn without_assignees(mut answer: Value) -> Value {
    for task in answer["data"].as_array_mut().into_iter().flatten() {
        if let Some(task) = task.as_object_mut() {
            task.remove("assignee");
        }
    }
    answer
}

#[tokio::test]
async fn what_passes_by_itself_leaves_no_trace_but_calls() {
    let table = [
        Rule::new(Fault::status(500)).containing("/tasks").times(1),
        Rule::new(Fault::too_many(1)).containing("/tasks").times(2),
        Rule::new(Fault::bad_gateway()).containing("/projects").times(2),
        Rule::new(Fault::CutBefore).containing("/tasks").times(1),
        Rule::new(Fault::Latency(Duration::from_millis(100))),
    ];
    let expected = gauges(&stage().await.run().await);
    let ours = |values: &shared::testing::Values| -> shared::testing::Values {
        values.iter().filter(|(series, _)| !series.starts_with("collector.")).map(|(s, v)| (s.clone(), *v)).collect()
    };
    for rule in table {
        let ill = stage().await;
        ill.sandbox.faults().inject("asana", rule.clone());
        let report = ill.run().await;
        assert!(report.is_up(), "{rule:?}: {:?}", gaps(&report));
        assert_eq!(ours(&gauges(&report)), ours(&expected), "{rule:?}");
    }
}

#[tokio::test]
async fn an_upstream_that_is_down_fails_the_run_and_its_heartbeat_is_delivered() {
    let stage = stage().await;
    stage.run().await;
    stage.clock.advance(GRID);
    stage.sandbox.faults().inject("asana", Rule::new(Fault::CutBefore));
    let report = stage.run().await;
    assert_eq!(says(&report, "asana."), 0);
    assert_eq!(
        (value(&report, "collector.up{}"), value(&report, "collector.target_up{target:acme}")),
        (Some(0.0), Some(0.0))
    );
    for part in ["projects", "tasks", "bugs"] {
        let gap = value(&report, &format!("collector.gap{{part:{part},target:acme}}"));
        assert_eq!(gap, Some(1.0), "{part}");
    }
    assert_eq!(says(&report, "metta.infra.cron.training.bugs.count"), 1, "the target is there, the verdict unknown");
    assert!(report.outcome.as_ref().unwrap().accepted > 10);
    assert!(report.failure().is_some());
    stage.clock.advance(GRID);
    stage.sandbox.faults().clear();
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let slots = report.samples.iter().filter(|sample| sample.name() == "asana.tasks.completed.new").count();
    assert!(slots >= 3, "the slots that could not be counted are sent by the run that can: {slots}");
}

#[tokio::test]
async fn a_project_of_bugs_that_is_gone_is_unknown_and_named_and_the_tasks_are_there() {
    let stage = Stage::new(seed(), at(EPOCH), true, &[("ASANA_BUGS_PROJECTS", "bugs=1")]).await;
    let report = stage.run().await;
    assert_eq!(gaps(&report), BTreeSet::from(["bugs"]));
    let why = &report.shares[0].findings.gaps["bugs"];
    assert!(why.contains("/tasks"), "{why}");
    assert_eq!(says(&report, "asana.projects.bugs."), 0);
    assert!(says(&report, "asana.tasks.") >= 10);
}

#[tokio::test]
async fn a_project_that_is_out_of_sight_is_counted_nowhere_and_breaks_nothing() {
    let stage = stage().await;
    let before = stage.run().await;
    let bugs = stage.workspace().bugs.unwrap();
    let now = stage.clock.now();
    let active = |history: &[(jiff::Timestamp, bool)]| sandbox::model::asana::at(history, now) == Some(&false);
    let projects = stage.workspace().projects.iter().enumerate();
    let (_, other) = projects
        .filter(|(place, _)| *place != bugs)
        .find(|(_, project)| {
            project.created_at <= now
                && project.deleted_at.is_none()
                && active(&project.archived)
                && active(&project.completed)
        })
        .unwrap();
    stage.sandbox.asana().hide(&other.gid);
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let active = |report: &Report| value(report, "asana.projects.active{workspace:acme}").unwrap();
    assert!((active(&before) - active(&report) - 1.0).abs() < 0.1);
}

#[tokio::test]
async fn a_workspace_that_is_gone_does_not_touch_the_other() {
    let sandbox = Sandbox::start(Options::new(seed(), Clock::at(at(EPOCH)))).await.unwrap();
    let [acme, attic] = [0, 1].map(|place| sandbox.organisation().workspaces[place].gid.clone());
    let workspaces = format!("acme={acme},attic={attic},gone=12");
    let stage = Stage::on(sandbox, true, &[("ASANA_WORKSPACES", &workspaces)]).await;
    let report = stage.run().await;
    let up = |target: &str| value(&report, &format!("collector.target_up{{target:{target}}}"));
    assert_eq!((up("acme"), up("attic"), up("gone")), (Some(1.0), Some(1.0), Some(0.0)), "{:?}", report.shares);
    assert_eq!(value(&report, "asana.tasks.total{workspace:attic}"), Some(0.0));
    assert_eq!(value(&report, "asana.projects.bugs.total_open{project:bugs,workspace:attic}"), None);
    assert!(value(&report, "asana.projects.bugs.total_open{project:bugs,workspace:acme}").is_some());
    assert_eq!(value(&report, "asana.tasks.total{workspace:gone}"), None);
}

#[tokio::test]
async fn offsets_that_expire_restart_their_lists_once() {
    let stage = Stage::new(Seed { size: 1, ..seed() }, at(EPOCH), true, &[]).await;
    let expected = gauges(&stage.run().await);
    let expired = json!({ "errors": [{ "message": "offset: Your pagination token has expired." }] }).to_string();
    let rule = Rule::new(Fault::answer(400, &[], &expired)).containing("offset=");
    let again = Stage::on(stage.sandbox, true, &[]).await;
    again.sandbox.faults().inject("asana", rule.clone().times(1));
    let report = again.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &shared::testing::Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&expected));
    let always = Stage::on(again.sandbox, true, &[]).await;
    always.sandbox.faults().clear();
    always.sandbox.faults().inject("asana", rule);
    let report = always.run().await;
    assert!(gaps(&report).contains("projects"), "{:?}", gaps(&report));
    assert_eq!(says(&report, "asana.projects.active"), 0);
}

#[tokio::test]
async fn a_refused_search_is_replaced_by_the_lists() {
    let listing = gauges(&stage().await.run().await);
    let stage = Stage::new(seed(), at(EPOCH), true, &[("ASANA_SEARCH", "on")]).await;
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
    let tasks = |values: &shared::testing::Values| values["asana.tasks.total{workspace:acme}"].to_string();
    assert_eq!(tasks(&gauges(&report)), tasks(&listing));
}

#[tokio::test]
async fn more_lists_than_the_budget_are_pending_and_no_gap_and_known_a_few_runs_later() {
    let expected = gauges(&stage().await.run().await);
    let stage = Stage::new(seed(), at(EPOCH), true, &[("ASANA_BUDGET", "3")]).await;
    let (report, mut missing) = (stage.run().await, u64::MAX);
    assert!(report.is_up(), "{:?}", report.shares);
    assert_eq!(value(&report, "collector.target_up{target:acme}"), Some(1.0));
    // Projects, bugs and the store are whole, tasks are not.
    assert_eq!(value(&report, "collector.coverage_pct{target:acme}"), Some(75.0));
    assert_eq!(OF_TASKS.iter().map(|prefix| says(&report, prefix)).sum::<usize>(), 0);
    assert!(says(&report, "asana.projects.bugs.") > 10 && says(&report, "asana.projects.active") == 1);
    let mut next = report;
    while pending(&next) > 0 {
        assert!(pending(&next) < missing, "{missing} and then {}", pending(&next));
        missing = pending(&next);
        let told = value(&next, "collector.pending{part:tasks,target:acme}");
        assert_eq!(told.map(|told| told.to_string()), Some(missing.to_string()));
        next = stage.run().await;
        assert!(next.is_up(), "{:?}", next.shares);
    }
    assert_eq!(value(&next, "collector.coverage_pct{target:acme}"), Some(100.0));
    assert_eq!(differences(&gauges(&next), &expected), Vec::<String>::new());
}

#[tokio::test]
async fn a_token_that_was_replaced_in_the_secret_store_heals_by_itself() {
    let sandbox = Sandbox::start(Options::new(seed(), Clock::at(at(EPOCH)))).await.unwrap();
    sandbox.secrets().put("vitals", &json!({ "ASANA_TOKEN": ASANA_TOKEN }).to_string());
    let url = sandbox.url("secrets").to_owned();
    let more = [
        ("ASANA_TOKEN", ""),
        ("SECRET_ARN", "vitals"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url.as_str()),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let stage = Stage::on(sandbox, true, &more).await;
    assert!(stage.run().await.is_up());
    stage.sandbox.asana().revoke(ASANA_TOKEN);
    stage.sandbox.asana().allow("2/another");
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert_eq!(says(&report, "asana."), 0, "the secret store does not know yet");
    let text = report.failure().unwrap().with_causes();
    assert!(text.contains("ASANA_TOKEN") && !text.contains(ASANA_TOKEN), "{text}");
    stage.sandbox.secrets().put("vitals", &json!({ "ASANA_TOKEN": "2/another" }).to_string());
    stage.clock.advance(GRID);
    let report = stage.run().await;
    assert!(report.is_up(), "{:?}", gaps(&report));
}

#[tokio::test]
async fn no_name_address_text_identifier_of_a_person_or_secret_leaves_the_collector() {
    let journal = Journal::keep();
    let stage = stage().await;
    let mut said = String::new();
    for _ in 0..3 {
        let report = stage.run().await;
        said.extend(report.samples.iter().map(|sample| format!("{sample}\n")));
        stage.clock.advance(GRID);
    }
    let (kept, logged) = (stage.inner.snapshots().await, journal.text());
    assert!(logged.contains("\"message\":\"run\""), "the line that sums the run up is among them");
    assert!(kept.len() > 1000 && kept.contains("acme"));
    let workspace = stage.workspace();
    let people = workspace.users.iter().flat_map(|user| [&user.name, &user.email, &user.gid]);
    let tasks = workspace.tasks.iter().flat_map(|task| [&task.name, &task.notes]);
    let projects = workspace.projects.iter().map(|project| &project.name);
    let statuses = workspace.projects.iter().flat_map(|project| &project.statuses);
    let statuses = statuses.flat_map(|status| [&status.title, &status.text]);
    let sections = workspace.projects.iter().flat_map(|project| &project.sections).map(|section| &section.name);
    let mut looked_for = 0;
    // Shorter ones are words of our own.
    for text in people.chain(tasks).chain(projects).chain(statuses).chain(sections).filter(|text| text.len() > 7) {
        assert!([&kept, &said, &logged].iter().all(|told| !told.contains(text.as_str())), "`{text}` is told");
        looked_for += 1;
    }
    assert!(looked_for > 200, "{looked_for}");
    for secret in [ASANA_TOKEN, API_KEY] {
        assert!([&kept, &said, &logged].iter().all(|told| !told.contains(secret)), "a secret is told");
    }
}

#[tokio::test]
async fn a_wrong_configuration_fails_the_start_with_78_the_variable_and_an_example() {
    let state = Folder::new("asana-config");
    let good = [("STATE_DIR", state.path().to_str().unwrap()), ("ASANA_WORKSPACES", "acme=12"), ("ASANA_TOKEN", "t")];
    for (name, value) in [
        ("ASANA_WORKSPACES", ""),
        ("ASANA_WORKSPACES", "acme"),
        ("ASANA_TOKEN", ""),
        ("ASANA_URL", "asana"),
        ("ASANA_BUGS_PROJECTS", "bugs=abc"),
        ("ASANA_BUGS_SECTIONS", "done=Done"),
        ("ASANA_BUGS_LABELS", "a,A"),
        ("ASANA_TASK_PROJECTS", "x"),
        ("ASANA_TIMEZONE", "Moon/Base"),
        ("ASANA_BUDGET", "much"),
        ("ASANA_SEARCH", "perhaps"),
    ] {
        let env = Env::of(good.into_iter().chain([(name, value)]));
        let error = Asana::connect(&env).await.map(drop).expect_err(name);
        let text = error.to_string();
        assert_eq!(error.exit_code(), 78, "{text}");
        assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
    }
}
