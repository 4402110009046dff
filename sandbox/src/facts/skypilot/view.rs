//! Jobs as they stand at an instant, by the turns of their tasks.

use super::count;
use crate::model::skypilot::{Job, Server, Shape, Task};
use jiff::Timestamp;

pub(super) const WORDS: [&str; 14] = [
    "PENDING",
    "SUBMITTED",
    "STARTING",
    "RECOVERING",
    "RUNNING",
    "WINDING_DOWN",
    "CANCELLING",
    "SUCCEEDED",
    "CANCELLED",
    "FAILED",
    "FAILED_SETUP",
    "FAILED_PRECHECKS",
    "FAILED_NO_RESOURCE",
    "FAILED_CONTROLLER",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Queued,
    Running,
    Succeeded,
    Cancelled,
    Failed,
    Unheard,
}

pub(super) fn group(word: &str) -> Group {
    match WORDS.iter().position(|known| *known == word) {
        Some(0..=3) => Group::Queued,
        Some(4..=6) => Group::Running,
        Some(7) => Group::Succeeded,
        Some(8) => Group::Cancelled,
        Some(_) => Group::Failed,
        None => Group::Unheard,
    }
}

/// A task as it stands.
pub(super) struct Stand<'a> {
    task: &'a Task,
    past: &'a [(Timestamp, &'static str)],
}

impl<'a> Stand<'a> {
    fn new(task: &'a Task, now: Timestamp) -> Self {
        let reached = task.turns.partition_point(|(time, _)| *time <= now);
        Self { task, past: &task.turns[..reached] }
    }

    pub fn word(&self) -> &'static str {
        self.past.last().map_or("PENDING", |(_, word)| *word)
    }

    pub fn first(&self, words: &[&str]) -> Option<Timestamp> {
        self.past.iter().find(|(_, word)| words.contains(word)).map(|(time, _)| *time)
    }

    pub fn ended(&self) -> Option<Timestamp> {
        let over = matches!(group(self.word()), Group::Succeeded | Group::Cancelled | Group::Failed);
        self.past.last().filter(|_| over && !self.task.endless).map(|(time, _)| *time)
    }

    /// Seconds since its first start, without the time it spent recovering.
    fn ran(&self, now: Timestamp) -> f64 {
        if self.task.forgetful {
            return 0.0;
        }
        let over = matches!(group(self.word()), Group::Succeeded | Group::Cancelled | Group::Failed);
        let (mut seconds, mut started) = (0.0, false);
        for (place, (from, word)) in self.past.iter().enumerate() {
            started |= *word == "RUNNING";
            let last = place + 1 == self.past.len();
            let until = self.past.get(place + 1).map_or(now, |(until, _)| *until);
            if started && *word != "RECOVERING" && !(last && over) {
                seconds += until.duration_since(*from).as_secs_f64();
            }
        }
        seconds
    }
}

/// A job as it stands.
pub(super) struct View<'a> {
    pub job: &'a Job,
    pub tasks: Vec<Stand<'a>>,
    now: Timestamp,
}

impl<'a> View<'a> {
    pub fn current(&self) -> &Stand<'a> {
        let unfinished = self.tasks.iter().find(|task| task.word() != "SUCCEEDED");
        unfinished.unwrap_or(&self.tasks[self.tasks.len() - 1])
    }

    pub fn group(&self) -> Group {
        group(self.current().word())
    }

    pub fn is_live(&self) -> bool {
        // While any task is not over, the server lists the job as open; its status decides what it counts as.
        matches!(self.group(), Group::Queued | Group::Running)
    }

    pub fn is_open(&self) -> bool {
        self.tasks.iter().any(|task| matches!(group(task.word()), Group::Queued | Group::Running | Group::Unheard))
    }

    pub fn started(&self) -> Option<Timestamp> {
        self.tasks.iter().filter_map(|task| task.first(&["RUNNING"])).min()
    }

    pub fn submitted(&self) -> impl Iterator<Item = Timestamp> {
        self.tasks.iter().filter_map(|task| task.first(&["SUBMITTED", "STARTING"]))
    }

    pub fn ended(&self) -> Option<Timestamp> {
        self.tasks.iter().filter_map(Stand::ended).max()
    }

    pub fn runtime(&self, until: Timestamp) -> Option<f64> {
        let seconds: f64 = self.tasks.iter().map(|task| task.ran(self.now)).sum();
        if seconds > 0.0 {
            return Some(seconds);
        }
        self.started().map(|started| until.duration_since(started).as_secs_f64())
    }

    pub fn recoveries(&self) -> f64 {
        let of = |task: &Stand<'_>| {
            task.past.windows(2).filter(|pair| pair[0].1 == "RECOVERING" && pair[1].1 == "RUNNING").count()
        };
        count(self.tasks.iter().map(of).max().unwrap_or(0))
    }

    pub fn region(&self) -> Option<&'static str> {
        let current = self.current();
        current.task.place.filter(|_| current.first(&["RUNNING"]).is_some()).map(|(_, region)| region)
    }

    pub fn pricing(&self) -> Option<&'static str> {
        let task = self.current().task;
        (task.shape != Shape::Nothing).then_some(if task.spot { "spot" } else { "ondemand" })
    }

    /// Type and number of its GPUs: nothing where nobody can read them.
    pub fn gpus(&self) -> Option<(String, f64)> {
        let task = self.current().task;
        match (task.accelerators, task.shape) {
            (None, _) | (_, Shape::Nothing) => Some((String::new(), 0.0)),
            (Some(_), Shape::Unreadable) => None,
            #[expect(clippy::cast_precision_loss, reason = "a handful of nodes")]
            (Some((name, number)), _) => Some((kind(name), number * task.nodes.unwrap_or(1) as f64)),
        }
    }
}

fn kind(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.trim_start_matches("nvidia-").trim_start_matches("tesla-");
    if ["h100-sxm", "h100-80gb", "h100-nvlink"].contains(&name) { "h100".to_owned() } else { name.to_owned() }
}

pub(super) fn views(server: &Server, now: Timestamp) -> Vec<View<'_>> {
    let made = |job: &&Job| job.tasks.iter().all(|task| task.turns.first().is_some_and(|(made, _)| *made <= now));
    server
        .jobs
        .iter()
        .filter(made)
        .map(|job| View { job, tasks: job.tasks.iter().map(|task| Stand::new(task, now)).collect(), now })
        .collect()
}
