//! Settings of the CLI: the environment, and the same keys in `vitals.toml`.

use jiff::Timestamp;
use shared::{Error, Result};
use std::collections::BTreeMap;
use std::path::Path;

/// Variables by name, as [`shared::Env`] takes them.
pub type Settings = BTreeMap<String, String>;

/// Reads the file and the environment, which wins. A missing file is an error only if `--config` named it.
#[expect(clippy::disallowed_methods, reason = "the CLI reads the process environment once, here")]
pub fn read(file: &Path) -> Result<Settings> {
    let mut settings = match std::fs::read_to_string(file) {
        Ok(text) => parse(file, &text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file == Path::new("vitals.toml") => {
            Settings::new()
        }
        Err(error) => {
            let problem = format!("cannot read {}: {error}", file.display());
            return Err(Error::config("--config", format!("{problem}, e.g. --config vitals.toml")));
        }
    };
    settings.extend(std::env::vars());
    Ok(settings)
}

fn parse(file: &Path, text: &str) -> Result<Settings> {
    let wrong = |problem: String| {
        Error::config(file.display().to_string(), format!("{problem}, e.g. GITHUB_REPOS = [\"acme/web\"]"))
    };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
    table
        .into_iter()
        .map(|(key, value)| {
            Ok((key.clone(), flat(value).ok_or_else(|| wrong(format!("`{key}` cannot be a variable")))?))
        })
        .collect()
}

/// A value in the form of an environment variable: a list is joined by commas, a switch is on or off.
fn flat(value: toml::Value) -> Option<String> {
    Some(match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Float(number) => number.to_string(),
        toml::Value::Boolean(on) => (if on { "on" } else { "off" }).to_owned(),
        toml::Value::Datetime(time) => time.to_string(),
        toml::Value::Array(items) => items.into_iter().map(flat).collect::<Option<Vec<_>>>()?.join(","),
        // Some variables are JSON, such as CHECKS and PRICES.
        toml::Value::Table(table) => serde_json::to_string(&table).ok()?,
    })
}

/// The current time; `VITALS_CLOCK` fixes it, for tests and the sandbox.
#[expect(clippy::disallowed_methods, reason = "the CLI gives a run its time, as EventBridge does")]
pub fn wall(settings: &Settings) -> Result<Timestamp> {
    match settings.get("VITALS_CLOCK") {
        None => Ok(Timestamp::now()),
        Some(text) => instant("VITALS_CLOCK", text),
    }
}

/// Parses a time that a person typed.
pub fn instant(name: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|_| Error::config(name, format!("`{text}` is not a time, e.g. 2026-01-08T12:00:00Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settings_file_has_the_form_of_the_environment() {
        let text = "GITHUB_REPOS = [\"acme/web\", \"acme/api\"]\nGITHUB_RUNNERS = true\nGITHUB_RESERVE = 10\n[CHECKS]\n\"github.reverts.count\" = \"off\"\n";
        let settings = parse(Path::new("vitals.toml"), text).unwrap();
        assert_eq!(settings["GITHUB_REPOS"], "acme/web,acme/api");
        assert_eq!((settings["GITHUB_RUNNERS"].as_str(), settings["GITHUB_RESERVE"].as_str()), ("on", "10"));
        assert_eq!(settings["CHECKS"], r#"{"github.reverts.count":"off"}"#);
        assert_eq!(parse(Path::new("vitals.toml"), "= 1").unwrap_err().exit_code(), 78);
    }
}
