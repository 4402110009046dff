//! Checks: each compares a value of the run with a condition.

use crate::overrides::Override;
use crate::{Condition, Metric, Overrides, Sample, Unit, stats};
use std::collections::{BTreeMap, BTreeSet};

/// Selects the samples that a check or a score reads: those of one metric with certain tags.
#[derive(Debug, Clone, Copy)]
pub struct Selector {
    /// The row.
    pub metric: &'static Metric,
    /// Tags that a sample must have to be read.
    pub having: &'static [(&'static str, &'static str)],
    /// Tags that it must not have.
    pub lacking: &'static [(&'static str, &'static str)],
}

impl Selector {
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
    pub reads: Selector,
    /// `ci`, `code`, `training`, `evaluation`, `leaderboard` or `benchmarks`.
    pub workflow_category: &'static str,
    /// What the check is about.
    pub workflow_name: Word,
    /// The task within it.
    pub task: Word,
    /// What is checked of the task.
    pub check: &'static str,
    /// What the value is compared with.
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
                $crate::check!(@row concat!("metta.infra.cron.", $name), $unit, None, concat!("The value that the check `", $name, "` judges.")),
                $crate::check!(@row concat!("metta.infra.cron.", $name, ".target"), $unit, None, concat!("The number that `", $name, "` is held against; of a range the lower one.")),
                $crate::check!(@row concat!("metta.infra.cron.", $name, ".status"), Check, Min, concat!("Whether `", $name, "` passes (1) or fails (0); no point while unknown.")),
            ],
            reads: $crate::Selector { metric: &$metric, having: &[$(($key, $value)),*], lacking: &[$(($other, $not)),*] },
            workflow_category: $category,
            workflow_name: $workflow,
            task: $task,
            check: $check,
            condition: $condition,
            unit: $crate::Unit::$unit,
            min_samples: $crate::check!(@min $($min)?),
        }
    };
    (@row $name:expr, $unit:ident, $fold:ident, $help:expr) => {
        &$crate::Metric {
            name: $name,
            kind: $crate::Kind::Gauge,
            unit: $crate::Unit::$unit,
            per: None,
            tags: $crate::CHECK_TAGS,
            fold: $crate::Fold::$fold,
            better: $crate::check!(@better $fold),
            help: $help,
        }
    };
    (@better Min) => { $crate::Better::Up };
    (@better None) => { $crate::Better::Neither };
    (@min) => { 1 };
    (@min $min:literal) => { $min };
}

/// The result of a check for one value.
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

/// Evaluates every check for every sample it reads.
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

    /// Its point in `health.check.state`, which has one name for all checks and no tag that changes with the verdict.
    fn state(&self) -> Option<Sample> {
        let mut sample = STATE.sample(if self.passed? { 1.0 } else { 0.0 }).of_category(self.check.workflow_category);
        sample.also = self.source.metric().tags;
        // The names of the check come first where what it reads has a tag of the same name.
        let own = ["check", "target", "task", "workflow_name"];
        for (key, value) in self.source.tags().iter().filter(|(key, _)| !own.contains(key)) {
            sample = sample.tag(key, value);
        }
        Some(sample.tag("workflow_name", &self.workflow_name).tag("task", &self.task).tag("check", self.check.check))
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
    fn area(check: &Check) -> &'static str {
        match check.name.split('.').next() {
            Some("training") => "training",
            Some("eval") => "eval",
            _ => "ci",
        }
    }
}

crate::catalogue! {
    /// What each check says, one row for all of them: pass (1) or fail (0), 0.75 and 0.25 for a verdict that is carried
    /// forward; no point while it is unknown.
    STATE = Gauge "health.check.state" in Check by ["check", "target", "task", "workflow_name"], fold Min, better Up;
    /// Checks that this collector judged, by area and by what they say; no series splits when a verdict changes.
    CHECKS = Gauge "health.checks" in Check by ["area", "status", "target"], fold Sum, better Neither;
    /// Checks that were judged pass or fail in this run; an unknown one adds nothing.
    JUDGED = Count "health.checks.judged.new" in Check by ["check", "target", "task", "workflow_name"], fold Sum, better Up;
    /// Those of the judged checks that passed.
    PASSED = Count "health.checks.passed.new" in Check by ["check", "target", "task", "workflow_name"], fold Sum, better Up;
}

/// The rows over all verdicts about a target: each one's state, and totals by area and status, and by check.
pub(crate) fn totals(checks: &'static [Check], verdicts: &[Verdict], target: &str) -> Vec<Sample> {
    let states = verdicts.iter().filter_map(Verdict::state);
    let mut samples: Vec<Sample> = states.collect();
    let areas: BTreeSet<&str> = checks.iter().map(Verdict::area).collect();
    for area in areas {
        let of_area = || verdicts.iter().filter(|verdict| Verdict::area(verdict.check) == area);
        samples.extend(["pass", "fail", "unknown"].map(|status| {
            let number = of_area().filter(|verdict| verdict.status() == status).count();
            CHECKS.sample(stats::count(number)).tag("area", area).tag("status", status)
        }));
    }
    let mut by_check: BTreeMap<(&str, &str, &str), (&'static str, usize, usize)> = BTreeMap::new();
    for verdict in verdicts {
        let key = (verdict.workflow_name.as_str(), verdict.task.as_str(), verdict.check.check);
        let (_, judged, passed) = by_check.entry(key).or_insert((verdict.check.workflow_category, 0, 0));
        *judged += usize::from(verdict.passed.is_some());
        *passed += usize::from(verdict.passed == Some(true));
    }
    for ((workflow, task, check), (category, judged, passed)) in by_check {
        samples.extend([(&JUDGED, judged), (&PASSED, passed)].map(|(row, number)| {
            let sample = row.sample(stats::count(number)).of_category(category);
            sample.tag("workflow_name", workflow).tag("task", task).tag("check", check)
        }));
    }
    samples.into_iter().map(|sample| sample.tag("target", target)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operator;
    use crate::testing::lines;

    crate::catalogue! {
        /// A level by repository.
        STALE = Gauge "test.stale" in Item by ["repo"], fold Sum, better Down;
        /// A percentile by repository.
        P90 = Gauge "test.p90" in Minute by ["repo"], fold Sum, better Down;
        /// A flag by workflow.
        PASSING = Gauge "test.passing" in Check by ["repo", "role", "workflow"], fold Min, better Up;
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
        let verdicts = judge(CHECKS_HERE, &Overrides::parse(overrides, CHECKS_HERE).unwrap(), samples);
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
        for member in ["Lint", "lint"] {
            let one = said(&format!(r#"{{"ci.success:{member}": "off"}}"#), &samples);
            assert!(one.contains("workflow_name:tests") && !one.contains("workflow_name:lint"));
        }
        let spaced = [passing("Build & Test", "blocking")];
        assert_eq!(said(r#"{"ci.success:Build & Test": "off"}"#, &spaced), "", "it is compared as its tag");
    }

    #[test]
    fn an_override_that_nobody_reads_is_refused() {
        for text in [
            "[]",
            r#"{"no.such": "<1"}"#,
            r#"{"ci.p90": 5}"#,
            r#"{"ci.p90": "<5k"}"#,
            r#"{"ci.p90": {"condition": "<5m", "min_sample": 3}}"#,
            r#"{"ci.p90": {"condition": "<5m", "min_samples": 0}}"#,
            r#"{"ci.p90": {"condition": "<5m", "min_samples": "3"}}"#,
            r#"{"ci.p90": {"min_samples": 3}}"#,
            r#"{"ci.success:Lint": "off", "ci.success:lint": "off"}"#,
        ] {
            assert_eq!(Overrides::parse(text, CHECKS_HERE).unwrap_err().exit_code(), 78, "{text}");
        }
    }

    #[test]
    fn a_check_of_another_collector_is_left_to_it() {
        let samples = [P90.sample(3.0).of(5).tag("repo", "a")];
        assert_eq!(said(r#"{"training.bugs.count": "<3"}"#, &samples), said("{}", &samples));
        let mut names = crate::CHECK_NAMES.to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, crate::CHECK_NAMES);
    }

    #[test]
    fn totals_count_each_status_of_each_area_and_an_unknown_check_adds_to_neither_count() {
        let samples =
            [STALE.sample(1.0).tag("repo", "a"), STALE.sample(30.0).tag("repo", "b"), P90.maybe(None).tag("repo", "a")];
        let totals = totals(CHECKS_HERE, &judge(CHECKS_HERE, &Overrides::default(), &samples), "acme/web");
        let expected = "\
            health.check.state{check:open,repo:a,target:acme/web,task:stale,workflow_name:pr_flow} 1\n\
            health.check.state{check:open,repo:b,target:acme/web,task:stale,workflow_name:pr_flow} 0\n\
            health.checks.judged.new{check:open,target:acme/web,task:stale,workflow_name:pr_flow} 2\n\
            health.checks.judged.new{check:p90,target:acme/web,task:duration,workflow_name:smooth} 0\n\
            health.checks.passed.new{check:open,target:acme/web,task:stale,workflow_name:pr_flow} 1\n\
            health.checks.passed.new{check:p90,target:acme/web,task:duration,workflow_name:smooth} 0\n\
            health.checks{area:ci,status:fail,target:acme/web} 1\n\
            health.checks{area:ci,status:pass,target:acme/web} 1\n\
            health.checks{area:ci,status:unknown,target:acme/web} 1";
        assert!(totals.iter().all(Sample::is_declared));
        assert_eq!(lines(&totals), expected);
    }
}
