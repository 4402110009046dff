//! Parse errors in the form of GitHub's parser.

use apollo_compiler::validation::DiagnosticList;
use serde_json::{Value, json};

/// The first parse error, in the form of GitHub's parser.
pub fn unparsable(query: &str, errors: &DiagnosticList) -> Vec<Value> {
    let Some(error) = errors.iter().next().map(|error| error.to_json()) else {
        return Vec::new();
    };
    let place = error.locations.first();
    let (line, column) = place.map_or((1, 1), |place| (place.line, place.column));
    let rest = query.lines().nth(line - 1).and_then(|text| text.char_indices().nth(column - 1).map(|at| &text[at.0..]));
    let token: String = rest.map(token).unwrap_or_default();
    let message = match kind(&token) {
        None => "Unexpected end of document".to_owned(),
        Some(kind) => format!("Parse error on {token:?} ({kind}) at [{line}, {column}]"),
    };
    let locations = if kind(&token).is_none() { json!([]) } else { json!([{ "line": line, "column": column }]) };
    vec![json!({ "message": message, "locations": locations })]
}

fn token(rest: &str) -> String {
    let word: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    if word.is_empty() { rest.chars().take(1).collect() } else { word }
}

fn kind(token: &str) -> Option<&'static str> {
    Some(match token.chars().next()? {
        '{' => "LCURLY",
        '}' => "RCURLY",
        '(' => "LPAREN",
        ')' => "RPAREN",
        '[' => "LBRACKET",
        ']' => "RBRACKET",
        ':' => "COLON",
        '$' => "VAR_SIGN",
        '!' => "BANG",
        '=' => "EQUALS",
        '.' => "ELLIPSIS",
        letter if letter.is_ascii_digit() => "INT",
        letter if letter.is_alphabetic() || letter == '_' => "IDENTIFIER",
        _ => "UNKNOWN_CHAR",
    })
}
