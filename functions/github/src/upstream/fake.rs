//! A small pretend GitHub for the tests of this folder: one repository whose state a test changes between two fetches.

use super::Upstream;
use crate::kept::Fetched;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use shared::testing::{Fake, Reply, Seen, at};
use shared::{Context, Env, Event, Last, Result};
use std::sync::{Arc, Mutex, MutexGuard};

/// The time of the first run.
pub(super) const NOW: &str = "2026-01-08T12:00:00Z";

/// An instant so many minutes before the first run.
pub(super) fn ago(minutes: i64) -> Timestamp {
    at(NOW) - SignedDuration::from_mins(minutes)
}

/// The repository.
#[derive(Default)]
pub(super) struct World {
    /// Pull requests as GraphQL shows them, with `state`; any order.
    pub pulls: Vec<Value>,
    /// Names of branches with minutes since their tip, `main` not among them.
    pub branches: Vec<(String, i64)>,
    /// Commits as GraphQL shows them, newest first.
    pub commits: Vec<Value>,
    /// Runs as the REST API shows them.
    pub runs: Vec<Value>,
    /// Deployments as GraphQL shows them, newest first.
    pub deployments: Vec<Value>,
    /// Issues with a label of incidents, last updated first.
    pub incidents: Vec<Value>,
    /// Errors to add to the next answers of GraphQL, each with whether the data is lost.
    pub faults: Vec<(Value, bool)>,
    /// The pull requests that commits came with, by the commits' ids among all objects; a commit not here has none.
    pub came_with: Vec<(String, Value)>,
    /// What other paths answer, by beginning.
    pub others: Vec<(String, Reply)>,
    /// Whether the repository has another name by now, so that its old one leads to its id.
    pub renamed: bool,
}

/// The parts that failed.
pub(super) fn gaps(cx: &Context) -> Vec<&'static str> {
    cx.findings().gaps.into_keys().collect()
}

/// The parts that wait for answers, with how many.
pub(super) fn pending(cx: &Context) -> Vec<(&'static str, u64)> {
    cx.findings().pending.into_iter().filter(|(_, missing)| *missing > 0).collect()
}

/// The repository behind HTTP, and the collector's upstream that asks it.
pub(super) struct Stage {
    /// The state that answers are made of.
    pub world: Arc<Mutex<World>>,
    /// The server.
    pub fake: Fake,
    /// What is tested.
    pub upstream: Upstream,
}

impl Stage {
    /// Serves a repository; `more` are further variables.
    pub async fn new(world: World, more: &[(&str, &str)]) -> Self {
        let world = Arc::new(Mutex::new(world));
        let shown = Arc::clone(&world);
        let fake = Fake::start(move |_, seen| answer(&mut shown.lock().unwrap(), seen)).await;
        let base = [("GITHUB_REPOS", "acme/web"), ("GITHUB_TOKEN", "t"), ("GITHUB_URL", fake.url())];
        let upstream = Upstream::new(&Env::of(base.into_iter().chain(more.iter().copied()))).unwrap();
        Self { world, fake, upstream }
    }

    /// The state, to be changed.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A fetch at so many minutes after the first run, continued from the last one if there is one.
    pub async fn fetch(&self, minutes: i64, last: Option<&Fetched>) -> (Result<Fetched>, Context) {
        self.fetch_with(minutes, last.cloned().map_or(Last::None, Last::Base)).await
    }

    /// A fetch of everything that remembers what of the last one never changes.
    pub async fn fetch_all(&self, minutes: i64, last: &Fetched) -> (Result<Fetched>, Context) {
        self.fetch_with(minutes, Last::Memory(last.lasting())).await
    }

    async fn fetch_with(&self, minutes: i64, last: Last<Fetched>) -> (Result<Fetched>, Context) {
        let time = ago(-minutes);
        let cx = Context::new(Event::new(time, time), "acme/web");
        (self.upstream.fetch(&cx, "acme/web", last).await, cx)
    }

    /// The calls made so far.
    pub fn calls(&self) -> usize {
        self.fake.seen().len()
    }
}

/// A pull request; `closed` and `merged` are minutes before the first run.
pub(super) fn pull(number: u64, created: i64, updated: i64, state: &str, ended: i64) -> Value {
    let list = |nodes: Value| json!({ "nodes": nodes, "pageInfo": { "hasNextPage": false, "endCursor": null } });
    json!({
        "number": number, "createdAt": ago(created), "updatedAt": ago(updated), "state": state, "isDraft": false,
        "closedAt": ago(ended), "mergedAt": ago(ended), "baseRefName": "main", "title": "A change", "body": "",
        "author": { "__typename": "User", "login": "ada" }, "mergeCommit": { "oid": format!("{number:040}") },
        "labels": list(json!([])), "reviews": list(json!([])), "comments": list(json!([])),
        "timelineItems": { "nodes": [] }, "files": list(json!([{ "path": "src/main.rs" }])),
    })
}

/// A commit so many minutes before the first run.
pub(super) fn commit(oid: &str, minutes: i64, pull: Option<u64>) -> Value {
    let pulls: Vec<Value> = pull.map(|number| json!({ "number": number })).into_iter().collect();
    json!({
        "oid": oid, "committedDate": ago(minutes), "message": "Change it", "additions": 2, "deletions": 1,
        "parents": { "totalCount": 1 },
        "author": { "name": "Ada", "email": "ada@example.com", "user": { "login": "ada" } },
        "associatedPullRequests": { "nodes": pulls },
    })
}

/// A run that was created so many minutes before the first fetch, and took ten; without a conclusion it still goes on.
pub(super) fn run(id: u64, minutes: i64, conclusion: Option<&str>) -> Value {
    json!({
        "id": id, "workflow_id": 1, "run_number": id, "run_attempt": 1, "event": "push", "head_branch": "main",
        "head_sha": format!("{id:040}"), "created_at": ago(minutes), "run_started_at": ago(minutes),
        "updated_at": ago(minutes - 10), "status": if conclusion.is_some() { "completed" } else { "in_progress" },
        "conclusion": conclusion, "head_repository": { "id": 7 }, "repository": { "id": 7 },
    })
}

fn answer(world: &mut World, seen: &Seen) -> Reply {
    if world.renamed
        && let Some(rest) = seen.path.strip_prefix("/repos/acme/web")
    {
        return Reply::status(301).header("location", &format!("http://{}/repositories/7{rest}", seen.headers["host"]));
    }
    if let Some((_, reply)) = world.others.iter().find(|(path, _)| seen.path.starts_with(path)) {
        return reply.clone();
    }
    let path = seen.path.split('?').next().unwrap_or_default();
    let own = ["/repos/acme/web/", "/repositories/7/"].iter().find_map(|name| path.strip_prefix(name));
    match own.unwrap_or(path) {
        "/graphql" => graphql(world, seen),
        "actions/runs" => Reply::json(200, &listed(world, seen)),
        "actions/workflows" => Reply::json(
            200,
            &json!({ "workflows": [{ "id": 1, "name": "Test", "path": ".github/workflows/test.yml", "state": "active" }] }),
        ),
        older if older.starts_with("actions/workflows/") => {
            Reply::json(200, &json!({ "total_count": 0, "workflow_runs": [] }))
        }
        "activity" => Reply::json(200, &json!([])),
        other => match other.strip_prefix("actions/runs/").and_then(|id| id.parse::<u64>().ok()) {
            Some(id) => {
                world.runs.iter().find(|run| run["id"] == id).map_or(Reply::status(404), |run| Reply::json(200, run))
            }
            None => Reply::status(404),
        },
    }
}

/// The runs of a stretch, at most 1,000 of them however many there are.
fn listed(world: &World, seen: &Seen) -> Value {
    let query = |name: &str| {
        seen.path
            .split(['?', '&'])
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
            .map(|text| text.replace("%3A", ":"))
    };
    let created = query("created").unwrap_or_else(|| "0..9".to_owned());
    let (from, to) = created.split_once("..").unwrap();
    let status = query("status");
    let page: usize = query("page").map_or(1, |page| page.parse().unwrap());
    // Instants as GitHub writes them compare like their texts.
    let time = |run: &Value| run["created_at"].as_str().unwrap().to_owned();
    let mut runs: Vec<&Value> = world
        .runs
        .iter()
        .filter(|run| (from..=to).contains(&time(run).as_str()))
        .filter(|run| status.as_ref().is_none_or(|status| run["status"] == *status))
        .collect();
    runs.sort_by_cached_key(|run| std::cmp::Reverse((time(run), run["id"].as_u64())));
    let shown: Vec<&&Value> = runs.iter().take(1000).skip((page - 1) * 100).take(100).collect();
    json!({ "total_count": runs.len(), "workflow_runs": shown })
}

/// A commit, whose id among all objects is its own after `C_`, with its pull request.
fn belonging(world: &World, id: &Value) -> Value {
    let pulls: Vec<&Value> =
        world.came_with.iter().filter(|(commit, _)| *id == commit.as_str()).map(|(_, pull)| pull).collect();
    let oid = id.as_str().and_then(|id| id.strip_prefix("C_"));
    json!({ "oid": oid, "associatedPullRequests": { "nodes": pulls } })
}

fn graphql(world: &mut World, seen: &Seen) -> Reply {
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    let variables = &body["variables"];
    if let Some(ids) = variables["ids"].as_array() {
        return Reply::json(
            200,
            &json!({ "data": { "nodes": ids.iter().map(|id| belonging(world, id)).collect::<Vec<_>>() } }),
        );
    }
    let on = |name: &str| variables[name] == true;
    let mut fields = Map::from_iter([("isEmpty".to_owned(), json!(false))]);
    for (field, state) in [("open", "OPEN"), ("closed", "CLOSED"), ("merged", "MERGED")] {
        if on(field) {
            let mut pulls: Vec<&Value> = world.pulls.iter().filter(|pull| pull["state"] == state).collect();
            pulls.sort_by_key(|pull| std::cmp::Reverse(pull["updatedAt"].as_str()));
            let size = if field == "merged" { variables["mergedFirst"].as_u64().unwrap() } else { 100 };
            fields.insert(field.to_owned(), paged(&pulls, &variables[format!("{field}After")], size));
        }
    }
    let mut names: Vec<(String, i64)> = world.branches.clone();
    names.push(("main".to_owned(), 0));
    names.sort();
    for k in (0..32).filter(|k| on(&format!("b{k}"))) {
        fields.insert(format!("b{k}"), refs(&names, variables[format!("b{k}After")].as_str()));
    }
    if on("issues") {
        fields.insert("issues".to_owned(), json!({ "totalCount": 5 }));
        for k in (0..30).filter(|k| on(&format!("l{k}"))) {
            fields.insert(format!("l{k}"), json!({ "totalCount": k }));
        }
    }
    if on("deployments") {
        let deployments: Vec<&Value> = world.deployments.iter().collect();
        fields.insert("deployments".to_owned(), paged(&deployments, &variables["deploymentsAfter"], 50));
    }
    for k in (0..4).filter(|k| on(&format!("i{k}"))) {
        let incidents: Vec<&Value> = world.incidents.iter().collect();
        fields.insert(format!("i{k}"), paged(&incidents, &variables[format!("i{k}After")], 100));
    }
    let field = if on("byDefault") { "byDefault" } else { "byName" };
    fields.insert(field.to_owned(), json!({ "name": "main", "target": tip(world, variables) }));
    let faults = std::mem::take(&mut world.faults);
    let lost = faults.iter().any(|(_, lost)| *lost);
    for (fault, _) in faults.iter().filter(|(fault, _)| fault["path"].as_array().is_some_and(|path| path.len() == 2)) {
        fields.insert(fault["path"][1].as_str().unwrap().to_owned(), Value::Null);
    }
    let repository = if lost { Value::Null } else { Value::Object(fields) };
    let mut whole =
        json!({ "data": { "rateLimit": { "cost": 1, "limit": 5000, "remaining": 4000 }, "repository": repository } });
    if !faults.is_empty() {
        whole["errors"] = faults.into_iter().map(|(fault, _)| fault).collect();
    }
    Reply::json(200, &whole)
}

fn tip(world: &World, variables: &Value) -> Value {
    let oid = world.commits.first().map_or(json!("0"), |commit| commit["oid"].clone());
    let mut tip = json!({ "oid": oid });
    let text = |commit: &Value| commit["committedDate"].as_str().unwrap_or_default().to_owned();
    let between = |from: &Value, until: &Value| -> Vec<&Value> {
        let inside = |commit: &&Value| {
            text(commit).as_str() >= from.as_str().unwrap_or_default()
                && until.as_str().is_none_or(|until| text(commit).as_str() <= until)
        };
        world.commits.iter().filter(inside).collect()
    };
    if variables["history"] == true {
        tip["history"] = paged(&between(&variables["since"], &Value::Null), &variables["historyAfter"], 100);
    }
    for k in (0..12).filter(|k| variables[format!("h{k}")] == true) {
        let commits = between(&variables[format!("h{k}Since")], &variables[format!("h{k}Until")]);
        tip[format!("h{k}")] = paged(&commits, &variables[format!("h{k}After")], 100);
    }
    tip
}

fn paged(all: &[&Value], after: &Value, size: u64) -> Value {
    let size = usize::try_from(size).unwrap();
    let start: usize = after.as_str().map_or(0, |after| after.parse().unwrap());
    let nodes: Vec<&&Value> = all.iter().skip(start).take(size).collect();
    let end = start + nodes.len();
    json!({
        "totalCount": all.len(), "nodes": nodes,
        "pageInfo": { "hasNextPage": end < all.len(), "endCursor": end.to_string() },
    })
}

fn refs(names: &[(String, i64)], after: Option<&str>) -> Value {
    let rest: Vec<&(String, i64)> =
        names.iter().filter(|(name, _)| after.is_none_or(|after| name.as_str() > after)).collect();
    let edges: Vec<Value> = rest
        .iter()
        .take(100)
        .map(|(name, minutes)| {
            let (target, pulls) = (json!({ "committedDate": ago(*minutes) }), json!({ "totalCount": 0 }));
            let node = json!({ "name": name, "target": target, "associatedPullRequests": pulls });
            json!({ "cursor": name, "node": node })
        })
        .collect();
    let end = edges.last().map_or(Value::Null, |edge| edge["cursor"].clone());
    let info = json!({ "hasNextPage": rest.len() > 100, "endCursor": end });
    json!({ "totalCount": names.len(), "edges": edges, "pageInfo": info })
}
