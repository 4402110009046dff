//! Issues.

use super::connection::connect;
use super::entity::{
    Entity, Out, database_id, key, leaf, maybe_time, one, order, parse_instant, silence, strings, texts, time,
};
use super::repository::{labelled, labels};
use super::{events, pulls};
use crate::github::views::Issue;
use apollo_compiler::resolvers::ResolveInfo;

/// Those of some issues that the arguments ask for.
pub fn list<'a>(issues: impl Iterator<Item = Issue<'a>>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (field, descending) = order(info, "CREATED_AT", false);
    let (states, asked) = (texts(info, "states"), texts(info, "labels"));
    let filter = info.arguments().get("filterBy").and_then(|filter| filter.as_object());
    let part = |name: &str| filter.and_then(|filter| filter.get(name)).filter(|part| !part.is_null());
    let (more_states, more_labels) = (part("states").and_then(strings), part("labels").and_then(strings));
    let since = part("since").and_then(|since| since.as_str()).map(parse_instant).transpose()?;
    // Nobody is told to have opened, be assigned to or be mentioned in an issue, and there are no milestones or types.
    let wanted = |name: &str| part(name).and_then(|part| part.as_str()).is_some_and(|text| text == "*");
    let personal = ["createdBy", "mentioned", "type"].iter().any(|name| part(name).is_some());
    let planned = ["assignee", "milestone", "milestoneNumber"].iter().any(|name| wanted(name) || part(name).is_some());
    let subscribed =
        part("viewerSubscribed").and_then(apollo_compiler::response::serde_json_bytes::Value::as_bool) == Some(true);
    let none = personal || planned || subscribed;
    let state = |issue: &Issue<'a>| if issue.closed_at().is_some() { "CLOSED" } else { "OPEN" };
    let within = |states: &Option<Vec<&str>>, own: &str| {
        states.as_ref().is_none_or(|states| states.is_empty() || states.contains(&own))
    };
    let items = issues
        .filter(|_| !none)
        .filter(|issue| within(&states, state(issue)) && within(&more_states, state(issue)))
        .filter(|issue| since.is_none_or(|since| issue.updated_at() >= since))
        .filter(|issue| {
            let own = || issue.data().labels.iter().map(String::as_str);
            labelled(own(), asked.as_deref()) && labelled(own(), more_labels.as_deref())
        })
        .map(|issue| {
            let id = issue.data().number;
            let place = match field {
                "UPDATED_AT" => key(issue.updated_at(), id),
                "COMMENTS" => (0, format!("{id:020}")),
                _ => key(issue.data().created_at, id),
            };
            (place, Entity::Issue(issue))
        });
    connect(info, items.collect(), descending)
}

/// A field of an issue.
pub fn issue<'a>(issue: Issue<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let data = issue.data();
    let closed = issue.closed_at();
    match info.field_name() {
        "id" => leaf(issue.node_id()),
        "databaseId" => database_id(issue.id()),
        "fullDatabaseId" => leaf(issue.id().to_string()),
        "number" => leaf(i64::try_from(data.number).unwrap_or_default()),
        "title" | "titleHTML" => leaf(data.title.as_str()),
        "state" => leaf(if closed.is_some() { "CLOSED" } else { "OPEN" }),
        "stateReason" => leaf(closed.map(|_| "COMPLETED")),
        "closed" => leaf(closed.is_some()),
        "closedAt" => maybe_time(closed),
        "createdAt" | "publishedAt" => time(data.created_at),
        "updatedAt" => time(issue.updated_at()),
        "authorAssociation" => leaf("NONE"),
        "isPinned" | "isReadByViewer" => leaf(false),
        "repository" => one(Entity::Repository(issue.repo)),
        "url" => leaf(issue.html()),
        "resourcePath" => leaf(format!("/{}/issues/{}", issue.repo.full_name(), data.number)),
        "labels" => labels(issue.repo, data.labels.iter().map(String::as_str), info),
        "timelineItems" => events::list(events::of_issue(issue), info),
        "viewerCannotUpdateReasons" => pulls::no_rights(),
        _ => silence(info),
    }
}
