//! Runs as W&B tells them, turned into ours.

use super::client::{PATH, WANDB};
use super::machine::Machine;
use crate::config::Config;
use crate::loose;
use crate::snapshot::{Run, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::graphql::PageInfo;
use shared::{Digester, Error, Result};
use std::collections::BTreeMap;

/// The most GPUs of a run that are believed.
const MOST_GPUS: f64 = 1e6;

/// A page of runs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    edges: Vec<Edge>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
struct Edge {
    node: Node,
    cursor: Option<String>,
}

/// A run as it is told, as far as it was asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Node {
    /// Its id within the project.
    pub name: String,
    display_name: Option<String>,
    sweep_name: Option<String>,
    state: Option<String>,
    created_at: Option<String>,
    heartbeat_at: Option<String>,
    system_metrics: Option<Value>,
    summary_metrics: Option<Value>,
    config: Option<Value>,
}

impl Page {
    /// The cursor behind which the next page begins.
    pub fn next(&self) -> Option<String> {
        let last = || self.edges.last().and_then(|edge| edge.cursor.clone());
        self.page_info.has_next_page.then(|| self.page_info.end_cursor.clone().or_else(last)).flatten()
    }

    /// Whether there is a next page, with or without a way to it.
    pub const fn has_more(&self) -> bool {
        self.page_info.has_next_page
    }

    /// The runs on the page.
    pub fn into_nodes(self) -> impl Iterator<Item = Node> {
        self.edges.into_iter().map(|edge| edge.node)
    }
}

impl Node {
    /// Its last heartbeat; none where it never beat.
    pub fn heartbeat(&self) -> Result<Option<Timestamp>> {
        self.heartbeat_at.as_deref().map(instant).transpose()
    }

    /// The run as we keep it; none where it never beat.
    pub fn run(&self, config: &Config, digester: &Digester) -> Result<Option<Run>> {
        let Some(heartbeat_at) = self.heartbeat()? else { return Ok(None) };
        let created_at = self.created_at.as_deref().ok_or_else(|| lacks("createdAt"))?;
        let state = self.state.as_deref().ok_or_else(|| lacks("state"))?;
        let display_name = self.display_name.as_deref().filter(|name| !name.is_empty()).unwrap_or(&self.name);
        let has_sweep = self.sweep_name.as_deref().is_some_and(|name| !name.is_empty());
        // A run that reported nothing yet is no run without a card.
        let metrics = self.system_metrics.as_ref().and_then(object).filter(|metrics| !metrics.is_empty());
        let machine = metrics.as_ref().map(Machine::read);
        Ok(Some(Run {
            id: digester.of(&self.name),
            label: digester.of(display_name),
            run_type: config.run_type(display_name, has_sweep),
            state: State::of(state),
            created_at: instant(created_at)?,
            heartbeat_at,
            gpus: machine.as_ref().and_then(|machine| self.gpus(machine, config)),
            utilization: machine.and_then(|machine| machine.busy),
            values: None,
        }))
    }

    /// Whether its summary has anything at this path, be it a number or not.
    pub fn has(&self, path: &str) -> bool {
        self.summary_metrics.as_ref().and_then(object).is_some_and(|summary| loose::find(&summary, path).is_some())
    }

    /// The finite values of its summary by our words.
    pub fn values(&self, config: &Config) -> BTreeMap<String, f64> {
        let Some(summary) = self.summary_metrics.as_ref().and_then(object) else { return BTreeMap::new() };
        let pairs = config.rules.keys.iter().zip(&config.paths);
        pairs.filter_map(|(word, path)| Some((word.clone(), loose::number(&summary, path)?))).collect()
    }

    /// Its GPUs on all nodes. Where these do not report apart, the first one does, and the others have as many.
    fn gpus(&self, machine: &Machine, config: &Config) -> Option<u32> {
        let here = u32::try_from(machine.cards).ok()?;
        let Some(key) = config.nodes.as_ref().filter(|_| here > 0 && !machine.is_whole) else { return Some(here) };
        let all = self.config.as_ref().and_then(object).unwrap_or_default();
        let nodes = match entry(&all, key) {
            // A run that says nothing of nodes has one.
            None | Some(Value::Null) => 1.0,
            Some(value) => value.as_f64().filter(|nodes| *nodes >= 1.0 && nodes.fract() == 0.0)?,
        };
        let gpus = nodes * f64::from(here);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to a million")]
        (gpus <= MOST_GPUS).then_some(gpus as u32)
    }
}

/// A value of a configuration, in which each entry is a dictionary with a description and the value.
fn entry(config: &Map<String, Value>, key: &str) -> Option<Value> {
    let unwrapped = |value: &Value| value.get("value").unwrap_or(value).clone();
    if let Some(value) = config.get(key) {
        return Some(unwrapped(value));
    }
    key.match_indices('.').find_map(|(dot, _)| {
        let inner = unwrapped(config.get(&key[..dot])?);
        entry(inner.as_object()?, &key[dot + 1..])
    })
}

fn object(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::String(text) => loose::object(text),
        Value::Object(object) => Some(object.clone()),
        _ => None,
    }
}

/// A time; older servers leave out that it is in UTC.
fn instant(text: &str) -> Result<Timestamp> {
    let bare = || text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let time = text.parse().ok().or_else(|| bare().map(|time| time.timestamp()));
    time.ok_or_else(|| Error::decode(WANDB, format!("a time in the answer to {PATH} is no instant")))
}

fn lacks(field: &str) -> Error {
    Error::decode(WANDB, format!("a run in the answer to {PATH} lacks `{field}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::Env;
    use shared::testing::at;
    use std::collections::BTreeMap;

    fn config(more: &[(&str, &str)]) -> Config {
        let base = [("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "k")];
        Config::read(&Env::of(base.into_iter().chain(more.iter().copied())), &BTreeMap::new()).unwrap()
    }

    fn read(node: Value, config: &Config) -> Result<Option<Run>> {
        serde_json::from_value::<Node>(node).unwrap().run(config, &Digester::default())
    }

    fn with(field: &str, value: Value) -> Value {
        let mut node = json!({
            "name": "abcd1234", "displayName": "ann.local.1", "sweepName": null, "state": "running",
            "createdAt": "2026-01-08T10:00:00Z", "heartbeatAt": "2026-01-08T11:00:00Z", "systemMetrics": null,
        });
        node[field] = value;
        node
    }

    #[test]
    fn metrics_are_read_however_they_are_wrapped_and_a_run_without_any_tells_nothing() {
        let config = config(&[]);
        let metrics = json!({"system.gpu.0.gpu": 90, "system.gpu.1.gpu": 70});
        for told in [json!(metrics.to_string()), metrics.clone(), json!(json!(metrics.to_string()).to_string())] {
            let run = read(with("systemMetrics", told), &config).unwrap().unwrap();
            assert_eq!((run.gpus, run.utilization), (Some(2), Some(80.0)));
        }
        let odd = read(with("systemMetrics", json!("{\"system.gpu.0.gpu\": NaN}")), &config).unwrap().unwrap();
        assert_eq!((odd.gpus, odd.utilization), (Some(1), None));
        let gpus = |told: Value| read(with("systemMetrics", told), &config).unwrap().unwrap().gpus;
        assert_eq!(gpus(json!("{\"system.cpu\": 1}")), Some(0), "a run on CPUs");
        for nothing in [Value::Null, json!("{}"), json!({}), json!("null"), json!("words")] {
            assert_eq!(gpus(nothing.clone()), None, "{nothing}");
        }
    }

    #[test]
    fn gpus_are_multiplied_by_the_configured_number_of_nodes() {
        let gpus = |key: &str, told: Value| {
            let mut node = with("systemMetrics", json!("{\"system.gpu.0.gpu\": 1, \"system.gpu.1.gpu\": 1}"));
            node["config"] = json!(told.to_string());
            read(node, &config(&[("WANDB_NODES_KEY", key)])).unwrap().unwrap().gpus
        };
        let wrapped = json!({"num_nodes": {"desc": null, "value": 4}, "trainer": {"value": {"nodes": 2}}});
        assert_eq!(gpus("num_nodes", wrapped.clone()), Some(8));
        assert_eq!(gpus("trainer.nodes", wrapped.clone()), Some(4));
        assert_eq!(gpus("missing", wrapped), Some(2), "a run that says nothing of nodes has one");
        assert_eq!(gpus("num_nodes", json!({"num_nodes": 3})), Some(6));
        let on = |metrics: Value| {
            let mut node = with("systemMetrics", metrics);
            node["config"] = json!({"num_nodes": {"value": 4}});
            read(node, &config(&[("WANDB_NODES_KEY", "num_nodes")])).unwrap().unwrap().gpus
        };
        let apart = json!({"system.gpu.0.gpu/l:a": 1, "system.gpu.0.gpu/l:b": 1});
        assert_eq!((on(apart), on(json!({"system.cpu": 1}))), (Some(2), Some(0)), "all of its nodes report");
        for unreadable in [json!("auto"), json!(0), json!(1.5), json!(1e9)] {
            assert_eq!(gpus("num_nodes", json!({"num_nodes": {"value": unreadable}})), None, "{unreadable}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_their_zone_and_a_run_without_a_beat_is_none() {
        let config = config(&[]);
        for text in ["2026-01-08T11:00:00", "2026-01-08T11:00:00Z", "2026-01-08T11:00:00.000Z"] {
            let run = read(with("heartbeatAt", json!(text)), &config).unwrap().unwrap();
            assert_eq!(run.heartbeat_at, at("2026-01-08T11:00:00Z"));
        }
        assert_eq!(read(with("heartbeatAt", Value::Null), &config).unwrap(), None);
        for (field, value) in [("heartbeatAt", json!("soon")), ("createdAt", Value::Null), ("state", Value::Null)] {
            assert_eq!(read(with(field, value), &config).unwrap_err().kind(), Some("decode"));
        }
    }

    #[test]
    fn no_name_is_kept_and_a_missing_one_is_the_id() {
        let config = config(&[]);
        let run = read(with("displayName", json!("ann.local.1")), &config).unwrap().unwrap();
        let text = serde_json::to_string(&run).unwrap();
        assert!(!text.contains("ann") && !text.contains("abcd"), "{text}");
        assert_eq!(run.run_type.word(), "local");
        let nameless = read(with("displayName", Value::Null), &config).unwrap().unwrap();
        assert_eq!((nameless.label == nameless.id, nameless.run_type.word()), (true, "other"));
        let swept = read(with("sweepName", json!("x1")), &config).unwrap().unwrap();
        assert_eq!(swept.run_type.word(), "sweep");
        let odd = read(with("state", json!("dreaming")), &config).unwrap().unwrap();
        assert_eq!(odd.state, State::Unknown);
    }

    #[test]
    fn a_crashed_runs_summary_in_a_string_is_read_and_what_is_no_number_is_missing() {
        let summary =
            "{\"accuracy\": NaN, \"loss\": 0.25, \"overview/sps\": \"NaN\", \"env_agent/heart\": {\"gained\": 3}}";
        for told in [json!(summary), json!(json!(summary).to_string())] {
            let node: Node = serde_json::from_value(json!({"name": "a", "summaryMetrics": told})).unwrap();
            let expected = [("hearts".to_owned(), 3.0), ("loss".to_owned(), 0.25)].into();
            assert_eq!(node.values(&config(&[])), expected);
        }
        let none: Node = serde_json::from_value(json!({"name": "a", "summaryMetrics": null})).unwrap();
        assert_eq!(none.values(&config(&[])), BTreeMap::new());
    }
}
