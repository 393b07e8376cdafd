"""What every request passes, as plain ASGI: an id, limits, compression, headers, a log line.

One layer instead of five: each wraps `send` and costs microseconds on the ingest path.
"""

from __future__ import annotations

import re
import time
import zlib
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import TooLarge, UnsupportedMediaType, of_error, problem
from convex.errors import InvalidInput
from convex.telemetry import bind, get_log, metrics, unbind
from convex.telemetry.traces import are_recorded, read_traceparent, resume, span

_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_LINES = frozenset({"text/csv", "application/x-ndjson", "application/ndjson", "application/jsonl"})
_STREAMED = 64 * 1024**3  # bytes
_SMALLEST_COMPRESSED = 1024
_COMPRESSIBLE = ("application/json", "application/problem+json", "text/")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_BUSY = frozenset({"/api/v1/points", "/api/v1/prometheus/write", "/api/v1/otlp/v1/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = get_log("api.request")

_SECURITY = (
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "SAMEORIGIN"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"


class Edge:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, *, largest_body: int) -> None:
        self._app = app
        self._largest_body = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = read_traceparent(headers.get("traceparent"))
        if not (given or are_recorded()) or scope["path"] in _QUIET:
            await self._answer(scope, headers, receive, send)
            return
        with resume(given), span(scope["method"], kind="server") as recorded:
            await self._answer(scope, headers, receive, send, recorded)

    async def _answer(
        self,
        scope: Scope,
        headers: Headers,
        receive: Receive,
        send: Send,
        recorded: span | None = None,
    ) -> None:
        started = time.perf_counter()
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(scope, send, request_id, headers.get("accept-encoding", ""))
        tokens = bind(request_id=request_id)
        try:
            await self._handle(scope, headers, receive, answer)
        finally:
            _tell(scope, answer.status, time.perf_counter() - started)
            if recorded is not None:
                _tell_trace(recorded, scope, answer.status, request_id)
            unbind(tokens)

    async def _handle(
        self, scope: Scope, headers: Headers, receive: Receive, answer: _Answer
    ) -> None:
        path = scope["path"]
        try:
            body = _Body(receive, headers, _largest(path, headers, self._largest_body))
            await self._app(scope, body.receive, answer.send)
        except (TooLarge, UnsupportedMediaType, InvalidInput) as error:
            if answer.status:
                raise
            await of_error(error, path)(scope, receive, answer.send)
        except Exception as error:  # the last net: a client always gets a document
            _log.error("unhandled error", path=path, exc_info=error)
            if answer.status:
                raise
            refused = problem(
                500,
                "Something went wrong here; the log has it under this request's id.",
                instance=path,
            )
            await refused(scope, receive, answer.send)


def _largest(path: str, headers: Headers, usual: int) -> int:
    """Lines of points are taken as they come, so that their number does not matter."""
    if path != "/api/v1/points" or "idempotency-key" in headers:
        return usual
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return _STREAMED if kind in _LINES else usual


class _Body:
    """The request's body: inflated when it was sent compressed, refused when too large."""

    def __init__(self, receive: Receive, headers: Headers, largest: int) -> None:
        self._receive = receive
        self._left = largest
        self._largest = largest
        self._inflate: zlib._Decompress | None = None
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding in {"gzip", "x-gzip"}:
            self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        elif encoding == "deflate":
            self._inflate = zlib.decompressobj()
        elif encoding not in {"identity", "", "snappy"}:
            raise UnsupportedMediaType(
                f"Content-Encoding {encoding!r} is not read here; send gzip, deflate or none."
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > largest:
            raise self._too_large()

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"A request may have {self._largest:,} bytes (after decompression);"
            " send it in several parts."
        )

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body: bytes = message.get("body", b"")
        if self._inflate is not None and (body or not message.get("more_body", False)):
            body = self._inflated(body, last=not message.get("more_body", False))
            message = {**message, "body": body}
        self._left -= len(body)
        if self._left < 0:
            raise self._too_large()
        return message

    def _inflated(self, data: bytes, *, last: bool) -> bytes:
        assert self._inflate is not None
        try:
            # One byte more than allowed is enough to know; a bomb is never unpacked.
            body = self._inflate.decompress(data, self._left + 1)
        except zlib.error:
            raise InvalidInput("The body is not what its Content-Encoding says.") from None
        if self._inflate.unconsumed_tail:
            raise self._too_large()
        if last and not self._inflate.eof:
            raise InvalidInput("The compressed body ends too early.")
        return body


class _Answer:
    """Wraps `send`: adds the headers that every answer has, and compresses what is worth it."""

    def __init__(self, scope: Scope, send: Send, request_id: str, accepts: str) -> None:
        self.status = 0
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._gzip = "gzip" in accepts.lower()
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._add_headers(message)
            self._start = message  # held back until the body says whether it is compressed
            return
        start, self._start = self._start, None
        if start is not None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                message = self._compressed(start, message)
            await self._send(start)
        await self._send(message)

    def _add_headers(self, start: Message) -> None:
        headers = MutableHeaders(raw=start.setdefault("headers", []))
        headers["x-request-id"] = self._request_id
        for name, value in _SECURITY:
            headers.append(name, value)
        if "content-security-policy" not in headers:
            headers["content-security-policy"] = API_POLICY
        for name, value in self._scope["state"].get("answer_headers", ()):
            headers[name] = value

    def _compressed(self, start: Message, message: Message) -> Message:
        headers = MutableHeaders(raw=start["headers"])
        body: bytes = message.get("body", b"")
        kind = headers.get("content-type", "")
        if not kind.startswith(_COMPRESSIBLE) or "content-encoding" in headers:
            return message
        headers.add_vary_header("Accept-Encoding")
        if not self._gzip or len(body) < _SMALLEST_COMPRESSED:
            return message
        packer = zlib.compressobj(4, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        packed = packer.compress(body) + packer.flush()
        headers["content-encoding"] = "gzip"
        headers["content-length"] = str(len(packed))
        if (tag := headers.get("etag")) is not None and not tag.startswith("W/"):
            headers["etag"] = f'{tag[:-1]}-gzip"'  # a strong tag is of these very bytes
        return {**message, "body": packed}


def _tell_trace(recorded: span, scope: Scope, status: int, request_id: str) -> None:
    method, route = scope["method"], getattr(scope.get("route"), "path", "other")
    recorded.tell(
        f"{method} {route}",
        http__request__method=method,
        http__route=route,
        http__response__status_code=status or 499,
        url__path=scope["path"],
        convex__request_id=request_id,
    )
    if status >= 500:
        recorded.fail(str(status))


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "other")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.http_requests.labels(method, route, str(status or 499)).inc()
    metrics.http_seconds.labels(method, route).observe(seconds)
    if scope["path"] not in _QUIET and (status >= 500 or route not in _BUSY):
        _log.info(
            "request",
            method=method,
            path=scope["path"],
            status=status or 499,
            seconds=round(seconds, 5),
            caller=scope["state"].get("caller"),
        )
