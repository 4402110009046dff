//! `opt_fields`: which parts of a record are told.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The fields that are asked for, and those asked for of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Fields(BTreeMap<String, Fields>);

/// How deep a record may be asked into.
const DEEPEST: usize = 5;
/// How many paths are read: groups of alternatives multiply.
const MOST: usize = 1000;

/// How much of a record has to be written out before [`Fields::of`] chooses from it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deep<'f> {
    /// As others tell of it.
    Short,
    /// Whole, with the records in it as others tell of them.
    Whole,
    /// What these fields ask for.
    Asked(&'f Fields),
}

impl Deep<'_> {
    pub(super) const fn is_short(self) -> bool {
        matches!(self, Self::Short)
    }

    /// How much of the record in this member.
    pub(super) fn of(self, member: &str) -> Self {
        match self {
            Self::Short | Self::Whole => Self::Short,
            Self::Asked(fields) => {
                fields.0.get(member).filter(|inner| !inner.0.is_empty()).map_or(Self::Short, Self::Asked)
            }
        }
    }
}

impl Fields {
    /// Reads a comma-separated list of paths; `this.` says nothing, and `(a|b).c` stands for both.
    pub(super) fn parse(text: &str) -> Self {
        let mut fields = Self::default();
        for path in text.split(',').flat_map(|path| alternatives(path.trim())).take(MOST) {
            let mut at = &mut fields;
            for step in path.split('.').filter(|step| *step != "this" && !step.is_empty()).take(DEEPEST) {
                at = at.0.entry(step.to_owned()).or_default();
            }
        }
        fields
    }

    /// What is asked for of a record; its identifier is always told.
    pub(super) fn of(&self, record: Value) -> Value {
        match record {
            Value::Array(items) => items.into_iter().map(|item| self.of(item)).collect(),
            Value::Object(members) => {
                let chosen = members.into_iter().filter_map(|(name, value)| {
                    let inner = self.0.get(&name);
                    match inner {
                        Some(inner) if inner.0.is_empty() => Some((name, compact(value))),
                        Some(inner) => Some((name, inner.of(value))),
                        None => (name == "gid").then_some((name, value)),
                    }
                });
                Value::Object(chosen.collect())
            }
            other => other,
        }
    }
}

/// The paths that a path with groups stands for.
fn alternatives(path: &str) -> Vec<String> {
    let group = path.split_once('(').and_then(|(before, rest)| {
        let (group, after) = rest.split_once(')')?;
        Some((before, group, after))
    });
    let Some((before, group, after)) = group else { return vec![path.to_owned()] };
    let rests = alternatives(after);
    let each = |choice: &str| rests.iter().map(|rest| format!("{before}{choice}{rest}")).collect::<Vec<_>>();
    group.split('|').flat_map(each).take(MOST).collect()
}

/// A record as others tell of it.
pub(super) fn compact(record: Value) -> Value {
    match record {
        Value::Array(items) => items.into_iter().map(compact).collect(),
        Value::Object(members) => {
            let kind = members.get("resource_type").and_then(Value::as_str).unwrap_or_default().to_owned();
            let told: &[&str] = match kind.as_str() {
                "task" => &["gid", "resource_type", "name", "resource_subtype"],
                "status_update" => &["gid", "resource_type", "title", "resource_subtype"],
                // What has no identity is told whole, and so is what a field holds.
                "" | "custom_field" => return within(members),
                "enum_option" => &["gid", "resource_type", "name", "color", "enabled"],
                _ => &["gid", "resource_type", "name"],
            };
            members.into_iter().filter(|(name, _)| told.contains(&name.as_str())).collect()
        }
        other => other,
    }
}

/// A whole record, with the records in it as others tell of them.
pub(super) fn within(members: Map<String, Value>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name, compact(value))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_are_chosen_by_path_and_the_identifier_is_always_told() {
        let record = json!({
            "gid": "1", "resource_type": "task", "name": "n", "resource_subtype": "default_task", "notes": "x",
            "assignee": {"gid": "2", "resource_type": "user", "name": "a", "email": "a@b"},
            "memberships": [{
                "project": {"gid": "3", "resource_type": "project", "name": "p", "archived": false},
                "section": {"gid": "4", "resource_type": "section", "name": "s", "created_at": "t"},
            }],
            "parent": null,
        });
        let told = |text: &str| Fields::parse(text).of(record.clone());
        assert_eq!(told("name"), json!({"gid": "1", "name": "n"}));
        assert_eq!(told("this.name,nonsense,,name.first"), json!({"gid": "1", "name": "n"}));
        assert_eq!(
            told("assignee, parent.name"),
            json!({"gid": "1", "assignee": {"gid": "2", "resource_type": "user", "name": "a"}, "parent": null})
        );
        assert_eq!(told("assignee.email"), json!({"gid": "1", "assignee": {"gid": "2", "email": "a@b"}}));
        assert_eq!(
            told("memberships.(project|section).name"),
            json!({"gid": "1", "memberships": [
                {"project": {"gid": "3", "name": "p"}, "section": {"gid": "4", "name": "s"}},
            ]})
        );
        assert_eq!(
            told("memberships.section"),
            json!({"gid": "1", "memberships": [{"section": {"gid": "4", "resource_type": "section", "name": "s"}}]})
        );
        assert_eq!(
            compact(record),
            json!({"gid": "1", "resource_type": "task", "name": "n", "resource_subtype": "default_task"})
        );
    }

    #[test]
    fn a_list_that_was_printed_rather_than_joined_asks_for_nothing_there_is() {
        let record = json!({"gid": "1", "name": "n", "completed": true});
        assert_eq!(Fields::parse("['name', 'completed']").of(record), json!({"gid": "1"}));
    }
}
