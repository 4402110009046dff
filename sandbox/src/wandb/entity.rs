//! What W&B's GraphQL objects stand for, and what their fields come to.

use super::filter::{self, Filter};
use super::view::{Seen, View, compare, stamp, summary_text};
use crate::Organisation;
use crate::model::Person;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue as V};
use apollo_compiler::response::JsonValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::rc::Rc;

/// The most runs of a page.
const LARGEST: usize = 1000;

/// The runs of a page whose size nobody asked for.
const USUAL: usize = 50;

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
}

impl<'w> World<'w> {
    fn project(&self, entity: &str, name: &str) -> Option<View<'w>> {
        let mut projects = self.organisation.projects.iter();
        let found = projects.find(|project| project.entity == entity && project.name == name)?;
        let seen = found.public || (self.viewer.is_some() && found.visible);
        let there = seen && found.created_at <= self.now;
        there.then_some(View { project: found, people: &self.organisation.people, now: self.now })
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
    /// What the server says about itself.
    Server,
}

/// A page of runs.
pub struct Page<'w> {
    runs: Vec<(Seen<'w>, String)>,
    total: usize,
    more: bool,
    later: bool,
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

fn text<'a>(info: &'a ResolveInfo<'a>, name: &str) -> Option<&'a str> {
    info.arguments().get(name)?.as_str()
}

fn wrong(message: impl Into<String>) -> FieldError {
    FieldError { message: message.into() }
}

fn root<'a>(world: &'a World<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "viewer" => Ok(V::nullable_object(world.viewer.map(Entity::Viewer))),
        "project" | "model" => {
            let (entity, name) = (text(info, "entityName").unwrap_or("acme"), text(info, "name").unwrap_or_default());
            Ok(V::nullable_object(world.project(entity, name).map(Entity::Project)))
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
            let filter = filter(info)?;
            number(view.runs().filter(|run| filter.takes(*run)).count())
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

fn filter(info: &ResolveInfo<'_>) -> Result<Filter, FieldError> {
    filter::read(text(info, "filters").unwrap_or("{}")).map_err(wrong)
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
        "historyLineCount" => leaf(0),
        "sweepName" => leaf(run.sweep.as_deref()),
        "createdAt" => leaf(stamp(run.created_at)),
        "heartbeatAt" => leaf(seen.heartbeat().map(stamp)),
        "updatedAt" => leaf(seen.heartbeat().map(stamp)),
        "tags" => Ok(V::list([])),
        "user" => Ok(V::nullable_object(seen.view.people.get(run.user).map(Entity::Person))),
        "project" => Ok(V::object(Entity::Project(seen.view))),
        _ => silence(info),
    }
}

/// What runs are sorted by: a value, and the id where values are equal.
type Key = (Option<Value>, String);

fn page<'a>(view: View<'a>, info: &ResolveInfo<'_>) -> Result<Page<'a>, FieldError> {
    let filter = filter(info)?;
    let order = text(info, "order").filter(|order| !order.is_empty()).unwrap_or("-created_at");
    let (descending, column) = match order.strip_prefix('-') {
        Some(column) => (true, column),
        None => (false, order.strip_prefix('+').unwrap_or(order)),
    };
    filter::read(&json!({ column: null }).to_string()).map_err(|_| wrong(format!("invalid order: {order}")))?;
    let size = match info.arguments().get("first").and_then(JsonValue::as_i64) {
        None => USUAL,
        Some(first) => usize::try_from(first).map_err(|_| wrong("first must not be negative"))?.min(LARGEST),
    };
    let after = text(info, "after").filter(|after| !after.is_empty()).map(place).transpose()?;
    let before = |left: &Key, right: &Key| {
        let order = compare(left.0.as_ref(), right.0.as_ref());
        (if descending { order.reverse() } else { order }).then_with(|| left.1.cmp(&right.1))
    };
    let names = info.arguments().get("names").and_then(JsonValue::as_array);
    let named =
        |run: &Seen<'_>| names.is_none_or(|names| names.iter().any(|name| name.as_str() == Some(&run.run.name)));
    let mut all: Vec<(Key, Seen<'a>)> = view
        .runs()
        .filter(|run| named(run) && filter.takes(*run))
        .map(|run| ((run.column(column), run.run.name.clone()), run))
        .collect();
    all.sort_by(|left, right| before(&left.0, &right.0));
    let start = after.map_or(0, |after| all.partition_point(|(key, _)| before(key, &after) != Ordering::Greater));
    let runs = all[start..].iter().take(size).map(|(key, run)| (*run, cursor(key))).collect();
    Ok(Page { runs, total: all.len(), more: start + size < all.len(), later: start > 0 })
}

fn cursor(key: &Key) -> String {
    STANDARD.encode(json!([key.0, key.1]).to_string())
}

fn place(cursor: &str) -> Result<Key, FieldError> {
    let read = || -> Option<Key> {
        let value: Value = serde_json::from_slice(&STANDARD.decode(cursor).ok()?).ok()?;
        let name = value.get(1)?.as_str()?.to_owned();
        Some((value.get(0).cloned().filter(|value| !value.is_null()), name))
    };
    read().ok_or_else(|| wrong("invalid cursor"))
}
