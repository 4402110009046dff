//! Who is let in, and how much is borne: tokens, projects out of sight, and quotas by the minute.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Requests a minute in a free domain, and in one that pays.
const FREE: usize = 150;
const PAID: usize = 1500;
/// Searches a minute.
const SEARCHES: usize = 60;
/// Reads that are answered at one time.
const AT_ONCE: usize = 50;
const MINUTE: Duration = Duration::from_mins(1);

/// The door of Asana; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Asana(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    tokens: BTreeSet<String>,
    premium: bool,
    quota: Option<usize>,
    minute: Option<Duration>,
    hidden: BTreeSet<String>,
    asked: HashMap<(String, bool), VecDeque<Instant>>,
    reading: HashMap<String, usize>,
    generation: u64,
}

/// One of the reads that are being answered.
#[derive(Debug)]
pub(super) struct Reading(Asana, String);

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(reading) = self.0.lock().reading.get_mut(&self.1) {
            *reading = reading.saturating_sub(1);
        }
    }
}

impl Asana {
    /// A free domain that lets this token in.
    #[must_use]
    pub fn with_token(token: &str) -> Self {
        let door = Self::default();
        door.allow(token);
        door
    }

    /// Lets a token in.
    pub fn allow(&self, token: &str) {
        self.lock().tokens.insert(token.to_owned());
    }

    /// Lets a token in no more.
    pub fn revoke(&self, token: &str) {
        self.lock().tokens.remove(token);
    }

    /// Whether the domain pays: then tasks can be searched, and ten times as much may be asked.
    pub fn premium(&self, pays: bool) {
        self.lock().premium = pays;
    }

    /// How much may be asked in any minute, whatever is paid. What was asked so far is forgotten.
    pub fn set_quota(&self, per_minute: usize) {
        let mut inner = self.lock();
        inner.quota = Some(per_minute);
        inner.asked.clear();
    }

    /// How long a minute is, for those who cannot wait for one.
    pub fn set_minute(&self, minute: Duration) {
        self.lock().minute = Some(minute);
    }

    /// Every offset that was handed out is void from now on.
    pub fn expire_offsets(&self) {
        self.lock().generation += 1;
    }

    /// Takes a project out of the token's sight: it is in no list, and asking for it is forbidden.
    pub fn hide(&self, project: &str) {
        self.lock().hidden.insert(project.to_owned());
    }

    /// Shows a hidden project again.
    pub fn show(&self, project: &str) {
        self.lock().hidden.remove(project);
    }

    pub(super) fn knows(&self, token: &str) -> bool {
        self.lock().tokens.contains(token)
    }

    pub(super) fn pays(&self) -> bool {
        self.lock().premium
    }

    pub(super) fn hides(&self, project: &str) -> bool {
        self.lock().hidden.contains(project)
    }

    pub(super) fn generation(&self) -> u64 {
        self.lock().generation
    }

    /// Counts a request, be it refused or not, and says how many seconds to wait if there are too many of its kind.
    pub(super) fn spend(&self, token: &str, is_search: bool) -> Result<(), u64> {
        self.spend_at(token, is_search, Instant::now())
    }

    fn spend_at(&self, token: &str, is_search: bool, now: Instant) -> Result<(), u64> {
        let mut inner = self.lock();
        let usual = if inner.premium { PAID } else { FREE };
        let quota = inner.quota.unwrap_or(usual);
        let spent = inner.spend((token.to_owned(), false), quota, now);
        if is_search { spent.and(inner.spend((token.to_owned(), true), SEARCHES, now)) } else { spent }
    }

    /// Begins a read, unless too many of them are being answered.
    pub(super) fn begin(&self, token: &str) -> Option<Reading> {
        let mut inner = self.lock();
        let reading = inner.reading.entry(token.to_owned()).or_default();
        if *reading >= AT_ONCE {
            return None;
        }
        *reading += 1;
        drop(inner);
        Some(Reading(self.clone(), token.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The minute is one of the wall, whatever the sandbox's clock shows: it is there to slow a client down.
    fn spend(&mut self, who: (String, bool), quota: usize, now: Instant) -> Result<(), u64> {
        let minute = self.minute.unwrap_or(MINUTE);
        let asked = self.asked.entry(who).or_default();
        while asked.front().is_some_and(|then| now.duration_since(*then) >= minute) {
            asked.pop_front();
        }
        asked.push_back(now);
        if asked.len() <= quota {
            return Ok(());
        }
        // There is room again when as many as are too much have left the minute.
        let leaves = asked.get(asked.len() - 1 - quota.min(asked.len() - 1)).copied().unwrap_or(now);
        let wait = minute.saturating_sub(now.duration_since(leaves));
        Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_bears_its_quota_and_what_is_refused_counts_too() {
        let door = Asana::with_token("a");
        door.set_quota(2);
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(door.spend_at("a", false, at(0)), Ok(()));
        assert_eq!(door.spend_at("a", false, at(20)), Ok(()));
        assert_eq!(door.spend_at("a", false, at(20)), Err(40));
        // The refused one still stands in this minute.
        assert_eq!(door.spend_at("a", false, at(60)), Err(20));
        assert_eq!(door.spend_at("b", false, at(60)), Ok(()));
        assert_eq!(door.spend_at("a", false, at(120)), Ok(()));
    }

    #[test]
    fn fifty_reads_are_answered_at_one_time_and_sixty_searches_in_a_minute() {
        let door = Asana::with_token("a");
        door.premium(true);
        let mut readings: Vec<Reading> = (0..50).map(|_| door.begin("a").unwrap()).collect();
        assert!(door.begin("a").is_none());
        assert!(door.begin("b").is_some());
        readings.pop();
        assert!(door.begin("a").is_some());
        let now = Instant::now();
        assert!((0..60).all(|_| door.spend_at("a", true, now).is_ok()));
        assert_eq!(door.spend_at("a", true, now), Err(60));
        assert_eq!(door.spend_at("a", false, now), Ok(()));
    }
}
