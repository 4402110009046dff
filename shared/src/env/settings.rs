//! The configuration that all collectors share.

use super::document::Document;
use crate::datadog::Base;
use crate::{Collector, Env, Overrides, Result, Variable, tags};
use std::fmt;

/// The environment that every series is tagged with.
pub const ENV: Variable = Variable::new("DD_ENV", "production");

const PREFIX: Variable = Variable::new("INFRA_PREFIX", "acme.infra");

/// The common configuration of a function.
#[derive(Clone)]
pub(crate) struct Settings {
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
        let value = |text: &str| tags::value("service", text);
        let prefix = env.get(PREFIX.name()).unwrap_or("metta.infra").to_owned();
        if !tags::is_name(&prefix) || prefix.len() > 40 {
            return Err(PREFIX.refused(format_args!("`{prefix}` is not the beginning of a metric name")));
        }
        let (env_tag, service) = (env.required(ENV)?, env.get("SERVICE").unwrap_or("infra-health-dashboard"));
        let base = Base {
            categories: C::CATEGORIES,
            prefix,
            historical: env.switch("HISTORICAL", false)?,
            ..Base::new(C::NAME, value(env_tag), value(service))
        };
        let overrides = match Document::read(env, "CHECKS").await? {
            Some(document) => Overrides::parse(&document.text, C::CHECKS)?,
            None => Overrides::default(),
        };
        Ok(Self { base, overrides })
    }
}
