//! One project behind W&B's GraphQL endpoint.

use crate::config::{Config, Target};
use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use shared::graphql::{self, Response, Variables};
use shared::{Auth, Env, Error, Http, Result};

/// The upstream's word in errors and in counts of calls.
pub(super) const WANDB: &str = "wandb";

/// The one address.
pub(super) const PATH: &str = "/graphql";

/// What a window's quota is where an answer does not say: thousandths.
const WINDOW: f64 = 1000.0;

/// Asks about one project.
pub(crate) struct Client {
    http: Http,
    pub target: Target,
}

impl Client {
    pub fn new(env: &Env, config: &Config, target: Target) -> Result<Self> {
        let auth = Auth::Basic("api".to_owned(), target.key.clone());
        let http = Http::new(env, WANDB, config.url.as_str(), auth)?.from_variable(config.url_variable);
        Ok(Self { http, target })
    }

    /// Asks a question about the project; the answer is what the document selects of it.
    pub async fn project<T: DeserializeOwned>(&self, document: &str, mut variables: Variables) -> Result<T> {
        variables.insert("entity".to_owned(), json!(self.target.entity));
        variables.insert("project".to_owned(), json!(self.target.project));
        let mut data = self.data(document, &variables).await?;
        if !data.contains_key("project") {
            return Err(self.failed(Error::decode(WANDB, format!("the answer to {PATH} lacks `project`"))));
        }
        let project = graphql::take(&mut data, "project", WANDB, PATH).map_err(|error| self.failed(error))?;
        // What the key may not see looks as if it were not there.
        project.ok_or_else(|| {
            let Target { entity, project, key, .. } = &self.target;
            let what = format!("the project {entity}/{project}, or {} may not see it", key.place());
            self.failed(Error::NotFound { upstream: WANDB, what })
        })
    }

    /// Asks a question and gives the whole data.
    pub async fn data(&self, document: &str, variables: &Variables) -> Result<Map<String, Value>> {
        let answer = self.http.post(PATH, &graphql::body(document, variables)).await?;
        self.note_quota(answer.headers());
        let response: Response<_> = self.http.json(PATH, &answer)?;
        response.whole(WANDB, PATH).map_err(|error| self.failed(error))
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
