//! Which series a query is about: the scope between its braces.

use super::cursor::Cursor;

/// A condition on the tags of a series.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::datadog) enum Filter {
    /// `*`
    All,
    /// `key:value` or a bare tag, in which `*` stands for anything.
    Tag(String),
    /// `!…` or `NOT …`
    Not(Box<Self>),
    /// `…, …` or `… AND …`
    And(Vec<Self>),
    /// `… OR …` or `key IN (…)`
    Or(Vec<Self>),
}

impl Filter {
    /// A condition of one tag, as tags are stored: in lower case.
    pub(in crate::datadog) fn tag(text: &str) -> Self {
        if text == "*" { Self::All } else { Self::Tag(text.to_lowercase()) }
    }

    /// A condition that stands alone.
    pub(in crate::datadog) fn parse(text: &str) -> Result<Self, String> {
        let mut cursor = Cursor::new(text);
        let filter = Self::read(&mut cursor)?;
        cursor.end()?;
        Ok(filter)
    }

    pub(in crate::datadog) fn fits(&self, tags: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Tag(pattern) => tags.iter().any(|tag| matches(pattern, tag)),
            Self::Not(filter) => !filter.fits(tags),
            Self::And(filters) => filters.iter().all(|filter| filter.fits(tags)),
            Self::Or(filters) => filters.iter().any(|filter| filter.fits(tags)),
        }
    }

    pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let mut choices = vec![Self::all_of(cursor)?];
        while cursor.word("OR") {
            choices.push(Self::all_of(cursor)?);
        }
        Ok(only(choices, Self::Or))
    }

    fn all_of(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        let mut conditions = vec![Self::one(cursor)?];
        while cursor.eat(',') || cursor.word("AND") {
            conditions.push(Self::one(cursor)?);
        }
        Ok(only(conditions, Self::And))
    }

    fn one(cursor: &mut Cursor<'_>) -> Result<Self, String> {
        if cursor.eat('!') || cursor.word("NOT") {
            cursor.deeper()?;
            return Ok(Self::Not(Box::new(Self::one(cursor)?)));
        }
        if cursor.eat('(') {
            cursor.deeper()?;
            let inner = Self::read(cursor)?;
            cursor.expect(')')?;
            return Ok(inner);
        }
        let tag = cursor.tag()?;
        let negated = cursor.word("NOT");
        if cursor.word("IN") {
            cursor.expect('(')?;
            let mut values = vec![Self::tag(&format!("{tag}:{}", cursor.tag()?))];
            while cursor.eat(',') {
                values.push(Self::tag(&format!("{tag}:{}", cursor.tag()?)));
            }
            cursor.expect(')')?;
            let filter = only(values, Self::Or);
            return Ok(if negated { Self::Not(Box::new(filter)) } else { filter });
        }
        if negated { Err(format!("expected IN after `{tag} NOT`")) } else { Ok(Self::tag(tag)) }
    }
}

fn only(mut filters: Vec<Filter>, many: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    match (filters.len(), filters.pop()) {
        (1, Some(filter)) => filter,
        (_, last) => {
            filters.extend(last);
            many(filters)
        }
    }
}

/// Whether a text fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(found) = text.find(part) else { return false };
        text = &text[found + part.len()..];
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_keeps_the_series_it_describes() {
        let tags = ["branch:main", "env:prod", "repo:acme/web"].map(str::to_owned);
        for (scope, fits) in [
            ("*", true),
            ("env:prod", true),
            ("ENV:Prod", true),
            ("env:staging", false),
            ("env:prod,repo:acme/web", true),
            ("env:prod,repo:acme/api", false),
            ("env:prod, !repo:acme/api", true),
            ("!env:prod", false),
            ("!team:*", true),
            ("repo:acme/*", true),
            ("repo:*web", true),
            ("repo:a*e/w*b", true),
            ("repo:*api*", false),
            ("repo:*", true),
            ("team:*", false),
            ("env:prod AND repo:acme/api", false),
            ("env:staging OR repo:acme/web", true),
            ("env:staging or repo:acme/web", true),
            ("env:staging OR branch:dev", false),
            ("NOT env:staging", true),
            ("env:prod AND (repo:acme/api OR NOT branch:dev)", true),
            ("env:prod AND NOT (repo:acme/web OR branch:dev)", false),
            ("env IN (staging, prod)", true),
            ("env IN (staging)", false),
            ("env NOT IN (staging, prod)", false),
            ("repo IN (acme/a*, acme/w*)", true),
            ("env:staging OR env:prod AND repo:acme/web", true),
        ] {
            assert_eq!(Filter::parse(scope).unwrap().fits(&tags), fits, "{scope}");
        }
    }

    #[test]
    fn a_scope_that_cannot_be_read_is_refused() {
        for scope in ["", "env:prod,", "(env:prod", "env IN prod", "env IN ()", "env NOT prod", "a b", "env:prod)"] {
            assert!(Filter::parse(scope).is_err(), "{scope}");
        }
    }
}
