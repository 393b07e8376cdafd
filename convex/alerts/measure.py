"""What a rule compares at an instant: an aggregate of the window that ends there, and a score.

The score is what `fires` and `keeps` look at, `value` is what people are shown:

| type, condition | score |
|---|---|
| threshold above, below, equals | the aggregate |
| threshold changes_by | its change against the window before (or the point before), in percent |
| performance | how much worse it is than the baseline, in percent |
| anomaly | what the detector says, in multiples of its threshold (`alerts.anomalies`) |
| anomaly, method robust_z | robust z-score against the same hours of the trailing weeks |
| milestone | the running total (aggregate sum without a window), else the aggregate |

A window is (t − window, t]; without one it is the point at t. The baseline is the median of the
same aggregate one to four weeks earlier (over an hour when there is no window), known from two
weeks on. The profile of an anomaly are the points within 90 minutes of t − k weeks, k = 1 to 8,
known from three weeks and nine points on; its scale is 1.4826 × the median absolute deviation, or
where that is 0, 1.2533 × the mean one, and never below a hundredth of the median.

Each result depends on the points of its own windows and on nothing else, to the last bit: sums run
from the oldest point to the newest. So it does not matter how many instants are measured at once.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from convex.alerts.model import Condition, Rule, RuleDraft, RuleType, Sensitivity
from convex.metrics.model import DAY, HOUR, SECOND, Aggregate, BoolArray, FloatArray, IntArray

WEEK = 7 * DAY
BASELINE_WEEKS, BASELINE_LEAST = 4, 2
PROFILE_WEEKS, PROFILE_LEAST_WEEKS, PROFILE_LEAST_POINTS = 8, 3, 9
PROFILE_REACH = 90 * 60 * SECOND
PREVIOUS_POINT_REACH = 40 * DAY  # how far back "the point before" may lie

ROBUST_Z = "robust_z"
STAYS_OPEN = 0.5  # share of the detector's threshold at which an open anomaly goes on

# Robust z-scores. On Gaussian noise 3.5 is passed once in 2,000 points, 6 never.
SENSITIVITIES = {Sensitivity.LOW: 6.0, Sensitivity.MEDIUM: 4.5, Sensitivity.HIGH: 3.5}

_MOST = sys.float_info.max  # stands for a change from nothing, which no percentage can say
_CELLS = 2_000_000  # of one gathered block, 16 MB

Compare = Callable[[Any, Any], Any]


class Measurement(NamedTuple):
    """One instant. `known` is False where the past is too short to tell."""

    value: float
    score: float
    known: bool = True
    total: float | None = None

    @property
    def finite(self) -> bool:
        """Whether the value is a number that can be compared."""
        return abs(self.value) <= _MOST and abs(self.score) <= _MOST


@dataclass(frozen=True, slots=True)
class Measurements:
    """The same for many instants, as columns."""

    values: FloatArray
    scores: FloatArray
    known: BoolArray
    totals: FloatArray | None = None

    def part(self, start: int, stop: int) -> Measurements:
        """Those from `start` up to but without `stop`."""
        totals = None if self.totals is None else self.totals[start:stop]
        return Measurements(
            self.values[start:stop], self.scores[start:stop], self.known[start:stop], totals
        )

    def without_scores(self) -> Measurements:
        """The same as nothing that can be decided on."""
        return replace(self, scores=np.full(len(self.scores), np.nan))

    def __getitem__(self, index: int) -> Measurement:
        total = None if self.totals is None else float(self.totals[index])
        return Measurement(
            float(self.values[index]), float(self.scores[index]), bool(self.known[index]), total
        )


@dataclass(frozen=True, slots=True)
class Points:
    """The points of one series in order of time, without repeats."""

    timestamps: IntArray
    values: FloatArray


def is_learnt(rule: RuleDraft) -> bool:
    """Whether a detector, which learns each series as it comes, decides what is an anomaly."""
    return rule.type is RuleType.ANOMALY and rule.method != ROBUST_Z


def fire_limit(rule: RuleDraft) -> float:
    """What the score is compared with: also the threshold that a trigger shows."""
    if is_learnt(rule):
        return 1.0
    if rule.type is RuleType.ANOMALY:
        return SENSITIVITIES[rule.sensitivity or Sensitivity.MEDIUM]
    if rule.type is RuleType.PERFORMANCE or rule.condition is Condition.CHANGES_BY:
        return 0.0 if rule.change_percentage is None else rule.change_percentage
    return 0.0 if rule.threshold_value is None else rule.threshold_value


def _fire_test(rule: Rule) -> tuple[Compare, float]:
    limit = fire_limit(rule)
    if rule.condition is Condition.EQUALS:
        return operator.eq, limit
    if rule.type is RuleType.THRESHOLD and rule.condition is Condition.ABOVE:
        return operator.gt, limit
    if rule.type is RuleType.THRESHOLD and rule.condition is Condition.BELOW:
        return operator.lt, limit
    if rule.type is RuleType.MILESTONE and rule.condition is Condition.BELOW:
        return operator.le, limit
    return operator.ge, limit


def _keep_test(rule: Rule) -> tuple[Compare, float]:
    if is_learnt(rule):
        return operator.ge, STAYS_OPEN
    if rule.recovery_threshold is None:
        return _fire_test(rule)
    if rule.type is RuleType.THRESHOLD and rule.condition is Condition.BELOW:
        return operator.lt, rule.recovery_threshold
    return operator.gt, rule.recovery_threshold


def fires(rule: Rule, score: float) -> bool:
    """Whether the condition is met."""
    compare, limit = _fire_test(rule)
    return bool(compare(score, limit))


def may_fire(rule: Rule, lowest: float, highest: float) -> bool:
    """Whether `fires` can be true of a score between these, both included."""
    compare, limit = _fire_test(rule)
    if compare is operator.eq:
        return lowest <= limit <= highest
    return bool(compare(lowest, limit)) or bool(compare(highest, limit))


def keeps(rule: Rule, score: float) -> bool:
    """Whether a firing rule goes on: not recovered by its recovery threshold."""
    compare, limit = _keep_test(rule)
    return bool(compare(score, limit))


def fires_at(rule: Rule, scores: FloatArray) -> BoolArray:
    """`fires` for each score."""
    compare, limit = _fire_test(rule)
    return np.asarray(compare(scores, limit), np.bool_)


def keeps_at(rule: Rule, scores: FloatArray) -> BoolArray:
    """`keeps` for each score."""
    compare, limit = _keep_test(rule)
    return np.asarray(compare(scores, limit), np.bool_)


def is_running_total(rule: Rule) -> bool:
    """Whether a milestone counts everything so far, rather than a level."""
    return (
        rule.type is RuleType.MILESTONE
        and rule.aggregate is Aggregate.SUM
        and rule.window_seconds == 0
    )


def needs_only_the_point(rule: Rule) -> bool:
    """Whether measuring at t takes nothing but the point at t."""
    return (
        rule.window_seconds == 0
        and rule.type in (RuleType.THRESHOLD, RuleType.MILESTONE)
        and rule.condition is not Condition.CHANGES_BY
    )


def needs_previous_point(rule: Rule) -> bool:
    """Whether measuring at t takes the one point before t."""
    return (
        rule.type is RuleType.THRESHOLD
        and rule.condition is Condition.CHANGES_BY
        and rule.window_seconds == 0
    )


def spans(rule: Rule) -> list[tuple[int, int]]:
    """What measuring at t takes: the points in (t − first, t − second] of each pair."""
    window = rule.window_seconds * SECOND
    if rule.type is RuleType.PERFORMANCE:
        reach = window or HOUR
        return [
            (window, 0),
            *((week * WEEK + reach, week * WEEK) for week in range(1, BASELINE_WEEKS + 1)),
        ]
    if is_learnt(rule):
        return []
    if rule.type is RuleType.ANOMALY:
        return [
            (window, 0),
            *(
                (week * WEEK + PROFILE_REACH, week * WEEK - PROFILE_REACH)
                for week in range(1, PROFILE_WEEKS + 1)
            ),
        ]
    return [(2 * window if rule.condition is Condition.CHANGES_BY else window, 0)]


def measure(rule: Rule, points: Points, at: IntArray, total: float | None = None) -> Measurements:
    """Measure at each instant of `at`, each of which is the timestamp of one of the points.

    `points` hold at least what `spans` says. `total` is the running total before the first instant.
    """
    values = _aggregate(rule, points, at, rule.window_seconds * SECOND)
    known: BoolArray = np.ones(len(at), np.bool_)
    if rule.type is RuleType.MILESTONE and is_running_total(rule):
        totals = np.add.accumulate(np.concatenate(([total or 0.0], values)))[1:]
        return Measurements(totals, totals, known, totals)
    if rule.type is RuleType.ANOMALY:
        scores, known = _unusualness(rule, points, at, values)
    elif rule.type is RuleType.PERFORMANCE:
        reference, known = _baseline(rule, points, at)
        scores = _worse_by(rule, values, reference)
    elif rule.condition is Condition.CHANGES_BY:
        reference, known = _window_before(rule, points, at)
        scores = np.abs(_percent(values, reference))
    elif rule.confirm_window_seconds:
        recent = _aggregate(rule, points, at, rule.confirm_window_seconds * SECOND)
        # The condition holds for this score exactly where it holds for both windows.
        nearer = np.minimum if rule.condition is Condition.ABOVE else np.maximum
        scores = nearer(values, recent)
    else:
        scores = values
    return Measurements(values, scores, known)


def _slices(points: Points, after: IntArray, until: IntArray) -> tuple[IntArray, IntArray]:
    lower = np.searchsorted(points.timestamps, after, side="right")
    upper = np.searchsorted(points.timestamps, until, side="right")
    return lower, np.maximum(lower, upper)


def _aggregate(rule: Rule, points: Points, at: IntArray, window: int) -> FloatArray:
    """The aggregate of (at − window, at]; NaN where that holds no point."""
    if window == 0:
        upper = np.searchsorted(points.timestamps, at, side="right")
        lower = upper - 1
        if rule.aggregate is Aggregate.COUNT:
            return np.ones(len(at))
    else:
        lower, upper = _slices(points, at - window, at)
    return _reduce(rule.aggregate, points.values, lower, upper)


def _reduce(
    aggregate: Aggregate, values: FloatArray, lower: IntArray, upper: IntArray
) -> FloatArray:
    counts = upper - lower
    result = np.full(len(lower), np.nan)
    filled = counts > 0
    if aggregate is Aggregate.COUNT:
        result[filled] = counts[filled]
        return result
    if aggregate is Aggregate.LAST or (filled.any() and counts.max() == 1):
        result[filled] = values[upper[filled] - 1]
        return result
    reducer = _REDUCERS[aggregate]
    for rows in _blocks(counts):
        block, sizes = _gather(values, lower[rows], counts[rows], _PADDING[aggregate])
        with np.errstate(over="ignore", invalid="ignore"):
            reduced = reducer(block, sizes)
        result[rows] = np.where(sizes > 0, reduced, np.nan)
    return result


def _blocks(counts: IntArray) -> list[slice]:
    """Rows that together gather at most `_CELLS` cells."""
    widest = max(1, int(counts.max(initial=1)))
    step = max(1, _CELLS // widest)
    return [slice(start, start + step) for start in range(0, len(counts), step)]


def _gather(
    values: FloatArray, lower: IntArray, counts: IntArray, padding: float
) -> tuple[FloatArray, IntArray]:
    """One row for each slice, filled up on the right."""
    offsets = np.arange(max(1, int(counts.max(initial=1))))
    places = lower[:, None] + offsets
    inside = offsets < counts[:, None]
    if len(values) == 0:
        return np.full(places.shape, padding), counts
    return np.where(inside, values[np.minimum(places, len(values) - 1)], padding), counts


def _sum(block: FloatArray, _sizes: IntArray) -> FloatArray:
    # accumulate adds from left to right, whatever the shape; sum() would not promise that.
    return np.asarray(np.add.accumulate(block, axis=1)[:, -1], np.float64)


def _quantile(share: float) -> Callable[[FloatArray, IntArray], FloatArray]:
    def reduce(block: FloatArray, sizes: IntArray) -> FloatArray:
        ordered = np.sort(block, axis=1)  # the padding is +inf, so it ends up last
        place = np.maximum(sizes - 1, 0) * share
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(sizes - 1, 0))
        rows = np.arange(len(block))
        low, high = ordered[rows, below], ordered[rows, above]
        with np.errstate(invalid="ignore", over="ignore"):  # rows of padding alone: inf − inf
            between = low + (high - low) * (place - below)
        return np.where(low == high, low, between)

    return reduce


_median = _quantile(0.5)
_REDUCERS: dict[Aggregate, Callable[[FloatArray, IntArray], FloatArray]] = {
    Aggregate.MEAN: lambda block, sizes: _sum(block, sizes) / np.maximum(sizes, 1),
    Aggregate.SUM: _sum,
    Aggregate.MIN: lambda block, _sizes: np.asarray(block.min(axis=1), np.float64),
    Aggregate.MAX: lambda block, _sizes: np.asarray(block.max(axis=1), np.float64),
    Aggregate.P50: _median,
    Aggregate.P95: _quantile(0.95),
}
_PADDING = {
    Aggregate.MEAN: 0.0,
    Aggregate.SUM: 0.0,
    Aggregate.MIN: np.inf,
    Aggregate.MAX: -np.inf,
    Aggregate.P50: np.inf,
    Aggregate.P95: np.inf,
}


def _percent(values: FloatArray, reference: FloatArray) -> FloatArray:
    """The change from reference to value in percent of the reference's size."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        change = (values - reference) / np.abs(reference) * 100.0
    from_nothing = np.where(values == 0, 0.0, np.where(values > 0, _MOST, -_MOST))
    return np.where(reference == 0, from_nothing, change)


def _window_before(rule: Rule, points: Points, at: IntArray) -> tuple[FloatArray, BoolArray]:
    window = rule.window_seconds * SECOND
    if window == 0:
        place = np.searchsorted(points.timestamps, at, side="left") - 1
        before = np.maximum(place, 0)
        known = (place >= 0) & (at - points.timestamps[before] <= PREVIOUS_POINT_REACH)
        return np.where(known, points.values[before], np.nan), known
    reference = _aggregate(rule, points, at - window, window)
    return reference, ~np.isnan(reference)


def _baseline(rule: Rule, points: Points, at: IntArray) -> tuple[FloatArray, BoolArray]:
    reach = rule.window_seconds * SECOND or HOUR
    weeks = np.stack(
        [
            _reduce(
                rule.aggregate,
                points.values,
                *_slices(points, at - week * WEEK - reach, at - week * WEEK),
            )
            for week in range(1, BASELINE_WEEKS + 1)
        ],
        axis=1,
    )
    sizes = np.count_nonzero(~np.isnan(weeks), axis=1)
    known = sizes >= BASELINE_LEAST
    return _median(np.where(np.isnan(weeks), np.inf, weeks), sizes), known


def _worse_by(rule: Rule, values: FloatArray, baseline: FloatArray) -> FloatArray:
    change = _percent(values, baseline)
    if rule.condition is Condition.ABOVE:
        return change
    if rule.condition is Condition.BELOW:
        return -change
    if rule.target is not None and rule.limit is not None:
        return change if rule.limit > rule.target else -change
    return np.abs(change)


def _unusualness(
    rule: Rule, points: Points, at: IntArray, values: FloatArray
) -> tuple[FloatArray, BoolArray]:
    edges = [
        _slices(points, at - week * WEEK - PROFILE_REACH, at - week * WEEK + PROFILE_REACH)
        for week in range(1, PROFILE_WEEKS + 1)
    ]
    counts = np.stack([upper - lower for lower, upper in edges], axis=1)
    sizes = counts.sum(axis=1)
    known = (np.count_nonzero(counts, axis=1) >= PROFILE_LEAST_WEEKS) & (
        sizes >= PROFILE_LEAST_POINTS
    )
    scores = np.zeros(len(at))
    for rows in _blocks(counts.max(axis=1, initial=0) * PROFILE_WEEKS):
        block = np.concatenate(
            [
                _gather(points.values, lower[rows], (upper - lower)[rows], np.inf)[0]
                for lower, upper in edges
            ],
            axis=1,
        )
        inside = block < np.inf
        size = sizes[rows]
        median = np.where(size > 0, _median(block, size), 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            distance = np.sort(np.where(inside, np.abs(block - median[:, None]), np.inf), axis=1)
            spread = 1.4826 * np.where(size > 0, _median(distance, size), 0.0)
            total = _sum(np.where(distance < np.inf, distance, 0.0), size)
            spread = np.where(spread > 0, spread, 1.2533 * total / np.maximum(size, 1))
            scale = np.maximum(spread, np.maximum(np.abs(median) / 100.0, 1e-9))
            scores[rows] = (values[rows] - median) / scale
    if rule.condition is Condition.BELOW:
        scores = -scores
    elif rule.condition is Condition.CHANGES_BY:
        scores = np.abs(scores)
    return scores, known
