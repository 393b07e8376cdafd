"""The demo as a client of the public API: requests, and a listener to the live stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from convex.errors import ConvexError
from demo.timeline import DemoPoint

_HEARTBEAT_SECONDS = 20.0


class ApiError(ConvexError):
    """The API answered a `request` with a problem: its HTTP status, and what it said."""

    def __init__(self, request: str, answered: int, said: str) -> None:
        super().__init__(f"{request} answered {answered}: {said}")
        self.answered = answered
        self.said = said


class Api:
    """One workspace through `/api/v1`, as the bearer of a token or key."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str = "") -> None:
        self._session = session
        self._root = f"{base_url}/api/v1"
        self.token = token

    def bearer(self, token: str) -> Api:
        """The same API as another bearer."""
        api = Api(self._session, "", token)
        api._root = self._root
        return api

    async def sign_in(self, email: str, password: str, workspace: str) -> Api:
        """The API as a member of the workspace."""
        body = {"email": email, "password": password, "workspace": workspace}
        answer = await self.request("POST", "/auth/sign-in", json=body)
        return self.bearer(answer["access_token"])

    async def request(self, method: str, path: str, **options: Any) -> Any:
        """The decoded answer, None where it is empty. Raises `ApiError` for a status above 399."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = self._root + path
        async with self._session.request(method, url, headers=headers, **options) as response:
            body = await response.json(content_type=None) if response.content_length != 0 else None
            if response.status >= 400:
                told = body if isinstance(body, dict) else {}
                said = str(told.get("detail") or response.reason)
                raise ApiError(f"{method} {path}", response.status, said)
            return body

    async def push(self, points: Iterable[DemoPoint]) -> dict[str, Any]:
        """Push points; the answer counts accepted, corrected, unchanged and rejected ones."""
        body = {
            "points": [
                {
                    "framework": point.framework,
                    "metric": point.metric,
                    "timestamp": point.timestamp.isoformat(),
                    "value": point.value,
                }
                for point in points
            ]
        }
        answer: dict[str, Any] = await self.request("POST", "/points", json=body)
        return answer

    @asynccontextmanager
    async def listen(self, since: int | None) -> AsyncIterator[Listener]:
        """Hear every live event after the cursor `since`; None starts with what is still to come.

        Yields once the subscription is confirmed, so nothing that happens in the block is missed.
        """
        async with self._session.ws_connect(f"{self._root}/live") as socket:
            await socket.send_json({"type": "auth", "token": self.token})
            await _expect(socket, "auth_success")
            await socket.send_json({"type": "subscribe", "framework_id": None, "since": since})
            subscribed = await _expect(socket, "subscribed")
            listener = Listener(int(subscribed.get("cursor") or since or 0))
            tasks = [
                asyncio.create_task(listener.hear(socket)),
                asyncio.create_task(_say_something(socket)),
            ]
            try:
                yield listener
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


class Listener:
    """Counts what the live stream says. `start` is the cursor at which it began."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.cursor = start
        self.events: Counter[str] = Counter()
        self.alerts: list[dict[str, Any]] = []
        self._changed = asyncio.Event()

    @property
    def total(self) -> int:
        """All events heard."""
        return self.events.total()

    async def hear(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take every frame until the connection ends."""
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = frame.json()
            if "cursor" not in event or event["type"] in ("subscribed", "resync"):
                continue
            self.cursor = max(self.cursor, int(event["cursor"]))
            self.events[event["type"]] += 1
            if event["type"] == "alert":
                self.alerts.append(event["data"])
            self._changed.set()

    async def reached(self, cursor: int, within: float) -> bool:
        """Wait until the event at `cursor` has been heard, at most `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while self.cursor < cursor:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


async def _say_something(socket: aiohttp.ClientWebSocketResponse) -> None:
    """A client that is silent for a minute is taken for lost."""
    while True:
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        await socket.send_json({"type": "ping"})


async def _expect(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    frame: dict[str, Any] = await socket.receive_json(timeout=10)
    if frame.get("type") != kind:
        raise ApiError("The live stream", 0, f"{frame} instead of {kind}")
    return frame
