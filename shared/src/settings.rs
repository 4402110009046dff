//! What all collectors are configured with, whatever they ask.

use crate::datadog::Base;
use crate::{Check, Collector, Env, Error, Overrides, Result, tags};

/// The common configuration of a function.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The base tags and names.
    pub base: Base,
    /// Changed conditions.
    pub overrides: Overrides,
}

impl Settings {
    /// Reads the common variables for a collector; `known` are the checks of all collectors that share this configuration.
    ///
    /// # Errors
    /// When one is missing or cannot be read.
    pub fn read<C: Collector>(env: &Env, known: &[&'static Check]) -> Result<Self> {
        let own = |text: &str| tags::value("service", text);
        let prefix = env.get("INFRA_PREFIX").unwrap_or("metta.infra").to_owned();
        if !tags::is_name(&prefix) || prefix.len() > 40 {
            return Err(Error::config(
                "INFRA_PREFIX",
                format!("`{prefix}` is no beginning of a metric name; an example: INFRA_PREFIX=acme.infra"),
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
        // A key may name a check of another collector, which shares the variable.
        let mut all: Vec<&'static Check> = C::CHECKS.iter().collect();
        all.extend(known);
        Ok(Self { base, overrides: Overrides::parse(env.get("CHECKS").unwrap_or("{}"), &all)? })
    }
}
