"""Points that came late: what would have been found, had they come in time. Pure.

What has been told is never taken back: late points can add an episode that nobody saw, put an
imported one where it belongs, and correct since when a condition has been pending. They are
replayed together with the points around them. An episode that began within the rule's lateness is
live, like the points it is made of; an older one is history and notifies nobody.

The same holds where several series share a trigger (all of the group are replayed together), where
a milestone counts a total (every total after the late point is another one), and where a detector
learns (it learns the series anew, in the order in which things happened).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np

from convex.alerts.groups import Member, Shared, as_member, replay_group
from convex.alerts.measure import Measurements, Points, fires_at
from convex.alerts.model import Kind, Rule, RuleState, Status
from convex.alerts.replay import Episode, Outcome, Peak, replay
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
    peaks: Mapping[int, Peak] = field(default_factory=dict)


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
    at: IntArray,
    measured: Measurements,
    state: RuleState | None,
    known: Sequence[Known],
    *,
    newest: int,
    live_from: int,
) -> Missed:
    """Replay the instants `at` (all that are stored in the region) and tell what is new in it.

    `state` is where the rule stands at `newest`, the newest point that was evaluated.
    """
    kept = RuleState() if state is None else state
    if len(at) == 0 or kept.outdated:
        return Missed(Outcome(kept), [])
    begin = live_since(rule, newest, live_from)
    quiet = replace(rule, no_data_after_seconds=0)
    found = replay(quiet, fingerprint, at, measured, RuleState(), begin)
    complete = int(at[-1]) >= newest
    going_on = complete and not kept.trigger_open and kept.status in _PLAIN
    missed = _compare(found.episodes, known, going_on=going_on)
    outcome = Outcome(kept, missed.episodes)
    if missed.goes_on:
        outcome.state = found.state
    elif complete:
        outcome.state = waiting_since(kept, found.state)
    return Missed(outcome, missed.moved)


def find_missed_goal(
    rule: Rule,
    fingerprint: str,
    at: IntArray,
    measured: Measurements,
    state: RuleState | None,
    known: Sequence[Known],
    *,
    newest: int,
    live_from: int,
) -> Missed:
    """Of a milestone: whether its goal was reached at one of these instants, and no earlier.

    `at` are the instants from the first late point on. A goal that was reached already stays
    reached; when that is imported history, it may have been reached earlier than was known.
    """
    kept = RuleState() if state is None else state
    reached = fires_at(rule, measured.scores) & measured.known & np.isfinite(measured.scores)
    if kept.outdated or not reached.any():
        return Missed(Outcome(kept), [])
    first = int(np.argmax(reached))
    when = int(at[first])
    if kept.milestone_reached == rule.threshold_value:
        later = [one for one in known if one.opened_at > when and not one.settled]
        moved = [Moved(one.trigger_id, when, when, when, 0) for one in later[:1]]
        return Missed(Outcome(kept), moved)
    found = replay(
        rule,
        fingerprint,
        at[first : first + 1],
        measured.part(first, first + 1),
        RuleState(),
        live_since(rule, newest, live_from),
    )
    state = kept._replace(
        trigger_id=found.state.trigger_id,
        milestone_reached=rule.threshold_value,
        resolved_at=when,
        resolved_by_hand=False,
        historical=found.state.historical,
    )
    return Missed(Outcome(state, found.episodes), [])


@dataclass(slots=True)
class MissedOfGroup:
    """As `Missed`, of a group: who opened each episode, and the states that are others now."""

    episodes: list[Episode]
    openers: dict[UUID, int]
    states: dict[int, RuleState]
    moved: list[Moved]


def find_missed_of_group(
    rule: Rule,
    fingerprint: str,
    members: Sequence[Member],
    kept: Mapping[int, RuleState],
    known: Sequence[Known],
    *,
    newest: int,
    complete: bool,
) -> MissedOfGroup:
    """As `find_missed`, over all series of a group: `members` as new, with their instants of the
    region. `kept` is where they stand, `newest` the newest point that was evaluated of any.
    """
    stand = {member.series_id: kept.get(member.series_id, RuleState()) for member in members}
    if any(state.outdated for state in stand.values()):
        return MissedOfGroup([], {}, {}, [])
    begin = live_since(rule, newest, min((member.live_from for member in members), default=0))
    for member in members:
        member.live_from = max(begin, member.live_from)
    quiet = replace(rule, no_data_after_seconds=0)
    group = replay_group(quiet, fingerprint, members, Shared())
    is_open = any(as_member(state).trigger_open for state in stand.values())
    plain = all(state.status in _PLAIN for state in stand.values())
    missed = _compare(
        group.recorder.outcome.episodes, known, going_on=complete and plain and not is_open
    )
    states: dict[int, RuleState] = {}
    for member in members:
        before = stand[member.series_id]
        after = member.state if missed.goes_on else before
        if complete and not missed.goes_on and not is_open:
            after = waiting_since(before, member.state)
        if after != before:
            states[member.series_id] = after
    return MissedOfGroup(missed.episodes, group.openers, states, missed.moved)


def live_since(rule: Rule, newest: int, live_from: int) -> int:
    """From which instant on late points are news: the rule's lateness behind the newest point."""
    return max(live_from, newest - rule.lateness_seconds * SECOND)


def waiting_since(kept: RuleState, found: RuleState) -> RuleState:
    """A quiet state with since when its condition has been pending, now that more is known."""
    quiet = kept.status in _PLAIN and not kept.trigger_open and kept.flapping_since is None
    if not quiet or found.status not in _PLAIN:
        return kept
    return kept._replace(
        status=found.status,
        pending_since=found.pending_since,
        since=found.since if found.status is not kept.status else kept.since,
    )


@dataclass(slots=True)
class _Compared:
    """What is new among replayed episodes; `goes_on`: the last of them is open now."""

    episodes: list[Episode]
    moved: list[Moved]
    goes_on: bool = False


def _compare(episodes: Sequence[Episode], known: Sequence[Known], *, going_on: bool) -> _Compared:
    """Hold what was replayed against the triggers that exist; `going_on`: one may be open now."""
    found = _Compared([], [])
    taken = list(known)
    matched: set[UUID] = set()
    for episode in episodes:
        one = _counterpart(episode, taken, matched)
        end = _end(episode)
        assert episode.opened is not None
        begin = episode.opened.at
        if one is None or end is None:
            continue
        matched.add(one.trigger_id)
        if (one.opened_at, one.resolved_at) == (begin, end):
            continue
        seen = episode.last_seen_at or begin
        found.moved.append(Moved(one.trigger_id, begin, end, seen, episode.repeats, episode.peaks))
        taken.remove(one)
        taken.append(replace(one, opened_at=begin, resolved_at=end))
    for episode in episodes:
        assert episode.opened is not None
        end = _end(episode)
        if end is None and not going_on:
            continue
        if any(_overlap(one, episode) for one in taken):
            continue
        found.episodes.append(episode)
        found.goes_on = found.goes_on or end is None
    return found


def _counterpart(episode: Episode, known: Sequence[Known], matched: set[UUID]) -> Known | None:
    """The imported trigger that is this episode, as far as it was known."""
    for one in known:
        if not one.settled and one.trigger_id not in matched and _overlap(one, episode):
            return one
    return None


def _overlap(one: Known, episode: Episode) -> bool:
    """Whether both are open at an instant; one may begin just where another ends."""
    assert episode.opened is not None
    begin, end = episode.opened.at, _end(episode)
    return one.opened_at == begin or (one.until > begin and (end is None or one.opened_at < end))


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
        for series_id, peak in episode.peaks.items():
            earlier.rise(series_id, peak)
    return joined


def instants_in(points: Points, start: int, end: int) -> IntArray:
    """The timestamps in (start, end]."""
    lower = np.searchsorted(points.timestamps, start, side="right")
    upper = np.searchsorted(points.timestamps, end, side="right")
    return points.timestamps[lower:upper]
