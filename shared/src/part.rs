//! The parts that a target is read in: each can fail, wait for answers or hold records that cannot be interpreted.

/// One part of a target. Collectors declare theirs as constants, so that a misspelt one does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    name: &'static str,
    fills: bool,
    holds_records: bool,
}

impl Part {
    /// A part that a run reads whole or not at all.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self { name, fills: false, holds_records: false }
    }

    /// The same part, which several runs may fill; until it is whole it is pending, and no gap.
    #[must_use]
    pub const fn filling(self) -> Self {
        Self { fills: true, ..self }
    }

    /// The same part, of records: those that cannot be interpreted are left out and counted.
    #[must_use]
    pub const fn of_records(self) -> Self {
        Self { holds_records: true, ..self }
    }

    /// The value of its tag.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    pub(crate) const fn fills(self) -> bool {
        self.fills
    }

    pub(crate) const fn holds_records(self) -> bool {
        self.holds_records
    }
}
