//! The query API: questions in Datadog's metric query language, answered from the store.

mod answer;
mod buckets;
mod cursor;
mod evaluate;
mod filter;
mod formula;
mod parse;
mod scalar;

pub(super) use filter::Filter;

use super::Datadog;
use super::body;
use super::reply::{self, Refusal};
use super::shape::Fields;
use axum::extract::{RawQuery, Request, State};
use axum::response::Response;
use buckets::Window;
use evaluate::Evaluation;
use formula::Table;
use http::StatusCode;
use parse::Expression;
use scalar::Reducer;
use serde_json::Value;
use std::collections::HashMap;

/// `GET /api/v1/query`.
pub(super) async fn v1(State(datadog): State<Datadog>, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let asked: HashMap<String, String> = pairs(query.as_deref()).into_iter().collect();
    let time = |key: &str| {
        let time = asked.get(key).and_then(|value| value.parse::<i64>().ok());
        time.ok_or_else(|| Refusal::bad(format!("The parameter '{key}' is required and a Unix time in seconds")))
    };
    let text = asked.get("query").ok_or_else(|| Refusal::bad("The parameter 'query' is required"))?;
    let window = Window::new(time("from")?, time("to")?, None).map_err(Refusal::bad)?;
    let mut tables = Vec::new();
    for expression in parse::expressions(text).map_err(|problem| wrong(&problem))? {
        let named = HashMap::new();
        let evaluation = Evaluation { store: &datadog.store, window, named: &named };
        tables.push((evaluation.table(&expression)?, expression));
    }
    Ok(reply::json(StatusCode::OK, &answer::v1(text, window, &tables)))
}

/// `POST /api/v2/query/timeseries`.
pub(super) async fn timeseries(State(datadog): State<Datadog>, request: Request) -> Result<Response, Refusal> {
    let value = read(request).await?;
    let asked = Asked::of(&value, "timeseries_request").map_err(Refusal::bad)?;
    let queries = asked.queries.iter().map(|query| (query.name.clone(), query.expression.clone())).collect();
    let evaluation = Evaluation { store: &datadog.store, window: asked.window, named: &queries };
    let tables = asked.formulas.iter().map(|formula| evaluation.table(&formula.expression));
    let tables = tables.collect::<Result<Vec<Table>, Refusal>>()?;
    Ok(reply::json(StatusCode::OK, &answer::timeseries(&tables)))
}

/// `POST /api/v2/query/scalar`.
pub(super) async fn scalar(State(datadog): State<Datadog>, request: Request) -> Result<Response, Refusal> {
    let value = read(request).await?;
    let asked = Asked::of(&value, "scalar_request").map_err(Refusal::bad)?;
    let mut columns = HashMap::new();
    for query in &asked.queries {
        let reducer = query.reducer.ok_or_else(|| Refusal::bad("queries.aggregator: missing required field"))?;
        columns.insert(query.name.clone(), scalar::column(&datadog.store, asked.window, &query.expression, reducer)?);
    }
    let mut tables = Vec::new();
    for formula in &asked.formulas {
        let mut table = scalar::formula(&columns, &formula.expression)?;
        if let Some((count, ascending)) = formula.limit {
            scalar::limit(&mut table, count, ascending);
        }
        tables.push((formula.name.clone(), table));
    }
    Ok(reply::json(StatusCode::OK, &answer::scalar(&tables)))
}

/// A request to the second version, read.
struct Asked {
    window: Window,
    queries: Vec<Query>,
    formulas: Vec<Formula>,
}

struct Query {
    name: String,
    expression: Expression,
    reducer: Option<Reducer>,
}

struct Formula {
    name: String,
    expression: Expression,
    limit: Option<(usize, bool)>,
}

impl Asked {
    fn of(value: &Value, kind: &str) -> Result<Self, String> {
        let request = Fields::of(value, "request")?;
        let data = Fields::of(request.required("data", request.value("data"))?, "data")?;
        let named = data.required("type", data.text("type")?)?;
        if named != kind {
            return Err(format!("data.type: {named} is not {kind}"));
        }
        let attributes = Fields::of(data.required("attributes", data.value("attributes"))?, "attributes")?;
        let time =
            |key| attributes.required(key, attributes.whole(key)?).map(|milliseconds| milliseconds.div_euclid(1000));
        let window = Window::new(time("from")?, time("to")?, attributes.whole("interval")?.map(|step| step / 1000))?;
        let queries = attributes.required("queries", attributes.list("queries")?)?;
        let queries = queries
            .iter()
            .enumerate()
            .map(|(index, value)| Self::query(value, index))
            .collect::<Result<Vec<_>, _>>()?;
        let formulas = attributes.list("formulas")?.unwrap_or_default();
        let mut formulas = formulas.iter().map(Self::formula).collect::<Result<Vec<_>, _>>()?;
        if formulas.is_empty() {
            let name = |query: &Query| query.name.clone();
            formulas = queries
                .iter()
                .map(|query| Formula { name: name(query), expression: Expression::Name(name(query)), limit: None })
                .collect();
        }
        Ok(Self { window, queries, formulas })
    }

    fn query(value: &Value, index: usize) -> Result<Query, String> {
        let query = Fields::of(value, "queries")?;
        let source = query.required("data_source", query.text("data_source")?)?;
        if source != "metrics" {
            return Err(format!("queries.data_source: {source} is not served here"));
        }
        // Queries without a name are called a, b, c in the order they come.
        let letter = u8::try_from(index).ok().and_then(|index| b'a'.checked_add(index)).map_or('a', char::from);
        let name = query.text("name")?.map_or_else(|| letter.to_string(), str::to_owned);
        let text = query.required("query", query.text("query")?)?;
        let reducer = query.text("aggregator")?.map(Reducer::parse).transpose()?;
        Ok(Query { name, expression: parse::expression(text)?, reducer })
    }

    fn formula(value: &Value) -> Result<Formula, String> {
        let formula = Fields::of(value, "formulas")?;
        let text = formula.required("formula", formula.text("formula")?)?;
        let limit = match formula.value("limit") {
            None => None,
            Some(limit) => {
                let limit = Fields::of(limit, "limit")?;
                let ascending = match limit.text("order")? {
                    None | Some("desc") => false,
                    Some("asc") => true,
                    Some(other) => return Err(format!("limit.order: {other} is neither asc nor desc")),
                };
                limit.whole("count")?.map(|count| (usize::try_from(count).unwrap_or_default(), ascending))
            }
        };
        Ok(Formula { name: text.to_owned(), expression: parse::expression(text)?, limit })
    }
}

async fn read(request: Request) -> Result<Value, Refusal> {
    let sent = body::receive(request.into_body()).await?;
    serde_json::from_slice(&sent).map_err(|error| Refusal::bad(format!("Invalid JSON: {error}")))
}

fn wrong(problem: &str) -> Refusal {
    Refusal::bad(format!("Error parsing query: {problem}"))
}

/// The keys and values of a query string, in order.
pub(super) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    let split = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescape(key), unescape(value))
    };
    query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()).map(split).collect()
}

fn unescape(text: &str) -> String {
    crate::uri::unescape(&text.replace('+', " "))
}
