//! The root of queries, and objects by their global ids.

use super::entity::{Context, Entity, Out, leaf, maybe, number, one, silence, text, texts};
use super::{search, typed};
use crate::github::Identity;
use crate::github::ids::{self, Kind};
use crate::github::views::{Comment, Deployment, Review, World, stamp};
use apollo_compiler::resolvers::{FieldError, ResolveInfo, ResolvedValue as V};

/// An error about something that is not there.
pub fn missing(message: &str) -> FieldError {
    FieldError { message: typed("NOT_FOUND", message) }
}

/// A field of the root.
pub fn root<'a>(context: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let world = context.world;
    if context.dry && info.field_name() != "rateLimit" {
        return Ok(V::SkipForPartialExecution);
    }
    let owners = |login: &str| {
        let mut repositories = world.organisation.repositories.iter();
        repositories.find(|repository| repository.owner.eq_ignore_ascii_case(login)).map(|found| found.owner.as_str())
    };
    match info.field_name() {
        "rateLimit" => one(Entity::RateLimit(context)),
        "viewer" => match context.identity {
            Identity::User(login) => one(Entity::Viewer(world, login)),
            _ => Err(FieldError { message: typed("FORBIDDEN", "Resource not accessible by integration") }),
        },
        "repository" => {
            let (owner, name) = (text(info, "owner").unwrap_or_default(), text(info, "name").unwrap_or_default());
            let message = format!("Could not resolve to a Repository with the name '{owner}/{name}'.");
            world
                .repository(owner, name)
                .ok_or_else(|| missing(&message))
                .map(|repo| V::object(Entity::Repository(repo)))
        }
        "organization" => {
            let login = text(info, "login").unwrap_or_default();
            let message = format!("Could not resolve to an Organization with the login of '{login}'.");
            owners(login).ok_or_else(|| missing(&message)).map(|owner| V::object(Entity::Organization(world, owner)))
        }
        "repositoryOwner" => {
            let login = text(info, "login").unwrap_or_default();
            maybe(owners(login).map(|owner| Entity::Organization(world, owner)).or_else(|| user(world, login)))
        }
        "user" => {
            let login = text(info, "login").unwrap_or_default();
            let message = format!("Could not resolve to a User with the login of '{login}'.");
            user(world, login).ok_or_else(|| missing(&message)).map(V::object)
        }
        "node" => resolve(world, text(info, "id").unwrap_or_default()).map(V::object),
        "nodes" => {
            let ids = texts(info, "ids").unwrap_or_default();
            if ids.len() > 100 {
                let message = format!("You may not provide more than 100 node ids; you provided {}.", ids.len());
                return Err(FieldError { message: typed("ARGUMENT_LIMIT", &message) });
            }
            Ok(V::List(Box::new(ids.into_iter().map(|id| resolve(world, id).map(V::object)))))
        }
        "search" => search::search(world, info),
        "id" => leaf("MDU6UXVlcnk="),
        _ => silence(info),
    }
}

fn user<'a>(world: &'a World<'a>, login: &str) -> Option<Entity<'a>> {
    let people = &world.organisation.people;
    let id = people.iter().position(|person| !person.bot && person.login.eq_ignore_ascii_case(login))?;
    Some(Entity::Person(world, id))
}

/// The budget as this query leaves it.
pub fn rate_limit<'a>(context: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let spent = if context.dry { 0 } else { context.price.cost };
    let standing = &context.standing;
    let used = (standing.used + spent).min(standing.limit);
    match info.field_name() {
        "cost" => number(context.price.cost),
        "nodeCount" => number(context.price.nodes),
        "limit" => number(standing.limit),
        "used" => number(used),
        "remaining" => number(standing.limit - used),
        "resetAt" => leaf(stamp(standing.reset)),
        _ => silence(info),
    }
}

fn resolve<'a>(world: &'a World<'a>, id: &str) -> Result<Entity<'a>, FieldError> {
    let message = format!("Could not resolve to a node with the global id of '{id}'");
    find(world, id).ok_or_else(|| missing(&message))
}

fn find<'a>(world: &'a World<'a>, id: &str) -> Option<Entity<'a>> {
    let (kind, numbers, name) = ids::parse(id)?;
    let first = *numbers.first()?;
    match kind {
        Kind::User | Kind::Bot => {
            let people = 0..world.organisation.people.len();
            return people.map(|id| Entity::Person(world, id)).find(|person| super::actors::id(person) == id);
        }
        Kind::Organization => {
            let mut repositories = world.organisation.repositories.iter();
            let found = repositories.find(|repository| ids::number_of_name(&repository.owner) == first)?;
            return Some(Entity::Organization(world, &found.owner));
        }
        _ => {}
    }
    let repo = world.repositories().find(|repo| repo.id() == first)?;
    let second = numbers.get(1).copied();
    let place = numbers.get(2).and_then(|place| usize::try_from(*place).ok());
    match kind {
        Kind::Repository => Some(Entity::Repository(repo)),
        Kind::PullRequest => repo.pulls().find(|pull| Some(pull.id()) == second).map(Entity::Pull),
        Kind::Issue => repo.issues().find(|issue| Some(issue.id()) == second).map(Entity::Issue),
        Kind::Commit => repo.commit(&name).map(Entity::Commit),
        Kind::Tree => repo.commit(&name).map(Entity::Tree),
        Kind::Ref => repo.branch(name.strip_prefix("refs/heads/")?).map(Entity::Ref),
        Kind::Label => repo.labels().into_iter().find(|label| **label == *name).map(|label| Entity::Label(repo, label)),
        Kind::Deployment | Kind::DeploymentStatus => {
            let mut deployments = repo.deployments();
            let found: Deployment<'a> = deployments.find(|deployment| Some(deployment.data().id) == second)?;
            match place {
                None => Some(Entity::Deployment(found)),
                Some(nth) => found.statuses().any(|status| status.0 == nth).then_some(Entity::Status(found, nth)),
            }
        }
        Kind::Comment => {
            repo.pull(second?)?.comments().find(|comment: &Comment<'a>| Some(comment.at) == place).map(Entity::Comment)
        }
        Kind::Review | Kind::ReviewComment | Kind::ReviewThread => {
            let review: Review<'a> = repo.pull(second?)?.reviews().find(|review| Some(review.at) == place)?;
            let nth = numbers.get(3).and_then(|nth| u32::try_from(*nth).ok());
            let nth = nth.filter(|nth| *nth < review.data().inline_comments);
            match kind {
                Kind::Review => Some(Entity::Review(review)),
                Kind::ReviewComment => Some(Entity::Inline(review, nth?)),
                _ => Some(Entity::Thread(review, nth?)),
            }
        }
        Kind::PullRequestCommit => Some(Entity::PullCommit(repo.pull(second?)?, repo.commit(&name)?)),
        Kind::Event => super::events::find(repo, second?, place?),
        _ => None,
    }
}
