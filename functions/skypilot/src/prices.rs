//! The price table: inline JSON, or an object in S3.

use crate::snapshot::Price;
use crate::upstream::gpu_type;
use serde::Deserialize;
use shared::{Env, Error, Result, Store};
use std::collections::BTreeMap;

const EXAMPLE: &str = r#"an example: PRICES={"as_of": "2026-10-01", "gpu": {"l4": {"ondemand": 0.75, "spot": 0.26}}}"#;

/// As much of the table as this collector reads; the other tables in it are others'.
#[derive(Deserialize)]
struct Table {
    #[serde(default)]
    gpu: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    ondemand: Option<f64>,
    spot: Option<f64>,
}

/// Reads the prices of GPUs; none where no table is configured.
pub(crate) async fn read(env: &Env) -> Result<BTreeMap<String, Price>> {
    let Some(text) = env.get("PRICES") else { return Ok(BTreeMap::new()) };
    match text.strip_prefix("s3://") {
        None => parse(text),
        Some(place) => parse(&object(env, place).await?),
    }
}

async fn object(env: &Env, place: &str) -> Result<String> {
    let Some((bucket, key)) = place.split_once('/').filter(|(bucket, key)| !bucket.is_empty() && !key.is_empty())
    else {
        let problem = format!("`s3://{place}` is no address; an example: PRICES=s3://acme-vitals/prices.json");
        return Err(Error::config("PRICES", problem));
    };
    let unread = |why: String| {
        Error::config(
            "PRICES",
            format!("s3://{place} cannot be read: {why}; an example: PRICES=s3://acme-vitals/prices.json"),
        )
    };
    let store = Store::bucket(env, bucket).await?;
    let object = store.get(key).await.map_err(|error| unread(error.with_causes()))?;
    let object = object.ok_or_else(|| unread("there is no such object".to_owned()))?;
    String::from_utf8(object.bytes).map_err(|_| unread("it is no text".to_owned()))
}

fn parse(text: &str) -> Result<BTreeMap<String, Price>> {
    let wrong = |problem: &str| Error::config("PRICES", format!("{problem}; {EXAMPLE}"));
    if !text.trim_start().starts_with('{') {
        return Err(wrong("neither a JSON object nor an address that begins with s3://"));
    }
    let table: Table = serde_json::from_str(text)
        .map_err(|error| wrong(&format!("no price table at line {} column {}", error.line(), error.column())))?;
    let mut prices = BTreeMap::new();
    for (name, Entry { ondemand, spot }) in table.gpu {
        if [ondemand, spot].into_iter().flatten().any(|price| !price.is_finite() || price < 0.0) {
            return Err(wrong(&format!("the price of `{name}` is below zero")));
        }
        if prices.insert(gpu_type(&name), Price { ondemand, spot }).is_some() {
            return Err(wrong(&format!("`{name}` has two prices, one of them under another name")));
        }
    }
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn prices_are_found_under_the_names_that_jobs_have() {
        let table = r#"{"as_of": "2026-10-01", "ec2": {"us-east-1": {"g6.xlarge": 0.8}},
            "gpu": {"NVIDIA-L4": {"ondemand": 0.75, "spot": 0.26}, "h100-sxm": {"spot": 3}}, "core_hour": 0.03}"#;
        let prices = read(&Env::of([("PRICES", table)])).await.unwrap();
        assert_eq!(prices["l4"], Price { ondemand: Some(0.75), spot: Some(0.26) });
        assert_eq!(prices["h100"], Price { ondemand: None, spot: Some(3.0) });
        assert_eq!(read(&Env::of::<String, String>([])).await.unwrap(), BTreeMap::new());
    }

    #[tokio::test]
    async fn what_is_no_table_of_prices_is_refused_with_an_example() {
        for text in [
            "prices.json",
            "[]",
            r#"{"gpu": {"l4": 0.75}}"#,
            r#"{"gpu": {"l4": {"ondemand": -1}}}"#,
            r#"{"gpu": {"l4": {"on_demand": 1}}}"#,
            r#"{"gpu": {"h100": {"spot": 1}, "H100-SXM": {"spot": 2}}}"#,
            "s3://bucket",
            "s3:///key",
        ] {
            let error = read(&Env::of([("PRICES", text)])).await.unwrap_err();
            assert_eq!(error.exit_code(), 78);
            let told = error.to_string();
            assert!(told.starts_with("PRICES: ") && told.contains("an example: PRICES="), "{told}");
        }
    }
}
