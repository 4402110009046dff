//! How samples are shown: a table for people, and three forms for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Map, Value, json};
use shared::{Error, Kind, Report, Result, Sample};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people.
    Table,
    /// One JSON document, stable and documented in docs/quickstart.md.
    Json,
    /// One sample a line: name{tag:value} number.
    Lines,
    /// The text format of Prometheus.
    Prometheus,
}

/// Writes the reports to standard output.
pub fn show(reports: &[Report], format: Format) -> Result<()> {
    let text = match format {
        Format::Table => table(reports),
        Format::Json => json_text(reports),
        Format::Lines => lines(reports),
        Format::Prometheus => prometheus(reports),
    };
    print(&text)
}

/// Writes text to standard output; a reader that went away, as `head` does, is no error.
pub fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::store("write to standard output", error))
        }
        _ => Ok(()),
    }
}

/// An empty table in the form that the terminal, or the pipe, can show.
pub fn new_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    let preset = if std::io::stdout().is_terminal() { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_MARKDOWN };
    table.load_style(preset).set_header(header);
    table
}

fn known(report: &Report) -> Vec<&Sample> {
    let mut samples: Vec<&Sample> = report.samples.iter().filter(|sample| sample.value().is_some()).collect();
    samples.sort_by_cached_key(|sample| (sample.name().to_owned(), sample.tags().to_vec(), sample.time()));
    samples
}

fn table(reports: &[Report]) -> String {
    let mut table = new_table(&["metric", "tags", "value", "unit", "kind", "at"]);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for report in reports {
        for sample in known(report) {
            let metric = sample.metric();
            let tags: Vec<String> = sample.tags().iter().map(|(key, value)| format!("{key}:{value}")).collect();
            let at = sample.time().map(|time| time.strftime("%H:%M").to_string()).unwrap_or_default();
            let value = sample.value().map(number).unwrap_or_default();
            table.add_row([
                sample.name().to_owned(),
                tags.join(" "),
                value,
                unit(metric),
                metric.kind.word().to_owned(),
                at,
            ]);
        }
    }
    format!("{table}\n")
}

/// The unit of a row in one word, such as `operation/day`.
pub fn unit(metric: &shared::Metric) -> String {
    metric.per.map_or_else(|| metric.unit.word().to_owned(), |per| format!("{}/{}", metric.unit.word(), per.word()))
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") }
}

fn json_text(reports: &[Report]) -> String {
    let reports: Vec<Value> = reports.iter().map(json_report).collect();
    format!("{:#}\n", json!({ "reports": reports }))
}

fn json_report(report: &Report) -> Value {
    let targets: Vec<Value> =
        report.shares.iter().map(|share| json!({"target": share.target, "gaps": share.gaps})).collect();
    let samples: Vec<Value> = known(report).into_iter().map(|sample| json_sample(sample, report)).collect();
    json!({
        "collector": report.collector,
        "now": report.now.to_string(),
        "up": report.is_up(),
        "seconds": report.took.as_secs_f64(),
        "calls": report.calls,
        "targets": targets,
        "dropped": report.dropped,
        "samples": samples,
        "delivery": report.outcome.as_ref().map(|outcome| json!({
            "accepted": outcome.accepted, "rejected": outcome.rejected, "spooled": outcome.spooled,
            "lost": outcome.lost, "recovered": outcome.recovered,
        })),
    })
}

fn json_sample(sample: &Sample, report: &Report) -> Value {
    let tags: Map<String, Value> = sample.tags().iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    json!({
        "metric": sample.name(),
        "kind": sample.metric().kind.word(),
        "unit": unit(sample.metric()),
        "tags": tags,
        "value": sample.value(),
        "at": sample.time().unwrap_or(report.now).to_string(),
    })
}

fn lines(reports: &[Report]) -> String {
    let mut text = String::new();
    for sample in reports.iter().flat_map(known) {
        text.push_str(&sample.to_string());
        if let Some(time) = sample.time() {
            text.push_str(" @ ");
            text.push_str(&time.to_string());
        }
        text.push('\n');
    }
    text
}

/// Gauges as they are; of the counts the newest slot; observations as a count and a sum.
fn prometheus(reports: &[Report]) -> String {
    let mut families: BTreeMap<String, (&Sample, BTreeMap<String, f64>)> = BTreeMap::new();
    for (report, sample) in
        reports.iter().flat_map(|report| known(report).into_iter().map(move |sample| (report, sample)))
    {
        if sample.time().is_some_and(|time| time != report.now) {
            continue;
        }
        let name = sample.name().replace('.', "_");
        let value = sample.value().unwrap_or_default();
        let series = &mut families.entry(name).or_insert_with(|| (sample, BTreeMap::new())).1;
        let labels = labels(sample);
        if sample.metric().kind == Kind::Distribution {
            *series.entry(format!("_count{labels}")).or_default() += 1.0;
            *series.entry(format!("_sum{labels}")).or_default() += value;
        } else {
            series.insert(labels, value);
        }
    }
    let mut text = String::new();
    for (name, (sample, series)) in families {
        let kind = if sample.metric().kind == Kind::Distribution { "summary" } else { "gauge" };
        let help = sample.metric().help.trim().replace('\\', "\\\\").replace('\n', " ");
        text.push_str(&["# HELP ", &name, " ", &help, "\n# TYPE ", &name, " ", kind, "\n"].concat());
        for (labels, value) in series {
            text.push_str(&[&name, &labels, " ", &value.to_string(), "\n"].concat());
        }
    }
    text
}

fn labels(sample: &Sample) -> String {
    let labels: Vec<String> = sample.tags().iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) }
}

/// What a person should know of a run beside its numbers.
pub fn remarks(report: &Report) {
    for share in &report.shares {
        for (part, why) in &share.gaps {
            eprintln!("{}: {}: {part} is unknown: {why}", report.collector, share.target);
        }
    }
    for (reason, number) in report.dropped.iter().filter(|(_, number)| **number > 0) {
        eprintln!("{}: {number} samples not sent: {reason}", report.collector);
    }
    let samples = report.samples.len();
    let line = format!(
        "{}: {samples} samples at {} in {:.1} s with {} calls",
        report.collector,
        report.now,
        report.took.as_secs_f64(),
        report.calls
    );
    match &report.outcome {
        None => eprintln!("{line}; nothing was sent (--push sends)"),
        Some(outcome) => eprintln!(
            "{line}; {} series accepted, {} rejected, {} payloads spooled, {} series recovered from the spool",
            outcome.accepted, outcome.rejected, outcome.spooled, outcome.recovered
        ),
    }
}
