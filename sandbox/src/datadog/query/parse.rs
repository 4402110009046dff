//! Datadog's metric query language, read into a tree.

use super::cursor::Cursor;
use super::filter::Filter;

/// A query, or arithmetic over queries.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    /// A constant.
    Number(f64),
    /// A query of the request, by its name.
    Name(String),
    /// A query that is written out.
    Query(Box<Query>),
    /// `default_zero(…)`
    DefaultZero(Box<Self>),
    /// `-…`
    Negate(Box<Self>),
    /// Two of them, combined.
    Binary(Operator, Box<Self>, Box<Self>),
}

/// What two values are combined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// `avg:metric.name{scope} by {keys}.modifiers()`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Query {
    pub(super) space: Space,
    pub(super) metric: String,
    pub(super) filter: Filter,
    /// What stands between the first braces.
    pub(super) scope: String,
    pub(super) by: Vec<String>,
    pub(super) shape: Shape,
    pub(super) method: Option<Method>,
    pub(super) rollup: Option<i64>,
}

/// How series become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Space {
    Of(Method),
    /// The value that so many of a thousand observations do not exceed.
    Percentile(usize),
}

/// How values become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Avg,
    Min,
    Max,
    Sum,
    Count,
}

/// What a count or a rate is drawn as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Stored,
    Count,
    Rate,
}

impl Method {
    fn parse(word: &str) -> Option<Self> {
        let all =
            [("avg", Self::Avg), ("min", Self::Min), ("max", Self::Max), ("sum", Self::Sum), ("count", Self::Count)];
        all.into_iter().find(|(name, _)| *name == word).map(|(_, method)| method)
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
        }
    }
}

impl Space {
    fn parse(word: &str) -> Option<Self> {
        Method::parse(word).map(Self::Of).or_else(|| {
            let digits = word.strip_prefix('p').filter(|digits| digits.chars().all(|c| c.is_ascii_digit()))?;
            let share = digits.parse::<usize>().ok()?;
            match digits.len() {
                2 => Some(Self::Percentile(share * 10)),
                3 => Some(Self::Percentile(share)),
                _ => None,
            }
        })
    }

    pub(super) fn word(self) -> String {
        match self {
            Self::Of(method) => method.word().to_owned(),
            Self::Percentile(share) if share % 10 == 0 => format!("p{}", share / 10),
            Self::Percentile(share) => format!("p{share}"),
        }
    }
}

/// Reads one expression.
pub(super) fn expression(text: &str) -> Result<Expression, String> {
    let mut cursor = Cursor::new(text);
    let expression = sum(&mut cursor)?;
    cursor.end()?;
    Ok(expression)
}

/// Reads expressions that commas separate.
pub(super) fn expressions(text: &str) -> Result<Vec<Expression>, String> {
    let mut cursor = Cursor::new(text);
    let mut all = vec![sum(&mut cursor)?];
    while cursor.eat(',') {
        all.push(sum(&mut cursor)?);
    }
    cursor.end()?;
    Ok(all)
}

fn sum(cursor: &mut Cursor<'_>) -> Result<Expression, String> {
    let mut left = product(cursor)?;
    loop {
        let operator = match () {
            () if cursor.eat('+') => Operator::Add,
            () if cursor.eat('-') => Operator::Subtract,
            () => return Ok(left),
        };
        cursor.deeper()?;
        left = Expression::Binary(operator, Box::new(left), Box::new(product(cursor)?));
    }
}

fn product(cursor: &mut Cursor<'_>) -> Result<Expression, String> {
    let mut left = factor(cursor)?;
    loop {
        let operator = match () {
            () if cursor.eat('*') => Operator::Multiply,
            () if cursor.eat('/') => Operator::Divide,
            () => return Ok(left),
        };
        cursor.deeper()?;
        left = Expression::Binary(operator, Box::new(left), Box::new(factor(cursor)?));
    }
}

fn factor(cursor: &mut Cursor<'_>) -> Result<Expression, String> {
    // Counts each level once: what is nested comes back here.
    cursor.deeper()?;
    if cursor.eat('-') {
        return Ok(Expression::Negate(Box::new(factor(cursor)?)));
    }
    if cursor.eat('(') {
        let inner = sum(cursor)?;
        cursor.expect(')')?;
        return Ok(inner);
    }
    let word = cursor.take(|c| c.is_ascii_alphanumeric() || "_.:".contains(c));
    if word.is_empty() {
        return Err(cursor.unexpected());
    }
    if word.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return word.parse().map(Expression::Number).map_err(|_| format!("`{word}` is no number"));
    }
    if cursor.eat('(') {
        if word != "default_zero" {
            return Err(format!("unknown function `{word}`"));
        }
        let inner = sum(cursor)?;
        cursor.expect(')')?;
        return Ok(Expression::DefaultZero(Box::new(inner)));
    }
    if cursor.eat('{') {
        return query(cursor, word).map(|query| Expression::Query(Box::new(query)));
    }
    if word.contains([':', '.']) {
        Err(format!("`{word}` has no scope such as {{*}}"))
    } else {
        Ok(Expression::Name(word.to_owned()))
    }
}

fn query(cursor: &mut Cursor<'_>, head: &str) -> Result<Query, String> {
    let (space, metric) = match head.split_once(':') {
        None => (Space::Of(Method::Avg), head),
        Some((word, metric)) => {
            (Space::parse(word).ok_or_else(|| format!("unknown space aggregation `{word}`"))?, metric)
        }
    };
    if metric.is_empty() || metric.contains(':') {
        return Err(format!("`{head}` names no metric"));
    }
    let start = cursor.rest;
    let filter = Filter::read(cursor)?;
    let scope = start[..start.len() - cursor.rest.len()].trim().to_owned();
    cursor.expect('}')?;
    let mut by = Vec::new();
    if cursor.word("by") {
        cursor.expect('{')?;
        by.push(cursor.tag()?.to_lowercase());
        while cursor.eat(',') {
            by.push(cursor.tag()?.to_lowercase());
        }
        cursor.expect('}')?;
    }
    let (shape, method, rollup) = (Shape::Stored, None, None);
    let mut query = Query { space, metric: metric.to_owned(), filter, scope, by, shape, method, rollup };
    while cursor.eat('.') {
        modifier(cursor, &mut query)?;
    }
    Ok(query)
}

fn modifier(cursor: &mut Cursor<'_>, query: &mut Query) -> Result<(), String> {
    let word = cursor.take(|c| c.is_ascii_alphanumeric() || c == '_');
    cursor.expect('(')?;
    match word {
        "as_count" => query.shape = Shape::Count,
        "as_rate" => query.shape = Shape::Rate,
        "rollup" => {
            let mut argument = cursor.take(|c| c.is_ascii_alphanumeric());
            if let Some(method) = Method::parse(argument) {
                query.method = Some(method);
                argument = if cursor.eat(',') { cursor.take(|c| c.is_ascii_digit()) } else { "" };
                if argument.is_empty() {
                    return cursor.expect(')');
                }
            }
            let seconds = argument.parse().ok().filter(|seconds| *seconds > 0);
            query.rollup = Some(seconds.ok_or_else(|| format!("rollup does not take `{argument}`"))?);
        }
        other => return Err(format!("unknown function `{other}`")),
    }
    cursor.expect(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Query {
        match expression(text) {
            Ok(Expression::Query(query)) => *query,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_query_is_read_in_all_its_parts() {
        let query = read("sum:github.prs.merged.new{env:prod, repo:acme/*} by {repo,env}.as_count().rollup(max, 900)");
        assert_eq!((query.space, query.metric.as_str()), (Space::Of(Method::Sum), "github.prs.merged.new"));
        assert_eq!(
            (query.scope.as_str(), query.by.as_slice()),
            ("env:prod, repo:acme/*", &["repo".to_owned(), "env".to_owned()][..])
        );
        assert_eq!((query.shape, query.method, query.rollup), (Shape::Count, Some(Method::Max), Some(900)));
        let query = read("x{*}by{a}.rollup(60).as_rate()");
        assert_eq!((query.space, query.method, query.rollup), (Space::Of(Method::Avg), None, Some(60)));
        assert_eq!((query.filter, query.shape), (Filter::All, Shape::Rate));
        assert_eq!(read("avg:x{*}.rollup(sum)").method, Some(Method::Sum));
        for (word, share) in [("p50", 500), ("p95", 950), ("p999", 999)] {
            let space = read(&format!("{word}:x{{*}}")).space;
            assert_eq!((space, space.word().as_str()), (Space::Percentile(share), word));
        }
    }

    #[test]
    fn arithmetic_binds_as_it_does_everywhere() {
        let name = |name: &str| Box::new(Expression::Name(name.to_owned()));
        let binary = |operator, left, right| Box::new(Expression::Binary(operator, left, right));
        let tree = binary(
            Operator::Subtract,
            name("a"),
            binary(Operator::Divide, name("b"), Box::new(Expression::Number(2.5))),
        );
        assert_eq!(expression("a - b / 2.5").unwrap(), *tree);
        let tree = binary(
            Operator::Multiply,
            binary(Operator::Add, name("a"), name("b")),
            Box::new(Expression::Negate(name("c"))),
        );
        assert_eq!(expression("(a+b)*-c").unwrap(), *tree);
        assert_eq!(expression("default_zero(a)").unwrap(), Expression::DefaultZero(name("a")));
        assert_eq!(expressions("avg:x{a,b} , y{*} / 2").unwrap().len(), 2);
    }

    #[test]
    fn a_query_that_would_need_a_deep_stack_is_refused() {
        for text in
            ["(".repeat(100_000), "-".repeat(100_000), "a+".repeat(100_000), format!("x{{{}", "!".repeat(100_000))]
        {
            assert_eq!(expression(&text).unwrap_err(), "too long");
        }
        assert!(expression(&format!("{}a", "a+".repeat(200))).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_a_reason() {
        for (text, reason) in [
            ("", "unexpected end"),
            ("avg:x", "no scope"),
            ("median:x{*}", "unknown space aggregation `median`"),
            ("pxx:x{*}", "unknown space aggregation"),
            ("avg:x{*}.fill(last)", "unknown function `fill`"),
            ("anomalies(avg:x{*}, 'basic', 2)", "unknown function `anomalies`"),
            ("avg:x{*} by {}", "expected a tag"),
            ("avg:x{*", "expected `}`"),
            ("avg:x{*}.rollup(median)", "rollup does not take `median`"),
            ("avg:x{*}.rollup(avg, 0)", "rollup does not take `0`"),
            ("a +", "unexpected end"),
            ("a b", "unexpected `b`"),
            ("1.2.3", "is no number"),
        ] {
            let error = expression(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
