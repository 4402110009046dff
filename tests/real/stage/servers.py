"""Servers on the loopback address: started on free ports, ended by their process id whatever happens."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

HOST = "127.0.0.1"

# A part that is told to end ends its servers first.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class Server:
    """A process that runs for the length of a `with` block. Its output goes to a file."""

    def __init__(self, name, command, env=None, cwd=None):
        self.name, self.command, self.cwd = name, [str(word) for word in command], cwd
        self.env = None if env is None else {key: str(value) for key, value in env.items()}

    def __enter__(self):
        self.log = tempfile.NamedTemporaryFile("w+", prefix=f"vitals-{self.name}-", suffix=".log")
        # A session of its own, so that its children end with it.
        self.process = subprocess.Popen(
            self.command,
            env=self.env,
            cwd=self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, sign)
                self.process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        self.log.close()

    def output(self):
        """All it has printed so far."""
        return Path(self.log.name).read_text(errors="replace")

    def wait(self, ready, seconds=60):
        """Waits until `ready` answers something true, and gives it back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = ready()
            if answer:
                return answer
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.output()[-2000:]}")
            time.sleep(0.1)
        raise RuntimeError(f"{self.name} is not ready after {seconds} s:\n{self.output()[-2000:]}")

    def listens(self, port, seconds=60):
        """Waits until it takes connections at this port, without asking it anything."""

        def connected():
            try:
                socket.create_connection((HOST, port), timeout=2).close()
            except OSError:
                return False
            return True

        self.wait(connected, seconds)
        return self

    def answers(self, url, seconds=60):
        """Waits until it answers HTTP at this address, with whatever status."""

        def asked():
            try:
                urllib.request.urlopen(url, timeout=2).close()
            except urllib.error.HTTPError:
                pass
            except OSError:
                return False
            return True

        self.wait(asked, seconds)
        return self
