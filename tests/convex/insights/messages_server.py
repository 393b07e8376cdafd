"""A local server that speaks Anthropic's Messages API: what it is told to say, and honest answers.

It streams when asked to, counts tokens, takes batches, and keeps every request it got.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from convex.settings import InsightSettings

Body = Mapping[str, Any]
Content = Mapping[str, Any]


@dataclass(frozen=True)
class Say:
    """An answer: JSON (or text as it is), and how it ended."""

    content: Content | str | None = None
    stop: str = "end_turn"
    input_tokens: int = 1500
    cache_read: int = 0
    cache_write: int = 900
    output_tokens: int = 700
    thinking_tokens: int = 300


@dataclass(frozen=True)
class Fail:
    """An error status."""

    status: int
    type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """A stream that ends in an error event after it has begun."""

    type: str


class Hang:
    """No answer until the client gives up."""


Step = Say | Fail | Break | Hang | Callable[[Body], Say]


def evidence_of(body: Body) -> Mapping[str, Any]:
    """What the request's first message holds between the fences."""
    match = re.search(r"<evidence>\n(.*)\n</evidence>", body["messages"][0]["content"], re.DOTALL)
    assert match is not None
    found: Mapping[str, Any] = json.loads(match[1])
    return found


def honest(body: Body) -> Say:
    """A model that keeps to its facts."""
    evidence = evidence_of(body)
    if "queries" in evidence:
        return Say({"queries": [{"query": "open_alerts", "days": 7}]})
    facts = evidence["facts"]
    said = [{"text": f"It was {shown(fact)} then.", "facts": [fact["id"]]} for fact in facts[:4]]
    properties = body["output_config"]["format"]["schema"]["properties"]
    answered = {"answered": True} if "answered" in properties else {}
    return Say(content(said[0], *said[1:4], **answered))


def content(headline: Content, *summary: Content, **more: Any) -> dict[str, Any]:
    """A whole answer."""
    return {
        "headline": headline,
        "summary": list(summary) or [headline],
        "findings": [],
        "risks": [],
        "recommendations": [],
        **more,
    }


def shown(fact: Mapping[str, Any]) -> str:
    """As the fact is to be written."""
    return str(fact.get("shown", fact["value"]))


def wrong_number(body: Body) -> Say:
    """A model that makes a number up."""
    fact = evidence_of(body)["facts"][0]
    return Say(content({"text": "It was 987,654.25 in all.", "facts": [fact["id"]]}))


def uncited(_: Body) -> Say:
    """A model that cites nothing."""
    return Say(content({"text": "Everything is fine today.", "facts": []}))


@dataclass
class MessagesServer:
    """Its script (used up from the left, then `otherwise`), and what it was sent."""

    url: str = ""
    script: deque[Step] = field(default_factory=deque)
    otherwise: Step = honest
    requests: list[Body] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    counted: list[Body] = field(default_factory=list)
    tokens: int = 2400
    count_fails: Fail | None = None
    batches: dict[str, list[Body]] = field(default_factory=dict)
    batch_ready: bool = True
    batch_fails: Fail | None = None

    def settings(self, **changes: Any) -> InsightSettings:
        """Settings that lead here."""
        return InsightSettings(**{"base_url": self.url, "timeout": 20, **changes})

    def then(self, *steps: Step) -> None:
        """What the next requests get."""
        self.script.extend(steps)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        step = self.script.popleft() if self.script else self.otherwise
        if callable(step) and not isinstance(step, Say | Fail | Break | Hang):
            step = step(body)
        if isinstance(step, Hang):
            await asyncio.sleep(60)
        if isinstance(step, Fail):
            return _error(step)
        if isinstance(step, Break):
            return await _stream(
                request, [_start(body, Say()), _event("error", _failure(step.type))]
            )
        assert isinstance(step, Say)
        if not body.get("stream"):
            return web.json_response(_message(body, step), headers=_HEADERS)
        return await _stream(request, _events(body, step))

    async def count(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.counted.append(body)
        if self.count_fails:
            return _error(self.count_fails)
        return web.json_response({"input_tokens": self.tokens})

    async def create_batch(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.batch_fails:
            return _error(self.batch_fails)
        name = f"msgbatch_{len(self.batches) + 1}"
        self.batches[name] = body["requests"]
        return web.json_response(self._batch(name))

    async def get_batch(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.batches:
            return _error(Fail(404, "not_found_error"))
        return web.json_response(self._batch(name))

    async def results(self, request: web.Request) -> web.Response:
        lines = []
        for one in self.batches[request.match_info["name"]]:
            step = self.script.popleft() if self.script else self.otherwise
            if callable(step) and not isinstance(step, Say | Fail | Break | Hang):
                step = step(one["params"])
            if isinstance(step, Say):
                result = {"type": "succeeded", "message": _message(one["params"], step)}
            elif isinstance(step, Fail):
                result = {"type": "errored", "error": _failure(step.type)}
            else:
                result = {"type": "expired"}
            lines.append(json.dumps({"custom_id": one["custom_id"], "result": result}))
        return web.Response(text="\n".join(lines) + "\n", content_type="application/x-jsonl")

    def _batch(self, name: str) -> dict[str, Any]:
        ended = self.batch_ready
        return {
            "id": name,
            "type": "message_batch",
            "processing_status": "ended" if ended else "in_progress",
            "request_counts": dict.fromkeys(
                ("processing", "succeeded", "errored", "canceled", "expired"), 0
            ),
            "ended_at": "2026-11-24T10:00:00Z" if ended else None,
            "created_at": "2026-11-24T09:00:00Z",
            "expires_at": "2026-11-25T09:00:00Z",
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{self.url}/v1/messages/batches/{name}/results" if ended else None,
        }


_HEADERS = {"request-id": "req_test"}


def _failure(type_: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type_, "message": "as the test wants"}}


def _error(fail: Fail) -> web.Response:
    return web.json_response(
        _failure(fail.type), status=fail.status, headers={**_HEADERS, **fail.headers}
    )


def _text(say: Say) -> str:
    return say.content if isinstance(say.content, str) else json.dumps(say.content or {})


def _usage(say: Say) -> dict[str, Any]:
    return {
        "input_tokens": say.input_tokens,
        "cache_read_input_tokens": say.cache_read,
        "cache_creation_input_tokens": say.cache_write,
        "output_tokens": say.output_tokens,
        "output_tokens_details": {"thinking_tokens": say.thinking_tokens},
    }


def _message(body: Body, say: Say) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "thinking", "thinking": "", "signature": "s"}]
    if say.stop != "refusal":
        blocks.append({"type": "text", "text": _text(say)})
    return {
        "id": "msg_test",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": blocks,
        "stop_reason": say.stop,
        "stop_sequence": None,
        "usage": _usage(say),
    }


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _start(body: Body, say: Say) -> bytes:
    message = {**_message(body, say), "content": [], "stop_reason": None}
    message["usage"] = {**_usage(say), "output_tokens": 1, "output_tokens_details": None}
    return _event("message_start", {"type": "message_start", "message": message})


def _events(body: Body, say: Say) -> list[bytes]:
    events = [_start(body, say)]
    for i, block in enumerate(_message(body, say)["content"]):
        empty = {**block, "text": ""} if block["type"] == "text" else block
        start = {"type": "content_block_start", "index": i, "content_block": empty}
        events.append(_event("content_block_start", start))
        text = block.get("text", "")
        for at in range(0, len(text), 200):  # in pieces, as it comes
            delta = {"type": "text_delta", "text": text[at : at + 200]}
            piece = {"type": "content_block_delta", "index": i, "delta": delta}
            events.append(_event("content_block_delta", piece))
        events.append(_event("content_block_stop", {"type": "content_block_stop", "index": i}))
    end = {"stop_reason": say.stop, "stop_sequence": None}
    events.append(
        _event("message_delta", {"type": "message_delta", "delta": end, "usage": _usage(say)})
    )
    events.append(_event("message_stop", {"type": "message_stop"}))
    return events


async def _stream(request: web.Request, events: list[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={**_HEADERS, "content-type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(event)
    await response.write_eof()
    return response


@asynccontextmanager
async def messages_server() -> AsyncIterator[MessagesServer]:
    """Listening on loopback while the block lasts."""
    server = MessagesServer()
    app = web.Application()
    app.router.add_post("/v1/messages", server.messages)
    app.router.add_post("/v1/messages/count_tokens", server.count)
    app.router.add_post("/v1/messages/batches", server.create_batch)
    app.router.add_get("/v1/messages/batches/{name}", server.get_batch)
    app.router.add_get("/v1/messages/batches/{name}/results", server.results)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
