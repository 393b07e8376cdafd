"""Recommendations as values: what is proposed, where it stands, what it was worth. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class Origin(StrEnum):
    """Who proposes it."""

    TUNING = "tuning"
    PATTERN = "pattern"
    NOISE = "noise"
    QUALITY = "quality"
    HEALTH = "health"
    CLAUDE = "claude"


class State(StrEnum):
    """What became of it."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What somebody could do. `action["kind"]` says what accepting it does:

    update_rule `{rule_id, changes}` (changes in the words of the API), mute_window and
    inhibition_rule (as those are made by the API); anything else is for people to do.
    `fingerprint` is the same for the same proposal, whoever makes it and however it is worded.
    `effect` holds what was measured; see `benefit`.
    """

    origin: Origin
    fingerprint: str
    title: str
    action: Mapping[str, Any]
    actionability: int
    evidence: Mapping[str, Any]
    effect: Mapping[str, Any] = field(default_factory=dict)
    framework_id: UUID | None = None
    rule_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation(Proposal):
    """A row. `applied` is what accepting changed; `measured_effect` what came of it."""

    id: UUID
    state: State
    note: str
    decided_by: UUID | None
    decided_by_name: str | None
    decided_at: datetime | None
    measured_effect: Mapping[str, Any] | None
    applied: Mapping[str, Any] | None
    priority: float
    version: int
    created_at: datetime
    updated_at: datetime


# What each measured effect is worth as much as: an effect of that size has half the benefit.
_HALF = {
    "triggers_saved_a_week": 2.0,
    "triggers_spared_a_week": 2.0,  # as patterns call it
    "pages_saved_a_week": 1.0,
    "health_points": 20.0,
    "failing_rows": 100.0,
    "ratio": 4.0,
}
_UNMEASURED = 0.1


def benefit(effect: Mapping[str, Any]) -> float:
    """0-1: how much the measured effect is worth; the best of those that it holds.

    x / (x + half), so that twice the effect is never twice the benefit. What nobody has measured
    counts a tenth.
    """
    found = [
        float(effect[name]) / (float(effect[name]) + half)
        for name, half in _HALF.items()
        if isinstance(effect.get(name), int | float) and effect[name] >= 0
    ]
    return max(found, default=_UNMEASURED)


def priority(effect: Mapping[str, Any], actionability: int) -> float:
    """0-100, by which they are ranked: measured effect times actionability."""
    return round(benefit(effect) * actionability, 2)


def distinct(proposals: Iterable[Proposal]) -> list[Proposal]:
    """The best of those with the same fingerprint, and one change of each rule; best first."""
    ordered = sorted(proposals, key=lambda p: (-priority(p.effect, p.actionability), p.fingerprint))
    kept: dict[str, Proposal] = {}
    changed: set[str] = set()
    for one in ordered:
        rule = str(one.action.get("rule_id")) if one.action["kind"] == "update_rule" else ""
        if one.fingerprint in kept or (rule and rule in changed):
            continue
        kept[one.fingerprint] = one
        if rule:
            changed.add(rule)
    return list(kept.values())


def measure(*, before: float, events: int, days: float, promised: float | None) -> dict[str, Any]:
    """What came of a change: events a week before and after, with a 90 % interval (Poisson, by
    Wilson and Hilferty's approximation), against what was promised.

    `kept`: the interval does not lie above the promise; None without a promise.
    """
    weeks = days / 7
    low, high = (bound / weeks for bound in _poisson(events))
    return {
        "before_a_week": round(before, 3),
        "after_a_week": round(events / weeks, 3),
        "interval": [round(low, 3), round(high, 3)],
        "promised_a_week": None if promised is None else round(promised, 3),
        "saved_a_week": round(before - events / weeks, 3),
        "days": round(days, 1),
        "kept": None if promised is None else low <= promised,
    }


def _poisson(n: int) -> tuple[float, float]:
    z = 1.6449
    low = 0.0 if n == 0 else n * (1 - 1 / (9 * n) - z / (3 * math.sqrt(n))) ** 3
    m = n + 1
    high = m * (1 - 1 / (9 * m) + z / (3 * math.sqrt(m))) ** 3
    return max(0.0, low), high
