"""What a member wants to be told, and how: values, defaults, checks. Durations are timedeltas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from convex.errors import InvalidInput
from convex.notifications.quiet_hours import QuietHours

GROUPINGS = ("none", "rule", "framework", "type")
MOST_STEPS = 5


@dataclass(frozen=True, slots=True)
class Grouping:
    """Which triggers share a message, and when it goes.

    `wait`: from the first to the message that tells them all (critical ones do not wait) ·
    `interval`: between messages of one group · `repeat`: until a trigger that still fires is told
    again (zero: never).
    """

    by: str = "rule"
    wait: timedelta = timedelta(seconds=30)
    interval: timedelta = timedelta(minutes=5)
    repeat: timedelta = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class EscalationStep:
    """Whom to tell when nobody has acknowledged `after` the opening.

    `channels` by name or kind; `members` None: the member whose preference this is.
    """

    after: timedelta
    channels: Sequence[str] = ()
    members: Sequence[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a member, or the defaults of a workspace."""

    channels: Sequence[str] = ("in_app", "email")
    min_severity: str = "info"
    quiet_hours: QuietHours | None = None
    deduplication: timedelta = timedelta(minutes=5)
    grouping: Grouping = Grouping()
    max_per_hour: int | None = None
    escalation_after: timedelta = timedelta(minutes=60)
    escalation_steps: Sequence[EscalationStep] = ()
    predictions: bool = False


def read_preferences(row: Mapping[str, Any]) -> Preferences:
    """A row of notification_preferences as a value."""
    quiet = None
    if row["quiet_hours_enabled"]:
        quiet = QuietHours(row["quiet_hours_start"], row["quiet_hours_end"], row["timezone"])
    after = timedelta(minutes=row["escalation_after_minutes"])
    return Preferences(
        channels=tuple(row["channels"]),
        min_severity=row["min_severity"],
        quiet_hours=quiet,
        deduplication=timedelta(minutes=row["deduplication_minutes"]),
        grouping=Grouping(
            by=row["group_by"],
            wait=timedelta(seconds=row["group_wait_seconds"]),
            interval=timedelta(seconds=row["group_interval_seconds"]),
            repeat=timedelta(seconds=row["repeat_interval_seconds"]),
        ),
        max_per_hour=row["max_per_hour"],
        escalation_after=after,
        escalation_steps=read_steps(row["escalation_steps"], after),
        predictions=row["predictions"],
    )


def read_steps(steps: Sequence[Mapping[str, Any]], after: timedelta) -> tuple[EscalationStep, ...]:
    """Escalation steps from JSON: `{after_minutes?, channels: [...], members?: [user ids]}`.

    A step without its own time comes `after` the one before it (the first: after the opening).
    """
    read: list[EscalationStep] = []
    due = timedelta(0)
    for step in steps:
        own = step.get("after_minutes")
        due = due + after if own is None else timedelta(minutes=own)
        members = step.get("members")
        read.append(
            EscalationStep(
                after=due,
                channels=tuple(step.get("channels", ())),
                members=None if members is None else tuple(UUID(str(one)) for one in members),
            )
        )
    return tuple(read)


def check_row(row: Mapping[str, Any]) -> None:
    """Refuse what the database would refuse, in words. Raises `InvalidInput`."""
    if row["min_severity"] not in ("info", "warning", "critical"):
        raise InvalidInput(
            f"min_severity is info, warning or critical, not {row['min_severity']!r}.",
            field="min_severity",
        )
    if row["group_by"] not in GROUPINGS:
        raise InvalidInput(
            f"group_by is one of {', '.join(GROUPINGS)}, not {row['group_by']!r}.", field="group_by"
        )
    try:
        ZoneInfo(row["timezone"])
    except (KeyError, ValueError, OSError):
        raise InvalidInput(
            f"{row['timezone']!r} is not a time zone of the IANA database, such as Europe/Berlin.",
            field="timezone",
        ) from None
    _between(row, "deduplication_minutes", 1, 60)
    _between(row, "escalation_after_minutes", 1, 120)
    for name in ("group_wait_seconds", "group_interval_seconds", "repeat_interval_seconds"):
        _between(row, name, 0, 31 * 86_400)
    if row["max_per_hour"] is not None:
        _between(row, "max_per_hour", 1, 10_000)
    start, end = row["quiet_hours_start"], row["quiet_hours_end"]
    if not isinstance(start, time) or not isinstance(end, time) or start == end:
        raise InvalidInput(
            "Quiet hours need a start and an end, HH:MM, that differ.", field="quiet_hours_start"
        )
    steps = row["escalation_steps"]
    if len(steps) > MOST_STEPS:
        raise InvalidInput(
            f"There are at most {MOST_STEPS} escalation steps, not {len(steps)}.",
            field="escalation_steps",
        )
    previous = timedelta(0)
    for number, step in enumerate(
        _steps_or_refusal(steps, timedelta(minutes=row["escalation_after_minutes"])), start=1
    ):
        if step.after <= previous:
            raise InvalidInput(
                f"Escalation step {number} must come after the step before it.",
                field="escalation_steps",
            )
        if step.after - previous > timedelta(minutes=120):
            raise InvalidInput(
                f"Escalation step {number} comes more than 120 minutes after the one before it.",
                field="escalation_steps",
            )
        if not step.channels and not step.members:
            raise InvalidInput(
                f"Escalation step {number} names neither channels nor members.",
                field="escalation_steps",
            )
        previous = step.after


def _steps_or_refusal(steps: Any, after: timedelta) -> tuple[EscalationStep, ...]:
    try:
        return read_steps(steps, after)
    except (TypeError, ValueError, AttributeError):
        raise InvalidInput(
            'An escalation step is {"after_minutes": 60, "channels": ["email"], "members": [ids]}.',
            field="escalation_steps",
        ) from None


def _between(row: Mapping[str, Any], name: str, low: int, high: int) -> None:
    value = row[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidInput(f"{name} is a number from {low} to {high}, not {value!r}.", field=name)
