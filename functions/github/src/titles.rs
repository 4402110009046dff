//! What a title says a change is: pure recognisers, used while the text of people is read and then forgotten.

/// Whether the first line says hotfix as a word: `\bhot-?fix(es)?\b` in any case.
#[must_use]
pub(crate) fn is_hotfix(title: &str) -> bool {
    let line = first_line(title).to_ascii_lowercase();
    line.match_indices("hot").any(|(start, _)| {
        let rest = &line[start + 3..];
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        let bounded = |rest: &str| !rest.starts_with(is_word);
        let ends =
            rest.strip_prefix("fix").is_some_and(|rest| bounded(rest) || rest.strip_prefix("es").is_some_and(bounded));
        ends && !line[..start].ends_with(is_word)
    })
}

/// Whether a change takes back another: its title is the one that Git or GitHub gives a revert, or it is of the type
/// `revert:`, or a line of its body begins with `This reverts commit `.
///
/// Taking back a revert brings the change back, so that a reapply is no revert, although its body says so.
#[must_use]
pub(crate) fn is_revert(title: &str, body: &str) -> bool {
    let title = first_line(title);
    if title.starts_with("Revert \"Revert \"") || title.starts_with("Reapply \"") {
        return false;
    }
    title.starts_with("Revert \"")
        || is_of_type_revert(title)
        || body.lines().any(|line| line.starts_with("This reverts commit "))
}

/// `revert:` or `revert(scope):`.
fn is_of_type_revert(title: &str) -> bool {
    title.strip_prefix("revert").is_some_and(|rest| {
        let scoped = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        scoped.map_or(rest, |(_, rest)| rest).starts_with(':')
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hotfix_is_a_whole_word_of_the_first_line() {
        for (title, expected) in [
            ("hotfix", true),
            ("Hotfix: keep the session", true),
            ("fix the cart (HOT-FIX)", true),
            ("Two hotfixes for the cart", true),
            ("hot-fixes/cart", true),
            ("hothotfix, then a hotfix", true),
            ("Merge pull request #12 from acme/hotfix-cart", true),
            ("hotfixed the cart", false),
            ("hotfixing", false),
            ("hotfixe", false),
            ("hotfixesque", false),
            ("hot fix", false),
            ("hot--fix", false),
            ("hot_fix", false),
            ("my_hotfix", false),
            ("hotfix2", false),
            ("superhotfix", false),
            ("überhotfix", false),
            ("ühotfixü", false),
            ("a photo", false),
            ("hot", false),
            ("hot-", false),
            ("", false),
            ("Fix the cart\n\nThis was hotfix material.", false),
            ("\nhotfix", false),
        ] {
            assert_eq!(is_hotfix(title), expected, "{title:?}");
        }
    }

    #[test]
    fn a_revert_says_so_in_its_title_or_names_the_commit_in_its_body() {
        for (title, body, expected) in [
            (r#"Revert "Add the cart""#, "", true),
            ("revert: add the cart", "", true),
            ("revert(shop): add the cart", "", true),
            ("revert(): add the cart", "", true),
            ("Take the cart out", "It broke.\r\nThis reverts commit 0123abc.\r\n", true),
            ("Take the cart out", "This reverts commit 0123abc.", true),
            (r#"Revert "Reapply "Add the cart"""#, "This reverts commit 0123abc.", true),
            ("reverted: the cart", "", false),
            ("revert the cart", "", false),
            ("revert (shop): the cart", "", false),
            ("revert(shop) the cart", "", false),
            ("revert(shop: the cart", "", false),
            ("fix: revert: the cart", "", false),
            ("Revert the cart", "", false),
            ("Fix\nRevert \"Add the cart\"", "", false),
            ("", "", false),
        ] {
            assert_eq!(is_revert(title, body), expected, "{title:?} {body:?}");
        }
    }

    #[test]
    fn a_warning_a_remark_and_a_reapply_are_neither_reverts_nor_hotfixes() {
        for (title, body) in [
            ("Add the cart, do not revert", "Please do not revert this."),
            ("Add the cart", "The first try was reverted, and this one is hotfixed."),
            ("Add the cart", "We said: This reverts commit 0123abc."),
            (r#"Revert "Revert "Add the cart"""#, "This reverts commit 0123abc."),
            (r#"Reapply "Add the cart""#, "This reverts commit 0123abc."),
        ] {
            assert!(!is_revert(title, body), "{title:?} {body:?}");
            assert!(!is_hotfix(title), "{title:?}");
        }
    }
}
