//! A run as the server sees it at an instant: its columns, and what they are compared and sorted by.

use super::limits::Limits;
use super::mood::Dots;
use crate::model::Person;
use crate::model::wandb::{Fact, Project, Run};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// A project at an instant.
#[derive(Clone, Copy)]
pub struct View<'w> {
    /// The project.
    pub project: &'w Project,
    /// Everybody.
    pub people: &'w [Person],
    /// The instant.
    pub now: Timestamp,
    /// What may be asked of it.
    pub limits: &'w Limits,
}

/// A run at an instant.
#[derive(Clone, Copy)]
pub struct Seen<'w> {
    /// The project it belongs to.
    pub view: View<'w>,
    /// The run.
    pub run: &'w Run,
}

/// A time as the server writes it.
pub fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl<'w> View<'w> {
    /// The runs that were created so far.
    pub fn runs(self) -> impl Iterator<Item = Seen<'w>> {
        let runs = self.project.runs.iter();
        runs.filter(move |run| run.state(self.now).is_some()).map(move |run| Seen { view: self, run })
    }
}

impl<'w> Seen<'w> {
    /// The server's word for its state.
    pub fn state(self) -> &'static str {
        self.run.state(self.view.now).unwrap_or("pending")
    }

    /// Its last beat.
    pub fn heartbeat(self) -> Option<Timestamp> {
        self.run.heartbeat(self.view.now)
    }

    /// What it is called: its id where nobody gave it a name.
    pub fn display_name(self) -> &'w str {
        self.run.display_name.as_deref().unwrap_or(&self.run.name)
    }

    /// The configuration, each entry with a description and a value.
    pub fn config(self) -> Map<String, Value> {
        let mut config = Map::new();
        let entry = |value: Value| json!({ "desc": null, "value": value });
        config.insert("_wandb".to_owned(), entry(json!({ "cli_version": "0.22.0" })));
        if let Some(nodes) = self.run.nodes {
            config.insert("trainer".to_owned(), entry(json!({ "num_nodes": nodes })));
            config.insert("num_nodes".to_owned(), entry(json!(nodes)));
        }
        config
    }

    /// The last that was reported about its machine.
    pub fn system(self) -> Option<Map<String, Value>> {
        if self.run.watched_from > self.view.now || self.run.beats.is_empty() || self.run.machines.is_none() {
            return None;
        }
        let first = if self.run.bare_keys { "" } else { "system." };
        let mut all = Map::new();
        for machine in self.run.machines.iter().flatten() {
            // Whoever labels a node adds the label to each of its keys.
            let last = machine.label.as_ref().map(|label| format!("/l:{label}")).unwrap_or_default();
            let mut put = |key: String, value: Value| all.insert(format!("{first}{key}{last}"), value);
            put("cpu".to_owned(), json!(12.5));
            put("memory_percent".to_owned(), json!(40.25));
            for (number, busy) in &machine.cards {
                let used = machine.used.as_ref().is_some_and(|used| used.contains(number));
                for prefix in ["gpu.", "gpu.process."].into_iter().take(if used { 2 } else { 1 }) {
                    put(format!("{prefix}{number}.temp"), json!(61));
                    put(format!("{prefix}{number}.memoryAllocated"), json!(55.5));
                    if let Some(busy) = busy {
                        put(format!("{prefix}{number}.gpu"), json!(busy));
                    }
                }
            }
        }
        Some(all)
    }

    /// What an order by this column sorts by: times are quicker to compare as numbers.
    pub fn place(self, key: &str) -> Option<Value> {
        match key {
            "created_at" | "createdAt" => Some(json!(self.run.created_at.as_second())),
            "heartbeat_at" | "heartbeatAt" => self.heartbeat().map(|at| json!(at.as_second())),
            _ => self.column(key),
        }
    }

    /// A column whose values are words, without a copy of it.
    pub fn word(self, key: &str) -> Option<&'w str> {
        match key {
            "name" => Some(&self.run.name),
            "state" => Some(self.state()),
            "display_name" | "displayName" => Some(self.display_name()),
            _ => None,
        }
    }

    /// A column by the name that filters and orders know it under; none where the run has no such value.
    pub fn column(self, key: &str) -> Option<Value> {
        match key {
            "name" => Some(json!(self.run.name)),
            "display_name" | "displayName" => Some(json!(self.display_name())),
            "state" => Some(json!(self.state())),
            "created_at" | "createdAt" => Some(json!(stamp(self.run.created_at))),
            "heartbeat_at" | "heartbeatAt" => self.heartbeat().map(|at| json!(stamp(at))),
            "sweep" | "sweepName" | "sweep_name" => self.run.sweep.as_ref().map(|sweep| json!(sweep)),
            "username" | "user" => self.view.people.get(self.run.user).map(|person| json!(person.login)),
            "tags" => Some(json!([])),
            "duration" => {
                let beat = self.heartbeat()?;
                Some(json!(beat.duration_since(self.run.created_at).as_secs()))
            }
            _ => {
                if let Some(path) = key.strip_prefix("summary_metrics.").or_else(|| key.strip_prefix("summaryMetrics."))
                {
                    return fact(&self.run.summary, path, self.view.limits.dots()).map(kept);
                }
                // Filters say `config.key`, orders `config.key.value`.
                let (head, rest) = split(key.strip_prefix("config.")?);
                let value = self.config().remove(head)?.get_mut("value")?.take();
                let (first, deeper) = rest.map_or((None, None), |rest| (Some(split(rest).0), split(rest).1));
                let rest = if first == Some("value") { deeper } else { rest };
                rest.map_or(Some(value.clone()), |rest| inside(&value, rest))
            }
        }
    }
}

fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)))
}

/// A value by its path.
fn inside(value: &Value, path: &str) -> Option<Value> {
    path.split('.').try_fold(value, |value, key| value.get(key)).cloned()
}

/// A fact of a summary by a key with or without dots.
fn fact<'f>(entries: &'f [(String, Fact)], path: &str, dots: Dots) -> Option<&'f Fact> {
    let at = |key: &str| entries.iter().find(|(known, _)| known == key).map(|(_, fact)| fact);
    match (split(path), dots) {
        ((head, Some(rest)), Dots::Nested) => match at(head)? {
            Fact::Nested(inner) => fact(inner, rest, dots),
            _ => None,
        },
        _ => at(path),
    }
}

/// A fact as the server keeps it: the words for what is no number are texts there.
pub fn kept(fact: &Fact) -> Value {
    match fact {
        Fact::Number(number) => json!(number),
        Fact::Word(word) => json!(word),
        Fact::Text(text) => json!(text),
        Fact::Nested(inner) => Value::Object(inner.iter().map(|(key, fact)| (key.clone(), kept(fact))).collect()),
    }
}

/// The summary as it is answered: Python's JSON, in which words stand where no number can.
pub fn summary_text(run: &Run) -> String {
    let text = python(&run.summary);
    if run.wrapped { json!(text).to_string() } else { text }
}

fn python(entries: &[(String, Fact)]) -> String {
    let entry = |(key, fact): &(String, Fact)| {
        let value = match fact {
            Fact::Number(number) => json!(number).to_string(),
            Fact::Word(word) => (*word).to_owned(),
            Fact::Text(text) => json!(text).to_string(),
            Fact::Nested(inner) => python(inner),
        };
        format!("{}: {value}", json!(key))
    };
    format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
}

/// How the database sorts values of any kind: nothing, numbers, texts, dictionaries, lists, truths.
pub fn compare(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None | Some(Value::Null) => 0,
        Some(Value::Number(_)) => 1,
        Some(Value::String(_)) => 2,
        Some(Value::Object(_)) => 3,
        Some(Value::Array(_)) => 4,
        Some(Value::Bool(_)) => 5,
    };
    rank(left).cmp(&rank(right)).then_with(|| match (left, right) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            left.as_f64().unwrap_or(0.0).total_cmp(&right.as_f64().unwrap_or(0.0))
        }
        (Some(Value::String(left)), Some(Value::String(right))) => left.cmp(right),
        (Some(Value::Bool(left)), Some(Value::Bool(right))) => left.cmp(right),
        _ => Ordering::Equal,
    })
}
