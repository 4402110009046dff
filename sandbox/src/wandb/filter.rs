//! Filters in the query language of `MongoDB`, as far as W&B takes them.

use super::view::{Seen, compare};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::HashSet;

/// A filter that was read.
#[derive(Debug, Clone)]
pub enum Filter {
    /// All of these; none of them is everything.
    All(Vec<Self>),
    /// Any of these.
    Any(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A column and what is asked of it.
    Column(String, Test),
}

/// What is asked of a column.
#[derive(Debug, Clone)]
pub enum Test {
    /// Equal to a value.
    Equal(Value),
    /// Equal to one of these texts, or of these other values.
    In(HashSet<String>, Vec<Value>),
    /// Of the same kind and in one of these orders.
    Order(&'static [Ordering], Value),
    /// There, or not.
    Exists(bool),
    /// A text that holds a match of this expression.
    Matches(String),
}

/// Reads the text of a filter.
pub fn read(text: &str) -> Result<Filter, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => query(&fields),
        Ok(Value::Null) => Ok(Filter::All(Vec::new())),
        Ok(_) => Err("invalid filters: expected an object".to_owned()),
        Err(_) => Err("invalid filters: cannot parse JSON".to_owned()),
    }
}

fn query(fields: &Map<String, Value>) -> Result<Filter, String> {
    let list = |value: &Value| -> Result<Vec<Filter>, String> {
        let items = value.as_array().ok_or("invalid filters: expected a list")?;
        items.iter().map(|item| query(item.as_object().ok_or("invalid filters: expected an object")?)).collect()
    };
    let mut all = Vec::new();
    for (key, value) in fields {
        all.push(match key.as_str() {
            "$and" => Filter::All(list(value)?),
            "$or" => Filter::Any(list(value)?),
            "$nor" => Filter::Not(Box::new(Filter::Any(list(value)?))),
            key if key.starts_with('$') => return Err(format!("invalid filters: unknown operator {key}")),
            key => column(key, value)?,
        });
    }
    Ok(Filter::All(all))
}

fn column(key: &str, asked: &Value) -> Result<Filter, String> {
    const KNOWN: [&str; 18] = [
        "name",
        "display_name",
        "displayName",
        "state",
        "created_at",
        "createdAt",
        "heartbeat_at",
        "heartbeatAt",
        "sweep",
        "sweepName",
        "sweep_name",
        "username",
        "user",
        "tags",
        "duration",
        "group",
        "job_type",
        "jobType",
    ];
    let prefixes = ["summary_metrics.", "summaryMetrics.", "config."];
    if !KNOWN.contains(&key) && !prefixes.iter().any(|prefix| key.starts_with(prefix)) {
        return Err(format!("invalid filters: unknown key {key}"));
    }
    let operators = asked.as_object().filter(|fields| fields.keys().any(|key| key.starts_with('$')));
    let Some(operators) = operators else {
        return Ok(Filter::Column(key.to_owned(), equality(key, asked)));
    };
    let mut all = Vec::new();
    for (operator, value) in operators {
        let one = |test: Test| Filter::Column(key.to_owned(), test);
        let list = || {
            let items = value.as_array().ok_or_else(|| format!("invalid filters: {operator} wants a list"))?;
            let (texts, others): (Vec<&Value>, Vec<&Value>) = items.iter().partition(|item| item.is_string());
            let texts = texts.into_iter().filter_map(Value::as_str).map(str::to_owned).collect();
            Ok::<Test, String>(Test::In(texts, others.into_iter().cloned().collect()))
        };
        all.push(match operator.as_str() {
            "$eq" => one(Test::Equal(value.clone())),
            "$ne" => Filter::Not(Box::new(one(Test::Equal(value.clone())))),
            "$in" => one(list()?),
            "$nin" => Filter::Not(Box::new(one(list()?))),
            "$gt" => one(Test::Order(&[Ordering::Greater], value.clone())),
            "$gte" => one(Test::Order(&[Ordering::Greater, Ordering::Equal], value.clone())),
            "$lt" => one(Test::Order(&[Ordering::Less], value.clone())),
            "$lte" => one(Test::Order(&[Ordering::Less, Ordering::Equal], value.clone())),
            "$exists" => one(Test::Exists(value.as_bool().unwrap_or(true))),
            "$regex" => {
                let text = value.as_str().ok_or("invalid filters: $regex wants a text")?;
                if text.chars().any(|c| "[](){}|+?\\".contains(c)) {
                    return Err("invalid filters: this expression is beyond the sandbox".to_owned());
                }
                one(Test::Matches(text.to_owned()))
            }
            "$not" => Filter::Not(Box::new(column(key, value)?)),
            other => return Err(format!("invalid filters: unknown operator {other}")),
        });
    }
    Ok(Filter::All(all))
}

/// Equality to a text of a column of words is membership in a set of one.
fn equality(key: &str, value: &Value) -> Test {
    match value {
        Value::String(text) if matches!(key, "name" | "state") => Test::In(HashSet::from([text.clone()]), Vec::new()),
        _ => Test::Equal(value.clone()),
    }
}

impl Filter {
    /// Whether it asks anything of this column.
    pub fn mentions(&self, column: &str) -> bool {
        match self {
            Self::All(all) | Self::Any(all) => all.iter().any(|filter| filter.mentions(column)),
            Self::Not(filter) => filter.mentions(column),
            Self::Column(key, _) => key == column,
        }
    }

    /// Whether a run is let through.
    pub fn takes(&self, run: Seen<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.takes(run)),
            Self::Any(any) => any.iter().any(|filter| filter.takes(run)),
            Self::Not(filter) => !filter.takes(run),
            Self::Column(key, test) => {
                if let Some((quick, word)) = test.quick().zip(run.word(key)) {
                    return quick.contains(word);
                }
                let is_time = matches!(key.as_str(), "created_at" | "createdAt" | "heartbeat_at" | "heartbeatAt");
                test.holds(run.column(key).as_ref().filter(|value| !value.is_null()), is_time)
            }
        }
    }
}

impl Test {
    /// The texts that are asked for, where nothing else is.
    fn quick(&self) -> Option<&HashSet<String>> {
        match self {
            Self::In(texts, others) if others.is_empty() => Some(texts),
            _ => None,
        }
    }

    fn holds(&self, value: Option<&Value>, is_time: bool) -> bool {
        match self {
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Equal(other) => equal(value, other, is_time),
            Self::In(texts, others) => {
                value.and_then(Value::as_str).is_some_and(|value| texts.contains(value))
                    || others.iter().any(|other| equal(value, other, is_time))
            }
            Self::Order(wanted, other) => {
                let Some(value) = value else { return false };
                order(value, other, is_time).is_some_and(|order| wanted.contains(&order))
            }
            Self::Matches(text) => value.and_then(Value::as_str).is_some_and(|value| matches(value, text)),
        }
    }
}

fn equal(value: Option<&Value>, other: &Value, is_time: bool) -> bool {
    match value {
        None => other.is_null(),
        Some(value) => order(value, other, is_time) == Some(Ordering::Equal) || value == other,
    }
}

/// Values of one kind in their order, times in that of time.
fn order(left: &Value, right: &Value, is_time: bool) -> Option<Ordering> {
    match (left, right) {
        (Value::String(a), Value::String(b)) if is_time => Some(instant(a)?.cmp(&instant(b)?)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Number(_), Value::Number(_)) | (Value::Bool(_), Value::Bool(_)) => {
            Some(compare(Some(left), Some(right)))
        }
        _ => None,
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    let utc = jiff::tz::TimeZone::UTC;
    text.parse()
        .ok()
        .or_else(|| text.parse::<jiff::civil::DateTime>().ok()?.to_zoned(utc.clone()).ok().map(|at| at.timestamp()))
        .or_else(|| text.parse::<jiff::civil::Date>().ok()?.to_zoned(utc).ok().map(|at| at.timestamp()))
}

/// Whether a text holds a match: letters, `.` for any of them, `.*` for any number, `^` and `$` for the ends.
fn matches(text: &str, expression: &str) -> bool {
    let (anchored, rest) = expression.strip_prefix('^').map_or((false, expression), |rest| (true, rest));
    let letters: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = rest.chars().collect();
    if anchored { here(&letters, &pattern) } else { (0..=letters.len()).any(|at| here(&letters[at..], &pattern)) }
}

fn here(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => true,
        ['$'] => text.is_empty(),
        [one, '*', rest @ ..] => {
            let run = text.iter().take_while(|letter| *one == '.' || *letter == one).count();
            (0..=run).any(|skipped| here(&text[skipped..], rest))
        }
        [one, rest @ ..] => text.first().is_some_and(|letter| *one == '.' || letter == one) && here(&text[1..], rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_looked_for_anywhere_unless_it_is_anchored() {
        for (text, expression, found) in [
            ("github.sky.1", "^github.sky.", true),
            ("my github.sky.1", "^github.sky.", false),
            ("nightly_sweep", "sweep", true),
            ("nightly", "sweep", false),
            ("a-b-c", "^a.*c$", true),
            ("a-b-c-d", "^a.*c$", false),
            ("", ".*", true),
        ] {
            assert_eq!(matches(text, expression), found, "{text} {expression}");
        }
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        for text in [
            "[]",
            "{",
            "{\"$and\": {}}",
            "{\"colour\": 1}",
            "{\"state\": {\"$in\": \"running\"}}",
            "{\"state\": {\"$like\": \"r\"}}",
            "{\"$in\": []}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("{}").is_ok() && read("null").is_ok());
    }
}
