//! Rows of the queue, and the jobs that they are about.

use super::resources::Resources;
use crate::snapshot::{Job, Status};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::{Digester, tags};
use std::collections::BTreeMap;

/// What is asked for of each row.
pub(super) const FIELDS: [&str; 15] = [
    "job_id",
    "task_id",
    "status",
    "resources",
    "cluster_resources",
    "accelerators",
    "cloud",
    "region",
    "recovery_count",
    "user_hash",
    "submitted_at",
    "start_at",
    "end_at",
    "job_duration",
    "workspace",
];

/// One task of a job.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    pub job_id: u64,
    #[serde(default)]
    pub task_id: Option<i64>,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    resources: Option<String>,
    #[serde(default)]
    cluster_resources: Option<String>,
    #[serde(default)]
    accelerators: Option<Value>,
    #[serde(default, alias = "spot")]
    use_spot: Option<bool>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    recovery_count: Option<f64>,
    #[serde(default)]
    user_hash: Option<String>,
    #[serde(default)]
    pub submitted_at: Option<f64>,
    #[serde(default)]
    start_at: Option<f64>,
    #[serde(default)]
    end_at: Option<f64>,
    #[serde(default)]
    job_duration: Option<f64>,
}

impl Record {
    pub fn status(&self) -> Status {
        Status::read(self.status.as_deref())
    }
}

/// Seconds since the epoch; what lies before it is how some servers say "never".
pub(super) fn time(seconds: Option<f64>) -> Option<Timestamp> {
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "an instant in microseconds is far below 2^63, else refused")]
    let micros = (seconds * 1e6).round() as i64;
    Timestamp::from_microsecond(micros).ok()
}

/// The jobs of these rows by id, each row once: the last one read counts.
pub(super) fn jobs(records: Vec<Record>, digester: &Digester) -> BTreeMap<u64, Job> {
    let mut tasks: BTreeMap<u64, BTreeMap<i64, Record>> = BTreeMap::new();
    for record in records {
        tasks.entry(record.job_id).or_default().insert(record.task_id.unwrap_or(0), record);
    }
    tasks.into_iter().filter_map(|(id, tasks)| Some((id, job(id, &tasks, digester)?))).collect()
}

fn job(id: u64, tasks: &BTreeMap<i64, Record>, digester: &Digester) -> Option<Job> {
    let unfinished = tasks.values().find(|task| task.status() != Status::Succeeded);
    let current = unfinished.or_else(|| tasks.values().next_back())?;
    let over = tasks.values().all(|task| task.status().is_final());
    let texts = (current.cluster_resources.as_deref(), current.resources.as_deref());
    let resources = Resources::new(texts.0, texts.1, current.accelerators.as_ref(), current.use_spot);
    let submitted = || tasks.values().filter_map(|task| time(task.submitted_at));
    let seconds = tasks.values().filter_map(|task| task.job_duration).filter(|seconds| *seconds > 0.0);
    let recoveries = tasks.values().filter_map(|task| task.recovery_count).fold(0.0, f64::max);
    let known =
        |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number that is not negative")]
    let recoveries = recoveries as u64;
    Some(Job {
        id,
        status: current.status(),
        submitted_at: submitted().min(),
        last_submitted_at: submitted().max(),
        start_at: tasks.values().filter_map(|task| time(task.start_at)).min(),
        end_at: tasks.values().filter_map(|task| time(task.end_at)).max().filter(|_| over),
        seconds: seconds.fold(0.0, |sum, seconds| sum + seconds),
        recoveries,
        user: tasks.values().find_map(|task| known(&task.user_hash)).map(|user| digester.of(&user)),
        gpus: resources.gpus(),
        pricing: resources.pricing(),
        region: known(&current.region).map(|region| tags::value("region", &region)).filter(|region| is_region(region)),
    })
}

/// Whether a text names a region, and is not how servers or rows say that it is not known.
fn is_region(text: &str) -> bool {
    !["-", "unknown", "none", "null"].contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::at;

    fn one(rows: Value) -> Job {
        let records: Vec<Record> = serde_json::from_value(rows).unwrap();
        jobs(records, &Digester::default()).into_values().next().unwrap()
    }

    #[test]
    fn a_pipeline_is_one_job_with_the_status_of_its_first_unfinished_task() {
        let job = one(json!([
            {"job_id": 7, "task_id": 1, "status": "RUNNING", "submitted_at": 1_767_873_700.0, "start_at": 1_767_873_800.5,
             "job_duration": 40.0, "recovery_count": 2, "cluster_resources": "2x[spot](gpus=H100:8, ...)",
             "accelerators": {"H100": 8}, "region": "US-East-1", "user_hash": "abc"},
            {"job_id": 7, "task_id": 0, "status": "SUCCEEDED", "submitted_at": 1_767_873_600.0,
             "start_at": 1_767_873_650, "end_at": 1_767_873_690, "job_duration": 40, "recovery_count": 0,
             "resources": "1x[CPU:2+]", "region": "eu-west-1", "user_hash": "abc"},
            {"job_id": 7, "task_id": 2, "status": "PENDING", "submitted_at": null, "resources": "1x[L4:1]"},
        ]));
        assert_eq!((job.id, job.status, job.seconds, job.recoveries), (7, Status::Running, 80.0, 2));
        assert_eq!(
            (job.submitted_at, job.last_submitted_at),
            (Some(at("2026-01-08T12:00:00Z")), Some(at("2026-01-08T12:01:40Z")))
        );
        assert_eq!((job.start_at, job.end_at), (Some(at("2026-01-08T12:00:50Z")), None));
        assert_eq!(job.gpus, Some([("h100".to_owned(), 16.0)].into()));
        assert_eq!((job.pricing, job.region.as_deref()), (Some(shared::prices::Pricing::Spot), Some("us-east-1")));
        assert!(job.user.is_some_and(|user| user != "abc" && user.len() == 16));
    }

    #[test]
    fn a_job_is_over_when_all_its_tasks_are() {
        let failed = one(json!([
            {"job_id": 1, "task_id": 0, "status": "FAILED", "submitted_at": 1.0, "end_at": 1_767_873_600.0},
            {"job_id": 1, "task_id": 1, "status": "CANCELLED", "end_at": 1_767_873_601.0},
        ]));
        assert_eq!((failed.status, failed.end_at), (Status::Failed, Some(at("2026-01-08T12:00:01Z"))));
        let well = one(json!([{"job_id": 1, "status": "SUCCEEDED", "end_at": 1_767_873_600.0}]));
        assert_eq!((well.status, well.end_at), (Status::Succeeded, Some(at("2026-01-08T12:00:00Z"))));
        let open = one(json!([
            {"job_id": 1, "task_id": 0, "status": "FAILED", "end_at": 5.0},
            {"job_id": 1, "task_id": 1, "status": "RUNNING"},
        ]));
        assert_eq!((open.status, open.end_at), (Status::Failed, None));
    }

    #[test]
    fn what_is_missing_or_never_was_is_not_known() {
        let bare = one(json!([{"job_id": 1, "start_at": -1, "submitted_at": 0, "region": "-", "user_hash": ""}]));
        assert_eq!((bare.status, bare.start_at, bare.submitted_at, bare.region), (Status::Other, None, None, None));
        assert_eq!((bare.user, bare.seconds, bare.pricing), (None, 0.0, None));
        assert!(serde_json::from_value::<Record>(json!({"status": "RUNNING"})).is_err(), "a row of no job");
    }
}
