//! Validation in GitHub's words: the commonest mistakes by rules of our own, every other by the executor's.

use super::parse;
use apollo_compiler::ast::{
    Argument, Definition, Document, Field, OperationDefinition, OperationType, Selection, Type, Value as Literal,
};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Parses and validates a document.
pub fn document(schema: &Valid<Schema>, query: &str) -> Result<Valid<ExecutableDocument>, Vec<Value>> {
    let parsed = match Document::parse(query, "query.graphql") {
        Ok(parsed) => parsed,
        Err(broken) => return Err(parse::unparsable(query, &broken.errors)),
    };
    if parsed.definitions.is_empty() {
        return Err(vec![json!({ "message": "A query attribute must be specified and must be a string." })]);
    }
    let mut check = Check { schema, document: &parsed, errors: Vec::new() };
    check.all();
    if !check.errors.is_empty() {
        return Err(check.errors);
    }
    ExecutableDocument::parse_and_validate(schema, query, "query.graphql").map_err(|broken| {
        let errors = broken.errors.iter().map(|error| {
            let error = error.to_json();
            json!({ "message": error.message, "locations": error.locations })
        });
        errors.collect()
    })
}

struct Check<'d> {
    schema: &'d Valid<Schema>,
    document: &'d Document,
    errors: Vec<Value>,
}

impl<'d> Check<'d> {
    fn all(&mut self) {
        let document = self.document;
        let mut used = HashSet::new();
        for definition in &document.definitions {
            match definition {
                Definition::OperationDefinition(operation) => self.operation(operation, &mut used),
                Definition::FragmentDefinition(fragment) => {
                    let path = vec![format!("fragment {}", fragment.name)];
                    let ty = fragment.type_condition.as_str();
                    if self.known(ty, &path, fragment.location()) {
                        self.walk(ty, &fragment.selection_set, &path);
                    }
                }
                _ => {}
            }
        }
        for definition in &document.definitions {
            if let Definition::FragmentDefinition(fragment) = definition {
                spreads(&fragment.selection_set, &mut used);
            }
        }
        for definition in &document.definitions {
            if let Definition::FragmentDefinition(fragment) = definition
                && !used.contains(fragment.name.as_str())
            {
                let extensions = json!({ "code": "useAndDefineFragment", "fragmentName": fragment.name.as_str() });
                let message = format!("Fragment {} was defined, but not used", fragment.name);
                self.error(&[format!("fragment {}", fragment.name)], fragment.location(), &message, &extensions);
            }
        }
    }

    fn operation(&mut self, operation: &'d Node<OperationDefinition>, used: &mut HashSet<&'d str>) {
        let kind = operation.operation_type;
        let path = vec![operation.name.as_ref().map_or_else(|| kind.to_string(), |name| format!("{kind} {name}"))];
        let Some(root) = self.schema.root_operation(kind) else {
            let message = format!("Schema is not configured for {kind}s");
            let code = if kind == OperationType::Mutation {
                "missingMutationConfiguration"
            } else {
                "missingSubscriptionConfiguration"
            };
            self.error(&path, operation.location(), &message, &json!({ "code": code }));
            return;
        };
        let root = root.as_str();
        spreads(&operation.selection_set, used);
        self.walk(root, &operation.selection_set, &path);
        let mut named = Vec::new();
        self.variables(&operation.selection_set, &mut named, &mut HashSet::new());
        let whose = operation.name.as_ref().map_or_else(|| format!("anonymous {kind}"), ToString::to_string);
        let declared: HashSet<_> = operation.variables.iter().map(|variable| variable.name.as_str()).collect();
        for (name, at) in &named {
            if !declared.contains(name) {
                let message = format!("Variable ${name} is used by {whose} but not declared");
                let extensions = json!({ "code": "variableNotDefined", "variableName": name });
                self.error(&path, *at, &message, &extensions);
            }
        }
        for variable in &operation.variables {
            if !named.iter().any(|(name, _)| *name == variable.name.as_str()) {
                let message = format!("Variable ${} is declared by {whose} but not used", variable.name);
                let extensions = json!({ "code": "variableNotUsed", "variableName": variable.name.as_str() });
                self.error(&path, variable.location(), &message, &extensions);
            }
        }
    }

    fn variables(
        &self,
        selections: &'d [Selection],
        named: &mut Vec<(&'d str, Option<SourceSpan>)>,
        seen: &mut HashSet<&'d str>,
    ) {
        for selection in selections {
            let directives = match selection {
                Selection::Field(field) => &field.directives,
                Selection::FragmentSpread(spread) => &spread.directives,
                Selection::InlineFragment(fragment) => &fragment.directives,
            };
            for argument in directives.iter().flat_map(|directive| &directive.arguments) {
                in_value(&argument.value, named);
            }
            match selection {
                Selection::Field(field) => {
                    field.arguments.iter().for_each(|argument| in_value(&argument.value, named));
                    self.variables(&field.selection_set, named, seen);
                }
                Selection::InlineFragment(fragment) => self.variables(&fragment.selection_set, named, seen),
                Selection::FragmentSpread(spread) => {
                    if seen.insert(spread.fragment_name.as_str()) {
                        for definition in &self.document.definitions {
                            if let Definition::FragmentDefinition(fragment) = definition
                                && fragment.name == spread.fragment_name
                            {
                                self.variables(&fragment.selection_set, named, seen);
                            }
                        }
                    }
                }
            }
        }
    }

    fn error(&mut self, path: &[String], at: Option<SourceSpan>, message: &str, extensions: &Value) {
        let place = at.and_then(|at| at.line_column(&self.document.sources));
        let locations: Vec<_> = place.map(|at| json!({ "line": at.line, "column": at.column })).into_iter().collect();
        self.errors.push(json!({ "path": path, "extensions": extensions, "locations": locations, "message": message }));
    }

    fn known(&mut self, ty: &str, path: &[String], at: Option<SourceSpan>) -> bool {
        let known = self.schema.types.contains_key(ty);
        if !known {
            let message = format!("No such type {ty}, so it can't be a fragment condition");
            self.error(path, at, &message, &json!({ "code": "undefinedType", "typeName": ty }));
        }
        known
    }

    fn walk(&mut self, ty: &str, selections: &'d [Selection], path: &[String]) {
        for selection in selections {
            match selection {
                Selection::Field(field) => self.field(ty, field, path),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.type_condition.as_ref().map_or(ty, |name| name.as_str());
                    let path: Vec<_> = path.iter().cloned().chain([format!("... on {condition}")]).collect();
                    if self.known(condition, &path, fragment.location()) {
                        self.walk(condition, &fragment.selection_set, &path);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let defined = self.document.definitions.iter().any(|definition| {
                        matches!(definition, Definition::FragmentDefinition(fragment) if fragment.name == spread.fragment_name)
                    });
                    if !defined {
                        let name = spread.fragment_name.as_str();
                        let message = format!("Fragment {name} was used, but not defined");
                        let path: Vec<_> = path.iter().cloned().chain([format!("... {name}")]).collect();
                        let extensions = json!({ "code": "useAndDefineFragment", "fragmentName": name });
                        self.error(&path, spread.location(), &message, &extensions);
                    }
                }
            }
        }
    }

    fn field(&mut self, ty: &str, field: &'d Node<Field>, path: &[String]) {
        let schema = self.schema;
        let name = field.name.as_str();
        let path: Vec<_> = path.iter().cloned().chain([field.response_name().to_string()]).collect();
        let Ok(definition) = schema.type_field(ty, name) else {
            let message = if matches!(schema.types.get(ty), Some(ExtendedType::Union(_))) {
                format!("Selections can't be made directly on unions (see selections on {ty})")
            } else {
                format!("Field '{name}' doesn't exist on type '{ty}'")
            };
            let extensions = json!({ "code": "undefinedField", "typeName": ty, "fieldName": name });
            return self.error(&path, field.location(), &message, &extensions);
        };
        for argument in &field.arguments {
            let asked = argument.name.as_str();
            let Some(expected) = definition.arguments.iter().find(|known| known.name == argument.name) else {
                let message = format!("Field '{name}' doesn't accept argument '{asked}'");
                let extensions =
                    json!({ "code": "argumentNotAccepted", "name": name, "typeName": "Field", "argumentName": asked });
                let path: Vec<_> = path.iter().cloned().chain([asked.to_owned()]).collect();
                self.error(&path, argument.location(), &message, &extensions);
                continue;
            };
            self.literal(name, argument, &expected.ty, &path);
        }
        let given = |name: &str| field.arguments.iter().any(|argument| argument.name == name);
        let lacking: Vec<_> = definition.arguments.iter().filter(|known| known.is_required()).collect();
        let lacking: Vec<_> = lacking.iter().map(|known| known.name.as_str()).filter(|name| !given(name)).collect();
        if !lacking.is_empty() {
            let all = lacking.join(", ");
            let message = format!("Field '{name}' is missing required arguments: {all}");
            let extensions =
                json!({ "code": "missingRequiredArguments", "className": "Field", "name": name, "arguments": all });
            self.error(&path, field.location(), &message, &extensions);
        }
        let inner = definition.ty.inner_named_type().as_str();
        let composite = schema.types.get(inner).is_some_and(|ty| !ty.is_scalar() && !ty.is_enum());
        match (composite, field.selection_set.is_empty()) {
            (true, true) => {
                let message = format!(
                    "Field must have selections (field '{name}' returns {inner} but has no selections. Did you mean '{name} {{ ... }}'?)"
                );
                let node = format!("field '{name}'");
                let extensions = json!({ "code": "selectionMismatch", "nodeName": node, "typeName": inner });
                self.error(&path, field.location(), &message, &extensions);
            }
            (false, false) => {
                let selected: Vec<_> =
                    field.selection_set.iter().filter_map(|selection| selection.as_field()).collect();
                let selected: Vec<_> = selected.iter().map(|field| format!("\"{}\"", field.name)).collect();
                let kind = if schema.types.get(inner).is_some_and(ExtendedType::is_enum) { "enums" } else { "scalars" };
                let message = format!(
                    "Selections can't be made on {kind} (field '{name}' returns {inner} but has selections [{}])",
                    selected.join(", ")
                );
                let node = format!("field '{name}'");
                let extensions = json!({ "code": "selectionMismatch", "nodeName": node, "typeName": inner });
                self.error(&path, field.location(), &message, &extensions);
            }
            (true, false) => self.walk(inner, &field.selection_set, &path),
            (false, true) => {}
        }
    }

    fn literal(&mut self, field: &str, argument: &Node<Argument>, expected: &Type, path: &[String]) {
        if fits(self.schema, expected, &argument.value) {
            return;
        }
        let name = argument.name.as_str();
        let value = argument.value.serialize().no_indent().to_string();
        let message =
            format!("Argument '{name}' on Field '{field}' has an invalid value ({value}). Expected type '{expected}'.");
        let extensions = json!({ "code": "argumentLiteralsIncompatible", "typeName": "Field", "argumentName": name });
        let path: Vec<_> = path.iter().cloned().chain([name.to_owned()]).collect();
        self.error(&path, argument.location(), &message, &extensions);
    }
}

fn in_value<'d>(value: &'d Node<Literal>, named: &mut Vec<(&'d str, Option<SourceSpan>)>) {
    match &**value {
        Literal::Variable(name) => named.push((name.as_str(), value.location())),
        Literal::List(items) => items.iter().for_each(|item| in_value(item, named)),
        Literal::Object(fields) => fields.iter().for_each(|field| in_value(&field.1, named)),
        _ => {}
    }
}

fn spreads<'d>(selections: &'d [Selection], used: &mut HashSet<&'d str>) {
    for selection in selections {
        match selection {
            Selection::Field(field) => spreads(&field.selection_set, used),
            Selection::InlineFragment(fragment) => spreads(&fragment.selection_set, used),
            Selection::FragmentSpread(spread) => {
                used.insert(spread.fragment_name.as_str());
            }
        }
    }
}

/// Whether a literal may stand where a type is expected; variables are judged elsewhere.
fn fits(schema: &Schema, expected: &Type, value: &Literal) -> bool {
    match (expected, value) {
        (_, Literal::Variable(_)) => true,
        (expected, Literal::Null) => !expected.is_non_null(),
        (Type::List(item) | Type::NonNullList(item), Literal::List(items)) => {
            items.iter().all(|value| fits(schema, item, value))
        }
        (Type::List(item) | Type::NonNullList(item), single) => fits(schema, item, single),
        (Type::Named(name) | Type::NonNullNamed(name), value) => match (schema.types.get(name), value) {
            (Some(ExtendedType::Enum(known)), Literal::Enum(value)) => known.values.contains_key(value),
            (Some(ExtendedType::InputObject(known)), Literal::Object(fields)) => {
                let right = |field: &(apollo_compiler::Name, Node<Literal>)| {
                    known.fields.get(&field.0).is_some_and(|expected| fits(schema, &expected.ty, &field.1))
                };
                let given = |name: &str| fields.iter().any(|field| field.0 == name);
                fields.iter().all(right) && known.fields.iter().all(|(name, field)| !field.is_required() || given(name))
            }
            (Some(ExtendedType::Scalar(_)), value) => match name.as_str() {
                "Int" => matches!(value, Literal::Int(number) if number.try_to_i32().is_ok()),
                "Float" => matches!(value, Literal::Int(_) | Literal::Float(_)),
                "Boolean" => matches!(value, Literal::Boolean(_)),
                "ID" => matches!(value, Literal::String(_) | Literal::Int(_)),
                _ => matches!(value, Literal::String(_)),
            },
            _ => false,
        },
    }
}
