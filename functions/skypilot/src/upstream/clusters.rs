//! The clusters of a server.

use super::exchange::{Client, NAME};
use serde::Deserialize;
use serde_json::json;
use shared::{Error, Result};

const ROUTE: &str = "/status";

/// Names of clusters that the server makes for itself begin so.
const CONTROLLERS: [&str; 2] = ["sky-jobs-controller-", "sky-serve-controller-"];

#[derive(Deserialize)]
struct Cluster {
    name: String,
    status: String,
    #[serde(default)]
    is_managed: Option<bool>,
}

impl Client {
    /// Clusters that are up and neither controllers nor made for a managed job.
    pub async fn clusters(&self) -> Result<usize> {
        let body = json!({
            "all_users": true, "refresh": "NONE", "include_credentials": false, "include_handle": false,
        });
        let text = self.ask(ROUTE, &body).await?.value().inspect_err(|_| self.unreadable())?;
        let clusters: Vec<Cluster> = serde_json::from_str(&text).map_err(|error| {
            self.unreadable();
            let place = format!("line {} column {}", error.line(), error.column());
            Error::decode(NAME, format!("the return value of {ROUTE} has another shape than documented at {place}"))
        })?;
        Ok(clusters.iter().filter(|cluster| cluster.is_active()).count())
    }
}

impl Cluster {
    fn is_active(&self) -> bool {
        let reserved = CONTROLLERS.iter().any(|prefix| self.name.starts_with(prefix));
        self.status == "UP" && !reserved && self.is_managed != Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::Stage;
    use super::*;

    #[tokio::test]
    async fn somebodys_own_clusters_that_are_up_are_counted() {
        let stage = Stage::new(|_, _| {
            Some(json!([
                {"name": "ada-dev", "status": "UP", "is_managed": false},
                {"name": "old-record", "status": "UP"},
                {"name": "job-7", "status": "UP", "is_managed": true},
                {"name": "sky-jobs-controller-1a2b", "status": "UP", "is_managed": false},
                {"name": "sky-serve-controller-1a2b", "status": "UP"},
                {"name": "stopped", "status": "STOPPED"},
                {"name": "starting", "status": "INIT"},
            ]))
        })
        .await;
        assert_eq!(stage.client.clusters().await.unwrap(), 2);
        let asked = &stage.asked(ROUTE)[0];
        assert_eq!((&asked["refresh"], &asked["include_credentials"]), (&json!("NONE"), &json!(false)));
    }

    #[tokio::test]
    async fn an_answer_of_another_shape_is_no_clusters_at_all() {
        let stage = Stage::new(|_, _| Some(json!({"clusters": []}))).await;
        assert_eq!(stage.client.clusters().await.unwrap_err().kind(), Some("decode"));
    }
}
