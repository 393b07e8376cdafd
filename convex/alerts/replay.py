"""A run of evaluations on one series at once: the same as `evaluate` point by point, faster.

What costs is deciding, and most points decide nothing: the condition is compared for all points
with numpy, and long stretches in one state (ok, pending, firing) are taken in one step. A property
test holds this against the plain loop.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

import numpy as np

from convex.alerts.evaluate import (
    FLAPPING_EVALUATIONS,
    Change,
    Decision,
    end_series,
    evaluate,
    lapse,
)
from convex.alerts.measure import Measurements, fires_at, keeps_at
from convex.alerts.model import Kind, Reason, Rule, RuleState, RuleType, Status
from convex.metrics.model import SECOND, BoolArray, IntArray

_RECENT = (1 << FLAPPING_EVALUATIONS) - 1


class Peak(NamedTuple):
    """The strongest point of a series in an episode: its instant, and the score compared there."""

    at: int
    score: float


@dataclass(slots=True)
class Episode:
    """What the run did to one trigger: a new one (`opened` is set), or one that was there.

    `repeats` and `suppressed` are to be added to what the trigger has. `promoted`: it was opened by
    history and a live point still confirms it. `peaks` are those of a group's series, by id.
    """

    trigger_id: UUID
    historical: bool
    opened: Change | None = None
    score: float | None = None
    last_seen_at: int | None = None
    repeats: int = 0
    suppressed: int = 0
    promoted: bool = False
    changes: list[Change] = field(default_factory=list)
    quiet: set[int] = field(default_factory=set)
    peaks: dict[int, Peak] = field(default_factory=dict)

    def rise(self, series_id: int, peak: Peak) -> None:
        """The series was as strong as this; of equal points the first one counts."""
        known = self.peaks.get(series_id)
        if known is None or (peak.score, -peak.at) > (known.score, -known.at):
            self.peaks[series_id] = peak

    @property
    def live_changes(self) -> list[Change]:
        """The changes that somebody may be told about."""
        return [change for number, change in enumerate(self.changes) if number not in self.quiet]


@dataclass(slots=True)
class Outcome:
    """Where the run ended, what it did to triggers in order, and how often for which reason."""

    state: RuleState
    episodes: list[Episode] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)


def trigger_id_of(fingerprint: str, opened_at: int) -> UUID:
    """The id of the trigger that this fingerprint opened at this instant, whoever computes it."""
    digest = hashlib.sha256(f"{fingerprint} {opened_at}".encode()).digest()
    return UUID(bytes=digest[:16], version=5)


class Recorder:
    """Collects what decisions do to triggers, and gives new ones their ids."""

    def __init__(self, fingerprint: str, state: RuleState, live_from: int) -> None:
        self._fingerprint = fingerprint
        self.live_from = live_from
        self.outcome = Outcome(state)
        self._current: Episode | None = None

    def take(self, decision: Decision, at: int, score: float | None = None) -> RuleState:
        """Note one decision; returns the state with the trigger's id in it."""
        state, change = decision.state, decision.change
        self.outcome.reasons[decision.reason] += 1
        live = at >= self.live_from
        if change is not None and change.kind is Kind.OPENED:
            self._open(change, live=live, score=score)
            assert self._current is not None
            state = state._replace(
                trigger_id=self._current.trigger_id, historical=self._current.historical
            )
            if change.resolution is not None:
                self._note(change._replace(kind=Kind.RESOLVED), live=live)
        elif change is not None:
            episode = self._episode(state)
            if change.kind is Kind.REOPENED and live and episode.historical:
                episode.historical = False
                state = state._replace(historical=False)
            self._note(change, live=live)
        if decision.seen or decision.repeated or decision.suppressed:
            state = self.see(
                state,
                at,
                seen=decision.seen,
                repeats=int(decision.repeated),
                suppressed=int(decision.suppressed),
            )
        self.outcome.state = state
        return state

    def see(
        self, state: RuleState, at: int, *, seen: bool, repeats: int, suppressed: int = 0
    ) -> RuleState:
        """The condition held up to `at`, `repeats` times more."""
        episode = self._episode(state)
        if seen:
            episode.last_seen_at = at
            if episode.historical and state.trigger_open and at >= self.live_from:
                episode.historical, episode.promoted = False, True
                state = state._replace(historical=False)
        episode.repeats += repeats
        episode.suppressed += suppressed
        return state

    def rise(self, series_id: int, peak: Peak) -> None:
        """A series of the group deviates, in the episode that was noted last."""
        assert self._current is not None
        self._current.rise(series_id, peak)

    def skip(self, reason: Reason, count: int) -> None:
        """Note `count` evaluations with this reason that changed nothing."""
        if count:
            self.outcome.reasons[reason] += count

    def _open(self, change: Change, *, live: bool, score: float | None) -> None:
        opened = change._replace(resolution=None)
        self._current = Episode(
            trigger_id_of(self._fingerprint, change.at),
            historical=not live,
            opened=opened,
            score=score,
        )
        self.outcome.episodes.append(self._current)
        self._note(opened, live=live)

    def _note(self, change: Change, *, live: bool) -> None:
        assert self._current is not None
        if not live or self._current.historical:
            self._current.quiet.add(len(self._current.changes))
        self._current.changes.append(change)

    def _episode(self, state: RuleState) -> Episode:
        assert state.trigger_id is not None
        if self._current is None or self._current.trigger_id != state.trigger_id:
            self._current = Episode(state.trigger_id, state.historical)
            self.outcome.episodes.append(self._current)
        return self._current


def replay_each(
    rule: Rule,
    fingerprint: str,
    at: IntArray,
    measured: Measurements,
    state: RuleState,
    live_from: int,
) -> Outcome:
    """Evaluate at each instant, one after the other. Instants before `live_from` are history."""
    recorder = Recorder(fingerprint, state, live_from)
    for index in range(len(at)):
        state = _step(rule, recorder, measured, index, int(at[index]), state)
    return recorder.outcome


def replay(
    rule: Rule,
    fingerprint: str,
    at: IntArray,
    measured: Measurements,
    state: RuleState,
    live_from: int,
    ends: Sequence[int] = (),
) -> Outcome:
    """As `replay_each`, with long stretches taken in one step. `at` is in order of time.

    `ends` are instants at which the series ended (its stale marker), after a point of that instant.
    """
    recorder = Recorder(fingerprint, state, live_from)
    start = 0
    for end in ends:
        stop = int(np.searchsorted(at, end, side="right"))
        state = _run(rule, recorder, at[start:stop], measured.part(start, stop), state)
        state = recorder.take(end_series(state, end), end)
        start = stop
    _run(rule, recorder, at[start:], measured.part(start, len(at)), state)
    return recorder.outcome


def _run(
    rule: Rule, recorder: Recorder, at: IntArray, measured: Measurements, state: RuleState
) -> RuleState:
    usable = measured.known & np.isfinite(measured.scores) & np.isfinite(measured.values)
    fire = fires_at(rule, measured.scores) & usable
    keep = keeps_at(rule, measured.scores) & usable
    rough = ~usable | _gaps(rule, at, state)
    roughs = _Stops(rough)
    until_true = _Stops(rough | fire)
    until_false = _Stops(rough | ~fire)
    until_recovered = _Stops(rough | ~keep)
    instants: list[int] = at.tolist()
    index, count = 0, len(instants)
    while index < count:
        stop, reason = index, Reason.NOT_MET
        if state.outdated or state.flapping_since is not None or rough[index]:
            pass  # one by one
        elif rule.type is RuleType.MILESTONE:
            if state.status is Status.OK:
                reached = state.milestone_reached == rule.threshold_value
                stop = (roughs if reached else until_true).next(index)
        elif state.status is Status.OK:
            if not state.trigger_open:
                stop = until_true.next(index)
        elif state.status is Status.FIRING:
            stop, reason = until_recovered.next(index), Reason.STILL_FIRING
        elif state.status is Status.PENDING and state.pending_since is not None:
            due = bisect_left(instants, state.pending_since + rule.for_seconds * SECOND, lo=index)
            stop, reason = min(until_false.next(index), due), Reason.PENDING
        if stop - index < 2:
            state = _step(rule, recorder, measured, index, instants[index], state)
            index += 1
            continue
        met = int(np.count_nonzero(fire[index:stop])) if rule.type is RuleType.MILESTONE else 0
        if met:
            recorder.skip(Reason.GOAL_REACHED_BEFORE, met)
            if fire[stop - 1]:
                reason = Reason.GOAL_REACHED_BEFORE
        recorder.skip(reason if not met else Reason.NOT_MET, stop - index - met)
        last = measured[stop - 1]
        state = state._replace(
            evaluated_at=instants[stop - 1],
            value=last.value,
            reason=reason,
            no_data_at=None,
            recent_changes=(state.recent_changes << min(stop - index, FLAPPING_EVALUATIONS))
            & _RECENT,
            running_total=state.running_total if last.total is None else last.total,
        )
        if reason is Reason.STILL_FIRING:
            state = recorder.see(state, instants[stop - 1], seen=True, repeats=stop - index)
        recorder.outcome.state = state
        index = stop
    return state


class _Stops:
    """Where a stretch must stop: the first marked place at or after an index."""

    def __init__(self, marked: BoolArray) -> None:
        self._places: list[int] = np.flatnonzero(marked).tolist()
        self._length = len(marked)

    def next(self, index: int) -> int:
        found = bisect_left(self._places, index)
        return self._places[found] if found < len(self._places) else self._length


def _gaps(rule: Rule, at: IntArray, state: RuleState) -> BoolArray:
    """Before which instants the series was silent for so long that `lapse` has to decide."""
    after = rule.no_data_after_seconds * SECOND
    if after == 0 or len(at) == 0:
        return np.zeros(len(at), np.bool_)
    before = at[0] if state.evaluated_at is None else state.evaluated_at
    return np.asarray(np.diff(at, prepend=before) > after, np.bool_)


def _step(
    rule: Rule,
    recorder: Recorder,
    measured: Measurements,
    index: int,
    at: int,
    state: RuleState,
) -> RuleState:
    silence = lapse(rule, state, at)
    if silence.reason is not Reason.ALREADY_EVALUATED:
        state = recorder.take(silence, silence.state.no_data_at or at)
    measurement = measured[index]
    return recorder.take(evaluate(rule, measurement, state, at), at, measurement.score)
