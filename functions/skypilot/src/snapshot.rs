//! What is known of a server at one instant: plain data, without names, titles or people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::prices::{Price, Pricing};
use std::collections::BTreeMap;

/// Everything known of a server; `None` means "not known".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The alias of the server.
    pub server: String,
    /// What the formulas are configured with.
    pub rules: Rules,
    /// Digest of the address: what was seen of a server is remembered of the same one alone.
    pub source: String,
    /// What is known of its managed jobs.
    pub queue: Queue,
    /// Clusters that are up and are somebody's own.
    pub clusters: Option<usize>,
}

/// Managed jobs, and what we remember of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Jobs with a task that is not over.
    pub live: Option<Vec<Job>>,
    /// Rows of the whole retained history by status.
    pub history: Option<Kept<BTreeMap<String, u64>>>,
    /// Jobs that are over, as far as their end lies in the longest window.
    pub ended: Option<Kept<Vec<Job>>>,
    /// What we saw ourselves.
    pub seen: Seen,
    /// Whether the jobs controller sleeps, so that history and ended jobs are those of an earlier time.
    pub asleep: bool,
    /// Whether the server refuses the newest of the fields that are asked for.
    pub is_plain: bool,
}

/// An answer with its age. One that could not be read again is kept for a jobs controller that goes to sleep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept<T> {
    /// When it was read.
    pub at: Timestamp,
    /// Whether it is still true; if not, nothing follows from it yet.
    pub is_known: bool,
    /// What was read.
    pub value: T,
}

/// What the server does not tell, or not again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The highest id of a job, once the queue was read.
    pub newest: Option<u64>,
    /// When each open job was first seen.
    pub open: BTreeMap<u64, Timestamp>,
    /// Jobs whose end the server does not know, as of those that were cancelled while they were pending: it is when that
    /// was noticed.
    pub ended: Vec<Job>,
}

impl Snapshot {
    /// What outlives a fetch of everything.
    pub(crate) fn lasting(&self) -> Self {
        let queue = Queue { live: None, is_plain: false, ..self.queue.clone() };
        Self { queue, clusters: None, ..self.clone() }
    }
}

impl Queue {
    /// Rows of the whole history, where they are known.
    pub(crate) fn history(&self) -> Option<&BTreeMap<String, u64>> {
        self.history.as_ref().filter(|kept| kept.is_known).map(|kept| &kept.value)
    }

    /// Jobs that are over, where they are known: those whose end the server tells, and the others.
    pub(crate) fn ended(&self) -> Option<Vec<&Job>> {
        let told = self.ended.as_ref().filter(|kept| kept.is_known)?;
        Some(told.value.iter().chain(&self.seen.ended).collect())
    }

    /// The same queue while it cannot be read: what was seen and what was told before are kept for later.
    pub(crate) fn unread(self) -> Self {
        Self {
            live: None,
            history: self.history.map(|kept| kept.marked(false)),
            ended: self.ended.map(|kept| kept.marked(false)),
            asleep: false,
            ..self
        }
    }
}

impl<T> Kept<T> {
    /// What was read at this time.
    pub(crate) const fn read(at: Timestamp, value: T) -> Self {
        Self { at, is_known: true, value }
    }

    /// The same, known or not.
    pub(crate) fn marked(self, is_known: bool) -> Self {
        Self { is_known, ..self }
    }
}

/// Whether so many of the running jobs have accelerators that cannot be read that the sums would say nothing: more than a
/// tenth.
pub(crate) const fn hides_gpus(unread: usize, running: usize) -> bool {
    unread * 10 > running
}

/// What the formulas are configured with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// From how many hours on a job is long.
    pub long_hours: f64,
    /// Dollars for an hour of a GPU by its type.
    pub prices: BTreeMap<String, Price>,
}

/// A managed job: all its tasks together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id on the server.
    pub id: u64,
    /// The status of its first task that did not succeed, else `Succeeded`; of a job group, that of a task that runs,
    /// else of its primary tasks.
    pub status: Status,
    /// When its first task was submitted.
    pub submitted_at: Option<Timestamp>,
    /// When its last task was submitted.
    pub last_submitted_at: Option<Timestamp>,
    /// When its first task started.
    pub start_at: Option<Timestamp>,
    /// When its last task ended; of jobs that are over alone.
    pub end_at: Option<Timestamp>,
    /// Seconds that its tasks ran, as the server says; of a job group, those of the longest.
    pub seconds: f64,
    /// Recoveries of the task with the most.
    pub recoveries: u64,
    /// Digest of its name.
    pub name: Option<String>,
    /// Digest of its user.
    pub user: Option<String>,
    /// GPUs of the tasks that hold them; nothing where they cannot be read.
    pub gpus: Option<Vec<Gpus>>,
    /// How its current task is paid for.
    pub pricing: Option<Pricing>,
    /// Where its current task runs.
    pub region: Option<String>,
}

/// GPUs of one type, on all nodes of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gpus {
    /// Their type.
    pub kind: String,
    /// How the task is paid for.
    pub pricing: Option<Pricing>,
    /// How many they are.
    pub number: f64,
}

/// What a status means for resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Wants resources that it does not hold.
    Queued,
    /// Holds resources.
    Running,
    /// Over, and well.
    Succeeded,
    /// Over, because somebody wanted so.
    Cancelled,
    /// Over, and not well.
    Failed,
    /// A word that nobody has heard of.
    Unknown,
}

macro_rules! statuses {
    ($($status:ident $word:literal $group:ident)*) => {
        /// The exact status of a job.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Status { $(#[doc = concat!("`", $word, "`")] $status,)* }

        impl Status {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$status),*];

            /// The server's word; `OTHER` for those that it does not have.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$status => $word,)* }
            }

            /// What it means for resources: each status is in one group.
            #[must_use]
            pub const fn group(self) -> Group {
                match self { $(Self::$status => Group::$group,)* }
            }
        }
    };
}

statuses! {
    Pending "PENDING" Queued
    Submitted "SUBMITTED" Queued
    Starting "STARTING" Queued
    Recovering "RECOVERING" Queued
    Running "RUNNING" Running
    WindingDown "WINDING_DOWN" Running
    Cancelling "CANCELLING" Running
    Succeeded "SUCCEEDED" Succeeded
    Cancelled "CANCELLED" Cancelled
    Failed "FAILED" Failed
    FailedSetup "FAILED_SETUP" Failed
    FailedPrechecks "FAILED_PRECHECKS" Failed
    FailedNoResource "FAILED_NO_RESOURCE" Failed
    FailedController "FAILED_CONTROLLER" Failed
    Other "OTHER" Unknown
}

impl Status {
    /// The status of a word.
    #[must_use]
    pub fn read(word: Option<&str>) -> Self {
        let known = Self::ALL.iter().find(|status| **status != Self::Other && Some(status.word()) == word);
        known.copied().unwrap_or(Self::Other)
    }

    /// Whether a task stays in it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self.group(), Group::Succeeded | Group::Cancelled | Group::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_fourteen_words_is_in_exactly_one_group() {
        let table = [
            (Group::Queued, &["PENDING", "SUBMITTED", "STARTING", "RECOVERING"][..]),
            (Group::Running, &["RUNNING", "WINDING_DOWN", "CANCELLING"]),
            (Group::Succeeded, &["SUCCEEDED"]),
            (Group::Cancelled, &["CANCELLED"]),
            (Group::Failed, &["FAILED", "FAILED_SETUP", "FAILED_PRECHECKS", "FAILED_NO_RESOURCE", "FAILED_CONTROLLER"]),
        ];
        let mut words = 0;
        for (group, members) in table {
            for word in members {
                let status = Status::read(Some(word));
                assert_eq!((status.word(), status.group()), (*word, group));
                words += 1;
            }
        }
        assert_eq!((words, Status::ALL.len()), (14, 15));
        for odd in [Some("HIBERNATING"), Some("running"), Some("OTHER"), Some(""), None] {
            assert_eq!(Status::read(odd).group(), Group::Unknown, "{odd:?}");
        }
    }
}
