"""A batch as rules see it: what there is to evaluate, and the points that measuring takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID

import numpy as np

from convex.alerts import anomalies, states
from convex.alerts.assessment import (
    Assessment,
    Pair,
    Result,
    merge,
)
from convex.alerts.liveness import live_from
from convex.alerts.measure import (
    Measurements,
    Points,
    is_learnt,
    needs_only_the_point,
    needs_previous_point,
    spans,
)
from convex.alerts.model import Rule, RuleState
from convex.alerts.watching import Watching
from convex.anomaly.service import Scored
from convex.db import Connection
from convex.metrics import store
from convex.metrics.intake import Intake
from convex.metrics.model import SECOND, IntArray


class Batch:
    """One batch of one workspace, with where the rules stood before it."""

    def __init__(
        self,
        connection: Connection,
        workspace_id: UUID,
        intake: Intake,
        now: int,
        history: bool | None,
    ) -> None:
        self.assessment = Assessment()
        self._connection = connection
        self._workspace_id = workspace_id
        self._intake = intake
        self._now = now
        self._history = history
        self._owners = intake.series_of_points()
        self._stored: Mapping[states.StateKey, RuleState] = {}
        self._grouped: dict[str, list[tuple[Pair, Measurements]]] = {}
        self._late: dict[states.StateKey, Result] = {}
        self._late_members: set[states.StateKey] = set()  # of rules that group
        self._range = (0, 0)
        self._watching: Watching | None = None
        self._indexes: dict[int, int] = {}
        self._states_of: dict[UUID, list[tuple[int, RuleState]]] = {}  # by rule
        self._index_of: dict[int, int] = {}  # by series
        self._extent_of = (0, 0)  # the range of places that these two are about
        self._extent: tuple[float, float] | None = None
        self._fresh_count = 0

    def _metrics(self) -> Iterator[tuple[UUID, int, int]]:
        """Each metric with the range of its places."""
        places = self._intake.places
        first = 0
        for index in range(1, len(places) + 1):
            if index == len(places) or places[index].metric_number != places[first].metric_number:
                yield places[first].metric_id, first, index
                first = index

    def _points_of(self, index: int) -> Points:
        start, stop = self._intake.starts[index], self._intake.starts[index + 1]
        return Points(self._intake.timestamps[start:stop], self._intake.values[start:stop])

    def _fresh_of(self, index: int) -> IntArray:
        start, stop = self._intake.starts[index], self._intake.starts[index + 1]
        return self._intake.timestamps[start:stop][self._intake.fresh[start:stop]]

    def _watched(self, rule: Rule, first: int, last: int) -> list[int]:
        if not rule.label_matchers:
            return list(range(first, last))
        if self._watching is None or self._range != (first, last):
            places = self._intake.places[first:last]
            metric_id = places[0].metric_id
            labels = {place.series_id: place.labels for place in places}
            self._range, self._watching = (first, last), Watching(metric_id, labels)
            self._indexes = {place.series_id: first + n for n, place in enumerate(places)}
        found = self._watching.by(rule)
        if len(found) == 1:  # most rules with matchers, and of these there may be thousands
            return [self._indexes[next(iter(found))]]
        return sorted(self._indexes[series_id] for series_id in found)

    async def _due(self, rule: Rule, index: int, fresh: IntArray, offset: int) -> IntArray:
        """The instants not evaluated yet that lie at least `offset` behind the newest point."""
        place = self._intake.places[index]
        state = self._stored.get((rule.id, place.series_id))
        begin = fresh[0] - 1 if state is None or state.evaluated_at is None else state.evaluated_at
        if state is None:
            self._stored = {
                **self._stored,
                (rule.id, place.series_id): RuleState(evaluated_at=int(begin)),
            }
        until = int(fresh[-1]) - offset
        if until <= begin:
            return np.empty(0, np.int64)
        found = await store.read_ranges(
            self._connection,
            np.array([place.series_id], np.int64),
            np.array([begin], np.int64),
            np.array([until], np.int64),
        )
        return found[place.series_id][0] if found else np.empty(0, np.int64)

    async def _ask_detectors(self, pairs: list[Pair]) -> dict[int, Scored]:
        """What the detectors say of the fresh points, by series; each series learns once, however
        many rules ask.
        """
        asked = sorted({pair.index for pair in pairs if is_learnt(pair.rule) and len(pair.at)})
        if not asked:
            return {}
        scored = await anomalies.score_fresh(
            self._connection, self._workspace_id, self._intake, asked
        )
        for index in asked:
            series_id, fresh = self._intake.places[index].series_id, self._fresh_of(index)
            for position, explanation in scored[series_id].explanations.items():
                self.assessment.explanations[(series_id, int(fresh[position]))] = explanation
        return scored

    async def _load(self, pairs: list[Pair]) -> dict[int, Points]:
        """The stored points that measuring these pairs takes, by series."""
        reach: dict[int, list[tuple[int, int]]] = {}
        before: dict[int, int] = {}
        for pair in pairs:
            if len(pair.at) == 0 or is_learnt(pair.rule):
                continue
            series_id = self._intake.places[pair.index].series_id
            first, last = int(pair.at[0]), int(pair.at[-1])
            ranges = reach.setdefault(series_id, [])
            ranges.append((first - 1, last))
            if needs_previous_point(pair.rule):
                before[series_id] = min(first, before.get(series_id, first))
            if not needs_only_the_point(pair.rule):
                ranges += [(first - far, last - near) for far, near in spans(pair.rule)]
        if before:
            previous = await store.read_previous(self._connection, before)
            for series_id, instant in previous.items():
                reach[series_id].append((instant - 1, before[series_id]))
        merged = [(series_id, *one) for series_id, ranges in reach.items() for one in merge(ranges)]
        if not merged:
            return {}
        columns = np.array(merged, np.int64)
        found = await store.read_ranges(
            self._connection, columns[:, 0], columns[:, 1], columns[:, 2]
        )
        return {series_id: Points(*held) for series_id, held in found.items()}

    async def _total_before(self, pair: Pair) -> float:
        """The running total before the first instant, points that came late included."""
        key = (pair.rule.id, self._intake.places[pair.index].series_id)
        late = self._late.get(key)
        state = self._stored.get(key) if late is None else late.outcome.state
        if state is None or state.running_total is None:
            first = int(pair.at[0]) if len(pair.at) else 0
            return await store.total_before(self._connection, key[1], first)
        return state.running_total

    def _live_from(self, pair: Pair) -> int:
        intake = self._intake
        last = int(intake.starts[pair.index + 1]) - 1
        filled = last >= int(intake.starts[pair.index])
        return live_from(
            now=self._now,
            first_met=int(intake.first_met[pair.index]),
            newest_in_batch=int(intake.timestamps[last]) if filled else self._now,
            lateness=pair.rule.lateness_seconds * SECOND,
            history=self._history,
        )
