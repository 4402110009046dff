//! Searching the tasks of a workspace, for domains that pay: a hundred at a time, by the time of their creation.

use super::client::{Client, PAGE, PAGES};
use super::wire::{Page, TASK, TaskRecord};
use crate::Asana;
use crate::snapshot::Tasks;
use futures::future;
use jiff::{SignedDuration, Timestamp};
use shared::http::escape;
use shared::window::MONTH;
use shared::{Error, Result};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The smallest step of Asana's times.
const STEP: SignedDuration = SignedDuration::from_millis(1);

/// An instant as Asana writes it.
pub(super) fn instant(time: Timestamp) -> String {
    format!("{time:.3}")
}

impl Asana {
    /// All tasks that are open or were completed in the window, by search; none where the domain may not search.
    ///
    /// A search is always whole, about 25 calls for 2,400 tasks: `modified_at`, which it could filter by, does not
    /// change when a task is moved. Sixty searches a minute bear about 6,000 tasks. Beyond that a 429 waits, and where
    /// the run's time ends first the tasks are unknown.
    pub(super) async fn search(&self, client: &Client, workspace: &str, now: Timestamp) -> Result<Option<Tasks>> {
        let open = found(client, workspace, "completed=false".to_owned());
        let done = format!("completed=true&completed_at.after={}", escape(&instant(now - MONTH - STEP)));
        match Box::pin(future::try_join(open, found(client, workspace, done))).await {
            Ok((open, done)) => {
                let task = |record: TaskRecord| (record.gid.as_str().into(), record.task(&self.digester, None));
                Ok(Some(open.into_values().chain(done.into_values()).map(task).collect()))
            }
            Err(Error::Status { status: 402, .. }) => {
                if !self.is_refusal_logged.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "ASANA_SEARCH: searching is for domains that pay; listing project by project instead"
                    );
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// Everything that a search finds. It has no pages: each call asks for what was created from the last task's time on.
async fn found(client: &Client, workspace: &str, filter: String) -> Result<BTreeMap<String, TaskRecord>> {
    let path = format!("/workspaces/{workspace}/tasks/search");
    let mut all: BTreeMap<String, TaskRecord> = BTreeMap::new();
    let mut after: Option<Timestamp> = None;
    for _ in 0..PAGES {
        // Several tasks may have one time, so that those of the last time are asked for again.
        let from = after.map(|last| format!("&created_at.after={}", escape(&instant(last - STEP)))).unwrap_or_default();
        let order = "sort_by=created_at&sort_ascending=true";
        let page: Page<TaskRecord> =
            client.get(&format!("{path}?{filter}&{order}&limit={PAGE}&opt_fields={TASK}{from}")).await?;
        let whole = page.data.len() < PAGE;
        let before = all.len();
        for record in page.data {
            after = after.max(Some(record.created_at));
            all.insert(record.gid.clone(), record);
        }
        if whole {
            return Ok(all);
        }
        if all.len() == before {
            return Err(client.unexpected(&path, &format!("has {PAGE} tasks of one time and shows no more of them")));
        }
    }
    Err(client.unexpected(&path, &format!("has more than {PAGES} pages")))
}
