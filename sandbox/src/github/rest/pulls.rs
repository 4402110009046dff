//! Pull requests with their reviews, files and commits.

use super::super::views::{Pull, Repo, Review, stamp};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use serde_json::{Value, json};

/// Pull requests, one of them, or its parts.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let pull = |number: &str| number.parse().ok().and_then(|number| repo.pull(number)).ok_or_else(Refusal::not_found);
    let page = |items: Vec<Value>, most| {
        let (items, link) = call.cut(Some(repo), items, 100, most);
        Ok(Reply::json(Value::Array(items)).linked(link))
    };
    match rest {
        ["pulls"] => list(call, repo),
        ["pulls", number] => Ok(Reply::json(full(pull(number)?))),
        ["pulls", number, "reviews"] => page(pull(number)?.reviews().map(review).collect(), usize::MAX),
        ["pulls", number, "comments"] => {
            let reviews = pull(number)?.reviews();
            let told =
                reviews.flat_map(|review| (0..review.data().inline_comments).map(move |nth| inline(review, nth)));
            page(told.collect(), usize::MAX)
        }
        ["pulls", number, "commits"] => page(pull(number)?.commits().iter().map(shapes::commit).collect(), 250),
        ["pulls", number, "files"] => {
            let pull = pull(number)?;
            let files: Vec<_> = pull.data().files.iter().map(|path| (path.clone(), None)).collect();
            page(shapes::files(repo, &pull.head().sha, &files, pull.lines()), 3000)
        }
        ["pulls", number, "requested_reviewers"] => {
            pull(number)?;
            Ok(Reply::json(json!({ "users": [], "teams": [] })))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn list(call: &Call, repo: Repo<'_>) -> Answer {
    let state = call.choice("PullRequest", "state", &["open", "closed", "all"], "open")?;
    let sorts = ["created", "updated", "popularity", "long-running"];
    let sort = call.choice("PullRequest", "sort", &sorts, "created")?;
    let default = if sort == "created" { "desc" } else { "asc" };
    let direction = call.choice("PullRequest", "direction", &["asc", "desc"], default)?;
    let head = call.value("head");
    let of_head = |pull: &Pull<'_>| {
        let owner = match (pull.data().from_fork, pull.data().author) {
            (false, _) => Some(repo.data().owner.as_str()),
            (true, author) => author.and_then(|id| repo.world.person(id)).map(|person| person.login.as_str()),
        };
        // Without an owner the filter is ignored, as GitHub does.
        head.and_then(|head| head.split_once(':')).is_none_or(|(asked, name)| {
            owner.is_some_and(|owner| owner.eq_ignore_ascii_case(asked)) && pull.data().head == name
        })
    };
    let mut pulls: Vec<_> = repo
        .pulls()
        .filter(|pull| state == "all" || (state == "open") == (pull.state() == "OPEN"))
        .filter(|pull| call.value("base").is_none_or(|base| pull.data().base == base))
        .filter(of_head)
        .collect();
    match sort {
        "updated" => pulls.sort_by_cached_key(|pull| (pull.updated_at(), pull.data().number)),
        "popularity" => pulls.sort_by_cached_key(|pull| (pull.comments().count(), pull.data().number)),
        _ => pulls.sort_by_key(|pull| (pull.data().created_at, pull.data().number)),
    }
    if direction == "desc" {
        pulls.reverse();
    }
    let (pulls, link) = call.cut(Some(repo), pulls, 100, usize::MAX);
    Ok(Reply::json(pulls.into_iter().map(simple).collect()).linked(link))
}

/// A pull request in a list.
pub fn simple(pull: Pull<'_>) -> Value {
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
        "number": data.number, "state": if pull.state() == "OPEN" { "open" } else { "closed" }, "locked": false,
        "title": data.title, "user": shapes::user_or_ghost(repo.world, data.author),
        "body": (!data.body.is_empty()).then_some(&data.body), "created_at": stamp(data.created_at),
        "updated_at": stamp(pull.updated_at()), "closed_at": pull.closed_at().map(stamp),
        "merged_at": pull.merged_at().map(stamp), "merge_commit_sha": pull.merged_at().and(data.merge_commit.as_ref()),
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

fn full(pull: Pull<'_>) -> Value {
    let mut object = simple(pull);
    let (additions, deletions) = pull.lines();
    let merged = pull.merged_at().is_some();
    let open = pull.state() == "OPEN";
    let merged_by = if merged { shapes::user_or_null(pull.repo.world, pull.merged_by()) } else { Value::Null };
    let mergeable_state = match (open, pull.is_draft()) {
        (false, _) => "unknown",
        (true, true) => "draft",
        (true, false) => "clean",
    };
    shapes::extend(
        &mut object,
        json!({
            "merged": merged, "mergeable": open.then_some(true), "rebaseable": open.then_some(true),
            "mergeable_state": mergeable_state, "merged_by": merged_by, "comments": pull.comments().count(),
            "review_comments": pull.reviews().map(|review| review.data().inline_comments).sum::<u32>(),
            "maintainer_can_modify": false, "commits": pull.commits().len(), "additions": additions,
            "deletions": deletions, "changed_files": pull.data().files.len(),
        }),
    );
    object
}

fn review(review: Review<'_>) -> Value {
    let (pull, data) = (review.pull, review.data());
    let url = format!("{}/pulls/{}", pull.repo.api(), pull.data().number);
    let html = format!("{}#pullrequestreview-{}", pull.html(), review.id());
    json!({
        "id": review.id(), "node_id": review.node_id(), "user": shapes::user_or_null(pull.repo.world, data.author),
        "body": data.body, "state": data.state, "html_url": html, "pull_request_url": url,
        "author_association": shapes::association(pull.repo.world, data.author),
        "_links": { "html": { "href": html }, "pull_request": { "href": url } },
        "submitted_at": stamp(review.submitted_at()), "commit_id": pull.head().sha,
    })
}

/// The database id of an inline comment.
pub fn inline_id(review: Review<'_>, nth: u32) -> u64 {
    review.id() * 100 + u64::from(nth)
}

/// The text of an inline comment: the model counts them and keeps no words.
pub fn inline_body(nth: u32) -> String {
    format!("Inline comment {}.", nth + 1)
}

fn inline(review: Review<'_>, nth: u32) -> Value {
    let (pull, data) = (review.pull, review.data());
    let id = inline_id(review, nth);
    let url = format!("{}/pulls/comments/{id}", pull.repo.api());
    let pull_url = format!("{}/pulls/{}", pull.repo.api(), pull.data().number);
    let html = format!("{}#discussion_r{id}", pull.html());
    let at = stamp(review.submitted_at());
    let head = pull.head().sha;
    json!({
        "url": url, "pull_request_review_id": review.id(), "id": id,
        "node_id": super::super::views::inline_node_id(review, nth), "diff_hunk": "@@ -1 +1 @@",
        "path": review.path(nth), "position": 1, "original_position": 1, "commit_id": head, "original_commit_id": head,
        "user": shapes::user_or_ghost(pull.repo.world, data.author), "body": inline_body(nth), "created_at": at,
        "updated_at": at, "html_url": html, "pull_request_url": pull_url,
        "author_association": shapes::association(pull.repo.world, data.author),
        "_links": { "self": { "href": url }, "html": { "href": html }, "pull_request": { "href": pull_url } },
        "line": 1, "original_line": 1, "start_line": null, "original_start_line": null, "start_side": null,
        "side": "RIGHT", "subject_type": "line",
    })
}
