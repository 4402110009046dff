//! Sends one point and waits until Datadog shows it: an accepted point is not yet a stored one.

use http::{HeaderName, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use shared::datadog::{Base, Intake, LIMITS, encode};
use shared::{Auth, Env, Error, Http, Result, floor, heartbeat};
use std::time::Duration;

/// How often the point is looked for, and the pause in between.
const ATTEMPTS: u32 = 24;
const PAUSE: Duration = Duration::from_secs(5);

/// Sends a point, and returns the seconds until it could be read.
pub async fn readback(env: &Env, intake: &Intake, wall: Timestamp) -> Result<u64> {
    let site = env.get("DD_SITE").unwrap_or("datadoghq.com");
    let base = env.url("DATADOG_URL", &format!("https://api.{site}"))?;
    let key = env.required_secret("DD_API_KEY", "it is an API key")?;
    let application = env.required_secret("DD_APP_KEY", "it is an application key that may query time series")?;
    let http = Http::new(env, "datadog", base.clone(), Auth::Header(HeaderName::from_static("dd-api-key"), key))?;
    send(env, intake, floor(wall)).await?;
    let (from, to) = (floor(wall) - SignedDuration::from_mins(15), wall + SignedDuration::from_mins(1));
    let query = shared::http::escape("max:collector.build{service:vitals-check}");
    let path = format!("/api/v1/query?from={}&to={}&query={query}", from.as_second(), to.as_second());
    for attempt in 0..ATTEMPTS {
        let request = Request::get(format!("{base}{path}"))
            .header("dd-application-key", application.expose())
            .body(bytes::Bytes::new())
            .map_err(|_| Error::config("DD_APP_KEY", "contains characters that are not allowed in a header"))?;
        let answer: Value = http.json(&path, &http.send(request).await?)?;
        if answer["series"].as_array().is_some_and(|series| !series.is_empty()) {
            return Ok(PAUSE.as_secs() * u64::from(attempt));
        }
        tokio::time::sleep(PAUSE).await;
    }
    let waited = PAUSE.as_secs() * u64::from(ATTEMPTS);
    let what = format!(
        "a point was accepted and could not be read within {waited} s; does DD_APP_KEY belong to another organisation?"
    );
    Err(Error::Intake { what })
}

/// Sends the point.
async fn send(env: &Env, intake: &Intake, now: Timestamp) -> Result<()> {
    let env_tag = shared::tags::value("env", env.required(shared::ENV)?);
    let base = Base::new("check", env_tag, "vitals-check");
    let sample = heartbeat::BUILD.sample(1.0).tag("version", env!("CARGO_PKG_VERSION"));
    let delivery = intake.deliver(encode(&[sample], &base, now, LIMITS)?, false).await;
    if delivery.accepted > 0 {
        return Ok(());
    }
    Err(Error::Intake { what: delivery.refused.unwrap_or_else(|| "the point was not accepted".to_owned()) })
}
