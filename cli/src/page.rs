//! A report as a page of the terminal: a block for each target with its numbers, its checks, and what is not known.

use crate::output;
use console::{Style, Term, measure_text_width, truncate_str};
use shared::{Kind, Report, Sample, heartbeat::Share};
use std::collections::BTreeMap;

/// How a page is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The columns of the terminal.
    pub width: usize,
    /// Whether it has colours.
    pub colours: bool,
    /// Whether zeros, tags in full and the collector's own rows are shown as well.
    pub verbose: bool,
}

impl View {
    /// As this terminal is; where there is none, as wide as a page is read.
    pub fn of_terminal(verbose: bool) -> Self {
        let terminal = Term::stdout();
        let width = terminal.size_checked().map_or(WITHOUT_TERMINAL, |(_, columns)| columns.into());
        Self { width, colours: terminal.is_term() && console::colors_enabled(), verbose }
    }
}

/// The columns of a page that is written to a file or a pipe.
const WITHOUT_TERMINAL: usize = 100;

/// The narrowest page.
const NARROWEST: usize = 40;

/// A line of numbers: what, how much, and in which unit.
struct Line {
    what: String,
    value: String,
    unit: String,
}

/// The page of several reports.
pub fn page(reports: &[Report], view: View) -> String {
    let view = View { width: view.width.max(NARROWEST), ..view };
    reports.iter().map(|report| view.report(report)).collect::<Vec<_>>().join("\n")
}

impl View {
    fn report(self, report: &Report) -> String {
        let mut text = String::new();
        for share in &report.shares {
            text.push_str(&self.target(report, share));
        }
        let own: Vec<&Sample> = report.samples.iter().filter(|sample| sample.target().is_none()).collect();
        if self.verbose {
            text.push_str(&self.bold(&format!("{} · about the collector\n", report.collector)));
            text.push_str(&self.lines(&numbers(&own, self.verbose)));
        }
        let hidden = if self.verbose { 0 } else { own.len() + zeros(report) };
        if hidden > 0 {
            let note = format!("{hidden} rows that are zero or about the collector: -v shows them");
            text.push_str(&[self.dim(wrapped(&note, self.width, "").trim_end()), "\n".to_owned()].concat());
        }
        text
    }

    fn target(self, report: &Report, share: &Share) -> String {
        let of_target: Vec<&Sample> =
            report.samples.iter().filter(|sample| sample.target() == Some(share.target.as_str())).collect();
        let (judged, measured): (Vec<&Sample>, Vec<&Sample>) =
            of_target.into_iter().partition(|sample| sample.name().starts_with("metta.infra."));
        let shown = |sample: &&Sample| self.verbose || !is_about_checks(sample);
        let measured: Vec<&Sample> = measured.into_iter().filter(shown).collect();
        let time = report.now.strftime("%Y-%m-%d %H:%M UTC");
        let mut text = self.bold(&format!("{} · {} · {time}\n", report.collector, output::harmless(&share.target)));
        text.push_str(&self.lines(&numbers(&measured, self.verbose)));
        let checks = self.checks(&judged);
        if !checks.is_empty() {
            text.push_str(&["  ", &self.bold("checks"), "\n", &checks].concat());
        }
        let unknown = self.unknown(share);
        if !unknown.is_empty() {
            text.push_str(&["  ", &self.bold("not known"), "\n", &unknown].concat());
        }
        text.push('\n');
        text
    }

    /// Lines of numbers, the values under each other.
    fn lines(self, lines: &[Line]) -> String {
        let widest =
            |of: fn(&Line) -> &String| lines.iter().map(|line| measure_text_width(of(line))).max().unwrap_or(0);
        let (value, unit) = (widest(|line| &line.value), widest(|line| &line.unit));
        let what = self.width.saturating_sub(value + unit + 5).min(widest(|line| &line.what)).max(16);
        let text = lines.iter().map(|line| {
            let name = truncate_str(&line.what, what, "…");
            let gap = " ".repeat(what.saturating_sub(measure_text_width(&name)));
            format!("  {name}{gap}  {:>value$} {}\n", line.value, self.dim(&line.unit))
        });
        text.collect()
    }

    /// A line for each check: its verdict, its value, what it is held against.
    fn checks(self, judged: &[&Sample]) -> String {
        let value_of = |target: &Sample, name: &str| {
            judged
                .iter()
                .find(|sample| sample.name() == name && sample.tags() == target.tags())
                .and_then(|one| one.value())
        };
        let mut lines: Vec<(u8, String)> = Vec::new();
        for sample in judged {
            let Some(name) = sample.name().strip_suffix(".target") else { continue };
            let tag = |key: &str| sample.tag_value(key).unwrap_or_default().to_owned();
            let (order, mark, style) = match tag("status").as_str() {
                "fail" => (0, "fail", Style::new().red().bold()),
                "unknown" => (1, "unknown", Style::new().yellow()),
                _ => (2, "pass", Style::new().green()),
            };
            let value = value_of(sample, name).map_or_else(|| "-".to_owned(), output::number);
            let what = name.trim_start_matches("metta.infra.cron.");
            let about = format!("{} / {}", tag("workflow_name"), tag("task"));
            let rest = format!("{what:<32} {value:>10} {:<10} {about}", signs(&tag("condition")));
            let rest = truncate_str(&rest, self.width.saturating_sub(12), "…").into_owned();
            lines.push((
                order,
                format!("  {} {rest}\n", style.force_styling(self.colours).apply_to(format!("{mark:<7}"))),
            ));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// What of a target failed, is filling, or cannot be interpreted.
    fn unknown(self, share: &Share) -> String {
        let found = &share.findings;
        let mut lines: Vec<String> = Vec::new();
        lines.extend(found.gaps.iter().map(|(part, why)| format!("{part} failed: {why}")));
        let missing = |counts: &BTreeMap<&'static str, u64>| -> Vec<(&'static str, u64)> {
            counts.iter().filter(|(_, number)| **number > 0).map(|(part, number)| (*part, *number)).collect()
        };
        lines.extend(missing(&found.pending).into_iter().map(|(part, number)| {
            format!("{part} is filling: {number} answers still missing; the next run continues")
        }));
        lines.extend(
            missing(&found.unread)
                .into_iter()
                .map(|(part, number)| format!("{number} records of {part} cannot be interpreted and are left out")),
        );
        lines.iter().map(|line| wrapped(&output::harmless(line), self.width, "  ")).collect()
    }

    fn bold(self, text: &str) -> String {
        Style::new().bold().force_styling(self.colours).apply_to(text).to_string()
    }

    fn dim(self, text: &str) -> String {
        Style::new().dim().force_styling(self.colours).apply_to(text).to_string()
    }
}

/// A text in lines of at most so many columns, the first one indented so and the others a little more.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| measure_text_width(line));
        if line + 1 + measure_text_width(word) > width && line > indent.len() + 2 {
            lines.push(format!("{indent}  "));
        }
        if let Some(line) = lines.last_mut() {
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line.push_str(&truncate_str(word, width.saturating_sub(indent.len() + 2), "…"));
        }
    }
    lines.join("\n") + "\n"
}

/// Whether a sample says nothing that a person looks for first.
fn is_zero(sample: &Sample) -> bool {
    sample.value() == Some(0.0)
}

fn zeros(report: &Report) -> usize {
    let measured = |sample: &&Sample| sample.target().is_some() && !sample.name().starts_with("metta.infra.");
    report.samples.iter().filter(measured).filter(|sample| is_zero(sample) || is_about_checks(sample)).count()
}

/// Whether a row only counts verdicts, which are shown one by one.
fn is_about_checks(sample: &Sample) -> bool {
    sample.name().starts_with("health.check")
}

/// A condition as people write it, from the words of its tag.
fn signs(words: &str) -> String {
    const SIGNS: [(&str, &str); 6] =
        [("lt_", "<"), ("le_", "<="), ("gt_", ">"), ("ge_", ">="), ("eq_", "=="), ("in_", "in ")];
    let sign = SIGNS.iter().find_map(|(word, sign)| Some(format!("{sign}{}", words.strip_prefix(word)?)));
    sign.unwrap_or_else(|| words.to_owned()).replace("pct", "%")
}

/// The lines of samples: levels as they are, of the counts the newest slot, observations together.
fn numbers(samples: &[&Sample], verbose: bool) -> Vec<Line> {
    let mut lines: BTreeMap<(String, String), Line> = BTreeMap::new();
    let newest = samples.iter().filter_map(|sample| sample.time()).max();
    let mut observed: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| verbose || !is_zero(sample)) {
        let Some(value) = sample.value() else { continue };
        let key = (sample.name().to_owned(), dimensions(sample, verbose));
        match sample.metric().kind {
            Kind::Count if sample.time().is_some() && sample.time() != newest => {}
            Kind::Distribution => observed.entry(key).or_default().push(value),
            Kind::Gauge | Kind::Count => {
                let line = line(sample, &key, output::number(value));
                lines.insert(key, line);
            }
        }
    }
    for (key, values) in observed {
        if let Some(sample) = samples.iter().find(|sample| sample.name() == key.0) {
            let mean = shared::stats::mean(&values).map(output::number).unwrap_or_default();
            let line = line(sample, &key, format!("{} × {mean}", values.len()));
            lines.insert(key, line);
        }
    }
    lines.into_values().collect()
}

fn line(sample: &Sample, (name, dimensions): &(String, String), value: String) -> Line {
    let what = if dimensions.is_empty() { name.clone() } else { format!("{name} {dimensions}") };
    Line { what, value, unit: output::unit(sample.metric()) }
}

/// The tags of a sample that do not name its target; their values say enough, unless somebody wants to know more.
fn dimensions(sample: &Sample, verbose: bool) -> String {
    let target = sample.target().unwrap_or_default();
    let own = sample.tags().iter().filter(|(_, value)| value != target);
    let shown = own.map(|(key, value)| if verbose { format!("{key}:{value}") } else { value.clone() });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::testing::{STANDIN_METRICS, Stage, StandIn};

    async fn report() -> Report {
        let settings = [("DD_ENV", "test")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let stage = Stage::<StandIn<0>>::new(settings, &[], false).await;
        stage.run(shared::testing::at(shared::testing::START)).await
    }

    #[test]
    fn conditions_are_shown_as_people_write_them() {
        for (words, expected) in
            [("lt_5m", "<5m"), ("ge_95pct", ">=95%"), ("eq_success", "==success"), ("none", "none")]
        {
            assert_eq!(signs(words), expected);
        }
    }

    #[tokio::test]
    async fn the_first_lines_are_a_targets_own_numbers_and_nothing_is_wider_than_the_terminal() {
        let report = report().await;
        for width in [40, 80, 200] {
            let text = page(std::slice::from_ref(&report), View { width, colours: false, verbose: false });
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[0], "zero · north/1 · 2026-01-08 12:00 UTC");
            assert!(lines[1].trim_start().starts_with("standin.ended.new") && lines[1].ends_with("3 item"), "{text}");
            assert!(!text.contains("collector.") && text.contains("-v shows them"), "{text}");
            assert!(lines.iter().all(|line| measure_text_width(line) <= width), "{text}");
        }
        let text = page(&[report], View { width: 100, colours: true, verbose: true });
        assert!(text.contains("collector.target_up") && text.contains("\u{1b}[1m"), "{text}");
        assert_eq!(STANDIN_METRICS.len(), 3);
    }
}
