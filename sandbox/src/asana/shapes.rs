//! Records as Asana tells them. Records within a record are told as deep as is asked for.

use super::fields::Deep;
use super::view::View;
use crate::model::asana::{Due, FieldKind, FieldValue, Project, Status, Task, at};
use jiff::Timestamp;
use serde_json::{Value, json};

/// An instant with its milliseconds.
pub(super) fn instant(time: Timestamp) -> String {
    format!("{time:.3}")
}

impl View<'_> {
    pub(super) fn workspace(&self, deep: Deep<'_>) -> Value {
        let workspace = self.workspace;
        let mut told = json!({"gid": workspace.gid, "resource_type": "workspace", "name": workspace.name});
        if !deep.is_short() {
            told["is_organization"] = json!(workspace.is_organization);
            let domains: Vec<String> =
                if workspace.is_organization { vec![format!("{}.example.org", workspace.alias)] } else { Vec::new() };
            told["email_domains"] = json!(domains);
        }
        told
    }

    pub(super) fn user(&self, user: usize, deep: Deep<'_>) -> Value {
        let user = &self.workspace.users[user];
        let mut told = json!({"gid": user.gid, "resource_type": "user", "name": user.name});
        if !deep.is_short() {
            told["email"] = json!(user.email);
            told["photo"] = Value::Null;
            told["workspaces"] = json!([self.workspace(deep.of("workspaces"))]);
        }
        told
    }

    pub(super) fn project(&self, project: usize, deep: Deep<'_>) -> Value {
        let told = &self.workspace.projects[project];
        let mut record = json!({"gid": told.gid, "resource_type": "project", "name": told.name});
        if deep.is_short() {
            return record;
        }
        let current = told.statuses.iter().rev().find(|status| status.created_at <= self.now);
        let completed_at = self.project_completed_at(told);
        let more = json!({
            "archived": self.archived(told),
            "color": "light-green",
            "completed": completed_at.is_some(),
            "completed_at": completed_at.map(instant),
            "completed_by": told.owner.filter(|_| completed_at.is_some()).map(|owner| self.user(owner, deep.of("completed_by"))),
            "created_at": instant(told.created_at),
            "current_status": current.filter(|status| status.kind.and_then(color).is_some())
                .map(|status| self.old_status(status, deep.of("current_status"))),
            "current_status_update": current.map(|status| self.status(status, told, deep.of("current_status_update"))),
            "default_view": "list",
            "due_date": null,
            "due_on": null,
            "members": told.owner.map(|owner| self.user(owner, deep.of("members"))).into_iter().collect::<Vec<_>>(),
            "modified_at": instant(self.project_modified_at(told)),
            "notes": "",
            "owner": told.owner.map(|owner| self.user(owner, deep.of("owner"))),
            "permalink_url": format!("https://app.asana.com/0/{}/{}", told.gid, told.gid),
            "privacy_setting": "public_to_workspace",
            "public": true,
            "start_on": null,
            "team": null,
            "workspace": self.workspace(deep.of("workspace")),
        });
        merge(&mut record, more);
        record
    }

    fn project_modified_at(&self, project: &Project) -> Timestamp {
        let turns = project.archived.iter().chain(&project.completed).map(|(time, _)| *time);
        let times = turns.chain(project.statuses.iter().map(|status| status.created_at));
        times.filter(|time| *time <= self.now).fold(project.created_at, Timestamp::max)
    }

    fn status(&self, status: &Status, project: &Project, deep: Deep<'_>) -> Value {
        let mut record = json!({
            "gid": status.gid, "resource_type": "status_update", "resource_subtype": "project_status_update",
            "title": status.title,
        });
        if !deep.is_short() {
            let more = json!({
                "author": self.user(status.author, deep.of("author")),
                "created_at": instant(status.created_at),
                "created_by": self.user(status.author, deep.of("created_by")),
                "modified_at": instant(status.created_at),
                "parent": {"gid": project.gid, "resource_type": "project", "name": project.name},
                "text": status.text,
            });
            merge(&mut record, more);
            if let Some(kind) = status.kind {
                record["status_type"] = json!(kind);
            }
        }
        record
    }

    /// The record that status updates replaced; it knows colours.
    fn old_status(&self, status: &Status, deep: Deep<'_>) -> Value {
        let mut record = json!({"gid": status.gid, "resource_type": "project_status", "title": status.title});
        if !deep.is_short() {
            let more = json!({
                "author": self.user(status.author, deep.of("author")),
                "color": status.kind.and_then(color),
                "created_at": instant(status.created_at),
                "created_by": self.user(status.author, deep.of("created_by")),
                "modified_at": instant(status.created_at),
                "text": status.text,
            });
            merge(&mut record, more);
        }
        record
    }

    pub(super) fn section(&self, section: usize, project: usize, deep: Deep<'_>) -> Value {
        let told = &self.workspace.projects[project];
        let section = &told.sections[section];
        let mut record = json!({"gid": section.gid, "resource_type": "section", "name": section.name});
        if !deep.is_short() {
            let more = json!({
                "created_at": instant(told.created_at),
                "project": self.project(project, deep.of("project")),
                "projects": [self.project(project, deep.of("projects"))],
            });
            merge(&mut record, more);
        }
        record
    }

    fn tag(&self, tag: usize, deep: Deep<'_>) -> Value {
        let tag = &self.workspace.tags[tag];
        let mut record = json!({"gid": tag.gid, "resource_type": "tag", "name": tag.name});
        if !deep.is_short() {
            merge(&mut record, json!({"color": null, "notes": "", "workspace": self.workspace(deep.of("workspace"))}));
        }
        record
    }

    pub(super) fn task(&self, task: usize, deep: Deep<'_>) -> Value {
        let told = &self.workspace.tasks[task];
        let mut record = json!({
            "gid": told.gid, "resource_type": "task", "name": told.name, "resource_subtype": told.subtype,
        });
        if deep.is_short() {
            return record;
        }
        let completed_at = self.completed_at(told);
        let assignee = self.assignee(told);
        let (due_on, due_at) = match self.due(told) {
            Due::Never => (None, None),
            Due::On(day) => (Some(day.to_string()), None),
            Due::At(time, day) => (Some(day.to_string()), Some(instant(time))),
        };
        let places = self.places(told);
        let within = deep.of("memberships");
        let memberships = places.iter().map(|place| {
            json!({
                "project": self.project(place.project, within.of("project")),
                "section": self.section(place.section, place.project, within.of("section")),
            })
        });
        let parent = told.parent.filter(|parent| self.shows(&self.workspace.tasks[*parent]));
        let more = json!({
            "assignee": assignee.map(|user| self.user(user, deep.of("assignee"))),
            "assignee_status": "upcoming",
            "completed": completed_at.is_some(),
            "completed_at": completed_at.map(instant),
            "completed_by": assignee.filter(|_| completed_at.is_some()).map(|user| self.user(user, deep.of("completed_by"))),
            "created_at": instant(told.created_at),
            "custom_fields": self.custom_fields(told),
            "due_at": due_at,
            "due_on": due_on,
            "followers": assignee.map(|user| self.user(user, deep.of("followers"))).into_iter().collect::<Vec<_>>(),
            "hearted": false,
            "hearts": [],
            "liked": false,
            "likes": [],
            "memberships": memberships.collect::<Vec<_>>(),
            "modified_at": instant(self.modified_at(told)),
            "notes": told.notes,
            "num_hearts": 0,
            "num_likes": 0,
            "parent": parent.map(|parent| self.task(parent, deep.of("parent"))),
            "permalink_url": format!("https://app.asana.com/0/0/{}", told.gid),
            "projects": places.iter().map(|place| self.project(place.project, deep.of("projects"))).collect::<Vec<_>>(),
            "start_at": null,
            "start_on": null,
            "tags": self.tags(told).iter().map(|tag| self.tag(*tag, deep.of("tags"))).collect::<Vec<_>>(),
            "workspace": self.workspace(deep.of("workspace")),
        });
        merge(&mut record, more);
        if told.subtype == "approval" {
            record["approval_status"] = json!(if completed_at.is_some() { "approved" } else { "pending" });
        }
        record
    }

    fn custom_fields(&self, task: &Task) -> Vec<Value> {
        let values = at(&task.fields, self.now).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|(field, value)| self.custom_field(*field, value)).collect()
    }

    fn custom_field(&self, field: usize, value: &FieldValue) -> Value {
        let field = &self.workspace.fields[field];
        let kind = match field.kind {
            FieldKind::Enum(_) => "enum",
            FieldKind::MultiEnum(_) => "multi_enum",
            FieldKind::Number => "number",
            FieldKind::Text => "text",
        };
        let mut record = json!({
            "gid": field.gid, "resource_type": "custom_field", "name": field.name, "resource_subtype": kind,
            "type": kind, "enabled": true, "description": "", "is_formula_field": false,
        });
        let option = |(gid, name): &(String, String)| json!({"gid": gid, "resource_type": "enum_option", "name": name, "color": "blue", "enabled": true});
        let (member, held, shown) = match (&field.kind, value) {
            (FieldKind::Enum(options) | FieldKind::MultiEnum(options), value) => {
                record["enum_options"] = options.iter().map(option).collect();
                let chosen: Vec<_> = match value {
                    FieldValue::Option(one) => options.get(*one).into_iter().collect(),
                    FieldValue::Options(some) => some.iter().filter_map(|one| options.get(*one)).collect(),
                    _ => Vec::new(),
                };
                let names: Vec<&str> = chosen.iter().map(|(_, name)| name.as_str()).collect();
                let shown = (!names.is_empty()).then(|| names.join(", "));
                let held: Vec<Value> = chosen.into_iter().map(option).collect();
                if kind == "enum" {
                    ("enum_value", held.into_iter().next().unwrap_or(Value::Null), shown)
                } else {
                    ("multi_enum_values", Value::Array(held), shown)
                }
            }
            (FieldKind::Number, FieldValue::Number(number)) => {
                ("number_value", json!(number), Some(number.to_string()))
            }
            (FieldKind::Number, _) => ("number_value", Value::Null, None),
            (FieldKind::Text, FieldValue::Text(text)) => ("text_value", json!(text), Some(text.clone())),
            (FieldKind::Text, _) => ("text_value", Value::Null, None),
        };
        record[member] = held;
        record["display_value"] = json!(shown);
        record
    }
}

/// The colour that stood for a status before there were words; some words never had one.
fn color(kind: &str) -> Option<&'static str> {
    match kind {
        "on_track" => Some("green"),
        "at_risk" => Some("yellow"),
        "off_track" => Some("red"),
        "on_hold" => Some("blue"),
        "complete" => Some("complete"),
        _ => None,
    }
}

fn merge(record: &mut Value, more: Value) {
    if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
        record.extend(more);
    }
}
