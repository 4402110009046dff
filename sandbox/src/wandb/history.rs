//! What is told of the steps of a run.

use super::entity::wrong;
use super::view::kept;
use crate::model::wandb::Run;
use apollo_compiler::resolvers::FieldError;
use apollo_compiler::response::JsonValue;
use serde_json::{Map, Value, json};

/// The steps of a run's history that hold all of these keys. Of each run the last one alone is kept.
pub fn history(run: &Run, keys: &[&str]) -> Vec<Map<String, Value>> {
    let row: Map<String, Value> = run.summary.iter().map(|(key, fact)| (key.clone(), kept(fact))).collect();
    let has_all = !row.is_empty() && keys.iter().all(|key| row.contains_key(*key));
    let wanted = |key: &String| keys.is_empty() || keys.contains(&key.as_str());
    if has_all { vec![row.into_iter().filter(|(key, _)| wanted(key)).collect()] } else { Vec::new() }
}

/// The keys of a run's history, as clients list them.
pub fn history_keys(run: &Run) -> Value {
    let rows = history(run, &[]);
    let keys = rows.iter().flat_map(|row| row.iter());
    let told: Map<String, Value> = keys
        .map(|(key, value)| {
            let kind = if value.is_number() { "number" } else { "string" };
            (key.clone(), json!({ "typeCounts": [{ "type": kind, "count": 1 }], "monotonic": false }))
        })
        .collect();
    json!({ "sets": [], "keys": told, "lastStep": rows.first().and_then(|row| row.get("_step")) })
}

/// One list of a sampled history: `{"keys": […], "samples": N}`, of which the first key is that of the axis.
pub fn sampled(run: &Run, spec: &str) -> Result<JsonValue, FieldError> {
    let spec: Value = serde_json::from_str(spec).map_err(|_| wrong("invalid spec"))?;
    let keys: Option<Vec<&str>> = spec["keys"].as_array().and_then(|keys| keys.iter().map(Value::as_str).collect());
    let keys = keys.ok_or_else(|| wrong("invalid spec: keys"))?;
    let samples = spec["samples"].as_u64().unwrap_or(500);
    let rows = history(run, &keys).into_iter().take(usize::try_from(samples).unwrap_or(usize::MAX));
    Ok(serde_json::from_value(rows.map(Value::Object).collect()).unwrap_or(JsonValue::Null))
}
