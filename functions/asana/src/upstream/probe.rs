//! Whether we may see each thing that is read of a workspace.

use super::client::Client;
use super::wire::{BUG, BugRecord, Gid, One, Page, TASK, TaskRecord};
use super::{Home, projects};
use crate::Asana;
use crate::config::{Named, WORKSPACES, Workspace};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use shared::{Error, Probe, Result};

/// What concerns us of the token's user: who it is may be a person, and is nobody else's business.
#[derive(Deserialize)]
struct Me {
    workspaces: Vec<Gid>,
}

impl Asana {
    /// Asks for one of each thing that is read of a workspace.
    pub(crate) async fn probe_workspace(&self, alias: &str) -> Vec<Probe> {
        let (workspace, client) = match self.place(alias) {
            Ok(place) => place,
            Err(error) => return vec![Probe::new(alias, Err(error), "name a target of ASANA_WORKSPACES")],
        };
        let gid = &workspace.gid;
        let fix = format!(
            "set {} to a personal access token (app.asana.com/0/my-apps) of somebody in the workspace {gid}; the gid of \
             ASANA_WORKSPACES is the number in the address of the workspace's admin console; an OAuth token needs the scope \
             users:read",
            workspace.token.name()
        );
        let mut probes = vec![Probe::new("token", token(client, workspace).await, fix)];
        // Who is refused here is refused everywhere, and would be told four times how to fix what is well.
        if probes.iter().any(|probe| matches!(probe.found, Err(Error::Auth { .. }))) {
            return probes;
        }
        let active = projects(client, gid).await;
        let first = active.as_ref().ok().and_then(|active| active.keys().next().cloned());
        let found = active.map(|active| self.wanted(active.len()));
        let fix =
            "give the token's user access to the workspace's projects, and an OAuth token the scope projects:read";
        probes.push(Probe::new(format!("{alias}: projects"), found, fix));
        probes.extend(self.lists(client, workspace, alias, first).await);
        if self.config.search {
            let path = format!("/workspaces/{gid}/tasks/search?limit=1&opt_fields=gid");
            let found = client.get::<Page<IgnoredAny>>(&path).await.map(|_| "allowed".to_owned());
            let fix = "set ASANA_SEARCH=off: searching is for domains that pay";
            probes.push(Probe::new(format!("{alias}: search"), found, fix));
        }
        probes
    }

    /// The lists of tasks: of the configured projects, or else of the first active one, and of the projects of bugs.
    async fn lists(&self, client: &Client, workspace: &Workspace, alias: &str, first: Option<String>) -> Vec<Probe> {
        let own = &self.config.projects;
        let listed = if own.is_empty() { first.into_iter().collect() } else { own.clone() };
        let mut probes = Vec::new();
        for project in listed {
            let fix = format!(
                "give the token's user access to project {project}, and an OAuth token the scope tasks:read, or check \
                 ASANA_TASK_PROJECTS"
            );
            let found = tasks::<TaskRecord>(client, &project, TASK).await;
            probes.push(Probe::new(format!("{alias}: tasks of project {project}"), found, fix));
        }
        for Named { alias: name, gid, .. } in &self.config.bugs {
            let found = self.bugs(client, workspace, gid).await;
            let fix = format!(
                "check {name}={gid} in ASANA_BUGS_PROJECTS (the number after /project/ or /0/ in the project's address), \
                 and give the token's user access to it, and an OAuth token the scopes projects:read and tasks:read"
            );
            probes.push(Probe::new(format!("{alias}: bugs of {name}"), found, fix));
        }
        probes
    }

    fn wanted(&self, active: usize) -> String {
        let number = if self.config.projects.is_empty() { active } else { self.config.projects.len() };
        format!("{active} active, {number} of them to be read, in at most {} calls a run", self.config.budget)
    }

    async fn bugs(&self, client: &Client, workspace: &Workspace, gid: &str) -> Result<String> {
        let home: One<Home> = client.get(&format!("/projects/{gid}?opt_fields=workspace.gid")).await?;
        if home.data.workspace.gid == workspace.gid {
            return tasks::<BugRecord>(client, gid, &format!("{TASK},{BUG}")).await;
        }
        let other = self.config.workspaces.iter().find(|other| other.gid == home.data.workspace.gid);
        match other {
            Some(other) => Ok(format!("in the workspace {}", other.alias)),
            None => Err(Error::config("ASANA_BUGS_PROJECTS", format!("{gid} is in none of the configured workspaces"))),
        }
    }
}

async fn token(client: &Client, workspace: &Workspace) -> Result<String> {
    let me: One<Me> = client.get("/users/me?opt_fields=workspaces.gid").await?;
    let Me { workspaces } = me.data;
    if workspaces.iter().all(|own| own.gid != workspace.gid) {
        let own: Vec<&str> = workspaces.iter().map(|own| own.gid.as_str()).collect();
        let problem = format!("the token's user is in no workspace {}, but in {}", workspace.gid, own.join(", "));
        let example = format!("{}={}", workspace.alias, own.first().unwrap_or(&"1200000000000001"));
        return Err(Error::refused(WORKSPACES.name(), problem, &example));
    }
    Ok(format!("accepted, in the workspace {}", workspace.gid))
}

/// Asks for one task with everything that is asked for of it.
async fn tasks<T: DeserializeOwned>(client: &Client, project: &str, fields: &str) -> Result<String> {
    let path = format!("/tasks?project={project}&limit=1&opt_fields={fields}");
    client.get::<Page<T>>(&path).await.map(|_| "readable".to_owned())
}
