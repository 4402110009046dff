"""The sandbox as a server of its own, and our command line run against it."""

import json
import os
import re
import subprocess
import urllib.request
from datetime import datetime

from .built import program
from .servers import Server

# The middle of the pretend organisation's story, and the next point of the grid.
NOW, NEXT = "2026-01-08T12:00:00Z", "2026-01-08T12:15:00Z"
GRID = 900


def second(at):
    """Unix time of an instant."""
    return int(datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp())


class Sandbox(Server):
    """The program `sandbox`, for the length of a `with` block."""

    def __init__(self, *arguments):
        super().__init__("sandbox", [program("sandbox"), *arguments])

    def __enter__(self):
        super().__enter__()
        try:
            self.wait(lambda: "DATADOG_URL=" in self.output() and self.output().endswith("\n"), 120)
        except BaseException:
            self.__exit__()
            raise
        self.settings = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", self.output(), re.MULTILINE))
        return self

    def environment(self, state, **more):
        """The environment of a collector that knows nothing of the sandbox but addresses and keys; None takes one away."""
        own = {name: os.environ[name] for name in ("PATH", "HOME")}
        whole = {**own, **self.settings, "STATE_DIR": state, **more}
        return {name: str(value) for name, value in whole.items() if value is not None}

    def control(self, path, /, **wish):
        """Tells the sandbox how things are from now on."""
        address = f"{self.settings['SANDBOX_CONTROL_URL']}/{path}"
        request = urllib.request.Request(address, json.dumps(wish).encode(), {"content-type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def advance(self, seconds):
        """Moves the sandbox's clock on."""
        self.control("clock", advance_seconds=seconds)

    def start(self, state, at, *arguments, **more):
        """Starts `vitals collect github --push` at a time, as if the wall's clock said so too."""
        command = [program("vitals"), "collect", "github", "--push", "--at", at, "--format", "json", *arguments]
        env = self.environment(state, VITALS_CLOCK=at, **more)
        return subprocess.Popen(command, env=env, cwd=state, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def collect(self, state, at, *arguments, **more):
        """Runs the same to its end."""
        return Run(self.start(state, at, *arguments, **more))


class Run:
    """A finished run of the command line: exit code, report, and what it said besides."""

    def __init__(self, process):
        try:
            out, self.said = process.communicate(timeout=240)
        finally:
            process.kill()
        self.code = process.returncode
        self.report = json.loads(out)["reports"][0] if out.startswith("{") else None

    def gaps(self):
        """The unknown parts by target."""
        targets = self.report["targets"] if self.report else []
        return {target["target"]: target["gaps"] for target in targets if target["gaps"]}
