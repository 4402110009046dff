//! Issues.

use super::connection::connect;
use super::entity::{Entity, Out, key, leaf, maybe_time, number, order, texts, time, unanswered};
use crate::github::views::Issue;
use apollo_compiler::resolvers::ResolveInfo;

/// Those of some issues that the arguments ask for.
pub fn list<'a>(issues: impl Iterator<Item = Issue<'a>>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let (field, descending) = order(info, "CREATED_AT", false);
    let states = texts(info, "states").filter(|states| !states.is_empty());
    let labels = texts(info, "labels").filter(|labels| !labels.is_empty());
    let labelled = |issue: &Issue<'a>, asked: &[&str]| {
        issue.data().labels.iter().any(|label| asked.iter().any(|asked| asked.eq_ignore_ascii_case(label)))
    };
    let items = issues
        .filter(|issue| states.as_ref().is_none_or(|states| states.contains(&state(*issue))))
        .filter(|issue| labels.as_ref().is_none_or(|asked| labelled(issue, asked)))
        .map(|issue| {
            let id = issue.data().number;
            let place = match field {
                "UPDATED_AT" => key(issue.updated_at(), id),
                // Nobody comments on issues, so that their numbers alone order them.
                "COMMENTS" => (0, format!("{id:020}")),
                _ => key(issue.data().created_at, id),
            };
            (place, Entity::Issue(issue))
        });
    connect(info, items.collect(), descending)
}

fn state(issue: Issue<'_>) -> &'static str {
    if issue.closed_at().is_some() { "CLOSED" } else { "OPEN" }
}

/// A field of an issue.
pub fn issue<'a>(issue: Issue<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    match info.field_name() {
        "number" => number(issue.data().number),
        "state" => leaf(state(issue)),
        "createdAt" => time(issue.data().created_at),
        "updatedAt" => time(issue.updated_at()),
        "closedAt" => maybe_time(issue.closed_at()),
        _ => unanswered(info),
    }
}
