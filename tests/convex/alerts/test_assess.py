"""A batch at once, over all its series and rules, against the pure function point by point."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any, NamedTuple, cast
from uuid import UUID, uuid4

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.alerts.assess import Assessor
from convex.alerts.assessment import continued, is_quiet
from convex.alerts.evaluate import Change, evaluate
from convex.alerts.matchers import fingerprint_of, match_all
from convex.alerts.measure import Measurement
from convex.alerts.model import Matcher, Operator, Reason, Rule, RuleState
from convex.alerts.replay import Recorder
from convex.db import Connection
from convex.metrics.catalog import Place
from convex.metrics.intake import Intake
from convex.metrics.model import MINUTE
from convex.metrics.store import NEVER
from tests.convex.alerts.rules import threshold_rules

_SERIES = 5
_START = 20_000_000 * MINUTE
Key = tuple[UUID, int]


class Case(NamedTuple):
    rules: list[Rule]
    places: list[Place]
    batches: list[list[list[float]]]  # of each batch the values of each series, a minute apart


@st.composite
def cases(draw: st.DrawFn) -> Case:
    metric = uuid4()
    rules = []
    for rule in draw(st.lists(threshold_rules(), min_size=1, max_size=4)):
        matchers = draw(
            st.sampled_from(
                [
                    (),
                    (Matcher("host", Operator.EQUAL, "h1"),),
                    (Matcher("host", Operator.MATCHES, "h[0-3]"),),
                ]
            )
        )
        rules.append(
            replace(
                rule,
                id=uuid4(),
                metric_id=metric,
                label_matchers=matchers,
                no_data_after_seconds=0,
                threshold_value=draw(st.sampled_from([8.0, 10.0])),
                recovery_threshold=None,
            )
        )
    values = st.lists(st.sampled_from([7.0, 8.0, 9.0, 10.0, 11.0, 13.0]), max_size=12)
    batch = st.lists(values, min_size=_SERIES, max_size=_SERIES)
    places = [Place(n + 1, metric, UUID(int=3), {"host": f"h{n}"}) for n in range(_SERIES)]
    return Case(rules, places, draw(st.lists(batch, min_size=1, max_size=4)))


def intake_of(case: Case, batch: list[list[float]], since: list[int]) -> Intake | None:
    """The batch as it comes out of the intake; series without a point are not in it."""
    filled = [number for number, values in enumerate(batch) if values]
    if not filled:
        return None
    sizes = [len(batch[number]) for number in filled]
    at = [since[number] + n * MINUTE for number in filled for n in range(len(batch[number]))]
    return Intake(
        places=[case.places[number] for number in filled],
        ids=np.array(filled, np.int64) + 1,
        starts=np.cumsum([0, *sizes]).astype(np.int64),
        timestamps=np.array(at, np.int64),
        values=np.array([value for number in filled for value in batch[number]]),
        newest=np.array([since[number] - MINUTE for number in filled], np.int64),
        ended=np.full(len(filled), NEVER, np.int64),
        first_met=np.full(len(filled), _START, np.int64),
        fresh=np.ones(len(at), np.bool_),
        arrived=np.zeros(len(filled), np.bool_),
        stale={},
    )


def at_once(case: Case) -> tuple[dict[Key, RuleState], dict[Key, list[Change]], Counter[Reason]]:
    stored: dict[Key, RuleState] = {}
    changes: dict[Key, list[Change]] = {}
    reasons: Counter[Reason] = Counter()
    since = [_START] * _SERIES
    for batch in case.batches:
        intake = intake_of(case, batch, since)
        if intake is None:
            continue
        # Rules that are measured by the point itself need no database.
        nothing = cast("Connection", None)
        assessor = Assessor(nothing, UUID(int=2), intake, int(intake.timestamps.max()), None)
        asyncio.run(assessor.run({case.places[0].metric_id: case.rules}, cast("Any", stored)))
        for result in assessor.assessment.results:
            key = (result.rule.id, result.series_id)
            stored[key] = result.outcome.state
            for episode in result.outcome.episodes:
                changes.setdefault(key, []).extend(episode.changes)
        reasons += assessor.assessment.reasons
        since = [begin + len(values) * MINUTE for begin, values in zip(since, batch, strict=True)]
    return stored, changes, reasons


def one_by_one(case: Case) -> tuple[dict[Key, RuleState], dict[Key, list[Change]], Counter[Reason]]:
    states: dict[Key, RuleState] = {}
    changes: dict[Key, list[Change]] = {}
    reasons: Counter[Reason] = Counter()
    for rule in case.rules:
        for number, place in enumerate(case.places):
            if not match_all(rule.label_matchers, place.labels):
                continue
            print_of = fingerprint_of(UUID(int=2), str(rule.id), place.labels)
            recorder, state = Recorder(print_of, RuleState(), 0), RuleState()
            values = [value for batch in case.batches for value in batch[number]]
            for step, value in enumerate(values):
                at = _START + step * MINUTE
                state = recorder.take(evaluate(rule, Measurement(value, value), state, at), at)
            states[(rule.id, place.series_id)] = state
            reasons += recorder.outcome.reasons
            for episode in recorder.outcome.episodes:
                changes.setdefault((rule.id, place.series_id), []).extend(episode.changes)
    return states, changes, reasons


@settings(max_examples=300, deadline=None)
@given(case=cases())
def test_a_batch_at_once_decides_as_the_pure_function_does(case: Case) -> None:
    fast, fast_changes, fast_reasons = at_once(case)
    plain, plain_changes, plain_reasons = one_by_one(case)
    assert fast_changes == plain_changes
    assert fast_reasons == plain_reasons
    rules = {rule.id: rule for rule in case.rules}
    for key, state in plain.items():
        found = fast.get(key, RuleState())
        if is_quiet(state):
            assert is_quiet(found)
            continue
        newest = state.evaluated_at
        assert newest is not None
        assert continued(rules[key[0]], found, newest)._replace(historical=False) == state._replace(
            historical=False
        )
