"""Our own programs, built as cargo's tests build them."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").absolute()

# Programs and tests in one selection: another one would compile the dependencies again with other features.
SELECTION = ["--workspace", "--locked"]


def build():
    """Builds all programs and tests."""
    print("  building the workspace", flush=True)
    subprocess.run(["cargo", "build", "--quiet", "--bins", "--tests", *SELECTION], cwd=ROOT, check=True)


def program(name):
    """One of our programs."""
    return TARGET / "debug" / name
