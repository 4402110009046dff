//! A pretend workspace for tests: it lists, searches and remembers what it was asked.

use crate::Asana;
use crate::snapshot::Fetched;
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::testing::{Fake, Reply, Seen, at};
use shared::{Collector, Context, Env, Event, Findings, Last, Meter, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

pub(super) const NOW: &str = "2026-01-08T12:00:00Z";

/// So many minutes before the first run.
pub(super) fn ago(minutes: i64) -> Timestamp {
    at(NOW) - jiff::SignedDuration::from_mins(minutes)
}

/// What is there.
#[derive(Default)]
pub(super) struct World {
    /// Projects, and whether they are completed.
    pub projects: BTreeMap<String, bool>,
    /// Tasks with the instant of their last change.
    pub tasks: BTreeMap<String, (Timestamp, Value)>,
    /// Whether tasks may be searched.
    pub pays: bool,
    /// What answers differently, by a text in the path.
    pub others: Vec<(String, Reply)>,
    /// What was asked.
    pub asked: Vec<String>,
}

impl World {
    /// Puts a task into projects; `done` says how many minutes ago it was completed.
    pub fn put(&mut self, gid: usize, made: i64, done: Option<i64>, projects: &[&str], changed: i64) {
        let homes: Vec<Value> = projects
            .iter()
            .map(|gid| json!({ "project": { "gid": gid }, "section": { "gid": "5", "name": "Triage" } }))
            .collect();
        let record = json!({
            "gid": gid.to_string(), "created_at": ago(made).to_string(), "completed": done.is_some(),
            "completed_at": done.map(|done| ago(done).to_string()), "due_on": null, "due_at": null,
            "assignee": { "gid": "77" }, "memberships": homes, "tags": [{ "gid": "6", "name": "training" }],
            "custom_fields": [],
        });
        self.tasks.insert(gid.to_string(), (ago(changed), record));
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        self.asked.push(seen.path.clone());
        if let Some((_, reply)) = self.others.iter().find(|(text, _)| seen.path.contains(text.as_str())) {
            return reply.clone();
        }
        let path = seen.path.strip_prefix("/api/1.0").unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: BTreeMap<&str, String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.replace("%3A", ":").replace("%2C", ",")))
            .collect();
        let time = |name: &str| query.get(name).map(|text| at(text));
        let ended = |record: &Value| record["completed_at"].as_str().map(at);
        match path {
            "/projects" => {
                let data = self.projects.iter().map(
                    |(gid, completed)| json!({ "gid": gid, "completed": completed, "current_status_update": null }),
                );
                page(data.collect(), &query)
            }
            "/tasks" => {
                let wanted = |(changed, record): &&(Timestamp, Value)| {
                    let homes = record["memberships"].as_array().unwrap();
                    homes.iter().any(|home| home["project"]["gid"] == query["project"].as_str())
                        && time("modified_since").is_none_or(|since| *changed >= since)
                        && time("completed_since").zip(ended(record)).is_none_or(|(since, end)| end >= since)
                };
                page(self.tasks.values().filter(wanted).map(|(_, record)| record.clone()).collect(), &query)
            }
            _ if path.ends_with("/tasks/search") && !self.pays => Reply::json(402, &json!({ "errors": [] })),
            _ if path.ends_with("/tasks/search") => {
                let wanted = |record: &&Value| {
                    (query["completed"] == "true") == (record["completed"] == true)
                        && time("completed_at.after").is_none_or(|bound| ended(record).unwrap() > bound)
                        && time("created_at.after")
                            .is_none_or(|bound| at(record["created_at"].as_str().unwrap()) > bound)
                };
                let mut data: Vec<Value> =
                    self.tasks.values().map(|(_, record)| record).filter(wanted).cloned().collect();
                data.sort_by_key(|record| at(record["created_at"].as_str().unwrap()));
                data.truncate(100);
                Reply::json(200, &json!({ "data": data }))
            }
            _ => Reply::json(404, &json!({ "errors": [] })),
        }
    }
}

fn page(all: Vec<Value>, query: &BTreeMap<&str, String>) -> Reply {
    let limit: usize = query["limit"].parse().unwrap();
    let start: usize = query.get("offset").map_or(0, |offset| offset.parse().unwrap());
    let next = (start + limit < all.len()).then(|| json!({ "offset": (start + limit).to_string() }));
    let data: Vec<Value> = all.into_iter().skip(start).take(limit).collect();
    Reply::json(200, &json!({ "data": data, "next_page": next }))
}

/// A pretend workspace and the client that reads it.
pub(super) struct Stage {
    world: Arc<Mutex<World>>,
    meter: Meter,
    _fake: Fake,
    pub asana: Asana,
}

impl Stage {
    pub async fn new(world: World, more: &[(&str, &str)]) -> Self {
        let world = Arc::new(Mutex::new(world));
        let answering = Arc::clone(&world);
        let fake = Fake::start(move |_, seen| answering.lock().unwrap().answer(seen)).await;
        let base = [("ASANA_URL", fake.url()), ("ASANA_TOKEN", "t"), ("ASANA_WORKSPACES", "acme=1")];
        let env = Env::of(base.into_iter().chain(more.iter().copied()));
        Self { world, meter: env.meter().clone(), _fake: fake, asana: Asana::connect(&env).await.unwrap() }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// What was asked so far.
    pub fn asked(&self) -> Vec<String> {
        self.world().asked.clone()
    }

    /// A run so many minutes after the first one, continued where there is something to continue from.
    pub async fn fetch(&self, minutes: i64, last: Option<&Fetched>) -> (Result<Fetched>, Findings) {
        self.meter.begin();
        self.fetch_beside(minutes, last).await
    }

    /// Another fetch in the same run.
    pub async fn fetch_beside(&self, minutes: i64, last: Option<&Fetched>) -> (Result<Fetched>, Findings) {
        let now = ago(-minutes);
        let cx = Context::new(Event::new(now, now), "acme");
        let last = last.cloned().map_or(Last::None, Last::Base);
        let fetched = self.asana.fetch(&cx, "acme", last).await;
        (fetched, cx.findings())
    }
}
