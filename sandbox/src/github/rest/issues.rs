//! Issues, among which GitHub counts pull requests.

use super::super::views::{Issue, Pull, Repo, stamp};
use super::shapes;
use super::{Answer, Call, Reply};
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

    fn is_closed(self) -> bool {
        match self {
            Self::Issue(issue) => issue.closed_at().is_some(),
            Self::Pull(pull) => pull.closed_at().is_some(),
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
        let labels: Vec<_> = self.labels().into_iter().map(|name| shapes::label(repo, name)).collect();
        let mut object = json!({
            "url": url, "repository_url": repo.api(), "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"), "html_url": html, "id": id,
            "node_id": node, "number": self.number(), "title": title,
            "user": shapes::user_or_ghost(repo.world, self.author()), "labels": labels,
            "state": "open", "locked": false, "assignee": null,
            "assignees": [], "milestone": null, "comments": self.comments(), "created_at": stamp(self.created_at()),
            "updated_at": stamp(self.updated_at()), "closed_at": null,
            "author_association": shapes::association(repo.world, self.author()), "active_lock_reason": null,
            "body": body, "closed_by": null, "timeline_url": format!("{url}/timeline"),
            "performed_via_github_app": null, "state_reason": null,
        });
        if let Self::Pull(pull) = self {
            object["draft"] = json!(pull.is_draft());
            object["pull_request"] = json!({
                "url": format!("{}/pulls/{}", repo.api(), self.number()), "html_url": html,
                "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
                "merged_at": null,
            });
        }
        object
    }
}

/// What is open, the newest first.
pub fn list(call: &Call, repo: Repo<'_>, _: &[&str]) -> Answer {
    call.only(&["per_page", "page"])?;
    let entries = repo.issues().map(Entry::Issue).chain(repo.pulls().map(Entry::Pull));
    let mut entries: Vec<_> = entries.filter(|entry| !entry.is_closed()).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse((entry.created_at(), entry.number())));
    let (entries, link) = call.cut(Some(repo), entries, 100, usize::MAX);
    Ok(Reply::json(entries.into_iter().map(Entry::show).collect()).linked(link))
}
