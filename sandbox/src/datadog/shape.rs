//! Reading JSON by Datadog's description, strictly: what is there must have its type, what is unknown is left alone.

use serde_json::{Map, Value};

/// An object of a payload, with the words that say where it is.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    map: &'a Map<String, Value>,
    place: &'a str,
}

/// What is wrong, in words.
pub(super) type Wrong = String;

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value, place: &'a str) -> Result<Self, Wrong> {
        match value {
            Value::Object(map) => Ok(Self { map, place }),
            _ => Err(format!("{place}: expected an object")),
        }
    }

    fn optional<T>(
        &self,
        key: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        match self.map.get(key) {
            None => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(format!("{}.{key}: expected {what}", self.place)),
            },
        }
    }

    pub(super) fn required<T>(&self, key: &str, found: Option<T>) -> Result<T, Wrong> {
        found.ok_or_else(|| format!("{}.{key}: missing required field", self.place))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Wrong> {
        self.optional(key, "a string", Value::as_str)
    }

    pub(super) fn whole(&self, key: &str) -> Result<Option<i64>, Wrong> {
        self.optional(key, "an integer", Value::as_i64)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Wrong> {
        self.optional(key, "a number", Value::as_f64)
    }

    pub(super) fn list(&self, key: &str) -> Result<Option<&'a [Value]>, Wrong> {
        self.optional(key, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    pub(super) fn texts(&self, key: &str) -> Result<Vec<&'a str>, Wrong> {
        let all = self.optional(key, "an array of strings", |value| {
            value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()
        });
        Ok(all?.unwrap_or_default())
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key)
    }
}
