//! The clusters and their states.

use super::rows::{epoch, user_hash};
use super::{Asked, Reply, parsed};
use crate::model::Person;
use crate::model::skypilot::{Cluster, Release, Server};
use axum::body::Bytes;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a question for clusters; what is not known here is ignored, as there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    all_users: Option<bool>,
}

pub(super) fn read(body: &Bytes) -> Result<Asked, Reply> {
    parsed(body).map(Asked::Status)
}

pub(super) fn list(server: &Server, people: &[Person], query: &Query, now: Timestamp) -> Value {
    let here = |cluster: &&Cluster| {
        let made = cluster.turns.first().is_some_and(|(made, _)| *made <= now);
        made && cluster.removed_at.is_none_or(|removed| now < removed)
    };
    // A new server leaves out what was made for managed jobs; an old one says of each whether it was.
    let shown = |cluster: &&Cluster| server.release == Release::Old || !cluster.managed;
    // The asker has launched nothing.
    let all = query.all_users.unwrap_or(true);
    let clusters = server.clusters.iter().filter(here).filter(shown).filter(|_| all);
    Value::Array(clusters.map(|cluster| record(server, cluster, people, now)).collect())
}

fn record(server: &Server, cluster: &Cluster, people: &[Person], now: Timestamp) -> Value {
    let past: Vec<_> = cluster.turns.iter().take_while(|(time, _)| *time <= now).collect();
    let status = past.last().map_or("INIT", |(_, status)| *status);
    let made = cluster.turns.first().map_or(0.0, |(made, _)| epoch(*made).floor());
    let login = people.get(cluster.user).map_or("", |user| user.login.as_str());
    let name = people.get(cluster.user).map_or("", |user| user.name.as_str());
    let mut record = json!({
        "name": cluster.name, "launched_at": made, "last_use": "sky launch", "status": status, "autostop": -1,
        "to_down": false, "metadata": {}, "cluster_hash": user_hash(&cluster.name),
        "cluster_ever_up": past.iter().any(|(_, status)| *status == "UP"), "status_updated_at": made,
        "user_hash": user_hash(login), "user_name": name, "workspace": "default", "is_managed": cluster.managed,
        "nodes": 1, "cloud": "AWS", "region": "us-east-1", "labels": {}, "resources_str": "1x(cpus=4, mem=16, m6i.xlarge, ...)",
        "resources_str_full": "1x(cpus=4, mem=16, m6i.xlarge, disk=256)", "cpus": "4.0", "memory": "16.0",
        "cluster_name_on_cloud": format!("{}-1", cluster.name), "priority": 0, "links": {},
        "handle": null,
    });
    if let (Release::Old, Some(record)) = (server.release, record.as_object_mut()) {
        for later in ["is_managed", "cloud", "region", "labels", "resources_str"] {
            if later != "is_managed" || !cluster.managed {
                record.remove(later);
            }
        }
    }
    record
}
