"""The points of a batch that came late, before its new ones are evaluated: what they bring to light
(`alerts.late` decides), for each rule that watches their series.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import numpy as np

from convex.alerts import anomalies, late, rule_store, states, trigger_writes
from convex.alerts.assessment import Pair, Result
from convex.alerts.batch import Batch
from convex.alerts.groups import Member
from convex.alerts.matchers import fingerprint_of, identity_of, match_all
from convex.alerts.measure import (
    PREVIOUS_POINT_REACH,
    Measurements,
    Points,
    fires,
    is_learnt,
    is_running_total,
    measure,
    needs_previous_point,
    spans,
)
from convex.alerts.model import Rule, RuleState, RuleType
from convex.anomaly.service import Scored
from convex.metrics import store
from convex.metrics.model import IntArray
from convex.metrics.store import NEVER

# Points that detectors learn again for one batch, about a second of work. A series that would take
# more goes on as it was: its late points are stored, and not scored.
MOST_RELEARNT = 20_000
_NOTHING = (np.empty(0, np.int64), Measurements(np.empty(0), np.empty(0), np.empty(0, np.bool_)))

Region = tuple[IntArray, Measurements]


class LateBatch(Batch):
    """A batch with points that came late."""

    _relearnt: dict[int, tuple[Points, Scored] | None]
    _may_learn: int
    _own: set[int]  # the batch's series, which are locked

    async def _replay_late(self, rules: Mapping[UUID, list[Rule]]) -> None:
        """Look at every rule on every series with late points; groups wait for their lock."""
        self._relearnt, self._may_learn = {}, MOST_RELEARNT
        self._own = {place.series_id for place in self._intake.places}
        for index, place in enumerate(self._intake.places):
            arrived = self._arrived(index)
            if len(arrived) == 0:
                continue
            for rule in rules.get(place.metric_id, ()):
                if not match_all(rule.label_matchers, place.labels):
                    continue
                if rule.is_grouped and rule.type is not RuleType.MILESTONE:
                    self._late_members.add((rule.id, place.series_id))
                elif not rule.is_grouped:
                    await self._replay_late_pair(rule, index, arrived)

    def _came_late(self, key: states.StateKey) -> bool:
        """Whether late points may have changed where the rule stands on the series."""
        return key in self._late or key in self._late_members

    def _arrived(self, index: int) -> IntArray:
        """The instants of the points that came late and were not there."""
        start, stop = self._intake.starts[index], self._intake.starts[index + 1]
        return self._intake.timestamps[start:stop][self._intake.arrived[start:stop]]

    async def _replay_late_pair(self, rule: Rule, index: int, arrived: IntArray) -> None:
        place, newest = self._intake.places[index], int(self._intake.newest[index])
        before = self._stored.get((rule.id, place.series_id))
        if rule.evaluation_offset_seconds:  # what is not due yet is not late either
            if before is None or before.evaluated_at is None:
                return
            newest = min(newest, before.evaluated_at)
            arrived = arrived[arrived <= newest]
            if len(arrived) == 0:
                return
        fingerprint = fingerprint_of(
            self._workspace_id, str(rule.id), identity_of(place.labels, rule)
        )
        known = await trigger_writes.known_episodes(
            self._connection, self._workspace_id, fingerprint
        )
        live_from = self._live_from(Pair(rule, index, arrived))
        goal = rule.type is RuleType.MILESTONE
        counted = self._counted(rule, index, before)
        if goal:
            start, end = int(arrived.min()) - 1, newest
            at, measured = await self._measure_goal(rule, place.series_id, start, end, before)
        else:
            start, end = late.region(rule, arrived, newest, known)
            at, measured = await self._measure_region(rule, place.series_id, start, end, newest)
        find = late.find_missed_goal if goal else late.find_missed
        missed = find(
            rule,
            fingerprint,
            at,
            measured,
            counted,
            known,
            newest=newest,
            live_from=live_from,
        )
        self.assessment.moved += missed.moved
        changed = missed.outcome.state != (before or RuleState())
        if missed.outcome.episodes or changed:
            self._late[(rule.id, place.series_id)] = Result(
                rule, place.series_id, place.labels, fingerprint, missed.outcome, before
            )

    def _counted(self, rule: Rule, index: int, state: RuleState | None) -> RuleState | None:
        """The state with the late points in its running total."""
        if state is None or state.running_total is None or not is_running_total(rule):
            return state
        start, stop = self._intake.starts[index], self._intake.starts[index + 1]
        total = state.running_total
        for value in self._intake.values[start:stop][self._intake.arrived[start:stop]].tolist():
            total += value
        return state._replace(running_total=total)

    async def _measure_region(
        self, rule: Rule, series_id: int, start: int, end: int, newest: int
    ) -> Region:
        """What the rule compares at every point in (start, end] of the series."""
        if is_learnt(rule):
            return await self._measure_learnt(rule, series_id, start, end, newest)
        farthest = max(far for far, _ in spans(rule))
        if needs_previous_point(rule):
            farthest = PREVIOUS_POINT_REACH
        points = await self._read(series_id, start - farthest, end)
        at = late.instants_in(points, start, end)
        return (at, measure(rule, points, at)) if len(at) else _NOTHING

    async def _measure_goal(
        self, rule: Rule, series_id: int, start: int, end: int, before: RuleState | None
    ) -> Region:
        """The same for a milestone; nothing where it cannot have been reached only now."""
        if not is_running_total(rule):
            return await self._measure_region(rule, series_id, start, end, end)
        if before is None or before.running_total is None:
            return _NOTHING  # it has not begun to count; the next point does, with all before it
        points = await self._read(series_id, start, end)
        if len(points.timestamps) == 0:
            return _NOTHING
        first = int(points.timestamps[0])
        total = await store.total_before(self._connection, series_id, first)
        if fires(rule, total):
            return _NOTHING  # the goal had been reached before
        return points.timestamps, measure(rule, points, points.timestamps, total)

    async def _measure_learnt(
        self, rule: Rule, series_id: int, start: int, end: int, newest: int
    ) -> Region:
        if series_id not in self._relearnt:
            self._relearnt[series_id] = await self._relearn(series_id, newest)
        found = self._relearnt[series_id]
        if found is None:
            return _NOTHING
        points, scored = found
        first, last = np.searchsorted(points.timestamps, [start, end], side="right")
        return points.timestamps[first:last], anomalies.compare(
            rule, points.values[first:last], scored.scores[first:last]
        )

    async def _relearn(self, series_id: int, newest: int) -> tuple[Points, Scored] | None:
        points = await self._read(series_id, -1, newest)
        count = len(points.timestamps)
        if count == 0 or count > self._may_learn:
            return None
        self._may_learn -= count
        scored = await anomalies.score_again(
            self._connection,
            self._workspace_id,
            series_id,
            points.timestamps,
            points.values,
            # Other series of a group: their own batches may be under way.
            locked=series_id in self._own,
        )
        for position, explanation in scored.explanations.items():
            instant = int(points.timestamps[position])
            self.assessment.explanations[(series_id, instant)] = explanation
        return points, scored

    async def _learn_all(self, newest_of: Mapping[int, int], first: Collection[int]) -> bool:
        """Learn all series of a group anew, those with late points first; whether there was time
        for all. Some without the others would make their common past another one.
        """
        for series_id in sorted(newest_of, key=lambda one: (one not in first, one)):
            if series_id not in self._relearnt:
                self._relearnt[series_id] = await self._relearn(series_id, newest_of[series_id])
            if self._relearnt[series_id] is None:
                return False
        return True

    async def _read(self, series_id: int, after: int, until: int) -> Points:
        found = await store.read_ranges(
            self._connection,
            np.array([series_id], np.int64),
            np.array([after], np.int64),
            np.array([until], np.int64),
        )
        nothing = np.empty(0, np.int64), np.empty(0, np.float64)
        return Points(*found.get(series_id, nothing))

    async def _missed_of_group(
        self, rule: Rule, fingerprint: str, here: Mapping[int, Pair], known: Mapping[int, RuleState]
    ) -> late.MissedOfGroup:
        """What late points bring to light where several series share a trigger. The caller holds
        the lock of the fingerprint.
        """
        came_late = {
            series_id: self._arrived(pair.index)
            for series_id, pair in here.items()
            if (rule.id, series_id) in self._late_members
        }
        if not came_late:
            return late.MissedOfGroup([], {}, {}, [])
        labels = self._intake.places[next(iter(here.values())).index].labels
        newest_of = await self._newest_of_group(rule, identity_of(labels, rule), here)
        newest = max(newest_of.values(), default=NEVER)
        episodes = await trigger_writes.known_episodes(
            self._connection, self._workspace_id, fingerprint
        )
        arrived = np.concatenate(list(came_late.values()))
        start, end = late.region(rule, arrived, newest, episodes)
        if is_learnt(rule) and not await self._learn_all(newest_of, came_late):
            return late.MissedOfGroup([], {}, {}, [])
        members = []
        for series_id, reaches in sorted(newest_of.items()):
            at, measured = await self._measure_region(
                rule, series_id, start, min(end, reaches), reaches
            )
            live_from = self._live_from(here[series_id]) if series_id in came_late else 0
            members.append(Member(series_id, RuleState(), at, measured, live_from))
        missed = late.find_missed_of_group(
            rule,
            fingerprint,
            members,
            known,
            episodes,
            newest=newest,
            complete=end >= newest,
        )
        missed.states = {
            series_id: state for series_id, state in missed.states.items() if series_id in here
        }
        self.assessment.moved += missed.moved
        return missed

    async def _newest_of_group(
        self, rule: Rule, identity: Mapping[str, str], here: Mapping[int, Pair]
    ) -> dict[int, int]:
        """The series of the group, each with its newest point that was evaluated."""
        found: dict[int, int] = {}
        for series_id, one in (await rule_store.series_of(self._connection, rule)).items():
            pair = here.get(series_id)
            reaches = one.newest if pair is None else int(self._intake.newest[pair.index])
            if (
                reaches is not None
                and reaches != NEVER
                and identity_of(one.labels, rule) == identity
                and match_all(rule.label_matchers, one.labels)
            ):
                found[series_id] = reaches
        return found
