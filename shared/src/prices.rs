//! What GPUs cost, by the price table: inline JSON, or an object in S3.

use crate::env::document::Document;
use crate::{Env, Result, Variable, tags};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const PRICES: Variable =
    Variable::new("PRICES", r#"{"as_of": "2026-10-01", "gpu": {"l4": {"ondemand": 0.75, "spot": 0.26}}}"#);

/// Dollars an hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// On demand.
    pub ondemand: Option<f64>,
    /// On spot.
    pub spot: Option<f64>,
}

impl Price {
    /// The price of this pricing.
    #[must_use]
    pub const fn of(self, pricing: Pricing) -> Option<f64> {
        match pricing {
            Pricing::Spot => self.spot,
            Pricing::Ondemand => self.ondemand,
        }
    }
}

/// How resources are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pricing {
    /// Cheap, and taken away at any time.
    Spot,
    /// At the list price.
    Ondemand,
}

impl Pricing {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Spot, Self::Ondemand];

    /// The value of its tag.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Spot => "spot",
            Self::Ondemand => "ondemand",
        }
    }
}

/// The part of the table that is read here; the other parts are for other collectors.
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

/// Reads `PRICES` for the prices of GPUs by their short names; none where no table is configured.
///
/// # Errors
/// When it is no such table, or cannot be read.
pub async fn read(env: &Env) -> Result<BTreeMap<String, Price>> {
    match Document::read(env, PRICES.name()).await? {
        None => Ok(BTreeMap::new()),
        Some(document) => parse(&document.text),
    }
}

/// The short name of a type of GPU, as tags and prices have it: lower case, without its maker, one spelling for each.
#[must_use]
pub fn gpu_type(name: &str) -> String {
    const ALIASES: [(&str, &str); 3] = [("h100-sxm", "h100"), ("h100-80gb", "h100"), ("h100-nvlink", "h100")];
    let name = name.trim().to_lowercase();
    let short = ["nvidia-", "tesla-"].into_iter().fold(&*name, |name, maker| name.strip_prefix(maker).unwrap_or(name));
    let short = ALIASES.iter().find(|(alias, _)| *alias == short).map_or(short, |(_, name)| name);
    // Two names that a tag cannot tell apart are one.
    tags::value("gpu_type", short)
}

fn parse(text: &str) -> Result<BTreeMap<String, Price>> {
    if !text.trim_start().starts_with('{') {
        return Err(PRICES.refused("neither a JSON object nor an address that begins with s3://"));
    }
    let table: Table = serde_json::from_str(text).map_err(|error| {
        PRICES.refused(format!("no price table at line {} column {}", error.line(), error.column()))
    })?;
    let mut prices = BTreeMap::new();
    for (name, Entry { ondemand, spot }) in table.gpu {
        if [ondemand, spot].into_iter().flatten().any(|price| !price.is_finite() || price < 0.0) {
            return Err(PRICES.refused(format!("the price of `{name}` is below zero")));
        }
        if prices.insert(gpu_type(&name), Price { ondemand, spot }).is_some() {
            return Err(PRICES.refused(format!("`{name}` has two prices, one of them under another name")));
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
            assert!(told.starts_with("PRICES: ") && told.contains("e.g. PRICES="), "{told}");
        }
    }

    #[test]
    fn names_of_one_type_are_one_and_of_different_types_stay_apart() {
        for (name, expected) in [
            ("H100-SXM", "h100"),
            ("nvidia-h100-80gb", "h100"),
            ("NVIDIA-H100-NVLink", "h100"),
            ("A100-80GB", "a100-80gb"),
            ("Tesla-T4", "t4"),
            ("nvidia-tesla-v100", "v100"),
            ("L40S", "l40s"),
            ("L4", "l4"),
        ] {
            assert_eq!(gpu_type(name), expected);
        }
    }
}
