//! The whole life of a run: load, fetch, keep; then what it means; then everything is committed and delivered.

use crate::commit::{Commits, Observed};
use crate::datadog::{AHEAD, Dropped, Found, Intake, LIMITS, OLDEST, Spool, admit, encode};
use crate::heartbeat::{STORE, Share};
use crate::outbox::Outbox;
use crate::reading::{Known, Reading};
use crate::schedule::Schedule;
use crate::telling::{Said, Telling, add};
use crate::{
    Collector, Deadlines, Digester, Env, Error, Event, Kind, Meter, Outcome, Overrides, Report, Result, Sample,
    Settings, Store, Tally, check, snapshots, store,
};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many targets are fetched side by side.
const TARGETS_AT_ONCE: usize = 4;

/// Upstreams that no collector asks: where points go, and where state and secrets are.
const OWN: [&str; 3] = ["datadog", store::UPSTREAM, "secrets"];

/// Everything a run needs beside its collector.
#[derive(Clone)]
pub struct Life {
    settings: Settings,
    store: Store,
    /// Without an intake a run measures, and neither sends nor commits anything.
    intake: Option<Intake>,
    meter: Meter,
    deadlines: Deadlines,
    digester: Digester,
}

impl fmt::Debug for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Life").finish_non_exhaustive()
    }
}

/// What all targets of a run come to.
#[derive(Default)]
struct Measured {
    shares: Vec<Share>,
    /// Gauges and counts.
    series: Vec<Sample>,
    observed: Vec<Observed>,
    /// How many counts of the newest slot each target has, in the order of the shares.
    counted: Vec<usize>,
    failed: Vec<(String, Error)>,
    /// Whether a run of this scope was committed at this time or later.
    is_repetition: bool,
}

impl Life {
    /// Reads what all collectors are configured with; `push` says whether runs send what they measure.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub async fn prepare<C: Collector>(env: &Env, push: bool) -> Result<Self> {
        Ok(Self {
            settings: Settings::read::<C>(env).await?,
            store: Store::open(env).await?,
            intake: if push { Some(Intake::connect(env)?) } else { None },
            meter: env.meter().clone(),
            deadlines: env.deadlines().clone(),
            digester: env.digester(),
        })
    }

    /// The store that runs keep their state in.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The same life with its store behind a fuse, for tests of what a killed run leaves behind.
    #[cfg(any(test, feature = "testing"))]
    #[must_use]
    pub fn fused(&self, fuse: crate::testing::Fuse) -> Self {
        Self { store: self.store.fused(fuse), ..self.clone() }
    }

    /// One run. `time_left` is what the surroundings give it.
    ///
    /// # Errors
    /// When the event lies in the future or names a target that is not configured, or a body cannot be written; all else
    /// is in the report.
    pub async fn run<C: Collector>(&self, collector: &C, event: &Event, time_left: Duration) -> Result<Report> {
        event.not_ahead()?;
        let targets = targets(collector, event)?;
        let schedule = Schedule::new(Instant::now(), time_left);
        self.meter.begin();
        self.deadlines.begin(schedule.fetch, schedule.keep, schedule.quarter);
        let report = match &self.intake {
            None => {
                let (measured, _) = self.measure(collector, event, targets, schedule).await;
                self.show::<C>(event, schedule, measured)?
            }
            Some(intake) if event.is_late() => self.say_late::<C>(event, targets, intake).await?,
            Some(intake) => {
                let (measured, has_key) = self.measure(collector, event, targets, schedule).await;
                let may_commit = has_key && is_taken(event.now(), schedule.wall(event));
                let commits = Commits::new(&self.store, &self.settings.base, event, time_left, &schedule);
                let spool = Spool::new(&self.store, C::NAME, event.target(), schedule.wall(event));
                let outbox = Outbox { commits, intake, deadlines: &self.deadlines, spool, schedule };
                self.deliver::<C>(event, measured, &outbox, may_commit).await?
            }
        };
        report.log();
        Ok(report)
    }

    /// Reads every target and says what it means, and whether other runs make the same digests.
    async fn measure<C: Collector>(
        &self,
        collector: &C,
        event: &Event,
        targets: Vec<String>,
        schedule: Schedule,
    ) -> (Measured, bool) {
        let key_gap = self.digester.load(&self.store).await.err().map(|error| error.with_causes());
        let has_key = key_gap.is_none();
        let key = self.digester.of("");
        let (heals, heal_time) = (TARGETS_AT_ONCE.into(), schedule.quarter);
        let (store, meter, deadlines) = (&self.store, &self.meter, &self.deadlines);
        let reading = Reading { collector, store, meter, deadlines, event, key, heals, heal_time, key_gap };
        let reads = targets.into_iter().map(|target| {
            let reading = &reading;
            async move {
                let known = reading.target(target).await;
                let samples = meaning::<C>(&known.snapshot, event, &self.settings.overrides, &known.share.target);
                (known.without_snapshot(), samples)
            }
        });
        let mut measured = Measured::default();
        let mut all = stream::iter(reads.collect::<Vec<_>>()).buffered(TARGETS_AT_ONCE);
        while let Some((known, samples)) = all.next().await {
            measured.add(known, samples, event);
        }
        (measured, has_key)
    }

    fn telling<'a>(&'a self, event: &'a Event, schedule: Schedule, is_repetition: bool) -> Telling<'a> {
        let wall = schedule.wall(event);
        Telling { base: &self.settings.base, event, meter: &self.meter, schedule, wall, is_repetition }
    }

    /// The report of a run that sends nothing: it may be of any time.
    fn show<C: Collector>(&self, event: &Event, schedule: Schedule, measured: Measured) -> Result<Report> {
        let Measured { shares, series, observed, failed, .. } = measured;
        let (mut dropped, now) = (Dropped::new(), event.now());
        let telling = Telling { wall: now, ..self.telling(event, schedule, false) };
        let Said { mut samples, .. } = telling.say(series, &shares, &mut dropped, &[], None)?;
        let observations = observed.into_iter().flat_map(|one| one.samples).collect();
        samples.extend(admit(observations, telling.base, now, now).0);
        let tally = self.meter.take();
        samples.extend(telling.counts(&Outcome::default(), &tally, false));
        let (calls, took) = (asked(&tally), schedule.started.elapsed());
        Ok(Report {
            collector: C::NAME,
            now,
            late: false,
            shares,
            samples,
            dropped,
            calls,
            took,
            outcome: None,
            failed,
        })
    }

    /// Commits and delivers what was measured.
    async fn deliver<C: Collector>(
        &self,
        event: &Event,
        measured: Measured,
        outbox: &Outbox<'_>,
        may_commit: bool,
    ) -> Result<Report> {
        let Measured { mut shares, mut series, observed, counted, failed, is_repetition } = measured;
        let (mut dropped, now) = (Dropped::new(), event.now());
        self.deadlines.set(outbox.schedule.commit);
        self.deadlines.set_store(outbox.schedule.commit);
        // It is looked at first: what is committed by a run whose store fails then can be neither sent nor released.
        let found = self.look(outbox, &mut shares).await;
        let committed = if may_commit {
            outbox.commits.all(observed).await
        } else {
            observed.into_iter().map(|one| one.uncommitted(now)).collect()
        };
        for ((share, one), counted) in shares.iter_mut().zip(&committed).zip(counted) {
            note(share, one.gap.as_deref());
            add(&mut dropped, &one.dropped);
            add(&mut dropped, &Dropped::from([("too_old", one.missed_slots * counted)]));
        }
        // A later run recounted these slots, with what became known since.
        let overtaken: Vec<&str> = committed.iter().filter(|one| one.is_overtaken).map(|one| &*one.target).collect();
        series.retain(|sample| !sample.is_slot() || sample.target().is_none_or(|target| !overtaken.contains(&target)));
        let telling = self.telling(event, outbox.schedule, is_repetition);
        let Said { mut samples, outgoing } = telling.say(series, &shares, &mut dropped, &committed, found.as_ref())?;
        samples.extend(committed.iter().flat_map(|one| one.observations.clone()));
        let knows_spool = found.is_some();
        let mut outcome = outbox.deliver(outgoing, committed, found, is_repetition).await;
        let tally = self.meter.take();
        let mut counts = telling.counts(&outcome, &tally, knows_spool);
        if is_repetition {
            // Its first try told the rest; the failures of what that left are told by whoever delivers it. A zero would lie
            // over what the first try counted.
            let has_failed = |sample: &Sample| sample.value().is_some_and(|failures| failures > 0.0);
            counts.retain(|sample| sample.name() == "collector.push_errors" && has_failed(sample));
        }
        if !counts.is_empty() {
            outbox.deliver_last(telling.encode(&counts)?, &mut outcome).await;
            samples.extend(counts);
        }
        let (calls, took) = (asked(&tally), outbox.schedule.started.elapsed());
        let outcome = Some(outcome);
        Ok(Report { collector: C::NAME, now, late: false, shares, samples, dropped, calls, took, outcome, failed })
    }

    /// What waits in the spool; where that cannot be told the store is a gap of every target.
    async fn look(&self, outbox: &Outbox<'_>, shares: &mut [Share]) -> Option<Found> {
        let found = outbox.spool.look().await;
        if let Err(error) = &found {
            let why = error.with_causes();
            for share in shares.iter_mut() {
                note(share, Some(&why));
            }
        }
        found.ok()
    }

    /// A run that comes so late that Datadog would drop its points. Where old points are taken, the gauges of what was
    /// known then are sent; nothing is fetched, and its observations belong to the next run on time.
    async fn say_late<C: Collector>(&self, event: &Event, targets: Vec<String>, intake: &Intake) -> Result<Report> {
        let (now, base) = (event.now(), &self.settings.base);
        let mut samples = Vec::new();
        for target in targets.into_iter().filter(|_| base.historical) {
            if let Some(kept) = snapshots::dated::<C>(&self.store, &target, now).await? {
                let all = meaning::<C>(&kept.snapshot, event, &self.settings.overrides, &target);
                samples.extend(all.into_iter().filter(|sample| sample.metric().kind == Kind::Gauge));
            }
        }
        let (samples, dropped) = admit(samples, base, now, event.wall());
        let delivery = intake.deliver(encode(&samples, base, now, LIMITS)?, false).await;
        let outcome = Some(Outcome::without_spool(delivery));
        let (shares, failed, calls, took) = (Vec::new(), Vec::new(), 0, Duration::ZERO);
        Ok(Report { collector: C::NAME, now, late: true, shares, samples, dropped, calls, took, outcome, failed })
    }
}

impl Measured {
    fn add(&mut self, known: Known<()>, samples: Vec<Sample>, event: &Event) {
        let Known { share, cursor, failed, .. } = known;
        let (observations, series): (Vec<_>, Vec<_>) =
            samples.into_iter().partition(|sample| sample.metric().kind == Kind::Distribution);
        let is_newest = |sample: &&Sample| sample.time() == Some(event.now()) && sample.value().is_some();
        self.counted.push(series.iter().filter(is_newest).count());
        self.failed.extend(failed.map(|error| (share.target.clone(), error)));
        self.series.extend(series);
        let committed = cursor.cursor.as_ref().is_some_and(|cursor| cursor.has_seen(event.now(), event.scope()));
        self.is_repetition = committed && (self.is_repetition || self.shares.is_empty());
        let target = share.target.clone();
        let is_whole = share.parts.iter().all(|part| *part == STORE || share.findings.is_whole(*part));
        self.observed.push(Observed { target, samples: observations, is_whole, found: cursor });
        self.shares.push(share);
    }
}

/// Whether Datadog takes points of this time, with a minute for sending them: of those that it drops nothing may be
/// reported as observed.
fn is_taken(now: Timestamp, wall: Timestamp) -> bool {
    now <= wall + AHEAD && now >= wall - OLDEST + SignedDuration::from_mins(1)
}

/// What a snapshot means: the collector's rows, its checks, and the scores of both.
fn meaning<C: Collector>(snapshot: &C::Snapshot, event: &Event, overrides: &Overrides, target: &str) -> Vec<Sample> {
    let mut samples = C::measure(snapshot, event.now());
    let verdicts = check::judge(C::CHECKS, overrides, &samples);
    samples.extend(verdicts.iter().flat_map(check::Verdict::samples));
    let scores = crate::scores(C::SCORES, &samples);
    samples.extend(scores);
    if !C::CHECKS.is_empty() {
        samples.extend(check::totals(C::CHECKS, &verdicts, target));
    }
    let target: Arc<str> = target.into();
    for sample in &mut samples {
        sample.target = Some(Arc::clone(&target));
    }
    samples
}

/// Notes why the store is a gap of a target.
fn note(share: &mut Share, why: Option<&str>) {
    if let Some(why) = why {
        tracing::warn!(target = share.target, part = STORE.name(), why, "part unknown");
        share.findings.gaps.entry(STORE.name()).or_insert_with(|| why.to_owned());
    }
}

/// The requests to upstreams.
fn asked(tally: &Tally) -> u64 {
    tally.calls.iter().filter(|(upstream, _)| !OWN.contains(upstream)).map(|(_, calls)| calls).sum()
}

fn targets<C: Collector>(collector: &C, event: &Event) -> Result<Vec<String>> {
    let mut all = collector.targets();
    all.sort();
    match event.target() {
        None => Ok(all),
        Some(target) if all.iter().any(|known| known == target) => Ok(vec![target.to_owned()]),
        Some(target) => {
            let problem = format!("`{target}` is not a target of {}, which has {}", C::NAME, all.join(", "));
            Err(Error::config("event", problem))
        }
    }
}
