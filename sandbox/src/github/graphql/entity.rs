//! What GraphQL objects stand for, and which function answers the fields of each.

use super::connection::{self, Connection, Edge, PageInfo};
use super::cost::Price;
use super::events::Event;
use super::{actors, commits, deployments, issues, pulls, query, repository};
use crate::github::Identity;
use crate::github::limits::Standing;
use crate::github::views::{Branch, Comment, Commit, Deployment, Issue, Pull, Repo, Review, World, stamp};
use crate::model::PersonId;
use apollo_compiler::resolvers::{FieldError, ObjectValue, ResolveInfo, ResolvedValue as V};
use apollo_compiler::response::JsonValue;
use jiff::Timestamp;
use std::rc::Rc;

/// What a field comes to.
pub type Out<'a> = Result<V<'a>, FieldError>;

/// What one query is executed in.
pub struct Context<'w> {
    /// The model at its instant.
    pub world: &'w World<'w>,
    /// Who asks.
    pub identity: &'w Identity,
    /// The budget before this query.
    pub standing: Standing,
    /// What this query costs.
    pub price: Price,
    /// Whether the price alone is asked for.
    pub dry: bool,
}

/// An object of some type.
#[derive(Clone)]
pub enum Entity<'w> {
    /// The root.
    Query(&'w Context<'w>),
    /// The client's budget.
    RateLimit(&'w Context<'w>),
    /// A repository.
    Repository(Repo<'w>),
    /// A pull request.
    Pull(Pull<'w>),
    /// An issue.
    Issue(Issue<'w>),
    /// A commit.
    Commit(Commit<'w>),
    /// The tree of a commit.
    Tree(Commit<'w>),
    /// A branch.
    Ref(Branch<'w>),
    /// A label by name.
    Label(Repo<'w>, &'w str),
    /// A conversation comment.
    Comment(Comment<'w>),
    /// A review.
    Review(Review<'w>),
    /// A review's n-th inline comment.
    Inline(Review<'w>, u32),
    /// The thread that comment began.
    Thread(Review<'w>, u32),
    /// A deployment.
    Deployment(Deployment<'w>),
    /// A deployment's n-th status.
    Status(Deployment<'w>, usize),
    /// Somebody of the model.
    Person(&'w World<'w>, PersonId),
    /// The owner of the token.
    Viewer(&'w World<'w>, &'w str),
    /// The owner of repositories.
    Organization(&'w World<'w>, &'w str),
    /// The author or, if true, the committer of a commit.
    GitActor(Commit<'w>, bool),
    /// A commit of a pull request.
    PullCommit(Pull<'w>, Commit<'w>),
    /// A pull request's n-th file.
    File(Pull<'w>, usize),
    /// Something that happened to a pull request or an issue.
    Event(Event<'w>),
    /// A page of a list.
    Connection(Rc<Connection<'w>>),
    /// An item on a page.
    Edge(Rc<Edge<'w>>),
    /// Where a page lies.
    PageInfo(Rc<PageInfo>),
}

impl ObjectValue for Entity<'_> {
    fn type_name(&self) -> &str {
        match self {
            Self::Query(_) => "Query",
            Self::RateLimit(_) => "RateLimit",
            Self::Repository(_) => "Repository",
            Self::Pull(_) => "PullRequest",
            Self::Issue(_) => "Issue",
            Self::Commit(_) => "Commit",
            Self::Tree(_) => "Tree",
            Self::Ref(_) => "Ref",
            Self::Label(..) => "Label",
            Self::Comment(_) => "IssueComment",
            Self::Review(_) => "PullRequestReview",
            Self::Inline(..) => "PullRequestReviewComment",
            Self::Thread(..) => "PullRequestReviewThread",
            Self::Deployment(_) => "Deployment",
            Self::Status(..) => "DeploymentStatus",
            Self::Person(world, id) if world.person(*id).is_some_and(|person| person.bot) => "Bot",
            Self::Person(..) | Self::Viewer(..) => "User",
            Self::Organization(..) => "Organization",
            Self::GitActor(..) => "GitActor",
            Self::PullCommit(..) => "PullRequestCommit",
            Self::File(..) => "PullRequestChangedFile",
            Self::Event(event) => event.type_name(),
            Self::Connection(connection) => connection.type_name(),
            Self::Edge(edge) => edge.type_name(),
            Self::PageInfo(_) => "PageInfo",
        }
    }

    fn resolve_field<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        match self {
            Self::Query(context) => query::root(context, info),
            Self::RateLimit(context) => query::rate_limit(context, info),
            Self::Repository(repo) => repository::repository(*repo, info),
            Self::Pull(pull) => pulls::pull(*pull, info),
            Self::Issue(issue) => issues::issue(*issue, info),
            Self::Commit(commit) => commits::commit(commit, info),
            Self::Tree(commit) => commits::tree(commit, info),
            Self::Ref(branch) => repository::branch(*branch, info),
            Self::Label(repo, name) => repository::label(*repo, name, info),
            Self::Comment(comment) => pulls::comment(*comment, info),
            Self::Review(review) => pulls::review(*review, info),
            Self::Inline(review, nth) => pulls::inline(*review, *nth, info),
            Self::Thread(review, nth) => pulls::thread(*review, *nth, info),
            Self::Deployment(deployment) => deployments::deployment(*deployment, info),
            Self::Status(deployment, nth) => deployments::status(*deployment, *nth, info),
            Self::Person(world, id) => actors::person(world, *id, info),
            Self::Viewer(world, login) => actors::viewer(world, login, info),
            Self::Organization(world, login) => actors::organization(world, login, info),
            Self::GitActor(commit, committer) => commits::git_actor(commit, *committer, info),
            Self::PullCommit(pull, commit) => pulls::pull_commit(*pull, commit, info),
            Self::File(pull, nth) => pulls::file(*pull, *nth, info),
            Self::Event(event) => event.resolve(info),
            Self::Connection(connection) => connection.resolve(info),
            Self::Edge(edge) => edge.resolve(info),
            Self::PageInfo(page) => page.resolve(info),
        }
    }
}

/// What the model tells nothing of: null, no, none or nothing, whatever the type allows.
pub fn silence<'a>(info: &'a ResolveInfo<'a>) -> Out<'a> {
    let ty = &info.field_definition().ty;
    if ty.inner_named_type().ends_with("Connection") {
        return connection::listed(info, std::iter::empty());
    }
    if !ty.is_non_null() {
        return Ok(V::null());
    }
    if ty.is_list() {
        return Ok(V::list([]));
    }
    match ty.inner_named_type().as_str() {
        "Boolean" => Ok(V::leaf(false)),
        "Int" => Ok(V::leaf(0)),
        "String" | "HTML" => Ok(V::leaf("")),
        other => Err(FieldError { message: format!("the model holds no {other} for {}", info.field_name()) }),
    }
}

/// An object of an entity.
#[expect(clippy::unnecessary_wraps, reason = "resolvers answer so")]
pub fn one(entity: Entity<'_>) -> Out<'_> {
    Ok(V::object(entity))
}

/// An object, or null.
#[expect(clippy::unnecessary_wraps, reason = "resolvers answer so")]
pub fn maybe(entity: Option<Entity<'_>>) -> Out<'_> {
    Ok(V::nullable_object(entity))
}

/// A scalar.
#[expect(clippy::unnecessary_wraps, reason = "resolvers answer so")]
pub fn leaf<'a>(value: impl Into<JsonValue>) -> Out<'a> {
    Ok(V::leaf(value))
}

/// A time.
pub fn time<'a>(at: Timestamp) -> Out<'a> {
    leaf(stamp(at))
}

/// A time, or null.
pub fn maybe_time<'a>(at: Option<Timestamp>) -> Out<'a> {
    leaf(at.map(stamp))
}

/// A number.
pub fn number<'a>(number: u64) -> Out<'a> {
    leaf(i64::try_from(number).unwrap_or(i64::MAX))
}

/// A database id, which is null where it outgrew GraphQL's `Int`.
pub fn database_id<'a>(id: u64) -> Out<'a> {
    leaf(i32::try_from(id).ok())
}

/// Somebody, or null.
pub fn actor<'a>(world: &'a World<'a>, id: Option<PersonId>) -> Out<'a> {
    maybe(id.map(|id| Entity::Person(world, id)))
}

/// A text argument.
pub fn text<'a>(info: &'a ResolveInfo<'a>, name: &str) -> Option<&'a str> {
    info.arguments().get(name)?.as_str()
}

/// A list of texts, if the argument is given.
pub fn texts<'a>(info: &'a ResolveInfo<'a>, name: &str) -> Option<Vec<&'a str>> {
    info.arguments().get(name).and_then(strings)
}

/// The texts of a value, if it is a list.
pub fn strings(value: &JsonValue) -> Option<Vec<&str>> {
    value.as_array().map(|items| items.iter().filter_map(|item| item.as_str()).collect())
}

/// A time argument.
pub fn instant(info: &ResolveInfo<'_>, name: &str) -> Result<Option<Timestamp>, FieldError> {
    text(info, name).map(parse_instant).transpose()
}

/// A time in any of the spellings of ISO 8601 that GitHub takes.
pub fn parse_instant(text: &str) -> Result<Timestamp, FieldError> {
    let day =
        || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
    let instant = text.parse().ok().or_else(day);
    instant.ok_or_else(|| FieldError { message: format!("Could not parse `{text}` as a time") })
}

/// The field and the direction of an order, with what stands if none is given.
pub fn order<'a>(info: &'a ResolveInfo<'a>, field: &'a str, descending: bool) -> (&'a str, bool) {
    let Some(order) = info.arguments().get("orderBy").and_then(|order| order.as_object()) else {
        return (field, descending);
    };
    let part = |name: &str| order.get(name).and_then(|part| part.as_str());
    (part("field").unwrap_or(field), part("direction") == Some("DESC"))
}

/// A key for something with a time and an id.
pub fn key(at: Timestamp, id: u64) -> connection::Key {
    (at.as_second(), format!("{id:020}"))
}
