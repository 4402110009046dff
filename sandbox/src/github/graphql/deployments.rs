//! Deployments and their statuses.

use super::connection::connect;
use super::entity::{Entity, Out, key, leaf, order, texts, time, unanswered};
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
    match info.field_name() {
        "commitOid" => leaf(deployment.data().sha.as_str()),
        "createdAt" => time(deployment.data().created_at),
        "statuses" => {
            let statuses = deployment.statuses();
            let items = statuses.map(|status| (key(status.2, status.0 as u64), Entity::Status(status.1, status.2)));
            connect(info, items.collect(), true)
        }
        _ => unanswered(info),
    }
}
