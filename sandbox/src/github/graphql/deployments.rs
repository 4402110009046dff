//! Deployments and their statuses.

use super::connection::connect;
use super::entity::{Entity, Out, actor, database_id, key, leaf, maybe, one, order, silence, texts, time};
use crate::github::views::Deployment;
use apollo_compiler::resolvers::ResolveInfo;

/// Those of some deployments that the arguments ask for.
pub fn list<'a>(deployments: impl Iterator<Item = Deployment<'a>>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (_, descending) = order(info, "CREATED_AT", false);
    let environments = texts(info, "environments").filter(|environments| !environments.is_empty());
    let own = |deployment: &Deployment<'a>| {
        let environment = deployment.data().environment.as_str();
        environments.as_ref().is_none_or(|environments| environments.contains(&environment))
    };
    let items = deployments.filter(own);
    let items = items
        .map(|deployment| (key(deployment.data().created_at, deployment.data().id), Entity::Deployment(deployment)));
    connect(info, items.collect(), descending)
}

/// A field of a deployment.
pub fn deployment<'a>(deployment: Deployment<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (repo, data) = (deployment.repo, deployment.data());
    let last = deployment.statuses().last();
    match info.field_name() {
        "id" => leaf(deployment.node_id()),
        "databaseId" => database_id(data.id),
        "environment" | "latestEnvironment" | "originalEnvironment" => leaf(data.environment.as_str()),
        "createdAt" => time(data.created_at),
        "updatedAt" => time(deployment.updated_at()),
        "commitOid" => leaf(data.sha.as_str()),
        "commit" => maybe(repo.commit(&data.sha).map(Entity::Commit)),
        "creator" => creator(deployment),
        "ref" => maybe(repo.branch(&repo.data().default_branch).map(Entity::Ref)),
        "repository" => one(Entity::Repository(repo)),
        "task" => leaf("deploy"),
        "payload" => leaf("{}"),
        // A deployment that succeeded is active until another takes its place.
        "state" => leaf(last.map_or("PENDING", |status| if status.1 == "SUCCESS" { "ACTIVE" } else { status.1 })),
        "latestStatus" => maybe(last.map(|status| Entity::Status(deployment, status.0))),
        "statuses" => {
            let statuses = deployment.statuses();
            let items = statuses.map(|status| (key(status.2, status.0 as u64), Entity::Status(deployment, status.0)));
            connect(info, items.collect(), true)
        }
        _ => silence(info),
    }
}

fn creator(deployment: Deployment<'_>) -> Out<'_> {
    let world = deployment.repo.world;
    match deployment.creator() {
        Some(id) => actor(world, Some(id)),
        // GitHub never answers null here; without an author the organisation stands in.
        None => one(Entity::Organization(world, &deployment.repo.data().owner)),
    }
}

/// A field of a deployment's n-th status.
pub fn status<'a>(deployment: Deployment<'a>, nth: usize, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let Some((state, at)) = deployment.data().statuses.get(nth).copied() else {
        return silence(info);
    };
    match info.field_name() {
        "id" => leaf(deployment.status_node_id(nth)),
        "state" => leaf(state),
        "createdAt" | "updatedAt" => time(at),
        "creator" => creator(deployment),
        "deployment" => one(Entity::Deployment(deployment)),
        "environment" => leaf(deployment.data().environment.as_str()),
        _ => silence(info),
    }
}
