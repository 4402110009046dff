//! Connections: sorted items, cut by cursors that hold the place of an item rather than its number.

use super::entity::{Entity, Out};
use super::typed;
use apollo_compiler::executable::{Selection, SelectionSet};
use apollo_compiler::resolvers::{FieldError, ResolveInfo, ResolvedValue as V};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::rc::Rc;

/// What items are sorted by: a number, then a text that tells apart what is equal by it.
pub type Key = (i64, String);

/// A page of a connection.
pub struct Connection<'w> {
    type_name: String,
    page: Vec<(Key, Entity<'w>)>,
    total: usize,
    before: bool,
    after: bool,
}

/// One item of a page.
pub struct Edge<'w> {
    type_name: String,
    key: Key,
    node: Entity<'w>,
}

/// Where a page lies.
pub struct PageInfo {
    start: Option<String>,
    end: Option<String>,
    before: bool,
    after: bool,
}

fn cursor(key: &Key) -> String {
    STANDARD.encode(format!("cursor:v2:{}:{}", key.0, key.1))
}

fn read(text: &str) -> Option<Key> {
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (number, name) = text.strip_prefix("cursor:v2:")?.split_once(':')?;
    Some((number.parse().ok()?, name.to_owned()))
}

fn wants_items(info: &ResolveInfo<'_>) -> bool {
    fn any(info: &ResolveInfo<'_>, set: &SelectionSet) -> bool {
        set.selections.iter().any(|selection| match selection {
            Selection::Field(field) => matches!(field.name.as_str(), "nodes" | "edges" | "pageInfo"),
            Selection::InlineFragment(fragment) => any(info, &fragment.selection_set),
            Selection::FragmentSpread(spread) => {
                let fragment = info.document().fragments.get(&spread.fragment_name);
                fragment.is_some_and(|fragment| any(info, &fragment.selection_set))
            }
        })
    }
    info.field_selections().iter().any(|field| any(info, &field.selection_set))
}

fn refusal(kind: &str, message: &str) -> FieldError {
    FieldError { message: typed(kind, message) }
}

fn size(info: &ResolveInfo<'_>, name: &str) -> Result<Option<usize>, FieldError> {
    let field = info.field_name();
    let Some(size) = info.arguments().get(name).and_then(apollo_compiler::response::JsonValue::as_i64) else {
        return Ok(None);
    };
    if size > 100 {
        let message =
            format!("Requesting {size} records on the `{field}` connection exceeds the `{name}` limit of 100 records.");
        return Err(refusal("EXCESSIVE_PAGINATION", &message));
    }
    usize::try_from(size).map(Some).map_err(|_| {
        let message = format!("`{name}` on the `{field}` connection cannot be less than zero.");
        refusal("INVALID_PAGINATION_BOUNDARIES", &message)
    })
}

fn place(info: &ResolveInfo<'_>, name: &str) -> Result<Option<Key>, FieldError> {
    let Some(text) = info.arguments().get(name).and_then(|text| text.as_str()) else {
        return Ok(None);
    };
    let bad = || refusal("INVALID_CURSOR_ARGUMENTS", &format!("`{text}` does not appear to be a valid cursor."));
    read(text).map(Some).ok_or_else(bad)
}

fn count<'a>(count: usize) -> V<'a> {
    V::leaf(i64::try_from(count).unwrap_or(i64::MAX))
}

/// Cuts what the arguments ask for out of all items.
pub fn connect<'a>(info: &'a ResolveInfo<'a>, mut items: Vec<(Key, Entity<'a>)>, descending: bool) -> Out<'a> {
    let field = info.field_name();
    let (first, last) = (size(info, "first")?, size(info, "last")?);
    if first.is_none() && last.is_none() && wants_items(info) {
        let message =
            format!("You must provide a `first` or `last` value to properly paginate the `{field}` connection.");
        return Err(refusal("MISSING_PAGINATION_BOUNDARIES", &message));
    }
    if first.is_some() && last.is_some() {
        let message = format!("Passing both `first` and `last` to paginate the `{field}` connection is not supported.");
        return Err(refusal("INVALID_PAGINATION_BOUNDARIES", &message));
    }
    let (after, before) = (place(info, "after")?, place(info, "before")?);
    items.sort_by(|a, b| if descending { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    let precedes = |a: &Key, b: &Key| if descending { a > b } else { a < b };
    let total = items.len();
    let mut start = after.map_or(0, |after| items.partition_point(|item| !precedes(&after, &item.0)));
    let mut end = before.map_or(total, |before| items.partition_point(|item| precedes(&item.0, &before))).max(start);
    if let Some(first) = first {
        end = end.min(start + first);
    }
    if let Some(last) = last {
        start = start.max(end.saturating_sub(last));
    }
    let after = end < total;
    items.truncate(end);
    let page = items.split_off(start);
    let type_name = info.field_definition().ty.inner_named_type().to_string();
    let connection = Connection { type_name, page, total, before: start > 0, after };
    Ok(V::object(Entity::Connection(Rc::new(connection))))
}

/// A connection of items in the order given, their places as keys.
pub fn listed<'a>(info: &'a ResolveInfo<'a>, items: impl Iterator<Item = Entity<'a>>) -> Out<'a> {
    let items = items.zip(0..).map(|(item, place)| ((place, String::new()), item)).collect();
    connect(info, items, false)
}

impl<'w> Connection<'w> {
    /// Its type.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// One of its fields.
    pub fn resolve<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a>
    where
        'w: 'a,
    {
        Ok(match info.field_name() {
            "nodes" => V::list(self.page.iter().map(|item| V::object(item.1.clone()))),
            "edges" => {
                let type_name = info.field_definition().ty.inner_named_type().to_string();
                V::list(self.page.iter().map(move |item| {
                    let edge = Edge { type_name: type_name.clone(), key: item.0.clone(), node: item.1.clone() };
                    V::object(Entity::Edge(Rc::new(edge)))
                }))
            }
            "pageInfo" => {
                let start = self.page.first().map(|item| cursor(&item.0));
                let end = self.page.last().map(|item| cursor(&item.0));
                V::object(Entity::PageInfo(Rc::new(PageInfo { start, end, before: self.before, after: self.after })))
            }
            "totalCount" => count(self.total),
            _ => return super::entity::unanswered(info),
        })
    }
}

impl<'w> Edge<'w> {
    /// Its type.
    pub fn type_name(&self) -> &str {
        &self.type_name
    }

    /// One of its fields.
    pub fn resolve<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a>
    where
        'w: 'a,
    {
        match info.field_name() {
            "cursor" => Ok(V::leaf(cursor(&self.key))),
            "node" => Ok(V::object(self.node.clone())),
            _ => super::entity::unanswered(info),
        }
    }
}

impl PageInfo {
    /// One of its fields.
    pub fn resolve<'a>(&'a self, info: &'a ResolveInfo<'a>) -> Out<'a> {
        Ok(match info.field_name() {
            "startCursor" => V::leaf(self.start.clone()),
            "endCursor" => V::leaf(self.end.clone()),
            "hasPreviousPage" => V::leaf(self.before),
            "hasNextPage" => V::leaf(self.after),
            _ => return super::entity::unanswered(info),
        })
    }
}
