//! What a collector may cost its upstream: requests of one target, held against by the benchmark.

/// The most requests of a run for one target.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The variable that lists the targets, so that all but one can be left out.
    pub targets: &'static str,
    /// A fetch of everything of a normal organisation.
    pub full: f64,
    /// A continued fetch of it.
    pub continued: f64,
    /// A fetch of everything of one ten times as large.
    pub tenfold: f64,
    /// A continued fetch of that.
    pub tenfold_continued: f64,
}
