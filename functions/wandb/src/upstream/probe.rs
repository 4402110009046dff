//! Checks that W&B answers, that it takes the key, and that the key may see the project.

use super::client::Client;
use crate::WandB;
use serde::Deserialize;
use serde_json::Value;
use shared::graphql::Variables;
use shared::{Error, Probe, Result};

const VIEWER: &str = "query Viewer { viewer { id username entity } }";

const PROJECT: &str = "query Project($entity: String!, $project: String!) { \
    project(name: $project, entityName: $entity) { name runCount \
    runs(order: \"-heartbeat_at\", first: 1) { edges { node { name systemMetrics summaryMetrics } } } } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Project {
    run_count: u64,
}

impl WandB {
    /// Asks who we are and whether the project is there.
    pub(crate) async fn probe_project(&self, target: &str) -> Vec<Probe> {
        let Ok(client) = self.client(target) else { return Vec::new() };
        let place = client.target.key.place();
        let (entity, project) = (&client.target.entity, &client.target.project);
        let fix = format!(
            "put an API key from wandb.ai/authorize into {place}; {} must be the server it belongs to",
            self.config.url_variable
        );
        let key = Probe::new("API key", viewer(client).await, fix);
        let fix = format!(
            "check the spelling of {entity}/{project} in WANDB_PROJECTS as it stands in the project's address, and let \
             the owner of the key in {place} join the team {entity} or view the project"
        );
        let found = client.project::<Project>(PROJECT, Variables::new()).await;
        let found = found.map(|project| format!("{} runs", project.run_count));
        vec![key, Probe::new(format!("{entity}/{project}: project"), found, fix)]
    }
}

async fn viewer(client: &Client) -> Result<String> {
    let data = client.data(VIEWER, &Variables::new()).await?;
    if data.get("viewer").is_some_and(Value::is_object) {
        // Who it is may be a person's name, and is nobody else's business.
        return Ok("accepted".to_owned());
    }
    let what = format!("nobody is logged in with {}", client.target.key.place());
    Err(Error::Auth { upstream: super::client::WANDB, what })
}
