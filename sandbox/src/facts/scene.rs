//! A repository at an instant, and the few sums that everybody needs.

use super::{Settings, Values};
use crate::model::github::{Pull, Repository};
use crate::model::{Person, PersonId};
use jiff::{SignedDuration, Timestamp};

/// A repository as it stands at `now`.
pub(super) struct Scene<'a> {
    pub repository: &'a Repository,
    pub people: &'a [Person],
    pub now: Timestamp,
    pub settings: &'a Settings,
}

impl<'a> Scene<'a> {
    pub fn new(repository: &'a Repository, people: &'a [Person], now: Timestamp, settings: &'a Settings) -> Self {
        Self { repository, people, now, settings }
    }

    /// `owner/name`, as a tag.
    pub fn repo(&self) -> String {
        plain(&format!("{}/{}", self.repository.owner, self.repository.name))
    }

    /// Whether a time lies in the window of so many days that ends now, its start included and its end not.
    pub fn within(&self, days: i64, time: Timestamp) -> bool {
        self.now - SignedDuration::from_hours(24 * days) <= time && time < self.now
    }

    pub fn is_bot(&self, person: PersonId) -> bool {
        let person = &self.people[person];
        person.bot || self.settings.bots.iter().any(|bot| bot.eq_ignore_ascii_case(&person.login))
    }

    /// Neither a bot nor the author. Somebody who is gone was nobody's bot, and is the author only of what has none.
    pub fn is_human_other(&self, voice: Option<PersonId>, author: Option<PersonId>) -> bool {
        voice != author && voice.is_none_or(|person| !self.is_bot(person))
    }

    pub fn is_open(&self, pull: &Pull) -> bool {
        pull.created_at <= self.now && pull.closed_at.is_none_or(|closed| self.now < closed)
    }

    pub fn has_label(&self, pull: &Pull, labels: &[String]) -> bool {
        pull.labels
            .iter()
            .any(|(label, added)| *added <= self.now && labels.iter().any(|wanted| wanted.eq_ignore_ascii_case(label)))
    }

    /// Writes a value down, if there is one.
    pub fn put(&self, values: &mut Values, name: &str, more: &[(&str, &str)], value: Option<f64>) {
        if let Some(value) = value {
            let repo = self.repo();
            let mut tags = vec![("repo", repo.as_str())];
            tags.extend(more);
            values.insert(series(name, &tags), value);
        }
    }
}

/// `name{tag:value,…}` with the tags by name.
pub(super) fn series(name: &str, tags: &[(&str, &str)]) -> String {
    let mut tags: Vec<String> = tags.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
    tags.sort();
    format!("{name}{{{}}}", tags.join(","))
}

/// A text as a tag shows it.
pub(super) fn plain(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':') { c } else { '_' })
        .collect()
}

pub(super) fn hours(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() / 3600.0
}

#[expect(clippy::cast_precision_loss, reason = "a number of things")]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

pub(super) fn mean(values: &[f64]) -> Option<f64> {
    if values.is_empty() { None } else { Some(values.iter().sum::<f64>() / count(values.len())) }
}

/// The inclusive percentile: the sorted values stand at equal distances from 0 to 1, and it lies between two of them.
pub(super) fn percentile(values: &[f64], at: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.as_slice() {
        [] => None,
        [only] => Some(*only),
        many => {
            let place = at * count(many.len() - 1);
            let (mut low, mut left) = (0, place);
            while left >= 1.0 {
                low += 1;
                left -= 1.0;
            }
            Some(if low + 1 < many.len() { many[low] * (1.0 - left) + many[low + 1] * left } else { many[low] })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_inclusive_method() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[3.0, 1.0], 0.5), Some(2.0));
        assert_eq!(percentile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.75), Some(4.0));
        assert_eq!(percentile(&[1.0, 2.0], 1.0), Some(2.0));
    }

    #[test]
    fn a_series_has_its_tags_by_name_and_in_their_plain_form() {
        assert_eq!(
            series("a.b", &[("workflow", "Build & Test"), ("repo", "Acme/Web")]),
            "a.b{repo:acme/web,workflow:build___test}"
        );
    }
}
