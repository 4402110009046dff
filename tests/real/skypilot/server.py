"""SkyPilot's API server under a HOME of its own, and what it leaves behind when it ends."""

import fcntl
import json
import sys
import time
import urllib.request
from pathlib import Path

import psutil

from stage.servers import HOST, Server, free_port

CONFIG = "jobs:\n  controller:\n    consolidation_mode: true\n"

# Who holds this is the leader of several servers, and the leader alone starts controllers and judges jobs by them.
# We hold it, so that what is seeded stays as it is.
LEADER = Path(".sky/locks/.~/.sky/consolidation_mode_lock.lock")

# The server itself is the jobs controller as long as this file is there.
CONSOLIDATED = Path(".sky/.jobs_controller_consolidation_reloaded_signal")


class SkyPilot(Server):
    """The server, for the length of a `with` block."""

    def __init__(self, home):
        self.home, self.port = home, free_port()
        self.url = f"http://{HOST}:{self.port}"
        env = {
            "HOME": home,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "ENABLE_SERVICE_ACCOUNTS": "true",
            "SKYPILOT_DISABLE_USAGE_COLLECTION": "1",
        }
        command = [sys.executable, "-m", "sky.server.server", f"--host={HOST}", f"--port={self.port}"]
        super().__init__("skypilot", command, env=env, cwd=home)

    def __enter__(self):
        config = self.home / ".sky/config.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG)
        lock = self.home / LEADER
        lock.parent.mkdir(parents=True)
        self.leader = open(lock, "w")
        fcntl.flock(self.leader, fcntl.LOCK_EX)
        try:
            return super().__enter__()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            if hasattr(self, "process"):
                super().__exit__()
        finally:
            self.leader.close()
            self.left = end(self.home)

    def token(self):
        """A token of a service account, made as a person behind the organisation's sign-on would make it."""
        body = json.dumps({"token_name": "vitals", "expires_in_days": 1}).encode()
        headers = {"content-type": "application/json", "X-Auth-Request-Email": "mira-quill@example.com"}
        request = urllib.request.Request(f"{self.url}/users/service-account-tokens", body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["token"]

    def warm(self, token):
        """Waits until its workers work, which takes long on a machine that is busy; then it has its tables too."""
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        for path in ("/status", "/jobs/queue/v2"):
            request = urllib.request.Request(f"{self.url}{path}", b'{"all_users": true}', headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                name = answer.headers["x-skypilot-request-id"]
            result = urllib.request.Request(f"{self.url}/api/get?request_id={name}", headers=headers)
            urllib.request.urlopen(result, timeout=240).close()

    def version(self):
        """What the server says of itself."""
        with urllib.request.urlopen(f"{self.url}/api/health", timeout=10) as answer:
            health = json.load(answer)
        return f"{health['version']}, API {health['api_version']}"


def of(home):
    """Processes that were started under this HOME, whoever their parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def end(home):
    """Ends every process of this HOME by its id, and says how many would not."""
    for sign in ("terminate", "kill"):
        for process in of(home):
            try:
                getattr(process, sign)()
            except psutil.NoSuchProcess:
                continue
        limit = time.monotonic() + 5
        while of(home) and time.monotonic() < limit:
            time.sleep(0.1)
    return len(of(home))
