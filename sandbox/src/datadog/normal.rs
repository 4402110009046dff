//! Names and tags as Datadog stores them.

/// The longest name, and the longest tag.
pub(super) const LONGEST: usize = 200;

/// A metric's name after the rules that Datadog publishes for its own integrations: each run outside its alphabet, and
/// what stands before the first letter, becomes an underscore; underscores around a dot and at both ends go.
pub(super) fn name(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    // At the very start, a run outside the alphabet is tried before a run without letters.
    if rest.starts_with(|c: char| allowed(c) && !c.is_ascii_alphabetic()) {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        plain.push('_');
    }
    let mut outside = false;
    for c in rest.chars() {
        if allowed(c) {
            plain.push(c);
        } else if !outside {
            plain.push('_');
        }
        outside = !allowed(c);
    }
    let dotted: Vec<&str> = plain.split('.').collect();
    let last = dotted.len() - 1;
    let parts = dotted.iter().enumerate().map(|(index, part)| {
        let part = if index > 0 { part.trim_start_matches('_') } else { part };
        if index < last { part.trim_end_matches('_') } else { part }
    });
    parts.collect::<Vec<_>>().join(".").trim_matches('_').to_owned()
}

/// A tag in lower case, begun by a letter, of letters, digits and `_-:./`, cut to length and not ended by a colon;
/// `None` if nothing is left.
pub(super) fn tag(text: &str) -> Option<String> {
    let lower = text.chars().flat_map(char::to_lowercase);
    let plain = lower.map(|c| if c.is_alphanumeric() || "_-:./".contains(c) { c } else { '_' });
    let tag: String = plain.skip_while(|c| !c.is_alphabetic()).take(LONGEST).collect();
    let tag = tag.trim_end_matches(':');
    (!tag.is_empty()).then(|| tag.to_owned())
}

/// A set of tags: each in its form, in order, once.
pub(super) fn tags<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut tags: Vec<String> = texts.into_iter().filter_map(tag).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_what_datadogs_own_normaliser_makes_of_it() {
        for (given, expected) in [
            ("github.prs.open", "github.prs.open"),
            ("Case.Stays", "Case.Stays"),
            ("a-b c!!d", "a_b_c_d"),
            ("a._b_.c", "a.b.c"),
            ("_a_", "a"),
            ("1a", "a"),
            ("1-a", "a"),
            ("-1a", "1a"),
            ("..a", "a"),
            ("a__b", "a__b"),
            ("über.x", "ber.x"),
            ("a.", "a."),
            ("a..b", "a..b"),
            ("", ""),
            ("---", ""),
        ] {
            assert_eq!(name(given), expected, "{given}");
        }
    }

    #[test]
    fn a_tag_is_lowered_replaced_cut_and_never_ends_with_a_colon() {
        for (given, expected) in [
            ("Repo:Acme/Web", Some("repo:acme/web")),
            ("condition:>0.5", Some("condition:_0.5")),
            ("condition:<10m", Some("condition:_10m")),
            ("a b", Some("a_b")),
            ("1env:prod", Some("env:prod")),
            ("_x", Some("x")),
            ("Größe:ÄÖ", Some("größe:äö")),
            ("key:", Some("key")),
            ("key::", Some("key")),
            ("a:b:c", Some("a:b:c")),
            ("123", None),
            ("", None),
        ] {
            assert_eq!(tag(given).as_deref(), expected, "{given}");
        }
        assert_eq!(tag(&format!("k:{}", "x".repeat(300))).unwrap().len(), LONGEST);
        assert_eq!(tags(["b:1", "A:1", "b:1", "7"]), ["a:1", "b:1"]);
    }
}
