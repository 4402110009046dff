//! What the collector is configured with, read and checked once.

use crate::snapshot::{Rules, Section};
use jiff::tz::TimeZone;
use shared::{Env, Result, Secret, Variable};
use std::collections::BTreeSet;
use std::fmt;

/// The most labels of bugs, so that the rows stay bounded.
const LABELS: usize = 30;

/// The calls of a run: a domain that does not pay bears 150 a minute.
const BUDGET: usize = 140;

/// Where Asana answers unless it is said otherwise.
const ASANA: &str = "https://app.asana.com";

/// The variable of the targets.
pub(crate) const WORKSPACES: Variable = Variable::new("ASANA_WORKSPACES", "acme=1200000000000001");
const BUGS_PROJECTS: Variable = Variable::new("ASANA_BUGS_PROJECTS", "bugs=1200000000000002");
const TASK_PROJECTS: Variable = Variable::new("ASANA_TASK_PROJECTS", "1200000000000003,1200000000000004");
const SECTIONS: Variable = Variable::new("ASANA_BUGS_SECTIONS", "triage=triage,active=active,backlog=backlog");
const BUGS_LABELS: Variable = Variable::new("ASANA_BUGS_LABELS", "Training,Regression");
const TIMEZONE: Variable = Variable::new("ASANA_TIMEZONE", "Europe/Berlin");

/// The whole configuration.
#[derive(Clone)]
pub(crate) struct Config {
    /// Base address, without the version of the API.
    pub url: String,
    /// The targets.
    pub workspaces: Vec<Workspace>,
    /// Projects of bugs, in whichever workspace they are.
    pub bugs: Vec<Named>,
    /// Texts that tell the kind of a section by its name, lower case; the first that is in it counts.
    pub sections: Vec<(Section, String)>,
    /// What the formulas need.
    pub rules: Rules,
    /// The projects whose tasks count, where it is not all active ones.
    pub projects: BTreeSet<String>,
    /// How many calls a run may begin before it leaves lists of tasks for the next one.
    pub budget: usize,
    /// Whether tasks are searched rather than listed.
    pub search: bool,
}

impl fmt::Debug for Config {
    /// No value: identifiers, labels and the names of sections are nobody else's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Config")
    }
}

/// Something on Asana and the word we know it by.
#[derive(Clone)]
pub(crate) struct Named {
    /// Our word.
    pub alias: String,
    /// Asana's identifier.
    pub gid: String,
}

/// A target and who reads it.
#[derive(Clone)]
pub(crate) struct Workspace {
    /// Our word.
    pub alias: String,
    /// Asana's identifier.
    pub gid: String,
    /// Who we are there.
    pub token: Secret,
}

impl Config {
    /// Reads every variable of the collector.
    pub fn read(env: &Env) -> Result<Self> {
        const HINT: &str = "make a personal access token at app.asana.com/0/my-apps";
        let url = env.url("ASANA_URL", ASANA)?;
        let workspaces = named(env, WORKSPACES)?;
        if workspaces.is_empty() {
            return Err(WORKSPACES.refused("names no workspace"));
        }
        let token = |Named { alias, gid }: Named| {
            let token = env.required_secret_for("ASANA_TOKEN", &alias, HINT)?;
            Ok(Workspace { alias, gid, token })
        };
        Ok(Self {
            url: url.strip_suffix("/api/1.0").map(str::to_owned).unwrap_or(url),
            workspaces: workspaces.into_iter().map(token).collect::<Result<_>>()?,
            bugs: named(env, BUGS_PROJECTS)?,
            sections: sections(env)?,
            rules: Rules { timezone: timezone(env)?, labels: labels(env)? },
            projects: projects(env)?,
            budget: env.within("ASANA_BUDGET", BUDGET, 1..=100_000)?,
            search: env.switch("ASANA_SEARCH", false)?,
        })
    }

    /// Everything that the answers about a workspace are read with.
    pub fn fingerprint(&self, alias: &str) -> String {
        let gid = self.workspaces.iter().find(|workspace| workspace.alias == alias).map(|workspace| &workspace.gid);
        let bugs: Vec<_> = self.bugs.iter().map(|project| (&project.alias, &project.gid)).collect();
        let Self { url, sections, rules, projects, search, .. } = self;
        // In the only workspace every configured project is; where there are several it is asked.
        let is_only = self.workspaces.len() == 1;
        format!("{url} {gid:?} {is_only} {bugs:?} {sections:?} {:?} {projects:?} {search}", rules.labels)
    }

    /// The kind of a section by its name.
    pub fn section(&self, name: &str) -> Section {
        let name = name.to_lowercase();
        self.sections.iter().find(|(_, text)| name.contains(text)).map_or(Section::Other, |(section, _)| *section)
    }
}

fn check_gid(variable: Variable, text: &str) -> Result<()> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        return Ok(());
    }
    Err(variable.refused(format!("`{text}` is not an identifier of Asana, which has digits only")))
}

fn named(env: &Env, variable: Variable) -> Result<Vec<Named>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (alias, gid) in env.targets(variable)? {
        check_gid(variable, &gid)?;
        if !seen.insert(gid.clone()) {
            return Err(variable.refused(format!("the identifier of `{alias}` is listed twice")));
        }
        all.push(Named { alias, gid });
    }
    Ok(all)
}

fn sections(env: &Env) -> Result<Vec<(Section, String)>> {
    let read = |item: &String| {
        let pair = item.split_once('=').and_then(|(word, text)| {
            let named = Section::ALL.into_iter().filter(|section| *section != Section::Other);
            let section = named.into_iter().find(|section| section.word() == word.trim())?;
            Some((section, text.trim().to_lowercase()))
        });
        let pair = pair.filter(|(_, text)| !text.is_empty());
        pair.ok_or_else(|| {
            SECTIONS.refused(format!("`{item}` is not kind=text with the kind triage, active or backlog"))
        })
    };
    env.list(SECTIONS.name(), SECTIONS.example()).iter().map(read).collect()
}

fn labels(env: &Env) -> Result<Vec<String>> {
    let labels: Vec<String> =
        env.list(BUGS_LABELS.name(), "Training").iter().map(|label| label.to_lowercase()).collect();
    if labels.len() > LABELS {
        return Err(BUGS_LABELS.refused(format!("more than {LABELS} labels")));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = labels.iter().find(|label| !seen.insert(shared::tags::value("label", label))) {
        return Err(BUGS_LABELS.refused(format!("`{twice}` is listed twice, as tags tell labels apart")));
    }
    Ok(labels)
}

fn projects(env: &Env) -> Result<BTreeSet<String>> {
    let gids: BTreeSet<String> = env.pairs(TASK_PROJECTS, "")?.into_iter().map(|(_, gid)| gid).collect();
    gids.iter().try_for_each(|gid| check_gid(TASK_PROJECTS, gid))?;
    Ok(gids)
}

fn timezone(env: &Env) -> Result<String> {
    let name = env.get(TIMEZONE.name()).unwrap_or("UTC");
    match TimeZone::get(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(TIMEZONE.refused(format!("`{name}` is not a time zone of the IANA database"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Result<Config> {
        let base = [("ASANA_WORKSPACES", "acme=12"), ("ASANA_TOKEN", "t")];
        Config::read(&Env::of(base.into_iter().chain(more.iter().copied())))
    }

    #[test]
    fn a_wrong_variable_is_named_with_an_example_and_ends_with_78() {
        for (name, value) in [
            ("ASANA_URL", "app"),
            ("ASANA_WORKSPACES", ""),
            ("ASANA_WORKSPACES", ","),
            ("ASANA_WORKSPACES", "acme"),
            ("ASANA_WORKSPACES", "acme=12,acme=13"),
            ("ASANA_WORKSPACES", "acme=12,other=12"),
            ("ASANA_WORKSPACES", "acme=12,Acme=13"),
            ("ASANA_WORKSPACES", "=12"),
            ("ASANA_WORKSPACES", "all=12"),
            ("ASANA_WORKSPACES", "acme-1=12,acme_1=13"),
            ("ASANA_TOKEN", " "),
            ("ASANA_BUGS_PROJECTS", "bugs"),
            ("ASANA_BUGS_PROJECTS", "a=1,b=1"),
            ("ASANA_BUGS_PROJECTS", "Bugs=1"),
            ("ASANA_BUGS_SECTIONS", "triage"),
            ("ASANA_BUGS_SECTIONS", "other=misc"),
            ("ASANA_BUGS_SECTIONS", "triage="),
            ("ASANA_BUGS_LABELS", "Training,training"),
            ("ASANA_BUGS_LABELS", "a b,a_b"),
            ("ASANA_TASK_PROJECTS", "web"),
            ("ASANA_TIMEZONE", "Europe/Atlantis"),
            ("ASANA_TIMEZONE", "+01:00"),
            ("ASANA_BUDGET", "many"),
            ("ASANA_BUDGET", "-1"),
            ("ASANA_BUDGET", "0"),
            ("ASANA_SEARCH", "maybe"),
        ] {
            let error = read(&[(name, value)]).map(drop).expect_err(value);
            let text = error.to_string();
            assert_eq!(error.exit_code(), 78, "{text}");
            assert!(text.starts_with(name) && text.contains("e.g. "), "{text}");
        }
        let many: Vec<String> = (0..31).map(|label| label.to_string()).collect();
        assert!(read(&[("ASANA_BUGS_LABELS", &many.join(","))]).is_err());
    }

    #[test]
    fn the_defaults_are_the_catalogues() {
        let config = read(&[]).unwrap();
        assert_eq!((config.url.as_str(), config.budget, config.search), (ASANA, 140, false));
        assert_eq!(format!("{config:?}"), "Config", "it prints no value");
        assert_eq!((config.rules.timezone.as_str(), config.rules.labels), ("UTC", vec!["training".to_owned()]));
        assert_eq!((config.bugs.len(), config.projects.len()), (0, 0));
    }

    #[test]
    fn an_address_may_name_the_version_of_the_api() {
        let config = read(&[("ASANA_URL", "https://app.asana.com/api/1.0/")]).unwrap();
        assert_eq!(config.url, ASANA);
    }

    #[test]
    fn the_first_text_that_is_in_the_name_of_a_section_tells_its_kind() {
        let default = read(&[]).unwrap();
        for (name, kind) in [
            ("Triage & review", Section::Triage),
            ("ACTIVE now", Section::Active),
            ("backlog 2026", Section::Backlog),
            ("Backlog (triage later)", Section::Triage),
            ("Untitled section", Section::Other),
        ] {
            assert_eq!(default.section(name), kind, "{name}");
        }
        let own = read(&[("ASANA_BUGS_SECTIONS", "backlog=Later, triage=New,triage=Inbox")]).unwrap();
        assert_eq!(own.section("new, but LATER"), Section::Backlog);
        assert_eq!((own.section("INBOX"), own.section("Triage")), (Section::Triage, Section::Other));
    }

    #[test]
    fn what_is_read_is_in_the_fingerprint_and_what_it_means_is_not() {
        let print = |more: &[(&str, &str)]| read(more).unwrap().fingerprint("acme");
        let first = print(&[]);
        for same in [("ASANA_TOKEN", "u"), ("ASANA_TIMEZONE", "Asia/Tokyo"), ("ASANA_BUDGET", "7")] {
            assert_eq!(print(&[same]), first, "{same:?}");
        }
        for other in [
            ("ASANA_URL", "https://asana.example.com"),
            ("ASANA_WORKSPACES", "acme=13"),
            ("ASANA_WORKSPACES", "acme=12,attic=13"),
            ("ASANA_BUGS_PROJECTS", "bugs=1"),
            ("ASANA_BUGS_SECTIONS", "triage=new"),
            ("ASANA_BUGS_LABELS", "regression"),
            ("ASANA_TASK_PROJECTS", "1"),
            ("ASANA_SEARCH", "on"),
        ] {
            assert_ne!(print(&[other]), first, "{other:?}");
        }
    }

    #[test]
    fn a_workspace_may_have_a_token_of_its_own() {
        let more = [("ASANA_WORKSPACES", "acme=12,other-one=13"), ("ASANA_TOKEN__OTHER_ONE", "u")];
        let config = read(&more).unwrap();
        let tokens: Vec<String> = config.workspaces.iter().map(|workspace| workspace.token.expose()).collect();
        assert_eq!(tokens, ["t", "u"]);
    }
}
