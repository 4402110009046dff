//! What is known of one project at one instant: slim, without any name or text of a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All that is known of one project; `None` is what could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The word that tags the project.
    pub project: String,
    /// The configuration that the formulas need.
    pub rules: Rules,
    /// When it was fetched.
    pub at: Timestamp,
    /// The server's own counts.
    pub counts: Option<Counts>,
    /// Runs with a heartbeat in the window of seven days, by ascending id.
    pub runs: Option<Vec<Run>>,
    /// Whether the best accuracy was looked for; then what was found, which may be nothing.
    pub best: Option<Option<f64>>,
    /// Whether the summaries that the rows need are known; then how far back each key was looked for.
    pub summaries: Option<Searched>,
    /// What the server does not take.
    pub refused: Refused,
}

/// For each of our words: the summary of every run that ended after this time and has the word's key was read.
pub type Searched = BTreeMap<String, Timestamp>;

/// What a server does not take, with the time at which it said so, so that it is asked in another form.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// The address of the server.
    pub server: String,
    /// The forms of asking that it refused.
    pub forms: BTreeMap<Form, Timestamp>,
}

/// A form of asking that a server may refuse, and that there is another one for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Pages as large as W&B takes them.
    LargePage,
    /// Filters for runs that have a key in their summary.
    KeyFilter,
    /// Filters for several states.
    StateFilter,
}

/// The configuration that the formulas need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// After so many minutes without a heartbeat a run is stale.
    pub stale_minutes: u32,
    /// The words for the configured keys of summaries; the first two are accuracy and loss.
    pub keys: Vec<String>,
    /// US dollars for an hour of one GPU, where a type and its price are configured.
    pub gpu_price: Option<f64>,
    /// Whether runs on somebody's own machine count among those that use GPUs.
    pub local_gpus: bool,
}

/// The server's own counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All runs, ever.
    pub all: u64,
    /// Runs in the state running, dead ones included.
    pub running: u64,
}

/// A run with a heartbeat.
#[expect(clippy::struct_field_names, reason = "a run has a type, which is no word for a field")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Stands for its id.
    pub id: String,
    /// Stands for what people call it, by which jobs of other upstreams are told to be the same.
    pub label: String,
    /// What kind of work it does.
    pub run_type: RunType,
    /// The server's word for how it stands.
    pub state: State,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last beat.
    pub heartbeat_at: Timestamp,
    /// Its GPUs on all nodes, none of a run on CPUs, if it tells.
    pub gpus: Option<u32>,
    /// The mean of the last reported utilisation of its GPUs in percent, if it tells.
    pub utilization: Option<f64>,
    /// The finite values of its summary by our words; `None` is a summary that was not read.
    pub values: Option<BTreeMap<String, f64>>,
}

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident $($(#[doc = $help:literal])+ $variant:ident $word:literal)+) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[doc = $help])+ $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// As a tag says it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

words! {
    /// What kind of work a run does, in the order in which the first that fits is taken.
    RunType
    /// Started by a launch from GitHub.
    Ptm "ptm"
    /// Part of a search over parameters.
    Sweep "sweep"
    /// Of the stable suite.
    Stable "stable"
    /// On somebody's own machine.
    Local "local"
    /// None of these.
    Other "other"
}

words! {
    /// How the server says that a run stands.
    State
    /// It trains, or it died without anybody noticing.
    Running "running"
    /// It waits to begin.
    Pending "pending"
    /// It is about to lose its machine.
    Preempting "preempting"
    /// It ended well.
    Finished "finished"
    /// It ended with an error.
    Failed "failed"
    /// It stopped to beat.
    Crashed "crashed"
    /// Somebody ended it.
    Killed "killed"
    /// It lost its machine.
    Preempted "preempted"
    /// A word that the catalogue does not know.
    Unknown "unknown"
}

words! {
    /// How a run ended.
    Outcome
    /// Finished.
    Success "success"
    /// Failed or crashed.
    Failure "failure"
    /// Killed or preempted.
    Stopped "stopped"
}

impl State {
    /// Those that a run ends in.
    pub const ENDED: [Self; 5] = [Self::Finished, Self::Failed, Self::Crashed, Self::Killed, Self::Preempted];

    /// The state of this word.
    #[must_use]
    pub fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.word() == word).unwrap_or(Self::Unknown)
    }

    /// How a run of this state ended, if it did.
    #[must_use]
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Finished => Some(Outcome::Success),
            Self::Failed | Self::Crashed => Some(Outcome::Failure),
            Self::Killed | Self::Preempted => Some(Outcome::Stopped),
            Self::Running | Self::Pending | Self::Preempting | Self::Unknown => None,
        }
    }
}

impl Run {
    /// When it ended, if it did.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.state.outcome().map(|_| self.heartbeat_at)
    }

    /// By which of two ended runs is the later one: the end, then the creation.
    #[must_use]
    pub const fn age(&self) -> (Timestamp, Timestamp) {
        (self.heartbeat_at, self.created_at)
    }

    /// What its summary says by this word, if it was read and says anything.
    #[must_use]
    pub fn value(&self, word: &str) -> Option<f64> {
        self.values.as_ref()?.get(word).copied()
    }
}
