//! How values of several members of a metric may be combined, and which way they are good.

/// How the values of several members of a metric become one; boards and monitors may combine them in no other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// They add up: counts of different things.
    Sum,
    /// The largest counts: ages, maxima, flags where 1 is bad.
    Max,
    /// The smallest counts: flags where 1 is good, scores.
    Min,
    /// They cannot be combined: means, percentiles, shares and numbers of different people are shown member by member.
    None,
}

impl Fold {
    /// The word the catalogue uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Max => "max",
            Self::Min => "min",
            Self::None => "none",
        }
    }
}

/// Which way a metric is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// It is neither.
    Neither,
}

impl Better {
    /// The word the catalogue uses.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Neither => "-",
        }
    }
}
