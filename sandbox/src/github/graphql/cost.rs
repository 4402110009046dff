//! What a query costs: <https://docs.github.com/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api>.

use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet, Value as Literal};
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node};
use serde_json::{Value, json};

/// More nodes than this are refused.
const MOST_NODES: u64 = 500_000;

/// What a query costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// Points.
    pub cost: u64,
    /// Nodes it may return at most.
    pub nodes: u64,
}

struct Count<'d> {
    document: &'d ExecutableDocument,
    variables: &'d JsonMap,
    requests: u64,
    nodes: u64,
}

/// The price of an operation, or the error for one that may return too much.
pub fn of(
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &JsonMap,
) -> Result<Price, Vec<Value>> {
    let mut count = Count { document, variables, requests: 0, nodes: 0 };
    count.walk(&operation.selection_set, 1);
    if count.nodes > MOST_NODES {
        let message = format!(
            "This query requests up to {} possible nodes which exceeds the maximum limit of {}.",
            grouped(count.nodes),
            grouped(MOST_NODES)
        );
        return Err(vec![json!({ "type": "MAX_NODE_LIMIT_EXCEEDED", "message": message })]);
    }
    Ok(Price { cost: count.requests.saturating_add(50).checked_div(100).unwrap_or(1).max(1), nodes: count.nodes })
}

/// Whether `@skip` or `@include` leaves a selection out.
fn is_left_out(selection: &Selection, variables: &JsonMap) -> bool {
    let says = |directive: &str, wanted: bool| {
        let condition = selection.directives().get(directive).and_then(|it| it.specified_argument_by_name("if"));
        condition.and_then(|condition| value(condition, variables)) == Some(Value::Bool(wanted))
    };
    says("skip", true) || says("include", false)
}

fn argument(field: &Field, name: &str, variables: &JsonMap) -> Option<Value> {
    value(&field.arguments.iter().find(|argument| argument.name == name)?.value, variables)
}

fn value(literal: &Literal, variables: &JsonMap) -> Option<Value> {
    match literal {
        Literal::Variable(name) => serde_json::to_value(variables.get(name.as_str())?).ok(),
        Literal::Int(number) => number.as_str().parse::<i64>().ok().map(Value::from),
        Literal::Boolean(truth) => Some(Value::Bool(*truth)),
        Literal::List(items) => Some(json!(vec![0; items.len()])),
        _ => None,
    }
}

impl Count<'_> {
    fn walk(&mut self, selections: &SelectionSet, times: u64) {
        for selection in &selections.selections {
            // What a directive leaves out is not asked for, and so costs nothing.
            if is_left_out(selection, self.variables) {
                continue;
            }
            match selection {
                Selection::Field(field) => self.field(field, times),
                Selection::InlineFragment(fragment) => self.walk(&fragment.selection_set, times),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name) {
                        self.walk(&fragment.selection_set, times);
                    }
                }
            }
        }
    }

    fn field(&mut self, field: &Node<Field>, times: u64) {
        let mut times = times;
        if field.ty().inner_named_type().ends_with("Connection") {
            self.requests = self.requests.saturating_add(times);
            let size = |name| argument(field, name, self.variables).and_then(|size| size.as_u64());
            if let Some(size) = size("first").or_else(|| size("last")) {
                times = times.saturating_mul(size);
                self.nodes = self.nodes.saturating_add(times);
            }
        } else if field.name == "nodes" && field.arguments.iter().any(|argument| argument.name == "ids") {
            let ids = argument(field, "ids", self.variables);
            times = times.saturating_mul(ids.and_then(|ids| ids.as_array().map(Vec::len)).unwrap_or(1) as u64);
        }
        self.walk(&field.selection_set, times);
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let grouped = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    grouped.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use apollo_compiler::Schema;

    /// As much of the schema as GitHub's own examples name.
    const NAMED: &str = "type Query { viewer: User! }
        type User { login: String! repositories(first: Int): RepositoryConnection! }
        type RepositoryConnection { edges: [RepositoryEdge] nodes: [Repository] }
        type RepositoryEdge { node: Repository }
        type Repository { id: ID! name: String! pullRequests(first: Int): PullConnection! issues(first: Int): PullConnection! }
        type PullConnection { edges: [PullEdge] nodes: [Pull] totalCount: Int! }
        type PullEdge { node: Pull }
        type Pull { id: ID! title: String! bodyHTML: String! comments(first: Int): PullConnection! labels(first: Int): PullConnection! }";

    fn price(query: &str) -> Result<Price, Vec<Value>> {
        let schema = Schema::parse_and_validate(NAMED, "named").unwrap();
        let document = ExecutableDocument::parse_and_validate(&schema, query, "q").unwrap();
        of(&document, document.operations.get(None).unwrap(), &JsonMap::new())
    }

    #[test]
    fn a_query_costs_what_github_documents() {
        let documented = "{ viewer { repositories(first: 100) { edges { node { id issues(first: 50) { edges { node { id
            labels(first: 60) { edges { node { id title } } } } } } } } } } }";
        assert_eq!(price(documented), Ok(Price { cost: 51, nodes: 100 + 5000 + 300_000 }));
        let nodes = "{ viewer { repositories(first: 50) { edges { repository: node { name
            pullRequests(first: 20) { edges { pullRequest: node { title
              comments(first: 10) { edges { comment: node { bodyHTML } } } } } }
            issues(first: 20) { totalCount edges { issue: node { title bodyHTML
              comments(first: 10) { edges { comment: node { bodyHTML } } } } } } } } } } }";
        assert_eq!(price(nodes).map(|price| price.nodes), Ok(22_050));
        assert_eq!(price("{ viewer { login } }"), Ok(Price { cost: 1, nodes: 0 }));
    }

    #[test]
    fn what_a_directive_leaves_out_costs_nothing() {
        let tenth = "{ viewer { repositories(first: 100) { nodes { id
            a: issues(first: 10) @include(if: false) { nodes { labels(first: 10) { totalCount } } }
            b: issues(first: 10) @skip(if: true) { nodes { labels(first: 10) { totalCount } } }
            ...B @skip(if: true)  ...B @include(if: true) } } } }
            fragment B on Repository { issues(first: 1) { totalCount } }";
        assert_eq!(price(tenth), Ok(Price { cost: 1, nodes: 200 }));
    }

    #[test]
    fn a_query_that_may_return_too_much_is_refused() {
        let query = "{ viewer { repositories(first: 100) { nodes { issues(first: 100) { nodes {
            labels(first: 100) { nodes { id } } } } } } } }";
        let errors = price(query).unwrap_err();
        assert_eq!(errors[0]["type"], "MAX_NODE_LIMIT_EXCEEDED");
        let message = "This query requests up to 1,010,100 possible nodes which exceeds the maximum limit of 500,000.";
        assert_eq!(errors[0]["message"], message);
    }
}
