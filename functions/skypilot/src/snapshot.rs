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
    /// Digest of the address and of how far back was asked: what a jobs controller said before it went to sleep is
    /// remembered of the same server alone.
    pub source: String,
    /// When the queue was last read; earlier than the snapshot while the jobs controller sleeps.
    pub read_at: Option<Timestamp>,
    /// Whether the jobs controller sleeps, so that history and ended jobs are those of `read_at`.
    pub asleep: bool,
    /// Jobs with a task that is not over.
    pub live: Option<Vec<Job>>,
    /// Rows of the whole retained history by status.
    pub history: Option<BTreeMap<String, u64>>,
    /// Jobs that are over, as far as their end lies in the longest window.
    pub ended: Option<Vec<Job>>,
    /// Clusters that are up and are somebody's own.
    pub clusters: Option<usize>,
}

impl Snapshot {
    /// What a jobs controller that sleeps cannot repeat.
    pub(crate) fn lasting(&self) -> Option<Self> {
        self.read_at?;
        Some(Self {
            server: self.server.clone(),
            rules: self.rules.clone(),
            source: self.source.clone(),
            read_at: self.read_at,
            asleep: self.asleep,
            live: None,
            history: self.history.clone(),
            ended: self.ended.clone(),
            clusters: None,
        })
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
    /// The status of its first task that did not succeed, else `Succeeded`.
    pub status: Status,
    /// When its first task was submitted.
    pub submitted_at: Option<Timestamp>,
    /// When its last task was submitted.
    pub last_submitted_at: Option<Timestamp>,
    /// When its first task started.
    pub start_at: Option<Timestamp>,
    /// When its last task ended; of jobs that are over alone.
    pub end_at: Option<Timestamp>,
    /// Seconds that its tasks ran, as the server says.
    pub seconds: f64,
    /// Recoveries of the task with the most.
    pub recoveries: u64,
    /// Digest of its user.
    pub user: Option<String>,
    /// GPUs of its current task by type, on all nodes; nothing where they cannot be read.
    pub gpus: Option<BTreeMap<String, f64>>,
    /// How its current task is paid for.
    pub pricing: Option<Pricing>,
    /// Where its current task runs.
    pub region: Option<String>,
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
