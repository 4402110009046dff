//! The root of queries, and objects by their global ids.

use super::entity::{Context, Entity, Out, leaf, number, one, text, texts, unanswered};
use super::typed;
use crate::github::Identity;
use crate::github::ids::{self, Kind};
use crate::github::views::{World, stamp};
use apollo_compiler::resolvers::{FieldError, ResolveInfo, ResolvedValue as V};

/// An error about something that is not there.
pub fn missing(message: &str) -> FieldError {
    FieldError { message: typed("NOT_FOUND", message) }
}

/// A field of the root.
pub fn root<'a>(context: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let world = context.world;
    match info.field_name() {
        "rateLimit" => one(Entity::RateLimit(context)),
        "viewer" => match context.identity {
            Identity::User => one(Entity::Viewer),
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
        "nodes" => {
            let ids = texts(info, "ids").unwrap_or_default();
            if ids.len() > 100 {
                let message = format!("You may not provide more than 100 node ids; you provided {}.", ids.len());
                return Err(FieldError { message: typed("ARGUMENT_LIMIT", &message) });
            }
            Ok(V::List(Box::new(ids.into_iter().map(|id| resolve(world, id).map(V::object)))))
        }
        _ => unanswered(info),
    }
}

/// The budget as this query leaves it.
pub fn rate_limit<'a>(context: &'a Context<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let standing = &context.standing;
    let used = (standing.used + context.price.cost).min(standing.limit);
    match info.field_name() {
        "cost" => number(context.price.cost),
        "nodeCount" => number(context.price.nodes),
        "limit" => number(standing.limit),
        "used" => number(used),
        "remaining" => number(standing.limit - used),
        "resetAt" => leaf(stamp(standing.reset)),
        _ => unanswered(info),
    }
}

fn resolve<'a>(world: &'a World<'a>, id: &str) -> Result<Entity<'a>, FieldError> {
    let message = format!("Could not resolve to a node with the global id of '{id}'");
    find(world, id).ok_or_else(|| missing(&message))
}

fn find<'a>(world: &'a World<'a>, id: &str) -> Option<Entity<'a>> {
    let (kind, numbers, name) = ids::parse(id)?;
    let repo = world.repositories().find(|repo| Some(&repo.id()) == numbers.first())?;
    match kind {
        Kind::PullRequest => repo.pulls().find(|pull| Some(&pull.id()) == numbers.get(1)).map(Entity::Pull),
        Kind::Commit => repo.commit(&name).map(Entity::Commit),
        _ => None,
    }
}
