//! What tests of more than one crate want.

mod fake;
mod fuse;
mod journal;
mod sink;
mod stage;
mod standin;

pub use fake::{Fake, Reply, Seen};
pub use fuse::Fuse;
pub use journal::Journal;
pub use sink::{Points, Sink};
pub use stage::{Stage, Values, counts, differences, gaps, gauges, observations, pending, says, unread, value};
pub use standin::{METRICS as STANDIN_METRICS, Place, START, StandIn};

use crate::{Metric, Sample};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// An instant from its text.
///
/// # Panics
/// When the text is no instant.
#[must_use]
#[expect(clippy::expect_used, reason = "a test's literal is right or the test is wrong")]
pub fn at(text: &str) -> Timestamp {
    text.parse().expect("an instant such as 2026-01-08T00:00:00Z")
}

/// The known samples, one a line, sorted; slots and observations carry their time.
#[must_use]
pub fn lines(samples: &[Sample]) -> String {
    let mut lines: Vec<String> = samples
        .iter()
        .filter(|sample| sample.value().is_some())
        .map(|sample| match sample.time() {
            Some(time) => format!("{sample} @ {time}"),
            None => sample.to_string(),
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

/// Asserts that every sample is in the catalogue, has exactly its declared tags, is finite and occurs once, and that
/// every declared row was emitted.
///
/// # Panics
/// With the first sample or row that breaks the promise.
pub fn conforms(metrics: &[&'static Metric], samples: &[Sample]) {
    let mut seen = BTreeSet::new();
    for sample in samples {
        let metric = sample.metric();
        assert!(metrics.iter().any(|other| other.name == metric.name), "{} is not in the catalogue", sample.name());
        assert!(sample.is_declared(), "{sample} has other tags than {:?}", metric.tags);
        assert!(sample.value().is_none_or(f64::is_finite), "{sample}");
        let thing = sample.occurrence().map(|occurrence| occurrence.digest.clone());
        assert!(seen.insert((sample.series(), sample.time(), thing)), "{sample} occurs twice");
    }
    for metric in metrics {
        let emitted = samples.iter().any(|sample| sample.metric().name == metric.name);
        assert!(emitted, "{} is declared and was not emitted", metric.name);
    }
}

/// A folder of its own for a test, gone when the test is over.
#[derive(Debug)]
pub struct Folder(std::path::PathBuf);

impl Folder {
    /// An empty folder below the system's one for such things.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without its folder has failed")]
    pub fn new(name: &str) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vitals-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}
