//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod odd;

use jiff::Timestamp;
use kit::sandbox::model::skypilot::Server;
use kit::sandbox::truth::{self, SkySettings};
use kit::sandbox::{Organisation, SKYPILOT_TOKEN, Sandbox};
use kit::shared::testing::Values;
use kit::{Credential, Observations, Question, Scene, Settings, Subject};
use skypilot::SkyPilot;
use std::collections::{BTreeMap, BTreeSet};

/// SkyPilot's servers.
pub struct Servers;

kit::suite!(Servers);

impl Subject for Servers {
    type Collector = SkyPilot;

    const UPSTREAMS: &'static [&'static str] = &["skypilot", "skypilot_old"];
    const HEALTHY: u64 = 3;
    // These servers have no quota, and are read in one run.
    const ABSENT: &'static [&'static str] = &["collector.api_budget_pct", "collector.pending"];
    const WRONG: &'static [(&'static str, &'static str)] = &[
        ("SKYPILOT_SERVERS", ""),
        ("SKYPILOT_SERVERS", "prod"),
        ("SKYPILOT_TOKEN", ""),
        ("SKYPILOT_HISTORY_DAYS", "-1"),
        ("SKYPILOT_LONG_HOURS", "long"),
        ("PRICES", "[1]"),
    ];

    fn single(sandbox: &Sandbox) -> (Settings, &'static str) {
        (vec![("SKYPILOT_SERVERS", format!("prod={}", sandbox.url("skypilot")))], "prod")
    }

    fn missing(sandbox: &Sandbox) -> (Settings, [&'static str; 2]) {
        // An address that answers, and is no SkyPilot.
        let servers = format!("prod={},gone={}", sandbox.url("skypilot"), sandbox.url("secrets"));
        (vec![("SKYPILOT_SERVERS", servers)], ["prod", "gone"])
    }

    fn questions() -> Vec<Question> {
        vec![
            Question {
                name: "how many jobs there ever were",
                // These alone ask for one job.
                asks: |rule| rule.body("\"limit\":1,"),
                parts: &["history"],
                silent: &["skypilot.jobs.succeeded", "skypilot.jobs.cancelled"],
                spared: UNREAD,
                lies: Vec::new,
            },
            Question {
                name: "open jobs",
                asks: |rule| rule.body("\"skip_finished\":true"),
                parts: &["accelerators", "ended", "live", "statuses"],
                silent: &[
                    "skypilot.jobs.r",
                    "skypilot.jobs.q",
                    "skypilot.jobs.by",
                    "skypilot.resources",
                    "skypilot.users",
                ],
                spared: UNREAD,
                lies: Vec::new,
            },
            Question {
                name: "clusters",
                asks: |rule| rule.path("/status"),
                parts: &["clusters"],
                silent: &["skypilot.clusters"],
                spared: UNREAD,
                lies: Vec::new,
            },
        ]
    }

    fn credential() -> Credential {
        Credential {
            variable: "SKYPILOT_TOKEN",
            value: SKYPILOT_TOKEN,
            another: "sky_another",
            revoke: |sandbox, token| sandbox.sky_credentials().revoke(token),
            allow: |sandbox, token| sandbox.sky_credentials().allow(token),
        }
    }

    fn private(organisation: &Organisation) -> Vec<String> {
        let jobs = organisation.skypilot.iter().flat_map(|server| &server.jobs);
        let texts = jobs.flat_map(|job| job.tasks.iter().map(|task| task.name.clone()).chain([job.name.clone()]));
        let clusters = organisation.skypilot.iter().flat_map(|server| &server.clusters);
        texts.chain(clusters.map(|cluster| cluster.name.clone())).collect()
    }

    fn gauges(scene: &Scene<'_>, now: Timestamp) -> Values {
        let servers = scene.organisation.skypilot.iter();
        servers.flat_map(|server| truth::skypilot(server, now, &settings(scene))).collect()
    }

    fn counts(scene: &Scene<'_>, slot: Timestamp, now: Timestamp) -> Values {
        let servers = scene.organisation.skypilot.iter();
        servers.flat_map(|server| truth::skypilot_counts(server, slot, now, &settings(scene))).collect()
    }

    fn observations(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> Observations {
        let servers = scene.organisation.skypilot.iter();
        let time = (from, until);
        servers.flat_map(|server| truth::skypilot_observations(server, time, &settings(scene))).collect()
    }

    fn gaps(scene: &Scene<'_>, target: &str, now: Timestamp) -> BTreeSet<&'static str> {
        truth::skypilot_gaps(server(scene, target), now)
    }

    fn unread(scene: &Scene<'_>, target: &str, now: Timestamp) -> BTreeMap<&'static str, u64> {
        truth::skypilot_unread(server(scene, target), now)
    }
}

/// What the definitions are told: when the servers were looked at before.
fn settings(scene: &Scene<'_>) -> SkySettings {
    SkySettings { looks: scene.runs.clone(), ..SkySettings::default() }
}

/// The server of this alias.
fn server<'a>(scene: &Scene<'a>, alias: &str) -> &'a Server {
    scene.organisation.skypilot.iter().find(|server| server.alias == alias).unwrap()
}

/// The first answer to a question says in a header where its result will be, and has no body.
const UNREAD: &[&str] = &["a cut body", "truncated JSON", "JSON of another shape"];
