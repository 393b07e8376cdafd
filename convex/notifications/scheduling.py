"""When a notification goes, and with which others: deduplication, grouping, quiet hours, cap.

Pure, like everything that planning uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from convex.notifications.book import HOUR, Book, Row
from convex.notifications.grouping import group_key, group_words
from convex.notifications.model import (
    CRITICAL,
    ChannelKind,
    Kind,
    Reason,
    State,
    Target,
    Trigger,
    minutes_and_seconds,
)
from convex.notifications.preferences import Preferences
from convex.notifications.quiet_hours import quiet_until
from convex.notifications.routing import Route


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told. `key`: the id of the transition, or what else makes it unique."""

    trigger: Trigger
    kind: Kind
    key: int | str
    payload: Mapping[str, Any]


class Scheduler:
    """Enters rows into the book with their time, reason and words."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def withhold(self, telling: Telling, target: Target, reason: Reason, words: str) -> Row:
        """A row that is never sent."""
        return self._enter(telling, target, State.WITHHELD, reason, words)

    def carry(
        self,
        telling: Telling,
        target: Target,
        carrier: Row,
        reason: Reason,
        words: str,
        group: str = "",
    ) -> Row:
        """A row that is said by another."""
        return self._enter(
            telling, target, State.CARRIED, reason, words, group=group, carrier=carrier
        )

    def schedule(self, telling: Telling, route: Route, *, after: Row | None = None) -> Row:
        """A row that is sent, now or later, alone or with others; not before `after` was."""
        trigger, target, wishes = telling.trigger, route.target, route.preferences
        due, reason, words = self._book.now, Reason.SENT, "Told at once."
        inbox = target.kind is ChannelKind.IN_APP
        if telling.kind is Kind.FLAPPING:
            reason, words = Reason.FLAPPING, "It flaps: told once, the rest is counted."
        if telling.kind is Kind.FIRING:
            last = self._book.last_told(trigger.fingerprint, target)
            until = last and self._book.moment(last) + wishes.deduplication
            if until and until > due:
                due, reason = until, Reason.DEDUPLICATED
                words = (
                    f"The same was told less than {minutes_and_seconds(wishes.deduplication)} ago;"
                    f" told again if it still fires at {clock(until)}."
                )
        group = ""
        if not inbox and reason is not Reason.DEDUPLICATED:
            group = group_key(wishes.grouping.by, trigger)
            ends = telling.kind is Kind.RESOLVED
            message = self._book.open_message(target, group, ends=ends)
            if message is not None and self._joins(message, trigger, after):
                together = f"Told together with others {group_words(wishes.grouping.by)}."
                why = Reason.FLAPPING if telling.kind is Kind.FLAPPING else Reason.GROUPED
                return self.carry(telling, target, message, why, together, group)
            due, words = self._group_due(due, words, target, group, trigger, wishes, ends=ends)
        quiet = self.after_quiet(due, wishes, trigger)
        if quiet > due:
            due, reason = quiet, Reason.DEFERRED_QUIET_HOURS
            zone = wishes.quiet_hours.zone if wishes.quiet_hours else "UTC"
            words = f"Quiet hours until {clock(due, zone)}; told then."
        digest = self._digest(telling, route, due)
        if digest is not None:
            over = f"More than {wishes.max_per_hour} an hour; it is in the digest."
            return self.carry(telling, target, digest, Reason.OVER_HOURLY_CAP, over)
        at_once = inbox and due <= self._book.now and after is None
        state = State.DELIVERED if at_once else State.DUE
        return self._enter(
            telling, target, state, reason, words, group=group, due_at=due, after=after
        )

    def after_quiet(self, due: datetime, wishes: Preferences, trigger: Trigger) -> datetime:
        """The same time, or the end of the quiet hours that it lies in. Critical passes."""
        if wishes.quiet_hours is None or trigger.severity == CRITICAL:
            return due
        return quiet_until(wishes.quiet_hours, due) or due

    def escalate(
        self,
        telling: Telling,
        target: Target,
        *,
        step: int,
        due_at: datetime,
        words: str,
    ) -> Row:
        """A later step, planned already and taken back when somebody acknowledges."""
        return self._enter(telling, target, State.DUE, Reason.SENT, words, due_at=due_at, step=step)

    def _joins(self, message: Row, trigger: Trigger, after: Row | None) -> bool:
        """Whether a message that waits can say this too; a critical one makes it go now."""
        assert message.due_at is not None
        if after is not None:
            return False  # it must not overtake the firing
        if trigger.severity != CRITICAL or message.due_at <= self._book.now:
            return True
        if message.reason is not Reason.SENT or "after" in message.payload:
            return False
        self._book.advance(message)
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
        if grouping.by == "none":
            return due, words
        critical = trigger.severity == CRITICAL
        pause = grouping.wait if critical or ends else grouping.interval
        last = self._book.last_message(target, group, ends=ends)
        wait = timedelta(0) if critical else grouping.wait
        going = max(due + wait, last + pause if last else due)
        if going > due:
            waits = minutes_and_seconds(going - due)
            words = f"Waits {waits} for others {group_words(grouping.by)}."
        return going, words

    def _digest(self, telling: Telling, route: Route, due: datetime) -> Row | None:
        """The digest that takes what is over the hourly cap; None when it is not over."""
        cap, target = route.preferences.max_per_hour, route.target
        if cap is None:
            return None
        recent = self._book.messages_before(target, due)
        if len(recent) < cap:
            return None
        open_one = self._book.open_digest(target)
        if open_one is not None:
            return open_one
        at = max(recent[-cap] + HOUR, self._book.now)
        return self._book.add(
            trigger_id=None,
            fingerprint="",
            episode="digest",
            transition=at.isoformat(),
            kind=Kind.DIGEST,
            target=target,
            state=State.DUE,
            reason=Reason.OVER_HOURLY_CAP,
            explanation=f"What was over the cap of {cap} an hour, in one message.",
            severity=telling.trigger.severity,
            payload={},
            due_at=self.after_quiet(at, route.preferences, telling.trigger),
        )

    def _enter(
        self,
        telling: Telling,
        target: Target,
        state: State,
        reason: Reason,
        words: str,
        *,
        group: str = "",
        due_at: datetime | None = None,
        carrier: Row | None = None,
        after: Row | None = None,
        step: int = 0,
    ) -> Row:
        payload = telling.payload
        if after is not None:
            payload = {**payload, "after": str(after.id)}
        return self._book.add(
            trigger_id=telling.trigger.id,
            fingerprint=telling.trigger.fingerprint,
            episode=telling.trigger.id,
            transition=telling.key,
            kind=telling.kind,
            target=target,
            step=step,
            state=state,
            reason=reason,
            explanation=words,
            severity=telling.trigger.severity,
            payload=payload,
            group_key=group,
            due_at=due_at,
            carried_by=None if carrier is None else carrier.id,
        )


def clock(moment: datetime, zone: str = "UTC") -> str:
    """An instant as the clocks of a zone show it."""
    return f"{moment.astimezone(ZoneInfo(zone)):%d %b %H:%M} ({zone})"
