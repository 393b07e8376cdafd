"""All SQL about stored predictions and runs. Histories are read in `history`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import NotFound

_COLUMNS = """
SELECT p.id, p.framework_id, f.slug AS framework, f.name AS framework_name, p.rule_id,
    r.name AS rule_name, r.severity, p.series_id, p.kind, p.made_at, p.window_start, p.window_end,
    p.probability, p.climatology, p.confidence, p.risk_score, p.preventive_actions, p.model,
    p.run_id, p.inputs, p.action_taken, p.was_accurate, p.actual_alert_triggered_at, p.verified_at
FROM convex.alert_predictions AS p
INNER JOIN convex.frameworks AS f ON f.id = p.framework_id
LEFT JOIN convex.alert_rules AS r ON r.id = p.rule_id
"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A stored prediction with the names around it. Probabilities and risk are 0–100."""

    id: UUID
    framework_id: UUID
    framework: str
    framework_name: str
    rule_id: UUID | None
    rule_name: str | None
    severity: str | None
    series_id: int | None
    kind: str
    made_at: datetime
    window_start: datetime
    window_end: datetime
    probability: float
    climatology: float
    confidence: str
    risk_score: float
    preventive_actions: Sequence[Mapping[str, Any]]
    model: str
    run_id: UUID | None
    inputs: Mapping[str, Any]
    action_taken: Sequence[Mapping[str, Any]] | None
    was_accurate: bool | None
    actual_alert_triggered_at: datetime | None
    verified_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionFilters:
    """Which predictions a listing holds; an empty field does not filter.

    `open_at`: only those whose window runs at that instant. `newest`: of each rule and kind only
    the one made last.
    """

    kinds: Sequence[str] = ()
    confidences: Sequence[str] = ()
    framework_id: UUID | None = None
    rule_id: UUID | None = None
    open_at: datetime | None = None
    verified: bool | None = None
    least_probability: float = 0.0


async def list_predictions(
    connection: Connection,
    workspace_id: UUID,
    filters: PredictionFilters,
    *,
    limit: int,
    cursor: str | None,
) -> Page[Prediction]:
    """The newest run first, the greatest risk first within it."""
    after = decode_cursor(cursor, datetime, float, UUID) or (None, None, None)
    rows = await connection.execute(
        _COLUMNS + " WHERE p.workspace_id = %(workspace)s"
        " AND (%(kinds)s::text[] = '{}' OR p.kind = ANY (%(kinds)s))"
        " AND (%(confidences)s::text[] = '{}' OR p.confidence = ANY (%(confidences)s))"
        " AND (%(framework)s::uuid IS NULL OR p.framework_id = %(framework)s)"
        " AND (%(rule)s::uuid IS NULL OR p.rule_id = %(rule)s)"
        " AND (%(open_at)s::timestamptz IS NULL OR (p.window_start <= %(open_at)s"
        "  AND p.window_end > %(open_at)s))"
        " AND (%(verified)s::boolean IS NULL OR (p.verified_at IS NOT NULL) = %(verified)s)"
        " AND p.probability >= %(least)s"
        " AND (%(made_at)s::timestamptz IS NULL OR (p.made_at, p.risk_score, p.id)"
        "  < (%(made_at)s::timestamptz, %(risk)s::double precision, %(id)s::uuid))"
        " ORDER BY p.made_at DESC, p.risk_score DESC, p.id DESC LIMIT %(limit)s",
        {
            "workspace": workspace_id,
            "kinds": list(filters.kinds),
            "confidences": list(filters.confidences),
            "framework": filters.framework_id,
            "rule": filters.rule_id,
            "open_at": filters.open_at,
            "verified": filters.verified,
            "least": filters.least_probability,
            "made_at": after[0],
            "risk": after[1],
            "id": after[2],
            "limit": limit + 1,
        },
    )
    found = [Prediction(**row) for row in await rows.fetchall()]
    items = found[:limit]
    if len(found) <= limit:
        return Page(items)
    last = items[-1]
    return Page(items, encode_cursor(last.made_at, float(last.risk_score), last.id))


async def get_prediction(
    connection: Connection, workspace_id: UUID, prediction_id: UUID
) -> Prediction:
    """By id. Raises `NotFound`."""
    rows = await connection.execute(
        _COLUMNS + " WHERE p.workspace_id = %s AND p.id = %s", (workspace_id, prediction_id)
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no prediction {prediction_id} in this workspace.")
    return Prediction(**row)


async def insert_run(connection: Connection, workspace_id: UUID, run: Mapping[str, Any]) -> UUID:
    """A run: as_of, rules, trained, predictions, horizons, seconds."""
    rows = await connection.execute(
        "INSERT INTO convex.prediction_runs"
        " (workspace_id, as_of, rules, trained, predictions, horizons, seconds)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            workspace_id,
            run["as_of"],
            run["rules"],
            run["trained"],
            run["predictions"],
            Jsonb(run["horizons"]),
            run["seconds"],
        ),
    )
    row = await rows.fetchone()
    assert row is not None
    return UUID(str(row["id"]))


async def insert_predictions(
    connection: Connection, workspace_id: UUID, run_id: UUID, rows: Sequence[Mapping[str, Any]]
) -> list[UUID]:
    """Insert them; those of the same rule, kind and window that are there already stay. The ids of
    the new ones.
    """
    columns = (
        "framework_id",
        "rule_id",
        "series_id",
        "kind",
        "made_at",
        "window_start",
        "window_end",
        "probability",
        "climatology",
        "confidence",
        "risk_score",
        "model",
    )
    kinds = "uuid, uuid, bigint, text, timestamptz, timestamptz, timestamptz, float8, float8, text,"
    kinds += " float8, text"
    arrays = ", ".join(
        f"%({name})s::{kind.strip()}[]"
        for name, kind in zip(columns, kinds.split(","), strict=True)
    )
    found = await connection.execute(
        f"INSERT INTO convex.alert_predictions (workspace_id, run_id, {', '.join(columns)},"
        " preventive_actions, inputs)"
        f" SELECT %(workspace)s, %(run)s, t.* FROM unnest({arrays}, %(actions)s::jsonb[],"
        " %(inputs)s::jsonb[]) AS t ON CONFLICT DO NOTHING RETURNING id",
        {
            **{name: [row[name] for row in rows] for name in columns},
            "actions": [Jsonb(row["preventive_actions"]) for row in rows],
            "inputs": [Jsonb(row["inputs"]) for row in rows],
            "workspace": workspace_id,
            "run": run_id,
        },
    )
    return [row["id"] for row in await found.fetchall()]


async def drop_old_runs(connection: Connection, workspace_id: UUID, *, keep: int) -> None:
    """Forget all but the newest runs; what they predicted stays."""
    await connection.execute(
        "DELETE FROM convex.prediction_runs WHERE workspace_id = %s AND id NOT IN ("
        " SELECT id FROM convex.prediction_runs WHERE workspace_id = %s"
        " ORDER BY as_of DESC, id LIMIT %s)",
        (workspace_id, workspace_id, keep),
    )


async def worth_telling(
    connection: Connection, workspace_id: UUID, run_id: UUID, least_risk: float
) -> list[UUID]:
    """The predictions of a run with high confidence and at least this risk, of rules that do not
    fire already; the greatest risk first.
    """
    rows = await connection.execute(
        "SELECT id FROM convex.alert_predictions WHERE workspace_id = %s AND run_id = %s"
        " AND confidence = 'high' AND risk_score >= %s AND NOT (inputs -> 'open')::boolean"
        " ORDER BY risk_score DESC, id",
        (workspace_id, run_id, least_risk),
    )
    return [row["id"] for row in await rows.fetchall()]


async def newest_run(connection: Connection, workspace_id: UUID) -> dict[str, Any] | None:
    """The run made last: id, as_of, rules, trained, predictions, horizons, seconds; or None."""
    rows = await connection.execute(
        "SELECT id, as_of, rules, trained, predictions, horizons, seconds"
        " FROM convex.prediction_runs WHERE workspace_id = %s ORDER BY as_of DESC, id LIMIT 1",
        (workspace_id,),
    )
    return await rows.fetchone()


async def verify_due(
    connection: Connection, workspace_id: UUID, *, ended_by: datetime, now: datetime
) -> int:
    """Look up the outcome of each window that ended by `ended_by`; how many were verified.

    Accurate means: at 50 or above an alert came, below none did.
    """
    done = await connection.execute(
        "UPDATE convex.alert_predictions AS p SET verified_at = %(now)s,"
        " actual_alert_triggered_at = found.opened_at,"
        " was_accurate = (p.probability >= 50) = (found.opened_at IS NOT NULL)"
        " FROM (SELECT d.id, (SELECT min(a.opened_at) FROM convex.alert_triggers AS a"
        "   WHERE a.rule_id = d.rule_id AND a.opened_at >= d.window_start"
        "   AND a.opened_at < d.window_end) AS opened_at"
        "  FROM convex.alert_predictions AS d WHERE d.workspace_id = %(workspace)s"
        "  AND d.verified_at IS NULL AND d.rule_id IS NOT NULL AND d.window_end <= %(ended_by)s"
        "  FOR UPDATE) AS found WHERE p.id = found.id",
        {"workspace": workspace_id, "now": now, "ended_by": ended_by},
    )
    return done.rowcount


async def read_verified(
    connection: Connection, workspace_id: UUID, *, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Of each verified prediction: kind, rule_id, hours, window_start, probability, climatology and
    whether it `fired`; and what each expert had said.
    """
    rows = await connection.execute(
        "SELECT kind, rule_id, framework_id, window_start, probability, climatology, confidence,"
        " round(extract(epoch FROM window_end - window_start) / 3600)::int AS hours,"
        " actual_alert_triggered_at IS NOT NULL AS fired FROM convex.alert_predictions"
        " WHERE workspace_id = %s AND verified_at IS NOT NULL"
        " AND (%s::timestamptz IS NULL OR window_start >= %s) ORDER BY window_start, id",
        (workspace_id, since, since),
    )
    return await rows.fetchall()


async def read_weekly_sums(
    connection: Connection, workspace_id: UUID, *, since: datetime
) -> list[dict[str, Any]]:
    """By kind and week of the window's beginning: how many were verified, how many `fired`, and the
    sums of squared errors of the probability (`own`) and of the climatology (`base`).
    """
    rows = await connection.execute(
        "SELECT kind, date_bin('7 days', window_start, timestamptz 'epoch') AS week, count(*) AS n,"
        " sum(fired) AS fired, sum((probability / 100 - fired) ^ 2) AS own,"
        " sum((climatology / 100 - fired) ^ 2) AS base FROM ("
        " SELECT kind, window_start, probability, climatology,"
        " (actual_alert_triggered_at IS NOT NULL)::int AS fired FROM convex.alert_predictions"
        " WHERE workspace_id = %s AND verified_at IS NOT NULL AND window_start >= %s) AS p"
        " GROUP BY kind, week ORDER BY kind, week",
        (workspace_id, since),
    )
    return await rows.fetchall()


async def read_quality(connection: Connection, *, since: datetime) -> list[dict[str, Any]]:
    """Of everything the identity sees verified since, by horizon in hours: n, the mean squared
    errors of the probability (`brier`) and by week (`own`) and of the climatology (`base`), AUC
    (null where all outcomes are the same) and calibration error over ten bins.
    """
    rows = await connection.execute(
        "WITH said AS (SELECT round(extract(epoch FROM window_end - window_start) / 3600)::int"
        " AS hours, (probability / 100)::float8 AS p, (climatology / 100)::float8 AS c,"
        " (actual_alert_triggered_at IS NOT NULL)::int AS fired,"
        " floor(extract(epoch FROM window_start) / 604800) AS week"
        " FROM convex.alert_predictions WHERE verified_at >= %s),"
        " weeks AS (SELECT hours, week, sum((p - fired) ^ 2) AS own, sum((c - fired) ^ 2) AS base"
        " FROM said GROUP BY hours, week),"
        " weekly AS (SELECT hours, array_agg(own ORDER BY week) AS own,"
        " array_agg(base ORDER BY week) AS base FROM weeks GROUP BY hours),"
        " bins AS (SELECT hours, abs(sum(p) - sum(fired)) AS off FROM said"
        " GROUP BY hours, least(floor(p * 10), 9)),"
        " ranked AS (SELECT hours, p, fired, rank() OVER (PARTITION BY hours ORDER BY p)"
        " + (count(*) OVER (PARTITION BY hours, p) - 1) / 2.0 AS place FROM said),"
        " ordered AS (SELECT hours, count(*) AS n, sum(fired) AS ones,"
        " avg((p - fired) ^ 2) AS brier,"
        " sum(place) FILTER (WHERE fired = 1) AS places FROM ranked GROUP BY hours)"
        " SELECT o.hours, o.n, o.brier, w.own, w.base, ((o.places - o.ones * (o.ones + 1) / 2.0)"
        " / nullif(o.ones * (o.n - o.ones), 0))::float8 AS auc,"
        " (SELECT sum(b.off) / o.n FROM bins AS b WHERE b.hours = o.hours) AS ece"
        " FROM ordered AS o INNER JOIN weekly AS w ON w.hours = o.hours ORDER BY o.hours",
        (since,),
    )
    return await rows.fetchall()


async def add_action(
    connection: Connection, prediction_id: UUID, action: Mapping[str, Any]
) -> None:
    """Note what somebody did about it."""
    await connection.execute(
        "UPDATE convex.alert_predictions SET action_taken = coalesce(action_taken, '[]') || %s"
        " WHERE id = %s",
        (Jsonb([dict(action)]), prediction_id),
    )


async def read_hours(
    connection: Connection, series_id: int, start: datetime, end: datetime
) -> list[tuple[datetime, float]]:
    """The mean of a series by hour from `start` on, of hours that have any point."""
    rows = await connection.execute(
        "SELECT date_bin('1 hour', timestamp, %(start)s) AS hour, avg(value) AS value"
        " FROM convex.points WHERE series_id = %(series)s AND timestamp >= %(start)s"
        " AND timestamp < %(end)s GROUP BY 1 ORDER BY 1",
        {"series": series_id, "start": start, "end": end},
    )
    return [(row["hour"], row["value"]) for row in await rows.fetchall()]


async def append_live_events(
    connection: Connection,
    workspace_id: UUID,
    framework_ids: Sequence[UUID],
    data: Sequence[Mapping[str, Any]],
) -> int:
    """Tell live clients of new predictions; the cursor. Call last in a transaction."""
    rows = await connection.execute(
        "SELECT convex.append_live_events(%s, %s::uuid[],"
        " array_fill('prediction'::text, ARRAY[%s::integer]), %s::jsonb[]) AS cursor",
        (workspace_id, list(framework_ids), len(data), [Jsonb(dict(one)) for one in data]),
    )
    row = await rows.fetchone()
    assert row is not None
    return int(row["cursor"])
