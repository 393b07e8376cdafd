"""What a rule would have done: the live evaluator over stored points. Pure.

Nothing is estimated: each series is replayed from its first point in the range, so the episodes are
those that ingestion would have found, had the rule been there. What the figures mean:

- `per_week` is episodes per week of the range; its interval is the middle 90 % of the weekly mean
  over 2,000 bootstrap samples of whole weeks (so that bursts count as bursts), None below 4 weeks.
- `sleep_share` is the share of openings between 22:00 and 06:00 in the given zone.
- An episode overlaps a labelled trigger (actionable or false positive) of the same series when both
  were open at one instant, up to the rule's deduplication window apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np

from convex.alerts.anomalies import compare
from convex.alerts.groups import Member, Shared, replay_group
from convex.alerts.matchers import fingerprint_of, identity_of, match_all
from convex.alerts.measure import (
    PREVIOUS_POINT_REACH,
    Measurements,
    Points,
    is_learnt,
    measure,
    needs_previous_point,
    spans,
)
from convex.alerts.model import Kind, Reason, Rule, RuleState
from convex.alerts.replay import Episode, replay
from convex.anomaly.novelty import Novelty
from convex.metrics.model import DAY, SECOND, IntArray, Labels, to_datetime

WEEK = 7 * DAY
_SAMPLES = 2000
_LEAST_WEEKS = 4
_SLEEP_FROM, _SLEEP_UNTIL = 22, 6  # hours of the wall clock


@dataclass(frozen=True, slots=True)
class History:
    """The stored points of one series; those before the range serve as the past of its windows.

    `zone` (of the workspace) and `counter` (of the metric) are what a detector is made with.
    """

    series_id: int
    labels: Labels
    points: Points
    zone: str = "UTC"
    counter: bool = False


@dataclass(frozen=True, slots=True)
class Labelled:
    """A trigger that somebody marked; instants in microseconds, no end while it is open."""

    series_id: int | None
    feedback: str
    opened_at: int
    resolved_at: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """One episode that the rule would have opened."""

    series_id: int
    labels: Labels
    opened_at: int
    resolved_at: int | None
    value: float | None
    repeats: int
    flapping: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of the triggers with one mark: how many there are, and how many the rule would have found."""

    total: int
    found: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """The outcome over the range (since, until]."""

    since: int
    until: int
    series: int
    evaluations: int
    episodes: list[Found]
    per_week: float
    interval: tuple[float, float] | None
    flaps: int
    sleep_share: float | None
    firing_share: float
    overlap: Mapping[str, Overlap]
    reasons: Counter[Reason] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The measurements of one series in the range: what candidates of a tuning share."""

    series_id: int
    labels: Labels
    at: IntArray
    measured: Measurements


def prepare(rule: Rule, histories: Sequence[History], since: int, until: int) -> list[Prepared]:
    """Measure every series that the rule watches at each of its points in (since, until]."""
    prepared = []
    for history in histories:
        if not match_all(rule.label_matchers, history.labels):
            continue
        timestamps = history.points.timestamps
        first, last = np.searchsorted(timestamps, [since, until], side="right")
        at = timestamps[first:last]
        if is_learnt(rule):
            measured = _detect(rule, history, int(last)).part(int(first), int(last))
        else:
            measured = measure(rule, history.points, at)
        prepared.append(Prepared(history.series_id, history.labels, at, measured))
    return prepared


def run(
    rule: Rule,
    prepared: Sequence[Prepared],
    since: int,
    until: int,
    *,
    zone: str = "UTC",
    labelled: Sequence[Labelled] = (),
) -> Backtest:
    """Replay the rule over what was measured."""
    episodes: list[Found] = []
    reasons: Counter[Reason] = Counter()
    flaps = 0
    groups: dict[str, list[Prepared]] = {}
    for one in prepared:
        identity = identity_of(one.labels, rule)
        key = fingerprint_of(rule.workspace_id, str(rule.id), identity)
        groups.setdefault(f"{key} {'' if rule.is_grouped else one.series_id}", []).append(one)
    for key, some in groups.items():
        found, counted = _replay(rule, key, some)
        reasons += counted
        for series_id, labels, episode in found:
            assert episode.opened is not None
            flapping = any(change.kind is Kind.FLAPPING for change in episode.changes)
            flaps += flapping
            episodes.append(
                Found(
                    series_id,
                    labels,
                    episode.opened.at,
                    _end(episode),
                    episode.opened.value,
                    episode.repeats,
                    flapping,
                )
            )
    episodes.sort(key=lambda one: (one.opened_at, one.series_id))
    weeks = max((until - since) / WEEK, 1e-9)
    opened = np.array([one.opened_at for one in episodes], np.int64)
    return Backtest(
        since=since,
        until=until,
        series=len(prepared),
        evaluations=sum(len(one.at) for one in prepared),
        episodes=episodes,
        per_week=len(episodes) / weeks,
        interval=_interval(opened, since, until),
        flaps=flaps,
        sleep_share=_sleep_share(opened, zone),
        firing_share=_firing_share(episodes, since, until, len(prepared)),
        overlap={
            mark: _overlap(rule, episodes, [one for one in labelled if one.feedback == mark])
            for mark in ("actionable", "false_positive")
        },
        reasons=reasons,
    )


def backtest(
    rule: Rule,
    histories: Sequence[History],
    since: int,
    until: int,
    *,
    zone: str = "UTC",
    labelled: Sequence[Labelled] = (),
) -> Backtest:
    """`prepare` and `run` in one."""
    prepared = prepare(rule, histories, since, until)
    return run(rule, prepared, since, until, zone=zone, labelled=labelled)


def _detect(rule: Rule, history: History, count: int) -> Measurements:
    """What the detector itself says of the first `count` points, as it does where they come in."""
    detector, points = Novelty(history.zone, counter=history.counter), history.points
    scores = [
        detector.update(instant, value)
        for instant, value in zip(
            points.timestamps[:count].tolist(), points.values[:count].tolist(), strict=True
        )
    ]
    return compare(rule, points.values[:count], scores)


def _replay(
    rule: Rule, key: str, some: Sequence[Prepared]
) -> tuple[list[tuple[int, Labels, Episode]], Counter[Reason]]:
    if not rule.is_grouped:
        (one,) = some
        outcome = replay(rule, key, one.at, one.measured, RuleState(), 0)
        return [
            (one.series_id, one.labels, episode) for episode in outcome.episodes
        ], outcome.reasons
    members = [Member(one.series_id, RuleState(), one.at, one.measured) for one in some]
    group = replay_group(rule, key, members, Shared())
    labels = identity_of(some[0].labels, rule)
    return [
        (group.openers[episode.trigger_id], labels, episode)
        for episode in group.recorder.outcome.episodes
    ], group.recorder.outcome.reasons


def _end(episode: Episode) -> int | None:
    for change in reversed(episode.changes):
        if change.kind is Kind.RESOLVED:
            return change.at
        if change.kind is Kind.REOPENED:
            return None
    return None


def _interval(opened: IntArray, since: int, until: int) -> tuple[float, float] | None:
    weeks = (until - since) // WEEK
    if weeks < _LEAST_WEEKS:
        return None
    # Whole weeks, counted back from the end.
    index = (until - opened) // WEEK
    counts = np.bincount(index[index < weeks], minlength=weeks)
    samples = np.random.default_rng(1).choice(counts, (_SAMPLES, weeks)).mean(axis=1)
    low, high = np.quantile(samples, [0.05, 0.95])
    return float(low), float(high)


def _sleep_share(opened: IntArray, zone: str) -> float | None:
    if len(opened) == 0:
        return None
    place = ZoneInfo(zone)
    hours = [to_datetime(instant).astimezone(place).hour for instant in opened.tolist()]
    asleep = sum(hour >= _SLEEP_FROM or hour < _SLEEP_UNTIL for hour in hours)
    return asleep / len(hours)


def _firing_share(episodes: Sequence[Found], since: int, until: int, series: int) -> float:
    """The share of all series' time during which a trigger was open."""
    if series == 0 or until <= since:
        return 0.0
    total = sum(
        min(until if one.resolved_at is None else one.resolved_at, until) - one.opened_at
        for one in episodes
    )
    return total / ((until - since) * series)


def _overlap(rule: Rule, episodes: Sequence[Found], marked: Sequence[Labelled]) -> Overlap:
    tolerance = rule.deduplication_window_seconds * SECOND
    found = sum(
        any(
            (one.series_id is None or one.series_id == episode.series_id)
            and episode.opened_at <= _until(one.resolved_at) + tolerance
            and one.opened_at <= _until(episode.resolved_at) + tolerance
            for episode in episodes
        )
        for one in marked
    )
    return Overlap(len(marked), found)


def _until(instant: int | None) -> int:
    return 2**61 if instant is None else instant


def longest_past(rule: Rule) -> timedelta:
    """How much of the past the windows of the rule look at."""
    if needs_previous_point(rule):
        return timedelta(microseconds=PREVIOUS_POINT_REACH)
    return timedelta(microseconds=max((far for far, _ in spans(rule)), default=0))
