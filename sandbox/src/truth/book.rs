//! Rows by their name and tags, written the way tests compare them.

use std::collections::BTreeMap;

/// Rows that were found, by name and tags.
#[derive(Debug, Default)]
pub(super) struct Book {
    rows: BTreeMap<String, f64>,
}

impl Book {
    /// Writes a row down.
    pub(super) fn put(&mut self, name: &str, tags: &[(&str, &str)], value: f64) {
        self.rows.insert(key(name, tags), value);
    }

    /// Writes a row down that may have to be absent.
    pub(super) fn maybe(&mut self, name: &str, tags: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            self.put(name, tags, value);
        }
    }

    /// Adds to a row that is a sum.
    pub(super) fn add(&mut self, name: &str, tags: &[(&str, &str)], value: f64) {
        *self.rows.entry(key(name, tags)).or_default() += value;
    }

    /// The value of a row, if it is there.
    pub(super) fn get(&self, name: &str, tags: &[(&str, &str)]) -> Option<f64> {
        self.rows.get(&key(name, tags)).copied()
    }

    /// All rows.
    pub(super) fn into_rows(self) -> BTreeMap<String, f64> {
        self.rows
    }
}

/// `name{tag:value,tag:value}` with the tags in order.
pub(super) fn key(name: &str, tags: &[(&str, &str)]) -> String {
    let mut tags: Vec<(&str, String)> = tags.iter().map(|(tag, value)| (*tag, word(tag, value))).collect();
    tags.sort();
    let tags: Vec<String> = tags.iter().map(|(tag, value)| format!("{tag}:{value}")).collect();
    format!("{name}{{{}}}", tags.join(","))
}

/// A tag value as the catalogue has it: lower case, few signs, at most 200 characters together with its key.
pub(super) fn word(tag: &str, value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-./:".contains(letter);
    let lower = value.to_lowercase();
    lower.chars().map(|letter| if plain(letter) { letter } else { '_' }).take(199 - tag.len()).collect()
}

#[test]
fn tags_stand_in_order_and_in_the_letters_that_datadog_keeps() {
    let key = key("a.b", &[("workflow", "Build & Test (GPU)"), ("repo", "Acme/Web")]);
    assert_eq!(key, "a.b{repo:acme/web,workflow:build___test__gpu_}");
    assert_eq!(word("label", &"x".repeat(300)).len() + "label:".len(), 200);
}
