//! One merged pull request: its lists read to their end, and what of it the formulas see.

use super::client::Client;
use super::graph::{self, Count, Page, Variables};
use crate::config::Config;
use crate::snapshot::MergedPull;
use crate::titles;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{Digester, Error, Result};

/// More pages than the lists of any pull request have: GitHub ends the files at 3,000.
const PAGES: usize = 50;

/// A merged pull request as GraphQL shows it. Its texts are read here and go no further.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Merged {
    pub number: u64,
    created_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(rename = "mergedAt")]
    pub at: Timestamp,
    base_ref_name: String,
    title: String,
    body: Option<String>,
    author: Option<Who>,
    pub merge_commit: Option<Oid>,
    labels: Option<Page<Name>>,
    reviews: Option<Page<Review>>,
    comments: Option<Page<Comment>>,
    timeline_items: Option<Page<Ready>>,
    files: Option<Page<File>>,
    /// Its files, digested, where they were read before.
    #[serde(skip)]
    known_files: Option<Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Oid {
    pub oid: String,
}

#[derive(Deserialize)]
struct Who {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    author: Option<Who>,
    state: String,
    submitted_at: Option<Timestamp>,
    body: String,
    comments: Count,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Comment {
    author: Option<Who>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ready {
    created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct File {
    path: String,
}

impl Merged {
    /// With files that were read before, so that no further page of them is asked.
    pub fn with_known_files(mut self, files: Option<Vec<String>>) -> Self {
        self.known_files = files;
        self
    }

    /// Adds the next pages of its unfinished lists to the variables.
    fn ask(&self, variables: &mut Variables) {
        let files = self.files.as_ref().filter(|_| self.known_files.is_none());
        let lists = [
            ("labels", self.labels.as_ref().and_then(Page::next)),
            ("reviews", self.reviews.as_ref().and_then(Page::next)),
            ("comments", self.comments.as_ref().and_then(Page::next)),
            ("files", files.and_then(Page::next)),
        ];
        for (name, next) in lists {
            if let Some(next) = next {
                variables.insert(name.to_owned(), true.into());
                variables.insert(format!("{name}After"), next.into());
            }
        }
    }

    fn hear(&mut self, mut said: Map<String, Value>) -> Result<()> {
        extend(&mut self.labels, &mut said, "labels")?;
        extend(&mut self.reviews, &mut said, "reviews")?;
        extend(&mut self.comments, &mut said, "comments")?;
        extend(&mut self.files, &mut said, "files")
    }
}

fn extend<T: serde::de::DeserializeOwned>(
    list: &mut Option<Page<T>>,
    said: &mut Map<String, Value>,
    name: &str,
) -> Result<()> {
    let Some(value) = said.remove(name).filter(|value| !value.is_null()) else { return Ok(()) };
    let page = serde_json::from_value(value).map_err(|_| {
        Error::decode(
            super::client::GITHUB,
            format!("{name} in the answer to /graphql has another shape than documented"),
        )
    })?;
    list.get_or_insert_default().extend(page);
    Ok(())
}

/// Reads the lists of a pull request to their end.
pub(super) async fn complete(client: &Client, repo: &str, mut pull: Merged) -> Result<Merged> {
    for _ in 0..PAGES {
        let mut variables = Variables::new();
        pull.ask(&mut variables);
        if variables.is_empty() {
            return Ok(pull);
        }
        let asked: Vec<String> = variables.keys().filter(|name| !name.ends_with("After")).cloned().collect();
        variables.insert("number".to_owned(), pull.number.into());
        let said = graph::rest(client, repo, variables).await?;
        if asked.iter().any(|name| said.get(name).is_none_or(Value::is_null)) {
            break;
        }
        pull.hear(said)?;
    }
    Err(Error::incomplete("the lists of a pull request"))
}

/// How the texts of pull requests are read.
pub(super) struct Reading<'r> {
    /// The configured words.
    pub config: &'r Config,
    /// Replaces paths and people.
    pub digester: &'r Digester,
    /// The branch that counts.
    pub branch: &'r str,
}

impl Reading<'_> {
    /// What the formulas see of a pull request whose lists are complete.
    pub fn merged(&self, pull: &Merged) -> MergedPull {
        let others = self.others(pull);
        let ready = pull.timeline_items.iter().flat_map(Page::nodes).filter_map(|event| event.created_at);
        let labelled = |words: &[String]| labels(pull).any(|label| words.contains(&label));
        let files = pull.files.as_ref().filter(|files| files.next().is_none());
        let digest = |files: &Page<File>| files.nodes().map(|file| self.digester.of(&file.path)).collect();
        MergedPull {
            number: pull.number,
            created_at: pull.created_at,
            merged_at: pull.at,
            // A pull request becomes ready only after having been a draft.
            live_since: ready.max().unwrap_or(pull.created_at),
            into_branch: pull.base_ref_name == self.branch,
            comments: others.iter().map(|(comments, _)| comments).sum(),
            first_review: others.iter().filter_map(|(_, at)| *at).min(),
            hotfix: titles::is_hotfix(&pull.title) || labelled(&self.config.hotfix),
            revert: titles::is_revert(&pull.title, pull.body.as_deref().unwrap_or_default())
                || labelled(&self.config.revert),
            files: pull.known_files.clone().or_else(|| files.map(digest)),
        }
    }

    /// Whether it reached the branch around its rules, by a label.
    pub fn is_forced(&self, pull: &Merged) -> bool {
        pull.base_ref_name == self.branch && labels(pull).any(|label| self.config.force.contains(&label))
    }

    /// The number of comments and the time of each review and comment of a human other than the author.
    ///
    /// The API gives no author for a deleted account. It is nobody's bot, and the author only of what has no author
    /// itself.
    fn others(&self, pull: &Merged) -> Vec<(u64, Option<Timestamp>)> {
        let login = |who: &Option<Who>| who.as_ref().map(|who| who.login.to_lowercase());
        let author = login(&pull.author);
        let counts = |who: &Option<Who>| {
            let bot = who.as_ref().is_some_and(|who| self.config.is_bot(&who.kind, &who.login));
            !bot && login(who) != author
        };
        let reviews = pull.reviews.iter().flat_map(Page::nodes);
        let reviews = reviews.filter(|review| review.state != "PENDING" && counts(&review.author)).map(|review| {
            let text = u64::from(!review.body.trim().is_empty());
            (review.comments.total_count + text, review.submitted_at)
        });
        let comments = pull.comments.iter().flat_map(Page::nodes);
        let comments = comments.filter(|comment| counts(&comment.author)).map(|comment| (1, Some(comment.created_at)));
        reviews.chain(comments).collect()
    }
}

/// Labels in lower case.
fn labels(pull: &Merged) -> impl Iterator<Item = String> {
    pull.labels.iter().flat_map(Page::nodes).map(|label| label.name.to_lowercase())
}
