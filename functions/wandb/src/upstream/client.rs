//! One project behind W&B's GraphQL endpoint.

use crate::config::Target;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shared::{Auth, Env, Error, Http, Result};

/// The upstream's word in errors and in counts of calls.
pub(super) const WANDB: &str = "wandb";

/// The one address.
pub(super) const PATH: &str = "/graphql";

/// What a window's quota is where an answer does not say: thousandths.
const WINDOW: f64 = 1000.0;

/// Asks about one project.
pub(super) struct Client {
    http: Http,
    pub target: Target,
}

#[derive(Deserialize)]
struct Whole {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Fault>,
}

/// An error beside or instead of data; its message may hold names and is looked at, not shown.
#[derive(Deserialize)]
#[serde(untagged)]
enum Fault {
    Object {
        #[serde(default)]
        message: String,
        #[serde(default)]
        path: Vec<Value>,
        #[serde(default)]
        extensions: Map<String, Value>,
    },
    Text(String),
}

impl Fault {
    fn error(&self, what: &str) -> Error {
        let (message, path, code) = match self {
            Self::Object { message, path, extensions } => {
                let code = extensions.get("code").and_then(Value::as_str).unwrap_or_default();
                (message.to_lowercase(), path.as_slice(), code)
            }
            Self::Text(message) => (message.to_lowercase(), [].as_slice(), ""),
        };
        let has = |part: &str| message.contains(part);
        let place: Vec<&str> = path.iter().filter_map(Value::as_str).collect();
        let code = if code.chars().all(|c| c.is_ascii_uppercase() || c == '_') { code } else { "" };
        let told = format!("an error {code} at `{}`", place.join(".")).replace("  ", " ");
        let what = format!("{what} with {told}");
        let upstream = WANDB;
        if code == "PERMISSION_ERROR" || has("permission denied") || has("not logged in") {
            Error::Auth { upstream, what: format!("{told} of an answer to {PATH}") }
        } else if has("rate limit") {
            Error::RateLimited { upstream, what }
        } else if has("not found") {
            Error::NotFound { upstream, what }
        } else {
            Error::Status { upstream, status: 200, what }
        }
    }
}

impl Client {
    pub fn new(env: &Env, url: &str, target: Target) -> Result<Self> {
        let http = Http::new(env, WANDB, url, Auth::Basic("api".to_owned(), target.key.clone()))?;
        Ok(Self { http, target })
    }

    /// Asks a question about the project; the answer is what the document selects of it.
    pub async fn project<T: DeserializeOwned>(&self, document: &str, variables: Map<String, Value>) -> Result<T> {
        let mut variables = variables;
        variables.insert("entity".to_owned(), json!(self.target.entity));
        variables.insert("project".to_owned(), json!(self.target.project));
        let mut data = self.data(document, &variables).await?;
        match data.get_mut("project").map(Value::take) {
            None => Err(self.failed(Error::decode(WANDB, format!("the answer to {PATH} lacks `project`")))),
            // What the key may not see looks as if it were not there.
            Some(Value::Null) => {
                let Target { entity, project, key, .. } = &self.target;
                let what = format!("the project {entity}/{project}, or {} may not see it", key.place());
                Err(self.failed(Error::NotFound { upstream: WANDB, what }))
            }
            Some(project) => serde_json::from_value(project).map_err(|_| {
                let what = format!("`project` in the answer to {PATH} has another shape than documented");
                self.failed(Error::decode(WANDB, what))
            }),
        }
    }

    /// Asks a question and gives the whole data.
    pub async fn data(&self, document: &str, variables: &Map<String, Value>) -> Result<Value> {
        let body = json!({ "query": document, "variables": variables });
        let answer = self.http.post_for_answer(PATH, &body).await?;
        self.note_quota(answer.headers());
        let whole: Whole = self.http.json(PATH, &answer)?;
        match (whole.errors.first(), whole.data) {
            (Some(fault), _) => Err(self.failed(fault.error(PATH))),
            (None, Some(data)) => Ok(data),
            (None, None) => Err(self.failed(Error::decode(WANDB, format!("the answer to {PATH} has no data")))),
        }
    }

    /// Counts a failure that came with an answer of success.
    pub fn failed(&self, error: Error) -> Error {
        self.http.meter().failed(WANDB, error.kind().unwrap_or("server"));
        error
    }

    fn note_quota(&self, headers: &HeaderMap) {
        // A limit may be followed by the policies that it comes from: `1000, 1000;w=60`.
        let number = |name: &str| {
            let text = headers.get(name)?.to_str().ok()?;
            text.split([',', ';']).next()?.trim().parse().ok().filter(|number: &f64| number.is_finite())
        };
        if let Some(left) = number("ratelimit-remaining") {
            self.http.meter().quota(WANDB, left, number("ratelimit-limit").unwrap_or(WINDOW));
        }
    }
}

/// Variables of a document.
pub(super) fn variables<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
