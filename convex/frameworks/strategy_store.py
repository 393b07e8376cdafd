"""The SQL of strategy versions and scores. Nothing here commits; neither is ever changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from convex.db import Connection
from convex.frameworks.rubric import Known
from convex.frameworks.strategy import (
    Author,
    ScoredBy,
    StrategyScore,
    StrategyVersion,
    SubScores,
    Verdict,
)

_MOST_METRICS = 500
_SUB_SCORES = tuple(SubScores.__dataclass_fields__)
_VERSION = (
    "SELECT v.id, v.framework_id, v.number, v.document, v.note, v.author_id, u.name AS author_name,"
    " v.created_at FROM convex.strategy_versions AS v LEFT JOIN convex.users AS u"
    " ON u.id = v.author_id"
)
_SCORE = (
    "SELECT s.id, s.framework_id, v.number AS version, s.score, "
    + ", ".join(f"s.{name}" for name in _SUB_SCORES)
    + ", s.verdict, s.scored_by, s.rationale, s.evidence, s.author_id, u.name AS author_name,"
    " s.created_at FROM convex.strategy_scores AS s"
    " INNER JOIN convex.strategy_versions AS v ON v.id = s.strategy_version_id"
    " LEFT JOIN convex.users AS u ON u.id = s.author_id"
)


async def lock_framework(connection: Connection, workspace_id: UUID, framework_id: UUID) -> None:
    """Whoever adds a version of this framework waits for the one before; until the commit."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
        (f"strategy {workspace_id} {framework_id}",),
    )


async def insert_version(
    connection: Connection,
    workspace_id: UUID,
    framework_id: UUID,
    *,
    number: int,
    document: str,
    note: str,
    author_id: UUID | None,
) -> UUID:
    """A new row; its id."""
    row = await _one(
        connection,
        "INSERT INTO convex.strategy_versions"
        " (workspace_id, framework_id, number, document, note, author_id)"
        " VALUES (%s, %s, %s, %s, %s, %s) RETURNING id",
        *(workspace_id, framework_id, number, document, note, author_id),
    )
    assert row is not None
    return UUID(str(row["id"]))


async def find_version(
    connection: Connection, framework_id: UUID, number: int | None
) -> StrategyVersion | None:
    """By its number; None: the newest."""
    row = await _one(
        connection,
        f"{_VERSION} WHERE v.framework_id = %s AND (%s::int IS NULL OR v.number = %s)"
        " ORDER BY v.number DESC LIMIT 1",
        *(framework_id, number, number),
    )
    return None if row is None else _version(row)


async def select_versions(
    connection: Connection, framework_id: UUID, before: int | None, limit: int
) -> list[StrategyVersion]:
    """The newest first, those below `before`."""
    rows = await connection.execute(
        f"{_VERSION} WHERE v.framework_id = %s AND (%s::int IS NULL OR v.number < %s)"
        " ORDER BY v.number DESC LIMIT %s",
        (framework_id, before, before, limit),
    )
    return [_version(row) for row in await rows.fetchall()]


async def insert_score(
    connection: Connection,
    workspace_id: UUID,
    version: StrategyVersion,
    *,
    sub_scores: SubScores,
    scored_by: ScoredBy,
    rationale: str,
    evidence: dict[str, Any],
    author_id: UUID | None,
) -> StrategyScore:
    """A new row, as it is shown."""
    row = await _one(
        connection,
        "INSERT INTO convex.strategy_scores (workspace_id, framework_id, strategy_version_id,"
        f" score, {', '.join(_SUB_SCORES)}, verdict, scored_by, rationale, evidence, author_id)"
        f" VALUES ({', '.join(['%s'] * (len(_SUB_SCORES) + 9))}) RETURNING id",
        *(workspace_id, version.framework_id, version.id, sub_scores.score),
        *(sub_scores.values[name] for name in _SUB_SCORES),
        *(sub_scores.verdict.value, scored_by.value, rationale, Jsonb(evidence), author_id),
    )
    assert row is not None
    found = await _one(connection, f"{_SCORE} WHERE s.id = %s", row["id"])
    assert found is not None
    return _score(found)


async def select_scores(
    connection: Connection,
    framework_id: UUID,
    version: int | None,
    before: tuple[str, str] | None,
    limit: int,
) -> list[StrategyScore]:
    """The newest first; `before` is (instant, id) of the last one that was given out."""
    at, last_id = before or (None, None)
    rows = await connection.execute(
        f"{_SCORE} WHERE s.framework_id = %(framework)s"
        " AND (%(version)s::int IS NULL OR v.number = %(version)s)"
        " AND (%(at)s::timestamptz IS NULL"
        " OR (s.created_at, s.id) < (%(at)s::timestamptz, %(id)s::uuid))"
        " ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s",
        {"framework": framework_id, "version": version, "at": at, "id": last_id, "limit": limit},
    )
    return [_score(row) for row in await rows.fetchall()]


async def known_metrics(connection: Connection, framework_id: UUID, since: datetime) -> Known:
    """The framework's metrics, and which of them have a point after `since`."""
    rows = await connection.execute(
        "SELECT m.name, coalesce(max(s.newest_at) > %s, false) AS measured"
        " FROM convex.metrics AS m LEFT JOIN convex.series AS s ON s.metric_id = m.id"
        " WHERE m.framework_id = %s GROUP BY m.id, m.name ORDER BY m.name LIMIT %s",
        (since, framework_id, _MOST_METRICS),
    )
    found = await rows.fetchall()
    names = [row["name"] for row in found]
    return Known(names, [row["name"] for row in found if row["measured"]])


async def _one(connection: Connection, statement: str, *values: Any) -> dict[str, Any] | None:
    return await (await connection.execute(statement, values)).fetchone()


def _author(row: dict[str, Any]) -> Author | None:
    return None if row["author_id"] is None else Author(row["author_id"], row["author_name"] or "")


def _version(row: dict[str, Any]) -> StrategyVersion:
    plain = ("id", "framework_id", "number", "document", "note", "created_at")
    return StrategyVersion(**{name: row[name] for name in plain}, author=_author(row))


def _score(row: dict[str, Any]) -> StrategyScore:
    plain = ("id", "framework_id", "version", "score", "rationale", "evidence", "created_at")
    return StrategyScore(
        **{name: row[name] for name in plain},
        sub_scores=SubScores(**{name: row[name] for name in _SUB_SCORES}),
        verdict=Verdict(row["verdict"]),
        scored_by=ScoredBy(row["scored_by"]),
        author=_author(row),
    )
