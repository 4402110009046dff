//! What W&B's GraphQL objects stand for, and what their fields come to.

use super::history::{history, history_keys, sampled};
use super::limits::Limits;
use super::page::{Page, filter, page};
use super::view::{Seen, View, stamp, summary_text};
use crate::Organisation;
use crate::model::Person;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue as V};
use apollo_compiler::response::JsonValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::rc::Rc;

/// What a field comes to.
type Out<'a> = Result<V<'a>, FieldError>;

/// What one document is executed in.
pub struct World<'w> {
    /// The model.
    pub organisation: &'w Organisation,
    /// Its instant.
    pub now: Timestamp,
    /// Who asks; nobody without a key.
    pub viewer: Option<&'w str>,
    /// What may be asked.
    pub limits: Limits,
}

impl World<'_> {
    fn project(&self, entity: &str, name: &str) -> Option<View<'_>> {
        let mut projects = self.organisation.projects.iter();
        let found = projects.find(|project| project.entity == entity && project.name == name)?;
        let seen = found.public || (self.viewer.is_some() && found.visible);
        let there = seen && found.created_at <= self.now;
        there.then_some(View { project: found, people: &self.organisation.people, now: self.now, limits: &self.limits })
    }
}

/// An object of some type.
#[derive(Clone)]
pub enum Entity<'w> {
    /// The root.
    Query(&'w World<'w>),
    /// Who asks.
    Viewer(&'w str),
    /// Somebody who started a run.
    Person(&'w Person),
    /// A team.
    Team(&'w str),
    /// A list of teams, and an item of it.
    Teams(Vec<&'w str>),
    /// A project.
    Project(View<'w>),
    /// A run.
    Run(Seen<'w>),
    /// A page of runs.
    Runs(Rc<Page<'w>>),
    /// A run on a page, with the place it has there.
    Edge(Seen<'w>, String),
    /// Where a page lies.
    PageInfo(Rc<Page<'w>>),
    /// A sweep by its id, with its runs so far.
    Sweep(View<'w>, &'w str),
    /// A list of projects.
    Projects(Vec<View<'w>>),
    /// What the server says about itself.
    Server,
}

impl ObjectValue for Entity<'_> {
    fn type_name(&self) -> &str {
        match self {
            Self::Query(_) => "Query",
            Self::Viewer(_) | Self::Person(_) => "User",
            Self::Team(_) => "Entity",
            Self::Teams(_) => "EntityConnection",
            Self::Project(_) => "Project",
            Self::Run(_) => "Run",
            Self::Runs(_) => "RunConnection",
            Self::Edge(..) => "RunEdge",
            Self::PageInfo(_) => "PageInfo",
            Self::Sweep(..) => "Sweep",
            Self::Projects(_) => "ProjectConnection",
            Self::Server => "ServerInfo",
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        let field = info.field_name();
        match self {
            Self::Query(world) => root(world, info),
            Self::Viewer(login) => match field {
                "id" => leaf(STANDARD.encode(format!("User:{login}"))),
                "name" | "username" | "entity" => leaf(*login),
                "email" => leaf(format!("{login}@example.org")),
                "flags" => leaf("{}"),
                "teams" => Ok(V::object(Self::Teams(vec!["acme"]))),
                _ => silence(info),
            },
            Self::Person(person) => match field {
                "id" => leaf(STANDARD.encode(format!("User:{}", person.login))),
                "name" => leaf(person.name.as_str()),
                "username" => leaf(person.login.as_str()),
                _ => silence(info),
            },
            Self::Team(name) => match field {
                "id" => leaf(STANDARD.encode(format!("Entity:{name}"))),
                "name" => leaf(*name),
                "isTeam" => leaf(true),
                _ => silence(info),
            },
            Self::Teams(names) => match field {
                "edges" => Ok(V::list(names.iter().map(|name| V::object(TeamEdge(name))).collect::<Vec<_>>())),
                _ => silence(info),
            },
            Self::Project(view) => project(*view, info),
            Self::Run(run) => self::run(*run, info),
            Self::Runs(page) => match field {
                "edges" => {
                    let edges = page.runs.iter().map(|(run, cursor)| V::object(Self::Edge(*run, cursor.clone())));
                    Ok(V::list(edges.collect::<Vec<_>>()))
                }
                "pageInfo" => Ok(V::object(Self::PageInfo(Rc::clone(page)))),
                "totalCount" => number(page.total),
                _ => silence(info),
            },
            Self::Edge(run, cursor) => match field {
                "node" => Ok(V::object(Self::Run(*run))),
                "cursor" => leaf(cursor.as_str()),
                _ => silence(info),
            },
            Self::PageInfo(page) => match field {
                "endCursor" => leaf(page.runs.last().map(|(_, cursor)| cursor.as_str())),
                "startCursor" => leaf(page.runs.first().map(|(_, cursor)| cursor.as_str())),
                "hasNextPage" => leaf(page.more),
                "hasPreviousPage" => leaf(page.later),
                _ => silence(info),
            },
            Self::Sweep(view, id) => sweep(*view, id, info),
            Self::Projects(views) => match field {
                "edges" => {
                    let edges = views.iter().map(|view| V::object(ProjectEdge(*view)));
                    Ok(V::list(edges.collect::<Vec<_>>()))
                }
                "pageInfo" => {
                    let page = Page { runs: Vec::new(), total: views.len(), more: false, later: false };
                    Ok(V::object(Self::PageInfo(Rc::new(page))))
                }
                _ => silence(info),
            },
            Self::Server => match field {
                "cliVersionInfo" => leaf(plain(json!({ "max_cli_version": "0.99.0", "min_cli_version": "0.10.0" }))),
                _ => silence(info),
            },
        }
    }
}

/// A team in a list.
struct TeamEdge<'w>(&'w str);

impl ObjectValue for TeamEdge<'_> {
    fn type_name(&self) -> &'static str {
        "EntityEdge"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        match info.field_name() {
            "node" => Ok(V::object(Entity::Team(self.0))),
            _ => leaf(STANDARD.encode(self.0)),
        }
    }
}

/// A project in a list.
struct ProjectEdge<'w>(View<'w>);

impl ObjectValue for ProjectEdge<'_> {
    fn type_name(&self) -> &'static str {
        "ProjectEdge"
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        match info.field_name() {
            "node" => Ok(V::object(Entity::Project(self.0))),
            _ => leaf(STANDARD.encode(&self.0.project.name)),
        }
    }
}

fn sweep<'a>(view: View<'a>, id: &'a str, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let runs = || view.runs().filter(|run| run.run.sweep.as_deref() == Some(id));
    match info.field_name() {
        "id" => leaf(STANDARD.encode(format!("Sweep:v1:{id}:{}:{}", view.project.name, view.project.entity))),
        "name" => leaf(id),
        "method" => leaf("random"),
        "state" => leaf("RUNNING"),
        "config" => leaf("method: random\nparameters: {}\n"),
        "createdAt" => leaf(runs().map(|run| run.run.created_at).min().map(stamp)),
        "runCount" => number(runs().count()),
        _ => silence(info),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "resolvers answer so")]
fn leaf<'a>(value: impl Into<JsonValue>) -> Out<'a> {
    Ok(V::leaf(value))
}

fn number<'a>(number: usize) -> Out<'a> {
    leaf(i64::try_from(number).unwrap_or(i64::MAX))
}

fn plain(value: Value) -> JsonValue {
    serde_json::from_value(value).unwrap_or(JsonValue::Null)
}

/// What the model tells nothing of.
fn silence<'a>(info: &'a ResolveInfo<'a>) -> Out<'a> {
    let ty = &info.field_definition().ty;
    if !ty.is_non_null() {
        return Ok(V::null());
    }
    if ty.is_list() {
        return Ok(V::list([]));
    }
    match ty.inner_named_type().as_str() {
        "Boolean" => leaf(false),
        "Int" => leaf(0),
        _ => leaf(""),
    }
}

/// A text argument.
pub fn text<'a>(info: &'a ResolveInfo<'a>, name: &str) -> Option<&'a str> {
    info.arguments().get(name)?.as_str()
}

/// An error of a field.
pub fn wrong(message: impl Into<String>) -> FieldError {
    FieldError { message: message.into() }
}

fn root<'a>(world: &'a World<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "viewer" => Ok(V::nullable_object(world.viewer.map(Entity::Viewer))),
        "project" | "model" => {
            let (entity, name) = (text(info, "entityName").unwrap_or("acme"), text(info, "name").unwrap_or_default());
            Ok(V::nullable_object(world.project(entity, name).map(Entity::Project)))
        }
        "models" => {
            let entity = text(info, "entityName").unwrap_or("acme");
            let names = world.organisation.projects.iter().filter(|project| project.entity == entity);
            let views = names.filter_map(|project| world.project(entity, &project.name));
            Ok(V::object(Entity::Projects(views.collect())))
        }
        "entity" => Ok(V::nullable_object(text(info, "name").filter(|name| *name == "acme").map(Entity::Team))),
        "serverInfo" => Ok(V::object(Entity::Server)),
        _ => silence(info),
    }
}

fn project<'a>(view: View<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let project = view.project;
    match info.field_name() {
        "id" => leaf(STANDARD.encode(format!("Project:v1:{}:{}", project.name, project.entity))),
        "internalId" => leaf(STANDARD.encode(format!("ProjectInternalId:{}", project.name.len()))),
        "name" => leaf(project.name.as_str()),
        "entityName" => leaf(project.entity.as_str()),
        "entity" => Ok(V::object(Entity::Team(&project.entity))),
        "createdAt" => leaf(stamp(project.created_at)),
        "access" => leaf(if project.public { "USER_READ" } else { "PRIVATE" }),
        "runCount" => {
            let filter = filter(view.limits, info)?;
            number(view.runs().filter(|run| filter.takes(*run)).count())
        }
        "sweep" => {
            let id = text(info, "sweepName").unwrap_or_default();
            let found = view.runs().find_map(|run| run.run.sweep.as_deref().filter(|sweep| *sweep == id));
            Ok(V::nullable_object(found.map(|id| Entity::Sweep(view, id))))
        }
        "totalRuns" => number(view.runs().count()),
        "runs" => page(view, info).map(|page| V::object(Entity::Runs(Rc::new(page)))),
        "run" | "bucket" => {
            let name = text(info, "name").unwrap_or_default();
            Ok(V::nullable_object(view.runs().find(|run| run.run.name == name).map(Entity::Run)))
        }
        _ => silence(info),
    }
}

fn run<'a>(seen: Seen<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let run = seen.run;
    let project = seen.view.project;
    match info.field_name() {
        "id" => leaf(STANDARD.encode(format!("Run:v1:{}:{}:{}", run.name, project.name, project.entity))),
        "projectId" => leaf(project.name.len().to_string()),
        "name" => leaf(run.name.as_str()),
        "displayName" => leaf(run.display_name.as_deref()),
        "state" => leaf(seen.state()),
        "config" => leaf(Value::Object(seen.config()).to_string()),
        "summaryMetrics" => leaf(summary_text(run)),
        "systemMetrics" => leaf(seen.system().map(|system| Value::Object(system).to_string())),
        "historyLineCount" => number(history(run, &[]).len()),
        "historyKeys" => leaf(plain(history_keys(run))),
        "history" => Ok(V::list(
            history(run, &[]).into_iter().map(|row| V::leaf(Value::Object(row).to_string())).collect::<Vec<_>>(),
        )),
        "sampledHistory" => {
            let specs = info.arguments().get("specs").and_then(JsonValue::as_array).map_or(&[][..], Vec::as_slice);
            let told = specs.iter().map(|spec| sampled(run, spec.as_str().unwrap_or_default()).map(V::leaf));
            Ok(V::list(told.collect::<Result<Vec<_>, _>>()?))
        }
        "events" => Ok(V::list(
            seen.system().map(|system| V::leaf(Value::Object(system).to_string())).into_iter().collect::<Vec<_>>(),
        )),
        "sweepName" => leaf(run.sweep.as_deref()),
        "createdAt" => leaf(stamp(run.created_at)),
        "heartbeatAt" | "updatedAt" => leaf(seen.heartbeat().map(stamp)),
        "tags" => Ok(V::list([])),
        "user" => Ok(V::nullable_object(seen.view.people.get(run.user).map(Entity::Person))),
        "project" => Ok(V::object(Entity::Project(seen.view))),
        _ => silence(info),
    }
}
