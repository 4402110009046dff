//! The event stream and service checks.

use super::reply::{self, Refusal};
use super::shape::{Fields, Wrong};
use super::store::Store;
use super::{Datadog, Event, ServiceCheck, body, normal};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use rusqlite::params;
use serde_json::{Value, json};

/// How old an event may be.
const OLDEST_EVENT: SignedDuration = SignedDuration::from_hours(18);

/// The longest text, and the longest aggregation key, in characters.
const LONGEST_TEXT: usize = 4000;
const LONGEST_KEY: usize = 100;

const ALERT_TYPES: [&str; 7] = ["error", "warning", "info", "success", "user_update", "recommendation", "snapshot"];

/// `POST /api/v1/events`.
pub(super) async fn event(State(datadog): State<Datadog>, request: Request) -> Result<Response, Refusal> {
    let value = json_body(request).await?;
    let mut event = read_event(&value, datadog.clock.now()).map_err(Refusal::bad)?;
    event.id = datadog.store.add_event(&event)?;
    let said = json!({
        "id": event.id, "id_str": event.id.to_string(), "title": event.title, "text": event.text, "tags": event.tags,
        "date_happened": event.happened, "priority": event.priority, "alert_type": event.alert_type,
        "url": format!("/event/event?id={}", event.id),
    });
    Ok(reply::json(StatusCode::ACCEPTED, &json!({"status": "ok", "event": said})))
}

/// `POST /api/v1/check_run`: one check, or an array of them.
pub(super) async fn checks(State(datadog): State<Datadog>, request: Request) -> Result<Response, Refusal> {
    let value = json_body(request).await?;
    let all = value.as_array().map_or_else(|| std::slice::from_ref(&value), Vec::as_slice);
    let now = datadog.clock.now();
    let checks = all.iter().map(|value| read_check(value, now)).collect::<Result<Vec<_>, Wrong>>();
    let accepted = checks.map_err(Refusal::bad)?;
    // Older than ten minutes is accepted and not stored, as with points.
    let oldest = now.as_second() - 600;
    datadog.store.add_checks(accepted.iter().filter(|check| check.ts >= oldest))?;
    Ok(reply::json(StatusCode::ACCEPTED, &json!({"status": "ok"})).into_response())
}

async fn json_body(request: Request) -> Result<Value, Refusal> {
    let sent = body::receive(request.into_body()).await?;
    serde_json::from_slice(&sent).map_err(|error| Refusal::bad(format!("Invalid JSON: {error}")))
}

fn read_event(value: &Value, now: Timestamp) -> Result<Event, Wrong> {
    let event = Fields::of(value, "event")?;
    let title = event.required("title", event.text("title")?)?;
    let text = event.required("text", event.text("text")?)?;
    let aggregation_key = event.text("aggregation_key")?;
    if text.chars().count() > LONGEST_TEXT {
        return Err(format!("event.text: more than {LONGEST_TEXT} characters"));
    }
    if aggregation_key.is_some_and(|key| key.chars().count() > LONGEST_KEY) {
        return Err(format!("event.aggregation_key: more than {LONGEST_KEY} characters"));
    }
    let alert_type = event.text("alert_type")?.unwrap_or("info");
    if !ALERT_TYPES.contains(&alert_type) {
        return Err(format!("event.alert_type: {alert_type} is none of {}", ALERT_TYPES.join(", ")));
    }
    let priority = match event.value("priority") {
        None | Some(Value::Null) => "normal",
        Some(_) => event.text("priority")?.unwrap_or_default(),
    };
    if !["normal", "low"].contains(&priority) {
        return Err(format!("event.priority: {priority} is neither normal nor low"));
    }
    event.text("device_name")?;
    event.whole("related_event_id")?;
    let happened = event.whole("date_happened")?.unwrap_or_else(|| now.as_second());
    if happened < now.as_second() - OLDEST_EVENT.as_secs() {
        return Err("event.date_happened: more than 18 hours ago".to_owned());
    }
    Ok(Event {
        id: 0,
        happened,
        title: title.to_owned(),
        text: text.to_owned(),
        tags: normal::tags(event.texts("tags")?),
        alert_type: alert_type.to_owned(),
        priority: priority.to_owned(),
        aggregation_key: aggregation_key.map(str::to_owned),
        source: event.text("source_type_name")?.map(str::to_owned),
        host: event.text("host")?.map(str::to_owned),
    })
}

fn read_check(value: &Value, now: Timestamp) -> Result<ServiceCheck, Wrong> {
    let check = Fields::of(value, "check")?;
    let name = check.required("check", check.text("check")?)?;
    let host = check.required("host_name", check.text("host_name")?)?;
    let status = check.required("status", check.whole("status")?)?;
    if !(0..=3).contains(&status) {
        return Err(format!("check.status: {status} is none of 0, 1, 2, 3"));
    }
    check.required("tags", check.value("tags"))?;
    Ok(ServiceCheck {
        name: name.to_owned(),
        host: host.to_owned(),
        tags: normal::tags(check.texts("tags")?),
        ts: check.whole("timestamp")?.unwrap_or_else(|| now.as_second()),
        status,
        message: check.text("message")?.map(str::to_owned),
    })
}

impl Store {
    fn add_event(&self, event: &Event) -> rusqlite::Result<i64> {
        let sql =
            "insert into events (happened, title, text, tags, alert_type, priority, aggregation_key, source, host)
                   values (?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let Event { happened, title, text, tags, alert_type, priority, aggregation_key, source, host, .. } = event;
        let tags = tags.join(",");
        let inner = self.lock();
        let row = params![happened, title, text, tags, alert_type, priority, aggregation_key, source, host];
        inner.connection.execute(sql, row)?;
        Ok(inner.connection.last_insert_rowid())
    }

    fn add_checks<'a>(&self, checks: impl Iterator<Item = &'a ServiceCheck>) -> rusqlite::Result<()> {
        let sql =
            "insert or replace into service_checks (name, host, tags, ts, status, message) values (?, ?, ?, ?, ?, ?)";
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(sql)?;
        for ServiceCheck { name, host, tags, ts, status, message } in checks {
            statement.execute(params![name, host, tags.join(","), ts, status, message])?;
        }
        Ok(())
    }
}
