//! The sandbox as a whole: one listener for each upstream, on this machine alone.

use crate::asana::{self, Asana};
use crate::datadog::{self, Keys, Store};
use crate::faults::{Door, Faults, Wire, around};
use crate::github::{self, App, Credentials};
use crate::s3::Buckets;
use crate::secrets::Secrets;
use crate::skypilot::{self, SkyCredentials, Workshop};
use crate::wandb::{self, Mood, WandbKeys, WandbMood};
use crate::{Clock, Organisation, Seed, story};
use axum::Router;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The token that GitHub takes.
pub const GITHUB_TOKEN: &str = "ghp_sandbox0000000000000000000000000000";
/// The token that Asana takes.
pub const ASANA_TOKEN: &str = "2/1200000000000001/1200000000000002:sandbox0000000000000000000000000";
/// The service-account token that SkyPilot's servers take.
pub const SKYPILOT_TOKEN: &str = "sky_sandbox0000000000000000000000000000";
/// The user that SkyPilot's servers know.
pub const SKYPILOT_USER: &str = "sandbox-reader";
/// The password of that user.
pub const SKYPILOT_PASSWORD: &str = "sandbox0password";
/// The key that W&B takes.
pub const WANDB_KEY: &str = "5a5a0000000000000000000000000000005a5a5a";
/// The API key that Datadog takes.
pub const API_KEY: &str = "sandbox0api0key00000000000000000";
/// The application key that Datadog takes.
pub const APPLICATION_KEY: &str = "sandbox0application0key000000000000000000";

/// How a sandbox is to be.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the organisation is grown from.
    pub seed: Seed,
    /// What time it is there.
    pub clock: Clock,
    /// Where Datadog's points are kept; in memory by default.
    pub database: Option<PathBuf>,
    /// The port of the first upstream, the others follow; any free ones by default.
    pub first_port: Option<u16>,
}

impl Options {
    /// This organisation at this clock, with points in memory and any free ports.
    #[must_use]
    pub const fn new(seed: Seed, clock: Clock) -> Self {
        Self { seed, clock, database: None, first_port: None }
    }
}

/// A running sandbox; it stops when dropped.
pub struct Sandbox {
    organisation: Arc<Organisation>,
    clock: Clock,
    faults: Faults,
    credentials: Credentials,
    asana: Asana,
    keys: Keys,
    sky: (SkyCredentials, Workshop),
    wandb: (WandbKeys, WandbMood),
    secrets: Secrets,
    buckets: Buckets,
    store: Store,
    urls: BTreeMap<&'static str, String>,
    _tasks: JoinSet<()>,
}

impl Sandbox {
    /// Grows the organisation and starts every upstream.
    ///
    /// # Errors
    /// When a port is taken or the database cannot be opened.
    pub async fn start(options: Options) -> io::Result<Self> {
        let organisation = Arc::new(story::grow(options.seed));
        let clock = options.clock;
        let store = Store::open(options.database.as_deref()).map_err(io::Error::other)?;
        let credentials = Credentials::with_token(GITHUB_TOKEN);
        credentials.install(App::default());
        let asana = Asana::with_token(ASANA_TOKEN);
        let keys = Keys::new(API_KEY, APPLICATION_KEY);
        let (faults, secrets, buckets) = (Faults::default(), Secrets::default(), Buckets::default());
        let sky = (SkyCredentials::new(SKYPILOT_TOKEN, SKYPILOT_USER, SKYPILOT_PASSWORD), Workshop::default());
        let skypilot = |place| {
            let (credentials, workshop) = sky.clone();
            skypilot::router(Arc::clone(&organisation), place, clock.clone(), credentials, workshop)
        };
        let wandb = (WandbKeys::with_key(WANDB_KEY), WandbMood::new(Mood::of(options.seed.number)));
        let routers = [
            ("github", github::router(Arc::clone(&organisation), clock.clone(), credentials.clone())),
            ("asana", asana::router(Arc::clone(&organisation), clock.clone(), asana.clone())),
            ("skypilot", skypilot(0)),
            ("skypilot_old", skypilot(1)),
            ("wandb", wandb::router(Arc::clone(&organisation), clock.clone(), wandb.0.clone(), wandb.1.clone())),
            ("datadog", datadog::router(store.clone(), clock.clone(), keys.clone())),
            ("secrets", secrets.router()),
            ("s3", buckets.router()),
            ("control", crate::control::router(clock.clone(), faults.clone(), asana.clone())),
        ];
        let (mut urls, mut tasks) = (BTreeMap::new(), JoinSet::new());
        for (number, (name, router)) in (0_u16..).zip(routers) {
            let port = options.first_port.map_or(0, |first| first + number);
            let listener = TcpListener::bind(("127.0.0.1", port)).await?;
            urls.insert(name, format!("http://{}", listener.local_addr()?));
            let router = around(router, faults.clone(), name);
            let router = if name == "asana" { asana::crowd(router, asana.clone()) } else { router };
            tasks.spawn(serve(name, listener, router));
        }
        Ok(Self {
            organisation,
            clock,
            faults,
            credentials,
            asana,
            keys,
            sky,
            wandb,
            secrets,
            buckets,
            store,
            urls,
            _tasks: tasks,
        })
    }

    /// Where an upstream answers: `github`, `asana`, `skypilot`, `skypilot_old`, `wandb`, `datadog`, `secrets`, `s3` or `control`.
    #[must_use]
    pub fn url(&self, upstream: &str) -> &str {
        self.urls.get(upstream).map_or("", String::as_str)
    }

    /// The variables that a collector needs to talk to this sandbox.
    #[must_use]
    pub fn env(&self) -> BTreeMap<String, String> {
        let repositories = self.organisation.repositories.iter().filter(|repository| !repository.empty);
        let names: Vec<String> =
            repositories.map(|repository| format!("{}/{}", repository.owner, repository.name)).collect();
        let workspace = self.organisation.workspaces.first();
        let workspaces = workspace.map(|workspace| format!("{}={}", workspace.alias, workspace.gid));
        let bugs = workspace.and_then(|workspace| Some(&workspace.projects[workspace.bugs?].gid));
        let servers = format!("prod={},lab={}", self.url("skypilot"), self.url("skypilot_old"));
        let projects: Vec<String> = self
            .organisation
            .projects
            .iter()
            .filter(|project| project.visible)
            .map(|project| format!("{}/{}", project.entity, project.name))
            .collect();
        let mut env: BTreeMap<String, String> = [
            ("DATADOG_URL", self.url("datadog")),
            ("DD_API_KEY", API_KEY),
            ("DD_APP_KEY", APPLICATION_KEY),
            ("DD_ENV", "sandbox"),
            ("GITHUB_URL", self.url("github")),
            ("GITHUB_TOKEN", GITHUB_TOKEN),
            ("GITHUB_REPOS", &names.join(",")),
            ("ASANA_URL", self.url("asana")),
            ("ASANA_TOKEN", ASANA_TOKEN),
            ("ASANA_WORKSPACES", &workspaces.unwrap_or_default()),
            ("ASANA_BUGS_PROJECTS", &bugs.map(|gid| format!("bugs={gid}")).unwrap_or_default()),
            ("SKYPILOT_SERVERS", &servers),
            ("SKYPILOT_TOKEN", SKYPILOT_TOKEN),
            ("PRICES", skypilot::PRICES),
            ("WANDB_URL", self.url("wandb")),
            ("WANDB_API_KEY", WANDB_KEY),
            ("WANDB_PROJECTS", &projects.join(",")),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if let Some(still) = self.clock.stands_at() {
            env.insert("VITALS_CLOCK".to_owned(), still.to_string());
        }
        env
    }

    /// What there is.
    #[must_use]
    pub fn organisation(&self) -> &Organisation {
        &self.organisation
    }

    /// What time it is.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What goes wrong, and what was asked.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Who GitHub lets in.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Whom Asana lets in, and how much it bears.
    #[must_use]
    pub const fn asana(&self) -> &Asana {
        &self.asana
    }

    /// Whom Datadog lets in.
    #[must_use]
    pub const fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Who is let in by SkyPilot's servers.
    #[must_use]
    pub const fn sky_credentials(&self) -> &SkyCredentials {
        &self.sky.0
    }

    /// Where SkyPilot's servers work on requests.
    #[must_use]
    pub const fn workshop(&self) -> &Workshop {
        &self.sky.1
    }

    /// Whom W&B lets in.
    #[must_use]
    pub const fn wandb_keys(&self) -> &WandbKeys {
        &self.wandb.0
    }

    /// How W&B's server is.
    #[must_use]
    pub const fn wandb_mood(&self) -> &WandbMood {
        &self.wandb.1
    }

    /// What Secrets Manager holds.
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// What S3 holds.
    #[must_use]
    pub const fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// What Datadog stored.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }
}

async fn serve(upstream: &'static str, listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<Wire>();
    if let Err(error) = axum::serve(Door(listener), service).await {
        eprintln!("sandbox: {upstream} stopped: {error}");
    }
}
