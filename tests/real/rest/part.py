"""REST: our collector's requests and the sandbox's answers, through a proxy that knows GitHub's published schema."""

import json
import os
import re
import tempfile
import urllib.error
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from stage import built
from stage.sandbox import NOW, Sandbox
from stage.servers import HOST, Server, free_port
from stage.verdicts import check, equal, main

MODULES = Path(os.environ["NODE_PATH"])
PUBLISHED = MODULES / "@octokit" / "openapi" / "generated" / "api.github.com.json"

# Where the published description contradicts its own text, or its own description of the same thing elsewhere.
MENDED = [
    # "Returns workflow runs created within the given date-time range": a range is no date-time.
    (("parameters", "created", "schema"), {"type": "string"}),
    # In a path a number is a text as well, so exactly one of the two cannot fit.
    (("parameters", "workflow-id", "schema"), {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    # May be null in `pull-request`, and is for a label without a description.
    (
        ("schemas", "pull-request-simple", "properties", "labels", "items", "properties", "description", "nullable"),
        True,
    ),
    # May be null in `rule-suite`: "Null if no rules with `evaluate` enforcement status were run".
    (("schemas", "rule-suites", "items", "properties", "evaluation_result", "nullable"), True),
]

# How many things of one kind are asked for, and how often the collector runs until it knows every part.
MOST, RUNS = 12, 40


def description():
    """GitHub's published description, mended."""
    published = json.loads(PUBLISHED.read_text())
    for (*way, last), value in MENDED:
        place = published["components"]
        for step in way:
            place = place[step]
        place[last] = value
    return published


class Api:
    """GitHub's API at an address."""

    def __init__(self, base, token):
        self.base, self.token = base, token

    def get(self, path, token=None, headers=None):
        """Status, headers and JSON of an answer."""
        sent = {"authorization": f"Bearer {token or self.token}", "user-agent": "vitals-tests", **(headers or {})}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.base + path, headers=sent), timeout=120)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            body = answer.read()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.headers.items()},
            json.loads(body or b"null"),
        )


def violation(answer):
    """What the proxy says against a request or an answer, if anything."""
    status, headers, body = answer
    told = isinstance(body, dict) and "stoplight.io" in str(body.get("type"))
    if told or "sl-violations" in headers:
        return f"{status} {headers.get('sl-violations', '')} {json.dumps(body)[:1500] if told else ''}"
    return None


def things(api, repo):
    """What stands for the placeholders of paths: each a set of values that belong together."""
    owner, name = repo.split("/")
    base = f"/repos/{repo}"

    def listed(path, key=None):
        status, _, body = api.get(f"{base}/{path}")
        assert status == 200, f"{path}: {status} {body}"
        return body[key] if key else body

    def kinds(items, *keys):
        """One of each kind."""
        return list({tuple(str(item.get(key)) for key in keys): item for item in items}.values())[:MOST]

    found = [{"owner": owner, "repo": name, "org": owner}]
    runs = [run for page in (1, 2, 3) for run in listed(f"actions/runs?per_page=100&page={page}", "workflow_runs")]
    for run in kinds(runs, "status", "conclusion", "event"):
        found.append({"run_id": run["id"]})
    for run in [run for run in runs if run["run_attempt"] > 1][:3]:
        found += [{"run_id": run["id"], "attempt_number": attempt + 1} for attempt in range(run["run_attempt"])]
    for workflow in kinds(listed("actions/workflows", "workflows"), "state", "name"):
        found += [{"workflow_id": workflow["id"]}, {"workflow_id": workflow["path"].split("/")[-1]}]
    commits = [commit["sha"] for commit in listed("commits?per_page=100")]
    found += [{"ref": sha, "commit_sha": sha} for sha in commits[:MOST]]
    new, middle, old = commits[0], commits[len(commits) // 2], commits[-1]
    pairs = [(old, new), (middle, new), (new, middle), (new, new)]
    found += [{"basehead": f"{first}...{second}"} for first, second in pairs]
    pulls = listed("pulls?per_page=100")
    found += [{"pull_number": pull["number"]} for pull in kinds(pulls, "draft", "user")]
    heads = [pull["head"]["ref"] for pull in pulls if pull["head"]["repo"]["full_name"] == repo]
    found += [{"branch": branch} for branch in [pulls[0]["base"]["ref"], *heads[:MOST]]]
    return found


def filled(path, found):
    """The path with each set of values that has all its placeholders."""
    names = set(re.findall(r"{(\w+)}", path))
    always = found[0]
    own = (
        [values for values in found if names - set(always) == set(values) - set(always)]
        if names - set(always)
        else [always]
    )
    if "ref" in names or "commit_sha" in names:
        own = [values for values in found if "ref" in values]
    return [re.sub(r"{(\w+)}", lambda name: quote(str({**always, **one}[name[1]]), safe="."), path) for one in own]


def variants(repo, found):
    """Requests with the parameters that clients use."""
    sha = next(values["ref"] for values in found if "ref" in values)
    workflow = next(values["workflow_id"] for values in found if "workflow_id" in values)
    run = next(values["run_id"] for values in found if "run_id" in values)
    week = "2026-01-01T12:00:00Z..2026-01-08T12:00:00Z"
    lists = [
        f"actions/runs?created={quote(week)}&per_page=100",
        f"actions/runs?created={quote('>=2026-01-07')}&per_page=5&page=2",
        "actions/runs?status=success&per_page=10",
        "actions/runs?status=in_progress",
        "actions/runs?branch=main&exclude_pull_requests=true",
        "actions/runs?per_page=100&page=11",
        "actions/runs?per_page=100&page=1000",
        f"actions/workflows/{workflow}/runs?branch=main&status=completed&per_page=20",
        f"actions/runs/{run}/jobs?filter=all&per_page=100",
        "activity?ref=refs/heads/main&activity_type=force_push&time_period=week",
        "activity?per_page=10",
        "rulesets/rule-suites?ref=refs/heads/main&time_period=week&rule_suite_result=bypass",
        "commits?since=2026-01-05T00:00:00Z&per_page=100",
        "commits?per_page=3&page=2",
        f"commits/{sha}?per_page=100&page=1",
        "pulls?per_page=1",
        "issues?per_page=1",
        "deployments?per_page=1",
    ]
    return [f"/repos/{repo}/{path}" for path in lists]


def served(sandbox, published, found):
    """Every published path that is answered, filled in."""
    paths = {path: filled(path, found) for path, methods in published["paths"].items() if "get" in methods}
    return {path: asked for path, asked in paths.items() if asked and sandbox.get(asked[0])[0] == 200}


def answers(proxy, sandbox, published, repo):
    """Everything the sandbox serves, asked through the proxy."""
    found = things(sandbox, repo)
    routes = served(sandbox, published, found)
    check(f"{len(routes)} published routes are served", len(routes) >= 20, sorted(routes))
    for path, asked in sorted(routes.items()):
        wrong = [f"{url}: {problem}" for url in asked[:MOST] if (problem := violation(proxy.get(url)))]
        check(f"GET {path} is true to GitHub's schema ({len(asked[:MOST])} answers)", not wrong, "\n".join(wrong[:3]))
    for url in variants(repo, found):
        answer = proxy.get(url)
        check(
            f"GET {url.split('/', 4)[-1][:90]}",
            violation(answer) is None and answer[0] == 200,
            violation(answer) or answer,
        )


def refusals(proxy, sandbox, repo):
    """Errors: through the proxy where the schema names their status, else by their documented form."""
    check(
        "404 for a repository that is gone",
        violation(proxy.get("/repos/acme/gone")) is None and proxy.get("/repos/acme/gone")[0] == 404,
    )
    run = f"/repos/{repo}/actions/runs"
    for sentence, path, token, wanted in [
        ("a run that is not there", f"{run}/1", None, 404),
        ("a token that is not known", f"/repos/{repo}", "ghp_unknown", 401),
        ("a kind that does not exist", f"/repos/{repo}/activity?activity_type=half", None, 422),
    ]:
        status, _, body = sandbox.get(path, token)
        texts = all(isinstance(body.get(key), str) for key in ("message", "documentation_url", "status"))
        check(
            f"{wanted} for {sentence} has GitHub's form",
            status == wanted and texts and body["status"] == str(wanted),
            (status, body),
        )
    status, headers, _ = sandbox.get(f"/repos/{repo}")
    again = sandbox.get(f"/repos/{repo}", headers={"if-none-match": headers["etag"]})
    equal("304 for an answer that is known", (again[0], again[2]), (304, None))
    for name in ("limit", "remaining", "reset", "used", "resource"):
        check(f"x-ratelimit-{name} is in every answer", f"x-ratelimit-{name}" in headers, headers)


def collector(prism, proxy, sandbox, folder):
    """The real collector with the proxy in GitHub's place."""
    own = {
        # The smaller repository: details are asked for a few at a time, and this is to see every part read to its end.
        "GITHUB_REPOS": sandbox.settings["GITHUB_REPOS"].split(",")[-1],
        "GITHUB_URL": proxy.base,
        "GITHUB_GRAPHQL_URL": f"{sandbox.settings['GITHUB_URL']}/graphql",
        "GITHUB_FORCE_SOURCES": "activity,labels,rule_suites",
        "GITHUB_QUEUE_TIME": "on",
        "GITHUB_RUNNERS": "on",
        "GITHUB_DEPLOYS": "environment:production",
    }
    key = (built.ROOT / "sandbox/src/github/app_key.pem").read_text()
    app = {"GITHUB_TOKEN": None, "GITHUB_APP_ID": 7, "GITHUB_APP_KEY": key, "GITHUB_APP_INSTALLATION": 70}
    before = len(prism.output())
    with tempfile.TemporaryDirectory() as other:
        run = sandbox.collect(other, NOW, **own, **app)
    known = run.report is not None and run.report["samples"] and "pulls" not in str(run.gaps())
    check("an app that signs with its key reads the repository", known, run.said)
    at = datetime.fromisoformat(NOW.replace("Z", "+00:00"))
    for number in range(1, RUNS + 1):
        run = sandbox.collect(folder, at.strftime("%Y-%m-%dT%H:%M:%SZ"), **own)
        if run.report is None or run.report["up"]:
            break
        # A quarter of an hour later, as on a schedule, or an hour's quota would have to last for all of them.
        at += timedelta(minutes=15)
        sandbox.advance(900)
    known = run.report is not None and run.report["up"]
    check(f"the collector knows every part after {number} runs", known, run.gaps() or run.said)
    log = re.sub(r"\x1b\[[0-9;]*m", "", prism.output()[before:])
    asked = len(re.findall(r"Request received", log))
    wrong = [
        line
        for line in log.splitlines()
        if "violation" in line.lower() or "did not pass" in line.lower() or "error" in line.lower()
    ]
    check(
        f"none of the collector's {asked} REST requests and none of their answers is refused",
        asked >= 10 and not wrong,
        "\n".join(wrong[:10]),
    )


def part():
    """Starts the sandbox with the proxy before it, and asks."""
    published = description()
    with Sandbox("--at", NOW) as sandbox, tempfile.TemporaryDirectory() as folder:
        (file := Path(folder) / "github.json").write_text(json.dumps(published))
        direct = Api(sandbox.settings["GITHUB_URL"], sandbox.settings["GITHUB_TOKEN"])
        port = free_port()
        command = ["node", MODULES / ".bin" / "prism", "proxy", file, direct.base, "--errors", "-h", HOST, "-p", port]
        with Server("prism", command) as prism:
            prism.wait(lambda: "Prism is listening" in prism.output(), 120)
            proxy = Api(f"http://{HOST}:{port}", direct.token)
            repos = sandbox.settings["GITHUB_REPOS"].split(",")
            repo = next(repo for repo in repos if direct.get(f"/repos/{repo}/commits")[0] == 200)
            answer = proxy.get(f"/repos/{repo}/actions/runs?per_page=many")
            check(
                "the proxy refuses a request that GitHub's schema does not allow",
                violation(answer) is not None,
                answer[0],
            )
            answers(proxy, direct, published, repo)
            refusals(proxy, direct, repo)
            collector(prism, proxy, sandbox, folder)


main(part)
