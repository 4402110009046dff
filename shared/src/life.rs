//! The whole life of a run: event, fetch, measure, and what is then said of it.

use crate::cursor::Cursor;
use crate::datadog::{Dropped, Intake, LIMITS, admit, encode};
use crate::heartbeat::{Pulse, STORE_PART, Share};
use crate::outbox::Outbox;
use crate::{
    Check, Collector, Context, Env, Error, Event, Meter, Report, Result, Sample, Settings, Store, Verdict, check,
    snapshots, store,
};
use futures::{StreamExt, stream};
use std::time::{Duration, Instant};

/// How many targets are fetched side by side.
const TARGETS_AT_ONCE: usize = 4;

/// What is kept of a run's time for delivering what it has.
const FOR_DELIVERY: Duration = Duration::from_secs(8);

/// Everything a run needs beside its collector.
#[derive(Debug, Clone)]
pub struct Life {
    settings: Settings,
    store: Store,
    /// Without an intake a run measures, and neither sends nor commits anything.
    intake: Option<Intake>,
    meter: Meter,
}

/// One target after fetch and measure.
struct Measured {
    share: Share,
    samples: Vec<Sample>,
    verdicts: Vec<Verdict>,
    cursor: Option<Cursor>,
    version: Option<store::Version>,
    failed: Option<Error>,
}

/// What all targets of a run come to.
#[derive(Default)]
struct Said {
    shares: Vec<Share>,
    series: Vec<Sample>,
    observations: Vec<Sample>,
    dropped: Dropped,
    failed: Vec<(String, Error)>,
}

impl Life {
    /// Reads what all collectors are configured with. `known` are the checks that `CHECKS` may name beside this
    /// collector's; `push` says whether runs send what they measure.
    ///
    /// # Errors
    /// When the configuration is wrong.
    pub async fn prepare<C: Collector>(env: &Env, known: &[&'static Check], push: bool) -> Result<Self> {
        Ok(Self {
            settings: Settings::read::<C>(env, known)?,
            store: Store::open(env).await?,
            intake: if push { Some(Intake::connect(env)?) } else { None },
            meter: env.meter().clone(),
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
        Self { store: Store::Fused(Box::new(self.store.clone()), fuse), ..self.clone() }
    }

    /// One run. `time_left` is what the surroundings give it.
    ///
    /// # Errors
    /// When the event names a target that is not configured, or a body cannot be written; all else is in the report.
    pub async fn run<C: Collector>(&self, collector: &C, event: &Event, time_left: Duration) -> Result<Report> {
        let started = Instant::now();
        let reserve = FOR_DELIVERY.min(time_left / 4);
        self.meter.begin(started + time_left.saturating_sub(reserve));
        let targets = targets(collector, event)?;
        let fetches: Vec<_> = targets.into_iter().map(|target| self.measure_one(collector, event, target)).collect();
        let mut all: Vec<Measured> = stream::iter(fetches).buffer_unordered(TARGETS_AT_ONCE).collect().await;
        all.sort_by(|a, b| a.share.target.cmp(&b.share.target));
        self.meter.set_deadline(Some(started + time_left.saturating_sub(reserve / 4)));

        let verdicts: Vec<Verdict> = all.iter_mut().flat_map(|one| std::mem::take(&mut one.verdicts)).collect();
        let totals = if C::CHECKS.is_empty() { Vec::new() } else { check::totals(C::CHECKS, &verdicts) };
        let mut outbox = Outbox::open(&self.store, self.intake.as_ref(), &self.settings.base, event, time_left).await;
        let mut said = gather::<C>(&mut outbox, all, totals).await;
        let report = self.say::<C>(outbox, event, &mut said, started).await?;
        report.log();
        Ok(report)
    }

    /// Adds what the run says about itself, and sends it all.
    async fn say<C: Collector>(
        &self,
        outbox: Outbox<'_>,
        event: &Event,
        said: &mut Said,
        started: Instant,
    ) -> Result<Report> {
        let (now, wall, base) = (event.now(), event.wall(), &self.settings.base);
        let all = said.series.iter().chain(&said.observations);
        let measured = all.filter(|sample| sample.value().is_some()).count();
        let (mut samples, more) = admit(std::mem::take(&mut said.series), base, now, wall);
        add(&mut said.dropped, more);
        let mut payloads = encode(&samples, base, now, LIMITS)?;
        let tally = self.meter.take();
        let upstreams = self.meter.upstreams().into_iter().filter(|upstream| *upstream != "datadog").collect();
        let pulse = Pulse {
            shares: &said.shares,
            took: started.elapsed(),
            measured,
            dropped: &said.dropped,
            tally: &tally,
            upstreams: &upstreams,
            bytes: outbox.bytes(&payloads),
            spool: outbox.spool(),
            past: outbox.past(),
        };
        let (pulse, _) = admit(pulse.samples(now), base, now, wall);
        payloads.extend(encode(&pulse, base, now, LIMITS)?);
        samples.append(&mut said.observations);
        samples.extend(pulse);
        let outcome = outbox.deliver(C::NAME, payloads).await;
        Ok(Report {
            collector: C::NAME,
            now,
            shares: std::mem::take(&mut said.shares),
            samples,
            dropped: std::mem::take(&mut said.dropped),
            calls: upstreams.iter().filter_map(|upstream| tally.calls.get(upstream)).sum(),
            took: started.elapsed(),
            outcome,
            failed: std::mem::take(&mut said.failed),
        })
    }

    async fn measure_one<C: Collector>(&self, collector: &C, event: &Event, target: String) -> Measured {
        let kept = snapshots::latest::<C>(&self.store, &target).await;
        let cursor = Cursor::load(&self.store, C::NAME, &target).await;
        let (kept, store_failure) = match kept {
            // A snapshot from after this run's time would say what had not happened yet.
            Ok(kept) => (kept.filter(|kept| kept.at <= event.now()), None),
            Err(error) => (None, Some(error.with_causes())),
        };
        let last_full = kept.as_ref().and_then(|kept| kept.whole_at);
        let cx = Context::new(event.clone(), &target, last_full);
        if let Some(why) = store_failure {
            cx.gap(STORE_PART, why);
        }
        let (cursor, version) = match cursor {
            Ok((cursor, version, readable)) => {
                if !readable {
                    cx.gap(STORE_PART, "the cursor cannot be read and is written anew");
                }
                (cursor, version)
            }
            Err(error) => {
                cx.gap(STORE_PART, error.with_causes());
                (None, None)
            }
        };
        let fetched = collector.fetch(&cx, &target, kept.map(|kept| kept.snapshot)).await;
        let (snapshot, failed) = match fetched.and_then(|snapshot| readable::<C>(collector, &cx, snapshot)) {
            Ok(snapshot) => {
                let whole_at = if cx.is_whole() { Some(event.now()) } else { last_full };
                if let Err(error) = snapshots::keep::<C>(&self.store, event, &target, whole_at, &snapshot).await {
                    cx.gap(STORE_PART, error.with_causes());
                }
                (snapshot, None)
            }
            Err(error) => {
                tracing::error!(target, error = error.with_causes(), "target failed");
                for part in collector.parts() {
                    cx.gap(part, error.with_causes());
                }
                (collector.unknown(&target), Some(error))
            }
        };
        let mut samples = C::measure(&snapshot, event.now());
        let verdicts = check::judge(C::CHECKS, &self.settings.overrides, &samples);
        let scores = crate::scores(C::SCORES, &samples);
        samples.extend(verdicts.iter().flat_map(Verdict::samples));
        samples.extend(scores);
        let mut parts = collector.parts();
        parts.push(STORE_PART);
        let share = Share {
            target,
            parts,
            gaps: cx.gaps(),
            oldest: cx.oldest(),
            until: cursor.as_ref().map(|cursor| cursor.until),
        };
        Measured { share, samples, verdicts, cursor, version, failed }
    }
}

/// A target of which no part could be read has failed, whatever its collector thinks.
fn readable<C: Collector>(collector: &C, cx: &Context, snapshot: C::Snapshot) -> Result<C::Snapshot> {
    let (parts, gaps) = (collector.parts(), cx.gaps());
    match parts.iter().map(|part| gaps.get(part)).collect::<Option<Vec<&String>>>().as_deref() {
        Some([why, ..]) => Err(Error::incomplete(format!("no part could be read; the first: {why}"))),
        _ => Ok(snapshot),
    }
}

/// Commits each target's observations and takes everything together.
async fn gather<C: Collector>(outbox: &mut Outbox<'_>, all: Vec<Measured>, totals: Vec<Sample>) -> Said {
    let mut said = Said { series: totals, ..Said::default() };
    for mut one in all {
        let target = one.share.target.clone();
        let done = outbox.commit(C::NAME, &target, one.samples, one.cursor, one.version).await;
        add(&mut said.dropped, done.dropped);
        add(&mut said.dropped, Dropped::from([("too_old", done.too_old)]));
        said.series.extend(done.series);
        said.observations.extend(done.observations);
        if let Some(why) = done.gap {
            tracing::warn!(target, part = STORE_PART, why, "part unknown");
            one.share.gaps.entry(STORE_PART).or_insert(why);
        }
        said.failed.extend(one.failed.map(|error| (target, error)));
        said.shares.push(one.share);
    }
    if let Some(why) = outbox.store_failure() {
        for share in &mut said.shares {
            share.gaps.entry(STORE_PART).or_insert_with(|| why.to_owned());
        }
    }
    said
}

fn add(sum: &mut Dropped, more: Dropped) {
    for (reason, number) in more {
        *sum.entry(reason).or_default() += number;
    }
}

fn targets<C: Collector>(collector: &C, event: &Event) -> Result<Vec<String>> {
    let all = collector.targets();
    match event.target() {
        None => Ok(all),
        Some(target) if all.iter().any(|known| known == target) => Ok(vec![target.to_owned()]),
        Some(target) => Err(Error::config(
            "event",
            format!("`{target}` is no target of {}; there are: {}", C::NAME, all.join(", ")),
        )),
    }
}
