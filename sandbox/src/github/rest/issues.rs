//! Issues, among which GitHub counts pull requests, and their comments.

use super::super::views::{Issue, Pull, Repo, rest_login, stamp};
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use crate::model::PersonId;
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Clone, Copy)]
enum Entry<'w> {
    Issue(Issue<'w>),
    Pull(Pull<'w>),
}

impl<'w> Entry<'w> {
    fn number(self) -> u64 {
        match self {
            Self::Issue(issue) => issue.data().number,
            Self::Pull(pull) => pull.data().number,
        }
    }

    fn created_at(self) -> Timestamp {
        match self {
            Self::Issue(issue) => issue.data().created_at,
            Self::Pull(pull) => pull.data().created_at,
        }
    }

    fn updated_at(self) -> Timestamp {
        match self {
            Self::Issue(issue) => issue.updated_at(),
            Self::Pull(pull) => pull.updated_at(),
        }
    }

    fn closed_at(self) -> Option<Timestamp> {
        match self {
            Self::Issue(issue) => issue.closed_at(),
            Self::Pull(pull) => pull.closed_at(),
        }
    }

    fn labels(self) -> Vec<&'w str> {
        match self {
            Self::Issue(issue) => issue.data().labels.iter().map(String::as_str).collect(),
            Self::Pull(pull) => pull.labels().map(|label| label.0.as_str()).collect(),
        }
    }

    fn author(self) -> Option<PersonId> {
        match self {
            Self::Issue(_) => None,
            Self::Pull(pull) => pull.data().author,
        }
    }

    fn comments(self) -> usize {
        match self {
            Self::Issue(_) => 0,
            Self::Pull(pull) => pull.comments().count(),
        }
    }

    fn show(self) -> Value {
        let (repo, id, node, html, title, body) = match self {
            Self::Issue(issue) => (issue.repo, issue.id(), issue.node_id(), issue.html(), &issue.data().title, None),
            Self::Pull(pull) => {
                let data = pull.data();
                let body = Some(&data.body).filter(|body| !body.is_empty());
                (pull.repo, pull.id() + 500_000_000, pull.node_id(), pull.html(), &data.title, body)
            }
        };
        let url = format!("{}/issues/{}", repo.api(), self.number());
        let closed = self.closed_at();
        let reason = closed.filter(|_| matches!(self, Self::Issue(_))).map(|_| "completed");
        let labels: Vec<_> = self.labels().into_iter().map(|name| shapes::label(repo, name)).collect();
        let mut object = json!({
            "url": url, "repository_url": repo.api(), "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"), "html_url": html, "id": id,
            "node_id": node, "number": self.number(), "title": title,
            "user": shapes::user_or_ghost(repo.world, self.author()), "labels": labels,
            "state": if closed.is_some() { "closed" } else { "open" }, "locked": false, "assignee": null,
            "assignees": [], "milestone": null, "comments": self.comments(), "created_at": stamp(self.created_at()),
            "updated_at": stamp(self.updated_at()), "closed_at": closed.map(stamp),
            "author_association": shapes::association(repo.world, self.author()), "active_lock_reason": null,
            "body": body, "closed_by": null, "timeline_url": format!("{url}/timeline"),
            "performed_via_github_app": null, "state_reason": reason,
        });
        if let Self::Pull(pull) = self {
            object["draft"] = json!(pull.is_draft());
            object["pull_request"] = json!({
                "url": format!("{}/pulls/{}", repo.api(), self.number()), "html_url": html,
                "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
                "merged_at": pull.merged_at().map(stamp),
            });
        }
        object
    }
}

/// Issues, one of them, or its comments.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let find = |number: &str| {
        let number = number.parse().map_err(|_| Refusal::not_found())?;
        let issue = repo.issue(number).map(Entry::Issue);
        issue.or_else(|| repo.pull(number).map(Entry::Pull)).ok_or_else(Refusal::not_found)
    };
    match rest {
        ["issues"] => list(call, repo),
        ["issues", number] => Ok(Reply::json(find(number)?.show())),
        ["issues", number, "comments"] => {
            let since = call.instant("since")?;
            let comments: Vec<_> = match find(number)? {
                Entry::Issue(_) => Vec::new(),
                Entry::Pull(pull) => pull
                    .comments()
                    .filter(|comment| since.is_none_or(|since| comment.data().created_at >= since))
                    .map(comment)
                    .collect(),
            };
            let (page, link) = call.cut(Some(repo), comments, 100, usize::MAX);
            Ok(Reply::json(Value::Array(page)).linked(link))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn comment(comment: super::super::views::Comment<'_>) -> Value {
    let (pull, data, id) = (comment.pull, comment.data(), comment.id());
    json!({
        "url": format!("{}/issues/comments/{id}", pull.repo.api()), "id": id, "node_id": comment.node_id(),
        "html_url": format!("{}#issuecomment-{id}", pull.html()),
        "issue_url": format!("{}/issues/{}", pull.repo.api(), pull.data().number), "body": data.body,
        "user": shapes::user_or_ghost(pull.repo.world, data.author), "created_at": stamp(data.created_at),
        "updated_at": stamp(data.created_at), "performed_via_github_app": null,
        "author_association": shapes::association(pull.repo.world, data.author),
    })
}

fn list(call: &Call, repo: Repo<'_>) -> Answer {
    let state = call.choice("Issue", "state", &["open", "closed", "all"], "open")?;
    let sort = call.choice("Issue", "sort", &["created", "updated", "comments"], "created")?;
    let direction = call.choice("Issue", "direction", &["asc", "desc"], "desc")?;
    let since = call.instant("since")?;
    let labels: Vec<_> = call.value("labels").into_iter().flat_map(|names| names.split(',')).map(str::trim).collect();
    let creator = call.value("creator");
    // The model assigns nothing, mentions nobody and plans no milestones.
    let none = |name: &str| matches!(call.value(name), None | Some("none"));
    let possible = none("assignee") && none("milestone") && call.value("mentioned").is_none();
    let login = |id| repo.world.person(id).map(rest_login).unwrap_or_default();
    let entries = repo.issues().map(Entry::Issue).chain(repo.pulls().map(Entry::Pull));
    let mut entries: Vec<_> = entries
        .filter(|_| possible)
        .filter(|entry| state == "all" || (state == "open") == entry.closed_at().is_none())
        .filter(|entry| since.is_none_or(|since| entry.updated_at() >= since))
        .filter(|entry| {
            let own = entry.labels();
            labels.iter().all(|asked| own.iter().any(|label| label.eq_ignore_ascii_case(asked)))
        })
        .filter(|entry| {
            creator.is_none_or(|asked| entry.author().is_some_and(|id| login(id).eq_ignore_ascii_case(asked)))
        })
        .collect();
    match sort {
        "created" => entries.sort_by_key(|entry| (entry.created_at(), entry.number())),
        "updated" => entries.sort_by_cached_key(|entry| (entry.updated_at(), entry.number())),
        _ => entries.sort_by_cached_key(|entry| (entry.comments(), entry.number())),
    }
    if direction == "desc" {
        entries.reverse();
    }
    let (entries, link) = call.cut(Some(repo), entries, 100, usize::MAX);
    Ok(Reply::json(entries.into_iter().map(Entry::show).collect()).linked(link))
}
