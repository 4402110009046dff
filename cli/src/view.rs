//! The layout of a page: the width and the colours of the terminal, verdicts, columns and hanging indents.

use crate::output::printable;
use console::{Style, Term, measure_text_width};

/// The width of a page that is written to a file or a pipe, or to a terminal that does not tell its width.
const DEFAULT_WIDTH: usize = 80;

/// The smallest width of a page.
const MIN_WIDTH: usize = 40;

/// The columns that a text needs to the right of a name; with fewer it is below the name.
const MIN_TEXT: usize = 24;

/// The width of the longest verdict.
const VERDICT: usize = 7;

/// The column after a verdict.
const AFTER_VERDICT: usize = 2 + VERDICT + 1;

/// How a page is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The columns of the terminal.
    width: usize,
    /// Whether it has colours.
    colours: bool,
    /// Whether `-v` was given: zeros, tags in full, and a collector's metrics about itself are shown.
    pub verbose: bool,
}

/// A verdict: a word, in a colour that means the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It needs attention.
    Bad(&'static str),
    /// It is unknown, not configured or has not happened yet.
    Open(&'static str),
    /// It is as it should be.
    Good(&'static str),
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Bad(word) | Self::Open(word) | Self::Good(word) => word,
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Bad(_) => Style::new().red().bold(),
            Self::Open(_) => Style::new().yellow(),
            Self::Good(_) => Style::new().green(),
        }
    }
}

/// A value with its name and its unit.
pub struct Number {
    /// The metric, with its tags.
    pub name: String,
    /// The value.
    pub value: String,
    /// Its unit.
    pub unit: String,
}

/// An item of a list: its verdict, its name, and paragraphs about it.
pub struct Item {
    verdict: Verdict,
    name: String,
    texts: Vec<String>,
}

impl Item {
    /// An item of a list.
    pub fn new(verdict: Verdict, name: &str, texts: Vec<String>) -> Self {
        // An item without a paragraph is still printed.
        let texts = if texts.is_empty() { vec![String::new()] } else { texts };
        Self { verdict, name: single_line(name), texts }
    }

    /// Its verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl View {
    /// The layout for this terminal. There are no colours with `NO_COLOR` or `TERM=dumb`.
    pub fn of_terminal(verbose: bool) -> Self {
        let terminal = Term::stdout();
        let width = terminal.size_checked().map_or(DEFAULT_WIDTH, |(_, columns)| columns.into());
        Self::new(width, terminal.features().colors_supported() && console::colors_enabled(), verbose)
    }

    /// The layout of this width.
    pub fn new(width: usize, colours: bool, verbose: bool) -> Self {
        Self { width: width.max(MIN_WIDTH), colours, verbose }
    }

    /// The first line of a block.
    pub fn heading(self, words: &[&str]) -> String {
        let title = words.iter().map(|word| single_line(word)).collect::<Vec<_>>().join(" · ");
        self.lines(&wrap(&title, self.width - 2), 0, 2, &Style::new().bold())
    }

    /// A title within a block.
    pub fn group(self, word: &str) -> String {
        self.lines(&[word.to_owned()], 2, 2, &Style::new().bold())
    }

    /// A sentence, wrapped with a hanging indent.
    pub fn sentence(self, text: &str, indent: usize) -> String {
        self.lines(&wrap(text, self.width - indent - 2), indent, indent + 2, &Style::new())
    }

    /// A sentence of less importance, dimmed.
    pub fn remark(self, text: &str, indent: usize) -> String {
        self.lines(&wrap(text, self.width - indent), indent, indent, &Style::new().dim())
    }

    /// A name with facts, on its right if they fit, and its meaning below.
    pub fn definition(self, name: &str, facts: &str, meaning: &str) -> String {
        let bold = Style::new().bold();
        let is_beside = 2 + measure_text_width(name) + 2 + measure_text_width(facts) <= self.width;
        let mut text = if is_beside {
            format!("  {}  {}\n", self.styled(&bold, name), self.styled(&Style::new().dim(), facts))
        } else {
            self.lines(&wrap(name, self.width - 4), 2, 4, &bold) + &self.remark(facts, 4)
        };
        text.push_str(&self.lines(&wrap(meaning, self.width - 4), 4, 4, &Style::new()));
        text
    }

    /// One line for each number, with the values in a column.
    pub fn numbers(self, lines: &[Number]) -> String {
        let widest = |of: fn(&Number) -> &String| lines.iter().map(|line| measure_text_width(of(line))).max();
        let value = widest(|line| &line.value).unwrap_or(0);
        let unit = widest(|line| &line.unit).unwrap_or(0);
        let room = self.width.saturating_sub(value + unit + 5);
        let what = room.min(widest(|line| &line.name).unwrap_or(0)).max(8);
        lines.iter().map(|line| self.number(line, what, value)).collect()
    }

    fn number(self, line: &Number, what: usize, value: usize) -> String {
        let names = wrap(&line.name, what);
        let (first, rest) = names.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let gap = " ".repeat(what.saturating_sub(measure_text_width(first)));
        let unit = self.styled(&Style::new().dim(), &line.unit);
        format!("  {first}{gap}  {:>value$} {unit}\n", line.value) + &self.lines(rest, 4, 4, &Style::new())
    }

    /// A list, with the paragraphs in a column if the page is wide enough.
    pub fn list(self, items: &[Item]) -> String {
        let widest = items.iter().map(|item| measure_text_width(&item.name)).max().unwrap_or(0);
        let column = AFTER_VERDICT + widest + 2;
        let is_beside = column + MIN_TEXT <= self.width;
        let lines = items.iter().map(|item| {
            let verdict = self.verdict(item.verdict);
            if is_beside {
                self.hanging(&[verdict.as_str(), &item.name].concat(), column, &item.texts)
            } else {
                let name = std::slice::from_ref(&item.name);
                self.hanging(&verdict, AFTER_VERDICT, name) + &self.hanging("", AFTER_VERDICT + 2, &item.texts)
            }
        });
        lines.collect()
    }

    /// The last line, in the colour of the worst verdict.
    pub fn summary(self, text: &str, worst: Verdict) -> String {
        self.lines(&wrap(text, self.width - 2), 0, 2, &worst.style())
    }

    /// A verdict in its colour, padded to the longest.
    fn verdict(self, verdict: Verdict) -> String {
        format!("  {} ", self.styled(&verdict.style(), &format!("{:<VERDICT$}", verdict.word())))
    }

    /// Paragraphs that start in this column, the first on the right of the head.
    fn hanging(self, head: &str, column: usize, texts: &[String]) -> String {
        let lines = texts.iter().flat_map(|text| wrap(text, self.width - column)).enumerate();
        let lines = lines.map(|(number, line)| {
            let head = if number == 0 { head } else { "" };
            let gap = " ".repeat(column.saturating_sub(measure_text_width(head)));
            [head, &gap, &line].concat().trim_end().to_owned() + "\n"
        });
        lines.collect()
    }

    /// Lines in one style, with an indent for the first and one for the others.
    fn lines(self, lines: &[String], first: usize, others: usize, style: &Style) -> String {
        let indents = std::iter::once(first).chain(std::iter::repeat(others));
        let lines = lines.iter().zip(indents);
        lines.map(|(line, indent)| [&" ".repeat(indent), &self.styled(style, line), "\n"].concat()).collect()
    }

    fn styled(self, style: &Style, text: &str) -> String {
        style.clone().force_styling(self.colours).apply_to(text).to_string()
    }
}

/// How many need attention, e.g. `2 of 9 need attention`, or how many are ok if none does.
pub fn attention(bad: usize, good: usize, all: usize) -> String {
    match bad {
        0 => format!("{good} of {all} ok"),
        1 => format!("1 of {all} needs attention"),
        _ => format!("{bad} of {all} need attention"),
    }
}

/// The text on one line, without control characters.
fn single_line(text: &str) -> String {
    printable(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Wraps a text to lines of this width, without control characters. A longer word is split: nothing is left out.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = printable(text).replace(['\n', '\t'], " ");
    let mut lines = vec![String::new()];
    let words = text.split(' ').flat_map(|word| split_word(word, width)).enumerate();
    for (number, word) in words {
        let line = lines.last_mut();
        match line {
            Some(line) if number == 0 => line.push_str(word),
            // Several spaces in a row are kept, because they align columns.
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ if word.is_empty() => {}
            _ => lines.push(word.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Splits a word that is wider than this, after a separator if there is one in the second half.
fn split_word(word: &str, width: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while measure_text_width(rest) > width {
        let mut columns = 0;
        let fits = |(_, character): &(usize, char)| {
            columns += measure_text_width(character.encode_utf8(&mut [0; 4]));
            columns <= width
        };
        let end = rest.char_indices().take_while(fits).map(|(at, character)| at + character.len_utf8()).last();
        let end = end.unwrap_or(rest.len());
        let separator = rest[..end].rfind(['.', '_', '/', '-', '=', ',']).map(|at| at + 1).filter(|at| at * 2 > end);
        let (piece, remaining) = rest.split_at(separator.unwrap_or(end));
        pieces.push(piece);
        rest = remaining;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_wrapped_at_spaces_and_a_longer_word_is_split() {
        for (text, width, expected) in [
            ("one two\nthree", 7, &["one two", "three"][..]),
            ("one two  three", 7, &["one two", "three"]),
            ("github.ci.avg_workflow_duration", 20, &["github.ci.avg_", "workflow_duration"]),
            ("see https://averylongname.example", 12, &["see https://", "averylongnam", "e.example"]),
            ("一二三四", 5, &["一二", "三四"]),
            ("    12 <5     bugs/open", 24, &["    12 <5     bugs/open"]),
            ("    12 <5     bugs/open", 16, &["    12 <5", "bugs/open"]),
            ("", 10, &[""]),
        ] {
            assert_eq!(wrap(text, width), expected, "{text}");
        }
    }

    #[test]
    fn a_page_contains_no_control_characters_of_its_texts() {
        let view = View::new(60, false, false);
        let wild = "a\u{1b}[2Jb\nc";
        let number = Number { name: wild.to_owned(), value: "1".to_owned(), unit: "item".to_owned() };
        let item = Item::new(Verdict::Good("ok"), wild, vec![wild.to_owned()]);
        let text = [
            view.heading(&[wild]),
            view.numbers(&[number]),
            view.list(&[item]),
            view.sentence(wild, 2),
            view.remark(wild, 2),
            view.definition("name", "facts", wild),
            view.summary(wild, Verdict::Good("ok")),
        ];
        for part in text {
            assert!(
                part.contains("a\u{fffd}[2Jb c") && !part.contains('\u{1b}') && part.lines().count() < 3,
                "{part:?}"
            );
        }
    }

    #[test]
    fn no_line_is_wider_than_the_page_and_no_letter_is_lost() {
        let long = "acme/a-repository-with-a-name-that-goes-on-and-on-and-on-and-on: GraphQL and more words behind it";
        for width in [40, 60, 80, 200] {
            let view = View::new(width, false, true);
            let number =
                Number { name: long.to_owned(), value: "123 × 1234.567".into(), unit: "operation/day".into() };
            let item = Item::new(Verdict::Bad("unknown"), long, vec![long.repeat(3)]);
            let text = [
                view.heading(&[long, long]),
                view.numbers(&[number]),
                view.list(&[item]),
                view.sentence(long, 2),
                view.remark(long, 4),
                view.definition(long, long, long),
                view.summary(&long.repeat(2), Verdict::Bad("failed")),
            ]
            .concat();
            assert!(text.lines().all(|line| measure_text_width(line) <= width), "{width}\n{text}");
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            let expected = 14 * letters(long) + letters("123 1234.567 operation/day unknown");
            assert_eq!(letters(&text), expected, "{text}");
        }
    }

    #[test]
    fn the_summary_agrees_in_number() {
        let expected = ["7 of 9 ok", "1 of 9 needs attention", "2 of 9 need attention"];
        assert_eq!([0, 1, 2].map(|bad| attention(bad, 7, 9)), expected);
    }
}
