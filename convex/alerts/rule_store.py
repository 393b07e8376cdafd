"""The SQL of rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from convex.alerts.matchers import read_matchers, write_matchers
from convex.alerts.model import (
    Condition,
    NoData,
    Provenance,
    Rule,
    RuleDraft,
    RuleType,
    Sensitivity,
    Severity,
)
from convex.db import Connection
from convex.db.pages import Page, decode_cursor, encode_cursor
from convex.errors import Conflict, NotFound
from convex.metrics.model import Aggregate, Labels, to_microseconds

DRAFT_COLUMNS = tuple(one.name for one in fields(RuleDraft))
RULE_COLUMNS = (
    ", ".join(f"r.{name}" for name in DRAFT_COLUMNS)
    + ", r.id, r.workspace_id, r.version, r.created_at, r.updated_at, r.created_by, r.deleted_at,"
    " f.slug AS framework, f.name AS framework_name, coalesce(m.name, '') AS metric, m.target,"
    " m.\"limit\", coalesce(m.unit, '') AS unit"
)
RULE_FROM = (
    "FROM convex.alert_rules AS r"
    " INNER JOIN convex.frameworks AS f"
    " ON f.workspace_id = r.workspace_id AND f.id = r.framework_id"
    " LEFT JOIN convex.metrics AS m ON m.workspace_id = r.workspace_id AND m.id = r.metric_id"
)


def read_rule(row: Mapping[str, Any]) -> Rule:
    """A row of RULE_COLUMNS as a rule."""
    values = dict(row)
    sensitivity = values["sensitivity"]
    return Rule(
        **values
        | {
            "type": RuleType(values["type"]),
            "condition": Condition(values["condition"]),
            "sensitivity": None if sensitivity is None else Sensitivity(sensitivity),
            "aggregate": Aggregate(values["aggregate"]),
            "no_data": NoData(values["no_data"]),
            "severity": Severity(values["severity"]),
            "provenance": Provenance(values["provenance"]),
            "label_matchers": read_matchers(values["label_matchers"]),
            "group_by": tuple(values["group_by"]),
            "channels": tuple(values["channels"]),
            "tags": tuple(values["tags"]),
        }
    )


def _write_draft(draft: RuleDraft) -> list[Any]:
    values: list[Any] = []
    for name in DRAFT_COLUMNS:
        value = getattr(draft, name)
        if name == "label_matchers":
            value = write_matchers(value)
        elif name == "templates":
            value = Jsonb(dict(value))
        elif isinstance(value, tuple):
            value = list(value)
        values.append(value)
    return values


def _taken(draft: RuleDraft) -> Conflict:
    return Conflict(f"There is a rule named {draft.name!r} already.", field="name")


async def insert_rule(
    connection: Connection, workspace_id: UUID, draft: RuleDraft, created_by: UUID | None
) -> UUID:
    """Create it; raises `Conflict` when its name is taken."""
    marks = ", ".join(["%s"] * (len(DRAFT_COLUMNS) + 2))
    try:
        async with connection.transaction():
            rows = await connection.execute(
                f"INSERT INTO convex.alert_rules (workspace_id, created_by,"
                f" {', '.join(DRAFT_COLUMNS)}) VALUES ({marks}) RETURNING id",
                (workspace_id, created_by, *_write_draft(draft)),
            )
            row = await rows.fetchone()
    except UniqueViolation:
        raise _taken(draft) from None
    assert row is not None
    return UUID(str(row["id"]))


async def replace_rule(
    connection: Connection,
    workspace_id: UUID,
    rule_id: UUID,
    draft: RuleDraft,
    *,
    deleted_at: datetime | None = None,
) -> None:
    """Give the rule these fields and the next version; raises `Conflict` for a taken name."""
    assignments = ", ".join(f"{name} = %s" for name in DRAFT_COLUMNS)
    try:
        async with connection.transaction():
            await connection.execute(
                f"UPDATE convex.alert_rules SET {assignments}, deleted_at = %s,"
                " version = version + 1, updated_at = now() WHERE workspace_id = %s AND id = %s",
                (*_write_draft(draft), deleted_at, workspace_id, rule_id),
            )
    except UniqueViolation:
        raise _taken(draft) from None


async def get_rule(
    connection: Connection,
    workspace_id: UUID,
    rule_id: UUID,
    *,
    deleted: bool = False,
    lock: bool = False,
) -> Rule:
    """The rule; raises `NotFound`. Deleted ones are found with `deleted` only.

    The lock leaves the key alone: ingestion, which holds the series that a change of the rule will
    want, must be able to save states that refer to it.
    """
    alive = "" if deleted else " AND r.deleted_at IS NULL"
    rows = await connection.execute(
        f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE r.workspace_id = %s AND r.id = %s"
        f"{alive}{' FOR NO KEY UPDATE OF r' if lock else ''}",
        (workspace_id, rule_id),
    )
    row = await rows.fetchone()
    if row is None:
        raise NotFound(f"There is no alert rule {rule_id}.")
    return read_rule(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFilters:
    """Which rules a listing holds; an empty field does not filter. `search` looks into the name."""

    framework_id: UUID | None = None
    metric_id: UUID | None = None
    enabled: bool | None = None
    types: Sequence[str] = ()
    severities: Sequence[str] = ()
    tag: str | None = None
    provenance: Provenance | None = None
    search: str | None = None
    deleted: bool = False


_WHERE = (
    "r.workspace_id = %(workspace)s AND (r.deleted_at IS NOT NULL) = %(deleted)s"
    " AND (%(framework)s::uuid IS NULL OR r.framework_id = %(framework)s)"
    " AND (%(metric)s::uuid IS NULL OR r.metric_id = %(metric)s)"
    " AND (%(enabled)s::boolean IS NULL OR r.enabled = %(enabled)s)"
    " AND (%(types)s::text[] = '{}' OR r.type = ANY(%(types)s))"
    " AND (%(severities)s::text[] = '{}' OR r.severity = ANY(%(severities)s))"
    " AND (%(tag)s::text IS NULL OR %(tag)s = ANY(r.tags))"
    " AND (%(provenance)s::text IS NULL OR r.provenance = %(provenance)s)"
    " AND (%(search)s::text IS NULL OR position(lower(%(search)s) IN lower(r.name)) > 0)"
)


def _filter_parameters(workspace_id: UUID, filters: RuleFilters) -> dict[str, Any]:
    return {
        "workspace": workspace_id,
        "framework": filters.framework_id,
        "metric": filters.metric_id,
        "enabled": filters.enabled,
        "types": list(filters.types),
        "severities": list(filters.severities),
        "tag": filters.tag,
        "provenance": None if filters.provenance is None else filters.provenance.value,
        "search": filters.search,
        "deleted": filters.deleted,
    }


async def list_rules(
    connection: Connection,
    workspace_id: UUID,
    filters: RuleFilters | None = None,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Rule]:
    """The rules by name."""
    after = decode_cursor(cursor, str, UUID)
    name, rule_id = after if after is not None else (None, None)
    rows = await connection.execute(
        f"SELECT {RULE_COLUMNS} {RULE_FROM} WHERE {_WHERE}"
        " AND (%(name)s::text IS NULL OR (r.name, r.id) > (%(name)s::text, %(id)s::uuid))"
        " ORDER BY r.name, r.id LIMIT %(limit)s",
        _filter_parameters(workspace_id, filters or RuleFilters())
        | {"name": name, "id": rule_id, "limit": limit + 1},
    )
    rules = [read_rule(row) for row in await rows.fetchall()]
    more = len(rules) > limit
    rules = rules[:limit]
    return Page(rules, encode_cursor(rules[-1].name, rules[-1].id) if more else None)


async def find_rule_ids(
    connection: Connection, workspace_id: UUID, filters: RuleFilters, *, limit: int
) -> list[UUID]:
    """The ids of the first by name that pass the filters."""
    rows = await connection.execute(
        f"SELECT r.id FROM convex.alert_rules AS r WHERE {_WHERE} ORDER BY r.name, r.id"
        " LIMIT %(limit)s",
        _filter_parameters(workspace_id, filters) | {"limit": limit},
    )
    return [row["id"] for row in await rows.fetchall()]


async def lock_rules(
    connection: Connection, workspace_id: UUID, rule_ids: Collection[UUID]
) -> None:
    """Lock these rules, deleted ones too, in the order of their ids."""
    await connection.execute(
        "SELECT r.id FROM convex.alert_rules AS r WHERE r.workspace_id = %s AND r.id = ANY(%s)"
        " ORDER BY r.id FOR NO KEY UPDATE",
        (workspace_id, list(rule_ids)),
    )


async def surroundings(
    connection: Connection, workspace_id: UUID, draft: RuleDraft
) -> dict[str, Any] | None:
    """What a rule takes from its framework and its metric: framework_id, framework,
    framework_name, metric, target, limit, unit. None where there is no such metric, or framework.
    """
    rows = await connection.execute(
        "SELECT f.id AS framework_id, f.slug AS framework, f.name AS framework_name,"
        " coalesce(m.name, '') AS metric, m.target, m.\"limit\", coalesce(m.unit, '') AS unit"
        " FROM convex.frameworks AS f LEFT JOIN convex.metrics AS m"
        " ON m.workspace_id = f.workspace_id AND m.framework_id = f.id AND m.id = %(metric)s"
        " WHERE f.workspace_id = %(workspace)s AND CASE WHEN %(metric)s::uuid IS NULL"
        " THEN f.id = %(framework)s ELSE m.id IS NOT NULL END",
        {
            "workspace": workspace_id,
            "metric": draft.metric_id,
            "framework": draft.framework_id,
        },
    )
    return await rows.fetchone()


@dataclass(frozen=True, slots=True)
class Series:
    """A series that a rule may watch. `counter`: its metric only ever counts up, so that its rate
    is what matters. `newest` is in microseconds.
    """

    labels: Labels
    counter: bool
    newest: int | None


async def series_of(connection: Connection, rule: Rule) -> dict[int, Series]:
    """The series of the rule's metric, of all metrics of its framework if it is joint; matchers
    are not asked.
    """
    rows = await connection.execute(
        "SELECT s.id, s.labels, s.newest_at, m.is_counter FROM convex.metrics AS m"
        " INNER JOIN convex.series AS s ON s.workspace_id = m.workspace_id AND s.metric_id = m.id"
        " WHERE m.workspace_id = %(workspace)s AND m.framework_id = %(framework)s"
        " AND (%(metric)s::uuid IS NULL OR m.id = %(metric)s)",
        {
            "workspace": rule.workspace_id,
            "framework": rule.framework_id,
            "metric": rule.metric_id,
        },
    )
    return {
        row["id"]: Series(
            row["labels"],
            row["is_counter"],
            None if row["newest_at"] is None else to_microseconds(row["newest_at"]),
        )
        for row in await rows.fetchall()
    }


async def marked_triggers(
    connection: Connection, workspace_id: UUID, rule_id: UUID, since: datetime, until: datetime
) -> list[dict[str, Any]]:
    """Triggers of the rule that people marked, or acknowledged, with what that says of them."""
    rows = await connection.execute(
        "SELECT series_id, opened_at, resolved_at, coalesce(feedback, 'actionable') AS mark"
        " FROM convex.alert_triggers WHERE workspace_id = %s AND rule_id = %s"
        " AND opened_at > %s AND opened_at <= %s"
        " AND (feedback IS NOT NULL OR acknowledged_by IS NOT NULL)",
        (workspace_id, rule_id, since, until),
    )
    return await rows.fetchall()


async def zone_of(connection: Connection, workspace_id: UUID) -> str:
    """The IANA zone of the workspace."""
    rows = await connection.execute(
        "SELECT timezone FROM convex.workspaces WHERE id = %s", (workspace_id,)
    )
    row = await rows.fetchone()
    return "UTC" if row is None else str(row["timezone"])
