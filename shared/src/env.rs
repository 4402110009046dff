//! Configuration, read once: the process environment, and the JSON object of the secret that `SECRET_ARN` names.

pub(crate) mod document;
mod process;
mod secret;
pub(crate) mod settings;
mod targets;
pub(crate) mod variable;

pub use secret::Secret;
pub use settings::ENV;
pub use targets::variable_for;
pub use variable::Variable;

use crate::http::base_address;
use crate::{Error, Result};
use process::Process;
use secret::Vault;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use variable::quoted;

/// Typed access to named texts; every error names the variable and shows a good value.
#[derive(Clone)]
pub struct Env {
    vars: BTreeMap<String, String>,
    vault: Option<Vault>,
    process: Process,
}

impl fmt::Debug for Env {
    /// The names alone: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.vars.keys()).finish()
    }
}

impl Env {
    /// Reads the process environment, and the secret it names.
    ///
    /// # Errors
    /// When the secret cannot be read.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the process environment")]
    pub(crate) async fn from_process() -> Result<Self> {
        Self::load(std::env::vars()).await
    }

    /// The process environment alone, without the secret that it names.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the process environment")]
    pub(crate) fn of_process() -> Self {
        Self::of(std::env::vars())
    }

    /// Takes these variables, and the keys of the secret that `SECRET_ARN` among them names; a variable wins over a key.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub async fn load(vars: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut env = Self::of(vars);
        if let Some(id) = env.get("SECRET_ARN") {
            let vault = Vault::open(&env, id).await?;
            for (key, value) in vault.read().await? {
                if env.get(&key).is_none() {
                    env.vars.insert(key, value);
                }
            }
            env.vault = Some(vault);
        }
        Ok(env)
    }

    /// These variables alone.
    #[must_use]
    pub fn of<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        let vars = vars.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self { vars, vault: None, process: Process::default() }
    }

    /// A variable that is set to something.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A variable that must be set.
    ///
    /// # Errors
    /// When it is not.
    pub fn required(&self, variable: Variable) -> Result<&str> {
        self.get(variable.name()).ok_or_else(|| variable.refused("not set"))
    }

    /// A variable in a type of its own, or its default.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn parsed<T: FromStr + fmt::Display>(&self, name: &str, default: T) -> Result<T> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Error::refused(name, format_args!("`{text}` cannot be read"), &default.to_string())),
        }
    }

    /// The same for one with bounds, which are good values too.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn within<T>(&self, name: &str, default: T, bounds: RangeInclusive<T>) -> Result<T>
    where
        T: FromStr + fmt::Display + PartialOrd + Copy,
    {
        let value = self.parsed(name, default)?;
        if bounds.contains(&value) {
            return Ok(value);
        }
        let problem = format!("{value} is not between {} and {}", bounds.start(), bounds.end());
        Err(Error::refused(name, problem, &default.to_string()))
    }

    /// A switch: `on` or `off`.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn switch(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            None => Ok(default),
            Some("on" | "true" | "1") => Ok(true),
            Some("off" | "false" | "0") => Ok(false),
            Some(text) => Err(Error::refused(name, format_args!("`{text}` is neither `on` nor `off`"), "on")),
        }
    }

    /// The texts of a comma-separated list; none where it is not set.
    #[must_use]
    pub fn list(&self, name: &str, default: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or(default);
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// The pairs of a list such as `alias=value,value`; a bare value is its own alias.
    ///
    /// # Errors
    /// When an alias is listed twice.
    pub fn pairs(&self, variable: Variable, default: &str) -> Result<Vec<(String, String)>> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for item in self.list(variable.name(), default) {
            let (alias, value) = item.split_once('=').unwrap_or((&item, &item));
            let (alias, value) = (alias.trim().to_owned(), value.trim().to_owned());
            if pairs.iter().any(|(other, _)| *other == alias) {
                return Err(variable.refused(format_args!("{} is listed twice", quoted(&alias))));
            }
            pairs.push((alias, value));
        }
        Ok(pairs)
    }

    /// A secret that may be set: from the environment, or from the secret store, where it can be read again.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.get(name).map(|value| Secret::new(name, value, self.vault.clone()))
    }

    /// A secret that must be set.
    ///
    /// # Errors
    /// When it is not.
    pub fn required_secret(&self, name: &str, hint: &str) -> Result<Secret> {
        self.secret(name).ok_or_else(|| {
            let example = "0123…cdef, in the environment or as a key of the secret that SECRET_ARN names";
            Error::refused(name, format_args!("not set; {hint}"), example)
        })
    }

    /// A base address without its last slash: over TLS, or on this machine.
    ///
    /// # Errors
    /// When it is no address, or one that secrets would travel to in the open.
    pub fn url(&self, name: &str, default: &str) -> Result<String> {
        base_address(name, self.get(name).unwrap_or(default), default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_wrong_variable_is_named_with_an_example() {
        let env =
            Env::of([("EMPTY", " "), ("N", "ten"), ("M", "3"), ("S", "maybe"), ("U", "host:1"), ("T", "a=1,a=2")]);
        for error in [
            env.required(Variable::new("EMPTY", "x")).map(drop).unwrap_err(),
            env.parsed("N", 1u32).map(drop).unwrap_err(),
            env.within("M", 1u32, 1..=2).map(drop).unwrap_err(),
            env.switch("S", true).map(drop).unwrap_err(),
            env.url("U", "https://example.com").map(drop).unwrap_err(),
            env.pairs(Variable::new("T", "a=1"), "").map(drop).unwrap_err(),
        ] {
            assert_eq!(error.exit_code(), 78);
            let text = error.to_string();
            assert!(text.contains("e.g. ") && text.contains('='), "{text}");
        }
    }

    #[test]
    fn an_environment_prints_names_and_no_values() {
        let text = format!("{:?}", Env::of([("TOKEN", "s3cr3t")]));
        assert!(text.contains("TOKEN") && !text.contains("s3cr3t"), "{text}");
    }

    #[test]
    fn lists_and_pairs_are_trimmed_and_a_bare_value_is_its_own_alias() {
        let env = Env::of([("L", " a, b,,c "), ("P", "prod=https://x, acme/web")]);
        assert_eq!(env.list("L", ""), ["a", "b", "c"]);
        assert_eq!(env.list("NONE", "d"), ["d"]);
        let pairs = env.pairs(Variable::new("P", "a=1"), "").unwrap();
        assert_eq!(pairs, [("prod".into(), "https://x".into()), ("acme/web".into(), "acme/web".into())]);
    }
}
