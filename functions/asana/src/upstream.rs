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

use crate::Asana;
use crate::config::{Config, Named, WORKSPACES, Workspace};
use crate::parts::{BUGS, PROJECTS, TASKS};
use crate::snapshot::{Bugs, Fetched, Kept, Status, Tasks};
pub(crate) use client::Client;
use client::Question;
use futures::future;
use gate::Gate;
use lists::{Answers, Ask, Continued};
use merge::Known;
use shared::{Collector, Context, Env, Last, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use wire::{Gid, One, PROJECT, ProjectRecord};

/// A record that says where it belongs.
#[derive(Debug, serde::Deserialize)]
struct Home {
    workspace: Gid,
}

/// The clients of the workspaces, which share what they may ask at one time.
pub(crate) fn clients(env: &Env, config: &Config) -> Result<Vec<Client>> {
    let gate = Arc::new(Gate::new(env.meter().clone()));
    let client = |workspace: &Workspace| Client::new(env, &config.url, workspace.token.clone(), Arc::clone(&gate));
    config.workspaces.iter().map(client).collect()
}

impl Asana {
    fn place(&self, alias: &str) -> Result<(&Workspace, &Client)> {
        let mut places = self.config.workspaces.iter().zip(&self.clients);
        let place = places.find(|(workspace, _)| workspace.alias == alias);
        place.ok_or_else(|| WORKSPACES.refused(format!("does not name `{alias}`")))
    }

    /// Asks for what changed since the last fetch, or for everything where that cannot be continued.
    pub(crate) async fn fetch_workspace(&self, cx: &Context, alias: &str, last: Last<Fetched>) -> Result<Fetched> {
        let (workspace, client) = self.place(alias)?;
        let base = last.base();
        let continued = Continued::new(base.as_ref(), cx.now());
        let here = self.here(workspace, client, base.as_ref()).await;
        let here = here.map_err(|error| error.with_causes());
        let bugs = self.bugs_in(cx, here.as_ref());
        // Where searching was refused, the next fetch of everything tries it again.
        let searches = self.config.search && continued.listed().is_none_or(BTreeSet::is_empty);
        let (projects, found, mut answers) = Box::pin(future::join3(
            projects(client, &workspace.gid),
            async { if searches { Box::pin(self.search(client, &workspace.gid, cx.now())).await } else { Ok(None) } },
            self.ask_many(client, early(&bugs, &continued), &continued),
        ))
        .await;
        let projects = cx.part(PROJECTS, projects);
        let chosen = self.chosen(projects.as_ref(), here.as_ref());
        let known = self.tasks(client, chosen, found, &mut answers, &continued).await;
        if continued.asks_all() && known.failed.is_none() {
            cx.asked_all();
        }
        let mut fetched = self.unknown(alias);
        fetched.snapshot.projects = projects;
        fetched.snapshot.bugs =
            bugs.into_iter().map(|project| bugs_of(cx, project, &mut answers, &continued)).collect();
        fetched.kept = Kept { at: cx.now(), here: here.unwrap_or_default(), ..Kept::default() };
        tell(cx, known, &mut fetched);
        Ok(fetched)
    }

    /// The projects of bugs that are in this workspace.
    fn bugs_in(&self, cx: &Context, here: Result<&BTreeMap<String, bool>, &String>) -> Vec<&Named> {
        match here {
            Ok(here) => self.config.bugs.iter().filter(|project| here.get(&project.gid) == Some(&true)).collect(),
            Err(why) => {
                cx.gap(BUGS, why);
                Vec::new()
            }
        }
    }

    /// Whether each configured project is in this workspace. With one workspace there is no other that it could be in.
    /// With several, each project is asked once a day; if one cannot be read, nobody can say whose it is, so its
    /// failure is that of every workspace.
    async fn here(
        &self,
        workspace: &Workspace,
        client: &Client,
        base: Option<&Fetched>,
    ) -> Result<BTreeMap<String, bool>> {
        let named = self.config.bugs.iter().map(|project| &project.gid);
        let all: BTreeSet<&String> = named.chain(&self.config.projects).collect();
        if self.config.workspaces.len() == 1 {
            return Ok(all.into_iter().map(|gid| (gid.clone(), true)).collect());
        }
        let known = base.map(|last| &last.kept.here);
        let asked = all.into_iter().map(|gid| async move {
            if let Some(here) = known.and_then(|known| known.get(gid)) {
                return Ok((gid.clone(), *here));
            }
            let home: One<Home> = client.get(&format!("/projects/{gid}?opt_fields=workspace.gid")).await?;
            Ok((gid.clone(), home.data.workspace.gid == workspace.gid))
        });
        Ok(future::try_join_all(asked).await?.into_iter().collect())
    }

    /// The projects whose tasks count, or why they are not known. `ASANA_TASK_PROJECTS` stands in the place of all
    /// active projects, so those on the list count when they are archived or completed, too.
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

    /// The tasks of the chosen projects: what a search found, or else what the lists told and those of them tell that were
    /// not asked for yet, as many as a run may begin to know.
    async fn tasks(
        &self,
        client: &Client,
        chosen: Result<BTreeSet<String>, String>,
        found: Result<Option<Tasks>>,
        answers: &mut Answers,
        continued: &Continued<'_>,
    ) -> Known {
        let (chosen, found) = match (chosen, found) {
            (Err(why), _) => return Known::without_projects(why, answers, continued),
            (Ok(_), Err(error)) => return Known::without_projects(error.with_causes(), answers, continued),
            (Ok(chosen), Ok(found)) => (chosen, found),
        };
        if let Some(found) = found {
            return Known { tasks: merge::counted(found, &chosen, continued.now()), ..Known::default() };
        }
        let late = chosen.iter().filter(|gid| !answers.read.contains_key(*gid)).take(self.config.budget);
        let late = late.map(|gid| continued.tasks(gid)).collect();
        answers.join(self.ask_many(client, late, continued).await);
        Known::of(&chosen, answers, continued)
    }
}

/// The lists that can be asked for before it is known which projects are active.
fn early(bugs: &[&Named], continued: &Continued<'_>) -> Vec<Ask> {
    let mut asks: Vec<Ask> = bugs.iter().map(|project| continued.bugs(project)).collect();
    let listed = continued.listed().into_iter().flatten();
    let others = listed.filter(|gid| bugs.iter().all(|project| project.gid != **gid));
    asks.extend(others.map(|gid| continued.tasks(gid)));
    asks
}

/// Says of the tasks what is known; what is not all of it is kept until it is.
fn tell(cx: &Context, known: Known, fetched: &mut Fetched) {
    let Known { tasks, listed, missing, failed } = known;
    if missing > 0 {
        tracing::info!(missing, "more lists of tasks than ASANA_BUDGET: the others are read in the next runs");
    }
    cx.pending(TASKS, missing);
    let is_all = failed.is_none() && missing == 0;
    if let Some(why) = failed {
        cx.gap(TASKS, why);
    }
    fetched.kept.listed = listed;
    *(if is_all { &mut fetched.snapshot.tasks } else { &mut fetched.kept.filling }) = Some(tasks);
}

/// The active projects of a workspace, and what their status updates say.
async fn projects(client: &Client, workspace: &str) -> Result<BTreeMap<String, Option<Status>>> {
    let parameters = vec![("workspace", workspace.to_owned()), ("archived", "false".to_owned())];
    let question = Question { path: "/projects", parameters, fields: PROJECT.to_owned() };
    let active = |project: ProjectRecord| (!project.completed).then(|| (project.gid.clone(), project.status()));
    Ok(client.list(&question, None, active).await?.into_iter().flatten().collect())
}

/// The alias of a project, and its bugs where they are known.
fn bugs_of(cx: &Context, project: &Named, answers: &mut Answers, continued: &Continued<'_>) -> (String, Option<Bugs>) {
    let bugs = match answers.read.get(&project.gid) {
        Some(Ok(Some(whole))) => {
            let list = answers.bugs.remove(&project.gid).unwrap_or_default();
            Some(merge::bugs(continued.bugs_known(&project.alias), list, *whole, cx.now()))
        }
        Some(Err(error)) => {
            cx.gap(BUGS, error.with_causes());
            None
        }
        _ => {
            cx.gap(BUGS, format!("the list of {} was not asked for", project.alias));
            None
        }
    };
    (project.alias.clone(), bugs)
}

#[cfg(test)]
mod tests;
