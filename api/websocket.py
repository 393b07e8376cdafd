"""The live stream's transport: uvicorn's sans-IO WebSocket protocol, and the frames of clients.

Frames for many clients are built once and written to each transport as they are; that is why the
protocol class is our own (`LiveProtocol`): it lets the hub reach the transport. Compression is off:
it would build each frame anew for each client.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.transports import BaseTransport
from collections import deque
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import orjson
import psycopg
from psycopg_pool import PoolTimeout
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.server import ServerProtocol

from api.authentication import Caller
from api.resources import Resources
from convex.db import Role
from convex.errors import ConvexError, NotAuthenticated
from convex.live import Connection, Frame
from convex.telemetry import get_log

MALFORMED, UNAUTHENTICATED, TOO_SLOW, SILENT = 4400, 4401, 4408, 4410
AUTH_SECONDS = 10.0
SILENCE_SECONDS = 60.0
RECHECK_SECONDS = 15.0  # a client speaks every 30 s, or is closed: nobody outlives a removal long
_MALFORMED_A_MINUTE = 10
_MOST_SUBSCRIPTIONS = 200
_LARGEST_FRAME = 16_384
_CONGESTED_BYTES = 65_536  # below that, how much waits for a client is nobody's concern
_DRAIN_SECONDS = 15.0
_CLOSE_SECONDS = 5.0
_EXTENSION = "convex.outlet"
_log = get_log("api.live")


class LiveProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol without compression, that offers its transport to the application.

    Give it to uvicorn as `--ws api.websocket:LiveProtocol`; `python -m api` does.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = ServerProtocol(
            max_size=_LARGEST_FRAME, logger=logging.getLogger("uvicorn.error")
        )

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        self.congested = False
        self.transport.set_write_buffer_limits(high=_CONGESTED_BYTES, low=_CONGESTED_BYTES // 4)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.congested = True

    def resume_writing(self) -> None:
        super().resume_writing()
        self.congested = False

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            extensions = cast("dict[str, object]", self.scope["extensions"])
            extensions[_EXTENSION] = TransportOutlet(self)


class TransportOutlet:
    """Writes ready-made frames to the transport of one connection."""

    def __init__(self, protocol: LiveProtocol) -> None:
        self._protocol = protocol
        self._transport = protocol.transport

    def write(self, wire: bytes) -> int:
        """Hand over whole frames; how many bytes wait for the client, 0 for few."""
        protocol = self._protocol
        if protocol.disconnected or protocol.close_sent:
            return 0
        self._transport.write(wire)
        return self._transport.get_write_buffer_size() if protocol.congested else 0

    def cut_off(self, cursor: int) -> None:
        """Close with 4408 and the cursor; the connection is dropped if even that is not read."""
        self.close(TOO_SLOW, f"resume from {cursor}")

    def close(self, code: int, reason: str) -> None:
        """Send a close frame now, whatever waits in the application."""
        protocol = self._protocol
        if protocol.disconnected or protocol.close_sent:
            return
        protocol.conn.send_close(code, reason)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        if protocol.read_paused:
            protocol.read_paused = False
            protocol.transport.resume_reading()
        protocol.close_timer = protocol.loop.call_later(_CLOSE_SECONDS, protocol.transport.abort)

    async def drained(self) -> bool:
        """Wait until the client has taken most of what waits; False when it does not."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                await self._protocol.writable.wait()
        except TimeoutError:
            return False
        return not self._protocol.disconnected


class LiveEndpoint:
    """`/api/v1/live` as an ASGI application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        outlet = scope["extensions"].get(_EXTENSION)
        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        if not isinstance(outlet, TransportOutlet):
            _log.error("start uvicorn with --ws api.websocket:LiveProtocol, or `python -m api`")
            await send({"type": "websocket.close", "code": 1011, "reason": "no live transport"})
            return
        resources = scope["app"].state.resources
        assert isinstance(resources, Resources)
        client = _Client(resources, receive, outlet)
        try:
            await client.run()
        finally:
            client.leave()


class _Closed(Exception):  # the way out of the loop
    pass


class _Client:
    """One connection, from its first frame to its last."""

    def __init__(self, resources: Resources, receive: Receive, outlet: TransportOutlet) -> None:
        self._resources = resources
        self._receive = receive
        self._outlet = outlet
        self._loop = asyncio.get_running_loop()
        self._malformed: deque[float] = deque(maxlen=_MALFORMED_A_MINUTE)
        self._caller: Caller | None = None
        self._connection: Connection | None = None
        self._authenticate_by = self._loop.time() + AUTH_SECONDS
        self._token = ""
        self._checked_at = 0.0

    async def run(self) -> None:
        try:
            while True:
                frame = await self._next_frame()
                if self._caller is not None:
                    await self._check_again()
                if frame is not None:
                    await self._answer(frame)
        except _Closed:
            pass

    def leave(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _next_frame(self) -> dict[str, Any] | None:
        """The client's next frame; None when it was malformed (which it has been told)."""
        seconds, code, reason = self._patience()
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                message = await self._receive()
        except TimeoutError:
            self._close(code, reason)
        if message["type"] == "websocket.disconnect":
            raise _Closed
        text = message.get("text")
        try:
            frame = orjson.loads(text if text is not None else b"")
        except orjson.JSONDecodeError:
            frame = None
        if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
            self._complain("malformed", "A frame is a JSON object with a `type`, sent as text.")
            return None
        return frame

    def _patience(self) -> tuple[float, int, str]:
        if self._caller is None:
            wait = self._authenticate_by - self._loop.time()
            return wait, UNAUTHENTICATED, f"no valid auth within {AUTH_SECONDS:.0f} s"
        if self._caller.expires_at is not None:
            left = (self._caller.expires_at - datetime.now(UTC)).total_seconds()
            if left < SILENCE_SECONDS:
                return left, UNAUTHENTICATED, "the access token has expired"
        return SILENCE_SECONDS, SILENT, f"silent for {SILENCE_SECONDS:.0f} s"

    async def _answer(self, frame: dict[str, Any]) -> None:
        match frame["type"], self._connection:
            case "auth", _:
                await self._authenticate(frame)
            case "ping", _:
                self._send("pong")
            case "subscribe" | "unsubscribe", None:
                self._send("error", code="not_authenticated", detail="Send an auth frame first.")
            case "subscribe", Connection() as connection:
                await self._subscribe(connection, frame)
            case "unsubscribe", Connection() as connection:
                framework_id, known = _framework(frame)
                if known:
                    connection.unsubscribe(framework_id)
                else:
                    self._complain("malformed", "framework_id is a UUID, or null for all.")
            case other, _:
                self._complain(
                    "unknown_type",
                    f"{other[:40]!r} is not auth, subscribe, unsubscribe or ping.",
                )

    async def _authenticate(self, frame: dict[str, Any]) -> None:
        token = frame.get("token")
        try:
            if not isinstance(token, str):
                raise NotAuthenticated("An auth frame has a token.")
            caller = await self._resources.authenticator.authenticate(token)
            if caller.role is Role.INGEST:
                raise NotAuthenticated("This key has not the scope read.")
            before = self._caller
            if before is not None and before.identity != caller.identity:
                raise NotAuthenticated("A connection stays with who opened it.")
            if self._connection is None:
                self._connection = await self._resources.hub.connect(
                    caller.workspace_id, caller.user_id, self._outlet
                )
        except ConvexError as error:
            self._send("auth_failed", code=error.code, detail=error.message)
            self._close(UNAUTHENTICATED, error.message)
        except (psycopg.Error, PoolTimeout):
            self._send("auth_failed", code="unavailable", detail="The database does not answer.")
            self._close(1013, "try again later")
        self._caller, self._token, self._checked_at = caller, str(token), self._loop.time()
        self._send(
            "auth_success",
            workspace_id=caller.workspace_id,
            user_id=caller.user_id,
            role=caller.role,
            expires_at=caller.expires_at,
        )

    async def _check_again(self) -> None:
        """Close when whoever opened the connection has lost their membership, session or key."""
        now = self._loop.time()
        if now - self._checked_at < RECHECK_SECONDS:
            return
        self._checked_at = now
        try:
            await self._resources.authenticator.authenticate(self._token)
        except NotAuthenticated as error:
            self._send("auth_failed", code=error.code, detail=error.message)
            self._close(UNAUTHENTICATED, error.message)
        except (psycopg.Error, PoolTimeout):
            pass  # nothing is known while the database is away; the next frame asks again

    async def _subscribe(self, connection: Connection, frame: dict[str, Any]) -> None:
        framework_id, known = _framework(frame)
        since = frame.get("since")
        if not known:
            self._complain("malformed", "framework_id is a UUID, or null for all.")
        elif since is not None and (
            not isinstance(since, int) or isinstance(since, bool) or not 0 <= since < 2**63
        ):
            self._complain("malformed", "since is a cursor that this stream gave out, or null.")
        elif len(connection.subscriptions) >= _MOST_SUBSCRIPTIONS:
            self._send(
                "error",
                code="too_many_subscriptions",
                detail=f"A connection has at most {_MOST_SUBSCRIPTIONS}; subscribe to all (null).",
            )
        else:
            try:
                await connection.subscribe(framework_id, since)
            except (psycopg.Error, PoolTimeout):
                self._send(
                    "error",
                    code="unavailable",
                    detail="The database does not answer; subscribe again in a moment.",
                    framework_id=framework_id,
                )

    def _complain(self, code: str, detail: str) -> None:
        now = self._loop.time()
        self._malformed.append(now)
        self._send("error", code=code, detail=detail)
        if len(self._malformed) == _MALFORMED_A_MINUTE and now - self._malformed[0] < 60:
            self._close(MALFORMED, f"{_MALFORMED_A_MINUTE} malformed frames within a minute")

    def _send(self, kind: str, **facts: object) -> None:
        payload = orjson.dumps({"type": kind, **facts}, option=orjson.OPT_UTC_Z)

        self._outlet.write(Frame.of(payload).wire)

    def _close(self, code: int, reason: str) -> None:
        self._outlet.close(code, reason[:120])
        raise _Closed


def _framework(frame: dict[str, Any]) -> tuple[UUID | None, bool]:
    """The framework of a frame (None: all), and whether that could be read."""
    given = frame.get("framework_id")
    if given is None or given == "all":
        return None, True
    try:
        return UUID(given), True
    except (ValueError, TypeError, AttributeError):
        return None, False
