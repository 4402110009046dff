"""Asana's own client for Python reads the sandbox and counts by itself what the collector says."""

import json
import re
import subprocess
import tempfile
import time
from datetime import date, datetime, timedelta

import asana
from asana.rest import ApiException

from stage.built import program
from stage.sandbox import NOW, Sandbox
from stage.verdicts import check, equal, main, verdict

AT = datetime.fromisoformat(NOW.replace("Z", "+00:00"))
WEEK, MONTH = AT - timedelta(days=7), AT - timedelta(days=30)
TASK = "created_at,completed,completed_at,due_on,due_at,assignee.gid,memberships.project.gid"
BUG = f"{TASK},memberships.section.name,tags.name,custom_fields.enum_value.name"
PROJECT = "name,completed,current_status_update.status_type,current_status_update.created_at"


def instant(text):
    """An instant as Asana writes it, or nothing."""
    return text and datetime.fromisoformat(text.replace("Z", "+00:00"))


def hours(start, end):
    """The hours between two instants."""
    return (end - start).total_seconds() / 3600


def homes(task):
    """The projects that a task is in."""
    return {place["project"]["gid"] for place in task["memberships"]}


class Workspace:
    """A workspace as the official client sees it."""

    def __init__(self, settings, token=None, **more):
        configuration = asana.Configuration()
        configuration.host = f"{settings['ASANA_URL']}/api/1.0"
        configuration.access_token = token or settings["ASANA_TOKEN"]
        for name, value in more.items():
            setattr(configuration, name, value)
        self.client = asana.ApiClient(configuration)
        self.gid = settings["ASANA_WORKSPACES"].split(",")[0].split("=")[1]
        self.bugs_gid = settings["ASANA_BUGS_PROJECTS"].split("=")[1]

    def me(self):
        """Whose the token is."""
        return asana.UsersApi(self.client).get_user("me", {"opt_fields": "workspaces.gid"})

    def projects(self, archived=False):
        """Projects, page by page."""
        asked = {"workspace": self.gid, "archived": archived, "opt_fields": PROJECT}
        return list(asana.ProjectsApi(self.client).get_projects(asked))

    def listed(self, project, fields=TASK, **more):
        """The tasks of a project, page by page."""
        asked = {"project": project, "completed_since": MONTH, "opt_fields": fields, **more}
        return list(asana.TasksApi(self.client).get_tasks(asked))

    def found(self, **more):
        """What search finds: a hundred at a time, by the time of creation."""
        tasks, after = {}, None
        while True:
            asked = {"sort_by": "created_at", "sort_ascending": True, "limit": 100, "opt_fields": TASK, **more}
            if after:
                asked["created_at.after"] = after - timedelta(milliseconds=1)
            page = list(asana.TasksApi(self.client).search_tasks_for_workspace(self.gid, asked))
            tasks.update((task["gid"], task) for task in page)
            if len(page) < 100:
                return tasks
            after = instant(page[-1]["created_at"])


def refusal(call):
    """Status and first error of a call that is refused."""
    try:
        call()
    except ApiException as error:
        return error.status, json.loads(error.body)["errors"][0]
    return None, {}


def rows_of_projects(active):
    """The rows of projects."""
    said = [(project["current_status_update"] or {}).get("status_type") for project in active]
    rows = {f"asana.projects.{word}": said.count(word) for word in ("on_track", "at_risk", "off_track")}
    return {"asana.projects.active": len(active), **rows}


def is_overdue(task):
    """Whether a task's due time, or else its due date, has passed."""
    if task["due_at"]:
        return instant(task["due_at"]) < AT
    return task["due_on"] is not None and date.fromisoformat(task["due_on"]) < AT.date()


def rows_of_tasks(tasks):
    """Some rows of tasks."""
    done = [(task, instant(task["completed_at"])) for task in tasks if task["completed"]]
    month = [(task, end) for task, end in done if MONTH <= end < AT]
    week = [(task, end) for task, end in month if end >= WEEK]
    unfinished = [task for task in tasks if not task["completed"]]
    lasted = [hours(instant(task["created_at"]), end) for task, end in week]
    return {
        "asana.tasks.total": len(unfinished) + len(month),
        "asana.tasks.open": len(unfinished),
        "asana.tasks.completed_7d": len(week),
        "asana.tasks.completed_30d": len(month),
        "asana.tasks.overdue": sum(is_overdue(task) for task in unfinished),
        "asana.tasks.no_due_date": sum(task["due_on"] is None and task["due_at"] is None for task in unfinished),
        "asana.tasks.unassigned": sum(task["assignee"] is None for task in unfinished),
        "asana.users.active_7d": len({task["assignee"]["gid"] for task, _ in week if task["assignee"]}),
        "asana.cycle_time.avg_hours": sum(lasted) / len(lasted),
    }


def rows_of_bugs(bugs, project):
    """Some rows of a project of bugs."""
    unfinished = [bug for bug in bugs if not bug["completed"]]
    kinds = {"triage": 0, "active": 0, "backlog": 0, "other": 0}
    for bug in unfinished:
        sections = {place["project"]["gid"]: place["section"]["name"].lower() for place in bug["memberships"]}
        kinds[next((kind for kind in kinds if kind in sections[project]), "other")] += 1
    ages = [hours(instant(bug["created_at"]), AT) / 24 for bug in unfinished]
    chosen = [
        [tag["name"] for tag in bug["tags"]]
        + [field["enum_value"]["name"] for field in bug["custom_fields"] if field.get("enum_value")]
        for bug in unfinished
    ]
    rows = {f"{kind}_count": number for kind, number in kinds.items()}
    rows |= {"total_open": len(unfinished), "avg_age_days": sum(ages) / len(ages), "oldest_bug_days": max(ages)}
    rows["created_7d"] = sum(WEEK <= instant(bug["created_at"]) < AT for bug in bugs)
    rows["open_by_label"] = sum(any(name.lower() == "training" for name in names) for names in chosen)
    return {f"asana.projects.bugs.{name}": value for name, value in rows.items()}


def collected(sandbox, **more):
    """What the collector says, by the names of its rows; rows by section are left out."""
    with tempfile.TemporaryDirectory() as state:
        command = [program("vitals"), "collect", "asana", "--at", NOW, "--format", "lines"]
        env = sandbox.environment(state, VITALS_CLOCK=NOW, ASANA_BUDGET=1400, **more)
        done = subprocess.run(command, env=env, cwd=state, capture_output=True, text=True, check=False, timeout=240)
    found = re.findall(r"^(asana\.[a-z0-9_.]+)\{(?![^}]*section:)[^}]*\} (\S+)$", done.stdout, re.MULTILINE)
    good = done.returncode == 0 and found
    check(f"the collector runs with {more or 'its defaults'}", good, done.stdout[-500:] + done.stderr)
    return {name: float(value) for name, value in found}


def agree(sentence, wanted, said):
    """One verdict on rows that were counted twice."""
    differ = {
        name: (said.get(name), value)
        for name, value in wanted.items()
        if abs(said.get(name, float("inf")) - value) > 1e-9 * max(1, abs(value))
    }
    check(f"{sentence}: {len(wanted)} rows", wanted and not differ, f"said and counted: {differ}")


def errors(sandbox, workspace):
    """Refusals in the words of Asana."""
    settings = sandbox.settings
    status, error = refusal(Workspace(settings, token="2/unknown").me)
    equal("an unknown token is a 401", (status, error.get("message"), "help" in error), (401, "Not Authorized", True))
    status, error = refusal(lambda: workspace.listed("12"))
    equal("a project that is gone is a 404", (status, error.get("message")), (404, "project: Unknown object: 12"))
    status, error = refusal(lambda: workspace.listed(workspace.bugs_gid, limit=101))
    equal("a page of 101 is a 400", status, 400)
    status, error = refusal(lambda: workspace.listed(workspace.bugs_gid, limit=10, offset="eyJ0eXAiOiJKV1QifQ"))
    equal("a made-up offset is a 400", (status, "pagination token" in error.get("message", "")), (400, True))
    status, error = refusal(lambda: workspace.found(completed=False))
    equal("a search in a domain that does not pay is a 402", status, 402)
    hasty = Workspace(settings, retry_strategy=False)
    for code, members in ((500, ["message", "phrase"]), (403, ["help", "message"]), (429, ["message"])):
        sandbox.control("faults", upstream="asana", status=code, times=1, retry_after=1 if code == 429 else None)
        status, error = refusal(hasty.me)
        equal(f"an injected {code} has Asana's body", (status, sorted(error)), (code, members))
    sandbox.control("faults", upstream="asana", status=429, times=1, retry_after=1)
    started = time.monotonic()
    with verdict("the client waits as long as a 429 asks for, and is answered then"):
        assert workspace.me()["workspaces"] and time.monotonic() - started >= 1


def lists_and_search(workspace, active):
    """The tasks of the active projects, which search finds as well."""
    gids = {project["gid"] for project in active}
    listed = {task["gid"]: task for project in active for task in workspace.listed(project["gid"])}
    past = {"completed": True, "completed_at.after": MONTH - timedelta(milliseconds=1)}
    found = {**workspace.found(completed=False), **workspace.found(**past)}
    found = {gid: task for gid, task in found.items() if gids & homes(task)}
    same = listed == found and len(found) > 1000
    check("search finds what the lists tell", same, f"{len(listed)} and {len(found)}")
    return list(listed.values())


def part():
    """Lists and search of a domain as the official client reads them, against the rows of the collector."""
    with Sandbox("--at", NOW) as sandbox:
        workspace = Workspace(sandbox.settings)
        errors(sandbox, workspace)
        sandbox.control("asana", pays=True)
        projects, archived = workspace.projects(), workspace.projects(archived=True)
        gids = {project["gid"] for project in projects}
        check("projects come in several pages, each once", 100 < len(gids) == len(projects), len(projects))
        everything = asana.ProjectsApi(workspace.client).get_projects({"workspace": workspace.gid})
        equal("archived=False and archived=True are all there are", len(projects + archived), len(list(everything)))
        active = [project for project in projects if not project["completed"]]
        tasks = lists_and_search(workspace, active)
        bugs = workspace.listed(workspace.bugs_gid, BUG)
        check("bugs come in several pages, each once", 100 < len({bug["gid"] for bug in bugs}) == len(bugs), len(bugs))
        changed = workspace.listed(workspace.bugs_gid, modified_since=AT - timedelta(hours=6))
        check("modified_since tells of some of them", 0 < len(changed) < len(bugs) / 2, (len(changed), len(bugs)))
        counted = {**rows_of_projects(active), **rows_of_tasks(tasks)}
        for settings in ({}, {"ASANA_SEARCH": "on"}):
            said = collected(sandbox, **settings)
            agree("projects and tasks agree with the collector", counted, said)
            agree("bugs agree with the collector", rows_of_bugs(bugs, workspace.bugs_gid), said)


main(part)
