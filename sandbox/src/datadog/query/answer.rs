//! Answers in the shapes that Datadog's description gives them.

use super::buckets::Window;
use super::formula::{Group, Table, Units};
use super::parse::{Expression, Query};
use crate::datadog::units;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Of the first version: one series for each group of each expression.
pub(super) fn v1(text: &str, window: Window, tables: &[(Table, Expression)]) -> Value {
    let mut group_by: Vec<&String> = Vec::new();
    let mut series = Vec::new();
    for (index, (table, expression)) in tables.iter().enumerate() {
        let query = single(expression);
        group_by.extend(query.into_iter().flat_map(|query| &query.by));
        series.extend(table.groups.iter().filter_map(|group| v1_series(text, index, table, query, group)));
    }
    json!({
        "status": "ok",
        "res_type": "time_series",
        "query": text,
        "message": "",
        "from_date": window.from * 1000,
        "to_date": window.to * 1000,
        "group_by": group_by,
        "series": series,
    })
}

fn single(expression: &Expression) -> Option<&Query> {
    match expression {
        Expression::Query(query) => Some(query),
        Expression::DefaultZero(inner) | Expression::Negate(inner) => single(inner),
        _ => None,
    }
}

fn v1_series(text: &str, index: usize, table: &Table, query: Option<&Query>, group: &Group) -> Option<Value> {
    let (first, _) = group.values.first_key_value()?;
    let (last, _) = group.values.last_key_value()?;
    let points: Vec<Value> =
        group.values.iter().map(|(start, value)| json!([1000.0 * seconds(*start), value])).collect();
    // The scope is what was asked for, narrowed down to the group.
    let asked = query.map_or("*", |query| query.scope.as_str());
    let scope = match (asked, group.tags.is_empty()) {
        (asked, true) => asked.to_owned(),
        ("*", false) => group.tags.join(","),
        (asked, false) => format!("{asked},{}", group.tags.join(",")),
    };
    let metric = query.map_or(text, |query| query.metric.as_str());
    let aggregation = query.map(|query| query.space.word());
    let expression =
        query.map_or_else(|| text.to_owned(), |query| format!("{}:{metric}{{{scope}}}", query.space.word()));
    let (unit, per) = &table.units;
    Some(json!({
        "metric": metric,
        "display_name": metric,
        "aggr": aggregation,
        "expression": expression,
        "scope": scope,
        "tag_set": group.tags,
        "query_index": index,
        // In seconds, as Datadog answers, although its description says milliseconds.
        "interval": table.width,
        "length": points.len(),
        "start": first * 1000,
        "end": (last + table.width) * 1000 - 1000,
        "pointlist": points,
        "unit": units::pair(unit.as_deref(), per.as_deref()),
    }))
}

/// A time as a number with a fraction, which the first version has.
fn seconds(time: i64) -> f64 {
    f64::from(u32::try_from(time).unwrap_or_default())
}

/// Values over time: each array fits the times, which are those that have any value.
pub(super) fn timeseries(tables: &[Table]) -> Value {
    let groups = || {
        tables.iter().enumerate().flat_map(|(index, table)| table.groups.iter().map(move |group| (index, table, group)))
    };
    let times: BTreeSet<i64> = groups().flat_map(|(_, _, group)| group.values.keys().copied()).collect();
    let series: Vec<Value> = groups()
        .map(
            |(index, table, group)| json!({"group_tags": group.tags, "query_index": index, "unit": unit(&table.units)}),
        )
        .collect();
    let values: Vec<Vec<Option<f64>>> =
        groups().map(|(_, _, group)| times.iter().map(|time| group.values.get(time).copied()).collect()).collect();
    let times: Vec<i64> = times.into_iter().map(|time| time * 1000).collect();
    let attributes = json!({"series": series, "times": times, "values": values});
    json!({"data": {"type": "timeseries_response", "attributes": attributes}})
}

/// Single values: a column for each key of the groups, then one for each formula, a row for each group.
pub(super) fn scalar(tables: &[(String, Table)]) -> Value {
    let mut rows: Vec<&[String]> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    for group in tables.iter().flat_map(|(_, table)| &table.groups) {
        if !rows.contains(&group.tags.as_slice()) {
            rows.push(&group.tags);
        }
        for (key, _) in group.tags.iter().filter_map(|tag| tag.split_once(':')) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    let own = |key: &str, row: &[String]| -> Vec<String> {
        let pairs = row.iter().filter_map(|tag| tag.split_once(':'));
        pairs.filter(|(own, _)| *own == key).map(|(_, value)| value.to_owned()).collect()
    };
    let grouped = keys.iter().map(|key| {
        let values: Vec<Vec<String>> = rows.iter().map(|row| own(key, row)).collect();
        json!({"name": key, "type": "group", "values": values})
    });
    let numbers = tables.iter().map(|(name, table)| {
        let value = |row: &&[String]| {
            let group = table.groups.iter().find(|group| group.tags == *row)?;
            group.values.values().next().copied()
        };
        let values: Vec<Option<f64>> = rows.iter().map(value).collect();
        json!({"name": name, "type": "number", "values": values, "meta": {"unit": unit(&table.units)}})
    });
    let columns: Vec<Value> = grouped.chain(numbers).collect();
    json!({"data": {"type": "scalar_response", "attributes": {"columns": columns}}})
}

fn unit((unit, per): &Units) -> Value {
    let pair = units::pair(unit.as_deref(), per.as_deref());
    if pair == [Value::Null, Value::Null] { Value::Null } else { json!(pair) }
}
