//! Bodies of questions, refused in the words of the server's framework where they are of another shape.

use super::Reply;
use axum::body::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// Members by what they have to be.
const SWITCHES: [&str; 6] =
    ["refresh", "skip_finished", "all_users", "include_credentials", "include_handle", "summary_response"];
const NUMBERS: [&str; 2] = ["page", "limit"];
const LISTS: [&str; 4] = ["statuses", "fields", "job_ids", "cluster_names"];
const FLOATS: [&str; 2] = ["submitted_after", "submitted_before"];

/// A body in its type; what is not known in it is ignored.
pub(super) fn parsed<T: for<'a> Deserialize<'a>>(body: &Bytes) -> Result<T, Reply> {
    if body.is_empty() {
        return Err(refusal(&[json!({"type": "missing", "loc": ["body"], "msg": "Field required", "input": null})]));
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let context = json!({"error": "Expecting property name enclosed in double quotes"});
        let wrong = json!({"type": "json_invalid", "loc": ["body", 1], "msg": "JSON decode error", "input": {}, "ctx": context});
        return Err(refusal(&[wrong]));
    };
    let Some(members) = value.as_object() else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        let wrong = json!({"type": "model_attributes_type", "loc": ["body"], "msg": message, "input": value});
        return Err(refusal(&[wrong]));
    };
    let wrong: Vec<Value> = members.iter().filter_map(|(name, value)| complaint(name, value)).collect();
    if !wrong.is_empty() {
        return Err(refusal(&wrong));
    }
    serde_json::from_value(value).map_err(|_| {
        refusal(&[
            json!({"type": "type_error", "loc": ["body"], "msg": "Input should be of another type", "input": null}),
        ])
    })
}

fn refusal(wrong: &[Value]) -> Reply {
    Reply::json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": wrong }))
}

/// What is wrong with a member, if anything is.
fn complaint(name: &str, value: &Value) -> Option<Value> {
    let (kind, message) = match value {
        Value::Null => return None,
        // The clusters are refreshed in one of three ways; that a word is one of them was seen to before.
        Value::String(word) if name == "refresh" && ["NONE", "AUTO", "FORCE"].contains(&word.as_str()) => return None,
        Value::String(_) if SWITCHES.contains(&name) => {
            ("bool_parsing", "Input should be a valid boolean, unable to interpret input")
        }
        value if SWITCHES.contains(&name) && !value.is_boolean() => ("bool_type", "Input should be a valid boolean"),
        Value::String(_) if NUMBERS.contains(&name) => {
            ("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
        }
        value if NUMBERS.contains(&name) && !value.is_i64() => ("int_type", "Input should be a valid integer"),
        value if FLOATS.contains(&name) && !value.is_number() => ("float_type", "Input should be a valid number"),
        value if LISTS.contains(&name) && !value.is_array() => ("list_type", "Input should be a valid list"),
        _ => return None,
    };
    Some(json!({"type": kind, "loc": ["body", name], "msg": message, "input": value}))
}
