//! What the collector is configured with, read and checked once.

mod credentials;

pub(crate) use credentials::{Credentials, app_key};

use crate::snapshot::Rules;
use serde::Serialize;
use serde_json::json;
use shared::{Env, Error, Result, Variable};
use std::collections::BTreeSet;
use std::fmt;

const REPOS: Variable = Variable::new("GITHUB_REPOS", "acme/web,acme/api");
const BUG_LABELS: Variable = Variable::new("GITHUB_BUG_LABELS", "bug,regression");

/// The most labels of bugs, so that the rows stay bounded.
const MOST_BUG_LABELS: usize = 30;

/// The most labels of incidents.
const INCIDENT_LABELS: usize = 4;

/// The whole configuration.
#[derive(Clone)]
pub(crate) struct Config {
    /// `owner/name` of each target.
    pub repos: Vec<String>,
    /// Base address of the REST API.
    pub url: String,
    /// Address of the GraphQL API.
    pub graphql_url: String,
    /// Who we are.
    pub credentials: Credentials,
    /// The branch that counts, where it is not the default one.
    pub branch: Option<String>,
    /// What the formulas need.
    pub rules: Rules,
    /// The same labels as in the rules, spelled as configured.
    pub bug_labels: Vec<String>,
    /// How long a job may run.
    pub limits: Limits,
    /// Labels of hotfixes, lower case.
    pub hotfix: Vec<String>,
    /// Labels of reverts, lower case.
    pub revert: Vec<String>,
    /// Labels of merges around the rules, lower case.
    pub force: Vec<String>,
    /// Labels of incidents.
    pub incident: Vec<String>,
    /// Where events around the rules are looked for.
    pub sources: Sources,
    /// Logins of bots that GitHub does not call bots, lower case.
    pub bots: BTreeSet<String>,
    /// What counts as a deployment.
    pub deploys: Option<Deploys>,
    /// With fewer calls left than this, optional parts are skipped.
    pub reserve: f64,
}

impl fmt::Debug for Config {
    /// No value: names of repositories, labels and bots are nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")
    }
}

/// Sources of events that reached the branch around its rules.
#[derive(Clone, Copy, Default)]
pub(crate) struct Sources {
    /// Force pushes.
    pub activity: bool,
    /// Merged pull requests with a label.
    pub labels: bool,
    /// Bypassed rules.
    pub rule_suites: bool,
}

/// What counts as a deployment.
#[derive(Clone, Serialize)]
pub(crate) enum Deploys {
    /// Deployments to this environment.
    Environment(String),
    /// Successful runs of this workflow file on the branch.
    Workflow(String),
}

/// Time limits of jobs in minutes.
#[derive(Clone)]
pub(crate) struct Limits {
    named: Vec<(String, f64)>,
    other: f64,
}

impl Limits {
    /// The limit of a workflow's jobs in seconds, by its name or its file.
    pub fn seconds(&self, name: &str, file: &str) -> f64 {
        let named = self.named.iter().find(|(key, _)| key.eq_ignore_ascii_case(name) || key.eq_ignore_ascii_case(file));
        named.map_or(self.other, |(_, minutes)| *minutes) * 60.0
    }
}

/// What the formulas are configured with.
fn rules(env: &Env, bug_labels: &[String], deploys: bool) -> Result<Rules> {
    let named = |name: &str| env.get(name).map(|_| env.list(name, ""));
    Ok(Rules {
        bug_labels: bug_labels.iter().map(|label| label.to_lowercase()).collect(),
        blocking: named("GITHUB_BLOCKING_WORKFLOWS"),
        benchmark: named("GITHUB_BENCHMARK_WORKFLOWS"),
        deploys,
        queue: env.switch("GITHUB_QUEUE_TIME", false)?,
        runner_classes: env.list("GITHUB_RUNNER_CLASSES", "ubuntu-latest,self-hosted"),
        runners: env.switch("GITHUB_RUNNERS", false)?,
    })
}

impl Config {
    /// Reads every variable of the collector.
    pub fn read(env: &Env) -> Result<Self> {
        let url = env.url("GITHUB_URL", "https://api.github.com")?;
        let bug_labels = bug_labels(env)?;
        let deploys = deploys(env)?;
        let rules = rules(env, &bug_labels, deploys.is_some())?;
        let labels = |name: &str, default: &str| -> Vec<String> {
            env.list(name, default).iter().map(|label| label.to_lowercase()).collect()
        };
        let incident = env.list("GITHUB_LABELS_INCIDENT", "incident");
        if incident.len() > INCIDENT_LABELS {
            let problem = format!("more than {INCIDENT_LABELS} labels");
            return Err(Error::refused("GITHUB_LABELS_INCIDENT", problem, "incident"));
        }
        Ok(Self {
            repos: repos(env)?,
            graphql_url: env.url("GITHUB_GRAPHQL_URL", &graphql_of(&url))?,
            url,
            credentials: Credentials::read(env)?,
            branch: branch(env)?,
            rules,
            bug_labels,
            limits: limits(env)?,
            hotfix: labels("GITHUB_LABELS_HOTFIX", "hotfix"),
            revert: labels("GITHUB_LABELS_REVERT", "revert"),
            force: labels("GITHUB_LABELS_FORCE", "force-merge,force_merge"),
            incident,
            sources: sources(env)?,
            bots: env.list("GITHUB_BOTS", "").iter().map(|login| bare(login)).collect(),
            deploys,
            reserve: f64::from(env.parsed("GITHUB_RESERVE", 500_u32)?),
        })
    }

    /// The configuration and the addresses that answers are read with. What is worked out of the answers anew in each run
    /// is left out: time limits, sources of forced events and the reserve.
    pub fn fingerprint(&self) -> String {
        let Self {
            repos: _,
            credentials: _,
            limits: _,
            sources: _,
            reserve: _,
            url,
            graphql_url,
            branch,
            rules,
            bug_labels,
            hotfix,
            revert,
            force,
            incident,
            bots,
            deploys,
        } = self;
        let read = json!([branch, rules, bug_labels, hotfix, revert, force, incident, bots, deploys]);
        format!("{url} {graphql_url} {read}")
    }

    /// Whether a login is a bot's; `kind` is what GraphQL calls the type of the account.
    pub fn is_bot(&self, kind: &str, login: &str) -> bool {
        kind == "Bot" || is_suffixed(login) || self.bots.contains(&bare(login))
    }
}

/// Where GraphQL is; an Enterprise Server has it beside the REST API.
fn graphql_of(url: &str) -> String {
    let server = url.strip_suffix("/api/v3").map(|server| format!("{server}/api"));
    format!("{}/graphql", server.as_deref().unwrap_or(url))
}

/// Whether a login ends as those of Apps do.
fn is_suffixed(login: &str) -> bool {
    login.to_lowercase().ends_with("[bot]")
}

/// A login in lower case, without the suffix of bots.
fn bare(login: &str) -> String {
    let login = login.to_lowercase();
    login.strip_suffix("[bot]").map(str::to_owned).unwrap_or(login)
}

fn repos(env: &Env) -> Result<Vec<String>> {
    let repos = env.list(REPOS.name(), "");
    let mut seen = BTreeSet::new();
    for repo in &repos {
        if !is_repository(repo) {
            return Err(REPOS.refused(format!("`{repo}` is not owner/name")));
        }
        if !seen.insert(repo.to_lowercase()) {
            return Err(REPOS.refused(format!("`{repo}` is listed twice")));
        }
    }
    if repos.is_empty() {
        return Err(REPOS.refused("names no repository"));
    }
    Ok(repos)
}

fn is_repository(text: &str) -> bool {
    let word = |word: &str| {
        let charset = word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        !word.is_empty() && charset && word != "." && word != ".."
    };
    text.split_once('/').is_some_and(|(owner, name)| word(owner) && word(name))
}

fn branch(env: &Env) -> Result<Option<String>> {
    let Some(branch) = env.get("GITHUB_BRANCH") else { return Ok(None) };
    let wrong = branch.starts_with("refs/")
        || branch.starts_with('/')
        || branch.ends_with('/')
        || branch.contains(char::is_whitespace);
    if wrong {
        return Err(Error::refused("GITHUB_BRANCH", format!("`{branch}` is not the name of a branch"), "main"));
    }
    Ok(Some(branch.to_owned()))
}

fn bug_labels(env: &Env) -> Result<Vec<String>> {
    let labels = env.list(BUG_LABELS.name(), "bug,Training");
    let mut seen = BTreeSet::from(["any".to_owned()]);
    for label in &labels {
        if !seen.insert(label.to_lowercase()) {
            return Err(BUG_LABELS.refused(format!("`{label}` is listed twice, or is the word for all issues")));
        }
    }
    if labels.len() > MOST_BUG_LABELS {
        return Err(BUG_LABELS.refused(format!("more than {MOST_BUG_LABELS} labels")));
    }
    Ok(labels)
}

fn limits(env: &Env) -> Result<Limits> {
    let mut limits = Limits { named: Vec::new(), other: 360.0 };
    for item in env.list("GITHUB_JOB_LIMITS", "*=360") {
        let pair =
            item.rsplit_once('=').and_then(|(name, minutes)| Some((name.trim(), minutes.trim().parse::<u32>().ok()?)));
        match pair {
            Some(("*", minutes)) if minutes > 0 => limits.other = minutes.into(),
            Some((name, minutes)) if minutes > 0 && !name.is_empty() => {
                limits.named.push((name.to_owned(), minutes.into()));
            }
            _ => {
                let problem = format!("`{item}` is not workflow=minutes");
                return Err(Error::refused("GITHUB_JOB_LIMITS", problem, "*=360,test.yml=30"));
            }
        }
    }
    Ok(limits)
}

fn sources(env: &Env) -> Result<Sources> {
    let mut sources = Sources::default();
    for word in env.list("GITHUB_FORCE_SOURCES", "activity,labels") {
        match word.as_str() {
            "activity" => sources.activity = true,
            "labels" => sources.labels = true,
            "rule_suites" => sources.rule_suites = true,
            other => {
                let problem = format!("`{other}` is none of activity, labels, rule_suites");
                return Err(Error::refused("GITHUB_FORCE_SOURCES", problem, "activity"));
            }
        }
    }
    Ok(sources)
}

fn deploys(env: &Env) -> Result<Option<Deploys>> {
    let Some(text) = env.get("GITHUB_DEPLOYS") else { return Ok(None) };
    match text.split_once(':') {
        Some(("environment", name)) if !name.trim().is_empty() => {
            Ok(Some(Deploys::Environment(name.trim().to_owned())))
        }
        Some(("workflow", file)) if !file.trim().is_empty() && !file.contains('/') => {
            Ok(Some(Deploys::Workflow(file.trim().to_owned())))
        }
        _ => {
            let problem = format!("`{text}` is neither environment:<name> nor workflow:<file>");
            Err(Error::refused("GITHUB_DEPLOYS", problem, "workflow:ship.yml"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Result<Config> {
        let base = [("GITHUB_REPOS", "acme/web"), ("GITHUB_TOKEN", "t")];
        Config::read(&Env::of(base.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn a_wrong_variable_is_named_with_an_example() {
        for (name, value) in [
            ("GITHUB_REPOS", "web"),
            ("GITHUB_REPOS", "acme/web,Acme/Web"),
            ("GITHUB_REPOS", "acme/web/x"),
            ("GITHUB_REPOS", "acme/.."),
            ("GITHUB_REPOS", ","),
            ("GITHUB_URL", "api"),
            ("GITHUB_GRAPHQL_URL", "graphql"),
            ("GITHUB_BRANCH", "refs/heads/main"),
            ("GITHUB_JOB_LIMITS", "360"),
            ("GITHUB_JOB_LIMITS", "test=0"),
            ("GITHUB_FORCE_SOURCES", "activity,gossip"),
            ("GITHUB_BUG_LABELS", "bug,Bug"),
            ("GITHUB_BUG_LABELS", "any"),
            ("GITHUB_LABELS_INCIDENT", "a,b,c,d,e"),
            ("GITHUB_DEPLOYS", "production"),
            ("GITHUB_DEPLOYS", "workflow:.github/workflows/deploy.yml"),
            ("GITHUB_QUEUE_TIME", "maybe"),
            ("GITHUB_RUNNERS", "2"),
            ("GITHUB_RESERVE", "-1"),
        ] {
            let error = read(&[(name, value)]).map(drop).expect_err(value);
            let text = error.to_string();
            assert_eq!(error.exit_code(), 78, "{text}");
            assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
        }
    }

    #[test]
    fn without_credentials_the_variables_are_named_and_a_bad_key_is_not_shown() {
        let none = Config::read(&Env::of([("GITHUB_REPOS", "acme/web")])).map(drop).unwrap_err().to_string();
        assert!(none.contains("GITHUB_TOKEN") && none.contains("GITHUB_APP_ID"), "{none}");
        let app = [
            ("GITHUB_REPOS", "acme/web"),
            ("GITHUB_APP_ID", "1"),
            ("GITHUB_APP_KEY", "s3cr3t"),
            ("GITHUB_APP_INSTALLATION", "2"),
        ];
        let bad = Config::read(&Env::of(app)).map(drop).unwrap_err().to_string();
        assert!(bad.starts_with("GITHUB_APP_KEY") && !bad.contains("s3cr3t"), "{bad}");
    }

    #[test]
    fn the_defaults_are_the_catalogues() {
        let config = read(&[]).unwrap();
        assert_eq!(
            (config.url.as_str(), config.graphql_url.as_str()),
            ("https://api.github.com", "https://api.github.com/graphql")
        );
        assert_eq!(config.rules.bug_labels, ["bug", "training"]);
        assert_eq!(config.bug_labels, ["bug", "Training"]);
        assert_eq!(config.rules.runner_classes, ["ubuntu-latest", "self-hosted"]);
        assert_eq!(config.force, ["force-merge", "force_merge"]);
        assert!(config.sources.activity && config.sources.labels && !config.sources.rule_suites);
        assert!(config.rules.blocking.is_none() && config.deploys.is_none() && config.branch.is_none());
        assert!((config.limits.seconds("Test", "test.yml") - 21_600.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_enterprise_server_has_graphql_beside_its_rest_api() {
        let config = read(&[("GITHUB_URL", "https://github.acme.example/api/v3/")]).unwrap();
        assert_eq!(config.graphql_url, "https://github.acme.example/api/graphql");
    }

    #[test]
    fn a_bot_is_known_by_type_suffix_or_list_in_any_case() {
        let config = read(&[("GITHUB_BOTS", "Ci-Robot[bot], merger")]).unwrap();
        for (kind, login, bot) in [
            ("Bot", "anything", true),
            ("User", "helper[bot]", true),
            ("User", "ci-robot", true),
            ("User", "CI-Robot", true),
            ("User", "merger[bot]", true),
            ("User", "ada", false),
            ("User", "robot", false),
        ] {
            assert_eq!(config.is_bot(kind, login), bot, "{kind} {login}");
        }
    }

    #[test]
    fn a_limit_is_found_by_name_or_file() {
        let config = read(&[("GITHUB_JOB_LIMITS", "Build=30,slow.yml=90,*=60")]).unwrap();
        let minutes = |name, file| (config.limits.seconds(name, file) / 60.0).to_string();
        assert_eq!(
            [minutes("build", "b.yml"), minutes("Slow", "slow.yml"), minutes("Other", "o.yml")],
            ["30", "90", "60"]
        );
    }

    #[test]
    fn whatever_answers_are_read_with_is_part_of_the_fingerprint() {
        let of = |more: &[(&str, &str)]| read(more).unwrap().fingerprint();
        let same = of(&[]);
        let table = [
            ("GITHUB_URL", "https://github.acme.example/api/v3"),
            ("GITHUB_GRAPHQL_URL", "https://github.acme.example/api/graphql"),
            ("GITHUB_BRANCH", "release"),
            ("GITHUB_BLOCKING_WORKFLOWS", "Test"),
            ("GITHUB_BENCHMARK_WORKFLOWS", "Speed"),
            ("GITHUB_LABELS_HOTFIX", "urgent"),
            ("GITHUB_LABELS_REVERT", "undo"),
            ("GITHUB_LABELS_FORCE", "now"),
            ("GITHUB_LABELS_INCIDENT", "outage"),
            ("GITHUB_BUG_LABELS", "defect"),
            ("GITHUB_BOTS", "merger"),
            ("GITHUB_RUNNER_CLASSES", "large"),
            ("GITHUB_DEPLOYS", "environment:production"),
            ("GITHUB_QUEUE_TIME", "on"),
            ("GITHUB_RUNNERS", "on"),
        ];
        for (name, value) in table {
            assert_ne!(of(&[(name, value)]), same, "{name}");
        }
        for (name, value) in
            [("GITHUB_TOKEN", "another"), ("GITHUB_RESERVE", "7"), ("GITHUB_REPOS", "acme/web,acme/api")]
        {
            assert_eq!(of(&[(name, value)]), same, "{name}");
        }
    }

    #[test]
    fn nothing_configured_is_shown_when_it_is_printed_for_debugging() {
        let values = [
            ("GITHUB_REPOS", "acme/web"),
            ("GITHUB_TOKEN", "s3cr3t"),
            ("GITHUB_URL", "https://github.acme.example/api/v3"),
            ("GITHUB_BRANCH", "trunk"),
            ("GITHUB_BOTS", "merger"),
            ("GITHUB_BUG_LABELS", "defect"),
            ("GITHUB_LABELS_HOTFIX", "urgent"),
            ("GITHUB_DEPLOYS", "environment:production"),
        ];
        let config = read(&values).unwrap();
        let text = format!("{config:?} {:?}", config.rules);
        for value in ["acme", "s3cr3t", "trunk", "merger", "defect", "urgent", "production"] {
            assert!(!text.contains(value), "{text}");
        }
    }
}
