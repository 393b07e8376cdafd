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

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from convex.notifications.book import HOUR, TELLING, Book, Row
from convex.notifications.escalation import escalations
from convex.notifications.grouping import group_key, group_words
from convex.notifications.model import (
    CRITICAL,
    SEVERITIES,
    ChannelKind,
    Kind,
    Plan,
    Reason,
    Situation,
    State,
    Target,
    Transition,
    Trigger,
    minutes_and_seconds,
)
from convex.notifications.muting import refusal
from convex.notifications.preferences import Preferences
from convex.notifications.quiet_hours import quiet_until
from convex.notifications.routing import Route, Routing
from convex.notifications.snapshot import describe

_FIRING = frozenset({"opened", "reopened"})
_TOGETHER = timedelta(0)


def plan(situation: Situation, now: datetime) -> Plan:
    """Decide about every transition of the situation, in order."""
    planner = _Planner(situation, now)
    for transition in situation.transitions:
        planner.consider(transition)
    return planner.book.outcome()


class _Planner:
    def __init__(self, situation: Situation, now: datetime) -> None:
        self.book = Book(situation.workspace_id, situation.history, now)
        self._situation = situation
        self._now = now
        self._routing = Routing(situation)

    def consider(self, transition: Transition) -> None:
        """Plan one transition."""
        payload = describe(transition)
        if transition.kind in _FIRING:
            for route in self._routing.routes(transition.trigger):
                self._firing(transition, route, payload)
        elif transition.kind in ("resolved", "acknowledged", "flapping"):
            self._follow(transition, payload)

    # -- a firing ----------------------------------------------------------------------------

    def _firing(self, transition: Transition, route: Route, payload: Mapping[str, Any]) -> None:
        withheld = (
            (Reason.NO_CHANNEL, route.fault)
            if route.fault
            else self._refusal(transition.trigger, route.preferences)
        )
        if withheld:
            self._withhold(transition, Kind.FIRING, route.target, *withheld, payload)
            return
        self._schedule(transition, Kind.FIRING, route, payload)
        for step in escalations(transition.trigger, route, self._routing):
            self.book.add(
                trigger_id=transition.trigger.id,
                fingerprint=transition.trigger.fingerprint,
                episode=transition.trigger.id,
                transition=transition.id,
                kind=Kind.ESCALATION,
                target=step.target,
                step=step.number,
                state=State.DUE,
                reason=Reason.SENT,
                explanation=step.explanation,
                severity=transition.trigger.severity,
                payload=payload,
                due_at=self._after_quiet(step.due_at, step.preferences, transition.trigger),
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
            trigger,
            self._now,
            situation.mutes,
            situation.inhibitions,
            situation.open_triggers,
        )

    # -- what ends or changes a firing -------------------------------------------------------

    def _follow(self, transition: Transition, payload: Mapping[str, Any]) -> None:
        trigger = transition.trigger
        rows = self.book.of_trigger(trigger.id)
        if transition.kind != "flapping":
            self._stop_reminders(transition, rows)
        seen: set[Target] = set()
        for target, earlier in rows.items():
            telling = [row for row in earlier if row.kind in TELLING]
            if not telling:
                continue
            seen.add(target)
            self._follow_target(transition, target, telling, payload)
        for route in self._routing.routes(trigger):
            if route.target not in seen:
                self._withhold(
                    transition,
                    Kind(transition.kind),
                    route.target,
                    Reason.EXPIRED,
                    "The firing was planned before it could be told here.",
                    payload,
                )

    def _follow_target(
        self,
        transition: Transition,
        target: Target,
        telling: list[Row],
        payload: Mapping[str, Any],
    ) -> None:
        kind = Kind(transition.kind)
        newest = telling[-1]
        carriers = [self.book.carrier(row) for row in telling]
        told = any(carrier.may_have_been_told for carrier in carriers)
        waiting = next((row for row in telling if self.book.carrier(row).is_waiting), None)
        if (
            kind is Kind.ACKNOWLEDGED
            and target.recipient
            and (target.recipient == transition.author_id)
        ):
            if not told and waiting:
                self._withdraw_or_keep(waiting, Reason.ACKNOWLEDGED, transition)
            self._withhold(
                transition, kind, target, Reason.ACKNOWLEDGED, "You did it yourself.", payload
            )
        elif transition.trigger.resolution == "milestone" and (told or waiting):
            self._carry(
                transition,
                kind,
                target,
                self.book.carrier(waiting or newest),
                Reason.GROUPED,
                "Reaching a milestone ends it too; both are one message.",
                payload,
            )
        elif told:
            self._follow_told(transition, target, telling, payload)
        elif waiting:
            self._follow_waiting(transition, target, waiting, payload)
        else:
            self._withhold(
                transition,
                kind,
                target,
                newest.reason if newest.state is State.WITHHELD else Reason.EXPIRED,
                f"The firing was not told either: {newest.explanation}",
                payload,
            )

    def _follow_told(
        self,
        transition: Transition,
        target: Target,
        telling: list[Row],
        payload: Mapping[str, Any],
    ) -> None:
        after: Row | None = None
        for row in telling:
            carrier = self.book.carrier(row)
            if carrier.state is not State.DUE:
                continue
            retrying = carrier.attempts > 0 and not carrier.leased
            ends = transition.kind == "resolved"
            if ends and retrying and carrier is row and not self.book.carries(row):
                self.book.withdraw(
                    row, Reason.EXPIRED, "Resolved before a further attempt; the end is told."
                )
            elif carrier.may_have_been_told:
                after = carrier
        route = self._routing.route_of(target)
        if route.fault:
            self._withhold(
                transition,
                Kind(transition.kind),
                target,
                Reason.NO_CHANNEL,
                route.fault,
                payload,
            )
            return
        self._schedule(transition, Kind(transition.kind), route, payload, after=after)

    def _follow_waiting(
        self,
        transition: Transition,
        target: Target,
        waiting: Row,
        payload: Mapping[str, Any],
    ) -> None:
        kind = Kind(transition.kind)
        carrier = self.book.carrier(waiting)
        if carrier.kind is Kind.DIGEST:
            words = "It is told in the same digest as the firing."
            self._carry(transition, kind, target, carrier, Reason.OVER_HOURLY_CAP, words, payload)
        elif kind is Kind.FLAPPING:
            words = "It flaps; the message about the firing has not gone yet and says so."
            self._carry(transition, kind, target, carrier, Reason.FLAPPING, words, payload)
        elif kind is Kind.RESOLVED and self._withdraw_or_keep(waiting, Reason.EXPIRED, transition):
            words = f"The firing was not told either: {waiting.explanation}"
            self._withhold(transition, kind, target, Reason.EXPIRED, words, payload)
        elif kind is Kind.RESOLVED:
            self._schedule(transition, kind, self._routing.route_of(target), payload, after=carrier)
        elif target.recipient and self._withdraw_or_keep(waiting, Reason.ACKNOWLEDGED, transition):
            words = f"The firing was not told either: {waiting.explanation}"
            self._withhold(transition, kind, target, Reason.ACKNOWLEDGED, words, payload)
        else:
            words = "The message about the firing has not gone yet and says it too."
            self._carry(transition, kind, target, carrier, Reason.GROUPED, words, payload)

    def _withdraw_or_keep(self, row: Row, reason: Reason, transition: Transition) -> bool:
        """Take back what still waits; not what is critical and about to go. True if taken back."""
        carrier = self.book.carrier(row)
        if row.severity == CRITICAL and carrier.due_at is not None and carrier.due_at <= self._now:
            return False
        span = minutes_and_seconds(transition.at - transition.trigger.opened_at)
        words = (
            f"Acknowledged{f' by {transition.author}' if transition.author else ''} after {span},"
            if reason is Reason.ACKNOWLEDGED
            else f"Resolved after {span},"
        )
        self.book.withdraw(row, reason, f"{words} before it was due.")
        return True

    def _stop_reminders(self, transition: Transition, rows: Mapping[Target, list[Row]]) -> None:
        resolved = transition.kind == "resolved"
        for row in (one for earlier in rows.values() for one in earlier):
            if row.kind in (Kind.ESCALATION, Kind.REPEAT) and row.is_waiting:
                self.book.withdraw(
                    row,
                    Reason.EXPIRED if resolved else Reason.ACKNOWLEDGED,
                    f"{'Resolved' if resolved else 'Acknowledged'} before it was due.",
                )

    # -- rows --------------------------------------------------------------------------------

    def _schedule(
        self,
        transition: Transition,
        kind: Kind,
        route: Route,
        payload: Mapping[str, Any],
        *,
        after: Row | None = None,
    ) -> None:
        """A row that is sent, now or later, alone or with others."""
        trigger, target, wishes = transition.trigger, route.target, route.preferences
        due, reason, words = self._now, Reason.SENT, "Told at once."
        inbox = target.kind is ChannelKind.IN_APP
        if kind is Kind.FLAPPING:
            reason, words = Reason.FLAPPING, "It flaps: told once, the rest is counted."
        if kind is Kind.FIRING:
            last = self.book.last_told(trigger.fingerprint, target)
            if last is not None:
                until = self.book.moment(last) + wishes.deduplication
                if until > due:
                    due, reason = until, Reason.DEDUPLICATED
                    words = (
                        "The same was told less than"
                        f" {minutes_and_seconds(wishes.deduplication)} ago; told again if it still"
                        f" fires at {_clock(until)}."
                    )
        group = ""
        if not inbox and reason is not Reason.DEDUPLICATED:
            group = group_key(wishes.grouping.by, trigger)
            ends = kind is Kind.RESOLVED
            message = self.book.open_message(target, group, ends=ends)
            if message is not None and self._joins(message, trigger, after):
                self._carry(
                    transition,
                    kind,
                    target,
                    message,
                    Reason.GROUPED if kind is not Kind.FLAPPING else Reason.FLAPPING,
                    f"Told together with others {group_words(wishes.grouping.by)}.",
                    payload,
                    group,
                )
                return
            due, words = self._group_due(due, words, target, group, trigger, wishes, ends=ends)
        quiet = self._after_quiet(due, wishes, trigger)
        if quiet > due:
            due, reason = quiet, Reason.DEFERRED_QUIET_HOURS
            zone = wishes.quiet_hours.zone if wishes.quiet_hours else "UTC"
            words = f"Quiet hours until {_clock(due, zone)}; told then."
        if self._carry_in_digest(transition, kind, route, payload, due):
            return
        if after is not None:
            payload = {**payload, "after": str(after.id)}
        at_once = inbox and due <= self._now and after is None
        self.book.add(
            trigger_id=trigger.id,
            fingerprint=trigger.fingerprint,
            episode=trigger.id,
            transition=transition.id,
            kind=kind,
            target=target,
            state=State.DELIVERED if at_once else State.DUE,
            reason=reason,
            explanation=words,
            severity=trigger.severity,
            payload=payload,
            group_key=group,
            due_at=due,
        )

    def _joins(self, message: Row, trigger: Trigger, after: Row | None) -> bool:
        """Whether a message that waits can say this too; a critical one makes it go now."""
        assert message.due_at is not None
        if after is not None:
            return False  # it must not overtake the firing
        if trigger.severity != CRITICAL or message.due_at <= self._now:
            return True
        if message.reason is not Reason.SENT or "after" in message.payload:
            return False
        message.due_at = self._now
        return True

    def _group_due(
        self,
        due: datetime,
        words: str,
        target: Target,
        group: str,
        trigger: Trigger,
        wishes: Preferences,
        *,
        ends: bool,
    ) -> tuple[datetime, str]:
        """When a new message of the group goes: waiting for others, and not too soon after one."""
        grouping = wishes.grouping
        alone = grouping.by == "none"
        critical = trigger.severity == CRITICAL
        pause = grouping.wait if critical or ends else grouping.interval
        last = None if alone else self.book.last_message(target, group, ends=ends)
        wait = _TOGETHER if critical or alone else grouping.wait
        going = max(due + wait, last + pause if last else due)
        if going > due:
            words = (
                f"Waits {minutes_and_seconds(going - due)} for others {group_words(grouping.by)}."
            )
        return going, words

    def _after_quiet(self, due: datetime, wishes: Preferences, trigger: Trigger) -> datetime:
        if wishes.quiet_hours is None or trigger.severity == CRITICAL:
            return due
        return quiet_until(wishes.quiet_hours, due) or due

    def _carry_in_digest(
        self,
        transition: Transition,
        kind: Kind,
        route: Route,
        payload: Mapping[str, Any],
        due: datetime,
    ) -> bool:
        """Over the hourly cap, a row joins the target's next digest."""
        cap = route.preferences.max_per_hour
        if cap is None:
            return False
        recent = self.book.messages_before(route.target, due)
        if len(recent) < cap:
            return False
        digest = self.book.open_digest(route.target)
        if digest is None:
            at = recent[-cap] + HOUR
            digest = self.book.add(
                trigger_id=None,
                fingerprint="",
                episode="digest",
                transition=at.isoformat(),
                kind=Kind.DIGEST,
                target=route.target,
                state=State.DUE,
                reason=Reason.OVER_HOURLY_CAP,
                explanation=f"What was over the cap of {cap} an hour, in one message.",
                severity=transition.trigger.severity,
                payload={},
                due_at=self._after_quiet(at, route.preferences, transition.trigger),
            )
        self._carry(
            transition,
            kind,
            route.target,
            digest,
            Reason.OVER_HOURLY_CAP,
            f"More than {cap} an hour; it is in the digest.",
            payload,
        )
        return True

    def _carry(
        self,
        transition: Transition,
        kind: Kind,
        target: Target,
        carrier: Row,
        reason: Reason,
        words: str,
        payload: Mapping[str, Any],
        group: str = "",
    ) -> None:
        self._enter(transition, kind, target, State.CARRIED, reason, words, payload, group, carrier)

    def _withhold(
        self,
        transition: Transition,
        kind: Kind,
        target: Target,
        reason: Reason,
        words: str,
        payload: Mapping[str, Any],
    ) -> None:
        self._enter(transition, kind, target, State.WITHHELD, reason, words, payload)

    def _enter(
        self,
        transition: Transition,
        kind: Kind,
        target: Target,
        state: State,
        reason: Reason,
        words: str,
        payload: Mapping[str, Any],
        group: str = "",
        carrier: Row | None = None,
    ) -> None:
        trigger = transition.trigger
        self.book.add(
            trigger_id=trigger.id,
            fingerprint=trigger.fingerprint,
            episode=trigger.id,
            transition=transition.id,
            kind=kind,
            target=target,
            state=state,
            reason=reason,
            explanation=words,
            severity=trigger.severity,
            payload=payload,
            group_key=group,
            carried_by=None if carrier is None else carrier.id,
        )


def _clock(moment: datetime, zone: str = "UTC") -> str:
    """An instant as the clocks of a zone show it."""
    return f"{moment.astimezone(ZoneInfo(zone)):%d %b %H:%M} ({zone})"
