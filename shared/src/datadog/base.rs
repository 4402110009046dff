//! What every series of a run has in common: its base tags, and the names that configuration changes.

use std::borrow::Cow;
use std::fmt;

/// The first words of the names of checks, which configuration may change.
const FAMILY: &str = "metta.infra";

/// The tags of every series of a run, and the names it may change.
#[derive(Clone)]
pub struct Base {
    /// How the run was started: `cron` or `stable_suite`.
    pub source: &'static str,
    /// `DD_ENV`.
    pub env: String,
    /// `SERVICE`.
    pub service: String,
    /// The collector's word.
    pub collector: &'static str,
    /// [`crate::Collector::CATEGORIES`].
    pub categories: &'static [(&'static str, &'static str)],
    /// What stands for `metta.infra`.
    pub prefix: String,
    /// Whether Datadog takes points of our gauges that are older than an hour.
    pub historical: bool,
}

impl fmt::Debug for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Base").field("collector", &self.collector).finish_non_exhaustive()
    }
}

impl Base {
    /// The base of scheduled runs, with names as they are by default.
    #[must_use]
    pub fn new(collector: &'static str, env: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            source: "cron",
            env: env.into(),
            service: service.into(),
            collector,
            categories: &[],
            prefix: FAMILY.to_owned(),
            historical: false,
        }
    }

    /// The `workflow_category` of a row that is not a check's: that of the first prefix its name begins with.
    pub(super) fn category(&self, name: &str) -> &'static str {
        let own = self.categories.iter().find(|(prefix, _)| name.starts_with(prefix));
        own.map_or("collector", |(_, category)| category)
    }

    /// The name as it is sent: the configured prefix stands in for the first words of a check's.
    pub(super) fn name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        match name.strip_prefix(FAMILY) {
            Some(rest) if rest.starts_with('.') && self.prefix != FAMILY => {
                Cow::Owned(format!("{}{rest}", self.prefix))
            }
            _ => Cow::Borrowed(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_stands_in_for_the_first_two_words_of_the_family_alone() {
        let base = Base { prefix: "acme.infra".to_owned(), ..Base::new("c", "test", "s") };
        assert_eq!(base.name("metta.infra.cron.x"), "acme.infra.cron.x");
        assert_eq!(base.name("github.prs.open"), "github.prs.open");
        assert_eq!(Base::new("c", "test", "s").name("metta.infra.cron.x"), "metta.infra.cron.x");
    }

    #[test]
    fn the_first_prefix_that_fits_decides_the_category() {
        let base = Base { categories: &[("github.ci.", "ci"), ("github.", "code")], ..Base::new("c", "test", "s") };
        for (name, expected) in [("github.ci.runs", "ci"), ("github.prs.open", "code"), ("health.checks", "collector")]
        {
            assert_eq!(base.category(name), expected);
        }
    }
}
