//! The machines that runs report of.

use super::Purpose;
use crate::model::wandb::Machine;
use crate::story::dice::Dice;

/// The machines of a run: boxes that are shared with others, nodes that report apart, laptops, and some without a GPU.
pub(super) fn machines(dice: &mut Dice, purpose: Purpose) -> Vec<Machine> {
    if purpose == Purpose::Local {
        // The chip of a laptop reports itself as a card, and nothing of who uses it.
        return vec![Machine { label: None, cards: cards(dice, 1), used: None }];
    }
    if dice.chance(0.08) {
        return vec![Machine { label: None, cards: Vec::new(), used: None }];
    }
    let (host, own) = match purpose {
        Purpose::Remote => (8, *dice.pick(&[4, 8, 8])),
        Purpose::Stable => (8, *dice.pick(&[1, 4, 8])),
        // An agent of a sweep has one card of a box that it shares with seven others.
        Purpose::Sweep | Purpose::Local => (8, 1),
        Purpose::Other => (4, *dice.pick(&[1, 2, 4])),
    };
    let nodes = if purpose == Purpose::Remote && dice.chance(0.3) { dice.between(2, 3) } else { 0 };
    let can_see = dice.chance(0.75);
    let labels: Vec<Option<String>> =
        if nodes == 0 { vec![None] } else { (0..nodes).map(|node| Some(format!("node.{node}/a"))).collect() };
    let machine = |label: Option<String>| {
        let cards = cards(dice, host);
        let first = dice.count(0, cards.len() - own);
        let used = can_see.then(|| cards[first..first + own].iter().map(|(number, _)| *number).collect());
        Machine { label, cards, used }
    };
    labels.into_iter().map(machine).collect()
}

fn cards(dice: &mut Dice, number: u32) -> Vec<(u32, Option<f64>)> {
    // A broken card leaves a hole in the numbers, and some drivers tell everything but how busy a card is.
    let (hole, tells) = (dice.chance(0.1), !dice.chance(0.05));
    let number_of = |place: u32| if hole && place > 0 { place + 1 } else { place };
    (0..number)
        .map(|place| {
            let busy = (dice.part() * 1000.0).round() / 10.0;
            (number_of(place), (tells && !dice.chance(0.02)).then_some(busy))
        })
        .collect()
}
