//! What the store holds, for tests and for whoever draws it.

use super::store::{Dropped, Intaken, Store};
use rusqlite::{OptionalExtension, Result, Row, params};

/// A series with all its points, or all observations of a distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric's name.
    pub metric: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Unix seconds and values, ascending by time.
    pub points: Vec<(i64, f64)>,
}

/// What is known of a metric.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The type of its first submission that had one, or what was put since.
    pub kind: Option<String>,
    /// Seconds between its points, where it was said.
    pub interval: Option<i64>,
    /// Its unit.
    pub unit: Option<String>,
    /// What the unit is counted by.
    pub per_unit: Option<String>,
    /// What it means.
    pub description: Option<String>,
    /// A shorter name.
    pub short_name: Option<String>,
    /// How often a `StatsD` client would send it.
    pub statsd_interval: Option<i64>,
    /// Whether it ever had observations, which then stand before its points.
    pub distribution: bool,
}

/// An event of the event stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: i64,
    /// When it happened, in Unix seconds.
    pub happened: i64,
    /// Its title.
    pub title: String,
    /// Its text.
    pub text: String,
    /// Its tags, sorted.
    pub tags: Vec<String>,
    /// Such as `info`.
    pub alert_type: String,
    /// `normal` or `low`.
    pub priority: String,
    /// Groups events.
    pub aggregation_key: Option<String>,
    /// What sent it.
    pub source: Option<String>,
    /// The host it is about.
    pub host: Option<String>,
}

/// Points and observations alike.
const ALL: &str = "select s.metric, s.tags, p.ts, p.value, 0 as observed, 0 as number
     from points p join series s on s.id = p.series
     union all select s.metric, s.tags, v.ts, v.value, 1, v.rowid
     from distribution_values v join series s on s.id = v.series";

impl Store {
    /// Every series whose name fits, in which `*` stands for anything and `?` for one character; in order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn series(&self, metric: &str) -> Result<Vec<Series>> {
        let sql = format!("select * from ({ALL}) where metric glob ? order by metric, tags, ts, observed, number");
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([metric])?;
        let mut all: Vec<Series> = Vec::new();
        let mut tags = String::new();
        while let Some(row) = rows.next()? {
            let (metric, own, point) =
                (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?, (row.get(2)?, row.get(3)?));
            match all.last_mut() {
                Some(last) if last.metric == metric && tags == own => last.points.push(point),
                _ => {
                    own.clone_into(&mut tags);
                    all.push(Series { metric: metric.to_owned(), tags: split(own), points: vec![point] });
                }
            }
        }
        Ok(all)
    }

    /// The newest point of a metric among the series that carry all of these tags.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn latest(&self, metric: &str, tags: &[&str]) -> Result<Option<(i64, f64)>> {
        let all = self.series(metric)?;
        let fitting = all.iter().filter(|series| tags.iter().all(|tag| series.tags.iter().any(|own| own == tag)));
        Ok(fitting.filter_map(|series| series.points.last().copied()).max_by_key(|(ts, _)| *ts))
    }

    /// How many points the metrics have whose name fits, observations included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn count(&self, metric: &str) -> Result<usize> {
        let sql = format!("select count(*) from ({ALL}) where metric glob ?");
        let inner = self.lock();
        let count: i64 = inner.connection.prepare_cached(&sql)?.query_row([metric], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or_default())
    }

    /// Every point as a line `name{tags} time value`, sorted: equal stores have equal lines. Observations, which
    /// repeat when they are sent twice, only on demand.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all_points(&self, distributions: bool) -> Result<Vec<String>> {
        let sql = format!("select metric, tags, ts, value from ({ALL}) where observed <= ?");
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(&sql)?;
        let line = |row: &Row<'_>| {
            let (metric, tags): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("{metric}{{{tags}}} {} {}", row.get::<_, i64>(2)?, row.get::<_, f64>(3)?))
        };
        let mut lines = statement.query_map([distributions], line)?.collect::<Result<Vec<String>>>()?;
        lines.sort_unstable();
        Ok(lines)
    }

    /// What was accepted and not stored, in the order it came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn dropped(&self) -> Result<Vec<Dropped>> {
        self.rows("select metric, tags, ts, value, reason from dropped order by rowid", |row| {
            let (metric, ts, value, reason) = (row.get(0)?, row.get(2)?, row.get(3)?, row.get(4)?);
            Ok(Dropped { metric, tags: split(row.get_ref(1)?.as_str()?), ts, value, reason })
        })
    }

    /// Every submission, refused ones included, in the order they came.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn requests(&self) -> Result<Vec<Intaken>> {
        self.rows("select path, encoding, bytes, unpacked, series, status from requests order by rowid", |row| {
            let number =
                |index| Ok::<_, rusqlite::Error>(usize::try_from(row.get::<_, i64>(index)?).unwrap_or_default());
            Ok(Intaken {
                path: row.get(0)?,
                encoding: row.get(1)?,
                bytes: number(2)?,
                unpacked: number(3)?,
                series: number(4)?,
                status: row.get(5)?,
            })
        })
    }

    /// The event stream by id.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn events(&self) -> Result<Vec<Event>> {
        self.rows("select * from events order by id", |row| {
            Ok(Event {
                id: row.get("id")?,
                happened: row.get("happened")?,
                title: row.get("title")?,
                text: row.get("text")?,
                tags: split(row.get_ref("tags")?.as_str()?),
                alert_type: row.get("alert_type")?,
                priority: row.get("priority")?,
                aggregation_key: row.get("aggregation_key")?,
                source: row.get("source")?,
                host: row.get("host")?,
            })
        })
    }

    /// What is known of a metric, if it exists.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn metadata(&self, metric: &str) -> Result<Option<Metadata>> {
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached("select * from metrics where name = ?")?;
        let read = |row: &Row<'_>| {
            Ok(Metadata {
                kind: row.get("type")?,
                interval: row.get("interval")?,
                unit: row.get("unit")?,
                per_unit: row.get("per_unit")?,
                description: row.get("description")?,
                short_name: row.get("short_name")?,
                statsd_interval: row.get("statsd_interval")?,
                distribution: row.get("distribution")?,
            })
        };
        statement.query_row([metric], read).optional()
    }

    /// The points of a metric in a window, its end excluded: observations if it ever had any.
    pub(super) fn window(&self, metric: &str, observed: bool, from: i64, to: i64) -> Result<Vec<Series>> {
        let table = if observed { "distribution_values" } else { "points" };
        let sql = format!(
            "select s.tags, p.ts, p.value from series s join {table} p on p.series = s.id
             where s.metric = ? and p.ts >= ? and p.ts < ? order by s.id, p.ts"
        );
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![metric, from, to])?;
        let mut all: Vec<Series> = Vec::new();
        let mut tags = String::new();
        while let Some(row) = rows.next()? {
            let (own, point) = (row.get_ref(0)?.as_str()?, (row.get(1)?, row.get(2)?));
            match all.last_mut() {
                Some(last) if tags == own => last.points.push(point),
                _ => {
                    own.clone_into(&mut tags);
                    all.push(Series { metric: metric.to_owned(), tags: split(own), points: vec![point] });
                }
            }
        }
        Ok(all)
    }

    /// The series that have a point since then: name and tags, in order of names.
    pub(super) fn since(&self, from: i64) -> Result<Vec<(String, Vec<String>)>> {
        let sql = "select metric, tags from series s
                   where exists (select 1 from points p where p.series = s.id and p.ts >= ?1)
                   or exists (select 1 from distribution_values v where v.series = s.id and v.ts >= ?1)
                   order by metric, tags";
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(sql)?;
        statement.query_map([from], |row| Ok((row.get(0)?, split(row.get_ref(1)?.as_str()?))))?.collect()
    }

    fn rows<T>(&self, sql: &str, read: impl FnMut(&Row<'_>) -> Result<T>) -> Result<Vec<T>> {
        let inner = self.lock();
        let mut statement = inner.connection.prepare_cached(sql)?;
        statement.query_map([], read)?.collect()
    }
}

fn split(tags: &str) -> Vec<String> {
    tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect()
}
