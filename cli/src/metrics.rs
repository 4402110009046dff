//! `vitals metrics`: the catalogue, in a terminal.

use crate::catalogue;
use crate::output;
use serde_json::{Value, json};
use shared::{Metric, Result};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Args {
    /// Only names that hold this text; `*` stands for any text.
    pattern: Option<String>,
    /// How to show them.
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

/// The forms of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A table for people.
    Table,
    /// One JSON document.
    Json,
}

pub fn run(args: &Args) -> Result<ExitCode> {
    let wanted = |name: &str| args.pattern.as_deref().is_none_or(|pattern| matches(pattern, name));
    let rows: Vec<&Metric> = catalogue::rows().into_iter().filter(|row| wanted(row.name)).collect();
    if rows.is_empty() {
        eprintln!("vitals: no metric matches `{}`", args.pattern.as_deref().unwrap_or_default());
        return Ok(ExitCode::FAILURE);
    }
    output::print(&match args.format {
        Form::Table => table(&rows),
        Form::Json => format!("{:#}\n", json!({"metrics": rows.iter().map(|row| object(row)).collect::<Vec<_>>()})),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[&Metric]) -> String {
    let mut table = output::new_table(&["metric", "kind", "unit", "tags", "over members", "better", "meaning"]);
    for row in rows {
        table.add_row([
            row.name,
            row.kind.word(),
            &output::unit(row),
            &row.tags.join(", "),
            row.fold.word(),
            row.better.word(),
            row.help.trim(),
        ]);
    }
    format!("{table}\n")
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

/// Whether the name holds the parts of the pattern in their order; without a `*` the part may stand anywhere.
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
    use super::matches;

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
