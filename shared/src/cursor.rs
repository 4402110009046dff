//! What of a target was already delivered: a time, and the things that ended shortly before it.

use crate::{Error, GRID, Kind, Result, SLOTS, Sample, Store, snapshots, store::Version};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How late a thing may become known and still be observed.
const LATE: SignedDuration = SignedDuration::from_hours(48);

/// A cursor older than this is written anew.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What ended longer ago is observed by no run, whatever its cursor says: it need not be told.
pub const FORGOTTEN: SignedDuration = SignedDuration::from_hours(STALE.as_hours() + LATE.as_hours());

/// How many things a cursor remembers.
const MOST: usize = 20_000;

/// The delivered past of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The time of the newest run whose observations are committed.
    pub until: Timestamp,
    /// The newest slot whose counts were all known and sent.
    counted: Timestamp,
    /// The same before the newest run, so that a repeated run says exactly what it said.
    before: Timestamp,
    /// Digests of what ended in the 48 hours before `until` and was observed, with the second it ended in.
    reported: BTreeMap<String, i64>,
}

/// What a run does about counts and observations, given the cursor it found.
#[derive(Debug)]
pub struct Step {
    /// The samples to send: gauges as they came, the counts of the slots that are due.
    pub series: Vec<Sample>,
    /// The observations to send.
    pub observations: Vec<Sample>,
    /// The cursor to commit before they are sent; nothing when this run was committed before.
    pub next: Option<Cursor>,
    /// Count samples of slots that lie too far back to be delivered.
    pub too_old: usize,
    /// Why the cursor is a gap, if it is one.
    pub gap: Option<&'static str>,
}

impl Cursor {
    /// Reads the cursor of a target and the version to write it against. One that is there and cannot be read is an
    /// error of its own kind: the run goes on as the first one does.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn load(store: &Store, collector: &str, target: &str) -> Result<(Option<Self>, Option<Version>, bool)> {
        let Some(object) = store.get(&key(collector, target)).await? else {
            return Ok((None, None, true));
        };
        let cursor = serde_json::from_slice(&object.bytes).ok();
        let readable = cursor.is_some();
        Ok((cursor, Some(object.version), readable))
    }

    /// Writes the cursor if it is still the one that was read; false is a lost race.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn commit(&self, store: &Store, collector: &str, target: &str, seen: Option<&Version>) -> Result<bool> {
        let bytes = serde_json::to_vec(self).map_err(|error| Error::store("write a cursor as JSON", error))?;
        Ok(store.put_if(&key(collector, target), bytes, seen).await?.is_some())
    }

    /// Sorts the samples of a run at `now` into what is due and what was delivered before.
    #[must_use]
    pub fn step(found: Option<&Self>, now: Timestamp, samples: Vec<Sample>) -> Step {
        let stale = found.is_some_and(|cursor| cursor.until < now - STALE);
        let Some(cursor) = found.filter(|_| !stale) else {
            return Self::first(
                now,
                samples,
                stale.then_some("the cursor is older than seven days and is written anew"),
            );
        };
        let repeated = now <= cursor.until;
        let since = if repeated { cursor.before } else { cursor.counted };
        // The slot of the last delivery and the one before it are counted again: what became known since belongs there.
        let oldest_slot = since - GRID;
        let (mut series, mut observations, mut reported) = (Vec::new(), Vec::new(), cursor.reported.clone());
        let horizon = cursor.until - LATE;
        let (mut newest_slot, mut counts_known) = (0, true);
        for sample in samples {
            match (sample.metric().kind, sample.occurrence(), sample.time()) {
                (Kind::Distribution, Some(thing), _) => {
                    let due = (horizon..now).contains(&thing.ended_at) && !reported.contains_key(&thing.digest);
                    if due && !repeated {
                        reported.insert(thing.digest.clone(), thing.ended_at.as_second());
                        observations.push(sample);
                    }
                }
                (Kind::Count, _, Some(slot)) => {
                    newest_slot += usize::from(slot == now && sample.value().is_some());
                    counts_known &= slot != now || sample.value().is_some();
                    if slot >= oldest_slot {
                        series.push(sample);
                    }
                }
                _ => series.push(sample),
            }
        }
        let missed = (now.duration_since(since).as_secs() / GRID.as_secs() - i64::from(SLOTS)).max(0);
        let too_old = if repeated { 0 } else { newest_slot * usize::try_from(missed).unwrap_or(0) };
        let (reported, full) = remembered(reported, now);
        // A slot that could not be counted is sent by the first run that can.
        let counted = if counts_known { now } else { cursor.counted };
        let next = Self { until: now, counted, before: cursor.counted, reported };
        Step {
            series,
            observations,
            next: (!repeated).then_some(next),
            too_old,
            gap: full.then_some("more things ended than a cursor remembers"),
        }
    }

    fn first(now: Timestamp, samples: Vec<Sample>, gap: Option<&'static str>) -> Step {
        let ended = |sample: &Sample| sample.occurrence().cloned().filter(|thing| thing.ended_at < now);
        let reported =
            samples.iter().filter_map(ended).map(|thing| (thing.digest, thing.ended_at.as_second())).collect();
        let (reported, _) = remembered(reported, now);
        let is_slot = |sample: &Sample| sample.metric().kind == Kind::Count && sample.time().is_some();
        let series = samples.into_iter().filter(|sample| sample.occurrence().is_none() && !is_slot(sample)).collect();
        Step {
            series,
            observations: Vec::new(),
            next: Some(Self { until: now, counted: now, before: now - GRID, reported }),
            too_old: 0,
            gap,
        }
    }
}

/// Where the cursor of a target is kept.
#[must_use]
pub fn key(collector: &str, target: &str) -> String {
    snapshots::folder("cursors", collector, target)
}

fn remembered(mut reported: BTreeMap<String, i64>, now: Timestamp) -> (BTreeMap<String, i64>, bool) {
    let horizon = (now - LATE).as_second();
    reported.retain(|_, ended| *ended >= horizon);
    let full = reported.len() > MOST;
    if full {
        let mut by_age: Vec<(i64, String)> = reported.iter().map(|(digest, ended)| (*ended, digest.clone())).collect();
        by_age.sort();
        for (_, digest) in by_age.iter().take(reported.len() - MOST) {
            reported.remove(digest);
        }
    }
    (reported, full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, lines};

    crate::catalogue! {
        /// A level.
        LEVEL = Gauge "test.level" in Item by [];
        /// Things in a slot.
        NEW = Count "test.things.new" in Item by [];
        /// How long a thing took.
        TOOK = Distribution "test.took" in Hour by [];
    }

    const NOW: &str = "2026-01-08T12:00:00Z";

    fn samples(now: Timestamp, ended: &[(&str, &str)]) -> Vec<Sample> {
        let times: Vec<Timestamp> = ended.iter().map(|(_, time)| at(time)).collect();
        let observations = ended.iter().map(|(id, time)| TOOK.observe(1.0, at(time), id));
        std::iter::once(LEVEL.sample(7.0)).chain(NEW.slots(Some(&times), now)).chain(observations).collect()
    }

    fn due(step: &Step) -> Vec<String> {
        step.observations
            .iter()
            .filter_map(|sample| sample.occurrence().map(|thing| thing.ended_at.to_string()))
            .collect()
    }

    #[test]
    fn the_first_run_sends_levels_alone_and_remembers_what_ended() {
        let step = Cursor::step(
            None,
            at(NOW),
            samples(at(NOW), &[("a", "2026-01-08T11:00:00Z"), ("old", "2026-01-01T00:00:00Z")]),
        );
        assert_eq!((lines(&step.series), step.observations.len()), ("test.level{} 7".to_owned(), 0));
        assert_eq!(step.next.unwrap().reported.len(), 1);
        assert_eq!(METRICS.len(), 3);
    }

    #[test]
    fn a_normal_run_observes_each_thing_once_late_ones_included_and_recounts_two_slots() {
        let first = Cursor::step(None, at(NOW), samples(at(NOW), &[("a", "2026-01-08T11:00:00Z")])).next.unwrap();
        let later = at("2026-01-08T12:15:00Z");
        let ended = [
            ("a", "2026-01-08T11:00:00Z"),
            ("late", "2026-01-07T13:00:00Z"),
            ("b", "2026-01-08T12:14:59Z"),
            ("too late", "2026-01-06T11:59:59Z"),
            ("future", "2026-01-08T12:15:00Z"),
        ];
        let step = Cursor::step(Some(&first), later, samples(later, &ended));
        assert_eq!(due(&step), ["2026-01-07T13:00:00Z", "2026-01-08T12:14:59Z"]);
        let slots: Vec<Timestamp> = step.series.iter().filter_map(Sample::time).collect();
        assert_eq!(slots, [later, at(NOW), at("2026-01-08T11:45:00Z")]);
        let again = Cursor::step(step.next.as_ref(), later, samples(later, &ended));
        assert_eq!((due(&again), again.next.is_none()), (vec![], true));
        assert_eq!(lines(&again.series), lines(&step.series), "a repeated run says what it said");
    }

    #[test]
    fn slots_that_lie_too_far_back_are_counted_and_not_sent() {
        let cursor = Cursor::step(None, at(NOW), vec![]).next.unwrap();
        let later = at("2026-01-08T14:00:00Z");
        let step = Cursor::step(Some(&cursor), later, samples(later, &[]));
        assert_eq!((step.series.iter().filter(|sample| sample.time().is_some()).count(), step.too_old), (4, 4));
    }

    #[test]
    fn slots_that_could_not_be_counted_are_sent_by_the_first_run_that_can() {
        let first = Cursor::step(None, at(NOW), samples(at(NOW), &[])).next.unwrap();
        let blind = at("2026-01-08T12:15:00Z");
        let unknown = Cursor::step(Some(&first), blind, NEW.slots(None, blind).collect()).next.unwrap();
        let seeing = at("2026-01-08T12:30:00Z");
        let step = Cursor::step(Some(&unknown), seeing, samples(seeing, &[]));
        let slots: Vec<Timestamp> = step.series.iter().filter_map(Sample::time).collect();
        assert_eq!(slots, [seeing, blind, at(NOW), at("2026-01-08T11:45:00Z")]);
    }

    #[test]
    fn a_stale_cursor_is_written_anew_and_says_so() {
        let cursor = Cursor::step(None, at(NOW), vec![]).next.unwrap();
        let step = Cursor::step(Some(&cursor), at("2026-01-15T12:15:00Z"), vec![]);
        assert!(step.gap.is_some() && step.next.is_some());
    }

    #[test]
    fn a_cursor_remembers_at_most_twenty_thousand_things_the_newest() {
        let many = (0..=20_000).map(|id| TOOK.observe(1.0, at(NOW) - SignedDuration::from_secs(id + 1), id)).collect();
        let first = Cursor::step(None, at("2026-01-08T11:45:00Z"), vec![]).next.unwrap();
        let step = Cursor::step(Some(&first), at(NOW), many);
        assert_eq!((step.observations.len(), step.next.unwrap().reported.len()), (20_001, 20_000));
        assert!(step.gap.is_some());
    }
}
