//! Which observations of a target were made, and which are being delivered: one object, one conditional write.

use crate::datadog::OLDEST;
use crate::{Error, GRID, Kind, Result, SLOTS, Sample, Store, snapshots, store, store::Version};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How late a thing may become known and still be observed.
const LATE: SignedDuration = SignedDuration::from_hours(48);

/// A cursor older than this is replaced.
const STALE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// No run observes what ended longer ago than this, whatever its cursor says: collectors may leave it out.
pub const OBSERVED_WITHIN: SignedDuration = SignedDuration::from_hours(STALE.as_hours() + LATE.as_hours());

/// How many things a cursor remembers.
const MOST: usize = 20_000;

/// The largest cursor that is read: what it remembers, and an hour of bodies at their limit.
const LARGEST: usize = 64 * 1024 * 1024;

/// What was observed of one target so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// The time of the newest run whose observations are committed.
    pub until: Timestamp,
    /// The scopes of the runs that were made at that time: all targets, or the one that an event named.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    /// Nothing that ended at or before this is observed any more: there were too many digests to keep.
    pub floor: Option<Timestamp>,
    /// Digests of what ended in the 48 hours before `until` and was observed, with the second it ended in.
    reported: BTreeMap<String, i64>,
    /// Observations that are committed and not yet known to be delivered.
    pub pending: Vec<Pending>,
}

/// A body of observations that is committed and not yet known to be delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Its unique name; a run that takes it over gives it another one.
    pub id: String,
    /// The time of its points.
    pub at: Timestamp,
    /// Until then it belongs to the run that committed it.
    pub lease: Timestamp,
    /// The body as JSON.
    pub body: String,
    /// The kind of failure that kept it from being delivered, if one did; whoever delivers it or gives it up counts it.
    pub failed: Option<String>,
    /// How often it was sent without an answer: it may have been taken each time.
    #[serde(default)]
    pub unanswered: u8,
}

/// What the store holds for a cursor.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The cursor, where there is a usable one.
    pub cursor: Option<Cursor>,
    /// The version that the next write replaces.
    pub version: Option<Version>,
    /// Why what is there is not usable.
    pub unreadable: Option<&'static str>,
}

/// What a run does with its observations, given the cursor it found.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// The observations that are due.
    pub observations: Vec<Sample>,
    /// The cursor to commit before they are sent, without their bodies; nothing when this run was committed before. One of
    /// another scope at the same time leaves its scope there, so that a second try of it is known as one.
    pub next: Option<Cursor>,
    /// Bodies of runs that were killed, which this run takes over.
    pub taken: Vec<Pending>,
    /// Bodies that became too old for Datadog.
    pub expired: Vec<Pending>,
    /// How many closed slots were never sent and cannot be any more.
    pub missed_slots: usize,
    /// Whether a later run was committed before: what this one recounts is older than what was sent.
    pub is_overtaken: bool,
    /// Why the cursor is a gap, if it is one.
    pub gap: Option<&'static str>,
}

impl Cursor {
    /// Reads the cursor of a target.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn load(store: &Store, collector: &str, target: &str, wall: Timestamp) -> Result<Loaded> {
        let Some(object) = store.get(&key(collector, target), LARGEST).await? else {
            return Ok(Loaded::default());
        };
        let version = Some(object.version);
        let read = store::unpacked(&object.bytes, LARGEST).ok();
        Ok(match read.and_then(|json| serde_json::from_slice::<Self>(&json).ok()) {
            None => Loaded { version, unreadable: Some("the cursor cannot be read and is replaced"), cursor: None },
            Some(cursor) if cursor.until > wall + GRID => {
                Loaded { version, unreadable: Some("the cursor is from the future and is replaced"), cursor: None }
            }
            cursor => Loaded { cursor, version, unreadable: None },
        })
    }

    /// Writes the cursor if it is still the one that was read; `None` is a lost race.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn write(
        &self,
        store: &Store,
        collector: &str,
        target: &str,
        seen: Option<&Version>,
    ) -> Result<Option<Version>> {
        let json = serde_json::to_vec(self).map_err(|error| Error::store("write a cursor as JSON", error))?;
        let bytes = zstd::encode_all(json.as_slice(), 3).map_err(|error| Error::store("compress a cursor", error))?;
        store.put_if(&key(collector, target), bytes, seen).await
    }

    /// Decides which observations of a run at `now` are due. A run that lasts until `lease` takes over what killed ones left.
    /// `is_whole` says whether everything is known that could be observed.
    #[must_use]
    pub fn step(
        found: &Loaded,
        (now, wall, lease): (Timestamp, Timestamp, Timestamp),
        scope: &str,
        (samples, is_whole): (&[Sample], bool),
    ) -> Step {
        let cursor = match &found.cursor {
            Some(cursor) if cursor.until >= now - STALE => cursor,
            Some(cursor) => {
                let why = "the cursor is older than seven days and is replaced";
                let first = Self::first(now, scope, (samples, is_whole), Some(why));
                return Step { expired: cursor.pending.clone(), ..first };
            }
            None => return Self::first(now, scope, (samples, is_whole), found.unreadable),
        };
        if now <= cursor.until {
            // This very run, one of another scope at the same time, or a later one was committed before.
            let next = (!cursor.has_seen(now, scope)).then(|| cursor.clone().of(scope));
            return Step { next, is_overtaken: now < cursor.until, ..Step::default() };
        }
        let (observations, reported) = cursor.due(now, samples);
        let (left, over): (Vec<Pending>, Vec<Pending>) =
            cursor.pending.iter().cloned().partition(|pending| pending.lease > wall);
        let (old, taken): (Vec<Pending>, Vec<Pending>) =
            over.into_iter().partition(|pending| pending.at < wall - OLDEST);
        let taken: Vec<Pending> = taken.into_iter().map(|pending| Pending { lease, ..pending }).collect();
        let (reported, floor) = remembered(reported, cursor.floor, now);
        let pending = left.into_iter().chain(taken.iter().cloned()).collect();
        Step {
            observations,
            next: Some(Self { until: now, scopes: BTreeSet::new(), floor, reported, pending }.of(scope)),
            taken,
            expired: old,
            missed_slots: missed(cursor.until, now, wall),
            ..Step::default()
        }
    }

    /// The observations that are due, and what is reported with them.
    fn due(&self, now: Timestamp, samples: &[Sample]) -> (Vec<Sample>, BTreeMap<String, i64>) {
        let (mut observations, mut reported) = (Vec::new(), self.reported.clone());
        let due = self.until - LATE..now;
        for sample in samples.iter().filter(|sample| sample.metric().kind == Kind::Distribution) {
            let Some(thing) = sample.occurrence() else { continue };
            let is_forgotten = self.floor.is_some_and(|floor| thing.ended_at <= floor);
            if due.contains(&thing.ended_at) && !is_forgotten && !reported.contains_key(&thing.digest) {
                reported.insert(thing.digest.clone(), thing.ended_at.as_second());
                observations.push(sample.clone());
            }
        }
        (observations, reported)
    }

    /// What ended before a first run counts as reported. Where not everything was known by then, that is all that ended:
    /// what is still filling would come late, and two days of it would be observed at once.
    fn first(now: Timestamp, scope: &str, (samples, is_whole): (&[Sample], bool), gap: Option<&'static str>) -> Step {
        let ended = samples.iter().filter_map(Sample::occurrence).filter(|thing| thing.ended_at < now);
        let reported = ended.map(|thing| (thing.digest.clone(), thing.ended_at.as_second())).collect();
        let floor = (!is_whole).then_some(now - SignedDuration::from_nanos(1));
        let (reported, floor) = remembered(reported, floor, now);
        let next = Self { until: now, scopes: BTreeSet::new(), floor, reported, pending: Vec::new() };
        Step { next: Some(next.of(scope)), gap, ..Step::default() }
    }

    /// Whether the run at `now` with this scope was committed before, or a later one was.
    pub(crate) fn has_seen(&self, now: Timestamp, scope: &str) -> bool {
        now < self.until || now == self.until && self.scopes.contains(scope)
    }

    fn of(mut self, scope: &str) -> Self {
        self.scopes.insert(scope.to_owned());
        self
    }
}

/// Where the cursor of a target is kept.
pub(crate) fn key(collector: &str, target: &str) -> String {
    snapshots::folder("cursors", collector, target)
}

/// How many slots that ended after `until` no run can send any more: a run sends its newest ones, as far as Datadog
/// takes them by the clock.
fn missed(until: Timestamp, now: Timestamp, wall: Timestamp) -> usize {
    let oldest = (wall - OLDEST).max(now - GRID * (SLOTS - 1)).min(now + GRID);
    let before = oldest.duration_since(until).as_nanos() - 1;
    usize::try_from(before.div_euclid(GRID.as_nanos())).unwrap_or(0)
}

/// What ended recently enough, the newest where that is too many; and the end of the newest that was left out.
fn remembered(
    mut reported: BTreeMap<String, i64>,
    floor: Option<Timestamp>,
    now: Timestamp,
) -> (BTreeMap<String, i64>, Option<Timestamp>) {
    let horizon = (now - LATE).as_second();
    reported.retain(|_, ended| *ended >= horizon);
    if reported.len() <= MOST {
        return (reported, floor);
    }
    let mut ends: Vec<i64> = reported.values().copied().collect();
    ends.sort_unstable();
    let last = ends[reported.len() - MOST - 1];
    // All that ended in that second are left out too: nothing at the floor is observed any more.
    reported.retain(|_, ended| *ended > last);
    tracing::warn!(remembered = reported.len(), "more things ended than a cursor holds: the oldest are left out");
    // An end may have a fraction of a second more than what is remembered of it.
    let newest = Timestamp::from_second(last + 1).ok();
    (reported, floor.max(newest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    crate::catalogue! {
        /// A level.
        LEVEL = Gauge "test.level" in Item by [], fold Sum, better Neither;
        /// How long a thing took.
        TOOK = Distribution "test.took" in Hour by [], fold None, better Neither;
    }

    const NOW: &str = "2026-01-08T12:00:00Z";

    fn samples(ended: &[(&str, &str)]) -> Vec<Sample> {
        let observations = ended.iter().map(|(id, time)| TOOK.observe(1.0, at(time), id));
        std::iter::once(LEVEL.sample(7.0)).chain(observations).collect()
    }

    fn due(step: &Step) -> Vec<String> {
        step.observations.iter().filter_map(|sample| Some(sample.occurrence()?.ended_at.to_string())).collect()
    }

    fn step(found: Option<&Cursor>, now: &str, samples: &[Sample]) -> Step {
        let found = Loaded { cursor: found.cloned(), ..Loaded::default() };
        Cursor::step(&found, (at(now), at(now), at(now) + SignedDuration::from_mins(1)), "all", (samples, true))
    }

    #[test]
    fn a_first_run_observes_nothing_and_what_it_could_not_know_is_never_observed() {
        let times = (at(NOW), at(NOW), at(NOW));
        let before = samples(&[("known", "2026-01-08T11:00:00Z")]);
        let later = samples(&[
            ("known", "2026-01-08T11:00:00Z"),
            ("late", "2026-01-08T11:59:59.9Z"),
            ("after", "2026-01-08T12:00:00Z"),
        ]);
        for (is_whole, expected) in
            [(true, vec!["2026-01-08T11:59:59.9Z", "2026-01-08T12:00:00Z"]), (false, vec!["2026-01-08T12:00:00Z"])]
        {
            let first = Cursor::step(&Loaded::default(), times, "all", (&before, is_whole));
            assert!(first.observations.is_empty() && first.gap.is_none());
            assert_eq!(due(&step(first.next.as_ref(), "2026-01-08T12:15:00Z", &later)), expected);
        }
        assert_eq!(METRICS.len(), 2);
    }

    #[test]
    fn a_normal_run_observes_each_thing_once_late_ones_included() {
        let first = step(None, "2026-01-07T00:00:00Z", &[]).next.unwrap();
        let before = step(Some(&first), NOW, &samples(&[("a", "2026-01-08T11:00:00Z")])).next.unwrap();
        let later = "2026-01-08T12:15:00Z";
        let ended = samples(&[
            ("a", "2026-01-08T11:00:00Z"),
            ("late", "2026-01-07T13:00:00Z"),
            ("b", "2026-01-08T12:14:59Z"),
            ("too late", "2026-01-06T11:59:59Z"),
            ("future", "2026-01-08T12:15:00Z"),
        ]);
        let second = step(Some(&before), later, &ended);
        assert_eq!(due(&second), ["2026-01-07T13:00:00Z", "2026-01-08T12:14:59Z"]);
        let again = step(second.next.as_ref(), later, &ended);
        assert_eq!((due(&again), again.next.is_none(), again.is_overtaken), (vec![], true, false));
        assert!(step(second.next.as_ref(), NOW, &ended).is_overtaken);
    }

    #[test]
    fn slots_that_were_never_sent_and_lie_too_far_back_are_counted() {
        let cursor = step(None, NOW, &[]).next.unwrap();
        for (later, missed) in [
            ("2026-01-08T12:15:00Z", 0),
            ("2026-01-08T13:00:00Z", 0),
            ("2026-01-08T13:15:00Z", 1),
            ("2026-01-08T14:00:00Z", 4),
        ] {
            assert_eq!(step(Some(&cursor), later, &[]).missed_slots, missed, "{later}");
        }
        // A run that is late itself finds some of its four slots too old.
        let found = Loaded { cursor: Some(cursor), ..Loaded::default() };
        for (wall, missed) in [("13:00", 0), ("13:15", 0), ("13:16", 1), ("13:30", 1), ("13:31", 2), ("13:59", 3)] {
            let times = (at("2026-01-08T13:00:00Z"), at(&format!("2026-01-08T{wall}:00Z")), at("2026-01-08T15:00:00Z"));
            assert_eq!(Cursor::step(&found, times, "all", (&[], true)).missed_slots, missed, "{wall}");
        }
    }

    #[test]
    fn a_stale_cursor_is_written_anew_and_says_so() {
        let cursor = step(None, NOW, &[]).next.unwrap();
        let stale = step(Some(&cursor), "2026-01-15T12:15:00Z", &samples(&[("a", "2026-01-15T12:00:00Z")]));
        assert!(stale.gap.is_some() && stale.observations.is_empty() && stale.next.is_some());
    }

    #[test]
    fn a_body_of_a_dead_run_is_taken_over_when_its_lease_is_over_and_given_up_when_its_points_are_old() {
        let mut cursor = step(None, NOW, &[]).next.unwrap();
        let body = |id: &str, time: &str, lease: &str| Pending {
            id: id.to_owned(),
            at: at(time),
            lease: at(lease),
            body: r#"{"series":[]}"#.to_owned(),
            failed: None,
            unanswered: 0,
        };
        cursor.pending = vec![
            body("alive", NOW, "2026-01-08T12:16:00Z"),
            body("dead", NOW, "2026-01-08T12:15:00Z"),
            body("old", "2026-01-08T11:00:00Z", "2026-01-08T11:10:00Z"),
        ];
        let next = step(Some(&cursor), "2026-01-08T12:15:00Z", &[]);
        let ids = |bodies: &[Pending]| bodies.iter().map(|body| body.id.clone()).collect::<Vec<_>>();
        assert_eq!((ids(&next.taken), ids(&next.expired)), (vec!["dead".to_owned()], vec!["old".to_owned()]));
        let kept = next.next.unwrap();
        assert_eq!(ids(&kept.pending), ["alive", "dead"]);
        assert_eq!(kept.pending[1].lease, at("2026-01-08T12:16:00Z"), "the lease is renewed");
    }

    #[test]
    fn what_was_forgotten_for_its_number_is_never_observed_again() {
        let many: Vec<Sample> =
            (0..=20_000).map(|id| TOOK.observe(1.0, at(NOW) - SignedDuration::from_secs(id + 1), id)).collect();
        let first = step(None, "2026-01-08T06:00:00Z", &[]).next.unwrap();
        let second = step(Some(&first), NOW, &many);
        let next = second.next.unwrap();
        assert_eq!((second.observations.len(), next.reported.len()), (20_001, 20_000));
        assert!(next.floor.is_some() && second.gap.is_none());
        let third = step(Some(&next), "2026-01-08T12:15:00Z", &many);
        assert_eq!(third.observations.len(), 0);
    }
}
