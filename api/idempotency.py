"""Idempotency-Key: the answer of a POST is stored in the transaction that did its work."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api.authentication import Caller
from api.problems import UnsupportedMediaType
from api.resources import resources_of
from convex.db import Connection
from convex.errors import InvalidInput
from convex.secrets import decrypt, encrypt
from convex.workspaces import idempotency as keys

_KEPT_HEADERS = ("location", "etag")
_LONGEST_KEY = 255


class Replayed(Exception):  # not an error: the way out to the answer given before
    """The request was answered before."""

    def __init__(self, response: Response) -> None:
        self.response = response


@dataclass(frozen=True, slots=True)
class _Pending:
    connection: Connection
    caller: Caller
    route: str
    key: str
    request_hash: bytes
    now: datetime


async def begin(request: Request, connection: Connection, caller: Caller, now: datetime) -> None:
    """At the start of the transaction that does the work of a POST; without a key, no effect.

    Raises `Replayed`, `RequestInFlight`, `KeyReused`.
    """
    key = request.headers.get("idempotency-key")
    if key is None or request.method != "POST":
        return
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise InvalidInput(
            f"An Idempotency-Key has 1 to {_LONGEST_KEY} printable ASCII characters.",
            parameter="Idempotency-Key",
        )
    # The path as sent, not the route's pattern: two triggers are two requests.
    route = f"{caller.name} {request.method} {request.url.path}"
    kind = request.headers.get("content-type", "").encode()
    content = hashlib.sha256(kind + b"\0" + request.url.query.encode() + b"\0")
    content.update(await request.body())
    stored = await keys.begin(connection, caller.workspace_id, route, key, content.digest(), now)
    if stored is not None:
        raise Replayed(_restore(request, stored))
    request.scope["state"]["idempotency"] = _Pending(
        connection, caller, route, key, content.digest(), now
    )


async def finish(request: Request, response: Response) -> None:
    """Just before that transaction commits: keep the answer."""
    pending = request.scope["state"].pop("idempotency", None)
    if not isinstance(pending, _Pending):
        return
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    sealed = encrypt(
        base64.b64encode(bytes(response.body)).decode(),
        resources_of(request).secrets.encryption_key,
    ).decode()  # an answer may hold a secret that is shown once, such as a new API key
    await keys.finish(
        pending.connection,
        pending.caller.workspace_id,
        pending.route,
        pending.key,
        pending.request_hash,
        pending.now,
        keys.StoredAnswer(
            response.status_code,
            {"headers": kept, "media_type": response.media_type, "body": sealed},
        ),
    )


def _restore(request: Request, stored: keys.StoredAnswer) -> Response:
    opened = decrypt(stored.response["body"].encode(), resources_of(request).secrets.encryption_key)
    return Response(
        base64.b64decode(opened),
        stored.status,
        headers={**stored.response["headers"], "Idempotency-Replayed": "true"},
        media_type=stored.response["media_type"],
    )


class ConvexRoute(APIRoute):
    """A route whose JSON bodies are JSON, and whose POSTs may carry an Idempotency-Key."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()
        takes_json = self.body_field is not None

        async def handle(request: Request) -> Response:
            if takes_json:
                _expect_json(request)
                await request.body()  # here, since FastAPI turns every error in it into one 400
            try:
                response = await answer(request)
            except Replayed as replayed:
                return replayed.response
            if "idempotency" in request.scope["state"]:
                await finish(request, response)
            return response

        return handle


def _expect_json(request: Request) -> None:
    kind = request.headers.get("content-type")
    empty = request.headers.get("content-length", "0") == "0" and (
        "transfer-encoding" not in request.headers
    )
    if kind is None and empty:
        return
    bare = (kind or "").partition(";")[0].strip().lower()
    if bare != "application/json" and not (
        bare.startswith("application/") and bare.endswith("+json")
    ):
        raise UnsupportedMediaType("Send the body as application/json.")
