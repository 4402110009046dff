//! A report as a page of the terminal: a block for each target with its numbers, its checks, and what is not known.

use crate::output;
use crate::view::{Item, Number, Verdict, View};
use shared::{Kind, Report, Sample, heartbeat::Share};
use std::collections::BTreeMap;

/// The page of several reports.
pub fn page(reports: &[Report], view: View) -> String {
    reports.iter().map(|report| view.report(report)).collect::<Vec<_>>().join("\n")
}

impl View {
    fn report(self, report: &Report) -> String {
        let mut text: String = report.shares.iter().map(|share| self.target(report, share)).collect();
        let own: Vec<&Sample> = report.samples.iter().filter(|sample| sample.target().is_none()).collect();
        if self.verbose {
            text.push_str(&self.heading(&[report.collector, "about the collector"]));
            text.push_str(&self.numbers(&numbers(&own, true)));
            return text;
        }
        let hidden = own.len() + zeros(report);
        if hidden > 0 {
            let remark = format!("{hidden} rows that are zero or about the collector: -v shows them");
            text.push_str(&self.remark(&remark, 0));
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
        let mut text = self.heading(&[report.collector, &share.target, &output::time(report.now)]);
        text.push_str(&self.numbers(&numbers(&measured, self.verbose)));
        let checks = checks(&judged, self.verbose);
        if !checks.is_empty() {
            text.push_str(&[self.group("checks"), self.list(&checks)].concat());
        }
        let unknown = output::finding_lines(&share.findings);
        if !unknown.is_empty() {
            text.push_str(&self.group("not known"));
            text.extend(unknown.iter().map(|line| self.sentence(line, 2)));
        }
        text.push('\n');
        text
    }
}

/// A check with its verdict.
struct Judged<'a> {
    verdict: Verdict,
    name: &'a str,
    value: String,
    condition: String,
    about: String,
}

/// One item for each check: its verdict, its value and its condition, and its workflow if several checks have its name.
fn checks(judged: &[&Sample], verbose: bool) -> Vec<Item> {
    let mut checks: Vec<Judged> = judged.iter().filter_map(|sample| check(sample, judged)).collect();
    checks.sort_by(|a, b| (a.verdict, a.name, &a.about).cmp(&(b.verdict, b.name, &b.about)));
    let widest = |of: fn(&Judged) -> usize| checks.iter().map(of).max().unwrap_or(0);
    let values = widest(|check| check.value.chars().count());
    let conditions = widest(|check| check.condition.chars().count());
    let line = |check: &Judged| {
        let is_unique = checks.iter().filter(|other| other.name == check.name).count() == 1;
        let about = if is_unique && !verbose { "" } else { &check.about };
        let text = format!("{:>values$} {:<conditions$} {about}", check.value, check.condition);
        Item::new(check.verdict, check.name, vec![text])
    };
    checks.iter().map(line).collect()
}

/// The check that this sample is the target of, if it is a target.
fn check<'a>(sample: &'a Sample, judged: &[&Sample]) -> Option<Judged<'a>> {
    let name = sample.name().strip_suffix(".target")?;
    let tag = |key: &str| sample.tag_value(key).unwrap_or_default();
    let verdict = match tag("status") {
        "fail" => Verdict::Bad("fail"),
        "unknown" => Verdict::Open("unknown"),
        _ => Verdict::Good("pass"),
    };
    let value = judged.iter().find(|other| other.name() == name && other.tags() == sample.tags());
    let value = value.and_then(|sample| sample.value()).map_or_else(|| "-".to_owned(), output::number);
    let name = name.strip_prefix("metta.infra.cron.").unwrap_or(name);
    let about = [tag("workflow_name"), tag("task")].join("/");
    Some(Judged { verdict, name, value, condition: signs(tag("condition")), about })
}

/// Whether the value is zero.
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

/// One line for each gauge, for the newest slot of each count, and for all observations of a series.
fn numbers(samples: &[&Sample], verbose: bool) -> Vec<Number> {
    let mut lines: BTreeMap<(String, String), Number> = BTreeMap::new();
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

fn line(sample: &Sample, (name, dimensions): &(String, String), value: String) -> Number {
    let what = if dimensions.is_empty() { name.clone() } else { format!("{name} {dimensions}") };
    Number { name: what, value, unit: output::unit(sample.metric()) }
}

/// The tags of a sample without its target: their values, or key and value on a verbose page.
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

    shared::catalogue! {
        /// The target of a check, with the tags that every check has.
        REVERTS = Gauge "metta.infra.cron.github.reverts.count.target" in Item by ["status"], fold None, better Neither;
        /// The target of a check, with the tags that every check has.
        BUGS = Gauge "metta.infra.cron.github.bugs.count.target" in Item by ["status"], fold None, better Neither;
        /// The value that the check judges.
        VALUE = Gauge "metta.infra.cron.github.bugs.count" in Item by ["status"], fold None, better Neither;
    }

    #[test]
    fn failed_checks_come_first_with_their_value_and_condition() {
        assert_eq!(METRICS.len(), 3);
        let tagged = |sample: Sample, status: &str, task: &str| {
            let sample = sample.tag("status", status).tag("condition", "lt_5").tag("workflow_name", "bugs");
            sample.tag("task", task)
        };
        let samples = [
            tagged(REVERTS.sample(5.0), "pass", "reverts"),
            tagged(REVERTS.sample(5.0), "unknown", "others"),
            tagged(BUGS.sample(5.0), "fail", "open"),
            tagged(VALUE.sample(12.0), "fail", "open"),
        ];
        let judged: Vec<&Sample> = samples.iter().collect();
        let shown = |width: usize| View::new(width, false, false).list(&checks(&judged, false));
        let wide = "  fail    github.bugs.count     12 <5
  unknown github.reverts.count   - <5 bugs/others
  pass    github.reverts.count   - <5 bugs/reverts
";
        assert_eq!(shown(80), wide);
        let narrow = "  fail    github.bugs.count
            12 <5
  unknown github.reverts.count
             - <5 bugs/others
  pass    github.reverts.count
             - <5 bugs/reverts
";
        assert_eq!(shown(40), narrow);
        let verbose = View::new(80, false, true).list(&checks(&judged, true));
        assert!(verbose.starts_with("  fail    github.bugs.count     12 <5 bugs/open\n"), "{verbose}");
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
            let text = page(std::slice::from_ref(&report), View::new(width, false, false));
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[0], "zero · north/1 · 2026-01-08 12:00 UTC");
            assert!(lines[1].trim_start().starts_with("standin.ended.new") && lines[1].ends_with("3 item"), "{text}");
            assert!(!text.contains("collector.") && text.contains("-v shows them"), "{text}");
            assert!(lines.iter().all(|line| console::measure_text_width(line) <= width), "{text}");
        }
        let text = page(&[report], View::new(100, true, true));
        assert!(text.contains("collector.target_up") && text.contains("\u{1b}[1m"), "{text}");
        assert_eq!(STANDIN_METRICS.len(), 3);
    }
}
