"""Patterns, runs and what is missing, as the API shows them. Loads none of the tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from convex.db import Connection
from convex.patterns import read_store
from convex.patterns.needs import NEEDS, lacking
from convex.patterns.read_store import Row


async def shortages(
    connection: Connection, workspace_id: UUID, rule_id: UUID | None, now: datetime
) -> list[dict[str, Any]]:
    """For which types there is too little history, what they need, and how many rules lack it.

    Of one rule, or by the newest run of all that have fired; empty before the first run.
    """
    if rule_id is not None:
        counted = await read_store.count_rule(connection, workspace_id, rule_id)
        if counted is None:
            return []
        triggers, since = counted
        lacks = lacking(triggers, (now - since) / timedelta(days=1))
        return [{"type": kind.value, "needs": NEEDS[kind], "rules": 1} for kind in lacks]
    run = await read_store.newest_run(connection, workspace_id)
    return [
        {"type": one["type"], "needs": one["needs"], "rules": one["too_short"]}
        for one in (run["tested"] if run else [])
        if one["too_short"]
    ]


def pattern_json(row: Row) -> dict[str, Any]:
    """A pattern as the API shows it in a list."""
    evidence = row["evidence"]
    rules = evidence.get("rules", [])
    return {
        "id": row["id"],
        "type": row["type"],
        "state": row["state"],
        "title": row["title"],
        "label": evidence.get("label", ""),
        "framework_id": row["framework_id"],
        "framework": row["framework"],
        "rule_id": row["rule_id"],
        "rule_name": rules[0]["name"] if rules else None,
        "other_rule_id": row["other_rule_id"],
        "other_rule_name": rules[1]["name"] if len(rules) > 1 else None,
        "frequency": row["frequency"],
        "period_seconds": row["period_seconds"],
        "confidence": row["confidence"],
        "support": row["support"],
        "p_value": row["p_value"],
        "q_value": evidence.get("test", {}).get("q_value"),
        "triggers": row["triggers"],
        "first_seen_at": row["first_seen_at"],
        "last_seen_at": row["last_seen_at"],
        "last_occurrence_at": row["last_occurrence_at"],
        "next_expected_at": row["next_expected_at"],
    }


def run_json(run: Row | None) -> dict[str, Any] | None:
    """The newest run as the API shows it."""
    if run is None:
        return None
    return {key: run[key] for key in ("as_of", "triggers", "episodes", "rules", "tested")}
