//! Search in GitHub's syntax: words and qualifiers over issues, pull requests and repositories.

use super::connection::{Key, connect};
use super::entity::{Entity, Out, key, text};
use crate::github::rest::range;
use crate::github::views::{World, bare_login};
use crate::model::PersonId;
use apollo_compiler::resolvers::ResolveInfo;
use jiff::Timestamp;

/// A search finds no more than this.
const REACH: usize = 1000;

struct Hit<'w> {
    entity: Entity<'w>,
    repository: String,
    owner: String,
    title: &'w str,
    is: Vec<&'static str>,
    author: Option<PersonId>,
    labels: Vec<&'w str>,
    branches: (&'w str, &'w str),
    times: [(&'static str, Option<Timestamp>); 4],
    comments: i64,
    key: Key,
}

/// What the arguments search for.
pub fn search<'a>(world: &'a World<'a>, info: &'a ResolveInfo<'a>) -> Out<'a> {
    let query = text(info, "query").unwrap_or_default();
    let terms = split(query);
    let hits = match text(info, "type") {
        Some("ISSUE") => pulls(world).chain(issues(world)).collect(),
        Some("REPOSITORY") => repositories(world),
        _ => Vec::new(),
    };
    let found = hits.into_iter().filter(|hit| terms.iter().all(|term| fits(world, hit, term)));
    let sort = terms.iter().find_map(|term| term.strip_prefix("sort:")).unwrap_or("created-desc");
    let (field, direction) =
        sort.rsplit_once('-').filter(|parts| matches!(parts.1, "asc" | "desc")).unwrap_or((sort, "desc"));
    let descending = direction == "desc";
    let mut items: Vec<_> = found
        .map(|hit| {
            let at = hit.times.iter().find(|time| time.0 == field).and_then(|time| time.1);
            let place = match field {
                "comments" => (hit.comments, hit.key.1),
                _ => at.map_or(hit.key.clone(), |at| (at.as_second(), hit.key.1.clone())),
            };
            (place, hit.entity)
        })
        .collect();
    items.sort_by(|a, b| if descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    items.truncate(REACH);
    connect(info, items, descending)
}

/// Splits at spaces outside of quotes, and drops the quotes.
fn split(query: &str) -> Vec<String> {
    let (mut terms, mut term, mut quoted) = (Vec::new(), String::new(), false);
    for letter in query.chars() {
        match letter {
            '"' => quoted = !quoted,
            letter if letter.is_whitespace() && !quoted => terms.push(std::mem::take(&mut term)),
            letter => term.push(letter),
        }
    }
    terms.push(term);
    terms.retain(|term| !term.is_empty());
    terms
}

fn fits(world: &World<'_>, hit: &Hit<'_>, term: &str) -> bool {
    if let Some(rest) = term.strip_prefix('-')
        && rest.contains(':')
    {
        return !fits(world, hit, rest);
    }
    let Some((name, value)) = term.split_once(':') else {
        return hit.title.to_lowercase().contains(&term.to_lowercase());
    };
    let same = |text: &str| text.eq_ignore_ascii_case(value);
    match name {
        "repo" => same(&hit.repository),
        "org" | "user" | "owner" => same(&hit.owner),
        "is" | "type" | "state" => hit.is.contains(&value),
        "draft" => hit.is.contains(&"draft") == (value == "true"),
        "author" => hit.author.and_then(|id| world.person(id)).is_some_and(|person| {
            same(bare_login(person)) || value.strip_prefix("app/").is_some_and(|app| app == bare_login(person))
        }),
        "label" => value.split(',').any(|asked| hit.labels.iter().any(|label| label.eq_ignore_ascii_case(asked))),
        "base" => hit.branches.0 == value,
        "head" => hit.branches.1 == value,
        "created" | "updated" | "closed" | "merged" => {
            let at = hit.times.iter().find(|time| time.0 == name).and_then(|time| time.1);
            let range = range(value);
            at.is_some_and(|at| range.is_some_and(|(from, to)| (from..to).contains(&at.as_second())))
        }
        "archived" => value == "false",
        "no" => matches!(value, "assignee" | "milestone" | "project") || (value == "label" && hit.labels.is_empty()),
        "sort" | "in" => true,
        _ => false,
    }
}

fn pulls<'a>(world: &'a World<'a>) -> impl Iterator<Item = Hit<'a>> {
    world.repositories().flat_map(super::super::views::Repo::pulls).map(|pull| {
        let data = pull.data();
        let mut is = vec!["pr", "pull-request", "private"];
        is.push(if pull.state() == "OPEN" { "open" } else { "closed" });
        is.push(if pull.state() == "MERGED" { "merged" } else { "unmerged" });
        if pull.is_draft() {
            is.push("draft");
        }
        Hit {
            entity: Entity::Pull(pull),
            repository: pull.repo.full_name(),
            owner: pull.repo.data().owner.clone(),
            title: &data.title,
            is,
            author: data.author,
            labels: pull.labels().map(|label| label.0.as_str()).collect(),
            branches: (&data.base, &data.head),
            times: [
                ("created", Some(data.created_at)),
                ("updated", Some(pull.updated_at())),
                ("closed", pull.closed_at()),
                ("merged", pull.merged_at()),
            ],
            comments: i64::try_from(pull.comments().count()).unwrap_or_default(),
            key: key(data.created_at, pull.id()),
        }
    })
}

fn issues<'a>(world: &'a World<'a>) -> impl Iterator<Item = Hit<'a>> {
    world.repositories().flat_map(super::super::views::Repo::issues).map(|issue| {
        let data = issue.data();
        let state = if issue.closed_at().is_some() { "closed" } else { "open" };
        Hit {
            entity: Entity::Issue(issue),
            repository: issue.repo.full_name(),
            owner: issue.repo.data().owner.clone(),
            title: &data.title,
            is: vec!["issue", "private", state],
            author: None,
            labels: data.labels.iter().map(String::as_str).collect(),
            branches: ("", ""),
            times: [
                ("created", Some(data.created_at)),
                ("updated", Some(issue.updated_at())),
                ("closed", issue.closed_at()),
                ("merged", None),
            ],
            comments: 0,
            key: key(data.created_at, issue.id()),
        }
    })
}

fn repositories<'a>(world: &'a World<'a>) -> Vec<Hit<'a>> {
    let hit = |repo: crate::github::views::Repo<'a>| Hit {
        entity: Entity::Repository(repo),
        repository: repo.full_name(),
        owner: repo.data().owner.clone(),
        title: &repo.data().name,
        is: vec!["private"],
        author: None,
        labels: Vec::new(),
        branches: ("", ""),
        times: [
            ("created", Some(repo.data().created_at)),
            ("updated", Some(repo.pushed_at())),
            ("closed", None),
            ("merged", None),
        ],
        comments: 0,
        key: key(repo.data().created_at, repo.id()),
    };
    world.repositories().map(hit).collect()
}
