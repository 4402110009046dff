//! What must not leave the collector: names, texts of people, secrets. Alone in its process, because log lines are kept for
//! the whole of it.

mod stage;

use sandbox::{API_KEY, Fault, Rule, SKYPILOT_PASSWORD, SKYPILOT_TOKEN};
use shared::GRID;
use shared::testing::{Journal, at};
use stage::{EPOCH, Stage, seed};

#[tokio::test]
async fn no_name_or_secret_leaves_the_collector() {
    let journal = Journal::keep();
    let stage = Stage::new(seed(3, 0), at(EPOCH), true, &[]).await;
    let mut said = String::new();
    for _ in 0..3 {
        let report = stage.run().await;
        said.extend(report.samples.iter().map(|sample| format!("{sample}\n")));
        stage.clock.advance(GRID);
    }
    stage.sandbox.faults().inject("skypilot", Rule::new(Fault::status(500)).path("/api/get").skip(1));
    stage.run().await;
    let (kept, logged) = (stage.inner.snapshots().await, journal.text());
    assert!(kept.len() > 1000 && kept.contains("\"server\":\"prod\""));
    assert!(logged.contains("\"message\":\"run\""), "the line that sums the run up is among them: {logged}");
    let organisation = stage.sandbox.organisation();
    let people = organisation
        .people
        .iter()
        .flat_map(|person| [person.name.clone(), person.login.clone()].into_iter().chain(person.emails.clone()));
    let jobs = organisation.skypilot.iter().flat_map(|server| &server.jobs);
    let texts = jobs.flat_map(|job| job.tasks.iter().map(|task| task.name.clone()).chain([job.name.clone()]));
    let clusters = organisation.skypilot.iter().flat_map(|server| &server.clusters).map(|cluster| cluster.name.clone());
    let mut tried = 0;
    for secret in people.chain(texts).chain(clusters).filter(|text| text.len() > 5) {
        assert!([&kept, &said, &logged].iter().all(|text| !text.contains(&secret)), "`{secret}` is told");
        tried += 1;
    }
    assert!(tried > 200, "{tried}");
    for secret in [SKYPILOT_TOKEN, SKYPILOT_PASSWORD, API_KEY] {
        assert!([&kept, &said, &logged].iter().all(|text| !text.contains(secret)), "`{secret}` is told");
    }
}
