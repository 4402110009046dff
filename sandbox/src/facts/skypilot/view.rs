//! Jobs as they stand at an instant, by the turns of their tasks.

use super::count;
use crate::model::skypilot::{Job, Release, Server, Shape, Task};
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
    server: &'a Server,
    now: Timestamp,
    /// When it was looked at the server, ascending, this time the last.
    looks: Vec<Timestamp>,
}

/// GPUs of one type that are paid for in one way.
pub(super) type Gpus = (String, Option<&'static str>, f64);

impl<'a> View<'a> {
    /// The task that speaks for the job. In a group one that runs comes before one that does not, and a primary one
    /// before the others.
    pub fn current(&self) -> &Stand<'a> {
        let numbered = self.tasks.iter().enumerate();
        let rank = |(place, task): &(usize, &Stand<'a>)| {
            let (idle, is_last) = (group(task.word()) != Group::Running, *place + 1 == self.tasks.len());
            let done = task.word() == "SUCCEEDED";
            let of_group = if self.job.parallel { (idle, !task.task.primary) } else { (false, false) };
            // Of a pipeline that is done the last task speaks.
            (of_group, done, done && !self.job.parallel && !is_last, *place)
        };
        numbered.min_by_key(rank).map_or(&self.tasks[0], |(_, task)| task)
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

    /// Since when it has been waiting: since it was submitted, or since somebody looked while it was pending.
    pub fn waits_since(&self) -> Option<Timestamp> {
        self.submitted().min().or_else(|| self.looks.iter().copied().find(|look| self.job.tasks[0].turns[0].0 <= *look))
    }

    /// When it ended, as the server says; else when that was noticed by somebody who had looked before.
    pub fn ended(&self) -> Option<Timestamp> {
        let over = self.tasks.iter().filter_map(|task| task.past.last()).map(|(time, _)| *time).max()?;
        let told = self.tasks.iter().filter_map(Stand::ended).max();
        let first = self.looks.iter().position(|look| over <= *look);
        told.or_else(|| first.filter(|place| *place > 0 && !self.is_open()).map(|place| self.looks[place]))
    }

    pub fn runtime(&self, until: Timestamp) -> Option<f64> {
        let times = self.tasks.iter().map(|task| task.ran(self.now));
        let seconds = if self.job.parallel { times.reduce(f64::max)? } else { times.sum() };
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
        // Before it kept where a job ran last, a server knew of those alone that have a cluster.
        let has_cluster = !matches!(current.task.shape, Shape::ResourcesAlone | Shape::Nothing);
        let place = current.task.place.filter(|_| has_cluster || self.server.release == Release::New);
        place.filter(|_| self.started().is_some()).map(|(_, region)| region)
    }

    pub fn pricing(&self) -> Option<&'static str> {
        self.current().pricing()
    }

    /// Its GPUs: nothing where nobody can read them.
    pub fn gpus(&self) -> Option<Vec<Gpus>> {
        let holding = self.tasks.iter().filter(|task| self.job.parallel && group(task.word()) == Group::Running);
        let holding: Vec<&Stand<'a>> = holding.collect();
        if holding.is_empty() {
            Some(vec![self.current().gpus()?])
        } else {
            holding.into_iter().map(Stand::gpus).collect()
        }
    }
}

impl Stand<'_> {
    /// How it is paid for; one that is on its machines says so, and before that either may be had.
    fn pricing(&self) -> Option<&'static str> {
        let is_open = self.task.either && self.task.shape != Shape::Object;
        let is_known = self.task.shape != Shape::Nothing && !is_open;
        is_known.then_some(if self.task.spot { "spot" } else { "ondemand" })
    }

    /// Type, pricing and number of its GPUs: nothing where nobody can read them.
    fn gpus(&self) -> Option<Gpus> {
        match (self.task.accelerators, self.task.shape) {
            (None, _) | (_, Shape::Nothing) => Some((String::new(), None, 0.0)),
            (Some(_), Shape::Unreadable) => None,
            #[expect(clippy::cast_precision_loss, reason = "a handful of nodes")]
            (Some((name, number)), _) => {
                Some((kind(name), self.pricing(), number * self.task.nodes.unwrap_or(1) as f64))
            }
        }
    }
}

fn kind(name: &str) -> String {
    let name = name.to_lowercase();
    let name = name.trim_start_matches("nvidia-").trim_start_matches("tesla-");
    if ["h100-sxm", "h100-80gb", "h100-nvlink"].contains(&name) { "h100".to_owned() } else { name.to_owned() }
}

pub(super) fn views<'a>(server: &'a Server, now: Timestamp, looks: &[Timestamp]) -> Vec<View<'a>> {
    let made = |job: &&Job| job.tasks.iter().all(|task| task.turns.first().is_some_and(|(made, _)| *made <= now));
    let looks: Vec<Timestamp> = looks.iter().copied().filter(|look| *look < now).chain([now]).collect();
    let view = |job: &'a Job| {
        let tasks = job.tasks.iter().map(|task| Stand::new(task, now)).collect();
        View { job, tasks, server, now, looks: looks.clone() }
    };
    server.jobs.iter().filter(made).map(view).collect()
}
