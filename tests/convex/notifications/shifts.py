"""Shifts for tests: in this process, or in one that can be killed (`python -m …shifts`)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from convex.db import Database
from convex.db.roles import role_url
from convex.notifications.channels.registry import open_senders
from convex.notifications.deliver import Courier
from convex.notifications.shift import Shift
from convex.settings import Settings, SmtpSettings
from tests.convex.notifications.receivers import HttpReceiver, MailReceiver


def towards(
    settings: Settings, http: HttpReceiver, mail: MailReceiver | None = None, **delivery: Any
) -> Settings:
    """The same settings, leading to receivers."""
    smtp = SmtpSettings()
    if mail is not None:
        smtp = SmtpSettings(
            host="127.0.0.1", port=mail.port, starttls=False, sender="Convex <convex@convex.test>"
        )
    changes = {"allowed_hosts": frozenset({http.address}), **delivery}
    return settings.model_copy(
        update={"smtp": smtp, "delivery": settings.delivery.model_copy(update=changes)}
    )


class Seen:
    """What a shift told about itself."""

    def __init__(self) -> None:
        self.windows: list[Mapping[str, Any]] = []
        self.exhausted: list[UUID] = []
        self.announced: dict[UUID, int] = {}

    async def report(self, window: Mapping[str, Any]) -> None:
        """Keep a window."""
        self.windows.append(window)

    async def on_exhausted(self, ids: list[UUID]) -> None:
        """Keep what ran out of attempts."""
        self.exhausted += ids

    def announce(self, workspace_id: UUID, cursor: int) -> None:
        """Keep a cursor."""
        self.announced[workspace_id] = cursor


@asynccontextmanager
async def at_work(settings: Settings, seen: Seen | None = None) -> AsyncIterator[Shift]:
    """A shift that works while the block lasts and then ends cleanly."""
    seen = seen or Seen()
    url = role_url(settings, "convex_worker")
    async with (
        Database.open(url, application="convex-flow") as database,
        open_senders(settings) as senders,
    ):
        shift = Shift(
            settings,
            database,
            url,
            Courier(settings, settings.secrets, senders),
            announce=seen.announce,
            report=seen.report,
            on_exhausted=seen.on_exhausted,
        )
        running = asyncio.create_task(shift.run())
        try:
            yield shift
        finally:
            shift.stop()
            await running


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[asyncio.subprocess.Process]:
    """A shift in a process of its own; killed at the end of the block if it still lives."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.convex.notifications.shifts",
        stdin=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        assert child.stdin is not None
        child.stdin.write(settings.model_dump_json().encode())
        child.stdin.close()
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def main() -> None:
    """Work by the settings on standard input until killed."""
    settings = Settings.model_validate_json(sys.stdin.read())
    async with at_work(settings):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
