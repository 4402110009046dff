//! Primary rate limits: an hour's budget for each token and resource, counted from its first use.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::collections::HashMap;

const WINDOW: SignedDuration = SignedDuration::from_hours(1);

/// What is rationed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resource {
    /// REST requests.
    Core,
    /// GraphQL points.
    Graphql,
}

impl Resource {
    /// Its name in headers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Graphql => "graphql",
        }
    }
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// What is rationed.
    pub resource: Resource,
    /// The whole budget.
    pub limit: u64,
    /// What is spent.
    pub used: u64,
    /// When it is whole again.
    pub reset: Timestamp,
}

impl Standing {
    /// What is left.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    /// As `GET /rate_limit` tells it.
    #[must_use]
    pub fn to_json(self) -> Value {
        json!({
            "limit": self.limit, "remaining": self.remaining(), "reset": self.reset.as_second(),
            "used": self.used, "resource": self.resource.name(),
        })
    }
}

fn limit(key: &str, resource: Resource) -> u64 {
    match (key.is_empty(), resource) {
        (true, Resource::Core) => 60,
        (true, Resource::Graphql) => 0,
        (false, _) => 5000,
    }
}

/// All budgets.
#[derive(Debug, Default)]
pub struct Meters {
    spent: HashMap<(String, Resource), (u64, Timestamp)>,
}

impl Meters {
    /// Sets what is left of a budget.
    pub fn set_remaining(&mut self, key: &str, resource: Resource, remaining: u64, now: Timestamp) {
        let used = limit(key, resource).saturating_sub(remaining);
        self.spent.insert((key.to_owned(), resource), (used, now));
    }

    /// How a budget stands, without spending of it.
    pub fn standing(&self, key: &str, resource: Resource, now: Timestamp) -> Standing {
        let limit = limit(key, resource);
        let spent = self.spent.get(&(key.to_owned(), resource)).copied();
        let (used, since) = spent.filter(|spent| (spent.1..spent.1 + WINDOW).contains(&now)).unwrap_or((0, now));
        Standing { resource, limit, used, reset: since + WINDOW }
    }

    /// Spends of a budget, unless there is nothing left of it.
    pub fn spend(&mut self, key: &str, resource: Resource, cost: u64, now: Timestamp) -> Result<Standing, Standing> {
        let standing = self.standing(key, resource, now);
        if standing.remaining() == 0 {
            return Err(standing);
        }
        let used = (standing.used + cost).min(standing.limit);
        self.spent.insert((key.to_owned(), resource), (used, standing.reset - WINDOW));
        Ok(Standing { used, ..standing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_and_whole_again_after_an_hour() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut meters = Meters::default();
        assert_eq!(meters.spend("a", Resource::Core, 4999, at(0)).map(|left| left.remaining()), Ok(1));
        assert_eq!(meters.spend("a", Resource::Core, 5, at(10)).map(|left| left.remaining()), Ok(0));
        assert_eq!(meters.spend("a", Resource::Core, 1, at(3599)).map_err(|left| left.reset), Err(at(3600)));
        assert_eq!(meters.spend("b", Resource::Core, 1, at(10)).map(|left| left.remaining()), Ok(4999));
        assert_eq!(meters.spend("a", Resource::Graphql, 1, at(10)).map(|left| left.remaining()), Ok(4999));
        assert_eq!(meters.spend("a", Resource::Core, 1, at(3600)).map(|left| left.remaining()), Ok(4999));
        assert_eq!(meters.standing("", Resource::Core, at(0)).limit, 60);
    }
}
