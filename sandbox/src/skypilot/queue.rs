//! The queue of managed jobs: the new route with its filters and pages, and the old one.

use super::requests::Failure;
use super::rows::{Row, epoch, is_terminal};
use super::{Asked, Reply, parsed};
use crate::model::Person;
use crate::model::skypilot::{Controller, Job, Release, Server, Task};
use axum::body::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Fields that came with job groups.
const OF_GROUPS: &[&str] =
    &["execution", "is_job_group", "is_primary_in_job_group", "root_job_id", "parent_job_id", "parent_task_id"];

/// The body of a question for the queue; what is not known here is ignored, as there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "the body has them")]
pub(super) struct Query {
    #[serde(skip)]
    pub v2: bool,
    refresh: bool,
    skip_finished: bool,
    all_users: bool,
    job_ids: Option<Vec<u64>>,
    user_match: Option<String>,
    workspace_match: Option<String>,
    name_match: Option<String>,
    page: Option<i64>,
    limit: Option<i64>,
    statuses: Option<Vec<String>>,
    fields: Option<Vec<String>>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    submitted_after: Option<f64>,
    submitted_before: Option<f64>,
}

/// Fields that a record may have.
const FIELDS: &[&str] = &[
    "_job_id",
    "job_id",
    "task_id",
    "job_name",
    "task_name",
    "job_duration",
    "workspace",
    "status",
    "schedule_state",
    "resources",
    "cluster_resources",
    "cluster_resources_full",
    "cloud",
    "region",
    "zone",
    "infra",
    "recovery_count",
    "details",
    "failure_reason",
    "user_name",
    "user_hash",
    "submitted_at",
    "start_at",
    "end_at",
    "user_yaml",
    "entrypoint",
    "metadata",
    "controller_pid",
    "last_recovered_at",
    "run_timestamp",
    "priority",
    "pool",
    "pool_hash",
    "current_cluster_name",
    "cluster_name_on_cloud",
    "accelerators",
    "labels",
    "links",
    "execution",
    "is_job_group",
    "is_primary_in_job_group",
    "root_job_id",
    "parent_job_id",
    "parent_task_id",
    "dynamic_task_index",
    "internal_external_ips",
    "internal_services",
    "node_names",
    "job_id_on_pool_cluster",
];

pub(super) fn read(body: &Bytes, v2: bool) -> Result<Asked, Reply> {
    let query: Query = parsed(body)?;
    Ok(Asked::Queue(Box::new(Query { v2, ..query })))
}

fn fail<T>(kind: &'static str, message: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { kind, message: message.into() })
}

/// Whether there is a jobs controller to ask.
fn reach(server: &Server) -> Result<(), Failure> {
    match server.controller {
        Controller::Up => Ok(()),
        Controller::Absent => fail("ClusterNotUpError", "No in-progress managed jobs."),
        Controller::Unreachable => {
            fail("ClusterNotUpError", "Failed to connect to jobs controller, please try again later.")
        }
    }
}

impl Query {
    /// Whether a row is one of the jobs asked for, whatever its status.
    fn fits(&self, row: &Row<'_>, people: &[Person], now: Timestamp) -> bool {
        let user = row.job.user.and_then(|user| people.get(user));
        let of_user = match &self.user_match {
            // The asker has launched nothing; jobs of nobody are shown to everybody.
            _ if !self.all_users => user.is_none(),
            None => true,
            Some(part) => user.is_some_and(|user| user.name.contains(part.as_str())),
        };
        let submitted = row.submitted_at.or_else(|| (!row.is_terminal()).then_some(now)).map(epoch);
        let after = self.submitted_after.is_none_or(|after| submitted.is_some_and(|at| at >= after));
        let before = self.submitted_before.is_none_or(|before| submitted.is_some_and(|at| at <= before));
        of_user && self.is_member(row) && after && before
    }

    /// The filters on the job as such.
    fn is_member(&self, row: &Row<'_>) -> bool {
        self.job_ids.as_ref().is_none_or(|ids| ids.contains(&row.job.id))
            && self.workspace_match.as_ref().is_none_or(|part| row.job.workspace.contains(part.as_str()))
            && self.name_match.as_ref().is_none_or(|part| row.job.name.contains(part.as_str()))
    }

    fn wants(&self, status: &str) -> bool {
        self.statuses.as_ref().is_none_or(|statuses| statuses.iter().any(|wanted| wanted == status))
    }
}

/// Every row at this time that may fit; of jobs that are not finished alone, where that is asked for.
fn table<'a>(server: &'a Server, query: &Query, now: Timestamp) -> Vec<Row<'a>> {
    let wanted = |job: &&Job| query.job_ids.as_ref().is_none_or(|ids| ids.contains(&job.id));
    let open = |job: &&Job| !query.skip_finished || job.tasks.iter().any(|task| !is_terminal(word(task, now)));
    // What was over before a date was submitted before it: most of the history need not be looked at.
    let recent = |job: &&Job| {
        let after = query.submitted_after.unwrap_or(0.0);
        let last =
            |task: &Task| task.turns.last().is_none_or(|(time, word)| epoch(*time) >= after || !is_terminal(word));
        job.tasks.iter().any(last)
    };
    server
        .jobs
        .iter()
        .filter(wanted)
        .filter(recent)
        .filter(open)
        .flat_map(|job| (0..job.tasks.len()).filter_map(move |number| Row::at(job, number, now)))
        .collect()
}

/// The status of a task at this time; of one that is not there yet, one that is over.
fn word(task: &Task, now: Timestamp) -> &'static str {
    let reached = task.turns.partition_point(|(time, _)| *time <= now);
    reached.checked_sub(1).map_or("SUCCEEDED", |last| task.turns[last].1)
}

/// The page that is asked for and how long it is, from zero on.
fn page_of(query: &Query) -> Result<Option<(usize, usize)>, Failure> {
    let (page, limit) = match (query.page, query.limit) {
        (_, Some(limit)) if limit < 1 => return fail("ValueError", format!("Limit must be at least 1, got {limit}")),
        (Some(page), Some(_)) if page < 1 => return fail("ValueError", format!("Page must be at least 1, got {page}")),
        (Some(_), None) => return fail("ValueError", "Limit must be specified when page is specified"),
        (page, Some(limit)) => (page.unwrap_or(1), limit),
        (None, None) => return Ok(None),
    };
    Ok(Some((usize::try_from(page - 1).unwrap_or(0), usize::try_from(limit).unwrap_or(1))))
}

/// The new route: filters, pages of jobs, and the counts of all statuses beside them.
pub(super) fn second(server: &Server, people: &[Person], query: &Query, now: Timestamp) -> Result<Value, Failure> {
    let page = page_of(query)?;
    if query.refresh {
        return fail("RuntimeError", "A refresh may restart the controller; this server has nothing to restart.");
    }
    reach(server)?;
    known(server, query)?;
    let total_no_filter: usize = server.jobs.iter().map(|job| visible(job, now)).sum();
    let rows = table(server, query, now);
    let fitting: Vec<&Row<'_>> = rows.iter().filter(|row| query.fits(row, people, now)).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &fitting {
        *counts.entry(row.status).or_default() += 1;
    }
    let mut shown: Vec<&Row<'_>> = fitting.into_iter().filter(|row| query.wants(row.status)).collect();
    let places = places(&shown, query);
    let order = |row: &&Row<'_>| (places.get(&row.job.id).copied(), row.number);
    let (mut total, by_rows) = (places.len(), server.release == Release::Middle);
    if by_rows {
        total = shown.len();
    } else if let Some((page, limit)) = page {
        let on_page = page.saturating_mul(limit)..(page + 1).saturating_mul(limit);
        // On a page, each job is shown with all its tasks of these statuses, whenever they were submitted.
        let light = query.light();
        let fits = |row: &&Row<'_>| places.get(&row.job.id).is_some_and(|place| on_page.contains(place));
        shown =
            rows.iter().filter(fits).filter(|row| light.fits(row, people, now) && query.wants(row.status)).collect();
    }
    shown.sort_by_key(order);
    if let Some((page, limit)) = page.filter(|_| by_rows) {
        shown = shown.into_iter().skip(page.saturating_mul(limit)).take(limit).collect();
    }
    let jobs: Vec<Value> = shown.iter().map(|row| slim(row.record(people, server, now), query)).collect();
    let mut answer =
        json!({ "jobs": jobs, "total": total, "total_no_filter": total_no_filter, "status_counts": counts });
    if let (Release::New, Some(answer)) = (server.release, answer.as_object_mut()) {
        answer.insert("infra_options".to_owned(), json!([]));
    }
    Ok(answer)
}

/// The places of the jobs of these rows, as they are sorted.
fn places(rows: &[&Row<'_>], query: &Query) -> BTreeMap<u64, usize> {
    let by_submission = query.sort_by.as_deref() == Some("submitted_at");
    let mut ids: Vec<(f64, u64)> = Vec::new();
    for row in rows {
        let key = if by_submission { row.submitted_at.map_or(0.0, epoch) } else { 0.0 };
        match ids.last_mut().filter(|(_, id)| *id == row.job.id) {
            Some(known) => known.0 = known.0.max(key),
            None => ids.push((key, row.job.id)),
        }
    }
    ids.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    if query.sort_order.as_deref() != Some("asc") || query.sort_by.is_none() {
        ids.reverse();
    }
    ids.into_iter().enumerate().map(|(place, (_, id))| (id, place)).collect()
}

/// Whether the controller knows all fields that are asked for.
fn known(server: &Server, query: &Query) -> Result<(), Failure> {
    let is_known =
        |field: &str| FIELDS.contains(&field) && (server.release == Release::New || !OF_GROUPS.contains(&field));
    let Some(field) = query.fields.iter().flatten().find(|field| !is_known(field)) else { return Ok(()) };
    if server.remote {
        return fail("SkyletInternalError", format!("Unknown field: {field}"));
    }
    // The table is read by a program of its own, whose failure is told as a whole.
    let message = format!(
        "Failed to fetch managed jobs with returncode: 1.\nTraceback (most recent call last):\n  File \"<string>\", line \
         121, in <module>\nValueError: Unknown field: {field}\n"
    );
    fail("RuntimeError", message)
}

impl Query {
    /// The same filters on jobs, without pages and order.
    fn light(&self) -> Self {
        Self {
            all_users: self.all_users,
            job_ids: self.job_ids.clone(),
            user_match: self.user_match.clone(),
            workspace_match: self.workspace_match.clone(),
            name_match: self.name_match.clone(),
            ..Self::default()
        }
    }
}

fn visible(job: &Job, now: Timestamp) -> usize {
    job.tasks.iter().filter(|task| task.turns.first().is_some_and(|(made, _)| *made <= now)).count()
}

fn slim(mut record: serde_json::Map<String, Value>, query: &Query) -> Value {
    if let Some(fields) = query.fields.as_ref().filter(|fields| !fields.is_empty()) {
        let named = |key: &str| fields.iter().any(|field| field == key);
        record.retain(|key, _| ["job_id", "task_id", "status"].contains(&key.as_str()) || named(key));
        // The key is always there, and its value is not read from the table unless it is asked for.
        if !named("task_id") {
            record.insert("task_id".to_owned(), Value::Null);
        }
    }
    Value::Object(record)
}

/// The old route: a list of everything.
pub(super) fn first(server: &Server, people: &[Person], query: &Query, now: Timestamp) -> Result<Value, Failure> {
    reach(server)?;
    let mut rows = table(server, query, now);
    rows.retain(|row| query.fits(row, people, now));
    rows.sort_by_key(|row| (Reverse(row.job.id), row.number));
    let plain = |row: &Row<'_>| {
        let mut record = row.record(people, server, now);
        // Such a server knew neither of job groups nor of pools.
        record.retain(|key, _| !OF_GROUPS.contains(&key.as_str()) && key != "pool");
        Value::Object(record)
    };
    Ok(Value::Array(rows.iter().map(plain).collect()))
}
