"""Rules that group: one trigger for several series."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convex.alerts.groups import Member, Shared, replay_group
from convex.alerts.model import Kind, Rule, RuleState
from convex.alerts.replay import replay
from convex.metrics.model import to_datetime
from tests.convex.alerts.conftest import Bench, at, batch_of
from tests.convex.alerts.rules import threshold_rules
from tests.convex.alerts.test_replay import Stream, streams


@settings(max_examples=200, deadline=None)
@given(rule=threshold_rules(), stream=streams())
def test_a_group_of_one_series_is_that_series(rule: Rule, stream: Stream) -> None:
    alone = replay(rule, "f", *stream, RuleState(), 0)
    member = Member(1, RuleState(), stream.at, stream.measured)
    group = replay_group(rule, "f", [member], Shared()).recorder.outcome
    assert [e.changes for e in group.episodes] == [e.changes for e in alone.episodes]
    assert [e.repeats for e in group.episodes] == [e.repeats for e in alone.episodes]
    assert member.state.status == alone.state.status


@settings(max_examples=200, deadline=None)
@given(
    rule=threshold_rules(),
    some=st.lists(streams(), min_size=2, max_size=4),
    cut=st.integers(0, 300),
)
def test_a_group_may_be_cut_at_any_instant(rule: Rule, some: list[Stream], cut: int) -> None:
    limit = cut * 60_000_000

    def members(states: list[RuleState], early: bool, late: bool) -> list[Member]:
        made = []
        for number, ((instants, measured), state) in enumerate(zip(some, states, strict=True)):
            place = int(np.searchsorted(instants, limit, side="right"))
            first, last = (0 if early else place), (len(instants) if late else place)
            made.append(Member(number, state, instants[first:last], measured.part(first, last)))
        return made

    fresh = [RuleState() for _ in some]
    whole = members(fresh, early=True, late=True)
    all_at_once = replay_group(rule, "f", whole, Shared()).recorder.outcome
    before = members(fresh, early=True, late=False)
    first = replay_group(rule, "f", before, shared := Shared()).recorder.outcome
    after = members([one.state for one in before], early=False, late=True)
    second = replay_group(rule, "f", after, shared).recorder.outcome
    changes = [c for o in (first, second) for e in o.episodes for c in e.changes]
    assert changes == [c for e in all_at_once.episodes for c in e.changes]
    kinds = [change.kind for change in changes if change.kind is not Kind.FLAPPING]
    assert all((kind is Kind.RESOLVED) == (n % 2 == 1) for n, kind in enumerate(kinds))
    assert [one.state for one in after] == [one.state for one in whole]


async def test_series_of_a_group_share_the_trigger_until_the_last_one_recovers(
    bench: Bench,
) -> None:
    await bench.rule(group_by=("site",), deduplication_window_seconds=0)
    a, b, other = (
        {"site": "x", "gate": "a"},
        {"site": "x", "gate": "b"},
        {"site": "y", "gate": "a"},
    )
    await bench.push_batch(batch_of([(115, 12, a), (115, 3, b), (115, 3, other)]))
    await bench.push([(116, 12)], b)
    await bench.push([(117, 3)], a)
    (trigger,) = await bench.triggers()
    assert trigger["labels"] == {"site": "x"}
    assert trigger["state"] == "firing"
    assert trigger["opened_at"] == to_datetime(at(115))
    await bench.push([(118, 3)], b)
    (trigger,) = await bench.triggers()
    assert trigger["resolved_at"] == to_datetime(at(118))
    await bench.push_batch(batch_of([(119, 12, other), (119, 12, a)]))
    assert [one["state"] for one in await bench.triggers()] == ["resolved", "firing", "firing"]
