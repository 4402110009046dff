//! Pull requests and their files.

use super::super::views::{Pull, Repo, stamp};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use serde_json::{Value, json};

/// Open pull requests, the newest first, or the files of one.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    call.only(&["per_page", "page"])?;
    match rest {
        ["pulls"] => {
            let mut pulls: Vec<_> = repo.pulls().filter(|pull| pull.state() == "OPEN").collect();
            pulls.sort_by_key(|pull| std::cmp::Reverse((pull.data().created_at, pull.data().number)));
            let (pulls, link) = call.cut(Some(repo), pulls, 100, usize::MAX);
            Ok(Reply::json(pulls.into_iter().map(simple).collect()).linked(link))
        }
        ["pulls", number, "files"] => {
            let pull = number.parse().ok().and_then(|number| repo.pull(number)).ok_or_else(Refusal::not_found)?;
            let files: Vec<_> = pull.data().files.iter().map(|path| (path.clone(), None)).collect();
            let files = shapes::files(repo, &pull.head().sha, &files, pull.lines());
            let (files, link) = call.cut(Some(repo), files, 100, 3000);
            Ok(Reply::json(Value::Array(files)).linked(link))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn simple(pull: Pull<'_>) -> Value {
    let (repo, data) = (pull.repo, pull.data());
    let url = format!("{}/pulls/{}", repo.api(), data.number);
    let issue = format!("{}/issues/{}", repo.api(), data.number);
    let head = pull.head();
    let statuses = format!("{}/statuses/{}", repo.api(), head.sha);
    let base = repo.resolve(&data.base).map_or_else(|| shapes::tree_sha(&data.base), |commit| commit.sha);
    let links = [
        ("self", url.clone()),
        ("html", pull.html()),
        ("issue", issue.clone()),
        ("comments", format!("{issue}/comments")),
        ("review_comments", format!("{url}/comments")),
        ("review_comment", format!("{}/pulls/comments{{/number}}", repo.api())),
        ("commits", format!("{url}/commits")),
        ("statuses", statuses.clone()),
    ];
    let links: serde_json::Map<_, _> =
        links.into_iter().map(|(name, href)| (name.to_owned(), json!({ "href": href }))).collect();
    let mut object = json!({
        "url": url, "id": pull.id(), "node_id": pull.node_id(), "html_url": pull.html(),
        "diff_url": format!("{}.diff", pull.html()), "patch_url": format!("{}.patch", pull.html()), "issue_url": issue,
        "number": data.number, "state": "open", "locked": false,
        "title": data.title, "user": shapes::user_or_ghost(repo.world, data.author),
        "body": (!data.body.is_empty()).then_some(&data.body), "created_at": stamp(data.created_at),
        "updated_at": stamp(pull.updated_at()), "closed_at": null, "merged_at": null, "merge_commit_sha": null,
    });
    shapes::extend(
        &mut object,
        json!({
            "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [],
            "labels": pull.labels().map(|label| shapes::label(repo, &label.0)).collect::<Vec<_>>(), "milestone": null,
            "draft": pull.is_draft(), "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"),
            "review_comment_url": format!("{}/pulls/comments{{/number}}", repo.api()),
            "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
            "head": shapes::end(pull, &data.head, &head.sha, data.from_fork),
            "base": shapes::end(pull, &data.base, &base, false), "_links": links,
            "author_association": shapes::association(repo.world, data.author), "auto_merge": null,
            "active_lock_reason": null,
        }),
    );
    object
}
