"""A process that ingests what it is given: a replica of the API, as far as the engine can tell.

    python -m tests.convex.alerts.replica DATABASE_URL

Reads pickled (workspace id, batch, now) from its standard input, one after the other, each in
answer to "ready" on its standard output.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from datetime import datetime
from uuid import UUID

from convex.alerts.ingest import ingest_points
from convex.db import Database, Identity, Role
from convex.metrics.model import PointBatch
from convex.metrics.partitions import ensure_partitions

Job = tuple[UUID, PointBatch, datetime]


async def start(url: str) -> Process:
    """A replica that is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, url, stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    return process


async def give(process: Process, job: Job) -> None:
    """Let it ingest; returns when it has committed."""
    assert process.stdin is not None
    assert process.stdout is not None
    frame = pickle.dumps(job)
    process.stdin.write(len(frame).to_bytes(8, "big") + frame)
    await process.stdin.drain()
    assert await process.stdout.readline() == b"ready\n"


async def _serve(url: str) -> None:
    async with Database.open(url) as database:
        while True:
            print("ready", flush=True)  # noqa: T201 - the answer that is waited for
            head = await asyncio.to_thread(sys.stdin.buffer.read, 8)
            if len(head) < 8:
                return
            frame = await asyncio.to_thread(sys.stdin.buffer.read, int.from_bytes(head, "big"))
            workspace_id, batch, now = pickle.loads(frame)
            identity = Identity(workspace_id, Role.INGEST)
            async with database.transaction(identity) as connection:
                await ensure_partitions(connection, batch, now=now)
            async with database.transaction(identity) as connection:
                await ingest_points(connection, workspace_id, batch, now=now)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
