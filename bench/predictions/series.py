"""Forecasts of series beside naive ones: the mean absolute error in units of the naive daily one
(MASE), and how often the bands held what came.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.predictions.flights import ZONE, read_year
from convex.metrics.model import HOUR, FloatArray, IntArray, to_microseconds
from convex.predictions.crossing import HALF_LIFE, Float32, standing_at, weekly_medians
from convex.predictions.panel import LONGEST, WEEK_HOURS, hourly_margins, local_week_hours
from convex.predictions.series_forecast import forecast_series
from demo.timeline import END, START

_AHEAD, _EVERY, _FIRST = 24, 29, 120 * 24  # each origin at another hour of the day
_METRICS = ("delay_mean", "departures", "on_time_rate", "wind")
_METHODS = ("own", "usual", "day", "week", "last")


def measure_series() -> dict[str, Any]:
    """24 hours ahead from May on, of all airports."""
    begin, end = to_microseconds(START), to_microseconds(END)
    hours = (end - begin) // HOUR
    week = local_week_hours(begin, hours + LONGEST + 1, ZONE)
    table = Table(
        "metric",
        "MASE",
        "usual value + fading residual",
        "same hour yesterday",
        "same hour last week",
        "last value",
        "80 % band held",
        "ms",
        title="The next 24 hours of a series",
    )
    found: dict[str, Any] = {}
    for metric in _METRICS:
        errors: dict[str, list[float]] = {
            name: [] for name in ("own", "usual", "day", "week", "last")
        }
        held: list[float] = []
        seconds, asked = 0.0, 0
        for (_, name), points in read_year().items():
            if name != metric:
                continue
            values = hourly_margins(points.timestamps, points.values, begin, hours).astype(
                np.float32
            )
            for origin in range(_FIRST, hours - _AHEAD, _EVERY):
                began = time.perf_counter()
                made = forecast_series(values[:origin], week[: origin + LONGEST + 1], _AHEAD)
                seconds += time.perf_counter() - began
                asked += 1
                if made is None:
                    continue
                came = values[origin : origin + _AHEAD].astype(np.float64)
                known = values[:origin][np.isfinite(values[:origin])]
                guesses: dict[str, FloatArray] = {
                    "own": made.values,
                    "usual": _usual(values[:origin], week),
                    "day": values[origin - 24 : origin - 24 + _AHEAD].astype(np.float64),
                    "week": values[origin - 168 : origin - 168 + _AHEAD].astype(np.float64),
                    "last": np.full(_AHEAD, known[-1]),
                }
                whole = np.isfinite(came)
                for guess in guesses.values():
                    whole = whole & np.isfinite(guess)
                for kind, guess in guesses.items():
                    errors[kind] += np.abs(guess - came)[whole].tolist()
                banded = whole & np.isfinite(made.lower[1])
                inside = (came >= made.lower[1]) & (came <= made.upper[1])
                held += inside[banded].tolist()
        scale = float(np.mean(errors["day"]))
        ratios = {kind: float(np.mean(some)) / scale for kind, some in errors.items()}
        band, each = float(np.mean(held)), seconds / asked * 1e3
        table.add_row(
            metric,
            *(f"{ratios[kind]:.3f}" for kind in _METHODS),
            f"{band:.3f}",
            f"{each:.1f}",
        )
        found[metric] = {**ratios, "band_80": band, "milliseconds": each}
    Console().print(table)
    return found


def _usual(values: Float32, week: IntArray) -> FloatArray:
    """The median of the hour of the week plus what is off now, which halves every 10 hours."""
    origin = len(values)
    medians = weekly_medians(values, week)
    ahead = week[origin : origin + _AHEAD]
    standing = standing_at(values, medians, week)[origin]
    fading = np.exp2(-(np.arange(_AHEAD) + 1) / HALF_LIFE)
    return np.asarray(medians[origin // WEEK_HOURS, ahead] + standing * fading, np.float64)
