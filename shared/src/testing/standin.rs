//! Collectors whose upstream is arithmetic, for tests of what happens around them.

use super::at;
use crate::{Budget, Collector, Context, Env, Last, Metric, Part, Probe, Result, Sample, stats};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

crate::catalogue! {
    /// Things that exist.
    THINGS = Gauge "standin.things" in Item by ["place"], fold Sum, better Up;
    /// Things that ended in the slot.
    ENDED = Count "standin.ended.new" in Item by ["place"], fold Sum, better Up;
    /// How long a thing took.
    TOOK = Distribution "standin.took" in Minute by ["place"], fold None, better Down;
}

/// The words of the stand-ins, one for each function that there is.
const NAMES: [&str; 9] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight"];

/// Around this instant things end: one every four minutes, for seven hours before it and twenty after it.
pub const START: &str = "2026-01-08T12:00:00Z";

/// The only part there is.
pub const THINGS_PART: Part = Part::new("things");

/// A collector that stands in for another one; each number has a word of its own.
#[derive(Debug)]
pub struct StandIn<const N: usize> {
    targets: usize,
}

/// All that a stand-in knows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Place {
    /// The target.
    pub place: String,
    /// What ended before this is known.
    pub until: Timestamp,
}

impl<const N: usize> Collector for StandIn<N> {
    const NAME: &'static str = NAMES[N];
    const METRICS: &'static [&'static Metric] = METRICS;
    const BUDGET: Budget =
        Budget { targets: "STANDIN_TARGETS", full: 0.0, continued: 0.0, tenfold: 0.0, tenfold_continued: 0.0 };
    const VERSION: u32 = 1;
    type Snapshot = Place;

    async fn connect(env: &Env) -> Result<Self> {
        Ok(Self { targets: env.parsed("STANDIN_TARGETS", 2)? })
    }

    fn targets(&self) -> Vec<String> {
        (1..=self.targets).map(|number| format!("north/{number}")).collect()
    }

    fn parts(&self) -> Vec<Part> {
        vec![THINGS_PART]
    }

    fn fingerprint(&self, target: &str) -> String {
        target.to_owned()
    }

    fn unknown(&self, target: &str) -> Place {
        Place { place: target.to_owned(), until: Timestamp::UNIX_EPOCH }
    }

    async fn fetch(&self, cx: &Context, target: &str, _: Last<Place>) -> Result<Place> {
        Ok(Place { place: target.to_owned(), until: cx.now() })
    }

    async fn probe(&self, _: &str) -> Vec<Probe> {
        Vec::new()
    }

    fn measure(snapshot: &Place, now: Timestamp) -> Vec<Sample> {
        let first = at(START) - SignedDuration::from_hours(7);
        let ended: Vec<(i32, Timestamp)> = (0..405)
            .map(|number| (number, first + SignedDuration::from_mins(4) * number))
            .filter(|(_, ended)| *ended < snapshot.until)
            .collect();
        let times: Vec<Timestamp> = ended.iter().map(|(_, ended)| *ended).collect();
        let took = ended.iter().map(|(number, ended)| TOOK.observe(f64::from(*number), *ended, number));
        let samples = std::iter::once(THINGS.sample(stats::count(ended.len()))).chain(ENDED.slots(Some(&times), now));
        samples.chain(took).map(|sample| sample.tag("place", &snapshot.place)).collect()
    }
}
