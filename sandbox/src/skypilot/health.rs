//! What the server says about itself.

use super::auth::Identity;
use super::{Reply, State};
use http::StatusCode;
use serde_json::{Value, json};

/// The version of its interface.
pub(super) const API_VERSION: &str = "62";
/// Its own version.
pub(super) const VERSION: &str = "0.14.1";

const COMMIT: &str = "5b1f0c6a4c1d3be6e2f5d9d8f7a6b5c4d3e2f1a0";

pub(super) fn answer(state: &State, identity: &Identity) -> Reply {
    let user = identity.kind.map(|kind| {
        json!({
            "id": identity.id, "name": identity.name, "password": null, "created_at": 1_760_000_000,
            "user_type": kind, "preferred_workspace": null,
        })
    });
    let known = user.is_some();
    let body = if state.is_new() {
        // Nobody in particular is told that the server is there, and nothing else.
        let say = |text: &str| Value::from(if known { text } else { "" });
        json!({
            "status": "healthy", "api_version": say(API_VERSION), "version": say(VERSION),
            "version_on_disk": say(VERSION), "commit": say(COMMIT), "basic_auth_enabled": known, "user": user,
            "service_account_token_enabled": known, "ingress_basic_auth_enabled": false, "latest_version": null,
            "external_proxy_auth_enabled": false, "telemetry_enabled": true, "restrict_config_to_admins": true,
        })
    } else {
        json!({
            "status": "healthy", "api_version": "10", "version": "0.9.3", "version_on_disk": "0.9.3",
            "commit": COMMIT, "basic_auth_enabled": true, "user": user,
        })
    };
    Reply::json(StatusCode::OK, body)
}
