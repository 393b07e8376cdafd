"""The SQL of rules as code."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np

from convex.alerts.model import Rule
from convex.alerts.rule_store import RULE_COLUMNS, RULE_FROM, read_rule
from convex.db import Connection
from convex.metrics.model import IntArray


async def load_rules(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    provenance: str | None = None,
) -> list[Rule]:
    """All rules of the workspace by name, or those of a framework or a provenance."""
    rows = await connection.execute(
        f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE r.workspace_id = %(workspace)s"
        " AND r.deleted_at IS NULL"
        " AND (%(framework)s::uuid IS NULL OR r.framework_id = %(framework)s)"
        " AND (%(provenance)s::text IS NULL OR r.provenance = %(provenance)s) ORDER BY r.name",
        {"workspace": workspace_id, "framework": framework_id, "provenance": provenance},
    )
    return [read_rule(row) for row in await rows.fetchall()]


async def load_catalog(
    connection: Connection, workspace_id: UUID
) -> dict[str, tuple[UUID, dict[str, UUID]]]:
    """The frameworks of the workspace by slug: the id, and the metrics' ids by name."""
    rows = await connection.execute(
        "SELECT f.slug, f.id AS framework_id, m.name, m.id AS metric_id"
        " FROM convex.frameworks AS f LEFT JOIN convex.metrics AS m"
        " ON m.workspace_id = f.workspace_id AND m.framework_id = f.id"
        " WHERE f.workspace_id = %s",
        (workspace_id,),
    )
    catalog: dict[str, tuple[UUID, dict[str, UUID]]] = {}
    for row in await rows.fetchall():
        _, metrics = catalog.setdefault(row["slug"], (row["framework_id"], {}))
        if row["name"] is not None:
            metrics[row["name"]] = row["metric_id"]
    return catalog


async def series_of_rules(
    connection: Connection, workspace_id: UUID, rule_ids: Sequence[UUID]
) -> IntArray:
    """The series on which any of these rules stands somewhere, in order."""
    rows = await connection.execute(
        "SELECT DISTINCT series_id FROM convex.rule_states"
        " WHERE workspace_id = %s AND rule_id = ANY(%s) ORDER BY series_id",
        (workspace_id, list(rule_ids)),
    )
    return np.array([row["series_id"] for row in await rows.fetchall()], np.int64)
