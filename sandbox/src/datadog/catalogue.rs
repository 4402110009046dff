//! What Datadog knows of metrics: their metadata, and which are there.

use super::query::{Filter, pairs};
use super::reply::{self, Refusal};
use super::shape::Fields;
use super::store::Store;
use super::{Datadog, Metadata, body, units};
use axum::extract::{Path, RawQuery, Request, State};
use axum::response::Response;
use http::StatusCode;
use rusqlite::params;
use serde_json::{Map, Value, json};

const TYPES: [&str; 4] = ["gauge", "count", "rate", "distribution"];

/// The most metrics of a page, and the oldest that may still be asked for, in seconds.
const LARGEST_PAGE: u16 = 10_000;
const LONGEST_WINDOW: i64 = 2_592_000;

/// `GET /api/v1/metrics/{name}`.
pub(super) async fn metadata(State(datadog): State<Datadog>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let metadata = datadog.store.metadata(&name)?.ok_or_else(missing)?;
    Ok(reply::json(StatusCode::OK, &shown(&metadata)))
}

/// `PUT /api/v1/metrics/{name}`: what is not said stays as it is.
pub(super) async fn describe(
    State(datadog): State<Datadog>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let sent = body::receive(request.into_body()).await?;
    let value: Value = serde_json::from_slice(&sent).map_err(|error| Refusal::bad(format!("Invalid JSON: {error}")))?;
    let mut metadata = datadog.store.metadata(&name)?.ok_or_else(missing)?;
    change(&mut metadata, &value).map_err(Refusal::bad)?;
    datadog.store.describe(&name, &metadata)?;
    Ok(reply::json(StatusCode::OK, &shown(&metadata)))
}

fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "metric_name not found")
}

fn change(metadata: &mut Metadata, value: &Value) -> Result<(), String> {
    let fields = Fields::of(value, "metadata")?;
    let Metadata { kind, unit, per_unit, description, short_name, .. } = metadata;
    let places = [
        ("type", kind),
        ("unit", unit),
        ("per_unit", per_unit),
        ("description", description),
        ("short_name", short_name),
    ];
    for (key, place) in places {
        if let Some(text) = fields.text(key)? {
            *place = Some(text.to_owned());
        }
    }
    if let Some(interval) = fields.whole("statsd_interval")? {
        metadata.statsd_interval = Some(interval);
    }
    if let Some(kind) = metadata.kind.as_deref().filter(|kind| !TYPES.contains(kind)) {
        return Err(format!("metadata.type: {kind} is none of {}", TYPES.join(", ")));
    }
    let mut time = 0;
    for name in [&metadata.unit, &metadata.per_unit].into_iter().flatten().filter(|name| !name.is_empty()) {
        let unit = units::find(name).ok_or_else(|| format!("metadata.unit: {name} is no unit"))?;
        time += i32::from(unit.is_time());
    }
    if time == 2 { Err("metadata.unit: a time per time is a fraction".to_owned()) } else { Ok(()) }
}

fn shown(metadata: &Metadata) -> Value {
    let Metadata { kind, unit, per_unit, description, short_name, .. } = metadata;
    let texts = [
        ("type", kind),
        ("unit", unit),
        ("per_unit", per_unit),
        ("description", description),
        ("short_name", short_name),
    ];
    let mut object: Map<String, Value> =
        texts.into_iter().filter_map(|(key, text)| Some((key.to_owned(), json!(text.as_ref()?)))).collect();
    if let Some(interval) = metadata.statsd_interval {
        object.insert("statsd_interval".to_owned(), json!(interval));
    }
    Value::Object(object)
}

/// `GET /api/v1/metrics`: the names that had a point since then.
pub(super) async fn active(State(datadog): State<Datadog>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (mut from, mut filter) = (None, Filter::All);
    for (key, value) in pairs(query.as_deref()) {
        match key.as_str() {
            "from" => from = value.parse::<i64>().ok(),
            "host" => filter = Filter::tag(&format!("host:{value}")),
            "tag_filter" => filter = Filter::parse(&value).map_err(Refusal::bad)?,
            _ => {}
        }
    }
    let from = from.ok_or_else(|| Refusal::bad("The parameter 'from' is required and a Unix time in seconds"))?;
    let names = datadog.names(from, &filter, |_| true)?;
    Ok(reply::json(StatusCode::OK, &json!({"from": from.to_string(), "metrics": names})))
}

/// `GET /api/v2/metrics`: the same in pages, an hour back unless it is said otherwise.
pub(super) async fn list(State(datadog): State<Datadog>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (mut window, mut size, mut after, mut filter, mut kind) = (3600, None, String::new(), Filter::All, None);
    for (key, value) in pairs(query.as_deref()) {
        let number = |most: i64| {
            let number = value.parse::<i64>().ok().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| Refusal::bad(format!("Invalid value of {key}: {value}")))
        };
        match key.as_str() {
            "window[seconds]" => window = number(LONGEST_WINDOW)?,
            "page[size]" => size = usize::try_from(number(LARGEST_PAGE.into())?).ok(),
            "page[cursor]" => after = value,
            "filter[tags]" => filter = Filter::parse(&value).map_err(Refusal::bad)?,
            "filter[metric_type]" => kind = Some(value),
            // To leave a filter out would answer another question.
            _ => return Err(Refusal::bad(format!("Unsupported parameter: {key}"))),
        }
    }
    let fits = |metadata: &Metadata| match kind.as_deref() {
        None => true,
        Some("distribution") => metadata.distribution,
        Some("non_distribution") => !metadata.distribution,
        Some(kind) => metadata.kind.as_deref() == Some(kind),
    };
    let mut names = datadog.names(datadog.clock.now().as_second() - window, &filter, fits)?;
    names.retain(|name| *name > after);
    let most = size.unwrap_or(LARGEST_PAGE.into());
    let more = names.len() > most;
    names.truncate(most);
    let data: Vec<Value> = names.iter().map(|name| json!({"id": name, "type": "metrics"})).collect();
    let mut answer = json!({"data": data});
    if size.is_some() || !after.is_empty() {
        let cursor = |name: &str| if name.is_empty() { Value::Null } else { json!(name) };
        let next = names.last().filter(|_| more).map_or(Value::Null, |name| cursor(name));
        let page = json!({"cursor": cursor(&after), "limit": names.len(), "next_cursor": next, "type": "cursor_limit"});
        answer["meta"] = json!({"pagination": page});
    }
    Ok(reply::json(StatusCode::OK, &answer))
}

impl Datadog {
    fn names(&self, from: i64, filter: &Filter, fits: impl Fn(&Metadata) -> bool) -> Result<Vec<String>, Refusal> {
        let series = self.store.since(from)?;
        let mut names: Vec<String> =
            series.into_iter().filter(|(_, tags)| filter.fits(tags)).map(|(name, _)| name).collect();
        names.dedup();
        let mut fitting = Vec::with_capacity(names.len());
        for name in names {
            if fits(&self.store.metadata(&name)?.unwrap_or_default()) {
                fitting.push(name);
            }
        }
        Ok(fitting)
    }
}

impl Store {
    fn describe(&self, name: &str, metadata: &Metadata) -> rusqlite::Result<()> {
        let sql = "update metrics set type = ?, unit = ?, per_unit = ?, description = ?, short_name = ?,
                   statsd_interval = ? where name = ?";
        let Metadata { kind, unit, per_unit, description, short_name, statsd_interval, .. } = metadata;
        let row = params![kind, unit, per_unit, description, short_name, statsd_interval, name];
        self.lock().connection.execute(sql, row).map(drop)
    }
}
