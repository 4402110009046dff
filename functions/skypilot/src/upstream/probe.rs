//! Checks that the server answers, that it lets us in, and that each thing that is read may be seen.

use super::exchange::{Client, NAME};
use super::queue::Wanted;
use crate::SkyPilot;
use serde::Deserialize;
use serde::de::IgnoredAny;
use shared::{Error, Probe, Result, variable_for};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Health {
    status: String,
    api_version: Option<serde_json::Value>,
    version: Option<String>,
    user: Option<User>,
}

#[derive(Deserialize)]
struct User {
    /// Who it is may be a person, and is nobody else's business: that the server knows is enough.
    #[serde(default)]
    name: Option<IgnoredAny>,
}

impl SkyPilot {
    /// Asks for one of each thing that is read of a server.
    pub(crate) async fn probe_server(&self, server: &str) -> Vec<Probe> {
        let client = match self.client(server) {
            Ok(client) => client,
            Err(error) => {
                return vec![line(server, "configuration", Err(error), "name the server in SKYPILOT_SERVERS")];
            }
        };
        let reach =
            "compare the address in SKYPILOT_SERVERS with `sky api info`, and see that this machine may reach it";
        let (there, health) = match client.get::<Health>("/api/health").await {
            Ok(health) => (Ok(health.told()), Ok(health)),
            // A refusal comes from a server that is there.
            Err(error @ Error::Auth { .. }) => (Ok("it answers".to_owned()), Err(error)),
            Err(error) => (Err(error), Ok(Health::default())),
        };
        let mut probes = vec![line(server, "server", there, reach)];
        let own = variable_for("SKYPILOT_TOKEN", server);
        let token = format!(
            "an admin makes a token under Users, Service Accounts, of the server's dashboard (the server runs with \
             ENABLE_SERVICE_ACCOUNTS=true): set SKYPILOT_TOKEN, or {own} for this server alone, to the \
             whole of it (sky_…); a server behind basic authentication wants SKYPILOT_USER and SKYPILOT_PASSWORD"
        );
        probes.push(line(server, "credentials", credentials(health, client).await, &token));
        let clusters = client.clusters().await.map(|number| format!("{number} of somebody's own are up"));
        let user = "give the service account the role `user` or `viewer`, and the workspaces that are to be counted";
        probes.push(line(server, "clusters", clusters, user));
        probes.push(line(server, "managed jobs", managed(client).await, user));
        probes
    }
}

fn line(server: &str, what: &str, found: Result<String>, fix: &str) -> Probe {
    Probe::new(format!("{server}: {what}"), found, fix)
}

impl Health {
    fn told(&self) -> String {
        let api = self.api_version.as_ref().map(|version| version.to_string().trim_matches('"').to_owned());
        let known = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("unknown").to_owned();
        let (version, api) = (known(self.version.as_deref()), known(api.as_deref()));
        format!("SkyPilot {version} with API version {api}")
    }
}

/// Whether the server knows whose credentials they are, by its health; old ones do not say, and are asked for something.
async fn credentials(health: Result<Health>, client: &Client) -> Result<String> {
    let health = health?;
    if health.status == "needs_auth" {
        return Err(Error::Auth { upstream: NAME, what: "the server does not know whose they are".to_owned() });
    }
    if health.user.is_some_and(|user| user.name.is_some()) {
        return Ok("accepted".to_owned());
    }
    client.clusters().await.map(|_| "accepted, or none are needed".to_owned())
}

async fn managed(client: &Client) -> Result<String> {
    const NONE: &str = "no jobs controller yet: no jobs, and no history until there is one";
    match client.page(&Wanted::Counts, 1, 1).await {
        Ok(None) => Ok(NONE.to_owned()),
        Ok(Some(part)) => Ok(format!("{} in its history", part.total.unwrap_or(0))),
        Err(Error::NotFound { .. }) => match client.everything().await? {
            None => Ok(NONE.to_owned()),
            Some(rows) => {
                Ok(format!("{} rows in its history, by the old route: each run reads all of them", rows.len()))
            }
        },
        Err(error) => Err(error),
    }
}
