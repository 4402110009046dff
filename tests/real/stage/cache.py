"""Virtual environments, node modules and archives, kept outside version control between runs."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("VITALS_CACHE") or Path.home() / ".cache" / "vitals")


@contextlib.contextmanager
def made(kind, key):
    """Yields a folder for this key and whether it is new. What fails half-way is made anew by the next run."""
    folder = CACHE / kind / hashlib.sha256(key.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = folder / ".ready"
        new = not ready.exists()
        if new:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield folder, new
        ready.touch()


def venv(requirements):
    """The interpreter of a virtual environment that holds exactly what this file pins."""
    with made("python", f"{sys.version}\n{requirements.read_text()}") as (folder, new):
        python = folder / "bin" / "python"
        if new:
            print(f"  installing {requirements.parent.name}/{requirements.name} into {folder}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip(python, "install", "--quiet", "--requirement", requirements)
    return python


def pip(python, *arguments):
    """Runs pip of an interpreter."""
    command = [str(python), "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def node_modules(part):
    """The folder of the modules that a part's lock file pins."""
    lock = part / "package-lock.json"
    with made("node", lock.read_text()) as (folder, new):
        if new:
            print(f"  installing {part.name}/package-lock.json into {folder}", flush=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(part / name, folder)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, check=True, cwd=folder, stdin=subprocess.DEVNULL)
    return folder / "node_modules"
