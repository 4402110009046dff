//! What a record says of its resources: accelerators, nodes, spot or not.

use crate::snapshot::Gpus;
use serde_json::Value;
use shared::prices::{Pricing, gpu_type};
use std::collections::BTreeMap;

/// The resources of a task as its record tells them.
#[derive(Debug, Default)]
pub(super) struct Resources<'a> {
    /// What was launched, else what was asked for; nothing while neither is known.
    text: Option<&'a str>,
    /// What was asked for.
    asked: Option<&'a str>,
    accelerators: Option<&'a Value>,
    spot: Option<bool>,
    is_shared: bool,
}

impl<'a> Resources<'a> {
    pub fn new(
        launched: Option<&'a str>,
        asked: Option<&'a str>,
        accelerators: Option<&'a Value>,
        spot: Option<bool>,
    ) -> Self {
        let known = |text: Option<&'a str>| text.map(str::trim).filter(|text| !text.is_empty() && *text != "-");
        let (launched, asked) = (known(launched), known(asked));
        Self { text: launched.or(asked), asked, accelerators, spot, is_shared: false }
    }

    /// The same, of a machine that others may use as well: what was asked for counts, and not what there is.
    pub const fn shared(self, is_shared: bool) -> Self {
        Self { is_shared, ..self }
    }

    /// How they are paid for; nothing while it is not known, or may still be either.
    pub fn pricing(&self) -> Option<Pricing> {
        if let Some(spot) = self.spot {
            return Some(if spot { Pricing::Spot } else { Pricing::Ondemand });
        }
        let text = self.text?.to_lowercase();
        let tokens = text.split('[').skip(1).filter_map(|rest| rest.split(']').next());
        match tokens.filter(|token| token.split('|').any(|word| word.trim() == "spot")).min() {
            None => Some(Pricing::Ondemand),
            Some(token) => (!token.contains('|')).then_some(Pricing::Spot),
        }
    }

    /// Accelerators by type on all nodes; nothing where they cannot be read.
    ///
    /// The server fills `accelerators` from the handle of a running cluster, which a controller that answers over gRPC
    /// leaves empty where there is none. Then the record has the text alone; accelerators that are there and cannot be
    /// read are not replaced by it.
    pub fn gpus(&self) -> Option<Vec<Gpus>> {
        let text = if self.is_shared { self.asked } else { self.text };
        let of_a_node = match self.accelerators.filter(|_| !self.is_shared) {
            Some(Value::Object(object)) if !object.is_empty() => {
                object.iter().map(|(name, number)| Some((name.clone(), number.as_f64()?))).collect()
            }
            Some(Value::String(text)) if !matches!(text.trim(), "" | "-" | "{}" | "None" | "null") => dictionary(text),
            None | Some(Value::Null | Value::String(_) | Value::Object(_)) => text.map_or(Some(Vec::new()), told),
            Some(_) => None,
        }?;
        let nodes = text.map_or(1.0, nodes);
        let mut gpus: BTreeMap<String, f64> = BTreeMap::new();
        for (name, number) in of_a_node {
            if !(number.is_finite() && number >= 0.0) || name.trim().is_empty() {
                return None;
            }
            if number > 0.0 {
                *gpus.entry(gpu_type(&name)).or_default() += number * nodes;
            }
        }
        let pricing = self.pricing();
        Some(gpus.into_iter().map(|(kind, number)| Gpus { kind, pricing, number }).collect())
    }
}

/// The leading count of `2x[A100:8]`; one where there is none.
fn nodes(text: &str) -> f64 {
    let count = text.split_once(['x', 'X']).and_then(|(count, _)| count.trim().parse::<u32>().ok());
    f64::from(count.unwrap_or(1))
}

/// Accelerators told within the text of the resources: `gpus=A100:8`, `{'A100': 8}` or `[A100:8]`. A text of processors
/// alone says that there are none.
fn told(text: &str) -> Option<Vec<(String, f64)>> {
    if let Some((_, rest)) = text.split_once('{') {
        return dictionary(&format!("{{{}", rest.split('}').next().map(|inside| format!("{inside}}}"))?));
    }
    if let Some((_, rest)) = text.split_once("gpus=") {
        let item = rest.split([',', ')']).next()?;
        return Some(vec![pair(item)?]);
    }
    let inside = text.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(inside, _)| inside);
    match inside.filter(|inside| !inside.to_lowercase().contains("spot")) {
        None => Some(Vec::new()),
        Some(inside) => {
            let items: Option<Vec<_>> = inside.split(',').filter(|item| !is_plain(item)).map(pair).collect();
            // Several of them are alternatives, of which one will be had.
            items.filter(|items| items.len() <= 1)
        }
    }
}

/// Whether an item is about processors or memory.
fn is_plain(item: &str) -> bool {
    let item = item.trim().to_lowercase();
    item.is_empty() || item == "..." || ["cpu", "mem", "disk"].iter().any(|word| item.starts_with(word))
}

/// `A100:8`, with or without quotes.
fn pair(item: &str) -> Option<(String, f64)> {
    let (name, number) = item.rsplit_once(':')?;
    let name = name.trim().trim_matches(['\'', '"']);
    let number: f64 = number.trim().parse().ok()?;
    (!name.is_empty() && number.is_finite()).then(|| (name.to_owned(), number))
}

/// `{'A100': 8}` as Python writes it, `A100:8` alone, or JSON.
fn dictionary(text: &str) -> Option<Vec<(String, f64)>> {
    let inside = text.trim().trim_start_matches('{').trim_end_matches('}');
    inside.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gpus(launched: Option<&str>, asked: Option<&str>, accelerators: &Value) -> Option<Vec<(String, f64)>> {
        let resources = Resources::new(launched, asked, Some(accelerators), None);
        resources.gpus().map(|gpus| gpus.into_iter().map(|gpus| (gpus.kind, gpus.number)).collect())
    }

    #[test]
    fn accelerators_are_exact_by_type_and_multiplied_by_nodes() {
        let none = Value::Null;
        let a100 = json!({"A100": 8});
        for (launched, asked, accelerators, expected) in [
            (Some("4x(gpus=H100:8, p5.48xlarge, ...)"), None, &json!({"H100": 8}), Some(vec![("h100", 32.0)])),
            (Some("4x[H100:8]"), None, &none, Some(vec![("h100", 32.0)])),
            (Some("2x[spot](gpus=A100:8, p4d.24xlarge, ...)"), None, &none, Some(vec![("a100", 16.0)])),
            (Some("-"), Some("2x[A100:8][Spot]"), &none, Some(vec![("a100", 16.0)])),
            (Some(""), Some("2x[A100:8]"), &a100, Some(vec![("a100", 16.0)])),
            (Some("1x AWS(p4d.24xlarge[Spot], {'A100': 8})"), None, &none, Some(vec![("a100", 8.0)])),
            (Some("[L40S:4]"), None, &none, Some(vec![("l40s", 4.0)])),
            (None, None, &json!("{'A100-80GB': 8}"), Some(vec![("a100-80gb", 8.0)])),
            (None, None, &json!("L4:1"), Some(vec![("l4", 1.0)])),
            (Some("2x[L4:0.5]"), None, &json!({"L4": 0.5}), Some(vec![("l4", 1.0)])),
            (Some("1x[CPU:4+]"), None, &none, Some(vec![])),
            (Some("3x(cpus=4, mem=16, m6i.xlarge, ...)"), None, &none, Some(vec![])),
            (None, None, &none, Some(vec![])),
            // A controller that answers over gRPC says nothing at all like this.
            (Some("2x(gpus=A100:8, p4d.24xlarge, ...)"), None, &json!({}), Some(vec![("a100", 16.0)])),
            (Some("1x[CPU:4+]"), None, &json!({}), Some(vec![])),
            (Some("-"), Some("2x[L4:1][On-demand|Spot]"), &json!("{}"), Some(vec![("l4", 2.0)])),
            (Some("1x[A100:8, H100:8]"), None, &json!({}), None),
            (Some("1x[A100:8]"), None, &json!({"A100": null}), None),
            (Some("1x[A100:8]"), None, &json!(8), None),
            (Some("1x[A100:8]"), None, &json!("a dozen"), None),
            (Some("1x[A100:several]"), None, &none, None),
            (Some("1x[A100:8, H100:8]"), None, &none, None),
            (Some("1x[A100:8]"), None, &json!({"A100": -8}), None),
        ] {
            let expected: Option<Vec<(String, f64)>> =
                expected.map(|list| list.into_iter().map(|(name, number)| (name.to_owned(), number)).collect());
            assert_eq!(gpus(launched, asked, accelerators), expected, "{launched:?} {asked:?} {accelerators}");
        }
    }

    #[test]
    fn spot_is_a_token_and_not_a_part_of_a_word() {
        for (text, spot, expected) in [
            (Some("1x[spot](gpus=L4:1, ...)"), None, Some(Pricing::Spot)),
            (Some("1x[A100:8][Spot]"), None, Some(Pricing::Spot)),
            (Some("1x(cpus=4, spotless.xlarge, ...)"), None, Some(Pricing::Ondemand)),
            (Some("1x[A100:8]"), None, Some(Pricing::Ondemand)),
            (Some("1x[A100:8]"), Some(true), Some(Pricing::Spot)),
            (Some("1x AWS(p4d.24xlarge[Spot], {'A100': 8})"), None, Some(Pricing::Spot)),
            (Some("1x[A100:8][On-demand|Spot]"), None, None),
            (Some("1x[A100:8][Spot|On-demand]"), None, None),
            (Some("-"), None, None),
            (Some(" "), None, None),
            (None, None, None),
        ] {
            assert_eq!(Resources::new(text, None, None, spot).pricing(), expected, "{text:?}");
        }
    }
}
