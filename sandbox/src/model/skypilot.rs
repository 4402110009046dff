//! What happens on SkyPilot: API servers with managed jobs, their tasks, and clusters.

use super::PersonId;
use jiff::Timestamp;

/// One API server and all that ever happened on it.
#[derive(Debug, Clone)]
pub struct Server {
    /// The word that it is configured under.
    pub alias: &'static str,
    /// What release it is.
    pub release: Release,
    /// Whether there is a jobs controller, and whether it answers.
    pub controller: Controller,
    /// Whether the jobs controller is a machine of its own, which answers over gRPC.
    pub remote: bool,
    /// Managed jobs by ascending id.
    pub jobs: Vec<Job>,
    /// Clusters by name.
    pub clusters: Vec<Cluster>,
}

/// How old a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// With `/jobs/queue/v2` and job groups.
    New,
    /// With `/jobs/queue/v2`, but neither job groups nor fields of theirs; its pages are of rows.
    Middle,
    /// Without it: one route answers with everything.
    Old,
}

/// The state of the jobs controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    /// It answers.
    Up,
    /// Nobody has launched a managed job yet, or it was stopped because there was none.
    Absent,
    /// There is one, and it does not answer.
    Unreachable,
}

/// A managed job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id on this server.
    pub id: u64,
    /// Its name: text of a person.
    pub name: String,
    /// Who launched it; `None` is a job from before the server kept that.
    pub user: Option<PersonId>,
    /// The workspace it runs in.
    pub workspace: &'static str,
    /// Whether its tasks run side by side (a job group) or one after another (a pipeline).
    pub parallel: bool,
    /// The pool of workers that it runs on.
    pub pool: Option<Pool>,
    /// Its tasks by ascending task id; most jobs have one.
    pub tasks: Vec<Task>,
}

/// A pool of workers, each of which may be shared by several jobs.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Its name.
    pub name: &'static str,
    /// Name and number of accelerators of a worker.
    pub accelerators: (&'static str, f64),
    /// Whether its workers run on spot.
    pub spot: bool,
}

/// One task of a managed job: a row of the queue.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact that the row tells or hides")]
pub struct Task {
    /// Its name: text of a person.
    pub name: String,
    /// Nodes, as asked for; `None` where the text of the resources does not begin with a count.
    pub nodes: Option<u64>,
    /// Name and number of accelerators of each node.
    pub accelerators: Option<(&'static str, f64)>,
    /// How the record shows them.
    pub shape: Shape,
    /// Whether it runs on spot.
    pub spot: bool,
    /// Whether it was asked for on spot or on demand, whichever is had.
    pub either: bool,
    /// Whether its job group waits for it. The other tasks of the group are ended with those that it waits for.
    pub primary: bool,
    /// Where it runs, from its first start on.
    pub place: Option<(&'static str, &'static str)>,
    /// Its statuses with the time each was reached, ascending; the first is the time the job was made.
    pub turns: Vec<(Timestamp, &'static str)>,
    /// Whether the server forgets how long it ran, and says 0.
    pub forgetful: bool,
    /// Whether the row is without an `end_at`, as those are that were cancelled while they were pending.
    pub endless: bool,
}

/// How a record shows the accelerators of a running task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An object, and the long form of the resources: `2x(gpus=A100:8, …)`.
    Object,
    /// A text such as `{'A100': 8}`, and the short form of the resources: `2x[A100:8]`.
    Text,
    /// Nothing but the resources, as when the cluster is gone.
    ResourcesAlone,
    /// A text that nobody can read.
    Unreadable,
    /// Nothing at all: no resources text yet.
    Nothing,
}

/// A cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// Its name: text of a person, or that of a controller.
    pub name: String,
    /// Who launched it.
    pub user: PersonId,
    /// Whether it was made for a managed job.
    pub managed: bool,
    /// `INIT`, `UP`, `STOPPED`, `AUTOSTOPPING` with their times, ascending; the first makes it.
    pub turns: Vec<(Timestamp, &'static str)>,
    /// When it was taken down.
    pub removed_at: Option<Timestamp>,
}
