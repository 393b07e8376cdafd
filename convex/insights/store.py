"""The SQL of insights and of what they cost. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound
from convex.insights.model import Insight, Kind, Source, Usage

_COLUMNS = (
    "id, workspace_id, framework_id, trigger_id, kind, source, source_reason, content, evidence,"
    " model, request_id, input_tokens, output_tokens, thinking_tokens, cost_usd, prices_of,"
    " verification, feedback, requested_by, created_at"
)

_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('insight budget ' || %s::text, 0))"


def _read(row: Mapping[str, Any]) -> Insight:
    return Insight(**{**row, "kind": Kind(row["kind"]), "source": Source(row["source"])})


async def find_written(
    connection: Connection,
    workspace_id: UUID,
    kind: Kind,
    evidence_hash: bytes,
    source: Source,
    since: datetime,
) -> Insight | None:
    """The newest insight from exactly this evidence."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.framework_insights WHERE workspace_id = %s AND kind = %s"
        " AND evidence_hash = %s AND source = %s AND created_at >= %s"
        " ORDER BY created_at DESC LIMIT 1",
        (workspace_id, kind.value, evidence_hash, source.value, since),
    )
    row = await rows.fetchone()
    return None if row is None else _read(row)


async def insert_insight(
    connection: Connection,
    workspace_id: UUID,
    *,
    evidence_hash: bytes,
    content: Mapping[str, Any],
    evidence: Mapping[str, Any],
    verification: Mapping[str, Any],
    created_at: datetime,
    **columns: Any,
) -> Insight:
    """A new row. `columns`: framework_id, trigger_id, kind, source, source_reason and what the
    model used; what is left out is NULL.
    """
    values = {
        **columns,
        "workspace_id": workspace_id,
        "evidence_hash": evidence_hash,
        "content": Jsonb(content),
        "evidence": Jsonb(evidence),
        "verification": Jsonb(verification),
        "created_at": created_at,
    }
    names = ", ".join(values)
    marks = ", ".join(f"%({name})s" for name in values)
    rows = await connection.execute(
        f"INSERT INTO convex.framework_insights ({names}) VALUES ({marks}) RETURNING {_COLUMNS}",
        values,
    )
    row = await rows.fetchone()
    assert row is not None
    return _read(row)


async def get_insight(connection: Connection, workspace_id: UUID, insight_id: UUID) -> Insight:
    """Raises `NotFound`."""
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.framework_insights WHERE workspace_id = %s AND id = %s",
        (workspace_id, insight_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no insight {insight_id} in this workspace.")
    return _read(row)


async def list_insights(
    connection: Connection,
    workspace_id: UUID,
    *,
    framework_id: UUID | None = None,
    trigger_id: UUID | None = None,
    kinds: Sequence[str] = (),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Insight]:
    """Newest first."""
    after = decode_cursor(cursor, datetime, UUID)
    at, last_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.framework_insights WHERE workspace_id = %(w)s"
        " AND (%(f)s::uuid IS NULL OR framework_id = %(f)s)"
        " AND (%(t)s::uuid IS NULL OR trigger_id = %(t)s)"
        " AND (%(kinds)s::text[] = '{}' OR kind = ANY(%(kinds)s))"
        " AND (%(at)s::timestamptz IS NULL OR (created_at, id) < (%(at)s, %(id)s::uuid))"
        " ORDER BY created_at DESC, id DESC LIMIT %(limit)s",
        {
            "w": workspace_id,
            "f": framework_id,
            "t": trigger_id,
            "kinds": list(kinds),
            "at": at,
            "id": last_id,
            "limit": limit + 1,
        },
    )
    found = [_read(row) for row in await rows.fetchall()]
    page, more = found[:limit], len(found) > limit
    last = page[-1] if more else None
    if last is None or last.created_at is None:
        return Page(page, None)
    return Page(page, encode_cursor(last.created_at.isoformat(), last.id))


async def set_feedback(
    connection: Connection, workspace_id: UUID, insight_id: UUID, feedback: str | None
) -> Insight:
    """Whether it helped. Raises `NotFound`."""
    await connection.execute(
        "UPDATE convex.framework_insights SET feedback = %s WHERE workspace_id = %s AND id = %s",
        (feedback, workspace_id, insight_id),
    )
    return await get_insight(connection, workspace_id, insight_id)


async def newest_insight_at(
    connection: Connection, workspace_id: UUID, kind: Kind, framework_id: UUID | None = None
) -> datetime | None:
    """When the last of that kind was written."""
    rows = await connection.execute(
        "SELECT max(created_at) AS at FROM convex.framework_insights WHERE workspace_id = %s"
        " AND kind = %s AND framework_id IS NOT DISTINCT FROM %s",
        (workspace_id, kind.value, framework_id),
    )
    row = await rows.fetchone()
    return None if row is None else row["at"]


# -- what it costs


async def reserve(
    connection: Connection,
    workspace_id: UUID,
    *,
    amount: float,
    limit: float,
    now: datetime,
    evidence: Mapping[str, Any] | None = None,
    **columns: Any,
) -> UUID | None:
    """Take `amount` (USD) out of the day's budget; None when it does not hold that much any more.

    Requests of one workspace come one after another here, so that together they cannot spend what
    each of them alone could.
    """
    await connection.execute(_ONE_BY_ONE, (workspace_id,))
    if await spent(connection, workspace_id, now) + amount > limit:
        return None
    values = {
        **columns,
        "workspace_id": workspace_id,
        "reserved_usd": amount,
        "evidence": None if evidence is None else Jsonb(evidence),
        "created_at": now,
    }
    rows = await connection.execute(
        f"INSERT INTO convex.insight_runs ({', '.join(values)})"
        f" VALUES ({', '.join(f'%({name})s' for name in values)}) RETURNING id",
        values,
    )
    row = await rows.fetchone()
    assert row is not None
    return UUID(str(row["id"]))


async def is_being_asked(
    connection: Connection, workspace_id: UUID, evidence_hash: bytes, since: datetime
) -> bool:
    """Whether somebody is at it already. Then nobody else is until this transaction ends: requests
    of one workspace come one after another, as in `reserve`.
    """
    await connection.execute(_ONE_BY_ONE, (workspace_id,))
    rows = await connection.execute(
        "SELECT 1 FROM convex.insight_runs WHERE workspace_id = %s AND evidence_hash = %s"
        " AND state = 'reserved' AND created_at >= %s LIMIT 1",
        (workspace_id, evidence_hash, since),
    )
    return await rows.fetchone() is not None


async def spent(connection: Connection, workspace_id: UUID, now: datetime) -> float:
    """US dollars of the UTC day of `now`; what is not settled counts as reserved."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows = await connection.execute(
        "SELECT coalesce(sum(coalesce(cost_usd, reserved_usd)), 0) AS spent"
        " FROM convex.insight_runs WHERE workspace_id = %s"
        " AND created_at >= %s AND created_at < %s + interval '1 day'",
        (workspace_id, day, day),
    )
    row = await rows.fetchone()
    return 0.0 if row is None else float(row["spent"])


async def mark_submitted(connection: Connection, run_ids: Sequence[UUID], batch_id: str) -> None:
    """They are part of a batch now."""
    await connection.execute(
        "UPDATE convex.insight_runs SET state = 'submitted', batch_id = %s WHERE id = ANY(%s)",
        (batch_id, list(run_ids)),
    )


async def settle(
    connection: Connection,
    run_id: UUID,
    *,
    outcome: str,
    usage: Usage,
    calls: int,
    cost: float | None,
    verification: Mapping[str, Any],
    insight_id: UUID | None,
    now: datetime,
) -> None:
    """What it came to. `cost` None: not known, so that what was reserved goes on counting."""
    await connection.execute(
        "UPDATE convex.insight_runs SET state = 'settled', outcome = %s, calls = %s,"
        " input_tokens = %s, cache_read_tokens = %s, cache_write_tokens = %s, output_tokens = %s,"
        " thinking_tokens = %s, cost_usd = %s, verification = %s, insight_id = %s,"
        " evidence = NULL, settled_at = %s WHERE id = %s",
        (
            outcome,
            calls,
            usage.input,
            usage.cache_read,
            usage.cache_write,
            usage.output,
            usage.thinking,
            cost,
            Jsonb(verification),
            insight_id,
            now,
            run_id,
        ),
    )


async def submitted_runs(connection: Connection, workspace_id: UUID) -> list[dict[str, Any]]:
    """Runs whose batch has not been collected yet, oldest first."""
    rows = await connection.execute(
        "SELECT id, batch_id, kind, model, evidence_hash, evidence, framework_id, trigger_id,"
        " requested_by, created_at FROM convex.insight_runs"
        " WHERE workspace_id = %s AND state = 'submitted' ORDER BY created_at, id",
        (workspace_id,),
    )
    return await rows.fetchall()


# -- how good they are


async def measure_quality(
    connection: Connection, since: datetime, workspace_id: UUID | None = None
) -> dict[str, Any]:
    """Counts over settled runs (Claude's alone) and over insights, since then.

    Statements are those of first answers: verified at once, repaired, or rejected for good.
    Templates are counted as such and enter no other figure.
    """
    rows = await connection.execute(
        "SELECT count(*) AS runs,"
        " count(*) FILTER (WHERE outcome = 'written') AS written,"
        " coalesce(sum((verification ->> 'statements')::int), 0) AS statements,"
        " coalesce(sum((verification ->> 'verified')::int), 0) AS verified,"
        " coalesce(sum((verification ->> 'repaired')::int), 0) AS repaired,"
        " coalesce(sum((verification ->> 'rejected')::int), 0) AS rejected,"
        " coalesce(sum(cost_usd), 0) AS cost_usd,"
        " coalesce(sum(thinking_tokens), 0) AS thinking_tokens,"
        " coalesce(sum(output_tokens), 0) AS output_tokens,"
        " coalesce(sum(input_tokens + cache_read_tokens + cache_write_tokens), 0) AS input_tokens"
        " FROM convex.insight_runs WHERE state = 'settled' AND settled_at >= %(since)s"
        " AND (%(w)s::uuid IS NULL OR workspace_id = %(w)s)",
        {"since": since, "w": workspace_id},
    )
    runs = await rows.fetchone()
    rows = await connection.execute(
        "SELECT count(*) FILTER (WHERE source = 'claude') AS by_claude,"
        " count(*) FILTER (WHERE source = 'template') AS by_template,"
        " count(*) FILTER (WHERE source = 'claude' AND feedback = 'helpful') AS helpful,"
        " count(*) FILTER (WHERE source = 'claude' AND feedback = 'not_helpful') AS not_helpful"
        " FROM convex.framework_insights WHERE created_at >= %(since)s"
        " AND (%(w)s::uuid IS NULL OR workspace_id = %(w)s)",
        {"since": since, "w": workspace_id},
    )
    insights = await rows.fetchone()
    assert runs is not None
    assert insights is not None
    rows = await connection.execute(
        "SELECT source_reason AS reason, count(*) AS n FROM convex.framework_insights"
        " WHERE source = 'template' AND created_at >= %(since)s"
        " AND (%(w)s::uuid IS NULL OR workspace_id = %(w)s) GROUP BY source_reason ORDER BY 1",
        {"since": since, "w": workspace_id},
    )
    reasons = {row["reason"]: int(row["n"]) for row in await rows.fetchall()}
    whole = {name: value for name, value in {**runs, **insights}.items() if name != "cost_usd"}
    return {
        **{name: int(value) for name, value in whole.items()},
        "cost_usd": float(runs["cost_usd"]),
        "template_reasons": reasons,
    }
