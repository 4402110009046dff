"""A server between us and another one, which keeps some answers back or changes what is asked."""

import http.client
import http.server
import json
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

from stage.servers import HOST


class Slow:
    """Passes everything on for the length of a `with` block. `delay` says by how many seconds a result is late, and
    `change` makes another body, as long as the one that came."""

    def __init__(self, upstream, delay, change=lambda body: body):
        self.upstream, self.delay, self.change = urlsplit(upstream), delay, change
        self.ready, self.asked, self.over = {}, Counter(), threading.Event()

    def __enter__(self):
        slow = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = slow.change(self.rfile.read(int(self.headers.get("content-length") or 0)))
                path, _, query = self.path.partition("?")
                seconds, ready = slow.ready.get(query.removeprefix("request_id="), (0, 0))
                if path == "/api/get" and seconds:
                    slow.asked[seconds] += 1
                    if slow.over.wait(max(0, ready - time.monotonic())):
                        return
                answer, text = slow.ask(self.command, self.path, dict(self.headers), body)
                if self.command == "POST":
                    seconds = slow.delay(path, json.loads(body))
                    slow.ready[answer.getheader("x-skypilot-request-id")] = seconds, time.monotonic() + seconds
                try:
                    self.send_response_only(answer.status)
                    for name, value in answer.getheaders():
                        if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                            self.send_header(name, value)
                    self.send_header("content-length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    # Nobody waits for it any more.
                    self.close_connection = True

            do_GET = do_POST = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://{HOST}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def ask(self, method, path, headers, body):
        """What the upstream says."""
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=90)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()


