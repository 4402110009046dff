//! The list of runs, from the one that beat last downwards.

use super::client::{Client, PATH, WANDB};
use super::refusals::{Refusals, is_too_much};
use super::wire::{Node, Page};
use crate::config::Config;
use crate::snapshot::{Form, Run};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::graphql::variables;
use shared::{Digester, Error, Result};
use std::collections::{BTreeMap, BTreeSet};

const DOCUMENT: &str = "query Recent($entity: String!, $project: String!, $filters: JSONString, $after: String, \
    $first: Int!, $config: Boolean!) { project(name: $project, entityName: $entity) { \
    runs(order: \"-heartbeat_at\", filters: $filters, first: $first, after: $after) { edges { cursor node { name \
    displayName sweepName state createdAt heartbeatAt systemMetrics config @include(if: $config) } } \
    pageInfo { endCursor hasNextPage } } } }";

/// Runs of a page: as many as every server takes, and as few as one that is busy still answers in time.
pub(super) const PAGE: usize = 200;
pub(super) const SMALL: usize = 50;

/// The most pages that are read of a list.
pub(super) const MOST_PAGES: usize = 2000;

#[derive(Deserialize)]
struct Listed {
    runs: Page,
}

/// A run with its name, which is needed to ask for more of it and is not kept.
pub(super) type Named = (String, Run);

/// A list that is read from its top downwards, as far as it is wanted.
pub(super) struct List<'c> {
    client: &'c Client,
    config: &'c Config,
    digester: &'c Digester,
    refusals: &'c Refusals,
    filters: Value,
    size: usize,
    /// The runs by their ids.
    pub runs: BTreeMap<String, Named>,
    pages: usize,
    after: Option<String>,
    cursors: BTreeSet<String>,
    floor: Option<Timestamp>,
    /// The newest heartbeat, and the last one of the first page.
    first_page: Option<(Timestamp, Timestamp)>,
    is_over: bool,
}

/// How many runs a page may have.
fn largest(refusals: &Refusals) -> usize {
    if refusals.has(Form::LargePage) { SMALL } else { PAGE }
}

impl<'c> List<'c> {
    /// The list of the runs that these filters let through.
    pub fn new(
        client: &'c Client,
        config: &'c Config,
        digester: &'c Digester,
        refusals: &'c Refusals,
        filters: Value,
    ) -> Self {
        Self {
            client,
            config,
            digester,
            refusals,
            filters,
            size: largest(refusals),
            runs: BTreeMap::new(),
            pages: 0,
            after: None,
            cursors: BTreeSet::new(),
            floor: None,
            first_page: None,
            is_over: false,
        }
    }

    /// With so many runs on a page, where it may be so large.
    pub fn pages_of(mut self, size: usize) -> Self {
        self.size = self.size.min(size.max(SMALL));
        self
    }

    /// From now on with pages as large as they may be.
    pub fn enlarge(&mut self) {
        self.size = largest(self.refusals);
    }

    /// Reads on until a page ends with a run that last beat before this time.
    pub async fn down_to(&mut self, time: Timestamp) -> Result<()> {
        while !self.is_over && self.floor.is_none_or(|floor| floor >= time) {
            if self.pages == MOST_PAGES {
                return Err(Error::incomplete(format!("more than {MOST_PAGES} pages of runs")));
            }
            self.page().await?;
        }
        Ok(())
    }

    /// Runs that beat while the list was read moved to its top, perhaps past the place that was being read. Where
    /// living runs fill more than a page, the top is read once more.
    pub async fn look_again(&mut self, alive_since: Timestamp) -> Result<()> {
        let Some((top, end)) = self.first_page.filter(|(_, end)| self.pages > 1 && *end >= alive_since) else {
            return Ok(());
        };
        let mut again =
            Self::new(self.client, self.config, self.digester, self.refusals, self.filters.clone()).pages_of(self.size);
        again.down_to(top.max(end)).await?;
        self.runs.append(&mut again.runs);
        Ok(())
    }

    async fn ask(&self) -> Result<Page> {
        let variables = variables([
            ("filters", json!(self.filters.to_string())),
            ("after", json!(self.after)),
            ("first", json!(self.size)),
            ("config", json!(self.config.nodes.is_some())),
        ]);
        let Listed { runs } = self.client.project(DOCUMENT, variables).await?;
        Ok(runs)
    }

    /// The next page; a smaller one where the server does not manage a large one.
    async fn next_page(&mut self) -> Result<Page> {
        match self.ask().await {
            Err(error) if self.size > SMALL && is_too_much(&error) => {
                self.size = SMALL;
                let page = self.ask().await?;
                self.refusals.learn(Form::LargePage);
                Ok(page)
            }
            answer => answer,
        }
    }

    async fn page(&mut self) -> Result<()> {
        let page = self.next_page().await?;
        self.pages += 1;
        let (next, has_more) = (page.next(), page.has_more());
        let mut top = None;
        for node in page.into_nodes() {
            if self.is_over {
                break;
            }
            self.take(&node)?;
            top = top.or(self.floor);
        }
        if let (None, Some(top), Some(end)) = (self.first_page, top, self.floor) {
            self.first_page = Some((top, end));
        }
        match next {
            None if has_more => {
                return Err(self.wrong("go on without a cursor"));
            }
            None => self.is_over = true,
            Some(next) if !self.cursors.insert(next.clone()) => {
                return Err(self.wrong("come back to where they were"));
            }
            next => self.after = next,
        }
        Ok(())
    }

    fn wrong(&self, how: &str) -> Error {
        self.client.failed(Error::decode(WANDB, format!("runs in the answer to {PATH} {how}")))
    }

    fn take(&mut self, node: &Node) -> Result<()> {
        let run = node.run(self.config, self.digester).map_err(|error| self.client.failed(error))?;
        let Some(run) = run else {
            // Those that never beat stand at one end of the list.
            self.is_over = self.floor.is_some();
            return Ok(());
        };
        if self.floor.is_some_and(|floor| run.heartbeat_at > floor) {
            return Err(self.wrong("are not in the order asked for"));
        }
        self.floor = Some(run.heartbeat_at);
        self.runs.insert(run.id.clone(), (node.name.clone(), run));
        Ok(())
    }
}
