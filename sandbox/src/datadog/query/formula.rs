//! Arithmetic over tables of values: groups of tags down, times across.

use super::parse::{Expression, Operator, Query};
use crate::datadog::reply::Refusal;
use std::collections::BTreeMap;

/// A unit and what it is counted by.
pub(super) type Units = (Option<String>, Option<String>);

/// The values of one group by the start of their bucket.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    /// The tags that tell it from other groups.
    pub(super) tags: Vec<String>,
    pub(super) values: BTreeMap<i64, f64>,
}

/// What a query or a formula comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    pub(super) groups: Vec<Group>,
    /// The starts of all buckets, and how many seconds each has.
    pub(super) starts: Vec<i64>,
    pub(super) width: i64,
    pub(super) units: Units,
}

/// What a part of a formula comes to.
#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Constant(f64),
    Table(Table),
}

/// What a formula is made of, in the end.
pub(super) enum Leaf<'a> {
    Name(&'a str),
    Query(&'a Query),
}

/// Works out an expression whose leaves are known.
pub(super) fn compute(
    expression: &Expression,
    leaf: &mut dyn FnMut(Leaf<'_>) -> Result<Outcome, Refusal>,
) -> Result<Outcome, Refusal> {
    Ok(match expression {
        Expression::Number(number) => Outcome::Constant(*number),
        Expression::Name(name) => leaf(Leaf::Name(name))?,
        Expression::Query(query) => leaf(Leaf::Query(query))?,
        Expression::DefaultZero(inner) => match compute(inner, leaf)? {
            Outcome::Table(table) => Outcome::Table(filled(table)),
            Outcome::Constant(number) => Outcome::Constant(number),
        },
        Expression::Negate(inner) => match compute(inner, leaf)? {
            Outcome::Constant(number) => Outcome::Constant(-number),
            Outcome::Table(table) => Outcome::Table(each(table, |value| Some(-value))),
        },
        Expression::Binary(operator, left, right) => {
            let (left, right) = (compute(left, leaf)?, compute(right, leaf)?);
            combine(*operator, left, right)
        }
    })
}

/// Empty buckets become zero, in groups that have any value at all.
pub(super) fn filled(mut table: Table) -> Table {
    for group in &mut table.groups {
        for start in &table.starts {
            group.values.entry(*start).or_insert(0.0);
        }
    }
    table
}

fn each(mut table: Table, change: impl Fn(f64) -> Option<f64>) -> Table {
    for group in &mut table.groups {
        let values = std::mem::take(&mut group.values);
        group.values = values.into_iter().filter_map(|(start, value)| Some((start, change(value)?))).collect();
    }
    table
}

fn combine(operator: Operator, left: Outcome, right: Outcome) -> Outcome {
    let keeps = matches!(operator, Operator::Add | Operator::Subtract);
    match (left, right) {
        // A constant without a value, such as a division by zero, is nothing at any time.
        (Outcome::Constant(a), Outcome::Constant(b)) => Outcome::Constant(apply(operator, a, b).unwrap_or(f64::NAN)),
        (Outcome::Table(table), Outcome::Constant(b)) => Outcome::Table(each(table, |a| apply(operator, a, b))),
        (Outcome::Constant(a), Outcome::Table(table)) => {
            let mut table = each(table, |b| apply(operator, a, b));
            if operator == Operator::Divide {
                table.units = Units::default();
            }
            Outcome::Table(table)
        }
        (Outcome::Table(a), Outcome::Table(b)) => {
            let units = if keeps && a.units == b.units { a.units.clone() } else { Units::default() };
            Outcome::Table(Table { units, ..joined(operator, &a, &b) })
        }
    }
}

/// Groups meet where the tags of one are among those of the other, so that a total meets each of its parts.
fn joined(operator: Operator, left: &Table, right: &Table) -> Table {
    let within = |a: &Group, b: &Group| a.tags.iter().all(|tag| b.tags.contains(tag));
    let mut groups = Vec::new();
    for a in &left.groups {
        for b in &right.groups {
            let tags = match () {
                () if within(b, a) => &a.tags,
                () if within(a, b) => &b.tags,
                () => continue,
            };
            let both =
                a.values.iter().filter_map(|(start, a)| Some((*start, apply(operator, *a, *b.values.get(start)?)?)));
            groups.push(Group { tags: tags.clone(), values: both.collect() });
        }
    }
    groups.retain(|group| !group.values.is_empty());
    let finer = if left.width <= right.width { left } else { right };
    Table { groups, starts: finer.starts.clone(), width: finer.width, units: Units::default() }
}

/// What is not finite is no value.
fn apply(operator: Operator, a: f64, b: f64) -> Option<f64> {
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide => a / b,
    };
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    type Told<'a> = (&'a [&'a str], &'a [(i64, f64)]);

    fn table(groups: &[Told<'_>]) -> Table {
        let group = |(tags, values): &Told<'_>| Group {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            values: values.iter().copied().collect(),
        };
        let units = (Some("hour".to_owned()), None);
        Table { groups: groups.iter().map(group).collect(), starts: vec![0, 900, 1800], width: 900, units }
    }

    fn of(formula: &str) -> Table {
        let mut leaf = |leaf: Leaf<'_>| {
            let Leaf::Name(name) = leaf else { panic!("only names here") };
            Ok(Outcome::Table(match name {
                "a" => table(&[(&["repo:x"], &[(0, 6.0), (900, 8.0)]), (&["repo:y"], &[(0, 1.0)])]),
                "b" => table(&[(&["repo:x"], &[(0, 2.0), (900, 0.0)])]),
                "total" => table(&[(&[], &[(0, 10.0), (900, 16.0)])]),
                _ => Table::default(),
            }))
        };
        match compute(&parse::expression(formula).unwrap(), &mut leaf).unwrap() {
            Outcome::Table(table) => table,
            Outcome::Constant(value) => table(&[(&[], &[(0, value)])]),
        }
    }

    #[test]
    fn groups_are_combined_with_their_like_and_with_a_total() {
        for (formula, expected) in [
            ("a + b", table(&[(&["repo:x"], &[(0, 8.0), (900, 8.0)])])),
            ("a - total", table(&[(&["repo:x"], &[(0, -4.0), (900, -8.0)]), (&["repo:y"], &[(0, -9.0)])])),
            ("total - a", table(&[(&["repo:x"], &[(0, 4.0), (900, 8.0)]), (&["repo:y"], &[(0, 9.0)])])),
            ("-a * 2", table(&[(&["repo:x"], &[(0, -12.0), (900, -16.0)]), (&["repo:y"], &[(0, -2.0)])])),
            ("a + nothing", table(&[])),
            ("1 + 2 * 3", table(&[(&[], &[(0, 7.0)])])),
        ] {
            assert_eq!(of(formula).groups, expected.groups, "{formula}");
        }
    }

    #[test]
    fn a_division_by_zero_is_no_value_and_a_ratio_has_no_unit() {
        let ratio = of("a / b");
        assert_eq!(ratio.groups, table(&[(&["repo:x"], &[(0, 3.0)])]).groups);
        assert_eq!(ratio.units, (None, None));
        assert_eq!(of("1 / b").groups, table(&[(&["repo:x"], &[(0, 0.5)])]).groups);
    }

    #[test]
    fn zero_by_default_fills_groups_that_have_a_value_and_makes_no_new_ones() {
        let zeros = of("default_zero(b)");
        assert_eq!(zeros.groups, table(&[(&["repo:x"], &[(0, 2.0), (900, 0.0), (1800, 0.0)])]).groups);
        assert_eq!(of("default_zero(nothing)").groups, []);
        let sum = of("default_zero(b) + a");
        assert_eq!(sum.groups, table(&[(&["repo:x"], &[(0, 8.0), (900, 8.0)])]).groups);
    }
}
