//! `vitals metrics`: lists the catalogue.

use crate::catalogue;
use crate::output;
use crate::view::View;
use serde_json::{Value, json};
use shared::{Metric, Result};
use std::process::ExitCode;

/// The examples in the help.
pub const EXAMPLES: &str = "Examples:
  vitals metrics reverts          names that contain this text
  vitals metrics 'github.*.p90'   names that match this pattern
  vitals metrics --format json    every metric, for a program";

#[derive(clap::Args)]
pub struct Args {
    /// Only names that contain this text; `*` matches any text.
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
    /// The output format.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A page for people.
    Table,
    /// One JSON document.
    Json,
}

pub fn run(args: &Args, verbose: bool) -> Result<ExitCode> {
    let wanted = |row: &&Metric| args.pattern.as_deref().is_none_or(|pattern| matches(pattern, row.name));
    let all = catalogue::rows();
    let rows: Vec<&Metric> = all.iter().copied().filter(wanted).collect();
    if rows.is_empty() {
        let pattern = args.pattern.as_deref().unwrap_or_default();
        output::print_error(&format!("no metric matches `{pattern}`; `vitals metrics` lists all of them"));
        return Ok(ExitCode::FAILURE);
    }
    match args.format {
        Form::Table => {
            let groups = catalogue::groups().into_iter();
            let groups =
                groups.map(|(title, rows)| (title, rows.into_iter().filter(wanted).collect())).collect::<Vec<_>>();
            output::print_page(&page(&groups, all.len(), View::of_terminal(verbose)))?;
        }
        Form::Json => {
            let rows: Vec<Value> = rows.into_iter().map(object).collect();
            output::print(&format!("{:#}\n", json!({ "metrics": rows })))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A block for each group, and how many metrics they have.
fn page(groups: &[(&str, Vec<&Metric>)], all: usize, view: View) -> String {
    let mut text = String::new();
    for (title, rows) in groups.iter().filter(|(_, rows)| !rows.is_empty()) {
        text.push_str(&view.heading(&[title]));
        text.extend(rows.iter().map(|row| view.definition(row.name, &facts(row, view.verbose), row.help.trim())));
        text.push('\n');
    }
    let shown: usize = groups.iter().map(|(_, rows)| rows.len()).sum();
    let more = if view.verbose { "" } else { "; -v also shows which direction is better" };
    text + &view.remark(&format!("{shown} of {all} metrics{more}"), 0)
}

/// The kind, the unit and the tags of a metric.
fn facts(row: &Metric, verbose: bool) -> String {
    let tags = if row.tags.is_empty() { String::new() } else { format!(", by {}", row.tags.join(" ")) };
    let facts = format!("{}, {}{tags}", row.kind.word(), output::unit(row));
    if verbose { format!("{facts}; over members: {}, better: {}", row.fold.word(), row.better.word()) } else { facts }
}

fn object(row: &Metric) -> Value {
    json!({
        "metric": row.name,
        "kind": row.kind.word(),
        "unit": output::unit(row),
        "tags": row.tags,
        "fold": row.fold.word(),
        "better": row.better.word(),
        "help": row.help.trim(),
    })
}

/// Whether the name matches the pattern; a pattern without `*` matches anywhere in the name.
fn matches(pattern: &str, name: &str) -> bool {
    let anywhere = !pattern.contains('*');
    let parts: Vec<&str> = pattern.split('*').collect();
    let mut rest = name;
    for (index, part) in parts.iter().enumerate() {
        match rest.find(part) {
            Some(place) if anywhere || index > 0 || place == 0 => rest = &rest[place + part.len()..],
            _ => return false,
        }
    }
    anywhere || rest.is_empty() || parts.last().is_some_and(|last| last.is_empty() || name.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    shared::catalogue! {
        /// Pull requests merged in the last seven days, into any branch, bots included.
        MERGED = Gauge "thing.prs.merged_7d" in Item by ["repo"], fold Sum, better Up;
        /// Median of the waiting times of jobs, over the jobs of the last hour that have started by now.
        WAITED = Gauge "thing.jobs.waiting_time_minutes.p50" in Minute by ["class", "repo"], fold None, better Down;
        /// Always 1.
        BUILD = Gauge "thing.build" in One by [], fold Sum, better Neither;
    }

    fn shown(width: usize, verbose: bool) -> String {
        let groups = [("thing", vec![&MERGED, &WAITED]), ("nothing", vec![]), ("Every collector", vec![&BUILD])];
        page(&groups, 9, View::new(width, false, verbose))
    }

    #[test]
    fn a_metric_is_a_name_with_its_facts_beside_it_and_its_meaning_below() {
        assert_eq!(METRICS.len(), 3);
        assert_eq!(
            shown(80, false),
            "\
thing
  thing.prs.merged_7d  gauge, item, by repo
    Pull requests merged in the last seven days, into any branch, bots included.
  thing.jobs.waiting_time_minutes.p50  gauge, minute, by class repo
    Median of the waiting times of jobs, over the jobs of the last hour that
    have started by now.

Every collector
  thing.build  gauge, unit
    Always 1.

3 of 9 metrics; -v also shows which direction is better
"
        );
    }

    #[test]
    fn facts_without_room_beside_a_name_stand_below_it() {
        let text = shown(56, true);
        assert!(
            text.contains(
                "  thing.jobs.waiting_time_minutes.p50
    gauge, minute, by class repo; over members: none,
    better: down
    Median of the waiting times of jobs, over the jobs
    of the last hour that have started by now.
"
            ),
            "{text}"
        );
        assert!(text.ends_with("\n3 of 9 metrics\n"), "{text}");
    }

    #[test]
    fn a_pattern_is_a_part_of_the_name_or_has_stars() {
        for (pattern, name, expected) in [
            ("prs", "github.prs.open", true),
            ("github.*", "github.prs.open", true),
            ("*.open", "github.prs.open", true),
            ("github.*.open", "github.prs.open", true),
            ("prs.*", "github.prs.open", false),
            ("*.ope", "github.prs.open", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern}");
        }
    }
}
