"""Runs of our command line against the server, and how what they say is compared with what was seeded."""

import json
import math
import os
import subprocess
import time
from datetime import UTC, datetime

import expected
from stage.built import program
from stage.sandbox import Run


class Stage:
    """The server, a place for states, and our command line against it."""

    def __init__(self, folder, server, url, intake, now):
        self.folder, self.server, self.url = folder, server, url
        self.token = server.token()
        self.now, self.intake, self.said, self.started = now, intake, [], []
        self.looks = {}

    def environment(self, state, **more):
        """The environment of a collector that knows nothing but an address and a token."""
        (self.folder / state).mkdir(exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / state),
            "STATE_DIR": str(self.folder / state),
            "DD_ENV": "test",
            "DD_API_KEY": "0123456789abcdef0123456789abcdef",
            "DATADOG_URL": self.intake,
            "PRICES": json.dumps({"as_of": "2026-10-01", "gpu": expected.PRICES}),
            "SKYPILOT_SERVERS": f"{expected.SERVER}={self.url}",
            "SKYPILOT_TOKEN": self.token,
            **more,
        }

    def collect(self, state, *arguments, now=None, **more):
        """Runs `vitals collect skypilot`, and says between which times of the server's clock."""
        now = self.now if now is None else now
        at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        command = [program("vitals"), "collect", "skypilot", "--format", "json", "--at", at, *arguments]
        before = time.time()
        process = subprocess.Popen(
            command,
            env=self.environment(state, **more),
            cwd=self.folder / state,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        run = Run(process)
        run.clocks = (before, time.time())
        self.looks.setdefault(state, []).append(now)
        run.looks = tuple(self.looks[state])
        self.said.append((state, json.dumps(run.report) + run.said))
        return run

    def end(self):
        """Ends the runs that still go on."""
        for process in self.started:
            if process.poll() is None:
                process.kill()

    def checked(self, **more):
        """Runs `vitals check skypilot`."""
        done = subprocess.run(
            [program("vitals"), "check", "skypilot"],
            env=self.environment("check", **more),
            cwd=self.folder / "check",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.said.append(("check", done.stdout + done.stderr))
        return done


def samples(run, kind, server=expected.SERVER):
    """The values of one kind that a run says of a server, by name and the other tags."""
    found = {}
    for sample in run.report["samples"]:
        tags = dict(sample["tags"])
        if sample["metric"].startswith("skypilot.") and sample["kind"] == kind and tags.pop("server") == server:
            found.setdefault((sample["metric"], tuple(sorted(tags.items()))), []).append(sample)
    return found


def shown(key):
    """A row's name and tags for a person."""
    name, tags = key
    return f"{name}{{{','.join(f'{tag}:{value}' for tag, value in tags)}}}" if tags else name


def number(value):
    """A value for a person."""
    return "absent" if value is None else f"{value:g}" if value == int(value) else f"{value:.2f}"


def gauges(run, seeded, now, table=False):
    """Compares every gauge. The server's clock runs on while it is asked, so some values lie between two."""
    low, high = (expected.gauges(seeded, now, clock, run.looks) for clock in run.clocks)
    found = {key: value[0]["value"] for key, value in samples(run, "gauge").items() if len(value) == 1}
    wrong = []
    if table:
        print(f"          {'row':<82} {'seeded':>22} {'collected':>12}", flush=True)
    for key in sorted(low | found):
        bounds, value = (low.get(key), high.get(key)), found.get(key)
        moving = None not in bounds and bounds[0] != bounds[1]
        if moving:
            good = value is not None and min(bounds) - 0.01 <= value <= max(bounds) + 0.01
        else:
            good = value is not None and bounds[0] is not None and math.isclose(value, bounds[0], rel_tol=1e-9)
        wanted = " to ".join(map(number, bounds)) if moving else number(bounds[0])
        line = f"{shown(key):<82} {wanted:>22} {number(value):>12}"
        if table:
            print(f"          {line}{'' if good else '  <'}", flush=True)
        if not good:
            wrong.append(line)
    return len(low), wrong


def gaps(run, server=expected.SERVER):
    """The unknown parts of a server."""
    return set(run.gaps().get(server, {}))


def unread(run, server=expected.SERVER):
    """The parts of a server with records that cannot be interpreted."""
    targets = [target for target in run.report["targets"] if target["target"] == server]
    return {part for target in targets for part, records in target["unread"].items() if records}
