//! Variables of the configuration, and how a wrong one is refused.

use crate::Error;
use std::fmt;

/// A variable with a good value of it, which every refusal shows.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    name: &'static str,
    example: &'static str,
}

impl Variable {
    /// A variable and an example of its value.
    #[must_use]
    pub const fn new(name: &'static str, example: &'static str) -> Self {
        Self { name, example }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// An example of its value.
    #[must_use]
    pub const fn example(self) -> &'static str {
        self.example
    }

    /// The error that says what is wrong with its value.
    #[must_use]
    pub fn refused(self, problem: impl fmt::Display) -> Error {
        Error::refused(self.name, problem, self.example)
    }
}

/// A refused text as a message may show it: what holds an `@` may hold a password.
pub(crate) fn quoted(text: &str) -> String {
    if text.contains('@') { "the value".to_owned() } else { format!("`{text}`") }
}
