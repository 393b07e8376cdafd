"""How every framework stands: its last known health, and its risk now. The caller owns the
transaction.

Health and the slow factors of risk (trend, missing data) are those of the newest hourly snapshot;
triggers that are open and firings that are predicted are read now, so a list ordered by risk does
not wait for the hour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.frameworks import FrameworkOverview
from convex.frameworks import store as frameworks
from convex.scoring import risk, store
from convex.scoring.model import Factor, FactorKind, Risk, Status

_SLOW = (FactorKind.WORSENING_TREND, FactorKind.STALE_DATA)


@dataclass(frozen=True, slots=True)
class Standing:
    """One framework. `scored_at` is the hour of its health; None: never scored."""

    score: float | None
    status: Status
    coverage: float
    scored_at: datetime | None
    risk: Risk


UNKNOWN = Standing(None, Status.UNKNOWN, 0.0, None, Risk(0.0, ()))


async def read_standings(
    connection: Connection,
    workspace_id: UUID,
    *,
    now: datetime,
    framework_ids: Sequence[UUID] | None = None,
) -> dict[UUID, Standing]:
    """Of these frameworks, or of all; three statements, whatever their number."""
    rows = await store.newest_snapshots(connection, workspace_id, framework_ids)
    ids = [row["framework_id"] for row in rows]
    factors: dict[UUID, list[Factor]] = {
        row["framework_id"]: _kept_factors(row["risk_detail"]) for row in rows
    }
    for found, factor in await read_urgent(connection, workspace_id, ids, now):
        factors[found].append(factor)
    return {
        row["framework_id"]: Standing(
            row["score"],
            Status(row["status"] or Status.UNKNOWN),
            row["coverage"] or 0.0,
            row["at"],
            risk.combine(factors[row["framework_id"]]),
        )
        for row in rows
    }


async def read_urgent(
    connection: Connection, workspace_id: UUID, framework_ids: Sequence[UUID], now: datetime
) -> list[tuple[UUID, Factor]]:
    """The factors that may change at any moment: open triggers, and what is predicted to fire."""
    found = []
    for row in await store.open_triggers(connection, workspace_id, framework_ids):
        acknowledged = row["state"] == "acknowledged"
        factor = risk.open_trigger(row["rule_name"], row["severity"], acknowledged=acknowledged)
        found.append((row["framework_id"], factor))
    for row in await store.predicted_firings(connection, workspace_id, framework_ids, now):
        factor = risk.predicted_firing(
            row["rule_name"], row["severity"], row["probability"], row["hours"]
        )
        found.append((row["framework_id"], factor))
    return found


async def list_by_risk(
    connection: Connection,
    workspace_id: UUID,
    *,
    now: datetime,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[Page[FrameworkOverview], dict[UUID, Standing]]:
    """A page of the frameworks, the riskiest first and equals by slug, with how they stand."""
    after = decode_cursor(cursor, float, str)
    slugs = await frameworks.select_slugs(connection, workspace_id)
    standings = await read_standings(connection, workspace_id, now=now)
    order = sorted(
        (-standings[one].risk.score, slug, one) for one, slug in slugs.items() if one in standings
    )
    if after is not None:
        order = [each for each in order if each[:2] > (-float(str(after[0])), str(after[1]))]
    shown = order[:limit]
    overviews = await frameworks.select_by_id(connection, workspace_id, [one for *_, one in shown])
    more = len(order) > limit
    last = encode_cursor(-shown[-1][0], shown[-1][1]) if more else None
    return Page(overviews, last), standings


def _kept_factors(detail: Mapping[str, Any] | None) -> list[Factor]:
    if not detail:
        return []
    return [
        Factor(
            FactorKind(each["kind"]),
            each["name"],
            each["probability"],
            each["impact"],
            each["explanation"],
        )
        for each in detail["factors"]
        if each["kind"] in _SLOW
    ]
