"""How often what was found came again: confidence held against the four weeks that followed. Pure.

The history is looked at as it was four, eight, … weeks ago. What was found then either held in the
four weeks after or did not, and what is found now is shown with a confidence that fits: the log
odds of the p-value's bound are moved by one amount for each type, which is drawn to the amount of
all types together, and that to none. So few findings change little, and the order stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from convex.patterns.detect import detect
from convex.patterns.episodes import Episodes, merge
from convex.patterns.model import DAY, SECOND, WEEK, Finding, History, Instants, Type
from convex.patterns.pairs import near
from convex.patterns.seasonal import Season
from convex.patterns.wall_clock import WallClock, to_instant
from convex.patterns.wording import read_season, share_of_time

AFTER = 4 * WEEK
MOST_LOOKS = 6
# Triggers that all looks back may go through together, so that a large workspace waits no longer
# for them than for the look itself.
_MOST_TRIGGERS = 1_000_000
_LEAST_LIFT = 1.3
_HALF = 0.5
_SPREAD_OF_ALL, _SPREAD_OF_TYPE = 2.0, 1.0  # standard deviations that shifts are drawn with
_STEPS = 40


@dataclass(frozen=True, slots=True)
class Record:
    """Of a type: how many findings were judged, and how many of them held."""

    judged: int
    held: int
    shift: float


def look_back(history: History) -> dict[Type, Record]:
    """What became of the findings of earlier looks, by type; {} where nothing could be judged."""
    known = np.sort(history.opened)
    judged: dict[Type, list[tuple[float, bool]]] = defaultdict(list)
    gone_through = 0
    for number in range(1, MOST_LOOKS + 1):
        at = history.end - number * AFTER
        size = int(np.searchsorted(known, at, "right"))
        gone_through += size
        if not size or gone_through > _MOST_TRIGGERS:
            break
        for finding, held in judge(history, at):
            judged[finding.type].append((finding.confidence / 100, held))
    return fit(judged)


def judge(history: History, at: int) -> list[tuple[Finding, bool]]:
    """The findings up to `at` that the four weeks after can say something about."""
    found = detect(history.until(at)).findings
    if not found:
        return []
    later = history.until(at + AFTER)
    episodes = merge(later)
    clock = WallClock.of(history.zone, at - DAY, at + AFTER + DAY)
    place = {subject.key: row for row, subject in enumerate(history.subjects)}
    judged = []
    for finding in found:
        held = _held(finding, episodes, place, clock, at)
        if held is not None:
            judged.append((finding, held))
    return judged


def fit(judged: Mapping[Type, Sequence[tuple[float, bool]]]) -> dict[Type, Record]:
    """The shift of each type, from (confidence, held)."""
    everything = [one for each in judged.values() for one in each]
    if not everything:
        return {}
    middle = _shift(everything, 0.0, _SPREAD_OF_ALL)
    records = {}
    for kind in Type:
        own = judged.get(kind, ())
        shift = _shift(own, middle, _SPREAD_OF_TYPE) if own else middle
        records[kind] = Record(len(own), sum(held for _, held in own), shift)
    return records


def recalibrate(findings: Iterable[Finding], records: Mapping[Type, Record]) -> list[Finding]:
    """The findings with the confidence that fits the record, and the record on their cards."""
    return [_moved(one, records.get(one.type)) for one in findings]


def _moved(finding: Finding, record: Record | None) -> Finding:
    if record is None:
        return finding
    odds = _log_odds(finding.confidence / 100) + record.shift
    moved = int(np.clip(100 / (1 + np.exp(-odds)), 1, 99))
    card = {
        "judged": record.judged,
        "held": record.held,
        "weeks": AFTER // WEEK,
        "confidence_before": finding.confidence,
    }
    return replace(finding, confidence=moved, evidence={**finding.evidence, "replication": card})


def _held(
    finding: Finding, episodes: Episodes, place: Mapping[str, int], clock: WallClock, at: int
) -> bool | None:
    """Whether the pattern is there in the four weeks after `at`; None where they cannot say."""
    own = _after(episodes, place[finding.subject.key], at)
    match finding.type:
        case Type.SEASONAL:
            return _season_held(read_season(finding.evidence["season"]), clock.local(own))
        case Type.CYCLICAL:
            return _cycle_held(finding, own)
        case Type.ESCALATING:
            return _growth_held(finding, len(own))
        case _:
            assert finding.other is not None
            other = _after(episodes, place[finding.other.key], at)
            if finding.type is Type.TRIGGERED_BY:
                return _meeting_held(finding.evidence["effect"], other, own, 0)
            effect = finding.evidence["effect"]
            both = {**effect["first"], "window_seconds": effect["window_seconds"]}
            return _meeting_held(both, own, other, -int(effect["window_seconds"]) * SECOND)


def _after(episodes: Episodes, subject: int, at: int) -> Instants:
    starts = episodes.starts_of(subject)
    return starts[starts > at]


def _season_held(season: Season, local: Instants) -> bool | None:
    """At least 1.3 times as many inside as evenly spread ones would be. One date of a month comes
    once in four weeks, which says nothing.
    """
    if season.dates:
        return None
    if not len(local):
        return False
    even = share_of_time(season)
    return bool(season.holds(local).mean() >= min(_LEAST_LIFT * even, 1.0))


def _cycle_held(finding: Finding, starts: Instants) -> bool | None:
    """The middle interval within a quarter of the period."""
    period = finding.period_seconds or 0.0
    if period * SECOND > AFTER / 3:
        return None  # too few could have come
    if len(starts) < 3:
        return False
    middle = float(np.median(np.diff(starts))) / SECOND
    return abs(middle - period) <= 0.25 * period


def _growth_held(finding: Finding, count: int) -> bool:
    """Still 1.3 times as often as in the first half of the time."""
    span = finding.evidence["history"]
    days = (_instant(span["end"]) - _instant(span["start"])) / DAY
    usual = finding.evidence["effect"]["first_half"] / max(days / 2, 1.0)
    return bool(count / (AFTER / DAY) >= _LEAST_LIFT * usual)


def _meeting_held(
    effect: Mapping[str, float], first: Instants, second: Instants, low: int
) -> bool | None:
    """At least half as large a share of the first rule's episodes meets the second's."""
    if not len(first):
        return None
    if not len(second):
        return False
    share = float(near(first, second, low, int(effect["window_seconds"]) * SECOND).mean())
    return share >= max(_HALF * effect["value"], 1e-9)


def _instant(text: str) -> int:
    return to_instant(datetime.fromisoformat(text))


def _log_odds(share: float) -> float:
    safe = min(max(share, 0.01), 0.99)
    return float(np.log(safe / (1 - safe)))


def _shift(judged: Sequence[tuple[float, bool]], middle: float, spread: float) -> float:
    """The most likely shift of log odds, with a normal prior; Newton's method."""
    odds = np.array([_log_odds(share) for share, _ in judged])
    held = np.array([held for _, held in judged], np.float64)
    shift = middle
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(odds + shift)))
        slope = float((held - chance).sum()) - (shift - middle) / spread**2
        bend = float((chance * (1 - chance)).sum()) + 1 / spread**2
        step = float(np.clip(slope / bend, -1.0, 1.0))
        shift += step
        if abs(step) < 1e-9:
            break
    return shift
