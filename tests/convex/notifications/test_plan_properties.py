"""What holds for any course of events: nothing dropped, nothing twice, each told firing ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from convex.notifications.model import Kind, Mute, Past, Plan, Reason, State, Target, Transition
from convex.notifications.plan import plan
from convex.notifications.preferences import EscalationStep, Grouping, Preferences
from convex.notifications.quiet_hours import QuietHours
from convex.notifications.routing import Routing
from tests.convex.notifications.facts import (
    ANN,
    BOB,
    CHAT,
    HOOK,
    INBOX,
    MAIL,
    NOW,
    as_past,
    member,
    situation,
    transition,
    trigger,
)

TOLD = (State.DELIVERED, State.FAILED)

wishes = st.builds(
    Preferences,
    channels=st.sampled_from([("in_app", "email"), ("email",), ("in_app",), ("chat",), ()]),
    min_severity=st.sampled_from(["info", "warning", "critical"]),
    quiet_hours=st.none()
    | st.builds(
        QuietHours,
        st.times(max_value=time(11)).map(lambda one: one.replace(second=0, microsecond=0)),
        st.times(min_value=time(12)).map(lambda one: one.replace(second=0, microsecond=0)),
        st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"]),
    ),
    deduplication=st.sampled_from([timedelta(minutes=1), timedelta(minutes=60)]),
    grouping=st.builds(Grouping, by=st.sampled_from(["rule", "framework", "none"])),
    max_per_hour=st.none() | st.integers(1, 3),
    escalation_steps=st.sampled_from(
        [(), (EscalationStep(timedelta(minutes=20), ("email", "pager"), (ANN, BOB)),)]
    ),
)


@dataclass(frozen=True)
class Event:
    """Something that happens to one of three triggers, so long after the event before.

    `sends`: what is due is sent then · `dies`: the sender that has what is due in its hands is
    killed, and nobody knows what got through · `mute`: all is silenced meanwhile · `deletes`: it
    ends since its rule was deleted.
    """

    number: int
    kind: str
    pause: timedelta
    sends: bool
    dies: bool
    mute: bool
    deletes: bool


events = st.lists(
    st.builds(
        Event,
        number=st.integers(1, 3),
        kind=st.sampled_from(
            ["opened", "opened", "resolved", "resolved", "acknowledged", "flapping"]
        ),
        pause=st.sampled_from(
            [timedelta(0), timedelta(seconds=5), timedelta(seconds=40), timedelta(hours=3)]
        ),
        sends=st.sampled_from([False, False, True]),
        dies=st.sampled_from([False, False, False, True]),
        mute=st.sampled_from([False, False, False, True]),
        deletes=st.booleans(),
    ),
    min_size=1,
    max_size=20,
)
severities = st.lists(st.sampled_from(["info", "warning", "critical"]), min_size=3, max_size=3)


def send(history: Sequence[Past], now: datetime) -> list[Past]:
    """Deliver what is due."""
    return [
        replace(one, state=State.DELIVERED, delivered_at=now, attempts=1)
        if one.state is State.DUE and one.due_at is not None and one.due_at <= now
        else one
        for one in history
    ]


def lose(history: Sequence[Past], now: datetime) -> list[Past]:
    """What is due was claimed, perhaps sent, and is free again: its sender is dead."""
    return [
        replace(one, attempts=one.attempts + 1)
        if one.state is State.DUE and one.due_at is not None and one.due_at <= now
        else one
        for one in history
    ]


def reached(row: Past, rows: dict[object, Past]) -> bool:
    carrier = rows[row.carried_by] if row.carried_by else row
    return carrier.state in TOLD


@settings(max_examples=250, deadline=None)
@given(
    happening=events,
    ann=wishes,
    defaults=wishes,
    grades=severities,
    named=st.sampled_from([(), (), ("pager",), ("email", "chat")]),
)
def test_nothing_is_dropped_and_what_was_told_is_ended(
    happening: list[Event],
    ann: Preferences,
    defaults: Preferences,
    grades: list[str],
    named: tuple[str, ...],
) -> None:
    now, history, open_now = NOW, list[Past](), dict[int, int]()
    people = [member(ANN, ann), member(BOB, defaults)]
    episode = Counter[int]()
    for step, event in enumerate(happening, start=1):
        now += event.pause
        number = event.number
        if (event.kind == "opened") == (number in open_now):
            continue
        if event.kind == "opened":
            episode[number] += 1
            open_now[number] = 10 * episode[number] + number
        about = replace(
            trigger(open_now[number], severity=grades[number - 1]),
            fingerprint=f"fingerprint-{number}",
            opened_at=now,
            channels=named,
        )
        if event.kind == "resolved":
            del open_now[number]
            if event.deletes:  # nothing of the rule is known any more
                about = replace(about, rule_id=None, channels=(), resolution="rule_deleted")
        one = transition(step, about, event.kind, at=now)
        mutes = [Mute(Reason.SILENCED, [], now, now + timedelta(days=1), "s")] if event.mute else []
        facts = situation(
            one,
            members=people,
            defaults=defaults,
            channels=[INBOX, MAIL, HOOK, CHAT],
            history=history,
            mutes=mutes,
        )
        made = plan(facts, now)
        assert plan(facts, now) == made
        check_rows(made, one, history, Routing(facts), now)
        before = {row.id: row for row in history}
        history = [
            replace(row, fingerprint=f"fingerprint-{int(str(row.trigger_id.int - 1000)) % 10}")
            if row.trigger_id
            else row
            for row in as_past(made, history)
        ]
        for row in history:
            if row.id in before and before[row.id].state in TOLD:
                assert row.state is before[row.id].state, "what was told stays told"
        if event.kind in ("acknowledged", "resolved"):
            assert not [
                row
                for row in history
                if (row.trigger_id, row.kind, row.state) == (about.id, Kind.ESCALATION, State.DUE)
                and row.attempts == 0
            ], "an escalation stops when somebody acknowledges, or it ends"
        if event.sends:
            history = send(history, now)
        elif event.dies:
            history = lose(history, now)
    history = send(history, now + timedelta(days=3))
    rows: dict[object, Past] = {row.id: row for row in history}
    assert not [row for row in history if row.state is State.DUE]
    for row in history:
        if row.state is State.CARRIED:
            assert rows[row.carried_by].state in TOLD, "what is carried is said"
    ended = {row.trigger_id for row in history if row.kind is Kind.RESOLVED}
    for row in history:
        carrier = rows[row.carried_by] if row.carried_by else row
        perhaps = reached(row, rows) or carrier.attempts > 0
        if row.kind is Kind.FIRING and perhaps and row.trigger_id in ended:
            ends = [
                one
                for one in history
                if one.kind is Kind.RESOLVED
                and one.trigger_id == row.trigger_id
                and one.target == row.target
            ]
            assert len(ends) == 1
            assert reached(ends[0], rows), (row, ends[0])


def check_rows(
    made: Plan, one: Transition, history: Sequence[Past], routing: Routing, now: datetime
) -> None:
    """One row for each target, a reason in words, and no time in the past."""
    kind = {"opened": Kind.FIRING}.get(one.kind) or Kind(one.kind)
    rows = [row for row in made.notifications if row.kind is kind]
    targets = Counter[Target](row.target for row in rows)
    wanted = {route.target for route in routing.routes(one.trigger)}
    if kind is not Kind.FIRING:
        wanted |= {
            row.target
            for row in history
            if row.trigger_id == one.trigger.id and row.kind in (Kind.FIRING, Kind.ESCALATION)
        }
    assert set(targets) == wanted
    assert set(targets.values()) <= {1}
    for row in made.notifications:
        assert row.explanation
        assert (row.state is State.CARRIED) == (row.carried_by is not None)
        if row.state is State.DUE and row.kind is not Kind.ESCALATION:
            assert row.due_at is not None
            assert row.due_at >= now
