//! Fetches against a fake of one route, whose runs a test moves about.

use super::*;
use serde_json::Value;
use shared::testing::{Fake, Reply, at};
use shared::{Env, Event};
use std::cmp::Reverse;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const NOW: &str = "2026-01-08T12:00:00Z";

/// A run at the fake, with times in minutes before [`NOW`].
#[derive(Debug, Clone)]
struct Told {
    name: String,
    state: &'static str,
    created: i64,
    beat: Option<i64>,
    summary: Value,
    machine: Value,
}

fn told(name: &str, state: &'static str, beat: i64, summary: Value) -> Told {
    let machine = json!({ "system.gpu.0.gpu": 50 });
    Told { name: name.to_owned(), state, created: beat + 60, beat: Some(beat), summary, machine }
}

fn stamp(minutes: i64) -> String {
    (at(NOW) - SignedDuration::from_mins(minutes)).to_string()
}

fn takes(filter: &Value, run: &Told) -> bool {
    let fields = filter.as_object().unwrap();
    fields.iter().all(|(key, asked)| match (key.as_str(), asked) {
        ("$and", Value::Array(all)) => all.iter().all(|filter| takes(filter, run)),
        ("state", Value::String(state)) => run.state == state,
        ("state", asked) => asked.as_object().unwrap().iter().all(|(operator, states)| {
            states.as_array().unwrap().iter().any(|state| state == run.state) == (operator == "$in")
        }),
        ("name", asked) => asked["$in"].as_array().unwrap().iter().any(|name| *name == json!(run.name)),
        (key, _) => run.summary.get(key.strip_prefix("summary_metrics.").unwrap()).is_some(),
    })
}

/// A page of the runs that fit; the cursor is the number of runs before the next one.
fn page(runs: &[Told], filters: &Value, order: &str, after: &Value, first: usize) -> Value {
    let filter: Value = filters.as_str().map_or(json!({}), |text| serde_json::from_str(text).unwrap());
    let mut all: Vec<&Told> = runs.iter().filter(|run| takes(&filter, run)).collect();
    match order.strip_prefix("-summary_metrics.") {
        Some(key) => all.sort_by(|a, b| {
            let rank = |run: &Told| (run.summary[key].is_string(), run.summary[key].as_f64().unwrap_or(0.0));
            rank(b).partial_cmp(&rank(a)).unwrap()
        }),
        None => all.sort_by_key(|run| (run.beat.is_none(), run.beat, Reverse(run.name.clone()))),
    }
    let start: usize = after.as_str().map_or(0, |after| after.parse().unwrap());
    let end = (start + first).min(all.len());
    let edges = all[start.min(end)..end].iter().zip(start + 1..).map(|(run, cursor)| {
        let node = json!({
            "name": run.name, "displayName": format!("try {}", run.name), "sweepName": null, "state": run.state,
            "createdAt": stamp(run.created), "heartbeatAt": run.beat.map(stamp),
            "systemMetrics": run.machine.to_string(), "summaryMetrics": run.summary.to_string(),
        });
        json!({ "cursor": cursor.to_string(), "node": node })
    });
    let edges: Vec<Value> = edges.collect();
    json!({ "edges": edges, "pageInfo": { "endCursor": end.to_string(), "hasNextPage": end < all.len() } })
}

fn answer(runs: &[Told], body: &Value) -> Value {
    let (query, variables) = (body["query"].as_str().unwrap(), &body["variables"]);
    let first = || usize::try_from(variables["first"].as_u64().unwrap()).unwrap();
    let project = if query.contains("runCount") {
        json!({ "all": runs.len(), "running": runs.iter().filter(|run| run.state == "running").count() })
    } else {
        let order = variables["order"].as_str().unwrap_or("-heartbeat_at");
        json!({ "runs": page(runs, &variables["filters"], order, &variables["after"], first()) })
    };
    json!({ "data": { "project": project } })
}

/// So many minutes after [`NOW`].
fn context(minutes: i64) -> Context {
    let now = at(NOW) + SignedDuration::from_mins(minutes);
    Context::new(Event::new(now, now), "acme/arena")
}

/// Something that happens at the upstream between two fetches.
type Happens = fn(&Stage);

struct Stage {
    fake: Fake,
    runs: Arc<Mutex<Vec<Told>>>,
    wandb: WandB,
}

async fn wandb(url: &str) -> WandB {
    wandb_with(url, &[]).await
}

async fn wandb_with(url: &str, more: &[(&str, &str)]) -> WandB {
    let vars = [("WANDB_URL", url), ("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "s3cr3t")];
    WandB::connect(&Env::of(vars.into_iter().chain(more.iter().copied()))).await.unwrap()
}

impl Stage {
    async fn new(runs: Vec<Told>) -> Self {
        Self::with_keys(runs, "").await
    }

    /// With these keys of summaries, or the usual ones.
    async fn with_keys(runs: Vec<Told>, keys: &str) -> Self {
        let runs = Arc::new(Mutex::new(runs));
        let shown = Arc::clone(&runs);
        let fake = Fake::start(move |_, seen| {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            Reply::json(200, &answer(&shown.lock().unwrap_or_else(PoisonError::into_inner), &body))
        });
        let fake = fake.await;
        let wandb = wandb_with(fake.url(), &[("WANDB_KEYS", keys)]).await;
        Self { fake, runs, wandb }
    }

    fn runs(&self) -> MutexGuard<'_, Vec<Told>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the run of this name.
    fn change(&self, name: &str, change: impl FnOnce(&mut Told)) {
        change(self.runs().iter_mut().find(|run| run.name == name).unwrap());
    }

    /// A fetch so many minutes after [`NOW`], with the calls it made and whether it asked for everything.
    async fn fetch(&self, minutes: i64, last: Option<&Snapshot>) -> (Snapshot, usize, bool) {
        let before = self.fake.seen().len();
        let cx = context(minutes);
        let given = last.cloned().map_or(Last::None, Last::Base);
        let snapshot = self.wandb.fetch(&cx, "acme/arena", given).await.unwrap();
        let findings = cx.findings();
        assert!(findings.gaps.is_empty(), "{:?}", findings.gaps);
        (snapshot, self.fake.seen().len() - before, last.is_none() || findings.asked_all)
    }
}

fn values(snapshot: &Snapshot, word: &str) -> Vec<f64> {
    let runs = snapshot.runs.iter().flatten();
    let mut values: Vec<f64> = runs.filter_map(|run| run.values.as_ref()?.get(word).copied()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// A week of runs: every fiftieth minute one ended.
fn week(number: i64) -> Vec<Told> {
    (0..number)
        .map(|place| told(&format!("run{place:04}"), "finished", 5 + place * 50, json!({ "_step": 1 })))
        .collect()
}

#[tokio::test]
async fn thirty_thousand_old_runs_cost_nothing() {
    let mut runs: Vec<Told> = (0..200)
        .map(|place| told(&format!("new{place}"), "finished", 5 + place * 40, json!({ "accuracy": 0.5, "loss": 1 })))
        .collect();
    runs.extend(
        (0..30_000).map(|place| told(&format!("old{place}"), "crashed", 20_000 + place, json!({ "accuracy": 0.4 }))),
    );
    let stage = Stage::new(runs).await;
    let (first, calls, whole) = stage.fetch(0, None).await;
    assert!(calls < 10 && whole, "{calls} calls");
    assert_eq!((first.counts.unwrap().all, first.runs.as_ref().unwrap().len()), (30_200, 200));
    assert_eq!(values(&first, "accuracy").len(), 200, "every accuracy of the week is known");
    let (_, calls, whole) = stage.fetch(15, Some(&first)).await;
    assert!(calls <= 5 && !whole, "{calls} calls");
}

#[tokio::test]
async fn a_list_is_read_to_the_end_of_the_week_and_no_further() {
    let mut runs = week(250);
    runs.push(Told { beat: None, ..told("waiting", "pending", 0, json!({})) });
    let stage = Stage::new(runs).await;
    let (snapshot, calls, _) = stage.fetch(0, None).await;
    // 202 runs ended within the week: the second page shows where it begins.
    assert_eq!(snapshot.runs.unwrap().len(), 202);
    assert_eq!(calls, 1 + 2 + 1 + 1 + 4, "counts, two pages, best, the newest and what is behind them");
}

#[tokio::test]
async fn a_continued_fetch_knows_what_a_whole_one_knows() {
    let mut runs = week(150);
    runs.push(told("zombie", "running", 3000, json!({ "loss": 7 })));
    runs.push(told("alive", "running", 0, json!({ "loss": 3 })));
    runs.push(told("back", "failed", 700, json!({ "_step": 2 })));
    runs.push(told("doomed", "running", 4000, json!({})));
    let stage = Stage::new(runs).await;
    let mut last = stage.fetch(0, None).await.0;
    let happens: [(&str, Happens); 7] = [
        ("nothing", |stage| stage.change("alive", |run| run.beat = Some(-14))),
        ("one ends and one begins", |stage| {
            stage.change("alive", |run| (run.state, run.beat) = ("finished", Some(-20)));
            stage.runs().push(told("fresh", "running", -29, json!({ "accuracy": 0.75 })));
        }),
        ("a dead one is closed", |stage| stage.change("zombie", |run| run.state = "crashed")),
        ("a failed one is put back to waiting", |stage| stage.change("back", |run| run.state = "pending")),
        ("it trains again", |stage| stage.change("back", |run| (run.state, run.beat) = ("running", Some(-74)))),
        ("a dead one is deleted", |stage| stage.runs().retain(|run| run.name != "doomed")),
        ("both end", |stage| {
            stage.change("back", |run| (run.state, run.beat) = ("finished", Some(-95)));
            stage.change("fresh", |run| (run.state, run.beat) = ("killed", Some(-100)));
        }),
    ];
    for (step, (what, happen)) in (1..).zip(happens) {
        happen(&stage);
        let (continued, calls, whole) = stage.fetch(step * 15, Some(&last)).await;
        assert!(calls <= 7 && !whole, "{what}: {calls} calls");
        let full = stage.fetch(step * 15, None).await.0;
        assert_eq!((continued.counts, continued.best), (full.counts, full.best), "{what}");
        let bare = |snapshot: &Snapshot| -> Vec<Run> {
            snapshot.runs.iter().flatten().map(|run| Run { values: None, ..run.clone() }).collect()
        };
        assert_eq!(bare(&continued), bare(&full), "{what}");
        let now = at(NOW) + SignedDuration::from_mins(step * 15);
        let said = |snapshot: &Snapshot| shared::testing::lines(&measure::all(snapshot, now));
        assert_eq!(said(&continued), said(&full), "{what}");
        last = continued;
    }
}

#[tokio::test]
async fn a_last_fetch_that_lacks_something_is_not_continued() {
    let stage = Stage::new(week(10)).await;
    let last = stage.fetch(0, None).await.0;
    assert!(!stage.fetch(120, Some(&last)).await.2);
    assert!(!stage.fetch(15, Some(&Snapshot { counts: None, best: None, ..last.clone() })).await.2);
    assert!(stage.fetch(15, Some(&Snapshot { runs: None, ..last.clone() })).await.2);
    assert!(stage.fetch(15, Some(&Snapshot { summaries: None, ..last })).await.2);
}

#[tokio::test]
async fn runs_that_tell_no_gpus_are_counted_and_no_gap() {
    let mut runs = week(10);
    runs.push(Told { beat: None, ..told("waiting", "pending", 0, json!({})) });
    let fake = Fake::start(move |_, seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let mut answer = answer(&runs, &body);
        if let Some(edges) = answer.pointer_mut("/data/project/runs/edges").and_then(Value::as_array_mut) {
            edges.iter_mut().step_by(4).for_each(|edge| edge["node"]["systemMetrics"] = Value::Null);
        }
        Reply::json(200, &answer)
    });
    let (cx, fake) = (context(0), fake.await);
    let snapshot = wandb(fake.url()).await.fetch(&cx, "acme/arena", Last::None).await.unwrap();
    let findings = cx.findings();
    assert_eq!((findings.gaps.len(), findings.unread), (0, [("gpus", 3)].into()), "of ten that ran");
    assert_eq!(snapshot.runs.unwrap().iter().filter(|run| run.gpus.is_some()).count(), 7);
}

#[tokio::test]
async fn eight_agents_on_one_box_are_eight_cards_and_two_labelled_nodes_of_eight_are_sixteen() {
    let cards = |keys: &dyn Fn(u32) -> Vec<String>| -> Value {
        (0..8)
            .flat_map(|card| keys(card).into_iter().map(|key| (key, json!(50))))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let agent = |number: u32| {
        let machine = cards(&|card| {
            let used = (card == number).then(|| format!("system.gpu.process.{card}.gpu"));
            used.into_iter().chain([format!("system.gpu.{card}.gpu")]).collect()
        });
        Told { created: 180, machine, ..told(&format!("agent{number}"), "finished", 60, json!({})) }
    };
    let hours = async |runs: Vec<Told>| {
        let snapshot = Stage::new(runs).await.fetch(0, None).await.0;
        let lines = shared::testing::lines(&measure::all(&snapshot, at(NOW)));
        let row = lines.lines().find(|line| line.starts_with("wandb.training.total_gpu_hours_7d")).unwrap();
        row.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(hours((0..8).map(agent).collect()).await, "16", "and not 128");
    let nodes = cards(&|card| ["a", "b"].map(|node| format!("system.gpu.{card}.gpu/l:{node}")).to_vec());
    let run = Told { created: 120, machine: nodes, ..told("nodes", "finished", 60, json!({})) };
    assert_eq!(hours(vec![run]).await, "16", "and not 8");
}

#[tokio::test]
async fn what_is_read_is_in_the_fingerprint_and_what_it_means_is_not() {
    let print = async |more: &[(&str, &str)]| {
        let base = [("WANDB_PROJECTS", "acme/arena,acme/pit"), ("WANDB_API_KEY", "k")];
        let env = Env::of(base.into_iter().chain(more.iter().copied()));
        WandB::connect(&env).await.unwrap().fingerprint("acme/arena")
    };
    let first = print(&[]).await;
    for same in [("WANDB_API_KEY", "l"), ("WANDB_STALE_MINUTES", "90"), ("WANDB_PROJECTS", "acme/arena")] {
        assert_eq!(print(&[same]).await, first, "{same:?}");
    }
    for other in [
        ("WANDB_URL", "https://wandb.example.com"),
        ("WANDB_KEYS", "accuracy=a,loss=l"),
        ("WANDB_NODES_KEY", "nodes"),
        ("WANDB_RUN_TYPES", "ptm=x"),
    ] {
        assert_ne!(print(&[other]).await, first, "{other:?}");
    }
    let main = async |place: &str| {
        let vars = [("WANDB_PROJECTS", format!("main={place}")), ("WANDB_API_KEY", "k".to_owned())];
        WandB::connect(&Env::of(vars)).await.unwrap().fingerprint("main")
    };
    assert_ne!(main("acme/arena").await, main("acme/pit").await, "an alias may be given to another project");
}

#[tokio::test]
async fn the_quota_is_told_in_percent_of_its_limit_where_that_is_said_and_of_thousandths_otherwise() {
    for (limit, left, percent) in [(None, "250", 25.0), (Some("500, 500;w=60"), "100", 20.0), (Some("x"), "10", 1.0)] {
        let fake = Fake::start(move |_, seen| {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            let reply = Reply::json(200, &answer(&[], &body)).header("ratelimit-remaining", left);
            limit.into_iter().fold(reply, |reply, limit| reply.header("ratelimit-limit", limit))
        });
        let fake = fake.await;
        let vars = [("WANDB_URL", fake.url()), ("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "k")];
        let env = Env::of(vars);
        let wandb = WandB::connect(&env).await.unwrap();
        let cx = context(0);
        env.meter().asking_for("acme/arena", wandb.fetch(&cx, "acme/arena", Last::None)).await.unwrap();
        assert_eq!(env.meter().quotas(), [(("acme/arena".to_owned(), "wandb"), percent)].into());
    }
}

#[tokio::test]
async fn the_latest_value_is_found_behind_the_newest_runs_and_behind_what_is_no_number() {
    let mut runs = week(100);
    for (place, loss) in [(30, json!("NaN")), (31, json!("NaN")), (32, json!("NaN")), (40, json!(0.5)), (50, json!(9))]
    {
        runs[place].summary = json!({ "loss": loss });
    }
    runs[60].summary = json!({ "accuracy": 0.125 });
    let stage = Stage::with_keys(runs, "accuracy=accuracy,loss=loss,sps=overview/sps").await;
    let (snapshot, calls, _) = stage.fetch(0, None).await;
    assert_eq!(calls, 1 + 1 + 1 + 1 + 3, "counts, a page, best, the newest and a page for each key");
    let lines = shared::testing::lines(&measure::all(&snapshot, at(NOW)));
    for line in
        ["wandb.metrics.latest_loss{project:acme/arena} 0.5", "wandb.metrics.avg_accuracy_7d{project:acme/arena} 0.125"]
    {
        assert!(lines.contains(line), "{lines}");
    }
    let unread = snapshot.runs.iter().flatten().filter(|run| run.values.is_none()).count();
    assert_eq!(unread, 100 - 20 - 6, "what has no key that is looked for is not read");
    let before = snapshot.clone();
    let (_, calls, whole) = stage.fetch(15, Some(&before)).await;
    assert!(calls == 4 && !whole, "that nobody has a throughput is known: {calls} calls");
}

#[tokio::test]
async fn a_list_by_key_is_read_until_each_row_has_its_value_and_for_the_mean_to_its_end() {
    let mut runs = week(200);
    for run in &mut runs {
        run.summary = json!({ "accuracy": 0.5, "loss": 1, "note": "a" });
    }
    let stage = Stage::with_keys(runs, "accuracy=accuracy,loss=loss").await;
    let (snapshot, calls, _) = stage.fetch(0, None).await;
    assert_eq!(calls, 1 + 1 + 1 + 1 + 4, "of 200 accuracies each, and of the losses none but the newest");
    assert_eq!(values(&snapshot, "accuracy").len(), 200);
}

#[tokio::test]
async fn a_key_with_a_dot_is_looked_for_by_name_and_no_filter_speaks_of_it() {
    let mut runs = week(100);
    runs[70].summary = json!({ "a.b": 7 });
    runs[80].summary = json!({ "a": { "b": 8 } });
    let stage = Stage::with_keys(runs, "accuracy=accuracy,loss=loss,x=a.b").await;
    let first = stage.fetch(0, None).await.0;
    let lines = |snapshot: &Snapshot, now: i64| {
        shared::testing::lines(&measure::all(snapshot, at(NOW) + SignedDuration::from_mins(now)))
    };
    assert!(lines(&first, 0).contains("wandb.summary.latest{key:x,project:acme/arena,run_type:other} 7"));
    assert!(stage.fake.seen().iter().all(|seen| !String::from_utf8_lossy(&seen.body).contains("summary_metrics.a.b")));
    // Every run was read on the way; where that is not so, the names are listed once more.
    stage.change("run0070", |run| (run.state, run.beat) = ("running", Some(-14)));
    let (next, _, whole) = stage.fetch(15, Some(&first)).await;
    assert!(!whole && lines(&next, 15).contains("key:x,project:acme/arena,run_type:other} 8"));
    let forgotten = |run: Run| Run { values: run.values.filter(|values| !values.is_empty()), ..run };
    let runs = first.runs.clone().map(|runs| runs.into_iter().map(forgotten).collect());
    let (again, _, whole) = stage.fetch(15, Some(&Snapshot { runs, ..first })).await;
    assert!(whole && lines(&again, 15).contains("key:x,project:acme/arena,run_type:other} 8"));
}

#[tokio::test]
async fn a_filter_that_finds_none_of_those_that_have_the_key_is_not_believed() {
    let mut runs = week(1);
    runs[0].summary = json!({ "loss": 1 });
    runs.extend((0..30).map(|place| told(&format!("stable{place}"), "finished", 60 + place, json!({}))));
    runs[26].summary = json!({ "loss": 7 });
    let fake = Fake::start(move |_, seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let is_filtered = String::from_utf8_lossy(&seen.body).contains("$exists");
        Reply::json(200, &answer(if is_filtered { &[] } else { &runs[..] }, &body))
    });
    let (cx, fake) = (context(0), fake.await);
    let wandb = wandb_with(fake.url(), &[("WANDB_KEYS", "accuracy=accuracy,loss=loss")]).await;
    let snapshot = wandb.fetch(&cx, "acme/arena", Last::None).await.unwrap();
    let lines = shared::testing::lines(&measure::all(&snapshot, at(NOW)));
    assert!(lines.contains("wandb.summary.latest{key:loss,project:acme/arena,run_type:stable} 7"), "{lines}");
    assert!(snapshot.refused.forms.contains_key(&Form::KeyFilter), "and is not tried again");
}

#[tokio::test]
async fn a_row_that_loses_its_run_takes_the_next_one() {
    let mut runs = week(100);
    runs[40].summary = json!({ "loss": 0.5 });
    runs[50].summary = json!({ "loss": 9 });
    let stage = Stage::new(runs).await;
    let last = stage.fetch(0, None).await.0;
    stage.change("run0040", |run| (run.state, run.beat) = ("running", Some(-14)));
    let (snapshot, _, whole) = stage.fetch(15, Some(&last)).await;
    assert!(!whole, "it was read with the others that have the key");
    let now = at(NOW) + SignedDuration::from_mins(15);
    let lines = shared::testing::lines(&measure::all(&snapshot, now));
    assert!(lines.contains("wandb.metrics.latest_loss{project:acme/arena} 9"), "{lines}");
}

#[tokio::test]
async fn the_best_accuracy_stands_behind_what_is_no_number() {
    let mut runs = week(3);
    runs.extend(
        (0..60).map(|place| told(&format!("nan{place}"), "finished", 30_000 + place, json!({ "accuracy": "NaN" }))),
    );
    runs.push(told("best", "finished", 40_000, json!({ "accuracy": 0.97 })));
    runs.push(told("crashed", "crashed", 40_000, json!({ "accuracy": 0.99 })));
    let stage = Stage::new(runs).await;
    assert_eq!(stage.fetch(0, None).await.0.best, Some(Some(0.97)));
    let nobody = Stage::new(week(3)).await;
    assert_eq!(nobody.fetch(0, None).await.0.best, Some(None));
}

#[tokio::test]
async fn where_the_living_fill_more_than_a_page_the_top_is_read_once_more() {
    let living = |place: i64| told(&format!("live{place:03}"), "running", place / 20, json!({}));
    let runs: Arc<Mutex<Vec<Told>>> = Arc::new(Mutex::new((0..280).map(living).collect()));
    let shown = Arc::clone(&runs);
    let fake = Fake::start(move |_, seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let mut runs = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = Reply::json(200, &answer(&runs, &body));
        // Behind the back of the reader a run of the second page moves to the top.
        if body["query"].as_str().unwrap().starts_with("query Recent") && body["variables"]["after"].is_null() {
            runs.iter_mut().find(|run| run.name == "live250").unwrap().beat = Some(-1);
        }
        reply
    });
    let fake = fake.await;
    let cx = context(0);
    let snapshot = wandb(fake.url()).await.fetch(&cx, "acme/arena", Last::None).await.unwrap();
    assert_eq!(snapshot.runs.unwrap().len(), 280, "nobody is lost");
}

#[tokio::test]
async fn an_endless_list_ends_in_an_error() {
    let mut node = page(&week(1), &json!({}), "-heartbeat_at", &Value::Null, 1)["edges"][0]["node"].clone();
    node["heartbeatAt"] = json!(stamp(1));
    let fake = Fake::start(move |number, seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        if !body["query"].as_str().unwrap().starts_with("query Recent") {
            return Reply::json(200, &answer(&[], &body));
        }
        // The cursor comes back to an earlier one.
        let runs = json!({ "edges": [{ "cursor": "x", "node": node }],
            "pageInfo": { "endCursor": (number % 3).to_string(), "hasNextPage": true } });
        Reply::json(200, &json!({ "data": { "project": { "runs": runs } } }))
    });
    let fake = fake.await;
    let cx = context(0);
    let snapshot = wandb(fake.url()).await.fetch(&cx, "acme/arena", Last::None).await.unwrap();
    let gaps = cx.findings().gaps;
    assert!(snapshot.runs.is_none() && gaps["recent"].contains("come back"), "{gaps:?}");
    assert!(fake.seen().len() < 10);
}

#[tokio::test]
async fn a_request_is_signed_and_names_no_secret_when_it_is_refused() {
    let ok = Stage::new(Vec::new()).await;
    ok.fetch(0, None).await;
    let seen = ok.fake.seen();
    // `api:s3cr3t`
    assert!(
        seen.iter().all(|seen| seen.headers["authorization"] == "Basic YXBpOnMzY3IzdA==" && seen.path == "/graphql")
    );
    let denied = json!({ "errors": [{ "message": "permission denied", "path": ["project"],
        "extensions": { "code": "PERMISSION_ERROR" } }], "data": { "project": null } });
    for (status, body, kind) in [
        (401, denied.clone(), "auth"),
        (403, denied.clone(), "auth"),
        (404, json!({ "errors": ["project not found"] }), "not_found"),
        (200, denied, "auth"),
        (200, json!({ "errors": [{ "message": "project not found" }], "data": null }), "not_found"),
        (200, json!({ "data": { "project": null } }), "not_found"),
    ] {
        let fake = Fake::start(move |_, _| Reply::json(status, &body)).await;
        let cx = context(0);
        let error = wandb(fake.url()).await.fetch(&cx, "acme/arena", Last::None).await.unwrap_err();
        let text = error.with_causes();
        assert_eq!((error.kind(), fake.seen().len()), (Some(kind), 1), "{text}");
        assert!(!text.contains("s3cr3t") && !text.contains("denied"), "{text}");
    }
}

#[tokio::test]
async fn a_redirect_names_the_host_and_the_variable_to_set() {
    let login = Reply::status(302).header("location", "https://wandb.example.com/login?next=1");
    let fake = Fake::start(move |_, _| login.clone()).await;
    for variable in ["WANDB_URL", "WANDB_BASE_URL"] {
        let vars = [(variable, fake.url()), ("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "s3cr3t")];
        let wandb = WandB::connect(&Env::of(vars)).await.unwrap();
        let cx = context(0);
        wandb.fetch(&cx, "acme/arena", Last::None).await.unwrap();
        let why = cx.findings().gaps["counts"].clone();
        assert!(why.contains("wandb.example.com") && why.ends_with(&format!("set {variable}")), "{why}");
    }
    assert!(fake.seen().iter().all(|seen| seen.path == "/graphql"), "and is not followed");
}

#[tokio::test]
async fn a_best_accuracy_that_the_servers_order_does_not_find_is_unknown() {
    let mut runs = week(3);
    runs[1].summary = json!({ "accuracy": 0.5 });
    let runs = Arc::new(Mutex::new(runs));
    let shown = Arc::clone(&runs);
    let fake = Fake::start(move |_, seen| {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let is_best = body["query"].as_str().unwrap().starts_with("query Best");
        let runs = shown.lock().unwrap_or_else(PoisonError::into_inner);
        Reply::json(200, &answer(if is_best { &runs[..1] } else { &runs[..] }, &body))
    });
    let (cx, fake) = (context(0), fake.await);
    let snapshot = wandb(fake.url()).await.fetch(&cx, "acme/arena", Last::None).await.unwrap();
    let gaps = cx.findings().gaps;
    assert!(snapshot.best.is_none() && gaps.len() == 1 && gaps["best"].contains("sorts no run"), "{gaps:?}");
}

#[tokio::test]
async fn a_newcomer_is_told_whose_key_is_missing_and_where_to_get_one() {
    for (viewer, project, found) in [
        (json!({ "id": "1" }), json!({ "runCount": 7 }), [true, true]),
        (Value::Null, Value::Null, [false, false]),
        (json!({ "id": "1" }), Value::Null, [true, false]),
    ] {
        let fake = Fake::start(move |_, seen| {
            let body: Value = serde_json::from_slice(&seen.body).unwrap();
            let is_viewer = body["query"].as_str().unwrap().contains("viewer");
            let data = if is_viewer { json!({ "viewer": viewer }) } else { json!({ "project": project }) };
            Reply::json(200, &json!({ "data": data }))
        });
        let fake = fake.await;
        let probes = wandb(fake.url()).await.probe("acme/arena").await;
        assert_eq!(probes.iter().map(|probe| probe.found.is_ok()).collect::<Vec<bool>>(), found);
        assert!(probes[0].fix.contains("wandb.ai/authorize") && probes[0].fix.contains("WANDB_API_KEY"));
        assert!(probes[1].what.contains("acme/arena") && probes[1].fix.contains("WANDB_PROJECTS"));
    }
}
