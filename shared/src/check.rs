//! Checks: each judges a value of the same run against a condition.

use crate::{Condition, Error, Metric, Result, Sample, Unit, stats};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The samples that a check or a score reads: all of one row that have these tags.
#[derive(Debug, Clone, Copy)]
pub struct Reads {
    /// The row.
    pub metric: &'static Metric,
    /// Tags that a sample must have to be read.
    pub having: &'static [(&'static str, &'static str)],
    /// Tags that it must not have.
    pub lacking: &'static [(&'static str, &'static str)],
}

impl Reads {
    pub(crate) fn of<'a>(&self, samples: &'a [Sample]) -> impl Iterator<Item = &'a Sample> {
        let wanted = *self;
        samples.iter().filter(move |sample| {
            std::ptr::eq(sample.metric(), wanted.metric)
                && wanted.having.iter().all(|(key, value)| sample.tag_value(key) == Some(value))
                && wanted.lacking.iter().all(|(key, value)| sample.tag_value(key) != Some(value))
        })
    }
}

/// A word of a check: always the same, or the value of a tag of what it reads.
#[derive(Debug, Clone, Copy)]
pub enum Word {
    /// This word.
    Is(&'static str),
    /// What this tag says.
    Tag(&'static str),
}

impl Word {
    fn of(self, sample: &Sample) -> String {
        match self {
            Self::Is(word) => word.to_owned(),
            Self::Tag(key) => sample.tag_value(key).unwrap_or("none").to_owned(),
        }
    }
}

/// A row that judges one metric. One constant judges the run, draws the marker and feeds the monitor.
#[derive(Debug)]
pub struct Check {
    /// The name after `metta.infra.cron.`.
    pub name: &'static str,
    /// The rows of the value, its target and its status.
    pub rows: [&'static Metric; 3],
    /// What is judged.
    pub reads: Reads,
    /// `ci`, `code`, `training`, `evaluation`, `leaderboard` or `benchmarks`.
    pub workflow_category: &'static str,
    /// What the check is about.
    pub workflow_name: Word,
    /// The task within it.
    pub task: Word,
    /// What is checked of the task.
    pub check: &'static str,
    /// What the value is held against.
    pub condition: Condition,
    /// The unit of value and target.
    pub unit: Unit,
    /// With fewer observations than this the verdict is unknown.
    pub min_samples: usize,
}

/// The tags of a check's rows; `source`, `env` and `service` come with the base tags, the dimensions with what it reads.
pub const CHECK_TAGS: &[&str] = &["check", "condition", "status", "task", "unit", "workflow_category", "workflow_name"];

/// Writes one check with its three rows.
#[macro_export]
macro_rules! check {
    (
        $name:literal reads $metric:path $(where $key:literal = $value:literal)* $(, unless $other:literal = $not:literal)*;
        $category:literal / $workflow:expr, $task:expr, $check:literal; $condition:expr, $unit:ident $(, at least $min:literal)?
    ) => {
        $crate::Check {
            name: $name,
            rows: [
                $crate::check!(@row concat!("metta.infra.cron.", $name), $unit, concat!("The value that the check `", $name, "` judges.")),
                $crate::check!(@row concat!("metta.infra.cron.", $name, ".target"), $unit, concat!("The number that `", $name, "` is held against; of a range the lower one.")),
                $crate::check!(@row concat!("metta.infra.cron.", $name, ".status"), Check, concat!("Whether `", $name, "` passes (1) or fails (0); no point while unknown.")),
            ],
            reads: $crate::Reads { metric: &$metric, having: &[$(($key, $value)),*], lacking: &[$(($other, $not)),*] },
            workflow_category: $category,
            workflow_name: $workflow,
            task: $task,
            check: $check,
            condition: $condition,
            unit: $crate::Unit::$unit,
            min_samples: $crate::check!(@min $($min)?),
        }
    };
    (@row $name:expr, $unit:ident, $help:expr) => {
        &$crate::Metric {
            name: $name,
            kind: $crate::Kind::Gauge,
            unit: $crate::Unit::$unit,
            per: None,
            tags: $crate::CHECK_TAGS,
            help: $help,
        }
    };
    (@min) => { 1 };
    (@min $min:literal) => { $min };
}

/// How the conditions are changed by configuration.
#[derive(Debug, Clone, Default)]
pub struct Overrides(BTreeMap<String, Override>);

#[derive(Debug, Clone)]
enum Override {
    Off,
    Condition(Condition, Option<usize>),
}

impl Overrides {
    /// Reads the `CHECKS` variable; every key must be a check of these, with `:member` for one of its members.
    ///
    /// # Errors
    /// When it is no JSON object, names an unknown check or holds something that is no condition.
    pub fn parse(text: &str, known: &[&'static Check]) -> Result<Self> {
        const EXAMPLE: &str = r#"an example: {"github.reverts.count": "<=2", "github.bugs.count:training": "off"}"#;
        let wrong = |problem: String| Error::config("CHECKS", format!("{problem}; {EXAMPLE}"));
        let rows: BTreeMap<String, Value> =
            serde_json::from_str(text).map_err(|error| wrong(format!("not a JSON object ({error})")))?;
        let mut overrides = BTreeMap::new();
        for (key, row) in rows {
            let name = key.split(':').next().unwrap_or_default();
            let check = known
                .iter()
                .find(|check| check.name == name)
                .ok_or_else(|| wrong(format!("there is no check `{name}`")))?;
            let min_samples =
                row.get("min_samples").and_then(Value::as_u64).and_then(|least| usize::try_from(least).ok());
            let parsed = match row.get("condition").unwrap_or(&row) {
                Value::String(text) if text == "off" => Override::Off,
                Value::String(text) => Override::Condition(Condition::parse(text, check.unit)?, min_samples),
                _ => return Err(wrong(format!("`{key}` holds no condition"))),
            };
            overrides.insert(key.to_lowercase(), parsed);
        }
        Ok(Self(overrides))
    }

    fn of(&self, check: &Check, sample: &Sample) -> Option<&Override> {
        let member = |value: &str| self.0.get(&format!("{}:{value}", check.name));
        sample.tags().iter().find_map(|(_, value)| member(value)).or_else(|| self.0.get(check.name))
    }
}

/// What a check says of one value.
#[derive(Debug)]
pub struct Verdict {
    check: &'static Check,
    condition: Condition,
    value: Option<f64>,
    passed: Option<bool>,
    workflow_name: String,
    task: String,
    source: Sample,
}

/// Judges every member of every check that reads these samples.
#[must_use]
pub fn judge(checks: &'static [Check], overrides: &Overrides, samples: &[Sample]) -> Vec<Verdict> {
    let members = checks.iter().flat_map(|check| check.reads.of(samples).map(move |sample| (check, sample)));
    members.filter_map(|(check, sample)| verdict(check, overrides.of(check, sample), sample)).collect()
}

fn verdict(check: &'static Check, change: Option<&Override>, sample: &Sample) -> Option<Verdict> {
    let (condition, least) = match change {
        Some(Override::Off) => return None,
        Some(Override::Condition(condition, least)) => (*condition, least.unwrap_or(check.min_samples)),
        None => (check.condition, check.min_samples),
    };
    let enough = sample.observations.is_none_or(|observations| observations >= least);
    let value = sample.value().filter(|value| enough && value.is_finite());
    Some(Verdict {
        check,
        condition,
        value,
        passed: value.map(|value| condition.holds(value)),
        workflow_name: check.workflow_name.of(sample),
        task: check.task.of(sample),
        source: sample.clone(),
    })
}

impl Verdict {
    /// The value, its target and its status; of an unknown one only the target.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let [value, target, status] = self.check.rows;
        let known = self.value.map(|known| value.sample(known));
        let judged = self.passed.map(|passed| status.sample(if passed { 1.0 } else { 0.0 }));
        [known, Some(target.sample(self.condition.target())), judged]
            .into_iter()
            .flatten()
            .map(|sample| self.tagged(sample))
            .collect()
    }

    fn tagged(&self, mut sample: Sample) -> Sample {
        sample.also = self.source.metric().tags;
        for (key, value) in self.source.tags() {
            sample = sample.tag(key, value);
        }
        sample
            .tag("workflow_category", self.check.workflow_category)
            .tag("workflow_name", &self.workflow_name)
            .tag("task", &self.task)
            .tag("check", self.check.check)
            .tag("condition", self.condition.words())
            .tag("unit", self.check.unit.word())
            .tag("status", self.status())
    }

    const fn status(&self) -> &'static str {
        match self.passed {
            Some(true) => "pass",
            Some(false) => "fail",
            None => "unknown",
        }
    }

    /// The area of the health page that a check belongs to.
    #[must_use]
    pub fn area(check: &Check) -> &'static str {
        match check.name.split('.').next() {
            Some("training") => "training",
            Some("eval") => "eval",
            _ => "ci",
        }
    }
}

crate::catalogue! {
    /// Checks that this collector judged, by area and by what they say; no series splits when a verdict changes.
    CHECKS = Gauge "health.checks" in Check by ["area", "status"];
    /// Checks that were judged pass or fail in this run; an unknown one adds nothing.
    JUDGED = Count "health.checks.judged.new" in Check by ["check", "task", "workflow_name"];
    /// Those of the judged checks that passed.
    PASSED = Count "health.checks.passed.new" in Check by ["check", "task", "workflow_name"];
}

/// The totals over all verdicts of a run: by area and status, and judged and passed by check.
#[must_use]
pub fn totals(checks: &'static [Check], verdicts: &[Verdict]) -> Vec<Sample> {
    let areas: BTreeSet<&str> = checks.iter().map(Verdict::area).collect();
    let mut samples = Vec::new();
    for area in areas {
        for status in ["pass", "fail", "unknown"] {
            let number = verdicts
                .iter()
                .filter(|verdict| Verdict::area(verdict.check) == area && verdict.status() == status)
                .count();
            samples.push(CHECKS.sample(stats::count(number)).tag("area", area).tag("status", status));
        }
    }
    let mut by_check: BTreeMap<(&str, &str, &str), (usize, usize)> = BTreeMap::new();
    for verdict in verdicts {
        let (judged, passed) =
            by_check.entry((&verdict.workflow_name, &verdict.task, verdict.check.check)).or_default();
        *judged += usize::from(verdict.passed.is_some());
        *passed += usize::from(verdict.passed == Some(true));
    }
    for ((workflow, task, check), (judged, passed)) in by_check {
        for (row, number) in [(&JUDGED, judged), (&PASSED, passed)] {
            samples.push(
                row.sample(stats::count(number)).tag("workflow_name", workflow).tag("task", task).tag("check", check),
            );
        }
    }
    samples
}

/// The name under the configured prefix: `metta.infra` is the default of the first two words.
#[must_use]
pub fn prefixed<'a>(name: &'a str, prefix: &str) -> Cow<'a, str> {
    match name.strip_prefix("metta.infra.") {
        Some(rest) if prefix != "metta.infra" => Cow::Owned(format!("{prefix}.{rest}")),
        _ => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operator;
    use crate::testing::lines;

    crate::catalogue! {
        /// A level by repository.
        STALE = Gauge "test.stale" in Item by ["repo"];
        /// A percentile by repository.
        P90 = Gauge "test.p90" in Minute by ["repo"];
        /// A flag by workflow.
        PASSING = Gauge "test.passing" in Check by ["repo", "role", "workflow"];
    }

    static CHECKS_HERE: &[Check] = &[
        crate::check!("test.stale.count" reads STALE;
            "code" / Word::Is("pr_flow"), Word::Is("stale"), "open"; Condition::new(Operator::AtMost, 20.0), Item),
        crate::check!("ci.p90" reads P90;
            "ci" / Word::Is("smooth"), Word::Is("duration"), "p90"; Condition::new(Operator::Below, 5.0).suffix("m"), Minute, at least 5),
        crate::check!("ci.success" reads PASSING where "role" = "blocking";
            "ci" / Word::Tag("workflow"), Word::Is("tests"), "success"; Condition::new(Operator::Equal, 1.0).word("success"), Check),
    ];

    fn said(overrides: &str, samples: &[Sample]) -> String {
        let known: Vec<&'static Check> = CHECKS_HERE.iter().collect();
        let verdicts = judge(CHECKS_HERE, &Overrides::parse(overrides, &known).unwrap(), samples);
        lines(&verdicts.iter().flat_map(Verdict::samples).collect::<Vec<_>>())
    }

    #[test]
    fn a_known_value_gives_three_gauges_with_the_tags_of_the_check_and_of_what_it_reads() {
        let tags = "check:open,condition:le_20,repo:a,status:fail,task:stale,unit:item,workflow_category:code,workflow_name:pr_flow";
        assert_eq!(
            said("{}", &[STALE.sample(21.0).tag("repo", "a")]),
            format!(
                "metta.infra.cron.test.stale.count.status{{{tags}}} 0\n\
                 metta.infra.cron.test.stale.count.target{{{tags}}} 20\n\
                 metta.infra.cron.test.stale.count{{{tags}}} 21"
            )
        );
        assert_eq!(METRICS.len(), 3);
    }

    #[test]
    fn an_unknown_value_gives_the_target_alone_and_neither_passes_nor_fails() {
        let unknown = said("{}", &[STALE.maybe(None).tag("repo", "a")]);
        assert!(unknown.starts_with("metta.infra.cron.test.stale.count.target{") && unknown.contains("status:unknown"));
        assert_eq!(unknown.lines().count(), 1);
    }

    #[test]
    fn too_few_observations_are_as_good_as_none() {
        for (observations, lines) in [(4, 1), (5, 3)] {
            assert_eq!(said("{}", &[P90.sample(3.0).of(observations).tag("repo", "a")]).lines().count(), lines);
        }
        let relaxed = r#"{"ci.p90": {"condition": "<2m", "min_samples": 1}}"#;
        assert!(
            said(relaxed, &[P90.sample(3.0).of(1).tag("repo", "a")]).contains("condition:lt_2m,repo:a,status:fail")
        );
    }

    #[test]
    fn a_member_has_its_own_words_and_may_be_changed_or_switched_off_alone() {
        let passing = |workflow: &str, role: &str| {
            PASSING.sample(1.0).tag("repo", "a").tag("role", role).tag("workflow", workflow)
        };
        let samples = [passing("Tests", "blocking"), passing("Lint", "blocking"), passing("Docs", "other")];
        let both = said("{}", &samples);
        assert!(both.contains("workflow_name:tests") && both.contains("workflow_name:lint") && !both.contains("docs"));
        let one = said(r#"{"ci.success:Lint": "off"}"#, &samples);
        assert!(one.contains("workflow_name:tests") && !one.contains("workflow_name:lint"));
    }

    #[test]
    fn an_override_that_nobody_reads_is_refused() {
        let known: Vec<&'static Check> = CHECKS_HERE.iter().collect();
        for text in ["[]", r#"{"no.such": "<1"}"#, r#"{"ci.p90": 5}"#, r#"{"ci.p90": "<5k"}"#] {
            assert_eq!(Overrides::parse(text, &known).unwrap_err().exit_code(), 78, "{text}");
        }
    }

    #[test]
    fn totals_count_each_status_of_each_area_and_an_unknown_check_adds_to_neither_count() {
        let samples =
            [STALE.sample(1.0).tag("repo", "a"), STALE.sample(30.0).tag("repo", "b"), P90.maybe(None).tag("repo", "a")];
        let totals = totals(CHECKS_HERE, &judge(CHECKS_HERE, &Overrides::default(), &samples));
        let expected = "\
            health.checks.judged.new{check:open,task:stale,workflow_name:pr_flow} 2\n\
            health.checks.judged.new{check:p90,task:duration,workflow_name:smooth} 0\n\
            health.checks.passed.new{check:open,task:stale,workflow_name:pr_flow} 1\n\
            health.checks.passed.new{check:p90,task:duration,workflow_name:smooth} 0\n\
            health.checks{area:ci,status:fail} 1\n\
            health.checks{area:ci,status:pass} 1\n\
            health.checks{area:ci,status:unknown} 1";
        assert_eq!(lines(&totals), expected);
    }

    #[test]
    fn the_prefix_stands_in_for_the_first_two_words_of_the_family_alone() {
        assert_eq!(prefixed("metta.infra.cron.x", "acme.infra"), "acme.infra.cron.x");
        assert_eq!(prefixed("github.prs.open", "acme.infra"), "github.prs.open");
    }
}
