"""Writing live events as whoever changes facts does."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Database
from tests.conftest import Tenant


async def append(
    worker: Database,
    tenant: Tenant,
    numbers: Sequence[int],
    *,
    framework_id: UUID | None = None,
    recipient_id: UUID | None = None,
) -> int:
    """One event for each number, in one transaction; the newest cursor."""
    async with worker.transaction(tenant.flow) as connection:
        row = await (
            await connection.execute(
                "SELECT convex.append_live_events(%s, %s::uuid[], %s::text[], %s::jsonb[],"
                " %s::uuid[]) AS cursor",
                (
                    tenant.workspace_id,
                    [framework_id] * len(numbers),
                    ["notification" if recipient_id else "alert"] * len(numbers),
                    [Jsonb({"n": number}) for number in numbers],
                    [recipient_id] * len(numbers),
                ),
            )
        ).fetchone()
    assert row is not None
    return int(row["cursor"])
