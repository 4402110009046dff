//! Projects and their training runs at W&B.

use jiff::{SignedDuration, Timestamp};

/// How often a run that trains says that it lives.
pub const BEAT: SignedDuration = SignedDuration::from_secs(30);

/// A project: a namespace of runs.
#[derive(Debug, Clone)]
pub struct Project {
    /// The team or person that owns it.
    pub entity: String,
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether the holder of the sandbox's key may see it; what may not be seen is not there.
    pub visible: bool,
    /// Whether everybody may see it, without any key.
    pub public: bool,
    /// All its runs, in the order in which they were created.
    pub runs: Vec<Run>,
}

/// A run with the whole life it had or will have.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id within the project.
    pub name: String,
    /// What people call it: personal data that must reach no tag, log or snapshot.
    pub display_name: Option<String>,
    /// The sweep it belongs to.
    pub sweep: Option<String>,
    /// Who started it, a place in the organisation's list of people.
    pub user: usize,
    /// When it was created.
    pub created_at: Timestamp,
    /// The server's word for it, from which time on; the first at its creation.
    pub states: Vec<(Timestamp, &'static str)>,
    /// The stretches in which it beat, first and last beat included.
    pub beats: Vec<(Timestamp, Timestamp)>,
    /// Its summary.
    pub summary: Vec<(String, Fact)>,
    /// Whether the summary arrives as JSON inside of a string.
    pub wrapped: bool,
    /// The machines that report: each of a run that labels its nodes, else the first one alone; none where nothing is
    /// reported at all.
    pub machines: Option<Vec<Machine>>,
    /// From when on they report: a run that has barely begun says nothing about its machine.
    pub watched_from: Timestamp,
    /// Whether the keys of its system metrics lack their first word, as those of some clients do.
    pub bare_keys: bool,
    /// The number of nodes in its configuration.
    pub nodes: Option<u32>,
}

/// What a machine of a run reports of its GPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The label that its metrics carry, where each node of a run reports for itself.
    pub label: Option<String>,
    /// Every card of the host, whoever uses it, each with its last utilisation if that is reported.
    pub cards: Vec<(u32, Option<f64>)>,
    /// The cards that the run's own processes use, where they can be seen: from inside of some containers they cannot.
    pub used: Option<Vec<u32>>,
}

/// A value of a summary.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A finite number.
    Number(f64),
    /// One of Python's words for what is no finite number: `NaN`, `Infinity`, `-Infinity`.
    Word(&'static str),
    /// A text.
    Text(String),
    /// A dictionary.
    Nested(Vec<(String, Fact)>),
}

impl Run {
    /// The server's word for it at this instant; none before it was created.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> Option<&'static str> {
        self.states.iter().rev().find(|(from, _)| *from <= now).map(|(_, word)| *word)
    }

    /// Its last beat at this instant, if it ever beat.
    #[must_use]
    pub fn heartbeat(&self, now: Timestamp) -> Option<Timestamp> {
        let (first, last) = *self.beats.iter().rev().find(|(first, _)| *first <= now)?;
        if now >= last {
            return Some(last);
        }
        let beats = now.duration_since(first).as_secs() / BEAT.as_secs();
        Some(first + SignedDuration::from_secs(beats * BEAT.as_secs()))
    }
}
