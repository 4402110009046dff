#!/usr/bin/env python3
"""Runs the tests: our own through cargo, then each part that puts a real third-party piece beside ours."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from stage import built, cache
from stage.verdicts import BAD, GOOD

HERE = Path(__file__).resolve().parent

# Name, what it proves, and the longest it may take in seconds once its own set-up is there.
PARTS = {
    "cargo": ("everything that is ours: cargo test", 3000),
    "graphql": ("GraphQL documents and the sandbox's schema against GitHub's published schema", 120),
    "rest": ("our REST requests and the sandbox's answers through a proxy that knows GitHub's schema", 300),
    "datadog": ("payloads and the sandbox's intake against Datadog's OpenAPI documents", 300),
    "clients": ("Octokit and Datadog's own client against the sandbox", 300),
    "asana": ("Asana's own client for Python against the sandbox and the collector", 300),
    "wandb_api": ("W&B's own client against the sandbox, and the rows that it makes", 300),
    "aws": ("Secrets Manager and S3 of moto: a rotated token, two runs at once", 300),
    "lambda": ("cargo lambda watch and invoke, and the exit on a wrong configuration", 900),
    "sqlite": ("another SQLite reads the sandbox's database", 120),
    "skypilot": ("SkyPilot's own API server: every row against what was seeded, and the server failing", 600),
}

# These run our programs.
RUN_OURS = {"rest", "datadog", "clients", "asana", "wandb_api", "aws", "lambda", "sqlite", "skypilot"}


def stream(command, env, limit):
    """Runs a command, shows what it prints, and gives back its exit code and lines. It is ended after `limit` seconds."""
    process = subprocess.Popen(
        command,
        cwd=built.ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    signal.signal(signal.SIGALRM, lambda *_: process.terminate())
    signal.alarm(limit)
    lines = []
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        code = process.wait()
    except BaseException:
        # Told to end: the part ends its own servers.
        process.terminate()
        process.wait()
        raise
    finally:
        signal.alarm(0)
    return code, lines


def ours(limit):
    """Runs cargo's tests and counts them."""
    code, lines = stream(["cargo", "test", "--no-fail-fast", *built.SELECTION], os.environ, limit)
    results = [re.match(r"test result: \w+\. (\d+) passed; (\d+) failed", line) for line in lines]
    counts = [(int(found[1]), int(found[2])) for found in results if found]
    return code, sum(good for good, _ in counts), sum(bad for _, bad in counts)


def real(name, limit):
    """Runs one part with its own interpreter and modules, and counts its verdicts."""
    folder = HERE / name
    python, env = sys.executable, dict(os.environ, PYTHONPATH=str(HERE), PYTHONUNBUFFERED="1")
    try:
        if (folder / "requirements.txt").exists():
            python = cache.venv(folder / "requirements.txt")
            env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
        if (folder / "package-lock.json").exists():
            env["NODE_PATH"] = str(cache.node_modules(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{BAD}its set-up: {error}", flush=True)
        return 1, 0, 1
    code, lines = stream([str(python), str(folder / "part.py")], env, limit)
    return code, sum(line.startswith(GOOD) for line in lines), sum(line.startswith(BAD) for line in lines)


def main(names):
    """Runs the parts named, or all, each whatever became of the others, and prints a table of them."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    names = names or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.exit(f"no part is called {' or '.join(unknown)}; there are {', '.join(PARTS)}")
    rows, ready = [], False
    for number, name in enumerate(names, 1):
        what, limit = PARTS[name]
        print(f"\n[{number}/{len(names)}] {name}: {what}", flush=True)
        started = time.monotonic()
        try:
            if name in RUN_OURS and not ready:
                built.build()
                ready = True
            code, good, bad = ours(limit) if name == "cargo" else real(name, limit)
        except subprocess.CalledProcessError as error:
            print(f"{BAD}{error}", flush=True)
            code, good, bad = 1, 0, 1
        if code != 0 and bad == 0:
            print(f"{BAD}it ended with {code} and no verdict that says why", flush=True)
            bad = 1
        elif good + bad == 0:
            print(f"{BAD}it proved nothing", flush=True)
            bad = 1
        rows.append((name, good, bad, time.monotonic() - started))
    print(f"\n{'part':<10} {'passed':>7} {'failed':>7} {'seconds':>8}  result")
    for name, good, bad, seconds in rows:
        print(f"{name:<10} {good:>7} {bad:>7} {seconds:>8.1f}  {'ok' if bad == 0 else 'FAILED'}")
    passed, failed = sum(row[1] for row in rows), sum(row[2] for row in rows)
    print(f"\n{passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
