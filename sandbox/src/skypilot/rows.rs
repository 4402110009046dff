//! A task as a row of the queue, as it stands at an instant.

use crate::model::Person;
use crate::model::skypilot::{Job, Release, Server, Shape, Task};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// An instant as the server writes it: seconds since the epoch.
#[expect(clippy::cast_precision_loss, reason = "microseconds of our time fit 53 bits")]
pub(super) fn epoch(time: Timestamp) -> f64 {
    time.as_microsecond() as f64 / 1e6
}

/// What the server calls a user.
pub(super) fn user_hash(login: &str) -> String {
    let digest = Sha256::digest(login.as_bytes());
    hex(&digest[..4])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A row of the server's table: one task of one job.
pub(super) struct Row<'a> {
    pub job: &'a Job,
    pub number: usize,
    pub task: &'a Task,
    pub status: &'static str,
    pub submitted_at: Option<Timestamp>,
    pub start_at: Option<Timestamp>,
    pub end_at: Option<Timestamp>,
    last_recovered_at: Option<Timestamp>,
    /// Seconds before the last recovery.
    before: f64,
    recoveries: u64,
    now: Timestamp,
}

pub(super) fn is_terminal(status: &str) -> bool {
    matches!(
        status,
        "SUCCEEDED"
            | "CANCELLED"
            | "FAILED"
            | "FAILED_SETUP"
            | "FAILED_PRECHECKS"
            | "FAILED_NO_RESOURCE"
            | "FAILED_CONTROLLER"
    )
}

impl<'a> Row<'a> {
    /// The row at an instant; none before the job was made.
    pub fn at(job: &'a Job, number: usize, now: Timestamp) -> Option<Self> {
        let task = &job.tasks[number];
        let first = task.turns.first().filter(|(made, _)| *made <= now)?;
        let mut row = Self {
            job,
            number,
            task,
            status: first.1,
            submitted_at: None,
            start_at: None,
            end_at: None,
            last_recovered_at: None,
            before: 0.0,
            recoveries: 0,
            now,
        };
        for (time, status) in task.turns.iter().take_while(|(time, _)| *time <= now) {
            row.turn(*time, status);
        }
        Some(row)
    }

    /// What the server writes down at a change of the status.
    fn turn(&mut self, time: Timestamp, status: &'static str) {
        match status {
            "SUBMITTED" | "STARTING" => self.submitted_at = self.submitted_at.or(Some(time)),
            "RUNNING" => {
                self.recoveries += u64::from(self.status == "RECOVERING");
                self.start_at = self.start_at.or(Some(time));
                self.last_recovered_at = Some(time);
            }
            "RECOVERING" => {
                let since = self.last_recovered_at.unwrap_or(time);
                self.before += time.duration_since(since).as_secs_f64();
            }
            status if is_terminal(status) => {
                if self.status == "RECOVERING" {
                    self.last_recovered_at = Some(time);
                }
                self.end_at = Some(time);
            }
            _ => {}
        }
        self.status = status;
    }

    /// Whether any task of the job was ever launched.
    fn was_launched(&self) -> bool {
        let started = |task: &Task| task.turns.iter().any(|(time, word)| *time <= self.now && *word == "RUNNING");
        self.job.tasks.iter().any(started)
    }

    pub fn is_terminal(&self) -> bool {
        is_terminal(self.status)
    }

    fn duration(&self, now: Timestamp) -> f64 {
        match self.last_recovered_at {
            None => 0.0,
            Some(_) if self.task.forgetful => 0.0,
            Some(_) if self.status == "RECOVERING" => self.before,
            Some(since) => self.end_at.unwrap_or(now).duration_since(since).as_secs_f64() + self.before,
        }
    }

    /// Whether the cluster of the task is there, so that the record can be filled from it.
    fn has_cluster(&self) -> bool {
        let holds = matches!(self.status, "RUNNING" | "WINDING_DOWN" | "CANCELLING");
        holds && !matches!(self.task.shape, Shape::ResourcesAlone | Shape::Nothing)
    }

    /// The text of what was asked for. A pool says by itself how its workers are paid for.
    fn resources(&self) -> String {
        let task = self.task;
        let count = task.nodes.map(|nodes| format!("{nodes}x")).unwrap_or_default();
        let paid = match (task.either, task.spot && self.job.pool.is_none()) {
            (true, _) => "[On-demand|Spot]",
            (false, true) => "[Spot]",
            (false, false) => "",
        };
        match (task.shape, task.accelerators) {
            (Shape::Nothing, _) => "-".to_owned(),
            (Shape::Unreadable, Some((name, _))) => format!("{count}[{name}:several]{paid}"),
            (_, Some((name, number))) => format!("{count}[{name}:{number}]{paid}"),
            (_, None) => format!("{count}[CPU:4+]{paid}"),
        }
    }

    /// The text of what was launched: of a pool, the whole worker.
    fn launched(&self) -> String {
        let count = self.task.nodes.map(|nodes| format!("{nodes}x")).unwrap_or_default();
        let spot = if self.task.spot { "[spot]" } else { "" };
        match (self.task.shape, self.machine()) {
            (Shape::Object, Some((name, number))) => format!("{count}{spot}(gpus={name}:{number}, p4d.24xlarge, ...)"),
            (Shape::Object, None) => format!("{count}{spot}(cpus=4, mem=16, spotless.xlarge, ...)"),
            _ => self.resources(),
        }
    }

    /// Name and number of the accelerators of each machine.
    fn machine(&self) -> Option<(&'static str, f64)> {
        self.job.pool.map(|pool| pool.accelerators).or(self.task.accelerators)
    }

    /// Every field of the record.
    pub fn record(&self, people: &[Person], server: &Server, now: Timestamp) -> Map<String, Value> {
        let (job, task) = (self.job, self.task);
        let user = job.user.and_then(|user| people.get(user));
        let time = |time: Option<Timestamp>| time.map_or(Value::Null, |time| json!(epoch(time)));
        let (cloud, region) = self.place(server.release);
        let cluster_resources = if self.has_cluster() {
            self.launched()
        } else if self.is_remembered(server.release) {
            self.resources()
        } else {
            "-".to_owned()
        };
        let mut record = json!({
            "_job_id": job.id, "job_id": job.id, "task_id": self.number, "job_name": job.name, "task_name": task.name,
            "job_duration": self.duration(now), "workspace": job.workspace, "status": self.status,
            "schedule_state": self.schedule_state(), "resources": self.resources(),
            "cluster_resources": cluster_resources, "cluster_resources_full": cluster_resources,
            "cloud": cloud, "region": region, "zone": "-", "infra": infra(&cloud, &region), "recovery_count": self.recoveries,
            "details": null, "failure_reason": null, "user_name": user.map(|user| user.name.clone()),
            "user_hash": user.map(|user| user_hash(&user.login)), "submitted_at": time(self.submitted_at),
            "start_at": time(self.start_at), "end_at": time(self.end_at.filter(|_| !task.endless)),
            "last_recovered_at": self.last_recovered_at.map_or(-1.0, epoch), "run_timestamp": null, "metadata": {},
            "priority": 500, "pool": job.pool.map(|pool| pool.name), "labels": null, "current_cluster_name": null,
            "execution": if job.parallel { "parallel" } else { "serial" }, "is_job_group": job.parallel,
            "is_primary_in_job_group": job.parallel.then_some(task.primary), "entrypoint": null, "root_job_id": null,
        });
        if let Some(record) = record.as_object_mut() {
            if self.has_cluster() {
                record.insert("accelerators".to_owned(), self.accelerators(server));
            } else if server.remote {
                record.insert("accelerators".to_owned(), json!({}));
            }
        }
        record.as_object().cloned().unwrap_or_default()
    }

    /// The accelerators of the cluster, which are an object over gRPC, be there any or not.
    fn accelerators(&self, server: &Server) -> Value {
        match (self.machine(), self.task.shape, server.release) {
            // Only old servers know anything else than objects: what cannot be read is not there.
            (Some((name, _)), Shape::Unreadable, Release::Old) => json!(format!("{name} by the dozen")),
            (None, ..) | (Some(_), Shape::Unreadable, _) if server.remote => json!({}),
            (None, ..) | (Some(_), Shape::Unreadable, _) => Value::Null,
            (Some((name, number)), Shape::Text, Release::Old) => json!(format!("{{'{name}': {number}}}")),
            (Some((name, number)), ..) if server.remote => json!({ name: number }),
            (Some((name, number)), ..) => json!({ name: whole(number) }),
        }
    }

    /// Whether the server knows where the job ran last although its cluster is gone.
    fn is_remembered(&self, release: Release) -> bool {
        release == Release::New && self.was_launched() && self.task.place.is_some()
    }

    fn place(&self, release: Release) -> (Value, Value) {
        let is_known = self.is_remembered(release) || (self.has_cluster() && self.was_launched());
        match self.task.place.filter(|_| is_known) {
            Some((cloud, region)) => (json!(cloud), json!(region)),
            None if !self.has_cluster() => (json!("-"), json!("-")),
            None if release == Release::Old => (json!("AWS"), json!("")),
            None => (json!("AWS"), Value::Null),
        }
    }

    fn schedule_state(&self) -> &'static str {
        match self.status {
            "PENDING" if self.number == 0 => "WAITING",
            "STARTING" | "SUBMITTED" => "LAUNCHING",
            status if is_terminal(status) => "DONE",
            _ => "ALIVE",
        }
    }
}

/// A place as people read it.
fn infra(cloud: &Value, region: &Value) -> String {
    match (cloud.as_str(), region.as_str()) {
        (Some("-") | None, _) => "-".to_owned(),
        (Some(cloud), Some("" | "-") | None) => cloud.to_owned(),
        (Some(cloud), Some(region)) => format!("{cloud} ({region})"),
    }
}

/// A whole number without its decimal point, as Python writes an `int`.
#[expect(clippy::cast_possible_truncation, reason = "a handful of accelerators")]
fn whole(number: f64) -> Value {
    if number.fract() == 0.0 { json!(number as i64) } else { json!(number) }
}
