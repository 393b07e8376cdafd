"""Planning: what happened + who could be told + what was told + now → notifications, with reasons.

Pure: no clock, no I/O. For every transition and every target (a member's channel, or a channel of
the workspace) there is exactly one row, so that nothing is dropped without a word:

- a **firing** goes out at once when it is critical or goes to the inbox; others wait to share a
  message with their group. Nobody is told what their severity, a silence, a mute or an inhibition
  keeps away; quiet hours, the deduplication window and the hourly cap put it off;
- what **ends or changes** it (resolved, acknowledged, flapping) goes to exactly those who were, or
  may have been, told of the firing. Preferences and mutes are not asked again: a delivered firing
  always gets its resolve. Who had not been told yet is told of neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from convex.notifications.book import TELLING, Book, Row
from convex.notifications.escalation import escalations
from convex.notifications.model import (
    CRITICAL,
    SEVERITIES,
    Kind,
    Mute,
    Plan,
    Reason,
    Reminder,
    Situation,
    State,
    Target,
    Transition,
    Trigger,
    minutes_and_seconds,
)
from convex.notifications.muting import refusal
from convex.notifications.preferences import Preferences
from convex.notifications.routing import Route, Routing
from convex.notifications.scheduling import Scheduler, Telling
from convex.notifications.snapshot import describe, describe_trigger, instant

_FIRING = frozenset({"opened", "reopened"})
_CHANGES = frozenset({"resolved", "acknowledged", "flapping"})


def plan(situation: Situation, now: datetime) -> Plan:
    """Decide about every transition of the situation, in order, and about its reminders."""
    planner = Planner(situation, now)
    for transition in situation.transitions:
        planner.consider(transition)
    for reminder in situation.reminders:
        planner.remind(reminder)
    return planner.book.outcome()


class Planner:
    """One run of planning. A simulation keeps it over many instants by `move_to`."""

    def __init__(self, situation: Situation, now: datetime) -> None:
        self.book = Book(situation.workspace_id, situation.history, now)
        self._situation = situation
        self._mutes = situation.mutes
        self._routing = Routing(situation)
        self._rows = Scheduler(self.book)

    def move_to(self, now: datetime, mutes: Sequence[Mute]) -> None:
        """Go on at a later instant, at which these mutes hold."""
        self.book.now, self._mutes = now, mutes

    def consider(self, transition: Transition) -> None:
        """Plan one transition."""
        if transition.kind in _FIRING:
            telling = Telling(transition.trigger, Kind.FIRING, transition.id, describe(transition))
            for route in self._routing.routes(transition.trigger):
                self._firing(telling, route)
        elif transition.kind in _CHANGES:
            self._follow(transition)

    def remind(self, reminder: Reminder) -> None:
        """Tell again, or for the first time since a mute ended; not while it is muted."""
        route = self._routing.route_of(reminder.target)
        if route.fault or self._refusal(reminder.trigger, route.preferences):
            return
        payload = {"trigger": describe_trigger(reminder.trigger), "at": instant(self.book.now)}
        telling = Telling(
            reminder.trigger, reminder.kind, f"{reminder.kind}:{reminder.since}", payload
        )
        self._rows.schedule(telling, route)

    # -- a firing ----------------------------------------------------------------------------

    def _firing(self, telling: Telling, route: Route) -> None:
        withheld = (Reason.NO_CHANNEL, route.fault) if route.fault else None
        if withheld is None and not route.always:
            withheld = self._refusal(telling.trigger, route.preferences)
        if withheld:
            self._rows.withhold(telling, route.target, *withheld)
            return
        self._rows.schedule(telling, route)
        later = Telling(telling.trigger, Kind.ESCALATION, telling.key, telling.payload)
        for step in escalations(telling.trigger, route, self._routing):
            self._rows.escalate(
                later,
                step.target,
                step=step.number,
                due_at=self._rows.after_quiet(step.due_at, step.preferences, telling.trigger),
                words=step.explanation,
            )

    def _refusal(self, trigger: Trigger, preferences: Preferences) -> tuple[Reason, str] | None:
        if SEVERITIES[trigger.severity] < SEVERITIES[preferences.min_severity]:
            wanted = preferences.min_severity + (
                "" if preferences.min_severity == CRITICAL else " and worse"
            )
            words = f"It is {trigger.severity}; only {wanted} is wanted here."
            return Reason.BELOW_SEVERITY, words
        situation = self._situation
        return refusal(
            trigger, self.book.now, self._mutes, situation.inhibitions, situation.open_triggers
        )

    # -- what ends or changes a firing -------------------------------------------------------

    def _follow(self, transition: Transition) -> None:
        trigger = transition.trigger
        telling = Telling(trigger, Kind(transition.kind), transition.id, describe(transition))
        rows = self.book.of_trigger(trigger.id)
        if telling.kind is not Kind.FLAPPING:
            self._stop_reminders(telling.kind, rows)
        seen: set[Target] = set()
        for target, earlier in rows.items():
            about = [row for row in _since_last_end(earlier) if row.kind in TELLING]
            if about:
                seen.add(target)
                self._follow_target(transition, telling, target, about)
        for route in self._routing.routes(trigger):
            if route.target not in seen:
                words = "The firing was planned before it could be told here."
                self._rows.withhold(telling, route.target, Reason.EXPIRED, words)

    def _follow_target(
        self, transition: Transition, telling: Telling, target: Target, about: list[Row]
    ) -> None:
        """`about`: the rows by which the target was, or was not, told that it fires."""
        carriers = [self.book.carrier(row) for row in about]
        told = any(carrier.may_have_been_told for carrier in carriers)
        waiting = next((row for row in about if self.book.carrier(row).is_waiting), None)
        own_doing = target.recipient is not None and target.recipient == transition.author_id
        if telling.kind is Kind.ACKNOWLEDGED and own_doing:
            if not told and waiting:
                self._take_back(waiting, Reason.ACKNOWLEDGED, transition)
            self._rows.withhold(telling, target, Reason.ACKNOWLEDGED, "You did it yourself.")
        elif telling.trigger.resolution == "milestone" and (told or waiting):
            words = "Reaching a milestone ends it too; both are one message."
            carrier = self.book.carrier(waiting or about[-1])
            self._rows.carry(telling, target, carrier, Reason.GROUPED, words)
        elif told:
            self._follow_told(telling, target, about)
        elif waiting:
            self._follow_waiting(transition, telling, target, waiting)
        else:
            last = about[-1]
            self._rows.withhold(
                telling,
                target,
                last.reason if last.state is State.WITHHELD else Reason.EXPIRED,
                f"The firing was not told either: {last.explanation}",
            )

    def _follow_told(self, telling: Telling, target: Target, about: list[Row]) -> None:
        after: Row | None = None
        for row in about:
            carrier = self.book.carrier(row)
            if carrier.state is not State.DUE:
                continue
            retrying = carrier.attempts > 0 and not carrier.leased
            alone = carrier is row and not self.book.carries(row)
            if telling.kind is Kind.RESOLVED and carrier.is_waiting:
                self.book.withdraw(row, Reason.EXPIRED, "Resolved before it was due.")
            elif telling.kind is Kind.RESOLVED and retrying and alone:
                words = "Resolved before a further attempt; the end is told."
                self.book.withdraw(row, Reason.EXPIRED, words)
            elif carrier.may_have_been_told:
                after = carrier
        route = self._routing.route_of(target)
        if route.fault:
            self._rows.withhold(telling, target, Reason.NO_CHANNEL, route.fault)
        else:
            self._rows.schedule(telling, route, after=after)

    def _follow_waiting(
        self, transition: Transition, telling: Telling, target: Target, waiting: Row
    ) -> None:
        carrier = self.book.carrier(waiting)
        if carrier.kind is Kind.DIGEST:
            words = "It is told in the same digest as the firing."
            self._rows.carry(telling, target, carrier, Reason.OVER_HOURLY_CAP, words)
        elif telling.kind is Kind.FLAPPING:
            words = "It flaps; the message about the firing has not gone yet and says so."
            self._rows.carry(telling, target, carrier, Reason.FLAPPING, words)
        elif telling.kind is Kind.RESOLVED:
            if self._take_back(waiting, Reason.EXPIRED, transition):
                words = f"The firing was not told either: {waiting.explanation}"
                self._rows.withhold(telling, target, Reason.EXPIRED, words)
            else:
                self._rows.schedule(telling, self._routing.route_of(target), after=carrier)
        elif target.recipient and self._take_back(waiting, Reason.ACKNOWLEDGED, transition):
            words = f"The firing was not told either: {waiting.explanation}"
            self._rows.withhold(telling, target, Reason.ACKNOWLEDGED, words)
        else:
            words = "The message about the firing has not gone yet and says it too."
            self._rows.carry(telling, target, carrier, Reason.GROUPED, words)

    def _take_back(self, row: Row, reason: Reason, transition: Transition) -> bool:
        """Take back what still waits; not what is critical and about to go. True if taken back."""
        carrier = self.book.carrier(row)
        if (
            row.severity == CRITICAL
            and carrier.due_at is not None
            and carrier.due_at <= self.book.now
        ):
            return False
        span = minutes_and_seconds(transition.at - transition.trigger.opened_at)
        words = f"Resolved after {span},"
        if reason is Reason.ACKNOWLEDGED:
            by = f" by {transition.author}" if transition.author else ""
            words = f"Acknowledged{by} after {span},"
        self.book.withdraw(row, reason, f"{words} before it was due.")
        return True

    def _stop_reminders(self, kind: Kind, rows: Mapping[Target, list[Row]]) -> None:
        reason, word = Reason.ACKNOWLEDGED, "Acknowledged"
        if kind is Kind.RESOLVED:
            reason, word = Reason.EXPIRED, "Resolved"
        for row in (one for earlier in rows.values() for one in earlier):
            if row.kind in (Kind.ESCALATION, Kind.REPEAT) and row.is_waiting:
                self.book.withdraw(row, reason, f"{word} before it was due.")


def _since_last_end(rows: list[Row]) -> list[Row]:
    """The rows of a target since it was last resolved: a trigger may have been opened again."""
    ends = [number for number, row in enumerate(rows) if row.kind is Kind.RESOLVED]
    return rows[ends[-1] + 1 :] if ends else rows
