//! The clusters and their states.

use super::rows::{epoch, user_hash};
use super::{Asked, Reply, bodies, pickle};
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
    all_users: Option<bool>,
}

pub(super) fn read(body: &Bytes) -> Result<Asked, Reply> {
    let modes = ["NONE", "AUTO", "FORCE"];
    let asked: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    if let Some(mode) = asked.get("refresh").filter(|mode| !mode.as_str().is_some_and(|mode| modes.contains(&mode))) {
        let wrong = json!([{
            "type": "enum", "loc": ["body", "refresh"], "msg": "Input should be 'NONE', 'AUTO' or 'FORCE'",
            "input": mode, "ctx": {"expected": "'NONE', 'AUTO' or 'FORCE'"},
        }]);
        return Err(Reply::json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": wrong })));
    }
    let query: Query = bodies::parsed(body)?;
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
        "to_down": false, "metadata": {}, "cluster_hash": user_hash(&cluster.name),
        "cluster_ever_up": past.iter().any(|(_, status)| *status == "UP"), "status_updated_at": made,
        "user_hash": user_hash(login), "user_name": name, "workspace": "default", "is_managed": cluster.managed,
        "nodes": 1, "cloud": "AWS", "region": "us-east-1", "labels": {}, "resources_str": "1x(cpus=4, mem=16, m6i.xlarge, ...)",
        "resources_str_full": "1x(cpus=4, mem=16, m6i.xlarge, disk=256)", "cpus": "4.0", "memory": "16.0",
        "cluster_name_on_cloud": format!("{}-1", cluster.name), "priority": 0, "links": {},
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
