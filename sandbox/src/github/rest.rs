//! The REST API: which path is answered by what, and what answers, refusals and pages have in common.

pub mod account;
mod activity;
mod commits;
mod deployments;
mod issues;
mod pulls;
mod range;
mod repository;
mod runs;
mod shapes;

use super::views::{Repo, World};
use super::{Call, Identity, State, ids};
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What a handler says.
pub type Answer = Result<Reply, Refusal>;

/// What goes into a response's body.
#[derive(Debug)]
pub enum Content {
    /// JSON.
    Json(Value),
    /// JSON whose members keep their order, as GraphQL demands of its data.
    Written(String),
    /// Words for people.
    Text(&'static str),
    /// No body.
    Nothing,
}

/// An answer before it becomes a response.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Body.
    pub content: Content,
    /// Headers beyond those of every answer.
    pub headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// JSON with status 200.
    pub fn json(value: Value) -> Self {
        Self { status: StatusCode::OK, content: Content::Json(value), headers: Vec::new() }
    }

    /// Words.
    pub fn text(status: StatusCode, text: &'static str) -> Self {
        Self { status, content: Content::Text(text), headers: Vec::new() }
    }

    /// Adds the links to other pages.
    pub fn linked(mut self, link: Option<String>) -> Self {
        self.headers.extend(link.map(|link| ("link", link)));
        self
    }

    /// Adds the fingerprint that later requests may ask about.
    pub fn tag_itself(&mut self, method: &str) {
        if let (Content::Json(value), "GET", StatusCode::OK) = (&self.content, method, self.status) {
            let link = self.headers.iter().find(|header| header.0 == "link").map_or("", |header| &header.1);
            let digest = Sha256::digest(format!("{value}{link}").as_bytes());
            self.headers.push(("etag", format!("W/\"{}\"", ids::hex(&digest))));
            self.headers.push(("cache-control", "private, max-age=60, s-maxage=60".to_owned()));
        }
    }

    /// Whether the client says that it has this answer.
    pub fn unchanged(&self, asked: &HeaderMap) -> bool {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = self.headers.iter().find(|header| header.0 == "etag").map(|header| strong(&header.1));
        let theirs = asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        own.is_some_and(|own| theirs.is_some_and(|tags| tags.split(',').any(|tag| strong(tag) == own)))
    }

    /// The same without a body.
    pub fn into_not_modified(mut self) -> Self {
        self.headers.retain(|header| header.0 != "link");
        Self { status: StatusCode::NOT_MODIFIED, content: Content::Nothing, headers: self.headers }
    }
}

/// An error of GitHub's.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    message: String,
    page: &'static str,
    errors: Option<Value>,
}

impl Refusal {
    /// A refusal with a message.
    pub fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned(), page: "", errors: None }
    }

    /// Nothing there, or nothing that this client may know of.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not Found")
    }

    /// A parameter that does not fit.
    pub fn invalid(resource: &str, field: &str) -> Self {
        let mut refusal = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
        refusal.errors = Some(json!([{ "resource": resource, "field": field, "code": "invalid" }]));
        refusal
    }

    /// Names the page that explains it.
    pub fn documented(mut self, page: &'static str) -> Self {
        if self.page.is_empty() {
            self.page = page;
        }
        self
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        let refusal = refusal.documented("https://docs.github.com/rest");
        let mut body = json!({
            "message": refusal.message, "documentation_url": refusal.page, "status": refusal.status.as_str(),
        });
        if let Some(errors) = refusal.errors {
            body["errors"] = errors;
        }
        Self { status: refusal.status, content: Content::Json(body), headers: Vec::new() }
    }
}

/// Finds what answers a request.
pub fn route(state: &State, call: &Call, world: &World<'_>) -> Answer {
    let decoded: Vec<String> = call.path.split('/').filter(|part| !part.is_empty()).map(decode).collect();
    let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["app", "installations", id, "access_tokens"]) => account::access_token(state, call, id),
        ("GET", ["repos", owner, name, rest @ ..]) => within(call, world.repository(owner, name), rest),
        ("GET", ["repositories", id, rest @ ..]) => {
            within(call, world.repositories().find(|repo| repo.id().to_string() == **id), rest)
        }
        _ => Err(Refusal::not_found()),
    }
}

fn within(call: &Call, repo: Option<Repo<'_>>, rest: &[&str]) -> Answer {
    if call.identity == Identity::Anonymous || matches!(call.identity, Identity::App(_)) {
        return Err(Refusal::not_found().documented("https://docs.github.com/rest/repos/repos#get-a-repository"));
    }
    let found = |page: &'static str, answer: fn(&Call, Repo<'_>, &[&str]) -> Answer| {
        repo.ok_or_else(Refusal::not_found)
            .and_then(|repo| answer(call, repo, rest))
            .map_err(|refusal| refusal.documented(page))
    };
    match rest {
        [] => found("https://docs.github.com/rest/repos/repos#get-a-repository", repository::get),
        ["actions", "runs", ..] => {
            found("https://docs.github.com/rest/actions/workflow-runs#list-workflow-runs-for-a-repository", runs::route)
        }
        ["actions", "workflows", ..] => {
            found("https://docs.github.com/rest/actions/workflows#list-repository-workflows", runs::workflows)
        }
        ["actions", "runners"] => found(
            "https://docs.github.com/rest/actions/self-hosted-runners#list-self-hosted-runners-for-a-repository",
            activity::runners,
        ),
        ["activity"] => found("https://docs.github.com/rest/repos/repos#list-repository-activities", activity::list),
        ["rulesets", "rule-suites"] => {
            found("https://docs.github.com/rest/repos/rule-suites#list-repository-rule-suites", activity::rule_suites)
        }
        ["commits", ..] => found("https://docs.github.com/rest/commits/commits#list-commits", commits::route),
        ["compare", ..] => found("https://docs.github.com/rest/commits/commits#compare-two-commits", commits::compare),
        ["branches", _, ..] => found("https://docs.github.com/rest/branches/branches#get-a-branch", repository::branch),
        ["pulls", ..] => found("https://docs.github.com/rest/pulls/pulls#list-pull-requests", pulls::route),
        ["issues"] => found("https://docs.github.com/rest/issues/issues#list-repository-issues", issues::list),
        ["deployments"] => {
            found("https://docs.github.com/rest/deployments/deployments#list-deployments", deployments::list)
        }
        _ => Err(Refusal::not_found()),
    }
}

impl Call {
    /// Refuses filters and orders that the sandbox does not know: to pass over one would answer another question.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        match self.query.iter().find(|pair| !known.contains(&pair.0.as_str())) {
            None => Ok(()),
            Some((other, _)) => {
                let message = format!("The sandbox knows no parameter `{other}` here");
                Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, &message))
            }
        }
    }

    /// The last value of a parameter, if there is one that is not empty.
    pub fn value(&self, name: &str) -> Option<&str> {
        let values = self.query.iter().rev().filter(|pair| pair.0 == name);
        values.map(|pair| pair.1.as_str()).find(|value| !value.is_empty())
    }

    /// A parameter of a closed set; anything else is refused.
    pub fn choice<'a>(
        &'a self,
        resource: &str,
        name: &str,
        all: &[&str],
        default: &'a str,
    ) -> Result<&'a str, Refusal> {
        let value = self.value(name).unwrap_or(default);
        if all.contains(&value) { Ok(value) } else { Err(Refusal::invalid(resource, name)) }
    }

    /// A parameter that is an instant.
    pub fn instant(&self, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.value(name) else {
            return Ok(None);
        };
        let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
        let midnight = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|day| day.timestamp());
        let instant = midnight.or_else(|| text.replace(' ', "+").parse().ok());
        instant.map(Some).ok_or_else(|| {
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("Invalid value for parameter `{name}`: {text}"))
        })
    }

    /// Which page is asked for.
    pub fn page(&self, most: usize) -> (usize, usize) {
        let number = |name| self.value(name).and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
        (number("per_page").unwrap_or(30).min(most), number("page").unwrap_or(1))
    }

    /// Cuts a page out of a list and links to the others; `reach` is the end of what paging can get at.
    pub fn cut<T>(&self, repo: Option<Repo<'_>>, items: Vec<T>, most: usize, reach: usize) -> (Vec<T>, Option<String>) {
        self.cut_by(repo, items, self.page(most).0, reach)
    }

    /// The same with pages of a size of their own.
    pub fn cut_by<T>(
        &self,
        repo: Option<Repo<'_>>,
        items: Vec<T>,
        size: usize,
        reach: usize,
    ) -> (Vec<T>, Option<String>) {
        let page = self.page(100).1;
        let total = items.len().min(reach);
        let last = total.div_ceil(size).max(1);
        let link = self.links(repo, page, last);
        let start = size.saturating_mul(page - 1);
        (items.into_iter().take(total).skip(start).take(size).collect(), link)
    }

    fn links(&self, repo: Option<Repo<'_>>, page: usize, last: usize) -> Option<String> {
        let link =
            |to: usize, rel: &str| format!("<{}>; rel=\"{rel}\"", self.address(repo, &[("page", &to.to_string())]));
        let mut links = Vec::new();
        if page > 1 {
            links.push(link((page - 1).min(last), "prev"));
        }
        if page < last {
            links.push(link(page + 1, "next"));
            links.push(link(last, "last"));
        }
        if page > 1 {
            links.push(link(1, "first"));
        }
        (!links.is_empty()).then(|| links.join(", "))
    }

    /// This request's own address with other parameters; GitHub names repositories by id in such links.
    pub fn address(&self, repo: Option<Repo<'_>>, set: &[(&str, &str)]) -> String {
        let path = match (repo, self.path.strip_prefix("/repos/")) {
            (Some(repo), Some(rest)) => {
                let tail = rest.splitn(3, '/').nth(2).unwrap_or_default();
                format!("/repositories/{}/{tail}", repo.id())
            }
            _ => self.path.clone(),
        };
        let replaced = |name: &str| set.iter().any(|pair| pair.0 == name);
        let kept = self.query.iter().filter(|pair| !replaced(&pair.0)).map(|pair| (pair.0.as_str(), pair.1.as_str()));
        let pairs: Vec<_> =
            kept.chain(set.iter().copied()).map(|(name, value)| format!("{name}={}", encode(value))).collect();
        format!("{}{path}?{}", self.base, pairs.join("&"))
    }
}

/// The parameters of a query string.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (form(name), form(value)))
        .collect()
}

fn form(text: &str) -> String {
    decode(&text.replace('+', " "))
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        if let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Escapes a value for a query string.
pub fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
