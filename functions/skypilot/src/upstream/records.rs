//! Rows of the queue, and the jobs that they are about.

use super::resources::Resources;
use crate::snapshot::{Group, Job, Status};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use shared::{Digester, tags};
use std::collections::BTreeMap;

/// What is asked for of each row. A server that does not know the last one refuses them all.
pub(super) const FIELDS: [&str; 18] = [
    "job_id",
    "task_id",
    "job_name",
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
    "pool",
    "is_primary_in_job_group",
];

/// One task of a job.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Record {
    pub job_id: u64,
    #[serde(default)]
    pub task_id: Option<i64>,
    #[serde(default)]
    job_name: Option<String>,
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
    pool: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    recovery_count: Option<f64>,
    #[serde(default)]
    user_hash: Option<String>,
    #[serde(default)]
    submitted_at: Option<f64>,
    #[serde(default)]
    start_at: Option<f64>,
    #[serde(default)]
    end_at: Option<f64>,
    #[serde(default)]
    job_duration: Option<f64>,
    #[serde(default)]
    is_primary_in_job_group: Option<bool>,
}

impl Record {
    pub fn status(&self) -> Status {
        Status::read(self.status.as_deref())
    }

    /// A time at which its job was there already.
    pub fn known_at(&self) -> Option<Timestamp> {
        time(self.submitted_at).or_else(|| time(self.end_at))
    }

    fn holds(&self) -> bool {
        self.status().group() == Group::Running
    }

    /// Whether it counts for the status of its job: in a job group the primary tasks alone do.
    fn counts(&self) -> bool {
        self.is_primary_in_job_group != Some(false)
    }

    fn resources(&self) -> Resources<'_> {
        let (launched, asked) = (self.cluster_resources.as_deref(), self.resources.as_deref());
        // The accelerators of a job on a pool are those of the whole worker, which it may share.
        let is_shared = known(self.pool.as_deref()).is_some();
        Resources::new(launched, asked, self.accelerators.as_ref(), self.use_spot).shared(is_shared)
    }
}

/// Seconds since the epoch; what lies before it is how some servers say "never".
fn time(seconds: Option<f64>) -> Option<Timestamp> {
    let seconds = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0)?;
    #[expect(clippy::cast_possible_truncation, reason = "an instant in microseconds is far below 2^63, else refused")]
    let micros = (seconds * 1e6).round() as i64;
    Timestamp::from_microsecond(micros).ok()
}

fn known(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
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
    let all = || tasks.values();
    let is_group = is_group(tasks);
    let current = if is_group { current_of_group(tasks) } else { current(all()) }?;
    let holding: Vec<&Record> = all().filter(|task| is_group && task.holds()).collect();
    let holding = if holding.is_empty() { vec![current] } else { holding };
    let gpus: Option<Vec<_>> = holding.into_iter().map(|task| task.resources().gpus()).collect();
    let seconds = all().filter_map(|task| task.job_duration).filter(|seconds| *seconds > 0.0);
    let submitted = || all().filter_map(|task| time(task.submitted_at));
    let recoveries = all().filter_map(|task| task.recovery_count).fold(0.0, f64::max);
    let over = all().all(|task| task.status().is_final());
    let digest = |text: Option<&str>| known(text).map(|text| digester.of(text));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number that is not negative")]
    let recoveries = recoveries as u64;
    Some(Job {
        id,
        status: current.status(),
        submitted_at: submitted().min(),
        last_submitted_at: submitted().max(),
        start_at: all().filter_map(|task| time(task.start_at)).min(),
        end_at: all().filter_map(|task| time(task.end_at)).max().filter(|_| over),
        seconds: if is_group { seconds.fold(0.0, f64::max) } else { seconds.fold(0.0, |sum, seconds| sum + seconds) },
        recoveries,
        name: all().find_map(|task| digest(task.job_name.as_deref())),
        user: all().find_map(|task| digest(task.user_hash.as_deref())),
        gpus: gpus.map(|gpus| gpus.into_iter().flatten().collect()),
        pricing: current.resources().pricing(),
        region: known(current.region.as_deref())
            .map(|region| tags::value("region", region))
            .filter(|text| is_region(text)),
    })
}

/// Whether the tasks run side by side: the server says which of them are primary, or two of them were submitted and are
/// not over. In a pipeline a task is submitted when the one before it is over.
fn is_group(tasks: &BTreeMap<i64, Record>) -> bool {
    let is_live = |task: &&Record| !task.status().is_final() && time(task.submitted_at).is_some();
    tasks.values().any(|task| task.is_primary_in_job_group.is_some()) || tasks.values().filter(is_live).count() > 1
}

/// The task that says how it stands with its job: the first that did not succeed, else the last.
fn current<'a>(mut tasks: impl DoubleEndedIterator<Item = &'a Record> + Clone) -> Option<&'a Record> {
    let last = tasks.clone().next_back();
    tasks.find(|task| task.status() != Status::Succeeded).or(last)
}

/// The same of a job group: it runs while any of its tasks does, and else its primary tasks say.
fn current_of_group(tasks: &BTreeMap<i64, Record>) -> Option<&Record> {
    let primary = || tasks.values().filter(|task| task.counts());
    let runs = primary().chain(tasks.values()).find(|task| task.holds());
    runs.or_else(|| current(primary())).or_else(|| current(tasks.values()))
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

    fn gpus(job: &Job) -> Vec<(&str, f64)> {
        job.gpus.iter().flatten().map(|gpus| (gpus.kind.as_str(), gpus.number)).collect()
    }

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
        assert_eq!(gpus(&job), [("h100", 16.0)]);
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

    /// A task of eight GPUs that was submitted at noon.
    fn task(number: i64, status: &str, primary: Option<bool>) -> Value {
        json!({"job_id": 1, "task_id": number, "status": status, "submitted_at": 1_767_873_600.0,
               "job_duration": 46_800.0, "resources": "1x[H100:8]", "is_primary_in_job_group": primary})
    }

    #[test]
    fn four_tasks_side_by_side_are_their_gpus_together_and_their_time_once() {
        for primary in [Some(true), None] {
            // An old controller does not say that they are a group: no two tasks of a pipeline are live at once.
            let job = one((0..4).map(|number| task(number, "RUNNING", primary)).collect());
            assert_eq!((gpus(&job).iter().map(|(_, number)| number).sum::<f64>(), job.seconds / 3600.0), (32.0, 13.0));
        }
    }

    #[test]
    fn a_group_runs_while_any_task_does_and_else_its_primary_tasks_say() {
        let (yes, no) = (Some(true), Some(false));
        for (tasks, status, held) in [
            (vec![("RECOVERING", yes), ("RUNNING", yes), ("RUNNING", no)], Status::Running, 16.0),
            (vec![("SUCCEEDED", yes), ("CANCELLING", no), ("SUCCEEDED", yes)], Status::Cancelling, 8.0),
            (vec![("FAILED", yes), ("RUNNING", yes)], Status::Running, 8.0),
            (vec![("STARTING", no), ("SUCCEEDED", yes), ("RECOVERING", yes)], Status::Recovering, 8.0),
            (vec![("FAILED", no), ("SUCCEEDED", yes), ("CANCELLED", no)], Status::Succeeded, 8.0),
            (vec![("CANCELLED", no), ("FAILED", yes), ("SUCCEEDED", yes)], Status::Failed, 8.0),
            (vec![("STARTING", no), ("PENDING", no)], Status::Starting, 8.0),
        ] {
            let job =
                one(tasks.iter().zip(0..).map(|((status, primary), number)| task(number, status, *primary)).collect());
            let number: f64 = gpus(&job).iter().map(|(_, number)| number).sum();
            assert_eq!((job.status, number), (status, held), "{tasks:?}");
        }
    }

    #[test]
    fn a_pipeline_that_is_cancelled_holds_one_task_and_not_those_that_never_began() {
        let mut never = task(2, "CANCELLING", None);
        never["submitted_at"] = Value::Null;
        let job = one(json!([task(0, "SUCCEEDED", None), task(1, "CANCELLING", None), never]));
        assert_eq!((gpus(&job), job.seconds), (vec![("h100", 8.0)], 3.0 * 46_800.0));
    }

    #[test]
    fn what_a_group_cannot_read_of_one_task_it_does_not_know_of_all() {
        let mut odd = task(1, "RUNNING", Some(true));
        odd["resources"] = json!("1x[H100:8, A100:8]");
        let job = one(json!([task(0, "RUNNING", Some(true)), odd]));
        assert_eq!((job.status, job.gpus), (Status::Running, None));
    }

    #[test]
    fn eight_jobs_on_one_worker_of_a_pool_hold_what_they_asked_for() {
        let rows = (1..=8).map(|id| {
            json!({"job_id": id, "task_id": 0, "status": "RUNNING", "pool": "trainers", "resources": "1x[H100:1]",
                   "cluster_resources": "1x[spot](gpus=H100:8, p5.48xlarge, ...)", "accelerators": {"H100": 8}})
        });
        let records: Vec<Record> = rows.map(|row| serde_json::from_value(row).unwrap()).collect();
        let jobs = jobs(records, &Digester::default());
        let number: f64 = jobs.values().flat_map(gpus).map(|(_, number)| number).sum();
        assert_eq!((jobs.len(), number), (8, 8.0));
        assert!(jobs.values().all(|job| job.pricing == Some(shared::prices::Pricing::Spot)), "as the worker is");
        let batch = one(json!([{"job_id": 9, "status": "RUNNING", "pool": "trainers", "resources": "-"}]));
        assert_eq!(batch.gpus, Some(vec![]), "one that only tells others what to do holds nothing");
    }
}
