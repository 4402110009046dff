//! Requests that the server works on: each takes its time, and its result can be fetched by its id afterwards.

use super::auth::Identity;
use super::rows::hex;
use super::{Reply, State};
use crate::uri;
use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many requests are remembered.
const MOST: usize = 5_000;

/// How long a client is kept waiting between two looks.
const LOOK: Duration = Duration::from_millis(2);

/// What a request is about, and what will come of it.
pub(super) struct Job {
    pub name: &'static str,
    pub user: String,
    pub created_at: f64,
    pub cluster: Option<&'static str>,
    pub result: Result<Value, Failure>,
}

/// Why a request fails.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    /// The name of the exception.
    pub kind: &'static str,
    pub message: String,
}

struct Kept {
    job: Job,
    ready: Instant,
}

/// Where requests are worked on; clones are the same place.
#[derive(Clone, Default)]
pub struct Workshop(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    number: u64,
    takes: Duration,
    kept: BTreeMap<String, Kept>,
    order: VecDeque<String>,
}

impl Workshop {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on each request takes so long, from its POST to its result.
    pub fn takes(&self, takes: Duration) {
        self.lock().takes = takes;
    }

    /// An id that no request had before.
    pub(super) fn new_id(&self) -> String {
        let mut inner = self.lock();
        inner.number += 1;
        let digest = Sha256::digest(inner.number.to_be_bytes());
        let hex = hex(&digest[..16]);
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }

    pub(super) fn begin(&self, id: &str, job: Job) {
        let mut inner = self.lock();
        let ready = Instant::now() + inner.takes;
        inner.kept.insert(id.to_owned(), Kept { job, ready });
        inner.order.push_back(id.to_owned());
        if inner.order.len() > MOST
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.kept.remove(&oldest);
        }
    }

    /// What came of a request, once it is done; nothing while it is not.
    fn done(&self, id: &str, user: &str) -> Option<Reply> {
        let inner = self.lock();
        let Some(kept) = inner.kept.get(id).filter(|kept| kept.job.user == user) else {
            return Some(Reply::detail(StatusCode::NOT_FOUND, &format!("Request '{id}' not found")));
        };
        (Instant::now() >= kept.ready).then(|| payload(id, &kept.job))
    }
}

pub(super) async fn get(state: &State, query: &str, identity: &Identity) -> Reply {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let Some((_, id)) = pairs.rev().find(|(key, _)| *key == "request_id") else {
        let missing =
            json!([{"type": "missing", "loc": ["query", "request_id"], "msg": "Field required", "input": null}]);
        return Reply::json(StatusCode::UNPROCESSABLE_ENTITY, json!({ "detail": missing }));
    };
    let id = uri::unescape(id);
    loop {
        if let Some(reply) = state.workshop.done(&id, &identity.id) {
            return reply;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn payload(id: &str, job: &Job) -> Reply {
    let (status, value, error) = match &job.result {
        Ok(value) => ("SUCCEEDED", value.to_string(), "null".to_owned()),
        Err(Failure { kind, message }) => {
            // The real one holds a pickled exception as well, which only Python reads.
            let error = json!({"type": kind, "message": message});
            ("FAILED", "null".to_owned(), error.to_string())
        }
    };
    let body = json!({
        "request_id": id, "name": job.name, "status": status, "created_at": job.created_at, "user_id": job.user, "return_value": value, "error": error,
        "pid": 4242, "schedule_type": "short", "user_name": null, "cluster_name": job.cluster, "status_msg": null,
        "should_retry": false, "finished_at": job.created_at, "file_mounts_blob_id": null,
    });
    match job.result {
        Ok(_) => Reply::json(StatusCode::OK, body),
        Err(_) => Reply::json(StatusCode::INTERNAL_SERVER_ERROR, json!({ "detail": body })),
    }
}
