//! The whole life of a run: load, fetch, store; then what it means; then everything is committed and delivered.

mod commit;
mod deliveries;
mod fetch;
mod message;
mod outbox;
mod run;
mod schedule;
mod target;

pub use deliveries::Deliveries;

use crate::datadog::{AHEAD, Dropped, Found, Intake, LIMITS, OLDEST, Spool, admit, encode};
use crate::env::settings::Settings;
use crate::heartbeat::Share;
use crate::{
    Collector, Deadlines, Digester, Env, Error, Event, Kind, Meter, Overrides, Report, Result, Sample, Store, Tally,
    check, snapshots, store,
};
use fetch::{Fetched, Fetcher};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use message::Message;
use outbox::Outbox;
use run::Run;
use schedule::Schedule;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use target::Target;

/// How many targets are fetched side by side.
const TARGETS_AT_ONCE: usize = 4;

/// Upstreams that no collector asks: where points go, and where state and secrets are.
const INTERNAL: [&str; 3] = ["datadog", store::UPSTREAM, "secrets"];

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

    /// Makes one run, which is killed after `time_left`.
    ///
    /// # Errors
    /// When the event lies in the future or names a target that is not configured, or a body cannot be written; all else
    /// is in the report.
    pub async fn run<C: Collector>(&self, collector: &C, event: &Event, time_left: Duration) -> Result<Report> {
        event.check_not_ahead()?;
        let targets = targets(collector, event)?;
        let schedule = Schedule::new(Instant::now(), time_left);
        self.meter.begin();
        self.deadlines.begin(schedule.fetch, schedule.store, schedule.quarter);
        let report = match &self.intake {
            Some(intake) if event.is_late() => self.send_late::<C>(event, targets, intake).await?,
            intake => {
                let targets = self.measure(collector, event, targets, schedule).await;
                match intake {
                    None => self.show::<C>(event, schedule, targets)?,
                    Some(intake) => self.deliver::<C>(event, schedule, targets, intake).await?,
                }
            }
        };
        report.log();
        Ok(report)
    }

    /// Fetches every target and measures it.
    async fn measure<C: Collector>(
        &self,
        collector: &C,
        event: &Event,
        targets: Vec<String>,
        schedule: Schedule,
    ) -> Vec<Target> {
        let key_gap = self.digester.load(&self.store).await.err().map(|error| error.with_causes());
        let fetcher = Fetcher {
            collector,
            store: &self.store,
            meter: &self.meter,
            deadlines: &self.deadlines,
            event,
            key: self.digester.of(""),
            heals: TARGETS_AT_ONCE.into(),
            heal_time: schedule.quarter,
            key_gap,
        };
        let measures = targets.into_iter().map(|target| {
            let fetcher = &fetcher;
            async move {
                let Fetched { snapshot, share, cursor } = fetcher.target(target).await;
                let samples = interpret::<C>(&snapshot, event, &self.settings.overrides, &share.target);
                Target::new(share, cursor, samples)
            }
        });
        stream::iter(measures.collect::<Vec<_>>()).buffered(TARGETS_AT_ONCE).collect().await
    }

    fn circumstances<'a>(&'a self, event: &'a Event, schedule: Schedule, targets: &[Target]) -> Run<'a> {
        Run {
            base: &self.settings.base,
            event,
            store: &self.store,
            meter: &self.meter,
            deadlines: &self.deadlines,
            schedule,
            wall: schedule.wall(event),
            is_repetition: !targets.is_empty() && targets.iter().all(|target| target.is_committed(event)),
        }
    }

    /// The report of a run that sends nothing: it may be of any time.
    fn show<C: Collector>(&self, event: &Event, schedule: Schedule, targets: Vec<Target>) -> Result<Report> {
        let run = self.circumstances(event, schedule, &targets);
        let run = Run { wall: run.now(), is_repetition: false, ..run };
        let (shares, series, observations) = Target::taken_apart(targets);
        let message = Message::new(&run, series, &shares, &[], None, Dropped::new())?;
        let Message { mut samples, dropped, .. } = message;
        samples.extend(run.admit(observations).0);
        let tally = self.meter.take();
        samples.extend(run.counts(&Deliveries::default(), &tally, false));
        Ok(report::<C>(&run, shares, samples, dropped, &tally, None))
    }

    /// Commits and delivers what was measured.
    async fn deliver<C: Collector>(
        &self,
        event: &Event,
        schedule: Schedule,
        mut targets: Vec<Target>,
        intake: &Intake,
    ) -> Result<Report> {
        let run = self.circumstances(event, schedule, &targets);
        let outbox = Outbox { run, intake, spool: Spool::new(&self.store, C::NAME, event.target(), run.wall) };
        self.deadlines.set(schedule.commit);
        self.deadlines.set_store(schedule.commit);
        // The spool is read first: what a run commits before its store fails can be neither sent nor released.
        let found = look(&outbox.spool, &mut targets).await;
        let may_commit = self.digester.is_shared() && is_accepted(run.now(), run.wall);
        let committed = run.commit(&targets, may_commit).await;
        let mut dropped = Dropped::new();
        for (target, one) in targets.iter_mut().zip(&committed) {
            target.apply(one, run.now(), &mut dropped);
        }
        let (shares, series, _) = Target::taken_apart(targets);
        let message = Message::new(&run, series, &shares, &committed, found.as_ref(), dropped)?;
        let Message { mut samples, dropped, payloads } = message;
        samples.extend(committed.iter().flat_map(|one| one.observations.clone()));
        let knows_spool = found.is_some();
        let mut deliveries = outbox.deliver(payloads, committed, found).await;
        let tally = self.meter.take();
        let counts = run.counts(&deliveries, &tally, knows_spool);
        if !counts.is_empty() {
            outbox.deliver_last(run.encode(&counts)?, &mut deliveries).await;
            samples.extend(counts);
        }
        Ok(report::<C>(&run, shares, samples, dropped, &tally, Some(deliveries)))
    }

    /// A run that comes so late that Datadog would drop its points. Where old points are taken, the gauges of what was
    /// known then are sent; nothing is fetched, and its observations belong to the next run on time.
    async fn send_late<C: Collector>(&self, event: &Event, targets: Vec<String>, intake: &Intake) -> Result<Report> {
        let (now, base) = (event.now(), &self.settings.base);
        let mut samples = Vec::new();
        for target in targets.into_iter().filter(|_| base.historical) {
            if let Some(stored) = snapshots::dated::<C>(&self.store, &target, now).await? {
                let all = interpret::<C>(&stored.snapshot, event, &self.settings.overrides, &target);
                samples.extend(all.into_iter().filter(|sample| sample.metric().kind == Kind::Gauge));
            }
        }
        let (samples, dropped) = admit(samples, base, now, event.wall());
        let delivery = intake.deliver(encode(&samples, base, now, LIMITS)?, false).await;
        let deliveries = Some(Deliveries::without_spool(delivery));
        let (shares, calls, took) = (Vec::new(), 0, Duration::ZERO);
        Ok(Report { collector: C::NAME, now, late: true, shares, samples, dropped, calls, took, deliveries })
    }
}

/// What waits in the spool; where that cannot be read the store is a gap of every target.
async fn look(spool: &Spool, targets: &mut [Target]) -> Option<Found> {
    match spool.look().await {
        Ok(found) => Some(found),
        Err(error) => {
            let why = error.with_causes();
            for target in targets {
                target.share.store_failed(&why);
            }
            None
        }
    }
}

/// The report of a run that fetched something.
fn report<C: Collector>(
    run: &Run<'_>,
    shares: Vec<Share>,
    samples: Vec<Sample>,
    dropped: Dropped,
    tally: &Tally,
    deliveries: Option<Deliveries>,
) -> Report {
    let (calls, took) = (asked(tally), run.schedule.started.elapsed());
    Report { collector: C::NAME, now: run.now(), late: false, shares, samples, dropped, calls, took, deliveries }
}

/// Whether Datadog accepts points of this time, with a minute for sending them: what it would drop may not be committed as
/// observed.
fn is_accepted(now: Timestamp, wall: Timestamp) -> bool {
    now <= wall + AHEAD && now >= wall - OLDEST + SignedDuration::from_mins(1)
}

/// The samples of a snapshot: the collector's metrics, its checks, and scores of both.
fn interpret<C: Collector>(snapshot: &C::Snapshot, event: &Event, overrides: &Overrides, target: &str) -> Vec<Sample> {
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

/// The requests to upstreams.
fn asked(tally: &Tally) -> u64 {
    tally.calls.iter().filter(|(upstream, _)| !INTERNAL.contains(upstream)).map(|(_, calls)| calls).sum()
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
