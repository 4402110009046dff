//! The client: octocrab over the shared connection, so that its calls are retried, limited in time and counted.

use super::transport::Transport;
use crate::config::{Config, Credentials, app_key};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use octocrab::auth::AppAuth;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use shared::http::{Answer, next_link};
use shared::{Auth, Env, Error, Http, Result};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

/// The upstream's word in messages and counts.
pub(crate) const GITHUB: &str = "github";

/// The most pages of a list that are followed by their links.
const PAGES: usize = 100;

/// The most redirects that are followed: GitHub answers so where a repository was renamed.
const HOPS: usize = 3;

/// Asks GitHub as configured.
pub(crate) struct Client {
    transport: Transport,
    credentials: Credentials,
    crab: RwLock<Arc<Octocrab>>,
    /// Held while an App's token is fetched or a refused secret is read again, so that side by side calls do it once.
    renewal: tokio::sync::Mutex<()>,
}

impl Client {
    /// A client with the configured credentials; asks nothing yet.
    pub fn new(env: &Env, config: &Config) -> Result<Self> {
        let http = Http::new(env, GITHUB, &config.url, Auth::Bearer(config.credentials.secret().clone()))?;
        let transport = Transport { http, base: config.url.clone(), graphql: config.graphql_url.clone() };
        let crab = build(&transport, &config.credentials)?;
        Ok(Self {
            transport,
            credentials: config.credentials.clone(),
            crab: RwLock::new(crab),
            renewal: tokio::sync::Mutex::default(),
        })
    }

    /// What is left of a quota, `github_rest` or `github_graphql`, if an answer of this run said so.
    pub fn left(&self, quota: &'static str) -> Option<f64> {
        self.transport.http.meter().quota_left(quota)
    }

    /// Reads JSON from a path.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.page(path).await.map(|(value, _)| value)
    }

    /// Reads all pages of a list, from the first on along the links.
    pub async fn all<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>> {
        let (first, mut next) = self.page(path).await?;
        let mut pages = vec![first];
        while let Some(path) = next {
            if pages.len() == PAGES {
                return Err(Error::incomplete(format!("{} has more than {PAGES} pages", shown(&path))));
            }
            let page;
            (page, next) = self.page(&path).await?;
            pages.push(page);
        }
        Ok(pages)
    }

    /// Reads JSON from a path, with the path of the next page where there is one.
    pub async fn page<T: DeserializeOwned>(&self, path: &str) -> Result<(T, Option<String>)> {
        let answer = self.send(path, None).await?;
        let next = next_link(answer.headers()).and_then(|address| self.transport.below(&address));
        Ok((self.transport.http.json(path, &answer)?, next))
    }

    /// Asks the GraphQL API; the answer may hold errors beside the data.
    pub async fn graphql<T: DeserializeOwned>(&self, body: &Value) -> Result<T> {
        let answer = self.send("/graphql", Some(body)).await?;
        self.transport.http.json("/graphql", &answer)
    }

    /// Notes what GraphQL says is left of its quota.
    pub fn graphql_left(&self, left: f64, limit: f64) {
        self.transport.http.meter().quota("github_graphql", left, limit);
    }

    /// Sends a request; one that only reads follows a repository to its new name.
    async fn send(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut place = path.to_owned();
        let mut answer = self.renewing(&place, body).await;
        for _ in 0..HOPS {
            let moved = answer.as_ref().ok().filter(|_| body.is_none()).and_then(|answer| self.transport.moved(answer));
            let Some(moved) = moved else { break };
            place = moved;
            answer = self.renewing(&place, body).await;
        }
        self.judge(&place, answer)
    }

    /// Sends a request, once more with the secret of now where the first is refused.
    async fn renewing(&self, path: &str, body: Option<&Value>) -> Result<Answer> {
        let crab = self.crab();
        let first = self.ask(&crab, path, body).await;
        let refused = match &first {
            Ok(answer) => answer.status() == StatusCode::UNAUTHORIZED,
            Err(error) => matches!(error, Error::Auth { .. }),
        };
        if refused && let Some(renewed) = self.renew(&crab).await? {
            tracing::info!(
                upstream = GITHUB,
                secret = self.credentials.secret().name(),
                "credentials renewed after a refusal"
            );
            return self.ask(&renewed, path, body).await;
        }
        first
    }

    fn judge(&self, path: &str, answer: Result<Answer>) -> Result<Answer> {
        let answer = answer.inspect_err(|error| {
            // Refusals of an App's key come without an answer that the connection could count.
            if matches!(error, Error::Auth { .. }) {
                self.transport.http.meter().failed(GITHUB, "auth");
            }
        })?;
        // A secondary limit may come without any header that says so.
        let says_limit = |body: &Bytes| String::from_utf8_lossy(body).to_lowercase().contains("rate limit");
        if answer.status() == StatusCode::FORBIDDEN && says_limit(answer.body()) {
            self.transport.http.meter().failed(GITHUB, "rate_limited");
            return Err(Error::RateLimited { upstream: GITHUB, what: format!("403 to {}", shown(path)) });
        }
        self.transport.http.judge(shown(path), answer)
    }

    fn crab(&self) -> Arc<Octocrab> {
        Arc::clone(&self.crab.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Fetches the token of an App's installation once, before calls side by side would each do it.
    async fn sign_in(&self, crab: &Octocrab) -> Result<()> {
        if matches!(self.credentials, Credentials::App { .. }) {
            let _guard = self.renewal.lock().await;
            crab.installation_token()
                .await
                .map_err(|error| failure(error, "the App's request for a token", &self.credentials))?;
        }
        Ok(())
    }

    async fn ask(&self, crab: &Octocrab, path: &str, body: Option<&Value>) -> Result<Answer> {
        self.sign_in(crab).await?;
        let uri: Uri =
            path.parse().map_err(|_| Error::decode(GITHUB, format!("a link that is no address: {}", shown(path))))?;
        let answer = match body {
            None => crab._get(uri).await,
            Some(body) => crab._post(uri, Some(body)).await,
        };
        let (parts, body) = answer.map_err(|error| failure(error, shown(path), &self.credentials))?.into_parts();
        let body = body.collect().await.map_err(|error| failure(error, shown(path), &self.credentials))?.to_bytes();
        Ok(Response::from_parts(parts, body))
    }

    /// Another octocrab with the secret as it is now; none where it is still the one that was refused.
    async fn renew(&self, refused: &Arc<Octocrab>) -> Result<Option<Arc<Octocrab>>> {
        let _guard = self.renewal.lock().await;
        let now = self.crab();
        if !Arc::ptr_eq(&now, refused) {
            return Ok(Some(now));
        }
        let secret = self.credentials.secret();
        if !secret.is_renewed(&secret.expose(), Instant::now()).await {
            return Ok(None);
        }
        let fresh = build(&self.transport, &self.credentials)?;
        *self.crab.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&fresh);
        Ok(Some(fresh))
    }
}

/// A path without its query.
fn shown(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// Octocrab says "GitHub" or a back-trace; ours says who refused what.
fn failure(error: octocrab::Error, what: &str, credentials: &Credentials) -> Error {
    let place = credentials.secret().place();
    match error {
        octocrab::Error::Service { source, .. } => match source.downcast::<Error>() {
            Ok(error) => *error,
            Err(source) => Error::Network { upstream: GITHUB, what: what.to_owned(), source },
        },
        octocrab::Error::GitHub { source, .. } => match source.status_code.as_u16() {
            401 | 403 | 404 => {
                let status = source.status_code.as_u16();
                Error::Auth {
                    upstream: GITHUB,
                    what: format!("{status} to the App's request for a token with {place} and GITHUB_APP_INSTALLATION"),
                }
            }
            status => Error::Status { upstream: GITHUB, status, what: "the App's request for a token".to_owned() },
        },
        octocrab::Error::JWT { .. } => {
            Error::config(credentials.secret().name(), "no token can be signed with this key")
        }
        octocrab::Error::Json { .. } | octocrab::Error::Serde { .. } => {
            Error::decode(GITHUB, format!("the answer to {what} has another shape than documented"))
        }
        other => Error::Network { upstream: GITHUB, what: what.to_owned(), source: Box::new(other) },
    }
}

fn build(transport: &Transport, credentials: &Credentials) -> Result<Arc<Octocrab>> {
    let accept = (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
    let auth = match credentials {
        Credentials::Token(token) => AuthState::AccessToken { token: token.expose().into() },
        Credentials::App { id, key, .. } => AuthState::App(AppAuth { app_id: (*id).into(), key: app_key(key)? }),
    };
    let crab = OctocrabBuilder::new_empty()
        .with_service(transport.clone())
        .with_layer(&ExtraHeadersLayer::new(Arc::new(vec![accept])))
        .with_auth(auth)
        .build()
        .unwrap_or_else(|never| match never {});
    match credentials {
        Credentials::Token(_) => Ok(Arc::new(crab)),
        Credentials::App { installation, .. } => {
            let crab = crab.installation((*installation).into());
            Ok(Arc::new(crab.map_err(|error| failure(error, "/app", credentials))?))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{Fake, Reply};
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn client(vars: &[(&str, &str)]) -> Client {
        let env = Env::of([("GITHUB_REPOS", "acme/web")].into_iter().chain(vars.iter().copied()));
        Client::new(&env, &Config::read(&env).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_refused_token_is_read_again_once_even_by_calls_side_by_side() {
        let reads = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&reads);
        let vault = Fake::start(move |_, _| {
            let token = if count.fetch_add(1, Ordering::SeqCst) == 0 { "old" } else { "new" };
            Reply::json(200, &json!({ "Name": "s", "SecretString": json!({ "GITHUB_TOKEN": token }).to_string() }))
        });
        let vault = vault.await;
        let github = Fake::start(|_, seen| match seen.headers["authorization"].as_str() {
            "Bearer new" => Reply::json(200, &json!([seen.headers["accept"], seen.headers["x-github-api-version"]])),
            _ => Reply::status(401),
        });
        let github = github.await;
        let vars = [
            ("GITHUB_REPOS", "acme/web"),
            ("GITHUB_URL", github.url()),
            ("SECRET_ARN", "s"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", vault.url()),
        ];
        let env = Env::load(vars.map(|(key, value)| (key.to_owned(), value.to_owned()))).await.unwrap();
        let client = Client::new(&env, &Config::read(&env).unwrap()).unwrap();
        let answers = futures::future::join_all((0..4).map(|_| client.get::<Vec<String>>("/a"))).await;
        for answer in answers {
            assert_eq!(answer.unwrap(), ["application/vnd.github+json", "2022-11-28"]);
        }
        assert_eq!((reads.load(Ordering::SeqCst), env.meter().take().calls["github"]), (2, 8));
    }

    #[tokio::test]
    async fn refusals_name_the_place_of_the_secret_and_never_its_value() {
        for (status, body, kind) in [
            (401, json!({ "message": "Bad credentials" }), "auth"),
            (403, json!({ "message": "Resource not accessible by personal access token" }), "auth"),
            (403, json!({ "message": "You have exceeded a secondary rate limit." }), "rate_limited"),
            (404, json!({ "message": "Not Found" }), "not_found"),
        ] {
            let fake = Fake::start(move |_, _| Reply::json(status, &body)).await;
            let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "s3cr3t")]);
            let error = client.get::<Value>("/repos/acme/web?q=1").await.unwrap_err();
            let text = error.with_causes();
            assert_eq!(error.kind(), Some(kind), "{text}");
            assert!(!text.contains("s3cr3t") && !text.contains("q=1") && text.contains("/repos/acme/web"), "{text}");
            assert_eq!(text.contains("GITHUB_TOKEN"), kind == "auth", "{text}");
            assert_eq!(fake.seen().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_limit_with_a_pause_is_waited_for_and_a_broken_answer_is_no_answer() {
        let fake = Fake::start(|number, _| match number {
            0 => Reply::status(403).header("retry-after", "0"),
            1 => Reply::status(502),
            _ => Reply::Answer(
                200,
                vec![("x-ratelimit-remaining", "7".into()), ("x-ratelimit-resource", "core".into())],
                b"[1".to_vec(),
            ),
        });
        let fake = fake.await;
        let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "t")]);
        let error = client.get::<Value>("/a").await.unwrap_err();
        assert_eq!((error.kind(), fake.seen().len(), client.left("github_rest")), (Some("decode"), 3, Some(7.0)));
    }

    #[tokio::test]
    async fn links_are_followed_below_the_base_and_nowhere_else() {
        let elsewhere = Fake::start(|_, _| Reply::status(500)).await;
        let url = elsewhere.url().to_owned();
        let fake = Fake::start(move |number, _| {
            let page = Reply::json(200, &json!([number]));
            if number < 2 { page.header("link", &format!("<{url}/b?page={}>; rel=\"next\"", number + 2)) } else { page }
        });
        let fake = fake.await;
        let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "t")]);
        assert_eq!(client.all::<Vec<u64>>("/a").await.unwrap(), [[0], [1], [2]]);
        let paths: Vec<String> = fake.seen().into_iter().map(|seen| seen.path).collect();
        assert_eq!((paths, elsewhere.seen().len()), (vec!["/a".into(), "/b?page=2".into(), "/b?page=3".into()], 0));
    }

    #[tokio::test]
    async fn a_redirect_below_the_base_is_followed_with_our_credentials_and_at_most_three_times() {
        for status in [301, 302, 307, 308] {
            let fake = Fake::start(move |_, seen| {
                let base = format!("http://{}", seen.headers["host"]);
                match seen.path.as_str() {
                    "/repos/acme/web?q=1" => Reply::status(status).header("location", &format!("{base}/second")),
                    "/second" => Reply::status(status).header("location", "/third"),
                    "/third" | "/fourth" => Reply::status(status).header("location", &format!("{base}/last")),
                    "/first" => Reply::status(status).header("location", "/repos/acme/web?q=1"),
                    _ => Reply::json(200, &json!(seen.headers["authorization"])),
                }
            });
            let fake = fake.await;
            let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "t")]);
            assert_eq!(client.get::<String>("/repos/acme/web?q=1").await.unwrap(), "Bearer t");
            assert_eq!(fake.seen().len(), 4);
            let error = client.get::<String>("/first").await.unwrap_err();
            assert!(matches!(error, Error::Redirect { .. }) && fake.seen().len() == 8, "{error}");
        }
    }

    #[tokio::test]
    async fn a_redirect_to_another_place_is_an_error_that_names_it_and_nothing_is_sent_there() {
        let elsewhere = Fake::start(|_, _| Reply::json(200, &json!("here"))).await;
        let port = elsewhere.url().rsplit(':').next().unwrap().to_owned();
        let base = |seen: &shared::testing::Seen| format!("http://{}", seen.headers["host"]);
        let table = [
            (format!("http://localhost:{port}/a"), "localhost"),
            (format!("{}/a", elsewhere.url()), "127.0.0.1"),
            (format!("//localhost:{port}/a"), "another place"),
            ("https://sso.example.com/login?return_to=a".to_owned(), "sso.example.com"),
        ];
        for (location, host) in table {
            let fake = Fake::start(move |_, _| Reply::status(302).header("location", &location)).await;
            let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "t")]);
            let error = client.get::<String>("/a").await.unwrap_err();
            let text = error.with_causes();
            assert!(matches!(error, Error::Redirect { .. }), "{text}");
            assert!(text.contains(host) && text.contains("GITHUB_URL") && !text.contains("return_to"), "{text}");
            assert_eq!((fake.seen().len(), elsewhere.seen().len()), (1, 0));
        }
        // What is sent is never sent again to another place, be it ours; nor is what only begins like our address ours.
        let fake = Fake::start(move |_, seen| match seen.path.as_str() {
            "/graphql" => Reply::status(307).header("location", "/b"),
            _ => Reply::status(301).header("location", &format!("{}9/b", base(seen))),
        });
        let fake = fake.await;
        let client = client(&[("GITHUB_URL", fake.url()), ("GITHUB_TOKEN", "t")]);
        assert!(matches!(client.graphql::<Value>(&json!({})).await, Err(Error::Redirect { .. })));
        assert!(matches!(client.get::<Value>("/a").await, Err(Error::Redirect { .. })));
        assert_eq!(fake.seen().len(), 2);
    }

    #[tokio::test]
    async fn what_is_left_of_a_quota_is_told_with_its_limit_and_for_the_target_that_is_asked_for() {
        let fake = Fake::start(|_, seen| {
            let (resource, left) = if seen.path == "/graphql" { ("graphql", "1000") } else { ("core", "4000") };
            let answer = Reply::json(200, &json!([])).header("x-ratelimit-remaining", left);
            answer.header("x-ratelimit-limit", "5000").header("x-ratelimit-resource", resource)
        });
        let fake = fake.await;
        let env = Env::of([("GITHUB_REPOS", "acme/web"), ("GITHUB_TOKEN", "t"), ("GITHUB_URL", fake.url())]);
        let client = Client::new(&env, &Config::read(&env).unwrap()).unwrap();
        let asks = async {
            client.get::<Value>("/a").await.unwrap();
            client.graphql::<Value>(&json!({})).await.unwrap();
        };
        env.meter().asking_for("acme/web", asks).await;
        let target = || "acme/web".to_owned();
        let expected = [((target(), "github_graphql"), 20.0), ((target(), "github_rest"), 80.0)];
        assert_eq!(env.meter().quotas(), expected.into());
        assert_eq!(client.left("github_rest"), Some(4000.0));
    }

    #[tokio::test]
    async fn graphql_may_live_elsewhere() {
        let fake = Fake::start(|_, seen| Reply::json(200, &json!([seen.path, seen.method]))).await;
        let other = format!("{}/api/graphql", fake.url());
        let url = format!("{}/api/v3", fake.url());
        let client = client(&[("GITHUB_URL", &url), ("GITHUB_GRAPHQL_URL", &other), ("GITHUB_TOKEN", "t")]);
        assert_eq!(client.graphql::<Vec<String>>(&json!({})).await.unwrap(), ["/api/graphql", "POST"]);
        assert_eq!(client.get::<Vec<String>>("/user").await.unwrap(), ["/api/v3/user", "GET"]);
    }

    #[tokio::test]
    async fn an_app_asks_for_one_token_and_a_refused_key_is_named() {
        let key = sandbox::github::APP_KEY.replace('\n', "\\n");
        let app = |url: &str| {
            client(&[
                ("GITHUB_URL", url),
                ("GITHUB_APP_ID", "5"),
                ("GITHUB_APP_KEY", &key),
                ("GITHUB_APP_INSTALLATION", "6"),
            ])
        };
        let fake = Fake::start(|_, seen| match seen.path.as_str() {
            "/app/installations/6/access_tokens" if seen.headers["authorization"].starts_with("Bearer ey") => {
                Reply::json(
                    201,
                    &json!({ "token": "installed", "expires_at": "2099-01-01T00:00:00Z", "permissions": {} }),
                )
            }
            _ => Reply::json(200, &json!(seen.headers["authorization"])),
        });
        let fake = fake.await;
        let client = app(fake.url());
        let answers = futures::future::join_all((0..4).map(|_| client.get::<String>("/a"))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap() == "Bearer installed"));
        assert_eq!(fake.seen().len(), 5);
        let fake =
            Fake::start(|_, _| Reply::json(401, &json!({ "message": "A JSON web token could not be decoded" }))).await;
        let error = app(fake.url()).get::<String>("/a").await.unwrap_err();
        let text = error.with_causes();
        assert!(error.kind() == Some("auth") && text.contains("GITHUB_APP_KEY") && !text.contains("BEGIN"), "{text}");
    }
}
