"""The scorecard: how good the stored predictions of a workspace turned out to be.

What is verified is scored as it was shown, for all of them, by kind, by horizon and by rule, since
the beginning and over the last 8 weeks. Beside it stands the hindcast of the newest run: what the
same method would have said about those 8 weeks, from nothing but what was known then. It is there
from the first day on, and is called what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from convex.db import Connection
from convex.predictions import store
from convex.predictions.model import HORIZON_OF
from convex.predictions.present import score_json
from convex.predictions.scorecard import Score, score, skill_interval
from convex.telemetry.metrics import (
    prediction_auc,
    prediction_brier,
    prediction_calibration,
    prediction_skill,
    predictions_verified,
)

RECENT = timedelta(weeks=8)
HREF = "/api/v1/predictions/scorecard"
_LEAST = 30  # verified predictions, to be shown instead of the hindcast
_WEEK = 7 * 86400.0


async def read_scorecard(
    connection: Connection,
    workspace_id: UUID,
    *,
    now: datetime,
    rule_id: UUID | None = None,
    framework_id: UUID | None = None,
    kind: str | None = None,
) -> dict[str, Any]:
    """`{as_of, verified: {all, last_8_weeks: {overall, kinds, horizons, rules}}, hindcast}`."""
    rows = [
        row
        for row in await store.read_verified(connection, workspace_id)
        if (rule_id is None or row["rule_id"] == rule_id)
        and (framework_id is None or row["framework_id"] == framework_id)
        and (kind is None or row["kind"] == kind)
    ]
    recent = [row for row in rows if row["window_start"] >= now - RECENT]
    run = await store.newest_run(connection, workspace_id)
    return {
        "as_of": now,
        "verified": {"all": _parts(rows), "last_8_weeks": _parts(recent)},
        "hindcast": None if run is None else _hindcast(run, rule_id, kind),
    }


async def read_references(
    connection: Connection, workspace_id: UUID, *, now: datetime
) -> dict[str, dict[str, Any]]:
    """By kind, what is always shown next to a probability: where the figures come from (verified
    predictions of the last 8 weeks, or the hindcast while there are fewer than 30), n, Brier score,
    skill with its interval, and where to read the rest.
    """
    weeks = await store.read_weekly_sums(connection, workspace_id, since=now - RECENT)
    run = await store.newest_run(connection, workspace_id)
    found = {}
    for kind, horizon in HORIZON_OF.items():
        source = "verified"
        shown = _summed([week for week in weeks if week["kind"] == kind.value])
        if shown is None or shown["n"] < _LEAST:
            past = None if run is None else run["horizons"].get(str(horizon), {}).get("hindcast")
            if past is not None:
                source = "hindcast"
                shown = {name: value for name, value in past.items() if name != "reliability"}
        found[kind.value] = {
            "source": source if shown is not None else "none",
            "href": f"{HREF}?kind={kind.value}",
            **(shown or {"n": 0}),
        }
    return found


def _summed(weeks: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """The figures that sums by week can give."""
    count = sum(week["n"] for week in weeks)
    if count == 0:
        return None
    own = np.array([week["own"] for week in weeks], np.float64)
    base = np.array([week["base"] for week in weeks], np.float64)
    interval = skill_interval(own, base)
    fired = int(sum(week["fired"] for week in weeks))
    return {
        "n": count,
        "positives": fired,
        "base_rate": round(fired / count, 4),
        "brier": round(float(own.sum()) / count, 5),
        "climatology_brier": round(float(base.sum()) / count, 5),
        "skill": round(1 - float(own.sum() / base.sum()), 4) if base.sum() > 0 else None,
        "skill_interval": None if interval is None else [round(bound, 4) for bound in interval],
    }


async def publish_quality(connection: Connection, *, now: datetime) -> dict[int, float]:
    """Set `convex_prediction_*` to the figures of the last 8 weeks, of all that the identity sees;
    returns the Brier scores by horizon.
    """
    found = await store.read_quality(connection, since=now - RECENT)
    for row in found:
        horizon = f"{row['hours']}h"
        prediction_brier.labels(horizon=horizon).set(row["brier"])
        predictions_verified.labels(horizon=horizon).set(row["n"])
        prediction_calibration.labels(horizon=horizon).set(row["ece"])
        if row["auc"] is not None:
            prediction_auc.labels(horizon=horizon).set(row["auc"])
        own, base = np.array(row["own"], np.float64), np.array(row["base"], np.float64)
        if base.sum() > 0:
            skill = 1 - float(own.sum() / base.sum())
            prediction_skill.labels(horizon=horizon, bound="estimate").set(skill)
        if (interval := skill_interval(own, base)) is not None:
            for bound, value in zip(("low", "high"), interval, strict=True):
                prediction_skill.labels(horizon=horizon, bound=bound).set(value)
    return {row["hours"]: row["brier"] for row in found}


def _parts(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    def shown(key: Callable[[Mapping[str, Any]], Any]) -> dict[str, Any]:
        return {str(name): score_json(one) for name, one in _split(rows, key).items()}

    return {
        "overall": score_json(_score(rows)),
        "kinds": shown(lambda row: row["kind"]),
        "horizons": shown(lambda row: row["hours"]),
        "rules": shown(lambda row: row["rule_id"]),
        "confidences": shown(lambda row: row["confidence"]),
    }


def _split(
    rows: Sequence[Mapping[str, Any]], key: Callable[[Mapping[str, Any]], Any]
) -> dict[Any, Score]:
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {
        name: found
        for name, some in sorted(groups.items(), key=lambda item: str(item[0]))
        if (found := _score(some)) is not None
    }


def _score(rows: Sequence[Mapping[str, Any]]) -> Score | None:
    return score(
        np.array([row["probability"] for row in rows]) / 100,
        np.array([row["climatology"] for row in rows]) / 100,
        np.array([float(row["fired"]) for row in rows]),
        np.array([int(row["window_start"].timestamp() // _WEEK) for row in rows], np.int64),
    )


def _hindcast(run: Mapping[str, Any], rule_id: UUID | None, kind: str | None) -> dict[str, Any]:
    horizons = {}
    for hours, found in run["horizons"].items():
        own = found["hindcast"] if rule_id is None else found["rules"].get(str(rule_id))
        (named,) = (one.value for one, horizon in HORIZON_OF.items() if horizon == int(hours))
        if kind not in (None, named):
            continue
        horizons[hours] = {
            "kind": named,
            "score": own,
            "experts": found["experts"] if rule_id is None else {},
            "weights": found["weights"],
        }
    return {"run_id": run["id"], "as_of": run["as_of"], "weeks": 8, "horizons": horizons}
