//! The parts that a server is read in.

use shared::Part;

/// Clusters that are up.
pub(crate) const CLUSTERS: Part = Part::new("clusters");
/// Jobs that are not over.
pub(crate) const LIVE: Part = Part::new("live");
/// The server's counts of its whole history.
pub(crate) const HISTORY: Part = Part::new("history");
/// Jobs that are over.
pub(crate) const ENDED: Part = Part::new("ended");
/// The statuses of live jobs.
pub(crate) const STATUSES: Part = Part::new("statuses").of_records();
/// The accelerators of running jobs.
pub(crate) const ACCELERATORS: Part = Part::new("accelerators").of_records();

/// All of them.
pub(crate) const ALL: [Part; 6] = [CLUSTERS, LIVE, HISTORY, ENDED, STATUSES, ACCELERATORS];

/// Those that are read from the queue of jobs, and fail with it.
pub(crate) const OF_QUEUE: [Part; 5] = [LIVE, HISTORY, ENDED, STATUSES, ACCELERATORS];
