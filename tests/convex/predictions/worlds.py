"""Worlds to predict: histories with a structure that is known."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid5

import numpy as np

from convex.metrics.model import HOUR, FloatArray
from convex.predictions.model import RuleFacts, RuleHistory
from convex.predictions.panel import Panel, build_panel

SPACE = UUID("5b0f6f9e-0000-4000-8000-000000000000")
END = 20_000 * 24 * HOUR  # a midnight UTC


def facts(name: str, framework: str = "f", **changes: object) -> RuleFacts:
    """A rule on a metric of its own name."""
    plain = RuleFacts(
        uuid5(SPACE, name), name, uuid5(SPACE, framework), name, "threshold", "warning", ""
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def history(
    fact: RuleFacts, hours: int, opened_at: FloatArray, margins: FloatArray | None = None
) -> RuleHistory:
    """Firings of 30 minutes that open at these hours (fractions too) of the `hours` before END."""
    start = END - hours * HOUR
    opened = (start + np.sort(opened_at) * HOUR).astype(np.int64)
    return RuleHistory(fact, opened, opened + HOUR // 2, margins)


def measured_world(days: int = 100, rules: int = 6, seed: int = 1) -> Panel:
    """Rules whose metric swings by the day and wanders slowly; each fires when it crosses 0.

    So where it stands, and the hour, tell what comes.
    """
    random = np.random.default_rng(seed)
    hours = days * 24
    clock = np.arange(hours)
    shared = _wander(random, hours)
    histories = []
    for number in range(rules):
        level = 1.2 * np.sin(2 * np.pi * (clock - 8 - number) / 24)
        level += 1.2 * shared + 0.8 * _wander(random, hours) + random.normal(0, 0.3, hours) - 2.2
        above = level > 0
        opened = np.flatnonzero(above & ~np.concatenate([[False], above[:-1]]))
        fact = facts(f"rule {number}", f"framework {number % 2}")
        histories.append(history(fact, hours, opened.astype(np.float64), level))
    return build_panel(histories, END, hours, "UTC")


def _wander(random: np.random.Generator, hours: int) -> FloatArray:
    """A slow autoregressive walk with variance 1."""
    steps = random.normal(0, 1, hours) * np.sqrt(1 - 0.97**2)
    walk = np.zeros(hours)
    for hour in range(1, hours):
        walk[hour] = 0.97 * walk[hour - 1] + steps[hour]
    return walk
