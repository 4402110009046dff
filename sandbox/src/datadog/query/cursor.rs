//! A place in a text that is being read.

/// The most operators, parentheses and negations of a query.
const MOST_NODES: usize = 500;

/// A place in a text; what is read passes over the blanks before it.
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
    nodes: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { rest: text, nodes: 0 }
    }

    /// Counts something that makes the tree deeper: each level of it is a level of the stack.
    pub(super) fn deeper(&mut self) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MOST_NODES { Err("too long".to_owned()) } else { Ok(()) }
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    /// Passes over a character if it comes next.
    pub(super) fn eat(&mut self, wanted: char) -> bool {
        self.skip();
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    pub(super) fn expect(&mut self, wanted: char) -> Result<(), String> {
        if self.eat(wanted) { Ok(()) } else { Err(format!("expected `{wanted}`, {}", self.unexpected())) }
    }

    /// Passes over a word in any case if it comes next and ends there.
    pub(super) fn word(&mut self, wanted: &str) -> bool {
        self.skip();
        let Some((head, rest)) = self.rest.split_at_checked(wanted.len()) else { return false };
        let ends = !rest.starts_with(|c: char| is_of_tag(c));
        let found = head.eq_ignore_ascii_case(wanted) && ends;
        if found {
            self.rest = rest;
        }
        found
    }

    /// A tag or a part of one.
    pub(super) fn tag(&mut self) -> Result<&'a str, String> {
        let tag = self.take(is_of_tag);
        if tag.is_empty() { Err(format!("expected a tag, {}", self.unexpected())) } else { Ok(tag) }
    }

    pub(super) fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        self.skip();
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    pub(super) fn end(&mut self) -> Result<(), String> {
        self.skip();
        if self.rest.is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub(super) fn unexpected(&self) -> String {
        if self.rest.is_empty() { "unexpected end".to_owned() } else { format!("unexpected `{}`", self.rest) }
    }
}

fn is_of_tag(c: char) -> bool {
    c.is_alphanumeric() || "_-./:*".contains(c)
}
