//! The queue of managed jobs: pages of the new route, and the one answer of the old one.

use super::exchange::{Client, NAME, Returned};
use super::records::{FIELDS, Record};
use crate::snapshot::Status;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

const NEW: &str = "/jobs/queue/v2";
const OLD: &str = "/jobs/queue";

/// Jobs on a page.
pub(super) const PAGE: usize = 500;

/// The most pages of one list.
const PAGES: usize = 100;

/// How many pages are asked for side by side.
const AT_ONCE: usize = 8;

/// The most jobs of a page that has to hold them all.
const ALL: usize = 20_000;

/// A part of the queue.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Part {
    pub jobs: Vec<Record>,
    /// Jobs that fit the filters, whatever the page.
    pub total: Option<usize>,
    /// Rows by status, whatever the page and the wanted statuses.
    pub status_counts: Option<BTreeMap<String, u64>>,
}

/// Reads a part of the queue: an object, or the mere list of older servers.
pub(super) fn read(path: &str, text: &str) -> Result<Part> {
    let list = text.trim_start().starts_with('[');
    let part = if list {
        serde_json::from_str(text).map(|jobs| Part { jobs, ..Part::default() })
    } else {
        serde_json::from_str(text)
    };
    part.map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        Error::decode(NAME, format!("the return value of {path} has another shape than documented at {place}"))
    })
}

/// What part of the queue is wanted.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    /// How many rows there are of each status, and the newest job.
    Counts,
    /// Jobs with a task that is not over, with all their tasks.
    Open,
    /// Tasks that are over, the newest jobs first.
    Over,
    /// These jobs.
    Ids(Vec<u64>),
}

impl Wanted {
    fn body(&self, page: usize, limit: usize, fields: &[&str]) -> Value {
        let mut body = json!({
            "refresh": false, "all_users": true, "skip_finished": matches!(self, Self::Open), "page": page,
            "limit": limit, "fields": fields,
        });
        match self {
            // Resources are asked of each cluster.
            Self::Counts => body["fields"] = json!(["job_id"]),
            Self::Open => {}
            // A time of submission is not asked for: the server would leave out jobs that were never submitted.
            Self::Over => body["statuses"] = json!(finals()),
            Self::Ids(ids) => body["job_ids"] = json!(ids),
        }
        body
    }
}

/// The words of tasks that are over.
fn finals() -> Vec<&'static str> {
    Status::ALL.iter().filter(|status| status.is_final()).map(|status| status.word()).collect()
}

impl Client {
    /// One page of the queue; nothing where there is no jobs controller.
    pub(super) async fn page(&self, wanted: &Wanted, page: usize, limit: usize) -> Result<Option<Part>> {
        loop {
            let is_plain = self.is_plain();
            let fields = &FIELDS[..FIELDS.len() - usize::from(is_plain)];
            match self.ask(NEW, &wanted.body(page, limit, fields)).await? {
                Returned::NoController => return Ok(None),
                Returned::Done(text) => return read(NEW, &text).map(Some).inspect_err(|_| self.unreadable()),
                Returned::UnknownField if is_plain => return Err(self.unsound("knows none of the fields")),
                Returned::UnknownField => self.mark_plain(true),
            }
        }
    }

    /// All that is wanted, to the last page; nothing where there is no jobs controller.
    pub(super) async fn list(&self, wanted: &Wanted) -> Result<Option<Vec<Record>>> {
        let Some(first) = self.page(wanted, 1, PAGE).await? else { return Ok(None) };
        let total = first.total.unwrap_or(0);
        let last = total.div_ceil(PAGE);
        if last <= 1 || first.jobs.is_empty() {
            return Ok(Some(first.jobs));
        }
        if last > PAGES {
            return Err(self.unsound("has more jobs than can be read"));
        }
        let (mut steady, mut pages) = (true, Pages::new(self, first.jobs));
        let mut parts = stream::iter(2..=last).map(|page| self.page(wanted, page, PAGE)).buffered(AT_ONCE);
        while let Some(part) = parts.try_next().await? {
            let Some(part) = part else { return Err(self.fell_asleep()) };
            steady &= part.total.is_none_or(|now| now == total);
            pages.add(part.jobs)?;
        }
        drop(parts);
        // Open jobs that end between two pages move those behind them up, and some would be missed; one answer is whole.
        if matches!(wanted, Wanted::Open) && !steady {
            let Some(all) = self.page(wanted, 1, ALL).await? else { return Ok(None) };
            if all.total.is_some_and(|total| total > ALL) {
                return Err(self.unsound("has more open jobs than can be read at once"));
            }
            return Ok(Some(all.jobs));
        }
        Ok(Some(pages.records))
    }

    /// Tasks that are over, page by page until the jobs were there before this time already; nothing where there is no
    /// jobs controller.
    pub(super) async fn over(&self, since: Timestamp) -> Result<Option<Vec<Record>>> {
        let mut pages = Pages::new(self, Vec::new());
        for number in 1..=PAGES {
            let Some(part) = self.page(&Wanted::Over, number, PAGE).await? else {
                return if number == 1 { Ok(None) } else { Err(self.fell_asleep()) };
            };
            let is_last = part.jobs.is_empty() || part.total.is_none_or(|total| number * PAGE >= total);
            // Ids ascend with time: what was submitted before, all jobs of the pages behind were there before.
            let oldest = part.jobs.iter().rev().find_map(Record::known_at);
            pages.add(part.jobs)?;
            if is_last || oldest.is_some_and(|oldest| oldest < since) {
                return Ok(Some(pages.records));
            }
        }
        Err(self.unsound("has more jobs than can be read"))
    }

    fn fell_asleep(&self) -> Error {
        self.unsound("has lost its jobs controller between two pages")
    }

    /// Everything there is, as servers without the new route tell it.
    pub(super) async fn everything(&self) -> Result<Option<Vec<Record>>> {
        let body = json!({"refresh": false, "skip_finished": false, "all_users": true});
        match self.ask(OLD, &body).await? {
            Returned::NoController => Ok(None),
            Returned::Done(text) => read(OLD, &text).map(|part| Some(part.jobs)).inspect_err(|_| self.unreadable()),
            Returned::UnknownField => Err(self.unsound("knows none of the fields")),
        }
    }

    /// An answer that is not as documented.
    pub fn unsound(&self, what: &str) -> Error {
        self.unreadable();
        Error::decode(NAME, format!("{NEW} {what}"))
    }
}

/// The rows of several pages.
struct Pages<'a> {
    client: &'a Client,
    records: Vec<Record>,
    keys: BTreeSet<(u64, Option<i64>)>,
}

impl<'a> Pages<'a> {
    fn new(client: &'a Client, first: Vec<Record>) -> Self {
        let keys = first.iter().map(|record| (record.job_id, record.task_id)).collect();
        Self { client, records: first, keys }
    }

    /// Adds a page, which must hold something new.
    fn add(&mut self, page: Vec<Record>) -> Result<()> {
        let before = self.keys.len();
        self.keys.extend(page.iter().map(|record| (record.job_id, record.task_id)));
        if !page.is_empty() && self.keys.len() == before {
            return Err(self.client.unsound("gave the same page twice"));
        }
        self.records.extend(page);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, UNKNOWN_FIELD};
    use super::*;
    use shared::testing::at;

    /// A time in seconds.
    const SINCE: i64 = 1_767_873_600;

    fn rows(ids: impl Iterator<Item = u64>, submitted: i64) -> Vec<Value> {
        ids.map(|id| json!({"job_id": id, "task_id": 0, "status": "SUCCEEDED", "submitted_at": submitted})).collect()
    }

    /// A server with so many jobs, submitted at this time, the newest first.
    async fn of(jobs: u64, submitted: i64) -> Stage {
        Stage::new(move |_, body| {
            let (page, limit) = (body["page"].as_u64()?, body["limit"].as_u64()?);
            let ids =
                (1..=jobs).rev().skip(usize::try_from((page - 1) * limit).ok()?).take(usize::try_from(limit).ok()?);
            Some(json!({"jobs": rows(ids, submitted), "total": jobs, "status_counts": {"SUCCEEDED": jobs}}))
        })
        .await
    }

    #[tokio::test]
    async fn every_page_is_read_and_says_what_is_wanted() {
        let stage = of(1201, SINCE).await;
        let records = stage.client.list(&Wanted::Open).await.unwrap().unwrap();
        assert_eq!(records.len(), 1201);
        let asked = stage.asked(NEW);
        assert_eq!(asked.iter().map(|body| body["page"].as_u64().unwrap()).collect::<BTreeSet<_>>(), [1, 2, 3].into());
        for body in &asked {
            assert_eq!(body["refresh"], json!(false), "a refresh may restart the controller");
            assert_eq!((&body["all_users"], &body["limit"]), (&json!(true), &json!(500)));
            assert_eq!((&body["skip_finished"], body["fields"].as_array().unwrap().len()), (&json!(true), 18));
        }
    }

    #[tokio::test]
    async fn what_is_over_is_read_until_a_page_lies_before_the_time_that_matters() {
        let stage = Stage::new(|_, body| {
            let page = body["page"].as_i64()?;
            // A job of each page was never submitted; those of the fourth are older than what matters.
            let mut rows = rows((0..500).map(|id| u64::try_from(100_000 - 500 * page + id).unwrap()), SINCE - page + 3);
            rows[499]["submitted_at"] = json!(null);
            Some(json!({"jobs": rows, "total": 20_000}))
        })
        .await;
        let records = stage.client.over(at("2026-01-08T12:00:00Z")).await.unwrap().unwrap();
        assert_eq!((records.len(), stage.asked(NEW).len()), (2000, 4));
        for body in stage.asked(NEW) {
            assert_eq!(body["statuses"].as_array().unwrap().len(), 7);
            assert!(body.get("submitted_after").is_none(), "it leaves out what was never submitted");
        }
        let few = of(1000, SINCE).await;
        assert_eq!(few.client.over(at("2026-01-08T12:00:00Z")).await.unwrap().unwrap().len(), 1000);
        assert_eq!(few.asked(NEW).len(), 2, "there is no third page");
    }

    #[tokio::test]
    async fn a_field_that_the_server_does_not_know_is_left_out_from_then_on() {
        let stage = Stage::new(|_, body| {
            let knows = !body["fields"].as_array()?.contains(&json!("is_primary_in_job_group"));
            Some(if knows { json!({"jobs": rows(1..=2, 1), "total": 2}) } else { json!(UNKNOWN_FIELD) })
        })
        .await;
        for _ in 0..2 {
            assert_eq!(stage.client.list(&Wanted::Open).await.unwrap().unwrap().len(), 2);
        }
        let asked: Vec<usize> = stage.asked(NEW).iter().map(|body| body["fields"].as_array().unwrap().len()).collect();
        assert_eq!((asked, stage.client.is_plain()), (vec![18, 17, 17], true));
        let stubborn = Stage::new(|_, _| Some(json!(UNKNOWN_FIELD))).await;
        let error = stubborn.client.list(&Wanted::Open).await.unwrap_err();
        assert_eq!((error.kind(), stubborn.asked(NEW).len()), (Some("decode"), 2));
    }

    #[tokio::test]
    async fn a_page_that_comes_again_and_a_list_without_end_are_errors() {
        let same = Stage::new(|_, _| Some(json!({"jobs": rows(1..=500, 1), "total": 5000}))).await;
        let error = same.client.list(&Wanted::Open).await.unwrap_err();
        assert!(error.to_string().contains("same page twice"), "{error}");
        let endless = Stage::new(|_, body| {
            let page = body["page"].as_u64()?;
            Some(json!({"jobs": rows(page * 2..page * 2 + 2, SINCE), "total": 100_000_000}))
        })
        .await;
        for error in [
            endless.client.list(&Wanted::Open).await.unwrap_err(),
            endless.client.over(at("2026-01-08T12:00:00Z")).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("more jobs than can be read"), "{error}");
        }
    }

    #[tokio::test]
    async fn open_jobs_that_end_between_two_pages_cost_no_other_job() {
        let stage = Stage::new(|number, body| {
            let (page, limit) = (body["page"].as_u64()?, body["limit"].as_u64()?);
            // A job of the first page ends before the second is asked for.
            let jobs: u64 = if number == 0 { 501 } else { 500 };
            let ids =
                (1..=jobs).rev().skip(usize::try_from((page - 1) * limit).ok()?).take(usize::try_from(limit).ok()?);
            Some(json!({"jobs": rows(ids, 1), "total": jobs}))
        })
        .await;
        let records = stage.client.list(&Wanted::Open).await.unwrap().unwrap();
        assert_eq!(records.len(), 500);
        assert_eq!(stage.asked(NEW).last().unwrap()["limit"], json!(ALL));
    }

    #[tokio::test]
    async fn a_mere_list_is_a_queue_and_anything_else_is_not() {
        assert_eq!(read("/q", r#"[{"job_id": 1}]"#).unwrap().jobs.len(), 1);
        assert_eq!(read("/q", r#"{"jobs": [{"job_id": 1}], "total": 7}"#).unwrap().total, Some(7));
        for text in ["null", "7", "", "[{}]", r#"{"jobs": 1}"#, r#"[{"job_id": "one"}]"#] {
            assert!(read("/q", text).is_err(), "{text}");
        }
    }
}
