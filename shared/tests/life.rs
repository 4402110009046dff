//! A run that is killed, repeated, doubled or cut off leaves in Datadog what an undisturbed one would have left.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use flate2::read::{GzDecoder, ZlibDecoder};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::testing::{Fake, Folder, Fuse, Reply, Seen, at};
use shared::{Collector, Context, Env, Event, GRID, Life, Metric, Probe, Result, Sample};
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

shared::catalogue! {
    /// Things that exist.
    THINGS = Gauge "toy.things" in Item by ["place"];
    /// Things that ended in the slot.
    ENDED = Count "toy.ended.new" in Item by ["place"];
    /// How long a thing took.
    TOOK = Distribution "toy.took" in Minute by ["place"];
}

const START: &str = "2026-01-08T12:00:00Z";
const TIME: Duration = Duration::from_mins(1);

/// A collector whose upstream is arithmetic: a thing ends every four minutes, and takes as many minutes as its number.
struct Toy;

#[derive(Serialize, Deserialize)]
struct Snapshot {
    place: String,
    until: Timestamp,
}

impl Collector for Toy {
    const NAME: &'static str = "toy";
    const METRICS: &'static [&'static Metric] = METRICS;
    const VERSION: u32 = 1;
    type Snapshot = Snapshot;

    async fn connect(_: &Env) -> Result<Self> {
        Ok(Self)
    }

    fn targets(&self) -> Vec<String> {
        vec!["north/1".to_owned(), "south/1".to_owned()]
    }

    fn parts(&self) -> Vec<&'static str> {
        vec!["things"]
    }

    fn unknown(&self, target: &str) -> Snapshot {
        Snapshot { place: target.to_owned(), until: Timestamp::UNIX_EPOCH }
    }

    async fn fetch(&self, cx: &Context, target: &str, _: Option<Snapshot>) -> Result<Snapshot> {
        cx.fetched_whole();
        Ok(Snapshot { place: target.to_owned(), until: cx.now() })
    }

    async fn probe(&self, _: &str) -> Vec<Probe> {
        Vec::new()
    }

    fn measure(snapshot: &Snapshot, now: Timestamp) -> Vec<Sample> {
        let ended: Vec<(i64, Timestamp)> = (0..400)
            .map(|number| {
                (
                    number,
                    at(START) - SignedDuration::from_hours(20)
                        + SignedDuration::from_mins(4) * i32::try_from(number).unwrap(),
                )
            })
            .filter(|(_, ended)| *ended < snapshot.until)
            .collect();
        let times: Vec<Timestamp> = ended.iter().map(|(_, ended)| *ended).collect();
        let mut samples = vec![THINGS.sample(shared::stats::count(ended.len()))];
        samples.extend(ENDED.slots(Some(&times), now));
        samples.extend(
            ended
                .iter()
                .map(|(number, ended)| TOOK.observe(f64::from(i32::try_from(*number).unwrap()), *ended, number)),
        );
        samples.into_iter().map(|sample| sample.tag("place", &snapshot.place)).collect()
    }
}

/// Datadog's store: the last value wins, observations add up.
#[derive(Default, Clone, PartialEq, Debug)]
struct Points {
    series: BTreeMap<(String, String, i64), String>,
    observed: BTreeMap<(String, String, i64), Vec<String>>,
}

impl Points {
    fn take(&mut self, seen: &Seen) {
        let mut plain = String::new();
        match seen.headers["content-encoding"].as_str() {
            "gzip" => GzDecoder::new(seen.body.as_slice()).read_to_string(&mut plain).unwrap(),
            _ => ZlibDecoder::new(seen.body.as_slice()).read_to_string(&mut plain).unwrap(),
        };
        for series in serde_json::from_str::<Value>(&plain).unwrap()["series"].as_array().unwrap() {
            let (metric, tags) = (series["metric"].as_str().unwrap().to_owned(), series["tags"].to_string());
            for point in series["points"].as_array().unwrap() {
                match point.as_array() {
                    None => {
                        let time = point["timestamp"].as_i64().unwrap();
                        self.series.insert((metric.clone(), tags.clone(), time), point["value"].to_string());
                    }
                    Some(pair) => {
                        let values =
                            self.observed.entry((metric.clone(), tags.clone(), pair[0].as_i64().unwrap())).or_default();
                        values.extend(pair[1].as_array().unwrap().iter().map(Value::to_string));
                        values.sort();
                    }
                }
            }
        }
    }

    /// How many distribution payloads are there twice: none, or one of them; nothing when it is anything else.
    fn doubled(&self, expected: &Self) -> Option<usize> {
        let mut doubled = 0;
        for (key, values) in &expected.observed {
            let mut twice = [values.clone(), values.clone()].concat();
            twice.sort();
            match self.observed.get(key) {
                Some(told) if told == values => {}
                Some(told) if *told == twice => doubled += 1,
                _ => return None,
            }
        }
        (doubled <= 1 && self.observed.len() == expected.observed.len()).then_some(doubled)
    }

    /// Without what runs say about themselves, which tells how they went.
    fn told(&self) -> Self {
        let mut told = self.clone();
        told.series.retain(|(metric, _, _), _| !metric.starts_with("collector."));
        told
    }
}

struct Stage {
    life: Life,
    points: Arc<Mutex<Points>>,
    status: Arc<AtomicU16>,
    _fake: Fake,
    state: Folder,
}

impl Stage {
    async fn new() -> Self {
        let points: Arc<Mutex<Points>> = Arc::default();
        let status = Arc::new(AtomicU16::new(202));
        let (store, answer) = (Arc::clone(&points), Arc::clone(&status));
        let fake = Fake::start(move |_, seen| {
            let status = answer.load(Ordering::SeqCst);
            if status == 202 {
                store.lock().unwrap().take(seen);
            }
            Reply::json(status, &json!({"errors": []}))
        })
        .await;
        let state = Folder::new("life");
        let path = state.path().display().to_string();
        let vars = [("DATADOG_URL", fake.url()), ("DD_API_KEY", "k3y"), ("DD_ENV", "test"), ("STATE_DIR", &path)];
        let life = Life::prepare::<Toy>(&Env::of(vars), &[], true).await.unwrap();
        Self { life, points, status, _fake: fake, state }
    }

    async fn run(&self, slot: i32, late: SignedDuration) -> shared::Report {
        let now = at(START) + GRID * slot;
        self.life.run(&Toy, &Event::new(now, now + late), TIME).await.unwrap()
    }

    fn told(&self) -> Points {
        self.points.lock().unwrap().told()
    }
}

/// What three undisturbed runs leave.
async fn undisturbed() -> Points {
    let stage = Stage::new().await;
    for slot in 0..3 {
        let report = stage.run(slot, SignedDuration::ZERO).await;
        assert!(report.is_up() && report.failure().is_none());
    }
    let told = stage.told();
    // The first run observes nothing, each later one what ended in its quarter of an hour: three or four things a place.
    assert_eq!(told.observed.len(), 4);
    told
}

#[tokio::test]
async fn a_run_killed_at_any_step_and_repeated_leaves_what_an_undisturbed_one_would_have() {
    let expected = undisturbed().await;
    let (mut kills, mut doubled) = (0, 0);
    for step in 0.. {
        let stage = Stage::new().await;
        stage.run(0, SignedDuration::ZERO).await;
        let fuse = Fuse::new(step);
        let killed = stage.life.fused(fuse.clone());
        let now = at(START) + GRID;
        let over = Box::pin(fuse.run(killed.run(&Toy, &Event::new(now, now), TIME))).await.is_some();
        // Lambda repeats an event after a minute at the earliest, when the run before it is over for certain.
        let repeated = stage.run(1, SignedDuration::from_mins(2)).await;
        assert!(repeated.failure().is_none());
        stage.run(2, SignedDuration::ZERO).await;
        let told = stage.told();
        assert_eq!(told.series, expected.series, "killed at step {step}");
        doubled += told.doubled(&expected).unwrap_or_else(|| panic!("killed at step {step}: {told:?}"));
        assert_eq!(stage.life.store().list("spool/").await.unwrap(), Vec::<String>::new(), "killed at step {step}");
        if over {
            break;
        }
        kills += 1;
    }
    assert!(kills >= 30, "only {kills} steps");
    // A run that dies after Datadog took a payload and before the spool knows is like an answer that got lost: the one step
    // before and the one step within the removal, for each of two payloads.
    assert!(doubled <= 4, "{doubled} of {kills} kills doubled a payload");
}

#[tokio::test]
async fn what_datadog_did_not_take_for_half_an_hour_arrives_later_once_and_with_its_own_time() {
    let expected = undisturbed().await;
    let stage = Stage::new().await;
    stage.run(0, SignedDuration::ZERO).await;
    for status in [500, 503] {
        stage.status.store(status, Ordering::SeqCst);
        let slot = if status == 500 { 1 } else { 2 };
        let report = stage.run(slot, SignedDuration::ZERO).await;
        let outcome = report.outcome.as_ref().unwrap();
        assert!(outcome.accepted == 0 && outcome.spooled >= 2 && outcome.lost == 0, "{outcome:?}");
        assert!(report.failure().is_none(), "spooled is safe");
    }
    assert_ne!(stage.told(), expected);
    stage.status.store(202, Ordering::SeqCst);
    let report = stage.run(3, SignedDuration::ZERO).await;
    assert!(report.outcome.as_ref().unwrap().recovered > 0);
    let value = |name: &str| {
        report.samples.iter().filter(|sample| sample.name() == name).filter_map(Sample::value).sum::<f64>()
    };
    assert!(value("collector.push_errors") > 0.0, "failed submissions are told by the run that gets through");
    let mut told = stage.told();
    let fourth = (at(START) + GRID * 3).as_second();
    told.series.retain(|(_, _, time), _| *time != fourth);
    told.observed.retain(|(_, _, time), _| *time != fourth);
    assert_eq!(told, expected);
    assert_eq!(stage.life.store().list("spool/").await.unwrap(), Vec::<String>::new());
    let report = stage.run(4, SignedDuration::ZERO).await;
    let errors: f64 =
        report.samples.iter().filter(|sample| sample.name() == "collector.push_errors").filter_map(Sample::value).sum();
    assert!(errors.abs() < 1e-9, "and only once");
}

#[tokio::test]
async fn points_that_became_too_old_for_datadog_are_counted_and_kept_aside() {
    let stage = Stage::new().await;
    stage.run(0, SignedDuration::ZERO).await;
    stage.status.store(500, Ordering::SeqCst);
    stage.run(1, SignedDuration::ZERO).await;
    stage.status.store(202, Ordering::SeqCst);
    let report = stage.run(7, SignedDuration::ZERO).await;
    let expired: f64 = report
        .samples
        .iter()
        .filter(|sample| sample.name() == "collector.spool.expired")
        .filter_map(Sample::value)
        .sum();
    let aside = stage.life.store().list("expired/").await.unwrap().len();
    assert!(aside >= 2 && (expired - shared::stats::count(aside)).abs() < 1e-9, "{expired} {aside}");
    assert!(report.dropped["too_old"] > 0, "slots that nobody can deliver any more are counted");
}

#[tokio::test]
async fn a_refused_key_fails_the_run_loudly_and_loses_nothing() {
    let stage = Stage::new().await;
    stage.run(0, SignedDuration::ZERO).await;
    stage.status.store(403, Ordering::SeqCst);
    let report = stage.run(1, SignedDuration::ZERO).await;
    assert_eq!(report.outcome.as_ref().unwrap().lost, 0);
    let text = report.failure().unwrap().to_string();
    assert!(text.contains("DD_API_KEY") && !text.contains("k3y"), "{text}");
    stage.status.store(202, Ordering::SeqCst);
    stage.run(1, SignedDuration::from_mins(2)).await;
    stage.run(2, SignedDuration::ZERO).await;
    assert_eq!(stage.told(), undisturbed().await);
}

#[tokio::test]
async fn two_runs_of_one_target_at_once_leave_what_one_would_have() {
    let expected = undisturbed().await;
    for _ in 0..5 {
        let stage = Stage::new().await;
        stage.run(0, SignedDuration::ZERO).await;
        let twice = tokio::join!(stage.run(1, SignedDuration::ZERO), stage.run(1, SignedDuration::ZERO));
        assert!(twice.0.failure().is_none() && twice.1.failure().is_none());
        stage.run(2, SignedDuration::ZERO).await;
        assert_eq!(stage.told(), expected);
    }
}

#[tokio::test]
async fn an_unreadable_store_costs_the_counts_and_not_the_levels() {
    let stage = Stage::new().await;
    stage.run(0, SignedDuration::ZERO).await;
    for key in ["cursors/toy/north%2F1", "snapshots/toy/north%2F1/latest"] {
        std::fs::write(stage.state.path().join(key), "{broken").unwrap();
    }
    let report = stage.run(1, SignedDuration::ZERO).await;
    let gaps: Vec<&str> =
        report.shares.iter().filter(|share| !share.is_up()).map(|share| share.target.as_str()).collect();
    assert_eq!(gaps, ["north/1"]);
    let said = |place: &str, name: &str| {
        report.samples.iter().any(|sample| sample.name() == name && sample.tag_value("place") == Some(place))
    };
    assert!(said("north/1", "toy.things") && !said("north/1", "toy.ended.new") && said("south/1", "toy.ended.new"));
    assert!(stage.run(2, SignedDuration::ZERO).await.is_up(), "it heals by itself");
}

#[tokio::test]
async fn an_event_that_names_a_target_runs_it_alone_and_an_unknown_one_is_refused() {
    let stage = Stage::new().await;
    let event = |target| Event::new(at(START), at(START)).for_target(target);
    let report = stage.life.run(&Toy, &event("south/1"), TIME).await.unwrap();
    assert_eq!(report.shares.len(), 1);
    let error = stage.life.run(&Toy, &event("east"), TIME).await.unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("north/1, south/1"), "{error}");
}
