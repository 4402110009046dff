//! The GraphQL API: one endpoint that checks, prices and executes a document.

mod actors;
mod commits;
mod connection;
mod cost;
mod deployments;
mod entity;
mod events;
mod issues;
mod parse;
mod pulls;
mod query;
mod repository;
mod search;
mod validate;
mod variables;

use super::limits::{Resource, Standing};
use super::rest::{Content, Refusal, Reply};
use super::views::World;
use super::{Call, Identity, State};
use apollo_compiler::Schema as Types;
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::{GraphQLError, JsonMap};
use apollo_compiler::validation::Valid;
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
        Identity::User(_) | Identity::Installation(_) => {}
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
    let document = validate::document(types, query)?;
    let operation = match document.operations.get(body["operationName"].as_str().filter(|name| !name.is_empty())) {
        Ok(operation) => operation,
        Err(_) if body["operationName"].is_string() => {
            let name = body["operationName"].as_str().unwrap_or_default();
            return Err(vec![json!({ "message": format!("No operation named \"{name}\"") })]);
        }
        Err(_) => return Err(vec![json!({ "message": "An operation name is required" })]),
    };
    let raw: JsonMap = serde_json::from_value(body["variables"].clone()).unwrap_or_default();
    let variables = variables::read(types, &document, operation, &raw)?;
    let price = cost::of(&document, operation, &variables)?;
    let standing = state.credentials.meters(|meters| meters.standing(&call.key, Resource::Graphql, call.now));
    let context =
        Context { world, identity: &call.identity, standing, price, dry: cost::is_dry(operation, &variables) };
    let execution = Execution::new(types, &document).operation(operation).coerced_variable_values(&variables);
    let response = execution.enable_schema_introspection(true).execute_sync(&Entity::Query(&context));
    let response = response.map_err(|error| {
        let error = error.to_graphql_error(&document.sources);
        vec![json!({ "message": error.message, "locations": error.locations })]
    })?;
    let mut told = format!("{{\"data\":{}", serde_json::to_string(&response.data).unwrap_or_default());
    if !response.errors.is_empty() {
        told.push_str(",\"errors\":");
        told.push_str(&response.errors.iter().map(shown).collect::<Value>().to_string());
    }
    told.push('}');
    Ok((told, if context.dry { 0 } else { price.cost }))
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
