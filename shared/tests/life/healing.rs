//! A fetch of everything is made beside the state that is continued, and never instead of it.

use crate::stage::{TIME, env};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::testing::{Folder, START, Sink, at};
use shared::{
    Budget, Collector, Context, Env, Error, Event, GRID, Last, Life, Metric, Part, Probe, Report, Result, Sample,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

shared::catalogue! {
    /// How many pieces are known.
    PIECES = Gauge "pieces.known" in Item by ["part"], fold Sum, better Up;
}

const EASY: Part = Part::new("easy");
const HARD: Part = Part::new("hard").filling();

/// What the upstream does at the moment.
#[derive(Clone, Default)]
struct Upstream {
    /// Answers of the hard part that a fetch gives.
    per_fetch: usize,
    fails: bool,
    /// The easy part fails where it is not known yet.
    fails_whole: bool,
    /// A fetch breaks off that has no whole snapshot to continue from.
    breaks: bool,
    /// What else happens while everything is asked.
    meanwhile: Option<Arc<dyn Fn() + Send + Sync>>,
    /// Everything that was asked: `whole` or `continued`.
    asked: Vec<&'static str>,
    fingerprint: String,
}

#[derive(Clone)]
struct Pieces(Arc<Mutex<Upstream>>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Snapshot {
    easy: Option<usize>,
    /// Pieces of the hard part out of six, and when each was first seen.
    hard: BTreeMap<usize, Timestamp>,
}

impl Collector for Pieces {
    const NAME: &'static str = "pieces";
    const METRICS: &'static [&'static Metric] = METRICS;
    const BUDGET: Budget = Budget { targets: "", full: 0.0, continued: 0.0, tenfold: 0.0, tenfold_continued: 0.0 };
    const VERSION: u32 = 1;
    type Snapshot = Snapshot;

    async fn connect(_: &Env) -> Result<Self> {
        Ok(Self(Arc::default()))
    }

    fn targets(&self) -> Vec<String> {
        vec!["it".to_owned()]
    }

    fn parts(&self) -> Vec<Part> {
        vec![EASY, HARD]
    }

    fn fingerprint(&self, _: &str) -> String {
        self.0.lock().unwrap().fingerprint.clone()
    }

    fn unknown(&self, _: &str) -> Snapshot {
        Snapshot { easy: None, hard: BTreeMap::new() }
    }

    async fn fetch(&self, cx: &Context, _: &str, last: Last<Snapshot>) -> Result<Snapshot> {
        let mut upstream = self.0.lock().unwrap();
        upstream.asked.push(match &last {
            Last::Base(_) => "continued",
            Last::Memory(_) => "whole, remembering",
            Last::None => "whole",
        });
        if let (Some(meanwhile), Last::Memory(_)) = (&upstream.meanwhile, &last) {
            meanwhile();
        }
        let base = last.base();
        if upstream.breaks && base.as_ref().is_none_or(|base| base.hard.len() < 6) {
            return Err(Error::incomplete("it broke off"));
        }
        let is_new = base.as_ref().is_none_or(|base| base.easy.is_none());
        let mut hard = base.map(|base| base.hard).unwrap_or_default();
        for piece in 0..6 {
            if !hard.contains_key(&piece) && upstream.per_fetch > 0 {
                upstream.per_fetch -= 1;
                hard.insert(piece, cx.now());
            }
        }
        cx.pending(HARD, 6 - hard.len());
        let fails = upstream.fails || upstream.fails_whole && is_new;
        let easy = if fails { Err(Error::incomplete("it is away")) } else { Ok(1) };
        Ok(Snapshot { easy: cx.part(EASY, easy), hard })
    }

    async fn probe(&self, _: &str) -> Vec<Probe> {
        Vec::new()
    }

    fn measure(snapshot: &Snapshot, _: Timestamp) -> Vec<Sample> {
        let hard = (snapshot.hard.len() == 6).then_some(6.0);
        let easy = snapshot.easy.map(|_| 1.0);
        vec![PIECES.maybe(easy).tag("part", "easy"), PIECES.maybe(hard).tag("part", "hard")]
    }

    fn lasting(snapshot: &Snapshot) -> Option<Snapshot> {
        Some(snapshot.clone())
    }
}

struct Stage {
    life: Life,
    pieces: Pieces,
    _sink: Sink,
    state: Folder,
}

impl Stage {
    async fn new() -> Self {
        let (sink, state) = (Sink::start().await, Folder::new("healing"));
        let env = env(&sink, &state, &[]);
        let life = Life::prepare::<Pieces>(&env, true).await.unwrap();
        Self { life, pieces: Pieces::connect(&env).await.unwrap(), _sink: sink, state }
    }

    /// A stage after a day of runs: everything is due to be asked again in slot 96.
    async fn after_a_day() -> Self {
        let stage = Self::new().await;
        for slot in (0..96).step_by(4) {
            stage.run(slot, 6).await;
        }
        stage
    }

    fn upstream(&self, change: impl FnOnce(&mut Upstream)) {
        change(&mut self.pieces.0.lock().unwrap());
    }

    /// The run of this slot, with so many answers of the hard part.
    async fn run(&self, slot: i32, answers: usize) -> (Report, Vec<&'static str>) {
        self.pieces.0.lock().unwrap().per_fetch = answers;
        let now = at(START) + GRID * slot;
        let report = self.life.run(&self.pieces, &Event::new(now, now), TIME).await.unwrap();
        let asked = std::mem::take(&mut self.pieces.0.lock().unwrap().asked);
        (report, asked)
    }
}

fn value(report: &Report, series: &str) -> Option<f64> {
    shared::testing::value(report, series)
}

const HARD_ROW: &str = "pieces.known{part:hard}";
const DATA_AGE: &str = "collector.data_age_seconds{target:it}";
const PENDING: &str = "collector.pending{part:hard,target:it}";

#[tokio::test]
async fn a_first_start_fills_over_several_runs_and_is_up_from_its_first() {
    let stage = Stage::new().await;
    for (slot, answers, missing) in [(0, 2, 4.0), (1, 3, 1.0), (2, 3, 0.0)] {
        let (report, asked) = stage.run(slot, answers).await;
        assert!(report.is_up());
        assert_eq!(value(&report, PENDING), Some(missing));
        assert_eq!(value(&report, HARD_ROW).is_some(), missing == 0.0, "absent while it is filling");
        let coverage = value(&report, "collector.coverage_pct{target:it}").unwrap();
        let whole = if missing == 0.0 { 100.0 } else { 100.0 * 2.0 / 3.0 };
        assert!((coverage - whole).abs() < 1e-9, "{coverage}");
        assert_eq!(asked, [if slot == 0 { "whole" } else { "continued" }]);
    }
}

#[tokio::test]
async fn a_day_later_everything_is_asked_beside_the_state_which_is_served_until_that_is_complete() {
    let stage = Stage::after_a_day().await;
    let (report, asked) = stage.run(96, 2).await;
    assert_eq!(asked, ["whole, remembering", "continued"]);
    assert_eq!((value(&report, HARD_ROW), value(&report, PENDING)), (Some(6.0), Some(4.0)), "known rows stay known");
    let (report, asked) = stage.run(97, 1).await;
    assert_eq!(asked, ["continued", "continued"], "what was begun goes on");
    assert_eq!((value(&report, HARD_ROW), value(&report, PENDING)), (Some(6.0), Some(3.0)));
    let (report, asked) = stage.run(98, 3).await;
    assert_eq!(asked, ["continued"], "complete, it is the state");
    assert_eq!((value(&report, HARD_ROW), value(&report, PENDING)), (Some(6.0), Some(0.0)));
    let (_, asked) = stage.run(99, 0).await;
    assert_eq!(asked, ["continued"]);
    // It counts from its start.
    for slot in (100..192).step_by(4) {
        assert_eq!(stage.run(slot, 0).await.1, ["continued"], "slot {slot}");
    }
    assert_eq!(stage.run(192, 6).await.1, ["whole, remembering"]);
}

#[tokio::test]
async fn a_fetch_of_everything_that_fails_makes_nothing_unknown_and_is_tried_again() {
    let stage = Stage::after_a_day().await;
    stage.upstream(|upstream| upstream.fails = true);
    let (report, asked) = stage.run(96, 6).await;
    assert_eq!(asked, ["whole, remembering", "continued"]);
    assert!(report.shares[0].findings.gaps.contains_key("easy"), "the part fails in this run, whoever asks");
    assert_eq!(value(&report, HARD_ROW), Some(6.0));
    stage.upstream(|upstream| upstream.fails = false);
    let (report, asked) = stage.run(97, 0).await;
    assert!(report.is_up());
    assert_eq!(asked, ["continued"], "it rests");
    for slot in [100, 101, 104] {
        assert_eq!(stage.run(slot, 0).await.1, ["continued"], "the unfinished one is complete, slot {slot}");
    }
}

#[tokio::test]
async fn a_fetch_of_everything_that_breaks_off_is_tried_again_after_an_hour_and_costs_nothing_else() {
    let stage = Stage::after_a_day().await;
    stage.upstream(|upstream| upstream.breaks = true);
    let (report, asked) = stage.run(96, 6).await;
    assert_eq!(asked, ["whole, remembering", "continued"]);
    assert!(report.is_up() && value(&report, HARD_ROW) == Some(6.0));
    for slot in 97..100 {
        assert_eq!(stage.run(slot, 0).await.1, ["continued"], "it rests");
    }
    stage.upstream(|upstream| upstream.breaks = false);
    assert_eq!(stage.run(100, 6).await.1, ["whole, remembering"]);
}

#[tokio::test]
async fn a_part_that_always_fails_does_not_keep_the_others_from_being_healed() {
    let stage = Stage::new().await;
    stage.upstream(|upstream| upstream.fails = true);
    for slot in (0..96).step_by(4) {
        stage.run(slot, 6).await;
    }
    assert_eq!(stage.run(96, 6).await.1, ["whole, remembering"]);
    assert_eq!(stage.run(97, 0).await.1, ["continued"]);
}

#[tokio::test]
async fn another_configuration_or_a_long_pause_continues_nothing_and_remembers_what_lasts() {
    let stage = Stage::new().await;
    stage.run(0, 6).await;
    stage.pieces.0.lock().unwrap().fingerprint = "another server".to_owned();
    assert_eq!(stage.run(1, 6).await.1, ["whole, remembering"]);
    assert_eq!(stage.run(9, 6).await.1, ["continued"], "two hours are not too long");
    assert_eq!(stage.run(18, 6).await.1, ["whole, remembering"], "a quarter more is");
}

#[tokio::test]
async fn a_part_that_fails_when_it_is_asked_as_a_whole_is_not_asked_so_in_every_run_and_its_age_is_told() {
    let stage = Stage::after_a_day().await;
    stage.upstream(|upstream| upstream.fails_whole = true);
    for slot in (96..192).step_by(4) {
        let (report, asked) = stage.run(slot, 6).await;
        assert_eq!((asked.len(), report.is_up(), value(&report, DATA_AGE)), (2, true, Some(0.0)), "slot {slot}");
        let (report, asked) = stage.run(slot + 1, 6).await;
        assert_eq!((asked, value(&report, HARD_ROW)), (vec!["continued"], Some(6.0)), "it rests in slot {}", slot + 1);
    }
    // After two days without having been asked as a whole the state is old.
    let (report, _) = stage.run(196, 6).await;
    assert!(report.is_up() && value(&report, DATA_AGE) == Some(49.0 * 3600.0), "{:?}", value(&report, DATA_AGE));
    stage.upstream(|upstream| upstream.fails_whole = false);
    assert_eq!(value(&stage.run(200, 6).await.0, DATA_AGE), Some(0.0));
}

#[tokio::test]
async fn an_unfinished_fetch_that_was_not_continued_for_too_long_is_begun_anew() {
    for (last_try, next) in [(97, "continued"), (101, "whole, remembering")] {
        let stage = Stage::after_a_day().await;
        assert_eq!(stage.run(96, 2).await.1, ["whole, remembering", "continued"]);
        stage.upstream(|upstream| upstream.breaks = true);
        for slot in 97..=last_try {
            let asked = stage.run(slot, 2).await.1;
            let rests = (slot - 97) % 4 != 0;
            assert_eq!(asked.len(), if rests { 1 } else { 2 }, "slot {slot}");
        }
        stage.upstream(|upstream| upstream.breaks = false);
        for slot in last_try + 1..last_try + 4 {
            stage.run(slot, 2).await;
        }
        // Two hours lie between the snapshots at the most: what happened before may be forgotten by then.
        assert_eq!(stage.run(last_try + 4, 2).await.1[0], next, "slot {}", last_try + 4);
    }
}

#[tokio::test]
async fn a_store_that_fails_while_everything_is_asked_costs_no_row() {
    for breaks in [true, false] {
        let stage = Stage::after_a_day().await;
        let latest = stage.state.path().join("snapshots/pieces/it/latest");
        stage.upstream(|upstream| {
            upstream.breaks = breaks;
            // A folder in the place of a file can be neither read nor replaced.
            upstream.meanwhile = Some(Arc::new(move || {
                std::fs::remove_file(&latest).unwrap();
                std::fs::create_dir_all(latest.join("in the way")).unwrap();
            }));
        });
        let (report, asked) = stage.run(96, 2).await;
        assert_eq!(asked, ["whole, remembering", "continued"]);
        assert_eq!(value(&report, HARD_ROW), Some(6.0));
        assert_eq!(report.shares[0].findings.gaps.keys().collect::<Vec<_>>(), [&"store"]);
    }
}
