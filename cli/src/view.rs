//! How a page is laid out: the width and the colours of the terminal, verdicts, and lines that hang below each other.

use crate::output::harmless;
use console::{Style, Term, measure_text_width};

/// The columns of a page whose terminal is not known, or that is written to a file or a pipe.
const WITHOUT_TERMINAL: usize = 80;

/// The narrowest page.
const NARROWEST: usize = 40;

/// The columns that a text needs to stand beside what it is about; with fewer it stands below.
const BESIDE: usize = 24;

/// The columns of the longest verdict.
const MARK: usize = 7;

/// Where a line goes on behind its verdict.
const BEHIND_MARK: usize = 2 + MARK + 1;

/// How a page is shown.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// The columns of the terminal.
    width: usize,
    /// Whether it has colours.
    colours: bool,
    /// Whether rows are shown that a person does not look for first.
    pub verbose: bool,
}

/// How something went: a word, and the colour that says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Somebody has to do something about it.
    Bad(&'static str),
    /// It is not known, or not yet.
    Open(&'static str),
    /// Nothing has to be done.
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

/// A line of numbers: what, how much, and in which unit.
pub struct Number {
    /// The name of the row, with its tags.
    pub what: String,
    /// The value.
    pub value: String,
    /// Its unit.
    pub unit: String,
}

/// A line of a list: how it went, what it is about, and what there is to say, a paragraph each.
pub struct Entry {
    verdict: Verdict,
    what: String,
    texts: Vec<String>,
}

impl Entry {
    /// A line of a list.
    pub fn new(verdict: Verdict, what: &str, texts: Vec<String>) -> Self {
        // What there is nothing to say of is a line all the same.
        let texts = if texts.is_empty() { vec![String::new()] } else { texts };
        Self { verdict, what: plain(what), texts }
    }

    /// How it went.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

impl View {
    /// As this terminal is: `NO_COLOR` and a terminal that obeys nothing have no colours.
    pub fn of_terminal(verbose: bool) -> Self {
        let terminal = Term::stdout();
        let width = terminal.size_checked().map_or(WITHOUT_TERMINAL, |(_, columns)| columns.into());
        Self::new(width, terminal.features().colors_supported() && console::colors_enabled(), verbose)
    }

    /// A page of so many columns.
    pub fn new(width: usize, colours: bool, verbose: bool) -> Self {
        Self { width: width.max(NARROWEST), colours, verbose }
    }

    /// The line that a block begins with.
    pub fn heading(self, words: &[&str]) -> String {
        let title = words.iter().map(|word| plain(word)).collect::<Vec<_>>().join(" · ");
        self.lines(&wrap(&title, self.width - 2), 0, 2, &Style::new().bold())
    }

    /// A line below a heading that names a group of lines.
    pub fn group(self, word: &str) -> String {
        self.lines(&[word.to_owned()], 2, 2, &Style::new().bold())
    }

    /// A sentence; what does not fit into its line goes on a little further in.
    pub fn sentence(self, text: &str, indent: usize) -> String {
        self.lines(&wrap(text, self.width - indent - 2), indent, indent + 2, &Style::new())
    }

    /// A remark that is not what a person looks for first.
    pub fn remark(self, text: &str, indent: usize) -> String {
        self.lines(&wrap(text, self.width - indent), indent, indent, &Style::new().dim())
    }

    /// A row by its name: its facts beside it where there is room, and what it means below.
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

    /// Numbers, the values below each other.
    pub fn numbers(self, lines: &[Number]) -> String {
        let widest = |of: fn(&Number) -> &String| lines.iter().map(|line| measure_text_width(of(line))).max();
        let value = widest(|line| &line.value).unwrap_or(0);
        let unit = widest(|line| &line.unit).unwrap_or(0);
        let room = self.width.saturating_sub(value + unit + 5);
        let what = room.min(widest(|line| &line.what).unwrap_or(0)).max(8);
        lines.iter().map(|line| self.number(line, what, value)).collect()
    }

    fn number(self, line: &Number, what: usize, value: usize) -> String {
        let names = wrap(&line.what, what);
        let (first, rest) = names.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let gap = " ".repeat(what.saturating_sub(measure_text_width(first)));
        let unit = self.styled(&Style::new().dim(), &line.unit);
        format!("  {first}{gap}  {:>value$} {unit}\n", line.value) + &self.lines(rest, 4, 4, &Style::new())
    }

    /// A list, the texts below each other where the terminal is wide enough.
    pub fn entries(self, entries: &[Entry]) -> String {
        let widest = entries.iter().map(|entry| measure_text_width(&entry.what)).max().unwrap_or(0);
        let column = BEHIND_MARK + widest + 2;
        let is_beside = column + BESIDE <= self.width;
        let lines = entries.iter().map(|entry| {
            let mark = self.mark(entry.verdict);
            if is_beside {
                self.hung(&[mark.as_str(), &entry.what].concat(), column, &entry.texts)
            } else {
                let what = std::slice::from_ref(&entry.what);
                self.hung(&mark, BEHIND_MARK, what) + &self.hung("", BEHIND_MARK + 2, &entry.texts)
            }
        });
        lines.collect()
    }

    /// The last line: what the page comes to, in the colour of the worst verdict.
    pub fn conclusion(self, text: &str, worst: Verdict) -> String {
        self.lines(&wrap(text, self.width - 2), 0, 2, &worst.style())
    }

    /// A verdict in its colour, as wide as the longest.
    fn mark(self, verdict: Verdict) -> String {
        format!("  {} ", self.styled(&verdict.style(), &format!("{:<MARK$}", verdict.word())))
    }

    /// Texts that begin in this column, the first of them behind the head.
    fn hung(self, head: &str, column: usize, texts: &[String]) -> String {
        let lines = texts.iter().flat_map(|text| wrap(text, self.width - column)).enumerate();
        let lines = lines.map(|(number, line)| {
            let head = if number == 0 { head } else { "" };
            let gap = " ".repeat(column.saturating_sub(measure_text_width(head)));
            [head, &gap, &line].concat().trim_end().to_owned() + "\n"
        });
        lines.collect()
    }

    /// Lines of one style, the first one indented so far and the others so far.
    fn lines(self, lines: &[String], first: usize, others: usize, style: &Style) -> String {
        let indents = std::iter::once(first).chain(std::iter::repeat(others));
        let lines = lines.iter().zip(indents);
        lines.map(|(line, indent)| [&" ".repeat(indent), &self.styled(style, line), "\n"].concat()).collect()
    }

    fn styled(self, style: &Style, text: &str) -> String {
        style.clone().force_styling(self.colours).apply_to(text).to_string()
    }
}

/// How many of all have to be looked at, such as `2 of 9 need attention`; where none have, how many are well.
pub fn attention(bad: usize, good: usize, all: usize) -> String {
    match bad {
        0 => format!("{good} of {all} ok"),
        1 => format!("1 of {all} needs attention"),
        _ => format!("{bad} of {all} need attention"),
    }
}

/// The text on one line, without what a terminal would obey.
fn plain(text: &str) -> String {
    harmless(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text in lines of at most so many columns, without what a terminal would obey. A longer word is cut into pieces:
/// nothing is left out.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let text = harmless(text).replace(['\n', '\t'], " ");
    let mut lines = vec![String::new()];
    let words = text.split(' ').flat_map(|word| pieces(word, width)).enumerate();
    for (number, word) in words {
        let line = lines.last_mut();
        match line {
            Some(line) if number == 0 => line.push_str(word),
            // Columns within a text stay where they are: a line keeps the spaces between its words.
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

/// The pieces of a word that has too many columns, cut where names are made of several words.
fn pieces(word: &str, width: usize) -> Vec<&str> {
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
        let seam = rest[..end].rfind(['.', '_', '/', '-', '=', ',']).map(|at| at + 1).filter(|at| at * 2 > end);
        let (piece, others) = rest.split_at(seam.unwrap_or(end));
        pieces.push(piece);
        rest = others;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_wrapped_between_words_and_a_word_that_is_too_long_is_cut_and_not_left_out() {
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
    fn what_a_terminal_would_obey_reaches_no_page() {
        let view = View::new(60, false, false);
        let wild = "a\u{1b}[2Jb\nc";
        let number = Number { what: wild.to_owned(), value: "1".to_owned(), unit: "item".to_owned() };
        let entry = Entry::new(Verdict::Good("ok"), wild, vec![wild.to_owned()]);
        let text = [
            view.heading(&[wild]),
            view.numbers(&[number]),
            view.entries(&[entry]),
            view.sentence(wild, 2),
            view.remark(wild, 2),
            view.definition("name", "facts", wild),
            view.conclusion(wild, Verdict::Good("ok")),
        ];
        for part in text {
            assert!(
                part.contains("a\u{fffd}[2Jb c") && !part.contains('\u{1b}') && part.lines().count() < 3,
                "{part:?}"
            );
        }
    }

    #[test]
    fn no_line_is_wider_than_the_page_whatever_stands_in_it() {
        let long = "acme/a-repository-with-a-name-that-goes-on-and-on-and-on-and-on: GraphQL and more words behind it";
        for width in [40, 60, 80, 200] {
            let view = View::new(width, false, true);
            let number =
                Number { what: long.to_owned(), value: "123 × 1234.567".into(), unit: "operation/day".into() };
            let entry = Entry::new(Verdict::Bad("unknown"), long, vec![long.repeat(3)]);
            let text = [
                view.heading(&[long, long]),
                view.numbers(&[number]),
                view.entries(&[entry]),
                view.sentence(long, 2),
                view.remark(long, 4),
                view.definition(long, long, long),
                view.conclusion(&long.repeat(2), Verdict::Bad("failed")),
            ]
            .concat();
            assert!(text.lines().all(|line| measure_text_width(line) <= width), "{width}\n{text}");
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            let put_in = 14 * letters(long) + letters("123 1234.567 operation/day unknown");
            assert_eq!(letters(&text), put_in, "{text}");
        }
    }

    #[test]
    fn attention_is_told_in_a_sentence() {
        let expected = ["7 of 9 ok", "1 of 9 needs attention", "2 of 9 need attention"];
        assert_eq!([0, 1, 2].map(|bad| attention(bad, 7, 9)), expected);
    }
}
