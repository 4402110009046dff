//! How many requests a collector may make for one target; the benchmark fails above it.

/// The most requests of a run for one target.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// The variable that lists the targets, so that all but one can be left out.
    pub targets: &'static str,
    /// A full fetch of an organisation of normal size.
    pub full: f64,
    /// A continued fetch of it.
    pub continued: f64,
    /// A full fetch of one ten times as large.
    pub tenfold: f64,
    /// A continued fetch of that.
    pub tenfold_continued: f64,
}
