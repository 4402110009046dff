//! The cards of a run, out of the last that was reported about its machines.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A card by the label of its node, where nodes report apart, and by its number there.
type Card = (Option<String>, u32);

/// What the system metrics of a run say of its cards.
#[derive(Debug, PartialEq)]
pub(super) struct Machine {
    /// How many cards count as the run's own, on the nodes that report.
    pub cards: usize,
    /// Whether the nodes report apart, so that each card of the run is among them.
    pub is_whole: bool,
    /// The mean utilisation of those cards, as far as they report one.
    pub busy: Option<f64>,
}

/// A key such as `system.gpu.0.temp`, `gpu.process.3.gpu` or `system.gpu.1.gpu/l:node-7`.
struct Key<'k> {
    card: Card,
    /// Whether it is told because a process of the run uses the card.
    is_used: bool,
    what: &'k str,
}

impl<'k> Key<'k> {
    /// Reads a key; nothing where it speaks of no card. Some clients leave `system.` out.
    fn read(key: &'k str) -> Option<Self> {
        let key = key.strip_prefix("system.").unwrap_or(key);
        let (path, label) = key.split_once("/l:").map_or((key, None), |(path, label)| (path, Some(label.to_owned())));
        let rest = path.strip_prefix("gpu.")?;
        let (is_used, rest) = rest.strip_prefix("process.").map_or((false, rest), |rest| (true, rest));
        let (number, what) = rest.split_once('.')?;
        Some(Self { card: (label, number.parse().ok()?), is_used, what })
    }
}

impl Machine {
    /// Reads the metrics. W&B's client reports every card of the host, whoever uses it, and once more those that the run's
    /// processes use: they are the run's. From inside of a container no process may be seen; then all of them are.
    pub fn read(metrics: &Map<String, Value>) -> Self {
        let keys = || metrics.iter().filter_map(|(key, value)| Some((Key::read(key)?, value)));
        let cards_of = |is_used: bool| -> BTreeSet<Card> {
            keys().filter(|(key, _)| key.is_used == is_used).map(|(key, _)| key.card).collect()
        };
        let used = cards_of(true);
        let own = if used.is_empty() { cards_of(false) } else { used };
        let busy = keys().filter(|(key, _)| !key.is_used && key.what == "gpu" && own.contains(&key.card));
        let busy: Vec<f64> = busy.filter_map(|(_, value)| value.as_f64().filter(|busy| busy.is_finite())).collect();
        Self {
            cards: own.len(),
            is_whole: own.iter().any(|(label, _)| label.is_some()),
            busy: shared::stats::mean(&busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(metrics: &Value) -> (usize, bool, Option<f64>) {
        let Machine { cards, is_whole, busy } = Machine::read(metrics.as_object().unwrap());
        (cards, is_whole, busy)
    }

    #[test]
    fn cards_are_the_distinct_numbers_in_either_spelling_of_the_keys() {
        for (metrics, cards, busy) in [
            (json!({"system.gpu.0.gpu": 90, "system.gpu.1.gpu": 70, "system.gpu.1.temp": 60}), 2, Some(80.0)),
            (json!({"gpu.0.gpu": 50, "gpu.7.memory": 1}), 2, Some(50.0)),
            (json!({"system.gpu.10.temp": 1, "system.gpu.1.temp": 1, "system.gpu.1.gpu": null}), 2, None),
            (
                json!({"system.cpu": 3, "gpu.x.gpu": 2, "gpus.0.gpu": 1, "system.gpu.0": 1, "tpu.0.dutyCycle": 9}),
                0,
                None,
            ),
        ] {
            assert_eq!(read(&metrics), (cards, false, busy), "{metrics}");
        }
    }

    #[test]
    fn of_a_box_that_is_shared_a_run_has_the_cards_that_its_processes_use() {
        let mut shared_box = json!({"system.gpu.process.3.temp": 60, "system.gpu.process.3.gpu": 90});
        for card in 0..8 {
            shared_box[format!("system.gpu.{card}.gpu")] = json!(card * 10);
        }
        assert_eq!(read(&shared_box), (1, false, Some(30.0)), "one of eight, and as busy as that one");
        let hidden = json!({"system.gpu.process.1.memory": 5, "system.gpu.0.gpu": 10});
        assert_eq!(read(&hidden), (1, false, None), "a card that tells no use");
    }

    #[test]
    fn nodes_with_labels_have_cards_of_their_own() {
        let mut nodes = json!({"system.cpu/l:a.b/c": 1});
        for (label, busy) in [("a.b/c", 40), ("rank/l:2", 60)] {
            for card in 0..8 {
                nodes[format!("system.gpu.{card}.gpu/l:{label}")] = json!(busy);
            }
        }
        assert_eq!(read(&nodes), (16, true, Some(50.0)));
        nodes["system.gpu.process.0.temp/l:a.b/c"] = json!(50);
        nodes["system.gpu.process.0.temp/l:rank/l:2"] = json!(50);
        nodes["system.gpu.process.1.temp/l:rank/l:2"] = json!(50);
        let (cards, is_whole, busy) = read(&nodes);
        assert_eq!((cards, is_whole), (3, true));
        assert!((busy.unwrap() - 160.0 / 3.0).abs() < 1e-9, "{busy:?}");
    }
}
