//! What all collectors are configured with, whatever they ask.

use crate::datadog::Base;
use crate::{Collector, Document, Env, Error, Overrides, Result, tags};
use std::fmt;

/// The common configuration of a function.
#[derive(Clone)]
pub struct Settings {
    /// The base tags and names.
    pub base: Base,
    /// Changed conditions.
    pub overrides: Overrides,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads the common variables for a collector.
    ///
    /// # Errors
    /// When one is missing or cannot be read.
    pub async fn read<C: Collector>(env: &Env) -> Result<Self> {
        let own = |text: &str| tags::value("service", text);
        let prefix = env.get("INFRA_PREFIX").unwrap_or("metta.infra").to_owned();
        if !tags::is_name(&prefix) || prefix.len() > 40 {
            return Err(Error::config(
                "INFRA_PREFIX",
                format!("`{prefix}` is not the beginning of a metric name, e.g. INFRA_PREFIX=acme.infra"),
            ));
        }
        let base = Base {
            source: "cron",
            env: own(env.required("DD_ENV", "production")?),
            service: own(env.get("SERVICE").unwrap_or("infra-health-dashboard")),
            collector: C::NAME,
            prefix,
            historical: env.switch("HISTORICAL", false)?,
        };
        let overrides = match Document::read(env, "CHECKS").await? {
            Some(document) => Overrides::parse(&document.text, C::CHECKS)?,
            None => Overrides::default(),
        };
        Ok(Self { base, overrides })
    }
}
