//! Which path is answered by what.

use super::fields::Deep;
use super::query::told;
use super::view::{Thing, View};
use super::{Call, Refusal, Reply};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::json;

const WHICH: &str = "Must specify exactly one of project, tag, section, user task list, or assignee + workspace";

impl<'a> Call<'a> {
    pub(super) fn route(&self) -> Result<Reply, Refusal> {
        let steps: Vec<&str> = self.path.split('/').filter(|step| !step.is_empty()).collect();
        match steps.as_slice() {
            ["users", "me"] => Ok(self.me()),
            ["users", gid] => {
                let (view, user) = self.user(gid, "user")?;
                Ok(self.one(|deep| view.user(user, deep)))
            }
            ["workspaces"] => {
                let all: Vec<usize> = (0..self.state.organisation.workspaces.len()).collect();
                self.page(&all, |at, deep| self.view(*at).workspace(deep))
            }
            ["workspaces", gid] => {
                let view = self.workspace(gid, "workspace")?;
                Ok(self.one(|deep| view.workspace(deep)))
            }
            ["workspaces", gid, "tasks", "search"] => self.search(self.workspace(gid, "workspace")?),
            ["workspaces", gid, "projects"] => self.projects(&[self.workspace(gid, "workspace")?]),
            ["projects"] => self.all_projects(),
            ["projects", gid] => {
                let (view, project) = self.project(gid, "project")?;
                Ok(self.one(|deep| view.project(project, deep)))
            }
            ["projects", gid, "sections"] => {
                let (view, project) = self.project(gid, "project")?;
                let all: Vec<usize> = (0..view.workspace.projects[project].sections.len()).collect();
                self.page(&all, |section, deep| view.section(*section, project, deep))
            }
            ["projects", gid, "tasks"] => {
                let (view, project) = self.project(gid, "project")?;
                self.tasks(view, &view.listed(project, None))
            }
            ["sections", gid] => {
                let (view, section, project) = self.section(gid, "section")?;
                Ok(self.one(|deep| view.section(section, project, deep)))
            }
            ["sections", gid, "tasks"] => {
                let (view, section, project) = self.section(gid, "section")?;
                self.tasks(view, &view.listed(project, Some(section)))
            }
            ["tasks"] => self.all_tasks(),
            ["tasks", gid] => {
                let (view, task) = self.task(gid, "task")?;
                Ok(self.one(|deep| view.task(task, deep)))
            }
            ["tasks", gid, "subtasks"] => {
                let (view, whole) = self.task(gid, "task")?;
                let tasks = view.workspace.tasks.iter().enumerate();
                let parts = tasks.filter(|(_, part)| part.parent == Some(whole) && view.shows(part));
                let parts: Vec<usize> = parts.map(|(at, _)| at).collect();
                self.page(&parts, |task, deep| view.task(*task, deep))
            }
            _ => Err(Refusal::no_route()),
        }
    }

    fn one(&self, tell: impl Fn(Deep<'_>) -> serde_json::Value) -> Reply {
        Reply(json!({ "data": told(self.query.fields().as_ref(), tell, false) }))
    }

    /// The first member of the first workspace, who is in all of them.
    fn me(&self) -> Reply {
        let workspaces = 0..self.state.organisation.workspaces.len();
        self.one(|deep| {
            let mut me = self.view(0).user(0, deep);
            if !deep.is_short() {
                me["workspaces"] =
                    workspaces.clone().map(|at| self.view(at).workspace(deep.of("workspaces"))).collect();
            }
            me
        })
    }

    /// What an identifier names; `word` is what a refusal calls it.
    fn find(&self, gid: &str, word: &str) -> Result<(View<'a>, Thing), Refusal> {
        if gid.is_empty() || !gid.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::bad(&format!("{word}: Not a recognized ID: {gid}")));
        }
        let found = self.state.index.things.get(gid).map(|(at, thing)| (self.view(*at), *thing));
        found.ok_or_else(|| unknown(word, gid))
    }

    pub(super) fn workspace(&self, gid: &str, word: &str) -> Result<View<'a>, Refusal> {
        match self.find(gid, word)? {
            (view, Thing::Workspace) => Ok(view),
            _ => Err(unknown(word, gid)),
        }
    }

    fn user(&self, gid: &str, word: &str) -> Result<(View<'a>, usize), Refusal> {
        match self.find(gid, word)? {
            (view, Thing::User(user)) => Ok((view, user)),
            _ => Err(unknown(word, gid)),
        }
    }

    pub(super) fn project(&self, gid: &str, word: &str) -> Result<(View<'a>, usize), Refusal> {
        match self.find(gid, word)? {
            (view, Thing::Project(project)) if view.sees(project) => Ok((view, project)),
            (view, Thing::Project(project)) if view.has(&view.workspace.projects[project]) => Err(Refusal::forbidden()),
            _ => Err(unknown(word, gid)),
        }
    }

    pub(super) fn section(&self, gid: &str, word: &str) -> Result<(View<'a>, usize, usize), Refusal> {
        match self.find(gid, word)? {
            (view, Thing::Section(section, project)) if view.sees(project) => Ok((view, section, project)),
            _ => Err(unknown(word, gid)),
        }
    }

    pub(super) fn tag(&self, gid: &str, word: &str) -> Result<(View<'a>, usize), Refusal> {
        match self.find(gid, word)? {
            (view, Thing::Tag(tag)) => Ok((view, tag)),
            _ => Err(unknown(word, gid)),
        }
    }

    fn task(&self, gid: &str, word: &str) -> Result<(View<'a>, usize), Refusal> {
        match self.find(gid, word)? {
            (view, Thing::Task(task)) if view.shows(&view.workspace.tasks[task]) => Ok((view, task)),
            _ => Err(unknown(word, gid)),
        }
    }

    fn all_projects(&self) -> Result<Reply, Refusal> {
        let views = match self.query.value("workspace") {
            Some(gid) => vec![self.workspace(gid, "workspace")?],
            None => (0..self.state.organisation.workspaces.len()).map(|at| self.view(at)).collect(),
        };
        self.projects(&views)
    }

    fn projects(&self, views: &[View<'a>]) -> Result<Reply, Refusal> {
        let archived = self.query.flag("archived")?;
        let mut found = Vec::new();
        for view in views {
            for (at, project) in view.workspace.projects.iter().enumerate() {
                if view.sees(at) && archived.is_none_or(|wanted| wanted == view.archived(project)) {
                    found.push((*view, at));
                }
            }
        }
        self.page(&found, |(view, project), deep| view.project(*project, deep))
    }

    fn all_tasks(&self) -> Result<Reply, Refusal> {
        let said = |name| self.query.value(name);
        match (said("project"), said("section"), said("tag"), said("workspace"), said("assignee")) {
            (Some(gid), None, None, None, None) => {
                let (view, project) = self.project(gid, "project")?;
                self.tasks(view, &view.listed(project, None))
            }
            (None, Some(gid), None, None, None) => {
                let (view, section, project) = self.section(gid, "section")?;
                self.tasks(view, &view.listed(project, Some(section)))
            }
            (None, None, Some(gid), None, None) => {
                let (view, tag) = self.tag(gid, "tag")?;
                self.tasks(view, &chosen(view, |task| view.tags(&view.workspace.tasks[task]).contains(&tag)))
            }
            (None, None, None, Some(gid), Some(assignee)) => {
                let view = self.workspace(gid, "workspace")?;
                let user = member(view, assignee)?;
                let own = |task: usize| view.assignee(&view.workspace.tasks[task]) == Some(user);
                self.tasks(view, &chosen(view, own))
            }
            (None, None, None, None, _) => Err(Refusal::bad("workspace: Missing input")),
            _ => Err(Refusal::bad(WHICH)),
        }
    }

    fn tasks(&self, view: View<'a>, all: &[usize]) -> Result<Reply, Refusal> {
        let completed_since = self.query.instant("completed_since", self.now)?;
        let modified_since = self.query.instant("modified_since", self.now)?;
        let since = |time: Option<Timestamp>, bound: Timestamp| time.is_none_or(|time| time >= bound);
        let wanted = |task: &&usize| {
            let task = &view.workspace.tasks[**task];
            completed_since.is_none_or(|bound| since(view.completed_at(task), bound))
                && modified_since.is_none_or(|bound| view.touched_at(task) >= bound)
        };
        let found: Vec<usize> = all.iter().filter(wanted).copied().collect();
        self.page(&found, |task, deep| view.task(*task, deep))
    }
}

/// The tasks of a workspace that are there, may be seen and are wanted.
pub(super) fn chosen(view: View<'_>, wanted: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..view.workspace.tasks.len()).filter(|task| view.shows(&view.workspace.tasks[*task]) && wanted(*task)).collect()
}

/// A member by identifier, address, or as whose the token is.
pub(super) fn member(view: View<'_>, said: &str) -> Result<usize, Refusal> {
    if said == "me" {
        return Ok(0);
    }
    let known = |user: &crate::model::asana::User| user.gid == said || user.email == said;
    view.workspace.users.iter().position(known).ok_or_else(|| unknown("assignee", said))
}

fn unknown(word: &str, gid: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, &format!("{word}: Unknown object: {gid}"))
}
