//! What the server says about itself.

use super::auth::Identity;
use super::{Reply, State};
use crate::model::skypilot::Release;
use http::StatusCode;
use serde_json::json;

/// The version of its interface, and its own.
const NEW: (&str, &str) = ("62", "0.14.1");
const MIDDLE: (&str, &str) = ("24", "0.11.1");

const COMMIT: &str = "7e595970a806dcc9eefadf459f399edf1733e962";

pub(super) fn answer(state: &State, identity: &Identity) -> Reply {
    let user = identity.known.then(|| {
        json!({
            "id": identity.id, "name": identity.name, "password": null, "created_at": null, "user_type": null,
            "preferred_workspace": null,
        })
    });
    let (api, version) = if state.release() == Release::Middle { MIDDLE } else { NEW };
    let body = if state.is_new() {
        json!({
            "status": "healthy", "api_version": api, "version": version, "version_on_disk": version,
            "commit": COMMIT, "basic_auth_enabled": true, "user": user, "service_account_token_enabled": true,
            "ingress_basic_auth_enabled": false, "latest_version": null, "external_proxy_auth_enabled": false,
            "telemetry_enabled": false, "restrict_config_to_admins": true,
        })
    } else {
        json!({
            "status": "healthy", "api_version": "10", "version": "0.9.3", "version_on_disk": "0.9.3",
            "commit": COMMIT, "basic_auth_enabled": true, "user": user,
        })
    };
    Reply::json(StatusCode::OK, body)
}
