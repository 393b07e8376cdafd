"""Evaluate a batch that has been stored: which rules, on which series, at which instants.

Most rules on most series have nothing to say: the condition of a whole metric is compared at once,
and only series where it holds, or where the rule already stands somewhere, are replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from convex.alerts import anomalies, late, states
from convex.alerts.assess_late import LateBatch
from convex.alerts.assessment import (
    Assessment,
    Pair,
    Result,
    continued,
    is_quiet,
    is_tracked,
)
from convex.alerts.groups import GroupOutcome, Member, as_member, replay_group, shared_by
from convex.alerts.matchers import fingerprint_of, identity_of
from convex.alerts.measure import (
    Measurements,
    fires,
    fires_at,
    is_learnt,
    is_running_total,
    may_fire,
    measure,
    needs_only_the_point,
)
from convex.alerts.model import Reason, Rule, RuleState
from convex.alerts.replay import Episode, Outcome, replay
from convex.alerts.standing import Standing
from convex.db import Connection
from convex.metrics.intake import Intake
from convex.metrics.model import SECOND


async def assess(
    connection: Connection,
    workspace_id: UUID,
    intake: Intake,
    standing: Standing,
    *,
    now: int,
    history: bool | None = None,
) -> Assessment:
    """Evaluate every rule that watches one of the batch's metrics; writes nothing."""
    by_metric, stored = await standing.read(intake.ids)
    assessor = Assessor(connection, workspace_id, intake, now, history)
    if by_metric:
        await assessor.run(by_metric, stored)
    return assessor.assessment


class Assessor(LateBatch):
    """The evaluation of one batch."""

    async def run(
        self, rules: Mapping[UUID, list[Rule]], stored: Mapping[states.StateKey, RuleState]
    ) -> None:
        self._stored = stored
        for (rule_id, series_id), state in stored.items():
            self._states_of.setdefault(rule_id, []).append((series_id, state))
        if self._intake.arrived.any():
            await self._replay_late(rules)
        near: list[Pair] = []
        far: list[Pair] = []
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

    def _near_pairs(self, rule: Rule, first: int, last: int) -> list[Pair]:
        """The pairs that may change; for the others it is enough to count their evaluations."""
        intake = self._intake
        watched = self._watched(rule, first, last) if rule.label_matchers else None
        if watched is not None and len(watched) * 4 < last - first:
            return self._near_pairs_of_few(rule, watched)
        start, stop = intake.starts[first], intake.starts[last]
        if watched is None and not self._may_fire(rule, first, last):
            pairs = [
                Pair(rule, index, self._fresh_of(index))
                for index in sorted(self._standing(rule, range(first, last)))
            ]
            quiet = self._fresh_count - sum(len(pair.at) for pair in pairs)
            if quiet:
                self.assessment.reasons[Reason.NOT_MET] += quiet
            return pairs
        fresh = intake.fresh[start:stop]
        firing = fires_at(rule, intake.values[start:stop]) & fresh
        loud = set(self._owners[start:stop][firing].tolist()) if firing.any() else set()
        if watched is not None:
            loud &= set(watched)
        if self._stored or self._late or self._late_members or self._intake.distrusted:
            loud.update(self._standing(rule, range(first, last)))
        pairs = [Pair(rule, index, self._fresh_of(index)) for index in sorted(loud)]
        if watched is None:
            quiet = int(np.count_nonzero(fresh)) - sum(len(pair.at) for pair in pairs)
        else:
            quiet = sum(len(self._fresh_of(index)) for index in watched if index not in loud)
        if quiet:
            self.assessment.reasons[Reason.NOT_MET] += quiet
        return pairs

    def _near_pairs_of_few(self, rule: Rule, watched: list[int]) -> list[Pair]:
        """The same where a rule watches few of many series."""
        may_stand = self._stored or self._late or self._late_members or self._intake.distrusted
        standing = self._standing(rule, watched) if may_stand else set()
        pairs, quiet = [], 0
        starts, values, every_fresh = self._intake.starts, self._intake.values, self._intake.fresh
        for index in watched:
            start, stop = starts[index], starts[index + 1]
            if stop - start == 1 and index not in standing:
                # The usual batch has one new point of each series: no arrays for one number.
                if not every_fresh[start]:
                    continue
                if not fires(rule, values[start]):
                    quiet += 1
                    continue
            firing = fires_at(rule, self._intake.values[start:stop])
            fresh = self._intake.fresh[start:stop]
            if index in standing or (firing & fresh).any():
                pairs.append(Pair(rule, index, self._fresh_of(index)))
            else:
                quiet += int(np.count_nonzero(fresh))
        if quiet:
            self.assessment.reasons[Reason.NOT_MET] += quiet
        return pairs

    def _may_fire(self, rule: Rule, first: int, last: int) -> bool:
        """Whether any new value of these places can meet the condition; looked at once for all."""
        if self._extent_of != (first, last):
            start, stop = self._intake.starts[first], self._intake.starts[last]
            fresh = self._intake.values[start:stop][self._intake.fresh[start:stop]]
            self._extent_of, self._fresh_count = (first, last), len(fresh)
            self._extent = (float(fresh.min()), float(fresh.max())) if len(fresh) else None
        return self._extent is not None and may_fire(rule, *self._extent)

    def _standing(self, rule: Rule, indexes: Sequence[int]) -> set[int]:
        """Where the rule stands somewhere else than in a quiet ok."""
        intake = self._intake
        if intake.distrusted or self._late or self._late_members:
            return {index for index in indexes if self._stands(rule, index)}
        states_of_rule = self._states_of.get(rule.id, ())
        if not states_of_rule:
            return set()
        if not self._index_of:
            self._index_of = {one.series_id: n for n, one in enumerate(intake.places)}
        found = set()
        for series_id, state in states_of_rule:
            index = self._index_of.get(series_id)
            if index is not None and (index in intake.stale or not is_quiet(state)):
                found.add(index)
        return {index for index in found if index in indexes}

    def _stands(self, rule: Rule, index: int) -> bool:
        key = (rule.id, self._intake.places[index].series_id)
        state = self._stored.get(key)
        return (
            index in self._intake.distrusted
            or self._came_late(key)
            or (state is not None and (index in self._intake.stale or not is_quiet(state)))
        )

    async def _far_pairs(self, rule: Rule, first: int, last: int) -> list[Pair]:
        """Every pair with something to evaluate."""
        offset = rule.evaluation_offset_seconds * SECOND
        pairs = []
        for index in self._watched(rule, first, last):
            at = self._fresh_of(index)
            if (
                len(at) == 0
                and index not in self._intake.stale
                and (rule.id, self._intake.places[index].series_id) not in self._late_members
            ):
                continue
            if offset and len(at):
                at = await self._due(rule, index, at, offset)
            pairs.append(Pair(rule, index, at))
        return pairs

    async def _replay_far(self, pairs: list[Pair]) -> None:
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
                and pair.index not in self._intake.distrusted
                and not self._came_late((pair.rule.id, place.series_id))
                and not fires_at(pair.rule, measured.scores).any()
                and bool(measured.known.all())
            )
            if silent:
                self.assessment.reasons[Reason.NOT_MET] += len(pair.at)
            else:
                self._replay(pair, measured, total)

    def _replay(self, pair: Pair, measured: Measurements, total: float | None = None) -> None:
        rule, place = pair.rule, self._intake.places[pair.index]
        if pair.index in self._intake.distrusted:
            measured = measured.without_scores()  # the data failed a check: an error, no alert
        fingerprint = fingerprint_of(
            self._workspace_id, str(rule.id), identity_of(place.labels, rule)
        )
        if rule.is_grouped:
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
        self._keep(Result(rule, place.series_id, place.labels, fingerprint, outcome, before))

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
            identity = identity_of(self._intake.places[pairs[0][0].index].labels, rule)
            known = {
                series_id: state
                for (rule_id, series_id), (state, labels) in stored.items()
                if rule_id == rule.id and identity_of(labels, rule) == identity
            }
            before = shared_by(list(known.values()))
            missed = await self._missed_of_group(rule, fingerprint, here, known)
            going_on = {**known, **missed.states}
            members = [
                self._member(rule, series_id, going_on.get(series_id), here, measured)
                for series_id in sorted(going_on.keys() | here.keys())
            ]
            group = replay_group(rule, fingerprint, members, shared_by(list(going_on.values())))
            if missed.episodes:
                earlier = Outcome(RuleState(), missed.episodes)
                group.recorder.outcome = late.combine(earlier, group.recorder.outcome)
                group.openers.update(missed.openers)
            self._keep_group(
                rule,
                fingerprint,
                members,
                group,
                here,
                known,
                RuleState(
                    trigger_id=before.trigger_id,
                    trigger_open=before.open,
                    acknowledged=before.acknowledged,
                ),
            )

    def _member(
        self,
        rule: Rule,
        series_id: int,
        stored: RuleState | None,
        here: Mapping[int, Pair],
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
        here: Mapping[int, Pair],
        known: Mapping[int, RuleState],
        before: RuleState,
    ) -> None:
        outcome = group.recorder.outcome
        self.assessment.reasons += outcome.reasons
        first = next(iter(here))
        by_series: dict[int, list[Episode]] = {}
        for episode in outcome.episodes:
            opener = group.openers.get(episode.trigger_id, first)
            # Late points can bring to light what a series opened that is not in this batch.
            by_series.setdefault(opener if opener in here else first, []).append(episode)
        for member in members:
            pair = here.get(member.series_id)
            if pair is None:
                continue
            self.assessment.results.append(
                Result(
                    rule,
                    member.series_id,
                    self._intake.places[pair.index].labels,
                    fingerprint,
                    Outcome(member.state, by_series.get(member.series_id, [])),
                    known.get(member.series_id),
                    shared=before,
                )
            )
