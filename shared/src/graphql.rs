//! Answers of GraphQL APIs: data, beside errors that name the place they spoil. Messages of upstreams are never repeated.

use crate::{Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt;

/// The values of a document's variables.
pub type Variables = Map<String, Value>;

/// Variables by their names.
#[must_use]
pub fn variables<const N: usize>(pairs: [(&str, Value); N]) -> Variables {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The body of a request.
#[must_use]
pub fn body(document: &str, variables: &Variables) -> Value {
    json!({ "query": document, "variables": variables })
}

/// An answer as it arrives, with data of the shape that the document selects. It may hold data, errors, or both.
#[derive(Debug, Deserialize)]
pub struct Response<T> {
    /// What the document selects, as far as it is known.
    pub data: Option<T>,
    /// What went wrong.
    #[serde(default = "Vec::new")]
    pub errors: Vec<Failure>,
}

impl<T> Response<T> {
    /// The data of an answer without any error; `path` is where the question went.
    ///
    /// # Errors
    /// When there is an error beside the data, or no data.
    pub fn whole(self, upstream: &'static str, path: &str) -> Result<T> {
        match (self.errors.first(), self.data) {
            (Some(failure), _) => Err(failure.error(upstream, path)),
            (None, Some(data)) => Ok(data),
            (None, None) => Err(Error::decode(upstream, format!("the answer to {path} has no data"))),
        }
    }
}

/// An error of an answer. What it says may name people and things: it is looked at and not shown.
#[derive(Deserialize)]
#[serde(from = "Written")]
pub struct Failure {
    kind: Option<String>,
    path: Vec<String>,
    message: String,
}

/// An error as servers write it: by the specification, or as a bare text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Object {
        #[serde(rename = "type")]
        kind: Option<String>,
        path: Option<Vec<Value>>,
        message: Option<String>,
        extensions: Option<Map<String, Value>>,
    },
    Text(String),
}

impl From<Written> for Failure {
    fn from(written: Written) -> Self {
        match written {
            Written::Object { kind, path, message, extensions } => {
                let code = || Some(extensions?.get("code")?.as_str()?.to_owned());
                let names = path.unwrap_or_default().into_iter().filter_map(|step| Some(step.as_str()?.to_owned()));
                Self {
                    kind: kind.or_else(code).filter(|kind| is_name(kind)),
                    path: names.filter(|name| is_name(name)).collect(),
                    message: message.unwrap_or_default().to_lowercase(),
                }
            }
            Written::Text(message) => Self { kind: None, path: Vec::new(), message: message.to_lowercase() },
        }
    }
}

/// Whether a text is a name of GraphQL, and no sentence that could say more.
fn is_name(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl Failure {
    /// The word for what went wrong, such as `NOT_FOUND`, where the answer has one.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// The names on the way to the place that is spoiled, without the numbers of list members; none where all of the
    /// answer is.
    #[must_use]
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// The error that this means, by its kind, else by what its message says.
    #[must_use]
    pub fn error(&self, upstream: &'static str, path: &str) -> Error {
        let is = |kinds: &[&str], text: &str| match self.kind() {
            Some(kind) if kinds.contains(&kind) => true,
            _ => self.message.contains(text),
        };
        let answered = format!("{self} in the answer to {path}");
        if is(&["FORBIDDEN", "INSUFFICIENT_SCOPES", "PERMISSION_ERROR"], "permission denied")
            || is(&[], "not logged in")
        {
            Error::Auth { upstream, what: answered }
        } else if is(&["RATE_LIMITED", "RATE_LIMIT"], "rate limit") {
            Error::RateLimited { upstream, what: answered }
        } else if is(&["NOT_FOUND"], "not found") {
            Error::NotFound { upstream, what: format!("what {path} was asked for{}", self.place()) }
        } else {
            Error::Status { upstream, status: 200, what: format!("{path} with {self}") }
        }
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!(" at {}", self.path.join(".")) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind().unwrap_or("an unnamed error"), self.place())
    }
}

impl fmt::Debug for Failure {
    /// Without the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({self})")
    }
}

/// Takes a field out of an object of the data; nothing where it is null or was not asked for.
///
/// # Errors
/// When it has another shape than documented.
pub fn take<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    name: &str,
    upstream: &'static str,
    path: &str,
) -> Result<Option<T>> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => serde_json::from_value(value).map(Some).map_err(|_| {
            Error::decode(upstream, format!("`{name}` in the answer to {path} has another shape than documented"))
        }),
    }
}

/// Whether and where a list goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// Whether there is a page behind this one.
    pub has_next_page: bool,
    /// The cursor of the last member of this page.
    pub end_cursor: Option<String>,
}

impl PageInfo {
    /// The cursor behind which the next page begins.
    #[must_use]
    pub fn next(&self) -> Option<&str> {
        self.end_cursor.as_deref().filter(|_| self.has_next_page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: Value) -> Response<Map<String, Value>> {
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn an_error_is_sorted_by_its_kind_or_its_message_and_says_where_it_is_and_never_its_message() {
        for (error, kind, text) in [
            (json!({"type": "FORBIDDEN", "path": ["repository", "issues"]}), "auth", "FORBIDDEN at repository.issues"),
            (json!({"message": "Permission denied for lovelace", "path": null}), "auth", "an unnamed error in"),
            (json!({"message": "x", "extensions": {"code": "PERMISSION_ERROR"}}), "auth", "PERMISSION_ERROR in"),
            ("lovelace is not logged in".into(), "auth", "an unnamed error in"),
            (
                json!({"type": "RATE_LIMITED", "message": "lovelace"}),
                "rate_limited",
                "RATE_LIMITED in the answer to /graphql",
            ),
            (json!({"type": "NOT_FOUND", "path": ["a", 0, "b"]}), "not_found", "what /graphql was asked for at a.b"),
            (json!({"message": "project of lovelace not found"}), "not_found", "what /graphql was asked for"),
            (
                json!({"type": "of lovelace", "path": ["to lovelace"]}),
                "server",
                "200 to /graphql with an unnamed error",
            ),
        ] {
            let response = read(json!({ "data": {}, "errors": [error.clone()] }));
            assert!(!format!("{response:?}").contains("lovelace"));
            let error = response.whole("fake", "/graphql").unwrap_err();
            assert_eq!(error.kind(), Some(kind), "{error}");
            assert!(error.to_string().contains(text) && !error.to_string().contains("lovelace"), "{error}");
        }
    }

    #[test]
    fn data_without_errors_is_whole_and_an_answer_without_either_is_none() {
        let response = read(json!({ "data": { "n": 1, "nothing": null } }));
        let mut data = response.whole("fake", "/graphql").unwrap();
        assert_eq!(take::<u8>(&mut data, "n", "fake", "/graphql").unwrap(), Some(1));
        assert_eq!(take::<u8>(&mut data, "nothing", "fake", "/graphql").unwrap(), None);
        for answer in [json!({}), json!({ "data": null })] {
            assert_eq!(read(answer).whole("fake", "/graphql").unwrap_err().kind(), Some("decode"));
        }
        let mut text = Map::from_iter([("n".to_owned(), json!("lovelace"))]);
        let error = take::<u8>(&mut text, "n", "fake", "/graphql").unwrap_err().to_string();
        assert!(error.contains("`n`") && !error.contains("lovelace"), "{error}");
    }

    #[test]
    fn a_list_goes_on_where_there_is_another_page_and_a_way_to_it() {
        for (info, next) in [
            (json!({ "hasNextPage": true, "endCursor": "c" }), Some("c")),
            (json!({ "hasNextPage": false, "endCursor": "c" }), None),
            (json!({ "hasNextPage": true, "endCursor": null }), None),
        ] {
            assert_eq!(serde_json::from_value::<PageInfo>(info).unwrap().next(), next);
        }
    }
}
