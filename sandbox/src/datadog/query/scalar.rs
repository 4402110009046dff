//! Single values: what a query's values over time come to.

use super::buckets::{Buckets, Window};
use super::evaluate::{Evaluation, reduce};
use super::formula::{Leaf, Outcome, Table, compute};
use super::parse::{Expression, Method, Space};
use crate::datadog::Store;
use crate::datadog::reply::Refusal;
use std::collections::{BTreeMap, HashMap};

/// How values over time become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reducer {
    Of(Method),
    Last,
    Area,
    Norm,
    Percentile,
}

impl Reducer {
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        Ok(match word {
            "avg" | "mean" => Self::Of(Method::Avg),
            "min" => Self::Of(Method::Min),
            "max" => Self::Of(Method::Max),
            "sum" => Self::Of(Method::Sum),
            "last" => Self::Last,
            "area" => Self::Area,
            "l2norm" => Self::Norm,
            "percentile" => Self::Percentile,
            other => return Err(format!("queries.aggregator: unknown aggregator `{other}`")),
        })
    }

    fn reduce(self, values: &BTreeMap<i64, f64>, width: i64) -> Option<f64> {
        let all: Vec<f64> = values.values().copied().collect();
        let last = *all.last()?;
        Some(match self {
            Self::Of(method) => reduce(method, &all),
            // Each bucket of a percentile is one already, and there is only one.
            Self::Last | Self::Percentile => last,
            Self::Area => all.iter().sum::<f64>() * f64::from(u32::try_from(width).unwrap_or(u32::MAX)),
            Self::Norm => all.iter().map(|value| value * value).sum::<f64>().sqrt(),
        })
    }
}

/// The values of a query, one for each group.
pub(super) fn column(
    store: &Store,
    window: Window,
    expression: &Expression,
    reducer: Reducer,
) -> Result<Table, Refusal> {
    let named = HashMap::new();
    let evaluation = Evaluation { store, window, named: &named };
    let mut table = if reducer == Reducer::Percentile {
        let sketch = |query: &super::parse::Query| matches!(query.space, Space::Percentile(_));
        if !matches!(expression, Expression::Query(query) if sketch(query)) {
            return Err(Refusal::bad("queries.aggregator: percentile wants a query of a percentile, such as p95"));
        }
        evaluation.cut(expression, Buckets::Whole)?
    } else {
        evaluation.table(expression)?
    };
    let width = table.width;
    for group in &mut table.groups {
        let value = reducer.reduce(&group.values, width);
        group.values = value.into_iter().map(|value| (0, value)).collect();
    }
    table.starts = vec![0];
    Ok(table)
}

/// A formula over such values.
pub(super) fn formula(columns: &HashMap<String, Table>, expression: &Expression) -> Result<Table, Refusal> {
    let mut leaf = |leaf: Leaf<'_>| match leaf {
        Leaf::Query(_) => Err(Refusal::bad("a formula names queries and does not write them out")),
        Leaf::Name(name) => {
            let table = columns.get(name).ok_or_else(|| Refusal::bad(format!("no query is called `{name}`")))?;
            Ok(Outcome::Table(table.clone()))
        }
    };
    Ok(match compute(expression, &mut leaf)? {
        Outcome::Table(table) => table,
        Outcome::Constant(value) => {
            let values = Some((0, value)).into_iter().filter(|(_, value)| value.is_finite()).collect();
            Table { groups: vec![super::formula::Group { tags: Vec::new(), values }], ..Table::default() }
        }
    })
}

/// Keeps the largest, or the smallest, in order.
pub(super) fn limit(table: &mut Table, count: usize, ascending: bool) {
    let value = |group: &super::formula::Group| group.values.values().next().copied().unwrap_or(f64::NEG_INFINITY);
    table.groups.sort_by(|a, b| value(a).total_cmp(&value(b)));
    if !ascending {
        table.groups.reverse();
    }
    table.groups.truncate(count);
}
