//! People, apps and organisations.

use super::connection::connect;
use super::entity::{Entity, Out, database_id, key, leaf, maybe, order, silence, text, time};
use crate::github::ids::{Kind, node_id, number_of_name};
use crate::github::rest::person_number;
use crate::github::views::{World, bare_login};
use apollo_compiler::resolvers::ResolveInfo;

/// The global id of somebody.
pub fn id(entity: &Entity<'_>) -> String {
    match entity {
        Entity::Person(world, id) => {
            let bot = world.person(*id).is_some_and(|person| person.bot);
            node_id(if bot { Kind::Bot } else { Kind::User }, &[person_number(*id)], "")
        }
        Entity::Viewer(_, login) => node_id(Kind::User, &[number_of_name(login)], ""),
        Entity::Organization(_, login) => node_id(Kind::Organization, &[number_of_name(login)], ""),
        _ => String::new(),
    }
}

fn common<'a>(world: &'a World<'a>, login: &str, number: u64, path: &str, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "login" => leaf(login),
        "databaseId" => database_id(number),
        "avatarUrl" => {
            let size =
                info.arguments().get("size").and_then(apollo_compiler::response::serde_json_bytes::Value::as_i64);
            let size = size.map(|size| format!("&s={size}")).unwrap_or_default();
            leaf(format!("https://avatars.githubusercontent.com/u/{number}?v=4{size}"))
        }
        "resourcePath" => leaf(format!("/{path}")),
        "url" => leaf(format!("https://github.com/{path}")),
        // Accounts are as old as the story: the model does not tell.
        "createdAt" | "updatedAt" => {
            let began = world.organisation.repositories.iter().map(|repository| repository.created_at).min();
            time(began.unwrap_or(world.organisation.seed.epoch))
        }
        _ => silence(info),
    }
}

/// A field of somebody of the model.
pub fn person<'a>(world: &'a World<'a>, id: usize, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let Some(person) = world.person(id) else {
        return silence(info);
    };
    let login = bare_login(person);
    match info.field_name() {
        "id" => leaf(self::id(&Entity::Person(world, id))),
        "name" => leaf(person.name.as_str()),
        "isViewer" => leaf(false),
        _ if person.bot => common(world, login, person_number(id), &format!("apps/{login}"), info),
        _ => common(world, login, person_number(id), login, info),
    }
}

/// A field of the owner of the token.
pub fn viewer<'a>(world: &'a World<'a>, login: &'a str, info: &'a ResolveInfo<'a>) -> Out<'a> {
    if let Some(id) = world.organisation.people.iter().position(|person| person.login == login)
        && !matches!(info.field_name(), "isViewer" | "repositories" | "repository")
    {
        return person(world, id, info);
    }
    match info.field_name() {
        "id" => leaf(id(&Entity::Viewer(world, login))),
        "isViewer" => leaf(true),
        // What its owner may see belongs to the organisation.
        "repositories" if affiliated(info) => repositories(world, None, info),
        "repository" => maybe(None),
        _ => common(world, login, number_of_name(login), login, info),
    }
}

fn affiliated(info: &ResolveInfo<'_>) -> bool {
    super::entity::texts(info, "ownerAffiliations").is_some_and(|kinds| kinds.contains(&"ORGANIZATION_MEMBER"))
}

/// A field of the owner of repositories.
pub fn organization<'a>(world: &'a World<'a>, login: &'a str, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "id" => leaf(id(&Entity::Organization(world, login))),
        "name" => leaf(login),
        "repositories" => repositories(world, Some(login), info),
        "repository" => maybe(world.repository(login, text(info, "name").unwrap_or_default()).map(Entity::Repository)),
        _ => common(world, login, number_of_name(login), login, info),
    }
}

fn repositories<'a>(world: &'a World<'a>, owner: Option<&str>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (field, descending) = order(info, "CREATED_AT", false);
    let asked =
        |name: &str| info.arguments().get(name).and_then(apollo_compiler::response::serde_json_bytes::Value::as_bool);
    let public = ["privacy", "visibility"].iter().any(|name| text(info, name).is_some_and(|asked| asked != "PRIVATE"));
    let never = ["isArchived", "isFork", "isLocked"].iter().any(|name| asked(name) == Some(true));
    let none = public || never || asked("hasIssuesEnabled") == Some(false);
    let repos = world.repositories().filter(|repo| !none && owner.is_none_or(|owner| repo.data().owner == owner));
    let items = repos.map(|repo| {
        let place = match field {
            "NAME" => (0, repo.data().name.clone()),
            "PUSHED_AT" | "UPDATED_AT" => key(repo.pushed_at(), repo.id()),
            "STARGAZERS" => (0, repo.id().to_string()),
            _ => key(repo.data().created_at, repo.id()),
        };
        (place, Entity::Repository(repo))
    });
    connect(info, items.collect(), descending)
}
