"""What must hold at the end, asked of the database: a sentence for each thing that does not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from chaos.journal import Journal
from chaos.listeners import EVERYTHING
from chaos.load import EPISODE, THRESHOLD
from chaos.receiver import Receiver
from convex.db import SYSTEM, Database, Identity, Role
from convex.notifications.reconcile import reconcile
from convex.workspaces import audit

_TOLD = ("opened", "reopened", "resolved", "acknowledged", "flapping")


async def ask(database: Database, question: str, *parameters: Any) -> list[dict[str, Any]]:
    """The rows, over all workspaces."""
    async with database.read(SYSTEM) as connection:
        return await (await connection.execute(cast("Any", question), parameters)).fetchall()


async def until_settled(database: Database, within: float) -> float | None:
    """Wait until nothing is to be planned or delivered; the seconds, None when it never was."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() < began + within:
        try:
            (row,) = await ask(
                database,
                "SELECT (SELECT count(*) FROM convex.planning_queue)"
                " + (SELECT count(*) FROM convex.alert_notifications WHERE state = 'due') AS left",
            )
        except (psycopg.Error, PoolTimeout, OSError):
            row = {"left": None}
        if row["left"] == 0:
            return loop.time() - began
        await asyncio.sleep(0.25)
    return None


async def expected_events(database: Database, frameworks: list[str]) -> dict[str, list[int]]:
    """The cursors that a subscriber without an inbox should have had, by what it subscribed to."""
    rows = await ask(
        database,
        "SELECT cursor, framework_id::text AS framework FROM convex.live_events"
        " WHERE recipient_id IS NULL ORDER BY cursor",
    )
    found = {EVERYTHING: [row["cursor"] for row in rows]}
    for framework in frameworks:
        found[framework] = [row["cursor"] for row in rows if row["framework"] in (None, framework)]
    return found


async def prove_points(database: Database, journal: Journal) -> tuple[dict[str, Any], list[str]]:
    """Every point that was taken is there, once, with its value, and no other."""
    rows = await ask(
        database,
        "SELECT f.slug, s.labels ->> 'n' AS series, p.timestamp, p.value FROM convex.points AS p"
        " INNER JOIN convex.series AS s ON s.id = p.series_id"
        " INNER JOIN convex.frameworks AS f ON f.id = s.framework_id"
        " INNER JOIN convex.metrics AS m ON m.id = s.metric_id AND m.name = 'load'",
    )
    kept = Counter((row["slug"], row["series"], row["timestamp"]) for row in rows)
    values = {(row["slug"], row["series"], row["timestamp"]): row["value"] for row in rows}
    lost = journal.points.keys() - kept.keys()
    more = kept.keys() - journal.points.keys()
    twice = [key for key, times in kept.items() if times > 1]
    changed = [
        key for key in values.keys() & journal.points.keys() if values[key] != journal.points[key]
    ]
    wrong = [
        f"{len(keys)} points {what}, such as {next(iter(keys))}"
        for what, keys in (
            ("were taken and are lost", lost),
            ("are there and were never said to be taken", more),
            ("are there twice", twice),
            ("have another value", changed),
        )
        if keys
    ]
    return {"taken": len(journal.points), "kept": len(rows), "sent_again": journal.unchanged}, wrong


async def prove_triggers(database: Database, journal: Journal) -> tuple[dict[str, Any], list[str]]:
    """Each episode opened one trigger and ended it, whatever was killed in between."""
    rows = await ask(
        database,
        "SELECT f.slug, t.labels ->> 'n' AS series, x.kind, count(*) AS times"
        " FROM convex.trigger_transitions AS x"
        " INNER JOIN convex.alert_triggers AS t ON t.id = x.trigger_id AND t.source = 'rule'"
        " INNER JOIN convex.frameworks AS f ON f.id = t.framework_id"
        " GROUP BY 1, 2, 3",
    )
    found = {(row["slug"], row["series"], row["kind"]): row["times"] for row in rows}
    wrong = []
    for (slug, series), sent in journal.episodes.items():
        over = [step for step in range(sent) if EPISODE[step] > THRESHOLD]
        wanted = {"opened": int(bool(over)), "resolved": int(bool(over) and over[-1] < sent - 1)}
        wrong += [
            f"{slug} {series}: {found.get((slug, series, kind), 0)} × {kind} instead of {times}"
            for kind, times in wanted.items()
            if found.get((slug, series, kind), 0) != times
        ]
    strange = [key for key in found if key[:2] not in journal.episodes]
    wrong += [f"a trigger for {key} that nothing explains" for key in strange]
    again = await ask(
        database,
        "SELECT trigger_id::text AS id, count(*) AS times FROM convex.trigger_transitions"
        " WHERE kind = 'acknowledged' GROUP BY 1",
    )
    acknowledged = {row["id"]: row["times"] for row in again}
    wrong += [
        f"trigger {one} was acknowledged {acknowledged.get(one, 0)} times"
        for one in journal.acknowledged | acknowledged.keys()
        if acknowledged.get(one) != 1
    ]
    transitions = Counter[str]()
    for (_, _, kind), times in found.items():
        transitions[kind] += times
    return {"episodes": len(journal.episodes), "transitions": dict(transitions)}, wrong


async def prove_ledger(database: Database, receiver: Receiver) -> tuple[dict[str, Any], list[str]]:
    """Every transition has its rows, every row its end, every end its request, and no more."""
    missing = await ask(
        database,
        "SELECT x.kind, count(*) AS times FROM convex.trigger_transitions AS x"
        " CROSS JOIN (VALUES ('in_app'), ('webhook')) AS c (kind)"
        " WHERE x.kind = ANY (%s) AND (SELECT count(*) FROM convex.alert_notifications AS n"
        " WHERE n.transition_id = x.id AND n.channel_kind = c.kind) <> 1 GROUP BY 1",
        list(_TOLD),
    )
    wrong = [
        f"{row['times']} rows of the ledger are missing, or more than one, for {row['kind']}"
        for row in missing
    ]
    states = await ask(
        database,
        "SELECT channel_kind, kind, state, reason, count(*) AS times"
        " FROM convex.alert_notifications GROUP BY 1, 2, 3, 4",
    )
    wrong += [
        f"{row['times']} notifications ({row['channel_kind']} {row['kind']}) are {row['state']}"
        for row in states
        if row["state"] in ("due", "failed")
    ]
    sent = await ask(
        database,
        "SELECT 'msg_' || replace(n.id::text, '-', '') AS id, n.state, n.attempts,"
        " count(d.status_code) AS answered,"
        " count(d.id) FILTER (WHERE d.outcome = 'delivered') AS delivered"
        " FROM convex.alert_notifications AS n"
        " LEFT JOIN convex.notification_deliveries AS d ON d.notification_id = n.id"
        " WHERE n.channel_kind = 'webhook' GROUP BY n.id",
    )
    known = {row["id"]: row for row in sent}
    for identity, times in receiver.arrived.items():
        row = known.get(identity)
        # Once more only for an attempt whose answer nobody lived to record.
        if row is None or times > 1 + row["attempts"] - row["answered"]:
            wrong.append(f"webhook {identity} arrived {times} times: {row}")
    wrong += [
        f"{row['id']} is called delivered and never arrived"
        for row in sent
        if row["state"] == "delivered"
        and not (row["delivered"] == 1 and receiver.arrived[row["id"]])
    ]
    async with database.read(SYSTEM) as connection:  # as if its patience were over
        found = await reconcile(connection, datetime.now(UTC) + timedelta(minutes=15))
    wrong += [one.words() for one in found]
    delivered = sum(row["state"] == "delivered" for row in sent)
    return {
        "notifications": {
            f"{row['channel_kind']} {row['kind']} {row['state']} {row['reason']}": row["times"]
            for row in states
        },
        "webhooks": {
            "delivered": delivered,
            "arrived": receiver.arrived.total(),
            "repeated": receiver.arrived.total() - len(receiver.arrived),
        },
    }, wrong


async def prove_events(
    database: Database, heard: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Cursors without gaps, and each subscriber heard each of its events once."""
    (row,) = await ask(
        database,
        "SELECT count(*) AS events, max(cursor) - min(cursor) + 1 AS span FROM convex.live_events",
    )
    wrong = []
    if row["events"] and row["events"] != row["span"]:
        wrong.append(f"{row['events']} live events have cursors over {row['span']}")
    if heard["twice"]:
        wrong.append(f"{heard['twice']} events were heard twice")
    if heard["differing"]:
        wrong.append(f"{heard['differing']} subscribers differ: {heard['examples']}")
    wrong += [
        f"subscribers were told {name} {times} times"
        for name, times in heard["counts"].items()
        if name.startswith("resync")
    ]
    return {"committed": row["events"], **heard}, wrong


async def prove_audit(database: Database, workspace_id: UUID) -> list[str]:
    """The chain is whole."""
    async with database.read(Identity(workspace_id, Role.SYSTEM)) as connection:
        found = await audit.verify(connection, workspace_id)
    return [f"the audit chain breaks at {at.sequence}: {at.problem}" for at in found]
