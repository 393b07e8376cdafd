"""What a workspace has said about its ingestion: `workspaces.settings`, remembered for a while.

Every batch asks for it, so a process keeps what it read for a few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.errors import NotFound
from convex.metrics.catalog import FRAMEWORK_LIMIT, SERIES_LIMIT
from convex.metrics.mapping import MappingRule, parse_rules
from convex.metrics.model import to_microseconds

_REMEMBER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class IngestionPolicy:
    """Limits, mapping and retention. `raw_days`, `hourly_days` and `daily_days` say for how long
    each resolution is kept; None: for ever.
    """

    auto_create_metrics: bool = True
    auto_create_frameworks: bool = True
    series_limit: int = SERIES_LIMIT
    framework_limit: int = FRAMEWORK_LIMIT
    raw_days: int | None = None
    hourly_days: int | None = None
    daily_days: int | None = None
    mappings: Sequence[Mapping[str, Any]] = ()

    def rules(self) -> list[MappingRule]:
        """The mapping, ready for use."""
        return parse_rules(self.mappings)

    def oldest(self, now: datetime) -> int:
        """Points before this instant (microseconds) are older than what is kept."""
        if self.raw_days is None:
            return 0
        return to_microseconds(now - timedelta(days=self.raw_days))


_FIELDS = tuple(IngestionPolicy.__dataclass_fields__)
_kept: dict[UUID, tuple[float, IngestionPolicy]] = {}


async def policy_of(connection: Connection, workspace_id: UUID) -> IngestionPolicy:
    """The workspace's policy, at most a few seconds old."""
    kept = _kept.get(workspace_id)
    now = time.monotonic()
    if kept is not None and kept[0] > now:
        return kept[1]
    policy = await read_policy(connection, workspace_id)
    if len(_kept) > 10_000:
        _kept.clear()
    _kept[workspace_id] = now + _REMEMBER_SECONDS, policy
    return policy


def remembered_policy(workspace_id: UUID) -> IngestionPolicy | None:
    """What this process still knows, without asking."""
    kept = _kept.get(workspace_id)
    return kept[1] if kept is not None and kept[0] > time.monotonic() else None


async def read_policy(connection: Connection, workspace_id: UUID) -> IngestionPolicy:
    """As it is now. Raises `NotFound`."""
    rows = await connection.execute(
        "SELECT settings FROM convex.workspaces WHERE id = %s", (workspace_id,)
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound("There is no such workspace.")
    said = row["settings"]
    known = {name: said[name] for name in _FIELDS if name in said}
    return IngestionPolicy(**known)


async def save_policy(
    connection: Connection, workspace_id: UUID, policy: IngestionPolicy
) -> IngestionPolicy:
    """Replace it, leaving what else the settings hold. Raises `InvalidInput` for a mapping that
    cannot be read, `NotFound` where the acting role may not change the workspace.
    """
    policy.rules()
    said = {name: getattr(policy, name) for name in _FIELDS}
    done = await connection.execute(
        "UPDATE convex.workspaces SET settings = settings || %s, updated_at = now() WHERE id = %s",
        (Jsonb({**said, "mappings": list(policy.mappings)}), workspace_id),
    )
    if done.rowcount == 0:
        raise NotFound("There is no such workspace.")
    _kept.pop(workspace_id, None)
    return policy
