//! The two endpoints that take points, as Datadog describes their payloads.

use super::body::{self, Encoding};
use super::reply::{self, Refusal};
use super::shape::{Fields, Wrong};
use super::store::{Intaken, Submission};
use super::{Datadog, normal, units};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// The largest code in a series' origin.
const LARGEST_ORIGIN: i64 = 1000;

/// How the words of a payload become submissions.
type Read = fn(&Value) -> Result<Submission, Wrong>;

/// `POST /api/v2/series`.
pub(super) async fn series(State(datadog): State<Datadog>, request: Request) -> Response {
    let encodings = [Encoding::Identity, Encoding::Deflate, Encoding::Gzip, Encoding::Zstd];
    take(&datadog, request, &encodings, read_series, &json!({"errors": []})).await
}

/// `POST /api/v1/distribution_points`, whose description names no encoding but `deflate`.
pub(super) async fn distributions(State(datadog): State<Datadog>, request: Request) -> Response {
    let encodings = [Encoding::Identity, Encoding::Deflate];
    take(&datadog, request, &encodings, read_distribution, &json!({"status": "ok"})).await
}

async fn take(datadog: &Datadog, request: Request, allowed: &[Encoding], read: Read, accepted: &Value) -> Response {
    let (parts, sent) = request.into_parts();
    let (path, encoding) = (parts.uri.path().to_owned(), Encoding::of(&parts.headers));
    let word = encoding.as_ref().map_or("unknown", |encoding| encoding.word()).to_owned();
    let mut intaken = Intaken { path, encoding: word, bytes: 0, unpacked: 0, series: 0, status: 0 };
    let outcome = async {
        let sent = body::receive(sent).await?;
        intaken.bytes = sent.len();
        let encoding = encoding?;
        if !allowed.contains(&encoding) {
            return Err(Refusal::bad(format!("Unsupported content encoding: {}", encoding.word())));
        }
        let plain = body::unpack(sent, encoding)?;
        intaken.unpacked = plain.len();
        let submissions = payload(&plain, read).map_err(|wrong| Refusal::bad(format!("Invalid payload: {wrong}")))?;
        datadog.store.write(datadog.clock.now(), &submissions)?;
        intaken.series = submissions.len();
        Ok(reply::json(StatusCode::ACCEPTED, accepted))
    };
    let mut response = outcome.await.unwrap_or_else(IntoResponse::into_response);
    intaken.status = response.status().as_u16();
    if let Err(error) = datadog.store.note_request(datadog.clock.now(), &intaken) {
        response = Refusal::from(error).into_response();
    }
    response
}

fn payload(plain: &[u8], read: Read) -> Result<Vec<Submission>, Wrong> {
    let value: Value = serde_json::from_slice(plain).map_err(|error| error.to_string())?;
    let payload = Fields::of(&value, "payload")?;
    let series = payload.required("series", payload.list("series")?)?;
    let read = |(index, value)| read(value).map_err(|wrong| format!("series[{index}]: {wrong}"));
    series.iter().enumerate().map(read).collect()
}

fn read_series(value: &Value) -> Result<Submission, Wrong> {
    let series = Fields::of(value, "series")?;
    let metric = series.required("metric", series.text("metric")?)?;
    let kind = match series.whole("type")? {
        None | Some(0) => None,
        Some(1) => Some("count"),
        Some(2) => Some("rate"),
        Some(3) => Some("gauge"),
        Some(other) => return Err(format!("series.type: {other} is none of 0, 1, 2, 3")),
    };
    let points = series.required("points", series.list("points")?)?;
    let points = points.iter().map(point).collect::<Result<_, Wrong>>()?;
    series.text("source_type_name")?;
    origin(series)?;
    let mut tags: Vec<String> = series.texts("tags")?.into_iter().map(str::to_owned).collect();
    for value in series.list("resources")?.unwrap_or_default() {
        let resource = Fields::of(value, "resources")?;
        // What the metric is about becomes a tag of it, the host above all.
        if let (Some(kind), Some(name)) = (resource.text("type")?, resource.text("name")?) {
            tags.push(format!("{kind}:{name}"));
        }
    }
    Ok(Submission {
        metric: normal::name(metric),
        tags: normal::tags(tags.iter().map(String::as_str)),
        kind,
        interval: series.whole("interval")?,
        unit: series.text("unit")?.filter(|unit| units::find(unit).is_some()).map(str::to_owned),
        points,
    })
}

fn point(value: &Value) -> Result<(Option<i64>, Vec<f64>), Wrong> {
    let point = Fields::of(value, "points")?;
    Ok((point.whole("timestamp")?, point.number("value")?.into_iter().collect()))
}

fn origin(series: Fields<'_>) -> Result<(), Wrong> {
    let Some(metadata) = series.value("metadata") else { return Ok(()) };
    let Some(origin) = Fields::of(metadata, "metadata")?.value("origin") else { return Ok(()) };
    let origin = Fields::of(origin, "metadata.origin")?;
    for key in ["product", "service", "metric_type"] {
        if origin.whole(key)?.is_some_and(|code| code > LARGEST_ORIGIN) {
            return Err(format!("metadata.origin.{key}: more than {LARGEST_ORIGIN}"));
        }
    }
    Ok(())
}

fn read_distribution(value: &Value) -> Result<Submission, Wrong> {
    let series = Fields::of(value, "series")?;
    let metric = series.required("metric", series.text("metric")?)?;
    if let Some(kind) = series.text("type")?.filter(|kind| *kind != "distribution") {
        return Err(format!("series.type: {kind} is not distribution"));
    }
    let points = series.required("points", series.list("points")?)?;
    let points = points.iter().map(observations).collect::<Result<_, Wrong>>()?;
    let host = series.text("host")?.map(|host| format!("host:{host}"));
    let tags = series.texts("tags")?.into_iter().chain(host.as_deref());
    let tags = normal::tags(tags);
    Ok(Submission {
        metric: normal::name(metric),
        tags,
        kind: Some("distribution"),
        interval: None,
        unit: None,
        points,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a time may have a fraction, and beyond all times the last is as good"
)]
fn observations(value: &Value) -> Result<(Option<i64>, Vec<f64>), Wrong> {
    let wrong = || "points: expected pairs of a time and an array of numbers".to_owned();
    let [ts, values] = value.as_array().map(Vec::as_slice).ok_or_else(wrong)? else { return Err(wrong()) };
    let ts = ts.as_f64().ok_or_else(wrong)?.floor() as i64;
    let values = values.as_array().ok_or_else(wrong)?.iter().map(Value::as_f64);
    Ok((Some(ts), values.collect::<Option<_>>().ok_or_else(wrong)?))
}
