"""A web server of the test's own, in a thread: sources read it while the test waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

# Status, headers, body for a path, its parameters and headers.
Answer = tuple[int, Mapping[str, str], bytes]
Responder = Callable[[str, dict[str, str], Mapping[str, str]], Answer]


@dataclass
class Web:
    """Where it is, and what it was asked: (path, parameters)."""

    url: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextmanager
def serving(respond: Responder) -> Iterator[Web]:
    """Answers GET until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = dict(parse_qsl(parts.query))
            web.asked.append((parts.path, parameters))
            status, headers, body = respond(parts.path, parameters, dict(self.headers))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def anywhere(host: str, port: int, addresses: list[str]) -> None:
    """Permits everything."""
