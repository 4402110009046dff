"""A proxy that keeps what passes through it."""

import gzip
import http.client
import http.server
import json
import threading
import zlib
from dataclasses import dataclass
from urllib.parse import urlsplit

from .servers import HOST


@dataclass
class Exchange:
    """One request and its answer, bodies decompressed."""

    method: str
    path: str
    headers: dict
    body: bytes
    status: int
    answer_headers: dict
    answer: bytes

    def json(self):
        """The request's body."""
        return json.loads(self.body)

    def answer_json(self):
        """The answer's body."""
        return json.loads(self.answer)


def plain(headers, body):
    """A body as it was before its content encoding."""
    encoding = headers.get("content-encoding", "identity")
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "deflate":
        return zlib.decompress(body)
    if encoding == "identity":
        return body
    raise ValueError(f"content encoding {encoding}")


class Recorder:
    """Stands before an upstream for the length of a `with` block. `before` may answer in its place with a status and JSON."""

    def __init__(self, upstream, before=None):
        self.upstream, self.before, self.exchanges = urlsplit(upstream), before, []

    def __enter__(self):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer_headers, answer = recorder.answer(self.command, self.path, headers, body)
                recorder.exchanges.append(
                    Exchange(
                        self.command,
                        self.path,
                        headers,
                        plain(headers, body),
                        status,
                        answer_headers,
                        plain(answer_headers, answer),
                    )
                )
                self.send_response_only(status)
                for name, value in answer_headers.items():
                    if name not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = pass_on

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, method, path, headers, body):
        """What the upstream says, or what `before` says in its place."""
        own = self.before and self.before(method, path, headers)
        if own:
            status, value = own
            return status, {"content-type": "application/json"}, json.dumps(value).encode()
        connection = http.client.HTTPConnection(self.upstream.hostname, self.upstream.port, timeout=60)
        try:
            connection.request(method, self.upstream.path + path, body, headers)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()
