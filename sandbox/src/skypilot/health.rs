//! What the server says about itself.

use super::auth::Identity;
use super::{Reply, State};
use http::{HeaderMap, StatusCode};
use serde_json::json;

/// The version of its interface, and the oldest one that it speaks.
const API_VERSION: &str = "62";
const OLDEST: i64 = 24;
/// Its own version.
const VERSION: &str = "0.14.1";

const COMMIT: &str = "7e595970a806dcc9eefadf459f399edf1733e962";

pub(super) fn answer(state: &State, identity: &Identity) -> Reply {
    let user = identity.known.then(|| {
        json!({
            "id": identity.id, "name": identity.name, "password": null, "created_at": null, "user_type": null,
            "preferred_workspace": null,
        })
    });
    let body = if state.is_new() {
        json!({
            "status": "healthy", "api_version": API_VERSION, "version": VERSION, "version_on_disk": VERSION,
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

/// Whether a client that names its version may ask: nothing where it names none.
pub(super) fn version(headers: &HeaderMap) -> Option<Result<(), Reply>> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let (api, own) = (text("x-skypilot-api-version")?, text("x-skypilot-version")?);
    Some(match api.parse::<i64>() {
        Ok(api) if api >= OLDEST => Ok(()),
        Ok(_) => {
            let message = format!(
                "\u{1b}[33mYour SkyPilot client version is too old:{own}\n\u{1b}[0mThe server is running on {VERSION} and the \
                 minimum compatible version is 0.11.0.\nUpgrade your client with:\n\u{1b}[33mpip install -U \
                 \"skypilot=={VERSION}\"\u{1b}[0m"
            );
            let body = json!({"error": "version_mismatch", "message": message});
            Err(signed(Reply::json(StatusCode::BAD_REQUEST, body)))
        }
        Err(_) => Err(Reply::json(StatusCode::INTERNAL_SERVER_ERROR, json!("Internal Server Error"))),
    })
}

/// An answer that says which versions it is from.
pub(super) fn signed(reply: Reply) -> Reply {
    reply.with("x-skypilot-api-version", API_VERSION).with("x-skypilot-version", VERSION)
}
