//! Pages of runs: filtered, sorted, and cut by cursors that hold the place of a run rather than its number.

use super::entity::{text, wrong};
use super::filter::{self, Filter};
use super::limits::Limits;
use super::view::{Seen, View, compare};
use apollo_compiler::resolvers::{FieldError, ResolveInfo};
use apollo_compiler::response::JsonValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// The most runs of a page.
const LARGEST: usize = 1000;

/// The runs of a page whose size nobody asked for.
const USUAL: usize = 50;

/// A page of runs.
pub struct Page<'w> {
    /// The runs, each with its cursor.
    pub runs: Vec<(Seen<'w>, String)>,
    /// The runs of all pages.
    pub total: usize,
    /// Whether there are runs behind it.
    pub more: bool,
    /// Whether there are runs before it.
    pub later: bool,
}

/// The filter of a field.
pub fn filter(limits: &Limits, info: &ResolveInfo<'_>) -> Result<Filter, FieldError> {
    let filter = filter::read(text(info, "filters").unwrap_or("{}")).map_err(|message| {
        limits.refuse(StatusCode::BAD_REQUEST);
        wrong(message)
    })?;
    if limits.takes_filter(&filter) { Ok(filter) } else { Err(wrong("invalid filters: heartbeat_at")) }
}

/// What runs are sorted by: a value, and the id where values are equal.
type Key = (Option<Value>, String);

/// The page that a field asks for.
pub fn page<'a>(view: View<'a>, info: &ResolveInfo<'_>) -> Result<Page<'a>, FieldError> {
    let filter = filter(view.limits, info)?;
    let order = text(info, "order").filter(|order| !order.is_empty()).unwrap_or("-created_at");
    let (descending, column) = match order.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, order.strip_prefix('+').unwrap_or(order)),
    };
    filter::read(&json!({ column: null }).to_string()).map_err(|_| wrong(format!("invalid order: {order}")))?;
    let size = match info.arguments().get("first").and_then(JsonValue::as_i64) {
        None => USUAL,
        Some(first) => usize::try_from(first).map_err(|_| wrong("first must not be negative"))?,
    };
    if !view.limits.takes_page(size) {
        return Err(wrong("first is too large"));
    }
    let size = size.min(LARGEST);
    let after = text(info, "after").filter(|after| !after.is_empty()).map(place).transpose()?;
    let before = |left: &Key, right: &Key| {
        let order = compare(left.0.as_ref(), right.0.as_ref());
        (if descending { order.reverse() } else { order }).then_with(|| left.1.cmp(&right.1))
    };
    let names = info.arguments().get("names").and_then(JsonValue::as_array);
    let only = |run: &Seen<'_>| names.is_none_or(|names| names.iter().any(|name| name.as_str() == Some(&run.run.name)));
    let mut all: Vec<(Key, Seen<'a>)> = view
        .runs()
        .filter(|run| only(run) && filter.takes(*run))
        .map(|run| ((run.place(column), run.run.name.clone()), run))
        .collect();
    all.sort_by(|left, right| before(&left.0, &right.0));
    let start = after.map_or(0, |after| all.partition_point(|(key, _)| before(key, &after) != Ordering::Greater));
    if !view.limits.bears(size.min(all.len() - start)) {
        return Err(wrong("the query took too long"));
    }
    let runs = all[start..].iter().take(size).map(|(key, run)| (*run, cursor(key))).collect();
    Ok(Page { runs, total: all.len(), more: start + size < all.len(), later: start > 0 })
}

fn cursor(key: &Key) -> String {
    STANDARD.encode(json!([key.0, key.1]).to_string())
}

fn place(cursor: &str) -> Result<Key, FieldError> {
    let read = || -> Option<Key> {
        let value: Value = serde_json::from_slice(&STANDARD.decode(cursor).ok()?).ok()?;
        let name = value.get(1)?.as_str()?.to_owned();
        Some((value.get(0).cloned().filter(|value| !value.is_null()), name))
    };
    read().ok_or_else(|| wrong("invalid cursor"))
}
