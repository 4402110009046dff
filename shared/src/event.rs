//! What started a run: a rule of EventBridge, a schedule of EventBridge Scheduler, or a person with a bare `{}`.

use crate::datadog::OLDEST;
use crate::{Error, GRID, Result};
use jiff::Timestamp;
use serde_json::{Map, Value};

/// The scope of a run over all targets.
pub(crate) const ALL: &str = "all";

/// The fields of an event of EventBridge; one with others is of another kind, or means something that nobody reads. The
/// name of a replay is in events out of an archive:
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-replay-archived-event.html>
const FIELDS: [&str; 10] =
    ["account", "detail", "detail-type", "id", "region", "replay-name", "resources", "source", "time", "version"];

/// The event of a run. Its time, on the grid, is the "now" and the timestamp of every sample.
#[derive(Debug, Clone)]
pub struct Event {
    now: Timestamp,
    wall: Timestamp,
    detail: Map<String, Value>,
}

impl Event {
    /// An event at this time; `wall` is the time by the clock as the run starts.
    #[must_use]
    pub fn new(time: Timestamp, wall: Timestamp) -> Self {
        Self { now: floor(time), wall, detail: Map::new() }
    }

    /// Reads what Lambda was invoked with. Without a `time`, as in a bare `{}`, the event happens at `wall`.
    ///
    /// # Errors
    /// When no schedule sends such an event, it lies in the future, or its `time` or `detail` cannot be read.
    pub fn parse(payload: &Value, wall: Timestamp) -> Result<Self> {
        let object = payload.as_object().ok_or_else(|| wrong("it is not a JSON object"))?;
        scheduled(object)?;
        let time = match object.get("time") {
            None | Some(Value::Null) => wall,
            Some(Value::String(text)) => text.parse().map_err(|_| wrong("`time` is not an instant"))?,
            Some(_) => return Err(wrong("`time` is not a text")),
        };
        // EventBridge Scheduler's own default payload has its detail as JSON inside a string.
        let detail = match object.get("detail") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(detail)) => detail.clone(),
            Some(Value::String(text)) => {
                serde_json::from_str(text).map_err(|_| wrong("`detail` holds no JSON object"))?
            }
            Some(_) => return Err(wrong("`detail` is not an object")),
        };
        if detail.get("target").is_some_and(|target| !target.is_string()) {
            return Err(wrong("`detail.target` is not a text"));
        }
        let event = Self { detail, ..Self::new(time, wall) };
        event.check_not_ahead()?;
        Ok(event)
    }

    /// Refuses a time more than a step of the grid ahead of the clock: its points would be invented, and would hide the true
    /// ones later.
    ///
    /// # Errors
    /// When the time is that far ahead.
    pub fn check_not_ahead(&self) -> Result<()> {
        if self.now > self.wall + GRID {
            let problem = format!("its time {} lies in the future, it is {} now", self.now, self.wall);
            return Err(Error::config("event", problem));
        }
        Ok(())
    }

    /// Whether Datadog would drop the points of this run for their age.
    pub(crate) fn is_late(&self) -> bool {
        self.now < self.wall - OLDEST
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

    /// The time by the clock when the run started; leases, and ages of what is sent, go by it.
    #[must_use]
    pub const fn wall(&self) -> Timestamp {
        self.wall
    }

    /// The event's detail.
    #[must_use]
    pub const fn detail(&self) -> &Map<String, Value> {
        &self.detail
    }

    /// Which runs share a spool with this one: those over all targets, or those that name the same one.
    pub(crate) fn scope(&self) -> &str {
        self.target().unwrap_or(ALL)
    }

    /// The one target that the event names.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.detail.get("target").and_then(Value::as_str)
    }
}

fn wrong(problem: &str) -> Error {
    const EXAMPLE: &str = r#"e.g. {"time": "2026-01-08T12:00:00Z", "detail": {"target": "acme/web"}}"#;
    Error::config("event", format!("{problem}; {EXAMPLE}"))
}

/// Refuses what no schedule sends: notifications of S3 and messages of SQS, which would otherwise look like a bare `{}`.
fn scheduled(object: &Map<String, Value>) -> Result<()> {
    if object.contains_key("Records") {
        return Err(wrong("it holds records of S3 or SQS, and this function takes none"));
    }
    let source = object.get("source").and_then(Value::as_str).unwrap_or_default();
    if source.starts_with("aws.") && !["aws.events", "aws.scheduler"].contains(&source) {
        return Err(wrong(&format!("it comes from {source} and not from a schedule")));
    }
    match object.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        Some(key) => Err(wrong(&format!("`{key}` is no field of a schedule's event"))),
        None => Ok(()),
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
        // An event out of an archive has the name of its replay beside the fields that it had.
        let replayed = json!({"version": "0", "id": "3", "detail-type": "Scheduled Event", "source": "aws.events",
            "time": "2026-01-08T11:45:00Z", "resources": [], "detail": {}, "replay-name": "after-the-outage"});
        let named = json!({"time": "2026-01-08T11:45:00Z", "detail": {"target": "acme/web"}});
        for (payload, now, target) in [
            (rule, "2026-01-08T11:45:00Z", None),
            (scheduler, "2026-01-08T11:45:00Z", None),
            (replayed, "2026-01-08T11:45:00Z", None),
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
            json!({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a.json"}}}]}),
            json!({"Records": [], "time": "2026-01-08T12:00:00Z"}),
            json!({"time": "2026-01-08T12:00:00Z", "source": "aws.s3", "detail-type": "Object Created", "detail": {}}),
            json!({"target": "acme/web"}),
            json!({"time": "2026-01-08T12:00:00Z", "target": "acme/web"}),
        ] {
            let error = Event::parse(&payload, at(WALL)).unwrap_err().to_string();
            assert!(error.contains("acme/web"), "{error}");
        }
    }

    #[test]
    fn an_event_from_the_future_is_refused_and_a_late_one_knows_that_it_is_late() {
        let parse = |time: &str| Event::parse(&json!({ "time": time }), at(WALL));
        assert!(parse("2026-01-08T12:22:00Z").is_ok(), "a clock may be a step behind");
        let error = parse("2026-01-08T12:30:00Z").unwrap_err();
        assert!(error.exit_code() == 78 && error.to_string().contains("2026-01-08T12:30:00Z"), "{error}");
        assert!(parse("2026-01-08T11:00:00Z").unwrap().is_late());
        assert!(!parse("2026-01-08T11:15:00Z").unwrap().is_late());
    }

    #[test]
    fn times_before_the_epoch_are_floored_downwards_too() {
        assert_eq!(floor(at("1969-12-31T23:59:59Z")), at("1969-12-31T23:45:00Z"));
    }
}
