//! What a request says: its parameters, pages and fields.

use super::fields::{Deep, Fields};
use super::{Call, Refusal, Reply};
use crate::github::{encode, pairs};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// More than this is refused where no pages are asked for.
const LARGEST: usize = 1000;
/// The largest page.
const LARGEST_PAGE: usize = 100;
/// How long an offset is good for.
const LIFETIME: SignedDuration = SignedDuration::from_hours(1);

/// The parameters of a request.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn new(text: &str) -> Self {
        Self(pairs(text))
    }

    /// The last value of a parameter, if there is one that is not empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|pair| pair.0 == name && !pair.1.is_empty()).map(|pair| pair.1.as_str())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pair| pair.0.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        // Asana's client for Python writes them with a capital.
        match self.value(name).map(|said| (said, said.to_lowercase())) {
            None => Ok(None),
            Some((_, said)) if ["true", "1"].contains(&said.as_str()) => Ok(Some(true)),
            Some((_, said)) if ["false", "0"].contains(&said.as_str()) => Ok(Some(false)),
            Some((other, _)) => Err(Refusal::bad(&format!("{name}: Not a boolean: {other}"))),
        }
    }

    /// A parameter that is an instant: a day is its beginning, `now` is now.
    pub(super) fn instant(&self, name: &str, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
        let midnight = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|day| day.timestamp());
        let said = if text == "now" { Some(now) } else { midnight.or_else(|| text.parse().ok()) };
        said.map(Some).ok_or_else(|| Refusal::bad(&format!("{name}: Not a valid date or time: {text}")))
    }

    /// How many are asked for.
    pub(super) fn limit(&self) -> Result<Option<usize>, Refusal> {
        let Some(text) = self.value("limit") else { return Ok(None) };
        let limit = text.parse::<usize>().ok().filter(|limit| (1..=LARGEST_PAGE).contains(limit));
        limit.map(Some).ok_or_else(|| Refusal::bad("limit: Must be between 1 and 100"))
    }

    /// The fields that are asked for; none at all is the record as it usually is.
    pub(super) fn fields(&self) -> Option<Fields> {
        let said: Vec<&str> = self.0.iter().filter(|pair| pair.0 == "opt_fields").map(|pair| pair.1.as_str()).collect();
        (!said.is_empty() && said.iter().any(|text| !text.is_empty())).then(|| Fields::parse(&said.join(",")))
    }

    /// What makes two requests pages of one list.
    fn list(&self, path: &str) -> String {
        let own = |name: &str| name == "limit" || name == "offset" || name.starts_with("opt_");
        let mut said: Vec<String> =
            self.0.iter().filter(|pair| !own(&pair.0)).map(|(name, value)| format!("{name}={value}")).collect();
        said.sort();
        format!("{path}?{}", said.join("&"))
    }
}

/// A record as it is asked for: by its fields, else as others tell of it, or whole.
pub(super) fn told(fields: Option<&Fields>, tell: impl Fn(Deep<'_>) -> Value, short: bool) -> Value {
    match fields {
        Some(fields) => fields.of(tell(Deep::Asked(fields))),
        None if short => super::fields::compact(tell(Deep::Short)),
        None => match tell(Deep::Whole) {
            Value::Object(members) => super::fields::within(members),
            other => other,
        },
    }
}

impl Call<'_> {
    /// A page of a list of places, each told by `tell` with so many records in it told whole.
    pub(super) fn page<T>(&self, items: &[T], tell: impl Fn(&T, Deep<'_>) -> Value) -> Result<Reply, Refusal> {
        let limit = self.query.limit()?;
        let start = self.query.value("offset").map(|offset| self.position(offset)).transpose()?.unwrap_or(0);
        let most = limit.unwrap_or(LARGEST);
        let left = items.get(start..).unwrap_or_default();
        if limit.is_none() && left.len() > LARGEST {
            let message = "The result is too large. You should use pagination (may require specifying a workspace)!";
            return Err(Refusal::bad(message));
        }
        let fields = self.query.fields();
        let tell = |item: &T| told(fields.as_ref(), |deep| tell(item, deep), true);
        let page: Vec<Value> = left.iter().take(most).map(tell).collect();
        let mut body = json!({ "data": page });
        if limit.is_some() {
            body["next_page"] = if left.len() > most { self.next(start + most) } else { Value::Null };
        }
        Ok(Reply(body))
    }

    fn next(&self, position: usize) -> Value {
        let offset = self.offset(position);
        let kept = self.query.0.iter().filter(|pair| pair.0 != "offset");
        let mut said: Vec<String> = kept.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        said.push(format!("offset={offset}"));
        let path = format!("{}?{}", self.path, said.join("&"));
        json!({ "offset": offset, "path": path, "uri": format!("{}{}{path}", self.base, super::ROOT) })
    }

    fn sign(&self, payload: &str) -> String {
        let text = format!("{payload}|{}|{}", self.query.list(&self.path), self.token);
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
    }

    fn offset(&self, position: usize) -> String {
        let told = json!({"border_rank": position, "iat": self.now.as_second(), "jti": self.state.door.generation()});
        let payload = BASE64_URL_SAFE_NO_PAD.encode(told.to_string());
        let head = BASE64_URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"HS256"}"#);
        format!("{head}.{payload}.{}", self.sign(&payload))
    }

    /// Where an offset points to: only one that was handed out for this list does.
    fn position(&self, offset: &str) -> Result<usize, Refusal> {
        let invalid = || Refusal::bad("offset: Your pagination token is invalid.");
        let mut parts = offset.splitn(3, '.').skip(1);
        let (payload, signature) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if signature != self.sign(payload) {
            return Err(invalid());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid())?;
        let told: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        let age = self.now.as_second() - told["iat"].as_i64().unwrap_or_default();
        if told["jti"] != self.state.door.generation() || age > LIFETIME.as_secs() {
            return Err(Refusal::bad("offset: Your pagination token has expired."));
        }
        told["border_rank"].as_u64().and_then(|position| usize::try_from(position).ok()).ok_or_else(invalid)
    }
}
