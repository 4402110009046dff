//! What the collector is configured with, read and checked once.

use crate::address;
use crate::snapshot::{Rules, RunType};
use shared::prices::{Price, Pricing, gpu_type};
use shared::{Env, Result, Secret, Variable, tags};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The variable of the targets.
pub(crate) const PROJECTS: Variable = Variable::new("WANDB_PROJECTS", "acme/arena,side=acme/side-project");
const PRICING: Variable = Variable::new("WANDB_PRICING", "spot");
const RUN_TYPES: Variable = Variable::new("WANDB_RUN_TYPES", "ptm=github.sky.,sweep=sweep,stable=stable,local=local");
const KEYS: Variable = Variable::new("WANDB_KEYS", "accuracy=eval/accuracy,loss=train/loss,sps=overview/sps");

const DEFAULT_KEYS: &str = "accuracy=accuracy,loss=loss,sps=overview/sps,hearts=env_agent/heart.gained,\
    heart_amount=env_agent/heart.amount,queue_latency_s=skypilot/queue_latency_s";

/// The most keys of summaries, so that the rows stay bounded.
const MOST_KEYS: usize = 30;

/// The whole configuration.
#[derive(Clone)]
pub(crate) struct Config {
    /// The projects.
    pub targets: Vec<Target>,
    /// Base address of the API, and the variable that holds it.
    pub url: String,
    pub url_variable: &'static str,
    /// What the formulas need.
    pub rules: Rules,
    /// Where in a summary the value of each word of the rules is.
    pub paths: Vec<String>,
    /// Where in a run's configuration its number of nodes is.
    pub nodes: Option<String>,
    /// By which part of its name a run is of a type.
    pub types: Vec<(RunType, String)>,
}

impl fmt::Debug for Config {
    /// No value: addresses and projects are nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")
    }
}

/// A project and the key to it.
#[derive(Clone)]
pub(crate) struct Target {
    /// The word that tags it.
    pub alias: String,
    /// The team or person that owns it.
    pub entity: String,
    /// Its name.
    pub project: String,
    /// The key that may see it.
    pub key: Secret,
}

impl Config {
    /// Reads every variable of the collector; the prices are those of GPUs by their short names.
    pub fn read(env: &Env, prices: &BTreeMap<String, Price>) -> Result<Self> {
        let (words, paths) = keys(env)?;
        let stale_minutes = env.within("WANDB_STALE_MINUTES", 30, 1..=1440)?;
        let pricing = match env.get(PRICING.name()).unwrap_or("ondemand") {
            "ondemand" => Pricing::Ondemand,
            "spot" => Pricing::Spot,
            other => return Err(PRICING.refused(format!("`{other}` is neither ondemand nor spot"))),
        };
        let gpu_price = env.get("WANDB_GPU_TYPE").and_then(|name| prices.get(&gpu_type(name))?.of(pricing));
        let local_gpus = env.switch("WANDB_LOCAL_GPUS", false)?;
        let (url, url_variable) = address::read(env)?;
        let targets = targets(env)?;
        address::fits(&url, targets.iter().map(|target| &target.key))?;
        Ok(Self {
            targets,
            url,
            url_variable,
            rules: Rules { stale_minutes, keys: words, gpu_price, local_gpus },
            paths,
            nodes: env.get("WANDB_NODES_KEY").map(str::to_owned),
            types: types(env)?,
        })
    }

    /// What kind of work a run does, by its name and by whether it belongs to a sweep.
    pub fn run_type(&self, display_name: &str, has_sweep: bool) -> RunType {
        let named = |kind: RunType, text: &str| match kind {
            RunType::Ptm => display_name.starts_with(text),
            RunType::Sweep => has_sweep || display_name.contains(text),
            _ => display_name.contains(text),
        };
        RunType::ALL
            .into_iter()
            .find(|kind| match self.types.iter().find(|(known, _)| known == kind) {
                Some((_, text)) => named(*kind, text),
                None => *kind == RunType::Sweep && has_sweep,
            })
            .unwrap_or(RunType::Other)
    }
}

fn targets(env: &Env) -> Result<Vec<Target>> {
    const HINT: &str = "an API key from wandb.ai/authorize of somebody who may see the projects";
    // A project without an alias goes by its own name.
    let pairs = env.targets_or(PROJECTS, |name| name.contains('/'))?;
    if pairs.is_empty() {
        return Err(PROJECTS.refused("names no project"));
    }
    let mut places = BTreeSet::new();
    let mut targets = Vec::new();
    for (alias, place) in pairs {
        let word = |word: &str| !word.is_empty() && !word.contains(char::is_whitespace) && !word.contains('/');
        let Some((entity, project)) = place.split_once('/').filter(|(entity, project)| word(entity) && word(project))
        else {
            return Err(PROJECTS.refused(format!("`{place}` is not entity/project")));
        };
        if !places.insert(place.clone()) {
            return Err(PROJECTS.refused(format!("`{place}` is listed twice")));
        }
        let key = env.required_secret_for("WANDB_API_KEY", &alias, HINT)?;
        targets.push(Target { alias, entity: entity.to_owned(), project: project.to_owned(), key });
    }
    Ok(targets)
}

fn keys(env: &Env) -> Result<(Vec<String>, Vec<String>)> {
    let pairs = env.pairs(KEYS, DEFAULT_KEYS)?;
    if !(2..=MOST_KEYS).contains(&pairs.len()) {
        let problem = format!("holds {} keys and not 2 to {MOST_KEYS}: accuracy, loss, and others", pairs.len());
        return Err(KEYS.refused(problem));
    }
    for (word, path) in &pairs {
        if word.is_empty() || tags::value("key", word) != *word {
            return Err(KEYS.refused(format!("`{word}` is not a word that a tag can have")));
        }
        if path.is_empty() {
            return Err(KEYS.refused(format!("`{word}` names no key of a summary")));
        }
    }
    Ok(pairs.into_iter().unzip())
}

fn types(env: &Env) -> Result<Vec<(RunType, String)>> {
    let mut types = Vec::new();
    for (word, text) in env.pairs(RUN_TYPES, RUN_TYPES.example())? {
        let kind = RunType::ALL.into_iter().find(|kind| kind.word() == word && *kind != RunType::Other);
        let kind = kind.ok_or_else(|| RUN_TYPES.refused(format!("`{word}` is none of ptm, sweep, stable, local")))?;
        if text.is_empty() {
            return Err(RUN_TYPES.refused(format!("`{word}` has no text to look for")));
        }
        types.push((kind, text));
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Result<Config> {
        let base = [("WANDB_PROJECTS", "acme/arena"), ("WANDB_API_KEY", "k")];
        let l4 = Price { ondemand: Some(0.75), spot: Some(0.25) };
        Config::read(&Env::of(base.into_iter().chain(more.iter().copied())), &[("l4".to_owned(), l4)].into())
    }

    #[test]
    fn a_wrong_variable_is_named_with_an_example() {
        for (name, value) in [
            ("WANDB_PROJECTS", ""),
            ("WANDB_PROJECTS", ","),
            ("WANDB_PROJECTS", "arena"),
            ("WANDB_PROJECTS", "acme/arena/x"),
            ("WANDB_PROJECTS", "/arena"),
            ("WANDB_PROJECTS", "acme/my arena"),
            ("WANDB_PROJECTS", "acme/arena,acme/arena"),
            ("WANDB_PROJECTS", "a=acme/arena,b=acme/arena"),
            ("WANDB_PROJECTS", "a=acme/arena,A=acme/other"),
            ("WANDB_PROJECTS", "Main=acme/arena"),
            ("WANDB_PROJECTS", "all=acme/arena"),
            ("WANDB_PROJECTS", "our/main=acme/arena"),
            ("WANDB_PROJECTS", "a-1=acme/arena,a_1=acme/other"),
            ("WANDB_PROJECTS", "acme/arena,acme_arena=acme/other"),
            ("WANDB_API_KEY", " "),
            ("WANDB_URL", "api"),
            ("WANDB_URL", "https://wandb.ai"),
            ("WANDB_BASE_URL", "http://wandb.example.com"),
            ("WANDB_LOCAL_GPUS", "perhaps"),
            ("WANDB_STALE_MINUTES", "soon"),
            ("WANDB_STALE_MINUTES", "0"),
            ("WANDB_STALE_MINUTES", "2000"),
            ("WANDB_KEYS", "accuracy=acc"),
            ("WANDB_KEYS", "accuracy=acc,Loss=loss"),
            ("WANDB_KEYS", "accuracy=acc,loss="),
            ("WANDB_KEYS", "a=x,a=y"),
            ("WANDB_PRICING", "cheap"),
            ("WANDB_RUN_TYPES", "ptm=a,other=b"),
            ("WANDB_RUN_TYPES", "sweep="),
        ] {
            let error = read(&[(name, value)]).map(drop).expect_err(value);
            let text = error.to_string();
            assert_eq!(error.exit_code(), 78, "{text}");
            assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
        }
    }

    #[test]
    fn the_defaults_are_the_catalogues() {
        let config = read(&[]).unwrap();
        assert_eq!((config.url.as_str(), config.rules.stale_minutes), ("https://api.wandb.ai", 30));
        assert_eq!(config.rules.keys, ["accuracy", "loss", "sps", "hearts", "heart_amount", "queue_latency_s"]);
        assert_eq!(config.paths[3..5], ["env_agent/heart.gained", "env_agent/heart.amount"]);
        assert_eq!((config.rules.gpu_price, &config.nodes, config.rules.local_gpus), (None, &None, false));
        assert_eq!(format!("{config:?}"), "Config", "it prints no value");
    }

    #[test]
    fn a_price_wants_a_type_that_is_in_the_table() {
        let price = |more: &[(&str, &str)]| read(more).unwrap().rules.gpu_price;
        assert_eq!(price(&[]), None);
        assert_eq!(price(&[("WANDB_GPU_TYPE", "NVIDIA-L4")]), Some(0.75));
        assert_eq!(price(&[("WANDB_GPU_TYPE", "l4"), ("WANDB_PRICING", "spot")]), Some(0.25));
        assert_eq!(price(&[("WANDB_GPU_TYPE", "h100")]), None);
    }

    #[test]
    fn each_project_has_its_alias_and_its_own_key_if_there_is_one() {
        let projects = ("WANDB_PROJECTS", "main=acme/arena, rival/pit");
        let targets = read(&[projects, ("WANDB_API_KEY__MAIN", "own")]).unwrap().targets;
        let told: Vec<(&str, &str, &str, String)> = targets
            .iter()
            .map(|one| (one.alias.as_str(), one.entity.as_str(), one.project.as_str(), one.key.expose()))
            .collect();
        assert_eq!(told, [("main", "acme", "arena", "own".to_owned()), ("rival/pit", "rival", "pit", "k".to_owned())]);
    }

    #[test]
    fn the_first_type_that_fits_is_the_type_of_a_run() {
        let config = read(&[]).unwrap();
        for (name, has_sweep, kind) in [
            ("github.sky.main.sweep.1", true, RunType::Ptm),
            ("again.github.sky.main", false, RunType::Other),
            ("stable.local", true, RunType::Sweep),
            ("nightly_sweep_stable", false, RunType::Sweep),
            ("stable.local", false, RunType::Stable),
            ("ann.local.3", false, RunType::Local),
            ("Stable", false, RunType::Other),
            ("", false, RunType::Other),
        ] {
            assert_eq!(config.run_type(name, has_sweep), kind, "{name}");
        }
        let own = read(&[("WANDB_RUN_TYPES", "ptm=train-,local=laptop")]).unwrap();
        assert_eq!(own.run_type("train-1", false), RunType::Ptm);
        assert_eq!(own.run_type("my laptop", false), RunType::Local);
        assert_eq!((own.run_type("stable", false), own.run_type("x", true)), (RunType::Other, RunType::Sweep));
    }
}
