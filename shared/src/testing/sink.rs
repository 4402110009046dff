//! Datadog as a run sees it: it takes points, keeps the last value of each series and second, and adds observations up.

use super::{Fake, Reply, Seen};
use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A point's place: metric, tags and second.
type Place = (String, String, i64);

/// What Datadog has.
#[derive(Default, Clone, PartialEq, Debug)]
pub struct Points {
    /// Gauges and counts, the last value of each.
    pub series: BTreeMap<Place, String>,
    /// Observations, ascending.
    pub observed: BTreeMap<Place, Vec<String>>,
    /// Every point of gauges and counts in the order it came.
    pub order: Vec<(Place, String)>,
}

impl Points {
    fn take(&mut self, seen: &Seen) {
        for series in body(seen)["series"].as_array().into_iter().flatten() {
            let (metric, tags) = (text(&series["metric"]), series["tags"].to_string());
            for point in series["points"].as_array().into_iter().flatten() {
                let place = |time: &Value| (metric.clone(), tags.clone(), time.as_i64().unwrap_or_default());
                if let Some([time, values]) = point.as_array().map(Vec::as_slice) {
                    let all = self.observed.entry(place(time)).or_default();
                    all.extend(values.as_array().into_iter().flatten().map(Value::to_string));
                    all.sort();
                } else {
                    let (place, value) = (place(&point["timestamp"]), point["value"].to_string());
                    self.series.insert(place.clone(), value.clone());
                    self.order.push((place, value));
                }
            }
        }
    }

    /// Without what runs say about themselves, which tells how they went, and without the order.
    #[must_use]
    pub fn told(&self) -> Self {
        let mut told = self.clone();
        told.series.retain(|(metric, _, _), _| !metric.starts_with("collector."));
        told.order.clear();
        told
    }

    /// How many payloads of observations are there twice: none, or that of one run; nothing when it is anything else.
    #[must_use]
    pub fn doubled(&self, expected: &Self) -> Option<usize> {
        let mut doubled = BTreeSet::new();
        for (place, values) in &expected.observed {
            let mut twice = [values.clone(), values.clone()].concat();
            twice.sort();
            match self.observed.get(place) {
                Some(told) if told == values => {}
                Some(told) if *told == twice => drop(doubled.insert(place.2)),
                _ => return None,
            }
        }
        (doubled.len() <= 1 && self.observed.len() == expected.observed.len()).then_some(doubled.len())
    }

    /// The sum of a metric's points at a second, or over all seconds.
    #[must_use]
    pub fn sum(&self, metric: &str, second: Option<i64>) -> f64 {
        let wanted = |place: &Place| place.0 == metric && second.is_none_or(|second| second == place.2);
        self.series.iter().filter(|(place, _)| wanted(place)).filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
    }
}

fn body(seen: &Seen) -> Value {
    let mut plain = String::new();
    let read = match seen.headers.get("content-encoding").map(String::as_str) {
        Some("gzip") => GzDecoder::new(seen.body.as_slice()).read_to_string(&mut plain),
        _ => ZlibDecoder::new(seen.body.as_slice()).read_to_string(&mut plain),
    };
    read.ok().and_then(|_| serde_json::from_str(&plain).ok()).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the sink answers to a request; nothing to take it.
pub type Mood = Arc<dyn Fn(&Seen) -> Option<Reply> + Send + Sync>;

/// A Datadog of one's own.
pub struct Sink {
    points: Arc<Mutex<Points>>,
    mood: Arc<Mutex<Option<Mood>>>,
    fake: Fake,
}

impl Sink {
    /// Starts one that takes everything.
    pub async fn start() -> Self {
        let (points, mood) = (Arc::<Mutex<Points>>::default(), Arc::<Mutex<Option<Mood>>>::default());
        let (kept, asked) = (Arc::clone(&points), Arc::clone(&mood));
        let fake = Fake::start(move |_, seen| {
            let mood = lock(&asked).clone();
            if let Some(reply) = mood.and_then(|mood| mood(seen)) {
                return reply;
            }
            lock(&kept).take(seen);
            Reply::json(202, &json!({"errors": []}))
        })
        .await;
        Self { points, mood, fake }
    }

    /// Its base address.
    #[must_use]
    pub fn url(&self) -> &str {
        self.fake.url()
    }

    /// What it was asked so far.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.fake.seen()
    }

    /// What it has.
    #[must_use]
    pub fn points(&self) -> Points {
        lock(&self.points).clone()
    }

    /// From now on it answers so and takes nothing; with nothing it takes everything again.
    pub fn answer(&self, reply: Option<Reply>) {
        *lock(&self.mood) = reply.map(|reply| -> Mood { Arc::new(move |_| Some(reply.clone())) });
    }

    /// From now on it is in this mood.
    pub fn feel(&self, mood: impl Fn(&Seen) -> Option<Reply> + Send + Sync + 'static) {
        *lock(&self.mood) = Some(Arc::new(mood));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
