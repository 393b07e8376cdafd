"""Backtest and tuning over a year of hourly points on 30 series.

    python -m bench.backtest [--repeat 5]

Everything but reading the points from the database: measuring, replaying, figures. Goals: a
backtest in at most 2 s, a tuning over 200 candidates in at most 20 s.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from rich.console import Console
from rich.table import Table

from convex.alerts import backtest, tuning
from convex.alerts.backtest import History
from convex.alerts.measure import Points
from convex.alerts.model import Condition, Rule, RuleType
from convex.metrics.model import DAY, HOUR, Aggregate

_SERIES, _HOURS = 30, 365 * 24


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    numbers = np.random.default_rng(1)
    at = np.arange(1, _HOURS + 1, dtype=np.int64) * HOUR
    daily = 10 * np.sin(np.arange(_HOURS) * 2 * np.pi / 24)
    histories = [
        History(n, {"series": str(n)}, Points(at, 50 + daily + 5 * numbers.standard_normal(_HOURS)))
        for n in range(_SERIES)
    ]
    plain = _rule(threshold_value=68.0, for_seconds=3600, recovery_threshold=62.0)
    mean = _rule(threshold_value=60.0, aggregate=Aggregate.MEAN, window_seconds=6 * 3600)
    worse = _rule(
        type=RuleType.PERFORMANCE,
        change_percentage=30.0,
        aggregate=Aggregate.MEAN,
        window_seconds=86_400,
    )
    end = 365 * DAY
    prepared = backtest.prepare(plain, histories, 0, end)
    tried = tuning.tune(plain, prepared, 0, end).tried
    table = Table("row", "seconds (min–max)", "goal", title="A year, 30 series, hourly")
    for name, work, goal in (
        ("threshold", lambda: backtest.backtest(plain, histories, 0, end), "≤ 2"),
        ("mean over 6 h", lambda: backtest.backtest(mean, histories, 0, end), "≤ 2"),
        ("performance, day", lambda: backtest.backtest(worse, histories, 0, end), "≤ 2"),
        (f"tuning, {tried} candidates", lambda: tuning.tune(plain, prepared, 0, end), "≤ 20"),
    ):
        times = _timed(work, repeat)
        median = statistics.median(times)
        table.add_row(name, f"{median:.2f} ({min(times):.2f}–{max(times):.2f})", goal)
    Console().print(table)


def _rule(**changes: object) -> Rule:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    fields: dict[str, object] = {
        "id": UUID(int=1),
        "workspace_id": UUID(int=2),
        "framework_id": UUID(int=3),
        "metric_id": UUID(int=4),
        "name": "bench",
        "condition": Condition.ABOVE,
        "created_at": moment,
        "updated_at": moment,
    }
    return Rule(**(fields | changes))  # type: ignore[arg-type]


def _timed(work: Callable[[], object], repeat: int) -> list[float]:
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    main()
