"""The fast replay against the plain loop over the pure function, and splitting at any point."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convex.alerts.measure import Measurements, Points, measure
from convex.alerts.model import Kind, Rule, RuleState, Status
from convex.alerts.replay import Outcome, replay, replay_each
from convex.metrics.model import MINUTE, IntArray
from tests.convex.alerts.rules import make_rule, milestone_rule, threshold_rules


class Stream(NamedTuple):
    at: IntArray
    measured: Measurements


@st.composite
def streams(draw: st.DrawFn, *, least: int = 0) -> Stream:
    """Runs of values around the threshold at uneven minutes; now and then unknown or no number."""
    runs = draw(
        st.lists(st.tuples(st.sampled_from([7, 9, 10, 11, 13]), st.integers(1, 12)), max_size=30)
    )
    values = np.array([value for value, length in runs for _ in range(length)], np.float64)
    size = len(values)
    gaps = draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 5, 20]), min_size=size, max_size=size))
    odd = draw(st.lists(st.integers(0, max(0, size - 1)), max_size=2)) if size else []
    known = np.ones(size, np.bool_)
    for place in odd:
        if place % 2:
            known[place] = False
        else:
            values[place] = np.inf
    return Stream(np.cumsum(np.array(gaps, np.int64)) * MINUTE, Measurements(values, values, known))


def split(stream: Stream, cut: int) -> tuple[Stream, Stream]:
    at, (values, scores, known) = (
        stream.at,
        (
            stream.measured.values,
            stream.measured.scores,
            stream.measured.known,
        ),
    )
    return (
        Stream(at[:cut], Measurements(values[:cut], scores[:cut], known[:cut])),
        Stream(at[cut:], Measurements(values[cut:], scores[cut:], known[cut:])),
    )


def facts(*outcomes: Outcome) -> dict[str, object]:
    """What must not depend on how the points came: triggers, changes, counts, the last state."""
    triggers: dict[object, dict[str, object]] = {}
    for outcome in outcomes:
        for episode in outcome.episodes:
            row = triggers.setdefault(
                episode.trigger_id,
                {"changes": [], "live": [], "repeats": 0, "suppressed": 0, "seen": None},
            )
            row["changes"] += episode.changes  # type: ignore[operator]
            row["live"] += episode.live_changes  # type: ignore[operator]
            row["repeats"] += episode.repeats  # type: ignore[operator]
            row["suppressed"] += episode.suppressed  # type: ignore[operator]
            row["seen"] = episode.last_seen_at or row["seen"]
            row["historical"] = episode.historical
            row["promoted"] = episode.promoted or row.get("promoted", False)

    return {"triggers": triggers, "state": outcomes[-1].state}


@settings(max_examples=400)
@given(rule=threshold_rules(), stream=streams(), live_from=st.integers(-1, 200))
def test_taking_stretches_at_once_changes_nothing(
    rule: Rule, stream: Stream, live_from: int
) -> None:
    start = RuleState()
    fast = replay(rule, "f", *stream, start, live_from * MINUTE)
    plain = replay_each(rule, "f", *stream, start, live_from * MINUTE)
    assert facts(fast) == facts(plain)
    assert fast.reasons == plain.reasons


@settings(max_examples=300)
@given(stream=streams(), goal=st.sampled_from([5.0, 10.0, 40.0, 400.0]), total=st.booleans())
def test_stretches_of_milestones_too(stream: Stream, goal: float, total: bool) -> None:
    rule = milestone_rule(threshold_value=goal)
    at, measured = stream
    if total:
        finite = np.where(np.isfinite(measured.values), measured.values, 0.0)
        measured = measure(rule, Points(at, finite), at, 3.0)
    start = RuleState(running_total=3.0)
    fast, plain = (way(rule, "f", at, measured, start, 0) for way in (replay, replay_each))
    assert facts(fast) == facts(plain)
    assert fast.reasons == plain.reasons
    assert sum(len(e.changes) for e in fast.episodes) in (0, 2)


@settings(max_examples=300)
@given(
    rule=threshold_rules(), stream=streams(), cut=st.integers(0, 400), live_from=st.integers(-1, 99)
)
def test_a_batch_may_be_split_anywhere(
    rule: Rule, stream: Stream, cut: int, live_from: int
) -> None:
    whole = replay(rule, "f", *stream, RuleState(), live_from * MINUTE)
    first, second = split(stream, min(cut, len(stream.at)))
    before = replay(rule, "f", *first, RuleState(), live_from * MINUTE)
    after = replay(rule, "f", *second, before.state, live_from * MINUTE)
    assert facts(whole) == facts(before, after)
    assert whole.reasons == before.reasons + after.reasons


@settings(max_examples=300)
@given(rule=threshold_rules(), stream=streams())
@example(
    rule=make_rule(),
    stream=Stream(
        np.arange(3) * MINUTE, Measurements(*(np.full(3, 11.0),) * 2, np.ones(3, np.bool_))
    ),
)
def test_a_trigger_opens_before_it_closes_and_never_twice(rule: Rule, stream: Stream) -> None:
    outcome = replay(rule, "f", *stream, RuleState(), 0)
    open_now: set[object] = set()
    for episode in outcome.episodes:
        for change in episode.changes:
            if change.kind in (Kind.OPENED, Kind.REOPENED):
                assert not open_now, "only one may be open"
                open_now.add(episode.trigger_id)
            elif change.kind is Kind.RESOLVED:
                open_now.remove(episode.trigger_id)
            else:
                assert episode.trigger_id in open_now
    state = outcome.state
    assert state.trigger_open == bool(open_now)
    assert state.status not in (Status.FIRING, Status.RECOVERING) or state.trigger_open
    assert (state.status is Status.PENDING) == (state.pending_since is not None)
    assert (state.status is Status.RECOVERING) == (state.keep_firing_since is not None)


def test_a_trigger_opened_by_history_becomes_live_when_a_live_point_confirms_it() -> None:
    at = np.arange(4) * MINUTE
    values = np.array([11.0, 11.0, 11.0, 9.0])
    measured = Measurements(values, values, np.ones(4, np.bool_))
    outcome = replay(make_rule(), "f", at, measured, RuleState(), 2 * MINUTE)
    (episode,) = outcome.episodes
    assert episode.promoted
    assert not episode.historical
    assert [change.kind for change in episode.live_changes] == [Kind.RESOLVED]
    assert outcome.state.resolved_at == 3 * MINUTE
