//! What the collector says: its rows of the catalogue.

/// The `workflow_category` of its rows, by the beginnings of their names.
pub const CATEGORIES: &[(&str, &str)] = &[("asana.", "planning"), ("health.training.", "training")];

/// The requests that a run may make for one target.
pub const BUDGET: shared::Budget = shared::Budget {
    targets: "ASANA_WORKSPACES",
    full: 137.0,
    continued: 137.0,
    tenfold: 1362.0,
    tenfold_continued: 1362.0,
};

shared::catalogue! {
    /// Tasks in active projects that are open or were completed in the last 30 days. A task in no project is not seen.
    TASKS_TOTAL = Gauge "asana.tasks.total" in Task by ["workspace"], fold Sum, better Neither;
    /// Open tasks in active projects.
    TASKS_OPEN = Gauge "asana.tasks.open" in Task by ["workspace"], fold Sum, better Neither;
    /// Tasks completed in the last seven days.
    TASKS_COMPLETED_7D = Gauge "asana.tasks.completed_7d" in Task by ["workspace"], fold Sum, better Up;
    /// Tasks completed in the last 30 days.
    TASKS_COMPLETED_30D = Gauge "asana.tasks.completed_30d" in Task by ["workspace"], fold Sum, better Up;
    /// Open tasks whose due time, or else due date, has passed.
    TASKS_OVERDUE = Gauge "asana.tasks.overdue" in Task by ["workspace"], fold Sum, better Down;
    /// Open tasks that are due today and not overdue yet.
    TASKS_DUE_TODAY = Gauge "asana.tasks.due_today" in Task by ["workspace"], fold Sum, better Neither;
    /// Open tasks that are due within the seven days after today.
    TASKS_DUE_THIS_WEEK = Gauge "asana.tasks.due_this_week" in Task by ["workspace"], fold Sum, better Neither;
    /// Open tasks without a due date.
    TASKS_NO_DUE_DATE = Gauge "asana.tasks.no_due_date" in Task by ["workspace"], fold Sum, better Neither;
    /// Open tasks that are assigned to nobody.
    TASKS_UNASSIGNED = Gauge "asana.tasks.unassigned" in Task by ["workspace"], fold Sum, better Neither;
    /// Open tasks that are assigned to somebody.
    TASKS_ASSIGNED = Gauge "asana.tasks.assigned" in Task by ["workspace"], fold Sum, better Neither;
    /// Tasks completed a day, over the last seven days.
    VELOCITY_PER_DAY = Gauge "asana.velocity.completed_per_day_7d" in Task / Day by ["workspace"], fold Sum, better Up;
    /// Tasks completed in the last seven days as a percentage of those created in them; over 100 the backlog shrinks.
    VELOCITY_RATE = Gauge "asana.velocity.completion_rate_pct" in Percent by ["workspace"], fold None, better Up;
    /// Mean hours from creation to completion of the tasks completed in the last seven days.
    CYCLE_TIME_AVG = Gauge "asana.cycle_time.avg_hours" in Hour by ["workspace"], fold None, better Down;
    /// Median hours from creation to completion of the tasks completed in the last seven days.
    CYCLE_TIME_P50 = Gauge "asana.cycle_time.p50_hours" in Hour by ["workspace"], fold None, better Down;
    /// 90th percentile of the hours from creation to completion of the tasks completed in the last seven days.
    CYCLE_TIME_P90 = Gauge "asana.cycle_time.p90_hours" in Hour by ["workspace"], fold None, better Down;
    /// People to whom tasks completed in the last seven days are assigned.
    USERS_ACTIVE = Gauge "asana.users.active_7d" in User by ["workspace"], fold None, better Up;
    /// Projects that are neither archived nor completed.
    PROJECTS_ACTIVE = Gauge "asana.projects.active" in Item by ["workspace"], fold Sum, better Neither;
    /// Active projects whose current status update says that they are on track.
    PROJECTS_ON_TRACK = Gauge "asana.projects.on_track" in Item by ["workspace"], fold Sum, better Up;
    /// Active projects whose current status update says that they are at risk.
    PROJECTS_AT_RISK = Gauge "asana.projects.at_risk" in Item by ["workspace"], fold Sum, better Down;
    /// Active projects whose current status update says that they are off track.
    PROJECTS_OFF_TRACK = Gauge "asana.projects.off_track" in Item by ["workspace"], fold Sum, better Down;
    /// Open bugs in a section of triage.
    BUGS_TRIAGE = Gauge "asana.projects.bugs.triage_count" in Task by ["project", "workspace"], fold Sum, better Down;
    /// Open bugs in a section of active work.
    BUGS_ACTIVE = Gauge "asana.projects.bugs.active_count" in Task by ["project", "workspace"],
        fold Sum, better Neither;
    /// Open bugs in a section of the backlog.
    BUGS_BACKLOG = Gauge "asana.projects.bugs.backlog_count" in Task by ["project", "workspace"], fold Sum, better Down;
    /// Open bugs in any other section, or in none.
    BUGS_OTHER = Gauge "asana.projects.bugs.other_count" in Task by ["project", "workspace"], fold Sum, better Down;
    /// Open bugs, in whatever section.
    BUGS_OPEN = Gauge "asana.projects.bugs.total_open" in Task by ["project", "workspace"], fold Sum, better Down;
    /// Bugs completed in the last seven days.
    BUGS_COMPLETED_7D = Gauge "asana.projects.bugs.completed_7d" in Task by ["project", "workspace"],
        fold Sum, better Up;
    /// Bugs completed in the last 30 days.
    BUGS_COMPLETED_30D = Gauge "asana.projects.bugs.completed_30d" in Task by ["project", "workspace"],
        fold Sum, better Up;
    /// Bugs created in the last seven days, completed ones included.
    BUGS_CREATED_7D = Gauge "asana.projects.bugs.created_7d" in Task by ["project", "workspace"], fold Sum, better Down;
    /// Mean days since the creation of the open bugs.
    BUGS_AGE_AVG = Gauge "asana.projects.bugs.avg_age_days" in Day by ["project", "workspace"], fold None, better Down;
    /// Days since the creation of the oldest open bug.
    BUGS_AGE_MAX = Gauge "asana.projects.bugs.oldest_bug_days" in Day by ["project", "workspace"],
        fold Max, better Down;
    /// Mean days since the creation of the open bugs in sections of each kind.
    BUGS_SECTION_AGE_AVG = Gauge "asana.projects.bugs.section_age_days.avg" in Day by ["project", "section", "workspace"],
        fold None, better Down;
    /// Days since the creation of the oldest open bug in sections of each kind.
    BUGS_SECTION_AGE_MAX = Gauge "asana.projects.bugs.section_age_days.max" in Day by ["project", "section", "workspace"],
        fold Max, better Down;
    /// Open bugs with each configured label, as a tag or as the value of a field of one choice.
    BUGS_BY_LABEL = Gauge "asana.projects.bugs.open_by_label" in Task by ["label", "project", "workspace"],
        fold None, better Down;
    /// Hours from creation to completion of each completed task.
    CYCLE_TIME = Distribution "asana.tasks.cycle_time" in Hour by ["workspace"], fold None, better Down;
    /// Tasks completed in the slot.
    TASKS_COMPLETED_NEW = Count "asana.tasks.completed.new" in Task by ["workspace"], fold Sum, better Up;

    /// Score of the open bugs of training: 1 for none, 0 from three.
    SCORE_BUGS = Gauge "health.training.bug_count.fom" in Fraction by ["label", "project", "workspace"],
        fold Min, better Up;
}

#[cfg(test)]
mod tests {
    use super::METRICS;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_has_a_name_of_its_own_that_may_be_sent_and_the_tag_of_its_workspace() {
        let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!((names.len(), METRICS.len()), (36, 36));
        for metric in METRICS {
            assert!(shared::tags::is_name(metric.name), "{}", metric.name);
            assert!(metric.tags.contains(&"workspace") && metric.tags.is_sorted(), "{}", metric.name);
        }
    }
}
