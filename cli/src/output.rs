//! The output of `vitals collect`: a page for people, three formats for programs, and what is printed beside them.

use crate::page::page;
use crate::view::View;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use shared::{Error, Findings, Kind, Report, Result, Sample, heartbeat::Share};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A page for people.
    Table,
    /// One JSON document, stable and documented in docs/quickstart.md.
    Json,
    /// One sample a line: name{tag:value} number.
    Lines,
    /// The text format of Prometheus.
    Prometheus,
}

/// Prints the reports to standard output.
pub fn show(reports: &[Report], format: Format, verbose: bool) -> Result<()> {
    let text = match format {
        Format::Table => return print_page(&page(reports, View::of_terminal(verbose))),
        Format::Json => json_text(reports),
        Format::Lines => lines(reports),
        Format::Prometheus => prometheus(reports),
    };
    print(&text)
}

/// Prints text to standard output, without control characters.
pub fn print(text: &str) -> Result<()> {
    write(&printable(text))
}

/// Prints a page with its colours: a [`View`] has removed control characters from its texts.
pub fn print_page(page: &str) -> Result<()> {
    write(page)
}

fn write(text: &str) -> Result<()> {
    // A pipe that was closed, as `head` does, is not an error.
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::local("write to standard output", error))
        }
        _ => Ok(()),
    }
}

/// Prints an error to standard error.
pub fn print_error(text: &str) {
    eprintln!("vitals: {}", printable(text));
}

/// Replaces control characters, which a terminal would obey: names and reasons come from upstreams.
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_control = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(is_control) { Cow::Owned(text.replace(is_control, "\u{fffd}")) } else { Cow::Borrowed(text) }
}

fn known_samples(report: &Report) -> Vec<&Sample> {
    let mut samples: Vec<&Sample> = report.samples.iter().filter(|sample| sample.value().is_some()).collect();
    samples.sort_by_cached_key(|sample| (sample.name().to_owned(), sample.tags().to_vec(), sample.time()));
    samples
}

/// The unit of a row in one word, such as `operation/day`.
pub fn unit(metric: &shared::Metric) -> String {
    metric.per.map_or_else(|| metric.unit.word().to_owned(), |per| format!("{}/{}", metric.unit.word(), per.word()))
}

/// A value for people.
pub fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") }
}

/// A time for people.
pub fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A number with its noun, e.g. `1 answer` or `12 answers`.
pub fn counted(number: impl Display, thing: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// Says that a part failed, and why.
pub fn failed_part(part: &str, why: &str) -> String {
    format!("{part} failed: {why}")
}

/// Says that a part is not complete yet.
pub fn filling_part(part: &str, missing: u64) -> String {
    format!("{part} is filling: {} still missing; the next run continues", counted(missing, "answer"))
}

/// Says that records of a part are left out.
pub fn unread_part(part: &str, records: u64) -> String {
    let are = if records == 1 { "is" } else { "are" };
    format!("{} of {part} cannot be interpreted and {are} left out", counted(records, "record"))
}

fn json_text(reports: &[Report]) -> String {
    let reports: Vec<Value> = reports.iter().map(json_report).collect();
    format!("{:#}\n", json!({ "reports": reports }))
}

fn json_report(report: &Report) -> Value {
    let targets: Vec<Value> = report
        .shares
        .iter()
        .map(|share| {
            let found = &share.findings;
            json!({"target": share.target, "gaps": found.gaps, "pending": found.pending, "unread": found.unread})
        })
        .collect();
    let samples: Vec<Value> = known_samples(report).into_iter().map(|sample| json_sample(sample, report)).collect();
    json!({
        "collector": report.collector,
        "now": report.now.to_string(),
        "up": report.is_up(),
        "seconds": report.took.as_secs_f64(),
        "calls": report.calls,
        "targets": targets,
        "dropped": report.dropped,
        "samples": samples,
        "delivery": report.deliveries.as_ref().map(|outcome| json!({
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
    for sample in reports.iter().flat_map(known_samples) {
        text.push_str(&sample.to_string());
        if let Some(time) = sample.time() {
            text.push_str(" @ ");
            text.push_str(&time.to_string());
        }
        text.push('\n');
    }
    text
}

/// Gauges, the newest slot of each count, and observations as a count and a sum.
fn prometheus(reports: &[Report]) -> String {
    let mut families: BTreeMap<String, (&Sample, BTreeMap<String, f64>)> = BTreeMap::new();
    for (report, sample) in
        reports.iter().flat_map(|report| known_samples(report).into_iter().map(move |sample| (report, sample)))
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

/// Prints to standard error what became of each run; a page already shows what is not known.
pub fn print_summary(report: &Report, format: Format) {
    if format == Format::Table {
        let view = View::of_terminal(false);
        let lines = run_lines(report).into_iter();
        return lines.for_each(|line| eprint!("{}", view.sentence(&format!("{}: {line}", report.collector), 0)));
    }
    for line in part_lines(report).into_iter().chain(run_lines(report)) {
        eprintln!("{}: {}", report.collector, printable(&line));
    }
}

/// The parts of each target that are unknown or incomplete.
fn part_lines(report: &Report) -> Vec<String> {
    let of_target = |share: &Share| -> Vec<String> {
        finding_lines(&share.findings).into_iter().map(|line| format!("{}: {line}", share.target)).collect()
    };
    report.shares.iter().flat_map(of_target).collect()
}

/// The parts that failed, that are filling, or that hold records which cannot be interpreted.
pub fn finding_lines(found: &Findings) -> Vec<String> {
    let failed = found.gaps.iter().map(|(part, why)| failed_part(part, why));
    let pending = found.pending.iter().filter(|(_, missing)| **missing > 0);
    let filling = pending.map(|(part, missing)| filling_part(part, *missing));
    let records = found.unread.iter().filter(|(_, records)| **records > 0);
    let unread = records.map(|(part, records)| unread_part(part, *records));
    failed.chain(filling).chain(unread).collect()
}

/// The samples that were not sent, and a summary of the run.
fn run_lines(report: &Report) -> Vec<String> {
    let dropped = report.dropped.iter().filter(|(_, number)| **number > 0);
    let mut lines: Vec<String> =
        dropped.map(|(reason, number)| format!("{number} samples not sent: {reason}")).collect();
    let line = format!(
        "{} samples at {} in {:.1} s with {} calls",
        report.samples.len(),
        report.now,
        report.took.as_secs_f64(),
        report.calls
    );
    lines.push(match &report.deliveries {
        _ if report.late => format!("{line}; nothing was fetched, because the time is over an hour ago"),
        None => format!("{line}; nothing was sent (add --push to send it)"),
        Some(outcome) => format!(
            "{line}; {} series accepted, {} rejected, {} payloads spooled, {} series recovered from the spool",
            outcome.accepted, outcome.rejected, outcome.spooled, outcome.recovered
        ),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_that_is_not_whole_is_described_and_no_other() {
        let found = Findings {
            gaps: [("pulls", "github answered 503".to_owned())].into(),
            pending: [("dora", 0), ("files", 12), ("flaky", 1)].into(),
            unread: [("gpus", 1), ("jobs", 0), ("runs", 2)].into(),
            ..Findings::default()
        };
        let expected = [
            "pulls failed: github answered 503",
            "files is filling: 12 answers still missing; the next run continues",
            "flaky is filling: 1 answer still missing; the next run continues",
            "1 record of gpus cannot be interpreted and is left out",
            "2 records of runs cannot be interpreted and are left out",
        ];
        assert_eq!(finding_lines(&found), expected);
    }

    #[test]
    fn control_characters_are_replaced_and_nothing_else() {
        assert_eq!(
            printable("a\u{1b}[2Jb\rc\u{7}\u{9b}d\u{202e}e"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\u{fffd}d\u{fffd}e"
        );
        assert_eq!(printable("naïve\n\t│ ✓"), "naïve\n\t│ ✓");
    }
}
