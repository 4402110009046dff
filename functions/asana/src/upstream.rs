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
use crate::snapshot::{Active, Bugs, Fetched, Kept, Status, Tasks};
pub(crate) use client::Client;
use client::Question;
use futures::future::{self, Either};
use gate::Gate;
use jiff::SignedDuration;
use lists::{Answers, Continued, Progress, TURN};
use merge::Known;
use shared::{Collector, Context, Env, Last, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use wire::{Gid, One, PROJECT, ProjectRecord};

/// How long the active projects are waited for before the tasks of those that were active last are asked for.
const PATIENCE: Duration = Duration::from_secs(3);

/// A record that says where it belongs.
#[derive(Debug, serde::Deserialize)]
struct Home {
    workspace: Gid,
}

/// What is asked about a workspace, and of whom.
struct Place<'a> {
    workspace: &'a Workspace,
    client: &'a Client,
    /// Whether each configured project is in it, or why that is not known.
    here: Result<BTreeMap<String, bool>, String>,
}

/// What came of asking for projects and tasks.
struct Asked {
    projects: Option<Projects>,
    active: Option<Active>,
    tasks: Result<Found, String>,
}

/// Where tasks were found.
enum Found {
    /// In the whole workspace, reduced to the projects whose tasks count.
    BySearch(Tasks),
    /// In the lists of these projects.
    InLists(BTreeSet<String>, Answers),
}

/// The active projects of a workspace, and what their status updates say.
type Projects = BTreeMap<String, Option<Status>>;

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
        let place = Place { workspace, client, here: here.map_err(|error| error.with_causes()) };
        let bugs = self.bugs_in(cx, &place);
        let (mut lists_of_bugs, asked) = Box::pin(future::join(
            self.ask_bugs(client, &bugs, cx.now()),
            self.projects_and_tasks(cx, &place, &bugs, &continued),
        ))
        .await;
        let mut fetched = self.unknown(alias);
        fetched.snapshot.bugs = bugs.iter().map(|project| bugs_of(cx, project, &mut lists_of_bugs)).collect();
        fetched.snapshot.projects = asked.projects;
        fetched.kept = Kept { active: asked.active, here: place.here.unwrap_or_default(), ..Kept::default() };
        let known = known(asked.tasks, lists_of_bugs, &continued);
        if continued.asks_all() && known.failed.is_none() {
            cx.asked_all();
        }
        tell(cx, known, &mut fetched);
        Ok(fetched)
    }

    /// The projects of bugs that are in this workspace.
    fn bugs_in(&self, cx: &Context, place: &Place<'_>) -> Vec<&Named> {
        match &place.here {
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

    /// Asks for the active projects and then for their tasks. Where the projects cannot be listed, or not in time, the
    /// tasks of those that were active last are asked for: that costs the rows of projects alone.
    async fn projects_and_tasks(
        &self,
        cx: &Context,
        place: &Place<'_>,
        bugs: &[&Named],
        continued: &Continued<'_>,
    ) -> Asked {
        let before = continued.last().and_then(|last| last.kept.active.clone());
        let patience = if before.is_some() { PATIENCE } else { Duration::MAX };
        let listing = pin!(projects(place.client, &place.workspace.gid));
        let (listed, listing) = match future::select(listing, pin!(tokio::time::sleep(patience))).await {
            Either::Left((listed, _)) => (cx.part(PROJECTS, listed), None),
            Either::Right(((), listing)) => (None, Some(listing)),
        };
        let active_now = |projects: &Projects| Active { at: cx.now(), gids: projects.keys().cloned().collect() };
        let active = listed.as_ref().map(active_now).or_else(|| before.clone());
        let tasks = self.tasks(cx, place, self.chosen(cx, active.as_ref(), place), bugs, continued);
        let Some(listing) = listing else { return Asked { tasks: tasks.await, projects: listed, active } };
        let (late, tasks) = future::join(listing, tasks).await;
        let projects = cx.part(PROJECTS, late);
        Asked { active: projects.as_ref().map(active_now).or(before), projects, tasks }
    }

    /// The projects whose tasks count, or why they are not known. `ASANA_TASK_PROJECTS` stands in the place of all
    /// active projects, so those on the list count when they are archived or completed, too.
    fn chosen(&self, cx: &Context, active: Option<&Active>, place: &Place<'_>) -> Result<BTreeSet<String>, String> {
        if self.config.projects.is_empty() {
            let active = active.ok_or("the projects whose tasks count are not known")?;
            cx.reused(active.at, SignedDuration::ZERO);
            return Ok(active.gids.clone());
        }
        let here = place.here.as_ref().map_err(Clone::clone)?;
        Ok(self.config.projects.iter().filter(|gid| here.get(*gid) == Some(&true)).cloned().collect())
    }

    /// Asks for the tasks of the chosen projects: by search, or else list by list. Where searching was refused, the next
    /// fetch of everything tries it again.
    async fn tasks(
        &self,
        cx: &Context,
        place: &Place<'_>,
        chosen: Result<BTreeSet<String>, String>,
        bugs: &[&Named],
        continued: &Continued<'_>,
    ) -> Result<Found, String> {
        let chosen = chosen?;
        if self.config.search && continued.listed().is_none_or(BTreeMap::is_empty) {
            let found = self.search(place.client, &place.workspace.gid, cx.now()).await;
            if let Some(found) = found.map_err(|error| error.with_causes())? {
                return Ok(Found::BySearch(merge::counted(found, |gid| chosen.contains(gid), cx.now())));
            }
        }
        let answers = self.ask_tasks(place.client, continued.asks(&chosen, bugs), continued).await;
        Ok(Found::InLists(chosen, answers))
    }
}

/// The tasks that are known. Where the quota or the time did not suffice for a single list, that is no failure while all
/// were read within the hour.
fn known(found: Result<Found, String>, lists_of_bugs: Answers, continued: &Continued<'_>) -> Known {
    let (chosen, mut answers) = match found {
        Err(why) => return Known::unchanged(why, continued),
        Ok(Found::BySearch(tasks)) => return Known { tasks, ..Known::default() },
        Ok(Found::InLists(chosen, answers)) => (chosen, answers),
    };
    let standstill = answers.standstill();
    answers.join(lists_of_bugs);
    let known = Known::of(&chosen, &mut answers, continued);
    let is_recent = known.missing == 0 && known.oldest().is_none_or(|at| continued.now().duration_since(at) <= TURN);
    Known { failed: known.failed.or(standstill.filter(|_| !is_recent)), ..known }
}

/// Says of the tasks what is known; what is not all of it is kept until it is.
fn tell(cx: &Context, known: Known, fetched: &mut Fetched) {
    if let Some(at) = known.oldest() {
        cx.reused(at, TURN);
    }
    let Known { tasks, listed, missing, failed } = known;
    if missing > 0 {
        tracing::info!(missing, "more lists of tasks than this run may ask for: the next ones read the others");
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
async fn projects(client: &Client, workspace: &str) -> Result<Projects> {
    let parameters = vec![("workspace", workspace.to_owned()), ("archived", "false".to_owned())];
    let question = Question { path: "/projects", parameters, fields: PROJECT.to_owned() };
    let active = |project: ProjectRecord| (!project.completed).then(|| (project.gid.clone(), project.status()));
    Ok(client.list(&question, active).await?.into_iter().flatten().collect())
}

/// The alias of a project, and its bugs where they are known.
fn bugs_of(cx: &Context, project: &Named, lists: &mut Answers) -> (String, Option<Bugs>) {
    let bugs = match lists.read.get(&project.gid) {
        Some(Progress::Read(_)) => Some(merge::bugs(lists.bugs.remove(&project.gid).unwrap_or_default(), cx.now())),
        Some(Progress::Failed(why) | Progress::Left(Some(why))) => {
            cx.gap(BUGS, why);
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
