"""10,000 rules asked at once: from their histories in memory to a probability for each horizon."""

from __future__ import annotations

import statistics
import time
from typing import Any
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table

from convex.metrics.model import HOUR
from convex.predictions.features import build_tables, choose_metrics
from convex.predictions.forecast import (
    LIVE_ROWS,
    Model,
    choose_trained,
    newest_tables,
    origins_of,
    pooled_rates,
)
from convex.predictions.hindcast import hindcast
from convex.predictions.model import HORIZONS, RuleFacts
from convex.predictions.panel import Panel, local_week_hours

_RULES, _DAYS, _REPEAT = 10_000, 120, 5


def measure_scale() -> dict[str, Any]:
    """Seconds to ask about all rules at all horizons, features included; training apart."""
    panel = _world()
    trained = choose_trained(panel)
    part = panel.part(trained)
    metrics = choose_metrics(part)
    began = time.perf_counter()
    pooled = pooled_rates(panel)
    tables = build_tables(part, origins_of(panel.hours), pooled=pooled, metrics=metrics)
    members = np.full(_RULES, -1)
    models = {}
    for horizon in HORIZONS:
        past = hindcast(tables[horizon], panel.hours - 24, panel.hours, most_rows=LIVE_ROWS)
        assert past.fitted is not None
        models[horizon] = Model(past.fitted, past.weights, past.map_, True, members)
    trained_in = time.perf_counter() - began
    times: list[float] = []
    processor: list[float] = []
    predicted: list[float] = []
    for _ in range(_REPEAT):
        began, began_processor = time.perf_counter(), time.process_time()
        only_models = 0.0
        for rows, small in newest_tables(panel, np.arange(_RULES), metrics, pooled):
            asked = time.perf_counter()
            for horizon, model in models.items():
                model.ask(small[horizon], rows)
            only_models += time.perf_counter() - asked
        times.append(time.perf_counter() - began)
        processor.append(time.process_time() - began_processor)
        predicted.append(only_models)
    table = Table("10,000 rules, 4 horizons", "seconds (min–max)", "goal")
    parts = (
        ("features and models", times),
        ("of these, models", predicted),
        ("all of it, processor time", processor),
    )
    for name, some in parts:
        table.add_row(
            name, f"{statistics.median(some):.2f} ({min(some):.2f}–{max(some):.2f})", "≤ 1"
        )
    table.add_row("training, once a night", f"{trained_in:.1f}", "")
    Console().print(table)
    return {"seconds": times, "processor": processor, "models": predicted, "training": trained_in}


def _world() -> Panel:
    random = np.random.default_rng(1)
    hours = _DAYS * 24
    rates = random.lognormal(-5.5, 1.0, _RULES)
    clock = np.arange(hours) % 24
    shape = 1 + 0.9 * np.sin(2 * np.pi * (clock - 9) / 24)
    openings = (random.random((_RULES, hours)) < rates[:, None] * shape).astype(np.uint8)
    start = 20_000 * 24 * HOUR
    facts = tuple(
        RuleFacts(
            UUID(int=number + 1),
            f"rule {number}",
            UUID(int=1_000_000 + number // 20),
            f"metric {number % 20}",
            "threshold",
            "warning",
            "",
        )
        for number in range(_RULES)
    )
    return Panel(
        start,
        hours,
        facts,
        openings,
        np.concatenate([np.zeros((_RULES, 1), np.bool_), openings > 0], axis=1),
        np.broadcast_to(np.float32(np.nan), (_RULES, hours)),
        np.zeros(_RULES, np.bool_),
        local_week_hours(start, hours + 73, "UTC"),
    )
