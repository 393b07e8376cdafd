"""The statements of quality_runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.quality.model import ExpectationResult, StoredRun, SuiteRun

_COLUMNS = (
    "id, suite, started_at, finished_at, state, evaluated, passed, failed, results, report_path"
)


_MOST_SERIES = 100


async def save_runs(connection: Connection, runs: Sequence[SuiteRun]) -> None:
    """Keep what the suites said."""
    for run in runs:
        await connection.execute(
            "INSERT INTO convex.quality_runs (workspace_id, suite, started_at, finished_at, state,"
            " evaluated, passed, failed, results, report_path)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                *(run.workspace_id, run.suite, run.started_at, run.finished_at, run.state.value),
                *(len(run.results), run.passed, run.failed),
                *(Jsonb([_kept(result) for result in run.results]), run.report_path),
            ),
        )


def _kept(result: ExpectationResult) -> dict[str, Any]:
    """As it is stored: of the series a hundred."""
    return {**asdict(result), "series": list(result.series)[:_MOST_SERIES]}


async def list_runs(
    connection: Connection,
    *,
    suite: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[StoredRun]:
    """Runs of the acting workspace, newest first.

    Each is `{id, suite, started_at, finished_at, state, evaluated, passed, failed, results,
    report_path}`, where `results` is a list of `{name, column, says, severity, succeeded, observed,
    rows, unexpected, examples, error}` and `report_path` a page below /docs/quality/.
    """
    after = decode_cursor(cursor, datetime, UUID)
    conditions, values = ["true"], []
    if suite is not None:
        conditions.append("suite = %s")
        values.append(suite)
    if after is not None:
        conditions.append("(started_at, id) < (%s::timestamptz, %s::uuid)")
        values += [str(part) for part in after]
    found = await connection.execute(
        f"SELECT {_COLUMNS} FROM convex.quality_runs WHERE {' AND '.join(conditions)}"
        " ORDER BY started_at DESC, id DESC LIMIT %s",
        [*values, limit + 1],
    )
    rows: list[dict[str, Any]] = await found.fetchall()
    page, more = rows[:limit], len(rows) > limit
    return Page(page, encode_cursor(page[-1]["started_at"], page[-1]["id"]) if more else None)


async def list_workspaces(connection: Connection) -> list[tuple[UUID, str]]:
    """Every workspace that the acting identity sees, with its name."""
    found = await connection.execute("SELECT id, name FROM convex.workspaces ORDER BY slug")
    return [(row["id"], row["name"]) for row in await found.fetchall()]


async def has_run(connection: Connection, workspace_id: UUID, suite: str) -> bool:
    """Whether the suite has been run there before."""
    found = await connection.execute(
        "SELECT 1 FROM convex.quality_runs WHERE workspace_id = %s AND suite = %s LIMIT 1",
        (workspace_id, suite),
    )
    return await found.fetchone() is not None


async def latest_outcomes(connection: Connection) -> list[tuple[UUID, str, str]]:
    """Each workspace that was checked: id, name, and its newest states in words."""
    found = await connection.execute(
        "SELECT w.id, w.name, string_agg(r.suite || ' ' || r.state, ' · ' ORDER BY r.suite) AS said"
        " FROM convex.workspaces AS w INNER JOIN LATERAL ("
        " SELECT DISTINCT ON (suite) suite, state FROM convex.quality_runs"
        " WHERE workspace_id = w.id ORDER BY suite, started_at DESC"
        ") AS r ON true GROUP BY w.id, w.name ORDER BY w.name"
    )
    return [(row["id"], row["name"], row["said"]) for row in await found.fetchall()]


async def trends(
    connection: Connection, workspace_id: UUID, since: datetime
) -> list[dict[str, Any]]:
    """For each suite and UTC day from `since` on: `{suite, day, runs, passed_runs, evaluated,
    passed, failed, share}`, where `share` is that of the expectations that held (0-1).
    """
    rows = await connection.execute(
        "SELECT suite, (date_trunc('day', started_at, 'UTC') AT TIME ZONE 'UTC')::date AS day,"
        " count(*) AS runs, count(*) FILTER (WHERE state = 'passed') AS passed_runs,"
        " sum(evaluated)::integer AS evaluated, sum(passed)::integer AS passed,"
        " sum(failed)::integer AS failed,"
        " sum(passed)::float8 / nullif(sum(evaluated), 0) AS share"
        " FROM convex.quality_runs WHERE workspace_id = %s AND started_at >= %s"
        " GROUP BY 1, 2 ORDER BY 1, 2",
        (workspace_id, since),
    )
    return await rows.fetchall()
