//! Up to ten requests in one, each with an answer of its own.
//!
//! <https://developers.asana.com/docs/batch-requests>

use super::query::Query;
use super::{Call, Refusal, Reply, State, is_search};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Where batches are sent to.
pub(super) const PATH: &str = "/batch";

/// The most actions of a batch.
const MOST: usize = 10;

/// The requests of a batch, or why there are none.
pub(super) fn actions(body: &[u8]) -> Result<Vec<Value>, Refusal> {
    let body: Value =
        serde_json::from_slice(body).map_err(|_| Refusal::bad("Could not parse request data, invalid JSON"))?;
    let actions = body.pointer("/data/actions").and_then(Value::as_array);
    let actions = actions.ok_or_else(|| Refusal::bad("actions: Missing input"))?;
    if actions.is_empty() || actions.len() > MOST {
        return Err(Refusal::bad(&format!("actions: Must have between 1 and {MOST} items")));
    }
    Ok(actions.clone())
}

/// How many of them search.
pub(super) fn searches(actions: &[Value]) -> usize {
    actions.iter().filter(|action| action["relative_path"].as_str().is_some_and(is_search)).count()
}

/// Each of them, answered as it would be by itself.
pub(super) fn answer(state: &State, token: &str, base: &str, now: Timestamp, actions: &[Value]) -> Reply {
    let results = actions.iter().map(|action| {
        let answer = call(state, token, base, now, action).and_then(|call| call.route());
        let (status, body) = match answer {
            Ok(Reply(body)) => (StatusCode::OK, body),
            Err(refusal) => (refusal.status, refusal.body()),
        };
        json!({ "status_code": status.as_u16(), "headers": {}, "body": body })
    });
    Reply(json!({ "data": results.collect::<Vec<_>>() }))
}

fn call<'a>(state: &'a State, token: &str, base: &str, now: Timestamp, action: &Value) -> Result<Call<'a>, Refusal> {
    let said = |name: &str| action[name].as_str().ok_or_else(|| Refusal::bad(&format!("{name}: Missing input")));
    let (path, method) = (said("relative_path")?, said("method")?);
    // What stands behind a question mark in an address belongs into the data, and a batch holds no batch.
    if !["get", "head"].contains(&method.to_lowercase().as_str()) || path.contains('?') || path == PATH {
        return Err(Refusal::no_route());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let options = &action["options"];
    let data = action["data"].as_object().into_iter().flatten();
    let own = |name: &str| name == "limit" || name == "offset" || name.starts_with("opt_");
    let mut query: Vec<(String, String)> =
        data.filter(|(name, _)| !own(name)).map(|(name, value)| (name.clone(), text(value))).collect();
    for name in ["limit", "offset"] {
        query.extend(options.get(name).map(|value| (name.to_owned(), text(value))));
    }
    if let Some(fields) = options["fields"].as_array() {
        let fields: Vec<&str> = fields.iter().filter_map(Value::as_str).collect();
        query.push(("opt_fields".to_owned(), fields.join(",")));
    }
    let query = Query::of(query);
    Ok(Call { state, token: token.to_owned(), path: path.to_owned(), query, now, base: base.to_owned() })
}
