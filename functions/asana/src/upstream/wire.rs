//! Asana's records, and what becomes of them: no text of a person passes.

use crate::config::Config;
use crate::snapshot::{Bug, Due, Life, Status, Task};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer};
use shared::Digester;
use std::collections::BTreeSet;

/// What is asked of a project. Its name is not: nothing needs it.
pub(super) const PROJECT: &str = "completed,current_status_update.status_type";

/// What is asked of a task. Without the projects of its memberships, a task that moved could not be told from one that
/// is in two projects, and what a search finds could not be reduced to active projects.
pub(super) const TASK: &str = "created_at,completed,completed_at,due_on,due_at,assignee.gid,memberships.project.gid";

/// What is asked of a bug beyond that.
pub(super) const BUG: &str = "memberships.section.name,tags.name,custom_fields.enum_value.name";

/// A page of a list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub next_page: Option<Next>,
}

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub(super) struct Next {
    pub offset: String,
}

/// A single record.
#[derive(Debug, Deserialize)]
pub(super) struct One<T> {
    pub data: T,
}

/// What has an identifier.
#[derive(Debug, Deserialize)]
pub(super) struct Gid {
    pub gid: String,
}

/// What has a name.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<String>,
}

/// A field that may hold nothing and may not be missing: what is missing is not known, and a missing assignee must not
/// become "unassigned".
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::deserialize(deserializer)
}

/// A project.
#[derive(Debug, Deserialize)]
pub(super) struct ProjectRecord {
    pub gid: String,
    pub completed: bool,
    #[serde(deserialize_with = "present")]
    current_status_update: Option<StatusRecord>,
}

#[derive(Debug, Deserialize)]
struct StatusRecord {
    // The published description of a status update within a project does not name it.
    #[serde(default)]
    status_type: Option<String>,
}

impl ProjectRecord {
    /// What its current status update says, if there is one.
    pub fn status(&self) -> Option<Status> {
        self.current_status_update.as_ref().map(|update| match update.status_type.as_deref() {
            Some("on_track") => Status::OnTrack,
            Some("at_risk") => Status::AtRisk,
            Some("off_track") => Status::OffTrack,
            _ => Status::Other,
        })
    }
}

/// A task.
#[derive(Debug, Deserialize)]
pub(super) struct TaskRecord {
    pub gid: String,
    pub created_at: Timestamp,
    completed: bool,
    #[serde(deserialize_with = "present")]
    completed_at: Option<Timestamp>,
    #[serde(deserialize_with = "present")]
    due_on: Option<Date>,
    #[serde(deserialize_with = "present")]
    due_at: Option<Timestamp>,
    #[serde(deserialize_with = "present")]
    assignee: Option<Gid>,
    memberships: Vec<Membership>,
}

#[derive(Debug, Deserialize)]
struct Membership {
    #[serde(default)]
    project: Option<Gid>,
    #[serde(default)]
    section: Option<Named>,
}

impl TaskRecord {
    fn life(&self) -> Life {
        Life { created_at: self.created_at, completed: self.completed, completed_at: self.completed_at }
    }

    /// Our words for it; `listed` is the project in whose list it stood.
    pub fn task(&self, digester: &Digester, listed: Option<&str>) -> Task {
        let member = |membership: &Membership| Some(membership.project.as_ref()?.gid.clone());
        let mut projects: Vec<String> =
            self.memberships.iter().filter_map(member).chain(listed.map(str::to_owned)).collect();
        projects.sort_unstable();
        projects.dedup();
        projects.shrink_to_fit();
        Task {
            life: self.life(),
            // Where there is a time, the date beside it is that of somebody's own time zone.
            due: self.due_at.map(Due::At).or(self.due_on.map(Due::On)),
            assignee: self.assignee.as_ref().map(|person| digester.of(&person.gid).into()),
            projects,
        }
    }
}

/// A task in a project of bugs.
#[derive(Debug, Deserialize)]
pub(super) struct BugRecord {
    #[serde(flatten)]
    pub task: TaskRecord,
    tags: Vec<Named>,
    // A domain that does not pay may have no such fields at all.
    #[serde(default)]
    custom_fields: Vec<FieldRecord>,
}

#[derive(Debug, Deserialize)]
struct FieldRecord {
    #[serde(default)]
    enum_value: Option<Named>,
}

impl BugRecord {
    /// Our words for it, as it stands in this project.
    pub fn bug(&self, config: &Config, project: &str) -> Bug {
        let ours = |membership: &&Membership| membership.project.as_ref().is_some_and(|own| own.gid == project);
        let section = self.task.memberships.iter().find(ours).and_then(|membership| membership.section.as_ref());
        let name = section.and_then(|section| section.name.as_deref()).unwrap_or_default();
        let values = self.custom_fields.iter().filter_map(|field| field.enum_value.as_ref());
        let said: BTreeSet<String> =
            self.tags.iter().chain(values).filter_map(|named| Some(named.name.as_ref()?.to_lowercase())).collect();
        let mut labels: Vec<String> =
            config.rules.labels.iter().filter(|label| said.contains(*label)).cloned().collect();
        labels.sort_unstable();
        Bug { life: self.task.life(), section: config.section(name), labels }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Section;
    use serde_json::{Value, json};
    use shared::Env;
    use shared::testing::at;

    fn config() -> Config {
        let vars = [("ASANA_WORKSPACES", "acme=1"), ("ASANA_TOKEN", "t"), ("ASANA_BUGS_LABELS", "Training,Data loss")];
        Config::read(&Env::of(vars)).unwrap()
    }

    fn record(change: impl FnOnce(&mut Value)) -> Value {
        let mut record = json!({
            "gid": "7", "created_at": "2026-01-05T10:00:00.000Z", "completed": false, "completed_at": null,
            "due_on": null, "due_at": null, "assignee": null,
            "memberships": [
                { "project": { "gid": "8" }, "section": { "gid": "80", "name": "Active" } },
                { "project": { "gid": "9" }, "section": { "gid": "90", "name": "Triage & review" } },
            ],
            "tags": [], "custom_fields": [],
        });
        change(&mut record);
        record
    }

    fn bug(change: impl FnOnce(&mut Value)) -> Bug {
        serde_json::from_value::<BugRecord>(record(change)).unwrap().bug(&config(), "9")
    }

    #[test]
    fn a_bug_stands_where_its_own_project_has_put_it_and_not_where_the_first_one_has() {
        assert_eq!(bug(|_| ()).section, Section::Triage);
        assert_eq!(bug(|record| record["memberships"][1]["section"] = Value::Null).section, Section::Other);
        assert_eq!(bug(|record| record["memberships"] = json!([])).section, Section::Other);
    }

    #[test]
    fn a_label_is_a_tag_or_the_value_of_a_field_of_one_choice_in_any_case() {
        let labels = |tags: Value, fields: Value| {
            let bug = bug(|record| {
                record["tags"] = tags;
                record["custom_fields"] = fields;
            });
            bug.labels.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(labels(json!([{ "gid": "1", "name": "TRAINING" }]), json!([])), ["training"]);
        let field = json!([{ "gid": "1", "enum_value": { "gid": "2", "name": "training" } }, { "gid": "3" }]);
        assert_eq!(labels(json!([{ "gid": "1", "name": "data LOSS" }]), field), ["data loss", "training"]);
        let none =
            json!([{ "gid": "1", "enum_value": null }, { "gid": "2", "multi_enum_values": [{ "name": "Training" }] }]);
        let near = json!([{ "gid": "1", "name": "training " }, { "gid": "2", "name": "retraining" }, { "gid": "3" }]);
        assert!(labels(near, none).is_empty());
    }

    #[test]
    fn a_due_time_counts_before_the_date_that_stands_beside_it() {
        let task = |change: fn(&mut Value)| {
            let record: TaskRecord = serde_json::from_value(record(change)).unwrap();
            record.task(&Digester::default(), Some("9"))
        };
        assert_eq!(task(|_| ()).due, None);
        let on = task(|record| record["due_on"] = "2026-01-09".into());
        assert_eq!(on.due, Some(Due::On("2026-01-09".parse().unwrap())));
        let timed = task(|record| {
            record["due_on"] = "2026-01-09".into();
            record["due_at"] = "2026-01-10T01:00:00.000Z".into();
        });
        assert_eq!(timed.due, Some(Due::At(at("2026-01-10T01:00:00Z"))));
        assert_eq!(timed.projects.into_iter().collect::<Vec<_>>(), ["8", "9"]);
    }

    #[test]
    fn a_person_is_a_digest_of_the_identifier() {
        let digester = Digester::default();
        let who = |gid: &str| {
            let record = record(|record| record["assignee"] = json!({ "gid": gid }));
            serde_json::from_value::<TaskRecord>(record).unwrap().task(&digester, None).assignee.unwrap()
        };
        assert_eq!(who("1200"), who("1200"));
        assert_ne!(who("1200"), who("1201"));
        assert!(!who("1200").contains("1200"));
    }

    #[test]
    fn what_is_missing_is_not_known_and_no_task_without_it() {
        for field in ["created_at", "completed", "completed_at", "due_on", "due_at", "assignee", "memberships"] {
            let record = record(|record| drop(record.as_object_mut().unwrap().remove(field)));
            assert!(serde_json::from_value::<TaskRecord>(record).is_err(), "{field}");
        }
        for project in [json!({ "gid": "1", "current_status_update": null }), json!({ "gid": "1", "completed": false })]
        {
            assert!(serde_json::from_value::<ProjectRecord>(project).is_err());
        }
    }

    #[test]
    fn every_word_of_a_status_update_is_accounted_for() {
        let says = |update: Value| {
            let record = json!({ "gid": "1", "completed": false, "current_status_update": update });
            serde_json::from_value::<ProjectRecord>(record).unwrap().status()
        };
        for (word, status) in [
            ("on_track", Status::OnTrack),
            ("at_risk", Status::AtRisk),
            ("off_track", Status::OffTrack),
            ("on_hold", Status::Other),
            ("complete", Status::Other),
            ("dropped", Status::Other),
            ("mended", Status::Other),
        ] {
            assert_eq!(says(json!({ "gid": "2", "status_type": word })), Some(status), "{word}");
        }
        for untold in [json!({ "gid": "2" }), json!({ "gid": "2", "status_type": null })] {
            assert_eq!(says(untold), Some(Status::Other));
        }
        assert_eq!(says(Value::Null), None);
    }
}
