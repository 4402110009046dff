//! Queries over the store: points into buckets, then series into groups.
//!
//! Series are not interpolated to meet each other: all that we send stands on one grid, where Datadog does nothing
//! either.

use super::buckets::{Buckets, Window};
use super::formula::{Group, Leaf, Outcome, Table, compute, filled};
use super::parse::{Expression, Method, Query, Shape, Space};
use crate::datadog::reply::Refusal;
use crate::datadog::{Metadata, Series, Store};
use std::collections::{BTreeMap, HashMap};

/// What an expression is worked out over.
pub(super) struct Evaluation<'a> {
    pub(super) store: &'a Store,
    pub(super) window: Window,
    /// The queries that a formula can name.
    pub(super) named: &'a HashMap<String, Expression>,
}

impl Evaluation<'_> {
    /// What an expression comes to over time. All its queries are cut alike, by the widest rollup among them.
    pub(super) fn table(&self, expression: &Expression) -> Result<Table, Refusal> {
        self.cut(expression, self.window.buckets(self.widest(expression)))
    }

    /// The same in buckets that are given.
    pub(super) fn cut(&self, expression: &Expression, buckets: Buckets) -> Result<Table, Refusal> {
        let mut leaf = |leaf: Leaf<'_>| match leaf {
            Leaf::Query(query) => self.query(query, buckets).map(Outcome::Table),
            Leaf::Name(name) => {
                let expression = self.named.get(name).ok_or_else(|| unknown(name))?;
                // A query is written out and names no other.
                let none = HashMap::new();
                let inner = Evaluation { store: self.store, window: self.window, named: &none };
                inner.cut(expression, buckets).map(Outcome::Table)
            }
        };
        let (starts, width) = (self.window.starts(buckets), self.window.width(buckets));
        Ok(match compute(expression, &mut leaf)? {
            Outcome::Table(table) => table,
            Outcome::Constant(value) => {
                let values = starts.iter().map(|start| (*start, value)).filter(|_| value.is_finite()).collect();
                let groups = vec![Group { tags: Vec::new(), values }];
                Table { groups, starts, width, ..Table::default() }
            }
        })
    }

    fn widest(&self, expression: &Expression) -> Option<i64> {
        match expression {
            Expression::Number(_) => None,
            Expression::Name(name) => self.named.get(name).and_then(|expression| match expression {
                // As above, and so that a query that names itself has an end.
                Expression::Name(_) => None,
                other => Evaluation { named: &HashMap::new(), ..*self }.widest(other),
            }),
            Expression::Query(query) => query.rollup,
            Expression::DefaultZero(inner) | Expression::Negate(inner) => self.widest(inner),
            Expression::Binary(_, left, right) => self.widest(left).max(self.widest(right)),
        }
    }

    fn query(&self, query: &Query, buckets: Buckets) -> Result<Table, Refusal> {
        let (starts, width) = (self.window.starts(buckets), self.window.width(buckets));
        let Some(metadata) = self.store.metadata(&query.metric)? else {
            return Ok(Table { starts, width, ..Table::default() });
        };
        let observed = metadata.distribution;
        if matches!(query.space, Space::Percentile(_)) && !observed {
            let Query { metric, space, .. } = query;
            return Err(Refusal::bad(format!("{} of {metric}, which is no distribution", space.word())));
        }
        let mut series = self.store.window(&query.metric, observed, self.window.from, self.window.to)?;
        series.retain(|series| query.filter.fits(&series.tags));
        let way = Way::of(query, &metadata, width);
        let mut groups: BTreeMap<Vec<String>, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
        for Series { tags, points, .. } in &series {
            let mut cut: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
            for (ts, value) in points {
                cut.entry(self.window.start(buckets, *ts)).or_default().push(*value);
            }
            for tags in members(&query.by, tags) {
                let group = groups.entry(tags).or_default();
                for (start, values) in &cut {
                    let bucket = group.entry(*start).or_default();
                    if observed { bucket.extend(values) } else { bucket.push(reduce(way.method, values) * way.factor) }
                }
            }
        }
        let factor = if observed { way.factor } else { 1.0 };
        let groups = groups.into_iter().map(|(tags, cut)| {
            let values = cut.into_iter().map(|(start, values)| (start, gather(query.space, values) * factor)).collect();
            Group { tags, values }
        });
        let table = Table { groups: groups.collect(), starts, width, units: (metadata.unit, metadata.per_unit) };
        Ok(if way.zeros { filled(table) } else { table })
    }
}

/// How the points of a bucket become one.
struct Way {
    method: Method,
    factor: f64,
    /// Whether an empty bucket says that nothing happened.
    zeros: bool,
}

impl Way {
    fn of(query: &Query, metadata: &Metadata, width: i64) -> Self {
        let kind = if metadata.distribution { Some("distribution") } else { metadata.kind.as_deref() };
        let seconds = |seconds: i64| f64::from(u32::try_from(seconds).unwrap_or(u32::MAX).max(1));
        let interval = metadata.interval.unwrap_or(1);
        let (method, factor, zeros) = match (query.shape, kind) {
            (Shape::Count, Some("count" | "distribution")) => (Method::Sum, 1.0, true),
            (Shape::Count, Some("rate")) => (Method::Sum, seconds(interval), true),
            // A bucket shorter than the time a point covers is not full of zeros besides it.
            (Shape::Rate, Some("count")) => (Method::Sum, 1.0 / seconds(width.max(interval)), true),
            (Shape::Rate, Some("distribution")) => (Method::Sum, 1.0 / seconds(width), true),
            // On a gauge, neither has an effect.
            _ => (Method::Avg, 1.0, false),
        };
        Self { method: query.method.unwrap_or(method), factor, zeros }
    }
}

/// The groups that a series belongs to: one for each combination of its values of the keys.
fn members(by: &[String], tags: &[String]) -> Vec<Vec<String>> {
    by.iter().fold(vec![Vec::new()], |groups, key| {
        let is_own = |tag: &&String| tag.split_once(':').is_some_and(|(own, _)| own == key);
        let mut own: Vec<String> = tags.iter().filter(is_own).cloned().collect();
        if own.is_empty() {
            own.push(format!("{key}:N/A"));
        }
        let extend = |group: Vec<String>| {
            own.iter().map(move |tag| group.iter().chain([tag]).cloned().collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        groups.into_iter().flat_map(extend).collect()
    })
}

fn gather(space: Space, mut values: Vec<f64>) -> f64 {
    match space {
        Space::Of(method) => reduce(method, &values),
        Space::Percentile(share) => {
            values.sort_unstable_by(f64::total_cmp);
            // The rank that Datadog's sketches use; theirs is exact to a percent, this one wholly.
            let rank = share * values.len().saturating_sub(1) / 1000;
            values.get(rank).copied().unwrap_or(f64::NAN)
        }
    }
}

pub(super) fn reduce(method: Method, values: &[f64]) -> f64 {
    let count = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
    match method {
        Method::Avg => values.iter().sum::<f64>() / count,
        Method::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        Method::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        Method::Sum => values.iter().sum(),
        Method::Count => count,
    }
}

fn unknown(name: &str) -> Refusal {
    Refusal::bad(format!("no query is called `{name}`"))
}
