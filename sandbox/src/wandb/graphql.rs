//! The one endpoint: a document is checked against the schema and executed over the model.

use super::entity::{Entity, World};
use apollo_compiler::ast::{Definition, Document, OperationType, Selection};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::resolvers::Execution;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema as Types};
use http::StatusCode;
use serde_json::{Value, json};

/// The part of W&B's schema that is answered.
pub struct Schema(Valid<Types>);

impl Schema {
    /// Reads the schema.
    pub fn new() -> Self {
        let parsed = Types::parse_and_validate(include_str!("schema.graphql"), "schema.graphql");
        Self(parsed.unwrap_or_else(|broken| Valid::assume_valid(broken.partial)))
    }
}

/// An answer: its status and its body.
pub type Reply = (StatusCode, Value);

fn refusal(message: impl Into<String>) -> Reply {
    (StatusCode::BAD_REQUEST, json!({ "errors": [{ "message": message.into() }] }))
}

/// Answers a request.
pub fn serve(schema: &Schema, world: &World<'_>, body: &[u8]) -> Reply {
    let Ok(request) = serde_json::from_slice::<Value>(body) else {
        return refusal("invalid JSON in the request body");
    };
    let Some(query) = request["query"].as_str().filter(|query| !query.trim().is_empty()) else {
        return refusal("Must provide an operation.");
    };
    if !matches!(request["variables"], Value::Null | Value::Object(_)) {
        return refusal("Variables must be provided as an Object.");
    }
    let document = match document(&schema.0, query) {
        Ok(document) => document,
        Err(errors) => return (StatusCode::BAD_REQUEST, json!({ "errors": errors })),
    };
    let name = request["operationName"].as_str().filter(|name| !name.is_empty());
    let Ok(operation) = document.operations.get(name) else {
        return refusal(name.map_or_else(
            || "Must provide operation name if query contains multiple operations.".to_owned(),
            |name| format!("Unknown operation named \"{name}\"."),
        ));
    };
    if operation.operation_type != OperationType::Query {
        return refusal("Schema is not configured for mutations.");
    }
    let raw: JsonMap = serde_json::from_value(request["variables"].clone()).unwrap_or_default();
    for variable in &operation.variables {
        let value = raw.get(variable.name.as_str());
        let absent = value.is_none_or(apollo_compiler::response::JsonValue::is_null);
        if absent && variable.ty.is_non_null() && variable.default_value.is_none() {
            return refusal(format!(
                "Variable \"${}\" of required type \"{}\" was not provided.",
                variable.name, variable.ty
            ));
        }
    }
    let variables = match coerce_variable_values(&schema.0, operation, &raw) {
        Ok(variables) => variables,
        Err(error) => return refusal(format!("Variable got invalid value: {}", error.message())),
    };
    let execution = Execution::new(&schema.0, &document).operation(operation).coerced_variable_values(&variables);
    let root = Entity::Query(world);
    match execution.enable_schema_introspection(true).execute_sync(&root) {
        Err(error) => refusal(error.to_graphql_error(&document.sources).message),
        Ok(response) => {
            if let Some(status) = world.limits.refusal() {
                let told = response.errors.iter().map(|error| json!({ "message": error.message, "path": error.path }));
                return (status, json!({ "errors": told.collect::<Vec<_>>() }));
            }
            let mut answer = json!({ "data": response.data });
            if !response.errors.is_empty() {
                let told = response.errors.iter().map(|error| {
                    let message = error.message.strip_prefix("resolver error: ").unwrap_or(&error.message);
                    json!({ "message": message, "path": error.path })
                });
                answer["errors"] = told.collect();
            }
            (StatusCode::OK, answer)
        }
    }
}

/// Parses and validates a document; the commonest mistakes are told in the words of GraphQL's reference implementation.
fn document(schema: &Valid<Types>, query: &str) -> Result<Valid<ExecutableDocument>, Vec<Value>> {
    let parsed = Document::parse(query, "query.graphql").map_err(|broken| {
        let first = broken.errors.iter().next().map(|error| error.to_json());
        let place = first.as_ref().and_then(|error| error.locations.first());
        let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
        let message = first.as_ref().map_or_else(String::new, |error| error.message.clone());
        let message = format!("Syntax Error GraphQL request ({line}:{column}) {message}");
        vec![json!({ "message": message, "locations": [{ "line": line, "column": column }] })]
    })?;
    let mut errors = Vec::new();
    for definition in &parsed.definitions {
        match definition {
            Definition::OperationDefinition(operation) => {
                if let Some(root) = schema.root_operation(operation.operation_type) {
                    walk(schema, &parsed, root.as_str(), &operation.selection_set, &mut errors);
                }
            }
            Definition::FragmentDefinition(fragment) => {
                walk(schema, &parsed, fragment.type_condition.as_str(), &fragment.selection_set, &mut errors);
            }
            _ => {}
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    ExecutableDocument::parse_and_validate(schema, query, "query.graphql").map_err(|broken| {
        let errors = broken.errors.iter().map(|error| {
            let error = error.to_json();
            json!({ "message": error.message, "locations": error.locations })
        });
        errors.collect()
    })
}

fn walk(schema: &Types, document: &Document, ty: &str, selections: &[Selection], errors: &mut Vec<Value>) {
    let mut told = |message: String, at: Option<SourceSpan>| {
        let place = at.and_then(|at| at.line_column(&document.sources));
        let places: Vec<Value> =
            place.map(|place| json!({ "line": place.line, "column": place.column })).into_iter().collect();
        errors.push(json!({ "message": message, "locations": places }));
    };
    let mut inner: Vec<(String, &[Selection])> = Vec::new();
    for selection in selections {
        match selection {
            Selection::Field(field) => {
                let name = field.name.as_str();
                let Ok(definition) = schema.type_field(ty, name) else {
                    if schema.types.contains_key(ty) {
                        told(format!("Cannot query field \"{name}\" on type \"{ty}\"."), field.location());
                    }
                    continue;
                };
                for argument in &field.arguments {
                    if !definition.arguments.iter().any(|known| known.name == argument.name) {
                        let message =
                            format!("Unknown argument \"{}\" on field \"{name}\" of type \"{ty}\".", argument.name);
                        told(message, argument.location());
                    }
                }
                inner.push((definition.ty.inner_named_type().to_string(), &field.selection_set));
            }
            Selection::InlineFragment(fragment) => {
                let condition = fragment.type_condition.as_ref().map_or(ty, |name| name.as_str());
                inner.push((condition.to_owned(), &fragment.selection_set));
            }
            Selection::FragmentSpread(_) => {}
        }
    }
    for (ty, selections) in inner {
        walk(schema, document, &ty, selections, errors);
    }
}

/// The fields of the root that a document asks for first, by which refusals name a place.
pub fn first_field(body: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let document = Document::parse(request["query"].as_str()?, "query.graphql").ok()?;
    document.definitions.iter().find_map(|definition| match definition {
        Definition::OperationDefinition(operation) => {
            let field = operation.selection_set.iter().find_map(Selection::as_field).map(Node::as_ref)?;
            Some(field.response_name().to_string())
        }
        _ => None,
    })
}
