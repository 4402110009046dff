//! Asking Asana: one answer, or a list to its end.

use super::gate::Gate;
use super::wire::Page;
use serde::de::DeserializeOwned;
use shared::http::escape;
use shared::{Deadlines, Env, Error, Http, Result, Secret};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The word that Asana is counted as.
pub(super) const ASANA: &str = "asana";

/// What a page holds at most, which is the most that Asana gives.
pub(super) const PAGE: usize = 100;

/// The most pages of a list.
pub(super) const PAGES: usize = 1000;

/// A client with the token of one workspace.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    gate: Arc<Gate>,
    deadlines: Deadlines,
    /// The run, and how many calls were begun in it.
    begun: Arc<Mutex<(u64, usize)>>,
}

/// What is asked of a list: its path, the parameters that say what of it, and the fields.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub path: &'a str,
    pub parameters: Vec<(&'static str, String)>,
    pub fields: String,
}

impl Question<'_> {
    /// As an address below the base, but for the page.
    fn address(&self) -> String {
        let said: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect();
        format!("{}?{}&opt_fields={}", self.path, said.join("&"), self.fields)
    }
}

/// Why a list could not be read.
enum Broken {
    /// The place at which it was to go on is not known any more.
    Expired(Error),
    /// Anything else.
    Other(Error),
}

impl Client {
    pub(super) fn new(env: &Env, url: &str, token: Secret, gate: Arc<Gate>) -> Result<Self> {
        let http = Http::new(env, ASANA, format!("{url}/api/1.0"), shared::Auth::Bearer(token))?;
        Ok(Self { http, gate, deadlines: env.deadlines().clone(), begun: Arc::default() })
    }

    /// One answer.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.with_begun(|begun| *begun += 1);
        self.gate.pass(self.http.get(path)).await
    }

    /// How many calls this run has begun for this workspace, be it in this fetch or in one beside it.
    pub(super) fn begun(&self) -> usize {
        self.with_begun(|begun| *begun)
    }

    fn with_begun<T>(&self, work: impl FnOnce(&mut usize) -> T) -> T {
        let run = self.http.meter().run();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.0 != run {
            *begun = (run, 0);
        }
        work(&mut begun.1)
    }

    /// Whether there was no answer only because the quota of this minute or the run's time is used up.
    pub(super) fn is_exhausted(&self, error: &Error) -> bool {
        match error {
            Error::RateLimited { .. } => true,
            Error::Timeout { .. } => self.deadlines.is_over(),
            _ => false,
        }
    }

    /// A list to its end. A place in it that is not known any more, which happens to a list that takes long, restarts it
    /// once.
    pub(super) async fn list<T: DeserializeOwned, U>(
        &self,
        list: &Question<'_>,
        tell: impl Fn(T) -> U,
    ) -> Result<Vec<U>> {
        let address = list.address();
        match self.pages(&address, &tell).await {
            Err(Broken::Expired(_)) => tracing::info!("the place in a list expired: reading it once more"),
            Err(Broken::Other(error)) => return Err(error),
            Ok(all) => return Ok(all),
        }
        self.pages(&address, &tell).await.map_err(|(Broken::Expired(error) | Broken::Other(error))| error)
    }

    /// What is told of each record is kept page by page, since a record is larger than what we keep of it.
    async fn pages<T: DeserializeOwned, U>(&self, address: &str, tell: &impl Fn(T) -> U) -> Result<Vec<U>, Broken> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        let mut offset: Option<String> = None;
        for _ in 0..PAGES {
            let page: Page<T> = self.page(address, offset.as_deref()).await?;
            all.extend(page.data.into_iter().map(tell));
            let Some(next) = page.next_page else { return Ok(all) };
            if !seen.insert(next.offset.clone()) {
                return Err(Broken::Other(self.unexpected(address, "comes back to a page that it had before")));
            }
            offset = Some(next.offset);
        }
        Err(Broken::Other(self.unexpected(address, &format!("has more than {PAGES} pages"))))
    }

    async fn page<T: DeserializeOwned>(&self, address: &str, offset: Option<&str>) -> Result<Page<T>, Broken> {
        let from = offset.map(|offset| format!("&offset={}", escape(offset))).unwrap_or_default();
        self.get(&format!("{address}&limit={PAGE}{from}")).await.map_err(|error| match error {
            Error::Status { status: 400, .. } if offset.is_some() => Broken::Expired(error),
            other => Broken::Other(other),
        })
    }

    /// An answer that is not as documented; it says nothing of the query.
    pub fn unexpected(&self, path: &str, problem: &str) -> Error {
        self.http.meter().failed(ASANA, "decode");
        let path = path.split('?').next().unwrap_or(path);
        Error::decode(ASANA, format!("the list at {path} {problem}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use shared::testing::{Fake, Reply, Seen};

    fn client(fake: &Fake) -> (Client, Env) {
        let env = Env::of([("ASANA_TOKEN", "s3cr3t")]);
        let gate = Arc::new(Gate::new(env.meter().clone()));
        (Client::new(&env, fake.url(), env.secret("ASANA_TOKEN").unwrap(), gate).unwrap(), env)
    }

    const fn number(number: usize) -> usize {
        number
    }

    fn question(project: &str) -> Question<'static> {
        Question { path: "/tasks", parameters: vec![("project", project.to_owned())], fields: "gid".to_owned() }
    }

    fn page(numbers: impl Iterator<Item = usize>, next: Option<&str>) -> Reply {
        let data: Vec<usize> = numbers.collect();
        let next = next.map(|offset| json!({ "offset": offset, "path": "/tasks", "uri": "http://x" }));
        Reply::json(200, &json!({ "data": data, "next_page": next }))
    }

    fn offset(seen: &Seen) -> &str {
        seen.path.split_once("offset=").map_or("", |(_, offset)| offset)
    }

    #[tokio::test]
    async fn a_list_of_250_takes_three_pages_of_a_hundred_with_the_token() {
        let fake = Fake::start(|_, seen| match offset(seen) {
            "" => page(0..100, Some("a+b=")),
            "a%2Bb%3D" => page(100..200, Some("c")),
            _ => page(200..250, None),
        })
        .await;
        let (client, _) = client(&fake);
        let all: Vec<usize> = client.list(&question("1"), number).await.unwrap();
        assert_eq!(all, (0..250).collect::<Vec<_>>());
        let seen = fake.seen();
        let paths: Vec<&str> = seen.iter().map(|seen| seen.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "/api/1.0/tasks?project=1&opt_fields=gid&limit=100",
                "/api/1.0/tasks?project=1&opt_fields=gid&limit=100&offset=a%2Bb%3D",
                "/api/1.0/tasks?project=1&opt_fields=gid&limit=100&offset=c"
            ]
        );
        assert!(seen.iter().all(|seen| seen.headers["authorization"] == "Bearer s3cr3t"));
    }

    #[tokio::test]
    async fn an_offset_that_expired_restarts_its_list_once() {
        let expired =
            || Reply::json(400, &json!({ "errors": [{ "message": "offset: Your pagination token has expired." }] }));
        let fake = Fake::start(move |number, seen| match (number, offset(seen)) {
            (_, "") => page(0..100, Some(if number == 0 { "old" } else { "new" })),
            (_, "old") => expired(),
            _ => page(100..120, None),
        })
        .await;
        let (reader, _) = client(&fake);
        assert_eq!(reader.list(&question("1"), number).await.unwrap().len(), 120);
        assert_eq!(fake.seen().len(), 4);
        let always = Fake::start(move |_, seen| match offset(seen) {
            "" => page(0..100, Some("old")),
            _ => expired(),
        })
        .await;
        let (reader, _) = client(&always);
        assert!(reader.list(&question("1"), number).await.is_err());
        assert_eq!(always.seen().len(), 4, "once, and not for ever");
    }

    #[tokio::test]
    async fn a_refusal_of_the_first_page_is_no_expired_offset() {
        let fake = Fake::start(|_, _| Reply::json(400, &json!({ "errors": [] }))).await;
        let (client, _) = client(&fake);
        assert!(client.list(&question("1"), number).await.is_err());
        assert_eq!(fake.seen().len(), 1);
    }

    #[tokio::test]
    async fn an_offset_that_comes_back_and_a_list_without_end_are_errors() {
        let round = Fake::start(|number, _| page(0..1, Some(["a", "b"][number % 2]))).await;
        let (reader, _) = client(&round);
        let error = reader.list(&question("1"), number).await.unwrap_err().to_string();
        assert!(error.contains("comes back") && !error.contains("project=1"), "{error}");
        assert_eq!(round.seen().len(), 3);
        let endless = Fake::start(|number, _| page(0..1, Some(&number.to_string()))).await;
        let (reader, _) = client(&endless);
        let error = reader.list(&question("1"), number).await.unwrap_err().to_string();
        assert!(error.contains("more than 1000 pages"), "{error}");
    }

    #[tokio::test]
    async fn a_rejected_call_waits_as_long_as_it_is_told_and_the_gate_narrows() {
        let fake = Fake::start(|number, _| match number {
            0 => Reply::status(429).header("retry-after", "1"),
            _ => page(0..3, None),
        })
        .await;
        let (client, _) = client(&fake);
        let started = std::time::Instant::now();
        assert_eq!(client.list(&question("1"), number).await.unwrap().len(), 3);
        assert!(started.elapsed() >= std::time::Duration::from_secs(1));
        assert_eq!(client.gate.width(), 4);
    }
}
