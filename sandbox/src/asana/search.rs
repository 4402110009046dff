//! Searching the tasks of a workspace, for those who pay: no pages, one hundred at the most.

use super::query::told;
use super::routes::{chosen, member};
use super::view::View;
use super::{Call, Refusal, Reply};
use crate::model::asana::{Due, Task};
use http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Value, json};
use std::cmp::Reverse;

/// What may be asked; anything else is refused rather than passed over.
const KNOWN: [&str; 42] = [
    "text",
    "resource_subtype",
    "assignee.any",
    "assignee.not",
    "projects.any",
    "projects.not",
    "projects.all",
    "sections.any",
    "sections.not",
    "sections.all",
    "tags.any",
    "tags.not",
    "tags.all",
    "due_on",
    "due_on.before",
    "due_on.after",
    "due_at.before",
    "due_at.after",
    "created_on",
    "created_on.before",
    "created_on.after",
    "created_at.before",
    "created_at.after",
    "completed_on",
    "completed_on.before",
    "completed_on.after",
    "completed_at.before",
    "completed_at.after",
    "modified_on",
    "modified_on.before",
    "modified_on.after",
    "modified_at.before",
    "modified_at.after",
    "completed",
    "is_subtask",
    "sort_by",
    "sort_ascending",
    "limit",
    "opt_fields",
    "opt_pretty",
    "opt_client_name",
    "opt_mute",
];

/// Whether a task is wanted.
type Filter<'a> = Box<dyn Fn(&'a Task) -> bool + 'a>;

impl<'a> Call<'a> {
    pub(super) fn search(&'a self, view: View<'a>) -> Result<Reply, Refusal> {
        if !self.state.door.pays() {
            let message = "Search is only available to premium users.";
            return Err(Refusal::new(StatusCode::PAYMENT_REQUIRED, message));
        }
        if let Some(other) = self.query.names().find(|name| !KNOWN.contains(name)) {
            return Err(Refusal::bad(&format!("{other}: Not a recognized parameter")));
        }
        let mut filters: Vec<Filter<'a>> = Vec::new();
        self.words(view, &mut filters)?;
        self.members(view, &mut filters)?;
        self.times(view, &mut filters)?;
        let tasks = &view.workspace.tasks;
        let mut found = chosen(view, |task| filters.iter().all(|filter| filter(&tasks[task])));
        self.sort(view, &mut found)?;
        found.truncate(self.query.limit()?.unwrap_or(100));
        let fields = self.query.fields();
        let tell = |task: &usize| told(fields.as_ref(), |deep| view.task(*task, deep), true);
        let data: Vec<Value> = found.iter().map(tell).collect();
        Ok(Reply(json!({ "data": data })))
    }

    fn words(&'a self, view: View<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), Refusal> {
        if let Some(text) = self.query.value("text") {
            let text = text.to_lowercase();
            filters.push(Box::new(move |task| {
                task.name.to_lowercase().contains(&text) || task.notes.to_lowercase().contains(&text)
            }));
        }
        if let Some(subtype) = self.query.value("resource_subtype") {
            filters.push(Box::new(move |task| task.subtype == subtype));
        }
        if let Some(completed) = self.query.flag("completed")? {
            filters.push(Box::new(move |task| view.completed_at(task).is_some() == completed));
        }
        if let Some(part) = self.query.flag("is_subtask")? {
            filters.push(Box::new(move |task| task.parent.is_some() == part));
        }
        Ok(())
    }

    /// Lists of identifiers: any of them, none of them, all of them.
    fn members(&'a self, view: View<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), Refusal> {
        for kind in ["assignee", "projects", "sections", "tags"] {
            for how in ["any", "not", "all"] {
                let name = format!("{kind}.{how}");
                let Some(said) = self.query.value(&name) else { continue };
                let mut wanted: Vec<(usize, usize)> = Vec::new();
                let mut nobody = false;
                for gid in said.split(',').map(str::trim) {
                    match kind {
                        "assignee" if gid == "null" => nobody = true,
                        "assignee" => wanted.push((member(view, gid)?, 0)),
                        "projects" => wanted.push((self.project(gid, &name)?.1, 0)),
                        "sections" => {
                            let (_, section, project) = self.section(gid, &name)?;
                            wanted.push((project, section));
                        }
                        _ => wanted.push((self.tag(gid, &name)?.1, 0)),
                    }
                }
                filters.push(Box::new(move |task| {
                    let has: Vec<(usize, usize)> = match kind {
                        "assignee" => view.assignee(task).map(|user| (user, 0)).into_iter().collect(),
                        "projects" => view.places(task).iter().map(|place| (place.project, 0)).collect(),
                        "sections" => view.places(task).iter().map(|place| (place.project, place.section)).collect(),
                        _ => view.tags(task).iter().map(|tag| (*tag, 0)).collect(),
                    };
                    let any = wanted.iter().any(|one| has.contains(one)) || (nobody && has.is_empty());
                    match how {
                        "any" => any,
                        "not" => !any,
                        _ => wanted.iter().all(|one| has.contains(one)),
                    }
                }));
            }
        }
        Ok(())
    }

    fn times(&'a self, view: View<'a>, filters: &mut Vec<Filter<'a>>) -> Result<(), Refusal> {
        for kind in ["created", "completed", "modified", "due"] {
            let time = move |task: &Task| match kind {
                "created" => Some(task.created_at),
                "completed" => view.completed_at(task),
                "modified" => Some(view.modified_at(task)),
                _ => {
                    if let Due::At(time, _) = view.due(task) {
                        Some(time)
                    } else {
                        None
                    }
                }
            };
            if let Some(bound) = self.query.instant(&format!("{kind}_at.after"), self.now)? {
                filters.push(Box::new(move |task| time(task).is_some_and(|time| time > bound)));
            }
            if let Some(bound) = self.query.instant(&format!("{kind}_at.before"), self.now)? {
                filters.push(Box::new(move |task| time(task).is_some_and(|time| time < bound)));
            }
            let day = move |task: &Task| match view.due(task) {
                Due::On(day) | Due::At(_, day) if kind == "due" => Some(day),
                _ => time(task).map(utc_day),
            };
            if let Some(said) = self.day(&format!("{kind}_on"))? {
                filters.push(Box::new(move |task| day(task) == Some(said)));
            }
            if let Some(said) = self.day(&format!("{kind}_on.after"))? {
                filters.push(Box::new(move |task| day(task).is_some_and(|day| day > said)));
            }
            if let Some(said) = self.day(&format!("{kind}_on.before"))? {
                filters.push(Box::new(move |task| day(task).is_some_and(|day| day < said)));
            }
        }
        Ok(())
    }

    fn day(&self, name: &str) -> Result<Option<Date>, Refusal> {
        let Some(text) = self.query.value(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| Refusal::bad(&format!("{name}: Not a valid date: {text}")))
    }

    fn sort(&self, view: View<'a>, found: &mut [usize]) -> Result<(), Refusal> {
        let tasks = &view.workspace.tasks;
        let by = self.query.value("sort_by").unwrap_or("modified_at");
        let key = |task: &usize| -> Option<Timestamp> {
            let task = &tasks[*task];
            match by {
                "created_at" => Some(task.created_at),
                "completed_at" => view.completed_at(task),
                "due_date" => match view.due(task) {
                    Due::Never => None,
                    Due::At(time, _) => Some(time),
                    Due::On(day) => day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp()),
                },
                "likes" => None,
                _ => Some(view.modified_at(task)),
            }
        };
        if !["created_at", "completed_at", "due_date", "likes", "modified_at"].contains(&by) {
            return Err(Refusal::bad(&format!("sort_by: Not a recognized value: {by}")));
        }
        if self.query.flag("sort_ascending")? == Some(true) {
            found.sort_by_key(key);
        } else {
            found.sort_by_key(|task| Reverse(key(task)));
        }
        Ok(())
    }
}

fn utc_day(time: Timestamp) -> Date {
    time.to_zoned(jiff::tz::TimeZone::UTC).date()
}
