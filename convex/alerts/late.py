"""Points that came late: what would have been found, had they come in time. Pure.

What has been told is never taken back: late points can add an episode that nobody saw, put an
imported one where it belongs, and correct since when a condition has been pending. They are
replayed together with the points around them. An episode that began within the rule's lateness is
live, like the points it is made of; an older one is history and notifies nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np

from convex.alerts.measure import Points, is_running_total, measure
from convex.alerts.model import Kind, Rule, RuleState, Status
from convex.alerts.replay import Episode, Outcome, replay
from convex.metrics.model import DAY, HOUR, SECOND, IntArray

REACH = 45 * DAY  # how far after a late point its effects are looked for
_PLAIN = (Status.OK, Status.PENDING)


@dataclass(frozen=True, slots=True)
class Known:
    """A trigger that exists; `open_end` means it is not resolved. `settled`: leave it as it is."""

    trigger_id: UUID
    opened_at: int
    resolved_at: int | None
    settled: bool

    @property
    def until(self) -> int:
        """The end, far away while it is open."""
        return 2**62 if self.resolved_at is None else self.resolved_at


@dataclass(frozen=True, slots=True)
class Moved:
    """An imported trigger that lies elsewhere now that more is known."""

    trigger_id: UUID
    opened_at: int
    resolved_at: int
    last_seen_at: int
    repeats: int


@dataclass(slots=True)
class Missed:
    """What late points bring to light: the outcome to be recorded, and ends to be moved."""

    outcome: Outcome
    moved: list[Moved]


def region(rule: Rule, late: IntArray, newest: int, known: Sequence[Known]) -> tuple[int, int]:
    """Which evaluations late points may change: those in (first, second]."""
    settle = rule.for_seconds + rule.keep_firing_for_seconds + 2 * rule.window_seconds
    margin = (settle + rule.deduplication_window_seconds) * SECOND + HOUR
    start, end = int(late.min()), min(newest, int(late.max()) + REACH)
    for one in known:
        if one.opened_at <= end and one.until >= start and not one.settled:
            start = min(start, one.opened_at)
    start -= margin
    # Never begin in the middle of an episode: it would seem to open there.
    for one in sorted(known, key=lambda one: -one.opened_at):
        if one.opened_at <= start <= one.until:
            start = one.opened_at - margin
    return start, end


def find_missed(
    rule: Rule,
    fingerprint: str,
    points: Points,
    at: IntArray,
    state: RuleState | None,
    known: Sequence[Known],
    *,
    newest: int,
    live_from: int,
) -> Missed:
    """Replay the instants `at` (all that are stored in the region) and tell what is new in it.

    `state` is where the rule stands at `newest`, the newest point that was evaluated. Totals are
    not replayed: a late point counts in them from the next point on.
    """
    kept = RuleState() if state is None else state
    nothing = Missed(Outcome(kept), [])
    if is_running_total(rule) or len(at) == 0 or kept.outdated:
        return nothing
    begin = max(live_from, newest - rule.lateness_seconds * SECOND)
    measured = measure(rule, points, at)
    found = replay(replace(rule, no_data_after_seconds=0), fingerprint, at, measured,
                   RuleState(), begin)  # fmt: skip
    complete = int(at[-1]) >= newest
    moved: list[Moved] = []
    taken = list(known)
    for episode in found.episodes:
        one = _counterpart(episode, taken, {move.trigger_id for move in moved})
        end = _end(episode)
        assert episode.opened is not None
        begin_at = episode.opened.at
        if one is None or end is None or (one.opened_at, one.resolved_at) == (begin_at, end):
            continue
        seen = episode.last_seen_at or begin_at
        moved.append(Moved(one.trigger_id, begin_at, end, seen, episode.repeats))
        taken.remove(one)
        taken.append(replace(one, opened_at=begin_at, resolved_at=end))
    outcome = Outcome(kept)
    for episode in found.episodes:
        assert episode.opened is not None
        end = _end(episode)
        if end is None and not (complete and not kept.trigger_open and kept.status in _PLAIN):
            continue
        until = 2**62 if end is None else end
        if any(one.opened_at <= until and one.until >= episode.opened.at for one in taken):
            continue
        outcome.episodes.append(episode)
        if end is None:
            outcome.state = found.state
    quiet = kept.status in _PLAIN and not kept.trigger_open and kept.flapping_since is None
    if outcome.state is kept and complete and quiet and found.state.status in _PLAIN:
        outcome.state = kept._replace(
            status=found.state.status,
            pending_since=found.state.pending_since,
            since=found.state.since if found.state.status is not kept.status else kept.since,
        )
    return Missed(outcome, moved)


def _counterpart(episode: Episode, known: Sequence[Known], moved: set[UUID]) -> Known | None:
    """The imported trigger that is this episode, as far as it was known."""
    assert episode.opened is not None
    begin, end = episode.opened.at, _end(episode)
    for one in known:
        overlaps = one.until >= begin and (end is None or one.opened_at <= end)
        if overlaps and not one.settled and one.trigger_id not in moved:
            return one
    return None


def _end(episode: Episode) -> int | None:
    last = episode.changes[-1]
    for change in reversed(episode.changes):
        if change.kind is not Kind.FLAPPING:
            last = change
            break
    return last.at if last.kind is Kind.RESOLVED else None


def combine(first: Outcome, second: Outcome) -> Outcome:
    """Two runs, one after the other, as one."""
    by_id = {episode.trigger_id: episode for episode in first.episodes}
    joined = Outcome(second.state, list(first.episodes), first.reasons + second.reasons)
    for episode in second.episodes:
        earlier = by_id.get(episode.trigger_id)
        if earlier is None or episode.opened is not None:
            joined.episodes.append(episode)
            continue
        offset = len(earlier.changes)
        earlier.changes += episode.changes
        earlier.quiet |= {offset + number for number in episode.quiet}
        earlier.repeats += episode.repeats
        earlier.suppressed += episode.suppressed
        earlier.last_seen_at = episode.last_seen_at or earlier.last_seen_at
        earlier.historical = episode.historical
        earlier.promoted = earlier.promoted or episode.promoted
    return joined


def instants_in(points: Points, start: int, end: int) -> IntArray:
    """The timestamps in (start, end]."""
    lower = np.searchsorted(points.timestamps, start, side="right")
    upper = np.searchsorted(points.timestamps, end, side="right")
    return points.timestamps[lower:upper]
