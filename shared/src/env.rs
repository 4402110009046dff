//! Configuration, read once: the process environment, and the JSON object of the secret that `SECRET_ARN` names.

use crate::{Digester, Error, Meter, Result, secret::Secret, secret::Vault, tls::Wire};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// Typed access to named texts; every complaint names the variable and shows a good value.
#[derive(Clone)]
pub struct Env {
    vars: BTreeMap<String, String>,
    vault: Option<Vault>,
    meter: Meter,
    wire: Arc<OnceLock<Wire>>,
    digester: Digester,
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
    pub async fn from_process() -> Result<Self> {
        Self::load(std::env::vars()).await
    }

    /// The process environment alone, without the secret that it names.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the process environment")]
    pub fn of_process() -> Self {
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
        Self { vars, vault: None, meter: Meter::default(), wire: Arc::default(), digester: Digester::default() }
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
        self.get(name).ok_or_else(|| Error::config(name, format!("not set, e.g. {name}={example}")))
    }

    /// A variable in a type of its own, or its default.
    ///
    /// # Errors
    /// When it is set to something else.
    pub fn parsed<T: FromStr>(&self, name: &str, default: T, example: &str) -> Result<T> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => {
                text.parse().map_err(|_| Error::config(name, format!("`{text}` cannot be read, e.g. {name}={example}")))
            }
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
            Some(text) => Err(Error::config(name, format!("`{text}` is neither `on` nor `off`, e.g. {name}=on"))),
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
                return Err(Error::config(name, format!("{} stands twice, e.g. {name}=one=…,two=…", shown(&alias))));
            }
            pairs.push((alias, value));
        }
        Ok(pairs)
    }

    /// What tells people and names apart without saying them. Its key is read from the store before the first fetch.
    #[must_use]
    pub fn digester(&self) -> Digester {
        self.digester.clone()
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
                format!("not set; {hint}, e.g. {name}=0123…cdef, in the environment or as a key of the secret that SECRET_ARN names"),
            )
        })
    }

    /// The targets of a list such as `alias=value,value`, each alias a word that can tag, name a variable and stand in a
    /// key of the store.
    ///
    /// # Errors
    /// When an alias is no such word, stands twice, or shares the name of its secret with another.
    pub fn targets(&self, name: &str) -> Result<Vec<(String, String)>> {
        let pairs = self.pairs(name, "")?;
        let mut variables = BTreeSet::new();
        for (alias, _) in &pairs {
            if !is_alias(alias) {
                let problem = format!("{} is not an alias of small letters, digits, `_` and `-`", shown(alias));
                return Err(Error::config(name, format!("{problem}, e.g. {name}=prod=…")));
            }
            if alias == "all" {
                return Err(Error::config(
                    name,
                    format!("`all` means every target and names none, e.g. {name}=prod=…"),
                ));
            }
            if !variables.insert(variable_of(alias)) {
                let problem = format!("`{alias}` and another alias share the variable …__{}", variable_of(alias));
                return Err(Error::config(name, format!("{problem}, e.g. {name}=one=…,two=…")));
            }
        }
        Ok(pairs)
    }

    /// The secret of one target, `<NAME>__<ALIAS>`, or the one for all of them.
    #[must_use]
    pub fn secret_for(&self, name: &str, alias: &str) -> Option<Secret> {
        self.secret(&format!("{name}__{}", variable_of(alias))).or_else(|| self.secret(name))
    }

    /// A base address without its last slash: over TLS, or on this machine.
    ///
    /// # Errors
    /// When it is no address, or one that secrets would travel to in the open.
    pub fn url(&self, name: &str, default: &str) -> Result<String> {
        Self::address(name, self.get(name).unwrap_or(default), default)
    }

    /// The same for an address that stands in a list of this name.
    ///
    /// # Errors
    /// As for [`Env::url`].
    pub fn address(name: &str, text: &str, example: &str) -> Result<String> {
        let wrong =
            |problem: &str| Err(Error::config(name, format!("{} {problem}, e.g. {name}={example}", shown(text))));
        let Ok(address) = text.parse::<http::Uri>() else {
            return wrong("is not an address");
        };
        let (Some(scheme), Some(host)) = (address.scheme_str(), address.host()) else {
            return wrong("is not an address");
        };
        if address.authority().is_some_and(|authority| authority.as_str().contains('@')) || address.query().is_some() {
            return wrong("holds more than scheme, host and path");
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => return wrong("is not https, and not on this machine"),
            _ => return wrong("is neither https nor http"),
        }
        Ok(text.trim_end_matches('/').to_owned())
    }
}

/// A refused text as a message may show it: what holds an `@` may hold a password.
fn shown(text: &str) -> String {
    if text.contains('@') { "the value".to_owned() } else { format!("`{text}`") }
}

/// What of an alias stands in the name of a variable.
fn variable_of(alias: &str) -> String {
    alias.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn is_alias(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=60).contains(&text.len()) && text.starts_with(plain) && text.chars().all(|c| plain(c) || "_-".contains(c))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse().is_ok_and(|address: IpAddr| address.is_loopback())
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
            assert!(text.contains("e.g. ") && text.contains('='), "{text}");
        }
    }

    #[test]
    fn an_alias_is_a_word_that_can_tag_and_name_a_variable() {
        for list in ["a b=1", "Prod=1", "https://x", "-a=1", "all=1", "a-1=1,a_1=2", "a/b=1", &"a".repeat(61)] {
            let error = Env::of([("T", list)]).targets("T").unwrap_err();
            assert!(error.exit_code() == 78 && error.to_string().starts_with("T: "), "{list}: {error}");
        }
        let targets = Env::of([("T", "eu-1=x, 1200,b_2=y=z")]).targets("T").unwrap();
        let expected = [("eu-1", "x"), ("1200", "1200"), ("b_2", "y=z")];
        assert_eq!(targets, expected.map(|(alias, value)| (alias.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_base_address_is_over_tls_or_on_this_machine() {
        let url = |text: &str| Env::of([("U", text)]).url("U", "https://example.com");
        for good in
            ["https://a.b/c/", "http://127.0.0.1:80", "http://localhost:1/x", "http://[::1]:9", "http://127.8.9.1"]
        {
            assert_eq!(url(good).unwrap(), good.trim_end_matches('/'));
        }
        for bad in [
            "http://a.b",
            "ftp://a.b",
            "a.b",
            "https://",
            "https://u:p@a.b",
            "https://a.b?q=1",
            "http://10.0.0.1",
            "https://a b",
        ] {
            let error = url(bad).unwrap_err();
            assert!(error.exit_code() == 78 && !error.to_string().contains("u:p"), "{bad}: {error}");
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
        let pairs = env.pairs("P", "").unwrap();
        assert_eq!(pairs, [("prod".into(), "https://x".into()), ("acme/web".into(), "acme/web".into())]);
    }

    #[test]
    fn a_target_has_its_own_secret_or_the_one_for_all() {
        let env = Env::of([("TOKEN", "all"), ("TOKEN__EU_1", "eu"), ("TOKEN__ACME_WEB_SHOP", "web")]);
        let read = |alias| env.secret_for("TOKEN", alias).unwrap().expose();
        assert_eq!([read("eu-1"), read("us"), read("acme/web.shop")], ["eu", "all", "web"]);
    }
}
