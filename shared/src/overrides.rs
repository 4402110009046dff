//! How the conditions of checks are changed by configuration.

use crate::{Check, Condition, Error, Result, Sample, Unit, tags};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The name of every check of every collector: `CHECKS` is one variable for all of them, and each has only its own checks.
pub const CHECK_NAMES: [&str; 31] = [
    "ci.workflow.benchmarks",
    "ci.workflow.cancelled",
    "ci.workflow.duration.p90",
    "ci.workflow.flaky_tests",
    "ci.workflow.other_failing",
    "ci.workflow.success",
    "ci.workflow.success_rate",
    "ci.workflow.tests_blocking_merge",
    "eval.latency.p50",
    "eval.latency.p90",
    "eval.local.heart_delta_pct",
    "eval.local.success",
    "eval.remote.duration_minutes",
    "eval.remote.heart_delta_pct",
    "eval.remote.success",
    "eval.success",
    "github.bugs.count",
    "github.force_merge.count",
    "github.hotfix.count",
    "github.pr_cycle_time.p90",
    "github.reverts.count",
    "github.stale_prs.count",
    "training.bugs.count",
    "training.local_arena.continues",
    "training.local_arena.first_checkpoint",
    "training.multigpu.hearts",
    "training.multigpu.runs_success",
    "training.multigpu.sps",
    "training.multinode.hearts",
    "training.multinode.runs_success",
    "training.multinode.shaped",
];

/// How the conditions are changed by configuration.
#[derive(Clone, Default)]
pub struct Overrides(BTreeMap<String, Override>);

/// A changed condition.
#[derive(Clone)]
pub(crate) enum Override {
    Off,
    Condition(Condition, Option<usize>),
}

impl fmt::Debug for Overrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Overrides({})", self.0.len())
    }
}

impl Overrides {
    /// Reads the `CHECKS` variable. A key names a check, with `:member` for one of its members; those of other
    /// collectors are theirs to read.
    ///
    /// # Errors
    /// When it is no JSON object, names a check that there is not, or holds something that is no condition.
    pub fn parse(text: &str, own: &'static [Check]) -> Result<Self> {
        let rows: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| wrong(&format!("it is not a JSON object ({error})")))?;
        let mut overrides = BTreeMap::new();
        for (key, row) in rows {
            let (name, member) =
                key.split_once(':').map_or((key.as_str(), None), |(name, member)| (name, Some(member)));
            let Some(check) = own.iter().find(|check| check.name == name) else {
                if CHECK_NAMES.contains(&name) {
                    continue;
                }
                return Err(wrong(&format!("there is no check `{name}`")));
            };
            // A member is written like the value of its tag.
            let key = member.map_or_else(|| name.to_owned(), |member| format!("{name}:{}", tags::value("", member)));
            if overrides.insert(key.clone(), Override::parse(&key, &row, check.unit)?).is_some() {
                return Err(wrong(&format!("`{key}` is listed twice")));
            }
        }
        Ok(Self(overrides))
    }

    /// What is changed of a check for one of its members.
    pub(crate) fn of(&self, check: &Check, sample: &Sample) -> Option<&Override> {
        let member = |value: &str| self.0.get(&format!("{}:{value}", check.name));
        sample.tags().iter().find_map(|(_, value)| member(value)).or_else(|| self.0.get(check.name))
    }
}

fn wrong(problem: &str) -> Error {
    Error::refused("CHECKS", problem, r#"{"github.reverts.count": "<=2", "github.bugs.count:training": "off"}"#)
}

impl Override {
    fn parse(key: &str, row: &Value, unit: Unit) -> Result<Self> {
        let (condition, least) = match row {
            Value::Object(fields) => {
                if let Some(word) = fields.keys().find(|word| !["condition", "min_samples"].contains(&word.as_str())) {
                    return Err(wrong(&format!("`{key}` holds `{word}`, which is neither condition nor min_samples")));
                }
                let least = fields.get("min_samples").map(|least| {
                    let number =
                        least.as_u64().filter(|least| *least > 0).and_then(|least| usize::try_from(least).ok());
                    number.ok_or_else(|| wrong(&format!("`min_samples` of `{key}` is not a positive whole number")))
                });
                (fields.get("condition"), least.transpose()?)
            }
            other => (Some(other), None),
        };
        match condition {
            Some(Value::String(text)) if text == "off" => Ok(Self::Off),
            Some(Value::String(text)) => Ok(Self::Condition(Condition::parse(text, unit)?, least)),
            _ => Err(wrong(&format!("`{key}` holds no condition"))),
        }
    }
}
