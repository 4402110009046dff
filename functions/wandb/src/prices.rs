//! What a GPU-hour costs, by the configured price table.

use serde::Deserialize;
use serde_json::{Map, Value};
use shared::{Env, Error, Result};
use std::collections::BTreeMap;

const EXAMPLE: &str = r#"an example: PRICES={"gpu": {"l4": {"ondemand": 0.75, "spot": 0.26}}}"#;

/// Spellings of one type of GPU.
const ALIASES: [(&str, &str); 3] = [("h100-sxm", "h100"), ("h100-80gb", "h100"), ("h100-nvlink", "h100")];

/// The part of the table that knows GPUs.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Prices {
    #[serde(default)]
    gpu: BTreeMap<String, Price>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Price {
    ondemand: Option<f64>,
    spot: Option<f64>,
}

/// How GPUs are paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pricing {
    OnDemand,
    Spot,
}

impl Prices {
    /// Reads `PRICES`; without it nothing has a price.
    pub fn read(env: &Env) -> Result<Self> {
        let Some(text) = env.get("PRICES") else { return Ok(Self::default()) };
        let wrong = |problem: &str| Error::config("PRICES", format!("{problem}; {EXAMPLE}"));
        let table = serde_json::from_str::<Map<String, Value>>(text).map(Value::Object);
        let table: Self = table
            .and_then(serde_json::from_value)
            .map_err(|_| wrong("is no JSON object whose `gpu` holds prices by type and by ondemand or spot"))?;
        let all = table.gpu.values().flat_map(|price| [price.ondemand, price.spot]).flatten();
        if all.into_iter().any(|price| !price.is_finite() || price < 0.0) {
            return Err(wrong("holds a price that is below zero"));
        }
        Ok(table)
    }

    /// US dollars for an hour of one GPU of this type, if that is known.
    pub fn gpu(&self, gpu_type: &str, pricing: Pricing) -> Option<f64> {
        let wanted = short(gpu_type);
        let price = self.gpu.iter().find(|(name, _)| short(name) == wanted)?.1;
        match pricing {
            Pricing::OnDemand => price.ondemand,
            Pricing::Spot => price.spot,
        }
    }
}

/// The short name of a type of GPU: lower case, without its maker, one spelling for each.
pub(crate) fn short(gpu_type: &str) -> String {
    let folded = gpu_type.trim().to_lowercase();
    let bare =
        ["nvidia-", "tesla-"].into_iter().fold(folded.as_str(), |name, maker| name.strip_prefix(maker).unwrap_or(name));
    ALIASES.iter().find(|(alias, _)| *alias == bare).map_or(bare, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_by_the_short_name_and_never_guessed() {
        let table = r#"{"as_of": "2026-10-01", "ec2": {"us-east-1": {"g6.xlarge": 0.8}},
            "gpu": {"l4": {"ondemand": 0.75, "spot": 0.26}, "h100": {"ondemand": 4.0}}, "core_hour": 0.03}"#;
        let prices = Prices::read(&Env::of([("PRICES", table)])).unwrap();
        for (name, pricing, price) in [
            ("L4", Pricing::OnDemand, Some(0.75)),
            ("NVIDIA-L4", Pricing::Spot, Some(0.26)),
            ("nvidia-tesla-h100-sxm", Pricing::OnDemand, Some(4.0)),
            ("h100-80gb", Pricing::Spot, None),
            ("l40s", Pricing::OnDemand, None),
        ] {
            assert_eq!(prices.gpu(name, pricing), price, "{name}");
        }
        assert_eq!(short("A100-80GB"), "a100-80gb");
        assert_eq!(Prices::read(&Env::of::<&str, &str>([])).unwrap(), Prices::default());
    }

    #[test]
    fn a_table_that_cannot_be_read_is_refused_with_an_example() {
        for text in ["prices", "[]", "{\"gpu\": []}", "{\"gpu\": {\"l4\": {\"spot\": -1}}}", "s3://bucket/prices.json"]
        {
            let error = Prices::read(&Env::of([("PRICES", text)])).unwrap_err();
            assert!(error.exit_code() == 78 && error.to_string().contains("an example: PRICES="), "{error}");
        }
    }
}
