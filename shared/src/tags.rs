//! What a name and the value of a tag may contain.

/// The longest tag, key and colon included.
pub const LONGEST: usize = 200;

/// A tag value as Datadog would store it: lower case, anything outside `[a-z0-9_\-./:]` an underscore, cut to length.
#[must_use]
pub fn value(key: &str, text: &str) -> String {
    let mut value: String = text
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() || "_-./:".contains(c) { c } else { '_' })
        .take(LONGEST - key.len() - 1)
        .collect();
    // A tag may not end with a colon, and one without a value would.
    while value.ends_with(':') {
        value.pop();
    }
    if value.is_empty() { "none".to_owned() } else { value }
}

/// Whether a metric name may be sent: a fixed point of Datadog's normaliser, lower case, at most 100 characters.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let tidy = !name.contains("..") && !name.contains("_.") && !name.contains("._") && !name.ends_with(['_', '.']);
    let charset = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.');
    name.len() <= 100 && name.starts_with(|c: char| c.is_ascii_lowercase()) && charset && tidy
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_brought_into_datadogs_form() {
        for (text, expected) in [
            ("Acme/Web", "acme/web"),
            ("Build & Test (linux)", "build___test__linux_"),
            ("über", "_ber"),
            ("", "none"),
            ("a::", "a"),
            ("<5m", "_5m"),
        ] {
            assert_eq!(value("workflow", text), expected);
        }
        assert_eq!(value("repo", &"x".repeat(300)).len() + "repo:".len(), LONGEST);
    }

    #[test]
    fn a_name_is_a_fixed_point_of_the_normaliser() {
        for name in ["github.prs.open", "a", "skypilot.jobs.runtime_buckets.0_1h"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "1a", "a..b", "a._b", "a_.b", "a_", "A", "a-b", "a.", &"a".repeat(101)] {
            assert!(!is_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_value_once_normalised_stays_as_it_is(text in ".{0,300}") {
            let once = value("repo", &text);
            prop_assert_eq!(&value("repo", &once), &once);
            prop_assert!("repo:".len() + once.len() <= LONGEST);
        }
    }
}
