//! Targets in the configuration: a list of them with their aliases, and a secret for each.

use super::variable::quoted;
use crate::event::ALL;
use crate::{Env, Result, Secret, Variable};
use std::collections::BTreeSet;

impl Env {
    /// The targets of a list such as `alias=value,value`, each alias a word that can tag, name a variable and stand in a
    /// key of the store.
    ///
    /// # Errors
    /// When an alias is no such word, is listed twice, or shares the name of its secret with another.
    pub fn targets(&self, variable: Variable) -> Result<Vec<(String, String)>> {
        self.targets_or(variable, |_| false)
    }

    /// The same, where a bare value that `is_name` recognises is an alias of its own form.
    ///
    /// # Errors
    /// As for [`Env::targets`].
    pub fn targets_or(&self, variable: Variable, is_name: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>> {
        let pairs = self.pairs(variable, "")?;
        let mut suffixes = BTreeSet::new();
        for (alias, value) in &pairs {
            if !(is_alias(alias) || alias == value && is_name(value)) {
                let problem = format!("{} is not an alias of lower-case letters, digits, `_` and `-`", quoted(alias));
                return Err(variable.refused(problem));
            }
            if alias == ALL {
                return Err(variable.refused("`all` means every target and cannot be the name of one"));
            }
            if !suffixes.insert(suffix(alias)) {
                let problem = format!("`{alias}` and another alias share the variable …__{}", suffix(alias));
                return Err(variable.refused(problem));
            }
        }
        Ok(pairs)
    }

    /// The secret of one target, `<NAME>__<ALIAS>`, or the one for all of them.
    ///
    /// # Errors
    /// When there is neither.
    pub fn required_secret_for(&self, name: &str, alias: &str, hint: &str) -> Result<Secret> {
        let own = self.secret(&variable_for(name, alias));
        own.map_or_else(|| self.required_secret(name, hint), Ok)
    }
}

/// The variable of one target, `<NAME>__<ALIAS>`.
#[must_use]
pub fn variable_for(name: &str, alias: &str) -> String {
    format!("{name}__{}", suffix(alias))
}

fn suffix(alias: &str) -> String {
    alias.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

fn is_alias(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=60).contains(&text.len()) && text.starts_with(plain) && text.chars().all(|c| plain(c) || "_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: Variable = Variable::new("T", "prod=x");

    #[test]
    fn an_alias_is_a_word_that_can_tag_and_name_a_variable() {
        for list in ["a b=1", "Prod=1", "https://x", "-a=1", "all=1", "a-1=1,a_1=2", "a/b=1", &"a".repeat(61)] {
            let error = Env::of([("T", list)]).targets(TARGETS).unwrap_err();
            assert!(error.exit_code() == 78 && error.to_string().starts_with("T: "), "{list}: {error}");
        }
        let targets = Env::of([("T", "eu-1=x, 1200,b_2=y=z")]).targets(TARGETS).unwrap();
        let expected = [("eu-1", "x"), ("1200", "1200"), ("b_2", "y=z")];
        assert_eq!(targets, expected.map(|(alias, value)| (alias.to_owned(), value.to_owned())));
    }

    #[test]
    fn a_bare_name_may_have_a_form_of_its_own_and_an_alias_may_not() {
        let read = |list: &str| Env::of([("T", list)]).targets_or(TARGETS, |value| value.contains('/'));
        assert_eq!(read("Acme/Web").unwrap(), [("Acme/Web".to_owned(), "Acme/Web".to_owned())]);
        for list in ["our/main=acme/web", "Web", "acme/web,acme_web=acme/other"] {
            assert!(read(list).is_err(), "{list}");
        }
    }

    #[test]
    fn a_target_has_its_own_secret_or_the_one_for_all() {
        let env = Env::of([("TOKEN", "all"), ("TOKEN__EU_1", "eu"), ("TOKEN__ACME_WEB_SHOP", "web")]);
        let read = |alias| env.required_secret_for("TOKEN", alias, "a token").unwrap().expose();
        assert_eq!([read("eu-1"), read("us"), read("acme/web.shop")], ["eu", "all", "web"]);
        let error = Env::of([("TOKEN__EU", "eu")]).required_secret_for("TOKEN", "us", "a token").unwrap_err();
        assert!(error.to_string().contains("TOKEN"), "{error}");
    }
}
