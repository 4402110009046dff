//! Who works here: people with their addresses, bots, and an account of a machine that looks like a person.

use super::dice::Dice;
use super::texts::word;
use crate::model::{Person, PersonId};
use std::ops::Range;

/// Login of a machine that upstream takes for a person: only `GITHUB_BOTS` can tell.
pub const SERVICE_ACCOUNT: &str = "acme-robot";

/// Everybody, and which of them are what.
#[derive(Debug)]
pub(super) struct Crowd {
    pub(super) people: Vec<Person>,
    humans: usize,
}

impl Crowd {
    pub(super) fn new(dice: &mut Dice, humans: usize) -> Self {
        let mut people: Vec<Person> = (0..humans).map(|number| human(dice, number)).collect();
        people.push(Person {
            login: SERVICE_ACCOUNT.to_owned(),
            name: "Acme Robot".to_owned(),
            emails: vec!["robot@acme.example.org".to_owned()],
            bot: false,
            linked: true,
        });
        people.extend(["dependabot", "renovate", "reviewer"].into_iter().zip(41_001..).map(|(word, id)| Person {
            login: format!("{word}[bot]"),
            name: format!("{word}[bot]"),
            emails: vec![format!("{id}+{word}[bot]@users.noreply.github.com")],
            bot: true,
            linked: true,
        }));
        Self { people, humans }
    }

    fn machines(&self) -> Range<usize> {
        self.humans..self.people.len()
    }

    pub(super) fn human(&self, dice: &mut Dice) -> PersonId {
        dice.count(0, self.humans - 1)
    }

    fn machine(&self, dice: &mut Dice) -> PersonId {
        dice.count(self.machines().start, self.machines().end - 1)
    }

    /// Somebody who writes code: seldom a machine.
    pub(super) fn writer(&self, dice: &mut Dice) -> PersonId {
        if dice.chance(0.1) { self.machine(dice) } else { self.human(dice) }
    }

    /// An author of a pull request or of nothing any more.
    pub(super) fn author(&self, dice: &mut Dice) -> Option<PersonId> {
        (!dice.chance(0.03)).then(|| self.writer(dice))
    }

    /// Somebody who answers: somebody else, the author, a machine, or an account that is gone.
    pub(super) fn voice(&self, dice: &mut Dice, author: Option<PersonId>) -> Option<PersonId> {
        match dice.between(0, 99) {
            // Two deleted accounts cannot be told apart, so none answers another here.
            0..=2 if author.is_some() => None,
            3..=24 => Some(self.machine(dice)),
            25..=44 if author.is_some() => author,
            _ => Some(self.human(dice)),
        }
    }

    /// One of the addresses of a person; one that leads to no account comes in several spellings.
    pub(super) fn email(&self, dice: &mut Dice, person: PersonId) -> String {
        let person = &self.people[person];
        let address = dice.pick(&person.emails).clone();
        if !person.linked && dice.chance(0.4) { address.to_uppercase() } else { address }
    }
}

fn human(dice: &mut Dice, number: usize) -> Person {
    let (first, last) = (word(dice), word(dice));
    let mut emails = vec![format!("{first}.{last}{number}@acme.example.org")];
    if dice.chance(0.5) {
        emails.push(format!("{first}{number}@home.example.org"));
    }
    let name = format!("{} {}", capital(&first), capital(&last));
    Person { login: format!("{first}{number}"), name, emails, bot: false, linked: dice.chance(0.8) }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
