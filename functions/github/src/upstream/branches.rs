//! Branches: pages of their list, side by side from places remembered from the last time.

use super::graph::{Count, PageInfo, Said, Variables};
use super::rounds::Query;
use crate::snapshot::Branch;
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// The pages that one document can ask for.
const PAGES: usize = 32;

/// A page holds 100; places are remembered closer together, so that a page still reaches into the next one after some
/// branches were added.
const SPACING: usize = 80;

/// Reads all branches, until there are as many as GitHub counts.
pub(super) struct Branches {
    /// Places behind which pages are still to be asked.
    pending: Vec<Option<String>>,
    pages: Vec<Asked>,
    found: BTreeMap<String, Found>,
    count: u64,
    retried: bool,
    done: bool,
}

struct Found {
    branch: Option<Branch>,
    cursor: String,
}

struct Asked {
    after: Option<String>,
    names: Vec<String>,
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refs {
    total_count: u64,
    page_info: PageInfo,
    edges: Vec<Option<Edge>>,
}

#[derive(Deserialize)]
struct Edge {
    cursor: String,
    node: Option<Node>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    name: String,
    target: Option<Tip>,
    associated_pull_requests: Count,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tip {
    committed_date: Option<Timestamp>,
}

impl Branches {
    /// Reads from the beginning and from each of these places at once.
    pub fn new(cursors: &[String]) -> Self {
        Self {
            pending: pending(cursors),
            pages: Vec::new(),
            found: BTreeMap::new(),
            count: 0,
            retried: false,
            done: false,
        }
    }

    /// The branches but the one that counts, and places to continue from the next time.
    pub fn finish(self, branch: &str) -> (Vec<Branch>, Vec<String>) {
        let cursors = cursors(&self.found);
        let others = self.found.into_iter().filter(|(name, _)| name != branch);
        let mut branches: Vec<Branch> = others.filter_map(|(_, found)| found.branch).collect();
        branches.sort_by_key(|branch| (branch.committed_at, branch.has_open_pull));
        (branches, cursors)
    }

    fn take(&mut self, after: Option<String>, refs: Refs) {
        self.count = refs.total_count;
        let mut names = Vec::new();
        for edge in refs.edges.into_iter().flatten() {
            let Some(node) = edge.node else { continue };
            let has_open_pull = node.associated_pull_requests.total_count > 0;
            let committed_at = node.target.and_then(|tip| tip.committed_date);
            let branch = committed_at.map(|committed_at| Branch { committed_at, has_open_pull });
            names.push(node.name.clone());
            self.found.insert(node.name, Found { branch, cursor: edge.cursor });
        }
        let next = refs.page_info.end_cursor.filter(|_| refs.page_info.has_next_page);
        self.pages.push(Asked { after, names, next });
    }

    /// Decides what is still to be asked once all pages of a round are there.
    fn settle(&mut self) -> Result<()> {
        if !self.pending.is_empty() {
            return Ok(());
        }
        if self.found.len() as u64 == self.count {
            self.done = true;
            return Ok(());
        }
        self.pending = self.open_ends();
        if !self.pending.is_empty() {
            return Ok(());
        }
        if self.retried {
            return Err(Error::incomplete(format!("{} branches of {}", self.found.len(), self.count)));
        }
        // A branch came or went between two rounds: all pages in one round leave no room for that.
        self.retried = true;
        self.pending = pending(&cursors(&self.found));
        self.found.clear();
        self.pages.clear();
        Ok(())
    }

    /// The ends of pages that no other page continues.
    fn open_ends(&self) -> Vec<Option<String>> {
        let begun: BTreeSet<&String> = self.pages.iter().filter_map(|page| page.after.as_ref()).collect();
        let inside: BTreeSet<&String> =
            self.pages.iter().flat_map(|page| page.names.split_last().map_or(&[][..], |(_, rest)| rest)).collect();
        let open = self.pages.iter().filter(|page| page.names.last().is_none_or(|last| !inside.contains(last)));
        open.filter_map(|page| page.next.as_ref()).filter(|next| !begun.contains(next)).cloned().map(Some).collect()
    }
}

fn pending(cursors: &[String]) -> Vec<Option<String>> {
    std::iter::once(None).chain(cursors.iter().cloned().map(Some)).collect()
}

fn cursors(found: &BTreeMap<String, Found>) -> Vec<String> {
    found.values().skip(SPACING - 1).step_by(SPACING).map(|found| found.cursor.clone()).collect()
}

impl Query for Branches {
    fn owns(&self, field: &str) -> bool {
        field.strip_prefix('b').is_some_and(|number| number.parse::<usize>().is_ok())
    }

    fn ask(&self, variables: &mut Variables) -> bool {
        for (at, after) in self.pending.iter().take(PAGES).enumerate() {
            variables.insert(format!("b{at}"), true.into());
            variables.insert(format!("b{at}After"), after.clone().into());
        }
        !self.done
    }

    fn hear(&mut self, said: &mut Said) -> Result<()> {
        let asked: Vec<Option<String>> = self.pending.drain(..self.pending.len().min(PAGES)).collect();
        for (at, after) in asked.into_iter().enumerate() {
            let refs = said.wanted(&format!("b{at}"), None)?;
            self.take(after, refs);
        }
        self.settle()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World};

    fn names(count: i64) -> Vec<(String, i64)> {
        (0..count).map(|number| (format!("b{number:05}"), number)).collect()
    }

    #[tokio::test]
    async fn two_thousand_branches_are_continued_in_one_round() {
        let stage = Stage::new(World { branches: names(2000), ..World::default() }, &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        assert_eq!(last.snapshot.branches.as_ref().map(Vec::len), Some(2000));
        {
            let mut world = stage.world();
            world.branches.retain(|(name, _)| !name.ends_with("77"));
            world.branches.extend((0..15).map(|number| (format!("b00500-{number}"), 1)));
        }
        let before = stage.calls();
        let next = stage.fetch(15, Some(&last)).await.0.unwrap();
        let rounds = stage.fake.seen()[before..].iter().filter(|seen| seen.path == "/graphql").count();
        assert_eq!((next.snapshot.branches.map(|branches| branches.len()), rounds), (Some(1995), 1));
    }

    #[tokio::test]
    async fn more_new_branches_than_a_page_has_room_for_take_another_round() {
        let stage = Stage::new(World { branches: names(300), ..World::default() }, &[]).await;
        let last = stage.fetch(0, None).await.0.unwrap();
        stage.world().branches.extend((0..150).map(|number| (format!("b00100-{number:03}"), 1)));
        let next = stage.fetch(15, Some(&last)).await.0.unwrap();
        assert_eq!(next.snapshot.branches.map(|branches| branches.len()), Some(450));
    }

    #[tokio::test]
    async fn the_branch_that_counts_is_not_among_them() {
        let stage = Stage::new(World { branches: vec![("master".into(), 3)], ..World::default() }, &[]).await;
        let branches = stage.fetch(0, None).await.0.unwrap().snapshot.branches.unwrap();
        assert_eq!(branches.len(), 1);
    }
}
