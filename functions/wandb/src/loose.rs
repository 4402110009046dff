//! JSON as Python writes it, with words where no number can stand, and JSON inside of strings.

use serde_json::{Map, Value};

/// How often JSON may be wrapped in a string.
const WRAPPINGS: usize = 3;

/// An object, however it was wrapped; nothing where there is none.
pub(crate) fn object(text: &str) -> Option<Map<String, Value>> {
    let mut text = text.to_owned();
    for _ in 0..=WRAPPINGS {
        match parse(&text)? {
            Value::Object(object) => return Some(object),
            Value::String(inner) => text = inner,
            _ => return None,
        }
    }
    None
}

/// A finite number by its key, or by a path of keys; keys may themselves hold dots. A dictionary inside of a text is
/// read; a text in the place of a number is none, even if it looks like one.
pub(crate) fn number(object: &Map<String, Value>, path: &str) -> Option<f64> {
    find(object, path)?.as_f64().filter(|number| number.is_finite())
}

/// Whatever stands there.
pub(crate) fn find(object: &Map<String, Value>, path: &str) -> Option<Value> {
    if let Some(value) = object.get(path) {
        return Some(value.clone());
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let inner = match object.get(&path[..dot])? {
            Value::Object(inner) => inner.clone(),
            Value::String(text) => self::object(text)?,
            _ => return None,
        };
        find(&inner, &path[dot + 1..])
    })
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text).or_else(|_| serde_json::from_str(&without_words(text))).ok()
}

/// The text with `null` for each of Python's `NaN`, `Infinity` and `-Infinity` that stands outside of strings.
fn without_words(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    while let Some(letter) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| !quoted && rest.starts_with(word));
        let length = match (word, letter) {
            (Some(word), _) => {
                clean.push_str("null");
                rest = &rest[word.len()..];
                continue;
            }
            // A backslash and what it escapes belong together.
            (None, '\\') if quoted => rest.chars().take(2).map(char::len_utf8).sum(),
            (None, '"') => {
                quoted = !quoted;
                1
            }
            (None, letter) => letter.len_utf8(),
        };
        clean.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_outside_of_strings_are_no_numbers_and_those_inside_stay() {
        let read =
            object(r#"{"a": NaN, "b": -Infinity, "c": 1.5, "d": "NaN \" Infinity", "e": [Infinity], "ü": "\\"}"#);
        let expected =
            serde_json::json!({"a": null, "b": null, "c": 1.5, "d": "NaN \" Infinity", "e": [null], "ü": "\\"});
        assert_eq!(read.map(Value::Object), Some(expected));
    }

    #[test]
    fn an_object_inside_of_a_string_is_an_object() {
        let once = Value::String(r#"{"accuracy": NaN, "loss": 0.5}"#.to_owned()).to_string();
        let twice = Value::String(once.clone()).to_string();
        for text in [once, twice] {
            assert_eq!(number(&object(&text).unwrap(), "loss"), Some(0.5));
        }
        for text in ["", "null", "[]", "7", "{", "\"text\"", "{\"a\": NaNa}"] {
            assert_eq!(object(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_found_by_its_key_or_by_its_path_and_nothing_else_is_one() {
        let text = r#"{"env_agent/heart.gained": 3, "a": {"b.c": {"d": 4}}, "s": "0.9", "n": null, "big": 1e300,
            "packed": "{\"x\": 5}", "dict": {"max": 1}, "no": true}"#;
        let object = object(text).unwrap();
        for (path, found) in [
            ("env_agent/heart.gained", Some(3.0)),
            ("a.b.c.d", Some(4.0)),
            ("packed.x", Some(5.0)),
            ("big", Some(1e300)),
            ("dict.max", Some(1.0)),
            ("dict", None),
            ("s", None),
            ("n", None),
            ("no", None),
            ("missing", None),
            ("a.missing", None),
        ] {
            assert_eq!(number(&object, path), found, "{path}");
        }
    }
}
