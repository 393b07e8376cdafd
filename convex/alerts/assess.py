"""Evaluate a batch that has been stored: which rules, on which series, at which instants.

Most rules on most series have nothing to say: the condition of a whole metric is compared at once,
and only series where it holds, or where the rule already stands somewhere, are replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from convex.alerts import anomalies, late, states
from convex.alerts.groups import GroupOutcome, Member, as_member, replay_group, shared_by
from convex.alerts.liveness import live_from
from convex.alerts.matchers import fingerprint_of, identity_of, match_all
from convex.alerts.measure import (
    PREVIOUS_POINT_REACH,
    Measurements,
    Points,
    fires_at,
    is_learnt,
    is_running_total,
    measure,
    needs_only_the_point,
    needs_previous_point,
    spans,
)
from convex.alerts.model import Reason, Rule, RuleState, Status
from convex.alerts.replay import Episode, Outcome, replay
from convex.alerts.watching import Watching
from convex.anomaly import Explanation
from convex.anomaly.confidence import ConfidenceMap
from convex.anomaly.service import Scored
from convex.db import Connection
from convex.metrics import store
from convex.metrics.catalog import Place
from convex.metrics.intake import Intake
from convex.metrics.model import SECOND, IntArray


@dataclass(slots=True)
class Result:
    """What evaluating one rule on one series did."""

    rule: Rule
    place: Place
    fingerprint: str
    outcome: Outcome
    before: RuleState | None
    shared: RuleState | None = None  # of a group: its trigger before the batch


@dataclass(slots=True)
class Assessment:
    """What a batch's evaluation found: results that matter, and every outcome counted."""

    results: list[Result] = field(default_factory=list)
    reasons: Counter[Reason] = field(default_factory=Counter)
    explanations: dict[tuple[int, int], Explanation] = field(default_factory=dict)
    confidence: ConfidenceMap = field(default_factory=ConfidenceMap)
    moved: list[late.Moved] = field(default_factory=list)

    def explanation(self, result: Result, opened_at: int) -> Explanation | None:
        """Why the detector found the point of this instant unusual, if it is what the rule asks."""
        if not is_learnt(result.rule):
            return None
        return self.explanations.get((result.place.series_id, opened_at))


@dataclass(slots=True)
class _Pair:
    """A rule on a series of the batch: `index` is the place, `at` the instants to evaluate."""

    rule: Rule
    index: int
    at: IntArray


async def assess(
    connection: Connection,
    workspace_id: UUID,
    intake: Intake,
    *,
    now: int,
    history: bool | None = None,
) -> Assessment:
    """Evaluate every rule that watches one of the batch's metrics; writes nothing."""
    metrics = dict.fromkeys(place.metric_id for place in intake.places)
    by_metric = await states.active_rules(connection, workspace_id, list(metrics))
    assessor = _Assessor(connection, workspace_id, intake, now, history)
    if by_metric:
        rules = [rule for some in by_metric.values() for rule in some]
        ids = np.array([place.series_id for place in intake.places], np.int64)
        stored = await states.load_states(connection, workspace_id, rules, ids)
        await assessor.run(by_metric, stored)
    return assessor.assessment


def is_quiet(state: RuleState) -> bool:
    """Whether false evaluations leave the state as it is but for the time of the last one."""
    return (
        state.status is Status.OK
        and not state.trigger_open
        and state.recent_changes == 0
        and state.no_data_at is None
    )


def is_tracked(rule: Rule) -> bool:
    """Whether the state must be stored also where nothing happens: it holds what only it knows."""
    return (
        rule.no_data_after_seconds > 0
        or rule.evaluation_offset_seconds > 0
        or is_running_total(rule)
    )


class _Assessor:
    """The evaluation of one batch."""

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
        self._grouped: dict[str, list[tuple[_Pair, Measurements]]] = {}
        self._late: dict[states.StateKey, Result] = {}
        self._range = (0, 0)
        self._watching: Watching | None = None
        self._indexes: dict[int, int] = {}

    async def run(
        self, rules: Mapping[UUID, list[Rule]], stored: Mapping[states.StateKey, RuleState]
    ) -> None:
        self._stored = stored
        if self._intake.arrived.any():
            await self._replay_late(rules)
        near: list[_Pair] = []
        far: list[_Pair] = []
        for metric_id, first, last in self._metrics():
            for rule in rules.get(metric_id, ()):
                if needs_only_the_point(rule) and not is_tracked(rule):
                    near += self._near_pairs(rule, first, last)
                else:
                    far += await self._far_pairs(rule, first, last)
        for pair in near:
            points = self._points_of(pair.index)
            self._replay(pair, measure(pair.rule, points, pair.at))
        if far:
            await self._replay_far(far)
        if self._grouped:
            await self._replay_groups()
        for missed in self._late.values():
            self._keep(missed)

    def _metrics(self) -> Iterator[tuple[UUID, int, int]]:
        """Each metric with the range of its places."""
        places = self._intake.places
        first = 0
        for index in range(1, len(places) + 1):
            if index == len(places) or places[index].metric_id != places[first].metric_id:
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
            labels = {place.series_id: place.labels for place in places}
            self._range, self._watching = (first, last), Watching(rule.metric_id, labels)
            self._indexes = {place.series_id: first + n for n, place in enumerate(places)}
        return sorted(self._indexes[series_id] for series_id in self._watching.by(rule))

    def _near_pairs(self, rule: Rule, first: int, last: int) -> list[_Pair]:
        """The pairs that may change; for the others it is enough to count their evaluations."""
        intake = self._intake
        watched = self._watched(rule, first, last) if rule.label_matchers else None
        if watched is not None and len(watched) * 4 < last - first:
            return self._near_pairs_of_few(rule, watched)
        start, stop = intake.starts[first], intake.starts[last]
        fresh = intake.fresh[start:stop]
        firing = fires_at(rule, intake.values[start:stop]) & fresh
        loud = set(self._owners[start:stop][firing].tolist()) if firing.any() else set()
        if watched is not None:
            loud &= set(watched)
        if self._stored or self._late:
            loud.update(self._standing(rule, range(first, last)))
        pairs = [_Pair(rule, index, self._fresh_of(index)) for index in sorted(loud)]
        if watched is None:
            quiet = int(np.count_nonzero(fresh)) - sum(len(pair.at) for pair in pairs)
        else:
            quiet = sum(len(self._fresh_of(index)) for index in watched if index not in loud)
        if quiet:
            self.assessment.reasons[Reason.NOT_MET] += quiet
        return pairs

    def _near_pairs_of_few(self, rule: Rule, watched: list[int]) -> list[_Pair]:
        """The same where a rule watches few of many series."""
        standing = self._standing(rule, watched) if self._stored or self._late else set()
        pairs, quiet = [], 0
        for index in watched:
            start, stop = self._intake.starts[index], self._intake.starts[index + 1]
            firing = fires_at(rule, self._intake.values[start:stop])
            fresh = self._intake.fresh[start:stop]
            if index in standing or (firing & fresh).any():
                pairs.append(_Pair(rule, index, self._fresh_of(index)))
            else:
                quiet += int(np.count_nonzero(fresh))
        if quiet:
            self.assessment.reasons[Reason.NOT_MET] += quiet
        return pairs

    def _standing(self, rule: Rule, indexes: Iterable[int]) -> set[int]:
        """Where the rule stands somewhere else than in a quiet ok."""
        found = set()
        for index in indexes:
            key = (rule.id, self._intake.places[index].series_id)
            state = self._stored.get(key)
            if key in self._late or (
                state is not None and (index in self._intake.stale or not is_quiet(state))
            ):
                found.add(index)
        return found

    async def _far_pairs(self, rule: Rule, first: int, last: int) -> list[_Pair]:
        """Every pair with something to evaluate."""
        offset = rule.evaluation_offset_seconds * SECOND
        pairs = []
        for index in self._watched(rule, first, last):
            at = self._fresh_of(index)
            if len(at) == 0 and index not in self._intake.stale:
                continue
            if offset and len(at):
                at = await self._due(rule, index, at, offset)
            pairs.append(_Pair(rule, index, at))
        return pairs

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

    async def _replay_far(self, pairs: list[_Pair]) -> None:
        scored = await self._ask_detectors(pairs)
        points = await self._load(pairs)
        for pair in pairs:
            place = self._intake.places[pair.index]
            total = None
            if is_learnt(pair.rule):
                start, stop = self._intake.starts[pair.index], self._intake.starts[pair.index + 1]
                fresh = self._intake.values[start:stop][self._intake.fresh[start:stop]]
                scores = scored[place.series_id].scores if len(pair.at) else []
                measured = anomalies.compare(pair.rule, fresh, scores)
            else:
                held = points.get(place.series_id) or self._points_of(pair.index)
                total = await self._total_before(pair) if is_running_total(pair.rule) else None
                measured = measure(pair.rule, held, pair.at, total)
            state = self._stored.get((pair.rule.id, place.series_id))
            silent = (
                not is_tracked(pair.rule)
                and (state is None or is_quiet(state))
                and pair.index not in self._intake.stale
                and (pair.rule.id, place.series_id) not in self._late
                and not fires_at(pair.rule, measured.scores).any()
                and bool(measured.known.all())
            )
            if silent:
                self.assessment.reasons[Reason.NOT_MET] += len(pair.at)
            else:
                self._replay(pair, measured, total)

    async def _ask_detectors(self, pairs: list[_Pair]) -> dict[int, Scored]:
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
        if self.assessment.explanations:
            self.assessment.confidence = await anomalies.confidences(
                self._connection, self._workspace_id
            )
        return scored

    async def _load(self, pairs: list[_Pair]) -> dict[int, Points]:
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

    async def _total_before(self, pair: _Pair) -> float:
        """The running total before the first instant, points that came late included."""
        place = self._intake.places[pair.index]
        state = self._stored.get((pair.rule.id, place.series_id))
        if state is None or state.running_total is None:
            first = int(pair.at[0]) if len(pair.at) else 0
            return await store.total_before(self._connection, place.series_id, first)
        start, stop = self._intake.starts[pair.index], self._intake.starts[pair.index + 1]
        arrived = self._intake.values[start:stop][self._intake.arrived[start:stop]]
        total = state.running_total
        for value in arrived.tolist():
            total += value
        return total

    def _replay(self, pair: _Pair, measured: Measurements, total: float | None = None) -> None:
        rule, place = pair.rule, self._intake.places[pair.index]
        fingerprint = fingerprint_of(
            self._workspace_id, str(rule.id), identity_of(place.labels, rule.group_by)
        )
        if rule.group_by:
            self._grouped.setdefault(fingerprint, []).append((pair, measured))
            return
        before = self._stored.get((rule.id, place.series_id))
        missed = self._late.pop((rule.id, place.series_id), None)
        going_on = before if missed is None else missed.outcome.state
        state = continued(rule, going_on, int(self._intake.newest[pair.index]))
        if total is not None:
            state = state._replace(running_total=total)
        ends = self._intake.stale.get(pair.index, ())
        outcome = replay(rule, fingerprint, pair.at, measured, state, self._live_from(pair), ends)
        if missed is not None:
            outcome = late.combine(missed.outcome, outcome)
        self._keep(Result(rule, place, fingerprint, outcome, before))

    def _live_from(self, pair: _Pair) -> int:
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

    def _keep(self, result: Result) -> None:
        state = result.outcome.state
        self.assessment.reasons += result.outcome.reasons
        if (
            result.before is not None
            or not is_quiet(state)
            or is_tracked(result.rule)
            or result.outcome.episodes
        ):
            self.assessment.results.append(result)

    async def _replay_late(self, rules: Mapping[UUID, list[Rule]]) -> None:
        """What points that came late bring to light, before the new ones are evaluated."""
        intake = self._intake
        for index, place in enumerate(intake.places):
            start, stop = intake.starts[index], intake.starts[index + 1]
            arrived = intake.timestamps[start:stop][intake.arrived[start:stop]]
            if len(arrived) == 0:
                continue
            for rule in rules.get(place.metric_id, ()):
                alone = not (rule.group_by or is_running_total(rule) or is_learnt(rule))
                if alone and match_all(rule.label_matchers, place.labels):
                    await self._replay_late_pair(rule, index, arrived)

    async def _replay_late_pair(self, rule: Rule, index: int, arrived: IntArray) -> None:
        place, newest = self._intake.places[index], int(self._intake.newest[index])
        fingerprint = fingerprint_of(
            self._workspace_id, str(rule.id), identity_of(place.labels, rule.group_by)
        )
        known = await states.known_episodes(self._connection, self._workspace_id, fingerprint)
        start, end = late.region(rule, arrived, newest, known)
        farthest = max(far for far, _ in spans(rule))
        if needs_previous_point(rule):
            farthest = PREVIOUS_POINT_REACH
        found = await store.read_ranges(
            self._connection,
            np.array([place.series_id], np.int64),
            np.array([start - farthest], np.int64),
            np.array([end], np.int64),
        )
        points = Points(*found[place.series_id])
        before = self._stored.get((rule.id, place.series_id))
        missed = late.find_missed(
            rule,
            fingerprint,
            points,
            late.instants_in(points, start, end),
            before,
            known,
            newest=newest,
            live_from=self._live_from(_Pair(rule, index, arrived)),
        )
        self.assessment.moved += missed.moved
        changed = missed.outcome.state != (before or RuleState())
        if missed.outcome.episodes or changed:
            self._late[(rule.id, place.series_id)] = Result(
                rule, place, fingerprint, missed.outcome, before
            )

    async def _replay_groups(self) -> None:
        """Rules whose series share a trigger: under a lock of each group, all its series known."""
        await states.lock_fingerprints(self._connection, list(self._grouped))
        rules = {pair.rule.id: pair.rule for some in self._grouped.values() for pair, _ in some}
        stored = await states.load_groups(
            self._connection, self._workspace_id, list(rules.values())
        )
        for fingerprint, pairs in sorted(self._grouped.items()):
            rule = pairs[0][0].rule
            here = {self._intake.places[pair.index].series_id: pair for pair, _ in pairs}
            measured = {self._intake.places[pair.index].series_id: m for pair, m in pairs}
            identity = identity_of(self._intake.places[pairs[0][0].index].labels, rule.group_by)
            known = {
                series_id: state
                for (rule_id, series_id), (state, labels) in stored.items()
                if rule_id == rule.id and identity_of(labels, rule.group_by) == identity
            }
            members = [
                self._member(rule, series_id, known.get(series_id), here, measured)
                for series_id in sorted(known.keys() | here.keys())
            ]
            shared = shared_by(list(known.values()))
            before = RuleState(
                trigger_id=shared.trigger_id,
                trigger_open=shared.open,
                acknowledged=shared.acknowledged,
            )
            group = replay_group(rule, fingerprint, members, shared)
            self._keep_group(rule, fingerprint, members, group, here, known, before)

    def _member(
        self,
        rule: Rule,
        series_id: int,
        stored: RuleState | None,
        here: Mapping[int, _Pair],
        measured: Mapping[int, Measurements],
    ) -> Member:
        pair = here.get(series_id)
        if pair is None:
            return Member(series_id, as_member(stored or RuleState()))
        return Member(
            series_id,
            as_member(continued(rule, stored, int(self._intake.newest[pair.index]))),
            pair.at,
            measured[series_id],
            self._live_from(pair),
            self._intake.stale.get(pair.index, ()),
        )

    def _keep_group(
        self,
        rule: Rule,
        fingerprint: str,
        members: list[Member],
        group: GroupOutcome,
        here: Mapping[int, _Pair],
        known: Mapping[int, RuleState],
        before: RuleState,
    ) -> None:
        outcome = group.recorder.outcome
        self.assessment.reasons += outcome.reasons
        first = next(iter(here))
        by_series: dict[int, list[Episode]] = {}
        for episode in outcome.episodes:
            opener = group.openers.get(episode.trigger_id, first)
            by_series.setdefault(opener, []).append(episode)
        for member in members:
            pair = here.get(member.series_id)
            if pair is None:
                continue
            self.assessment.results.append(
                Result(
                    rule,
                    self._intake.places[pair.index],
                    fingerprint,
                    Outcome(member.state, by_series.get(member.series_id, [])),
                    known.get(member.series_id),
                    shared=before,
                )
            )


def continued(rule: Rule, state: RuleState | None, newest: int) -> RuleState:
    """The state to go on from: quiet ones are not saved at each point, the series knows the last.

    A rule that was changed begins its waiting and its watch for silence anew.
    """
    if state is None:
        return RuleState()
    if state.outdated:
        return state._replace(
            status=Status.OK,
            pending_since=None,
            keep_firing_since=None,
            evaluated_at=None if rule.evaluation_offset_seconds == 0 else state.evaluated_at,
            recent_changes=0,
            flapping_since=None,
            no_data_at=None,
        )
    if rule.evaluation_offset_seconds == 0 and state.evaluated_at is not None:
        return state._replace(evaluated_at=max(state.evaluated_at, newest))
    return state


def merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Half-open ranges (lower, upper] as few that do not overlap."""
    merged: list[tuple[int, int]] = []
    for lower, upper in sorted(ranges):
        if upper <= lower:
            continue
        if merged and lower <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(upper, merged[-1][1]))
        else:
            merged.append((lower, upper))
    return merged
