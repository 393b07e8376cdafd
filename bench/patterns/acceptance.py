"""The acceptance runs: how often something is found where nothing is, and found where it is."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.patterns import flights, histories, naive
from bench.patterns.histories import Made
from convex.patterns.detect import detect
from convex.patterns.model import HOUR, Detection, Finding, History, Type

RULES, DAYS = 12, 90
PLANTED_DAYS = 91  # the run six hours before the end needs its 90 days as well
PAIRS = (Type.CORRELATED, Type.TRIGGERED_BY)


@dataclass(slots=True)
class Null:
    """In how many of `runs` anything was found, by type; and by the naive methods."""

    runs: int
    types: tuple[Type, ...]
    ours: Counter[str] = field(default_factory=Counter)
    naive: Counter[str] = field(default_factory=Counter)

    @property
    def allowed(self) -> float:
        """.05 and two standard errors of a share of that size."""
        return 0.05 + 2 * math.sqrt(0.05 * 0.95 / self.runs)


@dataclass(slots=True)
class Planted:
    """How often what was planted was found, and how much of what was found was planted."""

    runs: int
    goal: float
    hits: int = 0
    found: int = 0
    near: int = 0
    naive_hits: int = 0
    naive_found: int = 0


def run_nulls(runs: int, seed: int) -> dict[str, Null]:
    """Every kind of nothing, and the real triggers with whatever holds between rules undone."""
    kinds: dict[str, tuple[Callable[[np.random.Generator], Made], tuple[Type, ...]]] = {
        name: (_of_size(make, DAYS), tuple(Type)) for name, make in histories.NULLS.items()
    }
    kinds["real, shifted by weeks"] = (flights.shifted, PAIRS)
    result = {}
    for name, (make, types) in kinds.items():
        null = result[name] = Null(runs, types)
        for number in range(runs):
            made = make(np.random.default_rng([seed, number]))
            found = {str(one.type) for one in detect(made.history).findings}
            null.ours.update(kind for kind in types if kind in found)
            null.naive.update({kind for kind, _, _ in naive.search(made.history)})
    return result


def run_planted(runs: int, seed: int) -> dict[str, Planted]:
    """One pattern in each history, the other rules quiet. `near`: with the right period or lag."""
    result = {}
    for name, (make, goal) in histories.PLANTED.items():
        tally = result[name] = Planted(runs, goal)
        for number in range(runs):
            made = _of_size(make, PLANTED_DAYS)(np.random.default_rng([seed, 1, number]))
            found = confirmed(made.history)
            names = {_name(one): one for one in found.findings}
            (wanted,) = made.planted
            tally.found += len(found.findings)
            if wanted in names:
                tally.hits += 1
                tally.near += _is_near(wanted[0], names[wanted].evidence)
            plainly = naive.search(made.history)
            tally.naive_found += len(plainly)
            tally.naive_hits += wanted in plainly
    return result


def confirmed(history: History) -> Detection:
    """What a run finds that one six hours before found as well."""
    now = detect(history)
    before = {one.fingerprint for one in detect(history.until(history.end - 6 * HOUR)).findings}
    kept = [one for one in now.findings if one.fingerprint in before]
    return Detection(kept, now.tested, now.triggers, now.episodes)


def _of_size(
    make: Callable[[np.random.Generator, int, int], Made], days: int
) -> Callable[[np.random.Generator], Made]:
    return lambda rng: make(rng, RULES, days)


def _name(one: Finding) -> tuple[str, str, str | None]:
    return str(one.type), one.subject.key, one.other.key if one.other else None


def _is_near(kind: str, evidence: Mapping[str, Any]) -> bool:
    """Period within 10 % of six hours, lag within two minutes of ten, Monday at nine."""
    if kind == Type.CYCLICAL:
        return bool(abs(evidence["effect"]["value"] / 21_600 - 1) <= 0.1)
    if kind == Type.TRIGGERED_BY:
        return bool(abs(evidence["lag_seconds"]["median"] - 600) <= 120)
    if kind == Type.SEASONAL:
        return str(evidence["label"]).startswith("Mon 09:00")
    return True
