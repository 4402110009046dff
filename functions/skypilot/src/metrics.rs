//! What the collector says: its rows of the catalogue.

/// The `workflow_category` of its rows, by the beginnings of their names.
pub const CATEGORIES: &[(&str, &str)] = &[("skypilot.", "training")];

/// The requests that a run may make for one target.
pub const BUDGET: shared::Budget =
    shared::Budget { targets: "SKYPILOT_SERVERS", full: 10.0, continued: 8.0, tenfold: 38.0, tenfold_continued: 10.0 };

shared::catalogue! {
    /// Jobs that want resources that they do not hold: pending, submitted, starting or recovering.
    QUEUED = Gauge "skypilot.jobs.queued" in Job by ["server"], fold Sum, better Down;
    /// Jobs that hold resources: running, winding down or being cancelled.
    RUNNING = Gauge "skypilot.jobs.running" in Job by ["server"], fold Sum, better Neither;
    /// Failed rows in the server's whole retained history, by its own counts: one for each task of a job.
    FAILED = Gauge "skypilot.jobs.failed" in Job by ["server"], fold Sum, better Down;
    /// Jobs that failed in the last seven days. A job submitted more than `SKYPILOT_HISTORY_DAYS` ago is missed.
    FAILED_7D = Gauge "skypilot.jobs.failed_7d" in Job by ["server"], fold Sum, better Down;
    /// Succeeded rows in the server's whole retained history, by its own counts: one for each task of a job.
    SUCCEEDED = Gauge "skypilot.jobs.succeeded" in Job by ["server"], fold Sum, better Up;
    /// Cancelled rows in the server's whole retained history, by its own counts: one for each task of a job.
    CANCELLED = Gauge "skypilot.jobs.cancelled" in Job by ["server"], fold Sum, better Neither;
    /// Shortest runtime of the running jobs, recovery excluded.
    RUNTIME_MIN = Gauge "skypilot.jobs.runtime_seconds.min" in Second by ["server"], fold Min, better Neither;
    /// Longest runtime of the running jobs, recovery excluded.
    RUNTIME_MAX = Gauge "skypilot.jobs.runtime_seconds.max" in Second by ["server"], fold Max, better Neither;
    /// Mean runtime of the running jobs, recovery excluded.
    RUNTIME_AVG = Gauge "skypilot.jobs.runtime_seconds.avg" in Second by ["server"], fold None, better Neither;
    /// Median runtime of the running jobs, recovery excluded.
    RUNTIME_P50 = Gauge "skypilot.jobs.runtime_seconds.p50" in Second by ["server"], fold None, better Neither;
    /// 90th percentile of the runtimes of the running jobs, recovery excluded.
    RUNTIME_P90 = Gauge "skypilot.jobs.runtime_seconds.p90" in Second by ["server"], fold None, better Neither;
    /// 99th percentile of the runtimes of the running jobs, recovery excluded.
    RUNTIME_P99 = Gauge "skypilot.jobs.runtime_seconds.p99" in Second by ["server"], fold None, better Neither;
    /// Running jobs with a runtime below one hour.
    BUCKET_0_1H = Gauge "skypilot.jobs.runtime_buckets.0_1h" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs with a runtime from one hour to below four.
    BUCKET_1_4H = Gauge "skypilot.jobs.runtime_buckets.1_4h" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs with a runtime from four hours to below twenty-four.
    BUCKET_4_24H = Gauge "skypilot.jobs.runtime_buckets.4_24h" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs with a runtime of twenty-four hours and more.
    BUCKET_OVER_24H = Gauge "skypilot.jobs.runtime_buckets.over_24h" in Job by ["server"], fold Sum, better Neither;
    /// L4 GPUs of running jobs, on all their nodes.
    GPUS_L4 = Gauge "skypilot.resources.gpus.l4_count" in Device by ["server"], fold Sum, better Neither;
    /// A10G GPUs of running jobs, on all their nodes.
    GPUS_A10G = Gauge "skypilot.resources.gpus.a10g_count" in Device by ["server"], fold Sum, better Neither;
    /// H100 GPUs of running jobs, on all their nodes.
    GPUS_H100 = Gauge "skypilot.resources.gpus.h100_count" in Device by ["server"], fold Sum, better Neither;
    /// GPUs of running jobs, of every type and on all their nodes.
    GPUS_TOTAL = Gauge "skypilot.resources.gpus.total_count" in Device by ["server"], fold Sum, better Neither;
    /// Running jobs on spot resources.
    SPOT_JOBS = Gauge "skypilot.resources.spot_jobs" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs on resources on demand.
    ONDEMAND_JOBS = Gauge "skypilot.resources.ondemand_jobs" in Job by ["server"], fold Sum, better Neither;
    /// Queued and running jobs that were recovered at least once.
    WITH_RECOVERIES = Gauge "skypilot.jobs.with_recoveries" in Job by ["server"], fold Sum, better Down;
    /// Mean number of recoveries of those jobs.
    RECOVERIES_AVG = Gauge "skypilot.jobs.recovery_count.avg" in Event by ["server"], fold None, better Down;
    /// Largest number of recoveries of those jobs.
    RECOVERIES_MAX = Gauge "skypilot.jobs.recovery_count.max" in Event by ["server"], fold Max, better Down;
    /// Running jobs in us-east-1.
    US_EAST_1 = Gauge "skypilot.regions.us_east_1" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs in us-west-2.
    US_WEST_2 = Gauge "skypilot.regions.us_west_2" in Job by ["server"], fold Sum, better Neither;
    /// Running jobs in any other known region.
    OTHER_REGIONS = Gauge "skypilot.regions.other" in Job by ["server"], fold Sum, better Neither;
    /// Different users with a queued or running job.
    ACTIVE_USERS = Gauge "skypilot.users.active_count" in User by ["server"], fold None, better Neither;
    /// Clusters that are up and are neither controllers nor made for a managed job.
    ACTIVE_CLUSTERS = Gauge "skypilot.clusters.active" in Instance by ["server"], fold Sum, better Neither;
    /// Queued and running jobs and those that ended in the last seven days, by exact status.
    BY_STATUS = Gauge "skypilot.jobs.by_status" in Job by ["server", "status"], fold Sum, better Neither;
    /// GPUs of running jobs by type and pricing; types that are in use now or in the price table.
    GPUS_BY_TYPE = Gauge "skypilot.resources.gpus.by_type" in Device by ["gpu_type", "pricing", "server"],
        fold Sum, better Neither;
    /// Running jobs by region; `unknown` where it is not known yet.
    BY_REGION = Gauge "skypilot.jobs.by_region" in Job by ["region", "server"], fold Sum, better Neither;
    /// Median time since submission of queued jobs that never started; of pending ones, since they were first seen.
    QUEUE_WAIT_P50 = Gauge "skypilot.jobs.queue_wait_seconds.p50" in Second by ["server"], fold None, better Down;
    /// 90th percentile of the time since submission of queued jobs that never started; of pending ones, since they were
    /// first seen.
    QUEUE_WAIT_P90 = Gauge "skypilot.jobs.queue_wait_seconds.p90" in Second by ["server"], fold None, better Down;
    /// Running jobs with a runtime over `SKYPILOT_LONG_HOURS`.
    LONG_RUNNING = Gauge "skypilot.jobs.long_running" in Job by ["server"], fold Sum, better Down;
    /// Runtime of each job that ended, recovery excluded; jobs that never started are left out.
    RUNTIME = Distribution "skypilot.jobs.runtime" in Second by ["outcome", "server"], fold None, better Neither;
    /// Jobs that ended in the slot, by outcome.
    FINISHED = Count "skypilot.jobs.finished.new" in Job by ["outcome", "server"], fold Sum, better Neither;
    /// What the GPUs of running jobs cost an hour, by the configured price table: an estimate.
    BURN_RATE = Gauge "skypilot.cost.burn_rate_hourly" in Dollar / Hour by ["gpu_type", "price_source", "pricing", "server"],
        fold Sum, better Neither;
    /// GPUs of running jobs whose type and pricing have no price in the table.
    UNPRICED = Gauge "skypilot.cost.unpriced_gpus" in Device by ["server"], fold Sum, better Down;
}
