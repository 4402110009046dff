//! What was pushed and by which rules, and the self-hosted runners.

use super::super::views::{Repo, rest_login, stamp, tip_sha};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use crate::github::ids::{Kind, node_id, number_of_name};
use crate::model::{PersonId, github::RuleSuite};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

const NOTHING: &str = "0000000000000000000000000000000000000000";

struct Activity {
    id: u64,
    kind: &'static str,
    branch: String,
    at: Timestamp,
    actor: Option<PersonId>,
    before: String,
    after: String,
}

fn period(text: &str) -> Option<SignedDuration> {
    let hours = match text {
        "hour" => 1,
        "day" => 24,
        "week" => 7 * 24,
        "month" => 30 * 24,
        "quarter" => 91 * 24,
        "year" => 365 * 24,
        _ => return None,
    };
    Some(SignedDuration::from_hours(hours))
}

/// Everything that moved a branch by now, oldest first.
fn all(repo: Repo<'_>) -> Vec<Activity> {
    let data = repo.data();
    let mut found: Vec<_> = data
        .force_pushes
        .iter()
        .map(|push| Activity {
            id: push.id,
            kind: "force_push",
            branch: push.branch.clone(),
            at: push.at,
            actor: Some(push.actor),
            before: push.before.clone(),
            after: push.after.clone(),
        })
        .collect();
    for (place, branch) in data.branches.iter().enumerate() {
        let heads = &repo.world.index.repositories[repo.at].heads;
        let actor = heads.get(&branch.name).and_then(|at| data.pulls[*at].author);
        let told = |kind, at, before, after| Activity {
            id: derived(repo, kind, &format!("{place} {after} {before}")),
            kind,
            branch: branch.name.clone(),
            at,
            actor,
            before,
            after,
        };
        for (tip, (_, at)) in branch.tips.iter().enumerate() {
            let before = tip.checked_sub(1).map(|before| tip_sha(data, place, before));
            let kind = if before.is_some() { "push" } else { "branch_creation" };
            found.push(told(kind, *at, before.unwrap_or_else(|| NOTHING.to_owned()), tip_sha(data, place, tip)));
        }
        if let (Some(at), Some(last)) = (branch.deleted_at, branch.tips.len().checked_sub(1)) {
            found.push(told("branch_deletion", at, tip_sha(data, place, last), NOTHING.to_owned()));
        }
    }
    let mut before = NOTHING.to_owned();
    for (place, commit) in data.commits.iter().enumerate() {
        // What lands at one instant was brought by one push, and its last commit is the branch's new tip.
        if data.commits.get(place + 1).is_some_and(|next| next.landed_at == commit.landed_at) {
            continue;
        }
        let kind = if commit.pull.is_some() { "pr_merge" } else { "push" };
        found.push(Activity {
            id: derived(repo, kind, &commit.sha),
            kind,
            branch: data.default_branch.clone(),
            at: commit.landed_at,
            actor: Some(commit.author),
            before: std::mem::replace(&mut before, commit.sha.clone()),
            after: commit.sha.clone(),
        });
    }
    found.retain(|activity| repo.world.past(activity.at));
    found.sort_by_key(|activity| (activity.at, activity.id));
    found
}

fn derived(repo: Repo<'_>, kind: &str, rest: &str) -> u64 {
    (1 << 40) + (number_of_name(&format!("{} {kind} {rest}", repo.full_name())) << 8) % (1 << 40)
}

/// Activities of a repository, paged by cursors.
pub fn list(call: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    call.only(&["ref", "activity_type", "time_period", "per_page", "after"])?;
    let kinds = ["push", "force_push", "branch_creation", "branch_deletion", "pr_merge", "merge_queue_merge", ""];
    let kind = call.choice("Activity", "activity_type", &kinds, "")?;
    let since = call.value("time_period").map_or(Some(None), |text| period(text).filter(|_| text != "hour").map(Some));
    let since = since.ok_or_else(|| Refusal::invalid("Activity", "time_period"))?;
    let branch = call.value("ref").map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    let mut found = all(repo);
    found.retain(|activity| {
        (kind.is_empty() || activity.kind == kind)
            && since.is_none_or(|since| activity.at >= repo.world.now - since)
            && branch.is_none_or(|branch| activity.branch == branch)
    });
    found.reverse();
    let bad = || Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid cursor");
    let after = call.value("after").map(|text| read_cursor(text).ok_or_else(bad)).transpose()?;
    let start = after.map_or(0, |after| found.partition_point(|activity| key(activity) >= after));
    let end = found.len().min(start + call.page(100).0);
    let last = found[start..end].last().filter(|_| end < found.len());
    let next = last.map(|last| call.address(Some(repo), &[("after", &cursor(last))]));
    let shown: Vec<_> = found[start..end].iter().map(|activity| show(repo, activity)).collect();
    Ok(Reply::json(Value::Array(shown)).linked(next.map(|next| format!("<{next}>; rel=\"next\""))))
}

fn key(activity: &Activity) -> (i64, u64) {
    (activity.at.as_second(), activity.id)
}

fn cursor(activity: &Activity) -> String {
    STANDARD.encode(format!("{}:{}", activity.at.as_second(), activity.id))
}

fn read_cursor(text: &str) -> Option<(i64, u64)> {
    let text = String::from_utf8(STANDARD.decode(text.replace(' ', "+")).ok()?).ok()?;
    let (at, id) = text.split_once(':')?;
    Some((at.parse().ok()?, id.parse().ok()?))
}

fn show(repo: Repo<'_>, activity: &Activity) -> Value {
    json!({
        "id": activity.id, "node_id": node_id(Kind::Activity, &[repo.id(), activity.id], ""),
        "before": activity.before, "after": activity.after, "ref": format!("refs/heads/{}", activity.branch),
        "timestamp": stamp(activity.at), "activity_type": activity.kind,
        "actor": shapes::user_or_null(repo.world, activity.actor),
    })
}

/// Evaluations of the branch rules, newest first.
pub fn rule_suites(call: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    call.only(&["ref", "time_period", "rule_suite_result", "per_page", "page"])?;
    let since = match call.value("time_period").unwrap_or("day") {
        "quarter" | "year" => None,
        text => period(text),
    };
    let since = since.ok_or_else(|| Refusal::invalid("RuleSuite", "time_period"))?;
    let result = call.choice("RuleSuite", "rule_suite_result", &["pass", "fail", "bypass", "all"], "all")?;
    let branch = call.value("ref").map(|name| name.strip_prefix("refs/heads/").unwrap_or(name));
    let known = repo.data().rule_suites.iter().filter(|suite| repo.world.past(suite.at));
    let mut found: Vec<_> = known
        .filter(|suite| suite.at >= repo.world.now - since)
        .filter(|suite| result == "all" || suite.result == result)
        .filter(|suite| branch.is_none_or(|branch| suite.branch == branch))
        .collect();
    found.sort_by_key(|suite| std::cmp::Reverse((suite.at, suite.id)));
    let (page, link) = call.cut(Some(repo), found, 100, usize::MAX);
    Ok(Reply::json(page.into_iter().map(|suite| suite_of(repo, suite)).collect()).linked(link))
}

fn suite_of(repo: Repo<'_>, suite: &RuleSuite) -> Value {
    let before = repo.commit(&suite.after).and_then(|commit| commit.parents().into_iter().next());
    json!({
        "id": suite.id, "actor_id": shapes::person_number(suite.actor),
        "actor_name": repo.world.person(suite.actor).map(rest_login), "before_sha": before.as_deref().unwrap_or(NOTHING),
        "after_sha": suite.after, "ref": format!("refs/heads/{}", suite.branch), "repository_id": repo.id(),
        "repository_name": repo.data().name, "pushed_at": stamp(suite.at), "result": suite.result,
        "evaluation_result": null,
    })
}

/// Self-hosted runners.
pub fn runners(call: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    call.only(&["per_page", "page"])?;
    let found: Vec<_> = repo.data().runners.iter().collect();
    let total = found.len();
    let (page, link) = call.cut(Some(repo), found, 100, usize::MAX);
    let page: Vec<_> = page
        .into_iter()
        .map(|runner| {
            let labels = runner.labels.iter().zip(1_u64..).map(|(name, nth)| {
                let read_only =
                    matches!(name.as_str(), "self-hosted" | "Linux" | "macOS" | "Windows" | "X64" | "ARM64");
                json!({ "id": nth, "name": name, "type": if read_only { "read-only" } else { "custom" } })
            });
            json!({
                "id": runner.id, "name": runner.name, "os": "linux", "busy": runner.busy, "runner_group_id": 1,
                "ephemeral": false, "status": if runner.online { "online" } else { "offline" },
                "labels": labels.collect::<Vec<_>>(),
            })
        })
        .collect();
    Ok(Reply::json(json!({ "total_count": total, "runners": page })).linked(link))
}
