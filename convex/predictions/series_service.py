"""The forecast of a stored series: read its hours, draw paths, show values with bands."""

from __future__ import annotations

import asyncio
import math
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from convex.alerts import rule_store
from convex.db import Connection
from convex.metrics.history import get_series
from convex.metrics.model import HOUR, to_datetime, to_microseconds
from convex.predictions import store
from convex.predictions.panel import LONGEST, local_week_hours
from convex.predictions.series_forecast import BANDS, forecast_series

WEEKS = 26
METHOD = "best three of twelve seasonal forecasts, bands of past errors"


async def read_forecast(
    connection: Connection, workspace_id: UUID, series_id: int, *, horizon: int, now: datetime
) -> dict[str, Any]:
    """The hours after the newest point that has come by `now`, `horizon` of them, with bands.

    Raises `NotFound` for a series that is not there.
    """
    series = await get_series(connection, series_id)
    newest = now if series.newest_at is None else min(series.newest_at + timedelta(hours=1), now)
    end = to_microseconds(newest.replace(minute=0, second=0, microsecond=0))
    hours = WEEKS * 168
    start = end - hours * HOUR
    found_hours = await store.read_hours(
        connection, series_id, to_datetime(start), to_datetime(end)
    )
    values = np.full(hours, np.nan, np.float32)
    for instant, value in found_hours:
        values[(to_microseconds(instant) - start) // HOUR] = value
    zone = await rule_store.zone_of(connection, workspace_id)
    first = np.flatnonzero(np.isfinite(values))
    if len(first):
        # from its first whole day on, so that "enough" means enough of this series
        skipped = int(first[0]) // 24 * 24
        values, start = values[skipped:], start + skipped * HOUR
    week = local_week_hours(start, len(values) + LONGEST + 1, zone)
    found = await asyncio.to_thread(forecast_series, values, week, horizon)
    shown: dict[str, Any] = {
        "series_id": series_id,
        "as_of": to_datetime(end),
        "method": METHOD,
        "horizon_hours": horizon,
        "reason": None if found is not None else "not enough history: four weeks are needed",
        "points": [],
    }
    if found is None:
        return shown
    for hour in range(horizon):
        point = {
            "timestamp": to_datetime(end + hour * HOUR),
            "value": _plain(found.values[hour]),
        }
        for row_, band in enumerate(BANDS):
            point[f"lower_{band:.0%}".rstrip("%")] = _plain(found.lower[row_, hour])
            point[f"upper_{band:.0%}".rstrip("%")] = _plain(found.upper[row_, hour])
        shown["points"].append(point)
    return shown


def _plain(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
