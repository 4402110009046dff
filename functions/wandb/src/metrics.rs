//! What the collector says: its rows of the catalogue.

/// The `workflow_category` of its rows, by the beginnings of their names.
pub const CATEGORIES: &[(&str, &str)] = &[("wandb.", "training"), ("health.training.", "training")];

/// The requests that a run may make for one target. Whatever lives changes all the time, and of ten times as many runs more
/// than a page lives.
pub const BUDGET: shared::Budget =
    shared::Budget { targets: "WANDB_PROJECTS", full: 16.0, continued: 6.0, tenfold: 127.0, tenfold_continued: 10.0 };

shared::catalogue! {
    /// Runs that train now, whenever they were created: running, with a heartbeat within the last 30 minutes.
    ACTIVE = Gauge "wandb.runs.active" in Run by ["project", "run_type"], fold Sum, better Neither;
    /// Runs that finished in the last seven days, by the time of their last heartbeat.
    COMPLETED = Gauge "wandb.runs.completed_7d" in Run by ["project", "run_type"], fold Sum, better Up;
    /// Runs that failed or crashed in the last seven days, by the time of their last heartbeat; killed is not failed.
    FAILED = Gauge "wandb.runs.failed_7d" in Run by ["project", "run_type"], fold Sum, better Down;
    /// All runs of the project, ever, by the server's count.
    TOTAL = Gauge "wandb.runs.total" in Run by ["project"], fold Sum, better Neither;
    /// Largest accuracy in the summaries of finished runs, ever.
    BEST_ACCURACY = Gauge "wandb.metrics.best_accuracy" in Fraction by ["project"], fold None, better Up;
    /// Loss in the summary of the run that finished last in the last seven days and has one.
    LATEST_LOSS = Gauge "wandb.metrics.latest_loss" in One by ["project"], fold None, better Down;
    /// Mean accuracy in the summaries of the runs that finished in the last seven days and have one.
    AVG_ACCURACY = Gauge "wandb.metrics.avg_accuracy_7d" in Fraction by ["project"], fold None, better Up;
    /// Mean hours from creation to last heartbeat of the runs that ended in the last seven days, in whatever way.
    AVG_DURATION = Gauge "wandb.training.avg_duration_hours" in Hour by ["project"], fold None, better Neither;
    /// Mean of the last reported GPU utilisation of runs with a heartbeat in the last 24 hours, weighted by their GPUs.
    UTILIZATION_AVG = Gauge "wandb.training.gpu_utilization_avg" in Percent by ["project"], fold None, better Up;
    /// GPU-hours of the last seven days: the GPUs that each run's own processes use, times the hours it ran within them.
    GPU_HOURS = Gauge "wandb.training.total_gpu_hours_7d" in Hour by ["project"], fold Sum, better Neither;
    /// Mean of the last reported GPU utilisation of the runs that train now, weighted by their GPUs.
    UTILIZATION_NOW = Gauge "wandb.training.gpu_utilization_pct" in Percent by ["project"], fold None, better Up;
    /// Hours from creation to last heartbeat of each run that ended, an upper bound for resumed ones.
    DURATION = Distribution "wandb.training.duration_hours" in Hour by ["outcome", "project", "run_type"],
        fold None, better Neither;
    /// Estimate: the GPU-hours of the last seven days at the configured price of the configured type of GPU.
    COST_ESTIMATE = Gauge "wandb.training.cost_estimate_usd" in Dollar by ["price_source", "project"],
        fold Sum, better Neither;
    /// Value of a configured key in the summary of the run of the type that ended last in the last seven days and has it.
    SUMMARY_LATEST = Gauge "wandb.summary.latest" in One by ["key", "project", "run_type"], fold None, better Neither;
    /// Dead runs that nobody closed: running by the server's word, and without a heartbeat for more than 30 minutes.
    STALE = Gauge "wandb.runs.stale" in Run by ["project"], fold Sum, better Down;
    /// Runs that ended in the last seven days, by the state they ended in.
    BY_STATE = Gauge "wandb.runs.by_state_7d" in Run by ["project", "state"], fold Sum, better Neither;
    /// Runs that ended in the slot.
    ENDED_NEW = Count "wandb.runs.ended.new" in Run by ["outcome", "project", "run_type"], fold Sum, better Neither;
    /// Score of the finished runs of the last seven days, all types: 1 from seven on.
    SCORE_RUN_SUCCESS = Gauge "health.training.run_success.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the failed runs of the last seven days, all types: 1 without any, 0 from three on.
    SCORE_RUN_FAILURES = Gauge "health.training.run_failures.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the best accuracy ever: the fraction itself; what is above 1 is read as a percentage.
    SCORE_BEST_ACCURACY = Gauge "health.training.best_accuracy.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the mean accuracy of the last seven days: the fraction itself; what is above 1 is read as a percentage.
    SCORE_AVG_ACCURACY = Gauge "health.training.avg_accuracy.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the latest loss: 1 at 0.1, 0 from 2 on.
    SCORE_LATEST_LOSS = Gauge "health.training.latest_loss.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the GPU utilisation of the last 24 hours: 1 from 80 percent on.
    SCORE_UTILIZATION = Gauge "health.training.gpu_utilization.fom" in Fraction by ["project"], fold Min, better Up;
    /// Score of the mean duration of the last seven days: 1 from one to eight hours, 0 from sixteen on.
    SCORE_DURATION = Gauge "health.training.duration.fom" in Fraction by ["project"], fold Min, better Up;
}
