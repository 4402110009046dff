//! The queue of managed jobs: pages of the new route, and the one answer of the old one.

use super::exchange::{Client, NAME, Returned};
use super::records::{FIELDS, Record, time};
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
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Jobs with a task that is not over, alone.
    pub open: bool,
    /// Rows of these statuses alone.
    pub statuses: Option<Vec<&'static str>>,
    /// Jobs that were submitted at this time or later.
    pub since: Option<Timestamp>,
    /// These jobs alone.
    pub ids: Option<Vec<u64>>,
}

impl Wanted {
    fn body(&self, page: usize, limit: usize) -> Value {
        let mut body = json!({
            "refresh": false, "all_users": true, "skip_finished": self.open, "page": page, "limit": limit,
            "fields": FIELDS,
        });
        if let Some(statuses) = &self.statuses {
            body["statuses"] = json!(statuses);
        }
        if let Some(since) = self.since {
            body["submitted_after"] = json!(since.as_second());
        }
        if let Some(ids) = &self.ids {
            body["job_ids"] = json!(ids);
        }
        body
    }
}

impl Client {
    /// One page of the queue; nothing where there is no jobs controller.
    pub(super) async fn page(&self, wanted: &Wanted, page: usize, limit: usize) -> Result<Option<Part>> {
        match self.ask(NEW, &wanted.body(page, limit)).await? {
            Returned::NoController => Ok(None),
            Returned::Done(text) => read(NEW, &text).map(Some).inspect_err(|_| self.unreadable()),
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
        let mut seen: BTreeSet<(u64, Option<i64>)> = keys(&first.jobs).collect();
        let (mut records, mut steady) = (first.jobs, true);
        let mut pages = stream::iter(2..=last).map(|page| self.page(wanted, page, PAGE)).buffered(AT_ONCE);
        let mut number = 1;
        while let Some(part) = pages.try_next().await? {
            number += 1;
            // Newest jobs come first: once all are older than wanted, the server does not know the filter.
            if is_past(&records, wanted.since) {
                break;
            }
            let Some(part) = part else { return Err(self.unsound("has lost its jobs controller between two pages")) };
            let before = seen.len();
            seen.extend(keys(&part.jobs));
            if !part.jobs.is_empty() && seen.len() == before {
                return Err(self.unsound("gave the same page twice"));
            }
            if number > PAGES {
                return Err(self.unsound("has more jobs than can be read"));
            }
            steady &= part.total.is_none_or(|now| now == total);
            records.extend(part.jobs);
        }
        drop(pages);
        // Open jobs that end between two pages move those behind them up, and some would be missed; one answer is whole.
        if wanted.open && !steady {
            let Some(all) = self.page(wanted, 1, ALL).await? else { return Ok(None) };
            if all.total.is_some_and(|total| total > ALL) {
                return Err(self.unsound("has more open jobs than can be read at once"));
            }
            records = all.jobs;
        }
        Ok(Some(records))
    }

    /// Everything there is, as servers without the new route tell it.
    pub(super) async fn everything(&self) -> Result<Option<Vec<Record>>> {
        let body = json!({"refresh": false, "skip_finished": false, "all_users": true});
        match self.ask(OLD, &body).await? {
            Returned::NoController => Ok(None),
            Returned::Done(text) => read(OLD, &text).map(|part| Some(part.jobs)).inspect_err(|_| self.unreadable()),
        }
    }

    /// An answer that is not as documented.
    pub fn unsound(&self, what: &str) -> Error {
        self.unreadable();
        Error::decode(NAME, format!("{NEW} {what}"))
    }
}

fn keys(records: &[Record]) -> impl Iterator<Item = (u64, Option<i64>)> {
    records.iter().map(|record| (record.job_id, record.task_id))
}

/// Whether the newest page so far holds jobs alone that were submitted before the time that was asked for.
fn is_past(records: &[Record], since: Option<Timestamp>) -> bool {
    let Some(since) = since else { return false };
    let page = &records[records.len().saturating_sub(PAGE)..];
    page.iter().all(|record| time(record.submitted_at).is_none_or(|submitted| submitted < since))
}

#[cfg(test)]
mod tests {
    use super::super::fake::Stage;
    use super::*;
    use shared::testing::at;

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
        let stage = of(1201, 1_767_873_600).await;
        let wanted =
            Wanted { statuses: Some(vec!["SUCCEEDED"]), since: Some(at("2026-01-08T12:00:00Z")), ..Wanted::default() };
        let records = stage.client.list(&wanted).await.unwrap().unwrap();
        assert_eq!(records.len(), 1201);
        let asked = stage.asked(NEW);
        assert_eq!(asked.iter().map(|body| body["page"].as_u64().unwrap()).collect::<BTreeSet<_>>(), [1, 2, 3].into());
        for body in &asked {
            assert_eq!(body["refresh"], json!(false), "a refresh may restart the controller");
            assert_eq!((&body["all_users"], &body["limit"]), (&json!(true), &json!(500)));
            assert_eq!((&body["submitted_after"], &body["statuses"]), (&json!(1_767_873_600), &json!(["SUCCEEDED"])));
            assert_eq!(body["fields"].as_array().unwrap().len(), 15);
        }
    }

    #[tokio::test]
    async fn a_server_that_knows_no_dates_is_not_read_to_the_beginning_of_time() {
        let stage = of(20_000, 1_700_000_000).await;
        let wanted = Wanted { since: Some(at("2026-01-08T12:00:00Z")), ..Wanted::default() };
        let records = stage.client.list(&wanted).await.unwrap().unwrap();
        assert!(records.len() <= 500 && stage.asked(NEW).len() <= 1 + AT_ONCE, "{}", stage.asked(NEW).len());
    }

    #[tokio::test]
    async fn a_page_that_comes_again_and_a_list_without_end_are_errors() {
        let same = Stage::new(|_, _| Some(json!({"jobs": rows(1..=500, 1), "total": 5000}))).await;
        let error = same.client.list(&Wanted::default()).await.unwrap_err();
        assert!(error.to_string().contains("same page twice"), "{error}");
        let endless = Stage::new(|_, body| {
            let page = body["page"].as_u64()?;
            Some(json!({"jobs": rows(page * 2..page * 2 + 2, 1), "total": 100_000_000}))
        })
        .await;
        let error = endless.client.list(&Wanted::default()).await.unwrap_err();
        assert!(error.to_string().contains("more jobs than can be read"), "{error}");
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
        let open = Wanted { open: true, ..Wanted::default() };
        let records = stage.client.list(&open).await.unwrap().unwrap();
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
