"""Predictions and scores as the API, the command line and stored runs show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from convex.predictions.forecast import Outlook
from convex.predictions.model import HORIZON_OF, Kind
from convex.predictions.scorecard import Score
from convex.predictions.store import Prediction


def score_json(score: Score | None, *, bins: bool = True) -> dict[str, Any] | None:
    """One score; None stays None."""
    if score is None:
        return None
    shown: dict[str, Any] = {
        "n": score.n,
        "positives": score.positives,
        "base_rate": round(score.base_rate, 4),
        "brier": round(score.brier, 5),
        "climatology_brier": round(score.climatology_brier, 5),
        "skill": _rounded(score.skill),
        "skill_interval": None
        if score.interval is None
        else [round(bound, 4) for bound in score.interval],
        "auc": _rounded(score.auc),
        "ece": round(score.ece, 4),
    }
    if bins:
        shown["reliability"] = [
            {
                "probability": round(one.probability, 4),
                "observed": round(one.observed, 4),
                "n": one.count,
            }
            for one in score.bins
        ]
    return shown


def run_horizons_json(outlooks: Mapping[int, Outlook], rule_ids: Sequence[UUID]) -> dict[str, Any]:
    """What a run keeps of each horizon: weights, calibration, the hindcast of 8 weeks scored."""
    return {
        str(horizon): {
            "weights": {name: round(weight, 4) for name, weight in outlook.weights.items()},
            "recalibration": [round(part, 4) for part in outlook.map_],
            "trained_rows": outlook.trained_rows,
            "hindcast": score_json(outlook.card),
            "experts": {
                name: score_json(score, bins=False) for name, score in outlook.by_expert.items()
            },
            "rules": {
                str(rule_ids[row]): score_json(score, bins=False)
                for row, score in outlook.by_rule.items()
            },
        }
        for horizon, outlook in outlooks.items()
    }


def prediction_json(one: Prediction, card: Mapping[str, Any]) -> dict[str, Any]:
    """A prediction with the scorecard of its kind: {brier, skill, n, href, …}."""
    return {
        "id": one.id,
        "kind": one.kind,
        "framework_id": one.framework_id,
        "framework": one.framework,
        "framework_name": one.framework_name,
        "rule_id": one.rule_id,
        "rule_name": one.rule_name,
        "severity": one.severity,
        "series_id": one.series_id,
        "probability": one.probability,
        "climatology": one.climatology,
        "confidence": one.confidence,
        "risk_score": one.risk_score,
        "made_at": one.made_at,
        "window_start": one.window_start,
        "window_end": one.window_end,
        "horizon_hours": HORIZON_OF[Kind(one.kind)],
        "preventive_actions": one.preventive_actions,
        "model": one.model,
        "run_id": one.run_id,
        "inputs": one.inputs,
        "actions_taken": one.action_taken or [],
        "was_accurate": one.was_accurate,
        "actual_alert_triggered_at": one.actual_alert_triggered_at,
        "verified_at": one.verified_at,
        "scorecard": card,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
