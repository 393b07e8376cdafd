"""What would have been told: the past replayed with other preferences, before they are saved.

The same planner as in earnest goes through the transitions in virtual time; what it plans is taken
as delivered when it is due. Pure, but for the two functions that load the past.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from convex.db import Connection, Identity
from convex.errors import InvalidInput
from convex.notifications import context_store, preference_store, store
from convex.notifications.book import Row
from convex.notifications.model import (
    Channel,
    Kind,
    Member,
    Mute,
    Situation,
    State,
    Transition,
)
from convex.notifications.mute_windows import WeeklyMute, active_mutes
from convex.notifications.plan import Planner
from convex.notifications.preferences import Preferences, read_preferences
from convex.notifications.snapshot import instant

LONGEST_DAYS = 90
MOST_TRANSITIONS = 20_000
SECONDS = 30.0  # a replay that takes longer is given up
MOST_ITEMS = 200
_SLEEP = (22, 6)


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one transition on one channel. `at`: when it is said; None: never."""

    state: State
    reason: str
    explanation: str
    at: datetime | None

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "state": self.state.value,
            "reason": self.reason,
            "explanation": self.explanation,
            "at": instant(self.at),
        }


@dataclass(slots=True)
class Forecast:
    """What one setting of preferences would have led to, for one member.

    `messages`: how many would have gone out, by channel · `outcomes`: planned rows by their reason
    · `told`, `not_told`: firings that would, or would not, have reached the member · `asleep`:
    messages between 22:00 and 06:00 of the member's zone · `busiest_hour`: most messages in one ·
    `fates`: by transition and kind of channel.
    """

    messages: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    told: int = 0
    not_told: int = 0
    asleep: int = 0
    busiest_hour: int = 0
    fates: dict[tuple[int, str], Fate] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "messages": dict(self.messages),
            "total": sum(self.messages.values()),
            "outcomes": dict(self.outcomes),
            "firings_told": self.told,
            "firings_not_told": self.not_told,
            "in_sleep_hours": self.asleep,
            "busiest_hour": self.busiest_hour,
        }


@dataclass(frozen=True, slots=True)
class Past:
    """The events to replay, in order, and what muted them then."""

    workspace_id: UUID
    transitions: Sequence[Transition]
    channels: Sequence[Channel]
    silences: Sequence[Mute] = ()
    windows: Sequence[WeeklyMute] = ()


def simulate(past: Past, member: Member, zone: str, until: datetime) -> Forecast:
    """Replay the past for a member; what would be due after `until` is counted as sent too."""
    situation = Situation(
        workspace_id=past.workspace_id,
        transitions=(),
        members=[member],
        defaults=Preferences(),
        channels=[channel for channel in past.channels if channel.personal],
    )
    start = past.transitions[0].at if past.transitions else until
    planner = Planner(situation, start)
    waiting: list[tuple[datetime, int, Row]] = []
    rows: dict[UUID, Row] = {}
    now = start
    for transition in past.transitions:
        now = max(now, transition.at)
        _send(waiting, now)
        planner.move_to(now, [*past.silences, *active_mutes(past.windows, now)])
        planner.consider(transition)
        for row in planner.book.fresh:
            rows[row.id] = row
            if row.state is State.DUE and row.due_at is not None:
                heapq.heappush(waiting, (row.due_at, len(waiting) + len(rows), row))
        planner.book.fresh.clear()
    _send(waiting, until)
    return _count(list(rows.values()), planner, zone)


def _send(waiting: list[tuple[datetime, int, Row]], now: datetime) -> None:
    """What is due by then is delivered when it is due."""
    while waiting and waiting[0][0] <= now:
        due, _, row = heapq.heappop(waiting)
        if row.state is State.DUE and row.due_at == due:
            row.state, row.delivered_at = State.DELIVERED, due


def _count(rows: Sequence[Row], planner: Planner, zone: str) -> Forecast:
    forecast = Forecast()
    hours: Counter[datetime] = Counter()
    told: dict[UUID, bool] = {}
    local = ZoneInfo(zone)
    for row in rows:
        if row.kind is not Kind.DIGEST:
            forecast.outcomes[row.reason.value] += 1
        carrier = planner.book.carrier(row)
        if row.transition_id is not None and row.step == 0:
            said = None if carrier.state is State.WITHHELD else planner.book.moment(row)
            channel = row.target.kind.value if row.target.kind else ""
            fate = Fate(row.state, row.reason.value, row.explanation, said)
            forecast.fates[row.transition_id, channel] = fate
        reached = carrier.state in (State.DUE, State.DELIVERED)
        if row.kind is Kind.FIRING and row.trigger_id is not None:
            told[row.trigger_id] = told.get(row.trigger_id, False) or reached
        if row.state in (State.DUE, State.DELIVERED) and row.target.kind is not None:
            moment = planner.book.moment(row)
            forecast.messages[row.target.kind.value] += 1
            hours[moment.replace(minute=0, second=0, microsecond=0)] += 1
            shown = moment.astimezone(local).hour
            forecast.asleep += shown >= _SLEEP[0] or shown < _SLEEP[1]
    forecast.told = sum(told.values())
    forecast.not_told = len(told) - forecast.told
    forecast.busiest_hour = max(hours.values(), default=0)
    return forecast


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All that a simulation needs: it can be given to another process."""

    past: Past
    current: Member
    proposed: Member
    zones: tuple[str, str]
    days: int
    until: datetime


async def load_rehearsal(
    connection: Connection,
    identity: Identity,
    changes: Mapping[str, Any],
    now: datetime,
    *,
    email_works: bool,
    days: int = LONGEST_DAYS,
) -> Rehearsal:
    """The last days of the acting member, as they were set up and with the changes. Saves nothing.

    Raises `InvalidInput` for changes that could not be saved either.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"days is a number from 1 to {LONGEST_DAYS}.", field="days")
    if identity.workspace_id is None or identity.user_id is None:
        raise InvalidInput("Sign in: a simulation replays what a member would have been told.")
    kept = await preference_store.get_preferences(connection, identity)
    merged = preference_store.merge(kept.columns, changes)
    past = await load_past(
        connection, identity.workspace_id, now - timedelta(days=days), email_works=email_works
    )
    current = Member(identity.user_id, "", "", kept.preferences)
    proposed = replace(current, preferences=read_preferences(merged))
    zones = str(kept.columns["timezone"]), str(merged["timezone"])
    return Rehearsal(past, current, proposed, zones, days, now)


def run_rehearsal(rehearsal: Rehearsal) -> dict[str, Any]:
    """Both forecasts as JSON, and the newest transitions whose fate differs, with both reasons."""
    past, until = rehearsal.past, rehearsal.until
    current = simulate(past, rehearsal.current, rehearsal.zones[0], until)
    proposed = simulate(past, rehearsal.proposed, rehearsal.zones[1], until)
    items = _differences(past, current, proposed)
    return {
        "days": rehearsal.days,
        "transitions": len(past.transitions),
        "truncated": len(past.transitions) == MOST_TRANSITIONS,
        "current": current.describe(),
        "proposed": proposed.describe(),
        "differences": len(items),
        "items": items[:MOST_ITEMS],
    }


def _differences(past: Past, current: Forecast, proposed: Forecast) -> list[dict[str, Any]]:
    """Newest first; a channel that one of the two does not use has no fate there."""
    known = {one.id: one for one in past.transitions}
    found: list[dict[str, Any]] = []
    for transition_id, channel in sorted({*current.fates, *proposed.fates}, reverse=True):
        before = current.fates.get((transition_id, channel))
        after = proposed.fates.get((transition_id, channel))
        if before == after:
            continue
        one = known[transition_id]
        found.append(
            {
                "transition_id": transition_id,
                "trigger_id": str(one.trigger.id),
                "kind": one.kind,
                "rule": one.trigger.rule_name,
                "framework": one.trigger.framework,
                "severity": one.trigger.severity,
                "at": instant(one.at),
                "channel_kind": channel or None,
                "current": before and before.describe(),
                "proposed": after and after.describe(),
            }
        )
    return found


async def load_past(
    connection: Connection, workspace_id: UUID, since: datetime, *, email_works: bool
) -> Past:
    """The newest transitions since then, oldest first, with the mutes of those days."""
    channels = await context_store.load_channels(
        connection, [workspace_id], email_works=email_works
    )
    silences, windows = await context_store.load_all_mutes(connection, workspace_id, since)
    return Past(
        workspace_id,
        await store.load_recent_transitions(connection, workspace_id, since, MOST_TRANSITIONS),
        channels[workspace_id],
        silences,
        windows,
    )
