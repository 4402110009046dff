//! The parts that a project is read in.

use shared::Part;

/// The server's own counts of runs.
pub(crate) const COUNTS: Part = Part::new("counts");
/// Runs with a heartbeat in the window.
pub(crate) const RECENT: Part = Part::new("recent");
/// The best accuracy ever.
pub(crate) const BEST: Part = Part::new("best");
/// The summaries that the rows need.
pub(crate) const SUMMARIES: Part = Part::new("summaries");
/// What runs tell of their GPUs.
pub(crate) const GPUS: Part = Part::new("gpus").of_records();

/// All of them.
pub(crate) const ALL: [Part; 5] = [COUNTS, RECENT, BEST, SUMMARIES, GPUS];
