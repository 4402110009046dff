//! The embedded store: an `SQLite` database that any `SQLite` tool opens.

use super::normal::LONGEST;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How far ahead of the clock a point may be.
const AHEAD: SignedDuration = SignedDuration::from_mins(10);

/// How old a point may be.
const OLDEST: SignedDuration = SignedDuration::from_hours(1);

/// How old a point of a metric may be whose historical ingestion is on: what is kept, fifteen months.
const RETENTION: SignedDuration = SignedDuration::from_hours(15 * 30 * 24);

/// The store; clones share it.
#[derive(Debug, Clone)]
pub struct Store(Arc<Mutex<Inner>>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) connection: Connection,
    metrics: HashMap<String, Known>,
    series: HashMap<(String, String), i64>,
}

/// What need not be looked up for every series.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    typed: bool,
    distribution: bool,
    historical: bool,
}

/// Points of one series as they were submitted, its name and tags in their stored form.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) metric: String,
    pub(super) tags: Vec<String>,
    /// `gauge`, `count`, `rate` or `distribution`.
    pub(super) kind: Option<&'static str>,
    pub(super) interval: Option<i64>,
    pub(super) unit: Option<String>,
    /// Times in seconds; a point may lack either part, and a point of a distribution has many values.
    pub(super) points: Vec<(Option<i64>, Vec<f64>)>,
}

/// A point that was accepted and not stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropped {
    /// Its metric, in the form that would have been stored.
    pub metric: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Its time in Unix seconds, where it had one.
    pub ts: Option<i64>,
    /// Its value, where it had one.
    pub value: Option<f64>,
    /// `too_old`, `too_new`, `name` or `incomplete`.
    pub reason: String,
}

/// A submission as it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intaken {
    /// Such as `/api/v2/series`.
    pub path: String,
    /// `identity`, `deflate`, `gzip` or `zstd`.
    pub encoding: String,
    /// Bytes as sent.
    pub bytes: usize,
    /// Bytes as JSON, 0 if it could not be unpacked.
    pub unpacked: usize,
    /// How many series it held, 0 if it was refused.
    pub series: usize,
    /// The status it was answered with.
    pub status: u16,
}

impl Store {
    /// Opens a database, which is made if there is none; without a file it lives in memory.
    ///
    /// # Errors
    /// When it cannot be opened or is something else.
    pub fn open(file: Option<&Path>) -> Result<Self> {
        let connection = match file {
            Some(file) => Connection::open(file)?,
            None => Connection::open_in_memory()?,
        };
        // A pretend Datadog need not survive a power cut; others may read while it writes.
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "off")?;
        connection.execute_batch(include_str!("schema.sql"))?;
        connection.set_prepared_statement_cache_capacity(64);
        let inner = Inner { connection, metrics: HashMap::new(), series: HashMap::new() };
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a payload whole, or nothing of it. Points that Datadog would drop are written down as dropped.
    pub(super) fn write(&self, now: Timestamp, submissions: &[Submission]) -> Result<()> {
        let inner = &mut *self.lock();
        let transaction = inner.connection.transaction()?;
        let mut writer =
            Writer { transaction: &transaction, metrics: &mut inner.metrics, series: &mut inner.series, now };
        let written = submissions.iter().try_for_each(|submission| writer.write(submission));
        let written = written.and_then(|()| transaction.commit());
        if written.is_err() {
            // They may name rows that are gone again.
            inner.metrics.clear();
            inner.series.clear();
        }
        written
    }

    pub(super) fn note_request(&self, now: Timestamp, intaken: &Intaken) -> Result<()> {
        let sql =
            "insert into requests (at, path, encoding, bytes, unpacked, series, status) values (?, ?, ?, ?, ?, ?, ?)";
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(sql)?;
        let Intaken { path, encoding, bytes, unpacked, series, status } = intaken;
        let number = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let row = params![now.to_string(), path, encoding, number(*bytes), number(*unpacked), number(*series), status];
        statement.execute(row).map(drop)
    }

    /// Turns historical ingestion of a metric on or off.
    pub(super) fn set_historical(&self, metric: &str, since: Option<Timestamp>) -> Result<()> {
        let inner = &mut *self.lock();
        let sql = "update metrics set historical_since = ? where name = ?";
        inner.connection.execute(sql, params![since.map(|since| since.to_string()), metric])?;
        inner.metrics.remove(metric);
        Ok(())
    }

    /// Since when a metric takes points that are older than an hour, if it does.
    pub(super) fn historical_since(&self, metric: &str) -> Result<Option<String>> {
        let sql = "select historical_since from metrics where name = ?";
        let found = self.lock().connection.query_row(sql, [metric], |row| row.get(0)).optional()?;
        Ok(found.flatten())
    }
}

struct Writer<'a> {
    transaction: &'a Transaction<'a>,
    metrics: &'a mut HashMap<String, Known>,
    series: &'a mut HashMap<(String, String), i64>,
    now: Timestamp,
}

impl Writer<'_> {
    fn write(&mut self, submission: &Submission) -> Result<()> {
        let tags = submission.tags.join(",");
        if submission.metric.is_empty() || submission.metric.len() > LONGEST {
            for (ts, values) in &submission.points {
                self.note_dropped(submission, &tags, *ts, values, "name")?;
            }
            return Ok(());
        }
        let historical = self.metrics.get(&submission.metric).is_some_and(|known| known.historical)
            || (!self.metrics.contains_key(&submission.metric) && self.load(&submission.metric)?.historical);
        let distribution = submission.kind == Some("distribution");
        let second = |time: Timestamp| time.as_second();
        let newest = second(self.now.checked_add(AHEAD).unwrap_or(Timestamp::MAX));
        let limit = if historical && !distribution { RETENTION } else { OLDEST };
        let oldest = second(self.now.checked_sub(limit).unwrap_or(Timestamp::MIN));
        let mut series = None;
        for (ts, values) in &submission.points {
            let reason = match ts {
                None => Some("incomplete"),
                Some(_) if values.is_empty() && !distribution => Some("incomplete"),
                Some(ts) if *ts > newest => Some("too_new"),
                Some(ts) if *ts < oldest => Some("too_old"),
                Some(_) => None,
            };
            if let (None, Some(ts)) = (reason, ts) {
                let id = match series {
                    Some(id) => id,
                    None => *series.insert(self.series(submission, &tags)?),
                };
                self.store(id, *ts, values, distribution)?;
            } else {
                self.note_dropped(submission, &tags, *ts, values, reason.unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn store(&self, series: i64, ts: i64, values: &[f64], distribution: bool) -> Result<()> {
        // Of several values of one second the last stays, except that a distribution keeps them all.
        let sql = if distribution {
            "insert into distribution_values (series, ts, value) values (?, ?, ?)"
        } else {
            "insert into points (series, ts, value) values (?, ?, ?) on conflict do update set value = excluded.value"
        };
        let mut statement = self.transaction.prepare_cached(sql)?;
        values.iter().try_for_each(|value| statement.execute(params![series, ts, value]).map(drop))
    }

    fn note_dropped(
        &self,
        submission: &Submission,
        tags: &str,
        ts: Option<i64>,
        values: &[f64],
        reason: &str,
    ) -> Result<()> {
        let sql = "insert into dropped (at, metric, tags, ts, value, reason) values (?, ?, ?, ?, ?, ?)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let mut note = |value: Option<f64>| {
            statement.execute(params![self.now.to_string(), submission.metric, tags, ts, value, reason]).map(drop)
        };
        if values.is_empty() { note(None) } else { values.iter().try_for_each(|value| note(Some(*value))) }
    }

    /// The id of a series, after its metric knows what this submission says about it.
    fn series(&mut self, submission: &Submission, tags: &str) -> Result<i64> {
        self.metric(submission)?;
        let key = (submission.metric.clone(), tags.to_owned());
        if let Some(id) = self.series.get(&key) {
            return Ok(*id);
        }
        let insert = "insert into series (metric, tags) values (?, ?) on conflict do nothing";
        self.transaction.prepare_cached(insert)?.execute(params![key.0, key.1])?;
        let select = "select id from series where metric = ? and tags = ?";
        let id = self.transaction.prepare_cached(select)?.query_row(params![key.0, key.1], |row| row.get(0))?;
        self.series.insert(key, id);
        Ok(id)
    }

    fn metric(&mut self, submission: &Submission) -> Result<()> {
        let Submission { metric, kind, interval, unit, .. } = submission;
        let distribution = *kind == Some("distribution");
        let known = self.metrics.get(metric).copied();
        if known.is_some_and(|known| (known.typed || kind.is_none()) && (known.distribution || !distribution)) {
            return Ok(());
        }
        let sql = "insert into metrics (name, type, interval, unit, distribution, created_at) values (?, ?, ?, ?, ?, ?)
                   on conflict do update set type = coalesce(type, excluded.type),
                   interval = coalesce(interval, excluded.interval), unit = coalesce(unit, excluded.unit),
                   distribution = max(distribution, excluded.distribution)";
        let row = params![metric, kind, interval, unit, distribution, self.now.to_string()];
        self.transaction.prepare_cached(sql)?.execute(row)?;
        self.load(metric).map(drop)
    }

    /// Reads what the database knows of a metric; it is remembered if there is one.
    fn load(&mut self, metric: &str) -> Result<Known> {
        let sql = "select type is not null, distribution, historical_since is not null from metrics where name = ?";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Known { typed: row.get(0)?, distribution: row.get(1)?, historical: row.get(2)? })
        };
        let known = self.transaction.prepare_cached(sql)?.query_row([metric], read).optional()?;
        if let Some(known) = known {
            self.metrics.insert(metric.to_owned(), known);
        }
        Ok(known.unwrap_or_default())
    }
}
