//! What is read before the first run: the secret and the documents.

use crate::stage::{TIME, event, now, prepared};
use jiff::SignedDuration;
use sandbox::{Clock, Fault, Options, Rule, Sandbox, Seed};
use serde_json::{Value, json};
use shared::testing::{Fake, Folder, Reply, Sink, StandIn, at};
use shared::{Auth, Env, Http, Life, Report};

async fn sandbox() -> Sandbox {
    let seed = Seed { number: 1, size: 0, epoch: at("2026-01-08T12:00:00Z") };
    let sandbox = Sandbox::start(Options::new(seed, Clock::at(now(0)))).await.unwrap();
    sandbox.buckets().make("documents");
    let texts = json!({ "DD_API_KEY": "k3y", "DD_ENV": "test", "TOKEN": "t0k3n" });
    sandbox.secrets().put("vitals", &texts.to_string());
    sandbox
}

async fn loaded(sandbox: &Sandbox, more: &[(&str, &str)]) -> shared::Result<Env> {
    let own = [
        ("SECRET_ARN", "vitals"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", sandbox.url("secrets")),
        ("S3_URL", sandbox.url("s3")),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ];
    let vars = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Env::load(vars.collect::<std::collections::BTreeMap<_, _>>()).await
}

/// The exit code and the message of a start that fails.
async fn refused(sandbox: &Sandbox, more: &[(&str, &str)]) -> (u8, String) {
    let result = match loaded(sandbox, more).await {
        Ok(env) => Life::prepare::<StandIn<0>>(&env, true).await.map(drop),
        Err(error) => Err(error),
    };
    let error = result.unwrap_err();
    (error.exit_code(), error.with_causes())
}

#[tokio::test]
async fn what_is_not_there_or_cannot_be_read_as_what_it_should_be_is_a_wrong_configuration() {
    let sandbox = sandbox().await;
    sandbox.secrets().put("list", "[1]");
    for (name, value, why) in [
        ("SECRET_ARN", "none", "ResourceNotFound"),
        ("SECRET_ARN", "list", "no JSON object"),
        ("CHECKS", "s3://documents/none.json", "no such object"),
        ("CHECKS", "s3://none/checks.json", "NoSuchBucket"),
        ("CHECKS", "[1]", "CHECKS"),
    ] {
        let (code, text) = refused(&sandbox, &[(name, value)]).await;
        assert!(code == 78 && text.contains(name) && text.contains(why), "{code} {text}");
    }
}

#[tokio::test]
async fn what_does_not_answer_at_the_start_is_no_wrong_configuration() {
    for (upstream, status, name) in
        [("secrets", 503, "vitals"), ("secrets", 400, "vitals"), ("s3", 503, "CHECKS"), ("s3", 403, "CHECKS")]
    {
        let sandbox = sandbox().await;
        sandbox.faults().inject(upstream, Rule::new(Fault::status(status)));
        let (code, text) = refused(&sandbox, &[("CHECKS", "s3://documents/checks.json")]).await;
        assert!(code == 1 && text.contains(name) && text.contains(&status.to_string()), "{code} {text}");
    }
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_again_leaves_the_upstreams_refusal_as_the_reason() {
    let sandbox = sandbox().await;
    let env = loaded(&sandbox, &[]).await.unwrap();
    let fake = Fake::start(|_, _| Reply::status(401)).await;
    let token = env.required_secret("TOKEN", "a token").unwrap();
    let http = Http::new(&env, "fake", fake.url(), Auth::Bearer(token)).unwrap();
    for is_broken in [false, true] {
        if is_broken {
            sandbox.faults().inject("secrets", Rule::new(Fault::status(400)));
        }
        let error = http.get::<Value>("/things").await.unwrap_err();
        let text = error.with_causes();
        assert!(error.kind() == Some("auth") && text.starts_with("fake refused the credentials: 401"), "{text}");
    }
}

#[tokio::test]
async fn the_calls_of_the_start_are_told_by_the_first_run() {
    let (sandbox, sink, state) = (sandbox().await, Sink::start().await, Folder::new("start"));
    let path = state.path().display().to_string();
    let env = loaded(&sandbox, &[("DATADOG_URL", sink.url()), ("STATE_DIR", &path)]).await.unwrap();
    let (life, collector) = prepared::<0>(&env).await;
    let calls = |report: &Report| shared::testing::value(report, "collector.api_calls{upstream:secrets}");
    for (slot, expected) in [(0, 1.0), (1, 0.0)] {
        let report = life.run(&collector, &event(slot, SignedDuration::ZERO), TIME).await.unwrap();
        assert_eq!(calls(&report), Some(expected), "slot {slot}");
    }
}
