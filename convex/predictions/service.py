"""Make predictions, verify them, note what was done. Load → decide (off the event loop) → save."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from convex.db import Connection, Database, Identity, Role
from convex.errors import Conflict, InvalidInput
from convex.metrics.model import to_datetime
from convex.notifications.foresight import notify_predictions
from convex.predictions import store
from convex.predictions.actions import Evidence, propose
from convex.predictions.evidence_store import read_evidence
from convex.predictions.forecast import Outlook, choose_trained, forecast
from convex.predictions.gates import confidence_of, risk_of
from convex.predictions.history import Known, load_history
from convex.predictions.model import EXPERTS, HORIZON_OF, Confidence, Kind, RuleFacts
from convex.predictions.present import run_horizons_json, score_json
from convex.predictions.store import Prediction

MODEL = "mixture-1"
BASE_RATE = "climatology"
MOST_RULES = 10_000  # of one workspace
LATENESS = timedelta(minutes=15)  # how long after a window the last trigger may still arrive
NOTIFY_RISK = 50.0
KEPT_RUNS = 120

Shown = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a run made. `cursors` are to be announced after the commit."""

    run_id: UUID
    predictions: int
    rules: int
    notified: int
    cursors: Mapping[UUID, int]


def kinds_of(facts: RuleFacts) -> tuple[Kind, ...]:
    """What is predicted of a rule: an alert in any case, the others where they mean something."""
    kinds = [Kind.NEXT_ALERT]
    if facts.type == "anomaly":
        kinds.append(Kind.ANOMALY_RISK)
    if facts.type == "performance" or facts.category == "performance":
        kinds.append(Kind.PERFORMANCE_ISSUE)
    if facts.severity == "critical":
        kinds.append(Kind.ESCALATION_RISK)
    return tuple(kinds)


async def foretell(
    database: Database,
    workspace_id: UUID,
    *,
    now: datetime,
    email_works: bool = False,
    shown: Shown | None = None,
) -> Foretold | None:
    """Predict for every rule of the workspace; None while it has no rule.

    Reads in one snapshot, trains off the event loop and outside every transaction, writes in one.
    """
    identity = Identity(workspace_id, Role.SYSTEM)
    began = time.monotonic()
    async with database.read(identity) as connection:
        known = await load_history(connection, workspace_id, end=now)
        if not known.rules:
            return None
        if len(known.rules) > MOST_RULES:
            raise InvalidInput(f"Predictions are made for at most {MOST_RULES} rules.")
        ids = [rule.id for rule in known.rules]
        evidence = await read_evidence(connection, workspace_id, ids)
    outlooks = await asyncio.to_thread(forecast, known.panel, shown=shown)
    rows = rows_of(known, outlooks, evidence, made_at=now)
    run = {
        "as_of": to_datetime(known.panel.end),
        "rules": len(known.rules),
        "trained": len(choose_trained(known.panel)),
        "predictions": len(rows),
        "horizons": run_horizons_json(outlooks, [rule.id for rule in known.rules]),
        "seconds": round(time.monotonic() - began, 3),
    }
    async with database.transaction(identity) as connection:
        return await _save(connection, workspace_id, run, rows, now, email_works=email_works)


def rows_of(
    known: Known,
    outlooks: Mapping[int, Outlook],
    evidence: Mapping[UUID, Evidence],
    *,
    made_at: datetime,
) -> list[dict[str, Any]]:
    """The rows of `alert_predictions`: each rule and kind, with what stands behind it. Pure."""
    start = to_datetime(known.panel.end)
    counts = known.panel.openings.sum(axis=1).tolist()
    rows = []
    for index, facts in enumerate(known.panel.rules):
        for kind in kinds_of(facts):
            horizon = HORIZON_OF[kind]
            outlook = outlooks.get(horizon)
            if outlook is None:
                continue  # nothing has ever fired: there is no base rate to speak of
            own = outlook.by_rule.get(index)
            bound = None if own is None or own.interval is None else own.interval[0]
            confidence, why = confidence_of(known.days, counts[index], bound)
            base = float(outlook.climatology[index])
            low = confidence is Confidence.LOW
            probability = base if low else float(outlook.probability[index])
            rows.append(
                {
                    "framework_id": facts.framework_id,
                    "rule_id": facts.id,
                    "series_id": facts.series_id,
                    "kind": kind.value,
                    "made_at": made_at,
                    "window_start": start,
                    "window_end": start + timedelta(hours=horizon),
                    "probability": round(100 * probability, 2),
                    "climatology": round(100 * base, 2),
                    "confidence": confidence.value,
                    "risk_score": round(risk_of(probability, facts.severity), 2),
                    "model": BASE_RATE if low or not outlook.trusted else MODEL,
                    "preventive_actions": propose(facts.id, evidence.get(facts.id, Evidence())),
                    "inputs": {
                        "reason": why,
                        "history_days": round(known.days, 1),
                        "triggers": counts[index],
                        "open": bool(known.panel.firing[index, -1]),
                        "horizon_hours": horizon,
                        "experts": {
                            expert.value: round(100 * float(outlook.experts[number, index]), 2)
                            for number, expert in enumerate(EXPERTS)
                        },
                        "mixture": round(100 * float(outlook.probability[index]), 2),
                        "recent": None if own is None else score_json(own, bins=False),
                    },
                }
            )
    return rows


async def _save(
    connection: Connection,
    workspace_id: UUID,
    run: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    now: datetime,
    *,
    email_works: bool,
) -> Foretold:
    run_id = await store.insert_run(connection, workspace_id, run)
    await store.drop_old_runs(connection, workspace_id, keep=KEPT_RUNS)
    ids = await store.insert_predictions(connection, workspace_id, run_id, rows)
    worth = await store.worth_telling(connection, workspace_id, run_id, NOTIFY_RISK)
    told = await notify_predictions(connection, workspace_id, worth, now, email_works=email_works)
    cursors: dict[UUID, int] = dict(told.cursors)
    frameworks = sorted({row["framework_id"] for row in rows})
    if ids:
        said = [
            {
                "run_id": str(run_id),
                "framework_id": str(framework_id),
                "predictions": sum(row["framework_id"] == framework_id for row in rows),
                "highest_risk": max(
                    row["risk_score"] for row in rows if row["framework_id"] == framework_id
                ),
            }
            for framework_id in frameworks
        ]
        cursors[workspace_id] = await store.append_live_events(
            connection, workspace_id, frameworks, said
        )
    return Foretold(run_id, len(ids), int(run["rules"]), told.written, cursors)


async def verify_workspace(connection: Connection, workspace_id: UUID, *, now: datetime) -> int:
    """Fill in the outcome of every prediction whose window is over; how many."""
    return await store.verify_due(connection, workspace_id, ended_by=now - LATENESS, now=now)


async def take_action(
    connection: Connection,
    identity: Identity,
    prediction_id: UUID,
    *,
    action: str,
    note: str = "",
    now: datetime,
) -> Prediction:
    """Note that somebody did something because of a prediction, so that it can be told from luck.

    Raises `NotFound`; `Conflict` once the window is over.
    """
    assert identity.workspace_id is not None
    found = await store.get_prediction(connection, identity.workspace_id, prediction_id)
    if found.window_end <= now:
        raise Conflict("The window of this prediction is over; what is done now is no prevention.")
    taken = {
        "action": action,
        "note": note,
        "by": None if identity.user_id is None else str(identity.user_id),
        "at": now.astimezone(UTC).isoformat(),
    }
    await store.add_action(connection, prediction_id, taken)
    return await store.get_prediction(connection, identity.workspace_id, prediction_id)
