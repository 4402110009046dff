//! Commits: the history, one of them with its files, and what lies between two.

use super::super::views::{Commit, Repo};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Files on one page of a commit or a comparison, and the most that can be paged through.
const FILES: (usize, usize) = (300, 3000);

/// The history, or one commit with its files.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    if repo.is_empty() {
        return Err(Refusal::new(StatusCode::CONFLICT, "Git Repository is empty."));
    }
    match rest {
        ["commits"] => list(call, repo),
        ["commits", name @ ..] => {
            let commit = find(repo, &name.join("/"))?;
            let (mut object, lines) = (shapes::commit(&commit), commit.lines());
            let files = shapes::files(repo, &commit.sha, &commit.files(), lines);
            let size = call.value("per_page").map_or(FILES.0, |_| call.page(FILES.0).0);
            let (files, link) = call.cut_by(Some(repo), files, size, FILES.1);
            object["stats"] = json!({ "total": lines.0 + lines.1, "additions": lines.0, "deletions": lines.1 });
            object["files"] = Value::Array(files);
            Ok(Reply::json(object).linked(link))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn find<'w>(repo: Repo<'w>, name: &str) -> Result<Commit<'w>, Refusal> {
    repo.resolve(name)
        .ok_or_else(|| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("No commit found for SHA: {name}")))
}

fn list(call: &Call, repo: Repo<'_>) -> Answer {
    call.only(&["since", "per_page", "page"])?;
    let since = call.instant("since")?;
    let recent = |commit: &Commit<'_>| since.is_none_or(|since| commit.committed_at().as_second() >= since.as_second());
    let (commits, link) = call.cut(Some(repo), repo.history().filter(recent).collect(), 100, usize::MAX);
    Ok(Reply::json(commits.iter().map(shapes::commit).collect()).linked(link))
}

/// What lies between two commits.
pub fn compare(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let spec = rest[1..].join("/");
    let tip = |name: &str| name.rsplit(':').next().and_then(|name| repo.resolve(name));
    let ends = spec.split_once("...").and_then(|(base, head)| Some((tip(base)?, tip(head)?)));
    let (base, head) = ends.ok_or_else(Refusal::not_found)?;
    let (before, after) = (base.history(), head.history());
    let known: HashSet<_> = before.iter().map(|commit| commit.sha.as_str()).collect();
    let reached: HashSet<_> = after.iter().map(|commit| commit.sha.as_str()).collect();
    let mut ahead: Vec<_> = after.iter().filter(|commit| !known.contains(commit.sha.as_str())).collect();
    let behind = before.iter().filter(|commit| !reached.contains(commit.sha.as_str())).count();
    let common = before.iter().find(|commit| reached.contains(commit.sha.as_str())).ok_or_else(|| {
        Refusal::new(StatusCode::NOT_FOUND, &format!("No common ancestor between {} and {}.", base.sha, head.sha))
    })?;
    ahead.reverse();
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let mut files: Vec<(String, Option<String>)> = Vec::new();
    let mut seen = HashSet::new();
    for file in ahead.iter().flat_map(|commit| commit.files()) {
        if seen.insert(file.0.clone()) {
            files.push(file);
        }
    }
    let lines = ahead.iter().map(|commit| commit.lines()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let files: Vec<_> = shapes::files(repo, &head.sha, &files, lines).into_iter().take(FILES.0).collect();
    let total = ahead.len();
    let paged = call.value("per_page").is_some() || call.value("page").is_some();
    let size = if paged { call.page(100).0 } else { 250 };
    let (page, link) = call.cut_by(Some(repo), ahead, size, usize::MAX);
    let first = call.page(100).1 == 1;
    let url = format!("{}/compare/{spec}", repo.api());
    let html = format!("{}/compare/{spec}", repo.html());
    let owner = &repo.data().owner;
    let exact = format!("{owner}:{}...{owner}:{}", &base.sha[..7], &head.sha[..7]);
    let mut object = json!({
        "url": url, "html_url": html, "permalink_url": format!("{}/compare/{exact}", repo.html()),
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"), "base_commit": shapes::commit(&base),
        "merge_base_commit": shapes::commit(common), "status": status, "ahead_by": total, "behind_by": behind,
        "total_commits": total, "commits": page.into_iter().map(shapes::commit).collect::<Vec<_>>(),
    });
    object["files"] = if first { Value::Array(files) } else { json!([]) };
    Ok(Reply::json(object).linked(link))
}
