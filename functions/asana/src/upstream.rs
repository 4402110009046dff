//! How we ask Asana: one fetch of one workspace, as a whole or continued from the last.

mod client;
#[cfg(test)]
mod fake;
mod gate;
mod lists;
mod merge;
mod probe;
mod search;
mod wire;

use crate::config::{Config, Named, Workspace};
use crate::snapshot::{Bugs, Fetched, Kept, Snapshot, Status, Tasks};
use client::{Client, Question};
use futures::future;
use gate::Gate;
use jiff::{SignedDuration, Timestamp};
use lists::{Answers, Ask, Continued};
use shared::tags::{self, Digester};
use shared::{Context, Env, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use wire::{Gid, One, PROJECT, ProjectRecord};

/// A snapshot older than this is not continued.
const STALE: SignedDuration = SignedDuration::from_hours(2);

/// How long fetches are continued before everything is asked again.
const HEAL: SignedDuration = SignedDuration::from_hours(24);

/// Asks Asana about the configured workspaces.
#[derive(Debug)]
pub(crate) struct Upstream {
    config: Config,
    clients: Vec<Client>,
    digester: Digester,
    /// Stands for all of the configuration that answers were read with.
    reading: String,
    /// Whether it was told that searching is refused.
    told: AtomicBool,
}

/// A record that says where it belongs.
#[derive(Debug, serde::Deserialize)]
struct Home {
    workspace: Gid,
}

impl Upstream {
    /// Reads the configuration and makes the clients.
    pub fn new(env: &Env) -> Result<Self> {
        let config = Config::read(env)?;
        let gate = Arc::new(Gate::new(env.meter().clone()));
        let client = |workspace: &Workspace| Client::new(env, &config.url, workspace.token.clone(), Arc::clone(&gate));
        let clients = config.workspaces.iter().map(client).collect::<Result<_>>()?;
        let digester = env.digester();
        let places: Vec<(&str, &str)> =
            config.workspaces.iter().map(|workspace| (workspace.alias.as_str(), workspace.gid.as_str())).collect();
        let read_with = (places, &config.bugs, &config.sections, &config.rules, &config.projects);
        let more = (config.budget, config.search, digester.of(""));
        let reading = tags::digest(&format!("{read_with:?} {more:?}"));
        Ok(Self { config, clients, digester, reading, told: AtomicBool::new(false) })
    }

    /// The configuration.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Nothing known of a workspace.
    pub fn unknown(&self, alias: &str) -> Fetched {
        // Where there are several workspaces, nobody has said yet in which of them a project of bugs is.
        let bugs: &[Named] = if self.config.workspaces.len() == 1 { &self.config.bugs } else { &[] };
        let snapshot = Snapshot {
            workspace: alias.to_owned(),
            rules: self.config.rules.clone(),
            projects: None,
            tasks: None,
            bugs: bugs.iter().map(|project| (project.alias.clone(), None)).collect(),
        };
        Fetched { snapshot, kept: Kept::default() }
    }

    fn place(&self, alias: &str) -> Result<(&Workspace, &Client)> {
        let mut places = self.config.workspaces.iter().zip(&self.clients);
        places
            .find(|(workspace, _)| workspace.alias == alias)
            .ok_or_else(|| Error::config("ASANA_WORKSPACES", format!("`{alias}` is not among them")))
    }

    /// What a fetch may be continued from.
    fn basis(&self, cx: &Context, last: Option<Fetched>) -> Option<Fetched> {
        let now = cx.now();
        let healthy = cx.last_full().is_some_and(|full| full <= now && now.duration_since(full) < HEAL);
        let fresh = |last: &Fetched| last.kept.at <= now && now.duration_since(last.kept.at) <= STALE;
        last.filter(|last| healthy && last.kept.reading == self.reading && fresh(last))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub async fn fetch(&self, cx: &Context, alias: &str, last: Option<Fetched>) -> Result<Fetched> {
        let (workspace, client) = self.place(alias)?;
        let basis = self.basis(cx, last);
        let continued = Continued::new(basis.as_ref(), cx.now());
        let here = self.here(workspace, client, basis.as_ref()).await;
        let here = here.map_err(|error| error.with_causes());
        let bugs: Vec<&Named> = match &here {
            Ok(here) => self.config.bugs.iter().filter(|project| here.get(&project.gid) == Some(&true)).collect(),
            Err(why) => {
                cx.gap("bugs", why);
                Vec::new()
            }
        };
        let listed = basis.as_ref().map(|last| &last.kept.listed);
        // Where searching was refused, the next fetch of everything tries it again.
        let searches = self.config.search && listed.is_none_or(BTreeSet::is_empty);
        let early = early(&bugs, listed, &continued);
        let (projects, found, mut answers) = Box::pin(future::join3(
            projects(client, &workspace.gid),
            async { if searches { Box::pin(self.search(client, &workspace.gid, cx.now())).await } else { Ok(None) } },
            self.ask_many(client, early, &continued),
        ))
        .await;
        let projects = cx.part("projects", projects);
        let chosen = self.chosen(projects.as_ref(), here.as_ref());
        let tasks = match (chosen, found) {
            (Err(why), _) => Err(why),
            (Ok(_), Err(error)) => Err(error.with_causes()),
            (Ok(chosen), Ok(Some(found))) => Ok((merge::counted(found, &chosen, cx.now()), BTreeSet::new())),
            (Ok(chosen), Ok(None)) => {
                let tasks = self.listed(client, &chosen, &mut answers, &continued, cx.now()).await;
                tasks.map(|tasks| (tasks, chosen))
            }
        };
        let (tasks, listed) = tasks.inspect_err(|why| cx.gap("tasks", why)).ok().unzip();
        let mut fetched = self.unknown(alias);
        fetched.snapshot.projects = projects;
        fetched.snapshot.tasks = tasks;
        fetched.snapshot.bugs = bugs.iter().map(|project| (project.alias.clone(), None)).collect();
        for project in bugs {
            let known =
                bugs_of(project, &mut answers, &continued, cx.now()).inspect_err(|why| cx.gap("bugs", why)).ok();
            fetched.snapshot.bugs.insert(project.alias.clone(), known);
        }
        let here = here.unwrap_or_default();
        let reading = self.reading.clone();
        fetched.kept = Kept { at: cx.now(), reading, listed: listed.unwrap_or_default(), here };
        if basis.is_none() {
            cx.fetched_whole();
        }
        Ok(fetched)
    }

    /// Whether each configured project is in this workspace. With one workspace there is no other that it could be in.
    async fn here(
        &self,
        workspace: &Workspace,
        client: &Client,
        basis: Option<&Fetched>,
    ) -> Result<BTreeMap<String, bool>> {
        let named = self.config.bugs.iter().map(|project| &project.gid);
        let all: BTreeSet<&String> = named.chain(&self.config.projects).collect();
        if self.config.workspaces.len() == 1 {
            return Ok(all.into_iter().map(|gid| (gid.clone(), true)).collect());
        }
        let known = basis.map(|last| &last.kept.here);
        let asked = all.into_iter().map(|gid| async move {
            if let Some(here) = known.and_then(|known| known.get(gid)) {
                return Ok((gid.clone(), *here));
            }
            let home: One<Home> = client.get(&format!("/projects/{gid}?opt_fields=workspace.gid")).await?;
            Ok((gid.clone(), home.data.workspace.gid == workspace.gid))
        });
        Ok(future::try_join_all(asked).await?.into_iter().collect())
    }

    /// The projects whose tasks count, or why they are not known.
    fn chosen(
        &self,
        active: Option<&BTreeMap<String, Option<Status>>>,
        here: Result<&BTreeMap<String, bool>, &String>,
    ) -> Result<BTreeSet<String>, String> {
        if self.config.projects.is_empty() {
            let active = active.ok_or("the projects whose tasks count are not known")?;
            return Ok(active.keys().cloned().collect());
        }
        let here = here.map_err(Clone::clone)?;
        Ok(self.config.projects.iter().filter(|gid| here.get(*gid) == Some(&true)).cloned().collect())
    }

    /// The tasks of these projects, list by list.
    async fn listed(
        &self,
        client: &Client,
        chosen: &BTreeSet<String>,
        answers: &mut Answers,
        continued: &Continued<'_>,
        now: Timestamp,
    ) -> Result<Tasks, String> {
        let (number, budget) = (chosen.len(), self.config.budget);
        if number > budget {
            return Err(format!(
                "{number} projects are more than ASANA_BUDGET={budget} calls: raise it (a paid plan bears 1500), name fewer \
                 projects in ASANA_TASK_PROJECTS, or set ASANA_SEARCH=on"
            ));
        }
        let late =
            chosen.iter().filter(|gid| !answers.read.contains_key(*gid)).map(|gid| continued.tasks(gid)).collect();
        answers.join(self.ask_many(client, late, continued).await);
        merge::tasks(continued.tasks_known(), chosen, answers, now)
    }
}

/// The lists that can be asked for before it is known which projects are active.
fn early(bugs: &[&Named], listed: Option<&BTreeSet<String>>, continued: &Continued<'_>) -> Vec<Ask> {
    let mut asks: Vec<Ask> = bugs.iter().map(|project| continued.bugs(project)).collect();
    let others = listed.into_iter().flatten().filter(|gid| bugs.iter().all(|project| project.gid != **gid));
    asks.extend(others.map(|gid| continued.tasks(gid)));
    asks
}

/// The active projects of a workspace, and what their status updates say.
async fn projects(client: &Client, workspace: &str) -> Result<BTreeMap<String, Option<Status>>> {
    let parameters = vec![("workspace", workspace.to_owned()), ("archived", "false".to_owned())];
    let question = Question { path: "/projects", parameters, fields: PROJECT.to_owned() };
    let active = |project: ProjectRecord| (!project.completed).then(|| (project.gid.clone(), project.status()));
    Ok(client.list(&question, None, active).await?.into_iter().flatten().collect())
}

/// The bugs of a project, or why they are not known.
fn bugs_of(project: &Named, answers: &mut Answers, continued: &Continued<'_>, now: Timestamp) -> Result<Bugs, String> {
    match answers.read.get(&project.gid) {
        Some(Ok(Some(whole))) => {
            let list = answers.bugs.remove(&project.gid).unwrap_or_default();
            Ok(merge::bugs(continued.bugs_known(&project.alias), list, *whole, now))
        }
        Some(Err(error)) => Err(error.with_causes()),
        _ => Err(format!("the list of {} was not asked for", project.alias)),
    }
}

#[cfg(test)]
mod tests;
