//! Whole runs: event in, series out, and every value equal to the truth of the pretend organisation.

mod forms;
mod odd;

use jiff::Timestamp;
use kit::sandbox::model::wandb::Project;
use kit::sandbox::truth::{self, WandbSettings};
use kit::sandbox::{Fault, Organisation, Sandbox, WANDB_KEY};
use kit::shared::testing::Values;
use kit::{Credential, Observations, Question, Scene, Settings, Subject};
use serde_json::json;
use std::collections::BTreeMap;
use wandb::WandB;

/// Projects at W&B.
pub struct Projects;

kit::suite!(Projects);

impl Subject for Projects {
    type Collector = WandB;

    const UPSTREAMS: &'static [&'static str] = &["wandb"];
    const HEALTHY: u64 = 3;
    // Every part is read in one run.
    const ABSENT: &'static [&'static str] = &["collector.pending"];
    const WRONG: &'static [(&'static str, &'static str)] = &[
        ("WANDB_PROJECTS", ""),
        ("WANDB_PROJECTS", "arena"),
        ("WANDB_API_KEY", ""),
        ("WANDB_URL", "localhost"),
        ("WANDB_STALE_MINUTES", "-1"),
        ("WANDB_KEYS", "accuracy"),
        ("WANDB_PRICING", "free"),
        ("WANDB_LOCAL_GPUS", "perhaps"),
        ("WANDB_RUN_TYPES", "train=x"),
        ("PRICES", "{"),
    ];

    /// Every other organisation is paid for, and has its own idea of a stale run and of nodes; every third one counts the
    /// GPUs of laptops too.
    fn settings(number: u64) -> Settings {
        let local = number.is_multiple_of(3).then(|| ("WANDB_LOCAL_GPUS", "on".to_owned()));
        if number.is_multiple_of(2) {
            return local.into_iter().collect();
        }
        let settings = [
            ("PRICES", r#"{"gpu": {"h100": {"ondemand": 4.0, "spot": 1.5}}}"#),
            ("WANDB_GPU_TYPE", "NVIDIA-H100-SXM"),
            ("WANDB_PRICING", "spot"),
            ("WANDB_STALE_MINUTES", "90"),
            ("WANDB_NODES_KEY", "trainer.num_nodes"),
        ];
        settings.map(|(name, value)| (name, value.to_owned())).into_iter().chain(local).collect()
    }

    fn single(_: &Sandbox) -> (Settings, &'static str) {
        let mut settings = Self::settings(Self::HEALTHY);
        settings.push(("WANDB_PROJECTS", "acme/arena".to_owned()));
        (settings, "acme/arena")
    }

    fn missing(sandbox: &Sandbox) -> (Settings, [&'static str; 2]) {
        let (mut settings, target) = Self::single(sandbox);
        settings.push(("WANDB_PROJECTS", "acme/arena,acme/gone".to_owned()));
        (settings, [target, "acme/gone"])
    }

    fn questions() -> Vec<Question> {
        vec![
            Question {
                name: "the server's counts",
                asks: |rule| rule.body("running: runCount"),
                parts: &["counts"],
                silent: &["wandb.runs.total", "wandb.runs.stale"],
                spared: &["403"],
                lies,
            },
            Question {
                name: "the best accuracy",
                asks: |rule| rule.body("-summary_metrics.accuracy"),
                parts: &["best"],
                silent: &["wandb.metrics.best_accuracy", "health.training.best_accuracy"],
                spared: &["403"],
                lies,
            },
            Question {
                name: "summaries",
                asks: |rule| rule.body("query Summaries"),
                parts: &["summaries"],
                silent: &["wandb.metrics.avg", "wandb.metrics.latest", "wandb.summary"],
                spared: &["403"],
                lies,
            },
            Question {
                name: "recent runs",
                asks: |rule| rule.body("systemMetrics"),
                parts: &["gpus", "recent", "summaries"],
                silent: &[
                    "wandb.runs.a",
                    "wandb.runs.by",
                    "wandb.runs.c",
                    "wandb.training",
                    "wandb.summary",
                    "wandb.runs.e",
                ],
                spared: &["403"],
                lies,
            },
        ]
    }

    fn credential() -> Credential {
        Credential {
            variable: "WANDB_API_KEY",
            value: WANDB_KEY,
            another: "6b6b0000000000000000000000000000006b6b6b",
            revoke: |sandbox, key| sandbox.wandb_keys().revoke(key),
            allow: |sandbox, key| sandbox.wandb_keys().allow(key),
        }
    }

    fn private(organisation: &Organisation) -> Vec<String> {
        let runs = organisation.projects.iter().flat_map(|project| &project.runs);
        let names = runs.flat_map(|run| [Some(run.name.clone()), run.display_name.clone()].into_iter().flatten());
        names.chain(["sandbox-reader".to_owned()]).collect()
    }

    fn gauges(scene: &Scene<'_>, now: Timestamp) -> Values {
        projects(scene).flat_map(|project| truth::wandb(project, now, &truth_settings(scene.number))).collect()
    }

    fn counts(scene: &Scene<'_>, slot: Timestamp, now: Timestamp) -> Values {
        projects(scene).flat_map(|project| truth::wandb_counts(project, slot, now)).collect()
    }

    fn observations(scene: &Scene<'_>, from: Timestamp, until: Timestamp) -> Observations {
        projects(scene).flat_map(|project| truth::wandb_observations(project, (from, until))).collect()
    }

    fn unread(scene: &Scene<'_>, target: &str, now: Timestamp) -> BTreeMap<&'static str, u64> {
        let project = projects(scene).find(|project| format!("{}/{}", project.entity, project.name) == target);
        let silent = project.map(|project| truth::wandb_unread(project, now, &truth_settings(scene.number)));
        silent.into_iter().map(|silent| ("gpus", silent)).collect()
    }
}

/// What W&B alone may answer.
fn lies() -> Vec<(&'static str, Fault, &'static str)> {
    vec![
        (
            "429 with a far reset",
            Fault::answer(429, &[("RateLimit-Remaining", "0"), ("RateLimit-Reset", "1800")], "{}"),
            "rate_limited",
        ),
        ("400 with errors", Fault::answer(400, &[], "{\"errors\":[{\"message\":\"invalid filters\"}]}"), "server"),
        ("words for lists", Fault::rewrite(|_| json!({"data": {"project": {"runs": 7, "all": "many"}}})), "decode"),
        ("errors with 200", Fault::rewrite(|_| json!({"data": null, "errors": [{"message": "internal"}]})), "server"),
    ]
}

/// The projects that the key may see.
fn projects<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Project> {
    scene.organisation.projects.iter().filter(|project| project.visible)
}

/// The configuration in the words of the truth.
fn truth_settings(number: u64) -> WandbSettings {
    let usual = WandbSettings { local_gpus: number.is_multiple_of(3), ..WandbSettings::default() };
    if number.is_multiple_of(2) {
        return usual;
    }
    WandbSettings { price: Some(1.5), stale_minutes: 90, nodes: true, ..usual }
}
