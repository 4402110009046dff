"""Lambda, played by cargo-lambda: our function is built, started and invoked as its documentation says."""

import json
import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

from stage.built import ROOT, TARGET, program
from stage.sandbox import Sandbox
from stage.servers import HOST, Server, free_port
from stage.verdicts import check, equal, main

EVENT = ROOT / "events" / "schedule.json"


def series(sandbox, metric):
    """The points of a metric that the sandbox's Datadog holds, by its tags."""
    now = int(time.time())
    query = quote(f"avg:{metric}{{*}} by {{repo}}")
    keys = {"dd-api-key": sandbox.settings["DD_API_KEY"], "dd-application-key": sandbox.settings["DD_APP_KEY"]}
    url = f"{sandbox.settings['DATADOG_URL']}/api/v1/query?from={now - 3600}&to={now + 60}&query={query}"
    with urllib.request.urlopen(urllib.request.Request(url, headers=keys), timeout=30) as answer:
        return {one["scope"]: one["pointlist"] for one in json.load(answer)["series"]}


def invocation(sandbox, folder):
    """`cargo lambda watch`, and `cargo lambda invoke` with the event of this repository."""
    port = free_port()
    own = {"AWS_REGION": "eu-west-1", "CARGO_TARGET_DIR": TARGET, "PATH": os.environ["PATH"]}
    env = {**os.environ, **sandbox.environment(folder, **own)}
    watch = [
        "cargo",
        "lambda",
        "watch",
        "--package",
        "github",
        "--locked",
        "--ignore-changes",
        "--invoke-address",
        HOST,
        "--invoke-port",
        port,
    ]
    with Server("watch", watch, env=env, cwd=ROOT) as server:
        # A request would already be an invocation.
        server.listens(port)
        invoke = [
            "cargo",
            "lambda",
            "invoke",
            "github",
            "--data-file",
            str(EVENT),
            "--invoke-address",
            HOST,
            "--invoke-port",
            str(port),
        ]
        before = int(time.time())
        # The first call waits until cargo has built the function.
        done = subprocess.run(
            invoke, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=840, check=False
        )
        if not check("the invocation is answered", done.returncode == 0, done.stderr + server.output()[-3000:]):
            return
        answer = json.loads(done.stdout)
        equal("the answer names the collector", answer.get("collector"), "github")
        check("points were accepted", (answer.get("accepted") or 0) > 100, answer)
        # The log comes through a pipe of its own and may be a moment later than the answer.
        for _ in range(50):
            lines = [
                line for line in server.output().splitlines() if line.startswith("{") and '"message":"run"' in line
            ]
            if lines:
                break
            time.sleep(0.1)
        check("one line of JSON in the log sums the run up", len(lines) == 1, lines or server.output())
        refused = Path(folder) / "s3.json"
        refused.write_text(json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a.json"}}}]}))
        done = subprocess.run(
            [part if part != str(EVENT) else str(refused) for part in invoke],
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        good = done.returncode != 0 and "takes none" in done.stdout + done.stderr
        check("an event of S3 starts no run and is answered with an error", good, done.stdout + done.stderr)
        for _ in range(50):
            lines = [line for line in server.output().splitlines() if line.startswith("{") and "run failed" in line]
            if lines:
                break
            time.sleep(0.1)
        said = json.loads(lines[0]) if lines else {}
        good = len(lines) == 1 and said.get("collector") == "github" and "takes none" in said.get("error", "")
        check("one line of JSON in the log says why", good, lines or server.output()[-2000:])
        secrets = [name for name in ("GITHUB_TOKEN", "DD_API_KEY") if sandbox.settings[name] in server.output()]
        check("no secret is in the log", not secrets, secrets)
    found = series(sandbox, "github.prs.open")
    repos = sandbox.settings["GITHUB_REPOS"].split(",")
    check("github.prs.open arrived in the sandbox's Datadog", found and len(found) <= len(repos), found)
    stamps = {int(stamp) // 1000 for pointlist in found.values() for stamp, _ in pointlist}
    grid = {before // 900 * 900, int(time.time()) // 900 * 900}
    check("its points lie on the grid at the time of the event", stamps and stamps <= grid, (stamps, grid))


def wrong_configuration(sandbox, folder):
    """A function that is configured wrongly ends at once, says why, and shows no secret."""
    for sentence, changed in [
        ("GITHUB_REPOS", {"GITHUB_REPOS": None}),
        ("GITHUB_REPOS", {"GITHUB_REPOS": "not a repository"}),
        ("GITHUB_RESERVE", {"GITHUB_RESERVE": "many"}),
        ("DD_API_KEY", {"DD_API_KEY": None}),
        ("DD_ENV", {"DD_ENV": None}),
        ("LOG_LEVEL", {"LOG_LEVEL": "shared=loud"}),
    ]:
        env = sandbox.environment(folder, AWS_LAMBDA_RUNTIME_API=f"{HOST}:{free_port()}", **changed)
        done = subprocess.run(
            [program("github")], env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        said = done.stdout + done.stderr
        value = next(iter(changed.values())) or "nothing"
        good = done.returncode == 78 and sentence in said and "e.g. " in said
        check(
            f"{sentence} set to {value}: exit 78, with the variable's name and an example",
            good,
            (done.returncode, said),
        )


def wrong_start(sandbox, folder):
    """A secret that cannot be read is said in one line of JSON, and LOG_LEVEL decides what is said at all."""
    nowhere = f"http://{HOST}:{free_port()}"
    changed = {
        "SECRET_ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:vitals/prod-AbCdEf",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": nowhere,
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "key",
    }
    said = {}
    for level in ("info", "off"):
        env = sandbox.environment(
            folder, AWS_LAMBDA_RUNTIME_API=f"{HOST}:{free_port()}", LOG_LEVEL=level, **changed
        )
        done = subprocess.run(
            [program("github")], env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        said[level] = done.stdout + done.stderr
        equal(f"a secret that cannot be read ends the start, LOG_LEVEL {level}", done.returncode, 1)
    lines = said["info"].splitlines()
    line = json.loads(lines[0]) if len(lines) == 1 and lines[0].startswith("{") else {}
    good = "SECRET_ARN" in line.get("error", "") and "vitals/prod" in line.get("error", "")
    check("one line of JSON says which secret", good, said["info"])
    check("no number of an account is in it", "123456789012" not in said["info"], said["info"])
    equal("with LOG_LEVEL off nothing is said", said["off"], "")


def part():
    """The sandbox on real time, because cargo-lambda's clock is the wall's."""
    with Sandbox("--real-time") as sandbox, tempfile.TemporaryDirectory() as folder:
        wrong_configuration(sandbox, folder)
        wrong_start(sandbox, folder)
        invocation(sandbox, folder)


main(part)
