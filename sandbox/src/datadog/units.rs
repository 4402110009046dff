//! The units that Datadog knows, as far as vital signs are counted in them.

use serde_json::{Value, json};

/// A unit: family, name, plural, abbreviation, and its size within the family.
pub(super) struct Unit(&'static str, &'static str, &'static str, &'static str, f64);

const UNITS: &[Unit] = &[
    Unit("time", "nanosecond", "nanoseconds", "ns", 1e-9),
    Unit("time", "microsecond", "microseconds", "μs", 1e-6),
    Unit("time", "millisecond", "milliseconds", "ms", 1e-3),
    Unit("time", "second", "seconds", "s", 1.0),
    Unit("time", "minute", "minutes", "min", 60.0),
    Unit("time", "hour", "hours", "hr", 3600.0),
    Unit("time", "day", "days", "day", 86_400.0),
    Unit("time", "week", "weeks", "wk", 604_800.0),
    Unit("percentage", "percent", "percent", "%", 1.0),
    Unit("percentage", "fraction", "fractions", "fr", 100.0),
    Unit("money", "cent", "cents", "¢", 0.01),
    Unit("money", "dollar", "dollars", "$", 1.0),
    Unit("bytes", "byte", "bytes", "B", 1.0),
    Unit("bytes", "kibibyte", "kibibytes", "KiB", 1024.0),
    Unit("bytes", "mebibyte", "mebibytes", "MiB", 1_048_576.0),
    Unit("bytes", "gibibyte", "gibibytes", "GiB", 1_073_741_824.0),
    Unit("bytes", "tebibyte", "tebibytes", "TiB", 1_099_511_627_776.0),
    Unit("cpu", "core", "cores", "core", 1.0),
    Unit("frequency", "hertz", "hertz", "Hz", 1.0),
    Unit("temperature", "degree celsius", "degrees celsius", "°C", 1.0),
    Unit("power", "watt", "watts", "W", 1.0),
    Unit("general", "item", "items", "", 1.0),
    Unit("general", "unit", "units", "", 1.0),
    Unit("general", "task", "tasks", "", 1.0),
    Unit("general", "job", "jobs", "", 1.0),
    Unit("general", "run", "runs", "", 1.0),
    Unit("general", "build", "builds", "", 1.0),
    Unit("general", "commit", "commits", "", 1.0),
    Unit("general", "user", "users", "", 1.0),
    Unit("general", "instance", "instances", "", 1.0),
    Unit("general", "node", "nodes", "", 1.0),
    Unit("general", "container", "containers", "", 1.0),
    Unit("general", "cpu", "cpus", "", 1.0),
    Unit("general", "device", "devices", "", 1.0),
    Unit("general", "worker", "workers", "", 1.0),
    Unit("general", "check", "checks", "", 1.0),
    Unit("general", "event", "events", "", 1.0),
    Unit("general", "attempt", "attempts", "", 1.0),
    Unit("general", "occurrence", "occurrences", "", 1.0),
    Unit("general", "ticket", "tickets", "", 1.0),
    Unit("general", "token", "tokens", "", 1.0),
    Unit("general", "step", "steps", "", 1.0),
    Unit("general", "sample", "samples", "", 1.0),
    Unit("general", "operation", "operations", "op", 1.0),
    Unit("general", "payload", "payloads", "", 1.0),
    Unit("general", "error", "errors", "err", 1.0),
    Unit("network", "request", "requests", "req", 1.0),
    Unit("disk", "file", "files", "", 1.0),
];

/// The unit of this name, if Datadog has one.
pub(super) fn find(name: &str) -> Option<&'static Unit> {
    UNITS.iter().find(|unit| unit.1 == name)
}

impl Unit {
    /// As the query API describes it.
    pub(super) fn json(&self) -> Value {
        let Self(family, name, plural, short_name, scale_factor) = self;
        json!({"family": family, "name": name, "plural": plural, "short_name": short_name, "scale_factor": scale_factor})
    }

    /// Whether it measures time, of which there is no more in the denominator.
    pub(super) fn is_time(&self) -> bool {
        self.0 == "time"
    }
}

/// Unit and per-unit of a metric, of which either may be missing.
pub(super) fn pair(unit: Option<&str>, per: Option<&str>) -> [Value; 2] {
    [unit, per].map(|name| name.and_then(find).map_or(Value::Null, Unit::json))
}
