//! GitHub Actions: workflows, their runs, attempts and jobs.

use super::super::views::{Repo, stamp};
use super::range::range;
use super::shapes;
use super::{Answer, Call, Refusal, Reply};
use crate::github::ids::{Kind, node_id, number_of_name};
use crate::model::github as model;
use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A filtered listing can be paged no further than this.
const REACH: usize = 1000;

#[derive(Clone, Copy)]
struct Run<'w> {
    repo: Repo<'w>,
    data: &'w model::Run,
}

struct Stage {
    status: &'static str,
    conclusion: Option<&'static str>,
    changed: Timestamp,
}

impl<'w> Run<'w> {
    fn find(repo: Repo<'w>, id: &str) -> Option<Self> {
        let at = *repo.world.index.repositories[repo.at].runs.get(&id.parse().ok()?)?;
        let data = &repo.data().runs[at];
        repo.world.past(data.created_at).then_some(Self { repo, data })
    }

    /// Attempts begun by now, counted from one.
    fn attempts(self) -> impl DoubleEndedIterator<Item = (usize, &'w model::Attempt)> {
        let attempts = self.data.attempts.iter().enumerate();
        attempts.filter(move |found| self.repo.world.past(found.1.started_at)).map(|(at, attempt)| (at + 1, attempt))
    }

    fn latest(self) -> Option<(usize, &'w model::Attempt)> {
        self.attempts().next_back()
    }

    fn stage(self, attempt: Option<&model::Attempt>) -> Stage {
        let world = self.repo.world;
        let queued = |changed| Stage { status: "queued", conclusion: None, changed };
        let Some(attempt) = attempt else {
            return queued(self.data.created_at);
        };
        match attempt.completed_at {
            Some(end) if world.past(end) => {
                Stage { status: "completed", conclusion: Some(attempt.conclusion), changed: end }
            }
            _ if world.past(attempt.running_at) => {
                Stage { status: "in_progress", conclusion: None, changed: attempt.running_at }
            }
            _ => queued(attempt.started_at),
        }
    }

    fn url(self) -> String {
        format!("{}/actions/runs/{}", self.repo.api(), self.data.id)
    }

    fn suite(self) -> u64 {
        self.data.id + 10_000_000_000
    }

    fn pulls(self) -> Vec<Value> {
        let index = &self.repo.world.index.repositories[self.repo.at];
        let at = index.heads.get(&self.data.head_branch).filter(|_| !self.data.from_fork);
        let pull = at.and_then(|at| self.repo.pull(self.repo.data().pulls[*at].number));
        let open = pull.filter(|pull| pull.state() == "OPEN");
        let repo = json!({ "id": self.repo.id(), "url": self.repo.api(), "name": self.repo.data().name });
        let told = open.map(|pull| {
            let base = pull.repo.resolve(&pull.data().base).map(|commit| commit.sha);
            json!({
                "id": pull.id(), "number": pull.data().number,
                "url": format!("{}/pulls/{}", self.repo.api(), pull.data().number),
                "head": { "ref": pull.data().head, "sha": self.data.head_sha, "repo": repo },
                "base": { "ref": pull.data().base, "sha": base.unwrap_or_default(), "repo": repo },
            })
        });
        told.into_iter().collect()
    }

    fn head_commit(self) -> Value {
        let person = self.repo.world.person(self.data.actor);
        let name = person.map_or("ghost", |person| person.name.as_str());
        let email = person.and_then(|person| person.emails.first()).map_or("", String::as_str);
        let commit = self.repo.commit(&self.data.head_sha);
        let (name, email) =
            commit.as_ref().map_or((name.to_owned(), email.to_owned()), super::super::views::Commit::signature);
        let person = json!({ "name": name, "email": email });
        json!({
            "id": self.data.head_sha, "tree_id": shapes::tree_sha(&self.data.head_sha),
            "message": commit.as_ref().map_or_else(|| self.data.head_branch.clone(), super::super::views::Commit::message),
            "timestamp": stamp(commit.map_or(self.data.created_at, |commit| commit.committed_at())),
            "author": person, "committer": person,
        })
    }

    fn show(self, number: usize, attempt: Option<&model::Attempt>, exclude_pulls: bool) -> Value {
        let (repo, data) = (self.repo, self.data);
        let stage = self.stage(attempt);
        let workflow = repo.data().workflows.iter().find(|workflow| workflow.id == data.workflow);
        let url = self.url();
        let head_commit = self.head_commit();
        let title = head_commit["message"].as_str().and_then(|message| message.lines().next()).unwrap_or_default();
        let title = title.to_owned();
        let started = attempt.map_or(data.created_at, |attempt| attempt.started_at);
        let previous = (number > 1).then(|| format!("{url}/attempts/{}", number - 1));
        let suite = format!("{}/check-suites/{}", repo.api(), self.suite());
        let actor = shapes::user(repo.world, data.actor);
        let home = shapes::minimal_repository(repo);
        let head = if data.from_fork { shapes::fork(repo, Some(data.actor)) } else { home.clone() };
        let mut object = json!({
            "id": data.id, "name": workflow.map(|workflow| workflow.name.as_str()),
            "node_id": node_id(Kind::Run, &[repo.id(), data.id], ""), "check_suite_id": self.suite(),
            "check_suite_node_id": node_id(Kind::CheckSuite, &[repo.id(), self.suite()], ""),
            "head_branch": data.head_branch, "head_sha": data.head_sha, "run_number": data.run_number,
            "event": data.event, "display_title": title, "status": stage.status, "conclusion": stage.conclusion,
            "path": workflow.map_or("", |workflow| workflow.path.as_str()), "workflow_id": data.workflow,
            "url": url, "html_url": format!("{}/actions/runs/{}", repo.html(), data.id),
            "pull_requests": if exclude_pulls { Vec::new() } else { self.pulls() },
        });
        shapes::extend(
            &mut object,
            json!({
                "created_at": stamp(data.created_at), "updated_at": stamp(stage.changed), "run_attempt": number,
                "run_started_at": stamp(started), "actor": actor, "triggering_actor": actor, "referenced_workflows": [],
                "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"), "check_suite_url": suite,
                "artifacts_url": format!("{url}/artifacts"), "cancel_url": format!("{url}/cancel"),
                "rerun_url": format!("{url}/rerun"), "previous_attempt_url": previous,
                "workflow_url": format!("{}/actions/workflows/{}", repo.api(), data.workflow),
                "head_commit": head_commit, "repository": home, "head_repository": head,
            }),
        );
        object
    }

    fn jobs(self, number: usize, attempt: &'w model::Attempt) -> impl Iterator<Item = (usize, &'w model::Job)> {
        let jobs = attempt.jobs.iter().filter(move |job| self.repo.world.past(job.created_at));
        jobs.map(move |job| (number, job))
    }

    fn job(self, number: usize, job: &model::Job) -> Value {
        let (repo, data) = (self.repo, self.data);
        let past = |at: &Timestamp| repo.world.past(*at);
        let (started, completed) = (job.started_at.filter(past), job.completed_at.filter(past));
        let status = match (started, completed) {
            (_, Some(_)) => "completed",
            (Some(_), None) => "in_progress",
            (None, None) => "queued",
        };
        // https://docs.github.com/rest/actions/workflow-jobs: a job knows fewer conclusions than a run.
        let conclusion = completed.map(|_| match job.conclusion {
            "startup_failure" => "failure",
            "stale" => "cancelled",
            other => other,
        });
        let workflow = repo.data().workflows.iter().find(|workflow| workflow.id == data.workflow);
        let runner = job.runner.as_deref().filter(|_| started.is_some());
        let own = runner.and_then(|name| repo.data().runners.iter().find(|known| known.name == name));
        let group = runner.map(|_| if own.is_some() { (1, "Default") } else { (0, "GitHub Actions") });
        json!({
            "id": job.id, "run_id": data.id, "workflow_name": workflow.map(|workflow| workflow.name.as_str()),
            "head_branch": data.head_branch, "run_url": self.url(), "run_attempt": number,
            "node_id": node_id(Kind::Job, &[repo.id(), job.id], ""), "head_sha": data.head_sha,
            "url": format!("{}/actions/jobs/{}", repo.api(), job.id),
            "html_url": format!("{}/actions/runs/{}/job/{}", repo.html(), data.id, job.id), "status": status,
            "conclusion": conclusion, "created_at": stamp(job.created_at),
            "started_at": stamp(started.unwrap_or(job.created_at)), "completed_at": completed.map(stamp),
            "name": job.name, "steps": [], "check_run_url": format!("{}/check-runs/{}", repo.api(), job.id),
            "labels": job.labels, "runner_id": runner.map(|name| own.map_or_else(|| number_of_name(name), |own| own.id)),
            "runner_name": runner, "runner_group_id": group.map(|group| group.0),
            "runner_group_name": group.map(|group| group.1),
        })
    }
}

/// Runs, one run, its attempts and jobs.
pub fn route(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let run = |id: &str| Run::find(repo, id).ok_or_else(Refusal::not_found);
    let bare = call.value("exclude_pull_requests") == Some("true");
    match rest {
        ["actions", "runs"] => list(call, repo, None),
        ["actions", "runs", id] => {
            let run = run(id)?;
            let latest = run.latest();
            Ok(Reply::json(run.show(latest.map_or(1, |latest| latest.0), latest.map(|latest| latest.1), bare)))
        }
        ["actions", "runs", id, "jobs"] => {
            let run = run(id)?;
            let all = call.choice("WorkflowJob", "filter", &["latest", "all"], "latest")? == "all";
            let attempts = run.attempts().rev().take(if all { usize::MAX } else { 1 });
            let jobs = attempts.flat_map(|(number, attempt)| run.jobs(number, attempt)).collect();
            Ok(jobs_page(call, run, jobs))
        }
        ["actions", "runs", id, "attempts", number] => {
            let run = run(id)?;
            let attempt = run.attempts().find(|attempt| attempt.0.to_string() == **number);
            let (number, attempt) = attempt.ok_or_else(Refusal::not_found)?;
            Ok(Reply::json(run.show(number, Some(attempt), bare)))
        }
        _ => Err(Refusal::not_found()),
    }
}

fn jobs_page(call: &Call, run: Run<'_>, jobs: Vec<(usize, &model::Job)>) -> Reply {
    let total = jobs.len();
    let (jobs, link) = call.cut(Some(run.repo), jobs, 100, usize::MAX);
    let jobs: Vec<_> = jobs.into_iter().map(|(number, job)| run.job(number, job)).collect();
    Reply::json(json!({ "total_count": total, "jobs": jobs })).linked(link)
}

fn list(call: &Call, repo: Repo<'_>, workflow: Option<u64>) -> Answer {
    call.only(&["created", "branch", "status", "exclude_pull_requests", "per_page", "page"])?;
    let range = call.value("created").map(|text| range(text).ok_or_else(|| bad_range(text))).transpose()?;
    let (branch, status) = (call.value("branch"), call.value("status"));
    let filtered = range.is_some() || branch.is_some() || status.is_some();
    let data = &repo.data().runs;
    let begun = data.partition_point(|run| run.created_at <= repo.world.now);
    let mut runs: Vec<_> = data[..begun].iter().rev().map(|data| Run { repo, data }).collect();
    runs.retain(|run| {
        let known = run.data;
        workflow.is_none_or(|id| known.workflow == id)
            && range.is_none_or(|(from, to)| (from..to).contains(&known.created_at.as_second()))
            && branch.is_none_or(|branch| known.head_branch == branch)
            && status.is_none_or(|status| {
                let stage = run.stage(run.latest().map(|latest| latest.1));
                stage.status == status || stage.conclusion == Some(status)
            })
    });
    let total = runs.len();
    let bare = call.value("exclude_pull_requests") == Some("true");
    let (runs, link) = call.cut(Some(repo), runs, 100, if filtered { REACH } else { usize::MAX });
    let shown: Vec<_> = runs
        .into_iter()
        .map(|run| run.show(run.latest().map_or(1, |latest| latest.0), run.latest().map(|latest| latest.1), bare))
        .collect();
    Ok(Reply::json(json!({ "total_count": total, "workflow_runs": shown })).linked(link))
}

fn bad_range(text: &str) -> Refusal {
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, &format!("Invalid value for parameter `created`: {text}"))
}

/// Workflows, one workflow, its runs.
pub fn workflows(call: &Call, repo: Repo<'_>, rest: &[&str]) -> Answer {
    let mut known = repo.data().workflows.iter().filter(|workflow| repo.world.past(workflow.created_at));
    match rest {
        ["actions", "workflows"] => {
            let all: Vec<_> = known.collect();
            let total = all.len();
            let (page, link) = call.cut(Some(repo), all, 100, usize::MAX);
            let page: Vec<_> = page.into_iter().map(|workflow| workflow_of(repo, workflow)).collect();
            Ok(Reply::json(json!({ "total_count": total, "workflows": page })).linked(link))
        }
        ["actions", "workflows", name, tail @ ..] => {
            let file = format!("/{name}");
            let found = known.find(|workflow| workflow.id.to_string() == **name || workflow.path.ends_with(&file));
            let workflow = found.ok_or_else(Refusal::not_found)?;
            match tail {
                [] => Ok(Reply::json(workflow_of(repo, workflow))),
                ["runs"] => list(call, repo, Some(workflow.id)),
                _ => Err(Refusal::not_found()),
            }
        }
        _ => Err(Refusal::not_found()),
    }
}

fn workflow_of(repo: Repo<'_>, workflow: &model::Workflow) -> Value {
    let file = workflow.path.rsplit('/').next().unwrap_or_default();
    json!({
        "id": workflow.id, "node_id": node_id(Kind::Workflow, &[repo.id(), workflow.id], ""), "name": workflow.name,
        "path": workflow.path, "state": workflow.state, "created_at": stamp(workflow.created_at),
        "updated_at": stamp(workflow.created_at),
        "url": format!("{}/actions/workflows/{}", repo.api(), workflow.id),
        "html_url": format!("{}/blob/{}/{}", repo.html(), repo.data().default_branch, workflow.path),
        "badge_url": format!("{}/actions/workflows/{file}/badge.svg", repo.html()),
    })
}
