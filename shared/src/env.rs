//! Configuration, read once: the process environment, and the JSON object of the secret that `SECRET_ARN` names.

use crate::{Error, Meter, Result, secret::Secret, secret::Vault, tags::Digester, tls::Wire};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// Typed access to named texts; every complaint names the variable and shows a good value.
#[derive(Debug, Clone)]
pub struct Env {
    vars: BTreeMap<String, String>,
    vault: Option<Vault>,
    meter: Meter,
    wire: Arc<OnceLock<Wire>>,
}

impl Env {
    /// Reads the process environment, and the secret it names.
    ///
    /// # Errors
    /// When the secret cannot be read.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the process environment")]
    pub async fn from_process() -> Result<Self> {
        Self::load(std::env::vars()).await
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
        Self { vars, vault: None, meter: Meter::default(), wire: Arc::default() }
    }

    /// The same for another collector in this process: its calls are counted apart, as they are where each is a function.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self { meter: Meter::default(), wire: Arc::default(), ..self.clone() }
    }

    /// The meter that every client made from this environment counts on.
    #[must_use]
    pub const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The connections that every client made from this environment shares.
    ///
    /// # Errors
    /// When `SSL_CERT_FILE` cannot be read.
    pub fn wire(&self) -> Result<Wire> {
        if let Some(wire) = self.wire.get() {
            return Ok(wire.clone());
        }
        let wire = Wire::new(self.get("SSL_CERT_FILE"), self.meter.clone())?;
        Ok(self.wire.get_or_init(|| wire).clone())
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
    pub fn required(&self, name: &str, example: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| Error::config(name, format!("not set; an example: {name}={example}")))
    }

    /// A variable in a type of its own, or its default.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn parsed<T: FromStr>(&self, name: &str, default: T, example: &str) -> Result<T> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| Error::config(name, format!("`{text}` cannot be read; an example: {name}={example}"))),
        }
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
            Some(text) => {
                Err(Error::config(name, format!("`{text}` is neither `on` nor `off`; an example: {name}=on")))
            }
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
    /// When an alias stands twice.
    pub fn pairs(&self, name: &str, default: &str) -> Result<Vec<(String, String)>> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for item in self.list(name, default) {
            let (alias, value) = item.split_once('=').unwrap_or((&item, &item));
            let (alias, value) = (alias.trim().to_owned(), value.trim().to_owned());
            if pairs.iter().any(|(other, _)| *other == alias) {
                return Err(Error::config(name, format!("`{alias}` stands twice; an example: {name}=one=…,two=…")));
            }
            pairs.push((alias, value));
        }
        Ok(pairs)
    }

    /// What tells people and names apart without saying them: keyed with `DIGEST_KEY`, else with the API key.
    #[must_use]
    pub fn digester(&self) -> Digester {
        let key = self.get("DIGEST_KEY").or_else(|| self.get("DD_API_KEY"));
        Digester::new(key.unwrap_or("vitals"))
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
            Error::config(
                name,
                format!("not set; {hint}; an example: {name}=0123…cdef, in the environment or as a key of the secret that SECRET_ARN names"),
            )
        })
    }

    /// The secret of one target, `<NAME>__<ALIAS>`, or the one for all of them.
    #[must_use]
    pub fn secret_for(&self, name: &str, alias: &str) -> Option<Secret> {
        let own = format!("{name}__{}", alias.to_uppercase().replace('-', "_"));
        self.secret(&own).or_else(|| self.secret(name))
    }

    /// A base address without its last slash.
    ///
    /// # Errors
    /// When it is no http address.
    pub fn url(&self, name: &str, default: &str) -> Result<String> {
        let text = self.get(name).unwrap_or(default);
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match host {
            Some(host) if !host.is_empty() && !host.starts_with('/') && !text.contains(char::is_whitespace) => {
                Ok(text.trim_end_matches('/').to_owned())
            }
            _ => Err(Error::config(name, format!("`{text}` is no address; an example: {name}={default}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_collector_counts_apart_with_the_same_variables() {
        let env = Env::of([("DD_ENV", "test")]);
        env.meter().register("github");
        env.meter().called("github");
        let other = env.apart();
        other.meter().register("asana");
        assert_eq!((other.get("DD_ENV"), other.meter().calls()), (Some("test"), 0));
        assert_eq!((env.meter().upstreams(), other.meter().upstreams()), (["github"].into(), ["asana"].into()));
    }

    #[test]
    fn a_missing_or_wrong_variable_is_named_with_an_example() {
        let env = Env::of([("EMPTY", " "), ("N", "ten"), ("S", "maybe"), ("U", "host:1"), ("T", "a=1,a=2")]);
        for error in [
            env.required("EMPTY", "x").map(drop).unwrap_err(),
            env.parsed("N", 1u32, "3").map(drop).unwrap_err(),
            env.switch("S", true).map(drop).unwrap_err(),
            env.url("U", "https://example.com").map(drop).unwrap_err(),
            env.pairs("T", "").map(drop).unwrap_err(),
        ] {
            assert_eq!(error.exit_code(), 78);
            let text = error.to_string();
            assert!(text.contains("an example: ") && text.contains('='), "{text}");
        }
    }

    #[test]
    fn lists_and_pairs_are_trimmed_and_a_bare_value_is_its_own_alias() {
        let env = Env::of([("L", " a, b,,c "), ("P", "prod=https://x, acme/web")]);
        assert_eq!(env.list("L", ""), ["a", "b", "c"]);
        assert_eq!(env.list("NONE", "d"), ["d"]);
        let pairs = env.pairs("P", "").unwrap();
        assert_eq!(pairs, [("prod".into(), "https://x".into()), ("acme/web".into(), "acme/web".into())]);
    }

    #[test]
    fn a_target_has_its_own_secret_or_the_one_for_all() {
        let env = Env::of([("TOKEN", "all"), ("TOKEN__EU_1", "eu")]);
        let read = |alias| env.secret_for("TOKEN", alias).unwrap().expose();
        assert_eq!((read("eu-1"), read("us")), ("eu".to_owned(), "all".to_owned()));
    }
}
