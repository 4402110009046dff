//! Open issues: how many there are, in all and by label.

use super::graph::{Count, Said, Variables};
use super::rounds::Query;
use crate::config::Config;
use shared::Result;
use std::collections::BTreeMap;

/// Counts the open issues.
pub(super) struct Issues<'r> {
    config: &'r Config,
    counts: Option<BTreeMap<String, u64>>,
}

impl<'r> Issues<'r> {
    /// Counts those with the configured labels, and all.
    pub const fn new(config: &'r Config) -> Self {
        Self { config, counts: None }
    }

    /// The counts by label in lower case, `any` for all.
    pub fn finish(self) -> BTreeMap<String, u64> {
        self.counts.unwrap_or_default()
    }
}

impl Query for Issues<'_> {
    fn owns(&self, field: &str) -> bool {
        field == "issues" || field.strip_prefix('l').is_some_and(|number| number.parse::<usize>().is_ok())
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        if self.counts.is_some() {
            return false;
        }
        variables.insert("issues".to_owned(), true.into());
        for (at, label) in self.config.bug_labels.iter().enumerate() {
            variables.insert(format!("l{at}"), true.into());
            variables.insert(format!("l{at}Label"), label.clone().into());
        }
        true
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let all: Count = said.wanted("issues", None)?;
        let mut counts = BTreeMap::from([("any".to_owned(), all.total_count)]);
        for (at, label) in self.config.rules.bug_labels.iter().enumerate() {
            let count: Count = said.wanted(&format!("l{at}"), None)?;
            counts.insert(label.clone(), count.total_count);
        }
        self.counts = Some(counts);
        Ok(())
    }
}
