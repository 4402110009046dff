//! Every number equals the truth, of what is read whole and of what is continued.

use crate::stage::{Stage, time_of};
use crate::subject::{Observations, Subject};
use jiff::Timestamp;
use shared::testing::{Values, counts as counts_of, differences, gauges as gauges_of, observations, pending, value};
use shared::{GRID, Report};
use std::ops::Range;

/// How often a run is repeated for parts that are read a few pieces at a time.
const PATIENCE: usize = 40;

/// Holds every gauge of these organisations against the truth: a fetch of everything, then continued ones.
pub async fn gauges<S: Subject>(numbers: Range<u64>) {
    let (mut excused, mut compared) = (0, 0);
    for number in numbers {
        let start = time_of(number);
        let stage = Stage::<S>::new(number, start, false).await;
        until_known(&stage, &[], &format!("organisation {number} at {start}, a full fetch")).await;
        let mut now = start;
        for step in 0..=number % 2 {
            now += GRID * i32::try_from(1 + (number + step) % 4).unwrap();
            stage.clock.set(now);
            let unseen = S::unseen(&stage.scene(), start, now);
            until_known(&stage, unseen, &format!("organisation {number} at {now}, a continued fetch")).await;
            (excused, compared) = (excused + usize::from(!unseen.is_empty()), compared + 1);
        }
    }
    assert!(3 * excused <= compared, "{excused} of {compared} continued fetches were excused");
}

/// Runs until nothing is pending. All that each run says is true and what it cannot know is named; the last one says all
/// that is true.
async fn until_known<S: Subject>(stage: &Stage<S>, unseen: &[&str], what: &str) -> Report {
    let truth = S::gauges(&stage.scene(), stage.clock.now());
    for _ in 0..PATIENCE {
        let report = stage.run().await;
        unknown(stage, &report, what);
        let waits = pending(&report) > 0;
        let wrong = wrong(&report, &truth, waits);
        let wrong: Vec<&String> = wrong.iter().filter(|line| !unseen.iter().any(|word| line.contains(word))).collect();
        assert!(wrong.is_empty(), "{what}: {wrong:#?}");
        if !waits {
            return report;
        }
    }
    panic!("{what}: something is pending after {PATIENCE} runs");
}

/// What a run says and is not true; unless parts are missing, also what is true and it does not say.
pub(crate) fn wrong(report: &Report, truth: &Values, parts_are_missing: bool) -> Vec<String> {
    let mut said = gauges_of(report);
    if parts_are_missing {
        said.retain(|series, _| !counts_unknown_verdicts(series));
    }
    let lines = differences(&said, truth).into_iter();
    lines.filter(|line| !(parts_are_missing && line.contains("said None"))).collect()
}

/// Totals over verdicts and targets of checks: an unknown verdict is counted and named as one.
fn counts_unknown_verdicts(series: &str) -> bool {
    series.starts_with("health.checks") || series.starts_with("health.check.state") || series.contains("status:unknown")
}

/// Holds what a run says it does not know against what cannot be known.
fn unknown<S: Subject>(stage: &Stage<S>, report: &Report, what: &str) {
    assert!(!report.shares.is_empty(), "{what}: no target");
    for share in &report.shares {
        let (target, scene) = (share.target.as_str(), stage.scene());
        let gaps = S::gaps(&scene, target, report.now);
        assert!(share.findings.gaps.keys().copied().eq(gaps.iter().copied()), "{what}: {:?}", share.findings);
        let up = value(report, &format!("collector.target_up{{target:{target}}}"));
        assert_eq!(up, Some(f64::from(u8::from(gaps.is_empty()))), "{what}: {target}");
        let unread = S::unread(&scene, target, report.now);
        for (part, records) in &share.findings.unread {
            assert_eq!(*records, unread.get(part).copied().unwrap_or_default(), "{what}: {target}: {part}");
        }
        for (part, records) in unread {
            let said = value(report, &format!("collector.unread{{part:{part},target:{target}}}"));
            assert_eq!(said.map(|said| said.to_string()), Some(records.to_string()), "{what}: {target}: {part}");
        }
    }
}

/// What a continued run could not see is true again once everything was fetched anew, a day later at most.
pub async fn healed<S: Subject>(numbers: Range<u64>) {
    for number in numbers {
        let start = time_of(number);
        let stage = Stage::<S>::new(number, start, false).await;
        for step in 0..=12 {
            stage.clock.set(start + GRID * (8 * step));
            stage.settled().await;
        }
        until_known(&stage, &[], &format!("organisation {number}, a day after {start}")).await;
    }
}

/// Holds the counts of every slot, the verdicts and the observations of these organisations against the truth.
pub async fn counts<S: Subject>(numbers: Range<u64>) {
    let (mut counted, mut summed, mut observed, mut compared) = (0, 0.0, 0, 0);
    for number in numbers {
        let start = time_of(number);
        let stage = Stage::<S>::new(number, start, true).await;
        let first = stage.run().await;
        assert!(observations(&first).is_empty(), "organisation {number}: a first run observes nothing");
        let mut from = start;
        slots(&stage, &first, number, (&mut counted, &mut summed));
        // The first is continued; the second comes too late for that, and most of its slots too late for Datadog.
        for steps in [3, 32] {
            let now = from + GRID * steps;
            stage.clock.set(now);
            let report = stage.run().await;
            let what = format!("organisation {number} from {from} to {now}");
            if steps > 8 || S::unseen(&stage.scene(), from, now).is_empty() {
                slots(&stage, &report, number, (&mut counted, &mut summed));
                observed +=
                    observations_agree(&observations(&report), &S::observations(&stage.scene(), from, now), &what);
                compared += 1;
            }
            assert!(observations(&stage.run().await).is_empty(), "{what}: what ended is observed once");
            from = now;
        }
    }
    println!("{counted} counts of {summed}, {observed} observations, {compared} pairs of runs");
    assert!(counted > 400 && summed > 10.0 && observed > 20 && compared > 60, "too few to prove anything");
}

/// Holds the counts of each slot of a run, and of its own slot the verdicts, against the truth.
fn slots<S: Subject>(stage: &Stage<S>, report: &Report, number: u64, (counted, summed): (&mut usize, &mut f64)) {
    let told = counts_of(report);
    let taken: Vec<Timestamp> = (0..4).rev().map(|back| report.now - GRID * back).collect();
    assert!(told.keys().eq(&taken), "organisation {number}: every slot that Datadog still takes: {told:?}");
    let waits = pending(report) > 0;
    for (slot, told) in &told {
        let mut truth = S::counts(&stage.scene(), *slot, report.now);
        *counted += truth.len();
        *summed += truth.values().sum::<f64>();
        let mut told = told.clone();
        if waits {
            told.retain(|series, _| !counts_unknown_verdicts(series));
        } else if *slot == report.now {
            truth.extend(S::verdicts(&stage.scene(), report.now));
        }
        let wrong = differences(&told, &truth);
        assert!(wrong.is_empty(), "organisation {number}: the slot to {slot}: {wrong:#?}");
    }
}

/// Holds observations against the truth, and says how many there are.
fn observations_agree(said: &Observations, truth: &Observations, what: &str) -> usize {
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    for (series, values) in truth {
        let said = said.get(series).map(Vec::as_slice).unwrap_or_default();
        let same = said.len() == values.len() && said.iter().zip(values).all(close);
        assert!(same, "{what}: {series}: said {said:?}, true {values:?}");
    }
    assert!(said.keys().all(|series| truth.contains_key(series)), "{what}: said {said:?}, true {truth:?}");
    truth.values().map(Vec::len).sum()
}
