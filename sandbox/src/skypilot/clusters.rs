//! The clusters and their states.

use super::rows::{epoch, user_hash};
use super::{Asked, Reply, pickle, queue};
use crate::model::Person;
use crate::model::skypilot::{Cluster, Release, Server};
use axum::body::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a question for clusters; what is not known here is ignored, as there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Query {
    cluster_names: Option<Vec<String>>,
    refresh: Option<String>,
    all_users: Option<bool>,
}

pub(super) fn read(body: &Bytes) -> Result<Asked, Reply> {
    let query: Query = queue::parsed(body)?;
    let known = query.refresh.as_deref().is_none_or(|mode| ["NONE", "AUTO", "FORCE"].contains(&mode));
    if !known {
        let detail = json!([{
            "type": "enum", "loc": ["body", "refresh"], "msg": "Input should be 'NONE', 'AUTO' or 'FORCE'",
            "input": query.refresh,
        }]);
        return Err(Reply::json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": detail })));
    }
    Ok(Asked::Status(query))
}

pub(super) fn list(server: &Server, people: &[Person], query: &Query, now: Timestamp) -> Value {
    let here = |cluster: &&Cluster| {
        let made = cluster.turns.first().is_some_and(|(made, _)| *made <= now);
        made && cluster.removed_at.is_none_or(|removed| now < removed)
    };
    let named = |cluster: &&Cluster| query.cluster_names.as_ref().is_none_or(|names| names.contains(&cluster.name));
    // A new server leaves out what was made for managed jobs; an old one says of each whether it was.
    let shown = |cluster: &&Cluster| server.release == Release::Old || !cluster.managed;
    // The asker has launched nothing.
    let all = query.all_users.unwrap_or(true);
    let clusters = server.clusters.iter().filter(here).filter(named).filter(shown).filter(|_| all);
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
        "to_down": false, "owner": ["AIDA"], "metadata": {}, "cluster_hash": user_hash(&cluster.name),
        "cluster_ever_up": past.iter().any(|(_, status)| *status == "UP"), "status_updated_at": made,
        "user_hash": user_hash(login), "user_name": name, "workspace": "default", "is_managed": cluster.managed,
        "nodes": 1, "cloud": "AWS", "region": "us-east-1", "labels": {}, "resources_str": "1x(cpus=4, mem=16, ...)",
        "handle": pickle::none(), "storage_mounts_metadata": pickle::none(),
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
