//! The store keeps one promise, whether it is a directory or a bucket.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use sandbox::{Clock, Fault, Options, Rule, Sandbox, Seed};
use shared::prices::{self, Price};
use shared::testing::{Fake, Folder, Reply, at};
use shared::{Env, Error, Store};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const NOW: &str = "2026-01-08T12:00:00Z";

async fn sandbox() -> Sandbox {
    let seed = Seed { number: 1, size: 0, epoch: at(NOW) };
    let sandbox = Sandbox::start(Options::new(seed, Clock::at(at(NOW)))).await.unwrap();
    sandbox.buckets().make("state");
    sandbox
}

async fn bucket(sandbox: &Sandbox, name: &str) -> Store {
    Store::open(&env(sandbox, "STATE_BUCKET", name)).await.unwrap()
}

/// A variable, and what is needed for reading the sandbox's buckets.
fn env(sandbox: &Sandbox, name: &str, value: &str) -> Env {
    at_bucket(sandbox.url("s3"), name, value)
}

fn at_bucket(url: &str, name: &str, value: &str) -> Env {
    Env::of([
        (name, value),
        ("S3_URL", url),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
    ])
}

#[tokio::test]
async fn prices_are_read_from_a_bucket_and_what_is_wrong_with_them_names_the_variable() {
    let sandbox = sandbox().await;
    let store = bucket(&sandbox, "state").await;
    let table = br#"{"gpu": {"NVIDIA-L4": {"ondemand": 0.75, "spot": 0.26}}}"#;
    store.put("prices/2026.json", table.to_vec()).await.unwrap();
    let prices = prices::read(&env(&sandbox, "PRICES", "s3://state/prices/2026.json")).await.unwrap();
    assert_eq!(prices, [("l4".to_owned(), Price { ondemand: Some(0.75), spot: Some(0.26) })].into());
    store.put("prices/none.json", vec![0xff]).await.unwrap();
    for (place, why) in [
        ("s3://state/prices/1999.json", "no such object"),
        ("s3://elsewhere/prices.json", "cannot be read"),
        ("s3://state/prices/none.json", "not text"),
        ("s3://state", "s3://acme-vitals/prices.json"),
    ] {
        let error = prices::read(&env(&sandbox, "PRICES", place)).await.unwrap_err();
        let text = error.with_causes();
        assert!(matches!(error, Error::Config { .. }) && text.contains("PRICES") && text.contains(why), "{text}");
    }
}

#[tokio::test]
async fn a_bucket_keeps_what_a_directory_keeps() {
    let (folder, sandbox) = (Folder::new("bucket"), sandbox().await);
    for store in [Store::directory(folder.path()), bucket(&sandbox, "state").await] {
        assert!(store.get("a/none", 1 << 20).await.unwrap().is_none());
        store.put("a/b", b"one".to_vec()).await.unwrap();
        assert_eq!(store.get("a/b", 1 << 20).await.unwrap().unwrap().bytes, b"one");
        store.put("a/c%2Fd e&f", vec![0, 255, 10]).await.unwrap();
        assert_eq!(store.get("a/c%2Fd e&f", 1 << 20).await.unwrap().unwrap().bytes, [0, 255, 10]);
        assert_eq!(store.list("a/", usize::MAX).await.unwrap(), ["a/b", "a/c%2Fd e&f"]);
        let seen = store.get("a/b", 1 << 20).await.unwrap().unwrap().version;
        let next = store.put_if("a/b", b"two".to_vec(), Some(&seen)).await.unwrap().unwrap();
        assert!(store.put_if("a/b", b"late".to_vec(), Some(&seen)).await.unwrap().is_none(), "somebody was faster");
        assert!(store.put_if("a/b", b"new".to_vec(), None).await.unwrap().is_none(), "there is one already");
        store.delete("a/b").await.unwrap();
        store.delete("a/b").await.unwrap();
        assert!(store.put_if("a/b", b"gone".to_vec(), Some(&next)).await.unwrap().is_none(), "somebody deleted it");
        assert!(store.put_if("a/b", b"first".to_vec(), None).await.unwrap().is_some());
        assert_eq!(store.list("none/", usize::MAX).await.unwrap(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn of_many_writers_who_saw_the_same_only_one_wins() {
    let (folder, sandbox) = (Folder::new("race"), sandbox().await);
    for store in [Store::directory(folder.path()), bucket(&sandbox, "state").await] {
        let first = store.put_if("cursor", b"0".to_vec(), None).await.unwrap().unwrap();
        let writers = (1..=8).map(|writer| {
            let (store, seen) = (store.clone(), first.clone());
            tokio::spawn(async move { store.put_if("cursor", vec![writer], Some(&seen)).await.unwrap() })
        });
        let mut winners = 0;
        for writer in writers.collect::<Vec<_>>() {
            winners += usize::from(writer.await.unwrap().is_some());
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test]
async fn a_list_is_read_to_its_end() {
    let sandbox = sandbox().await;
    let store = bucket(&sandbox, "state").await;
    let names: Vec<String> = (0..1003).map(|number| format!("many/{number:04}")).collect();
    for name in &names {
        store.put(name, Vec::new()).await.unwrap();
    }
    assert_eq!(store.list("many/", usize::MAX).await.unwrap(), names);
    assert_eq!(store.list("many/", 7).await.unwrap(), names[..7]);
    store.put("large", vec![7; 2000]).await.unwrap();
    let cut = store.get("large", 1999).await.unwrap().unwrap();
    assert!(cut.is_too_large && cut.bytes.is_empty());
    let replaced = store.put_if("large", vec![7; 2000], Some(&cut.version)).await.unwrap();
    assert!(replaced.is_some(), "what is too large to be read can still be replaced");
    assert_eq!(store.get("large", 2000).await.unwrap().unwrap().bytes.len(), 2000);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_or_cannot_be_reached_is_an_error_and_never_an_empty_one() {
    let sandbox = sandbox().await;
    let gone = bucket(&sandbox, "elsewhere").await;
    let text = gone.get("a", 1 << 20).await.unwrap_err().with_causes();
    assert!(
        text.contains("NoSuchBucket") && !text.contains("elsewhere"),
        "a bucket's name may be an account's: {text}"
    );
    assert!(gone.list("a/", usize::MAX).await.is_err() && gone.put("a", Vec::new()).await.is_err());
    let env = env(&sandbox, "STATE_BUCKET", "state");
    let store = Store::open(&env).await.unwrap();
    sandbox.faults().inject("s3", Rule::new(Fault::status(503)));
    assert!(store.get("a", 1 << 20).await.is_err());
    let asked = sandbox.faults().requests("s3").len();
    let text = store.put_if("a", Vec::new(), None).await.unwrap_err().with_causes();
    assert!(text.contains("it failed before in this run") && text.contains("503"), "{text}");
    assert_eq!(sandbox.faults().requests("s3").len(), asked, "it is asked nothing more in this run");
    sandbox.faults().clear();
    assert!(store.get("a", 1 << 20).await.is_err());
    let time = Duration::from_mins(1);
    env.meter().begin();
    env.deadlines().begin(Instant::now() + time, Instant::now() + time, time);
    assert!(store.get("a", 1 << 20).await.unwrap().is_none(), "and again in the next");
}

#[tokio::test]
async fn what_our_own_deadline_cuts_off_says_nothing_about_the_bucket() {
    let sandbox = sandbox().await;
    let env = env(&sandbox, "STATE_BUCKET", "state");
    let store = Store::open(&env).await.unwrap();
    sandbox.faults().base_latency("s3", Duration::from_millis(400));
    let (now, minute) = (Instant::now(), Duration::from_mins(1));
    env.deadlines().begin(now + minute, now + Duration::from_millis(100), minute);
    assert!(store.get("a", 100).await.is_err() && store.failure().is_none());
    env.deadlines().set_store(now + minute);
    assert!(store.get("a", 100).await.unwrap().is_none(), "in the same run");
}

#[tokio::test]
async fn an_attempt_at_a_bucket_that_hangs_ends_after_five_seconds_and_the_call_after_ten() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let hanging = Fake::start(move |_, _| {
        log.lock().unwrap().push(Instant::now());
        Reply::Hang
    })
    .await;
    let store = Store::open(&at_bucket(hanging.url(), "STATE_BUCKET", "state")).await.unwrap();
    let started = Instant::now();
    assert!(store.get("a", 100).await.is_err());
    let (took, asked) = (started.elapsed(), asked.lock().unwrap().clone());
    // With longer attempts there would be one, and with a longer call a third.
    assert_eq!(asked.len(), 2);
    assert!(asked[1] - asked[0] >= Duration::from_secs(5) && took >= Duration::from_secs(10), "{took:?}");
}
