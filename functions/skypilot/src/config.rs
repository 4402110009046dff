//! What the collector is configured with, read and checked once.

use crate::snapshot::Rules;
use shared::http::base_address;
use shared::{Auth, Env, Error, Result, Variable, prices, variable_for};
use std::fmt;

/// The variable of the targets.
pub(crate) const SERVERS: Variable = Variable::new("SKYPILOT_SERVERS", "prod=https://sky.example.com");
const SERVER: Variable = Variable::new("SKYPILOT_URL", "https://sky.example.com");
const LONG_HOURS: Variable = Variable::new("SKYPILOT_LONG_HOURS", "48");

/// The whole configuration.
pub(crate) struct Config {
    /// The servers with their credentials.
    pub servers: Vec<Server>,
    /// How many days back a job may have been submitted to be seen when it ends.
    pub history_days: i32,
    /// What the formulas need.
    pub rules: Rules,
}

impl fmt::Debug for Config {
    /// No value: addresses and users are nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")
    }
}

/// One API server.
#[derive(Clone)]
pub(crate) struct Server {
    pub alias: String,
    pub url: String,
    pub auth: Auth,
}

impl Config {
    /// Reads every variable of the collector.
    pub async fn read(env: &Env) -> Result<Self> {
        let history_days = env.within("SKYPILOT_HISTORY_DAYS", 21, 1..=365)?;
        let long_hours = env.parsed(LONG_HOURS.name(), 48.0_f64)?;
        if !(long_hours.is_finite() && long_hours > 0.0) {
            return Err(LONG_HOURS.refused(format!("{long_hours} is not a number of hours")));
        }
        let servers = servers(env)?;
        Ok(Self { servers, history_days, rules: Rules { long_hours, prices: prices::read(env).await? } })
    }
}

fn servers(env: &Env) -> Result<Vec<Server>> {
    let own = env.get(SERVER.name()).map(|url| address(SERVER, url)).transpose()?;
    without_credentials(SERVERS, env.get(SERVERS.name()).unwrap_or_default())?;
    let mut pairs = env.targets(SERVERS)?;
    if let (true, Some(_)) = (pairs.is_empty(), &own) {
        pairs.push(("default".to_owned(), "default".to_owned()));
    }
    if pairs.is_empty() {
        return Err(SERVERS.refused("not set, and there is no server that is asked by default"));
    }
    // Nobody could say whose address it is.
    if own.is_some() && pairs.len() > 1 {
        let problem = "names a single server, and SKYPILOT_SERVERS names several";
        return Err(Error::refused(SERVER.name(), problem, "https://sky.example.com with SKYPILOT_SERVERS=prod"));
    }
    let server = |(alias, value): (String, String)| {
        let url = own.clone().map_or_else(|| address(SERVERS, &value), Ok)?;
        let auth = credentials(env, &alias)?;
        Ok(Server { alias, url, auth })
    };
    pairs.into_iter().map(server).collect()
}

/// What stands before the sign may be a password, and what is refused otherwise is shown.
fn without_credentials(variable: Variable, text: &str) -> Result<()> {
    if text.contains('@') {
        let problem = "an address holds credentials, which belong into SKYPILOT_USER and SKYPILOT_PASSWORD";
        return Err(variable.refused(problem));
    }
    Ok(())
}

/// A base address, by the rules for every variable that is one.
fn address(variable: Variable, text: &str) -> Result<String> {
    without_credentials(variable, text)?;
    base_address(variable.name(), text, variable.example())
}

/// The credentials of one server come before those of all; a token before a user.
fn credentials(env: &Env, alias: &str) -> Result<Auth> {
    const NAMES: [&str; 3] = ["SKYPILOT_TOKEN", "SKYPILOT_USER", "SKYPILOT_PASSWORD"];
    for [token, user, password] in [NAMES.map(|name| variable_for(name, alias)), NAMES.map(str::to_owned)] {
        if let Some(token) = env.secret(&token) {
            return Ok(Auth::Bearer(token));
        }
        match (env.get(&user), env.secret(&password)) {
            (Some(name), Some(_)) if name.contains(':') => {
                return Err(Error::refused(&user, "holds a colon", "vitals"));
            }
            (Some(name), Some(secret)) => return Ok(Auth::Basic(name.to_owned(), secret)),
            (Some(_), None) => return Err(Error::refused(&password, format!("not set, and {user} is"), "0123…cdef")),
            (None, Some(_)) => return Err(Error::refused(&user, format!("not set, and {password} is"), "vitals")),
            (None, None) => {}
        }
    }
    let problem = format!(
        "not set, nor SKYPILOT_USER and SKYPILOT_PASSWORD, for the server `{alias}`; an admin makes a token under \
         Users, Service Accounts, of the server's dashboard"
    );
    let example = "sky_0123…cdef, in the environment or as a key of the secret that SECRET_ARN names";
    Err(Error::refused("SKYPILOT_TOKEN", problem, example))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(pairs: &[(&str, &str)]) -> Result<Config> {
        Config::read(&Env::of(pairs.iter().copied())).await
    }

    #[tokio::test]
    async fn a_wrong_variable_is_named_with_an_example() {
        let good = [("SKYPILOT_SERVERS", "prod=https://sky.example.com"), ("SKYPILOT_TOKEN", "sky_t")];
        for (name, value) in [
            ("SKYPILOT_SERVERS", ""),
            ("SKYPILOT_SERVERS", "prod"),
            ("SKYPILOT_SERVERS", "prod=sky.example.com"),
            ("SKYPILOT_SERVERS", "prod=https://"),
            ("SKYPILOT_SERVERS", "prod=https://a b"),
            ("SKYPILOT_SERVERS", "prod=https://ann:s3cr3t@sky.example.com"),
            ("SKYPILOT_SERVERS", "https://ann:s3cr3t@sky.example.com"),
            ("SKYPILOT_SERVERS", "prod=http://sky.example.com"),
            ("SKYPILOT_SERVERS", "prod=https://sky.example.com?a=b"),
            ("SKYPILOT_SERVERS", "all=https://sky.example.com"),
            ("SKYPILOT_SERVERS", "eu-1=https://a.example.com,eu_1=https://b.example.com"),
            ("SKYPILOT_SERVERS", "prod=https://a.example.com,prod=https://b.example.com"),
            ("SKYPILOT_SERVERS", "prod=https://a.example.com,Prod=https://b.example.com"),
            ("SKYPILOT_SERVERS", "=https://a.example.com"),
            ("SKYPILOT_URL", "sky.example.com"),
            ("SKYPILOT_URL", "https://ann:s3cr3t@sky.example.com"),
            ("SKYPILOT_TOKEN", ""),
            ("SKYPILOT_HISTORY_DAYS", "many"),
            ("SKYPILOT_HISTORY_DAYS", "0"),
            ("SKYPILOT_LONG_HOURS", "0"),
            ("SKYPILOT_LONG_HOURS", "NaN"),
            ("PRICES", "cheap"),
        ] {
            let mut pairs = good.to_vec();
            pairs.retain(|(other, _)| *other != name);
            pairs.push((name, value));
            let error = read(&pairs).await.expect_err(value);
            let text = error.to_string();
            assert_eq!(error.exit_code(), 78, "{text}");
            assert!(text.starts_with(name) && text.contains("e.g. ") && !text.contains("s3cr3t"), "{text}");
        }
        for (more, name) in [
            (&[("SKYPILOT_USER", "ann")][..], "SKYPILOT_PASSWORD"),
            (&[("SKYPILOT_PASSWORD", "s3cr3t")], "SKYPILOT_USER"),
            (&[("SKYPILOT_USER", "a:b"), ("SKYPILOT_PASSWORD", "s3cr3t")], "SKYPILOT_USER"),
        ] {
            let pairs: Vec<_> = good[..1].iter().chain(more).copied().collect();
            let text = read(&pairs).await.unwrap_err().to_string();
            assert!(text.starts_with(name) && text.contains("e.g. ") && !text.contains("s3cr3t"), "{text}");
        }
        let two =
            [("SKYPILOT_SERVERS", "a=https://a,b=https://b"), ("SKYPILOT_URL", "https://c"), ("SKYPILOT_TOKEN", "t")];
        assert!(read(&two).await.unwrap_err().to_string().starts_with("SKYPILOT_URL"));
    }

    #[tokio::test]
    async fn one_server_may_be_named_by_its_address_alone() {
        let token = ("SKYPILOT_TOKEN", "t");
        for (pairs, alias, url) in [
            (vec![("SKYPILOT_URL", "http://127.0.0.1:1/"), token], "default", "http://127.0.0.1:1"),
            (vec![("SKYPILOT_URL", "https://f"), ("SKYPILOT_SERVERS", "prod"), token], "prod", "https://f"),
            (vec![("SKYPILOT_URL", "https://f"), ("SKYPILOT_SERVERS", "prod=https://x"), token], "prod", "https://f"),
            (vec![("SKYPILOT_SERVERS", "eu=https://x/sky/"), token], "eu", "https://x/sky"),
        ] {
            let config = read(&pairs).await.unwrap();
            assert_eq!((config.servers[0].alias.as_str(), config.servers[0].url.as_str()), (alias, url));
            assert_eq!((config.history_days, config.rules.long_hours), (21, 48.0));
        }
    }

    #[tokio::test]
    async fn a_server_has_its_own_credentials_or_those_for_all() {
        let config = read(&[
            ("SKYPILOT_SERVERS", "a=https://a,eu-1=https://b,c=https://c"),
            ("SKYPILOT_TOKEN", "all"),
            ("SKYPILOT_TOKEN__C", "own"),
            ("SKYPILOT_USER__EU_1", "ann"),
            ("SKYPILOT_PASSWORD__EU_1", "p"),
        ])
        .await
        .unwrap();
        let told: Vec<String> = config
            .servers
            .iter()
            .map(|server| match &server.auth {
                Auth::Bearer(secret) => format!("bearer {}", secret.expose()),
                Auth::Basic(user, secret) => format!("{user} {}", secret.expose()),
                _ => "none".to_owned(),
            })
            .collect();
        assert_eq!(told, ["bearer all", "ann p", "bearer own"]);
    }

    #[tokio::test]
    async fn it_prints_no_value() {
        let config = read(&[("SKYPILOT_SERVERS", "prod=https://sky.example.com"), ("SKYPILOT_TOKEN", "s3cr3t")]).await;
        assert_eq!(format!("{:?}", config.unwrap()), "Config");
    }
}
