//! What started a run: a rule of EventBridge, a schedule of EventBridge Scheduler, or a person with a bare `{}`.

use crate::{Error, GRID, Result};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The event of a run. Its time, on the grid, is the "now" of everything that the run says.
#[derive(Debug, Clone)]
pub struct Event {
    now: Timestamp,
    wall: Timestamp,
    detail: Map<String, Value>,
}

impl Event {
    /// An event at this time; `wall` is what the clock on the wall says as the run starts.
    #[must_use]
    pub fn new(time: Timestamp, wall: Timestamp) -> Self {
        Self { now: floor(time), wall, detail: Map::new() }
    }

    /// Reads what Lambda was invoked with. Without a `time`, as in a bare `{}`, the event happens at `wall`.
    ///
    /// # Errors
    /// When it is no object, or its `time` or `detail` cannot be read.
    pub fn parse(payload: &Value, wall: Timestamp) -> Result<Self> {
        const EXAMPLE: &str = r#"an example: {"time": "2026-01-08T12:00:00Z", "detail": {"target": "acme/web"}}"#;
        let wrong = |problem: &str| Error::config("event", format!("{problem}; {EXAMPLE}"));
        let object = payload.as_object().ok_or_else(|| wrong("not a JSON object"))?;
        let time = match object.get("time") {
            None | Some(Value::Null) => wall,
            Some(Value::String(text)) => text.parse().map_err(|_| wrong("`time` is no instant"))?,
            Some(_) => return Err(wrong("`time` is no text")),
        };
        // EventBridge Scheduler's own default payload has its detail as JSON inside a string.
        let detail = match object.get("detail") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(detail)) => detail.clone(),
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|_| wrong("`detail` holds no JSON object"))?
            }
            Some(_) => return Err(wrong("`detail` is no object")),
        };
        if detail.get("target").is_some_and(|target| !target.is_string()) {
            return Err(wrong("`detail.target` is no text"));
        }
        Ok(Self { detail, ..Self::new(time, wall) })
    }

    /// The same event for one target alone.
    #[must_use]
    pub fn for_target(mut self, target: impl Into<String>) -> Self {
        self.detail.insert("target".to_owned(), Value::String(target.into()));
        self
    }

    /// The run's time: the event's, floored to the grid.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// What the clock on the wall said when the run started; leases and ages of what is sent go by it.
    #[must_use]
    pub const fn wall(&self) -> Timestamp {
        self.wall
    }

    /// What the event says beside its time.
    #[must_use]
    pub const fn detail(&self) -> &Map<String, Value> {
        &self.detail
    }

    /// The one target that the event names.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.detail.get("target").and_then(Value::as_str)
    }
}

/// The last point of the grid at or before this time.
#[must_use]
pub fn floor(time: Timestamp) -> Timestamp {
    let seconds = time.as_second().div_euclid(GRID.as_secs()) * GRID.as_secs();
    Timestamp::from_second(seconds).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;
    use serde_json::json;

    const WALL: &str = "2026-01-08T12:07:30Z";

    #[test]
    fn every_kind_of_event_gives_its_time_on_the_grid_and_its_target() {
        let rule = json!({"version": "0", "id": "1", "detail-type": "Scheduled Event", "source": "aws.events",
            "account": "123456789012", "time": "2026-01-08T11:46:10Z", "region": "eu-west-1", "resources": [], "detail": {}});
        let scheduler = json!({"version": "0", "id": "2", "detail-type": "Scheduled Event", "source": "aws.scheduler",
            "time": "2026-01-08T11:45:00Z", "resources": [], "detail": "{}"});
        let named = json!({"time": "2026-01-08T11:45:00Z", "detail": {"target": "acme/web"}});
        for (payload, now, target) in [
            (rule, "2026-01-08T11:45:00Z", None),
            (scheduler, "2026-01-08T11:45:00Z", None),
            (named, "2026-01-08T11:45:00Z", Some("acme/web")),
            (json!({}), "2026-01-08T12:00:00Z", None),
        ] {
            let event = Event::parse(&payload, at(WALL)).unwrap();
            assert_eq!((event.now(), event.target(), event.wall()), (at(now), target, at(WALL)));
        }
    }

    #[test]
    fn what_is_no_event_is_refused_with_an_example() {
        for payload in [
            json!([]),
            json!({"time": "noon"}),
            json!({"time": 12}),
            json!({"detail": 1}),
            json!({"detail": {"target": 1}}),
        ] {
            let error = Event::parse(&payload, at(WALL)).unwrap_err().to_string();
            assert!(error.contains("acme/web"), "{error}");
        }
    }

    #[test]
    fn times_before_the_epoch_are_floored_downwards_too() {
        assert_eq!(floor(at("1969-12-31T23:59:59Z")), at("1969-12-31T23:45:00Z"));
    }
}
