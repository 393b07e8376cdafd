"""What experts look at, for every rule and origin. Pure; nothing at or after the origin is read.

`EVENT_NAMES` come from the triggers alone; `ALL_NAMES` add what was measured and what the other
rules do: those of the same framework, and those on the same metric elsewhere. After them come the
margins of the most measured metrics of the rule's framework.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convex.metrics.model import BoolArray, FloatArray, IntArray
from convex.predictions.crossing import (
    Float32,
    compress,
    crossing_probabilities,
    fill_forward,
    weekly_medians,
)
from convex.predictions.model import HORIZONS
from convex.predictions.panel import LONGEST, WEEK_HOURS, Panel, count_before
from convex.predictions.profile import climatology, seasonal

NEVER = 24.0 * 90  # hours since the last firing of a rule that has not fired

EVENT_NAMES = ("since_last", "last_hour", "last_day", "last_week", "seasonal", "open")
_MORE_NAMES = (
    "climatology",
    "last_month",
    "hour_sin",
    "hour_cos",
    "hour_sin2",
    "hour_cos2",
    "weekday_sin",
    "weekday_cos",
    "weekend",
    "margin",
    "margin_3h",
    "margin_day",
    "margin_day_max",
    "slope_3h",
    "slope_day",
    "residual",
    "usual_peak",
    "crossing",
    "unmeasured",
    "framework_last_3h",
    "framework_last_day",
    "framework_open",
    "framework_margin",
    "framework_residual",
    "framework_slope",
    "metric_last_3h",
    "metric_last_day",
    "metric_open",
    "metric_margin",
    "metric_residual",
    "workspace_last_day",
    "workspace_open",
    "framework_crossing",
    "metric_crossing",
    "recent_week",
    "recent_month",
)
ALL_NAMES = (*EVENT_NAMES, *_MORE_NAMES)
MOST_METRICS = 8  # whose margins in the rule's own framework follow `ALL_NAMES`, now and by day


def logit(probability: FloatArray) -> FloatArray:
    """Log odds, of probabilities kept away from 0 and 1."""
    safe = np.clip(probability, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(safe) - np.log1p(-safe))


def sigmoid(value: FloatArray) -> FloatArray:
    """The inverse of `logit`."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -30, 30))))


@dataclass(frozen=True, slots=True)
class Table:
    """One horizon: features (rules × origins × names, float32), base rates, raw crossings.

    `outcome` is 1, 0, or NaN where the window had not ended by the end of the panel.
    """

    horizon: int
    origins: IntArray
    values: Float32
    climatology: FloatArray
    seasonal: FloatArray
    crossing: FloatArray
    outcome: FloatArray


@dataclass(frozen=True, slots=True)
class _Shared:
    """Features that do not depend on the horizon, and the compressed margins."""

    columns: dict[str, FloatArray]
    crossing: FloatArray
    usual: dict[int, FloatArray]
    metrics: list[FloatArray]


def choose_metrics(panel: Panel) -> tuple[str, ...]:
    """The metrics whose margins every rule of a framework looks at: the most measured ones."""
    watched = Counter(
        facts.metric
        for facts, measured in zip(panel.rules, panel.measured.tolist(), strict=True)
        if measured and facts.type == "threshold"
    )
    return tuple(sorted(watched, key=lambda name: (-watched[name], name))[:MOST_METRICS])


def build_tables(
    panel: Panel,
    origins: IntArray,
    *,
    pooled: dict[int, FloatArray] | None = None,
    metrics: tuple[str, ...] | None = None,
) -> dict[int, Table]:
    """The tables of all horizons at these origins (0 … N).

    Where `panel` is a part, `pooled` (base rates by horizon) and `metrics` are those of the whole.
    """
    totals = count_before(panel.openings)
    chosen = choose_metrics(panel) if metrics is None else metrics
    frameworks, namesakes = (_group(panel, by_framework=each) for each in (True, False))
    shared = _shared(panel, totals, origins, chosen, frameworks, namesakes)
    tables = {}
    for column, horizon in enumerate(HORIZONS):
        base, _ = climatology(totals, origins, horizon, None if pooled is None else pooled[horizon])
        profile = seasonal(panel.openings, panel.week, origins, horizon, base)
        crossing = shared.crossing[:, :, column]
        columns = dict(shared.columns)
        columns["climatology"] = logit(base)
        columns["seasonal"] = logit(profile)
        columns["crossing"] = np.where(
            np.isfinite(crossing), logit(np.clip(crossing, 0.003, 0.997)), logit(base)
        )
        excess = columns["crossing"] - columns["climatology"]
        columns["framework_crossing"] = _others(frameworks, excess, largest=True)
        columns["metric_crossing"] = _others(namesakes, excess, largest=True)
        columns["usual_peak"] = shared.usual[horizon]
        for name, days in (("recent_week", 7), ("recent_month", 28)):
            columns[name] = _recent(totals, origins, horizon, base, days)
        listed = [*(columns[name] for name in ALL_NAMES), *shared.metrics]
        values = np.stack(listed, axis=2, dtype=np.float32, casting="same_kind")
        outcome = np.full((len(panel.rules), len(origins)), np.nan)
        ended = origins + horizon <= panel.hours
        outcome[:, ended] = opens_within(totals, origins[ended], horizon)
        tables[horizon] = Table(horizon, origins, values, base, profile, crossing, outcome)
    return tables


def _shared(
    panel: Panel,
    totals: NDArray[np.int32],
    origins: IntArray,
    chosen: tuple[str, ...],
    frameworks: list[IntArray],
    namesakes: list[IntArray],
) -> _Shared:
    rules, count = len(panel.rules), len(origins)

    def within(hours: int) -> FloatArray:
        return (totals[:, origins] - totals[:, np.maximum(origins - hours, 0)]).astype(np.float64)

    last = _last_opening(panel, origins)
    since = np.where(last >= 0, np.minimum(origins - last, NEVER), NEVER)
    week = panel.week[origins]
    hour, weekday = week % 24, week // 24
    turn = 2 * np.pi
    flat = np.ones((rules, 1))
    columns: dict[str, FloatArray] = {
        "since_last": np.log1p(since),
        "last_hour": np.minimum(within(1), 1.0),
        "last_day": np.log1p(within(24)),
        "last_week": np.log1p(within(168)),
        "last_month": np.log1p(within(28 * 24)),
        "open": panel.firing[:, origins].astype(np.float64),
        "hour_sin": flat * np.sin(turn * hour / 24),
        "hour_cos": flat * np.cos(turn * hour / 24),
        "hour_sin2": flat * np.sin(2 * turn * hour / 24),
        "hour_cos2": flat * np.cos(2 * turn * hour / 24),
        "weekday_sin": flat * np.sin(turn * weekday / 7),
        "weekday_cos": flat * np.cos(turn * weekday / 7),
        "weekend": flat * (weekday >= 5),
    }
    crossing = np.full((rules, count, len(HORIZONS)), np.nan)
    names = (
        "margin",
        "margin_3h",
        "margin_day",
        "margin_day_max",
        "slope_3h",
        "slope_day",
        "residual",
    )
    measured = {name: np.zeros((rules, count)) for name in names}
    usual = {horizon: np.zeros((rules, count)) for horizon in HORIZONS}
    for row in np.flatnonzero(panel.measured).tolist():
        values = compress(panel.margins[row])
        raw, standing = crossing_probabilities(
            values, panel.firing[row], panel.week, panel.rules[row].hold_hours, origins
        )
        crossing[row] = raw
        for name, column in _margins(values, standing, origins).items():
            measured[name][row] = column
        for horizon, column in _usual_peaks(values, panel.week, origins).items():
            usual[horizon][row] = column
    columns |= measured
    columns["unmeasured"] = np.broadcast_to(
        (~panel.measured).astype(np.float64)[:, None], (rules, count)
    )
    for scope, groups in (("framework", frameworks), ("metric", namesakes)):
        for name, source in (
            ("last_3h", within(3)),
            ("last_day", within(24)),
            ("open", columns["open"]),
        ):
            others = _others(groups, source)
            columns[f"{scope}_{name}"] = np.log1p(others)
        for name in ("margin", "residual"):
            columns[f"{scope}_{name}"] = _others(groups, columns[name], largest=True)
    columns["framework_slope"] = _others(frameworks, columns["slope_3h"], largest=True)
    columns["workspace_last_day"] = flat * np.log1p(within(24).sum(axis=0) / max(rules, 1) * 12)
    columns["workspace_open"] = flat * columns["open"].mean(axis=0)
    metrics = [
        column
        for name in ("margin", "margin_day")
        for column in _by_metric(panel, columns[name], chosen)
    ]
    return _Shared(columns, crossing, usual, metrics)


def opens_within(totals: NDArray[np.int32], origins: IntArray, horizon: int) -> BoolArray:
    """Whether a trigger opens in the `horizon` hours from each origin."""
    return np.asarray(totals[:, origins + horizon] > totals[:, origins], np.bool_)


def _last_opening(panel: Panel, origins: IntArray) -> IntArray:
    """The hour of the newest opening before each origin, -1 without any."""
    if len(origins) == 1 and origins[0] > 0:
        opened = panel.openings[:, : origins[0]] > 0
        back = np.argmax(opened[:, ::-1], axis=1)
        return np.where(opened.any(axis=1), origins[0] - 1 - back, -1)[:, None]
    latest = np.maximum.accumulate(
        np.where(panel.openings > 0, np.arange(panel.hours, dtype=np.int32), np.int32(-1)), axis=1
    )
    return np.where(origins > 0, latest[:, np.maximum(origins - 1, 0)], -1)


def _by_metric(panel: Panel, source: FloatArray, metrics: tuple[str, ...]) -> list[FloatArray]:
    """For each metric the mean over the threshold rules on it in the rule's own framework; 0 where
    there is none.
    """
    frameworks = np.unique([facts.framework_id.hex for facts in panel.rules], return_inverse=True)[
        1
    ]
    result = []
    for metric in metrics:
        on_it = np.array(
            [facts.metric == metric and facts.type == "threshold" for facts in panel.rules]
        )
        on_it &= panel.measured
        count = int(frameworks.max()) + 1
        sums = np.zeros((count, source.shape[1]))
        np.add.at(sums, frameworks[on_it], source[on_it])
        number = np.bincount(frameworks[on_it], minlength=count)
        result.append((sums / np.maximum(number, 1)[:, None])[frameworks])
    return result


def _recent(
    totals: NDArray[np.int32], origins: IntArray, horizon: int, base: FloatArray, days: int
) -> FloatArray:
    """How much more often than `base` it happened from the same hour of the last days whose windows
    had ended; drawn to 0.
    """
    total = np.zeros((len(totals), len(origins)))
    count = np.zeros(len(origins))
    first = -(-horizon // 24)
    for day in range(first, first + days):
        then = origins - 24 * day
        there = then >= 0
        total[:, there] += opens_within(totals, then[there], horizon)
        count += there
    return (total + 3 * base) / (count + 3) - base


def _margins(values: Float32, standing: Float32, origins: IntArray) -> dict[str, FloatArray]:
    filled = fill_forward(values)
    known = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0), dtype=np.float64)])
    counts = np.concatenate([[0], np.cumsum(known)])

    def mean(upper: IntArray, hours: int) -> FloatArray:
        lower = np.maximum(upper - hours, 0)
        number = counts[upper] - counts[lower]
        return np.where(number > 0, (sums[upper] - sums[lower]) / np.maximum(number, 1), np.nan)

    newest = filled[np.maximum(origins - 1, 0)].astype(np.float64)
    day = mean(origins, 24)
    lows = np.where(known, values, -np.inf)
    padded = np.concatenate([np.full(24, -np.inf, np.float32), lows])
    views = np.lib.stride_tricks.sliding_window_view(padded, 24)
    peak = views[origins].max(axis=1).astype(np.float64)
    columns = {
        "margin": newest,
        "margin_3h": mean(origins, 3),
        "margin_day": day,
        "margin_day_max": np.where(np.isfinite(peak), peak, np.nan),
        "slope_3h": newest - filled[np.maximum(origins - 4, 0)],
        "slope_day": day - mean(np.maximum(origins - 24, 0), 24),
        "residual": standing.astype(np.float64),
    }
    columns["margin_3h"] = np.where(np.isfinite(columns["margin_3h"]), columns["margin_3h"], newest)
    return {name: np.nan_to_num(column, nan=0.0) for name, column in columns.items()}


def _usual_peaks(values: Float32, week: IntArray, origins: IntArray) -> dict[int, FloatArray]:
    """The largest usual margin (weekly median) of the hours of each window."""
    medians = np.nan_to_num(weekly_medians(values, week), nan=0.0)
    result = {horizon: np.zeros(len(origins)) for horizon in HORIZONS}
    weeks = np.minimum(origins // WEEK_HOURS, len(medians) - 1)
    for number in np.unique(weeks).tolist():
        mine = np.flatnonzero(weeks == number)
        ring = np.concatenate([medians[number], medians[number][:LONGEST]])
        for horizon in HORIZONS:
            peaks = np.lib.stride_tricks.sliding_window_view(ring, horizon).max(axis=1)
            result[horizon][mine] = peaks[week[origins[mine]]]
    return result


def _group(panel: Panel, *, by_framework: bool) -> list[IntArray]:
    """The rows of rules that are of one framework, or on one metric name; two at least."""
    groups: dict[object, list[int]] = {}
    for row, facts in enumerate(panel.rules):
        groups.setdefault(facts.framework_id if by_framework else facts.metric, []).append(row)
    return [np.array(rows) for rows in groups.values() if len(rows) > 1]


def _others(groups: list[IntArray], source: FloatArray, *, largest: bool = False) -> FloatArray:
    """The sum, or the largest, of the other rules of the group; 0 without any."""
    result = np.zeros(source.shape)
    for rows in groups:
        block = source[rows]
        if largest:
            ordered = np.sort(block, axis=0)
            top, second = ordered[-1], ordered[-2]
            result[rows] = np.where(block == top, second, top)
        else:
            result[rows] = block.sum(axis=0) - block
    return result
