"""A series of text rows through the detector: what `convex detect` does, without files.

Rows are taken in the order they come. A timestamp that does not advance (a repeated hour when
daylight saving ends, rows of the same second) counts as a moment after the one before it; a row
without a finite number or a readable timestamp is passed through unscored.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from convex.anomaly.model import Condition, Score, Sensitivity, State
from convex.anomaly.novelty import Novelty

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SECONDS_UNTIL = 1e11  # a plain number up to here is in seconds, beyond it in milliseconds


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """`anomaly_score` is 0 … 1 and at least 0.5 exactly where `alert` is True."""

    timestamp: str
    value: str
    anomaly_score: float
    alert: bool


def read_instant(text: str) -> int | None:
    """Microseconds since 1970 UTC of an ISO 8601 time (UTC unless it says otherwise) or of a plain
    number of seconds or milliseconds; None if it is neither.
    """
    text = text.strip()
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return (instant - _EPOCH) // _MICROSECOND
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return round(number * (1_000_000 if abs(number) <= _SECONDS_UNTIL else 1_000))


def scale(score: Score, sensitivity: Sensitivity, condition: Condition) -> tuple[float, bool]:
    """The score between 0 and 1, and whether it is an alert.

    Half of s / (s + threshold), and the other half only for what is alerted: so one threshold of
    0.5 says the same as the alert, hold-off included. 0 while the detector is learning.
    """
    if score.state is State.LEARNING:
        return 0.0, False
    threshold = Novelty.thresholds[sensitivity]
    alert = score.raises(sensitivity, condition)
    part = 0.5 * score.score / (score.score + threshold)
    return (part + 0.5 if alert else min(part, 0.499999)), alert


def score_rows(
    rows: Iterable[tuple[str, str]],
    *,
    probation: int | None = None,
    sensitivity: Sensitivity = Sensitivity.MEDIUM,
    condition: Condition = Condition.CHANGES_BY,
    zone: str = "UTC",
) -> Iterator[ScoredRow]:
    """Score (timestamp, value) rows one by one; nothing is read ahead."""
    detector = Novelty(zone, probation)
    newest: int | None = None
    for timestamp, text in rows:
        instant = read_instant(timestamp)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if instant is None or not math.isfinite(value):
            yield ScoredRow(timestamp, text, 0.0, False)
            continue
        if newest is not None and instant <= newest:
            instant = newest + 1
        newest = instant
        score, alert = scale(detector.update(instant, value), sensitivity, condition)
        yield ScoredRow(timestamp, text, score, alert)
