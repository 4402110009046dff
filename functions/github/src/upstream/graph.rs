//! Answers of the GraphQL API: data beside errors that name the place they spoil.

use super::client::{Client, GITHUB};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shared::{Error, Result};

/// The document of a round.
const ROUND: &str = concat!(include_str!("round.graphql"), include_str!("lists.graphql"));

/// The document for the rest of a pull request's lists.
const REST: &str = concat!(include_str!("rest.graphql"), include_str!("lists.graphql"));

/// The document for the pull requests that commits came with.
const CHANGES: &str = include_str!("changes.graphql");

/// Values of a document's variables.
pub(super) type Variables = Map<String, Value>;

/// What was said about a repository, by the names that the document gives.
#[derive(Debug, Default)]
pub(super) struct Said {
    fields: Map<String, Value>,
    faults: Vec<Fault>,
    lost: bool,
}

/// An error that spoils a place of the answer.
#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(rename = "type")]
    kind: Option<String>,
    path: Option<Vec<Value>>,
}

impl Fault {
    fn kind(&self) -> &str {
        self.kind.as_deref().unwrap_or("an unnamed error")
    }

    fn error(&self) -> Error {
        let place: Vec<&str> = self.words().collect();
        Error::Status {
            upstream: GITHUB,
            status: 200,
            what: format!("/graphql with {} at {}", self.kind(), place.join(".")),
        }
    }

    /// The words of its path.
    fn words(&self) -> impl Iterator<Item = &str> {
        self.path.iter().flatten().filter_map(Value::as_str)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    repository: Option<Map<String, Value>>,
    rate_limit: Option<Quota>,
}

#[derive(Deserialize)]
struct Objects<T> {
    data: Option<Nodes<T>>,
    #[serde(default)]
    errors: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Nodes<T> {
    nodes: Vec<Option<T>>,
    rate_limit: Option<Quota>,
}

#[derive(Deserialize)]
struct Quota {
    cost: f64,
    limit: f64,
    remaining: f64,
}

/// One page of a list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound = "T: DeserializeOwned")]
pub(super) struct Page<T> {
    /// How many there are in all, where it was asked.
    pub total_count: Option<u64>,
    #[serde(default)]
    nodes: Vec<Option<T>>,
    #[serde(rename = "pageInfo")]
    info: Option<PageInfo>,
}

/// Whether and where a list goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

impl<T> Default for Page<T> {
    fn default() -> Self {
        Self { total_count: None, nodes: Vec::new(), info: None }
    }
}

impl<T> Page<T> {
    /// What is on the page.
    pub fn into_nodes(self) -> impl Iterator<Item = T> {
        self.nodes.into_iter().flatten()
    }

    /// What is on the page.
    pub fn nodes(&self) -> impl Iterator<Item = &T> {
        self.nodes.iter().flatten()
    }

    /// The cursor behind which the next page begins.
    pub fn next(&self) -> Option<String> {
        self.info.as_ref().filter(|info| info.has_next_page)?.end_cursor.clone()
    }

    /// Takes another page of the same list behind this one.
    pub fn extend(&mut self, page: Self) {
        self.nodes.extend(page.nodes);
        self.info = page.info;
    }
}

/// A number of things.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Count {
    pub total_count: u64,
}

impl Said {
    /// A field as its type; none where it was not asked or is null. An error below it spoils it, unless the path of
    /// the error holds `but`.
    pub fn field<T: DeserializeOwned>(&mut self, name: &str, but: Option<&str>) -> Result<Option<T>> {
        let spoils = |fault: &&Fault| {
            let words: Vec<&str> = fault.words().collect();
            words.get(1) == Some(&name) && !but.is_some_and(|but| words.contains(&but))
        };
        if let Some(fault) = self.faults.iter().find(spoils) {
            return Err(fault.error());
        }
        match self.fields.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value).map(Some).map_err(|_| {
                Error::decode(GITHUB, format!("{name} in the answer to /graphql has another shape than documented"))
            }),
        }
    }

    /// A field that was asked for.
    pub fn wanted<T: DeserializeOwned>(&mut self, name: &str, but: Option<&str>) -> Result<T> {
        self.field(name, but)?.ok_or_else(|| Error::decode(GITHUB, format!("the answer to /graphql lacks {name}")))
    }

    /// Whether an error spoiled so much that even what it does not name is not there.
    pub const fn is_lost(&self) -> bool {
        self.lost
    }

    /// The error that spoils a field, if one does.
    pub fn fault(&self, owns: impl Fn(&str) -> bool) -> Option<Error> {
        let fault = self.faults.iter().find(|fault| fault.words().nth(1).is_some_and(&owns))?;
        Some(fault.error())
    }

    /// A text within a field, errors or not.
    pub fn text(&self, field: &str, name: &str) -> Option<String> {
        Some(self.fields.get(field)?.get(name)?.as_str()?.to_owned())
    }
}

/// Asks a round of questions about a repository.
pub(super) async fn round(client: &Client, repo: &str, variables: Variables) -> Result<Said> {
    ask(client, ROUND, repo, variables).await
}

/// Asks for the rest of a pull request's lists.
pub(super) async fn rest(client: &Client, repo: &str, variables: Variables) -> Result<Map<String, Value>> {
    let mut said = ask(client, REST, repo, variables).await?;
    said.wanted("pullRequest", None)
}

/// Asks for commits by their ids; those that are gone are left out.
pub(super) async fn nodes<T: DeserializeOwned>(client: &Client, ids: &[&str]) -> Result<Vec<T>> {
    let asked = json!({ "query": CHANGES, "variables": { "ids": ids } });
    let objects: Objects<T> = client.graphql(&asked).await?;
    let (nodes, quota) = objects.data.map_or((Vec::new(), None), |data| (data.nodes, data.rate_limit));
    settle(client, quota, &objects.errors)?;
    match objects.errors.first() {
        Some(fault) => Err(fault.error()),
        None => Ok(nodes.into_iter().flatten().collect()),
    }
}

/// Notes what an answer cost; an error if it is that nothing is left.
fn settle(client: &Client, quota: Option<Quota>, errors: &[Fault]) -> Result<()> {
    if let Some(quota) = quota {
        tracing::debug!(upstream = GITHUB, cost = quota.cost, left = quota.remaining, "a round of GraphQL");
        client.graphql_left(quota.remaining, quota.limit);
    }
    if errors.iter().any(|fault| matches!(fault.kind(), "RATE_LIMITED" | "RATE_LIMIT")) {
        return Err(Error::RateLimited { upstream: GITHUB, what: "RATE_LIMITED to /graphql".to_owned() });
    }
    Ok(())
}

async fn ask(client: &Client, document: &str, repo: &str, mut variables: Variables) -> Result<Said> {
    let (owner, name) = repo.split_once('/').unwrap_or((repo, ""));
    variables.insert("owner".to_owned(), owner.into());
    variables.insert("name".to_owned(), name.into());
    let whole: Whole = client.graphql(&json!({ "query": document, "variables": variables })).await?;
    let data = whole.data.unwrap_or(Data { repository: None, rate_limit: None });
    settle(client, data.rate_limit, &whole.errors)?;
    for fault in &whole.errors {
        let path: Vec<&str> = fault.words().collect();
        tracing::warn!(
            upstream = GITHUB,
            kind = fault.kind(),
            path = path.join("."),
            "part of a GraphQL answer is missing"
        );
    }
    // An error without a path, or on the repository as a whole, leaves nothing to use.
    let total = whole.errors.iter().find(|fault| fault.words().nth(1).is_none());
    match (data.repository, total) {
        (Some(fields), None) => Ok(Said { fields, faults: whole.errors, lost: false }),
        // A list that cannot be null takes the whole repository with it.
        (None, None) if !whole.errors.is_empty() => Ok(Said { fields: Map::new(), faults: whole.errors, lost: true }),
        (_, Some(fault)) if fault.kind() == "NOT_FOUND" => {
            Err(Error::NotFound { upstream: GITHUB, what: format!("the repository {repo}") })
        }
        (_, Some(fault)) if matches!(fault.kind(), "FORBIDDEN" | "INSUFFICIENT_SCOPES") => {
            Err(Error::Auth { upstream: GITHUB, what: format!("{} to /graphql for {repo}", fault.kind()) })
        }
        (_, Some(fault)) => Err(fault.error()),
        (None, None) => Err(Error::NotFound { upstream: GITHUB, what: format!("the repository {repo}") }),
    }
}
