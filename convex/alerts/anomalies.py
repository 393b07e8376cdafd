"""Anomaly rules that ask the detector: from what it says of each point to what a rule compares.

The compared score is a multiple of the sensitivity's threshold: at least 1 where a new alert is
due, at least 0.5 (and below 1) where an open one stays open. A rule that waits (`for`) compares
without the hold-off, since what lasts is no echo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import numpy as np

from convex import anomaly
from convex.alerts.measure import Measurements, is_learnt
from convex.alerts.model import Rule, Sensitivity
from convex.alerts.quantity import number, quantities
from convex.anomaly.confidence import ConfidenceMap
from convex.anomaly.novelty import Novelty
from convex.anomaly.service import Detectors, Scored, SeriesPoints
from convex.anomaly.store import read_feedback
from convex.db import Connection
from convex.metrics.intake import Intake
from convex.metrics.model import FloatArray, IntArray, to_datetime
from convex.metrics.store import NEVER

__all__ = ["compare", "confidences", "describe", "explained", "is_learnt", "score_fresh"]

_JUST_OPEN: Final = 0.999999
_JUST_CLOSED: Final = 0.499999

# One set of detectors for each process; what it forgets is built again from snapshots and points.
_detectors: Final = Detectors()


def _threshold(rule: Rule) -> float:
    return Novelty.thresholds[anomaly.Sensitivity((rule.sensitivity or Sensitivity.MEDIUM).value)]


async def score_fresh(
    connection: Connection, workspace_id: UUID, intake: Intake, places: Sequence[int]
) -> dict[int, Scored]:
    """What the detector says of the fresh points of these places, by series id."""
    series = []
    for index in places:
        start, stop = intake.starts[index], intake.starts[index + 1]
        fresh = intake.fresh[start:stop]
        newest = int(intake.newest[index])
        series.append(
            SeriesPoints(
                intake.places[index].series_id,
                intake.timestamps[start:stop][fresh],
                intake.values[start:stop][fresh],
                None if newest == NEVER else newest,
            )
        )
    return await _detectors.score_points(connection, workspace_id, series)


async def score_again(
    connection: Connection,
    workspace_id: UUID,
    series_id: int,
    timestamps: IntArray,
    values: FloatArray,
    *,
    locked: bool,
) -> Scored:
    """What the detector says of a whole series, of which some points came late. It learns the
    series anew, and for good if the caller has locked it.
    """
    whole = SeriesPoints(series_id, timestamps, values, None)
    again = _detectors.relearn if locked else _detectors.score_aside
    scored = await again(connection, workspace_id, [whole])
    return scored[series_id]


def compare(rule: Rule, values: FloatArray, scores: Sequence[anomaly.Score]) -> Measurements:
    """What the rule compares at each point."""
    threshold = _threshold(rule)
    sensitivity = anomaly.Sensitivity((rule.sensitivity or Sensitivity.MEDIUM).value)
    condition = anomaly.Condition(rule.condition.value)
    compared = np.zeros(len(scores))
    known = np.zeros(len(scores), np.bool_)
    for position, score in enumerate(scores):
        known[position] = score.state is anomaly.State.WATCHING
        multiple = score.score / threshold
        if not score.continues(sensitivity, condition):
            multiple = min(multiple, _JUST_CLOSED)
        elif score.raises(sensitivity, condition):
            multiple = max(multiple, 1.0)
        elif not rule.for_seconds:
            multiple = min(multiple, _JUST_OPEN)
        compared[position] = multiple
    return Measurements(values, compared, known)


async def confidences(connection: Connection, workspace_id: UUID) -> ConfidenceMap:
    """How far to trust an anomaly, after all the feedback that the workspace has given."""
    return ConfidenceMap(await read_feedback(connection, workspace_id, Novelty.method))


def explained(
    explanation: anomaly.Explanation, compared: float | None, confidence: ConfidenceMap
) -> dict[str, Any]:
    """What a trigger's context says about an anomaly."""
    said = explanation.score
    trust = confidence.of(compared or 0.0)
    nearest = explanation.nearest_at
    return {
        "method": Novelty.method,
        "came": explanation.value,
        "expected": said.expected,
        "low": said.low,
        "high": said.high,
        "view": explanation.view,
        "scale": explanation.scale,
        "share": round(explanation.share, 3),
        "nearest_at": None if nearest is None else to_datetime(nearest).isoformat(),
        "confidence": {"percent": trust.percent, "count": trust.count},
    }


def describe(rule: Rule, value: float | None, score: float | None, why: Mapping[str, Any]) -> str:
    """One sentence about an anomaly, from its context: of a counter, about its rate."""
    view = "for this time of the week" if why["view"] == "season" else "after the latest values"
    window = "" if why["scale"] == 1 else f", seen over {why['scale']} points"
    is_rate = value is not None and why["came"] != value
    came, low, high = quantities(rule.unit, why["came"], why["low"], why["high"])
    grows = f"{rule.metric} grows by {came} a second" if is_rate else f"{rule.metric} is {came}"
    return (
        f"{grows}: {low} to {high} was expected {view}{window}"
        f" ({number(score)} times the alert level)."
    )
