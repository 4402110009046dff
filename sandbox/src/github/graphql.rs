//! The GraphQL API: one endpoint that checks, prices and executes a document.

mod commits;
mod connection;
mod cost;
mod deployments;
mod entity;
mod issues;
mod pulls;
mod query;
mod repository;

use super::limits::{Resource, Standing};
use super::rest::{Content, Refusal, Reply};
use super::views::World;
use super::{Call, Identity, State};
use apollo_compiler::diagnostic::Diagnostic;
use apollo_compiler::request::{RequestError, coerce_variable_values};
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::{DiagnosticData, DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema as Types};
use entity::{Context, Entity};
use http::StatusCode;
use serde_json::{Value, json};

/// The part of GitHub's schema that is answered.
pub struct Schema(Valid<Types>);

impl Schema {
    /// Reads the schema.
    pub fn new() -> Self {
        let parsed = Types::parse_and_validate(include_str!("graphql/schema.graphql"), "schema.graphql");
        Self(parsed.unwrap_or_else(|broken| Valid::assume_valid(broken.partial)))
    }

    /// Its types.
    pub fn types(&self) -> &Valid<Types> {
        &self.0
    }
}

/// Between the type of an error and its message, because executors carry messages alone.
const MARK: char = '\u{1}';

/// A message that carries the type of its error.
pub fn typed(kind: &str, message: &str) -> String {
    format!("{kind}{MARK}{message}")
}

/// Answers a request.
pub fn serve(state: &State, call: &Call) -> (Reply, Standing) {
    let meters = |cost| state.credentials.meters(|meters| meters.spend(&call.key, Resource::Graphql, cost, call.now));
    let standing = state.credentials.meters(|meters| meters.standing(&call.key, Resource::Graphql, call.now));
    let refuse = |status, message: &str, page| (Reply::from(Refusal::new(status, message).documented(page)), standing);
    let page = "https://docs.github.com/graphql";
    if call.method != "POST" {
        return refuse(StatusCode::NOT_FOUND, "Not Found", page);
    }
    match call.identity {
        Identity::Anonymous => {
            let page = "https://docs.github.com/graphql/guides/forming-calls-with-graphql#authenticating-with-graphql";
            return refuse(StatusCode::UNAUTHORIZED, "This endpoint requires you to be authenticated.", page);
        }
        Identity::App(_) => {
            return refuse(StatusCode::UNAUTHORIZED, "A JSON web token could not be decoded", page);
        }
        Identity::User | Identity::Installation(_) => {}
    }
    let Ok(body) = serde_json::from_slice::<Value>(&call.body) else {
        return refuse(StatusCode::BAD_REQUEST, "Problems parsing JSON", page);
    };
    let Some(query) = body["query"].as_str() else {
        let message = "A query attribute must be specified and must be a string.";
        return refuse(StatusCode::BAD_REQUEST, message, page);
    };
    if !matches!(body["variables"], Value::Null | Value::Object(_)) {
        return refuse(StatusCode::BAD_REQUEST, "Variables must be a JSON object.", page);
    }
    if standing.remaining() == 0 {
        let whose = match call.identity {
            Identity::Installation(id) => format!("installation ID {id}"),
            _ => format!("user ID {}", call.identity.number()),
        };
        let error = json!({ "type": "RATE_LIMITED", "message": format!("API rate limit exceeded for {whose}.") });
        return (Reply::json(json!({ "errors": [error] })), standing);
    }
    let world = super::world(state, call);
    match answer(state, call, &world, query, &body) {
        Ok((answer, cost)) => (
            Reply { content: Content::Written(answer), ..Reply::json(Value::Null) },
            meters(cost).unwrap_or_else(|standing| standing),
        ),
        Err(errors) => (Reply::json(json!({ "errors": errors })), meters(1).unwrap_or_else(|standing| standing)),
    }
}

/// The whole answer with its price, or errors found before anything was executed.
fn answer(
    state: &State,
    call: &Call,
    world: &World<'_>,
    query: &str,
    body: &Value,
) -> Result<(String, u64), Vec<Value>> {
    let types = state.schema.types();
    let document = ExecutableDocument::parse_and_validate(types, query, "query.graphql");
    let document = document.map_err(|broken| mistakes(&broken.errors))?;
    let raw: JsonMap = serde_json::from_value(body["variables"].clone()).unwrap_or_default();
    let refused = |error: RequestError| {
        let error = error.to_graphql_error(&document.sources);
        vec![json!({ "message": error.message, "locations": error.locations })]
    };
    let name = body["operationName"].as_str().filter(|name| !name.is_empty());
    let operation = document.operations.get(name).map_err(refused)?;
    let variables = coerce_variable_values(types, operation, &raw).map_err(refused)?;
    let price = cost::of(&document, operation, &variables)?;
    let standing = state.credentials.meters(|meters| meters.standing(&call.key, Resource::Graphql, call.now));
    let context = Context { world, identity: &call.identity, standing, price };
    let execution = Execution::new(types, &document).operation(operation).coerced_variable_values(&variables);
    let execution = execution.enable_schema_introspection(true);
    let response = execution.execute_sync(&Entity::Query(&context)).map_err(refused)?;
    let mut told = format!("{{\"data\":{}", serde_json::to_string(&response.data).unwrap_or_default());
    if !response.errors.is_empty() {
        told.push_str(",\"errors\":");
        told.push_str(&response.errors.iter().map(shown).collect::<Value>().to_string());
    }
    told.push('}');
    Ok((told, price.cost))
}

/// Why a document is not valid, in the words of the library; the code of GitHub's that clients look at is GitHub's.
fn mistakes(broken: &DiagnosticList) -> Vec<Value> {
    let is_unknown =
        |error: &Diagnostic<'_, DiagnosticData>| error.error.unstable_error_name() == Some("UndefinedField");
    let (unknown, others): (Vec<_>, Vec<_>) = broken.iter().partition(is_unknown);
    // A field that is not there leaves a selection empty, and more that follows from it.
    let (told, code) = if unknown.is_empty() { (others, None) } else { (unknown, Some("undefinedField")) };
    let mistake = |error: Diagnostic<'_, DiagnosticData>| {
        let error = error.to_json();
        let mut told = json!({ "message": error.message, "locations": error.locations });
        if let Some(code) = code {
            told["extensions"] = json!({ "code": code });
        }
        told
    };
    told.into_iter().map(mistake).collect()
}

fn shown(error: &GraphQLError) -> Value {
    // The executor says whose error it is; GitHub does not.
    let message = error.message.strip_prefix("resolver error: ").unwrap_or(&error.message);
    let (kind, message) = message.split_once(MARK).unwrap_or(("", message));
    let mut told = json!({ "path": error.path, "locations": error.locations, "message": message });
    if !kind.is_empty() {
        told["type"] = json!(kind);
    }
    told
}
