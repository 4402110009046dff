//! The rounds of GraphQL: each part says what it wants next, one document asks for all of it.

use super::client::{Client, GITHUB};
use super::graph::{self, Page, Said, Variables};
use serde::de::DeserializeOwned;
use shared::{Error, Result};

/// More rounds than the largest repository needs.
pub(super) const ROUNDS: usize = 200;

/// A part that is read in rounds.
pub(super) trait Query: Send {
    /// Whether a field of the document is this part's.
    fn owns(&self, field: &str) -> bool;

    /// Adds what it wants of the next round; false where it wants nothing more.
    fn ask(&self, variables: &mut Variables) -> bool;

    /// Takes its share of an answer.
    fn hear(&mut self, said: &mut Said) -> Result<()>;
}

/// A part, or why it is unknown.
pub(super) struct Ongoing<P> {
    part: P,
    failed: Option<Error>,
}

impl<P: Query> Ongoing<P> {
    /// A part of which nothing was asked yet.
    pub const fn new(part: P) -> Self {
        Self { part, failed: None }
    }

    /// The part once it is complete.
    pub fn done(self) -> Result<P> {
        self.failed.map_or(Ok(self.part), Err)
    }

    /// Leaves the part unknown for this reason, unless it is complete.
    pub fn fail(&mut self, error: &Error) {
        if self.ask(&mut Variables::new()) {
            self.failed = Some(Error::incomplete(error.with_causes()));
        }
    }

    /// The part while it is still good.
    pub const fn get_mut(&mut self) -> Option<&mut P> {
        if self.failed.is_none() { Some(&mut self.part) } else { None }
    }
}

impl<P: Query> Query for Ongoing<P> {
    fn owns(&self, field: &str) -> bool {
        self.part.owns(field)
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        self.failed.is_none() && self.part.ask(variables)
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let result = match said.fault(|field| self.part.owns(field)) {
            Some(error) if said.is_lost() => Err(error),
            _ if said.is_lost() => Ok(()),
            _ => self.part.hear(said),
        };
        self.failed = result.err();
        Ok(())
    }
}

/// Which branch counts.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// The default one.
    Default,
    /// The configured one.
    Named(String),
}

impl Target {
    /// The field of the document that holds the branch.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Default => "byDefault",
            Self::Named(_) => "byName",
        }
    }

    /// Adds the branch to the variables.
    pub fn ask(&self, variables: &mut Variables) {
        let name = match self {
            Self::Default => "",
            Self::Named(name) => name,
        };
        variables.insert("byDefault".to_owned(), matches!(self, Self::Default).into());
        variables.insert("byName".to_owned(), matches!(self, Self::Named(_)).into());
        variables.insert("ref".to_owned(), format!("refs/heads/{name}").into());
    }

    /// Says that the branch is not there.
    pub fn absent(&self, repo: &str, is_empty: bool) -> Error {
        let what = match self {
            Self::Named(name) if !is_empty => format!("the branch {name} of {repo}"),
            _ => format!("any commit in {repo}"),
        };
        Error::NotFound { upstream: GITHUB, what }
    }
}

/// Asks one round for all parts; the name of the branch, or none where no part wants anything more.
pub(super) async fn step(
    client: &Client,
    repo: &str,
    target: &Target,
    parts: Vec<&mut dyn Query>,
) -> Result<Option<String>> {
    let mut variables = Variables::new();
    target.ask(&mut variables);
    let asking: Vec<&mut dyn Query> = parts.into_iter().filter(|part| part.ask(&mut variables)).collect();
    if asking.is_empty() {
        return Ok(None);
    }
    let mut said = graph::round(client, repo, variables).await?;
    if said.is_lost() && !asking.iter().any(|part| said.fault(|field| part.owns(field)).is_some()) {
        return Err(said
            .fault(|_| true)
            .unwrap_or_else(|| Error::decode(GITHUB, "an answer to /graphql without data")));
    }
    let branch = said.text(target.field(), "name");
    let empty = said.field::<bool>("isEmpty", None)?.unwrap_or(false);
    for part in asking {
        part.hear(&mut said)?;
    }
    match branch {
        Some(branch) if !empty => Ok(Some(branch)),
        // The next round asks again for what was lost.
        _ if said.is_lost() => Ok(Some(String::new())),
        _ => Err(target.absent(repo, empty)),
    }
}

/// A list that is read page by page, newest first.
#[derive(Debug)]
pub(super) struct Walk {
    field: String,
    after: Option<String>,
    open: bool,
}

impl Walk {
    /// A walk from the first page of a list on.
    pub fn new(field: impl Into<String>) -> Self {
        Self { field: field.into(), after: None, open: true }
    }

    /// Whether another page is wanted.
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Wants no further page.
    pub const fn close(&mut self) {
        self.open = false;
    }

    /// Starts again at the first page.
    pub fn restart(&mut self) {
        self.after = None;
        self.open = true;
    }

    /// Adds the next page to the variables.
    pub fn ask(&self, variables: &mut Variables) -> bool {
        if self.open {
            variables.insert(self.field.clone(), true.into());
            variables.insert(format!("{}After", self.field), self.after.clone().into());
        }
        self.open
    }

    /// Takes the page that was asked for; the walk is over after one that ends with something past the stretch.
    pub fn hear<T: DeserializeOwned>(
        &mut self,
        said: &mut Said,
        but: Option<&str>,
        past: impl Fn(&T) -> bool,
    ) -> Result<Page<T>> {
        if !self.open {
            return Ok(Page::default());
        }
        let page: Page<T> = said.wanted(&self.field, but)?;
        self.after = page.next();
        self.open = self.after.is_some() && !page.nodes().last().is_some_and(past);
        Ok(page)
    }
}
