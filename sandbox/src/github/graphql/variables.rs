//! The variables of a request.

use apollo_compiler::executable::Operation;
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};
use serde_json::{Value, json};

/// Reads the variables of a request.
pub fn read(
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    raw: &JsonMap,
) -> Result<Valid<JsonMap>, Vec<Value>> {
    let place = |span: Option<SourceSpan>| -> Vec<Value> {
        let place = span.and_then(|span| span.line_column(&document.sources));
        place.map(|place| json!({ "line": place.line, "column": place.column })).into_iter().collect()
    };
    let mut errors = Vec::new();
    for variable in &operation.variables {
        let value = raw.get(variable.name.as_str());
        let absent = value.is_none_or(apollo_compiler::response::JsonValue::is_null);
        if absent && variable.ty.is_non_null() && variable.default_value.is_none() {
            let message = format!("Variable ${} of type {} was provided invalid value", variable.name, variable.ty);
            let problems = json!([{ "path": [], "explanation": "Expected value to not be null" }]);
            errors.push(json!({
                "extensions": { "value": null, "problems": problems }, "locations": place(variable.location()),
                "message": message,
            }));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    coerce_variable_values(schema, operation, raw).map_err(|error| {
        // Coercion stops at the first variable that does not fit: find it by trying each alone.
        let guilty =
            operation.variables.iter().find(|variable| error.message().to_string().contains(variable.name.as_str()));
        let Some(variable) = guilty else {
            return vec![json!({ "message": error.message().to_string(), "locations": [] })];
        };
        let value = raw.get(variable.name.as_str());
        let told = value.map(ToString::to_string).unwrap_or_default();
        let explanation = match variable.ty.inner_named_type().as_str() {
            name @ ("Int" | "String" | "Boolean" | "Float" | "ID") => {
                format!("Could not coerce value {told} to {name}")
            }
            name => match schema.types.get(name) {
                Some(ExtendedType::Enum(values)) => {
                    let all: Vec<_> = values.values.keys().map(apollo_compiler::Name::as_str).collect();
                    format!("Expected {told} to be one of: {}", all.join(", "))
                }
                _ => format!("Expected {told} to be a key-value object."),
            },
        };
        vec![json!({
            "extensions": { "value": value, "problems": [{ "path": [], "explanation": explanation }] },
            "locations": place(variable.location()),
            "message": format!("Variable ${} of type {} was provided invalid value", variable.name, variable.ty),
        })]
    })
}
