//! What must not leave a collector: names, texts of people, secrets.

use crate::stage::{EPOCH, Stage};
use crate::subject::Subject;
use sandbox::{API_KEY, Fault, Rule};
use shared::testing::{Journal, at};
use shared::{Collector, GRID};

/// Nothing of people and no secret is in what is said, kept or logged, in health and in trouble.
pub async fn privacy<S: Subject>() {
    let journal = Journal::keep();
    let stage = Stage::<S>::new(S::HEALTHY, at(EPOCH), true).await;
    let mut said = String::new();
    for step in 0..5 {
        for (question, upstream) in S::questions().iter().zip(S::UPSTREAMS.iter().cycle()).filter(|_| step > 2) {
            stage.sandbox.faults().inject(upstream, (question.asks)(Rule::new(Fault::status(500)).every(3)));
        }
        let report = stage.run().await;
        said.extend(report.samples.iter().map(|sample| format!("{sample}\n")));
        said.extend(report.shares.iter().map(|share| format!("{:?}\n", share.findings)));
        stage.clock.advance(GRID);
    }
    let probes = stage.inner.collector.probe(S::single(&stage.sandbox).1).await;
    said.extend(probes.iter().map(|probe| format!("{probe:?}\n")));
    let (kept, logged) = (stage.inner.snapshots().await, journal.text());
    assert!(logged.contains("\"message\":\"run\""), "the line that sums the run up is among them");
    assert!(kept.len() > 1000 && said.len() > 1000 && !probes.is_empty());
    let organisation = stage.sandbox.organisation();
    let people = organisation.people.iter();
    let people = people.flat_map(|person| [&person.name, &person.login].into_iter().chain(&person.emails).cloned());
    // Shorter ones are words of our own.
    let private: Vec<String> =
        S::private(organisation).into_iter().chain(people).filter(|text| text.len() > 7).collect();
    assert!(private.len() > 100, "{} names and texts", private.len());
    let secrets = [S::credential().value.to_owned(), API_KEY.to_owned()];
    for text in private.iter().chain(&secrets) {
        assert!([&kept, &said, &logged].iter().all(|told| !told.contains(text.as_str())), "`{text}` is told");
    }
}
