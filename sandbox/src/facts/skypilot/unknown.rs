//! What cannot be known of a server: parts that fail, and records that nobody can read.

use super::view::{Group, View, views};
use crate::model::skypilot::{Controller, Server};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// The parts that cannot be read of a server at this time. Without a controller nothing was ever read of its history.
#[must_use]
pub fn skypilot_gaps(server: &Server, now: Timestamp) -> BTreeSet<&'static str> {
    match server.controller {
        Controller::Absent => BTreeSet::from(["history", "ended"]),
        Controller::Unreachable => BTreeSet::from(["live", "history", "ended", "statuses", "accelerators"]),
        Controller::Up => {
            let views = views(server, now, &[]);
            let running: Vec<&View<'_>> = views.iter().filter(|view| view.group() == Group::Running).collect();
            let readable = running.iter().filter(|view| view.gpus().is_some()).count();
            let enough = 10 * readable >= 9 * running.len();
            if enough { BTreeSet::new() } else { BTreeSet::from(["accelerators"]) }
        }
    }
}

/// How many jobs have a status, and how many running ones accelerators, that nobody can read.
#[must_use]
pub fn skypilot_unread(server: &Server, now: Timestamp) -> BTreeMap<&'static str, u64> {
    let (mut statuses, mut accelerators) = (0, 0);
    for view in views(server, now, &[]).iter().filter(|_| server.controller == Controller::Up) {
        statuses += u64::from(view.group() == Group::Unheard);
        accelerators += u64::from(view.group() == Group::Running && view.gpus().is_none());
    }
    BTreeMap::from([("statuses", statuses), ("accelerators", accelerators)])
}
