//! What GraphQL objects stand for, and which function answers the fields of each.

use super::connection::{self, Connection, Edge, PageInfo};
use super::cost::Price;
use super::{commits, deployments, issues, pulls, query, repository};
use crate::github::Identity;
use crate::github::auth::READER;
use crate::github::limits::Standing;
use crate::github::views::{Branch, Comment, Commit, Deployment, Issue, Pull, Repo, Review, World, bare_login, stamp};
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
    /// A branch.
    Ref(Branch<'w>),
    /// A label by name.
    Label(&'w str),
    /// A conversation comment.
    Comment(Comment<'w>),
    /// A review.
    Review(Review<'w>),
    /// An inline comment of a review, of which nothing is told but that it is there.
    Inline,
    /// A deployment.
    Deployment(Deployment<'w>),
    /// A deployment's status, and when it was given.
    Status(&'static str, Timestamp),
    /// Somebody of the model.
    Person(&'w World<'w>, PersonId),
    /// The owner of the token.
    Viewer,
    /// The author of a commit.
    GitActor(Commit<'w>),
    /// A file of a pull request, by path.
    File(&'w str),
    /// When a pull request became ready or, if true, a draft.
    Turn(Timestamp, bool),
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
            Self::Ref(_) => "Ref",
            Self::Label(_) => "Label",
            Self::Comment(_) => "IssueComment",
            Self::Review(_) => "PullRequestReview",
            Self::Inline => "PullRequestReviewComment",
            Self::Deployment(_) => "Deployment",
            Self::Status(..) => "DeploymentStatus",
            Self::Person(world, id) if world.person(*id).is_some_and(|person| person.bot) => "Bot",
            Self::Person(..) | Self::Viewer => "User",
            Self::GitActor(_) => "GitActor",
            Self::File(_) => "PullRequestChangedFile",
            Self::Turn(_, false) => "ReadyForReviewEvent",
            Self::Turn(_, true) => "ConvertToDraftEvent",
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
            Self::Ref(branch) => repository::branch(*branch, info),
            Self::Comment(comment) => pulls::comment(*comment, info),
            Self::Review(review) => pulls::review(*review, info),
            Self::Deployment(deployment) => deployments::deployment(*deployment, info),
            Self::GitActor(commit) => commits::git_actor(commit, info),
            Self::Connection(connection) => connection.resolve(info),
            Self::Edge(edge) => edge.resolve(info),
            Self::PageInfo(page) => page.resolve(info),
            _ => self.resolve_small(info),
        }
    }
}

impl Entity<'_> {
    /// Objects of a field or two.
    fn resolve_small<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        match (self, info.field_name()) {
            (Self::Label(name), "name") => leaf(*name),
            (Self::Status(state, _), "state") => leaf(*state),
            (Self::Status(_, at) | Self::Turn(at, _), "createdAt") => time(*at),
            (Self::Person(world, id), "login") => leaf(world.person(*id).map_or("ghost", bare_login)),
            (Self::Viewer, "login") => leaf(READER),
            (Self::File(path), "path") => leaf(*path),
            _ => unanswered(info),
        }
    }
}

/// A field that the schema has and that nothing answers: a mistake of the sandbox, and not of whoever asks.
pub fn unanswered<'a>(info: &ResolveInfo<'_>) -> Out<'a> {
    Err(FieldError { message: format!("the sandbox has no answer for {}", info.field_name()) })
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
    info.arguments().get(name)?.as_array().map(|items| items.iter().filter_map(|item| item.as_str()).collect())
}

/// A time argument, in any of the spellings of ISO 8601 that GitHub takes.
pub fn instant(info: &ResolveInfo<'_>, name: &str) -> Result<Option<Timestamp>, FieldError> {
    let parse = |text: &str| {
        let midnight = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
        let instant = text.parse().ok().or_else(|| midnight().map(|day| day.timestamp()));
        instant.ok_or_else(|| FieldError { message: format!("Could not parse `{text}` as a time") })
    };
    info.arguments().get(name).and_then(|text| text.as_str()).map(parse).transpose()
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
