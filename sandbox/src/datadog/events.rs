//! The event stream.

use super::reply::{self, Refusal};
use super::shape::{Fields, Wrong};
use super::store::Store;
use super::{Datadog, Event, body, normal};
use axum::extract::{Request, State};
use axum::response::Response;
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
    let sent = body::receive(request.into_body()).await?;
    let value = serde_json::from_slice(&sent).map_err(|error| Refusal::bad(format!("Invalid JSON: {error}")))?;
    let mut event = read_event(&value, datadog.clock.now()).map_err(Refusal::bad)?;
    event.id = datadog.store.add_event(&event)?;
    let said = json!({
        "id": event.id, "id_str": event.id.to_string(), "title": event.title, "text": event.text, "tags": event.tags,
        "date_happened": event.happened, "priority": event.priority, "alert_type": event.alert_type,
        "url": format!("/event/event?id={}", event.id),
    });
    Ok(reply::json(StatusCode::ACCEPTED, &json!({"status": "ok", "event": said})))
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
}
