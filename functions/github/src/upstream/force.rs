//! Events that reached the branch around its rules.

use super::client::Client;
use super::pulls::Forced;
use crate::config::Sources;
use jiff::Timestamp;
use serde::Deserialize;
use shared::{Result, http::escape};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Activity {
    after: String,
    timestamp: Timestamp,
}

#[derive(Deserialize)]
struct Suite {
    after_sha: Option<String>,
    id: u64,
    pushed_at: Timestamp,
}

/// When each event was, by the commit it brought: one push that two sources tell of is one event.
pub(super) type Events = BTreeMap<String, Timestamp>;

/// Asks the configured sources other than labels.
pub(super) async fn ask(client: &Client, repo: &str, branch: &str, sources: Sources) -> Result<Events> {
    let mut events = Events::new();
    let branch = escape(&format!("refs/heads/{branch}"));
    if sources.activity {
        let path =
            format!("/repos/{repo}/activity?ref={branch}&activity_type=force_push&time_period=week&per_page=100");
        let pages: Vec<Vec<Activity>> = client.all(&path).await?;
        events.extend(pages.into_iter().flatten().map(|push| (push.after, push.timestamp)));
    }
    if sources.rule_suites {
        let path = format!(
            "/repos/{repo}/rulesets/rule-suites?ref={branch}&time_period=week&rule_suite_result=bypass&per_page=100"
        );
        let pages: Vec<Vec<Suite>> = client.all(&path).await?;
        for suite in pages.into_iter().flatten() {
            let key = suite.after_sha.unwrap_or_else(|| format!("suite {}", suite.id));
            events.entry(key).or_insert(suite.pushed_at);
        }
    }
    Ok(events)
}

/// The times of all events of the window, with the merged pull requests that carry a label.
pub(super) fn times(mut events: Events, labelled: &Forced, since: Timestamp) -> Vec<Timestamp> {
    for (number, (at, commit)) in labelled {
        let key = commit.clone().unwrap_or_else(|| format!("pull {number}"));
        events.entry(key).or_insert(*at);
    }
    let mut times: Vec<Timestamp> = events.into_values().filter(|at| *at >= since).collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Stage, World, ago, gaps, pending, pull};
    use serde_json::json;
    use shared::testing::Reply;

    fn world() -> World {
        let mut labelled = pull(7, 600, 30, "MERGED", 60);
        labelled["labels"]["nodes"] = json!([{ "name": "Force-Merge" }]);
        let pushes = json!([{ "after": "a", "timestamp": ago(100) }, { "after": "b", "timestamp": ago(8 * 1440) }]);
        let suites = json!([
            { "id": 1, "after_sha": "a", "pushed_at": ago(100) },
            { "id": 2, "after_sha": format!("{:040}", 7), "pushed_at": ago(60) },
            { "id": 3, "after_sha": "c", "pushed_at": ago(50) },
        ]);
        let others = vec![
            (
                "/repos/acme/web/activity?ref=refs%2Fheads%2Fmain&activity_type=force_push".into(),
                Reply::json(200, &pushes),
            ),
            ("/repos/acme/web/rulesets/rule-suites?ref=refs%2Fheads%2Fmain&".into(), Reply::json(200, &suites)),
        ];
        World { pulls: vec![labelled], others, ..World::default() }
    }

    #[tokio::test]
    async fn one_push_that_several_sources_tell_of_is_one_event() {
        for (sources, expected) in [
            ("activity", vec![ago(100)]),
            ("labels", vec![ago(60)]),
            ("activity,labels", vec![ago(100), ago(60)]),
            ("activity,labels,rule_suites", vec![ago(100), ago(60), ago(50)]),
        ] {
            let stage = Stage::new(world(), &[("GITHUB_FORCE_SOURCES", sources)]).await;
            let fetched = stage.fetch(0, None).await.0.unwrap();
            assert_eq!(fetched.snapshot.forced, Some(expected.clone()), "{sources}");
            let next = stage.fetch(15, Some(&fetched)).await.0.unwrap();
            assert_eq!(next.snapshot.forced, Some(expected), "{sources}, continued");
        }
    }

    #[tokio::test]
    async fn one_source_that_cannot_be_read_makes_the_row_unknown() {
        let mut broken = world();
        broken.others[0].1 = Reply::json(403, &json!({ "message": "Resource not accessible" }));
        let stage = Stage::new(broken, &[]).await;
        let (fetched, cx) = stage.fetch(0, None).await;
        assert_eq!(fetched.unwrap().snapshot.forced, None);
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["force"], vec![]));
        let mut world = world();
        world.faults.push((json!({ "type": "INTERNAL", "path": ["repository", "merged"] }), false));
        let stage = Stage::new(world, &[]).await;
        let cx = stage.fetch(0, None).await.1;
        assert_eq!((gaps(&cx), pending(&cx)), (vec!["files", "force", "pulls"], vec![]));
    }
}
