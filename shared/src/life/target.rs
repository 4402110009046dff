//! One target of a run, from what was measured of it to what of that is committed.

use super::commit::Committed;
use crate::cursor::Loaded;
use crate::datadog::{Dropped, add};
use crate::heartbeat::{STORE, Share};
use crate::{Event, Kind, Sample};
use jiff::Timestamp;

/// A target with what was measured of it.
#[derive(Debug)]
pub(crate) struct Target {
    /// The result of its parts.
    pub share: Share,
    /// Its gauges and counts.
    pub series: Vec<Sample>,
    /// Everything that ended in it; the cursor decides what is new.
    pub observations: Vec<Sample>,
    /// What the store has in the place of its cursor.
    pub cursor: Loaded,
}

impl Target {
    pub(crate) fn new(share: Share, cursor: Loaded, samples: Vec<Sample>) -> Self {
        let (observations, series) = samples.into_iter().partition(|sample| sample.metric().kind == Kind::Distribution);
        Self { share, series, observations, cursor }
    }

    /// Whether a run of this scope was committed at this time or later.
    pub(crate) fn is_committed(&self, event: &Event) -> bool {
        self.cursor.cursor.as_ref().is_some_and(|cursor| cursor.has_seen(event.now(), event.scope()))
    }

    /// Whether everything is known that could be observed.
    pub(crate) fn is_whole(&self) -> bool {
        self.share.parts.iter().all(|part| *part == STORE || self.share.findings.is_whole(*part))
    }

    /// The result where nothing of it is committed: later runs may have overtaken it all the same.
    pub(crate) fn uncommitted(&self, now: Timestamp) -> Committed {
        let is_overtaken = self.cursor.cursor.as_ref().is_some_and(|cursor| now < cursor.until);
        Committed { target: self.share.target.clone(), is_overtaken, ..Committed::default() }
    }

    /// Applies what committing its observations came to.
    pub(crate) fn apply(&mut self, committed: &Committed, now: Timestamp, dropped: &mut Dropped) {
        if let Some(why) = &committed.gap {
            self.share.store_failed(why);
        }
        let is_newest = |sample: &&Sample| sample.time() == Some(now) && sample.value().is_some();
        let missed = committed.missed_slots * self.series.iter().filter(is_newest).count();
        add(dropped, &committed.dropped);
        add(dropped, &Dropped::from([("too_old", missed)]));
        if committed.is_overtaken {
            // A later run recounted these slots, with what became known since.
            self.series.retain(|sample| !sample.is_slot());
        }
    }

    /// The shares of targets, with the samples of all together: gauges and counts, and what could be observed.
    pub(crate) fn taken_apart(targets: Vec<Self>) -> (Vec<Share>, Vec<Sample>, Vec<Sample>) {
        let (mut shares, mut series, mut observations) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets {
            shares.push(target.share);
            series.extend(target.series);
            observations.extend(target.observations);
        }
        (shares, series, observations)
    }
}
