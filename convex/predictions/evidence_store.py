"""What people did about a rule before, read from triggers, feedback and acted-upon predictions."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from convex.db import Connection
from convex.predictions.actions import Evidence, Handled, Prevented


async def read_evidence(
    connection: Connection, workspace_id: UUID, rule_ids: Sequence[UUID]
) -> dict[UUID, Evidence]:
    """What people did about these rules' triggers and predictions, the newest first."""
    notes = await connection.execute(
        "SELECT * FROM (SELECT a.rule_id, a.id AS trigger_id, a.opened_at, t.note,"
        " u.name AS author,"
        " extract(epoch FROM a.resolved_at - a.opened_at) / 60 AS minutes,"
        " row_number() OVER (PARTITION BY a.rule_id ORDER BY t.id DESC) AS place"
        " FROM convex.trigger_transitions AS t"
        " INNER JOIN convex.alert_triggers AS a ON a.id = t.trigger_id"
        " INNER JOIN convex.users AS u ON u.id = t.author_id"
        " WHERE t.workspace_id = %(workspace)s AND t.note <> ''"
        " AND t.kind IN ('acknowledged', 'resolved', 'commented') AND a.rule_id = ANY (%(rules)s)"
        ") AS found WHERE place <= 3 ORDER BY rule_id, place",
        {"workspace": workspace_id, "rules": list(rule_ids)},
    )
    handled: dict[UUID, list[Handled]] = {}
    for row in await notes.fetchall():
        minutes = None if row["minutes"] is None else float(row["minutes"])
        handled.setdefault(row["rule_id"], []).append(
            Handled(row["trigger_id"], row["opened_at"], minutes, row["note"], row["author"])
        )
    acted = await connection.execute(
        "SELECT p.rule_id, p.id, p.probability, a.value ->> 'action' AS action,"
        " p.actual_alert_triggered_at IS NOT NULL AS fired FROM convex.alert_predictions AS p"
        " CROSS JOIN LATERAL jsonb_array_elements(p.action_taken) AS a"
        " WHERE p.workspace_id = %(workspace)s AND p.rule_id = ANY (%(rules)s)"
        " AND p.verified_at IS NOT NULL AND jsonb_typeof(p.action_taken) = 'array'"
        " ORDER BY p.made_at DESC, p.id LIMIT 5000",
        {"workspace": workspace_id, "rules": list(rule_ids)},
    )
    prevented: dict[UUID, list[Prevented]] = {}
    for row in await acted.fetchall():
        prevented.setdefault(row["rule_id"], []).append(
            Prevented(row["id"], row["action"], row["probability"], row["fired"])
        )
    rules = await connection.execute(
        "SELECT r.id, r.runbook_url, count(a.feedback) AS marked,"
        " count(*) FILTER (WHERE a.feedback = 'false_positive') AS false_positives"
        " FROM convex.alert_rules AS r LEFT JOIN convex.alert_triggers AS a"
        "  ON a.rule_id = r.id AND a.feedback IS NOT NULL"
        " WHERE r.workspace_id = %(workspace)s AND r.id = ANY (%(rules)s)"
        " GROUP BY r.id, r.runbook_url",
        {"workspace": workspace_id, "rules": list(rule_ids)},
    )
    return {
        row["id"]: Evidence(
            row["runbook_url"],
            handled.get(row["id"], ()),
            prevented.get(row["id"], ()),
            row["marked"],
            row["false_positives"],
        )
        for row in await rules.fetchall()
    }
