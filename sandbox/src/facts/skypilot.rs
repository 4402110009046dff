//! What the rows of SkyPilot should be, worked out from the turns of the model's jobs.

mod unknown;
mod view;

use super::Values;
use super::scene::{count, mean, percentile, series};
use crate::model::skypilot::{Cluster, Controller, Server};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
pub use unknown::{skypilot_gaps, skypilot_unread};
use view::{Group, View, WORDS, group, views};

/// The configuration that the definitions speak of, with its defaults.
#[derive(Debug, Clone)]
pub struct SkySettings {
    /// How many days back a job may have been submitted to be seen when it ends.
    pub history_days: i64,
    /// From how many hours on a job is long.
    pub long_hours: f64,
    /// Dollars an hour by type and pricing.
    pub prices: BTreeMap<(String, &'static str), f64>,
    /// When the queue was read, ascending: what nobody writes down is known by that.
    pub looks: Vec<Timestamp>,
}

impl Default for SkySettings {
    fn default() -> Self {
        let prices = [
            ("a100", "ondemand", 3.5),
            ("a100", "spot", 1.25),
            ("h100", "ondemand", 8.0),
            ("h100", "spot", 3.0),
            ("l4", "ondemand", 0.75),
            ("l4", "spot", 0.26),
            ("l40s", "ondemand", 1.9),
            ("a10g", "ondemand", 1.2),
            ("a10g", "spot", 0.45),
        ];
        let prices = prices.into_iter().map(|(name, pricing, price)| ((name.to_owned(), pricing), price)).collect();
        Self { history_days: 21, long_hours: 48.0, prices, looks: Vec::new() }
    }
}

/// Everything about a server that its rows are counted from.
struct Tale<'a> {
    server: &'a Server,
    now: Timestamp,
    settings: &'a SkySettings,
    values: Values,
}

/// Every gauge of a server at this time.
#[must_use]
pub fn skypilot(server: &Server, now: Timestamp, settings: &SkySettings) -> Values {
    let mut tale = Tale { server, now, settings, values: Values::new() };
    let active = server.clusters.iter().filter(|cluster| is_active(cluster, now)).count();
    tale.put("clusters.active", &[], count(active));
    if server.controller == Controller::Unreachable {
        return tale.values;
    }
    let views = if server.controller == Controller::Up { views(server, now, &settings.looks) } else { Vec::new() };
    let running: Vec<&View<'_>> = views.iter().filter(|view| view.group() == Group::Running).collect();
    let live: Vec<&View<'_>> = views.iter().filter(|view| view.is_live()).collect();
    tale.levels(&live, &running);
    tale.runtimes(&running);
    tale.places(&running);
    tale.gpus(&running);
    if server.controller == Controller::Up {
        tale.history(&views);
    }
    tale.values
}

fn is_active(cluster: &Cluster, now: Timestamp) -> bool {
    let controllers = ["sky-jobs-controller-", "sky-serve-controller-"];
    let reserved = controllers.iter().any(|prefix| cluster.name.starts_with(prefix));
    let state = cluster.turns.iter().rev().find(|(time, _)| *time <= now).map(|(_, state)| *state);
    let gone = cluster.removed_at.is_some_and(|removed| removed <= now);
    state == Some("UP") && !gone && !reserved && !cluster.managed
}

impl Tale<'_> {
    fn put(&mut self, name: &str, more: &[(&str, &str)], value: f64) {
        let mut tags = vec![("server", self.server.alias)];
        tags.extend(more);
        self.values.insert(series(&format!("skypilot.{name}"), &tags), value);
    }

    fn maybe(&mut self, name: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.put(name, &[], value);
        }
    }

    fn levels(&mut self, live: &[&View<'_>], running: &[&View<'_>]) {
        self.put("jobs.queued", &[], count(live.len() - running.len()));
        self.put("jobs.running", &[], count(running.len()));
        let recovered: Vec<f64> = live.iter().map(|view| view.recoveries()).filter(|number| *number > 0.0).collect();
        self.put("jobs.with_recoveries", &[], count(recovered.len()));
        self.maybe("jobs.recovery_count.avg", mean(&recovered));
        self.maybe("jobs.recovery_count.max", recovered.iter().copied().reduce(f64::max));
        let users: BTreeSet<usize> = live.iter().filter_map(|view| view.job.user).collect();
        self.put("users.active_count", &[], count(users.len()));
        let waits: Vec<f64> = live
            .iter()
            .filter(|view| view.group() == Group::Queued && view.started().is_none())
            .filter_map(|view| view.waits_since())
            .map(|submitted| self.now.duration_since(submitted).as_secs_f64())
            .collect();
        self.maybe("jobs.queue_wait_seconds.p50", percentile(&waits, 0.5));
        self.maybe("jobs.queue_wait_seconds.p90", percentile(&waits, 0.9));
    }

    fn runtimes(&mut self, running: &[&View<'_>]) {
        let times: Vec<f64> = running.iter().filter_map(|view| view.runtime(self.now)).collect();
        self.maybe("jobs.runtime_seconds.min", times.iter().copied().reduce(f64::min));
        self.maybe("jobs.runtime_seconds.max", times.iter().copied().reduce(f64::max));
        self.maybe("jobs.runtime_seconds.avg", mean(&times));
        for (word, at) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            self.maybe(&format!("jobs.runtime_seconds.{word}"), percentile(&times, at));
        }
        let between = |low: f64, high: f64| {
            times.iter().filter(|seconds| low * 3600.0 <= **seconds && **seconds < high * 3600.0).count()
        };
        let buckets = [("0_1h", 0.0, 1.0), ("1_4h", 1.0, 4.0), ("4_24h", 4.0, 24.0), ("over_24h", 24.0, f64::INFINITY)];
        let buckets = buckets.map(|(word, low, high)| (word, count(between(low, high))));
        let long = times.iter().filter(|seconds| **seconds > self.settings.long_hours * 3600.0).count();
        for (word, number) in buckets {
            self.put(&format!("jobs.runtime_buckets.{word}"), &[], number);
        }
        self.put("jobs.long_running", &[], count(long));
    }

    fn places(&mut self, running: &[&View<'_>]) {
        let mut regions: BTreeMap<&str, usize> = BTreeMap::from([("unknown", 0)]);
        for view in running {
            *regions.entry(view.region().unwrap_or("unknown")).or_default() += 1;
        }
        let of = |name: &str| regions.get(name).copied().unwrap_or(0);
        let (east, west) = (of("us-east-1"), of("us-west-2"));
        self.put("regions.us_east_1", &[], count(east));
        self.put("regions.us_west_2", &[], count(west));
        self.put("regions.other", &[], count(running.len() - east - west - of("unknown")));
        for (region, number) in &regions {
            self.put("jobs.by_region", &[("region", region)], count(*number));
        }
        for (name, pricing) in [("spot_jobs", "spot"), ("ondemand_jobs", "ondemand")] {
            let number = running.iter().filter(|view| view.pricing() == Some(pricing)).count();
            self.put(&format!("resources.{name}"), &[], count(number));
        }
    }

    fn gpus(&mut self, running: &[&View<'_>]) {
        let unreadable = running.iter().filter(|view| view.gpus().is_none()).count();
        if unreadable * 10 > running.len() {
            return;
        }
        let mut all: BTreeMap<(String, Option<&str>), f64> = BTreeMap::new();
        for view in running {
            for (kind, pricing, number) in view.gpus().into_iter().flatten().filter(|(.., number)| *number > 0.0) {
                *all.entry((kind, pricing)).or_default() += number;
            }
        }
        self.put("resources.gpus.total_count", &[], all.values().sum());
        for kind in ["l4", "a10g", "h100"] {
            let number = all.iter().filter(|((other, _), _)| other == kind).map(|(_, number)| number).sum();
            self.put(&format!("resources.gpus.{kind}_count"), &[], number);
        }
        let mut kinds: BTreeSet<String> = all.keys().map(|(kind, _)| kind.clone()).collect();
        kinds.extend(self.settings.prices.keys().map(|(kind, _)| kind.clone()));
        let mut unpriced: f64 =
            all.iter().filter(|((_, pricing), _)| pricing.is_none()).map(|(_, number)| number).sum();
        for kind in kinds {
            for pricing in ["spot", "ondemand"] {
                let number = all.get(&(kind.clone(), Some(pricing))).copied().unwrap_or(0.0);
                let tags = [("gpu_type", kind.as_str()), ("pricing", pricing)];
                self.put("resources.gpus.by_type", &tags, number);
                match self.settings.prices.get(&(kind.clone(), pricing)).copied() {
                    Some(price) => {
                        let tags = [tags[0], tags[1], ("price_source", "table")];
                        self.put("cost.burn_rate_hourly", &tags, number * price);
                    }
                    None => unpriced += number,
                }
            }
        }
        self.put("cost.unpriced_gpus", &[], unpriced);
    }

    fn history(&mut self, views: &[View<'_>]) {
        let rows = |wanted: Group| {
            views.iter().flat_map(|view| &view.tasks).filter(|task| group(task.word()) == wanted).count()
        };
        for (name, wanted) in
            [("failed", Group::Failed), ("succeeded", Group::Succeeded), ("cancelled", Group::Cancelled)]
        {
            self.put(&format!("jobs.{name}"), &[], count(rows(wanted)));
        }
        let week = self.now - SignedDuration::from_hours(7 * 24)..self.now;
        let over = over(views, self.now, self.settings);
        let recent: Vec<&&View<'_>> =
            over.iter().filter(|view| view.ended().is_some_and(|ended| week.contains(&ended))).collect();
        let failed = recent.iter().filter(|view| view.group() == Group::Failed).count();
        self.put("jobs.failed_7d", &[], count(failed));
        let mut words: BTreeMap<String, usize> =
            WORDS.iter().map(|word| (word.to_lowercase(), 0)).chain([("other".to_owned(), 0)]).collect();
        let live = views.iter().filter(|view| view.is_live() || view.group() == Group::Unheard);
        for view in live.chain(recent.into_iter().copied()) {
            let word = match view.group() {
                Group::Unheard => "other".to_owned(),
                _ => view.current().word().to_lowercase(),
            };
            *words.entry(word).or_default() += 1;
        }
        for (word, number) in words {
            self.put("jobs.by_status", &[("status", &word)], count(number));
        }
    }
}

/// Jobs that are over and were submitted in the time that is looked at, or never.
fn over<'v, 'a>(views: &'v [View<'a>], now: Timestamp, settings: &SkySettings) -> Vec<&'v View<'a>> {
    let since = now - SignedDuration::from_hours(24 * settings.history_days);
    let is_known = |view: &&View<'_>| view.submitted().max().is_none_or(|submitted| since <= submitted);
    views.iter().filter(|view| !view.is_open()).filter(is_known).collect()
}

fn outcome(view: &View<'_>) -> &'static str {
    match view.group() {
        Group::Succeeded => "succeeded",
        Group::Cancelled => "cancelled",
        _ => "failed",
    }
}

/// The counts of the slot of fifteen minutes that ends at this time, as they stand at `now`.
#[must_use]
pub fn skypilot_counts(server: &Server, slot_end: Timestamp, now: Timestamp, settings: &SkySettings) -> Values {
    let mut values = Values::new();
    if server.controller != Controller::Up {
        return values;
    }
    let views = views(server, now, &settings.looks);
    let slot = slot_end - SignedDuration::from_mins(15)..slot_end;
    for word in ["succeeded", "failed", "cancelled"] {
        let number = over(&views, now, settings)
            .into_iter()
            .filter(|view| outcome(view) == word && view.ended().is_some_and(|ended| slot.contains(&ended)))
            .count();
        let tags = [("server", server.alias), ("outcome", word)];
        values.insert(series("skypilot.jobs.finished.new", &tags), count(number));
    }
    values
}

/// The observations of what ended in `[from, until)`, ascending.
#[must_use]
pub fn skypilot_observations(
    server: &Server,
    (from, until): (Timestamp, Timestamp),
    settings: &SkySettings,
) -> BTreeMap<String, Vec<f64>> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    if server.controller != Controller::Up {
        return values;
    }
    let views = views(server, until, &settings.looks);
    for view in over(&views, until, settings) {
        let Some(ended) = view.ended().filter(|ended| (from..until).contains(ended)) else { continue };
        if let (Some(_), Some(seconds)) = (view.started(), view.runtime(ended)) {
            let tags = [("server", server.alias), ("outcome", outcome(view))];
            values.entry(series("skypilot.jobs.runtime", &tags)).or_default().push(seconds);
        }
    }
    for values in values.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    values
}
